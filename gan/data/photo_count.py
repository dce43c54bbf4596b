"""What to expect of a training on so many photos: read off a curve that tests/bench/how_many_photos.py measured.

The curve is photo_count.json beside this file, written by that script. Without it no estimate is given.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

CURVE = Path(__file__).with_suffix(".json")


def load_curve(path: Path = CURVE) -> dict[str, Any] | None:
    """The measured curve, or None where there is none.

    | key | what it is |
    | --- | --- |
    | `resolution`, `label`, `floor` | pixels a side; the feature network; the KID of photos beside photos |
    | `points` | each with `photos` (of a class), `kid`, `recall` and `copies`; the fewest photos first |
    """
    if not path.is_file():
        return None
    curve = json.loads(path.read_text(encoding="utf-8"))
    return curve if len(curve["points"]) > 1 else None


def interpolated(points: Sequence[Mapping[str, float]], count: float) -> dict[str, float]:
    """The figures at `count` photos of a class: linear in log(photos) between two points, constant beyond the ends."""
    places = [math.log(point["photos"]) for point in points]
    at = min(max(math.log(max(count, 1)), places[0]), places[-1])
    right = max(1, bisect_left(places, at))
    low, high = points[right - 1], points[right]
    share = (at - places[right - 1]) / (places[right] - places[right - 1])
    return {key: low[key] + share * (high[key] - low[key]) for key in ("kid", "recall", "copies")}


def estimate(kept: Mapping[str, int], curve: Mapping[str, Any] | None) -> list[str]:
    """What a training on so many photos of each class can be expected to give, in lines; empty where nothing is known."""
    counts = [count for count in kept.values() if count]
    if not curve or not counts:
        return []
    points, mean = curve["points"], sum(counts) / len(counts)
    found = interpolated(points, mean)
    fewest, most = points[0]["photos"], points[-1]["photos"]
    beyond = f", fewer than the {fewest} that were measured" if mean < fewest else ""
    beyond = f", more than the {most} that were measured" if mean > most else beyond
    side = curve["resolution"]
    label, floor = curve["label"], max(0.0, curve["floor"])  # an estimate of 0 may be less
    return [
        f"to expect of {mean:,.0f} photos a class{beyond}: KID-{label} about {found['kid']:.2f} (photos beside photos "
        f"{floor:.2f}), recall {found['recall']:.2f}, {found['copies']:.0%} of the flowers near copies",
        f"  a guess: two classes of flowers at {side}×{side} were measured (docs/how-many-photos.md), and other photos differ",
    ]
