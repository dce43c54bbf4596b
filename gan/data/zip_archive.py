"""A zip archive of photos → a folder; an archive that is not plainly one of photos is refused as a whole, nothing half done."""

from __future__ import annotations

import io
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from gan.data import zip_names
from gan.data.decode import MAX_BYTES, refuse
from gan.errors import UserError
from gan.utils.files import RESERVED, WINDOWS
from gan.utils.names import is_ignored, printable

MAX_FILES = 100_000
MAX_TOTAL = 16 << 30  # bytes of all files together
MAX_DIRECTORY = 32 << 20  # bytes of the archive's own list of files, which is read in one go

_UNPACK = "unpack it yourself, and name the folder"


def unpack(path: Path, into: Path, progress: Callable[[int, int], object] | None = None) -> Path:
    """Unpack the zip file `path` below the empty folder `into`; the folder in it that has the classes.

    Hidden files are left. No file can come to lie outside of `into`, and there are no links, MAX_FILES of at most
    photo.MAX_BYTES each and MAX_TOTAL together, as many bytes as the archive says; how many pixels they have is checked as
    with any photo. `progress` is called with (files done, files in all). Raises UserError for everything else: names that lead
    out or cannot be read (zip_names.py), two files of one name, passwords, damage; OSError when the disk is full.
    """
    name = path.name
    try:
        with path.open("rb") as file, zipfile.ZipFile(_Reader(file)) as archive:
            chosen = _chosen(archive, name)
            free = shutil.disk_usage(into).free
            total = sum(entry.file_size for entry, _ in chosen)
            if total > free:
                raise UserError(
                    f"{name} unpacks to {total >> 20:,} MiB, and {free >> 20:,} are free in {into}; make room first."
                )
            made = {into}
            for number, (entry, place) in enumerate(chosen):
                target = into.joinpath(*map(_writable, place.parts))
                try:
                    _make(target.parent, made)
                    with archive.open(entry) as source, target.open("xb") as copy:
                        shutil.copyfileobj(source, copy, 1 << 20)  # zipfile stops at the size that was checked
                except (FileExistsError, NotADirectoryError):
                    raise UserError(
                        f"{name} holds two files called {printable(str(place))}, or folders that this system takes for one; "
                        f"{_UNPACK}."
                    ) from None
                if progress:
                    progress(number + 1, len(chosen))
    except UserError:
        raise
    except OSError as error:
        if error.errno is not None:
            raise
        raise _damaged(name, error) from None
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError, LookupError) as error:
        raise _damaged(name, error) from None
    return _root(into)


def _make(folder: Path, made: set[Path]) -> None:
    """Make a folder in those that were `made`. Raises FileExistsError where this system takes another for it: Rose, rose."""
    if folder not in made:
        _make(folder.parent, made)
        folder.mkdir()
        made.add(folder)


def _writable(name: str) -> str:
    """A name as this system can write it: on Windows without the signs that mean something else there."""
    if not WINDOWS:
        return name
    name = re.sub(r'[\x00-\x1f<>:"|?*]', "_", name).rstrip(". ") or "_"
    return f"{name}_" if RESERVED.fullmatch(name.partition(".")[0]) else name


class _Reader(io.BufferedIOBase):
    """A file of which no more than MAX_DIRECTORY can be asked for at once: zipfile reads the list of files whole."""

    def __init__(self, file: io.BufferedReader) -> None:
        self.file = file
        self.seek, self.tell = file.seek, file.tell  # type: ignore[method-assign]  # the file's own, without a detour

    def seekable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        if size is not None and size > MAX_DIRECTORY:
            raise UserError(f"the archive lists far more than {MAX_FILES:,} files, and that many are not read; {_UNPACK}.")
        return self.file.read(size)


def _chosen(archive: zipfile.ZipFile, name: str) -> list[tuple[zipfile.ZipInfo, PurePosixPath]]:
    """The files to unpack and where each goes, after looking at all of them. Raises UserError."""
    chosen, entries = [], archive.infolist()
    for entry, known in zip(entries, zip_names.names(entries)):
        text = (entry.orig_filename if known is None else known).replace("\\", "/")  # as some programs write it
        parts = [part for part in text.split("/") if part not in ("", ".")]
        shown = printable(text)[:80]
        if text.startswith("/") or re.match("[A-Za-z]:", text) or ".." in parts or "\0" in text:
            raise UserError(f"{name} holds '{shown}', a name that leads out of its folder; do not trust it, or {_UNPACK}.")
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise UserError(f"{name} holds a link or device, '{shown}'; {_UNPACK}.")
        if text.endswith("/") or kind == stat.S_IFDIR or not parts or any(map(is_ignored, parts)):
            continue
        if known is None and not "".join(parts[:-1]).isascii():  # that of a class, as far as can be seen here
            raise UserError(
                f"{name} holds names of folders in a code page that cannot be told (one may be '{printable(parts[0])[:80]}'); "
                f"make it again with names in UTF-8, or {_UNPACK}."
            )
        if entry.flag_bits & 1:
            raise UserError(f"{name} is locked with a password; {_UNPACK}.")
        if entry.file_size > MAX_BYTES:
            raise UserError(f"{name} holds '{shown}' of {entry.file_size >> 20:,} MiB, and no photo has over "
                            f"{MAX_BYTES >> 20}; take it out.")  # fmt: skip
        chosen.append((entry, PurePosixPath(*parts)))
    total = sum(entry.file_size for entry, _ in chosen)
    if len(chosen) > MAX_FILES or total > MAX_TOTAL:
        raise UserError(
            f"{name} holds {len(chosen):,} files of {total >> 20:,} MiB, and at most {MAX_FILES:,} and {MAX_TOTAL >> 20:,} are "
            f"unpacked; {_UNPACK}."
        )
    return chosen


def _root(folder: Path) -> Path:
    """Below `folder`, the folder with the classes: archives often hold one folder with all the rest in it."""
    while True:
        inside = sorted(folder.iterdir())
        folders = [path for path in inside if path.is_dir()]
        if len(folders) != 1 or _has_picture(inside):
            return folder
        below = list(folders[0].iterdir())
        if _has_picture(below) or not any(path.is_dir() for path in below):
            return folder
        folder = folders[0]


def _has_picture(paths: list[Path]) -> bool:
    return any(path.is_file() and not refuse(path) for path in paths)


def _damaged(name: str, error: Exception) -> UserError:
    said = (str(error).strip().splitlines() or [type(error).__name__])[0][:120].rstrip(".")
    return UserError(f"{name} is no whole zip archive ({said}); make or fetch it again, or {_UNPACK}.")
