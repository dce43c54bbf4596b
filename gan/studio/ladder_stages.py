"""The bundled models of the paper's six stages and of the family's papers, and the checkerboard in their spectrum."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gan.hub import loader
from gan.networks.latents import DEFAULT_TRUNCATION
from gan.presets import PRESETS
from gan.sampling.flower import Flower, grid_flowers
from gan.sampling.sampler import Sampler
from gan.studio import spectra

STAGES = tuple(name for name, preset in PRESETS.items() if " of the paper" in preset.stage)
BRANCHES = tuple(sorted((name for name, preset in PRESETS.items() if preset.year), key=lambda name: PRESETS[name].year))
SPECTRUM_FLOWERS = 64  # flowers that a spectrum averages over


@dataclass(frozen=True)
class Stage:
    """One of the paper's models, or one of another paper, loaded."""

    name: str
    number: int  # from 1; 0 for a branch
    sampler: Sampler

    @property
    def year(self) -> int:
        """The year of the paper that a branch follows; 0 for the paper's own stages."""
        return PRESETS[self.name].year

    def scores(self) -> dict[str, float]:
        """`kid` and `recall` of the model's own evaluation, over all classes; empty without one."""
        found = (self.sampler.config.scores.get("parts") or {}).get("all") or {}
        values = {name: (found.get(key) or {}).get("value") for name, key in (("kid", "kid"), ("recall", "recall_3"))}
        return {name: float(value) for name, value in values.items() if value is not None}

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of the model."""
        return self.sampler.config.classes

    def flower(self, name: str, seed: int, truncation: float | None) -> Flower:
        """The flower of class `name`. An unconditional model draws the flower of the seed, whatever its class."""
        return Flower(self.classes.index(name) if name in self.classes else 0, seed, truncation)

    @cached_property
    def spectrum(self) -> np.ndarray:
        """The mean spectrum of SPECTRUM_FLOWERS flowers as `spectra.picture` draws it, uint8 S×S×3."""
        return spectra.picture(self.sampler.draw(grid_flowers(None, 0, DEFAULT_TRUNCATION, SPECTRUM_FLOWERS)))

    @property
    def has_spectrum(self) -> bool:
        """Whether `spectrum` is there already; it takes up to seconds to compute."""
        return "spectrum" in vars(self)

    def peaks(self) -> dict[int, tuple[float, float]]:
        """The height of the checkerboard's peaks, as `spectra.peaks` reads them."""
        return spectra.peaks(self.sampler.config.scores)


def load() -> list[Stage]:
    """Load the bundled stages, in the paper's order. Raises UserError if one is damaged."""
    return [Stage(name, number, _sampler(name)) for number, name in enumerate(STAGES, 1) if name in loader.bundled()]


def load_branches() -> list[Stage]:
    """Load the bundled models of other papers, by year. Raises UserError if one is damaged."""
    return [Stage(name, 0, _sampler(name)) for name in BRANCHES if name in loader.bundled()]


def _sampler(name: str) -> Sampler:
    return Sampler(loader.load(name).generator, 1)
