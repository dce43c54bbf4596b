"""Flowers as PNG files: their names, the text in them, and a folder of them."""

from __future__ import annotations

import hashlib
import math
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from gan.errors import UserError
from gan.hub.loader import Model
from gan.sampling.flower import Flower, describe, extras, main_class
from gan.sampling.sampler import Sampler
from gan.utils import images
from gan.utils.files import check_writable, write_atomic
from gan.utils.names import file_stem

BATCH = 64  # flowers drawn before they are written, which bounds the memory
MOST, MOST_IN_GRID = 1_000_000, 1024


def stem(flower: Flower, classes: Sequence[str]) -> str:
    """The file name of a resolved flower, without ending. Two flowers of a model never have the same name."""
    # With every digit of the truncation, so that two pictures do not share a name.
    level = "full" if flower.truncation is None else f"t{float(flower.truncation)!r}"
    name, more = classes[main_class(flower)], extras(flower)
    unclear = [name] if name in _alike(tuple(classes)) else []
    digests = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8] for text in (*unclear, more) if text]
    return file_stem(name, flower.seed, level, *digests)


@lru_cache
def _alike(classes: tuple[str, ...]) -> frozenset[str]:
    """Those of `classes` whose file names are the same as another one's on some system."""
    names = {name: same_name(file_stem(name)) for name in classes}
    counts = Counter(names.values())
    return frozenset(name for name, short in names.items() if counts[short] > 1)


def same_name(name: str) -> str:
    """A form of `name` that is equal for names of one file: many systems ignore case and the composition of accents."""
    return unicodedata.normalize("NFC", name).casefold()


def about(model: Model, flower: Flower | None = None) -> dict[str, Any]:
    """The text chunk of a PNG file: `model`, `revision`, and the fields of `flower.describe`."""
    made = {"model": model.title, "revision": model.revision}
    return made if flower is None else {**made, **describe(flower, model.generator.config.classes)}


def write(
    folder: Path, model: Model, flowers: Sequence[Flower], *, grid: Path | None = None, force: bool = False
) -> Iterator[Path]:
    """Draw resolved flowers into PNG files in `folder`, and all of them into the PNG file `grid`, if given.

    Yields the path of each file once it is written. The files have the same bytes as those of the app. Raises UserError before
    anything is drawn: for a flower that is asked for twice, and for a file that exists, unless `force` replaces it.
    """
    paths = [folder / f"{stem(flower, model.generator.config.classes)}.png" for flower in flowers]
    for place in (folder, *([grid.parent] if grid else [])):
        check_writable(place, "choose another place")
    _check_names(paths, grid)
    there = [path for path in (*paths, *([grid] if grid else [])) if path.exists()]
    if there and not force:
        more = f" (and {len(there) - 1:,} more)" if len(there) > 1 else ""
        raise UserError(f"{there[0]}{more} is there already, and nothing was drawn; choose another place, or add --force.")
    return _written(model, flowers, paths, grid)


def _check_names(paths: Sequence[Path], grid: Path | None) -> None:
    """Raise UserError where two files would have the same name, and for a grid that is too large or no PNG file."""
    names = Counter(same_name(path.name) for path in paths)
    if len(names) < len(paths):
        twice = next(path for path in paths if names[same_name(path.name)] > 1)
        raise UserError(f"two of the flowers would be {twice}, and nothing was drawn; ask for each flower once.")
    if grid is None:
        return
    if len(paths) > MOST_IN_GRID:
        raise UserError(f"{len(paths):,} flowers are too many for one picture; ask for {MOST_IN_GRID:,} at most with --grid.")
    if grid.is_dir():
        raise UserError(f"{grid} is a folder; give --grid the name of a PNG file.")
    if grid.suffix.lower() != ".png":
        raise UserError(f"--grid {grid} would be a PNG file of another name; give it one that ends in .png.")
    if same_name(grid.name) in names and grid.resolve().parent == paths[0].resolve().parent:
        raise UserError(f"{grid} is the name of one of the flowers; give --grid another.")


def _written(model: Model, flowers: Sequence[Flower], paths: Sequence[Path], grid: Path | None) -> Iterator[Path]:
    sampler, drawn = Sampler(model.generator), []
    try:
        for first in range(0, len(flowers), BATCH):
            part = flowers[first : first + BATCH]
            pictures = sampler.draw(part)
            for flower, picture, path in zip(part, pictures, paths[first : first + BATCH], strict=True):
                write_atomic(path, images.png(picture, about(model, flower)))
                yield path
            drawn += list(pictures) if grid else []
    finally:
        sampler.close()
    if grid:
        said = {**about(model), "flowers": [describe(flower, model.generator.config.classes) for flower in flowers]}
        write_atomic(grid, images.png(images.grid(drawn, math.isqrt(len(drawn) - 1) + 1), said))
        yield grid
