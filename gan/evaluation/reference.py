"""The photographs a model is judged against: those it was trained on, and those it has never seen."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import avg_pool2d

from gan.config import ModelConfig
from gan.data.image_folder import OVERSAMPLE, Photos, find_photos, load_photos
from gan.data.split import split
from gan.errors import UserError
from gan.networks.latents import MAX_SEED
from gan.presets import EVERY
from gan.utils import validation
from gan.utils.names import composed

MIN_PHOTOS = 12  # photos of a class on one side: each half of them still has fifth neighbours


@dataclass(frozen=True)
class Pictures:
    """Pictures with their classes."""

    pixels: np.ndarray  # uint8 N×S×S×3
    labels: torch.Tensor  # int64 N, index into the classes
    files: tuple[Path, ...] = ()  # where each photo was read from

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

    @property
    def digest(self) -> str:
        """The first 12 hex digits of a SHA-256 of all its pixels, by which two references can be told apart."""
        parts = [self.trained_on, self.held_out] if self.held_out else [self.trained_on]
        return hashlib.sha256(b"".join(hashlib.sha256(part.pixels).digest() for part in parts)).hexdigest()[:12]


def load_reference(
    folder: Path,
    config: ModelConfig,
    resolution: int,
    held_out: Path | None = None,
    only: Sequence[str] = (),
    progress: Callable[[int, int], object] | None = None,
    keep: Callable[[dict[str, list[Path]]], dict[str, list[Path]]] | None = None,
) -> Reference:
    """Read the photos of `config`'s classes from `folder`, as its training saw them but for the augmentations.

    What was held out is found anew from the share and the seed in `config.trained`; `held_out` names another folder of
    photos to take instead; `only` some of the model's classes may be judged, in that order. A plain model's classes are the
    sub-folders it was trained on. `keep` takes the files of `folder` that its manifest kept (manifest.py). Raises UserError
    when a class is missing or has fewer than MIN_PHOTOS photos, and when `held_out` holds photos that were trained on.
    """
    config = replace(config, classes=tuple(map(composed, config.classes)))
    meant = photo_classes(config, config.classes)
    trained, found = config.trained, find_photos(folder, meant=meant)
    every = classes = photo_classes(config, found)
    only = tuple(map(composed, only))
    if strange := [name for name in only if name not in classes]:
        raise UserError(f"the model does not know the class '{strange[0]}'; choose among {validation.listed(classes)}.")
    classes = tuple(dict.fromkeys(only)) or classes
    judged = classes if config.code_dim else config.classes
    missing = [name for name in classes if name not in found]
    if missing:
        raise UserError(
            f"'{folder}' has no photos of '{missing[0]}', a class of this model; its classes are {validation.listed(classes)}: "
            "name the folder that has a sub-folder for each."
        )
    if EVERY in judged and len(judged) > 1:
        raise UserError(f"a class is called '{EVERY}', as the figures over every class are; rename its folder and train again.")
    share = validation.number("holdout in the model's config.json", trained.get("holdout", 0.0), 0, 0.9)
    seed = validation.whole("seed in the model's config.json", trained.get("seed", 0), 0, MAX_SEED)

    def read(place: Path, part: int | None) -> Photos:
        def select(found: dict[str, list[Path]]) -> dict[str, list[Path]]:
            # Cut as the training was, over all its classes: photos of one scene may be of two.
            everything = find_photos(place, meant=meant)
            whole = {name: files for name, files in everything.items() if name in every or name in found}
            whole = keep(whole) if keep else whole
            parts = split(whole, place, share, seed)
            return {name: parts[part].get(name, []) for name in found}

        there = find_photos(place, meant=meant)
        chosen = classes if len(there) > 1 or set(classes) <= there.keys() else ()
        cut = None if part is None else select if share else keep
        return load_photos(place, OVERSAMPLE * resolution, only=chosen, select=cut, progress=progress)

    kept, notes = read(folder, 0), []
    if "photos" not in trained:
        notes.append("What the model was trained on is not known, so distances are to photos of its kind.")
    elif not _same_photos(kept, trained, config.resolution == resolution and not only):
        notes.append("The photos are not exactly those the model was trained on, so distances are to others of their kind.")
    if trained.get("manifest") and share and not keep:
        notes.append(
            "It was trained on what a manifest kept, and none was given with --manifest, so some of the photos held out may "
            "have been trained on."
        )
    begun = trained.get("begun_from") or {}
    if share and begun and (begun.get("holdout", 0), begun.get("seed", 0)) != (share, seed):
        notes.append(
            f"It began as {begun.get('name', 'another model')}, whose training did not hold out the same photos, so it may "
            "have learnt from some of them."
        )
    others, source = None, "none"
    if held_out is not None:
        others, source = read(held_out, None), "a folder of their own"
    elif share:
        others, source = read(folder, 1), f"the share of {share:g} that its training left out"
    else:
        seen = "was trained on every photo here" if "photos" in trained else "may have been trained on any photo here"
        notes.append(
            f"The model {seen}, so nothing can be said about photos it has not seen; "
            "train with --holdout 0.15, or give --reference."
        )
    if others is not None and others.classes != kept.classes:
        raise UserError(
            f"'{held_out}' has the classes {validation.listed(others.classes)}, not {validation.listed(kept.classes)}; "
            "name a folder that has a sub-folder for each."
        )
    for photos, place in ((kept, folder), (others, held_out or folder)):
        _check_counts(photos, place)
    if shared := _shared(kept, others):
        if held_out is not None:
            raise UserError(f"{shared} of the photos in '{held_out}' were trained on; take them out, or name another folder.")
        notes.append(f"{shared} of the photos held out were trained on under another name; give both one photo_group.")
    return Reference(judged, _labelled(kept, judged), others and _labelled(others, judged), source, tuple(notes))


def photo_classes(config: ModelConfig, found: Iterable[str]) -> tuple[str, ...]:
    """The sub-folders of photos that belong to a model: its classes, or for a plain model those it was trained on.

    All that are `found` for a plain model that does not say.
    """
    if config.code_dim:
        return config.classes
    named = config.trained.get("photos")
    return tuple(map(composed, named)) if named and isinstance(named, dict) else tuple(found)


def pictures(photos: Photos) -> Pictures:
    """Photos as a trainer holds them, at OVERSAMPLE times the resolution, → at the resolution itself."""
    pixels = avg_pool2d(photos.images.float(), OVERSAMPLE).round().to(torch.uint8)
    return Pictures(pixels.permute(0, 2, 3, 1).contiguous().numpy(), photos.labels)


def _labelled(photos: Photos, classes: tuple[str, ...]) -> Pictures:
    """Photos as pictures, their labels in the order of the model's `classes`; folders come sorted by name."""
    places = [classes.index(name) if len(classes) > 1 else 0 for name in photos.classes]
    return Pictures(pictures(photos).pixels, torch.tensor(places)[photos.labels], photos.files)


