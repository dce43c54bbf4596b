"""The paper's six stages side by side: the same seed through each, and the grid that each one's layers leave."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gan.evaluation.artifacts import mean_spectrum
from gan.hub import loader
from gan.networks.latents import DEFAULT_TRUNCATION
from gan.presets import PRESETS
from gan.sampling.flower import Flower, grid_flowers
from gan.sampling.sampler import Sampler

STAGES = tuple(name for name, preset in PRESETS.items() if " of the paper" in preset.stage)
LOOKED_AT = 64  # flowers behind a spectrum


@dataclass(frozen=True)
class Stage:
    """One of the paper's models, loaded."""

    name: str
    number: int  # from 1
    sampler: Sampler

    @property
    def classes(self) -> tuple[str, ...]:
        return self.sampler.config.classes

    def flower(self, name: str, seed: int, truncation: float | None) -> Flower:
        """The flower of a class and seed; a stage that knows no classes draws whichever the seed gives."""
        return Flower(self.classes.index(name) if name in self.classes else 0, seed, truncation)

    @cached_property
    def spectrum(self) -> np.ndarray:
        """The mean spectrum of LOOKED_AT flowers as a grey picture, uint8 S×S×3, the coarsest detail in the middle.

        Black is 60 dB below the strongest, or less; a grid shows as bright points away from the middle.
        """
        power = mean_spectrum(self.sampler.draw(grid_flowers(None, 0, DEFAULT_TRUNCATION, LOOKED_AT)))
        grey = np.clip(1 + (power - power.max()) / RANGE, 0, 1)
        return np.repeat((255 * grey).round().astype(np.uint8)[..., None], 3, axis=2)

    def peaks(self) -> dict[int, tuple[float, float]]:
        """Period in pixels → (how far the grid of that period stands out in this model's flowers, and in photos), in decibels.

        As its evaluation found them; empty for a model that was never judged.
        """
        found = self.sampler.config.scores.get("checkerboard") or {}
        drawn, real = found.get("generated") or {}, found.get("real") or {}
        return {
            period: (float(drawn[key]), float(real[key]))
            for period in (2, 4, 8)
            if (key := f"peaks_{period}") in drawn and key in real
        }


RANGE = 60.0  # decibels from black to white


def load() -> list[Stage]:
    """The stages that are bundled, in the paper's order. Raises UserError for one that is damaged."""
    there = loader.bundled()
    return [
        Stage(name, number, Sampler(loader.load(name).generator, 1)) for number, name in enumerate(STAGES, 1) if name in there
    ]
