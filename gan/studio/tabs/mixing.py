"""The Mixing tab: a table of flowers that have their row's layout and their column's colors and texture.

After Karras et al. 2019, section 3.1 and figure 3: a style is given to each scale, and here the coarse scales take that of the
row and the fine ones that of the column.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from gan.networks import latents
from gan.sampling import collection
from gan.sampling.flower import Flower, StyleMix, grid_flowers, main_class
from gan.studio.address import Address
from gan.studio.controls import hidden_text
from gan.studio.handlers import NO_API, report_errors, request_language
from gan.studio.i18n import say, t
from gan.studio.tabs.base import Tab
from gan.utils import validation

ROWS, COLUMNS = 3, 4  # of a table drawn from a seed
MOST = 6  # rows, and columns


@dataclass(frozen=True)
class Mixing:
    """The flowers of a table, and how many coarse scales a cell takes from its row."""

    rows: tuple[Flower, ...]
    columns: tuple[Flower, ...]
    scales: int

    def at_one_truncation(self) -> Mixing:
        """The table with its columns at the truncation of its first row, as a cell takes its style at that of its row."""
        return replace(self, columns=tuple(replace(one, truncation=self.rows[0].truncation) for one in self.columns))

    def cells(self) -> Iterator[Flower]:
        """The flowers of the table, row by row."""
        for row in self.rows:
            for column in self.columns:
                yield replace(row, fine=StyleMix(main_class(column), column.seed, self.scales))


class MixingTab(Tab):
    """The table. Its settings are `Mixing`; a model without styles has none."""

    id, position = "mixing", 35
    stage_class = "mixing"

    def build_controls(self) -> list[Any]:
        """The number of scales, and hidden fields for the seed of a new table and for its flowers."""
        most = max(2, self.studio.sampler.scales)
        self.has_styles = self.studio.sampler.scales > 1
        with gr.Column(visible=self.has_styles, elem_classes="group"):
            self.new_seed = self.seed_button("mixing_roll", name="new-table")
            self.seed = gr.Number(0, precision=0, visible="hidden", show_label=False)  # of a new table
            self.scales = gr.Slider(
                1, max(2, most - 1), most // 2, step=1, label=t("mixing_scales"), info=t("mixing_scales_hint"), buttons=[],
                elem_classes="level",
            )  # fmt: skip
        gr.HTML(f'<p class="aside">{t("mixing_about")}</p>', apply_default_css=False)
        self.rows, self.columns = hidden_text(), hidden_text()
        return [self.scales, self.rows, self.columns]

    def connect(self) -> None:
        """Redraw on every change; draw a table of new flowers."""
        self.redraw_on([self.scales.release])
        fresh = self.new_seed.click(None, None, self.seed, js="() => flowers.seed()", **NO_API)
        self.redraw_after(fresh.then(report_errors(self._from_seed), self.seed, [self.rows, self.columns], **NO_API))

    def _from_seed(self, seed: Any) -> list[Any]:
        """The texts of the rows and columns of the table of a seed."""
        return self.to_controls(self._table(latents.check_seed(seed)))[1:]

    def _table(self, seed: int) -> Mixing:
        flowers = grid_flowers(None, seed, self.studio.truncation, ROWS + COLUMNS)
        resolved = tuple(flower.resolve(len(self.studio.classes)) for flower in flowers)
        return Mixing(resolved[:ROWS], resolved[ROWS:], max(1, self.studio.sampler.scales // 2))

    # --------------------------------------------------------------------------------------------------------- settings

    def from_address(self, address: Address) -> Mixing:
        """The table that the address describes; a new one stands for what is missing or bad."""
        table = self._table(address.seed("mixing-seed"))
        scales = address.whole("mixing-scales", self._check_scales, table.scales)
        return self._with(table, address.text("mixing-rows"), address.text("mixing-columns"), scales)

    def _with(self, table: Mixing, rows: Any, columns: Any, scales: int) -> Mixing:
        """`table` with the flowers of two texts, where these can be read."""
        down, across = self._read(rows), tuple(_plain(flower) for flower in self._read(columns))
        return Mixing(down or table.rows, across or table.columns, scales).at_one_truncation()

    def _read(self, text: Any) -> tuple[Flower, ...]:
        """The flowers of a text; none if it is malformed, or if one of them does not fit the model."""
        flowers = tuple(replace(flower, fine=None) for flower in collection.read(text, self.studio.classes, MOST))
        return flowers if self.studio.can_draw(flowers) else ()

    def _check_scales(self, scales: Any) -> int:
        return validation.whole("number of scales", scales, 1, max(1, self.studio.sampler.scales - 1))

    def to_controls(self, wanted: Mixing) -> list[Any]:
        """The values of the controls for a table."""
        return [wanted.scales, collection.write(wanted.rows), collection.write(wanted.columns)]

    def from_controls(self, scales: Any, rows: Any, columns: Any) -> Mixing:
        """The table that the controls describe. Raises UserError."""
        return self._with(self._table(0), rows, columns, self._check_scales(scales))

    def receive(self, flower: Flower, end: str, now: Mixing) -> Mixing:
        """The table with the flower as its first row (`from`) or column (`to`); the last one is dropped."""
        if end == "from":
            now = replace(now, rows=(replace(flower, fine=None), *now.rows[: len(now.rows) - 1]))
        else:
            now = replace(now, columns=(_plain(flower), *now.columns[: len(now.columns) - 1]))
        return now.at_one_truncation()

    # ------------------------------------------------------------------------------------------------------------ stage

    def draw(self, wanted: Mixing) -> dict[str, Any]:
        """The flowers of the `rows`, `columns` and `cells` as items; or `trouble`, for a model without styles."""
        if not self.has_styles:
            return {"trouble": say("mixing_none", request_language()), "address": {}}
        items = self.studio.items([*wanted.rows, *wanted.columns, *wanted.cells()], small=True)
        rows, columns = len(wanted.rows), len(wanted.columns)
        return {
            "rows": items[:rows],
            "columns": items[rows : rows + columns],
            "cells": items[rows + columns :],
            "address": {
                "mixing-rows": collection.write(wanted.rows),
                "mixing-columns": collection.write(wanted.columns),
                "mixing-scales": str(wanted.scales),
            },
        }


def _plain(flower: Flower) -> Flower:
    """The flower of its class and seed alone: that is what a column gives to its cells."""
    return Flower(main_class(flower), flower.seed, flower.truncation)
