"""What is wrong with a folder of photos, before hours are spent on it: `python -m gan doctor PHOTOS`, and the first lines of
every training. Photos are looked at as training sees them, the central square at twice the trained side.

Near-duplicates are told by a difference hash (whether each cell of a 16×16 grid is brighter than its neighbour to the left
and the one above) of 512 bits, beside a coarse grid of colours. It is our own, of few lines: the library for it, imagehash,
brings PyWavelets and SciPy with it, and compares two hashes at a time. Its 64 bits would not do, either: of 681 photos of
single flowers in the middle, all different, the closest two, mirrored or not, lie 12 of 128 bits apart on an 8×8 grid, while
copies of them differ by up to 15 bits (JPEG at quality 20) or 23 (brightened by 30 %). On the 16×16 grid the closest two lie
127 of 512 bits apart, and copies at most 68 (quality 20), 82 (a quarter of the side), 69 (contrast), 66 (brightness) and 92
(cropped by 2 % at every edge). ALIKE lies between. A crop by 5 % (139 bits in the middle) is mostly another photo by this.

Blur is told by the energy of the Laplacian over that of the gradient, a variance of the Laplacian from which contrast has been
divided out: dark and pale photos compare, and a dim sharp one is not called blurred. Measured on the same photos, as far as
they are that large, at 64, 128 and 256 pixels a side: of 681, 681 and 342 the least sharp have 1.24, 0.86 and 0.55. Blurred by
a Gaussian of σ 1 pixel they come to 0.63, 0.60 and 0.56 in the middle, by σ 1.5 to 0.29, 0.31 and 0.28, all of these below
SHARP. tests/bench/doctor.py measures all this.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, conv2d

from gan.data.decode import prepare, size_of
from gan.data.image_folder import MIN_PHOTOS, OVERSAMPLE, Photos, Skipped, relative, scan
from gan.data.manifest import KEPT
from gan.data.split import GROUPS
from gan.presets import EVERY
from gan.utils.images import grid
from gan.utils.names import composed, printable

ALIKE = 100  # bits of 512
COLOUR = 48.0  # levels of 256 that the colours of two alike pictures may differ by in the mean; 30 % brighter made it 45
SHARP = 0.5
SMALL = 2.0  # a photo that would be enlarged by more than this is left out; one below the side that is trained is named
UNEVEN = 3.0  # photos of the largest class for one of the smallest; ours to choose, not measured

CELL, CELLS = 96, 10_000  # pixels a side of a picture on the sheets, and how many they hold together: 280 MB
A_SHEET = 400  # pictures of one class on its sheet; of a larger class every second, third, …
NAMED = 5  # files named in the report for each complaint; doctor.json has them all
MOST_GLANCED = 2_000  # photos that the first lines of a training look at: 3 s on one busy core
_BATCH = 32
_RED, _ORANGE = (220, 30, 30), (250, 150, 0)

Progress = Callable[[int, int], object]


@dataclass(frozen=True)
class Fingerprints:
    """What pictures are compared by; of N pictures."""

    hashes: Tensor  # bool N×512
    mirrored: Tensor  # the hashes of their mirror images
    colours: Tensor  # float N×48, 0 to 255
    sharpness: Tensor  # float N


@dataclass(frozen=True)
class PhotoInfo:
    """One readable photo."""

    file: str  # below the photo folder, with / between
    label: str  # its class
    width: int  # pixels, as stored
    height: int
    size: int  # bytes
    sharpness: float
    verdict: str = KEPT  # or why it is left out

    @property
    def side(self) -> int:
        """The shorter side in pixels, that of the square which is trained on."""
        return min(self.width, self.height)


@dataclass
class DatasetReport:
    """All there is to say about a folder of photos."""

    resolution: int
    photos: list[PhotoInfo]
    unreadable: list[Skipped]
    classes: tuple[str, ...]
    duplicates: list[list[str]]  # groups within a class
    across: list[list[str]]  # groups over several classes
    thumbnails: dict[str, list[tuple[str, np.ndarray]]] = field(default_factory=dict)  # class → (file, uint8 CELL×CELL×3)

    @property
    def kept(self) -> dict[str, int]:
        """Class → photos that are kept."""
        counts = Counter(photo.label for photo in self.photos if photo.verdict == KEPT)
        return {name: counts[name] for name in self.classes}

    @property
    def small(self) -> list[PhotoInfo]:
        """Photos that training would enlarge."""
        return [photo for photo in self.photos if photo.side < self.resolution]

    @property
    def blurred(self) -> list[PhotoInfo]:
        """Photos without detail at the side that is trained."""
        return [photo for photo in self.photos if photo.sharpness < SHARP]

    @property
    def uneven(self) -> tuple[str, str, float] | None:
        """The largest class, the smallest, and their ratio, where it is UNEVEN or more."""
        return _uneven(Counter(photo.label for photo in self.photos))

    @property
    def misnamed(self) -> bool:
        """Whether one of several classes has the name of the figures over every class, with which nothing can be trained."""
        return EVERY in self.classes and len(self.classes) > 1

    @property
    def sound(self) -> bool:
        """Whether there is nothing to complain about."""
        found = self.unreadable, self.duplicates, self.across, self.small, self.blurred, self.uneven
        return not any(found) and not self.misnamed and all(self.kept.values()) and sum(self.kept.values()) >= MIN_PHOTOS


# ------------------------------------------------------------------------------------------------------ looking at photos


def examine(
    folder: str | os.PathLike[str], resolution: int, only: Sequence[str] = (), progress: Progress | None = None
) -> DatasetReport:
    """Look at every photo of `folder` as a training at `resolution` would see it.

    Memory: the pictures of one batch, a few hundred bytes a photo, and at most CELLS thumbnails. `progress` is called with
    (files done, files in all). Raises UserError as `data.find_photos`.
    """
    found, skipped = scan(folder, only)
    unreadable = [item for item in skipped if item.path != GROUPS]  # which is not meant to be a picture
    files = [(label, path) for label, paths in found.items() for path in paths]
    steps = {label: _step(len(paths), len(found)) for label, paths in found.items()}
    done, photos, parts = 0, [], []
    place: Counter[str] = Counter()
    thumbnails: dict[str, list[tuple[str, np.ndarray]]] = {label: [] for label in found}
    for batch, pixels, reasons in _decoded(files, OVERSAMPLE * resolution):
        good = [number for number, reason in enumerate(reasons) if not reason]
        unreadable += [Skipped(relative(batch[n][1], folder), reason) for n, reason in enumerate(reasons) if reason]
        if good:
            images = torch.from_numpy(pixels[good])
            parts.append(measure(images, resolution))
            small = adaptive_avg_pool2d(images.float(), CELL).round().byte().permute(0, 2, 3, 1).numpy()
        for row, number in enumerate(good):
            label, path = batch[number]
            name = relative(path, folder)
            sharpness = float(parts[-1].sharpness[row])
            photos.append(PhotoInfo(name, label, *size_of(path), os.path.getsize(path), sharpness))
            if place[label] % steps[label] == 0:
                thumbnails[label].append((name, small[row].copy()))
            place[label] += 1
        done += len(batch)
        if progress:
            progress(done, len(files))
    groups = alike(_joined(parts)) if parts else []
    photos, duplicates, across = _judged(photos, groups, resolution)
    unreadable.sort(key=lambda item: item.path)
    return DatasetReport(resolution, photos, unreadable, tuple(found), duplicates, across, thumbnails)


def measure(images: Tensor, resolution: int) -> Fingerprints:
    """What uint8 N×3×S×S are compared by; S is OVERSAMPLE × `resolution`."""
    grey = images.float().mean(1, keepdim=True)
    small = avg_pool2d(grey, OVERSAMPLE)
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]).view(1, 1, 3, 3)
    bends = conv2d(small, kernel).square().flatten(1).mean(1)
    slopes = small.diff(dim=3)[:, :, 1:].square().flatten(1).mean(1) + small.diff(dim=2)[..., 1:].square().flatten(1).mean(1)
    colours = adaptive_avg_pool2d(images.float(), 4).flatten(1)
    return Fingerprints(_hash(grey), _hash(grey.flip(3)), colours, bends / slopes.clamp_min(1e-6))  # one plain colour has 0


def _hash(grey: Tensor) -> Tensor:
    across, down = adaptive_avg_pool2d(grey, (16, 17))[:, 0], adaptive_avg_pool2d(grey, (17, 16))[:, 0]
    return torch.cat([(across.diff(dim=2) > 0).flatten(1), (down.diff(dim=1) > 0).flatten(1)], 1)


def alike(marks: Fingerprints) -> list[list[int]]:
    """Groups of two or more pictures, each nearly the same as another of its group, or as its mirror image; in order."""
    count = len(marks.hashes)
    parents = list(range(count))

    def top(number: int) -> int:
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    signs, turned = (part.float() * 2 - 1 for part in (marks.hashes, marks.mirrored))
    least = signs.shape[1] - 2 * ALIKE  # the product of two hashes of ±1 that differ in ALIKE places
    for start in range(0, count, 1024):
        rows = signs[start : start + 1024]
        # In pieces, so that memory does not grow with the square of the photos.
        close = torch.maximum(rows @ signs[: start + len(rows)].T, rows @ turned[: start + len(rows)].T) >= least
        for row, column in close.nonzero().tolist():
            row += start
            if column < row and _same_colours(marks.colours[row], marks.colours[column]):
                parents[top(row)] = top(column)
    groups: dict[int, list[int]] = {}
    for number in range(count):
        groups.setdefault(top(number), []).append(number)
    return [members for members in groups.values() if len(members) > 1]


def _same_colours(first: Tensor, second: Tensor) -> bool:
    """Whether two grids of colours are near, as they are or with one of them mirrored."""
    grids = (second, second.view(3, 4, 4).flip(2).flatten())
    return min(float((first - grid).abs().mean()) for grid in grids) <= COLOUR


def _joined(parts: Sequence[Fingerprints]) -> Fingerprints:
    return Fingerprints(*(torch.cat([getattr(part, name) for part in parts]) for name in Fingerprints.__dataclass_fields__))


def _decoded(files: list[tuple[str, Path]], size: int) -> Iterator[tuple[list[tuple[str, Path]], np.ndarray, list[str]]]:
    """(files, uint8 N×3×size×size, why not) of one batch after another."""
    Image.init()  # here, not by several threads at once
    pool = ThreadPoolExecutor(min(4, os.cpu_count() or 1))
    pixels = np.empty((_BATCH, 3, size, size), np.uint8)
    try:
        for start in range(0, len(files), _BATCH):
            batch = files[start : start + _BATCH]
            reasons = list(pool.map(lambda number: prepare(batch[number][1], pixels[number]), range(len(batch))))
            yield batch, pixels, reasons
    finally:
        pool.shutdown(cancel_futures=True)


def _step(count: int, classes: int) -> int:
    """Of `count` photos every how many-th is on the sheet of its class."""
    return max(1, -(-count // max(1, min(A_SHEET, CELLS // classes))))


# ---------------------------------------------------------------------------------------------------------- judging


def _judged(
    photos: list[PhotoInfo], groups: list[list[int]], resolution: int
) -> tuple[list[PhotoInfo], list[list[str]], list[list[str]]]:  # fmt: skip
    """The photos with their verdicts, and the groups of files within one class and over several.

    Of a group within a class the largest that is otherwise sound stays; one over several classes goes altogether, as nobody
    can say which of the classes is right.
    """
    photos = [replace(photo, verdict=_alone(photo, resolution)) for photo in photos]
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


def _alone(photo: PhotoInfo, resolution: int) -> str:
    if photo.side * SMALL < resolution:
        return f"too small: {photo.width}×{photo.height} pixels for {resolution}×{resolution}"
    return KEPT if photo.sharpness >= SHARP else f"blurred: sharpness {photo.sharpness:.2f}, below {SHARP:g}"


def _uneven(counts: dict[str, int]) -> tuple[str, str, float] | None:
    """The largest class, the smallest one, and how many times as large the first is, where that is UNEVEN or more."""
    counts = {name: count for name, count in counts.items() if count}
    if not counts:
        return None
    large, small = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
    ratio = counts[large] / counts[small]
    return (large, small, ratio) if ratio >= UNEVEN else None


# ------------------------------------------------------------------------------------------------------------ telling


def report(found: DatasetReport, name: str) -> str:
    """The diagnosis of the folder called `name` for people, in lines."""
    kept, usable = found.kept, Counter(photo.label for photo in found.photos)
    lines = [
        f"{name}: {len(found.photos):,} photos that can be read, looked at for training at {found.resolution} pixels a side"
    ]
    width = max(map(len, found.classes), default=0)
    for label in found.classes:
        lines.append(f"  {label:{width}}  {usable[label]:6,}, of which {kept[label]:,} are kept")
    if found.photos:
        sides = sorted(photo.side for photo in found.photos)
        ratios = sorted(max(photo.width, photo.height) / photo.side for photo in found.photos)
        lines.append(f"sizes: the shorter side has {sides[0]:,} to {sides[-1]:,} pixels, in the middle {_middle(sides):,}")
        lines.append(f"shapes: the longer side is {ratios[0]:.2f} to {ratios[-1]:.2f} times the shorter, in the middle "
                     f"{_middle(ratios):.2f}; the square in the middle is what is trained on")  # fmt: skip
    complaints = _complaints(found)
    lines += complaints or ["nothing to complain about"]
    return "\n".join(lines)


def _complaints(found: DatasetReport) -> list[str]:
    lines = []
    if found.unreadable:
        lines.append(f"cannot be used: {len(found.unreadable):,}")
        kinds = Counter(item.reason.split(":")[0] for item in found.unreadable)
        for kind, count in kinds.most_common():
            files = [item.path for item in found.unreadable if item.reason.split(":")[0] == kind]
            lines.append(f"  {kind} ({count:,}): {_some(files)}")
    if found.across:
        lines.append(f"in several classes, which teaches the network that they are the same, left out: {len(found.across):,}")
        lines += [f"  {_some(group)}" for group in found.across[:NAMED]]
    if found.duplicates:
        lines.append(f"near-duplicates within a class, of which the largest is kept: {len(found.duplicates):,} groups")
        lines += [f"  {_some(group)}" for group in found.duplicates[:NAMED]]
    if found.small:
        out = sum(photo.side * SMALL < found.resolution for photo in found.small)
        files = [photo.file for photo in sorted(found.small, key=lambda photo: photo.side)]
        lines.append(f"smaller than {found.resolution} pixels: {len(files):,}: {_some(files)}")
        lines += [f"  of which {out:,} of less than half that are left out"] if out else []
    if found.blurred:
        files = [photo.file for photo in sorted(found.blurred, key=lambda photo: photo.sharpness)]
        lines.append(f"blurred, left out: {len(files):,}: {_some(files)}")
    if found.uneven:
        lines.append(_imbalance(*found.uneven))
    if found.misnamed:
        lines.append(f"a class is called '{EVERY}', as the figures over every class are; rename its folder")
    kept = found.kept
    lines += [f"the class {label} has no photo left" for label in found.classes if not kept[label]]
    if sum(kept.values()) < MIN_PHOTOS:
        lines.append(f"too few to train on: {sum(kept.values())} are kept, and {MIN_PHOTOS} are needed")
    return lines


def _imbalance(large: str, small: str, ratio: float) -> str:
    return f"imbalance: {large} has {ratio:.1f} times the photos of {small}, which will be drawn worse"


def summary(found: DatasetReport, name: str) -> dict[str, Any]:
    """The diagnosis as plain values, what doctor.json holds."""
    kept, usable = found.kept, Counter(photo.label for photo in found.photos)
    uneven = found.uneven
    return {
        "photos": name,
        "resolution": found.resolution,
        "sound": found.sound,
        "classes": {label: {"usable": usable[label], "kept": kept[label]} for label in found.classes},
        "measures": {"alike_bits": ALIKE, "sharpness": SHARP, "enlarged_at_most": SMALL, "imbalance": UNEVEN},
        "unreadable": [{"file": printable(item.path), "reason": item.reason} for item in found.unreadable],
        "across_classes": [[printable(file) for file in group] for group in found.across],
        "duplicates": [[printable(file) for file in group] for group in found.duplicates],
        "small": [printable(photo.file) for photo in found.small],
        "blurred": [printable(photo.file) for photo in found.blurred],
        "imbalance": {"largest": uneven[0], "smallest": uneven[1], "ratio": round(uneven[2], 2)} if uneven else None,
        "files": [
            {
                "file": printable(photo.file), "class": photo.label, "width": photo.width, "height": photo.height,
                "sharpness": round(photo.sharpness, 3), "verdict": photo.verdict,
            }
            for photo in found.photos
        ],
    }  # fmt: skip


def rows(found: DatasetReport) -> Iterator[tuple[str, str, str]]:
    """(file, class, verdict) of every file, for the manifest; those that cannot be read come last."""
    yield from ((photo.file, photo.label, photo.verdict) for photo in found.photos)
    for item in found.unreadable:
        top = composed(printable(item.path.replace(os.sep, "/").split("/")[0]))
        yield item.path, top if top in found.classes else "", item.reason


def sheets(found: DatasetReport) -> Iterator[tuple[str, np.ndarray]]:
    """(class, uint8 H×W×3) for each class with a photo: its pictures with their names, framed red where they are left out
    and orange where they are small and kept."""
    photos = {photo.file: photo for photo in found.photos}
    for label, cells in found.thumbnails.items():
        if cells:
            yield label, grid([_cell(picture, photos[file], found.resolution) for file, picture in cells], 10, gap=4)


def _cell(picture: np.ndarray, photo: PhotoInfo, resolution: int) -> np.ndarray:
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, CELL - 14, CELL, CELL), fill=(0, 0, 0))
    name = printable(photo.file).rsplit("/", 1)[-1].encode("ascii", "replace").decode()  # what Pillow's own font can draw
    draw.text((3, CELL - 13), name[-15:], fill=(255, 255, 255))
    colour = _RED if photo.verdict != KEPT else _ORANGE if photo.side < resolution else None
    if colour:
        draw.rectangle((0, 0, CELL - 1, CELL - 1), outline=colour, width=4)
    return np.asarray(image)


def short(photos: Photos, resolution: int) -> list[str]:
    """What the first lines of a training complain about, of photos that it has read already at OVERSAMPLE × `resolution`.

    1.0 s of one core for 681 photos at 256×256. Of more than MOST_GLANCED every second, third, … is looked at.
    """
    step = -(-len(photos.labels) // MOST_GLANCED)
    images, labels, files = photos.images[::step], photos.labels[::step].tolist(), photos.files[::step]
    marks = _joined([measure(images[start : start + _BATCH], resolution) for start in range(0, len(labels), _BATCH)])
    groups = alike(marks)
    lines = [f"looked at one photo in {step}"] if step > 1 else []
    for several, where in ((True, "in several classes"), (False, "within a class")):
        those = [group for group in groups if (len({labels[number] for number in group}) > 1) is several]
        if those:
            example = " and ".join(printable("/".join(files[number].parts[-2:])) for number in those[0][:2])
            lines.append(f"{len(those):,} group{'s' * (len(those) > 1)} of near-duplicates {where}, such as {example}")
    if small := sum(0 < min(size_of(path)) < resolution for path in files):
        lines.append(f"{small:,} smaller than {resolution} pixels")
    if blurred := int((marks.sharpness < SHARP).sum()):
        lines.append(f"{blurred:,} blurred")
    if uneven := _uneven(photos.counts()):
        lines.append(_imbalance(*uneven))
    return lines


def _some(files: Sequence[str]) -> str:
    more = f" and {len(files) - NAMED:,} more" if len(files) > NAMED else ""
    return ", ".join(map(printable, files[:NAMED])) + more


def _middle(values: Sequence[Any]) -> Any:
    return values[len(values) // 2]
