"""The split of photos into those trained on and those held out, on which a model can be evaluated."""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from gan.data.spreadsheet import read
from gan.errors import UserError
from gan.utils.names import composed

GROUPS = "sources.csv"  # in the photo folder; columns `file` (path below it) and `photo_group`
Files = dict[str, list[Path]]  # class → its photos


def split(found: Mapping[str, Sequence[Path]], folder: str | os.PathLike[str], share: float, seed: int) -> tuple[Files, Files]:
    """Class → files, split in two: files to train on, and files held out, just enough of each class to reach `share`.

    The split follows from `seed` (any whole number) and the file names alone, so that an evaluation finds what a training held
    out. Files of one `photo_group` in the folder's sources.csv (for example crops of one photo) stay together; without that
    file, each photo is a group of its own. Raises UserError when a class would have no photo left to train on, or when
    sources.csv cannot be read.
    """
    groups = _groups(Path(folder))
    members: dict[str, list[tuple[str, Path]]] = {}
    for name, paths in found.items():
        for path in paths:
            shown = Path(os.path.relpath(path, folder)).as_posix()
            members.setdefault(groups.get(composed(shown), shown), []).append((name, path))
    missing = {name: round(share * len(paths), 9) for name, paths in found.items()}  # 0.07 · 100 is 7.000000000000001
    held = set()
    for group in sorted(members, key=lambda group: _hash_key(seed, group)):
        if all(missing[name] > 0 for name, _ in members[group]):
            for name, path in members[group]:
                missing[name] -= 1
                held.add(path)
    kept = {name: [path for path in paths if path not in held] for name, paths in found.items()}
    for name, paths in kept.items():
        if not paths and found[name]:
            own = {path for path in found[name]}
            parts = sum(any(path in own for _, path in group) for group in members.values())
            # At least one group of each class is held out, however small the share is.
            what = f"which has one photo{' group' if len(own) > 1 else ''}: add others, or train on other --classes"
            raise UserError(
                f"holding out {share:g} of the photos leaves none of the class '{name}' to train on"
                + (f", {what}." if parts == 1 else "; use a smaller --holdout, or add photos.")
            )
    return kept, {name: [path for path in paths if path in held] for name, paths in found.items()}


def judging_photos(held_out: int) -> str:
    """The photos that a run is evaluated against, in words. `held_out` is their number, or 0 for the photos trained on."""
    return f"the {held_out:,} photos held out" if held_out else "the photos trained on"


def _hash_key(seed: int, group: str) -> bytes:
    """The sort key by which groups are held out: random, and the same on every system."""
    return hashlib.sha256(f"{seed}/{group}".encode("utf-8", "surrogateescape")).digest()


def _groups(folder: Path) -> dict[str, str]:
    """File below `folder` → its group, as sources.csv says; empty where there is no such file. Raises UserError."""
    path = folder / GROUPS
    if not path.is_file():
        return {}
    try:
        rows = [row.cells for row in read(path, ("file", "photo_group"), folder) or ()]  # None: it has no such columns
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{path} cannot be read as a table of photos ({error}); correct it, or remove it.") from None
    # A row without a group is ignored. The prefix keeps a group apart from a file of the same name.
    return {composed(row["file"]): f"group {row['photo_group']}" for row in rows if row["file"] and row["photo_group"]}
