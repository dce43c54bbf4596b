"""How fast a training is: photos a second, memory and arithmetic, side by side with others.

    python tests/bench/speed.py throughput [--photos FOLDER] [--contenders NAME ...] [--rounds N] [--python OTHER] [--out FILE]
    python tests/bench/speed.py resolution [...]

Every contender (`contenders.py`) is a process of its own with one thread, on the same photos at 128×128. Seconds are those of
the processor, that is without what other programs take of it; on a quiet machine they are those of the clock. `throughput` has
the contenders take turns, so that what else happens hits all alike, and gives medians. `resolution` is for the flagship alone.
Quality against time is `peers.py`'s.

lightweight-gan and stylegan2-pytorch (`others.py`) are skipped where they are not installed. `make build/peers/.done` makes an
environment that has them; name its interpreter with --python build/peers/bin/python.

On Linux run all of it under `LD_PRELOAD=libtcmalloc_minimal.so.4`, which helps everyone.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent)]
if "--child" in sys.argv:  # what train.py does before torch is imported; the others are run as they come
    os.environ.update({"THP_MEM_ALLOC_ENABLE": "1"} if sys.argv[-1].startswith(("ours", "flagship")) else {})

import numpy as np  # noqa: E402
import torch  # noqa: E402
from contenders import CLASSES, CPU, make  # noqa: E402
from operations import Data, Operations  # noqa: E402
from torch.nn.functional import conv2d  # noqa: E402

from gan.utils.device import describe  # noqa: E402

NAMES = (
    "paper", "ours-same-network", "ours-cpu-recipe", "flagship-coarse", "flagship", "lightweight-gan", "stylegan2-pytorch"
)  # fmt: skip
SIDES = (64, 128, 256)
LEAST = 1.5  # seconds of a measurement


# --------------------------------------------------------------------------------------------- measured in its own process


def child(name: str, folder: Path) -> None:
    """Do what comes on stdin, a line of JSON each, and answer so."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # the others print

    def answer(**found: Any) -> None:
        print(json.dumps(found), file=answers)

    torch.set_num_threads(1)
    try:
        contender = make(name, folder)
    except (ImportError, AttributeError) as error:
        return answer(missing=str(error))
    answer(
        settings=contender.settings, reading=getattr(contender, "reading", 0.0), parts=getattr(contender, "parts", 1),
        times=[n for n, _ in contender.units()],
    )  # fmt: skip
    for line in sys.stdin:
        order = json.loads(line)
        unit = contender.units()[order.get("unit", 0)][1]
        if order["do"] == "time":
            answer(**timed(unit))
        elif order["do"] == "count":
            with Operations() as operations:
                photos = unit()
            answer(photos=photos, **operations.found)
        else:
            answer(bytes=1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def timed(unit: Callable[[], int]) -> dict[str, float]:
    """Seconds a unit takes: of the clock, of the processor, of the photos in it."""
    Data.seconds, turns, photos = 0.0, 0, 0
    wall, cpu = time.perf_counter(), time.process_time()
    while not turns or time.process_time() - cpu < LEAST:
        photos, turns = unit(), turns + 1
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"photos": photos, "wall": wall / turns, "cpu": cpu / turns, "data": Data.seconds / turns}


# ---------------------------------------------------------------------------------------------------------- the parent


class Child:
    """A contender's process."""

    def __init__(self, name: str, folder: Path, python: str) -> None:
        command = [python, __file__, "--child", str(folder), name]
        self.name, self.log = name, tempfile.TemporaryFile("w+")
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, env=environment
        )
        self.about = self.read()

    def read(self) -> dict[str, Any]:
        """Its next answer. Raises SystemExit with its last words when there is none."""
        if line := self.process.stdout.readline():
            return json.loads(line)
        self.log.seek(0)
        sys.exit(f"{self.name} ended: {self.log.read()[-2000:]}")

    def ask(self, do: str, **order: Any) -> dict[str, Any]:
        """Have it do something → its answer."""
        print(json.dumps({"do": do, **order}), file=self.process.stdin, flush=True)
        return self.read()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stdin.close()
        self.process.wait()


def started(names: list[str], folder: Path, args: argparse.Namespace, stack: ExitStack) -> Iterator[Child]:
    """The contenders that are installed."""
    for name in names:
        python = args.python if name in NAMES[-2:] else sys.executable
        one = stack.enter_context(Child(name, folder, python))
        if "missing" in one.about:
            print(f"{name}: skipped, {one.about['missing']}", flush=True)
        else:
            yield one


def peak() -> dict[str, float]:
    """Operations a second of this machine on one thread, by type: the best of matrix products and a convolution."""
    torch.set_num_threads(1)
    best: dict[str, float] = {}
    for dtype in (torch.float32, torch.bfloat16):
        a, b = (torch.randn(2048, 2048, dtype=dtype) for _ in "ab")
        x = torch.randn(16, 128, 64, 64, dtype=dtype).to(memory_format=torch.channels_last)
        weight = torch.randn(128, 128, 3, 3, dtype=dtype).to(memory_format=torch.channels_last)
        ways = {2 * 2048**3: lambda: a @ b, 2 * 16 * 64 * 64 * 128 * 128 * 9: lambda: conv2d(x, weight, padding=1)}
        rates = []
        with torch.no_grad():
            for operations, way in ways.items():
                for _ in range(6):
                    begun = time.process_time()
                    way()
                    rates.append(operations / (time.process_time() - begun))
        best[str(dtype).removeprefix("torch.")] = max(rates)
    return best


