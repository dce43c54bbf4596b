"""Which photos of a folder a training may take: a table that the doctor writes and that people may change by hand.

file,class,verdict
roses/1.jpg,roses,kept
roses/2.jpg,roses,near-duplicate of roses/1.jpg
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from .data import relative
from .errors import UserError
from .names import printable

KEPT = "kept"
COLUMNS = ("file", "class", "verdict")
MAX_BYTES = 64 << 20
Files = dict[str, list[Path]]


def table(rows: Iterable[tuple[str, str, str]]) -> bytes:
    """The file of (file below the photo folder, class, "kept" or why not); names that are not UTF-8 keep their bytes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8", "surrogateescape")


def keeping(path: Path, folder: str | os.PathLike[str]) -> Callable[[Files], Files]:
    """A function that takes of the files of `data.find_photos(folder)` those the manifest keeps; a class without any goes.

    Raises UserError when the manifest cannot be read; the function does when it keeps a file that `folder` lacks or has in
    another class, or nothing at all. A file that the manifest does not name is not taken.
    """
    kept, root = _read(path), Path(folder)

    def select(found: Files) -> Files:
        chosen: Files = {}
        for label, paths in found.items():
            for file in paths:
                name = relative(file, folder)
                if name not in kept:
                    continue
                if kept[name] != label:
                    raise UserError(
                        f"{path} says that {printable(name)} is of the class '{kept[name]}', and its folder that it is of "
                        f"'{label}'; move the file, or mend the row."
                    )
                chosen.setdefault(label, []).append(file)
        there = {relative(file, folder) for paths in chosen.values() for file in paths}
        # Of the classes that are not asked for, files need only be there.
        lost = (
            file for file, label in kept.items() if file not in there and (label in found or not os.path.exists(root / file))
        )
        if missing := next(lost, None):
            raise UserError(
                f"{path} keeps {printable(missing)}, and '{folder}' has no such file; run the doctor again, "
                "or name the folder that it was written for."
            )
        if not chosen:
            raise UserError(f"{path} keeps no photo of {', '.join(found)}; change the verdict of some to '{KEPT}'.")
        return chosen

    return select


def _read(path: Path) -> dict[str, str]:
    """The files that are kept → their classes."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"{path} is over {MAX_BYTES >> 20} MiB, which no manifest is; name the one the doctor wrote.")
        text = path.read_bytes().decode("utf-8-sig", "surrogateescape")
        reader = csv.DictReader(io.StringIO(text, newline=""))
        if not set(COLUMNS) <= set(reader.fieldnames or ()):
            raise UserError(f"{path} lacks the columns {', '.join(COLUMNS)}; name a manifest.csv that the doctor wrote.")
        return {row["file"]: row["class"] or "" for row in reader if (row["verdict"] or "").strip() == KEPT}
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{path} cannot be read as a manifest ({error}); run python -m gan doctor to write one.") from None
