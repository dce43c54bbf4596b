"""The photos a model is judged against: those it was trained on, and those it has never seen."""

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
from gan.data.image_folder import MIN_PHOTOS, OVERSAMPLE, Photos, find_photos, load_photos
from gan.data.split import Files, split
from gan.errors import UserError
from gan.networks.latents import MAX_SEED
from gan.presets import EVERY
from gan.utils import validation
from gan.utils.names import composed
from gan.utils.progress import Progress
from gan.utils.validation import name_list

MIN_OF_A_CLASS = 12  # of a class, on either side: a half of them still has fifth neighbors


@dataclass(frozen=True)
class Pictures:
    """Pictures with their classes."""

    pixels: np.ndarray  # uint8 N×S×S×3
    labels: torch.Tensor  # int64 N, index into the classes
    files: tuple[Path, ...] = ()  # the file of each photo

    def of(self, label: int | None) -> np.ndarray:
        """A boolean array N: which pictures are of the class `label`; all of them for None."""
        return np.ones(len(self.labels), bool) if label is None else (self.labels == label).numpy()


@dataclass(frozen=True)
class Reference:
    """The photos of a model's classes at one resolution, in two parts that share no photo."""

    classes: tuple[str, ...]
    trained_on: Pictures
    held_out: Pictures | None  # None where the model saw all photos and no other folder was given
    held_out_from: str  # in words
    notes: tuple[str, ...]  # sentences that a reader of the figures has to know

    @property
    def digest(self) -> str:
        """The first 12 hex digits of a SHA-256 of all pixels, by which two references can be told apart."""
        parts = [self.trained_on, self.held_out] if self.held_out else [self.trained_on]
        return hashlib.sha256(b"".join(hashlib.sha256(part.pixels.data).digest() for part in parts)).hexdigest()[:12]


def load_reference(
    folder: Path,
    config: ModelConfig,
    resolution: int,
    held_out: Path | None = None,
    only: Sequence[str] = (),
    progress: Progress | None = None,
    keep: Callable[[Files], Files] | None = None,
) -> Reference:
    """Read the photos of `config`'s classes from `folder`, cropped and resized as in its training, without augmentations.

    The photos that the training held out are found again by the share and the seed in `config.trained`. `held_out` is another
    folder of photos to take in their place. `only` judges some of the model's classes, in this order. `keep` selects the files
    that the manifest of the training kept (data/manifest.py). The classes of a plain model are the sub-folders it was trained
    on. `progress` is called with (photos read, photos in all).

    Raises UserError when a class is missing or has fewer than MIN_OF_A_CLASS photos, when `only` names a class that the model
    does not know, when `held_out` holds photos that were trained on, and for a holdout or a seed in `config.trained` that
    is out of range.
    """
    config = replace(config, classes=tuple(map(composed, config.classes)))
    meant = photo_classes(config, config.classes)
    found = find_photos(folder, meant=meant)
    every = photo_classes(config, found)
    classes = _chosen(every, tuple(map(composed, only)))
    judged = classes if config.code_dim else config.classes
    _check_classes(folder, classes, judged, found)
    share = validation.number("holdout in the model's config.json", config.trained.get("holdout", 0.0), 0, 0.9)
    seed = validation.whole("seed in the model's config.json", config.trained.get("seed", 0), 0, MAX_SEED)
    reader = _Reader(meant, every, classes, share, seed, OVERSAMPLE * resolution, keep, progress)

    trained_on = reader.part(folder, 0)
    same_size = config.resolution == resolution and not only
    notes = _notes_on_training(config, trained_on, share, seed, keep is not None, same_size)
    others, source = None, "none"
    if held_out is not None:
        others, source = reader.everything(held_out), "a folder of their own"
    elif share:
        others, source = reader.part(folder, 1), f"the share of {share:g} that its training left out"
        if "photos" not in config.trained or not _same_photos(trained_on, config.trained, same_size):
            notes.append(
                "This may not be the folder of the training, and of another folder another share is held out: photos held out "
                "here may have been trained on, so AUC, right class and near copies may flatter the model."
            )
    else:
        seen = "was trained on every photo here" if "photos" in config.trained else "may have been trained on any photo here"
        notes.append(
            f"The model {seen}, so nothing can be said about photos it has not seen: AUC, right class "
            "and near copies are left out; train with --holdout 0.15, or give --reference."
        )
    _check_photos(trained_on, others, folder, held_out)
    if shared := _shared(trained_on, others):
        if held_out is not None:
            raise UserError(f"{shared} of the photos in '{held_out}' were trained on; take them out, or name another folder.")
        notes.append(f"{shared} of the photos held out were trained on under another name; give both one photo_group.")
    unseen = None if others is None else _labelled(others, judged)
    return Reference(judged, _labelled(trained_on, judged), unseen, source, tuple(notes))


