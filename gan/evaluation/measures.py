"""The figures that come overall and for each class: distances, neighbours and the two-sample test, each between a floor and
ceilings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan.evaluation import classifier_tests, metrics

FLOOR_REPEATS = 10
BALLS = (3, 5)  # k of precision and recall, density and coverage
BETTER = {"kid": "low", "fd": "low", "auc": "half"}  # all others are better when high


@dataclass(frozen=True)
class FeatureSets:
    """What is compared, as features N×D each."""

    flowers: Tensor
    trained: Tensor  # of the photos trained on
    held: Tensor | None  # of photos held out, of the same classes
    others: Tensor | None  # of photos of the other classes
    noise: Tensor  # of pictures without anything


def measure(sides: FeatureSets, seed: int) -> dict[str, dict[str, Any]]:
    """Every figure with its `value`, standard `error`, `n` flowers, the photos it is `against`, which way is `better`, its
    `floor` (two halves of the photos trained on) and its ceilings, `ceiling_noise` and `ceiling_class` (the other classes;
    None where there are none).
    """
    flowers, real = sides.flowers, sides.trained
    values, errors = metrics.jackknife(distances, (real, flowers), seed=seed)
    floor, floor_errors = metrics.halves(real, distances, FLOOR_REPEATS, seed)
    noise = distances(real, sides.noise)
    other = distances(real, sides.others) if sides.others is not None and len(sides.others) > max(BALLS) else {}
    measures = {
        name: {
            "value": value,
            "error": errors[name],
            "n": len(flowers) if name in ("kid", "fd") else min(len(real), len(flowers)),
            "against": "trained on",
            "better": BETTER.get(name, "high"),
            "floor": floor[name],
            "floor_error": floor_errors[name],
            "floor_n": len(real) // 2,
            "ceiling_noise": noise[name],
            "ceiling_class": other.get(name),
        }
        for name, value in values.items()
    }
    measures["fd_equal"] = {**measures["fd"], **_equal(real, flowers, seed)}
    if sides.held is not None:
        measures["auc"] = _auc(sides, sides.held, seed)
    return measures


def distances(real: Tensor, fake: Tensor) -> dict[str, float]:
    """Every figure that compares two sets of features."""
    result = {"kid": metrics.kid(real, fake, 0), "fd": metrics.frechet(real, fake)}
    for k in BALLS:
        result.update({f"{name}_{k}": value for name, value in _neighbours(real, fake, k).items()})
    return result


def sweep(real: Tensor, fake: Tensor) -> dict[str, float]:
    """The three that tell fidelity from diversity."""
    near = _neighbours(real, fake, BALLS[0])
    return {"kid": metrics.kid(real, fake, 0), "precision": near["precision"], "recall": near["recall"]}


def some(photos: Any, count: int) -> Any:
    """`count` of the photos (or their features), of every class as they come: they stand in the order of their classes."""
    return photos if count == len(photos) else photos[np.random.default_rng(0).permutation(len(photos))[:count]]


def _neighbours(real: Tensor, fake: Tensor, k: int) -> dict[str, float]:
    """Precision and the others at equal numbers: the mean over as many runs of fakes as there are photos."""
    count = min(len(real), len(fake))
    runs = [metrics.neighbours(some(real, count), fake[i : i + count], k) for i in range(0, len(fake) - count + 1, count)]
    return {name: float(np.mean([run[name] for run in runs])) for name in runs[0]}


def _equal(real: Tensor, flowers: Tensor, seed: int) -> dict[str, Any]:
    """The Fréchet distance at the number of its floor, to be held against it: of as many photos and flowers."""
    rng, half = torch.Generator().manual_seed(seed), min(len(real) // 2, len(flowers))
    draws = [[torch.randperm(len(x), generator=rng)[:half] for x in (real, flowers)] for _ in range(FLOOR_REPEATS)]
    values = [metrics.frechet(real[a], flowers[b]) for a, b in draws]
    return {"value": float(np.mean(values)), "error": float(np.std(values)), "n": half}


def _auc(sides: FeatureSets, held: Tensor, seed: int) -> dict[str, Any]:
    """The two-sample test against photos held out; its floor is how well those can be told from photos trained on."""
    value, error = classifier_tests.two_sample_auc(held, sides.flowers, seed)
    floor, floor_error = classifier_tests.two_sample_auc(held, sides.trained, seed)
    return {
        "value": value,
        "error": error,
        "n": len(held),
        "against": "held out",
        "better": "half",
        "floor": floor,
        "floor_error": floor_error,
        "floor_n": len(held),
        "ceiling_noise": classifier_tests.two_sample_auc(held, sides.noise, seed)[0],
        "ceiling_class": None if sides.others is None else classifier_tests.two_sample_auc(held, sides.others, seed)[0],
    }
