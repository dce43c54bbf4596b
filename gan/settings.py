"""What a visitor can set, as values: checked from whatever arrives, written to the page's address and read back from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qs

from . import checks, latent
from .errors import UserError
from .sampler import Flower, grid_flowers

MIN_SIDE, MAX_SIDE, DEFAULT_SIDE = 1, 7, 4
MIN_STEPS, MAX_STEPS, DEFAULT_STEPS = 2, 60, 24
TABS = ("generate", "interpolate")
MAX_ADDRESS = 4096  # characters of an address that are looked at
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Generate:
    """Settings of the Generate tab: `side`² flowers whose seeds follow on from `seed`."""

    label: int | None  # None is every class
    seed: int
    truncation: float | None = latent.DEFAULT_TRUNCATION
    side: int = DEFAULT_SIDE

    def flowers(self, classes: Sequence[str]) -> list[Flower]:
        """The flowers of the grid, row by row, each with a class of its own."""
        flowers = grid_flowers(self.label, self.seed, self.truncation, self.side**2)
        return [flower.resolve(len(classes)) for flower in flowers]


@dataclass(frozen=True)
class Interpolate:
    """Settings of the Interpolate tab: a path of `steps` pictures from one flower to another."""

    from_label: int | None
    from_seed: int
    to_label: int | None
    to_seed: int
    truncation: float | None = latent.DEFAULT_TRUNCATION
    path: str = latent.DEFAULT_PATH
    steps: int = DEFAULT_STEPS
    loop: bool = False

    def ends(self, classes: Sequence[str]) -> tuple[Flower, Flower]:
        """The flowers at both ends, each with a class of its own."""
        start = Flower(self.from_label, self.from_seed, self.truncation)
        end = Flower(self.to_label, self.to_seed, self.truncation)
        return start.resolve(len(classes)), end.resolve(len(classes))


# ------------------------------------------------------------------------------------------------------------ checking


def every(classes: Sequence[str]) -> str:
    """What choosing every class is called: `All`, with stars where a class has that name."""
    name = "All"
    while name in classes:
        name += "*"
    return name


def generate(classes: Sequence[str], label: Any, seed: Any, truncation: Any, side: Any) -> Generate:
    """Check values of any type, as the API takes them. Raises UserError with a sentence about the first bad one."""
    return Generate(check_label(classes, label), latent.check_seed(seed), check_truncation(truncation), check_side(side))


def interpolate(
    classes: Sequence[str], from_label: Any, from_seed: Any, to_label: Any, to_seed: Any, truncation: Any, path: Any,
    steps: Any, loop: Any,
) -> Interpolate:  # fmt: skip
    """Check values of any type, as the API takes them. Raises UserError with a sentence about the first bad one."""
    return Interpolate(
        check_label(classes, from_label), latent.check_seed(from_seed), check_label(classes, to_label),
        latent.check_seed(to_seed), check_truncation(truncation), latent.check_path(path), check_steps(steps), check_loop(loop),
    )  # fmt: skip


def check_label(classes: Sequence[str], name: Any) -> int | None:
    """Index of the class called `name`, None for every class; always 0 where there is one class. Raises UserError."""
    if len(classes) == 1:
        return 0
    if isinstance(name, str) and name in classes:
        return list(classes).index(name)
    if name == every(classes):
        return None
    raise UserError(f"the class is {checks.show(name)}; choose one of {', '.join(classes)} or {every(classes)}.")


def check_side(side: Any) -> int:
    """Flowers a side of the grid, 1 to 7. Raises UserError."""
    return checks.whole("grid", side, MIN_SIDE, MAX_SIDE)


def check_steps(steps: Any) -> int:
    """Pictures of a path, 2 to 60. Raises UserError."""
    return checks.whole("number of steps", steps, MIN_STEPS, MAX_STEPS)


def check_truncation(truncation: Any) -> float | None:
    """A number from 0.01 to 3, or None for no truncation. Raises UserError."""
    return None if truncation is None else latent.check_truncation(truncation)


def check_loop(loop: Any) -> bool:
    """True or False. Raises UserError."""
    if not isinstance(loop, bool):
        raise UserError(f"loop is {checks.show(loop)}; use true or false.")
    return loop


# ------------------------------------------------------------------------------------------------------------- address


def to_address(classes: Sequence[str], settings: Generate | Interpolate) -> dict[str, str]:
    """The settings as parameters of the page's address. The two tabs have no key in common, so one address holds both."""
    if isinstance(settings, Generate):
        pairs = {
            "class": _name(classes, settings.label),
            "seed": settings.seed,
            "truncation": _level(settings.truncation),
            "grid": settings.side,
        }
    else:
        pairs = {
            "from": _name(classes, settings.from_label),
            "from-seed": settings.from_seed,
            "to": _name(classes, settings.to_label),
            "to-seed": settings.to_seed,
            "film-truncation": _level(settings.truncation),
            "path": settings.path,
            "steps": settings.steps,
            "loop": "yes" if settings.loop else "no",
        }
    single = ("class", "from", "to") if len(classes) == 1 else ()
    return {key: str(value) for key, value in pairs.items() if key not in single}


