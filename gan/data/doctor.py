"""What is wrong with a folder of photos: `python -m gan doctor PHOTOS`, and the first lines of every training.

Photos are examined as training sees them: the central square at OVERSAMPLE times the trained side.

Near-duplicates are found by a fingerprint of 512 bits (a difference hash: is a cell of a 16×16 grid brighter than its
neighbor to the left, and than the one above?) beside a coarse grid of colors. 512 bits separate copies from different photos;
the usual 64 bits do not. Sharpness is mean(Laplacian²) / mean(gradient²), which does not depend on brightness or contrast.
docs/training.md has the measurements behind the limits below; tests/bench/doctor.py repeats them.

doctor_report.py turns what is found here into text, JSON, a manifest and contact sheets.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, conv2d

from gan.data.decode import prepare, stored_size
from gan.data.image_folder import MIN_PHOTOS, OVERSAMPLE, Skipped, relative, scan
from gan.data.manifest import KEPT
from gan.data.split import GROUPS
from gan.presets import EVERY
from gan.utils.names import printable
from gan.utils.progress import Progress

MAX_BITS = 100  # near-duplicates differ in at most so many of 512 bits
MAX_COLOR_DISTANCE = 48.0  # and by so much in the mean of their colors, 0 to 255; a copy that is 30 % brighter has 45
MIN_SHARPNESS = 0.5  # a photo below it is blurred
MAX_ENLARGEMENT = 2.0  # a photo that would be enlarged further is left out
MAX_RATIO = 3.0  # photos of the largest class / photos of the smallest class; chosen, not measured

CELL = 96  # pixels a side of a picture on the contact sheets
MAX_CELLS = 10_000  # pictures on all contact sheets together, which take 280 MB
MAX_CELLS_PER_CLASS = 400
_BATCH = 32


@dataclass(frozen=True)
class Fingerprints:
    """What N pictures are compared by."""

    hashes: Tensor  # bool N×512
    mirrored: Tensor  # bool N×512: the hashes of the mirror images
    colors: Tensor  # float N×48, 0 to 255: the means of 4×4 cells in each channel
    sharpness: Tensor  # float N


@dataclass(frozen=True)
class PhotoInfo:
    """One readable photo."""

    file: str  # path below the photo folder, with / as separator
    label: str  # its class
    width: int  # pixels, as stored
    height: int
    size: int  # bytes
    sharpness: float
    verdict: str = KEPT  # or why it is left out

    @property
    def side(self) -> int:
        """The shorter side in pixels, which is the side of the trained square."""
        return min(self.width, self.height)


@dataclass
class DatasetReport:
    """All that was found in a folder of photos."""

    resolution: int  # pixels a side of the planned training
    photos: list[PhotoInfo]
    unreadable: list[Skipped]
    classes: tuple[str, ...]
    duplicates: list[list[str]]  # groups of near-duplicate files within a class
    across: list[list[str]]  # groups of near-duplicate files from several classes
    thumbnails: dict[str, list[tuple[str, np.ndarray]]] = field(default_factory=dict)  # class → (file, uint8 CELL×CELL×3)

    @property
    def kept(self) -> dict[str, int]:
        """Class → number of photos that are kept."""
        counts = Counter(photo.label for photo in self.photos if photo.verdict == KEPT)
        return {name: counts[name] for name in self.classes}

    @property
    def small(self) -> list[PhotoInfo]:
        """Photos whose shorter side is below the trained resolution."""
        return [photo for photo in self.photos if photo.side < self.resolution]

    @property
    def blurred(self) -> list[PhotoInfo]:
        """Photos without detail at the trained resolution: sharpness below MIN_SHARPNESS."""
        return [photo for photo in self.photos if photo.sharpness < MIN_SHARPNESS]

    @property
    def uneven(self) -> tuple[str, str, float] | None:
        """(largest class, smallest class, ratio of their sizes) where the ratio is MAX_RATIO or more, else None."""
        return imbalance(Counter(photo.label for photo in self.photos))

    @property
    def misnamed(self) -> bool:
        """Whether one of several classes is called EVERY; training refuses it, as it names the figures over all classes."""
        return EVERY in self.classes and len(self.classes) > 1

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong with the photos."""
        found = self.unreadable, self.duplicates, self.across, self.small, self.blurred, self.uneven
        return not any(found) and not self.misnamed and all(self.kept.values()) and sum(self.kept.values()) >= MIN_PHOTOS


