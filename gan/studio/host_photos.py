"""The folder of photos that a host gives (`--photos`): squares as the training makes them, read when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from torch.nn.functional import avg_pool2d

from gan.config import ModelConfig
from gan.data.decode import prepare
from gan.data.image_folder import OVERSAMPLE, find_photos
from gan.errors import UserError
from gan.evaluation.photo_index import PhotoSet, find
from gan.evaluation.reference import photo_classes
from gan.utils.names import composed

KEPT_BYTES = 32 << 20  # of squares in memory


class PhotoFolder:
    """Photos of a model's classes. Nothing is kept of files but their names and KEPT_BYTES of squares."""

    def __init__(self, folder: Path, config: ModelConfig) -> None:
        """Look for the photos of each class, and open one of each. Raises UserError where no class has any."""
        found = find_photos(folder, meant=photo_classes(config, config.classes))
        names = photo_classes(config, found)
        several = len(config.classes) > 1
        groups = [(name,) for name in config.classes] if several else [tuple(names)]
        self.side = config.resolution
        self._files = [[path for name in group for path in found.get(composed(name), ())] for group in groups]
        self._square = lru_cache(maxsize=max(8, KEPT_BYTES // (3 * self.side**2)))(self._read)
        self._found: dict[int, dict[int, Path]] = {}
        self._lock = Lock()
        self._files = [files if self._usable(files) else [] for files in self._files]
        if not any(self._files):
            raise UserError(
                f"'{folder}' has no usable photo of {' or '.join(config.classes if several else names or ('any kind',))}; "
                "name a folder with a sub-folder of photos for each, or leave out --photos."
            )

    def files(self, label: int) -> Sequence[Path]:
        """The files of a class, in order; some may turn out not to be photos."""
        return self._files[label]

    def square(self, path: Path) -> np.ndarray | None:
        """A photo as its training sees it, but for the augmentations: uint8 S×S×3; None for a file that is no photo."""
        return self._square(path)

    def find(self, part: PhotoSet) -> dict[int, Path]:
        """Which of the photos that a model remembers are in the folder: number → file. Looks once, at the first call."""
        with self._lock:
            key = hash(part.digests)
            if key not in self._found:
                self._found[key] = find(part, (path for files in self._files for path in files))
            return self._found[key]

    def _usable(self, files: Sequence[Path]) -> bool:
        return any(self.square(path) is not None for path in files)  # as a training, which passes over any number

    def _read(self, path: Path) -> np.ndarray | None:
        pixels = np.empty((3, OVERSAMPLE * self.side, OVERSAMPLE * self.side), np.uint8)
        if prepare(path, pixels):
            return None
        small = avg_pool2d(torch.from_numpy(pixels).float(), OVERSAMPLE).round().to(torch.uint8)
        return np.ascontiguousarray(small.permute(1, 2, 0).numpy())
