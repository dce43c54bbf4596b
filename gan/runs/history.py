"""What a training measured on its way, as lines of JSON in the run folder, for what shows it (dashboard.py, loggers.py).

{"images": 3200, "seconds": 61.2, "critic_loss": 2.61, "generator_loss": 3.7, "gradient_norm": 0.4, "critic_gradient": 2.1, …}
{"images": 8000, "kid": 0.41}
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from gan.utils.files import write_atomic

FILE = "progress.jsonl"
MOST = 20_000  # lines that are read: beyond that every other one is left out, again and again


class History:
    """Adds lines to the journal of a run folder. What an interrupted run wrote beyond `images_seen` is dropped first."""

    def __init__(self, folder: Path, images_seen: int) -> None:
        self._path = folder / FILE
        kept = [row for row in read(folder) if row["images"] <= images_seen]
        write_atomic(self._path, "".join(map(_line, kept)).encode())

    def add(self, images: int, **values: float) -> None:
        """Write what was measured after so many images; what is no finite number is left out. Raises OSError."""
        finite = {name: value for name, value in values.items() if math.isfinite(value)}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(_line({"images": images, **finite}))


def read(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run folder's journal in order, at most MOST of them, evenly; empty where there is none.

    A last line that was cut short, and whatever else is no line of a journal, is passed over. Raises OSError.
    """
    path, found = folder / FILE, []
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", errors="replace") as file:
        for text in file:
            row = _parsed(text)
            if row:
                found.append(row)
    while len(found) > MOST:
        found = found[::2]
    return found


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        row = json.loads(text)
    except ValueError:
        return None
    return row if isinstance(row, dict) and isinstance(row.get("images"), int) else None


def _line(row: dict[str, Any]) -> str:
    return json.dumps({name: round(value, 6) if isinstance(value, float) else value for name, value in row.items()}) + "\n"
