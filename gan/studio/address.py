"""The settings of the tabs Generate and Interpolate as the page's address (`?class=…`), and what reads any tab's address."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qs

from gan.errors import UserError
from gan.networks import latents
from gan.sampling.flower import check_label, every, level_text, read_level
from gan.sampling.interpolation import DEFAULT_PATH, PATHS
from gan.sampling.settings import (
    DEFAULT_SIDE,
    DEFAULT_STEPS,
    FILMS,
    ONE_FILM,
    Generate,
    Interpolate,
    check_side,
    check_steps,
    most_steps,
)

MAX_ADDRESS = 65_536  # characters of an address that are read: the server takes no longer one
_Value = TypeVar("_Value")


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
            "films": "" if settings.films == ONE_FILM else settings.films,
        }
    single = ("class", "from", "to") if len(classes) == 1 else ()
    return {key: str(value) for key, value in pairs.items() if key not in single}


class Address:
    """The parameters of the page's address (`?class=…`). A missing or bad one takes its default; nothing raises."""

    def __init__(self, query: Any, fresh: Callable[[], int], truncation: float = latents.DEFAULT_TRUNCATION) -> None:
        """`fresh` returns a seed where the address has none; `truncation` is the model's own."""
        self._fresh, self._truncation = fresh, truncation
        pairs = parse_qs(str(query or "")[:MAX_ADDRESS].lstrip("?"))
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
    films = address.choice("films", {name: name for name in FILMS}, ONE_FILM)
    return Interpolate(
        address.label("from", classes, 0),
        address.seed("from-seed"),
        address.label("to", classes, len(classes) - 1),
        address.seed("to-seed"),
        address.level("film-truncation"),
        address.choice("path", {path: path for path in PATHS}, DEFAULT_PATH),
        min(address.whole("steps", check_steps, DEFAULT_STEPS), most_steps(films)),
        address.choice("loop", {"yes": True, "no": False}, False),
        address.text("from-extras"),
        address.text("to-extras"),
        films,
    )


def _read_whole(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", text):
        raise ValueError(text)
    return int(text)


def _name(classes: Sequence[str], label: int | None) -> str:
    return every(classes) if label is None else classes[label]
