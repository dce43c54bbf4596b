"""`--preset auto`: chooses a preset, a resolution and a number of images for these photos and this device."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from gan.config import ModelConfig
from gan.data.decode import shorter_side
from gan.errors import UserError
from gan.networks.backbones import find_backbone
from gan.options import TrainConfig
from gan.presets import PRESETS, RESOLUTIONS

SAMPLED = 200  # photos, at least, whose size is read, where there are so many
PASSES = 300  # over the photos: 156,600 images for the 522 photos of the bundled flagship
MIN_IMAGES, MAX_IMAGES = 40_000, {"cpu": 160_000, "mps": 160_000, "cuda": 1_000_000}  # images, by device
# A run that begins with the weights of a model needs 1/TRANSFER_DIVISOR of the images. On 64 photos of a class that was new to
# the flagship, the KID of 64×64 pictures was 0.15 after 1,000 images and 0.13 after 6,000; from random weights 1.21 and 0.84.
TRANSFER_DIVISOR = 4
MAX_SIDE = {"cpu": 128, "mps": 128, "cuda": 256}  # pixels a side
BACKBONE = "efficientnet-lite0"


@dataclass(frozen=True)
class Choice:
    """What `--preset auto` chose."""

    preset: str
    resolution: int
    images: int
    why: str  # printed with the plan


def choose(device: torch.device, found: Mapping[str, Sequence[Path]], begun: ModelConfig | None = None) -> Choice:
    """Choose for photos as `find_photos` returns them. Only the headers of some photos are read.

    The choice is the flagship, as large as photos and device allow. Where the frozen network of its critic is not installed, it
    is the paper's 64×64 model with its own number of images. A run that begins with the weights of `begun` gets the preset of
    that model, at most its resolution, and a quarter of the images.
    """
    paths = [path for files in found.values() for path in files]
    sides = [side for path in paths[:: max(1, len(paths) // SAMPLED)] if (side := shorter_side(path))]
    usual = int(statistics.median(sides)) if sides else 0
    seen = f"{len(paths):,} files, usually {usual} pixels a side, on {device.type}"
    if begun and begun.preset in PRESETS:
        return _choice_for_model(begun, device, len(paths), usual, seen)
    try:
        find_backbone(BACKBONE)
    except UserError as error:
        return Choice(
            "cwgan-gp-64", PRESETS["cwgan-gp-64"].resolution, TrainConfig.images, f"{seen}; not the flagship, because {error}"
        )
    return Choice(
        "flagship", _choose_side(device, usual), _choose_images(device, len(paths)),
        f"{seen}: {PASSES} passes over them, within {MIN_IMAGES:,} to {MAX_IMAGES[device.type]:,}",
    )  # fmt: skip


def _choice_for_model(begun: ModelConfig, device: torch.device, count: int, usual: int, seen: str) -> Choice:
    """The choice for a run that begins with the weights of the model `begun`; `usual` is the median side of the photos."""
    why = f"{seen}; begun with a model of this preset: a quarter of the images that random weights need"
    if begun.preset != "flagship":
        images = PRESETS[begun.preset].training.get("images", TrainConfig.images)
        return Choice(begun.preset, begun.resolution, images // TRANSFER_DIVISOR, why)
    return Choice(
        begun.preset, min(_choose_side(device, usual), begun.resolution), _choose_images(device, count) // TRANSFER_DIVISOR, why
    )


def _choose_side(device: torch.device, usual: int) -> int:
    """The resolution for photos whose median side is `usual` pixels."""
    fitting = [side for side in RESOLUTIONS[1:] if side <= min(usual * 1.15, MAX_SIDE[device.type])]
    return max(fitting, default=RESOLUTIONS[1])


def _choose_images(device: torch.device, count: int) -> int:
    """The length of a run on `count` photos, in images."""
    return min(max(MIN_IMAGES, PASSES * count), MAX_IMAGES[device.type])
