"""The Ladder tab: one seed through the paper's six stages (figs. 9–18), and the checkerboard in its spectrum."""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

import gradio as gr

from gan.errors import UserError
from gan.hub import loader
from gan.networks import latents
from gan.sampling import settings
from gan.sampling.flower import Flower
from gan.studio import ladder_stages
from gan.studio.i18n import say, t
from gan.studio.session import Studio, data_url
from gan.studio.tabs.base import Tab, class_selector, language, level_values, seed_number, truncation_controls
from gan.utils import images, validation
from gan.utils.formatting import rounded


@dataclass(frozen=True)
class Rung:
    """The class, seed and truncation that every stage draws."""

    name: str
    seed: int
    truncation: float | None = latents.DEFAULT_TRUNCATION


class LadderTab(Tab):
    id = "ladder"
    stage = "stages"

    def __init__(self, studio: Studio) -> None:
        self._stages: list[ladder_stages.Stage] | None = None
        self._lock = Lock()  # six models are loaded once, however many visitors open the tab at once
        super().__init__(studio)

    def build(self) -> list[Any]:
        self.dice = self.roll("ladder_seed", name="new-rung")
        self.names = _names()
        self.name = class_selector(self.names, "class")
        self.seed = seed_number("seed")
        self.level, self.off = truncation_controls(latents.DEFAULT_TRUNCATION)
        gr.HTML(f'<p class="aside">{t("ladder_about")}</p>', apply_default_css=False)
        return [self.name, self.seed, self.level, self.off]

    def listen(self) -> None:
        self.on([self.name.input, self.seed.input, self.level.release, self.off.input])
        self.rolled(self.dice, [self.seed])

    def find(self, address: settings.Address) -> Rung:
        name = address.choice("ladder-class", {name: name for name in self.names}, self.names[0])
        level = address.take("ladder-truncation", settings.read_level, latents.DEFAULT_TRUNCATION)
        return Rung(name, address.seed("ladder-seed"), level)

    def values(self, wanted: Rung) -> list[Any]:
        return [wanted.name, wanted.seed, *level_values(wanted.truncation)]

    def read(self, name: Any, seed: Any, level: Any, off: Any) -> Rung:
        if name not in self.names:
            raise UserError(f"the class is none of the ladder's; choose one of {validation.listed(self.names)}.")
        return Rung(name, latents.check_seed(seed), settings.check_truncation(None if off else level))

    def show(self, wanted: Rung) -> dict[str, Any]:
        return {
            "stages": [self._shown(stage, wanted) for stage in self._load()],
            "address": {
                "ladder-class": wanted.name,
                "ladder-seed": str(wanted.seed),
                "ladder-truncation": settings.level_text(wanted.truncation),
            },
        }

    def take(self, flower: Flower, end: str, *values: Any) -> Rung:
        # A class that the ladder never learnt is shown as the class the tab stands at.
        name = self.studio.classes[settings.main_class(flower)]
        wanted = replace(self.read(*values), seed=flower.seed, truncation=flower.truncation)
        return replace(wanted, name=name) if name in self.names else wanted

    def _load(self) -> list[ladder_stages.Stage]:
        with self._lock:
            if self._stages is None:
                self._stages = ladder_stages.load()
            return self._stages

    def _shown(self, stage: ladder_stages.Stage, wanted: Rung) -> dict[str, Any]:
        flower = stage.flower(wanted.name, wanted.seed, wanted.truncation)
        picture = stage.sampler.draw([flower])[0]
        made = {"model": stage.name, **settings.describe(flower, stage.classes)}
        tongue = language()
        peaks = [
            say("ladder_peak", tongue, period=period, drawn=rounded(drawn, 1), real=rounded(real, 1))
            for period, (drawn, real) in stage.peaks().items()
        ]
        with self._lock:  # a spectrum is found once, too
            spectrum = data_url(images.png(stage.spectrum))
        return {
            "src": data_url(images.png(picture, made)),
            "spectrum": spectrum,
            "title": say("ladder_stage", tongue, number=stage.number, name=stage.name),
            "new": say(f"ladder_new_{stage.number}", tongue),
            "size": picture.shape[0],
            "peaks": peaks or [say("ladder_unjudged", tongue)],
        }


def _names() -> tuple[str, ...]:
    """The classes that the paper's conditional stages know, as their configurations say, without loading them."""
    from gan.hub.checkpoint import read_config

    found = [read_config(loader.CHECKPOINTS / name).classes for name in ladder_stages.STAGES if name in loader.bundled()]
    return max(found, key=len, default=("all",))
