"""The base class of all tabs: its settings live in the page's address, in its controls, and on a stage that a script fills."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gradio as gr

from gan.sampling.flower import Flower
from gan.studio.address import Address
from gan.studio.controls import FlowerControls
from gan.studio.handlers import DRAW_QUEUE, FILM_QUEUE, NO_API, report_errors, reporting_errors
from gan.studio.i18n import marker, t
from gan.studio.session import Studio, save_to_cache


class Tab:
    """One tab of the page. A subclass sets `id` and `position`, and implements the methods that raise NotImplementedError.

    `wanted` is the tab's settings, a value of any type that the subclass chooses. Settings come from the address, from the
    controls, or from a flower sent by another tab. The stage shows a dictionary, whose `address` brings the settings back.
    """

    id: str  # names the tab in the address, its script `script/<id>.js`, and its words `tab_<id>`, `about_<id>` and `more_<id>`
    position: int  # tabs stand in rising order
    stage_class = "meadow"  # CSS class of the element that the script fills
    script = ""  # the function of `flowers.stages` that fills it; empty: the one called `id`

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.event_options = {**NO_API, "show_progress": "minimal"}
        with gr.Tab(t(f"tab_{self.id}"), id=self.id, elem_classes="room") as self.tab:
            with gr.Row(equal_height=False, elem_classes="bench"):
                with gr.Column(scale=3, min_width=0, elem_classes="stage"):
                    self.stage = self._build_stage()
                    self.build_below_stage()
                with gr.Column(scale=1, min_width=0, elem_classes="controls"):
                    self.controls = self.build_controls()
                    gr.HTML(marker(f"what_{self.id}"), apply_default_css=False, elem_classes="what")
            self.event_options["show_progress_on"] = self.stage
            self._connect_opening()
            self.connect()

    # --------------------------------------------------------------------------------------- what a subclass implements

    def build_below_stage(self) -> None:
        """Add widgets below the stage."""

    def build_controls(self) -> list[Any]:
        """Create the controls, and return those that hold settings, in the order of `to_controls` and `from_controls`."""
        raise NotImplementedError

    def connect(self) -> None:
        """Connect the events of the controls."""
        raise NotImplementedError

    def from_address(self, address: Address) -> Any:
        """The settings that the address describes; defaults stand for what is missing or bad."""
        raise NotImplementedError

    def to_controls(self, wanted: Any) -> list[Any]:
        """The values of the controls."""
        raise NotImplementedError

    def from_controls(self, *values: Any) -> Any:
        """The settings that the controls hold. Raises UserError for a value out of range."""
        raise NotImplementedError

    def draw(self, wanted: Any) -> dict[str, Any]:
        """The value of the stage: JSON values for the script, `address` among them. Raises UserError."""
        raise NotImplementedError

    def receive(self, flower: Flower, end: str, now: Any) -> Any:
        """The settings after another tab has sent a flower to the settings `now`.

        `end` is `from` or `to`, for a tab with two flowers.
        """
        raise NotImplementedError

    # ------------------------------------------------------------------------------------------- what a subclass uses

    def link_value(self, wanted: Any) -> dict[str, Any]:
        """The value of the stage when a link or another tab opens this one, with this tab as the open one in its address.

        It is one answer, so a slow tab may leave parts out.
        """
        return self.opening(self.draw(wanted))

    def opening(self, value: dict[str, Any]) -> dict[str, Any]:
        """A value of the stage that makes this tab the open one in the address. Others may come when another tab is open."""
        return {**value, "address": {"tab": self.id, **value["address"]}}

    def redraw_on(self, events: Sequence[Any]) -> None:
        """Redraw after any of `events`. Of those that arrive while the tab is being drawn, only the last counts."""
        gr.on(events, self.redraw, self.controls, self.stage, trigger_mode="always_last", **self.event_options, **DRAW_QUEUE)

    def redraw_after(self, event: Any) -> None:
        """Redraw when the handler of `event` has ended."""
        event.then(self.redraw, self.controls, self.stage, trigger_mode="always_last", **self.event_options, **DRAW_QUEUE)

    def seed_button(self, label: str, name: str) -> gr.Button:
        """A button for new seeds, also pressed by the key R. Connect it with `connect_seed_button`."""
        return gr.Button(t(label), variant="primary", elem_id=name, elem_classes="dice")

    def connect_seed_button(self, button: gr.Button, seeds: Sequence[Any]) -> None:
        """Give each of the controls `seeds` a random seed when `button` is pressed, and redraw."""
        fresh = ", ".join(["flowers.seed()"] * len(seeds))
        script = f"() => {fresh}" if len(seeds) == 1 else f"() => [{fresh}]"
        self.redraw_after(button.click(None, None, list(seeds), js=script, **NO_API))

    # ------------------------------------------------------------------------------------------------------- internals

    def _build_stage(self) -> gr.HTML:
        return gr.HTML(
            {}, html_template=f'<div class="{self.stage_class}"></div>', elem_id=f"{self.id}-pictures", apply_default_css=False,
            js_on_load=f"flowers.stage({self.id!r}, {self.script or self.id!r}, element, props, watch, trigger)",
        )  # fmt: skip

    def redraw(self, *values: Any) -> Any:
        """The value of the stage for the values of the controls."""
        with reporting_errors():
            if None in values:  # a field is None while the visitor retypes it; that is not an error
                return gr.skip()
            return self.draw(self.from_controls(*values))

    def _connect_opening(self) -> None:
        """When the tab is opened, write it into the address. The script sends `retry` when a stage has stayed empty."""
        self.tab.select(None, js=f"() => flowers.opened('{self.id}')", **NO_API)
        self.stage.retry(self.redraw, self.controls, self.stage, **self.event_options, **DRAW_QUEUE)


class SteppedTab(Tab):
    """A tab that shows its first pictures before the last is drawn. Gradio sends the whole value twice at the end."""

    def draw_steps(self, wanted: Any) -> Iterator[dict[str, Any]]:
        """Values of the stage while it is drawn, without `address`. `draw` is called after them; their pictures are stored."""
        raise NotImplementedError

    def redraw(self, *values: Any) -> Iterator[Any]:
        """Values of the stage for the values of the controls; the last one is whole."""
        with reporting_errors():
            if None in values:
                yield gr.skip()
                return
            wanted = self.from_controls(*values)
            yield from self.draw_steps(wanted)
            yield self.draw(wanted)


class FlowerTab(Tab):
    """A tab about one flower. Its settings are the `Flower`; its `build_controls` makes `flower` and `new_seed`."""

    flower: FlowerControls
    new_seed: gr.Button

    def connect(self) -> None:
        """Redraw on every change."""
        self.redraw_on(self.flower.events)
        self.connect_seed_button(self.new_seed, [self.flower.seed])

    def from_address(self, address: Address) -> Flower:
        """The flower that the address describes."""
        return self.flower.from_address(address)

    def to_controls(self, wanted: Flower) -> list[Any]:
        """The values of the controls for a flower."""
        return self.flower.to_controls(wanted)

    def from_controls(self, *values: Any) -> Flower:
        """The flower that the controls describe. Raises UserError."""
        return self.flower.from_controls(*values)

    def receive(self, flower: Flower, end: str, now: Flower) -> Flower:
        """The flower itself."""
        return flower


def connect_download(button: gr.Button, make: Callable[..., tuple[str, bytes]], inputs: list[Any]) -> None:
    """When `button` is pressed, download the file whose name and content `make` returns for the values of `inputs`."""
    file = gr.File(visible="hidden", interactive=False)
    options: dict[str, Any] = {**NO_API, "show_progress": "minimal", "show_progress_on": button}
    made = button.click(report_errors(lambda *values: save_to_cache(*make(*values))), inputs, file, **options, **FILM_QUEUE)
    made.success(None, file, None, js="(file) => flowers.save(file)", **NO_API)
