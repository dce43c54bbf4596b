"""The Generate tab: a grid of flowers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import gradio as gr

from gan.sampling import settings
from gan.sampling.flower import Flower, every, main_class
from gan.studio.address import Address, generate_from, to_address
from gan.studio.controls import class_selector, seed_slider, truncation_controls, truncation_values
from gan.studio.i18n import t
from gan.studio.tabs.base import SteppedTab, connect_download

LARGE = 2  # flowers a side; a grid of no more shows them too large for previews
SHOW_EVERY = 0.4  # seconds between two views of a grid that is being drawn; each costs a browser a tenth of a second


class GenerateTab(SteppedTab):
    """A grid of flowers whose seeds follow on from one seed. Its settings are `settings.Generate`."""

    id, position = "generate", 10

    def build_controls(self) -> list[Any]:
        """The class, the seed, the truncation and the side of the grid."""
        self.new_seed = self.seed_button("new_flowers", name="new-flowers")
        self.label = class_selector(self.studio.classes, "class", "all", css_id="generate-class")
        self.seed = seed_slider()
        self.level, self.off = truncation_controls(self.studio.truncation, "truncation_hint")
        sides = [(str(side), side) for side in range(settings.MIN_SIDE, settings.MAX_SIDE + 1)]
        self.side = gr.Radio(sides, value=settings.DEFAULT_SIDE, label=t("grid"), elem_classes="segments")
        self.download = gr.Button(t("download_all"), elem_id="download-all")
        return [self.label, self.seed, self.level, self.off, self.side]

    def connect(self) -> None:
        """Redraw on every change; offer the grid as a ZIP file."""
        self.redraw_on([self.label.input, self.seed.release, self.level.release, self.off.input, self.side.input])
        self.connect_seed_button(self.new_seed, [self.seed])
        connect_download(self.download, lambda *values: self.studio.archive(self.from_controls(*values)), self.controls)

    def from_address(self, address: Address) -> settings.Generate:
        """The grid that the address describes."""
        return generate_from(address, self.studio.classes)

    def to_controls(self, wanted: settings.Generate) -> list[Any]:
        """The values of the controls for a grid."""
        label = every(self.studio.classes) if wanted.label is None else self.studio.classes[wanted.label]
        return [label, wanted.seed, *truncation_values(wanted.truncation), wanted.side]

    def from_controls(self, label: Any, seed: Any, level: Any, off: Any, side: Any) -> settings.Generate:
        """The grid that the controls describe. Raises UserError."""
        return settings.generate(self.studio.classes, label, seed, None if off else level, side)

    def draw(self, wanted: settings.Generate) -> dict[str, Any]:
        """The flowers as `items`, and the `side` of the grid."""
        return {"items": list(self._items(wanted)), "side": wanted.side, "address": to_address(self.studio.classes, wanted)}

    def draw_steps(self, wanted: settings.Generate) -> Iterator[dict[str, Any]]:
        """The flowers drawn so far, every SHOW_EVERY seconds; `of` is how many there will be. A quick grid comes at once."""
        items: list[dict[str, Any]] = []
        shown = time.monotonic()
        for item in self._items(wanted):
            items.append(item)
            if time.monotonic() - shown > SHOW_EVERY and len(items) < wanted.side**2:
                yield {"items": list(items), "side": wanted.side, "of": wanted.side**2}
                shown = time.monotonic()

    def _items(self, wanted: settings.Generate) -> Iterator[dict[str, Any]]:
        return self.studio.each_item(wanted.flowers(self.studio.classes), small=wanted.side > LARGE)

    def receive(self, flower: Flower, end: str, now: settings.Generate) -> settings.Generate:
        """A grid that begins with the flower's class and seed."""
        return settings.Generate(main_class(flower), flower.seed, flower.truncation, now.side)
