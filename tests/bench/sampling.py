"""Pictures a second: the app's sampler beside the paper authors' 128×128 generator as they wrote it.

    python tests/bench/sampling.py [--fp32] [--own]

One, sixteen and forty-nine pictures a turn, in turns, medians. The authors' way: float32, PyTorch's default layout, norms of
their own, one pass of all pictures on as many threads as the sampler has. Ours: the same network, and the flagship, drawn by
`gan.sampling.sampler`; with --fp32 as on a processor that has no bf16. Ratios of one machine at one time: say which, and
what else it did.

With --own: the flagship's sampler beside its network alone, on one thread, in processor time, which a busy machine disturbs
less: one picture a turn, and sixteen, which the network alone draws in one pass.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch  # noqa: E402

from gan.hub import loader  # noqa: E402
from gan.sampling import sampler  # noqa: E402
from gan.sampling.flower import grid_flowers  # noqa: E402
from gan.sampling.sampler import Sampler  # noqa: E402
from gan.utils.device import describe  # noqa: E402

COUNTS, TURNS, OWN_TURNS = (1, 16, 49), 15, 7


def compare_with_network() -> None:
    """Time the flagship's network alone and its sampler in turns, and print both and their ratio."""
    torch.set_num_threads(1)
    drawer = Sampler(loader.load("flagship").generator, workers=1)
    print(describe(torch.device("cpu")))
    for count in (1, 16):
        flowers = grid_flowers(None, 0, 1.5, count)
        of_seed, of_class = drawer.latents(flowers)

        def network() -> None:
            with torch.inference_mode():
                drawer._generator.decode(of_seed, of_class)

        times: dict[str, list[float]] = {"network": [], "sampler": []}
        for turn in range(OWN_TURNS + 1):
            for name, draw in (("network", network), ("sampler", lambda: drawer.draw(flowers))):
                started = time.process_time()
                draw()
                if turn:  # the first one warms up
                    times[name].append(time.process_time() - started)
        alone, ours = (count / statistics.median(values) for values in times.values())
        print(f"{count:3d} at a time: network {alone:.1f}/s   sampler {ours:.1f}/s ({ours / alone:.2f}×)")
    drawer.close()


def main() -> None:
    """Time all three and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fp32", action="store_true", help="draw as on a processor without bf16")
    parser.add_argument("--own", action="store_true", help="the sampler beside its network alone")
    options = parser.parse_args()
    if options.fp32:
        sampler.pick_precision = lambda device: "fp32"
    if options.own:
        return compare_with_network()
    # The authors' layers; what the weights are does not matter here.
    written = copy.deepcopy(loader.load("cwgan-gp-128").generator.gen)
    z = torch.randn(max(COUNTS), 66)[:, :, None, None]
    ours = {name: Sampler(loader.load(name).generator) for name in ("cwgan-gp-128", "flagship")}
    for drawer in ours.values():
        drawer.warm_up()

    def as_written(count: int) -> None:
        with torch.inference_mode():
            written(z[:count].contiguous())

    ways: dict[str, Callable[[int], object]] = {
        "authors, as written": as_written,
        "the same network": lambda count: ours["cwgan-gp-128"].draw(grid_flowers(None, 0, 1.5, count)),
        "flagship": lambda count: ours["flagship"].draw(grid_flowers(None, 0, 1.5, count)),
    }
    print(describe(torch.device("cpu")))
    for count in COUNTS:
        times: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(TURNS + 1):
            for name, draw in ways.items():
                started = time.perf_counter()
                draw(count)
                if turn:  # the first one warms up
                    times[name].append(time.perf_counter() - started)
        rates = {name: count / statistics.median(values) for name, values in times.items()}
        base = rates["authors, as written"]
        said = "   ".join(f"{name} {rate:.0f}/s ({rate / base:.2f}×)" for name, rate in rates.items())
        print(f"{count:3d} at a time: {said}")
    for drawer in ours.values():
        drawer.close()


if __name__ == "__main__":
    main()
