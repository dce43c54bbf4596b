"""A list of flowers: checked input of a browser, and one short text for the page's address."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from gan.errors import UserError
from gan.sampling.flower import Flower, described, extras, level_text
from gan.utils import validation

MOST = 100  # flowers of a list


def checked(classes: Sequence[str], values: Any, most: int = MOST) -> list[Flower]:
    """The 0 to `most` flowers of a list of values that `flower.describe` returned.

    Raises UserError for anything else, and for extras that these classes cannot have: without them it is another flower.
    """
    if not isinstance(values, list):
        raise UserError(f"the list of flowers is {validation.show(values)}; send it from the page.")
    if len(values) > most:
        raise UserError(f"{len(values)} flowers are too many; choose {most} at most.")
    return [_checked(classes, about) for about in values]


def _checked(classes: Sequence[str], about: Any) -> Flower:
    flower = described(classes, about)
    if about.get("extras") and not extras(flower):
        raise UserError(f"what was changed in the flower of seed {flower.seed} cannot be read; keep that one again.")
    return flower


# In an address, flowers are pairs of a truncation and a text, `1.5*0.7*off*2.33~m…`. No such text has a star in it.


def write(flowers: Sequence[Flower]) -> str:
    """Resolved flowers as text for the address; empty for none."""
    return "*".join(f"{level_text(flower.truncation)}*{_name(flower)}" for flower in flowers)


def _name(flower: Flower) -> str:
    return extras(flower) or f"{flower.label}.{flower.seed}"


def read(text: Any, classes: Sequence[str], most: int = MOST) -> tuple[Flower, ...]:
    """The flowers that `write` wrote. An empty tuple for any other text; nothing raises."""
    parts = text.split("*") if isinstance(text, str) else []
    if len(parts) % 2 or not 2 <= len(parts) <= 2 * most:
        return ()
    try:
        return tuple(_read(level, name, classes) for level, name in zip(parts[::2], parts[1::2]))
    except (ValueError, UserError):
        return ()


def _read(level: str, name: str, classes: Sequence[str]) -> Flower:
    found = re.match(r"(\d{1,3})\.(\d{1,10})(?=~|$)", name, re.ASCII)
    if not found:
        raise ValueError(name)
    label = int(found[1])
    if label >= len(classes):
        raise ValueError(name)
    truncation, more = None if level == "off" else float(level), name if "~" in name else ""
    return _checked(classes, {"class": classes[label], "seed": int(found[2]), "truncation": truncation, "extras": more})
