"""A table of files in a CSV file, as Excel and LibreOffice save it: rows by column, however they were written.

Separators are commas, semicolons or tabs; the text is UTF-8, UTF-16 (Excel's "Unicode text") or in a code page of Windows.
Which page, nothing in the file says: the one is taken in which files that it names exist.
"""

from __future__ import annotations

import codecs
import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MAX_BYTES = 64 << 20
_PAGES = ("cp1251", "cp1252", "cp1250", "cp1253", "cp1254", "cp1257", "cp932", "cp936", "cp949", "cp950")


@dataclass(frozen=True)
class Row:
    """A row of a table: its cells by column, and the number of its last line in the file."""

    line: int
    cells: dict[str, str]


def read(path: Path, columns: Sequence[str], root: Path) -> list[Row] | None:
    """The rows of a table that have a cell that is not empty; None for one without all of `columns`, `file` among them.

    Files are named below `root`; names that are not UTF-8 keep their bytes, as os.fsdecode has them. Raises OSError, csv.Error,
    and ValueError for a file of over MAX_BYTES or of letters that cannot be told.
    """
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"it is over {MAX_BYTES >> 20} MiB")
    content = path.read_bytes()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _rows(content.decode("utf-16"), columns)
    try:
        return _rows(content.decode("utf-8-sig"), columns)
    except UnicodeDecodeError:
        pass
    most, best = 0, None
    for page in ("utf-8", *_PAGES):
        try:
            rows = _rows(content.decode(page, "surrogateescape" if page == "utf-8" else "strict"), columns)
        except UnicodeDecodeError:
            continue
        if rows is None:
            return None
        odd = {row.cells["file"] for row in rows if not row.cells["file"].isascii()}
        there = sum(os.path.lexists(root / name) for name in odd)
        if there > most or not odd and best is None:
            most, best = there, rows
    if best is None:
        raise ValueError("its letters are of a code page that cannot be told: save it as CSV UTF-8")
    return best


def _rows(text: str, columns: Sequence[str]) -> list[Row] | None:
    if text.lower().startswith("sep="):  # a line for Excel
        text = text.partition("\n")[2]
    if "\n" not in text:
        text = text.replace("\r", "\n")  # as Excel for the Mac did
    for separator in ",;\t":
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        head = [cell.strip().lower() for cell in next(reader, [])]
        if set(columns) <= set(head):
            rows = [Row(reader.line_num, {**dict.fromkeys(head, ""), **dict(zip(head, cells))}) for cells in reader]
            return [row for row in rows if any(cell.strip() for cell in row.cells.values())]
    return None
