"""The four augmentations of the paper, on batches: transpose, the two flips, and a turn of up to 90 degrees; and DiffAugment.

The paper (section 4) trains every model with them. They are those of a well-known library with its defaults: each is
applied to a sample with probability 1/2, in this order, and a turn fills the corners by reflection without repeating the
edge pixel ("reflect 101").
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from gan.utils.sharded_random import ShardedRandom

MAX_DEGREES = 90.0


def transpose(images: Tensor) -> Tensor:
    """Swap rows and columns of N×C×S×S (any range): mirror at the diagonal through the upper left corner. Exact."""
    return images.transpose(-1, -2)


def flip_horizontal(images: Tensor) -> Tensor:
    """Swap left and right of N×C×H×W (any range). Exact."""
    return images.flip(-1)


def flip_vertical(images: Tensor) -> Tensor:
    """Swap top and bottom of N×C×H×W (any range). Exact."""
    return images.flip(-2)


def rotate(images: Tensor, degrees: Tensor | float) -> Tensor:
    """Turn N×C×S×S (any range) counter-clockwise about its centre by `degrees`, one number or one a sample (N).

    Bilinear, in fp32 whatever the type of `images`, which is also the type of the result; what lies outside is the
    picture reflected at its edge pixels.
    """
    radians = torch.deg2rad(torch.as_tensor(degrees, dtype=torch.float64, device="cpu")).expand(len(images))
    cos, sin, zero = radians.cos(), radians.sin(), torch.zeros_like(radians)
    # Rows of the map from where a pixel lands to where it is fetched; y points down.
    fetch = torch.stack([torch.stack([cos, -sin, zero], 1), torch.stack([sin, cos, zero], 1)], 1)
    with torch.autocast(images.device.type, enabled=False):
        grid = F.affine_grid(fetch.float().to(images.device), list(images.shape), align_corners=True)
        turned = F.grid_sample(images.float(), grid, mode="bilinear", padding_mode="reflection", align_corners=True)
    return turned.to(images.dtype)


def ranged(images: Tensor) -> Tensor:
    """uint8 N×3×S×S → float32 in [−1, 1]."""
    return images.float().div_(127.5).sub_(1)


@dataclass(frozen=True)
class Augment:
    """The augmentations that are switched on, as a function of a batch. All on is the paper's recipe."""

    transpose: bool = True
    flip_horizontal: bool = True
    flip_vertical: bool = True
    rotate: bool = True

    def __call__(self, images: Tensor, rng: ShardedRandom) -> Tensor:
        """Augment each of N×3×S×S in [−1, 1], on any device; the result has the same shape, range, type and device.

        Photos as they are stored, uint8, come back `ranged`, but are first flipped as they are: a quarter of the bytes.
        It takes five numbers a sample from `rng`, whatever is switched on, so that one switch changes nothing about the
        others. The input itself is never written to; with everything off it is returned.
        """
        draws = rng.uniform(len(images), 5)
        heads = draws[:, :4] < 0.5
        degrees = (2 * draws[:, 4] - 1) * MAX_DEGREES
        flips = ((self.transpose, transpose), (self.flip_horizontal, flip_horizontal), (self.flip_vertical, flip_vertical))
        for column, (on, flip) in enumerate(flips):
            if on:
                chosen = heads[:, column, None, None, None].to(images.device)
                images = torch.where(chosen, flip(images), images)
        if images.dtype == torch.uint8:
            images = ranged(images)
        if self.rotate and heads[:, 3].any():
            chosen = heads[:, 3].nonzero()[:, 0]  # found on the CPU: a GPU need not be waited for
            index = chosen.to(images.device)
            images = images.index_copy(0, index, rotate(images[index], degrees[chosen]))
        return images


def diffaugment(images: Tensor, rng: ShardedRandom) -> Tensor:
    """What a critic is shown instead of N×3×S×S in [−1, 1], photos and pictures alike: few photos are then not learnt by heart.

    Brightness, saturation and contrast, then a shift of up to an eighth, then, for every other one, a square hole of half the
    side (Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training", section 3.2). Gradients flow through;
    it takes eight numbers a sample from `rng`.
    """
    side = images.shape[3]
    draws = rng.uniform(len(images), 8)
    brightness, saturation, contrast = (draws[:, i, None, None, None].to(images.device) for i in range(3))
    grey = images.mean(1, keepdim=True)
    images = grey + (images - grey) * (2 * saturation)
    mean = images.mean((1, 2, 3), keepdim=True)
    images = mean + (images - mean) * (contrast + 0.5) + (brightness - 0.5)
    reach = side // 8
    shifts = (draws[:, 3:5] * (2 * reach + 1)).long().tolist()
    padded = F.pad(images, (reach, reach, reach, reach)).unbind(0)  # a slice of each sample alone: its gradient stays small
    images = torch.stack([x[:, down : down + side, right : right + side] for x, (down, right) in zip(padded, shifts)])
    return images * _holes(side, draws[:, 5:]).to(images.device)


def _holes(side: int, draws: Tensor) -> Tensor:
    """Masks N×1×S×S: for every sample whose first number is below 1/2, 0 in a square around where the others say, else 1."""
    at, half = torch.arange(side), side // 4
    middles = (draws[:, 1:] * side).long()
    inside = ((at - middles[:, :, None]) >= -half) & ((at - middles[:, :, None]) < half)
    hole = inside[:, 0, :, None] & inside[:, 1, None, :] & (draws[:, 0] < 0.5)[:, None, None]
    return (~hole).float()[:, None]
