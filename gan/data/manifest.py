"""Which photos of a folder a training may take: a table that the doctor writes and that people may change by hand.

file,class,verdict
roses/1.jpg,roses,kept
roses/2.jpg,roses,near-duplicate of roses/1.jpg
roses/3.jpg,roses,left out
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from gan.data.image_folder import relative
from gan.data.spreadsheet import read
from gan.errors import UserError
from gan.utils.names import composed, printable

KEPT = "kept"
COLUMNS = ("file", "class", "verdict")
# How any other verdict begins: what people write, what the doctor finds, and why a file cannot be used (decode.py,
# image_folder.py).
_LEFT_OUT = (
    "left out", "near-duplicate of", "also in the class", "blurred", "too small", "too large", "empty file", "not a ",
    "broken link", "cannot be read", "heic", "truncated", "damaged", "floating-point", "lies beside", "a link to",
    "only the thumbnail", "16 bits", "a tiff of", "lab colours",
)  # fmt: skip
Files = dict[str, list[Path]]


def table(rows: Iterable[tuple[str, str, str]]) -> bytes:
    """The file of (file below the photo folder, class, "kept" or why not); names that are not UTF-8 keep their bytes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8", "surrogateescape")


def manifest_filter(path: Path, folder: str | os.PathLike[str]) -> Callable[[Files], Files]:
    """A function that takes of the files of `data.find_photos(folder)` those the manifest keeps; a class without any goes.

    Raises UserError when the manifest cannot be read; the function does when it keeps a file that `folder` lacks or has in
    another class, or nothing at all. A file that the manifest does not name is not taken.
    """
    root = Path(folder)
    kept = _read(path, root)

    def select(found: Files) -> Files:
        chosen: Files = {}
        for label, paths in found.items():
            for file in paths:
                name = composed(relative(file, folder))
                if name not in kept:
                    continue
                if kept[name][0] != label:
                    raise UserError(
                        f"{path} says that {printable(name)} is of the class '{kept[name][0]}', and its folder that it is of "
                        f"'{label}'; move the file, or mend the row."
                    )
                chosen.setdefault(label, []).append(file)
        there = {composed(relative(file, folder)) for paths in chosen.values() for file in paths}
        # Of the classes that are not asked for, files need only be there.
        lost = (
            written
            for file, (label, written) in kept.items()
            if file not in there and (label in found or not os.path.exists(root / written))
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


def _read(path: Path, root: Path) -> dict[str, tuple[str, str]]:
    """The files that are kept, their names composed → their classes, composed too, and their names as written."""
    try:
        rows = read(path, COLUMNS, root)
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{path} cannot be read as a manifest ({error}); run python -m gan doctor to write one.") from None
    if rows is None:
        raise UserError(f"{path} lacks the columns {', '.join(COLUMNS)}; name a manifest.csv that the doctor wrote.")
    kept = {}
    for row in rows:
        verdict, name = row.cells["verdict"].strip(), row.cells["file"]
        if verdict.casefold() == KEPT:
            kept[composed(name)] = composed(row.cells["class"]), name
        elif not verdict.casefold().startswith(_LEFT_OUT):
            raise UserError(
                f"{path} has in line {row.line}, of {printable(name)}, the verdict '{printable(verdict)[:80]}', which is none; "
                f"write '{KEPT}' or 'left out'."
            )
    return kept
