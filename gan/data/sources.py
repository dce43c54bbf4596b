"""What people name as their photos → a folder: a folder, a zip archive, or a dataset on the Hugging Face Hub.

What is not a folder is prepared once into $XDG_CACHE_HOME (or ~/.cache) /this-flower-does-not-exist/photos/KEY/NAME, where KEY
is a SHA-256 of what went in: the bytes of the archive, or repository, commit and files of the dataset.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from gan.data import zip_archive
from gan.errors import UserError
from gan.utils import hub_client, lock
from gan.utils.files import cache_folder, write_atomic

DONE = "prepared.json"  # beside the photos: how many files there are, so that a copy somebody cleaned away in part is made anew

_ZIP, _HUB = 2, 1  # versions of how photos are prepared; a new number leaves old copies alone

Progress = Callable[[int, int], object]


def photo_folder(name: str, progress: Progress | None = None) -> Path:
    """The folder with the photos called `name`; a folder is taken as it is, and need not exist.

    `progress` is called with (files done, files in all) while a copy is made. Raises UserError.
    """
    from gan.data import hub_dataset

    if hub_dataset.is_dataset(name):
        return _from_hub(name, progress)
    path = Path(name).expanduser()
    return _from_archive(path, progress) if _is_archive(path) else Path(name)


def _is_archive(path: Path) -> bool:
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(4) in (b"PK\3\4", b"PK\5\6") or path.suffix.lower() == ".zip"
    except (OSError, ValueError):
        return False  # whoever reads the folder says what is wrong


def _from_archive(path: Path, progress: Progress | None) -> Path:
    digest = hashlib.sha256(f"{_ZIP} zip\n".encode())
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); see to that, or name another archive.") from None
    name = path.name[:-4] if path.name.lower().endswith(".zip") else path.name
    return _prepared(digest.hexdigest(), name or "photos", lambda into: zip_archive.unpack(path, into, progress))


def _from_hub(name: str, progress: Progress | None) -> Path:
    from gan.data import hub_dataset

    title = hub_dataset.title(name)
    latest = _home() / f"{hashlib.sha256(name.encode()).hexdigest()}.json"  # the key that this name stood for last
    try:
        found = hub_dataset.find(name)
    except hub_client.Unreachable:
        kept = _kept(latest, title)
        if kept is None:
            raise
        return kept

    def fill(into: Path) -> Path:
        hub_dataset.prepare(found, into, progress)
        return into

    key = hashlib.sha256(f"{_HUB} hub\n{found.key}".encode()).hexdigest()
    folder = _prepared(key, title, fill)
    write_atomic(latest, json.dumps({"key": key}).encode())
    return folder


def _kept(latest: Path, title: str) -> Path | None:
    """The copy that was made when the Hub last answered, if it is whole."""
    try:
        folder = _home() / json.loads(latest.read_text(encoding="utf-8"))["key"] / title
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return folder if _whole(folder) else None


# ------------------------------------------------------------------------------------------------------------- cache


def _home() -> Path:
    root = cache_folder()
    if root is None:
        raise UserError("there is no folder to keep photos in; set XDG_CACHE_HOME to one.")
    return root / "photos"


def _prepared(key: str, name: str, fill: Callable[[Path], Path]) -> Path:
    """The folder `name` of the copy `key`; where there is none, what `fill` makes in an empty folder. Raises UserError."""
    home = _home()
    final = home / key / name
    if _whole(final):
        return final
    try:
        with lock.in_turn(home.parent / "locks" / key):  # several processes of one training make one copy
            return final if _whole(final) else _made(home, final, fill)
    except OSError as error:
        raise UserError(
            f"the photos cannot be put into {home} ({error.strerror or error}); make room there, or set XDG_CACHE_HOME."
        ) from None


def _made(home: Path, final: Path, fill: Callable[[Path], Path]) -> Path:
    """What `fill` makes in an empty folder, as `final`, which comes to be as a whole. Raises OSError."""
    home.mkdir(parents=True, exist_ok=True)
    _sweep(home)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=home, ignore_cleanup_errors=True) as new:
        (Path(new) / "in").mkdir()
        photos = fill(Path(new) / "in")
        whole = Path(new) / "whole"
        whole.mkdir()
        photos.rename(whole / final.name)
        (whole / DONE).write_text(json.dumps({"files": _count(whole / final.name)}), encoding="utf-8")
        if final.parent.exists() and not _whole(final):
            shutil.rmtree(final.parent)
        try:
            whole.rename(final.parent)
        except OSError:  # somebody else has made the same meanwhile
            if not _whole(final):
                raise
    return final


def _sweep(home: Path) -> None:
    """Remove what starts that were killed had half made, a day ago or longer."""
    for path in home.glob(".new-*"):
        if path.stat().st_mtime < time.time() - 86400:
            shutil.rmtree(path, ignore_errors=True)


def _whole(folder: Path) -> bool:
    """Whether a copy is there with all of its files."""
    try:
        return json.loads((folder.parent / DONE).read_text(encoding="utf-8"))["files"] == _count(folder)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _count(folder: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(folder))
