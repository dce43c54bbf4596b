"""A random number for every pixel of the maps."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PixelNoise(nn.Module):
    """x + s·n: one random picture n for all channels, with a learned strength s for each, which begins with 0.

    It draws what is chance in a picture, such as where each petal lies (Karras et al. 2019, section 3.2). Training draws n
    anew for every picture. A finished model adds the n that it keeps, so a seed always gives the same picture.
    """

    kept: Tensor

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.zeros(channels))
        self.register_buffer("kept", torch.randn(side, side))

    def forward(self, x: Tensor, noise: Tensor | None) -> Tensor:
        """Maps N×C×S×S and noise N×S×S, or None for the noise that is kept → maps of the same shape."""
        n = (self.kept if noise is None else noise).to(x.device)
        return x + (self.strength[:, None, None] * n.view(-1, 1, *n.shape[-2:])).to(x.dtype)
