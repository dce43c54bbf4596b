"""The Explore tab: a flower changed by hand along directions of the latent space that were found without labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from gan.sampling.directions import COUNT, REACH, can_be_found
from gan.sampling.flower import Flower, main_class
from gan.studio import explore_state
from gan.studio.address import Address
from gan.studio.controls import FlowerControls, class_selector, seed_number, slider
from gan.studio.explore_state import NO_SHIFT, Explore
from gan.studio.gradio_compat import event_data
from gan.studio.handlers import DRAW_QUEUE, NO_API, report_errors, request_language
from gan.studio.i18n import say, t
from gan.studio.session import Studio
from gan.studio.tabs.base import Tab

FIND_QUEUE: dict[str, Any] = {"concurrency_id": "find", "concurrency_limit": 8}  # all who wait do steps of one search


class ExploreTab(Tab):
    """A flower with its eight neighbors along two directions. Its settings are `Explore`.

    The first visitors wait until the directions are found. A model that `can_be_found` rejects has no directions at all.
    """

    id, position = "explore", 30
    stage_class = "walk"

    def __init__(self, studio: Studio) -> None:
        self.search = studio.search
        self.has_directions = can_be_found(studio.config)
        self.scales = studio.sampler.scales
        super().__init__(studio)

    def build_below_stage(self) -> None:
        """The directions and the distance of the neighbors."""
        with gr.Row(elem_classes="steps", visible=self.has_directions):
            choices = [(str(number + 1), number) for number in range(COUNT)]
            self.across = gr.Radio(choices, value=0, label=t("explore_across"), elem_classes="segments", min_width=220)
            self.down = gr.Radio(choices, value=1, label=t("explore_down"), elem_classes="segments", min_width=220)
            self.step = slider("explore_step", explore_state.MIN_STEP, explore_state.MAX_STEP, explore_state.DEFAULT_STEP, 0.1)

    def build_controls(self) -> list[Any]:
        """The start flower, a slider for each direction, the second class, and the flower whose style is mixed in."""
        self.new_seed = self.seed_button("explore_roll", name="new-walk")
        self.start = FlowerControls(self.studio, "explore")
        changes = [*self._build_directions(), *self._build_class_mix(), *self._build_style_mix()]
        return [*self.start.controls, *changes, self.across, self.down, self.step]

    def _build_directions(self) -> list[Any]:
        hint = "explore_directions_hint" if self.has_directions else "explore_directions_none"
        gr.HTML(_heading("explore_directions", hint), apply_default_css=False, elem_classes="part")
        with gr.Column(visible=self.has_directions, elem_classes=["group", "directions"]):
            self.sliders = [slider(f"explore_direction_{number + 1}", -REACH, REACH, 0, 0.1) for number in range(COUNT)]
        self.back = gr.Button(t("explore_back"), elem_id="explore-back", visible=self.has_directions)
        return self.sliders

    def _build_class_mix(self) -> list[Any]:
        several = len(self.studio.classes) > 1
        if several:
            gr.HTML(_heading("explore_mix", "explore_mix_hint"), apply_default_css=False, elem_classes="part")
        self.second = class_selector(self.studio.classes, "explore_second")
        with gr.Column(visible=several, elem_classes="group"):
            self.degree = slider("explore_degree", 0, 100, 0, 1)
        return [self.second, self.degree]

    def _build_style_mix(self) -> list[Any]:
        styled = self.scales > 0
        if styled:
            gr.HTML(_heading("explore_cross", "explore_cross_hint"), apply_default_css=False, elem_classes="part")
        with gr.Column(visible=styled, elem_classes="group"):
            self.fine = class_selector(self.studio.classes, "explore_fine")
            self.fine_seed = seed_number("explore_fine_seed")
            self.fine_scales = gr.Slider(
                0, max(1, self.scales - 1), 0, step=1, label=t("explore_scales"), buttons=[], elem_classes="level"
            )
        return [self.fine, self.fine_seed, self.fine_scales]

    def connect(self) -> None:
        """Redraw on every change; find the directions; move to a neighbor."""
        changed = [*self.start.events, self.second.input, self.fine.input, self.fine_seed.input]
        sliders = [*self.sliders, self.degree, self.fine_scales, self.step]
        self.redraw_on([*changed, *(one.release for one in sliders)])
        # The two directions must differ: if one is set to the other's, the other moves on.
        apart = f"(mine, other) => [mine, mine === other ? (mine + 1) % {COUNT} : other]"
        for mine, other in ((self.across, self.down), (self.down, self.across)):
            self.redraw_after(mine.input(None, [mine, other], [mine, other], js=apart, **NO_API))
        self.connect_seed_button(self.new_seed, [self.start.seed])
        zero = f"() => Array({COUNT + 2}).fill(0)"
        self.redraw_after(self.back.click(None, None, [*self.sliders, self.degree, self.fine_scales], js=zero, **NO_API))
        # "multiple", because a search that was just stopped may still count as running and would block the next.
        options: dict[str, Any] = {"show_progress": "hidden", "trigger_mode": "multiple", **NO_API}
        searching = self.stage.submit(self._find, None, [self.stage, *self.sliders], **options, **FIND_QUEUE)
        self.stage.stop(None, cancels=[searching], **NO_API)
        self.redraw_on([self.stage.apply])  # the script sends it when the directions are found
        move, moved = report_errors(self._move), [self.stage, *self.sliders]
        self.stage.select(move, self.controls, moved, trigger_mode="always_last", **self.event_options, **DRAW_QUEUE)

    # --------------------------------------------------------------------------------------------------------- settings

    def from_address(self, address: Address) -> Explore:
        """The flower and its changes that the address describes; extras that do not fit the model are dropped."""
        start = self.start.from_address(address)
        wanted = explore_state.from_address(address, start, self.studio.classes, self.scales)
        return wanted if self.has_directions else wanted.with_sliders(NO_SHIFT)

    def to_controls(self, wanted: Explore) -> list[Any]:
        """The values of the controls."""
        names, fine = self.studio.classes, wanted.fine
        changes = [*wanted.sliders, names[wanted.second], wanted.degree, names[fine.label], fine.seed, fine.scales]
        return [*self.start.to_controls(wanted.start), *changes, wanted.across, wanted.down, wanted.step]

    def from_controls(self, *values: Any) -> Explore:
        """The flower and its changes that the controls describe. Raises UserError."""
        count, classes = len(self.start.controls), self.studio.classes
        sliders = explore_state.check_sliders(values[count : count + COUNT]) if self.has_directions else NO_SHIFT
        second, degree, fine, fine_seed, scales, across, down, step = values[count + COUNT :]
        return Explore(
            self.start.from_controls(*values[:count]).resolve(len(classes)),
            sliders,
            explore_state.check_class(classes, second),
            explore_state.check_degree(degree),
            explore_state.check_fine(classes, fine, fine_seed, scales, self.scales),
            explore_state.check_direction(across),
            explore_state.check_direction(down),
            explore_state.check_step(step),
        )

    def receive(self, flower: Flower, end: str, now: Explore) -> Explore:
        """The flower without changes of this tab."""
        own, classes = main_class(flower), len(self.studio.classes)
        second = (own + 1) % classes if now.second == own else now.second  # a class mixed with itself changes nothing
        return replace(now, start=flower, sliders=NO_SHIFT, second=second, degree=0, fine=replace(now.fine, scales=0))

    # ----------------------------------------------------------------------------------------------------------- stage

    def draw(self, wanted: Explore) -> dict[str, Any]:
        """The nine flowers as `items`; one, if the model has no directions; or `waiting`, until they are found."""
        classes, found = self.studio.classes, self.search.found
        address = {
            **self.start.to_address(wanted.start), **explore_state.to_address(wanted, classes, self.scales),
        }  # fmt: skip
        if not self.has_directions:
            return {"items": self.studio.items([wanted.flower(classes, None)]), "alone": True, "side": 1, "address": address}
        if not found:  # the script then submits the stage, which calls `_find`; a flower without a shift can be shown now
            items = self.studio.items([wanted.flower(classes, None)]) if wanted.sliders == NO_SHIFT else []
            return {"waiting": True, "items": items, "address": address}
        places = list(wanted.neighbors())
        unique = list(dict.fromkeys(places))
        drawn = self.studio.items([wanted.with_sliders(place).flower(classes, found) for place in unique], small=True)
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
        """Find the directions. Yields values of the stage with the progress, then the sliders' labels."""
        step, waited = report_errors(self.search.step), False
        while self.has_directions and not self.search.found:
            waited = True
            yield [{"waiting": True, "progress": step()}, *[gr.skip()] * COUNT]
        found = self.search.found.names if self.search.found else [None] * COUNT
        labels = [gr.Slider(label=_label(number, name)) for number, name in enumerate(found)]
        yield [{"found": True} if waited else gr.skip(), *labels]

    def _move(self, event: gr.EventData, *values: Any) -> list[Any]:
        """Move to the neighbor that was chosen. Returns the value of the stage and of each slider."""
        sliders = explore_state.check_sliders(event_data(event).get("at")) if self.has_directions else NO_SHIFT
        wanted = self.from_controls(*values).with_sliders(sliders)
        return [self.draw(wanted), *wanted.sliders]


def _heading(title: str, hint: str) -> str:
    return f'<h3>{t(title)}</h3><p class="aside">{t(hint)}</p>'


def _label(number: int, name: str | None) -> str:
    """The label of a direction: what it changes if that is known (`name`), otherwise its number."""
    language = request_language()
    return (
        f"{number + 1} · {say(f'explore_does_{name}', language)}" if name else say(f"explore_direction_{number + 1}", language)
    )
