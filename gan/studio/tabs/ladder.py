"""The Ladder tab, a tree: one seed through the paper's six stages (figs. 9–18), and through the models that branch off by year.

Below each flower is the mean spectrum, in which a checkerboard shows, and what the model's evaluation found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

import gradio as gr

from gan.errors import UserError
from gan.hub import loader
from gan.networks import latents
from gan.sampling.flower import Flower, check_truncation, describe, level_text, main_class, read_level
from gan.studio import ladder_stages, spectra
from gan.studio.address import Address
from gan.studio.controls import class_selector, seed_number, truncation_controls, truncation_values
from gan.studio.handlers import request_language
from gan.studio.i18n import say, t
from gan.studio.session import Studio, data_url
from gan.studio.tabs.base import SteppedTab
from gan.utils import images, validation
from gan.utils.formatting import rounded

SCORES = (("ladder_kid", "kid"), ("ladder_recall", "recall"))  # the word on the page, and the figure


@dataclass(frozen=True)
class Ladder:
    """The class, seed and truncation that every model draws."""

    name: str
    seed: int
    truncation: float | None = latents.DEFAULT_TRUNCATION


class LadderTab(SteppedTab):
    """One picture and one spectrum for each bundled stage and branch."""

    id, position = "ladder", 60
    stage_class = "tree"

    def __init__(self, studio: Studio) -> None:
        self._tree: tuple[list[ladder_stages.Stage], list[ladder_stages.Stage]] | None = None
        self._lock = Lock()  # visitors who open the tab at once load the models once
        super().__init__(studio)

    def build_controls(self) -> list[Any]:
        """The class, the seed and the truncation."""
        self.new_seed = self.seed_button("ladder_seed", name="new-rung")
        self.names = _class_names()
        self.name = class_selector(self.names, "class")
        self.seed = seed_number("seed")
        self.level, self.off = truncation_controls(latents.DEFAULT_TRUNCATION)
        gr.HTML(f'<p class="aside">{t("ladder_about")}</p>', apply_default_css=False)
        return [self.name, self.seed, self.level, self.off]

    def connect(self) -> None:
        """Redraw on every change, and where a link's answer had no spectra."""
        self.redraw_on([self.name.input, self.seed.input, self.level.release, self.off.input, self.stage.submit])
        self.connect_seed_button(self.new_seed, [self.seed])

    def from_address(self, address: Address) -> Ladder:
        """The flower that the address describes."""
        name = address.choice("ladder-class", {name: name for name in self.names}, self.names[0])
        default: float | None = latents.DEFAULT_TRUNCATION
        return Ladder(name, address.seed("ladder-seed"), address.take("ladder-truncation", read_level, default))

    def to_controls(self, wanted: Ladder) -> list[Any]:
        """The values of the controls."""
        return [wanted.name, wanted.seed, *truncation_values(wanted.truncation)]

    def from_controls(self, name: Any, seed: Any, level: Any, off: Any) -> Ladder:
        """The flower that the controls describe. Raises UserError."""
        if name not in self.names:
            raise UserError(f"the class is none of the ladder's; choose one of {validation.name_list(self.names)}.")
        return Ladder(name, latents.check_seed(seed), check_truncation(None if off else level))

    def draw_steps(self, wanted: Ladder) -> Iterator[dict[str, Any]]:
        """The pictures without their spectra, which take seconds where nobody has seen them since the server began."""
        if not self._has_spectra():
            yield self._draw_tree(wanted, only_seen_spectra=True)

    def draw(self, wanted: Ladder) -> dict[str, Any]:
        """The picture, spectrum and texts of each of the `stages` and `branches`."""
        return {**self._draw_tree(wanted), "address": _address(wanted)}

    def link_value(self, wanted: Ladder) -> dict[str, Any]:
        """The pictures. Spectra that nobody has seen yet are left out, and `more` has the script ask for them."""
        if self._has_spectra():
            return super().link_value(wanted)
        return self.opening({**self._draw_tree(wanted, only_seen_spectra=True), "address": _address(wanted), "more": True})

    def receive(self, flower: Flower, end: str, now: Ladder) -> Ladder:
        """The flower's seed and truncation, and its class if the stages know it."""
        name = self.studio.classes[main_class(flower)]
        wanted = replace(now, seed=flower.seed, truncation=flower.truncation)
        return replace(wanted, name=name) if name in self.names else wanted

    def _load(self) -> tuple[list[ladder_stages.Stage], list[ladder_stages.Stage]]:
        with self._lock:
            if self._tree is None:
                self._tree = ladder_stages.load(), ladder_stages.load_branches()
            return self._tree

    def _has_spectra(self) -> bool:
        return all(stage.has_spectrum for part in self._load() for stage in part)

    def _draw_tree(self, wanted: Ladder, only_seen_spectra: bool = False) -> dict[str, Any]:
        parts = zip(("stages", "branches"), self._load(), strict=True)
        return {name: [self._draw_stage(stage, wanted, only_seen_spectra) for stage in part] for name, part in parts}

    def _draw_stage(self, stage: ladder_stages.Stage, wanted: Ladder, only_seen_spectra: bool = False) -> dict[str, Any]:
        flower = stage.flower(wanted.name, wanted.seed, wanted.truncation)
        picture = stage.sampler.draw([flower])[0]
        metadata = {"model": stage.name, **describe(flower, stage.classes)}
        language = request_language()
        peaks = spectra.peak_sentences(stage.peaks(), language)
        spectrum = ""
        if stage.has_spectrum or not only_seen_spectra:
            with self._lock:  # each spectrum is computed once
                spectrum = data_url(images.png(stage.spectrum))
        scores = stage.scores()
        return {
            "src": data_url(images.png(picture, metadata)),
            "spectrum": spectrum,
            "title": say("ladder_stage", language, number=stage.number, name=stage.name) if stage.number else stage.name,
            "new": say(f"ladder_new_{stage.number or stage.name}", language),
            "year": stage.year,
            "scores": [say(word, language, value=rounded(scores[key], 2)) for word, key in SCORES if key in scores],
            "size": picture.shape[0],
            "peaks": peaks if peaks or scores else [say("ladder_unjudged", language)],
        }


def _address(wanted: Ladder) -> dict[str, str]:
    level = level_text(wanted.truncation)
    return {"ladder-class": wanted.name, "ladder-seed": str(wanted.seed), "ladder-truncation": level}


def _class_names() -> tuple[str, ...]:
    """The classes of the paper's conditional stages, read from their configurations without loading the models."""
    from gan.hub.checkpoint import read_config

    found = [read_config(loader.CHECKPOINTS / name).classes for name in ladder_stages.STAGES if name in loader.bundled()]
    return max(found, key=len, default=("all",))