def from_address(
    query: Any, classes: Sequence[str], fresh: Callable[[], int], truncation: float = latent.DEFAULT_TRUNCATION
) -> tuple[Generate, Interpolate, str]:
    """Both tabs' settings and the open tab from an address (`?class=…`); whatever is missing or bad takes its default.

    `fresh` gives a seed where the address has none, `truncation` is the model's own. Never raises.
    """
    try:
        found = {key: values[-1] for key, values in parse_qs(str(query or "")[:MAX_ADDRESS].lstrip("?")).items()}
    except ValueError:  # more fields than anyone needs, or bytes that are no text
        found = {}
    first, last = 0, len(classes) - 1
    on_page = Generate(
        _take(found, "class", lambda text: check_label(classes, text), None if last else 0),
        _seed(found, "seed", fresh),
        _take(found, "truncation", _read_level, truncation),
        _take(found, "grid", lambda text: check_side(_read_whole(text)), DEFAULT_SIDE),
    )
    film = Interpolate(
        _take(found, "from", lambda text: check_label(classes, text), first),
        _seed(found, "from-seed", fresh),
        _take(found, "to", lambda text: check_label(classes, text), last),
        _seed(found, "to-seed", fresh),
        _take(found, "film-truncation", _read_level, truncation),
        _take(found, "path", latent.check_path, latent.DEFAULT_PATH),
        _take(found, "steps", lambda text: check_steps(_read_whole(text)), DEFAULT_STEPS),
        _take(found, "loop", {"yes": True, "no": False}.__getitem__, False),
    )
    return on_page, film, found["tab"] if found.get("tab") in TABS else TABS[0]


def _take(found: Mapping[str, str], key: str, read: Callable[[str], _Value], default: _Value) -> _Value:
    try:
        return read(found[key])
    except (KeyError, ValueError, UserError):
        return default


def _seed(found: Mapping[str, str], key: str, fresh: Callable[[], int]) -> int:
    seed = _take(found, key, lambda text: latent.check_seed(_read_whole(text)), None)
    return fresh() if seed is None else seed


def _read_whole(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", text):
        raise ValueError(text)
    return int(text)


def _read_level(text: str) -> float | None:
    return None if text == "off" else check_truncation(float(text))


def _level(truncation: float | None) -> str:
    return "off" if truncation is None else repr(float(truncation))  # reads back as the same float, so as the same picture


def _name(classes: Sequence[str], label: int | None) -> str:
    return every(classes) if label is None else classes[label]


# --------------------------------------------------------------------------------------------------------------- names


def describe(flower: Flower, classes: Sequence[str]) -> dict[str, Any]:
    """A flower (with a class of its own) as the text chunk of its PNG file says it."""
    return {"class": classes[flower.label], "seed": flower.seed, "truncation": flower.truncation}


def file_stem(*parts: object) -> str:
    """The parts joined into a file name without an ending, safe on every system."""
    text = "-".join(str(part) for part in parts)
    return re.sub(r"[^\w.+-]+", "_", text).strip("._-")[:100] or "flower"
