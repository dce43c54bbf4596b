"""What several processes gain: `python tests/bench/ranks.py PHOTOS [--preset flagship] [--rounds 3]`.

Measured on this computer, each process with one thread: steps of one process alone, and of two by torchrun, with the same
batch (shared) and with twice the batch (each keeps its own); rounds take turns, medians count. Then the bytes that a step has
to average and the number of times that processes wait for one another, counted in a real step, and from these what N processes
would gain on networks of which only bandwidth and latency are known. The gain that was measured is there to check that.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
import torch.distributed as dist

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gan.data.image_folder import OVERSAMPLE, load_photos  # noqa: E402
from gan.presets import from_preset  # noqa: E402
from gan.trainer import Trainer  # noqa: E402
from gan.utils.device import pick_precision  # noqa: E402
from gan.utils.distributed import joined  # noqa: E402

STEPS = 2  # timed, times the steps from one penalty to the next
# Bytes a second and seconds a message: Ethernet of 10 and 100 Gbit/s between computers, GPUs bridged within one.
NETWORKS = {"10 Gbit/s": (1.25e9, 50e-6), "100 Gbit/s": (12.5e9, 20e-6), "400 GB/s": (4e11, 10e-6)}


def worker(options: argparse.Namespace) -> None:
    """Steps of one size by this process, among others where there are any; the first one prints what it found."""
    torch.set_num_threads(1)
    with joined(torch.device("cpu")) as (processes, device):
        classes = tuple(sorted(path.name for path in options.photos.iterdir() if path.is_dir()))[:3]
        model, train = from_preset(options.preset, classes, batch=options.batch, precision=pick_precision(device))
        train = replace(train, sides=())  # the whole side from the first step
        trainer = Trainer(
            model, train, load_photos(options.photos, OVERSAMPLE * model.resolution, only=classes), device, processes
        )
        trainer.step()
        seconds = []
        for _ in range(STEPS * train.penalty_every):
            started = time.perf_counter()
            trainer.step()
            seconds.append(time.perf_counter() - started)
        found = {"seconds": statistics.fmean(seconds), "images": train.batch * train.critic_steps}
        if processes.size > 1:
            found |= _counted(trainer)
        if processes.first:
            print(json.dumps(found))


def _counted(trainer: Trainer) -> dict[str, float]:
    """Messages and bytes of a step, and how long the largest of them takes by itself."""
    sizes: list[int] = []
    real = {name: getattr(dist, name) for name in ("all_reduce", "all_gather")}

    def counting(name):
        def call(*args, **more):
            sizes.append((args[0] if name == "all_reduce" else args[1]).nbytes)
            return real[name](*args, **more)

        return call

    for name in real:
        setattr(dist, name, counting(name))
    trainer.step()
    for name, function in real.items():
        setattr(dist, name, function)
    largest, times = torch.zeros(max(sizes) // 4), []
    for _ in range(10):
        started = time.perf_counter()
        dist.all_reduce(largest)
        times.append(time.perf_counter() - started)
    return {"messages": len(sizes), "bytes": sum(sizes), "largest": max(sizes), "reduce": statistics.median(times)}


def _run(options: argparse.Namespace, processes: int, batch: int) -> dict[str, float]:
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)] if processes > 1 else []
    command = [sys.executable, *launch, __file__, str(options.photos), "--preset", options.preset, "--batch", str(batch)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    done = subprocess.run([*command, "--worker"], capture_output=True, text=True, env=environment, timeout=600)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def expected(compute: float, size: int, found: dict[str, float], network: tuple[float, float]) -> float:
    """How many times as many images a second N processes see as one does, each with a batch of its own of `compute` seconds.

    A ring sends 2(N−1)/N of the bytes, a message takes 2(N−1) hops; nothing is sent while a step computes.
    """
    bandwidth, latency = network
    sending = 2 * (size - 1) / size * found["bytes"] / bandwidth + found["messages"] * 2 * (size - 1) * latency
    return size * compute / (compute + sending)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--preset", default="flagship")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return worker(options)
    cases = {"one": (1, options.batch), "shared": (2, options.batch), "own": (2, 2 * options.batch)}
    rounds = [{name: _run(options, *case) for name, case in cases.items()} for _ in range(options.rounds)]
    rate = {name: statistics.median(one[name]["images"] / one[name]["seconds"] for one in rounds) for name in cases}
    counts, compute = rounds[0]["own"], statistics.median(one["one"]["seconds"] for one in rounds)
    reduce = statistics.median(one["own"]["reduce"] for one in rounds)
    print(f"{options.preset}, batch {options.batch}: one process {rate['one']:.1f} images/s, {compute:.2f} s a step")
    print(
        f"two, the batch shared: {rate['shared'] / rate['one']:.2f} times; a batch each: {rate['own'] / rate['one']:.2f} times"
    )
    print(f"a step: {counts['messages']} messages, {counts['bytes'] / 1e6:.1f} MB, {reduce * 1e3:.0f} ms for the largest "
          f"({counts['largest'] / 1e6:.1f} MB)")  # fmt: skip
    print("times as many images a second, each with a batch of its own; the same if a step took a fiftieth:")
    for name, network in NETWORKS.items():
        for seconds in (compute, compute / 50):
            gains = ", ".join(f"{size}: {expected(seconds, size, counts, network):.2f}" for size in (2, 4, 8, 16))
            print(f"  {name:10s} {seconds:6.3f} s a step   {gains}")


if __name__ == "__main__":
    main()
