"""The Interpolate tab: a film in which one flower turns into another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gradio as gr

from gan.sampling import settings
from gan.sampling.flower import Flower
from gan.sampling.interpolation import DEFAULT_PATH, PATHS
from gan.studio.i18n import t
from gan.studio.session import data_url
from gan.studio.tabs.base import Tab, class_selector, keeper, level_values, offer, seed_number, slider, truncation_controls
from gan.utils import images


class InterpolateTab(Tab):
    id = "interpolate"
    stage = "cinema"

    def below(self) -> None:
        with gr.Row(elem_classes="downloads"):
            kinds = ("mp4", "gif", "png")
            self.kinds = {kind: gr.Button(t(f"download_{kind}"), elem_id=f"download-{kind}", min_width=60) for kind in kinds}

    def build(self) -> list[Any]:
        studio, several = self.studio, len(self.studio.classes) > 1
        self.dice = self.roll("new_pair", name="new-pair")
        self.from_label = class_selector(studio.classes, "from")
        self.from_seed = seed_number("from_seed", under=several)
        self.to_label = class_selector(studio.classes, "to")
        self.to_seed = seed_number("to_seed", under=several)
        self.level, self.off = truncation_controls(studio.truncation)
        ways = [(t(f"path_{way}"), way) for way in PATHS]
        self.path = gr.Radio(ways, value=DEFAULT_PATH, label=t("path"), elem_classes="chips")
        self.steps = slider("steps", settings.MIN_STEPS, settings.MAX_STEPS, settings.DEFAULT_STEPS, 1)
        self.loop = gr.Checkbox(False, label=t("loop"), container=False, elem_classes="switch")
        ends = [self.from_label, self.from_seed, self.to_label, self.to_seed]
        return [*ends, self.level, self.off, self.path, self.steps, self.loop, keeper(), keeper()]

    def listen(self) -> None:
        ends = [self.from_label.input, self.from_seed.input, self.to_label.input, self.to_seed.input]
        self.on([*ends, self.level.release, self.off.input, self.path.input, self.steps.release, self.loop.input])
        self.rolled(self.dice, [self.from_seed, self.to_seed])
        for kind, button in self.kinds.items():
            offer(button, lambda *values, kind=kind: self.studio.film(self.read(*values), kind), self.controls)

    def find(self, address: settings.Address) -> settings.Interpolate:
        return settings.interpolate_from(address, self.studio.classes)

    def values(self, wanted: settings.Interpolate) -> list[Any]:
        start, end = wanted.ends(self.studio.classes)
        names = [self.studio.classes[settings.main_class(flower)] for flower in (start, end)]
        level = level_values(wanted.truncation)
        extras = [settings.extras(start), settings.extras(end)]
        return [names[0], start.seed, names[1], end.seed, *level, wanted.path, wanted.steps, wanted.loop, *extras]

    def read(self, from_label, from_seed, to_label, to_seed, level, off, *rest) -> settings.Interpolate:  # noqa: ANN001
        level = None if off else level
        return settings.interpolate(self.studio.classes, from_label, from_seed, to_label, to_seed, level, *rest)

    def show(self, wanted: settings.Interpolate) -> dict[str, Any]:
        frames = [data_url(images.png(frame)) for frame in self.studio.frames(wanted)]
        return {
            "frames": frames, "rate": images.FRAMES_A_SECOND, "address": settings.to_address(self.studio.classes, wanted),
        }  # fmt: skip

    def take(self, flower: Flower, end: str, *values: Any) -> settings.Interpolate:
        label, more = settings.main_class(flower), settings.extras(flower)
        wanted = replace(self.read(*values), truncation=flower.truncation)
        if end == "from":
            return replace(wanted, from_label=label, from_seed=flower.seed, from_extras=more)
        return replace(wanted, to_label=label, to_seed=flower.seed, to_extras=more)
