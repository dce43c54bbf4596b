"""The Explore tab: the latent space walked by hand, along directions that were found without labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from gan.errors import UserError
from gan.sampling import settings
from gan.sampling.directions import COUNT, REACH, DirectionSearch, can_be_found
from gan.sampling.flower import Flower
from gan.studio import explore_state
from gan.studio.explore_state import Explore
from gan.studio.i18n import say, t
from gan.studio.session import Studio
from gan.studio.tabs.base import DRAW, HIDDEN, OneFlower, Tab, asked, class_selector, language, seed_number, slider

FIND = {"concurrency_id": "find", "concurrency_limit": 8}  # whoever waits does a step in turn


class ExploreTab(Tab):
    id = "explore"
    stage = "walk"

    def __init__(self, studio: Studio) -> None:
        self.search = DirectionSearch(studio.sampler)
        self.offered = can_be_found(studio.config)
        self.scales = studio.sampler.scales
        super().__init__(studio)

    def below(self) -> None:
        with gr.Row(elem_classes="steps", visible=self.offered):
            places = [(str(number + 1), number) for number in range(COUNT)]
            self.across = gr.Radio(places, value=0, label=t("explore_across"), elem_classes="segments", min_width=220)
            self.down = gr.Radio(places, value=1, label=t("explore_down"), elem_classes="segments", min_width=220)
            self.step = slider("explore_step", explore_state.MIN_STEP, explore_state.MAX_STEP, explore_state.DEFAULT_STEP, 0.1)

    def build(self) -> list[Any]:
        studio, several = self.studio, len(self.studio.classes) > 1
        self.dice = self.roll("explore_roll", name="new-walk")
        self.start = OneFlower(studio, "explore")
        hint = "explore_directions_hint" if self.offered else "explore_directions_none"
        gr.HTML(_heading("explore_directions", hint), apply_default_css=False, elem_classes="part")
        with gr.Column(visible=self.offered, elem_classes="group"):
            self.sliders = [slider(f"explore_direction_{number + 1}", -REACH, REACH, 0, 0.1) for number in range(COUNT)]
        self.back = gr.Button(t("explore_back"), elem_id="explore-back", visible=self.offered)
        if several:
            gr.HTML(_heading("explore_mix", "explore_mix_hint"), apply_default_css=False, elem_classes="part")
        self.second = class_selector(studio.classes, "explore_second")
        with gr.Column(visible=several, elem_classes="group"):
            self.degree = slider("explore_degree", 0, 100, 0, 1)
        styled = self.scales > 0
        if styled:
            gr.HTML(_heading("explore_cross", "explore_cross_hint"), apply_default_css=False, elem_classes="part")
        with gr.Column(visible=styled, elem_classes="group"):
            self.fine = class_selector(studio.classes, "explore_fine")
            self.fine_seed = seed_number("explore_fine_seed")
            self.kept = gr.Slider(
                0, max(1, self.scales - 1), 0, step=1, label=t("explore_scales"), buttons=[], elem_classes="level"
            )
        changes = [*self.sliders, self.second, self.degree, self.fine, self.fine_seed, self.kept]
        return [*self.start.controls, *changes, self.across, self.down, self.step]

    def listen(self) -> None:
        changed = [*self.start.changes, self.second.input, self.fine.input, self.fine_seed.input]
        released = [*(one.release for one in self.sliders), self.degree.release, self.kept.release, self.step.release]
        self.on([*changed, *released])
        # Two of the same would show one direction twice: the other one gives way.
        apart = f"(mine, other) => [mine, mine === other ? (mine + 1) % {COUNT} : other]"
        for mine, other in ((self.across, self.down), (self.down, self.across)):
            self.follow(mine.input(None, [mine, other], [mine, other], js=apart, **HIDDEN))
        self.rolled(self.dice, [self.start.seed])
        zero = f"() => Array({COUNT + 2}).fill(0)"
        self.follow(self.back.click(None, None, [*self.sliders, self.degree, self.kept], js=zero, **HIDDEN))
        pictures = self.pictures
        # "multiple": one that was just stopped may still count as running, and would keep the next from beginning.
        quiet = {"show_progress": "hidden", "trigger_mode": "multiple", **HIDDEN}
        finding = pictures.submit(self._find, None, [pictures, *self.sliders], **quiet, **FIND)
        pictures.stop(None, cancels=[finding], **HIDDEN)
        self.on([pictures.apply])  # the script asks for what it had to wait for
        moved = [pictures, *self.sliders]
        pictures.select(asked(self._move), self.controls, moved, trigger_mode="always_last", **self.quiet, **DRAW)

    # --------------------------------------------------------------------------------------------------------- settings

    def find(self, address: settings.Address) -> Explore:
        start = self.start.find(address)
        wanted = explore_state.from_address(address, start, self.studio.classes, self.scales)
        wanted = wanted if self.offered else wanted.at(explore_state.STILL)
        try:
            self.studio.sampler.latents([start])
        except UserError:  # extras of another model, or of nobody
            return replace(wanted, start=replace(start, label=settings.main_class(start), shift="", fine=None))
        return wanted

    def values(self, wanted: Explore) -> list[Any]:
        names, fine = self.studio.classes, wanted.fine
        changes = [*wanted.sliders, names[wanted.second], wanted.degree, names[fine.label], fine.seed, fine.scales]
        return [*self.start.values(wanted.start), *changes, wanted.across, wanted.down, wanted.step]

    def read(self, *values: Any) -> Explore:
        count, classes = len(self.start.controls), self.studio.classes
        sliders = explore_state.check_sliders(values[count : count + COUNT]) if self.offered else explore_state.STILL
        second, degree, fine, fine_seed, scales, across, down, step = values[count + COUNT :]
        return Explore(
            self.start.read(*values[:count]).resolve(len(classes)),
            sliders,
            explore_state.check_class(classes, second),
            explore_state.check_degree(degree),
            explore_state.check_fine(classes, fine, fine_seed, scales, self.scales),
            explore_state.check_direction(across),
            explore_state.check_direction(down),
            explore_state.check_step(step),
        )

    def take(self, flower: Flower, end: str, *values: Any) -> Explore:
        now = self.read(*values)
        return replace(now, start=flower, sliders=explore_state.STILL, degree=0, fine=replace(now.fine, scales=0))

    # ----------------------------------------------------------------------------------------------------------- stage

    def show(self, wanted: Explore) -> dict[str, Any]:
        address = {
            **self.start.to_address(wanted.start), **explore_state.to_address(wanted, self.studio.classes, self.scales),
        }  # fmt: skip
        found, classes = self.search.found, self.studio.classes
        if not self.offered:
            return {"items": self.studio.items([wanted.flower(classes, None)]), "alone": True, "side": 1, "address": address}
        if not found:  # then `_find` is asked for; a flower that was not moved can be shown meanwhile
            still = wanted.sliders == explore_state.STILL
            items = self.studio.items([wanted.flower(classes, None)]) if still else []
            return {"waiting": True, "items": items, "address": address}
        places = list(wanted.neighbours())
        unique = list(dict.fromkeys(places))
        drawn = self.studio.items([wanted.at(place).flower(classes, found) for place in unique])
        items = [{**drawn[unique.index(place)], "at": place} for place in places]
        return {
            "items": items,
            "side": 3,
            "across": wanted.across,
            "down": wanted.down,
            "names": found.names,
            "address": address,
        }

    def _find(self) -> Iterator[Any]:
        """Look for the directions, and say how far it is; then give the sliders their names."""
        step, waited = asked(self.search.step), False
        while self.offered and not self.search.found:
            waited = True
            yield [{"waiting": True, "progress": step()}, *[gr.skip()] * COUNT]
        found = self.search.found.names if self.search.found else [None] * COUNT
        names = [gr.Slider(label=_label(number, name)) for number, name in enumerate(found)]
        yield [{"found": True} if waited else gr.skip(), *names]

    def _move(self, event: gr.EventData, *values: Any) -> list[Any]:
        """Go to a neighbour: the sliders it stands for, and what is around it."""
        place = event._data.get("at") if isinstance(event, gr.EventData) and isinstance(event._data, dict) else None
        sliders = explore_state.check_sliders(place) if self.offered else explore_state.STILL
        wanted = self.read(*values).at(sliders)
        return [self.value(wanted), *wanted.sliders]


def _heading(title: str, hint: str) -> str:
    return f'<h3>{t(title)}</h3><p class="aside">{t(hint)}</p>'


def _label(number: int, name: str | None) -> str:
    """What a direction is called, in the visitor's language: by what it does, where that is clear."""
    tongue = language()
    return f"{number + 1} · {say(f'explore_does_{name}', tongue)}" if name else say(f"explore_direction_{number + 1}", tongue)
