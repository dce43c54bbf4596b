"""The random numbers of a step, which several processes that share its batch draw together."""

from __future__ import annotations

import torch
from torch import Tensor


class ShardedRandom:
    """A stream of random numbers a sample. Of `parts` processes each draws those of the whole batch and keeps its own rows:
    a sample's numbers do not depend on how many there are.
    """

    def __init__(self, seed: int, part: int = 0, parts: int = 1) -> None:
        """`seed` is 0 to 2⁶³−1; `part` counts from 0."""
        self._generator, self._part, self._parts = torch.Generator().manual_seed(seed), part, parts

    def uniform(self, n: int, *shape: int) -> Tensor:
        """Numbers from [0, 1) for this part's n samples: N×`shape`, on the CPU."""
        return self._rows(torch.rand(n * self._parts, *shape, generator=self._generator), n)

    def normal(self, n: int, *shape: int) -> Tensor:
        """Numbers of the standard normal distribution for this part's n samples: N×`shape`, on the CPU."""
        return self._rows(torch.randn(n * self._parts, *shape, generator=self._generator), n)

    def _rows(self, numbers: Tensor, n: int) -> Tensor:
        return numbers[self._part * n : (self._part + 1) * n]
