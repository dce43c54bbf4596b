"""What a flower looks like, in plain numbers: how bright it is, how large its head is, where it stands.

Rough measures that need no network and no class: they are for comparing a flower with itself, changed a little. The head is
whatever differs most from the colour of the picture's frame, the ground is the rest.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

SIDE = 32  # pixels a side of what is measured, except for sharpness
FRAME = 4  # pixels from the edge whose median is the colour of the ground
LUMA = torch.tensor([0.299, 0.587, 0.114])


def measure(pictures: np.ndarray) -> dict[str, Tensor]:
    """Pictures uint8 N×S×S×3 → a value N of each attribute, float32, larger where there is more of what it is called by.

    `brightness`, `contrast`, `colour` (saturation), `sharpness` are of the whole picture; `head_light`, `head_red` (from yellow
    to red), `head_size` of the head; `ground_light`, `ground_green` of the ground; `right` and `up` say where the head is,
    `dark_middle` how much darker the middle of the picture is than what is around it.
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
        "colour": (small.amax(1) - small.amin(1)).mean((1, 2)),
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
    """1 where a picture N×3×H×W is at least half as far from its frame's colour as its farthest pixels are, else 0: N×H×W."""
    frame = torch.ones(SIDE, SIDE, dtype=torch.bool)
    frame[FRAME:-FRAME, FRAME:-FRAME] = False
    ground = small[:, :, frame].median(2).values
    distance = (small - ground[:, :, None, None]).square().sum(1).sqrt()
    farthest = distance.flatten(1).quantile(0.95, dim=1)
    return (distance > farthest[:, None, None] / 2).float()


def _mean(small: Tensor, where: Tensor) -> Tensor:
    """Mean colour N×3 of the part of each picture where `where` is 1."""
    return (small * where[:, None]).sum((2, 3)) / where.sum((1, 2)).clamp_min(1)[:, None]


def _place(head: Tensor) -> tuple[Tensor, Tensor]:
    """The middle of the head: from 0 at the left to 1 at the right, and from 0 at the foot to 1 at the top."""
    along = torch.linspace(0, 1, SIDE)
    area = head.sum((1, 2)).clamp_min(1)
    return (head * along).sum((1, 2)) / area, (head * along.flip(0)[:, None]).sum((1, 2)) / area


def _dark_middle(light: Tensor) -> Tensor:
    along = torch.linspace(-0.5, 0.5, SIDE)
    distance = (along.square() + along.square()[:, None]).sqrt()
    middle, around = (distance < 0.1).float(), ((distance >= 0.1) & (distance < 0.3)).float()
    return (light * around).sum((1, 2)) / around.sum() - (light * middle).sum((1, 2)) / middle.sum()


def _sharpness(full: Tensor) -> Tensor:
    """How much a pixel differs from its neighbours, in standard deviations of the picture."""
    light = _light(full)
    inner = light[:, 1:-1, 1:-1]
    around = light[:, :-2, 1:-1] + light[:, 2:, 1:-1] + light[:, 1:-1, :-2] + light[:, 1:-1, 2:]
    return (4 * inner - around).abs().mean((1, 2)) / light.flatten(1).std(1).clamp_min(1e-6)
