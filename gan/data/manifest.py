"""The manifest: a CSV table of the photos that a training may use. The doctor writes it; people may change it by hand.

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
from gan.data.split import Files
from gan.data.spreadsheet import read
from gan.errors import UserError
from gan.utils.names import composed, printable

KEPT = "kept"
COLUMNS = ("file", "class", "verdict")
# The beginnings of all other verdicts: what people write, what the doctor finds, and the reasons of decode.py and
# image_folder.py.
_LEFT_OUT = (
    "left out", "near-duplicate of", "also in the class", "blurred", "too small", "too large", "empty file", "not a ",
    "broken link", "cannot be read", "heic", "truncated", "damaged", "floating-point", "lies beside", "a link to",
    "only the thumbnail", "16 bits", "a tiff of", "lab colors", "lab colours",
)  # fmt: skip


def csv_bytes(rows: Iterable[tuple[str, str, str]]) -> bytes:
    """The CSV file for rows of (path below the photo folder, class, verdict). Names that are not UTF-8 keep their bytes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8", "surrogateescape")


def manifest_filter(path: Path, folder: str | os.PathLike[str]) -> Callable[[Files], Files]:
    """A function that chooses, from what `find_photos(folder)` returns, the files that the manifest at `path` keeps.

    A file that the manifest does not name is left out, and so is a class without kept files. Raises UserError when the manifest
    cannot be read. The function raises UserError when the manifest keeps nothing, or a file that `folder` does not have or has
    in another class.
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
                        f"{path} has the class '{printable(kept[name][0])}' for {printable(name)}, which lies in the folder "
                        f"of the class '{label}'; move the file, or correct the row."
                    )
                chosen.setdefault(label, []).append(file)
        there = {composed(relative(file, folder)) for paths in chosen.values() for file in paths}
        # Files of classes that were not asked for need only exist.
        missing = (
            written
            for file, (label, written) in kept.items()
            if file not in there and (label in found or not os.path.exists(root / written))
        )
        if first := next(missing, None):
            raise UserError(
                f"{path} keeps {printable(first)}, and '{folder}' has no such file; run the doctor again, "
                "or name the folder that the manifest was written for."
            )
        if not chosen:
            raise UserError(f"{path} keeps no photo of {', '.join(found)}; change the verdict of some photos to '{KEPT}'.")
        return chosen

    return select


def _read(path: Path, root: Path) -> dict[str, tuple[str, str]]:
    """Kept file (name in composed form) → its class (composed too) and its name as written. Raises UserError."""
    try:
        rows = read(path, COLUMNS, root)
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{path} cannot be read as a manifest ({error}); write one with python -m gan doctor.") from None
    if rows is None:
        raise UserError(f"{path} lacks the columns {', '.join(COLUMNS)}; name a manifest.csv that the doctor wrote.")
    kept: dict[str, tuple[str, str]] = {}
    verdicts: dict[str, bool] = {}
    for row in rows:
        verdict, name = row.cells["verdict"].strip(), row.cells["file"]
        keeps = verdict.casefold() == KEPT
        if verdicts.setdefault(composed(name), keeps) != keeps:
            raise UserError(
                f"{path}, line {row.line}: {printable(name)} had another verdict in a row above; remove one of them."
            )
        if keeps:
            kept[composed(name)] = composed(row.cells["class"]), name
        elif not verdict.casefold().startswith(_LEFT_OUT):
            raise UserError(
                f"{path}, line {row.line}: {printable(name)} has the unknown verdict '{printable(verdict)[:80]}'; "
                f"write '{KEPT}' or 'left out'."
            )
    return kept
