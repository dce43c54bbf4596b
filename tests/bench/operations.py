"""Arithmetic that a training does, and the time that its photos take, counted while it is done."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class Operations(TorchDispatchMode):
    """Counts the operations of convolutions and matrix products, forward and backward, by type: a product and a sum are two.

    What a network does element by element, norms and optimizers are not counted. (torch's FlopCounterMode cannot be used with a
    penalty, whose gradient is taken within, and overcounts what the weights of grouped convolutions learn.)
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def __torch_dispatch__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        name = function._overloadpacket
        if name not in flop_registry:
            with self:  # in inference mode a convolution arrives as what PyTorch makes one of
                out = function.decompose(*args, **(kwargs or {}))
            if out is not NotImplemented:
                return out
        out = function(*args, **(kwargs or {}))
        if count := flop_registry.get(name):
            groups = args[9] if name is torch.ops.aten.convolution_backward else 1
            if groups > 1:
                masks = [[part == 0, part == 1, False] for part in (0, 1) if args[10][part]]
                halves = [count(*args[:10], mask, out_val=out) / (groups if mask[1] else 1) for mask in masks]
                number = sum(halves)
            else:
                number = count(*args, **(kwargs or {}), out_val=out)
            self.found[str(args[-1 if name is torch.ops.aten.addmm else 0].dtype).removeprefix("torch.")] += number
        return out


class Data:
    """Seconds of the processor spent on reading and augmenting photos."""

    seconds = 0.0


def data(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, its time counted as that of the photos."""

    def run(*args: Any, **options: Any) -> Any:
        started = time.process_time()
        try:
            return function(*args, **options)
        finally:
            Data.seconds += time.process_time() - started

    return run
