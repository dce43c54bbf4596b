"""The convolution of the first StyleGAN: normalized maps take their scale and shift from the style."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, leaky_relu

from gan.networks.layers import SLOPE
from gan.networks.pixel_noise import PixelNoise


class AdaptiveConv(nn.Module):
    """3×3 convolution, noise, leaky ReLU, and adaptive instance normalization (Karras et al. 2019, equation 1)."""

    def __init__(self, before: int, channels: int, style: int, side: int, noise: bool) -> None:
        """`side` of the maps that come out. With `noise` a number is added to each of their pixels."""
        super().__init__()
        self.affine = nn.Linear(style, 2 * channels)
        self.weight, self.bias = nn.Parameter(torch.empty(channels, before, 3, 3)), nn.Parameter(torch.zeros(channels))
        self.noise = PixelNoise(channels, side) if noise else None

    def init_weights(self) -> None:
        """Draw all weights anew from torch's global generator."""
        nn.init.normal_(self.affine.weight, 0, 1 / math.sqrt(self.affine.in_features))
        nn.init.zeros_(self.affine.bias)
        nn.init.normal_(self.weight, 0, math.sqrt(2 / (9 * self.weight.shape[1])))
        nn.init.zeros_(self.bias)

    def for_inference(self, dtype: torch.dtype) -> None:
        """Change nothing: normalization takes the mean off and magnifies what is left, bf16's rounding with it."""

    def forward(self, x: Tensor, style: Tensor, enlarge: bool, noise: Tensor | None = None) -> Tensor:
        """Maps N×C×H×W, styles N×W and noise N×S×S or None → maps N×C'×S×S; S is H, or 2H where they are enlarged first."""
        if enlarge:
            x = interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        x = conv2d(x, self.weight, self.bias, padding=1)
        x = leaky_relu(self.noise(x, noise) if self.noise else x, SLOPE)
        with torch.autocast(x.device.type, enabled=False):
            scale, shift = self.affine(style)[:, :, None, None].chunk(2, 1)
            normalized = normalize_maps(x.float())
            return (normalized * (1 + scale) + shift).to(x.dtype)


def normalize_maps(x: Tensor) -> Tensor:
    """Maps N×C×H×W, each with mean 0 and deviation 1 over its places (instance normalization)."""
    away = x - x.mean((2, 3), keepdim=True)
    return away * (away.square().mean((2, 3), keepdim=True) + 1e-8).rsqrt()
