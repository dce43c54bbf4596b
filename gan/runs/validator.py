"""Measures the model at intervals during a training, to keep the best one."""

from __future__ import annotations

import numpy as np
import torch

from gan.data.image_folder import OVERSAMPLE, Photos
from gan.errors import UserError
from gan.evaluation import metrics
from gan.evaluation.features import DEFAULT, FeatureNetwork, cached, features, find_network
from gan.evaluation.reference import pictures, quotas
from gan.trainer import Trainer
from gan.utils.images import to_uint8

COUNT = 500  # generated pictures: enough to see a trend, drawn in seconds
BATCH = 20
LEAST_HELD_OUT = 50  # photos; the KID to fewer is too noisy to compare two models
# Evaluations use other seeds: the pictures by which a model was chosen would make it look too good there.
FIRST_SEED = 2**31


class Validator:
    """The KID between pictures of the averaged generator and photos, always with the same noise and classes.

    Both have the side that is trained at the moment: a scale that has not been trained yet would only blur the pictures. So
    KIDs of different sides do not compare. Photos are made smaller as the training makes them: a sharper filter would favor
    pictures that are sharper than what was trained on.

    The photos are those held out where there are LEAST_HELD_OUT or more of them, else those trained on. Attributes: `held_out`
    is the number of held-out photos used (0: those trained on); `real` are the features of the photos trained on.
    """

    def __init__(self, network: FeatureNetwork, photos: Photos, held_out: Photos | None = None) -> None:
        """`photos` are those of the trainer, `held_out` others of that size. Features are computed, or read from a cache."""
        self.network = network
        self.real = cached(network, pictures(photos).pixels)  # of the photos trained on
        enough = held_out is not None and len(held_out.labels) >= LEAST_HELD_OUT
        self._photos, self._others = photos, held_out if enough else None
        self.use_held_out(enough)

    def use_held_out(self, held_out: bool) -> None:
        """Compare with the photos held out, or with those trained on; with the latter where too few are held out."""
        self._to = self._others if held_out and self._others else self._photos
        self.held_out = len(self._to.labels) if self._to is not self._photos else 0
        self.labels = quotas(self._to.labels, len(self._to.classes), COUNT)
        # The features of these photos, by the side; those trained on are known at the model's own.
        self._real = {} if self.held_out else {self._to.images.shape[-1] // OVERSAMPLE: self.real}

    def __call__(self, trainer: Trainer) -> float:
        """The KID of the trainer's model now. Changes neither the trainer nor any global state."""
        drawn = [
            to_uint8(trainer.draw(range(first, first + BATCH), labels, side=trainer.side))
            for first, labels in zip(range(FIRST_SEED, FIRST_SEED + COUNT, BATCH), self.labels.split(BATCH))
        ]
        if trainer.side not in self._real:
            self._real = {trainer.side: cached(self.network, pictures(self._to, trainer.side).pixels)}
        return metrics.kid(self._real[trainer.side], features(self.network, np.concatenate(drawn)), 0)


def make_validator(
    photos: Photos, device: torch.device, held_out: Photos | None = None, network: str = DEFAULT
) -> Validator:  # fmt: skip
    """A Validator with the feature network called `network`. Raises UserError when it or torchmetrics is not available."""
    try:
        import torchmetrics  # noqa: F401
    except ImportError:
        raise UserError("torchmetrics is not installed; run pip install -r requirements-dev.txt.") from None
    return Validator(find_network(network, device), photos, held_out)