def measured(children: list[Child], rounds: int) -> dict[str, dict[str, Any]]:
    """What a photo costs each of them: medians of `rounds` turns, in which each unit of each contender is timed once."""
    times: dict[str, list[list[dict[str, float]]]] = {one.name: [[] for _ in one.about["times"]] for one in children}
    # The count warms up, too.
    counted = {one.name: [one.ask("count", unit=n) for n in range(len(one.about["times"]))] for one in children}
    limits = [peak()]
    for _ in range(rounds):
        for one in children:
            for number in range(len(one.about["times"])):
                times[one.name][number].append(one.ask("time", unit=number))
    limits.append(peak())
    most = {kind: max(limit[kind] for limit in limits) for kind in limits[0]}
    found: dict[str, dict[str, Any]] = {"peak": most}
    for one in children:
        often, counts = one.about["times"], counted[one.name]
        photos = sum(n * count["photos"] for n, count in zip(often, counts))
        each = {  # seconds a photo
            what: sum(n * statistics.median(turn[what] for turn in turns) for n, turns in zip(often, times[one.name])) / photos
            for what in ("wall", "cpu", "data")
        }
        flop = {kind: sum(n * count.get(kind, 0) for n, count in zip(often, counts)) / photos for kind in most}
        batch = one.about["parts"] * photos / (1 if one.name == "paper" else sum(often))  # photos to a generator update
        found[one.name] = {
            **each, "photos": 1 / each["cpu"], "updates": 1 / each["cpu"] / batch, "flop": flop, **one.ask("memory"),
            "share": sum(flop[kind] / most[kind] for kind in most) / each["cpu"], "settings": one.about["settings"],
            "reading": one.about["reading"], "times": times[one.name],
        }  # fmt: skip
    return found


def throughput(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Side by side: photos a second, memory, arithmetic, the share of the photos."""
    with ExitStack() as stack:
        found = measured(list(started(args.contenders, folder, args, stack)), args.rounds)
    best = found["peak"]
    print("peak of one thread: " + ", ".join(f"{kind} {rate / 1e9:,.0f} GFLOP/s" for kind, rate in best.items()))
    base = found.get("paper", {}).get("photos", math.nan)
    print(f"{'':20} photos/s  × paper  updates/min   MiB  GFLOP/photo (bf16)  GFLOP/s  of peak  photos' share  CPU/wall")
    for name, one in found.items():
        if name != "peak":
            total = sum(one["flop"].values())
            print(
                f"{name:20} {one['photos']:8.1f} {one['photos'] / base:8.2f} {60 * one['updates']:12.2f} "
                f"{one['bytes'] / 2**20:6,.0f} {total / 1e9:12.1f} ({one['flop']['bfloat16'] / 1e9:.1f}) "
                f"{total / one['cpu'] / 1e9:9.0f} {one['share']:8.0%} {one['data'] / one['cpu']:10.1%} "
                f"{one['cpu'] / one['wall']:12.2f}   {one['settings']}"
            )
    return found


def resolution(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The flagship at several sides: what a photo costs, and with which power of its pixels that grows."""
    with ExitStack() as stack:
        found = measured(list(started([f"flagship@{side}" for side in SIDES], folder, args, stack)), args.rounds)
    rows = [found[f"flagship@{side}"] for side in SIDES]
    for side, row in zip(SIDES, rows):
        print(f"{side:4d} pixels: {1e3 * row['cpu']:7.1f} ms and {sum(row['flop'].values()) / 1e9:7.2f} GFLOP a photo, "
              f"{row['bytes'] / 2**20:,.0f} MiB")  # fmt: skip
    pixels = np.log([side**2 for side in SIDES])
    for what, values in (("seconds", [row["cpu"] for row in rows]), ("FLOP", [sum(row["flop"].values()) for row in rows])):
        found[f"exponent of {what}"] = exponent = float(np.polyfit(pixels, np.log(values), 1)[0])
        print(f"{what} grow with the pixels to the power of {exponent:.2f}")
    return found


def write(out: Path | None, found: dict[str, Any]) -> None:
    """Keep the results, if a file was named."""
    if out:
        out.write_text(json.dumps(found, indent=1))


def linked(source: Path, folder: Path) -> Path:
    """A folder of links to the photos of CLASSES alone: everybody trains on the same files."""
    for name in CLASSES:
        (folder / name).mkdir()
        for path in sorted((source / name).iterdir()):
            (folder / name / path.name).symlink_to(path.resolve())
    return folder


def main() -> None:
    """Measure what was asked for."""
    if "--child" in sys.argv:
        return child(sys.argv[-1], Path(sys.argv[sys.argv.index("--child") + 1]))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("throughput", "resolution"))
    parser.add_argument(
        "--photos", type=Path, default=ROOT / "photos" / "flowers", help="with folders " + " and ".join(CLASSES)
    )
    parser.add_argument("--contenders", nargs="+", choices=NAMES, default=NAMES, metavar="NAME", help="of " + ", ".join(NAMES))
    parser.add_argument("--rounds", type=int, default=3, help="turns of which a median is taken (default 3)")
    parser.add_argument("--python", default=sys.executable, help="interpreter that has the other packages (default this one)")
    parser.add_argument("--out", type=Path, help="file for the results, as JSON")
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(describe(CPU))
    with tempfile.TemporaryDirectory() as folder:
        found = {"throughput": throughput, "resolution": resolution}[args.what](args, linked(args.photos, Path(folder)))
    write(args.out, found)


if __name__ == "__main__":
    main()
