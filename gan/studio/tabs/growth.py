"""The Growth tab: the same flowers at several moments of the model's training (paper, fig. 19)."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from gan.hub import sample_history
from gan.sampling.flower import Flower
from gan.studio.address import Address
from gan.studio.controls import slider
from gan.studio.i18n import t
from gan.studio.session import data_url
from gan.studio.tabs.base import Tab
from gan.utils import images, validation

COUNT = sample_history.SIDE**2  # flowers of a stored grid
TRUNCATION = 1.5  # of the stored grids
GRID_SIDE = 4  # flowers per side if several are shown
QUALITY = 85  # of the WebP files


@dataclass(frozen=True)
class Growth:
    """The first flower that is shown, by its seed, and whether it is shown alone. The script chooses the moment."""

    seed: int = 0
    alone: bool = True


class GrowthTab(Tab):
    """Flowers of the grids that were stored during the training."""

    id, position = "growth", 50
    stage_class = "cinema slow"

    def build_controls(self) -> list[Any]:
        """The seed, and the choice between one flower and a grid."""
        self.seed = slider("growth_flower", 0, COUNT - 1, 0, 1, "growth_flower_hint")
        choices = [(t("growth_one"), "one"), (t("growth_several"), "several")]
        self.count = gr.Radio(choices, value="one", label=t("growth_shown"), elem_classes="segments")
        for key in ["growth_about", *(["growth_begun"] if self._begins_with_a_model() else [])]:
            gr.HTML(f'<p class="aside">{t(key)}</p>', apply_default_css=False)
        return [self.seed, self.count]

    def _begins_with_a_model(self) -> bool:
        """Whether the first moment is what another model drew. The pictures may also show the training of that model first."""
        trained, folder = self.studio.config.trained, self.studio.model.folder
        moments, seen = sample_history.frames(folder) if folder else [], trained.get("images")
        more = bool(moments) and isinstance(seen, int) and moments[-1][0] > seen
        return bool(trained.get("begun_from")) and not more

    def connect(self) -> None:
        """Redraw on every change."""
        self.redraw_on([self.seed.release, self.count.input])

    def from_address(self, address: Address) -> Growth:
        """The flowers that the address describes."""
        return Growth(
            address.whole("growth-seed", _check_seed, 0),
            address.choice("growth-shown", {"one": True, "several": False}, True),
        )

    def to_controls(self, wanted: Growth) -> list[Any]:
        """The values of the controls."""
        return [wanted.seed, "one" if wanted.alone else "several"]

    def from_controls(self, seed: Any, count: Any) -> Growth:
        """The flowers that the controls describe. Raises UserError."""
        return Growth(_check_seed(seed), validation.choice("number of flowers", count, ("one", "several")) == "one")

    def draw(self, wanted: Growth) -> dict[str, Any]:
        """One of the `frames` for each moment, how many `images` the training had seen, and the final flower as `item`."""
        folder = self.studio.model.folder
        moments = sample_history.frames(folder)[-sample_history.MOST :] if folder else []
        side = self.studio.config.resolution
        frames = [_frame(sample_history.flowers(path, side), wanted) for _, path in moments]  # one grid at a time in memory
        flower = Flower(wanted.seed % len(self.studio.classes), wanted.seed, TRUNCATION)
        return {
            "frames": frames,
            "images": [seen for seen, _ in moments],
            "item": self.studio.items([flower])[0] if frames and wanted.alone else None,
            "address": {"growth-seed": str(wanted.seed), "growth-shown": "one" if wanted.alone else "several"},
        }

    def receive(self, flower: Flower, end: str, now: Growth) -> Growth:
        """The stored flower whose number is the flower's seed modulo COUNT, alone."""
        return replace(now, seed=flower.seed % COUNT, alone=True)


def _check_seed(seed: Any) -> int:
    return validation.whole("flower", seed, 0, COUNT - 1)


def _frame(grid: np.ndarray, wanted: Growth) -> str:
    """One flower of a stored grid (uint8 COUNT×S×S×3), or GRID_SIDE² of them, as the data URL of a WebP file."""
    chosen = [grid[(wanted.seed + number) % COUNT] for number in range(1 if wanted.alone else GRID_SIDE**2)]
    buffer = io.BytesIO()
    Image.fromarray(images.grid(chosen, GRID_SIDE)).save(buffer, "WEBP", quality=QUALITY)
    return data_url(buffer.getvalue(), "image/webp")
