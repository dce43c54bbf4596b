"""Self-attention between all places of a map."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from gan.networks.weight_scaling import scaled


class SelfAttention(nn.Module):
    """y = γ·o + x, where o mixes the values of all places by how well query and key fit (Zhang et al. 2019, section 3).

    γ is learned and begins with 0: the network first learns what is near. Keys and values are max-pooled by two, and queries
    have an eighth of the channels, as in the authors' code.
    """

    def __init__(self, channels: int, scaling: str = "") -> None:
        """`scaling` of the four 1×1 convolutions: a key of weight_scaling.SCALINGS, or "" for none."""
        super().__init__()
        narrow, half = max(1, channels // 8), max(1, channels // 2)
        self.query, self.key, self.value, self.out = (
            scaled(nn.Conv2d(a, b, 1, bias=False), scaling)
            for a, b in ((channels, narrow), (channels, narrow), (channels, half), (half, channels))
        )
        self.gain = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Maps N×C×H×W → maps of the same shape."""
        query, key, value = self.query(x).flatten(2), max_pool2d(self.key(x), 2).flatten(2), max_pool2d(self.value(x), 2)
        weights = torch.softmax(query.transpose(1, 2) @ key, 2)  # N × places × pooled places
        mixed = value.flatten(2) @ weights.transpose(1, 2).to(value.dtype)
        return x + self.gain.to(x.dtype) * self.out(mixed.view(len(x), -1, *x.shape[2:]))
