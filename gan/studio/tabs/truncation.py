"""The Truncation tab: the same seeds in rows of rising truncation (paper, fig. 20), and what that costs and buys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from gan.errors import UserError
from gan.networks import latents
from gan.sampling import settings
from gan.sampling.flower import Flower
from gan.studio.i18n import say, t
from gan.studio.tabs.base import OneFlower, Tab, language
from gan.utils import svg_plots
from gan.utils.formatting import known, rounded

LEVELS: tuple[float | None, ...] = (0.01, 0.5, 1.0, 1.5, 2.0, 3.0, None)  # None is no truncation
PAPER: tuple[float | None, ...] = (0.01, 1.5, None)
COLUMNS = 6
NEXT = latents.MAX_TRUNCATION + 0.5  # where no truncation stands on an axis


@dataclass(frozen=True)
class Truncation:
    """The first flower of each row, whose truncation is the current setting, and the truncations of the rows."""

    flower: Flower
    levels: tuple[float | None, ...] = PAPER

    def rows(self) -> list[float | None]:
        """The truncations of the rows, rising, none last; the current one among them."""
        return sorted({*self.levels, self.flower.truncation}, key=_place)

    def row(self, level: float | None) -> list[Flower]:
        """The flowers of a row: seeds follow on from the first one's, what was done to it is done to all."""
        seeds = [(self.flower.seed + number) % (latents.MAX_SEED + 1) for number in range(COLUMNS)]
        return [replace(self.flower, seed=seed, truncation=level) for seed in seeds]


class TruncationTab(Tab):
    id = "truncation"
    stage = "rows"

    def build(self) -> list[Any]:
        self.dice = self.roll("new_flowers", name="new-rows")
        self.flower = OneFlower(self.studio, "truncation", "truncation_current")
        names = [(t("none") if level is None else f"{level:g}", settings.level_text(level)) for level in LEVELS]
        value = [settings.level_text(level) for level in PAPER]
        self.levels = gr.CheckboxGroup(names, value=value, label=t("truncation_rows"), elem_classes="chips")
        return [*self.flower.controls, self.levels]

    def listen(self) -> None:
        self.on([*self.flower.changes, self.levels.input])
        self.rolled(self.dice, [self.flower.seed])

    def find(self, address: settings.Address) -> Truncation:
        levels = address.take("truncation-rows", lambda text: _levels(text.split("_")), PAPER)
        return Truncation(self.flower.find(address), levels)

    def values(self, wanted: Truncation) -> list[Any]:
        return [*self.flower.values(wanted.flower), [settings.level_text(level) for level in wanted.levels]]

    def read(self, *values: Any) -> Truncation:
        *flower, levels = values
        return Truncation(self.flower.read(*flower), _levels(levels))

    def show(self, wanted: Truncation) -> dict[str, Any]:
        rows = wanted.rows()
        items = self.studio.items([flower for level in rows for flower in wanted.row(level)])
        current = wanted.flower.truncation
        return {
            "rows": [
                {"level": level, "current": level == current, "items": items[COLUMNS * number : COLUMNS * (number + 1)]}
                for number, level in enumerate(rows)
            ],
            "plots": plots(self.studio.config.scores, current, language()),
            "address": {
                **self.flower.to_address(wanted.flower),
                "truncation-rows": "_".join(settings.level_text(level) for level in wanted.levels),
            },
        }

    def take(self, flower: Flower, end: str, *values: Any) -> Truncation:
        return replace(self.read(*values), flower=flower)


def _levels(chosen: Any) -> tuple[float | None, ...]:
    by_text = {settings.level_text(level): level for level in LEVELS}
    if not isinstance(chosen, Sequence) or not all(isinstance(text, str) and text in by_text for text in chosen):
        raise UserError(f"the rows are not among {', '.join(by_text)}; choose some of these.")
    return tuple(level for text, level in by_text.items() if text in chosen)


def _place(level: float | None) -> float:
    return NEXT if level is None else level


# ------------------------------------------------------------------------------------------------------------ the curve


def plots(scores: Mapping[str, Any], current: float | None, tongue: str) -> list[dict[str, str]]:
    """What the evaluation of the model found at several truncations, the `current` one marked: drawings with captions.

    Nothing for a model that was never judged.
    """
    curve = [row for row in scores.get("curve") or () if known(row.get("kid"))]
    balance = [row for row in curve if known(row.get("precision")) and known(row.get("recall"))]
    if len(curve) < 2 or len(balance) < 2:
        return []
    name = str(scores.get("settings", {}).get("kid_name", "KID"))
    return [
        {"svg": _kid(curve, name, current, tongue), "about": say("truncation_kid_about", tongue, name=name)},
        {"svg": _balance(balance, current, tongue), "about": say("truncation_balance_about", tongue)},
    ]


def _kid(curve: Sequence[Mapping[str, Any]], name: str, current: float | None, tongue: str) -> str:
    points = [(_place(row["truncation"]), row["kid"]) for row in curve]
    names = {place: _name(row["truncation"], tongue) for (place, _), row in zip(points, curve)}
    x = svg_plots.Axis(say("truncation", tongue), 0.0, max(NEXT, *names), names={**names, NEXT: _name(None, tongue)})
    y = svg_plots.span([value for _, value in points], name)
    here = min(max(_place(current), points[0][0]), points[-1][0])
    return _drawn(say("truncation_kid", tongue), x, y, points, [""] * len(points), (here, _between(points, here)), tongue)


def _balance(curve: Sequence[Mapping[str, Any]], current: float | None, tongue: str) -> str:
    points = [(row["recall"], row["precision"]) for row in curve]
    labels = [_name(row["truncation"], tongue) for row in curve]
    # By its root: a few hundredths of recall are what small models differ in.
    x = svg_plots.Axis(say("truncation_recall", tongue), 0.0, 1.0, "root")
    y = svg_plots.Axis(say("truncation_precision", tongue), 0.0, 1.0)
    places = [_place(row["truncation"]) for row in curve]
    here = min(max(_place(current), places[0]), places[-1])
    mark = tuple(_between([(place, row[key]) for place, row in zip(places, curve)], here) for key in ("recall", "precision"))
    return _drawn(say("truncation_balance", tongue), x, y, points, labels, mark, tongue)


def _drawn(
    title: str, x: svg_plots.Axis, y: svg_plots.Axis, points: Any, labels: Any, here: tuple[float, float], tongue: str
) -> str:
    curve = svg_plots.Series(say("truncation_measured", tongue), "model", points, labels=labels, dots=True)
    mark = svg_plots.Series(say("truncation_here", tongue), "here", [here], dots=True)
    return str(svg_plots.lines(title, x, y, [curve, mark]))


def _name(level: float | None, tongue: str) -> str:
    return say("none", tongue) if level is None else rounded(level, 2).rstrip("0").rstrip(".")


def _between(points: Sequence[tuple[float, float]], x: float) -> float:
    """The value at `x` on straight lines between measured points, which rise in x."""
    for (left, low), (right, high) in zip(points, points[1:]):
        if x <= right:
            return low + (high - low) * (x - left) / (right - left) if right > left else low
    return points[-1][1]
