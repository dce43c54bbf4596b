"""Noise from seeds, truncation, shifts, and paths between two noise vectors. All of it runs on the CPU."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan.errors import UserError
from gan.utils import validation

MAX_SEED = 2**32 - 1
MIN_TRUNCATION, MAX_TRUNCATION, DEFAULT_TRUNCATION = 0.01, 3.0, 1.5
DEFAULT_PATH = "spherical"


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


MAX_SHIFT = 100.0  # limit of a coordinate; those of noise and styles are a few units


def write_shift(shift: Tensor) -> str:
    """A shift (W numbers, a vector in the latent space) as text for an address: base64 of a scale (4 bytes) and W bytes.

    Numbers are rounded to 1/127 of the largest; what is drawn is the rounded shift, which `read_shift` returns exactly. The
    empty text stands for a shift of zeros.
    """
    most = float(shift.abs().max())
    if not most:
        return ""
    scale = np.float32(most / 127)
    steps = (shift.double() / float(scale)).round().clamp(-127, 127).to(torch.int8).numpy()
    return base64.urlsafe_b64encode(scale.tobytes() + steps.tobytes()).decode().rstrip("=")


def read_shift(text: Any, width: int) -> Tensor:
    """The shift in a text of `write_shift`: float32 `width`; zeros for the empty text. Raises UserError for other texts."""
    if text == "":
        return torch.zeros(width)
    try:
        text = str(text)[: 8 + 2 * width]
        content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        scale = float(np.frombuffer(content[:4], "<f4")[0])
    except (binascii.Error, ValueError, IndexError):
        content, scale = b"", math.nan
    if len(content) != 4 + width or not 0 < scale <= MAX_SHIFT / 127:
        raise UserError("the shift of the flower does not fit this model; copy the address again from where it was made.")
    return torch.from_numpy(np.frombuffer(content[4:], np.int8).copy()).float() * scale


def positions(steps: int, loop: bool) -> list[float]:
    """The positions, from 0 to 1, of the `steps` pictures of a path; `steps` is 2 or more.

    A loop goes to 1 and back, and leaves out its last picture, which equals the first. 0.0 and 1.0 are always included. A loop
    with an odd number of steps has one step more on the way back.
    """
    if not loop:
        return [i / (steps - 1) for i in range(steps)]
    there = steps // 2
    back = steps - there
    return [i / there for i in range(there + 1)] + [i / back for i in range(back - 1, 0, -1)]


def straight(start: Tensor, end: Tensor, t: float) -> Tensor:
    """The point at t ∈ [0, 1] of the straight line between two vectors (slides, "interpolation in latent space")."""
    return start + (end - start) * t if t < 1 else end.clone()


def spherical(start: Tensor, end: Tensor, t: float) -> Tensor:
    """The point at t ∈ [0, 1] of the arc between two vectors. Its norm changes linearly from the first to the second norm.

    The straight line would pass near the origin, where training has no noise (White 2016, section 2.1). It is used for vectors
    of (nearly) the same or opposite direction, or of norm 0, which have no single arc.
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


PATHS = {"spherical": spherical, "straight": straight}  # by the names that users choose


def check_path(name: Any) -> str:
    """`name` if it is one of PATHS. Raises UserError."""
    return validation.choice("path", name, PATHS)
