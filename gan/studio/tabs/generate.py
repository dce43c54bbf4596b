"""The Generate tab: a grid of flowers."""

from __future__ import annotations

from typing import Any

import gradio as gr

from gan.sampling import settings
from gan.sampling.flower import Flower
from gan.studio.i18n import t
from gan.studio.tabs.base import Tab, class_selector, level_values, offer, seed_slider, truncation_controls


class GenerateTab(Tab):
    id = "generate"
    stage = "meadow"

    def build(self) -> list[Any]:
        self.dice = self.roll("new_flowers", name="new-flowers")
        self.label = class_selector(self.studio.classes, "class", "all")
        self.seed = seed_slider()
        self.level, self.off = truncation_controls(self.studio.truncation, "truncation_hint")
        sides = [(str(side), side) for side in range(settings.MIN_SIDE, settings.MAX_SIDE + 1)]
        self.side = gr.Radio(sides, value=settings.DEFAULT_SIDE, label=t("grid"), elem_classes="segments")
        self.download = gr.Button(t("download_all"), elem_id="download-all")
        return [self.label, self.seed, self.level, self.off, self.side]

    def listen(self) -> None:
        self.on([self.label.input, self.seed.release, self.level.release, self.off.input, self.side.input])
        self.rolled(self.dice, [self.seed])
        offer(self.download, lambda *values: self.studio.archive(self.read(*values)), self.controls)

    def find(self, address: settings.Address) -> settings.Generate:
        return settings.generate_from(address, self.studio.classes)

    def values(self, wanted: settings.Generate) -> list[Any]:
        label = settings.every(self.studio.classes) if wanted.label is None else self.studio.classes[wanted.label]
        return [label, wanted.seed, *level_values(wanted.truncation), wanted.side]

    def read(self, label: Any, seed: Any, level: Any, off: Any, side: Any) -> settings.Generate:
        return settings.generate(self.studio.classes, label, seed, None if off else level, side)

    def show(self, wanted: settings.Generate) -> dict[str, Any]:
        items = self.studio.items(wanted.flowers(self.studio.classes))
        return {"items": items, "side": wanted.side, "address": settings.to_address(self.studio.classes, wanted)}

    def take(self, flower: Flower, end: str, *values: Any) -> settings.Generate:
        return settings.Generate(settings.main_class(flower), flower.seed, flower.truncation, self.read(*values).side)
