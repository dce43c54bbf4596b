"""Small plots as SVG for an HTML page, or for a file of their own: line plots and scales.

Positions are percentages of the width and sizes are pixels, so that text is legible on every screen. The style sheet STYLE
gives the classes `plot`, `model`, `real` and so on their looks, and leaves room around a plot for the names of ticks and axes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from markupsafe import Markup

from gan.utils.formatting import known, rounded

STYLE = Path(__file__).with_suffix(".css")  # the style sheet of all plots
HEIGHT = 220  # of a plot, in pixels
MIN_WIDTH = 290  # pixels: labels that do not overlap at this width do not overlap at a larger one
KINDS = ("model", "second", "third", "fourth", "fifth", "sixth")  # lines that can be told apart
MARGIN = {"top": 44, "right": 24, "bottom": 48, "left": 56}  # pixels around a plot in a file
_FILE_STYLE = """
.plot.lines { width: 100%; margin: 0; }
svg { --paper: #fffdf7; --line: #dfd8c4; --ink: #22301f; --soft: #586250; --leaf: #37632f; }
@media (prefers-color-scheme: dark) {
  svg { --paper: #11160f; --line: #323d2c; --ink: #e9eddf; --soft: #a9b49d; --leaf: #a3cd86; }
}
.paper { fill: var(--paper); }
"""
LETTER_WIDTH = 6.4  # pixels of a letter of a 12-pixel font, an upper estimate
_EXPONENTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_HEAD = Markup('<svg class="plot {kind}" role="img" aria-label="{title}" height="{height}">')


@dataclass(frozen=True)
class Axis:
    """One axis of a plot: its title, its range, and whether it is linear, a square root, or logarithmic."""

    title: str
    low: float
    high: float
    kind: str = "linear"  # "linear", "root" (from 0 on) or "log" (above 0)
    names: Mapping[float, str] = field(default_factory=dict)  # values to name instead of round ones

    def at(self, value: float) -> float:
        """The position of `value`, from 0 (left or bottom) to 1. A value outside of the range is at the nearest end."""
        low, high, value = (self._transform(x) for x in (self.low, self.high, value))
        return min(max((value - low) / (high - low), 0.0), 1.0) if high > low else 0.0

    def ticks(self) -> list[tuple[float, str]]:
        """(position from 0 to 1, name) of at most seven ticks, each at least 0.1 after the one before."""
        if self.names:
            found = sorted(self.names.items())
        elif self.kind == "log":
            low, high = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            found = [(10.0**power, _power_of_ten(power)) for power in range(low, high + 1, max(1, math.ceil((high - low) / 5)))]
        else:
            step = _tick_step((self.high - self.low) / 5)
            first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
            found = [(i * step, _tick_text(i * step, step)) for i in range(first, last + 1)]
        kept: list[tuple[float, str]] = []
        for place, name in ((self.at(value), name) for value, name in found):
            if not kept or place - kept[-1][0] >= 0.1:
                kept.append((place, name))
        return kept

    def _transform(self, value: float) -> float:
        """`value` on a linear axis of the same picture."""
        if self.kind == "root":
            return math.sqrt(max(value, 0.0))
        return math.log10(max(value, 1e-300)) if self.kind == "log" else value


@dataclass(frozen=True)
class Series:
    """Points (x, y) joined by a line. `errors` are drawn as whiskers, `labels` beside dots.

    `kind` is "model", "real", or one of KINDS where several models are compared.
    """

    name: str
    kind: str
    points: Sequence[tuple[float, float]]
    errors: Sequence[float | None] = ()
    labels: Sequence[str] = ()
    dots: bool = False


@dataclass(frozen=True)
class Mark:
    """One value on a scale, with its name and its number as text. The `main` mark is the one that the scale is about."""

    name: str
    value: float
    text: str
    error: float | None = None
    main: bool = False


def span(values: Sequence[float | None], title: str, kind: str = "linear") -> Axis:
    """An axis for all known `values`. It includes 0; with `kind` "log" it goes from a power of ten to a power of ten."""
    shown = [value for value in values if value is not None and known(value)]
    if kind == "log":
        low, high = (to_whole(math.log10(end)) for to_whole, end in ((math.floor, min(shown)), (math.ceil, max(shown))))
        return Axis(title, 10.0**low, 10.0 ** max(high, low + 1), kind)
    return Axis(title, min([0.0, *shown]), max([0.0, *shown]) * 1.04 or 1.0, kind)


def stairs(edges: Sequence[float], values: Sequence[float]) -> list[tuple[float, float]]:
    """The outline of a histogram: N+1 `edges` and N `values` → the points of its steps, which start and end at 0."""
    corners = [(edge, value) for i, value in enumerate(values) for edge in (edges[i], edges[i + 1])]
    return [(edges[0], 0.0), *((x, y) for x, y in corners), (edges[-1], 0.0)]


def lines(title: str, x: Axis, y: Axis, series: Sequence[Series]) -> Markup:
    """A plot of `series` with a legend, axes and ticks. `title` is its name for screen readers."""
    body = [
        _HEAD.format(kind="lines", title=title, height=HEIGHT),
        _frame(x, y, -32 if len(series) > 1 else -12),
        _legend(series),
    ]
    for one in series:
        points = " ".join(f"{1000 * x.at(a):.1f},{1000 - 1000 * y.at(b):.1f}" for a, b in one.points)
        body.append(
            # An inner drawing that is stretched to the plot, because the points of a polyline cannot be percentages.
            Markup(
                '<svg width="100%" height="100%" viewBox="0 0 1000 1000" preserveAspectRatio="none" overflow="visible">'
                '<polyline class="{}" points="{}" vector-effect="non-scaling-stroke"/></svg>'
            ).format(one.kind, points)
        )
        body += [_whisker(x.at(a), y, b, error, one.kind) for (a, b), error in zip(one.points, one.errors) if error]
        body += [_dot(x.at(a), 1 - y.at(b), one.kind) for a, b in one.points if one.dots]
        body.append(_labels([(x.at(a), 1 - y.at(b), name) for (a, b), name in zip(one.points, one.labels)]))
    return Markup("").join([*body, Markup("</svg>")])


def scale(title: str, axis: Axis, marks: Sequence[Mark]) -> Markup:
    """A line with `marks` on it. The main mark has its label above, the others below, moved apart where they would overlap."""
    body = [_HEAD.format(kind="scale", title=title, height=88)]
    body.append(Markup('<line class="axis" x1="0" x2="100%" y1="32" y2="32"/>'))
    below, main = [mark for mark in marks if not mark.main], [mark for mark in marks if mark.main]
    for mark, (x, anchor) in zip(below, _apart([(axis.at(mark.value), _width(mark.name, mark.text)) for mark in below])):
        body.append(
            Markup(
                '<line class="tick" x1="{0}" x2="{0}" y1="26" y2="38"/><line class="leader" x1="{0}" y1="38" x2="{1}" y2="52"/>'
                '<text x="{1}" y="66" text-anchor="{2}">{3}</text><text x="{1}" y="82" text-anchor="{2}">{4}</text>'
            ).format(_percent(axis.at(mark.value)), _percent(x), anchor, mark.name, mark.text)
        )
    for mark in main:
        if mark.error:
            ends = [_percent(axis.at(mark.value + sign * mark.error)) for sign in (-1, 1)]
            body.append(Markup('<line class="whisker model" x1="{}" x2="{}" y1="32" y2="32"/>').format(*ends))
        body.append(_dot(axis.at(mark.value), None, "model"))
        words = f"{mark.name} {mark.text}"
        [(x, anchor)] = _apart([(axis.at(mark.value), _width(words))])
        body.append(Markup('<text class="main" x="{}" y="14" text-anchor="{}">{}</text>').format(_percent(x), anchor, words))
    return Markup("").join([*body, Markup("</svg>")])


def figure(plots: Sequence[Markup], width: int = 860) -> str:
    """A file of line plots, one below the other, `width` pixels wide. It has its style with it, for light and dark pages."""
    each, inner = MARGIN["top"] + HEIGHT + MARGIN["bottom"], width - MARGIN["left"] - MARGIN["right"]
    body = [
        Markup('<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{1}" viewBox="0 0 {0} {1}"><style>').format(
            width, each * len(plots)
        ),
        Markup(STYLE.read_text(encoding="utf-8") + _FILE_STYLE),
        Markup('</style><rect width="100%" height="100%" class="paper"/>'),
    ]
    for number, plot in enumerate(plots):
        place = Markup('<svg x="{}" y="{}" width="{}" height="{}" overflow="visible">')
        body.append(place.format(MARGIN["left"], MARGIN["top"] + number * each, inner, HEIGHT) + plot + Markup("</svg>"))
    return str(Markup("").join([*body, Markup("</svg>\n")]))


# --------------------------------------------------------------------------------------------------------- the parts


def _frame(x: Axis, y: Axis, top: int) -> Markup:
    """Both axes with titles, ticks and horizontal rules. `top` is the height of the y title in pixels."""
    body = [Markup('<text class="title" x="-40" y="{}">{}</text>').format(top, y.title)]
    body.append(Markup('<text class="title" x="100%" y="{}" text-anchor="end">{}</text>').format(HEIGHT + 36, x.title))
    for place, name in y.ticks():
        body.append(
            Markup(
                '<line class="rule" x1="0" x2="100%" y1="{0}" y2="{0}"/>'
                '<text x="-8" y="{0}" dy="4" text-anchor="end">{1}</text>'
            ).format(_percent(1 - place), name)
        )
    for place, name in x.ticks():
        body.append(
            Markup(
                '<line class="tick" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/><text x="{0}" y="{3}" text-anchor="middle">{4}</text>'
            ).format(_percent(place), HEIGHT, HEIGHT + 4, HEIGHT + 18, name)
        )
    return Markup("").join([*body, Markup('<line class="axis" x1="0" x2="100%" y1="100%" y2="100%"/>')])


def _legend(series: Sequence[Series]) -> Markup:
    """The name of each series, above the plot; empty for a single series."""
    entry = Markup('<line class="swatch {0}" x1="{1}" x2="{2}" y1="-16" y2="-16"/><text x="{3}" y="-12">{4}</text>')
    entries, left = [], -40.0
    for one in series if len(series) > 1 else ():
        entries.append(entry.format(one.kind, left, left + 20, left + 26, one.name))
        left += 44 + LETTER_WIDTH * len(one.name)
    return Markup("").join(entries)


def _labels(labels: Sequence[tuple[float, float, str]]) -> Markup:
    """Names beside points. The first point comes first, then from the last backwards; names that would overlap are left out."""
    body: list[Markup] = []
    taken: list[tuple[float, float]] = []
    for left, top, name in [*labels[:1], *labels[:0:-1]]:
        if any(abs(left - x) < 0.11 and abs(top - y) < 0.065 for x, y in taken):
            continue
        taken.append((left, top))
        side, anchor = (12, "end") if left > 0.85 else (6, "start")
        down = 18 if top < 0.06 else -7  # below the highest points, because the legend is above them
        form = Markup('<text x="{}" y="{}" dx="{}" dy="{}" text-anchor="{}">{}</text>')
        body.append(form.format(_percent(left), _percent(top), side, down, anchor, name))
    return Markup("").join(body)


def _dot(left: float, top: float | None, kind: str) -> Markup:
    """A filled circle at two shares of the plot; with `top` None it is on the line of a scale."""
    height = "32" if top is None else _percent(top)
    return Markup('<circle class="{}" cx="{}" cy="{}" r="{}"/>').format(kind, _percent(left), height, 6 if top is None else 4)


def _whisker(left: float, y: Axis, value: float, error: float, kind: str) -> Markup:
    """A vertical line from `value` − `error` to `value` + `error`."""
    ends = [_percent(1 - y.at(value + sign * error)) for sign in (-1, 1)]
    return Markup('<line class="whisker {3}" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(_percent(left), *ends, kind)


def _apart(labels: Sequence[tuple[float, float]]) -> list[tuple[float, str]]:
    """Labels (position, width), as shares of a line → (position, text anchor), within the line and without overlaps.

    A label that had to move is anchored at the side it came from, so that it stays near its mark on a wider screen.
    """
    order = sorted(range(len(labels)), key=lambda i: labels[i][0])
    middles, free = [0.0] * len(labels), 0.0
    for i in order:
        middles[i] = max(labels[i][0], free + labels[i][1] / 2)
        free = middles[i] + labels[i][1] / 2
    free = 1.0
    for i in reversed(order):
        middles[i] = min(middles[i], free - labels[i][1] / 2)
        free = middles[i] - labels[i][1] / 2
    found = []
    for (place, width), middle in zip(labels, middles):
        moved = (middle > place) - (middle < place)
        found.append((middle - moved * width / 2, {1: "start", 0: "middle", -1: "end"}[moved]))
    return found


def _width(*words: str) -> float:
    """The width of a label with these lines, as a share of MIN_WIDTH."""
    return (max(len(line) for line in words) + 1.5) * LETTER_WIDTH / MIN_WIDTH


def _percent(share: float) -> str:
    return f"{100 * share:.2f}%"


def _tick_step(least: float) -> float:
    """The smallest 1, 2 or 5 × a power of ten that is `least` or more."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


def _tick_text(value: float, step: float) -> str:
    """`value` with as many digits as ticks at this `step` need."""
    return rounded(value, max(0, -math.floor(math.log10(step) + 1e-9)) if abs(value) > step / 2 else 0)


def _power_of_ten(power: int) -> str:
    """10^power as text with a raised exponent."""
    return "1" if power == 0 else f"10{str(power).translate(_EXPONENTS)}"
