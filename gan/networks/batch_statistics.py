"""Layers without weights: what a small group of samples has in common, and the length of a pixel."""

from __future__ import annotations

from torch import Tensor, cat, nn

GROUP = 4  # samples whose differences a critic sees at most


class MinibatchDeviation(nn.Module):
    """A map more: the standard deviation over a group of samples, its mean over all channels and places.

    A critic sees by it that a generator always draws the same (Karras et al. 2018, section 3). Groups are samples in a row: as
    many as GROUP allows and divide the batch.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Maps N×C×H×W → N×(C+1)×H×W."""
        n, channels, height, width = x.shape
        size = next(size for size in range(min(GROUP, n), 0, -1) if n % size == 0)
        groups = x.float().view(n // size, size, channels, height, width)
        deviation = (groups.var(1, correction=0) + 1e-8).sqrt().mean((1, 2, 3))
        return cat([x, deviation.to(x.dtype).repeat_interleave(size)[:, None, None, None].expand(n, 1, height, width)], 1)


class PixelNorm(nn.Module):
    """x/√(mean of x² over the channels), at every pixel of every sample (Karras et al. 2018, section 4.2)."""

    def forward(self, x: Tensor) -> Tensor:
        """Maps N×C×H×W → maps of the same shape."""
        return x * (x.float().square().mean(1, keepdim=True) + 1e-8).rsqrt().to(x.dtype)
