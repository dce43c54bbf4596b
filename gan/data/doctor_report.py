"""What the doctor found (doctor.py), for people: text, JSON, rows of a manifest, contact sheets, warnings before a training."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from gan.data import doctor, photo_count
from gan.data.decode import stored_size
from gan.data.doctor import CELL, DatasetReport, PhotoInfo
from gan.data.image_folder import MIN_PHOTOS, Photos
from gan.data.manifest import KEPT
from gan.presets import EVERY
from gan.utils.images import grid
from gan.utils.names import composed, printable

NAMED = 5  # files named in the text for each complaint; doctor.json has them all
MAX_EXAMINED = 2_000  # photos that a training examines at its start, in 3 s on one busy core
_RED, _ORANGE = (220, 30, 30), (250, 150, 0)


def report(found: DatasetReport, name: str) -> str:
    """The report on the folder called `name` as text, in lines."""
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
        lines.append(f"sizes: the shorter side has {sides[0]:,} to {sides[-1]:,} pixels, median {_median(sides):,}")
        lines.append(f"shapes: the longer side is {ratios[0]:.2f} to {ratios[-1]:.2f} times the shorter, median "
                     f"{_median(ratios):.2f}; training uses the central square")  # fmt: skip
    complaints = _complaints(found)
    lines += complaints or ["nothing to complain about"]
    lines += photo_count.estimate(kept, photo_count.load_curve())
    return "\n".join(lines)


def _complaints(found: DatasetReport) -> list[str]:
    """A line for each kind of fault, and indented lines with examples."""
    lines = []
    if found.unreadable:
        lines.append(f"cannot be used: {len(found.unreadable):,}")
        kinds = Counter(item.reason.split(":")[0] for item in found.unreadable)
        for kind, count in kinds.most_common():
            files = [item.path for item in found.unreadable if item.reason.split(":")[0] == kind]
            lines.append(f"  {kind} ({count:,}): {_first_few(files)}")
    if found.across:
        lines.append(f"near-duplicates in several classes, all left out: {len(found.across):,} groups")
        lines += [f"  {_first_few(group)}" for group in found.across[:NAMED]]
    if found.duplicates:
        lines.append(f"near-duplicates within a class, the largest of each kept: {len(found.duplicates):,} groups")
        lines += [f"  {_first_few(group)}" for group in found.duplicates[:NAMED]]
    if found.small:
        out = sum(doctor.too_small(photo, found.resolution) for photo in found.small)
        files = [photo.file for photo in sorted(found.small, key=lambda photo: photo.side)]
        lines.append(f"smaller than {found.resolution} pixels: {len(files):,}: {_first_few(files)}")
        lines += [f"  {out:,} of them are smaller than half of that, and left out"] if out else []
    if found.blurred:
        files = [photo.file for photo in sorted(found.blurred, key=lambda photo: photo.sharpness)]
        lines.append(f"blurred, left out: {len(files):,}: {_first_few(files)}")
    if found.uneven:
        lines.append(_imbalance_line(*found.uneven))
    if found.misnamed:
        lines.append(f"a class is called '{EVERY}', the name of the figures over all classes; rename its folder")
    kept = found.kept
    lines += [f"the class {label} has no photo left" for label in found.classes if not kept[label]]
    if sum(kept.values()) < MIN_PHOTOS:
        lines.append(f"too few to train on: {sum(kept.values())} are kept, and {MIN_PHOTOS} are needed")
    return lines


def _imbalance_line(large: str, small: str, ratio: float) -> str:
    return f"imbalance: {large} has {ratio:.1f} times the photos of {small}; the model will draw {small} worse"


def summary(found: DatasetReport, name: str) -> dict[str, Any]:
    """The report as plain values: the content of doctor.json. `name` is what the user called the photos."""
    kept, usable = found.kept, Counter(photo.label for photo in found.photos)
    uneven = found.uneven
    return {
        "photos": name,
        "resolution": found.resolution,
        "sound": found.sound,
        "classes": {label: {"usable": usable[label], "kept": kept[label]} for label in found.classes},
        "measures": {
            "alike_bits": doctor.MAX_BITS, "sharpness": doctor.MIN_SHARPNESS, "enlarged_at_most": doctor.MAX_ENLARGEMENT,
            "imbalance": doctor.MAX_RATIO,
        },
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
    """(file, class, verdict) of every file, for the manifest. Files that cannot be read come last."""
    yield from ((photo.file, photo.label, photo.verdict) for photo in found.photos)
    for item in found.unreadable:
        top = composed(printable(item.path.replace(os.sep, "/").split("/")[0]))
        yield item.path, top if top in found.classes else "", item.reason


def sheets(found: DatasetReport) -> Iterator[tuple[str, np.ndarray]]:
    """(class, contact sheet uint8 H×W×3) for each class with a photo.

    Each picture has its file name below it. A red frame says that the photo is left out, an orange one that it is kept although
    it is small.
    """
    photos = {photo.file: photo for photo in found.photos}
    for label, cells in found.thumbnails.items():
        if cells:
            yield label, grid([_cell(picture, photos[file], found.resolution) for file, picture in cells], 10, gap=4)


def _cell(picture: np.ndarray, photo: PhotoInfo, resolution: int) -> np.ndarray:
    """One picture of a contact sheet, uint8 CELL×CELL×3, with its name and frame."""
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, CELL - 14, CELL, CELL), fill=(0, 0, 0))
    name = (
        printable(photo.file).rsplit("/", 1)[-1].encode("ascii", "replace").decode()
    )  # Pillow's own font has no other letters
    draw.text((3, CELL - 13), name[-15:], fill=(255, 255, 255))
    color = _RED if photo.verdict != KEPT else _ORANGE if photo.side < resolution else None
    if color:
        draw.rectangle((0, 0, CELL - 1, CELL - 1), outline=color, width=4)
    return np.asarray(image)


def training_warnings(photos: Photos, resolution: int) -> list[str]:
    """What is wrong with the photos of a training, which it has read at OVERSAMPLE × `resolution` pixels a side; in lines.

    Of more than MAX_EXAMINED photos every second, third, … is examined. 681 photos at 256×256 take 1.0 s of one core.
    """
    step = -(-len(photos.labels) // MAX_EXAMINED)
    images, labels, files = photos.images[::step], photos.labels[::step].tolist(), photos.files[::step]
    prints = doctor.measure_all(images)
    groups = doctor.near_duplicates(prints)
    lines = [f"looked at one photo in {step}"] if step > 1 else []
    for several, where in ((True, "in several classes"), (False, "within a class")):
        those = [group for group in groups if (len({labels[number] for number in group}) > 1) is several]
        if those:
            example = " and ".join(printable("/".join(files[number].parts[-2:])) for number in those[0][:2])
            lines.append(f"{len(those):,} group{'s' * (len(those) > 1)} of near-duplicates {where}, such as {example}")
    if small := sum(0 < min(stored_size(path)) < resolution for path in files):
        lines.append(f"{small:,} smaller than {resolution} pixels")
    if blurred := int((prints.sharpness < doctor.MIN_SHARPNESS).sum()):
        lines.append(f"{blurred:,} blurred")
    if uneven := doctor.imbalance(photos.counts()):
        lines.append(_imbalance_line(*uneven))
    return lines


def _first_few(files: Sequence[str]) -> str:
    """The first NAMED names, and how many more there are."""
    more = f" and {len(files) - NAMED:,} more" if len(files) > NAMED else ""
    return ", ".join(map(printable, files[:NAMED])) + more


def _median(values: Sequence[Any]) -> Any:
    """The upper median of sorted values."""
    return values[len(values) // 2]
