"""What a visitor can set, as values: checked from whatever arrives, written to the page's address and read back from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import parse_qs

from gan.errors import UserError
from gan.networks import latents
from gan.sampling.sampler import Flower, StyleMix, grid_flowers
from gan.utils import validation
from gan.utils.names import composed

MIN_SIDE, MAX_SIDE, DEFAULT_SIDE = 1, 7, 4
MIN_STEPS, MAX_STEPS, DEFAULT_STEPS = 2, 60, 24
MAX_ADDRESS = 65_536  # characters of an address that are looked at, as many as the server takes in a request for one
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Generate:
    """Settings of the Generate tab: `side`² flowers whose seeds follow on from `seed`."""

    label: int | None  # None is every class
    seed: int
    truncation: float | None = latents.DEFAULT_TRUNCATION
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
    truncation: float | None = latents.DEFAULT_TRUNCATION
    path: str = latents.DEFAULT_PATH
    steps: int = DEFAULT_STEPS
    loop: bool = False
    from_extras: str = ""
    to_extras: str = ""

    def ends(self, classes: Sequence[str]) -> tuple[Flower, Flower]:
        """The flowers at both ends, each with a class of its own."""
        start = with_extras(Flower(self.from_label, self.from_seed, self.truncation), self.from_extras, classes)
        end = with_extras(Flower(self.to_label, self.to_seed, self.truncation), self.to_extras, classes)
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
    return Generate(check_label(classes, label), latents.check_seed(seed), check_truncation(truncation), check_side(side))


def interpolate(
    classes: Sequence[str], from_label: Any, from_seed: Any, to_label: Any, to_seed: Any, truncation: Any, path: Any,
    steps: Any, loop: Any, from_extras: Any = "", to_extras: Any = "",
) -> Interpolate:  # fmt: skip
    """Check values of any type, as the API takes them. Raises UserError with a sentence about the first bad one."""
    return Interpolate(
        check_label(classes, from_label), latents.check_seed(from_seed), check_label(classes, to_label),
        latents.check_seed(to_seed), check_truncation(truncation), latents.check_path(path), check_steps(steps),
        check_loop(loop), str(from_extras or ""), str(to_extras or ""),
    )  # fmt: skip


def check_label(classes: Sequence[str], name: Any) -> int | None:
    """Index of the class called `name`, None for every class; always 0 where there is one class. Raises UserError."""
    if len(classes) == 1:
        return 0
    if isinstance(name, str) and composed(name) in (same := [composed(own) for own in classes]):
        return list(classes).index(name) if name in classes else same.index(composed(name))
    if name == every(classes):
        return None
    raise UserError(f"the class is {validation.show(name)}; choose one of {validation.listed(classes)} or {every(classes)}.")


def check_side(side: Any) -> int:
    """Flowers a side of the grid, 1 to 7. Raises UserError."""
    return validation.whole("grid", side, MIN_SIDE, MAX_SIDE)


def check_steps(steps: Any) -> int:
    """Pictures of a path, 2 to 60. Raises UserError."""
    return validation.whole("number of steps", steps, MIN_STEPS, MAX_STEPS)


def check_truncation(truncation: Any) -> float | None:
    """A number from 0.01 to 3, or None for no truncation. Raises UserError."""
    return None if truncation is None else latents.check_truncation(truncation)


def check_loop(loop: Any) -> bool:
    """True or False. Raises UserError."""
    if not isinstance(loop, bool):
        raise UserError(f"loop is {validation.show(loop)}; use true or false.")
    return loop


# ------------------------------------------------------------------------------------------------------------- address


def to_address(classes: Sequence[str], settings: Generate | Interpolate) -> dict[str, str]:
    """The settings as parameters of the page's address. The two tabs have no key in common, so one address holds both."""
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
    """What the address of the page (`?class=…`) says; whatever is missing or bad takes its default. Never raises."""

    def __init__(self, query: Any, fresh: Callable[[], int], truncation: float = latents.DEFAULT_TRUNCATION) -> None:
        """`fresh` gives a seed where the address has none, `truncation` is the model's own."""
        self._fresh, self._truncation = fresh, truncation
        try:
            pairs = parse_qs(str(query or "")[:MAX_ADDRESS].lstrip("?"))
        except ValueError:  # more fields than anyone needs, or bytes that are no text
            pairs = {}
        self._found = {key: values[-1] for key, values in pairs.items()}

    def take(self, key: str, read: Callable[[str], _Value], default: _Value) -> _Value:
        """What `read` makes of the text under `key`; the default, too, where it raises ValueError, KeyError or UserError."""
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
        return self.take(key, read_level, self._truncation)

    def label(self, key: str, classes: Sequence[str], default: int | None) -> int | None:
        """The index of a class."""
        return self.take(key, lambda text: check_label(classes, text), default)

    def choice(self, key: str, choices: Mapping[str, _Value], default: _Value) -> _Value:
        """What one of the words of `choices` stands for."""
        return self.take(key, choices.__getitem__, default)

    def text(self, key: str) -> str:
        """Whatever stands there."""
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
        address.choice("path", {path: path for path in latents.PATHS}, latents.DEFAULT_PATH),
        address.whole("steps", check_steps, DEFAULT_STEPS),
        address.choice("loop", {"yes": True, "no": False}, False),
        address.text("from-extras"),
        address.text("to-extras"),
    )


