"""A folder of photos beside which flowers are shown to people, cropped to squares as for training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from torch.nn.functional import avg_pool2d

from gan.config import ModelConfig
from gan.data.decode import prepare
from gan.data.image_folder import OVERSAMPLE, find_photos
from gan.data.manifest import Files
from gan.errors import UserError
from gan.evaluation.photo_index import PhotoSet, find
from gan.evaluation.reference import photo_classes
from gan.utils.names import composed

CACHE_BYTES = 32 << 20  # of squares kept in memory


class PhotoFolder:
    """Photos of a model's classes, read on demand. Memory holds the paths and at most CACHE_BYTES of squares."""

    def __init__(
        self, folder: Path, config: ModelConfig, keep: Callable[[Files], Files] | None = None, every_class: bool = False
    ) -> None:
        """Find the photos of each class; of these, those that `keep` selects (data/manifest.py).

        Raises UserError if no class has a usable one; with `every_class`, also if one class has none.
        """
        found = find_photos(folder, meant=photo_classes(config, config.classes))
        found = keep(found) if keep else found
        names = photo_classes(config, found)
        several = len(config.classes) > 1
        groups = [(name,) for name in config.classes] if several else [tuple(names)]
        self.side = config.resolution
        self._files = [[path for name in group for path in found.get(composed(name), ())] for group in groups]
        self._cached_square = lru_cache(maxsize=max(8, CACHE_BYTES // (3 * self.side**2)))(self._read)
        self._indexed: dict[int, dict[int, Path]] = {}
        self._lock = Lock()
        self._files = [files if self._usable(files) else [] for files in self._files]
        named = config.classes if several else names or ("any kind",)
        if every_class and not all(self._files):
            lacking = [name for name, files in zip(config.classes, self._files) if not files] if several else named
            raise UserError(
                f"'{folder}' has no usable photo of {' or '.join(lacking)}; name a folder with a sub-folder of photos for each "
                "class."
            )
        if not any(self._files):
            raise UserError(
                f"'{folder}' has no usable photo of {' or '.join(named)}; name a folder with a sub-folder of photos for each, "
                "or leave out --photos."
            )

    def files(self, label: int) -> Sequence[Path]:
        """The files of class index `label`, sorted. Some may not be readable photos."""
        return self._files[label]

    def square(self, path: Path) -> np.ndarray | None:
        """The photo as in training, without augmentation: uint8 S×S×3. None if the file is not a readable photo."""
        return self._cached_square(path)

    def find(self, photos: PhotoSet) -> dict[int, Path]:
        """Match the photos of a photo index with files: number of the photo → path. The first call searches the folder."""
        with self._lock:
            key = hash(photos.digests)
            if key not in self._indexed:
                self._indexed[key] = find(photos, (path for files in self._files for path in files))
            return self._indexed[key]

    def _usable(self, files: Sequence[Path]) -> bool:
        return any(self.square(path) is not None for path in files)  # training, too, skips files that are not photos

    def _read(self, path: Path) -> np.ndarray | None:
        pixels = np.empty((3, OVERSAMPLE * self.side, OVERSAMPLE * self.side), np.uint8)
        if prepare(path, pixels):
            return None
        small = avg_pool2d(torch.from_numpy(pixels).float(), OVERSAMPLE).round().to(torch.uint8)
        return np.ascontiguousarray(small.permute(1, 2, 0).numpy())
