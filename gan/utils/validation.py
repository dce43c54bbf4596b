"""Checks of values of any type, from a visitor or a program; a bad value raises UserError."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from gan.errors import UserError
from gan.utils.names import printable


def whole(what: str, value: Any, low: int, high: int | None = None) -> int:
    """`value` as an int from `low` to `high` (None: no bound). 7.0 is allowed, True is not. Raises UserError."""
    if not _is_number(value) or value < low or (high is not None and value > high) or value % 1:
        bounds = f"from {low}" if high is None else f"from {low} to {high}"
        raise UserError(f"the {what} is {show(value)}; use a whole number {bounds}.")
    return int(value)


def number(what: str, value: Any, low: float, high: float, otherwise: str = "") -> float:
    """`value` as a float from `low` to `high`. Raises UserError, whose sentence ends with `otherwise`."""
    if not _is_number(value) or not low <= value <= high:
        raise UserError(f"the {what} is {show(value)}; use a number from {low:g} to {high:g}{otherwise}.")
    return float(value)


def choice(what: str, value: Any, choices: Iterable[str]) -> str:
    """`value` if it is one of `choices`. Raises UserError."""
    known = list(choices)
    if not isinstance(value, str) or value not in known:
        raise UserError(f"the {what} is {show(value)}; choose one of {', '.join(known)}.")
    return value


def name_list(names: Sequence[str]) -> str:
    """`names` for an error sentence: all of up to 24, else the first eight and their number."""
    names = list(map(printable, names))
    if len(names) <= 24:
        return ", ".join(names)
    return f"{', '.join(names[:8])}, … ({len(names):,} in all)"


def show(value: Any) -> str:
    """`value` for an error sentence, in at most 60 characters."""
    if value is None:
        return "missing"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**30:
        return "an enormous number"
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # over 4,300 digits, or deeply nested lists
        return "too large to show"
    return text if len(text) <= 60 else text[:57] + "…"


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) or isinstance(value, float) and math.isfinite(value)
