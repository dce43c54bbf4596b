"""`--preset auto`: which model to train on these photos on this computer, and why."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from .config import TrainConfig
from .errors import UserError
from .features import find_trunk
from .photo import side_of
from .presets import PRESETS, RESOLUTIONS

LOOKED_AT = 200  # photos whose size is asked for
PASSES = 300  # over the photos: 156,600 images for the 522 behind the bundled flagship
LEAST, MOST = 40_000, {"cpu": 160_000, "mps": 160_000, "cuda": 1_000_000}  # images, by device
LARGEST = {"cpu": 128, "mps": 128, "cuda": 256}  # pixels a side
TRUNK = "efficientnet-lite0"


@dataclass(frozen=True)
class Choice:
    """What `--preset auto` stands for."""

    preset: str
    resolution: int
    images: int
    why: str  # a line for the plan


def choose(device: torch.device, found: Mapping[str, Sequence[Path]]) -> Choice:
    """A preset for photos as `data.find_photos` gives them; their headers are read, no pixels.

    The flagship, as large as the photos and the device allow; where the frozen network of its critic is not installed, the
    paper's 64×64 model, with the budget of its preset.
    """
    paths = [path for files in found.values() for path in files]
    sides = [side for path in paths[:: max(1, len(paths) // LOOKED_AT)] if (side := side_of(path))]
    usual = int(statistics.median(sides)) if sides else 0
    seen = f"{len(paths):,} files, usually {usual} pixels a side, on {device.type}"
    try:
        find_trunk(TRUNK)
    except UserError as error:
        return Choice(
            "cwgan-gp-64", PRESETS["cwgan-gp-64"].resolution, TrainConfig.images, f"{seen}; not the flagship, because {error}"
        )
    fitting = [side for side in RESOLUTIONS[1:] if side <= min(usual * 1.15, LARGEST[device.type])]
    resolution = max(fitting, default=RESOLUTIONS[1])
    images = min(max(LEAST, PASSES * len(paths)), MOST[device.type])
    return Choice(
        "flagship", resolution, images, f"{seen}: {PASSES} passes over them, within {LEAST:,} to {MOST[device.type]:,}"
    )
