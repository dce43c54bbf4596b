"""The Growth tab: the same flowers through the training of the model (paper, fig. 19)."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from gan.hub import sample_history
from gan.sampling import settings
from gan.sampling.flower import Flower
from gan.studio.i18n import t
from gan.studio.session import data_url
from gan.studio.tabs.base import Tab, slider
from gan.utils import images as render
from gan.utils import validation

COUNT = sample_history.SIDE**2
TRUNCATION = 1.5  # that of the grids of a run
SEVERAL = 4  # flowers a side, where several are shown
QUALITY = 85


@dataclass(frozen=True)
class Growth:
    """Which flower of the grids is shown (its seed), and whether alone. The moment is the script's: it asks for nothing."""

    seed: int = 0
    alone: bool = True


class GrowthTab(Tab):
    id = "growth"
    stage = "cinema slow"

    def build(self) -> list[Any]:
        self.seed = slider("growth_flower", 0, COUNT - 1, 0, 1, "growth_flower_hint")
        ways = [(t("growth_one"), "one"), (t("growth_several"), "several")]
        self.many = gr.Radio(ways, value="one", label=t("growth_shown"), elem_classes="segments")
        gr.HTML(f'<p class="aside">{t("growth_about")}</p>', apply_default_css=False)
        return [self.seed, self.many]

    def listen(self) -> None:
        self.on([self.seed.release, self.many.input])

    def find(self, address: settings.Address) -> Growth:
        return Growth(
            address.whole("growth-seed", _check, 0),
            address.choice("growth-shown", {"one": True, "several": False}, True),
        )

    def values(self, wanted: Growth) -> list[Any]:
        return [wanted.seed, "one" if wanted.alone else "several"]

    def read(self, seed: Any, many: Any) -> Growth:
        return Growth(_check(seed), validation.choice("number of flowers", many, ("one", "several")) == "one")

    def show(self, wanted: Growth) -> dict[str, Any]:
        folder = self.studio.model.folder
        moments = sample_history.frames(folder)[: sample_history.MOST] if folder else []
        side = self.studio.config.resolution
        grids = [sample_history.flowers(path, side) for _, path in moments]
        flower = Flower(wanted.seed % len(self.studio.classes), wanted.seed, TRUNCATION)
        return {
            "frames": [_picture(grid, wanted) for grid in grids],
            "images": [images for images, _ in moments],
            "item": self.studio.items([flower])[0] if grids and wanted.alone else None,
            "address": {"growth-seed": str(wanted.seed), "growth-shown": "one" if wanted.alone else "several"},
        }

    def take(self, flower: Flower, end: str, *values: Any) -> Growth:
        return replace(self.read(*values), seed=flower.seed % COUNT, alone=True)


def _check(seed: Any) -> int:
    return validation.whole("flower", seed, 0, COUNT - 1)


def _picture(grid: np.ndarray, wanted: Growth) -> str:
    """The flower of a grid, or SEVERAL² of them from it on, as an address."""
    chosen = [grid[(wanted.seed + number) % COUNT] for number in range(1 if wanted.alone else SEVERAL**2)]
    buffer = io.BytesIO()
    Image.fromarray(render.grid(chosen, SEVERAL)).save(buffer, "WEBP", quality=QUALITY)
    return data_url(buffer.getvalue(), "image/webp")