# ------------------------------------------------------------------------------------------------------------ measuring


def examine(
    folder: str | os.PathLike[str], resolution: int, only: Sequence[str] = (), progress: Progress | None = None
) -> DatasetReport:
    """Examine every photo of `folder` as a training at `resolution` pixels a side would see it.

    `only` chooses classes by name. `progress` is called with (files done, files in all). Memory holds one batch of pictures,
    some hundred bytes a photo, and at most MAX_CELLS thumbnails. Raises UserError as `find_photos` does.
    """
    found, skipped = scan(folder, only)
    unreadable = [item for item in skipped if item.path != GROUPS]  # sources.csv is not meant to be a picture
    files = [(label, path) for label, paths in found.items() for path in paths]
    steps = {label: _thumbnail_step(len(paths), len(found)) for label, paths in found.items()}
    done, photos, parts = 0, [], []
    seen: Counter[str] = Counter()
    thumbnails: dict[str, list[tuple[str, np.ndarray]]] = {label: [] for label in found}
    for batch, pixels, reasons in _decoded(files, OVERSAMPLE * resolution):
        good = [number for number, reason in enumerate(reasons) if not reason]
        unreadable += [Skipped(relative(batch[n][1], folder), reason) for n, reason in enumerate(reasons) if reason]
        if good:
            images = torch.from_numpy(pixels[good])
            parts.append(measure(images))
            small = adaptive_avg_pool2d(images.float(), CELL).round().byte().permute(0, 2, 3, 1).numpy()
        for row, number in enumerate(good):
            label, path = batch[number]
            name = relative(path, folder)
            sharpness = float(parts[-1].sharpness[row])
            photos.append(PhotoInfo(name, label, *stored_size(path), os.path.getsize(path), sharpness))
            if seen[label] % steps[label] == 0:
                thumbnails[label].append((name, small[row].copy()))
            seen[label] += 1
        done += len(batch)
        if progress:
            progress(done, len(files))
    groups = near_duplicates(_concatenated(parts)) if parts else []
    photos, duplicates, across = _with_verdicts(photos, groups, resolution)
    unreadable.sort(key=lambda item: item.path)
    return DatasetReport(resolution, photos, unreadable, tuple(found), duplicates, across, thumbnails)


def measure(images: Tensor) -> Fingerprints:
    """The fingerprints of pictures uint8 N×3×S×S, where S is OVERSAMPLE × the resolution; sharpness 0 for one plain color."""
    gray = images.float().mean(1, keepdim=True)
    small = avg_pool2d(gray, OVERSAMPLE)
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]).view(1, 1, 3, 3)
    laplacian = conv2d(small, kernel).square().flatten(1).mean(1)
    gradient = small.diff(dim=3)[:, :, 1:].square().flatten(1).mean(1) + small.diff(dim=2)[..., 1:].square().flatten(1).mean(1)
    colors = adaptive_avg_pool2d(images.float(), 4).flatten(1)
    return Fingerprints(_hash(gray), _hash(gray.flip(3)), colors, laplacian / gradient.clamp_min(1e-6))


def measure_all(images: Tensor) -> Fingerprints:
    """As `measure`, for any number of pictures: they are converted to float a batch at a time."""
    return _concatenated([measure(batch) for batch in images.split(_BATCH)])


def _hash(gray: Tensor) -> Tensor:
    """The difference hashes, bool N×512, of gray pictures N×1×S×S."""
    across, down = adaptive_avg_pool2d(gray, (16, 17))[:, 0], adaptive_avg_pool2d(gray, (17, 16))[:, 0]
    return torch.cat([(across.diff(dim=2) > 0).flatten(1), (down.diff(dim=1) > 0).flatten(1)], 1)


def near_duplicates(prints: Fingerprints) -> list[list[int]]:
    """Groups of two or more pictures, as sorted indices, in the order of their first members.

    Each picture of a group is nearly the same as another picture of it, or as that one's mirror image.
    """
    count = len(prints.hashes)
    parents = list(range(count))

    def root(number: int) -> int:  # union-find
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    signs, mirrored = (part.float() * 2 - 1 for part in (prints.hashes, prints.mirrored))
    least = signs.shape[1] - 2 * MAX_BITS  # the product of two hashes of ±1 that differ in MAX_BITS places
    for start in range(0, count, 1024):
        rows = signs[start : start + 1024]
        # In blocks, so that memory does not grow with the square of the number of photos.
        close = torch.maximum(rows @ signs[: start + len(rows)].T, rows @ mirrored[: start + len(rows)].T) >= least
        for row, column in close.nonzero().tolist():
            row += start
            if column < row and _same_colors(prints.colors[row], prints.colors[column]):
                parents[root(row)] = root(column)
    groups: dict[int, list[int]] = {}
    for number in range(count):
        groups.setdefault(root(number), []).append(number)
    return [members for members in groups.values() if len(members) > 1]


