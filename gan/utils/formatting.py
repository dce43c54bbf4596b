"""Numbers as text: digits that fit the standard error, percentages, aligned columns, Markdown."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Sequence
from typing import Any

MISSING = "–"  # stands for a value that is not known
WIDTH = 100  # characters of a line on a terminal
GAP = "  "


def known(value: Any) -> bool:
    """Whether `value` is a finite number: not None, not NaN, not True."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def number(value: Any, error: Any = None) -> str:
    """0.12345 with error 0.0041 → "0.123 ± 0.004": rounded at the first digit of the error, or the second where that is 1.

    Without an error (None or 0), three significant digits, but all digits of a whole number: "0.123", "1,048,899". A value that
    is not `known` gives "–".
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
    """Seconds as text: 61 → "1 min 01 s", 3660 → "1 h 01 min"."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {seconds:02d} s"


def count(value: Any) -> str:
    """`value` rounded to a whole number: 1234.5 → "1,234"; "–" where it is not `known`."""
    return number(round(value)) if known(value) else MISSING


def rounded(value: float, places: int) -> str:
    """`value` with `places` decimals (at most 9; −1 rounds to tens, and so on), commas, and the minus sign U+2212."""
    text = f"{round(value, places):,.{min(max(places, 0), 9)}f}"
    return text.replace("-", "" if float(text.replace(",", "")) == 0 else "−")


def share_error(value: Any, n: Any) -> float | None:
    """Standard error of a share p that was counted in `n` cases; None when either is not `known`.

    √(p̃(1−p̃)/(n+1)) with p̃ = (pn + 1/2)/(n + 1) (Agresti and Coull 1998, at z = 1). Unlike √(p(1−p)/n) it is not 0 for p = 1.
    """
    if not known(value) or not known(n) or n < 1:
        return None
    adjusted = (value * n + 0.5) / (n + 1)
    return math.sqrt(adjusted * (1 - adjusted) / (n + 1))


def share(value: Any, n: Any = None, error: Any = None) -> str:
    """A share as a percentage: 0.965 of n = 1000 → "96.5 ± 0.6 %"; without `n` and `error` there is no error.

    `error` is that of what was measured, where it is more than counting `n` cases.
    """
    error = larger_error(share_error(value, n), error)
    return f"{number(100 * value, error and 100 * error)} %" if known(value) else MISSING


def larger_error(counted: float | None, measured: Any) -> float | None:
    """The larger of the error of counting and a measured one, of those that are `known`: no case at all measures as 0."""
    errors = [float(one) for one in (counted, measured) if one is not None and known(one)]
    return max(errors, default=None)


def plain(text: Any, most: int | None = None) -> str:
    """`text` in one line without control characters, cut to `most` characters."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in str(text)).split())
    return line if most is None or len(line) <= most else line[: most - 1] + "…"


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells → lines of at most WIDTH characters. The first column is aligned left, the others right.

    `rows[0]` is the head. Columns that do not fit follow below, in another table with the same first column.
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
    """`begin` and `text` in lines of at most WIDTH characters; later lines are indented by the length of `begin`."""
    return textwrap.wrap(plain(text), WIDTH, initial_indent=begin, subsequent_indent=" " * len(begin))


def markdown(text: Any) -> str:
    """`text` escaped for a cell of a Markdown table: no markup, no HTML, no line break."""
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", plain(text)).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def first_line(said: BaseException | str) -> str:
    """The first line of what a library or a program said, at most 160 characters, as part of an error sentence."""
    lines = str(said).strip().splitlines() or ["no reason given" if isinstance(said, str) else type(said).__name__]
    return lines[0][:160].rstrip(".")
