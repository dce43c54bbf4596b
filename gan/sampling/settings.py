"""What can be asked for: a grid of flowers, and a path between two, as values and as checked input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gan.errors import UserError
from gan.networks import latents
from gan.sampling.flower import Flower, check_label, check_truncation, grid_flowers, with_extras
from gan.sampling.interpolation import DEFAULT_PATH, check_path
from gan.utils import validation

MIN_SIDE, MAX_SIDE, DEFAULT_SIDE = 1, 7, 4  # flowers a side of the grid
MIN_STEPS, MAX_STEPS, DEFAULT_STEPS = 2, 60, 24  # pictures of a path
ONE_FILM = "1x1"
FILMS = {ONE_FILM: (1, 1), "2x2": (2, 2), "3x3": (3, 3), "4x3": (4, 3)}  # films in one: columns and rows
MAX_PICTURES = 240  # of all films in one


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
    """Settings of the Interpolate tab: a path of `steps` pictures from one flower to another.

    With several `films`, one of FILMS, each has a path of its own: its seeds at both ends are one higher than those before.
    """

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
    films: str = ONE_FILM

    def ends(self, classes: Sequence[str]) -> tuple[Flower, Flower]:
        """The flowers at both ends, resolved."""
        start = with_extras(Flower(self.from_label, self.from_seed, self.truncation), self.from_extras, classes)
        end = with_extras(Flower(self.to_label, self.to_seed, self.truncation), self.to_extras, classes)
        return start.resolve(len(classes)), end.resolve(len(classes))


def most_steps(films: str) -> int:
    """How many pictures a path may have where there are so many films in one: MAX_STEPS, or fewer."""
    columns, rows = FILMS[films]
    return min(MAX_STEPS, MAX_PICTURES // (columns * rows))


# ------------------------------------------------------------------------------------------------------------ checking


def generate(classes: Sequence[str], label: Any, seed: Any, truncation: Any, side: Any) -> Generate:
    """Settings from values of any type, as the API takes them. Raises UserError with a sentence about the first bad one."""
    return Generate(check_label(classes, label), latents.check_seed(seed), check_truncation(truncation), check_side(side))


def interpolate(
    classes: Sequence[str], from_label: Any, from_seed: Any, to_label: Any, to_seed: Any, truncation: Any, path: Any,
    steps: Any, loop: Any, from_extras: Any = "", to_extras: Any = "", films: Any = ONE_FILM,
) -> Interpolate:  # fmt: skip
    """Settings from values of any type, as the API takes them. Raises UserError with a sentence about the first bad one.

    More `steps` than `most_steps` are as many as that.
    """
    films = validation.choice("number of films", films, FILMS)
    return Interpolate(
        check_label(classes, from_label), latents.check_seed(from_seed), check_label(classes, to_label),
        latents.check_seed(to_seed), check_truncation(truncation), check_path(path),
        min(check_steps(steps), most_steps(films)), check_loop(loop), str(from_extras or ""), str(to_extras or ""), films,
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