def _read_whole(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", text):
        raise ValueError(text)
    return int(text)


def read_level(text: str) -> float | None:
    """A truncation from the address. Raises ValueError or UserError."""
    return None if text == "off" else check_truncation(float(text))


def level_text(truncation: float | None) -> str:
    """A truncation as the address says it."""
    return "off" if truncation is None else repr(float(truncation))  # reads back as the same float, so as the same picture


def _name(classes: Sequence[str], label: int | None) -> str:
    return every(classes) if label is None else classes[label]


# -------------------------------------------------------------------------------------------------------------- extras
# What was done to a flower beyond its class, seed and truncation, as one short text that belongs to that class and seed:
#
#     0.7~m60:0:40~sAAAA…~f2:33:3    class 0, seed 7; 60 : 0 : 40 of the classes; a shift; finer scales of class 2, seed 33
#     0.7~m0-60:210-40               a mix of a hundred classes and more names those it has a share of
#
# How long a mix or a shift may be is up to the model: `Flower.resolve` and `latents.read_shift` see to that.

_EXTRAS = re.compile(
    r"(?P<label>\d{1,3})\.(?P<seed>\d{1,10})(?:~m(?P<mix>[\d.:-]+))?(?:~s(?P<shift>[\w-]+))?"
    r"(?:~f(?P<fine>\d{1,3}):(?P<fine_seed>\d{1,10}):(?P<scales>\d{1,2}))?",
    re.ASCII,
)
_LONG_MIX = 200  # characters; up to there every class is named by its place, as it has always been


def extras(flower: Flower) -> str:
    """The extras of a flower (with a class or mix of its own), empty where it has none."""
    parts = [
        f"~m{_write_mix(flower.label)}" if isinstance(flower.label, tuple) else "",
        f"~s{flower.shift}" if flower.shift else "",
        f"~f{flower.fine.label}:{flower.fine.seed}:{flower.fine.scales}" if flower.fine else "",
    ]
    return f"{main_class(flower)}.{flower.seed}{''.join(parts)}" if any(parts) else ""


def with_extras(flower: Flower, text: Any, classes: Sequence[str]) -> Flower:
    """`flower` with the extras that `text` says, as it is where they belong to another class or seed, or are none."""
    found = _EXTRAS.fullmatch(text if isinstance(text, str) else "")
    if not found or (int(found["label"]), int(found["seed"])) != (flower.label, flower.seed):
        return flower
    fine = StyleMix(int(found["fine"]), int(found["fine_seed"]), int(found["scales"])) if found["fine"] else None
    try:
        label = _read_mix(found["mix"], len(classes)) if found["mix"] else flower.label
        if fine:
            Flower(fine.label, latents.check_seed(fine.seed)).resolve(len(classes))
        return replace(flower, label=label, shift=found["shift"] or "", fine=fine).resolve(len(classes))
    except (ValueError, UserError):
        return flower


def _write_mix(shares: Sequence[float]) -> str:
    """Shares that add up to 1 as per cents; one below a ten-thousandth of a per cent is none."""
    texts = [f"{100 * share:.6g}" if share >= 1e-6 else "0" for share in shares]
    whole = ":".join(texts)
    return whole if len(whole) <= _LONG_MIX else ":".join(f"{i}-{text}" for i, text in enumerate(texts) if text != "0")


def _read_mix(text: str, classes: int) -> tuple[float, ...]:
    """The weights that `_write_mix` wrote. Raises ValueError for a text of another kind or of other classes."""
    parts = text.split(":")
    if "-" not in text:
        return tuple(float(part) for part in parts)
    pairs = [part.split("-") for part in parts]
    weights = {int(number): float(weight) for number, weight in pairs}
    if len(weights) < len(pairs) or max(weights) >= classes:
        raise ValueError(text)
    return tuple(weights.get(number, 0.0) for number in range(classes))


def main_class(flower: Flower) -> int:
    """The index of a flower's class, or of the greatest share of its mix."""
    return flower.label.index(max(flower.label)) if isinstance(flower.label, tuple) else flower.label


# --------------------------------------------------------------------------------------------------------------- names


def describe(flower: Flower, classes: Sequence[str]) -> dict[str, Any]:
    """A flower (with a class of its own) as the text chunk of its PNG file says it."""
    more = extras(flower)
    about = {"class": classes[main_class(flower)], "seed": flower.seed, "truncation": flower.truncation}
    return {**about, "extras": more} if more else about


def described(classes: Sequence[str], about: Any) -> Flower:
    """The flower that `describe` described. Raises UserError for values that describe none."""
    if not isinstance(about, dict):
        raise UserError("that is no flower; send one from the page.")
    label = check_label(classes, about.get("class"))
    flower = Flower(label, latents.check_seed(about.get("seed")), check_truncation(about.get("truncation")))
    return with_extras(flower.resolve(len(classes)), about.get("extras"), classes)
