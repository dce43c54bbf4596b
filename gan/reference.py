"""The photographs a model is judged against: those it was trained on, and those it has never seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import avg_pool2d

from .config import ModelConfig
from .data import Photos, find_photos, load_photos
from .errors import UserError
from .holdout import split
from .trainer import OVERSAMPLE

LEAST = 10  # photos of a class on one side, below which nothing can be said about it


@dataclass(frozen=True)
class Pictures:
    """Pictures with their classes."""

    pixels: np.ndarray  # uint8 N×S×S×3
    labels: torch.Tensor  # int64 N, index into the classes

    def of(self, label: int | None) -> np.ndarray:
        """Where in `pixels` the class `label` stands, all for None: a boolean array N."""
        return np.ones(len(self.labels), bool) if label is None else (self.labels == label).numpy()


@dataclass(frozen=True)
class Reference:
    """The photos of a model's classes at one resolution, in two parts that share no photo."""

    classes: tuple[str, ...]
    trained_on: Pictures
    held_out: Pictures | None  # None where the model saw them all and no other folder was given
    held_out_from: str  # where they come from, in words
    notes: tuple[str, ...]  # what a reader of the figures has to know


def load_reference(
    folder: Path,
    config: ModelConfig,
    resolution: int,
    held_out: Path | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Reference:
    """Read the photos of `config`'s classes from `folder`, as its training saw them but for the augmentations.

    What was held out is found anew from the share and the seed in `config.trained`; `held_out` names another folder of
    photos to take instead. A plain model's classes are the sub-folders it was trained on. Raises UserError when a class is
    missing or has fewer than LEAST photos.
    """
    trained = config.trained
    classes = photo_classes(config)
    missing = [name for name in classes if name not in find_photos(folder)]
    if missing:
        raise UserError(
            f"'{folder}' has no photos of '{missing[0]}', a class of this model; its classes are {', '.join(classes)}: "
            "name the folder that has a sub-folder for each."
        )
    if "all" in classes and len(classes) > 1:
        raise UserError("a class is called 'all', as the figures over every class are; rename its folder and train again.")
    share, seed = trained.get("holdout", 0.0), trained.get("seed", 0)

    def read(place: Path, part: int | None) -> Photos:
        select = None if part is None or not share else lambda found: split(found, place, share, seed)[part]
        only = classes if len(find_photos(place)) > 1 else ()
        return load_photos(place, OVERSAMPLE * resolution, only=only, select=select, progress=progress)

    kept, notes = read(folder, 0), []
    if not _same_photos(kept, trained, config.resolution == resolution):
        notes.append("The photos are not exactly those the model was trained on, so distances are to others of their kind.")
    others, source = None, "none"
    if held_out is not None:
        others, source = read(held_out, None), "a folder of their own"
    elif share:
        others, source = read(folder, 1), f"the share of {share:g} that its training left out"
    else:
        notes.append(
            "The model was trained on every photo here, so nothing can be said about photos it has not seen; "
            "train with --holdout 0.15, or give --reference."
        )
    if others is not None and others.classes != kept.classes:
        raise UserError(
            f"'{held_out}' has the classes {', '.join(others.classes)}, not {', '.join(kept.classes)}; add the others."
        )
    for photos, place in ((kept, folder), (others, held_out or folder)):
        _check_counts(photos, place)
    if len(config.classes) != len(kept.classes):  # a plain model
        kept, others = kept.merged(config.classes[0]), others and others.merged(config.classes[0])
    return Reference(config.classes, pictures(kept), others and pictures(others), source, tuple(notes))


def photo_classes(config: ModelConfig) -> tuple[str, ...]:
    """The sub-folders of photos that belong to a model: its classes, or for a plain model those it was trained on."""
    return tuple(config.trained.get("photos", ())) or config.classes


def pictures(photos: Photos) -> Pictures:
    """Photos as a trainer holds them, at OVERSAMPLE times the resolution, → at the resolution itself."""
    pixels = avg_pool2d(photos.images.float(), OVERSAMPLE).round().to(torch.uint8)
    return Pictures(pixels.permute(0, 2, 3, 1).contiguous().numpy(), photos.labels)


def _same_photos(photos: Photos, trained: dict[str, Any], same_size: bool) -> bool:
    """Whether these are the photos of the training, by their pixels where those can be compared, else by their number."""
    if same_size and "photos_digest" in trained:
        merged = photos.merged("all").digest  # of a plain model
        return trained["photos_digest"] in (photos.digest, merged)
    return trained.get("photos", photos.counts()) == photos.counts()


def _check_counts(photos: Photos | None, place: Path) -> None:
    for name, count in photos.counts().items() if photos else ():
        if count < LEAST:
            raise UserError(
                f"there are only {count} photos of '{name}' in '{place}' on one side of the comparison; add photos until there "
                f"are {LEAST} or more, or hold out another share."
            )


def quotas(labels: torch.Tensor, classes: int, count: int) -> torch.Tensor:
    """Classes for `count` flowers, int64, in the proportions of the photos' `labels` and spread evenly over the whole."""
    shares = torch.bincount(labels, minlength=classes).double() / len(labels)
    ends = (shares.cumsum(0) * count).round().long()
    result = torch.bucketize(torch.arange(count), ends, right=True).clamp(max=classes - 1)
    return result[torch.randperm(count, generator=torch.Generator().manual_seed(0))]


def resized(pixels: np.ndarray, side: int) -> np.ndarray:
    """Pictures uint8 N×S×S×3 at another side: bilinear, antialiased where they shrink."""
    if pixels.shape[1] == side:
        return pixels
    parts: Sequence[np.ndarray] = np.array_split(pixels, max(1, len(pixels) // 64))
    out = []
    for part in parts:  # a few at a time: floats take four times the memory
        images = torch.from_numpy(part).permute(0, 3, 1, 2).float()
        images = torch.nn.functional.interpolate(images, size=side, mode="bilinear", antialias=True)
        out.append(images.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy())
    return np.concatenate(out)
