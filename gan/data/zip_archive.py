"""A zip archive of photos → a folder. The list of files is checked first; an archive with a bad name or size is refused."""

from __future__ import annotations

import io
import re
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from gan.data import zip_names
from gan.data.decode import MAX_BYTES, rejection_reason
from gan.errors import UserError
from gan.utils.files import RESERVED, WINDOWS
from gan.utils.formatting import first_line
from gan.utils.names import is_ignored, printable
from gan.utils.progress import Progress

MAX_FILES = 100_000
MAX_TOTAL = 16 << 30  # bytes of all unpacked files together
MAX_DIRECTORY = 32 << 20  # bytes of the archive's list of files, which zipfile reads at once

_UNPACK_YOURSELF = "unpack it yourself, and name the folder"


def unpack(path: Path, into: Path, progress: Progress | None = None) -> Path:
    """Unpack the zip file `path` into the empty folder `into`; returns the folder below it that has the classes.

    Hidden files are left out. `progress` is called with (files done, files in all). Raises OSError when the disk is full, and
    UserError for an archive with

    - a name that leads out of `into`, a link or a device, two files with one name,
    - names of folders in an unknown code page (zip_names.py), a password, damage,
    - more than MAX_FILES files, a file over decode.MAX_BYTES, or more than MAX_TOTAL bytes.

    The number of pixels is checked later, as for every photo.
    """
    name = path.name
    try:
        with path.open("rb") as file, zipfile.ZipFile(_LimitedReader(file)) as archive:
            chosen = _choose_files(archive, name)
            free = shutil.disk_usage(into).free
            total = sum(entry.file_size for entry, _ in chosen)
            if total > free:
                raise UserError(
                    f"{name} unpacks to {total >> 20:,} MiB, and {free >> 20:,} MiB are free in {into}; make room first."
                )
            made = {into}
            for number, (entry, place) in enumerate(chosen):
                target = into.joinpath(*map(_valid_name, place.parts))
                try:
                    _make_folder(target.parent, made)
                    with archive.open(entry) as source, target.open("xb") as copy:
                        shutil.copyfileobj(source, copy, 1 << 20)  # zipfile writes no more than the size that was checked
                except (FileExistsError, NotADirectoryError):
                    raise UserError(
                        f"{name} has two files called {printable(str(place))}, or two folders with one name on this system; "
                        f"{_UNPACK_YOURSELF}."
                    ) from None
                if progress:
                    progress(number + 1, len(chosen))
    except UserError:
        raise
    except OSError as error:
        if error.errno is not None:
            raise
        raise _damaged_archive(name, error) from None
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError, LookupError) as error:
        raise _damaged_archive(name, error) from None
    return _class_root(into)


def _make_folder(folder: Path, made: set[Path]) -> None:
    """Make a folder and its parents, unless they are in `made`, and add them there.

    Raises FileExistsError where this system has one name for two folders, for example Rose and rose.
    """
    if folder not in made:
        _make_folder(folder.parent, made)
        folder.mkdir()
        made.add(folder)


def _valid_name(name: str) -> str:
    """A name that is valid on this system: on Windows without the characters that are not allowed in names."""
    if not WINDOWS:
        return name
    name = re.sub(r'[\x00-\x1f<>:"|?*]', "_", name).rstrip(". ") or "_"
    return f"{name}_" if RESERVED.fullmatch(name.partition(".")[0]) else name


class _LimitedReader(io.BufferedIOBase):
    """A file from which no more than MAX_DIRECTORY bytes can be read at once: zipfile reads the whole list of files so."""

    def __init__(self, file: io.BufferedReader) -> None:
        self.file = file
        self.seek, self.tell = file.seek, file.tell  # type: ignore[method-assign]

    def seekable(self) -> bool:
        """True, which zipfile asks for."""
        return True

    def read(self, size: int | None = -1) -> bytes:
        """`size` bytes. Raises UserError for more than MAX_DIRECTORY."""
        if size is not None and size > MAX_DIRECTORY:
            raise UserError(
                f"the archive lists far more than {MAX_FILES:,} files, and that many are not read; {_UNPACK_YOURSELF}."
            )
        return self.file.read(size)


def _choose_files(archive: zipfile.ZipFile, name: str) -> list[tuple[zipfile.ZipInfo, PurePosixPath]]:
    """The files to unpack and the path of each below the new folder, after a check of all. Raises UserError."""
    chosen, entries = [], archive.infolist()
    for entry, known in zip(entries, zip_names.names(entries)):
        text = (entry.orig_filename if known is None else known).replace("\\", "/")  # the separator of some programs
        parts = [part for part in text.split("/") if part not in ("", ".")]
        shown = printable(text)[:80]
        if text.startswith("/") or re.match("[A-Za-z]:", text) or ".." in parts or "\0" in text:
            raise UserError(
                f"{name} has the file '{shown}', a name that leads out of its folder; do not trust it, or {_UNPACK_YOURSELF}."
            )
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise UserError(f"{name} holds a link or device, '{shown}'; {_UNPACK_YOURSELF}.")
        if text.endswith("/") or kind == stat.S_IFDIR or not parts or any(map(is_ignored, parts)):
            continue
        if known is None and not "".join(parts[:-1]).isascii():  # it may be the name of a class
            raise UserError(
                f"{name} has folder names in a code page that cannot be told (one may be '{printable(parts[0])[:80]}'); "
                f"make the archive again with names in UTF-8, or {_UNPACK_YOURSELF}."
            )
        if entry.flag_bits & 1:
            raise UserError(f"{name} is locked with a password; {_UNPACK_YOURSELF}.")
        if entry.file_size > MAX_BYTES:
            raise UserError(f"{name} holds '{shown}' of {entry.file_size >> 20:,} MiB, and a photo has at most "
                            f"{MAX_BYTES >> 20} MiB; take it out.")  # fmt: skip
        chosen.append((entry, PurePosixPath(*parts)))
    total = sum(entry.file_size for entry, _ in chosen)
    if len(chosen) > MAX_FILES or total > MAX_TOTAL:
        raise UserError(
            f"{name} holds {len(chosen):,} files of {total >> 20:,} MiB, and at most {MAX_FILES:,} files of "
            f"{MAX_TOTAL >> 20:,} MiB are unpacked; {_UNPACK_YOURSELF}."
        )
    return chosen


def _class_root(folder: Path) -> Path:
    """The folder with the classes: `folder` or, as archives often have one folder around all others, a folder in it."""
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
    return any(path.is_file() and not rejection_reason(path) for path in paths)


def _damaged_archive(name: str, error: Exception) -> UserError:
    """The error for an archive that zipfile cannot read."""
    return UserError(f"{name} is no whole zip archive ({first_line(error)}); make or fetch it again, or {_UNPACK_YOURSELF}.")