def _shared(kept: Photos, others: Photos | None) -> int:
    """How many of `others` are among `kept`, pixel by pixel."""
    if others is None:
        return 0
    known = {hashlib.sha256(image.numpy()).digest() for image in kept.images}
    return sum(hashlib.sha256(image.numpy()).digest() in known for image in others.images)


def _same_photos(photos: Photos, trained: dict[str, Any], same_size: bool) -> bool:
    """Whether these are the photos of the training, by their pixels where those can be compared, else by their number."""
    if same_size and "photos_digest" in trained:
        merged = photos.merged("all").digest  # of a plain model
        return trained["photos_digest"] in (photos.digest, merged)
    known = {composed(name): count for name, count in trained.get("photos", photos.counts()).items()}
    return all(known.get(name) == count for name, count in photos.counts().items())


def _check_counts(photos: Photos | None, place: Path) -> None:
    for name, count in photos.counts().items() if photos else ():
        if count < MIN_PHOTOS:
            raise UserError(
                f"there are only {count} photos of '{name}' in '{place}' on one side of the comparison; add photos until there "
                f"are {MIN_PHOTOS} or more, or hold out another share."
            )


def quotas(labels: torch.Tensor, classes: int, count: int) -> torch.Tensor:
    """Classes for `count` flowers, int64, in the proportions of the photos' `labels` and spread evenly over the whole."""
    shares = torch.bincount(labels, minlength=classes).double() / len(labels)
    ends = (shares.cumsum(0) * count).round().long()
    result = torch.bucketize(torch.arange(count), ends, right=True).clamp(max=classes - 1)
    return result[torch.randperm(count, generator=torch.Generator().manual_seed(0))]
