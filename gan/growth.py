"""The same flowers through a training (paper, fig. 19), small enough to travel with the model.

A run keeps a grid of its fixed noise each time it saves; of these a model folder carries a few, as WebP:

    growth/000016000.webp    64 flowers, seeds 0–63, the classes in turn, after 16,000 images
"""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from .files import write_atomic

FOLDER = "growth"
MOST = 12
QUALITY = 85


def keep(run: Path) -> list[Path]:
    """Write `growth/` from the grids of a run folder: MOST of them at most, evenly spread, the last among them.

    What `growth/` held before is replaced. Returns the files. Raises OSError.
    """
    grids = sorted((run / "grids").glob("*.png"))
    count = min(MOST, len(grids))
    chosen = [grids[round((number + 1) * len(grids) / count) - 1] for number in range(count)]
    for old in (run / FOLDER).glob("*.webp"):
        old.unlink()
    (run / FOLDER).mkdir(exist_ok=True)
    return [_convert(path, run / FOLDER / f"{path.stem}.webp") for path in chosen]


def frames(model: Path) -> list[tuple[int, Path]]:
    """(images seen, file) of what a model folder carries, in order; empty for one that carries nothing."""
    return [(int(path.stem), path) for path in sorted((model / FOLDER).glob("*.webp")) if path.stem.isdigit()]


def _convert(grid: Path, path: Path) -> Path:
    buffer = io.BytesIO()
    with Image.open(grid) as image:
        image.convert("RGB").save(buffer, "WEBP", quality=QUALITY, method=6)
    write_atomic(path, buffer.getvalue())
    return path
