"""A folder of photos with a sub-folder for each class → tensors. A file that cannot be used is listed with the reason.

photos/roses/1.jpg, photos/roses/garden/2.png, photos/tulips/3.webp   ->   classes roses (2) and tulips (1)
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from gan.data import layout
from gan.data.decode import prepare, rejection_reason, shorter_side, unreadable_reason
from gan.errors import UserError
from gan.utils.memory import check_memory
from gan.utils.names import composed, is_ignored, printable
from gan.utils.progress import Progress

MIN_PHOTOS = 8
# Photos are kept at twice the side of the pictures, and halved after the augmentations: a bilinear rotation blurs, and halving
# afterwards removes most of the blur.
OVERSAMPLE = 2
MIN_SCALE = 0.625  # photo side / shown side: a photo below 160 pixels is not shown at 256, because it would teach blur
MIN_PER_CLASS = 32  # photos of a class that a sample of all photos has, where the class has so many

_NAME_A_FOLDER = "name the folder that has a sub-folder of photos for each class"
_LOOP = "a link to a folder it lies in"


@dataclass(frozen=True)
class Skipped:
    """A file or folder that was not used: its path below the photo folder, and the reason in a few words."""

    path: str
    reason: str


@dataclass(frozen=True)
class Photos:
    """Decoded photos, sorted by class and path."""

    images: torch.Tensor  # uint8 N×3×S×S, RGB
    labels: torch.Tensor  # int64 N, index into `classes`
    classes: tuple[str, ...]
    skipped: tuple[Skipped, ...]
    digest: str  # SHA-256 of pixels, labels and class names, by which a resumed run notices changed photos
    files: tuple[Path, ...] = ()  # where each photo was read from
    native: tuple[int, ...] = ()  # shorter side of each photo in pixels, before it was resized; () if not known

    def counts(self) -> dict[str, int]:
        """Class → number of photos."""
        return dict(zip(self.classes, torch.bincount(self.labels, minlength=len(self.classes)).tolist(), strict=True))

    def merged(self, name: str) -> Photos:
        """The same photos as the single class `name`, for models without classes. The pixels are shared, not copied."""
        labels = torch.zeros_like(self.labels)
        digest = _digest(self.images, labels, (name,))
        return replace(self, labels=labels, classes=(name,), digest=digest)

    def sharp(self, side: int) -> torch.Tensor:
        """Indices (int64) of the photos that are sharp at `side` pixels: their own side is at least MIN_SCALE × `side`.

        A class without such a photo keeps all of its photos. Where the own sides are not known, all photos count.
        """
        if not self.native:
            return torch.arange(len(self.labels))
        fit = torch.tensor(self.native) >= MIN_SCALE * side
        left = torch.bincount(self.labels[fit], minlength=len(self.classes))
        return (fit | (left == 0)[self.labels]).nonzero()[:, 0]


def find_photos(
    folder: str | os.PathLike[str], only: Sequence[str] = (), meant: Sequence[str] = ()
) -> dict[str, list[Path]]:  # fmt: skip
    """Class → its files, both sorted by name. Nothing is decoded, so a file need not be a photo.

    A class is a sub-folder with all files below it. Where no sub-folder has files, the folder itself is the only class. Links
    are followed. Names are in Unicode's composed form (names.py), and two folders with the same name are one class.

    `only` chooses classes by name. `meant` are the classes of a model that the photos are for. Raises UserError when `folder`
    is missing, is not a folder, or cannot be read; when it lacks a class of `only`; and when its sub-folders do not look like
    classes (layout.py) while none of them is in `only` or `meant`.
    """
    return scan(folder, only, meant)[0]


def scan(
    folder: str | os.PathLike[str], only: Sequence[str] = (), meant: Sequence[str] = ()
) -> tuple[dict[str, list[Path]], list[Skipped]]:
    """As `find_photos`, and the files of these classes that are known to be unusable before anything is decoded."""
    found, skipped = _find_files(folder)
    if not only and not found.keys() & set(map(composed, meant)):
        layout.check(Path(folder), (path for files in found.values() for path in files), command=not meant)
    chosen = _choose_classes(found, only, folder)
    unwanted = set(found) - set(chosen)
    return chosen, [item for item in skipped if composed(item.path.split(os.sep)[0]) not in unwanted]


def load_photos(
    folder: str | os.PathLike[str],
    size: int,
    *,
    only: Sequence[str] = (),
    select: Callable[[dict[str, list[Path]]], dict[str, list[Path]]] | None = None,
    progress: Progress | None = None,
    least: int = MIN_PHOTOS,
) -> Photos:
    """Decode the photos of `folder`, cropped to the central square and resized to `size` pixels a side.

    `only` chooses classes by name (empty: all). `select` chooses among the files that `find_photos` returns; they are not
    opened for that. `progress` is called in this thread with (files done, files in all).

    Raises UserError when the folder cannot be used, when a class has no usable photo, when there are fewer than `least` photos,
    and when they would not fit into memory. With `least` 0 a class may be empty, too, for a caller that counts them itself.
    """
    found, skipped = scan(folder, only)
    found = select(found) if select else found
    files = [(label, path) for label, paths in enumerate(found.values()) for path in paths]
    check_memory(
        len(files) * 3 * size * size, f"{len(files)} photos at {size}×{size}", "use a smaller resolution or fewer photos"
    )
    images = np.empty((len(files), 3, size, size), np.uint8)
    kept: list[tuple[int, Path, int]] = []
    with closing(_decode_all([path for _, path in files], images)) as decoded:  # Ctrl-C closes it at once
        for number, (reason, side) in enumerate(decoded):
            if reason:
                skipped.append(Skipped(_display_path(files[number][1], folder), reason))
            else:
                images[len(kept)] = images[number]  # close the gaps in place, without a second copy of all photos
                kept.append((*files[number], side))
            if progress:
                progress(number + 1, len(files))

    classes, labels = tuple(found), torch.tensor([label for label, _, _ in kept], dtype=torch.int64)
    pixels = torch.from_numpy(images[: len(kept)])
    skipped.sort(key=lambda item: item.path)
    paths, native = tuple(path for _, path, _ in kept), tuple(side for _, _, side in kept)
    photos = Photos(pixels, labels, classes, tuple(skipped), _digest(pixels, labels, classes), paths, native)
    try:
        if least:
            _check_counts(photos, found, folder, least)
    except UserError as error:
        error.skipped = photos.skipped  # they explain best what is wrong
        raise
    return photos


def _decode_all(paths: Sequence[Path], images: np.ndarray) -> Generator[tuple[str, int], None, None]:
    """Decode files into `images` with several threads; for each in order, why it was not read, or "", and its shorter side."""

    def decode(number: int) -> tuple[str, int]:
        reason = prepare(paths[number], images[number])
        # A rejected file is not opened again: opening a pipe would block.
        return reason, 0 if reason else shorter_side(paths[number])

    Image.init()  # once, before several threads decode
    pool = ThreadPoolExecutor(min(4, os.cpu_count() or 1))
    try:
        yield from pool.map(decode, range(len(paths)))
    finally:
        pool.shutdown(cancel_futures=True)  # after Ctrl-C, queued files are not decoded


def sample_classes(labels: torch.Tensor, count: int) -> torch.Tensor:
    """Indices of at most `count` photos out of those with these sorted `labels` (int64 N), evenly spaced within each class.

    A class keeps MIN_PER_CLASS photos where it has so many and `count` has room. The rest is shared in proportion to what the
    classes have beyond that. With more classes than `count`, the indices are evenly spaced over all photos.
    """
    sizes = torch.bincount(labels)
    if len(labels) <= count or len(sizes) > count:
        return torch.arange(min(count, len(labels))) * len(labels) // min(count, len(labels))
    kept = sizes.clamp(max=min(MIN_PER_CLASS, count // len(sizes)))
    over = sizes - kept
    kept = kept + over * (count - int(kept.sum())) // int(over.sum())
    starts = sizes.cumsum(0) - sizes
    return torch.cat([start + torch.arange(n) * size // n for start, size, n in zip(starts, sizes, kept.tolist()) if n])


# ------------------------------------------------------------------------------------------------------ finding files


def _find_files(folder: str | os.PathLike[str]) -> tuple[dict[str, list[Path]], list[Skipped]]:
    """The files of each class, and the files known to be unusable before anything is decoded. Raises UserError."""
    root, skipped = Path(folder), []
    try:
        if not stat.S_ISDIR(os.stat(root).st_mode):
            raise UserError(f"'{root}' is a file, not a folder; {_NAME_A_FOLDER}.")
        entries = _list_folder(root)
    except PermissionError:
        raise UserError(
            f"there is no permission to read the folder '{root}'; change its permissions, or name another one."
        ) from None
    except (OSError, ValueError):
        raise UserError(f"there is no folder '{root}'; {_NAME_A_FOLDER}.") from None

    found: dict[str, list[Path]] = {}
    loose: dict[str, Path] = {}
    for path in sorted(entries, key=lambda path: (composed(path.name), path.name)):
        if not os.path.isdir(path):
            loose.setdefault(os.path.realpath(path), path)
        elif _is_loop(path, root):
            skipped.append(Skipped(_display_path(path, root), _LOOP))
        else:
            found.setdefault(composed(printable(path.name)), []).extend(_walk(path, root, skipped))
    if not any(found.values()):
        name = composed(printable(os.path.basename(os.path.abspath(root))))
        return {name or "photos": sorted(loose.values())}, skipped
    for path in loose.values():
        skipped.append(
            Skipped(
                _display_path(path, root), rejection_reason(path) or "lies beside the class folders; move it into one of them"
            )
        )
    return found, skipped


def _choose_classes(found: dict[str, list[Path]], only: Sequence[str], root: str | os.PathLike[str]) -> dict[str, list[Path]]:
    """The classes of `found` that are named in `only`; all where it is empty. Raises UserError."""
    only = [composed(name) for name in only]
    missing = [name for name in only if name not in found]
    if missing:
        raise UserError(f"'{root}' has no class '{missing[0]}'; its classes are {', '.join(found)}.")
    return {name: files for name, files in found.items() if not only or name in only}


def _walk(top: Path, root: Path, skipped: list[Skipped]) -> list[Path]:
    """All files below `top`, sorted by path; a file or folder that links lead to several times appears once."""
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
            entries = _list_folder(folder)
        except OSError as error:
            skipped.append(Skipped(_display_path(folder, root), unreadable_reason(error)))
            continue
        for path in entries:
            if not os.path.isdir(path):
                files.setdefault(os.path.realpath(path), path)
            elif _is_loop(path, folder):
                skipped.append(Skipped(_display_path(path, root), _LOOP))
            else:
                waiting.append(path)
    return sorted(files.values())


def _is_loop(path: Path, folder: Path) -> bool:
    """Whether `path` is a link to `folder` or to a folder above it, so that following it would never end."""
    outer = os.path.join(os.path.realpath(path), "")
    return os.path.join(os.path.realpath(folder), "").startswith(outer)


def _list_folder(folder: Path) -> list[Path]:
    """The entries of `folder`, sorted, without hidden files and the files of operating systems (names.py). Raises OSError."""
    names = sorted(os.listdir(folder))
    return [folder / name for name in names if not is_ignored(name)]


def _display_path(path: Path, root: str | os.PathLike[str]) -> str:
    """`path` relative to `root`, in printable characters."""
    return printable(os.path.relpath(path, root))


def relative(path: Path, root: str | os.PathLike[str]) -> str:
    """`path` relative to `root` with / as separator, undecodable bytes kept: how tables name a photo."""
    return Path(os.path.relpath(path, root)).as_posix()


# ------------------------------------------------------------------------------------------------------ the whole set


def _check_counts(photos: Photos, found: dict[str, list[Path]], folder: str | os.PathLike[str], least: int) -> None:
    """Raise UserError when there are too few photos to train on, in all or in a class."""
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
    if total < least:
        raise UserError(f"only {total} usable photos in '{folder}'{why}; add photos until there are {least} or more.")


def _digest(images: torch.Tensor, labels: torch.Tensor, classes: tuple[str, ...]) -> str:
    """SHA-256 of pixels, labels and class names. Another release of Pillow may round a pixel differently and so change it."""
    digest = hashlib.sha256(json.dumps([list(images.shape), list(classes)]).encode())
    digest.update(labels.numpy().tobytes())
    digest.update(images.numpy().data)
    return digest.hexdigest()