def photo_classes(config: ModelConfig, found: Iterable[str]) -> tuple[str, ...]:
    """The sub-folders of photos of a model: its classes, or for a plain model those it was trained on.

    For a plain model whose `config.trained` does not name them, all that are `found`.
    """
    if config.code_dim:
        return config.classes
    named = config.trained.get("photos")
    return tuple(map(composed, named)) if named and isinstance(named, dict) else tuple(found)


def pictures(photos: Photos, side: int | None = None) -> Pictures:
    """Photos at OVERSAMPLE times the resolution, as a trainer holds them → averaged down to the resolution, or to `side`."""
    factor = photos.images.shape[-1] // side if side else OVERSAMPLE
    pixels = avg_pool2d(photos.images.float(), factor).round().to(torch.uint8)
    return Pictures(pixels.permute(0, 2, 3, 1).contiguous().numpy(), photos.labels)


def quotas(labels: torch.Tensor, classes: int, count: int) -> torch.Tensor:
    """Classes, int64, for `count` flowers: in the proportions of the photos' `labels`, in random order."""
    shares = torch.bincount(labels, minlength=classes).double() / len(labels)
    ends = (shares.cumsum(0) * count).round().long()
    result = torch.bucketize(torch.arange(count), ends, right=True).clamp(max=classes - 1)
    return result[torch.randperm(count, generator=torch.Generator().manual_seed(0))]


# ------------------------------------------------------------------------------------------------------------- reading


@dataclass(frozen=True)
class _Reader:
    """Reads the photos of some classes, split as the training split them."""

    meant: tuple[str, ...]  # sub-folders that are classes, whatever they are called
    every: tuple[str, ...]  # classes of the training
    classes: tuple[str, ...]  # classes to read
    share: float  # of each class that the training held out
    seed: int  # of the training
    side: int  # pixels
    keep: Callable[[Files], Files] | None
    progress: Progress | None

    def part(self, folder: Path, part: int) -> Photos:
        """The photos trained on (0) or held out (1)."""

        def select(found: Files) -> Files:
            # Split over all classes of the training, not over those to read: a group of photos may be in two classes.
            everything = find_photos(folder, meant=self.meant)
            whole = {name: files for name, files in everything.items() if name in self.every or name in found}
            whole = self.keep(whole) if self.keep else whole
            chosen = split(whole, folder, self.share, self.seed)[part]
            return {name: chosen.get(name, []) for name in found}

        # How few a part may be is said by _check_photos, which knows that the folder has more.
        return self._load(folder, select, least=0 if part else 1) if self.share else self._load(folder, self.keep)

    def everything(self, folder: Path) -> Photos:
        """All photos of another folder."""
        return self._load(folder, None)

    def _load(self, folder: Path, select: Callable[[Files], Files] | None, least: int = MIN_PHOTOS) -> Photos:
        there = find_photos(folder, meant=self.meant)
        only = self.classes if len(there) > 1 or set(self.classes) <= there.keys() else ()
        return load_photos(folder, self.side, only=only, select=select, progress=self.progress, least=least)


