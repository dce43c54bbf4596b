"""Seeds → noise, truncation, and paths between two noise vectors. Everything here runs on the CPU, whatever draws later."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .errors import UserError

MAX_SEED = 2**32 - 1
MIN_TRUNCATION, MAX_TRUNCATION, DEFAULT_TRUNCATION = 0.01, 3.0, 1.5
PATHS = ("spherical", "straight")


def noise(seeds: Sequence[int], z_dim: int, truncation: float | None) -> Tensor:
    """Noise N×z_dim in float32, row i from `seeds[i]` alone, so that one flower equals that flower in any batch.

    `truncation` t gives the normal distribution cut to [−t, t] (paper, fig. 20), None the whole one. Instead of redrawing
    until |z| ≤ t, one uniform number a coordinate goes through the inverse distribution function: the same distribution,
    but a seed keeps its flower while t moves. Raises UserError for a seed or a truncation out of range.
    """
    uniform = torch.stack([_uniform(check_seed(seed), z_dim) for seed in seeds])
    if truncation is None:
        return torch.special.ndtri(uniform).float()
    check_truncation(truncation)
    low = torch.special.ndtr(torch.tensor(-truncation, dtype=torch.float64))
    return torch.special.ndtri(low + uniform * (1 - 2 * low)).clamp(-truncation, truncation).float()


def _uniform(seed: int, z_dim: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    # The open interval: ndtri of 0 or 1 is infinite.
    return torch.rand(z_dim, dtype=torch.float64, generator=generator).clamp(1e-12, 1 - 1e-12)


def check_seed(seed: int) -> int:
    """Return `seed`, or raise UserError unless it is a whole number from 0 to 2³²−1."""
    if isinstance(seed, bool) or not isinstance(seed, (int, float)) or seed != seed or not 0 <= seed <= MAX_SEED or seed % 1:
        raise UserError(f"the seed is {seed!r}; use a whole number from 0 to {MAX_SEED}.")
    return int(seed)


def check_truncation(truncation: float) -> float:
    """Return `truncation`, or raise UserError unless it is a number from 0.01 to 3.0."""
    if (
        isinstance(truncation, bool)
        or not isinstance(truncation, (int, float))
        or not MIN_TRUNCATION <= truncation <= MAX_TRUNCATION
    ):
        raise UserError(
            f"the truncation is {truncation!r}; use a number from {MIN_TRUNCATION} to {MAX_TRUNCATION}, or switch it off."
        )
    return float(truncation)


def positions(steps: int, loop: bool) -> list[float]:
    """Where the `steps` pictures of a path stand, 0 to 1; a loop goes there and back and leaves out its last picture.

    The ends are exactly 0.0 and 1.0 (a loop of an odd length only comes near 1).
    """
    if not loop:
        return [i / (steps - 1) for i in range(steps)]
    return [1 - abs(1 - 2 * i / steps) for i in range(steps)]


def straight(start: Tensor, end: Tensor, t: float) -> Tensor:
    """The point t ∈ [0, 1] of the straight line between two noise vectors (slides, "interpolation in latent space")."""
    return start + (end - start) * t if t < 1 else end.clone()


def spherical(start: Tensor, end: Tensor, t: float) -> Tensor:
    """The point t ∈ [0, 1] of the arc between two noise vectors; its norm runs linearly from one's to the other's.

    The straight line passes near the origin, where no training noise ever was (White 2016, section 2.1). Vectors of
    (nearly) the same or opposite direction, or of zero norm, have no arc of their own: there it is the straight line.
    """
    if t <= 0 or t >= 1:
        return (end if t >= 1 else start).clone()
    a, b = start.double(), end.double()
    length_a, length_b = a.norm(), b.norm()
    if length_a == 0 or length_b == 0:
        return straight(start, end, t)
    angle = torch.arccos(torch.clamp(a @ b / (length_a * length_b), -1, 1))
    if torch.sin(angle) < 1e-6:
        return straight(start, end, t)
    direction = (torch.sin((1 - t) * angle) * a / length_a + torch.sin(t * angle) * b / length_b) / torch.sin(angle)
    return (direction * ((1 - t) * length_a + t * length_b)).float()
