"""How good a model in training is, at intervals: the figure by which the best moment of a run is chosen."""

from __future__ import annotations

import numpy as np
import torch

from . import metrics
from .data import Photos
from .errors import UserError
from .features import FeatureNetwork, cached, features, find_network
from .generator import to_uint8
from .reference import pictures, quotas
from .trainer import Trainer

COUNT = 500  # flowers: enough to see a trend, and seconds to draw
BATCH = 20
# Far from the seeds of an evaluation: flowers by which a moment was chosen would flatter it there.
FIRST_SEED = 2**31


class Judge:
    """KID of the averaged generator to the photos it is trained on, always from the same noise and classes."""

    def __init__(self, network: FeatureNetwork, photos: Photos) -> None:
        """`photos` as the trainer has them. Reads their features from the cache, or computes them."""
        self.network = network
        self.real = cached(network, pictures(photos).pixels)
        self.labels = quotas(photos.labels, len(photos.classes), COUNT)

    def __call__(self, trainer: Trainer) -> float:
        """The KID now; does not touch the trainer or any global state."""
        drawn = [
            to_uint8(trainer.draw(range(first, first + BATCH), labels))
            for first, labels in zip(range(FIRST_SEED, FIRST_SEED + COUNT, BATCH), self.labels.split(BATCH))
        ]
        return metrics.kid(self.real, features(self.network, np.concatenate(drawn)), 0)


def find_judge(photos: Photos, device: torch.device) -> Judge:
    """A judge with the default feature network. Raises UserError when it, or torchmetrics, cannot be had."""
    try:
        import torchmetrics  # noqa: F401
    except ImportError:
        raise UserError("torchmetrics is not installed; run pip install -r requirements-dev.txt.") from None
    return Judge(find_network(device=device), photos)
