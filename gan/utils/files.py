"""Writing files so that a crash, a full disk or a `kill -9` leaves either the old file or the new one."""

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
RESERVED = re.compile(r"con|prn|aux|nul|com\d|lpt\d", re.IGNORECASE)  # devices on Windows, whatever ending they are given
PATIENCE = 5.0 if WINDOWS else 0.0  # seconds for which a file may be held open by somebody else when it is to be replaced
CACHE = "this-flower-does-not-exist"  # below the user's folder for caches


def write_atomic(path: Path, data: bytes, keep: Path | None = None) -> None:
    """Write `data` to a temporary file beside `path`, sync it, rename it onto `path`, sync the folder.

    What `path` held before is renamed to `keep`, where that is given: between the two renames there is only that.
    Raises OSError; `path` is then as it was, and the temporary file is gone.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "xb") as file:  # for whom the umask lets read; tempfile's are for their owner alone
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if keep and path.exists():
            replace(path, keep)
        replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # the rename itself is on disk only once the folder is
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def replace(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """`os.replace`, which Windows refuses as long as anyone has the target open, a virus scanner say: waits. Raises OSError."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return os.replace(source, target)
        except PermissionError:
            if time.monotonic() >= end:
                raise
            time.sleep(0.05)


def name_of(folder: PurePath, otherwise: str) -> str:
    """What a folder, given by its whole path, is called: for a drive its letter, for a share its name, for / `otherwise`."""
    return folder.name or re.sub(r"\W+", "", re.split(r"[\\/]", folder.drive)[-1]) or otherwise


def sweep(folder: Path) -> None:
    """Remove what killed writers left in `folder` and below it. Only for who knows that nobody writes there now."""
    for path in folder.rglob(".*.tmp"):
        path.unlink(missing_ok=True)


def cache_folder() -> Path | None:
    """Where this program may keep what it can make again: $XDG_CACHE_HOME (or ~/.cache) /this-flower-does-not-exist.

    None for a user without a home. Nothing is made.
    """
    named = os.environ.get("XDG_CACHE_HOME", "")
    try:
        root = Path(named) if os.path.isabs(named) else Path.home() / ".cache"  # a relative one is to be ignored, says XDG
    except RuntimeError:
        return None
    return root / CACHE


def check_writable(folder: Path, otherwise: str) -> None:
    """Raise UserError, ending in what to do `otherwise`, when `folder` cannot be made or written into. Writes nothing.

    Better at the start than after hours of work that then has no place.
    """
    existing = folder
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir():
        raise UserError(f"{folder} cannot be a folder, because {existing} is a file; {otherwise}.")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise UserError(f"there is no permission to write to {existing}; {otherwise}.")


def json_bytes(value: Any) -> bytes:
    """`value` as a JSON file of ours: UTF-8, indented, no NaN."""
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
