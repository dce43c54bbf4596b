"""Figures → words: as many digits as their error leaves meaning, shares in per cent, columns that line up."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Sequence
from typing import Any

MISSING = "–"  # what could not be measured
WIDTH = 100  # of everything that goes to a terminal
GAP = "  "


def known(value: Any) -> bool:
    """Whether `value` is a finite number: not None, not NaN, not True."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def number(value: Any, error: Any = None) -> str:
    """0.12345, 0.0041 → "0.123 ± 0.004": to the first digit of the error, or its second where the first is a 1.

    Without an error (None or 0) three digits, but all those of a whole number: "0.123", "1,048,899". What is not `known`
    becomes "–".
    """
    if not known(value):
        return MISSING
    if known(error) and error > 0:
        power = math.floor(math.log10(error))
        places = (1 if error < 2 * 10.0**power else 0) - power
        return f"{rounded(value, places)} ± {rounded(error, places)}"
    if isinstance(value, int) or value == 0:
        return rounded(value, 0)
    return rounded(value, max(2 - math.floor(math.log10(abs(value))), 0))


def clock(seconds: float) -> str:
    """61 → "1 min 01 s", 3,660 → "1 h 01 min"."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {seconds:02d} s"


def count(value: Any) -> str:
    """`value` as a whole number."""
    return number(round(value)) if known(value) else MISSING


def rounded(value: float, places: int) -> str:
    """`value` with `places` decimals, from 0 to 9 (below 0: rounded to tens and so on), commas and a true minus sign."""
    text = f"{round(value, places):,.{min(max(places, 0), 9)}f}"
    return text.replace("-", "" if float(text.replace(",", "")) == 0 else "−")


def share_error(value: Any, n: Any) -> float | None:
    """Standard error of a share that was counted in `n` cases, never 0: of Agresti and Coull's (1998) estimate at z = 1.

    The plain one, √(p(1−p)/n), would call 39 of 39 certain. None when either is not `known`.
    """
    if not known(value) or not known(n) or n < 1:
        return None
    moved = (value * n + 0.5) / (n + 1)
    return math.sqrt(moved * (1 - moved) / (n + 1))


def share(value: Any, n: Any = None) -> str:
    """0.965 of 1000 → "96.5 ± 0.6 %"; without `n` no error."""
    error = share_error(value, n)
    return f"{number(100 * value, error and 100 * error)} %" if known(value) else MISSING


def plain(text: Any, most: int | None = None) -> str:
    """`text` in one line without control characters, cut to `most` letters."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in str(text)).split())
    return line if most is None or len(line) <= most else line[: most - 1] + "…"


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells → lines of at most 100 letters: first column to the left, the others to the right.

    What is too wide goes on below, in a second table with the same first column. `rows[0]` is the head.
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines: list[str] = []
    begin = 1
    while begin < len(widths):
        end, used = begin, widths[0]
        while end < len(widths) and (end == begin or used + len(GAP) + widths[end] <= WIDTH):
            used += len(GAP) + widths[end]
            end += 1
        lines += [""] if lines else []
        for row in rows:
            cells = [row[0].ljust(widths[0]), *(row[i].rjust(widths[i]) for i in range(begin, end))]
            lines.append(GAP.join(cells).rstrip())
        begin = end
    return lines


def wrapped(text: str, begin: str = "") -> list[str]:
    """`begin` and `text` in lines of at most 100 letters, the later ones set in as far as `begin` reaches."""
    return textwrap.wrap(plain(text), WIDTH, initial_indent=begin, subsequent_indent=" " * len(begin))


def markdown(text: Any) -> str:
    """`text` as words of a Markdown table: no markup, no HTML, no end of a cell or a line."""
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", plain(text)).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
