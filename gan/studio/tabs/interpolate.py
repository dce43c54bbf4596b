"""The Interpolate tab: a film in which one flower turns into another, or several such films in one."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import gradio as gr

from gan.sampling import settings
from gan.sampling.flower import Flower, extras, main_class
from gan.sampling.interpolation import DEFAULT_PATH, PATHS
from gan.studio.address import Address, interpolate_from, to_address
from gan.studio.controls import class_selector, hidden_text, seed_number, slider, truncation_controls, truncation_values
from gan.studio.handlers import NO_API
from gan.studio.i18n import t
from gan.studio.session import data_url, frame_url
from gan.studio.tabs.base import Tab, connect_download
from gan.utils import images


class InterpolateTab(Tab):
    """A path between two flowers as a film. Its settings are `settings.Interpolate`."""

    id, position = "interpolate", 20
    stage_class = "cinema"

    def build_below_stage(self) -> None:
        """The buttons that download the film."""
        with gr.Row(elem_classes="downloads"):
            kinds = ("mp4", "gif", "webp", "png")
            self.kinds = {kind: gr.Button(t(f"download_{kind}"), elem_id=f"download-{kind}", min_width=60) for kind in kinds}

    def build_controls(self) -> list[Any]:
        """The two flowers, the truncation, and the path between them."""
        studio, several = self.studio, len(self.studio.classes) > 1
        self.new_seeds = self.seed_button("new_pair", name="new-pair")
        self.from_label = class_selector(studio.classes, "from")
        self.from_seed = seed_number("from_seed", under_class=several)
        self.to_label = class_selector(studio.classes, "to")
        self.to_seed = seed_number("to_seed", under_class=several)
        self.level, self.off = truncation_controls(studio.truncation)
        paths = [(t(f"path_{path}"), path) for path in PATHS]
        self.path = gr.Radio(paths, value=DEFAULT_PATH, label=t("path"), elem_classes="chips")
        self.steps = slider("steps", settings.MIN_STEPS, settings.MAX_STEPS, settings.DEFAULT_STEPS, 1)
        self.loop = gr.Checkbox(False, label=t("loop"), container=False, elem_classes="switch")
        names = [(name.replace("x", "×"), name) for name in settings.FILMS]
        self.films = gr.Radio(names, value=settings.ONE_FILM, label=t("films"), info=t("films_hint"), elem_classes="chips")
        ends = [self.from_label, self.from_seed, self.to_label, self.to_seed]
        return [*ends, self.level, self.off, self.path, self.steps, self.loop, hidden_text(), hidden_text(), self.films]

    def connect(self) -> None:
        """Redraw on every change; offer the film as four kinds of files."""
        ends = [self.from_label.input, self.from_seed.input, self.to_label.input, self.to_seed.input]
        path = [self.path.input, self.steps.release, self.loop.input, self.films.input]
        self.redraw_on([*ends, self.level.release, self.off.input, *path])
        most = json.dumps({name: settings.most_steps(name) for name in settings.FILMS})
        script = f"(films, steps) => ({{maximum: {most}[films], value: Math.min(steps, {most}[films]), __type__: 'update'}})"
        self.films.input(None, [self.films, self.steps], self.steps, js=script, **NO_API)
        self.connect_seed_button(self.new_seeds, [self.from_seed, self.to_seed])
        for kind, button in self.kinds.items():
            connect_download(
                button, lambda *values, kind=kind: self.studio.film(self.from_controls(*values), kind), self.controls
            )

    def from_address(self, address: Address) -> settings.Interpolate:
        """The path that the address describes."""
        wanted = interpolate_from(address, self.studio.classes)
        fits = self.studio.can_draw(wanted.ends(self.studio.classes))
        return wanted if fits else replace(wanted, from_extras="", to_extras="")

    def to_controls(self, wanted: settings.Interpolate) -> list[Any]:
        """The values of the controls for a path."""
        start, end = wanted.ends(self.studio.classes)
        names = [self.studio.classes[main_class(flower)] for flower in (start, end)]
        level = truncation_values(wanted.truncation)
        steps = gr.Slider(value=wanted.steps, maximum=settings.most_steps(wanted.films))
        more = [extras(start), extras(end), wanted.films]
        return [names[0], start.seed, names[1], end.seed, *level, wanted.path, steps, wanted.loop, *more]

    def from_controls(
        self, from_label: Any, from_seed: Any, to_label: Any, to_seed: Any, level: Any, off: Any, *path: Any
    ) -> settings.Interpolate:
        """The path that the controls describe. Raises UserError."""
        level = None if off else level
        return settings.interpolate(self.studio.classes, from_label, from_seed, to_label, to_seed, level, *path)

    def draw(self, wanted: settings.Interpolate) -> dict[str, Any]:
        """The pictures of the film as `frames`, and their `rate` per second."""
        one = wanted.films == settings.ONE_FILM
        frames = [data_url(images.png(frame)) if one else frame_url(frame) for frame in self.studio.frames(wanted)]
        address = to_address(self.studio.classes, wanted)
        return {"frames": frames, "rate": images.FRAMES_A_SECOND, "address": address}

    def receive(self, flower: Flower, end: str, now: settings.Interpolate) -> settings.Interpolate:
        """The path with the flower as one of its ends."""
        label, more = main_class(flower), extras(flower)
        wanted = replace(now, truncation=flower.truncation)
        if end == "from":
            return replace(wanted, from_label=label, from_seed=flower.seed, from_extras=more)
        return replace(wanted, to_label=label, to_seed=flower.seed, to_extras=more)
