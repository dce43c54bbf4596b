"""A model and the photos it is judged against: its flowers, the photos' features, and the measures of both."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan.errors import UserError
from gan.evaluation import memorization
from gan.evaluation.features import FeatureNetwork, cached, features
from gan.evaluation.measures import FeatureSets, measure
from gan.evaluation.reference import MIN_OF_A_CLASS, Pictures, Reference, quotas
from gan.hub.loader import Model
from gan.networks.latents import MAX_SEED, check_seed, check_truncation
from gan.sampling.flower import Flower
from gan.sampling.sampler import Sampler
from gan.utils import validation
from gan.utils.images import resized
from gan.utils.memory import check_memory
from gan.utils.names import composed
from gan.utils.progress import Progress, StageProgress

MAX_N = 50_000
BATCH = 100  # flowers drawn between two calls of `progress`
NOISE = 200  # pictures of random pixels, at most


@dataclass(frozen=True)
class Settings:
    """How to judge. Counts are in pictures."""

    n: int = 2000
    seed: int = 0  # of the first flower; the seeds of the others follow
    truncation: float | None = None  # None: the one with the best KID, searched for with other seeds
    curve: bool = False  # measure the eight truncations of the search also where one is given
    command: str = ""  # the command line, for the report

    def validate(self) -> Settings:
        """Return self. Raises UserError for a number of pictures, a seed or a truncation out of range."""
        validation.whole("number of pictures (-n)", self.n, 100, MAX_N)
        check_seed(self.seed)
        if self.truncation is not None:
            check_truncation(self.truncation)
        return self


class JudgedModel:
    """A model, the photos it is judged against, and the photos' features."""

    def __init__(
        self, model: Model, reference: Reference, network: FeatureNetwork, settings: Settings, progress: StageProgress
    ) -> None:
        """Compute the features of the photos, or read them from the cache.

        Raises UserError when a class would get too few flowers, when they would not fit into memory, and as `network` does.
        """
        check_flowers_of_each_class(reference, settings.n)
        side = model.generator.config.resolution
        # Twice: as they are drawn, and as they are put together.
        check_memory(2 * settings.n * 3 * side * side, f"{settings.n} flowers at {side}×{side}", "judge fewer of them (-n)")
        self.config, self.model, self.reference = model.generator.config, model, reference
        self.network, self.settings, self._progress = network, settings, progress
        self.sampler = Sampler(model.generator)
        self.side = reference.trained_on.pixels.shape[1]  # of the compared pictures, in pixels
        self.trained = cached(network, reference.trained_on.pixels, self.progress("features of photos"))
        held = reference.held_out
        self.held = None if held is None else cached(network, held.pixels, self.progress("features of photos held out"))
        shape = (min(len(self.trained), NOISE), self.side, self.side, 3)
        noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        self.noise = cached(network, noise, self.progress("features of noise"))
        # For each judged class, its index among the classes of the model.
        names = [composed(name) for name in self.config.classes]
        self.model_labels = [names.index(name) for name in map(composed, reference.classes)]

    def progress(self, stage: str) -> Progress:
        """A function of (done, total) that reports this stage."""
        return lambda done, total: self._progress(stage, done, total)

    def draw(self, seed: int, count: int, truncation: float, stage: str) -> Pictures:
        """Draw `count` flowers at the model's own side, in S×S pixels; the classes in the proportions of the photos."""
        labels = quotas(self.reference.trained_on.labels, len(self.reference.classes), count)
        flowers = self._flowers(labels.tolist(), seed, truncation)
        report, drawn = self.progress(stage), []
        for start in range(0, count, BATCH):
            drawn.append(self._drawn(flowers[start : start + BATCH]))
            report(min(start + BATCH, count), count)
        return Pictures(np.concatenate(drawn), labels)

    def draw_in_turn(self, seed: int, count: int, truncation: float) -> np.ndarray:
        """Draw `count` flowers, uint8 N×S×S×3, the classes in turn."""
        return self._drawn(self._flowers([i % len(self.reference.classes) for i in range(count)], seed, truncation))

    def _drawn(self, flowers: list[Flower]) -> np.ndarray:
        """The flowers at the side that the model was trained at, as scales without training only blur them."""
        side = self.config.trained_side
        return np.stack(list(self.sampler.each(flowers, side if side in self.sampler.sides else None)))

    def features(self, pictures: Pictures, stage: str) -> Tensor:
        """The network's features N×D of pictures, resized to `side`."""
        return features(self.network, resized(pictures.pixels, self.side), self.progress(stage))

    def _flowers(self, labels: list[int], seed: int, truncation: float) -> list[Flower]:
        """Flowers of judged classes, their seeds following on from `seed`."""
        return [
            Flower(self.model_labels[label], (seed + i) % (MAX_SEED + 1), truncation) for i, label in enumerate(labels)
        ]  # fmt: skip


