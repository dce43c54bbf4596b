"""The plots on the pages of an evaluation, as SVG. Each is empty where there is nothing to draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from gan.evaluation.registry import Result, at
from gan.evaluation.results import label
from gan.utils import svg_plots
from gan.utils.formatting import known, number


def _axis(found: Sequence[Mapping[str, Any]]) -> svg_plots.Axis:
    """One axis for all parts or models. Distances are squares and drawn by their roots; others go from 0 (AUC: 0.5) to 1."""
    ends = [m[key] for m in found for key in ("value", "floor", "ceiling_class", "ceiling_noise") if known(m[key])]
    if found[0]["better"] == "low":
        return svg_plots.span(ends, "", "root")
    return svg_plots.Axis("", min([0.5, *ends]) if found[0]["better"] == "half" else 0.0, max([1.0, *ends]))


def _scale(name: str, m: Mapping[str, Any], axis: svg_plots.Axis) -> Markup:
    """A metric on a line, with its values for real photos, another class and noise; empty where it was not measured."""
    if not known(m["value"]):
        return Markup("")
    marks = [svg_plots.Mark("flowers", m["value"], number(m["value"], m["error"]), m["error"], main=True)]
    for words, key, error in (
        ("real photos", "floor", m["floor_error"]), ("other class", "ceiling_class", None), ("noise", "ceiling_noise", None)
    ):  # fmt: skip
        if known(m[key]):
            marks.append(svg_plots.Mark(words, m[key], number(m[key], error)))
    return svg_plots.scale(f"{name}: " + ", ".join(f"{mark.name} {mark.text}" for mark in marks), axis, marks)


def scales(result: Result, key: str) -> list[dict[str, Any]]:
    """A metric of each part of a result: `name` and `part`, `m` (its entry in evaluation.json) and `svg`, on one axis."""
    return _alike(label(result, key), key, [(name, part) for name, part in result["parts"].items() if key in part["measures"]])


def _alike(title: str, key: str, parts: Sequence[tuple[str, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """The drawing of a metric for several named parts, on one axis."""
    if not parts:
        return []
    axis = _axis([part["measures"][key] for _, part in parts])
    found = [(name, part, part["measures"][key]) for name, part in parts]
    return [{"name": name, "part": part, "m": m, "svg": _scale(f"{title}, {name}", m, axis)} for name, part, m in found]


def scales_of_models(results: Sequence[Result], key: str) -> list[dict[str, Any]]:
    """A metric of each model, on one axis; the same fields as `scales` gives."""
    found = [(one["model"], one["parts"]["all"]) for one in results if key in one["parts"]["all"]["measures"]]
    return _alike(label(results[0], key), key, found)


def histogram(result: Result) -> Markup:
    """Distances to the nearest photo trained on, of flowers and of held-out photos, as shares: their numbers differ."""
    found = at(result, "copies", "histogram")
    if not found:
        return Markup("")
    series = []
    for name, kind, key in (("flowers", "model", "flowers"), ("photos held out", "real", "held_out")):
        shares = [100 * count / max(1, sum(found[key])) for count in found[key]]
        series.append(svg_plots.Series(name, kind, svg_plots.stairs(found["edges"], shares)))
    x = svg_plots.Axis("distance to the nearest photo trained on", 0.0, found["edges"][-1] or 1.0)
    y = svg_plots.span([share for one in series for _, share in one.points], "per cent")
    return svg_plots.lines(
        "Histogram of distances to the nearest photo trained on, flowers beside photos held out", x, y, series
    )


def bins(result: Result) -> list[list[str]]:
    """The histogram as rows of a table."""
    found = at(result, "copies", "histogram") or {"edges": (), "flowers": (), "held_out": ()}
    rows = zip(found["edges"], found["edges"][1:], found["flowers"], found["held_out"])
    return [[number(value) for value in row] for row in rows]


def spectrum(result: Result) -> Markup:
    """The radial power spectrum: coarse shapes at the left, fine detail at the right."""
    found = at(result, "artefacts", "spectrum")
    if not found:
        return Markup("")
    series = [
        svg_plots.Series(name, kind, [(x, 10.0**power) for x, power in zip(found["frequency"], found[key])])
        for name, kind, key in (("flowers", "model", "generated"), ("photos", "real", "real"))
    ]
    x = svg_plots.Axis("cycles per pixel", 0.0, max(found["frequency"]))
    y = svg_plots.span([power for one in series for _, power in one.points], "power", "log")
    return svg_plots.lines("Power of detail of each size, flowers beside photos", x, y, series)


def powers(result: Result) -> list[list[str]]:
    """The spectrum as rows of a table."""
    found = at(result, "artefacts", "spectrum") or {"frequency": (), "generated": (), "real": ()}
    return [[number(value) for value in row] for row in zip(found["frequency"], found["generated"], found["real"])]


def sweep(result: Result) -> Markup:
    """KID at each truncation; "none" stands 0.5 to the right of the largest."""
    found = [row for row in result["truncation"] or () if known(row["kid"])]
    if not found:
        return Markup("")
    levels = [row["truncation"] for row in found if row["truncation"] is not None]
    beyond = max(levels, default=0) + 0.5
    points = [(beyond if row["truncation"] is None else row["truncation"], row["kid"]) for row in found]
    errors = [row["kid_error"] for row in found]
    names = {x: level(row) for (x, _), row in zip(points, found)}
    x = svg_plots.Axis("truncation", 0.0, max(names), names=names)
    y = svg_plots.span([kid + (error or 0) for (_, kid), error in zip(points, errors)], result["settings"]["kid_name"])
    series = svg_plots.Series("flowers", "model", points, errors, dots=True)
    return svg_plots.lines(f"{y.title} at each truncation", x, y, [series])


def balance(result: Result) -> Markup:
    """Precision against recall, a point for each truncation."""
    found = [row for row in result["truncation"] or () if known(row["precision"]) and known(row["recall"])]
    if not found:
        return Markup("")
    points = [(row["recall"], row["precision"]) for row in found]
    series = svg_plots.Series("flowers", "model", points, labels=[level(row) for row in found], dots=True)
    x, y = (svg_plots.span([row[title] for row in found], title) for title in ("recall", "precision"))
    return svg_plots.lines("Precision against recall, a point for each truncation", x, y, [series])


def level(row: Mapping[str, Any]) -> str:
    """The truncation of a row of the curve, as text."""
    return "none" if row["truncation"] is None else f"{row['truncation']:g}"
