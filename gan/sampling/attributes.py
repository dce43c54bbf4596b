"""Attributes of a flower's picture as numbers: its brightness, the size and place of the flower head, and others.

They are rough, and need no network. They are for comparing a flower with itself after a small change. The head is what differs
most from the color of the picture's frame; the ground is the rest.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

SIDE = 32  # pixels; pictures are reduced to this side for all attributes but sharpness
FRAME = 4  # pixels: the width of the frame whose median is the color of the ground
LUMA = torch.tensor([0.299, 0.587, 0.114])


def measure(pictures: np.ndarray) -> dict[str, Tensor]:
    """Pictures uint8 N×S×S×3 → name → values N, float32, in no common unit.

    | attributes | larger means |
    | --- | --- |
    | `brightness`, `contrast`, `color`, `sharpness` | the picture is brighter, richer in contrast and color, sharper |
    | `head_light`, `head_red`, `head_size` | the head is brighter, more red than yellow, larger |
    | `ground_light`, `ground_green` | the ground is brighter, greener |
    | `right`, `up` | the head is farther to the right, higher |
    | `dark_middle` | the middle of the picture is darker than the ring around it |
    """
    full = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    small = interpolate(full, size=(SIDE, SIDE), mode="area")
    light = _light(small)
    head = _head(small)
    of_head, of_ground = _mean(small, head), _mean(small, 1 - head)
    right, up = _place(head)
    return {
        "brightness": light.mean((1, 2)),
        "contrast": light.flatten(1).std(1),
        "color": (small.amax(1) - small.amin(1)).mean((1, 2)),
        "sharpness": _sharpness(full),
        "head_light": of_head @ LUMA,
        "head_red": of_head[:, 0] - of_head[:, 1],
        "head_size": head.mean((1, 2)),
        "ground_light": of_ground @ LUMA,
        "ground_green": of_ground[:, 1] - (of_ground[:, 0] + of_ground[:, 2]) / 2,
        "right": right,
        "up": up,
        "dark_middle": _dark_middle(light),
    }


def _light(pictures: Tensor) -> Tensor:
    return (pictures * LUMA[:, None, None]).sum(1)


def _head(small: Tensor) -> Tensor:
    """Masks N×H×W of pictures N×3×H×W: 1 where a pixel differs from the frame's color by over half of the 95th percentile."""
    frame = torch.ones(SIDE, SIDE, dtype=torch.bool)
    frame[FRAME:-FRAME, FRAME:-FRAME] = False
    ground = small[:, :, frame].median(2).values
    distance = (small - ground[:, :, None, None]).square().sum(1).sqrt()
    farthest = distance.flatten(1).quantile(0.95, dim=1)
    return (distance > farthest[:, None, None] / 2).float()


def _mean(small: Tensor, where: Tensor) -> Tensor:
    """Mean color N×3 of the pixels where the mask `where` N×H×W is 1."""
    return (small * where[:, None]).sum((2, 3)) / where.sum((1, 2)).clamp_min(1)[:, None]


def _place(head: Tensor) -> tuple[Tensor, Tensor]:
    """The center of a mask: from 0 at the left to 1 at the right, and from 0 at the bottom to 1 at the top."""
    along = torch.linspace(0, 1, SIDE)
    area = head.sum((1, 2)).clamp_min(1)
    return (head * along).sum((1, 2)) / area, (head * along.flip(0)[:, None]).sum((1, 2)) / area


def _dark_middle(light: Tensor) -> Tensor:
    along = torch.linspace(-0.5, 0.5, SIDE)
    distance = (along.square() + along.square()[:, None]).sqrt()
    middle, around = (distance < 0.1).float(), ((distance >= 0.1) & (distance < 0.3)).float()
    return (light * around).sum((1, 2)) / around.sum() - (light * middle).sum((1, 2)) / middle.sum()


def _sharpness(full: Tensor) -> Tensor:
    """The mean absolute Laplacian of the brightness, in standard deviations of the brightness."""
    light = _light(full)
    inner = light[:, 1:-1, 1:-1]
    around = light[:, :-2, 1:-1] + light[:, 2:, 1:-1] + light[:, 1:-1, :-2] + light[:, 1:-1, 2:]
    return (4 * inner - around).abs().mean((1, 2)) / light.flatten(1).std(1).clamp_min(1e-6)
