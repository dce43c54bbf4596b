"""Paths between two points of the latent space."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gan.utils import validation

DEFAULT_PATH = "spherical"


def positions(steps: int, loop: bool) -> list[float]:
    """The positions t ∈ [0, 1] of the `steps` (2 or more) pictures of a path. 0.0 and 1.0 are always among them.

    A loop goes from 0 to 1 and back, without its last picture, which is its first. Of an odd number of steps, the way back has
    one more.
    """
    if not loop:
        return [i / (steps - 1) for i in range(steps)]
    there = steps // 2
    back = steps - there
    return [i / there for i in range(there + 1)] + [i / back for i in range(back - 1, 0, -1)]


def walk_places(count: int, steps: int, closed: bool) -> list[tuple[int, int, float]]:
    """Where the `steps` pictures of a walk through `count` points are: (number of the point before, of the next one, t).

    Every point is hit. A `closed` walk goes on from the last point to the first, without a last picture that is its first.
    The parts between two points have the same number of steps, or one more.
    """
    parts = count if closed else count - 1
    corners = [part * (steps if closed else steps - 1) // parts for part in range(parts + 1)]
    places = [
        (part, (part + 1) % count, i / (after - before))
        for part, (before, after) in enumerate(zip(corners, corners[1:]))
        for i in range(after - before)
    ]
    return places if closed else [*places, (count - 2, count - 1, 1.0)]


def straight(start: Tensor, end: Tensor, t: float) -> Tensor:
    """start + t · (end − start), of tensors of one shape, for t ∈ [0, 1] (slides, "interpolation in latent space")."""
    return start + (end - start) * t if t < 1 else end.clone()


def spherical(start: Tensor, end: Tensor, t: float) -> Tensor:
    """Spherical linear interpolation of vectors W at t ∈ [0, 1], float32; the norm goes linearly from one's to the other's.

    With a = start, b = end and the angle θ between them:

        (sin((1 − t)θ) · a/‖a‖ + sin(tθ) · b/‖b‖) / sin θ · ((1 − t)‖a‖ + t‖b‖)

    A straight line passes near the origin, where no noise of the training was (White 2016, section 2.1). Where sin θ < 10⁻⁶, or
    a norm is 0, there is no arc, and the path is straight.
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


PATHS = {"spherical": spherical, "straight": straight}  # by the names that visitors choose


def check_path(name: Any) -> str:
    """`name` if it is one of PATHS. Raises UserError."""
    return validation.choice("path", name, PATHS)
