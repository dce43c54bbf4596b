"""`--preset auto`: which model to train on these photos on this computer, and why."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from gan.config import ModelConfig
from gan.data.decode import side_of
from gan.errors import UserError
from gan.networks.backbones import find_backbone
from gan.options import TrainConfig
from gan.presets import PRESETS, RESOLUTIONS

LOOKED_AT = 200  # photos whose size is asked for
PASSES = 300  # over the photos: 156,600 images for the 522 behind the bundled flagship
LEAST, MOST = 40_000, {"cpu": 160_000, "mps": 160_000, "cuda": 1_000_000}  # images, by device
# What a run needs that begins as a model: on 64 photos of a class new to the flagship the KID of 64×64 pictures was 0.15 after
# 1,000 images and 0.13 after 6,000; from nothing, 1.21 and 0.84.
SHORTER = 4  # times
LARGEST = {"cpu": 128, "mps": 128, "cuda": 256}  # pixels a side
TRUNK = "efficientnet-lite0"


@dataclass(frozen=True)
class Choice:
    """What `--preset auto` stands for."""

    preset: str
    resolution: int
    images: int
    why: str  # a line for the plan


def choose(device: torch.device, found: Mapping[str, Sequence[Path]], begun: ModelConfig | None = None) -> Choice:
    """A preset for photos as `data.find_photos` gives them; their headers are read, no pixels.

    The flagship, as large as the photos and the device allow; where the frozen network of its critic is not installed, the
    paper's 64×64 model, with the budget of its preset. For a run that begins as the model `begun` it is that model's preset,
    no larger than it is, for a quarter of the images.
    """
    paths = [path for files in found.values() for path in files]
    sides = [side for path in paths[:: max(1, len(paths) // LOOKED_AT)] if (side := side_of(path))]
    usual = int(statistics.median(sides)) if sides else 0
    seen = f"{len(paths):,} files, usually {usual} pixels a side, on {device.type}"
    if begun and begun.preset in PRESETS:
        return _beginning(begun, device, len(paths), usual, seen)
    try:
        find_backbone(TRUNK)
    except UserError as error:
        return Choice(
            "cwgan-gp-64", PRESETS["cwgan-gp-64"].resolution, TrainConfig.images, f"{seen}; not the flagship, because {error}"
        )
    return Choice(
        "flagship", _side(device, usual), _images(device, len(paths)),
        f"{seen}: {PASSES} passes over them, within {LEAST:,} to {MOST[device.type]:,}",
    )  # fmt: skip


def _beginning(begun: ModelConfig, device: torch.device, count: int, usual: int, seen: str) -> Choice:
    why = f"{seen}; begun as a model of this preset: a quarter of the images from nothing"
    if not begun.styled:
        images = PRESETS[begun.preset].training.get("images", TrainConfig.images)
        return Choice(begun.preset, begun.resolution, images // SHORTER, why)
    return Choice(begun.preset, min(_side(device, usual), begun.resolution), _images(device, count) // SHORTER, why)


def _side(device: torch.device, usual: int) -> int:
    """Pixels a side for photos that are usually so large."""
    fitting = [side for side in RESOLUTIONS[1:] if side <= min(usual * 1.15, LARGEST[device.type])]
    return max(fitting, default=RESOLUTIONS[1])


def _images(device: torch.device, count: int) -> int:
    return min(max(LEAST, PASSES * count), MOST[device.type])
