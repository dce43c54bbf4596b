"""The cost of a generator: its size, its arithmetic, and its speed on this computer."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from gan.generator import Generator, one_hot
from gan.hub.checkpoint import WEIGHTS
from gan.networks.latents import DEFAULT_TRUNCATION, noise
from gan.networks.layers import parameters
from gan.sampling.flower import grid_flowers
from gan.sampling.sampler import Sampler

BATCH, REPEATS = 16, 5


def cost(generator: Generator, folder: Path | None) -> dict[str, int | float | None]:
    """The cost of `generator`, which is on the CPU.

    | key | what it is |
    | --- | --- |
    | `parameters` | trained numbers |
    | `gflop` | 10⁹ operations for one picture, of (transposed) convolutions and matrix products; a multiply-add counts as two |
    | `pictures_per_second` | drawn by a `Sampler` on `threads` threads: the median of REPEATS times BATCH pictures |
    | `bytes` | size of the weight file in `folder`; None without a folder |

    Raises OSError when that file is missing.
    """
    rate, threads = _speed(generator)
    return {
        "parameters": parameters(generator),
        "gflop": _operations(generator) / 1e9,
        "pictures_per_second": rate,
        "threads": threads,
        "bytes": (folder / WEIGHTS).stat().st_size if folder else None,
    }


def _operations(generator: Generator) -> int:
    z, code = noise([0], generator.config.z_dim, None), one_hot(torch.tensor([0]), generator.config)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        generator(z, code)
    return counter.get_total_flops()


def _speed(generator: Generator) -> tuple[float, int]:
    """Pictures a second and the number of threads that drew them."""
    sampler, times = Sampler(generator), []
    try:
        sampler.warm_up()
        for repeat in range(REPEATS):
            flowers = grid_flowers(None, BATCH * repeat, DEFAULT_TRUNCATION, BATCH)
            start = time.perf_counter()
            sampler.draw(flowers)
            times.append(time.perf_counter() - start)
    finally:
        sampler.close()
    return BATCH / statistics.median(times), sampler.workers
