"""Metrics of the whole and of each class: distances, neighbors and the two-sample test, each between a floor and ceilings.

A new metric is a new entry of METRICS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan.evaluation import classifier_tests, metrics
from gan.evaluation.registry import Better, Comparison, Gauge, Metric

FLOOR_REPEATS = 10
NEIGHBORS = (3, 5)  # k of precision and recall, density and coverage


@dataclass(frozen=True)
class FeatureSets:
    """The pictures to compare, as features N×D of each set."""

    flowers: Tensor
    trained: Tensor  # of the photos trained on
    held: Tensor | None  # of photos held out, of the same classes
    others: Tensor | None  # of photos of the other classes
    noise: Tensor  # of random pixels


@dataclass(frozen=True)
class Measured:
    """One figure between what real photos have and what other pictures have."""

    value: float
    error: float  # standard error of `value`
    n: int  # flowers; where equal numbers are compared, those of one side
    against: str  # the photos: "trained on" or "held out"
    floor: float  # the same figure of photos against photos
    floor_error: float  # its spread over random halves, or its standard error
    floor_n: int
    ceiling_noise: float  # the same figure of random pixels
    ceiling_class: float | None  # the same figure of photos of the other classes

    def as_json(self, better: Better | None) -> dict[str, Any]:
        """Plain values, in the order of evaluation.json."""
        return {
            "value": self.value, "error": self.error, "n": self.n, "against": self.against, "better": better,
            "floor": self.floor, "floor_error": self.floor_error, "floor_n": self.floor_n,
            "ceiling_noise": self.ceiling_noise, "ceiling_class": self.ceiling_class,
        }  # fmt: skip


def measure(sets: FeatureSets, seed: int) -> dict[str, dict[str, Any]]:
    """Every metric of METRICS that these sets allow: key → the fields of `Measured`, and which way is `better`."""
    found = _measured_distances(sets, seed)
    for metric in METRICS:
        if metric.measure and (measured := metric.measure(sets, seed, found)) is not None:
            found[metric.key] = measured
    better = {metric.key: metric.better for metric in METRICS}
    return {key: measured.as_json(better[key]) for key, measured in found.items()}


def distances(real: Tensor, fake: Tensor) -> dict[str, float]:
    """Every metric that compares features of photos M×D with those of pictures N×D: key → figure."""
    result: dict[str, float] = {}
    for metric in METRICS:
        if metric.distance and metric.key not in result:
            found = metric.distance(real, fake)
            result.update(found if isinstance(found, Mapping) else {metric.key: found})
    return result


def neighbors_at_equal_numbers(real: Tensor, fake: Tensor, k: int) -> dict[str, float]:
    """`metrics.neighbors` of as many pictures as photos, as recall and coverage rise with the number of pictures.

    With more pictures than photos, the mean over as many disjoint runs of pictures as there are.
    """
    count = min(len(real), len(fake))
    starts = range(0, len(fake) - count + 1, count)
    runs = [metrics.neighbors(subset(real, count), fake[start : start + count], k) for start in starts]
    return {name: float(np.mean([run[name] for run in runs])) for name in runs[0]}


def subset(photos: Any, count: int) -> Any:
    """`count` rows of the photos or of their features, drawn at random, as the first ones would be of one class."""
    return photos if count == len(photos) else photos[np.random.default_rng(0).permutation(len(photos))[:count]]


def _measured_distances(sets: FeatureSets, seed: int) -> dict[str, Measured]:
    """The metrics of `distances` with their errors, floors and ceilings."""
    flowers, real = sets.flowers, sets.trained
    values, errors = metrics.jackknife(distances, (real, flowers), seed=seed)
    floor, floor_errors = metrics.halves(real, distances, FLOOR_REPEATS, seed)
    noise = distances(real, sets.noise)
    other = distances(real, sets.others) if sets.others is not None and len(sets.others) > max(NEIGHBORS) else {}
    equal = {metric.key for metric in METRICS if metric.equal_numbers}
    return {
        key: Measured(
            value=value,
            error=errors[key],
            n=min(len(real), len(flowers)) if key in equal else len(flowers),
            against="trained on",
            floor=floor[key],
            floor_error=floor_errors[key],
            floor_n=len(real) // 2,
            ceiling_noise=noise[key],
            ceiling_class=other.get(key),
        )
        for key, value in values.items()
    }


def _frechet_at_equal_numbers(sets: FeatureSets, seed: int, found: Mapping[str, Measured]) -> Measured:
    """The Fréchet distance of as many flowers as its floor has photos: it depends on the number of pictures.

    The mean over FLOOR_REPEATS random draws of both. Its error is the spread of the draws or, where that is smaller because all
    draws are of nearly the same flowers, the jackknife error of the distance of all.
    """
    real, flowers = sets.trained, sets.flowers
    rng, half = torch.Generator().manual_seed(seed), min(len(real) // 2, len(flowers))
    draws = [[torch.randperm(len(x), generator=rng)[:half] for x in (real, flowers)] for _ in range(FLOOR_REPEATS)]
    values = [metrics.frechet(real[a], flowers[b]) for a, b in draws]
    error = max(float(np.std(values, ddof=1)), found["fd"].error)
    return replace(found["fd"], value=float(np.mean(values)), error=error, n=half)


def _auc(sets: FeatureSets, seed: int, found: Mapping[str, Measured]) -> Measured | None:
    """The two-sample test against photos held out; its floor is the same test of the photos trained on.

    None where no photos were held out.
    """
    if sets.held is None:
        return None
    value, error = classifier_tests.two_sample_auc(sets.held, sets.flowers, seed)
    floor, floor_error = classifier_tests.two_sample_auc(sets.held, sets.trained, seed)
    return Measured(
        value=value,
        error=error,
        n=classifier_tests.compared(sets.held, sets.flowers),
        against="held out",
        floor=floor,
        floor_error=floor_error,
        floor_n=classifier_tests.compared(sets.held, sets.trained),
        ceiling_noise=classifier_tests.two_sample_auc(sets.held, sets.noise, seed)[0],
        ceiling_class=None if sets.others is None else classifier_tests.two_sample_auc(sets.held, sets.others, seed)[0],
    )


def _neighbors(k: int) -> Callable[[Tensor, Tensor], dict[str, float]]:
    """The four figures of `metrics.neighbors` under the keys "precision_3", …"""
    return lambda real, fake: {f"{name}_{k}": value for name, value in neighbors_at_equal_numbers(real, fake, k).items()}


def _neighbor_metrics(k: int, shown: tuple[str, ...]) -> list[Metric]:
    """Precision, recall, density and coverage with `k` neighbors; those `shown` are in the tables and on the page."""
    distance = _neighbors(k)
    return [
        Metric(
            f"{name}_{k}", f"{name} (k={k})", better="high", distance=distance, equal_numbers=True, headline=name in shown,
            share=name != "density",  # which may exceed 1
            gauge=Gauge(f"{name.capitalize()}, {k} neighbors", "Right is better.", "variety") if name in shown else None,
            comparison=_NEIGHBOR_COMPARISONS.get(f"{name}_{k}"),
        )
        for name in ("precision", "recall", "density", "coverage")
    ]  # fmt: skip


_NEIGHBOR_COMPARISONS = {
    "precision_3": Comparison("Precision", "The share of flowers that could be one of the photos; right is better."),
    "recall_3": Comparison("Recall", "The share of photos that could be one of the flowers; right is better."),
}

METRICS: tuple[Metric, ...] = (
    Metric(
        "kid", "{kid}", better="low", headline=True,
        distance=lambda real, fake: metrics.kid(real, fake, 0),
        gauge=Gauge("{kid}: {part}", "Left is better.", "kid", every_class=True),
        comparison=Comparison(
            "{kid}", "How far apart the flowers and the photos are to a network that knows pictures; left is better."
        ),
    ),
    Metric("fd", "{fd}", better="low", distance=metrics.frechet, floored=False),
    *_neighbor_metrics(3, shown=("precision", "recall")),
    *_neighbor_metrics(5, shown=("density", "coverage")),
    Metric(
        "fd_equal", "{fd}, equal n", better="low", headline=True,
        measure=_frechet_at_equal_numbers,
        gauge=Gauge("{fd}, equal n: {part}", "Left is better.", "fd"),
    ),
    Metric(
        "auc", "AUC", better="half", headline=True, share=True,  # of pairs that are told apart
        measure=_auc,
        gauge=Gauge("AUC: {part}", "Nearer to 0.5 is better.", "auc", every_class=True),
        comparison=Comparison(
            "AUC",
            "How often a judge points at the photo, given a flower and a photo; the nearer to 0.5, which is guessing, "
            "the better.",
        ),
    ),
)  # fmt: skip
