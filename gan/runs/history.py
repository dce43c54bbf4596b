"""The measurements of a training, as lines of JSON in the run folder. dashboard.py and loggers.py read them.

{"images": 3200, "seconds": 61.2, "critic_loss": 2.61, "generator_loss": 3.7, "gradient_norm": 0.4, "critic_gradient": 2.1, …}
{"images": 8000, "kid": 0.41, "kid_name": "KID-MobileNetV2"}
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gan.utils.files import write_atomic

FILE = "progress.jsonl"
MAX_ROWS = 20_000  # rows that are returned at most; of more, every second one is dropped, repeatedly


class History:
    """Adds rows to the file. Rows beyond `images_seen`, written after the last snapshot, are dropped first."""

    def __init__(self, folder: Path, images_seen: int) -> None:
        self._path = folder / FILE
        kept = [row for row in read(folder) if row["images"] <= images_seen]
        write_atomic(self._path, "".join(map(_line, kept)).encode())

    def add(self, images: int, names: Mapping[str, str] | None = None, **values: float) -> None:
        """Write the values measured after `images` images; values that are not finite are left out. Raises OSError.

        `names` are added to the row as they are: `kid_name` says which network's KID it is.
        """
        finite = {name: value for name, value in values.items() if math.isfinite(value)} | dict(names or {})
        with self._path.open("a", encoding="utf-8") as file:
            file.write(_line({"images": images, **finite}))


def read(folder: Path) -> list[dict[str, Any]]:
    """The rows of a run folder in order, at most MAX_ROWS, evenly spaced; empty where there is no file.

    Lines that are not rows are skipped, for example a last line that was cut off. Raises OSError.
    """
    path, found = folder / FILE, []
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", errors="replace") as file:
        for text in file:
            row = _parsed(text)
            if row:
                found.append(row)
    while len(found) > MAX_ROWS:
        found = found[::2]
    return found


def _parsed(text: str) -> dict[str, Any] | None:
    """The row of a line, or None where the line is not a row."""
    try:
        row = json.loads(text)
    except ValueError:
        return None
    return row if isinstance(row, dict) and isinstance(row.get("images"), int) else None


def _line(row: dict[str, Any]) -> str:
    """The line of a row, with numbers rounded to six decimals."""
    return json.dumps({name: round(value, 6) if isinstance(value, float) else value for name, value in row.items()}) + "\n"
