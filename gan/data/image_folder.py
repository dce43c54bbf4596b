"""A folder of photos, with a sub-folder a class, as tensors; files that cannot be used are listed, never a crash.

photos/roses/1.jpg, photos/roses/garden/2.png, photos/tulips/3.webp   ->   classes roses (2) and tulips (1)
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from gan.data import layout
from gan.data.decode import cannot_read, prepare, refuse, side_of
from gan.errors import UserError
from gan.utils.names import composed, is_ignored, printable

MIN_PHOTOS = 8
# Photos are kept at twice the side of the pictures and halved after the augmentations: rotating by bilinear sampling
# blurs, and halving afterwards takes most of the blur back.
OVERSAMPLE = 2
SHARP = 0.625  # a photo that is enlarged further teaches blur: below 160 pixels it is not shown at 256

_NAME_ONE = "name the folder that has a sub-folder of photos for each class"
_LOOP = "a link to a folder it lies in"


@dataclass(frozen=True)
class Skipped:
    """A file (or folder) that was not used: its path below the photo folder, and why in a few words."""

    path: str
    reason: str


@dataclass(frozen=True)
class Photos:
    """Prepared photos, in the order of their classes and paths."""

    images: torch.Tensor  # uint8 N×3×S×S, RGB
    labels: torch.Tensor  # int64 N, index into `classes`
    classes: tuple[str, ...]
    skipped: tuple[Skipped, ...]
    digest: str  # SHA-256 of pixels, labels and class names: a resumed run can tell that its photos changed
    files: tuple[Path, ...] = ()  # where each photo was read from
    native: tuple[int, ...] = ()  # the shorter side of each photo in pixels, before it was resized; () where nobody asked

    def counts(self) -> dict[str, int]:
        """Number of photos a class."""
        return dict(zip(self.classes, torch.bincount(self.labels, minlength=len(self.classes)).tolist(), strict=True))

    def merged(self, name: str) -> Photos:
        """The same photos as the single class `name`, for plain models. Shares the pixels."""
        labels = torch.zeros_like(self.labels)
        digest = _digest(self.images, labels, (name,))
        return replace(self, labels=labels, classes=(name,), digest=digest)

    def sharp(self, side: int) -> torch.Tensor:
        """Indices of the photos that are fit to be shown at `side` pixels: those of at least SHARP of it, before resizing.

        A class without such a photo keeps all of its photos.
        """
        if not self.native:
            return torch.arange(len(self.labels))
        fit = torch.tensor(self.native) >= SHARP * side
        left = torch.bincount(self.labels[fit], minlength=len(self.classes))
        return (fit | (left == 0)[self.labels]).nonzero()[:, 0]


def find_photos(
    folder: str | os.PathLike[str], only: Sequence[str] = (), meant: Sequence[str] = ()
) -> dict[str, list[Path]]:  # fmt: skip
    """Class -> its files, both sorted by name; nothing is decoded, so a file need not be a photo.

    A class is a sub-folder with all that lies below it. Without sub-folders that hold files, the folder itself is the one
    class. Links are followed. Names are composed (names.py), and two folders of one name are one class. `only` chooses classes
    by name; `meant` are those of a model. Raises UserError when `folder` is missing, no folder or not readable, has no class of
    a name in `only`, or has sub-folders that do not look like classes (layout.py) while none is in `only` or `meant`.
    """
    return scan(folder, only, meant)[0]


def scan(
    folder: str | os.PathLike[str], only: Sequence[str] = (), meant: Sequence[str] = ()
) -> tuple[dict[str, list[Path]], list[Skipped]]:
    """What `find_photos` gives, and what is known to be unusable in these classes before anything is opened."""
    found, skipped = _scan(folder)
    if not only and not found.keys() & set(map(composed, meant)):
        layout.check(Path(folder), (path for files in found.values() for path in files), command=not meant)
    chosen = _choose(found, only, folder)
    unwanted = set(found) - set(chosen)
    return chosen, [item for item in skipped if composed(item.path.split(os.sep)[0]) not in unwanted]


def load_photos(
    folder: str | os.PathLike[str],
    size: int,
    *,
    only: Sequence[str] = (),
    select: Callable[[dict[str, list[Path]]], dict[str, list[Path]]] | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Photos:
    """Decode the photos of `folder`, cropped to the central square and resized to `size` pixels a side.

    `only` chooses classes by name, all by default; `select` chooses among the files that `find_photos` gives, without
    opening them. `progress` is called in this thread with (files done, files in all).
    Raises UserError when the folder cannot be used, a class has no usable photo, there are fewer than MIN_PHOTOS in all,
    or they would not fit in memory.
    """
    found, skipped = scan(folder, only)
    found = select(found) if select else found
    files = [(label, path) for label, paths in enumerate(found.values()) for path in paths]
    _check_memory(len(files), size)
    images = np.empty((len(files), 3, size, size), np.uint8)
    sides = [0] * len(files)

    def decode(number: int) -> str:
        reason = prepare(files[number][1], images[number])
        if not reason:  # a file that is none is never opened: a pipe would be waited for
            sides[number] = side_of(files[number][1])
        return reason

    kept: list[tuple[int, Path, int]] = []
    Image.init()  # here, not by several threads at once
    pool = ThreadPoolExecutor(min(4, os.cpu_count() or 1))
    try:
        for number, reason in enumerate(pool.map(decode, range(len(files)))):
            if reason:
                skipped.append(Skipped(_shown(files[number][1], folder), reason))
            else:
                images[len(kept)] = images[number]  # close the gaps in place: no second copy of everything
                kept.append((*files[number], sides[number]))
            if progress:
                progress(number + 1, len(files))
    finally:
        pool.shutdown(cancel_futures=True)  # Ctrl-C does not wait for what is queued

    classes, labels = tuple(found), torch.tensor([label for label, _, _ in kept], dtype=torch.int64)
    pixels = torch.from_numpy(images[: len(kept)])
    skipped.sort(key=lambda item: item.path)
    paths, native = tuple(path for _, path, _ in kept), tuple(side for _, _, side in kept)
    photos = Photos(pixels, labels, classes, tuple(skipped), _digest(pixels, labels, classes), paths, native)
    try:
        _check_counts(photos, found, folder)
    except UserError as error:
        error.skipped = photos.skipped  # what explains it best
        raise
    return photos


def sample_classes(labels: torch.Tensor, count: int) -> torch.Tensor:
    """Indices of at most `count` of the photos with these sorted `labels` N, spread evenly over each class.

    A class keeps LEAST photos, where it has so many and there are not more classes than `count`. Larger classes share the rest
    in proportion to their numbers.
    """
    sizes = torch.bincount(labels)
    if len(labels) <= count or len(sizes) > count:
        return torch.arange(min(count, len(labels))) * len(labels) // min(count, len(labels))
    kept = sizes.clamp(max=min(LEAST, count // len(sizes)))
    over = sizes - kept
    kept = kept + over * (count - int(kept.sum())) // int(over.sum())
    starts = sizes.cumsum(0) - sizes
    return torch.cat([start + torch.arange(n) * size // n for start, size, n in zip(starts, sizes, kept.tolist()) if n])


LEAST = 32  # photos of a class that a sample of all photos holds, where the class has so many


# ------------------------------------------------------------------------------------------------------ finding files


def _scan(folder: str | os.PathLike[str]) -> tuple[dict[str, list[Path]], list[Skipped]]:
    """The files of each class, and what is known to be unusable before anything is decoded."""
    root, skipped = Path(folder), []
    try:
        if not stat.S_ISDIR(os.stat(root).st_mode):
            raise UserError(f"'{root}' is a file, not a folder; {_NAME_ONE}.")
        entries = _entries(root)
    except PermissionError:
        raise UserError(f"the folder '{root}' may not be read; change its permissions, or name another one.") from None
    except (OSError, ValueError):
        raise UserError(f"there is no folder '{root}'; {_NAME_ONE}.") from None

    found: dict[str, list[Path]] = {}
    loose: dict[str, Path] = {}
    for path in sorted(entries, key=lambda path: (composed(path.name), path.name)):
        if not os.path.isdir(path):
            loose.setdefault(os.path.realpath(path), path)
        elif _around(path, root):
            skipped.append(Skipped(_shown(path, root), _LOOP))
        else:
            found.setdefault(composed(printable(path.name)), []).extend(_walk(path, root, skipped))
    if not any(found.values()):
        name = composed(printable(os.path.basename(os.path.abspath(root))))
        return {name or "photos": sorted(loose.values())}, skipped
    for path in loose.values():
        skipped.append(Skipped(_shown(path, root), refuse(path) or "lies beside the class folders; move it into one of them"))
    return found, skipped


def _choose(found: dict[str, list[Path]], only: Sequence[str], root: str | os.PathLike[str]) -> dict[str, list[Path]]:
    """The classes of `found` that are named in `only`, or all of them when it is empty."""
    only = [composed(name) for name in only]
    missing = [name for name in only if name not in found]
    if missing:
        raise UserError(f"'{root}' has no class '{missing[0]}'; its classes are {', '.join(found)}.")
    return {name: files for name, files in found.items() if not only or name in only}


def _walk(top: Path, root: Path, skipped: list[Skipped]) -> list[Path]:
    """All files below `top`, each real file and folder once, sorted by path."""
    files: dict[str, Path] = {}
    seen = {os.path.realpath(root)}
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        real = os.path.realpath(folder)
        if real in seen:
            continue
        seen.add(real)
        try:
            entries = _entries(folder)
        except OSError as error:
            skipped.append(Skipped(_shown(folder, root), cannot_read(error)))
            continue
        for path in entries:
            if not os.path.isdir(path):
                files.setdefault(os.path.realpath(path), path)
            elif _around(path, folder):
                skipped.append(Skipped(_shown(path, root), _LOOP))
            else:
                waiting.append(path)
    return sorted(files.values())


def _around(path: Path, folder: Path) -> bool:
    """Whether `path` is a link to `folder` or to one that `folder` lies in: following it would never end."""
    outer = os.path.join(os.path.realpath(path), "")
    return os.path.join(os.path.realpath(folder), "").startswith(outer)


def _entries(folder: Path) -> list[Path]:
    """What lies in `folder`, sorted, without hidden files and what systems leave behind (names.py)."""
    names = sorted(os.listdir(folder))
    return [folder / name for name in names if not is_ignored(name)]


def _shown(path: Path, root: str | os.PathLike[str]) -> str:
    """`path` below `root`, as it can be printed."""
    return printable(os.path.relpath(path, root))


def relative(path: Path, root: str | os.PathLike[str]) -> str:
    """`path` below `root` with / between, its odd bytes kept: how tables name a photo."""
    return Path(os.path.relpath(path, root)).as_posix()


# ------------------------------------------------------------------------------------------------------ the whole set


def _check_memory(count: int, size: int) -> None:
    """Raise UserError when `count` photos of `size` pixels a side take more than half of the available memory."""
    need, available = count * 3 * size * size, _available_memory()
    if available is not None and need > available // 2:
        raise UserError(
            f"{count} photos at {size}×{size} need {need / 2**30:.1f} GiB of memory, and half of what is available is "
            f"{available / 2**31:.1f} GiB; use a smaller resolution or fewer photos."
        )


def _available_memory() -> int | None:
    """Bytes that can be used without swapping; None where the system does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:  # counts the file cache as available, sysconf does not
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _check_counts(photos: Photos, found: dict[str, list[Path]], folder: str | os.PathLike[str]) -> None:
    """Raise UserError when there is too little to train on."""
    total, counts, why = len(photos.labels), photos.counts(), ""
    if photos.skipped:
        first = photos.skipped[0]
        why = f" ({len(photos.skipped)} skipped, the first is '{first.path}': {first.reason})"
    if total == 0:
        raise UserError(f"no usable photo in '{folder}'{why}; put JPEG or PNG files there, in a sub-folder for each class.")
    empty = [name for name in photos.classes if counts[name] == 0]
    if empty:
        others = f", nor have {len(empty) - 1} other class folders" if len(empty) > 1 else ""
        raise UserError(
            f"the class folder '{empty[0]}' in '{folder}' has no usable photo ({len(found[empty[0]])} skipped there){others}; "
            "add photos or remove the folder."
        )
    if total < MIN_PHOTOS:
        raise UserError(f"only {total} usable photos in '{folder}'{why}; add photos until there are {MIN_PHOTOS} or more.")


def _digest(images: torch.Tensor, labels: torch.Tensor, classes: tuple[str, ...]) -> str:
    """SHA-256 of the prepared contents. Another release of Pillow may round a pixel differently and so change it."""
    digest = hashlib.sha256(json.dumps([list(images.shape), list(classes)]).encode())
    digest.update(labels.numpy().tobytes())
    digest.update(images.numpy().data)
    return digest.hexdigest()
