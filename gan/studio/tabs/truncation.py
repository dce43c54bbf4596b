"""The Truncation tab: the same seeds in rows of rising truncation (paper, fig. 20), and the scores at each truncation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from gan.errors import UserError
from gan.networks import latents
from gan.sampling.flower import Flower, later, level_text
from gan.studio.address import Address
from gan.studio.controls import FlowerControls
from gan.studio.handlers import request_language
from gan.studio.i18n import say, t
from gan.studio.tabs.base import Tab
from gan.utils import svg_plots
from gan.utils.formatting import known, rounded

LEVELS: tuple[float | None, ...] = (0.01, 0.5, 1.0, 1.5, 2.0, 3.0, None)  # None is no truncation
PAPER_LEVELS: tuple[float | None, ...] = (0.01, 1.5, None)
COLUMNS = 6
OFF_POSITION = latents.MAX_TRUNCATION + 0.5  # of no truncation on an axis


@dataclass(frozen=True)
class Truncation:
    """The first flower of each row, at the current truncation, and the truncations of the other rows."""

    flower: Flower
    levels: tuple[float | None, ...] = PAPER_LEVELS

    def rows(self) -> list[float | None]:
        """The truncations of the rows with the current one among them, rising; None comes last."""
        return sorted({*self.levels, self.flower.truncation}, key=_position)

    def row(self, level: float | None) -> list[Flower]:
        """The flowers of a row: COLUMNS seeds that follow on from the first flower's, with the same extras."""
        return [later(replace(self.flower, truncation=level), number) for number in range(COLUMNS)]


class TruncationTab(Tab):
    """Rows of flowers, and two plots of the model's scores."""

    id, position = "truncation", 40
    stage_class = "rows"

    def build_controls(self) -> list[Any]:
        """The controls of the first flower, and the choice of rows."""
        self.new_seed = self.seed_button("new_flowers", name="new-rows")
        self.flower = FlowerControls(self.studio, "truncation", "truncation_current")
        names = [(t("none") if level is None else f"{level:g}", level_text(level)) for level in LEVELS]
        value = [level_text(level) for level in PAPER_LEVELS]
        self.levels = gr.CheckboxGroup(names, value=value, label=t("truncation_rows"), elem_classes="chips")
        return [*self.flower.controls, self.levels]

    def connect(self) -> None:
        """Redraw on every change."""
        self.redraw_on([*self.flower.events, self.levels.input])
        self.connect_seed_button(self.new_seed, [self.flower.seed])

    def from_address(self, address: Address) -> Truncation:
        """The rows that the address describes."""
        levels = address.take("truncation-rows", lambda text: _check_levels(text.split("_")), PAPER_LEVELS)
        return Truncation(self.flower.from_address(address), levels)

    def to_controls(self, wanted: Truncation) -> list[Any]:
        """The values of the controls."""
        return [*self.flower.to_controls(wanted.flower), [level_text(level) for level in wanted.levels]]

    def from_controls(self, *values: Any) -> Truncation:
        """The rows that the controls describe. Raises UserError."""
        *flower, levels = values
        return Truncation(self.flower.from_controls(*flower), _check_levels(levels))

    def draw(self, wanted: Truncation) -> dict[str, Any]:
        """The `rows` of flowers, and the `plots`."""
        rows = wanted.rows()
        items = self.studio.items([flower for level in rows for flower in wanted.row(level)], small=True)
        current = wanted.flower.truncation
        return {
            "rows": [
                {"level": level, "current": level == current, "items": items[COLUMNS * number : COLUMNS * (number + 1)]}
                for number, level in enumerate(rows)
            ],
            "plots": plots(self.studio.config.scores, current, request_language()),
            "address": {
                **self.flower.to_address(wanted.flower),
                "truncation-rows": "_".join(level_text(level) for level in wanted.levels),
            },
        }

    def receive(self, flower: Flower, end: str, now: Truncation) -> Truncation:
        """The same rows, beginning with the flower."""
        return replace(now, flower=flower)


