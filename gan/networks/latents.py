"""Seeds → noise, and truncation. Everything here runs on the CPU, so that a seed gives the same noise on every device."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from gan.errors import UserError
from gan.utils import validation

MAX_SEED = 2**32 - 1
MIN_TRUNCATION, MAX_TRUNCATION, DEFAULT_TRUNCATION = 0.01, 3.0, 1.5


def noise(seeds: Sequence[int], z_dim: int, truncation: float | None) -> Tensor:
    """Noise N×z_dim in float32. Row i depends on `seeds[i]` only, so that a flower is the same in every batch.

    With a `truncation` t the distribution is the normal one limited to [−t, t] (paper, fig. 20), with None the whole one. z is
    the inverse distribution function of a uniform number, not a redraw until |z| ≤ t: so a seed keeps its flower while t
    changes. Raises UserError for a seed or a truncation out of range.
    """
    uniform = torch.stack([_uniform_numbers(check_seed(seed), z_dim) for seed in seeds])
    if truncation is None:
        return torch.special.ndtri(uniform).float()
    truncation = check_truncation(truncation)
    low = torch.special.ndtr(torch.tensor(-truncation, dtype=torch.float64))
    return torch.special.ndtri(low + uniform * (1 - 2 * low)).clamp(-truncation, truncation).float()


def spread(truncation: float | None) -> float:
    """The standard deviation of `noise` at this truncation: 0.74 at 1.5, 0.99 at 3, 1 for None.

    Raises UserError for a truncation out of range.
    """
    if truncation is None:
        return 1.0
    bound = check_truncation(truncation)
    density, tail = math.exp(-(bound**2) / 2) / math.sqrt(2 * math.pi), math.erf(bound / math.sqrt(2))
    return math.sqrt(1 - 2 * bound * density / tail)


def _uniform_numbers(seed: int, z_dim: int) -> Tensor:
    """z_dim numbers from the open interval (0, 1), float64."""
    generator = torch.Generator().manual_seed(seed)
    # ndtri of 0 or 1 would be infinite.
    return torch.rand(z_dim, dtype=torch.float64, generator=generator).clamp(1e-12, 1 - 1e-12)


def check_seed(seed: Any) -> int:
    """`seed` as an int from 0 to MAX_SEED. Raises UserError."""
    return validation.whole("seed", seed, 0, MAX_SEED)


def check_truncation(truncation: Any) -> float:
    """`truncation` as a float from MIN_TRUNCATION to MAX_TRUNCATION. Raises UserError, for None too."""
    return validation.number("truncation", truncation, MIN_TRUNCATION, MAX_TRUNCATION, ", or switch it off")


def default_truncation(scores: Mapping[str, Any]) -> float:
    """The truncation to show a model at: that of the best KID in `scores` (of config.json), else DEFAULT_TRUNCATION."""
    try:
        return check_truncation(scores.get("truncation"))
    except UserError:  # not evaluated, or a file of another program
        return DEFAULT_TRUNCATION
