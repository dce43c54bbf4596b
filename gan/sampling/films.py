"""Films of many flowers: walks through several way points, several of them side by side, as one MP4, GIF or WebP file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gan.errors import UserError
from gan.networks import latents
from gan.sampling.flower import Flower, later
from gan.sampling.interpolation import DEFAULT_PATH
from gan.sampling.sampler import Sampler
from gan.utils import images, validation

KINDS: dict[str, Callable[[Sequence[np.ndarray]], bytes]] = {"mp4": images.mp4, "gif": images.gif, "webp": images.webp}
OWN, SAME = "own", "same"
MAX_SIDE, MAX_SECONDS, MAX_FLOWERS = 6, 120, 50
MAX_BYTES = 1 << 30  # of all pictures in memory
GAP = 2  # pixels between two films


@dataclass(frozen=True)
class FilmGrid:
    """What a film shows: `columns` × `rows` walks, each through flowers of its own.

    With `paths` "own", the seeds of each walk are one higher than those of the walk before. With "same" all take the path of
    the first, and each starts further along it by an equal part of the film; that needs a path that is `closed`.
    """

    flowers: tuple[Flower, ...]  # the way points of the first walk, 2 or more
    columns: int = 1
    rows: int = 1
    seconds: float = 12.0
    paths: str = OWN
    closed: bool = True  # whether the walk goes on to where it began, so that the film repeats without a jump
    way: str = DEFAULT_PATH

    def check(self) -> FilmGrid:
        """Itself. Raises UserError for what cannot be a film."""
        count = len(self.flowers)
        if not 2 <= count <= MAX_FLOWERS:
            raise UserError(f"the film goes through {count} flower{'s' * (count != 1)}; give it 2 to {MAX_FLOWERS} seeds.")
        validation.choice("kind of paths", self.paths, (OWN, SAME))
        validation.number("number of seconds", self.seconds, 1, MAX_SECONDS)
        if self.steps < count:
            raise UserError(f"a film of {self.seconds:g} s is too short for {count} flowers; make it longer.")
        if self.paths == SAME and not self.closed:
            raise UserError("films on the same path need one that closes; leave out --open, or use --paths own.")
        return self

    @property
    def steps(self) -> int:
        """How many pictures the film has."""
        return round(self.seconds * images.FRAMES_A_SECOND)

    def walks(self) -> list[tuple[Flower, ...]]:
        """The way points of the walks that are drawn: one with "same", otherwise one for each place of the grid."""
        count = 1 if self.paths == SAME else self.columns * self.rows
        return [tuple(later(flower, number) for flower in self.flowers) for number in range(count)]


def draw(sampler: Sampler, film: FilmGrid) -> np.ndarray:
    """The pictures of a film, uint8 N×H×W×3. Raises UserError for what cannot be a film, and as `Sampler.draw` does."""
    film.check()
    side, places, steps = sampler.config.resolution, film.columns * film.rows, film.steps
    height, width = film.rows * (side + GAP) - GAP, film.columns * (side + GAP) - GAP
    if steps * height * width * 3 > MAX_BYTES:
        raise UserError(
            f"{places} films of {film.seconds:g} seconds take over {MAX_BYTES >> 30} GiB; make them fewer or shorter."
        )
    drawn = (sampler.walk(walk, steps, film.way, film.closed) for walk in film.walks())
    if film.paths == SAME:
        walk = next(drawn)
        drawn = (np.roll(walk, -(place * steps // places), axis=0) for place in range(places))
    return tiled(drawn, film.columns, film.rows)


def tiled(films: Iterable[np.ndarray], columns: int, rows: int) -> np.ndarray:
    """`columns` × `rows` films, each uint8 N×S×S×3, as one, N×H×W×3: row by row, with GAP white pixels between them."""
    frames: np.ndarray | None = None
    for place, film in enumerate(films):
        steps, side = film.shape[:2]
        if frames is None:
            frames = np.full((steps, rows * (side + GAP) - GAP, columns * (side + GAP) - GAP, 3), 255, np.uint8)
        top, left = place // columns * (side + GAP), place % columns * (side + GAP)
        frames[:, top : top + side, left : left + side] = film
    assert frames is not None  # there is one film at least
    return frames


def encode(frames: np.ndarray, kind: str) -> bytes:
    """Pictures uint8 N×H×W×3 as a file of one of KINDS. Raises UserError for another kind."""
    return KINDS[validation.choice("kind of film", kind, KINDS)](list(frames))


def read_grid(text: Any) -> tuple[int, int]:
    """Columns and rows of "3x2" (or "3×2"), 1 to MAX_SIDE each. Raises UserError."""
    found = re.fullmatch(r"(\d{1,2})[x×](\d{1,2})", str(text), re.ASCII)
    if not found or not all(1 <= int(side) <= MAX_SIDE for side in found.groups()):
        raise UserError(f"the grid is {validation.show(text)}; write columns x rows, such as 2x2, each from 1 to {MAX_SIDE}.")
    return int(found[1]), int(found[2])


def read_seeds(text: Any) -> list[int]:
    """The seeds of "1,5,9". Raises UserError."""
    parts = str(text).split(",")
    if not all(re.fullmatch(r"\s*\d{1,10}\s*", part, re.ASCII) for part in parts):
        raise UserError(f"the seeds are {validation.show(text)}; write whole numbers with commas between, such as 1,5,9.")
    return [latents.check_seed(int(part)) for part in parts]
