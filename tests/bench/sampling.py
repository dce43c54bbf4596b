"""Pictures a second: the flagship in the app's sampler beside the paper authors' 128×128 generator as they wrote it.

    python tests/bench/sampling.py

Sixteen pictures a turn, in turns, medians; the authors' network in float32 and PyTorch's default layout, one pass of sixteen,
on as many threads as the sampler has. A ratio of one machine at one time: say which, and what else it did.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch  # noqa: E402

from gan import hub  # noqa: E402
from gan.device import describe  # noqa: E402
from gan.sampler import Sampler, grid_flowers  # noqa: E402

COUNT, TURNS = 16, 15


def main() -> None:
    """Time both and print what was found."""
    theirs = hub.load("cwgan-gp-128").generator  # the authors' layers; what the weights are does not matter here
    z, code = torch.randn(COUNT, theirs.config.z_dim), torch.eye(2)[torch.arange(COUNT) % 2]
    sampler = Sampler(hub.load("flagship").generator)
    sampler.warm_up()

    def as_written() -> None:
        with torch.inference_mode():
            theirs.gen(torch.cat([z, code], 1)[:, :, None, None])

    def ours() -> None:
        sampler.draw(grid_flowers(None, 0, 1.5, COUNT))

    times: dict[str, list[float]] = {"authors' generator as written": [], "flagship": []}
    for turn in range(TURNS + 1):
        for name, draw in zip(times, (as_written, ours)):
            started = time.perf_counter()
            draw()
            if turn:  # the first one warms up
                times[name].append(time.perf_counter() - started)
    print(describe(torch.device("cpu")))
    rates = {name: COUNT / statistics.median(values) for name, values in times.items()}
    for name, rate in rates.items():
        print(f"{name:32s}{rate:8.1f} pictures/s")
    print(f"ratio {rates['flagship'] / rates[next(iter(rates))]:.2f}")
    sampler.close()


if __name__ == "__main__":
    main()
