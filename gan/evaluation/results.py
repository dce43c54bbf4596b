"""What an evaluation found → figures that can be listed and compared, each beside what real photos have.

A result is the dictionary that `gan.evaluation.evaluate` makes and keeps as JSON. What could not be measured is None in it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gan.utils.formatting import MISSING, count, known, number, share, share_error

Result = Mapping[str, Any]
# Which way is better, after a space that does not break.
ARROWS = {"low": "\N{NO-BREAK SPACE}↓", "high": "\N{NO-BREAK SPACE}↑", "half": "\N{NO-BREAK SPACE}→ 0.5", None: ""}
PERIODS = (2, 4, 8)  # pixels, of a checkerboard (artifacts.py)
HEADLINES = (
    "kid", "fd", "precision_3", "recall_3", "density_5", "coverage_5", "auc", "right class", "near copies", "near twins",
    "pictures/s",
)  # fmt: skip
# What two results must share, or their figures mean different things.
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
class Figure:
    """One figure of one model."""

    key: str
    label: str
    text: str = MISSING
    n: int | None = None  # what it was measured on: flowers, mostly
    real: str = ""  # the same of real photos, where there is such a thing
    real_n: int | None = None
    noise: str = ""
    against: str = ""  # which photos
    value: float | None = None
    error: float | None = None
    better: str | None = None  # "low", "high", "half" (near 0.5), or None where neither way is


@dataclass(frozen=True)
class Row:
    """One figure of several models; `best` are the places of the best of them."""

    label: str
    figures: tuple[Figure, ...]
    best: frozenset[int]
    real: str  # of real photos, where all models were held against the same


def at(tree: Any, *keys: str) -> Any:
    """`tree[key][key]…`, or None where one of them is missing."""
    for key in keys:
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return tree


def total(confusion: Any) -> int | None:
    """How many cases a confusion matrix counts; None of None."""
    return None if confusion is None else sum(map(sum, confusion))


def label(result: Result, key: str) -> str:
    """What a measure is called: `kid` → "KID-MobileNetV2", `precision_3` → "precision (k=3)"."""
    words, _, k = key.partition("_")
    named = {"kid": result["settings"]["kid_name"], "fd": result["settings"]["fd_name"], "auc": "AUC"}
    named["fd_equal"] = f"{named['fd']}, equal n"
    return named.get(key, f"{words} (k={k})" if k.isdigit() else key.replace("_", " "))


def figures(result: Result) -> list[Figure]:
    """Every figure of the whole (not of a class) that is one number, in one order. Those not measured are "–"."""
    return [
        *(_measure(result, key, m) for key, m in result["parts"]["all"]["measures"].items()),
        _share(
            "right class", "high", at(result, "probe", "generated_accuracy", "all"), total(at(result, "probe", "generated")),
            at(result, "probe", "real_accuracy", "all"), total(at(result, "probe", "real")),
        ),
        _share(
            "near copies", "low", at(result, "copies", "below_1st_percentile"), at(result, "copies", "n"),
            at(result, "copies", "held_out_share"), at(result, "copies", "held_out_n"),
        ),
        _share("near twins", "low", *(at(result, "diversity", key) for key in ("duplicates", "n", "real_duplicates", "n"))),
        _support(at(result, "diversity", "support")),
        *(_grid(at(result, "artefacts"), f"grid of {period} px", f"phase_{period}") for period in PERIODS),
        *(_grid(at(result, "artefacts"), f"grid of {period} px, dB", f"peaks_{period}") for period in PERIODS),
        *(_flaw(at(result, "artefacts"), name) for name in ("saturated", "blank")),
        _plain("path length", *(at(result, "smoothness", key) for key in ("path_length", "error", "n")), "low"),
        _plain("parameters", at(result, "cost", "parameters")),
        _plain("GFLOP a picture", at(result, "cost", "gflop")),
        _plain("pictures/s", at(result, "cost", "pictures_per_second")),
    ]  # fmt: skip


def compared(results: Sequence[Result], keys: Sequence[str] | None = None) -> list[Row]:
    """The figures of several models side by side, or those of `keys`; what none of them has is left out."""
    lists = [{figure.key: figure for figure in figures(result)} for result in results]
    names = list(dict.fromkeys(key for one in lists for key in one))
    rows = []
    for key in names if keys is None else [key for key in keys if key in names]:
        row = tuple(one.get(key, Figure(key, "")) for one in lists)
        if all(figure.text == MISSING for figure in row):
            continue
        labels = dict.fromkeys(figure.label for figure in row if figure.label)
        real = {figure.real for figure in row if figure.label}
        rows.append(Row(" / ".join(labels), row, _best(row), real.pop() if len(real) == 1 else "not the same"))
    return rows


def differences(results: Sequence[Result]) -> list[str]:
    """A sentence for each condition under which the models were not judged alike."""
    found = {name: [at(result, *keys) for result in results] for name, keys in _CONDITIONS.items()}
    return [
        f"Not judged alike: {name} {', '.join('none' if value is None else str(value) for value in values)}."
        for name, values in found.items()
        if any(value != values[0] for value in values)
    ]


def _best(row: Sequence[Figure]) -> frozenset[int]:
    """The best, and those that two standard errors of the difference do not set apart from it; none where that is all."""
    worth = {"low": lambda x: x, "high": lambda x: -x, "half": lambda x: abs(x - 0.5)}
    behind = {i: worth[one.better](one.value) for i, one in enumerate(row) if one.better and known(one.value)}
    first = min(behind, key=behind.__getitem__, default=0)
    within = {i: 2 * math.hypot(row[i].error or 0, row[first].error or 0) for i in behind}
    best = frozenset(i for i in behind if behind[i] - behind[first] <= within[i])
    return best if len(best) < len(behind) else frozenset()


def _measure(result: Result, key: str, m: Mapping[str, Any]) -> Figure:
    value, real = number(m["value"], m["error"]), number(m["floor"], m["floor_error"])
    name = label(result, key) + ARROWS[m["better"]]
    noise = number(m["ceiling_noise"])
    return Figure(key, name, value, m["n"], real, m["floor_n"], noise, m["against"], m["value"], m["error"], m["better"])


def _share(key: str, better: str | None, value: Any, n: Any, real: Any, real_n: Any) -> Figure:
    error = share_error(value, n)
    return Figure(
        key, key + ARROWS[better], share(value, n), n, share(real, real_n), real_n, value=value, error=error, better=better
    )


def _plain(key: str, value: Any, error: Any = None, n: Any = None, better: str | None = None) -> Figure:
    return Figure(key, key + ARROWS[better], number(value, error), n, value=value, error=error, better=better)


def _support(support: Any) -> Figure:
    about = "≥ " if at(support, "kind") == "at least" else "≈ "
    estimate = at(support, "estimate")
    text = about + count(estimate) if known(estimate) else MISSING
    return Figure("different flowers", "different flowers", text, at(support, "n"), value=estimate)


def _grid(artifacts: Any, key: str, name: str) -> Figure:
    """No error: how much photos differ among themselves stands beside it."""
    shown, real, spread = (at(artifacts, "checkerboard", of, name) for of in ("generated", "real", "real_spread"))
    n = at(artifacts, "n")
    return Figure(key, key, number(shown), n, number(real, spread), n, value=shown)


def _flaw(artifacts: Any, name: str) -> Figure:
    n = at(artifacts, "n")
    return _share(name, None, at(artifacts, name, "generated"), n, at(artifacts, name, "real"), n)
