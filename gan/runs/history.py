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
MAX_ROWS = 20_000  # rows of steps that are returned at most; every KID is returned


class History:
    """Adds rows to the file. Rows beyond `images_seen`, written after the last snapshot, are dropped first."""

    def __init__(self, folder: Path, images_seen: int) -> None:
        self._path = folder / FILE
        kept = [row for row in _rows(self._path) if row["images"] <= images_seen]
        write_atomic(self._path, "".join(map(_line, kept)).encode())

    def add(self, images: int, names: Mapping[str, str] | None = None, **values: float) -> None:
        """Write the values measured after `images` images; values that are not finite are left out. Raises OSError.

        `names` are added to the row as they are: `kid_name` says which network's KID it is.
        """
        finite = {name: value for name, value in values.items() if math.isfinite(value)} | dict(names or {})
        with self._path.open("a", encoding="utf-8") as file:
            file.write(_line({"images": images, **finite}))


def read(folder: Path) -> list[dict[str, Any]]:
    """The rows of a run folder in order, of those of steps at most MAX_ROWS, evenly spaced; empty where there is no file.

    Lines that are not rows are skipped, for example a last line that was cut off. Raises OSError.
    """
    found = _rows(folder / FILE)
    every = -(-len(found) // MAX_ROWS)
    return [row for number, row in enumerate(found) if number % every == 0 or "kid" in row]


def _rows(path: Path) -> list[dict[str, Any]]:
    """All rows of the file; none where there is no file."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", errors="replace") as file:
        return [row for row in map(_parsed, file) if row]


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
