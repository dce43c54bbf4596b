"""Settings of the tabs Generate and Interpolate: as values, as checked input of the API, and as the page's address."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qs

from gan.errors import UserError
from gan.networks import latents
from gan.sampling.flower import (
    Flower,
    check_label,
    check_truncation,
    describe,
    described,
    every,
    extras,
    grid_flowers,
    level_text,
    main_class,
    read_level,
    with_extras,
)
from gan.sampling.interpolation import DEFAULT_PATH, PATHS, check_path
from gan.utils import validation

__all__ = [  # with what the page uses of flower.py under this module's name
    "DEFAULT_SIDE", "DEFAULT_STEPS", "MAX_SIDE", "MAX_STEPS", "MIN_SIDE", "MIN_STEPS", "Address", "Generate", "Interpolate",
    "check_label", "check_truncation", "describe", "described", "every", "extras", "generate", "generate_from", "interpolate",
    "interpolate_from", "level_text", "main_class", "read_level", "to_address", "with_extras",
]  # fmt: skip

MIN_SIDE, MAX_SIDE, DEFAULT_SIDE = 1, 7, 4  # flowers a side of the grid
MIN_STEPS, MAX_STEPS, DEFAULT_STEPS = 2, 60, 24  # pictures of a path
MAX_ADDRESS = 65_536  # characters of an address that are read: the server takes no longer one
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Generate:
    """Settings of the Generate tab: `side`² flowers with consecutive seeds from `seed` on."""

    label: int | None  # None is every class
    seed: int
    truncation: float | None = latents.DEFAULT_TRUNCATION
    side: int = DEFAULT_SIDE

    def flowers(self, classes: Sequence[str]) -> list[Flower]:
        """The flowers of the grid, row by row, resolved."""
        flowers = grid_flowers(self.label, self.seed, self.truncation, self.side**2)
        return [flower.resolve(len(classes)) for flower in flowers]


@dataclass(frozen=True)
class Interpolate:
    """Settings of the Interpolate tab: a path of `steps` pictures from one flower to another."""

    from_label: int | None
    from_seed: int
    to_label: int | None
    to_seed: int
    truncation: float | None = latents.DEFAULT_TRUNCATION
    path: str = DEFAULT_PATH
    steps: int = DEFAULT_STEPS
    loop: bool = False
    from_extras: str = ""
    to_extras: str = ""

    def ends(self, classes: Sequence[str]) -> tuple[Flower, Flower]:
        """The flowers at both ends, resolved."""
        start = with_extras(Flower(self.from_label, self.from_seed, self.truncation), self.from_extras, classes)
        end = with_extras(Flower(self.to_label, self.to_seed, self.truncation), self.to_extras, classes)
        return start.resolve(len(classes)), end.resolve(len(classes))


# ------------------------------------------------------------------------------------------------------------ checking


def generate(classes: Sequence[str], label: Any, seed: Any, truncation: Any, side: Any) -> Generate:
    """Settings from values of any type, as the API takes them. Raises UserError with a sentence about the first bad one."""
    return Generate(check_label(classes, label), latents.check_seed(seed), check_truncation(truncation), check_side(side))


def interpolate(
    classes: Sequence[str], from_label: Any, from_seed: Any, to_label: Any, to_seed: Any, truncation: Any, path: Any,
    steps: Any, loop: Any, from_extras: Any = "", to_extras: Any = "",
) -> Interpolate:  # fmt: skip
    """Settings from values of any type, as the API takes them. Raises UserError with a sentence about the first bad one."""
    return Interpolate(
        check_label(classes, from_label), latents.check_seed(from_seed), check_label(classes, to_label),
        latents.check_seed(to_seed), check_truncation(truncation), check_path(path), check_steps(steps),
        check_loop(loop), str(from_extras or ""), str(to_extras or ""),
    )  # fmt: skip


def check_side(side: Any) -> int:
    """Flowers a side of the grid, 1 to 7. Raises UserError."""
    return validation.whole("grid", side, MIN_SIDE, MAX_SIDE)


def check_steps(steps: Any) -> int:
    """Pictures of a path, 2 to 60. Raises UserError."""
    return validation.whole("number of steps", steps, MIN_STEPS, MAX_STEPS)


def check_loop(loop: Any) -> bool:
    """True or False. Raises UserError."""
    if not isinstance(loop, bool):
        raise UserError(f"loop is {validation.show(loop)}; use true or false.")
    return loop


# ------------------------------------------------------------------------------------------------------------- address


def to_address(classes: Sequence[str], settings: Generate | Interpolate) -> dict[str, str]:
    """The settings as parameters of the page's address. The two tabs have no key in common, so that one address holds both."""
    if isinstance(settings, Generate):
        pairs = {
            "class": _name(classes, settings.label),
            "seed": settings.seed,
            "truncation": level_text(settings.truncation),
            "grid": settings.side,
        }
    else:
        pairs = {
            "from": _name(classes, settings.from_label),
            "from-seed": settings.from_seed,
            "to": _name(classes, settings.to_label),
            "to-seed": settings.to_seed,
            "film-truncation": level_text(settings.truncation),
            "path": settings.path,
            "steps": settings.steps,
            "loop": "yes" if settings.loop else "no",
            "from-extras": settings.from_extras,
            "to-extras": settings.to_extras,
        }
    single = ("class", "from", "to") if len(classes) == 1 else ()
    return {key: str(value) for key, value in pairs.items() if key not in single}


