"""How good a model in training is, at intervals: the figure by which the best moment of a run is chosen."""

from __future__ import annotations

import numpy as np
import torch

from gan.data.image_folder import Photos
from gan.errors import UserError
from gan.evaluation import metrics
from gan.evaluation.features import FeatureNetwork, cached, features, find_network
from gan.evaluation.reference import pictures, quotas
from gan.trainer import Trainer
from gan.utils.images import to_uint8

COUNT = 500  # flowers: enough to see a trend, and seconds to draw
BATCH = 20
LEAST_HELD_OUT = 50  # photos; fewer are too coarse a measure to tell two moments apart by
# Far from the seeds of an evaluation: flowers by which a moment was chosen would flatter it there.
FIRST_SEED = 2**31


class Validator:
    """KID of the averaged generator to photos, always from the same noise and classes.

    The photos are those held out of the training, where there are LEAST_HELD_OUT of them; otherwise those it is trained on.
    """

    def __init__(self, network: FeatureNetwork, photos: Photos, held_out: Photos | None = None) -> None:
        """`photos` as the trainer has them, `held_out` the same way. Reads their features from the cache, or computes them."""
        self.network = network
        self.real = cached(network, pictures(photos).pixels)  # of the photos trained on
        self._photos, self._others = photos, None
        if held_out is not None and len(held_out.labels) >= LEAST_HELD_OUT:
            self._others = (cached(network, pictures(held_out).pixels), held_out)
        self.go_on(self._others is not None)

    def go_on(self, held_out: bool) -> None:
        """Judge by the photos held out, or by those trained on, as a run has begun to; by these where no others are there."""
        features_of, photos = self._others if held_out and self._others else (self.real, self._photos)
        self.held_out = len(photos.labels) if photos is not self._photos else 0  # photos judged by; 0: those trained on
        self._to, self.labels = features_of, quotas(photos.labels, len(photos.classes), COUNT)

    def __call__(self, trainer: Trainer) -> float:
        """The KID now; does not touch the trainer or any global state."""
        drawn = [
            to_uint8(trainer.draw(range(first, first + BATCH), labels))
            for first, labels in zip(range(FIRST_SEED, FIRST_SEED + COUNT, BATCH), self.labels.split(BATCH))
        ]
        return metrics.kid(self._to, features(self.network, np.concatenate(drawn)), 0)


def find_judge(photos: Photos, device: torch.device, held_out: Photos | None = None) -> Validator:
    """A judge with the default feature network. Raises UserError when it, or torchmetrics, cannot be had."""
    try:
        import torchmetrics  # noqa: F401
    except ImportError:
        raise UserError("torchmetrics is not installed; run pip install -r requirements-dev.txt.") from None
    return Validator(find_network(device=device), photos, held_out)
