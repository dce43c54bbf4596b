"""The same flowers through a training (paper, fig. 19), small enough to travel with the model.

A run keeps a grid of its fixed noise each time it saves; of these a model folder carries a few, as WebP:

    growth/000016000.webp    64 flowers, seeds 0–63, the classes in turn, after 16,000 images
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from gan.errors import UserError
from gan.utils.files import write_atomic

FOLDER = "growth"
MOST = 12
MOST_GRIDS = 60  # in the run folder, however long the run is
QUALITY = 85
SIDE = 8  # flowers a side of a grid
GAP = 2  # pixels between them
MAX_PIXELS = 4096  # a side of a grid: 8 flowers of 256 pixels have half of that


def keep(run: Path, until: int | None = None) -> list[Path]:
    """Write `growth/` from the grids of a run folder: MOST of them at most, evenly spread, the last among them.

    `until` is the moment of the model that the folder holds, in images seen, where that is not the last: what came later is
    left out. What `growth/` held before is replaced, unless there are no grids. Returns the files. Raises OSError.
    """
    grids = [grid for grid in in_order(run / "grids") if until is None or int(grid.stem) <= until]
    if not grids:  # somebody made room: what was kept of them is all that is left
        return []
    for old in (run / FOLDER).glob("*.webp"):
        old.unlink()
    (run / FOLDER).mkdir(exist_ok=True)
    return [_convert(path, run / FOLDER / f"{path.stem}.webp") for path in evenly(grids, MOST)]


def in_order(grids: Path) -> list[Path]:
    """The grids in the folder `grids`, named for the images seen (`000012800.png`), the earliest first."""
    return sorted((path for path in grids.glob("*.png") if path.stem.isdigit()), key=lambda path: int(path.stem))


def evenly(grids: Sequence[Path], most: int) -> list[Path]:
    """At most `most` of `grids`, evenly spread, the last among them."""
    count = min(most, len(grids))
    return [grids[round((number + 1) * len(grids) / count) - 1] for number in range(count)]


def thin(run: Path) -> None:
    """Remove grids of a run folder until there are MOST_GRIDS: where they are closest, never the first or the last.

    Raises OSError.
    """
    grids = in_order(run / "grids")
    while len(grids) > MOST_GRIDS:
        seen = [int(path.stem) for path in grids]
        closest = min(range(1, len(grids) - 1), key=lambda number: seen[number + 1] - seen[number - 1])
        grids.pop(closest).unlink(missing_ok=True)


def is_frame(name: str) -> bool:
    """Whether a file of a model folder, named from there on, is one of its growth pictures."""
    path = PurePosixPath(name)
    return str(path.parent) == FOLDER and path.suffix == ".webp" and path.stem.isdigit()


def frames(model: Path) -> list[tuple[int, Path]]:
    """(images seen, file) of what a model folder carries, in order; empty for one that carries nothing."""
    return [(int(path.stem), path) for path in sorted((model / FOLDER).glob("*")) if is_frame(f"{FOLDER}/{path.name}")]


def flowers(grid: Path, side: int) -> np.ndarray:
    """The flowers of a grid that `frames` gave, uint8 SIDE²×`side`×`side`×3, row by row.

    Raises UserError for a file that is no grid of pictures of `side` pixels.
    """
    whole = SIDE * (side + GAP) - GAP
    try:
        with Image.open(grid) as image:
            if image.format != "WEBP" or image.size != (whole, whole) or whole > MAX_PIXELS:
                raise UserError(f"{grid.name} of the model's growth is no grid of {SIDE}×{SIDE} flowers; fetch it anew.")
            pixels = np.asarray(image.convert("RGB"))
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{grid.name} of the model's growth cannot be read ({error}); fetch it anew.") from None
    return cells(pixels, side)


def cells(pixels: np.ndarray, side: int) -> np.ndarray:
    """Whole rows of a grid, uint8 H×W×3, as the flowers in them, N×`side`×`side`×3, row by row."""
    padded = np.pad(pixels, ((0, GAP), (0, GAP), (0, 0)))
    squares = padded.reshape(-1, side + GAP, SIDE, side + GAP, 3).swapaxes(1, 2)[:, :, :side, :side]
    return np.ascontiguousarray(squares.reshape(-1, side, side, 3))


def _convert(grid: Path, path: Path) -> Path:
    buffer = io.BytesIO()
    with Image.open(grid) as image:
        image.convert("RGB").save(buffer, "WEBP", quality=QUALITY, method=6)
    write_atomic(path, buffer.getvalue())
    return path