def _labelled(photos: Photos, classes: tuple[str, ...]) -> Pictures:
    """Photos as pictures, with labels in the order of the model's `classes`; folders come sorted by name."""
    places = [classes.index(name) if len(classes) > 1 else 0 for name in photos.classes]
    return Pictures(pictures(photos).pixels, torch.tensor(places)[photos.labels], photos.files)


def _shared(trained_on: Photos, others: Photos | None) -> int:
    """How many of `others` are among those trained on, with the same pixels."""
    if others is None:
        return 0
    known = {hashlib.sha256(image.numpy()).digest() for image in trained_on.images}
    return sum(hashlib.sha256(image.numpy()).digest() in known for image in others.images)


def _same_photos(photos: Photos, trained: dict[str, Any], same_size: bool) -> bool:
    """Whether these are the photos of the training: by a digest of the pixels at the `same_size`, otherwise by their number."""
    if same_size and "photos_digest" in trained:
        merged = photos.merged("all").digest  # as a plain model is trained
        return trained["photos_digest"] in (photos.digest, merged)
    known = {composed(name): count for name, count in trained.get("photos", photos.counts()).items()}
    return all(known.get(name) == count for name, count in photos.counts().items())


# ------------------------------------------------------------------------------------------------------ checks, notes


def _chosen(every: tuple[str, ...], only: tuple[str, ...]) -> tuple[str, ...]:
    """The classes in `only`, each once, or all. Raises UserError for one that is not among `every`."""
    if strange := [name for name in only if name not in every]:
        raise UserError(f"the model does not know the class '{strange[0]}'; choose among {name_list(every)}.")
    return tuple(dict.fromkeys(only)) or every


def _check_classes(folder: Path, classes: tuple[str, ...], judged: tuple[str, ...], found: Files) -> None:
    """Raise UserError for a class without a folder, and for a class called as the figures over all classes are."""
    missing = [name for name in classes if name not in found]
    if missing:
        raise UserError(
            f"'{folder}' has no photos of '{missing[0]}', a class of this model; its classes are {name_list(classes)}: "
            "name the folder that has a sub-folder for each."
        )
    if EVERY in judged and len(judged) > 1:
        raise UserError(f"a class is called '{EVERY}', as the figures over every class are; rename its folder and train again.")


def _check_photos(trained_on: Photos, others: Photos | None, folder: Path, held_out: Path | None) -> None:
    """Raise UserError where the two parts have different classes, or a class has too few photos."""
    if others is not None and others.classes != trained_on.classes:
        raise UserError(
            f"'{held_out}' has the classes {name_list(others.classes)}, not {name_list(trained_on.classes)}; "
            "name a folder that has a sub-folder for each."
        )
    for photos, place, side in ((trained_on, folder, "trained on"), (others, held_out or folder, "held out")):
        for name, count in photos.counts().items() if photos else ():
            if count < MIN_OF_A_CLASS:
                more = f"add photos until there are {MIN_OF_A_CLASS} or more of them"
                share = ", or train with another --holdout" if others is not None and held_out is None else ""
                raise UserError(f"there are only {count} photos of '{name}' in '{place}' among those {side}; {more}{share}.")


def _notes_on_training(
    config: ModelConfig, photos: Photos, share: float, seed: int, manifest: bool, same_size: bool
) -> list[str]:  # fmt: skip
    """What a reader has to know about the photos that the model was trained on.

    `manifest` tells whether one was given, `same_size` whether the photos can be compared by their pixels.
    """
    trained, notes = config.trained, []
    if "photos" not in trained:
        notes.append("What the model was trained on is not known, so distances are to photos of its kind.")
    elif not _same_photos(photos, trained, same_size):
        notes.append("The photos are not exactly those the model was trained on, so distances are to others of their kind.")
    if trained.get("manifest") and share and not manifest:
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
    return notes
