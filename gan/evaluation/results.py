"""Figures that can be listed and compared, each beside that of real photos, from the results of evaluations.

A result is the dictionary that `gan.evaluation.evaluate` makes and evaluation.json holds. In it, what could not be measured is
None.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gan.evaluation.measures import METRICS
from gan.evaluation.registry import Better, Figure, Metric, Result, at
from gan.evaluation.sections import SECTIONS
from gan.utils.formatting import MISSING, known, number

# Which way is better, after a space that does not break.
ARROWS: dict[Better | None, str] = {
    "low": "\N{NO-BREAK SPACE}↓", "high": "\N{NO-BREAK SPACE}↑", "half": "\N{NO-BREAK SPACE}→ 0.5", None: "",
}  # fmt: skip
ALL_METRICS = {metric.key: metric for metric in (*METRICS, *(one for section in SECTIONS for one in section.metrics))}
HEADLINES = tuple(key for key, metric in ALL_METRICS.items() if metric.headline)
# Two results must share these, or their figures do not mean the same.
_CONDITIONS = {
    "network": ("settings", "network_label"),
    "SHA-256 of its weights": ("settings", "network_sha256"),
    "pixels a side": ("settings", "compared_at"),
    "flowers": ("settings", "n"),
    "first seed": ("settings", "seed"),
    "truncation": ("settings", "truncation"),
    "photos": ("reference", "photos"),
    "photos trained on": ("reference", "trained_on"),
    "photos held out": ("reference", "held_out"),
}


@dataclass(frozen=True)
class Row:
    """One figure of several models."""

    label: str
    figures: tuple[Figure, ...]  # one for each model
    best: frozenset[int]  # indices of the best models
    real: str  # the figure of real photos, where all models were compared with the same


def label(result: Result, key: str) -> str:
    """The name of a metric: `kid` → "KID-MobileNetV2", `precision_3` → "precision (k=3)".

    A key that no metric has, of a file by another release, is shown as words.
    """
    return ALL_METRICS.get(key, Metric(key, key.replace("_", " "))).name(result)


def figures(result: Result, absent: bool = False) -> list[Figure]:
    """Every figure over all classes that is one number, always in the same order. Those not measured are "–".

    With `absent`, also those of METRICS that the result does not have at all, as the AUC where no photos are held out.
    """
    measures = result["parts"]["all"]["measures"]
    missing = [metric for metric in METRICS if absent and metric.key not in measures]
    dashes = [Figure(one.key, label(result, one.key) + ARROWS[one.better]) for one in missing]
    return [*(_measured(result, key, m) for key, m in measures.items()), *dashes, *_of_sections(result)]


def compared(results: Sequence[Result], keys: Sequence[str] | None = None) -> list[Row]:
    """The figures of several models side by side: all, or those of `keys`. A figure that no model has is left out."""
    lists = [{figure.key: figure for figure in figures(result)} for result in results]
    names = list(dict.fromkeys(key for one in lists for key in one))
    rows = []
    for key in names if keys is None else [key for key in keys if key in names]:
        row = tuple(one.get(key, Figure(key)) for one in lists)
        if all(figure.text == MISSING for figure in row):
            continue
        labels = dict.fromkeys(figure.label for figure in row if figure.label)
        real = {figure.real for figure in row if figure.label}
        rows.append(Row(" / ".join(labels), row, _best(row), real.pop() if len(real) == 1 else "not the same"))
    return rows


def floored(key: str) -> bool:
    """Whether the floor of a metric is shown beside it."""
    return key not in ALL_METRICS or ALL_METRICS[key].floored


def views(result: Result) -> list[Result]:
    """A result as each of its feature networks gives it: as it is, and then what the further ones saw."""
    return [result, *(at(result, "also") or ())]


def by_network(result: Result) -> list[tuple[str, list[Figure]]]:
    """The metrics of measures.py side by side: (name without a network, the figure of each of `views`), in fixed order."""
    lists = [{figure.key: figure for figure in figures(view)} for view in views(result)]
    plain = {"settings": {"kid_name": "KID", "fd_name": "FD"}}
    keys = [key for key in ALL_METRICS if any(key in at(view, "parts", "all", "measures") for view in views(result))]
    return [
        (label(plain, key) + ARROWS[ALL_METRICS[key].better], [one.get(key, Figure(key)) for one in lists]) for key in keys
    ]  # fmt: skip


def differences(results: Sequence[Result]) -> list[str]:
    """A sentence for each condition under which the models were not judged alike."""
    found = {name: [at(result, *keys) for result in results] for name, keys in _CONDITIONS.items()}
    return [
        f"Not judged alike: {name} {', '.join('none' if value is None else str(value) for value in values)}."
        for name, values in found.items()
        if any(value != values[0] for value in values)
    ]


def _best(row: Sequence[Figure]) -> frozenset[int]:
    """The best figure, and those less than two standard errors of the difference behind it; none where that is all of them."""
    order = {"low": lambda x: x, "high": lambda x: -x, "half": lambda x: abs(x - 0.5)}  # the best comes first
    ranked = {i: order[one.better](one.value) for i, one in enumerate(row) if one.better and known(one.value)}
    first = min(ranked, key=ranked.__getitem__, default=0)
    margin = {i: 2 * math.hypot(row[i].error or 0, row[first].error or 0) for i in ranked}
    best = frozenset(i for i in ranked if ranked[i] - ranked[first] <= margin[i])
    return best if len(best) < len(ranked) else frozenset()


def _measured(result: Result, key: str, m: Mapping[str, Any]) -> Figure:
    """A metric of measures.py, as evaluation.json has it."""
    return Figure(
        key,
        label(result, key) + ARROWS[m["better"]],
        text=number(m["value"], m["error"]),
        n=m["n"],
        real=number(m["floor"], m["floor_error"]) if floored(key) else "",
        real_n=m["floor_n"] if floored(key) else None,
        noise=number(m["ceiling_noise"]),
        against=m["against"],
        value=m["value"],
        error=m["error"],
        better=m["better"],
    )


def _of_sections(result: Result) -> Iterator[Figure]:
    """The metrics of sections.py."""
    for section in SECTIONS:
        for metric in section.metrics:
            if metric.read:
                name = metric.name(result) + ARROWS[metric.better]
                yield replace(metric.read(at(result, section.key)), key=metric.key, label=name, better=metric.better)
