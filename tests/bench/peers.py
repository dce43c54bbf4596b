"""This project beside its peers: each trained from nothing on the same photos, on one core, for the same processor time.

    make build/peers/.done                                   # once: the peers' packages, in an environment of their own
    python tests/bench/peers.py PHOTOS --hours 2             # goes on where it was stopped
    python tests/bench/peers.py PHOTOS --hours 2 --like docs/peers.json    # in the hours of an earlier machine (peers_clock.py)
    python tests/bench/peers.py PHOTOS --pace --contenders NAME            # how fast it is on this processor, and …
    python tests/bench/peers.py PHOTOS --device cuda --contenders NAME     # … as many updates in the same hours, on a GPU
    python tests/bench/peers.py PHOTOS --page                # docs/peers.md, .json, .svg and a row of pictures of each

After a quarter of an hour, half an hour, one hour, two, … of the processor each contender (`contenders.py`, `others.py`)
draws 1,000 pictures, which MobileNetV2 and DINOv2 judge (`peers_judge.py`). All reach a moment before any goes on to the next.
Two processes may train different contenders in one --out.
Only the training counts, with the reading of the photos; not imports, drawing and judging. A SIGTERM or Ctrl-C saves.
lightweight-gan takes more than 6 GB of memory at 64×64, the others less.

Files in --out: photos/ (links), asked.json, results.json, floor-NETWORK.json; in a folder for each contender state.pt,
costs.json, pace.json with --pace, and at each moment pictures-H/, moment-H.json and judged-H-NETWORK.json.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent)]
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # what train.py does before torch is imported; here for all alike

import numpy as np  # noqa: E402
import others  # noqa: E402
import peers_clock  # noqa: E402
import peers_judge  # noqa: E402
import torch  # noqa: E402
from contenders import CPU, Ours  # noqa: E402
from operations import Operations  # noqa: E402

from gan.data.image_folder import OVERSAMPLE, find_photos, load_photos  # noqa: E402
from gan.data.split import split  # noqa: E402
from gan.errors import UserError  # noqa: E402
from gan.evaluation.reference import pictures, quotas  # noqa: E402
from gan.runs.validator import FIRST_SEED  # noqa: E402
from gan.utils import lock  # noqa: E402
from gan.utils.device import describe  # noqa: E402
from gan.utils.files import json_bytes, write_atomic  # noqa: E402

NAMES = ("flagship", "lightweight-gan", "stylegan2-pytorch", "mimicry-sngan", "cwgan-gp-64", "diffusion")
MOMENTS = (0.25, 0.5, 1, 2, 4, 8, 16)  # hours of the processor
BLOCK = 100  # pictures drawn between two saves
SAVE_SECONDS = 300  # of the processor between two saves of a training
PACE = "pace"  # in the place of a moment: measure_pace
PACE_SECONDS = 180  # of the processor in which the updates of `--pace` are made
HOLDOUT, SEED = 0.15, 0


# ------------------------------------------------------------------------------------------------------------ a contender


def make(name: str, folder: Path, side: int, work: Path, device: torch.device = CPU) -> Any:
    """The contender `name` on the photos in `folder`. Raises ImportError where its package is missing."""
    if name in others.OTHERS:
        return others.make(name, folder, side, work, device=device)
    return Ours(folder, name, side, device=device)


def child(args: argparse.Namespace, name: str, moment: float) -> int:
    """Train `name` up to a moment, in hours of the clock, and draw the pictures → exit code; 3: not installed.

    On a GPU the hours are those that a processor takes for as many updates, and what a processor costs is that of its pace.
    """
    out, device = args.out, torch.device(args.device)
    known = peers_clock.pace(args.earlier, name, out) if device != CPU else {}
    clock = peers_clock.Clock(known["cpu"] / known["updates"]) if known else peers_clock.clock(args.earlier, name, out)
    torch.set_num_threads(1)
    torch.backends.cudnn.allow_tf32 = False  # float32 is float32, as on a processor
    stopped: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: stopped.append(number))
    place = out / name
    place.mkdir(parents=True, exist_ok=True)
    try:
        if name in others.OTHERS:
            others.imported(others.OTHERS[name], device)
        started = time.process_time(), time.perf_counter()
        contender = make(name, out / "photos", args.resolution, place / "work", device)
    except ImportError as error:
        print(f"{name}: not installed ({error})", file=sys.stderr)
        return 3
    spent = {"cpu": time.process_time() - started[0], "wall": time.perf_counter() - started[1], "photos": 0, "updates": 0}
    if (place / "state.pt").exists():
        spent = load(place / "state.pt", contender)
    if not train(contender, spent, clock, 3600 * moment, place / "state.pt", stopped):
        return 128 + stopped[0]
    labels = asked_labels(args)
    drawn = draw(contender, labels, place / f"pictures-{moment:g}", stopped)
    if drawn is None:
        return 128 + stopped[0]
    seconds = clock.seconds(spent)
    found = {
        **spent, "name": name, "moment": moment, "cpu": seconds, "cpu_here": spent["cpu"], "hardware": describe(CPU),
        "draw_seconds": drawn * seconds / spent["cpu"], "settings": contender.settings,
    }  # fmt: skip
    if known:
        found |= {"hardware": describe(device), "memory": known["memory"], "draw_seconds": known["draw_seconds"]}
    if not (place / "costs.json").exists():  # the steps that are counted are not kept
        write_atomic(place / "costs.json", json_bytes(costs(contender, labels)))
    write_atomic(place / f"moment-{moment:g}.json", json_bytes(found))
    return 0


def asked_labels(args: argparse.Namespace) -> torch.Tensor:
    """The classes of the pictures that are drawn, in the shares of the photos trained on."""
    counts = torch.tensor([len(paths) for paths in find_photos(args.out / "photos").values()])
    return quotas(torch.arange(len(counts)).repeat_interleave(counts), len(counts), args.pictures)


def measure_pace(args: argparse.Namespace, name: str) -> int:
    """Write pace.json and costs.json: what an update and a picture cost this processor. Keeps no training. → exit code."""
    torch.set_num_threads(1)
    clock, place = peers_clock.clock(args.earlier, name, args.out), args.out / name
    contender = make(name, args.out / "photos", args.resolution, place / "work")
    contender.update()  # what is done once
    started, updates = time.process_time(), 0
    while updates < 2 or time.process_time() - started < PACE_SECONDS:
        contender.update()
        updates += 1
    spent = {"updates": updates, "cpu": time.process_time() - started}
    labels, begun = asked_labels(args)[: others.CHUNK], time.process_time()
    contender.draw(labels)
    drawn = (time.process_time() - begun) / len(labels)
    seconds, memory = clock.seconds(spent), 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = {"cpu": seconds, "cpu_here": spent["cpu"], "draw_seconds": drawn * seconds / spent["cpu"], "memory": memory}
    write_atomic(place / "costs.json", json_bytes(costs(contender, labels)))
    write_atomic(place / "pace.json", json_bytes({**found, "updates": updates, "hardware": describe(CPU)}))
    return 0


def train(
    contender: Any, spent: dict[str, Any], clock: peers_clock.Clock, until: float, state: Path, stopped: list[int]
) -> bool:
    """Train until what is `spent` is `until` seconds by the clock, and save. False where it was stopped before."""
    saved = spent["cpu"]
    while clock.seconds(spent) < until and not stopped:
        cpu, wall = time.process_time(), time.perf_counter()
        spent["photos"] += contender.update()
        spent["updates"] += 1
        spent["cpu"] += time.process_time() - cpu
        spent["wall"] += time.perf_counter() - wall
        if spent["cpu"] - saved > SAVE_SECONDS:
            save(state, contender, spent)
            saved = spent["cpu"]
    save(state, contender, spent)
    return clock.seconds(spent) >= until


def save(path: Path, contender: Any, spent: dict[str, Any]) -> None:
    """Write all that going on needs, whole or not at all. Notes the most memory that the process has had."""
    spent["memory"] = max(spent.get("memory", 0), 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    kept = {"contender": contender.state(), "spent": spent, "torch": torch.get_rng_state(), "python": random.getstate()}
    temporary = path.with_suffix(".tmp")
    torch.save(kept, temporary)
    os.replace(temporary, path)


def load(path: Path, contender: Any) -> dict[str, Any]:
    """Continue from what `save` wrote → what was spent."""
    kept = torch.load(path, weights_only=True)
    contender.load_state(kept["contender"])
    torch.set_rng_state(kept["torch"])
    random.setstate(kept["python"])
    return kept["spent"]


def draw(contender: Any, labels: torch.Tensor, folder: Path, stopped: list[int]) -> float | None:
    """Draw the pictures of `labels` into files of BLOCK pictures → seconds of the processor a picture; None where stopped."""
    folder.mkdir(exist_ok=True)
    before, seconds = torch.get_rng_state(), []
    for number, part in enumerate(labels.split(BLOCK)):
        path = folder / f"{number:03d}.npy"
        if not path.exists() or number == 0:  # the first is drawn again for its time
            cpu = time.process_time()
            drawn = contender.draw(part, FIRST_SEED + number * BLOCK)
            seconds.append((time.process_time() - cpu) / len(part))
            temporary = folder / "block.tmp"
            with temporary.open("wb") as file:
                np.save(file, drawn)
            os.replace(temporary, path)
        if stopped:
            return None
    torch.set_rng_state(before)
    return sorted(seconds)[len(seconds) // 2]


def costs(contender: Any, labels: torch.Tensor) -> dict[str, Any]:
    """10⁹ operations a photo of the training and a picture drawn, and the weights that draw, in bytes of float32."""
    operations = photos = 0
    contender.shorten()
    for often, unit in contender.units():
        with Operations() as counted:
            seen = unit()
        operations, photos = operations + often * sum(counted.found.values()), photos + often * seen
    drawn = []
    for count in (1, 2):  # what is done once is in both
        with Operations() as counted:
            contender.draw(labels[:count])
        drawn.append(sum(counted.found.values()))
    weights = sum(weight.numel() for network in contender.drawing for weight in network.parameters())
    return {"gflop_a_photo": operations / photos / 1e9, "gflop_a_picture": (drawn[1] - drawn[0]) / 1e9, "bytes": 4 * weights}


# ------------------------------------------------------------------------------------------------------------- the parent


def prepare(photos: Path, out: Path, side: int) -> Any:
    """Links to the photos trained on, in `out`, and all photos: peers_judge.Reference."""
    kept, held = split(find_photos(photos), photos, HOLDOUT, SEED)
    names = {name: sorted(path.name for path in paths) for name, paths in kept.items()}
    check_asked(out, {"resolution": side, "photos": names})
    for name, paths in kept.items():
        (out / "photos" / name).mkdir(parents=True, exist_ok=True)
        for path in paths:
            link = out / "photos" / name / path.name
            if not link.exists():
                link.symlink_to(path.resolve())
    trained_on = pictures(load_photos(out / "photos", OVERSAMPLE * side))
    held_out = pictures(load_photos(photos, OVERSAMPLE * side, select=lambda found: held))
    return peers_judge.Reference(trained_on.pixels, held_out.pixels)


def check_asked(out: Path, asked: dict[str, Any]) -> None:
    """Keep what is asked for in `out`. Raises UserError where results of something else are there: they would be mixed up."""
    path = out / "asked.json"
    if path.exists() and json.loads(path.read_text()) != asked:
        raise UserError(f"{out} holds results at another resolution or of other photos; choose another --out.")
    write_atomic(path, json_bytes(asked))


def run(args: argparse.Namespace, reference: Any) -> int:
    """Train and judge all contenders, a moment after the other → exit code."""
    missing: set[str] = set()  # not installed, or failed
    worst = 0
    for moment in (moment for moment in MOMENTS if moment <= args.hours):
        for name in args.contenders:
            if name in missing:
                continue
            if not (args.out / name / f"moment-{moment:g}.json").exists():
                print(f"{time.strftime('%H:%M')} {name} up to {moment:g} h", flush=True)
                code = started(args, name, moment)
                if code < 0 or code > 128:  # a signal
                    return code
                if code:
                    missing.add(name)
                    worst = max(worst, code)
                    continue
            judge(args, reference, name, moment)
    return worst


def started(args: argparse.Namespace, name: str, moment: float | str) -> int:
    """Run `child`, or with PACE `measure_pace`, in a process of its own → exit code. A signal here stops and saves that one."""
    command = [args.python, __file__, str(args.photos), "--out", str(args.out), "--resolution", str(args.resolution)]
    command += ["--device", args.device, "--pictures", str(args.pictures), *(["--like", str(args.like)] if args.like else [])]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with (args.out / f"{name}.log").open("a") as log:
        process = subprocess.Popen([*command, "--child", name, str(moment)], stdout=log, stderr=log, env=environment)
        handlers = {
            number: signal.signal(number, lambda number, frame: process.terminate())
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            code = process.wait()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
    if code:
        print(f"{name} ended with {code}; {args.out / name}.log has its last words", flush=True)
    return code


def judge(args: argparse.Namespace, reference: Any, name: str, moment: float) -> None:
    """Judge a moment by every network that is there and has not judged it, and write results.json."""
    for network in args.networks:
        path = args.out / name / f"judged-{moment:g}-{network}.json"
        if path.exists() or not (found := reference.judge(network, args.out / name / f"pictures-{moment:g}", args.out)):
            continue
        write_atomic(path, json_bytes(found))
        print(f"{time.strftime('%H:%M')} {name} {moment:g} h {network}: " + ", ".join(f"{k} {v:.4g}" for k, v in found.items()
              if isinstance(v, float) and not k.endswith("error")), flush=True)  # fmt: skip
    write_atomic(args.out / "results.json", json_bytes(results(args, reference)))


def results(args: argparse.Namespace, reference: Any) -> dict[str, Any]:
    """All that was measured, from the files."""
    found: dict[str, Any] = {
        "photos": {"trained_on": len(reference.trained_on), "held_out": len(reference.held_out), "name": args.photos.name},
        "resolution": args.resolution, "pictures": args.pictures, "hardware": describe(CPU), "torch": torch.__version__,
        "floors": {}, "contenders": {},
    }  # fmt: skip
    for network in args.networks:
        path = args.out / f"floor-{network}.json"
        if path.exists():
            found["floors"][network] = json.loads(path.read_text())
    for name in NAMES:
        moments = []
        for moment in MOMENTS:
            path = args.out / name / f"moment-{moment:g}.json"
            if path.exists():
                judged = {n: path.with_name(f"judged-{moment:g}-{n}.json") for n in args.networks}
                judgments = {n: json.loads(file.read_text()) for n, file in judged.items() if file.exists()}
                moments.append({**json.loads(path.read_text()), "judged": judgments})
        if moments:
            costs_found = json.loads((args.out / name / "costs.json").read_text())
            found["contenders"][name] = {**costs_found, "moments": moments}
    return peers_clock.merged(args.earlier, found)


def main() -> int:
    """Do what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="a folder with a sub-folder of photos for each class")
    parser.add_argument("--hours", type=float, default=2, help="of the processor, for each contender (default 2)")
    parser.add_argument("--resolution", type=int, default=64, help="pixels a side (default 64)")
    parser.add_argument("--pictures", type=int, default=1000, help="that each draws at each moment (default 1000)")
    parser.add_argument("--out", type=Path, default=Path("runs") / "peers", help="folder of what is kept (default runs/peers)")
    parser.add_argument("--contenders", nargs="+", choices=NAMES, default=NAMES, metavar="NAME", help="of " + ", ".join(NAMES))
    parser.add_argument("--networks", nargs="+", default=[*peers_judge.NETWORKS], help="that judge")
    usual = ROOT / "build" / "peers" / "bin" / "python"
    parser.add_argument(
        "--python", default=str(usual) if usual.exists() else sys.executable, help="interpreter of the contenders"
    )
    parser.add_argument(
        "--like", type=Path, metavar="FILE", help="results of an earlier machine: count in its hours, keep them"
    )
    parser.add_argument("--device", default="cpu", help="where contenders are trained: cpu or cuda (default cpu)")
    parser.add_argument(
        "--pace", action="store_true", help="measure how fast contenders are on this processor, for --device cuda, and end"
    )
    parser.add_argument("--page", action="store_true", help="write docs/peers.md, .json, .svg and peers/, and end")
    parser.add_argument("--child", nargs=2, metavar=("NAME", "MOMENT"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.out = args.out.resolve()
    args.earlier = json.loads(args.like.read_text()) if args.like else None
    if args.child:
        name, moment = args.child
        return measure_pace(args, name) if moment == PACE else child(args, name, float(moment))
    if args.page:
        import peers_page

        peers_page.write(json.loads((args.out / "results.json").read_text()), args.out, ROOT / "docs")
        return 0
    torch.set_num_threads(1)
    try:
        with ExitStack() as stack:
            for name in args.contenders:
                stack.enter_context(lock.hold(args.out / name))
            reference = prepare(args.photos, args.out, args.resolution)
            if args.pace:
                return max(started(args, name, PACE) for name in args.contenders)
            peers_clock.check_same(args.earlier, args.resolution, len(reference.trained_on), args.pictures)
            return run(args, reference)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
