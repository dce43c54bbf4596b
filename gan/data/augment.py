"""Augmentations of batches: the four of the paper (transpose, two flips, rotation by up to 90 degrees), and DiffAugment.

The paper (section 4) trains every model with the four. Each is applied to a sample with probability 1/2, in this order. A
rotation fills the corners by reflection without repeating the edge pixel ("reflect 101").
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from gan.utils.distributed import ShardedRandom

MAX_DEGREES = 90.0


def transpose(images: Tensor) -> Tensor:
    """Swap rows and columns of N×C×S×S (any range). Exact."""
    return images.transpose(-1, -2)


def flip_horizontal(images: Tensor) -> Tensor:
    """Swap left and right of N×C×H×W (any range). Exact."""
    return images.flip(-1)


def flip_vertical(images: Tensor) -> Tensor:
    """Swap top and bottom of N×C×H×W (any range). Exact."""
    return images.flip(-2)


def rotate(images: Tensor, degrees: Tensor | float) -> Tensor:
    """Rotate N×C×S×S (any range) counter-clockwise about its center by `degrees`: one number, or one for each sample (N).

    Sampling is bilinear and in float32. The result has the type of `images`. Pixels from outside of the picture are its
    reflection at the edge pixels.
    """
    radians = torch.deg2rad(torch.as_tensor(degrees, dtype=torch.float64, device="cpu")).expand(len(images))
    cos, sin, zero = radians.cos(), radians.sin(), torch.zeros_like(radians)
    # The affine map from a pixel of the result to its place in the input; y points down.
    inverse = torch.stack([torch.stack([cos, -sin, zero], 1), torch.stack([sin, cos, zero], 1)], 1)
    with torch.autocast(images.device.type, enabled=False):
        grid = F.affine_grid(inverse.float().to(images.device), list(images.shape), align_corners=True)
        rotated = F.grid_sample(images.float(), grid, mode="bilinear", padding_mode="reflection", align_corners=True)
    return rotated.to(images.dtype)


def to_float(images: Tensor) -> Tensor:
    """uint8 N×3×S×S → float32 in [−1, 1]."""
    return images.float().div_(127.5).sub_(1)


@dataclass(frozen=True)
class Augment:
    """The augmentations that are switched on, as a function of a batch. The paper has all of them on."""

    transpose: bool = True
    flip_horizontal: bool = True
    flip_vertical: bool = True
    rotate: bool = True

    def __call__(self, images: Tensor, rng: ShardedRandom) -> Tensor:
        """Augment pictures N×3×S×S in [−1, 1], or photos as they are stored (uint8), on any device.

        The result is N×3×S×S in [−1, 1] on the same device, float32 for photos and of the input's type otherwise. Five numbers
        a sample are taken from `rng` whatever is switched on, so that one switch does not change the others. The input is never
        written to; with everything off, float pictures are returned as they are.
        """
        draws = rng.uniform(len(images), 5)
        applied = draws[:, :4] < 0.5
        degrees = (2 * draws[:, 4] - 1) * MAX_DEGREES
        flips = ((self.transpose, transpose), (self.flip_horizontal, flip_horizontal), (self.flip_vertical, flip_vertical))
        for column, (on, flip) in enumerate(flips):
            if on:
                chosen = applied[:, column, None, None, None].to(images.device)
                images = torch.where(chosen, flip(images), images)
        if images.dtype == torch.uint8:  # after the flips, which move a quarter of the bytes so
            images = to_float(images)
        if self.rotate and applied[:, 3].any():
            chosen = applied[:, 3].nonzero()[:, 0]  # on the CPU, so that nothing waits for a GPU
            index = chosen.to(images.device)
            images = images.index_copy(0, index, rotate(images[index], degrees[chosen]))
        return images


def diffaugment(images: Tensor, rng: ShardedRandom) -> Tensor:
    """DiffAugment of N×3×S×S in [−1, 1]: what a critic sees of photos and pictures, so that it does not memorize few photos.

    Brightness, saturation and contrast change; then the picture is shifted by up to S/8 in each direction; then, with
    probability 1/2, a square hole of side S/2 is set to 0 (Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient
    GAN Training", section 3.2). Values may leave [−1, 1]. Gradients flow through. Eight numbers a sample are taken from `rng`.
    """
    side = images.shape[3]
    draws = rng.uniform(len(images), 8)
    images = recolored(images, draws.to(images.device))
    reach = side // 8
    shifts = (draws[:, 3:5] * (2 * reach + 1)).long().tolist()
    padded = F.pad(images, (reach, reach, reach, reach)).unbind(0)  # slices of one sample each have small gradients
    images = torch.stack([x[:, down : down + side, right : right + side] for x, (down, right) in zip(padded, shifts)])
    return images * holes(side, draws[:, 5:].to(images.device))


def recolored(images: Tensor, draws: Tensor) -> Tensor:
    """Pictures N×3×S×S with other brightness, saturation and contrast, by the first three columns of `draws` in [0, 1)."""
    brightness, saturation, contrast = (draws[:, i, None, None, None] for i in range(3))
    gray = images.mean(1, keepdim=True)
    images = gray + (images - gray) * (2 * saturation)
    mean = images.mean((1, 2, 3), keepdim=True)
    return mean + (images - mean) * (contrast + 0.5) + (brightness - 0.5)


def holes(side: int, draws: Tensor) -> Tensor:
    """Masks N×1×S×S for `draws` N×3 in [0, 1): 0 in a square where the first number is below 1/2; its center are the others."""
    at, half = torch.arange(side, device=draws.device), side // 4
    centers = (draws[:, 1:] * side).long()
    inside = ((at - centers[:, :, None]) >= -half) & ((at - centers[:, :, None]) < half)
    hole = inside[:, 0, :, None] & inside[:, 1, None, :] & (draws[:, 0] < 0.5)[:, None, None]
    return (~hole).float()[:, None]
