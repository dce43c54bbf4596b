"""What a linear classifier sees in feature vectors: whether pictures are generated, and of which class they are.

Features are float tensors N×D, one row a picture, on the CPU.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan.errors import UserError

LEAST = 10  # pictures a side: two in each of the folds
FOLDS = 5
RUNS = 10
MOST = 1000  # pictures a side in a run, so that photos held out by the thousand do not take the night
# Inverse strength of the L2 penalty. With 70 photos a side and 1280 features, 1e-3 tells dandelions from marigolds always and
# an even mixture of them from three to one more often than 1e-2 and weaker penalties do; two halves of one set stay at 0.5.
C = 1e-3


def two_sample_auc(real: Tensor, fake: Tensor, seed: int) -> tuple[float, float]:
    """How well real N×D and generated M×D can be told apart: the area under the ROC curve, and its standard error.

    0.5: not at all; 1: always. The classifier two-sample test (Lopez-Paz and Oquab 2017) with logistic regression, judged
    on folds it was not trained on. RUNS runs with other folds, each on equal numbers a side; the larger side is cut into
    disjoint chunks, and the runs take these in turn. Give photos that the generator was not trained on.

    The error is that of Hanley and McNeil 1982 for the numbers used, 0 at an area of 1. It takes the classifier as given:
    on normal samples like the features of 20 or 72 photos it was 0.7 to 2.2 times the true spread, too small near 0.5 and
    with a single chunk. Raises UserError for fewer than LEAST pictures a side.
    """
    size = min(len(real), len(fake), MOST)
    if size < LEAST:
        raise UserError(f"there are only {size} pictures on one side to tell apart; use {LEAST} or more.")
    rng = torch.Generator().manual_seed(seed)
    sides = [x[torch.randperm(len(x), generator=rng)][: RUNS * size].split(size) for x in (real, fake)]
    sides = [[chunk.double().numpy() for chunk in chunks if len(chunk) == size] for chunks in sides]
    runs = [_auc(*(chunks[run % len(chunks)] for chunks in sides), seed + run) for run in range(RUNS)]
    auc = float(np.mean(runs))
    return auc, _hanley_mcneil(auc, *(size * len(chunks) for chunks in sides))


class Probe:
    """A linear classifier of photos by their features, which can then be asked what generated pictures look like."""

    def __init__(self, features: Tensor, labels: Tensor, classes: Sequence[str]) -> None:
        """Train on photos' `features` N×D with `labels` N, int64 indices into `classes`; every class weighs the same.

        Raises UserError when there is one class only, or a class without a photo.
        """
        if len(classes) < 2:
            raise UserError(f"there is only the class '{classes[0]}', so there is nothing to tell it from; use two or more.")
        missing = [name for name, count in zip(classes, labels.bincount(minlength=len(classes))) if not count]
        if missing:
            raise UserError(f"the class '{missing[0]}' has no photo to learn it from; add some, or leave the class out.")
        self.classes = tuple(classes)
        self._model = _classifier().fit(features.double().numpy(), labels.numpy())

    def confusion(self, features: Tensor, labels: Tensor) -> np.ndarray:
        """Counts K×K of pictures N×D: the row is the class in `labels` N (true, or asked for), the column the one seen."""
        seen = self._model.predict(features.double().numpy())
        result = np.zeros((len(self.classes),) * 2, np.int64)
        np.add.at(result, (labels.numpy(), seen), 1)
        return result

    def accuracy(self, features: Tensor, labels: Tensor) -> float:
        """The share of pictures N×D seen as what `labels` say."""
        return float(np.trace(self.confusion(features, labels)) / len(labels))


def _classifier() -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=C, class_weight="balanced", max_iter=1000))


def _auc(a: np.ndarray, b: np.ndarray, seed: int) -> float:
    """The mean over FOLDS, as scores of classifiers trained on different pictures do not share a scale."""
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
