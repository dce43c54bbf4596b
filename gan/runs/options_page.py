"""Makes docs/options.md from the declarations in options.py: `python -m gan.runs.options_page > docs/options.md`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from gan.options import GROUPS, flag_of
from gan.runs.cli import default_of, options_in

_HEAD = """# Options of a training

`python train.py PHOTOS [options]` and `gan.train("photos/", **options)` take the same options. In Python the names have `_`
for `-` (`--critic-lr 0.001` is `critic_lr=0.001`), and `--from` is `start_from`. A run that goes on keeps what is not given
again, except for what makes the model: `--classes`, `--width`, `--critic-width`, `--critic-norm`, `--unconditional`.
It may change its length (`--images`, `--epochs`), its end (`--lr-decay`), and how it is run, written and judged (`--device`,
`--threads`, `--every`, `--evaluate-every`, `--network`, `--half`, `--note`, `--push-to-hub`, `--wandb`); any other change is
refused. A preset's own default is named behind the usual one.
"""
_TITLES = {
    "everyday": "Everyday", "run": "The run and its folder", "model": "The model", "learning": "Learning",
    "augmentation": "Augmentation",
}  # fmt: skip


def page() -> str:
    """The whole page in Markdown."""
    return _HEAD + "".join(f"\n## {_TITLES[name]}\n\n" + "\n".join(_table(name)) + "\n" for name in GROUPS)


def _table(group: str) -> Iterator[str]:
    """The lines of the table of one group."""
    yield "| option | what | range | default |"
    yield "| --- | --- | --- | --- |"
    for item in options_in(group):
        about = item.metadata
        allowed = ", ".join(about["choices"]) or _bounds(about["low"], about["high"])
        yield f"| `{flag_of(item)}` | {about['help']} | {allowed} | {default_of(item)} |"


def _bounds(low: float | None, high: float | None) -> str:
    """A range as text; empty for an option that is not a number."""
    if low is None:
        return ""
    least, most = (f"{value:,}" if isinstance(value, int) else f"{value:g}" for value in (low, high or 0))
    return f"{least} or more" if high is None else f"{least} to {most}"


if __name__ == "__main__":
    print(inspect.cleandoc(page()))
