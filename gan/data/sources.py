"""A folder, a zip archive or the address of a dataset on the Hugging Face Hub → a folder of photos.

Archives and datasets are unpacked once into $XDG_CACHE_HOME (or ~/.cache) /this-flower-does-not-exist/photos/KEY/NAME. KEY is a
SHA-256: of the bytes of the archive, or of the dataset's repository, commit and files.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from gan.data import zip_archive
from gan.errors import UserError
from gan.utils import hub_client, lock
from gan.utils.files import cache_folder, user_path, write_atomic
from gan.utils.progress import Progress

DONE = "prepared.json"  # beside the photos: their number, so that a copy with deleted files is made anew

KEPT_DAYS = 60  # after its last use a copy stays so long; it is removed when the next one is made

_ZIP_VERSION, _HUB_VERSION = 2, 1  # versions of the unpacking, part of KEY: a new number ignores old copies


def photo_folder(name: str, progress: Progress | None = None) -> Path:
    """The folder with the photos that `name` stands for. A folder need not exist; ~ is the user's own.

    `progress` is called with (files done, files in all) while a copy is made. Raises UserError for an archive or a dataset that
    cannot be used.
    """
    from gan.data import hub_dataset

    if hub_dataset.is_dataset(name):
        return _from_hub(name, progress)
    path = user_path(name)
    return _from_archive(path, progress) if _is_archive(path) else path


def _is_archive(path: Path) -> bool:
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(4) in (b"PK\3\4", b"PK\5\6") or path.suffix.lower() == ".zip"
    except (OSError, ValueError):
        return False  # then `find_photos` says what is wrong


def _from_archive(path: Path, progress: Progress | None) -> Path:
    digest = hashlib.sha256(f"{_ZIP_VERSION} zip\n".encode())
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); correct that, or name another archive.") from None
    name = path.name[:-4] if path.name.lower().endswith(".zip") else path.name
    return _cached_copy(digest.hexdigest(), name or "photos", lambda into: zip_archive.unpack(path, into, progress))


def _from_hub(name: str, progress: Progress | None) -> Path:
    from gan.data import hub_dataset

    short_name = hub_dataset.short_name(name)
    latest = _photo_cache() / f"{hashlib.sha256(name.encode()).hexdigest()}.json"  # has the KEY that this name had last
    try:
        found = hub_dataset.find(name)
    except hub_client.Unreachable:
        kept = _last_copy(latest, short_name)
        if kept is None:
            raise
        return kept

    def fill(into: Path) -> Path:
        hub_dataset.download(found, into, progress)
        return into

    key = hashlib.sha256(f"{_HUB_VERSION} hub\n{found.key}".encode()).hexdigest()
    folder = _cached_copy(key, short_name, fill)
    write_atomic(latest, json.dumps({"key": key}).encode())
    return folder


def _last_copy(latest: Path, short_name: str) -> Path | None:
    """The copy from when the Hub last answered; None where it is missing or not complete."""
    try:
        folder = _photo_cache() / json.loads(latest.read_text(encoding="utf-8"))["key"] / short_name
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return folder if _is_complete(folder) else None


# ------------------------------------------------------------------------------------------------------------- cache


def _photo_cache() -> Path:
    """The folder of all copies. Raises UserError for a user without a home."""
    root = cache_folder()
    if root is None:
        raise UserError("there is no cache folder for the photos; set XDG_CACHE_HOME to a folder.")
    return root / "photos"


def _cached_copy(key: str, name: str, fill: Callable[[Path], Path]) -> Path:
    """The folder KEY/NAME of the cache. Where it is missing, `fill` makes it in an empty folder. Raises UserError."""
    home = _photo_cache()
    final = home / key / name
    if _is_complete(final):
        with suppress(OSError):  # a cache that only others may write to
            os.utime(final.parent / DONE)
        return final
    try:
        with lock.exclusive(home.parent / "locks" / key):  # several processes of a training make one copy
            return final if _is_complete(final) else _make_copy(home, final, fill)
    except OSError as error:
        raise UserError(
            f"the photos cannot be written to {home} ({error.strerror or error}); make room there, or set XDG_CACHE_HOME."
        ) from None


def _make_copy(home: Path, final: Path, fill: Callable[[Path], Path]) -> Path:
    """Let `fill` make the photos in an empty folder and rename it to `final`, which is never half done. Raises OSError."""
    home.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(home)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=home, ignore_cleanup_errors=True) as new:
        (Path(new) / "in").mkdir()
        photos = fill(Path(new) / "in")
        whole = Path(new) / "whole"
        whole.mkdir()
        photos.rename(whole / final.name)
        (whole / DONE).write_text(json.dumps({"files": _count_files(whole / final.name)}), encoding="utf-8")
        if final.parent.exists() and not _is_complete(final):
            shutil.rmtree(final.parent)
        try:
            whole.rename(final.parent)
        except OSError:  # another process has made the same copy
            if not _is_complete(final):
                raise
    return final


def _remove_abandoned(home: Path) -> None:
    """Remove the temporary folders of killed processes that are older than a day, and copies that were not used for long."""
    for pattern, days in ((".new-*", 1), (f"*/{DONE}", KEPT_DAYS)):
        for path in home.glob(pattern):
            with suppress(OSError):  # another process has removed it
                if path.stat().st_mtime < time.time() - 86400 * days:
                    shutil.rmtree(path.parent if path.name == DONE else path, ignore_errors=True)


def _is_complete(folder: Path) -> bool:
    """Whether a copy exists with all of its files."""
    try:
        return json.loads((folder.parent / DONE).read_text(encoding="utf-8"))["files"] == _count_files(folder)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _count_files(folder: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(folder))
