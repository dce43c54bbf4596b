"""The photos of a training: where they are, which are trained on, and which are held out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan.config import ModelConfig
from gan.data.image_folder import OVERSAMPLE, Photos, find_photos, load_photos
from gan.data.manifest import manifest_filter
from gan.data.sources import photo_folder
from gan.data.split import Files, split
from gan.errors import UserError
from gan.options import RunOptions, TrainConfig
from gan.runs.validator import LEAST_HELD_OUT
from gan.utils.progress import Progress


@dataclass(frozen=True)
class TrainingPhotos:
    """A folder of photos, and the files in it that a training uses."""

    folder: Path
    only: tuple[str, ...]  # class names; empty: all classes
    keep: Callable[[Files], Files] | None  # the choice of a manifest among the files
    files: Files

    @classmethod
    def find(cls, photos: str, options: RunOptions) -> TrainingPhotos:
        """Unpack or download what `photos` names, and list its files. Raises UserError."""
        folder = photo_folder(photos, _progress("preparing"))
        keep = manifest_filter(options.manifest, folder) if options.manifest else None
        found = find_photos(folder, options.classes)
        return cls(folder, options.classes, keep, keep(found) if keep else found)

    def load(self, model: ModelConfig, train: TrainConfig) -> Photos:
        """Decode the photos to train on. Raises UserError."""
        size, select = OVERSAMPLE * model.resolution, self._select(train, 0)
        return load_photos(self.folder, size, only=self.only, select=select, progress=_progress("reading"))

    def load_held_out(self, model: ModelConfig, train: TrainConfig) -> Photos | None:
        """Decode the photos held out; None where there are fewer than LEAST_HELD_OUT, or none of a class."""
        select = self._select(train, 1)
        if not train.holdout or sum(map(len, select(find_photos(self.folder, self.only)).values())) < LEAST_HELD_OUT:
            return None
        try:
            photos = load_photos(self.folder, OVERSAMPLE * model.resolution, only=self.only, select=select)
        except UserError:  # no held-out photo of a class can be read
            return None
        return photos if len(model.classes) == len(photos.classes) else photos.merged(model.classes[0])

    def _select(self, train: TrainConfig, part: int) -> Any:
        """The function by which `load_photos` chooses files: those trained on (`part` 0) or held out (1). None chooses all."""
        keep = self.keep
        if not train.holdout:
            return keep
        return lambda found: split(keep(found) if keep else found, self.folder, train.holdout, train.seed)[part]


def _progress(what: str) -> Progress | None:
    """A function that prints progress on a terminal; None where stderr is not a terminal."""
    if not sys.stderr.isatty():
        return None
    return lambda done, total: print(f"\r{what} photos {done:,}/{total:,}", end="\n" * (done == total), file=sys.stderr)