def _check_levels(chosen: Any) -> tuple[float | None, ...]:
    by_text = {level_text(level): level for level in LEVELS}
    if not isinstance(chosen, Sequence) or not all(isinstance(text, str) and text in by_text for text in chosen):
        raise UserError(f"the rows are not among {', '.join(by_text)}; choose some of these.")
    return tuple(level for text, level in by_text.items() if text in chosen)


def _position(level: float | None) -> float:
    return OFF_POSITION if level is None else level


# ------------------------------------------------------------------------------------------------------------ the plots


def plots(scores: Mapping[str, Any], current: float | None, language: str) -> list[dict[str, str]]:
    """Plots of the model's scores at several truncations, with the `current` one marked: `svg` and `about` of each.

    `scores` are those of the model's configuration. Without scores at two truncations there are no plots.
    """
    curve = [row for row in scores.get("curve") or () if known(row.get("kid"))]
    balance = [row for row in curve if known(row.get("precision")) and known(row.get("recall"))]
    if len(curve) < 2 or len(balance) < 2:
        return []
    name = str(scores.get("settings", {}).get("kid_name", "KID"))
    return [
        {"svg": _plot_kid(curve, name, current, language), "about": say("truncation_kid_about", language, name=name)},
        {"svg": _plot_balance(balance, current, language), "about": say("truncation_balance_about", language)},
    ]


def _plot_kid(curve: Sequence[Mapping[str, Any]], name: str, current: float | None, language: str) -> str:
    points = [(_position(row["truncation"]), row["kid"]) for row in curve]
    names = {x: _level_name(row["truncation"], language) for (x, _), row in zip(points, curve)}
    names[OFF_POSITION] = _level_name(None, language)
    x_axis = svg_plots.Axis(say("truncation", language), 0.0, max(names), names=names)
    y_axis = svg_plots.span([value for _, value in points], name)
    x = min(max(_position(current), points[0][0]), points[-1][0])
    mark = (x, _interpolate(points, x))
    return _plot(say("truncation_kid", language), x_axis, y_axis, points, [""] * len(points), mark, language)


def _plot_balance(curve: Sequence[Mapping[str, Any]], current: float | None, language: str) -> str:
    points = [(row["recall"], row["precision"]) for row in curve]
    labels = [_level_name(row["truncation"], language) for row in curve]
    # A square-root axis: small models differ by a few hundredths of recall.
    x_axis = svg_plots.Axis(say("truncation_recall", language), 0.0, 1.0, "root")
    y_axis = svg_plots.Axis(say("truncation_precision", language), 0.0, 1.0)
    levels = [_position(row["truncation"]) for row in curve]
    level = min(max(_position(current), levels[0]), levels[-1])
    recall, precision = (
        _interpolate([(x, row[key]) for x, row in zip(levels, curve)], level) for key in ("recall", "precision")
    )
    return _plot(say("truncation_balance", language), x_axis, y_axis, points, labels, (recall, precision), language)


def _plot(
    title: str, x: svg_plots.Axis, y: svg_plots.Axis, points: Any, labels: Any, mark: tuple[float, float], language: str
) -> str:
    curve = svg_plots.Series(say("truncation_measured", language), "model", points, labels=labels, dots=True)
    here = svg_plots.Series(say("truncation_here", language), "here", [mark], dots=True)
    return str(svg_plots.lines(title, x, y, [curve, here]))


def _level_name(level: float | None, language: str) -> str:
    return say("none", language) if level is None else rounded(level, 2).rstrip("0").rstrip(".")


def _interpolate(points: Sequence[tuple[float, float]], x: float) -> float:
    """Linear interpolation at `x` between points (x, y) with rising x."""
    for (left, low), (right, high) in zip(points, points[1:]):
        if x <= right:
            return low + (high - low) * (x - left) / (right - left) if right > left else low
    return points[-1][1]
