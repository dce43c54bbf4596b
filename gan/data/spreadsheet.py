"""A table of files in a CSV file, as Excel and LibreOffice save it in different countries.

Separators are commas, semicolons or tabs. The text is UTF-8, UTF-16 (Excel's "Unicode text") or in a code page of Windows. The
file does not say which: the code page is used in which most of the named files exist.
"""

from __future__ import annotations

import codecs
import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gan.utils.names import composed

MAX_BYTES = 64 << 20
_CODE_PAGES = ("cp1251", "cp1252", "cp1250", "cp1253", "cp1254", "cp1257", "cp932", "cp936", "cp949", "cp950")


@dataclass(frozen=True)
class Row:
    """A row of a table: its cells by column name (lower case), and the number of its last line in the file."""

    line: int
    cells: dict[str, str]


def read(path: Path, columns: Sequence[str], root: Path) -> list[Row] | None:
    """The rows of the table at `path`, without empty rows; None where it lacks one of `columns`.

    One of the columns is `file`, with paths below `root`; `class`, if there is one, names folders there or `root` itself.
    Names that are not UTF-8 keep their bytes, as with os.fsdecode. Raises OSError, csv.Error, and ValueError for a file over
    MAX_BYTES or in a code page that cannot be found out.
    """
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"it is over {MAX_BYTES >> 20} MiB")
    content = path.read_bytes()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _parse(content.decode("utf-16"), columns)
    try:
        return _parse(content.decode("utf-8-sig"), columns)
    except UnicodeDecodeError:
        pass
    own = composed(root.resolve().name)
    most, best = 0, None
    for page in ("utf-8", *_CODE_PAGES):
        try:
            rows = _parse(content.decode(page, "surrogateescape" if page == "utf-8" else "strict"), columns)
        except UnicodeDecodeError:
            continue
        if rows is None:
            return None
        odd = {word for row in rows for word in (row.cells["file"], row.cells.get("class", "")) if not word.isascii()}
        there = sum(os.path.lexists(root / word) or composed(word) == own for word in odd)
        if there > most or not odd and best is None:
            most, best = there, rows
    if best is None:
        raise ValueError("its code page cannot be told: save it as CSV UTF-8")
    return best


def _parse(text: str, columns: Sequence[str]) -> list[Row] | None:
    """The rows of a table; None where no separator gives all of `columns`. Raises csv.Error."""
    if text.lower().startswith("sep="):  # tells Excel the separator
        text = text.partition("\n")[2]
    if "\n" not in text:
        text = text.replace("\r", "\n")  # line ends of Excel for the Mac
    for separator in ",;\t":
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        head = [cell.strip().lower() for cell in next(reader, [])]
        if set(columns) <= set(head):
            rows = [Row(reader.line_num, {**dict.fromkeys(head, ""), **dict(zip(head, cells))}) for cells in reader]
            return [row for row in rows if any(cell.strip() for cell in row.cells.values())]
    return None
