"""The commands of a model: `python -m gan COMMAND`. train.py trains."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gan.data.cli
import gan.evaluation.cli
import gan.hub.cli
import gan.sampling.cli
from gan.errors import UserError
from gan.utils.terminal import complain, published_command, safe_output

RENAMED = {"remember": "index-photos"}  # old command → today's, for one release


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line; argparse itself exits with 2 and a sentence where it cannot."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in RENAMED:
        complain(f"note: '{words[0]}' is called '{RENAMED[words[0]]}' now; the old name goes with the next release.")
        words[0] = RENAMED[words[0]]
    parser = argparse.ArgumentParser(prog="python -m gan", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    gan.evaluation.cli.add_commands(commands)
    gan.data.cli.add_commands(commands, _choose_side)
    gan.sampling.cli.add_commands(commands)
    gan.hub.cli.add_commands(commands, _garden)
    return parser.parse_args(words)


def _choose_side(files: Mapping[str, Sequence[Path]]) -> int:
    """Pixels a side of what `train.py --preset auto` would train on these photos."""
    from gan.runs.auto_preset import choose
    from gan.utils.device import pick_device

    return choose(pick_device("auto"), files).resolution


def _garden(model: Any, vendor: str | None) -> dict[str, bytes]:
    """The files of a page that draws `model` in the browser, with its runtime unless `vendor` is None."""
    from gan.garden import runtime
    from gan.garden.files import garden_files

    return garden_files(model, vendored=None if vendor is None else runtime.vendor(Path(vendor) if vendor else None))


@safe_output()
def main(argv: list[str] | None = None) -> int:
    """Do it; exit code: 0 done, 1 doctor or check-figures found something, 2 what the user can mend, 130 interrupted."""
    words = sys.argv[1:] if argv is None else argv
    args = parse(argv)
    try:
        return args.do(args, published_command(["python", "-m", "gan", *words]))
    except UserError as error:
        complain(f"error: {error}")
        return 2
    except KeyboardInterrupt:
        complain("stopped")
        return 130
    except OSError as error:
        out = getattr(args, "out", None)
        mend = "choose another --out" if hasattr(args, "out") else "see to that, and try again"
        place = f" ({error.filename or out})" if error.filename or out else ""
        complain(f"error: {error.strerror or error}{place}; {mend}.")
        return 2


if __name__ == "__main__":
    sys.exit(main())