def _same_colors(first: Tensor, second: Tensor) -> bool:
    """Whether two grids of colors (48 numbers each) are similar, as they are or with one of them mirrored."""
    grids = (second, second.view(3, 4, 4).flip(2).flatten())
    return min(float((first - grid).abs().mean()) for grid in grids) <= MAX_COLOR_DISTANCE


def _concatenated(parts: Sequence[Fingerprints]) -> Fingerprints:
    return Fingerprints(*(torch.cat([getattr(part, name) for part in parts]) for name in Fingerprints.__dataclass_fields__))


def _decoded(files: list[tuple[str, Path]], size: int) -> Iterator[tuple[list[tuple[str, Path]], np.ndarray, list[str]]]:
    """Batch after batch: its (class, path) pairs, their pixels uint8 N×3×size×size, and why each was not read, or ""."""
    Image.init()  # once, before several threads decode
    pool = ThreadPoolExecutor(min(4, os.cpu_count() or 1))
    pixels = np.empty((_BATCH, 3, size, size), np.uint8)
    try:
        for start in range(0, len(files), _BATCH):
            batch = files[start : start + _BATCH]
            reasons = list(pool.map(lambda number: prepare(batch[number][1], pixels[number]), range(len(batch))))
            yield batch, pixels, reasons
    finally:
        pool.shutdown(cancel_futures=True)


def _thumbnail_step(count: int, classes: int) -> int:
    """n, where every n-th of the `count` photos of a class is on its contact sheet."""
    return max(1, -(-count // max(1, min(MAX_CELLS_PER_CLASS, MAX_CELLS // classes))))


# ------------------------------------------------------------------------------------------------------------- verdicts


def _with_verdicts(
    photos: list[PhotoInfo], groups: list[list[int]], resolution: int
) -> tuple[list[PhotoInfo], list[list[str]], list[list[str]]]:  # fmt: skip
    """The photos with their verdicts, the groups of near-duplicate files within a class, and those from several classes.

    Of a group within a class, the largest photo without another fault is kept. A group from several classes is left out as a
    whole: nobody can say which class is right.
    """
    photos = [replace(photo, verdict=_verdict(photo, resolution)) for photo in photos]
    within, across = [], []
    for group in groups:
        if len({photos[number].label for number in group}) > 1:
            across.append([photos[number].file for number in group])
            for number in group:
                other = next(photos[n] for n in group if photos[n].label != photos[number].label)
                photos[number] = replace(photos[number], verdict=f"also in the class {other.label}, as {printable(other.file)}")
            continue
        within.append([photos[number].file for number in group])
        best = max(group, key=lambda n: (photos[n].verdict == KEPT, photos[n].side, photos[n].size))
        for number in group:
            if number != best:
                photos[number] = replace(photos[number], verdict=f"near-duplicate of {printable(photos[best].file)}")
    return photos, within, across


def _verdict(photo: PhotoInfo, resolution: int) -> str:
    """The verdict on a photo, apart from near-duplicates."""
    if too_small(photo, resolution):
        return f"too small: {photo.width}×{photo.height} pixels for {resolution}×{resolution}"
    return KEPT if photo.sharpness >= MIN_SHARPNESS else f"blurred: sharpness {photo.sharpness:.2f}, below {MIN_SHARPNESS:g}"


def too_small(photo: PhotoInfo, resolution: int) -> bool:
    """Whether training would enlarge a photo by more than MAX_ENLARGEMENT."""
    return photo.side * MAX_ENLARGEMENT < resolution


def imbalance(counts: dict[str, int]) -> tuple[str, str, float] | None:
    """Photos by class → (largest class, smallest class, ratio) where the ratio is MAX_RATIO or more, else None.

    Classes without photos do not count.
    """
    counts = {name: count for name, count in counts.items() if count}
    if not counts:
        return None
    large, small = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
    ratio = counts[large] / counts[small]
    return (large, small, ratio) if ratio >= MAX_RATIO else None
