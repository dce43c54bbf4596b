"""Files: writing them so that a crash, a full disk or a `kill -9` leaves the old file or the new one; names and places."""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from pathlib import Path, PurePath
from typing import Any

from gan.errors import UserError

WINDOWS = os.name == "nt"
RESERVED = re.compile(r"con|prn|aux|nul|com\d|lpt\d", re.IGNORECASE)  # names of devices on Windows, with any ending
PATIENCE = 5.0 if WINDOWS else 0.0  # seconds to wait until another program closes a file that is to be replaced
CACHE = "this-flower-does-not-exist"  # folder below the user's cache folder


def user_path(path: str | os.PathLike[str]) -> Path:
    """A path as a user gives it: `~` at its beginning is the home folder."""
    return Path(os.path.expanduser(path))


def write_atomic(path: Path, data: bytes, keep: Path | None = None) -> None:
    """Write `data` to a temporary file beside `path`, sync it, rename it onto `path`, sync the folder.

    With `keep`, the file that was at `path` is renamed to `keep` first; between the two renames there is nothing at `path`.
    Raises OSError; the temporary file is then removed, and no file is lost.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "xb") as file:  # permissions by the umask; those of tempfile are for the owner alone
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if keep and path.exists():
            replace(path, keep)
        replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # the rename is on the disk only after the folder is synced
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def replace(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """`os.replace` with a wait of up to PATIENCE: Windows refuses it while a program has the target open. Raises OSError."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return os.replace(source, target)
        except PermissionError:
            if time.monotonic() >= end:
                raise
            time.sleep(0.05)


def folder_name(folder: PurePath, default: str) -> str:
    """The name of a folder given by its absolute path: for a drive its letter, for a share its name, for / `default`."""
    return folder.name or re.sub(r"\W+", "", re.split(r"[\\/]", folder.drive)[-1]) or default


def remove_temporary_files(folder: Path) -> None:
    """Remove the temporary files of killed processes in and below `folder`. Nobody else may write there at that time."""
    for path in folder.rglob(".*.tmp"):
        path.unlink(missing_ok=True)


def cache_folder() -> Path | None:
    """The folder for files that can be made again: $XDG_CACHE_HOME (or ~/.cache) /this-flower-does-not-exist.

    None for a user without a home. The folder is not created.
    """
    named = os.environ.get("XDG_CACHE_HOME", "")
    try:
        root = Path(named) if os.path.isabs(named) else Path.home() / ".cache"  # XDG says that a relative path is ignored
    except RuntimeError:
        return None
    return root / CACHE


def check_outside(out: Path, photos: Path) -> None:
    """Raise UserError when the folder --out lies inside the photo folder."""
    if out.resolve().is_relative_to(photos.resolve()):
        raise UserError(
            f"--out {out} lies inside the photo folder, where its files would be taken for photos; choose another --out."
        )


def check_writable(folder: Path, otherwise: str) -> None:
    """Raise UserError when `folder` cannot be created or written into; `otherwise` is the end of its sentence. Writes nothing.

    Called at the start, because an error after hours of work would lose the work.
    """
    existing = folder
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir():
        raise UserError(f"{folder} cannot be a folder, because {existing} is a file; {otherwise}.")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise UserError(f"there is no permission to write to {existing}; {otherwise}.")


def json_bytes(value: Any) -> bytes:
    """`value` as a JSON file in UTF-8, indented. Raises ValueError for NaN and infinity."""
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
