"""Flowers as files: what a PNG file says of its flower, what it is called, and a folder of them."""

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
from gan.sampling import settings
from gan.sampling.flower import Flower
from gan.sampling.sampler import Sampler
from gan.utils import images
from gan.utils.files import check_writable, write_atomic
from gan.utils.names import file_stem

AT_ONCE = 64  # flowers drawn before they are written: memory stays that of a few, however many are asked for
MOST, MOST_IN_GRID = 1_000_000, 1024


def stem(flower: Flower, classes: Sequence[str]) -> str:
    """File name of a flower (with a class of its own), without its ending: another flower of the model has another name."""
    # Every digit of it, so that two pictures do not share a name.
    level = "full" if flower.truncation is None else f"t{float(flower.truncation)!r}"
    name, more = classes[settings.main_class(flower)], settings.extras(flower)
    told = [name] if name in _alike(tuple(classes)) else []
    changed = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8] for text in (*told, more) if text]
    return file_stem(name, flower.seed, level, *changed)


@lru_cache
def _alike(classes: tuple[str, ...]) -> frozenset[str]:
    """Those of `classes` that a file name alone does not tell from another one of them, on every system."""
    names = {name: same_name(file_stem(name)) for name in classes}
    counts = Counter(names.values())
    return frozenset(name for name, short in names.items() if counts[short] > 1)


def same_name(name: str) -> str:
    """What is equal for two names that are one file on some system: many know no case, and no way of writing an accent."""
    return unicodedata.normalize("NFC", name).casefold()


def about(model: Model, flower: Flower | None = None) -> dict[str, Any]:
    """What a PNG file says about where it comes from."""
    made = {"model": model.title, "revision": model.revision}
    return made if flower is None else {**made, **settings.describe(flower, model.generator.config.classes)}


def write(
    folder: Path, model: Model, flowers: Sequence[Flower], *, grid: Path | None = None, force: bool = False
) -> Iterator[Path]:
    """Draw `flowers` (each with a class of its own) into `folder`, a PNG file each, and all of them into the PNG file `grid`.

    Gives the path of each file once it is written. The files are those that the app gives for the same flowers, to the byte.
    Raises UserError at once, before anything is drawn: for two flowers of one name, and for a file that is there already,
    unless `force` lets it be replaced.
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
    """Raise UserError where one file would be written over another, or the grid cannot be what it is called."""
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
        for first in range(0, len(flowers), AT_ONCE):
            part = flowers[first : first + AT_ONCE]
            pictures = sampler.draw(part)
            for flower, picture, path in zip(part, pictures, paths[first : first + AT_ONCE], strict=True):
                write_atomic(path, images.png(picture, about(model, flower)))
                yield path
            drawn += list(pictures) if grid else []
    finally:
        sampler.close()
    if grid:
        said = {**about(model), "flowers": [settings.describe(flower, model.generator.config.classes) for flower in flowers]}
        write_atomic(grid, images.png(images.grid(drawn, math.isqrt(len(drawn) - 1) + 1), said))
        yield grid
