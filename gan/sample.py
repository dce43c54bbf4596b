"""Flowers as files: what a PNG file says of its flower, what it is called, and a folder of them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from . import render, settings
from .errors import UserError
from .files import check_writable, write_atomic
from .hub import Model
from .sampler import Flower, Sampler

AT_ONCE = 64  # flowers drawn before they are written: memory stays that of a few, however many are asked for
MOST, MOST_IN_GRID = 1_000_000, 1024


def stem(flower: Flower, classes: Sequence[str]) -> str:
    """File name of a flower (with a class of its own), without its ending."""
    # Every digit of it, so that two pictures do not share a name.
    level = "full" if flower.truncation is None else f"t{float(flower.truncation)!r}"
    more = settings.extras(flower)
    changed = [hashlib.sha256(more.encode()).hexdigest()[:8]] if more else []
    return settings.file_stem(classes[settings.main_class(flower)], flower.seed, level, *changed)


def about(model: Model, flower: Flower | None = None) -> dict[str, Any]:
    """What a PNG file says about where it comes from."""
    made = {"model": model.title, "revision": model.revision}
    return made if flower is None else {**made, **settings.describe(flower, model.generator.config.classes)}


def write(
    folder: Path, model: Model, flowers: Sequence[Flower], *, grid: Path | None = None, force: bool = False
) -> Iterator[Path]:
    """Draw `flowers` (each with a class of its own) into `folder`, a PNG file each, and all of them into the file `grid`.

    Gives the path of each file once it is written. The files are those that the app gives for the same flowers, to the byte.
    Raises UserError before anything is drawn: for a file that is there already, unless `force` lets it be replaced.
    """
    classes = model.generator.config.classes
    paths = [folder / f"{stem(flower, classes)}.png" for flower in flowers]
    for place in (folder, *([grid.parent] if grid else [])):
        check_writable(place, "choose another place")
    if grid and len(flowers) > MOST_IN_GRID:
        raise UserError(f"{len(flowers):,} flowers are too many for one picture; ask for {MOST_IN_GRID:,} at most with --grid.")
    if grid and grid.resolve() in {path.resolve() for path in paths}:
        raise UserError(f"{grid} is the name of one of the flowers; give --grid another.")
    there = [path for path in (*paths, *([grid] if grid else [])) if path.exists()]
    if grid and grid.is_dir():
        raise UserError(f"{grid} is a folder; give --grid the name of a PNG file.")
    if there and not force:
        more = f" (and {len(there) - 1:,} more)" if len(there) > 1 else ""
        raise UserError(f"{there[0]}{more} is there already, and nothing was drawn; choose another place, or add --force.")
    sampler, drawn = Sampler(model.generator), []
    try:
        for first in range(0, len(flowers), AT_ONCE):
            part = flowers[first : first + AT_ONCE]
            pictures = sampler.draw(part)
            for flower, picture, path in zip(part, pictures, paths[first : first + AT_ONCE], strict=True):
                write_atomic(path, render.png(picture, about(model, flower)))
                yield path
            drawn += list(pictures) if grid else []
    finally:
        sampler.close()
    if grid:
        said = {**about(model), "flowers": [settings.describe(flower, classes) for flower in flowers]}
        write_atomic(grid, render.png(render.grid(drawn, math.isqrt(len(drawn) - 1) + 1), said))
        yield grid