class Address:
    """The parameters of the page's address (`?class=…`). A missing or bad one takes its default; nothing raises."""

    def __init__(self, query: Any, fresh: Callable[[], int], truncation: float = latents.DEFAULT_TRUNCATION) -> None:
        """`fresh` returns a seed where the address has none; `truncation` is the model's own."""
        self._fresh, self._truncation = fresh, truncation
        try:
            pairs = parse_qs(str(query or "")[:MAX_ADDRESS].lstrip("?"))
        except ValueError:  # too many fields, or bytes that are not UTF-8
            pairs = {}
        self._found = {key: values[-1] for key, values in pairs.items()}

    def take(self, key: str, read: Callable[[str], _Value], default: _Value) -> _Value:
        """The value that `read` makes of the text under `key`; `default` where it raises ValueError, KeyError or UserError."""
        try:
            return read(self._found[key])
        except (KeyError, ValueError, UserError):
            return default

    def whole(self, key: str, check: Callable[[int], int], default: int) -> int:
        """A whole number that `check` accepts."""
        return self.take(key, lambda text: check(_read_whole(text)), default)

    def seed(self, key: str) -> int:
        """A seed, or a fresh one."""
        seed = self.take(key, lambda text: latents.check_seed(_read_whole(text)), None)
        return self._fresh() if seed is None else seed

    def level(self, key: str) -> float | None:
        """A truncation, None for `off`, or the model's own."""
        default: float | None = self._truncation
        return self.take(key, read_level, default)

    def label(self, key: str, classes: Sequence[str], default: int | None) -> int | None:
        """The index of a class, None for every class."""
        return self.take(key, lambda text: check_label(classes, text), default)

    def choice(self, key: str, choices: Mapping[str, _Value], default: _Value) -> _Value:
        """The value of one of the words of `choices`."""
        return self.take(key, choices.__getitem__, default)

    def text(self, key: str) -> str:
        """The text as it stands there, empty where there is none."""
        return self._found.get(key, "")


def generate_from(address: Address, classes: Sequence[str]) -> Generate:
    """The Generate tab's settings from the page's address."""
    return Generate(
        address.label("class", classes, None if len(classes) > 1 else 0),
        address.seed("seed"),
        address.level("truncation"),
        address.whole("grid", check_side, DEFAULT_SIDE),
    )


def interpolate_from(address: Address, classes: Sequence[str]) -> Interpolate:
    """The Interpolate tab's settings from the page's address."""
    return Interpolate(
        address.label("from", classes, 0),
        address.seed("from-seed"),
        address.label("to", classes, len(classes) - 1),
        address.seed("to-seed"),
        address.level("film-truncation"),
        address.choice("path", {path: path for path in PATHS}, DEFAULT_PATH),
        address.whole("steps", check_steps, DEFAULT_STEPS),
        address.choice("loop", {"yes": True, "no": False}, False),
        address.text("from-extras"),
        address.text("to-extras"),
    )


def _read_whole(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", text):
        raise ValueError(text)
    return int(text)


def _name(classes: Sequence[str], label: int | None) -> str:
    return every(classes) if label is None else classes[label]
