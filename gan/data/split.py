"""Photos kept away from training, so that a model can be judged on what it has never seen."""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from gan.data.spreadsheet import read
from gan.errors import UserError
from gan.utils.names import composed

GROUPS = "sources.csv"  # columns `file` (below the photo folder) and `photo_group`
Files = dict[str, list[Path]]


def split(found: Mapping[str, Sequence[Path]], folder: str | os.PathLike[str], share: float, seed: int) -> tuple[Files, Files]:
    """Class → files, cut in two: those to train on, and those held out, of each class just enough to reach `share`.

    Which ones follows from `seed` and the names alone, so that an evaluation finds what a training left out. Files of one
    `photo_group` in the folder's sources.csv (crops of one photo, say) stay on one side; without it each file is a group.
    Raises UserError when a class would be left without a photo to train on, or when sources.csv cannot be read.
    """
    groups = _groups(Path(folder))
    members: dict[str, list[tuple[str, Path]]] = {}
    for name, paths in found.items():
        for path in paths:
            shown = Path(os.path.relpath(path, folder)).as_posix()
            members.setdefault(groups.get(composed(shown), shown), []).append((name, path))
    missing = {name: round(share * len(paths), 9) for name, paths in found.items()}  # 0.07 · 100 is 7.000000000000001
    held = set()
    for group in sorted(members, key=lambda group: _order(seed, group)):
        if all(missing[name] > 0 for name, _ in members[group]):
            for name, path in members[group]:
                missing[name] -= 1
                held.add(path)
    kept = {name: [path for path in paths if path not in held] for name, paths in found.items()}
    for name, paths in kept.items():
        if not paths and found[name]:
            own = {path for path in found[name]}
            parts = sum(any(path in own for _, path in group) for group in members.values())
            # Of each class at least one photo, or one group, is held out, however small the share.
            what = f"which has one photo{' group' if len(own) > 1 else ''}: add others, or train on other --classes"
            raise UserError(
                f"holding out {share:g} of the photos leaves none of the class '{name}' to train on"
                + (f", {what}." if parts == 1 else "; use a smaller --holdout, or add photos.")
            )
    return kept, {name: [path for path in paths if path in held] for name, paths in found.items()}


def judged_by(held_out: int) -> str:
    """The photos that the moments of a run are judged by, in words: so many held out, or with 0 those trained on."""
    return f"the {held_out:,} photos held out" if held_out else "the photos trained on"


def _order(seed: int, group: str) -> bytes:
    return hashlib.sha256(f"{seed}/{group}".encode("utf-8", "surrogateescape")).digest()


def _groups(folder: Path) -> dict[str, str]:
    """File below `folder` → its group, as far as the folder says."""
    path = folder / GROUPS
    if not path.is_file():
        return {}
    try:
        rows = [row.cells for row in read(path, ("file", "photo_group"), folder) or ()]  # none: no word about groups
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{path} cannot be read as a table of photos ({error}); mend it, or remove it.") from None
    # A row without a group is a photo of its own; the prefix keeps a group from meeting a file of its name.
    return {composed(row["file"]): f"group {row['photo_group']}" for row in rows if row["file"] and row["photo_group"]}
