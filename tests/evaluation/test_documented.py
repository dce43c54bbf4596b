"""docs/evaluation.md, the card and the table call one figure by one name."""

from __future__ import annotations

import re
from pathlib import Path

from test_report import made_up

from gan.evaluation import results
from gan.evaluation.features import NAMES
from gan.evaluation.registry import filled
from gan.hub import model_card

PAGE = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text(encoding="utf-8")
PLAIN = {"kid_name": "KID", "fd_name": "FD"}


def documented() -> set[str]:
    """The names in the first column of the table of figures."""
    rows = [line for line in PAGE.split("## What is measured")[1].split("\n## ")[0].splitlines() if line.startswith("|")]
    return {name for row in rows[2:] for name in re.findall("`(.+?)`", row.split("|")[1])}


def test_every_row_of_the_table_is_explained_under_its_own_name():
    names = {filled(metric.label or metric.key, PLAIN) for metric in results.ALL_METRICS.values()}
    grids = {name for name in names if name.endswith(", dB")}
    assert grids and {name.removesuffix(", dB") for name in grids} < documented(), "the page names both kinds in one row"
    assert names - grids == documented()


def test_the_card_uses_the_names_of_the_table():
    result = made_up()
    for key in result["parts"]["all"]["measures"]:
        assert model_card._name(key, result["settings"]) == results.label(result, key)
    assert model_card._name("fd_equal", PLAIN) == "FD, equal n"
    template = model_card.TEMPLATE.read_text(encoding="utf-8")
    for name in ("right class", "near copies"):
        assert name in results.ALL_METRICS and f"| {name} " in template


def test_every_judge_has_its_row():
    rows = PAGE.split("## The judges")[1]
    assert all(f"| `{name}` |" in rows for name in NAMES)