class EvaluationRun:
    """The flowers of a model at one truncation, with their features: what every metric is computed from."""

    def __init__(self, judged: JudgedModel, truncation: float, pictures: Pictures | None = None) -> None:
        """Draw the flowers, or take these `pictures` of them, and compute their features. Raises UserError."""
        self.judged, self.truncation = judged, truncation
        self.pictures = pictures or judged.draw(judged.settings.seed, judged.settings.n, truncation, "flowers")
        # N×D. With a cache, because a slow network takes minutes for them and `--card` often follows a first look.
        pixels = resized(self.pictures.pixels, judged.side)
        self.features = cached(judged.network, pixels, judged.progress("features of flowers"))

    def parts(self, every_class: bool = True) -> dict[str, Any]:
        """The metrics of measures.py: of "all" and, with `every_class`, of each class where there are several."""
        names: list[tuple[str, int | None]] = [("all", None)]
        if every_class and len(self.judged.reference.classes) > 1:
            names += [(name, label) for label, name in enumerate(self.judged.reference.classes)]
        report, result = self.judged.progress("figures"), {}
        for number, (name, label) in enumerate(names):
            report(number, len(names))
            result[name] = self._part(label)
        report(len(names), len(names))
        return result

    @cached_property
    def nearest(self) -> tuple[Tensor, Tensor, Tensor]:
        """Distances to the nearest photo trained on, however it is flipped or turned: of flowers N and of held-out photos M.

        And the index N of the photo nearest to each flower. Only where photos were held out.
        """
        judged, ways = self.judged, memorization.DIHEDRAL
        assert judged.held is not None
        turned = memorization.dihedral(judged.reference.trained_on.pixels)
        variants = cached(judged.network, turned, judged.progress("features of turned photos"))
        distances, photos = memorization.nearest(self.features, variants, variants=ways)
        held, _ = memorization.nearest(judged.held, variants, variants=ways)
        return distances, held, photos

    def _part(self, label: int | None) -> dict[str, Any]:
        judged, photos = self.judged, self.judged.reference.trained_on
        flowers = self.features[torch.from_numpy(self.pictures.of(label))]
        trained, held = judged.trained[torch.from_numpy(photos.of(label))], None
        if judged.held is not None and judged.reference.held_out is not None:
            held = judged.held[torch.from_numpy(judged.reference.held_out.of(label))]
        others = None if label is None else judged.trained[torch.from_numpy(~photos.of(label))]
        counts = {"n": len(flowers), "trained_on": len(trained), "held_out": 0 if held is None else len(held)}
        sets = FeatureSets(flowers, trained, held, others, judged.noise)
        return {**counts, "measures": measure(sets, judged.settings.seed)}


def check_flowers_of_each_class(reference: Reference, count: int) -> None:
    """Raise UserError when a class would get fewer than MIN_OF_A_CLASS of `count` flowers."""
    labels = quotas(reference.trained_on.labels, len(reference.classes), count)
    for name, flowers in zip(reference.classes, torch.bincount(labels, minlength=len(reference.classes)).tolist()):
        if flowers < MIN_OF_A_CLASS:
            raise UserError(
                f"the class '{name}' would get {flowers} of {count} flowers, by its share of the photos, and {MIN_OF_A_CLASS} "
                "are needed; draw more with -n."
            )
