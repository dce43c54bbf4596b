"""Linear classifiers of feature vectors: can flowers be told from photos, and is the class the one that was asked for?

Features are float tensors N×D on the CPU, one row for each picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan.errors import UserError

MIN_PICTURES = 10  # of each set: two in each fold
MAX_PICTURES = 1000  # of each set in a run, so that thousands of photos do not take hours
FOLDS = 5
RUNS = 10
C = 1e-3  # inverse strength of the L2 penalty; larger values told apart less with 70 photos of each set and 1280 features


def two_sample_auc(real: Tensor, fake: Tensor, seed: int) -> tuple[float, float]:
    """The classifier two-sample test of `real` N×D and `fake` M×D: area under the ROC curve, and its standard error.

    0.5: the two cannot be told apart; 1: they always can (Lopez-Paz and Oquab 2017). The classifier is a logistic regression,
    scored on folds it was not trained on. The area is the mean of RUNS runs with other folds. A run takes equal numbers of
    both: the larger set is cut into disjoint chunks, which the runs take in turn. `real` should be photos that the
    generator was not trained on.

    The standard error is that of Hanley and McNeil (1982), and 0 at an area of 1. It ignores that the classifier is itself
    trained on a sample, so that it can be half or twice the true spread. Raises UserError for fewer than MIN_PICTURES pictures.
    """
    size = compared(real, fake)
    if size < MIN_PICTURES:
        raise UserError(f"there are only {size} pictures on one side to tell apart; use {MIN_PICTURES} or more.")
    rng = torch.Generator().manual_seed(seed)
    photos, flowers = (_chunks(x[torch.randperm(len(x), generator=rng)], size) for x in (real, fake))
    runs = [_auc(photos[run % len(photos)], flowers[run % len(flowers)], seed + run) for run in range(RUNS)]
    auc = float(np.mean(runs))
    return auc, _hanley_mcneil(auc, size * len(photos), size * len(flowers))


def compared(real: Tensor, fake: Tensor) -> int:
    """How many pictures of each side a run of `two_sample_auc` compares."""
    return min(len(real), len(fake), MAX_PICTURES)


class Probe:
    """A linear classifier of photos by class, that can also classify generated pictures (Shmelkov et al. 2018)."""

    def __init__(self, features: Tensor, labels: Tensor, classes: Sequence[str]) -> None:
        """Train on photos' `features` N×D with `labels` N, int64 indices into `classes`. Every class has the same weight.

        Raises UserError when there is only one class, or a class without a photo.
        """
        if len(classes) < 2:
            raise UserError(f"there is only the class '{classes[0]}', so there is nothing to tell it from; use two or more.")
        missing = [name for name, count in zip(classes, labels.bincount(minlength=len(classes))) if not count]
        if missing:
            raise UserError(f"the class '{missing[0]}' has no photo to learn it from; add some, or leave the class out.")
        self.classes = tuple(classes)
        self._model = _classifier().fit(features.double().numpy(), labels.numpy())

    def confusion(self, features: Tensor, labels: Tensor) -> np.ndarray:
        """Counts K×K of pictures N×D. A row is the class in `labels` N (true, or asked for), a column the predicted one."""
        seen = self._model.predict(features.double().numpy())
        result = np.zeros((len(self.classes),) * 2, np.int64)
        np.add.at(result, (labels.numpy(), seen), 1)
        return result

    def accuracy(self, features: Tensor, labels: Tensor) -> float:
        """The share of pictures N×D whose predicted class is that in `labels` N."""
        return float(np.trace(self.confusion(features, labels)) / len(labels))


def _chunks(shuffled: Tensor, size: int) -> list[np.ndarray]:
    """Disjoint chunks of exactly `size` rows, at most RUNS of them, in float64."""
    return [chunk.double().numpy() for chunk in shuffled[: RUNS * size].split(size) if len(chunk) == size]


def _classifier() -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=C, class_weight="balanced", max_iter=1000))


def _auc(a: np.ndarray, b: np.ndarray, seed: int) -> float:
    """The mean of the areas of FOLDS folds. Scores of different folds are not pooled: each classifier has its own scale."""
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed % 2**32)
    truth = np.repeat([0, 1], [len(a), len(b)])
    return float(cross_val_score(_classifier(), np.concatenate([a, b]), truth, cv=folds, scoring="roc_auc").mean())


def _hanley_mcneil(auc: float, real: int, fake: int) -> float:
    """Standard error of an area under the ROC curve from `real` and `fake` scores (Hanley and McNeil 1982, equation 1)."""
    auc = max(auc, 1 - auc)
    both, twice = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (fake - 1) * (both - auc**2) + (real - 1) * (twice - auc**2)
    return math.sqrt(max(0.0, variance) / (real * fake))
