"""Does a generator repeat the photos it was trained on, or itself? Answered by nearest neighbors of feature vectors.

Features are float tensors N×D on the CPU, one row for each picture. Distances are Euclidean, in float64.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from gan.errors import UserError
from gan.evaluation.metrics import GROUPS, jackknife

ROWS = 256  # of a table of distances in memory at a time
DIHEDRAL = 8  # ways to flip and turn a square


def dihedral(pixels: np.ndarray) -> np.ndarray:
    """Pictures uint8 N×S×S×3 in all eight ways to flip and turn them: 8N×S×S×3, those of one picture one after another.

    The training flips and turns its photos, so a copy may be of any of the eight.
    """
    turned = [np.rot90(way, turns, (1, 2)) for way in (pixels, pixels[:, :, ::-1]) for turns in range(4)]
    return np.stack(turned, 1).reshape(-1, *pixels.shape[1:])


def nearest(queries: Tensor, references: Tensor, variants: int = 1, itself: bool = False) -> tuple[Tensor, Tensor]:
    """The nearest of M photos to each of `queries` N×D: distances N, and indices N from 0 to M − 1.

    `references` are (M·V)×D: each photo has `variants` V consecutive rows, such as those of `dihedral`. `itself` is for a set
    compared with itself: a picture is not its own neighbor. Raises UserError when there is no picture to compare with.
    """
    if len(references) < 1 + itself:
        raise UserError("there is no other picture to compare with; use two or more.")
    found = [table.min(1) for table in _tables(queries, references, itself)]
    return torch.cat([part.values for part in found]), torch.cat([part.indices for part in found]) // variants


def share_below(distances: Tensor, reference: Tensor, percentile: float = 1) -> float:
    """The share, 0 to 1, of `distances` N that are at most the `percentile` (0 to 100) of `reference` distances M.

    With held-out photos as the reference, a generator that copied no photo has a share of about `percentile` / 100. With fewer
    than 100 / `percentile` reference photos, the threshold is close to the smallest of their distances.
    """
    threshold = torch.quantile(reference.double(), percentile / 100)
    return (distances.double() <= threshold).double().mean().item()


def share_below_error(distances: Tensor, reference: Tensor, percentile: float = 1) -> float | None:
    """The standard error of `share_below`, as the threshold is uncertain, too: the jackknife over both sets.

    None for fewer distances than it takes.
    """
    if min(len(distances), len(reference)) < GROUPS:
        return None
    return jackknife(lambda a, b: share_below(a, b, percentile), (distances, reference))[1]


def closest(distances: Tensor, count: int = 10) -> Tensor:
    """Indices of the `count` smallest of distances N, the smallest first; all where there are fewer."""
    return distances.argsort(stable=True)[:count]


def support_size(features: Tensor, threshold: float) -> dict[str, float | int | bool]:
    """How many different pictures a generator can draw, from the duplicates in `features` n×D (Arora and Zhang 2017).

    Two pictures are duplicates if they are at most `threshold` apart. By the birthday paradox, c duplicates among n(n − 1)/2
    pairs are expected of a generator that draws size = n(n − 1)/(2c) pictures equally often. If it draws some more often than
    others, the true number is larger. Without duplicates, `size` is the lower bound pairs/3 (the rule of three, 95 %).

    Returns `pictures` n, `pairs`, `duplicates` c, `size`, `at_least`: whether `size` is the bound, and `least`, the bound for
    any c: pairs over the one-sided 95 % upper limit of a Poisson variable seen as c (Garwood 1936). Raises UserError for fewer
    than two pictures.
    """
    from scipy.stats import chi2

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
        "least": pairs / (chi2.ppf(0.95, 2 * duplicates + 2).item() / 2),
    }


def _tables(queries: Tensor, references: Tensor, itself: bool) -> Iterator[Tensor]:
    """Distances to all references, of ROWS queries at a time. If `itself`, those to the row of the same index are infinite."""
    queries, references = queries.double(), references.double()
    same = 1e-6 * references.norm(dim=1).max()
    for start in range(0, len(queries), ROWS):
        table = torch.cdist(queries[start : start + ROWS], references)
        table[table < same] = 0  # matrix products have errors of about 1e-7 of a norm
        if itself:
            table.diagonal(start).fill_(torch.inf)
        yield table
