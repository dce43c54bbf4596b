"""Whether a generator repeats the photos it was trained on, or itself: nearest neighbours among feature vectors.

Features are float tensors, one row a picture, on the CPU; distances are Euclidean, computed in float64.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from gan.errors import UserError

ROWS = 256  # of a table of distances that are in memory at once
DIHEDRAL = 8  # ways to flip and turn a square


def dihedral(pixels: np.ndarray) -> np.ndarray:
    """Pictures uint8 N×S×S×3 in all eight ways to flip and turn them, 8N×S×S×3, those of one picture together.

    The training flips and turns its photos, so that a copy may be of any of them.
    """
    turned = [np.rot90(way, turns, (1, 2)) for way in (pixels, pixels[:, :, ::-1]) for turns in range(4)]
    return np.stack(turned, 1).reshape(-1, *pixels.shape[1:])


def nearest(queries: Tensor, references: Tensor, variants: int = 1, itself: bool = False) -> tuple[Tensor, Tensor]:
    """The nearest photo to each query: distances N, and which photo, from 0 to M − 1.

    `queries` N×D; `references` (M·V)×D, where each photo has `variants` V rows in a run: a training that flips and turns its
    photos can learn a copy of any of them. `itself` is for a set against itself: a picture's own row does not count.
    Raises UserError when there is no picture to compare with.
    """
    if len(references) < 1 + itself:
        raise UserError("there is no other picture to compare with; use two or more.")
    found = [table.min(1) for table in _tables(queries, references, itself)]
    return torch.cat([part.values for part in found]), torch.cat([part.indices for part in found]) // variants


def share_below(distances: Tensor, reference: Tensor, percentile: float = 1) -> float:
    """The share of `distances` no larger than the given percentile (0 to 100) of the `reference` ones.

    With photos held out as the reference and generated pictures as the rest, a generator that has learnt nothing by heart
    has about `percentile` / 100; fewer than 100 reference photos leave little but the smallest to go by.
    """
    threshold = torch.quantile(reference.double(), percentile / 100)
    return (distances.double() <= threshold).double().mean().item()


def closest(distances: Tensor, count: int = 10) -> Tensor:
    """Indices of the `count` smallest distances, the smallest first; all of them where there are fewer."""
    return distances.argsort(stable=True)[:count]


def support_size(features: Tensor, threshold: float) -> dict[str, float | int | bool]:
    """How many different pictures a generator can draw, from how often two of N×D are no farther apart than `threshold`.

    The birthday paradox of Arora and Zhang 2017: c duplicates among n(n − 1)/2 pairs are what n(n − 1)/(2c) pictures drawn
    evenly would give; where some are drawn more often there are more. Without any duplicate only a lower bound is known,
    a third of the pairs: with fewer pictures, duplicates would be found 95 times out of 100 (the rule of three).
    Gives `pictures` n, `pairs`, `duplicates` c, `size`, and `at_least`, whether that is the bound. Raises UserError for
    fewer than two pictures.
    """
    count = len(features)
    if count < 2:
        raise UserError("there is no other picture to compare with; use two or more.")
    duplicates = sum(int((table <= threshold).sum()) for table in _tables(features, features, itself=True)) // 2
    pairs = count * (count - 1) // 2
    return {
        "pictures": count,
        "pairs": pairs,
        "duplicates": duplicates,
        "size": pairs / (duplicates or 3),
        "at_least": duplicates == 0,
    }


def _tables(queries: Tensor, references: Tensor, itself: bool) -> Iterator[Tensor]:
    """Distances of some queries after others to all references; infinite to the row of the same number if `itself`."""
    queries, references = queries.double(), references.double()
    same = 1e-6 * references.norm(dim=1).max()
    for start in range(0, len(queries), ROWS):
        table = torch.cdist(queries[start : start + ROWS], references)
        table[table < same] = 0  # it comes from matrix products, which leave about 1e-7 of a norm where 0 belongs
        if itself:
            table.diagonal(start).fill_(torch.inf)
        yield table
