"""Pictures beside photos by one frozen network: the figures of peers.py, lr_decay.py, how_many_photos.py and new_class.py."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from gan.errors import UserError
from gan.evaluation import memorization, metrics
from gan.evaluation.features import FeatureNetwork, cached, features, find_network
from gan.evaluation.measures import FLOOR_REPEATS, neighbors_at_equal_numbers
from gan.utils.files import json_bytes, write_atomic

NEIGHBORS = 3  # k of precision and recall
NETWORKS = ("mobilenetv2", "dinov2")  # that judge


def distances(real: Tensor, fake: Tensor) -> dict[str, float]:
    """KID, precision and recall of features of pictures N×D beside those of photos M×D."""
    found = neighbors_at_equal_numbers(real, fake, NEIGHBORS)
    return {"kid": metrics.kid(real, fake, 0), "precision": found["precision"], "recall": found["recall"]}


def measured(real: Tensor, fake: Tensor) -> dict[str, float]:
    """What `distances` gives, and the standard error of each value under `KEY_error`."""
    values, errors = metrics.jackknife(distances, (real, fake))
    return {**values, **{f"{key}_error": error for key, error in errors.items()}}


def copies(drawn: Tensor, held_out: Tensor, variants: Tensor) -> float:
    """The share of pictures nearer to a photo trained on than 99 % of the photos held out are.

    `variants` are the features of `mirrored` photos.
    """
    nearest, limit = (memorization.nearest(x, variants, variants=2)[0] for x in (drawn, held_out))
    return memorization.share_below(nearest, limit)


def twins(drawn: Tensor, real: Tensor) -> float:
    """The share of pictures nearer to another picture than 99 % of as many photos are to another photo."""
    count = min(len(real), len(drawn))
    own, photos = (memorization.nearest(x[:count], x[:count], itself=True)[0] for x in (drawn, real))
    return memorization.share_below(own, photos)


def mirrored(pixels: np.ndarray) -> np.ndarray:
    """Pictures N×S×S×3, each followed by its mirror image: 2N×S×S×3."""
    return np.stack([pixels, pixels[:, :, ::-1]], 1).reshape(-1, *pixels.shape[1:])


@dataclass
class Reference:
    """The photos trained on and those held out, uint8 N×S×S×3 each."""

    trained_on: np.ndarray
    held_out: np.ndarray
    _known: dict[str, tuple[FeatureNetwork, Tensor, Tensor, Tensor] | None] = field(default_factory=dict)

    def judge(self, name: str, pictures: Path, out: Path) -> dict[str, Any] | None:
        """The figures of the pictures in a folder by the network `name`; None where that network cannot be had.

        | key | what it is |
        | --- | --- |
        | `kid`, `precision`, `recall` | against the photos trained on, with their standard errors |
        | `fd` | the Fréchet distance to the photos trained on |
        | `copies` | share of pictures nearer to a photo trained on than 99 % of the photos held out are |
        | `n` | pictures |
        """
        if (known := self._features(name, out)) is None:
            return None
        network, trained, held, variants = known
        drawn = features(network, np.concatenate([np.load(path) for path in sorted(pictures.glob("*.npy"))]))
        return {
            **measured(trained, drawn), "fd": metrics.frechet(trained, drawn), "copies": copies(drawn, held, variants),
            "n": len(drawn), "label": network.label,
        }  # fmt: skip

    def _features(self, name: str, out: Path) -> tuple[FeatureNetwork, Tensor, Tensor, Tensor] | None:
        """The network, and its features of the photos trained on, held out, and trained on with their mirror images."""
        if name not in self._known:
            try:
                network = find_network(name)
            except UserError as error:
                print(f"not judged by {name}: {error}", flush=True)
                self._known[name] = None
                return None
            variants = cached(network, mirrored(self.trained_on))
            trained, held = variants[::2], cached(network, self.held_out)
            self._known[name] = network, trained, held, variants
            if not (path := out / f"floor-{name}.json").exists():
                write_atomic(path, json_bytes(floor(trained) | {"label": network.label, "sha256": network.digest}))
                print(f"floor by {name}: {json.loads(path.read_text())}", flush=True)
        return self._known[name]


def floor(trained: Tensor) -> dict[str, Any]:
    """The figures of one half of the photos beside the other, and their spread over random halves."""
    values, errors = metrics.halves(
        trained, lambda a, b: distances(a, b) | {"fd": metrics.frechet(a, b)}, FLOOR_REPEATS, 0
    )  # fmt: skip
    return {**values, **{f"{key}_error": error for key, error in errors.items()}, "n": len(trained) // 2}
