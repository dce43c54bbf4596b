"""Trains every preset of the family on two classes for the same processor time, and judges them in one table.

    python tests/bench/family.py photos/flowers --minutes 40 --out runs/family
    python tests/bench/family.py photos/flowers --minutes 10 --out runs/switches --switches

One training after the other, each on one thread. The script goes on where it was stopped: a training resumes, and one that has
had its time is not begun again. What was measured is in OUT/family.json, the table in OUT/family.md. With `--switches` it
trains the slides' stabilizing tricks instead: the DCGAN with each of them switched off.

The number of images is planned from a few steps of each side before the training, so a schedule of sides fits into the time.
The training ends when its processor time is used up or its images are through. Linux only: it reads /proc.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from gan.evaluation import results  # noqa: E402
from gan.presets import PRESETS  # noqa: E402
from gan.utils.device import pick_precision  # noqa: E402
from gan.utils.files import json_bytes, write_atomic  # noqa: E402
from gan.utils.formatting import MISSING  # noqa: E402

CLASSES = ("dandelion", "marigold")
HOLDOUT = 0.15
FAMILY = ("cwgan-gp-64", *(name for name, preset in PRESETS.items() if preset.year))
# Name → preset and options: the slides' list, each trick switched off by itself (docs/family.md).
SLIDES = ["--width", "32", "--batch", "16"]
SWITCHES = {
    "all-on": ("dcgan-64", SLIDES),
    "no-label-smoothing": ("dcgan-64", [*SLIDES, "--label-smoothing", "0"]),
    "no-noisy-labels": ("dcgan-64", [*SLIDES, "--no-noisy-labels"]),
    "momentum-0.9": ("dcgan-64", [*SLIDES, "--beta1", "0.9"]),
    "no-momentum": ("dcgan-64", [*SLIDES, "--optimizer", "rmsprop"]),
    "mixed-batches": ("dcgan-64", [*SLIDES, "--mixed-batches"]),
}
POLL = 5  # seconds
PROBE_STEPS = 3


def runs_of(args: argparse.Namespace) -> dict[str, tuple[str, list[str]]]:
    """Name of a run → its preset and the options that differ from the preset's."""
    table = SWITCHES if args.switches else {name: (name, SLIDES if name == "dcgan-64" else []) for name in FAMILY}
    return {name: run for name, run in table.items() if not args.only or name in args.only}


def rate(preset: str, options: list[str], photos: Path) -> float:
    """Processor seconds for a photo, the mean over the sides that a training of the preset goes through."""
    import torch

    from gan.data.image_folder import OVERSAMPLE, load_photos
    from gan.runs import cli, training
    from gan.trainer import Trainer

    torch.set_num_threads(1)
    device = torch.device("cpu")
    request = cli.parse([str(photos), "--preset", preset, *options])
    model, config = training.configure(request, CLASSES, pick_precision(device))
    trainer = Trainer(model, config, load_photos(photos, OVERSAMPLE * model.resolution, only=CLASSES), device)
    total, begin = 0.0, 0
    for _, end in trainer.schedule or [(model.resolution, config.images)]:
        trainer.images_seen = begin
        trainer.step()  # the first one measures the photos
        steps = max(PROBE_STEPS, config.penalty_every, config.path_length_every)
        started, seen = time.process_time(), trainer.images_seen
        for _ in range(steps):
            trainer.step()
        total += (end - begin) * (time.process_time() - started) / (trainer.images_seen - seen)
        begin = end
    return total / config.images


def train(name: str, args: argparse.Namespace, state: dict[str, Any], save: Any) -> None:
    """Train one run until its processor time is used up; go on where it stopped."""
    preset, options = runs_of(args)[name]
    entry = state.setdefault(name, {"seconds": 0.0, "done": False})
    if entry["done"]:
        return
    budget = 60 * args.minutes
    if "images" not in entry:
        entry["rate"] = rate(preset, options, args.photos)
        entry["images"] = max(1000, int(budget / entry["rate"]))
        save()
    out = args.out / name
    command = [
        sys.executable, str(ROOT / "train.py"), str(args.photos), "--classes", *CLASSES, "--holdout", str(HOLDOUT),
        "--preset", preset, "--out", str(out), "--half", "--evaluate-every", "0", "--threads", "1",
        "--images", str(entry["images"]), *options,
    ]  # fmt: skip
    print(f"{name}: {entry['images']:,} images planned at {1000 * entry['rate']:.0f} ms; {' '.join(command[1:])}", flush=True)
    before = entry["seconds"]
    with (args.out / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "OMP_NUM_THREADS": "1"}, cwd=ROOT)
        try:
            while process.poll() is None:
                entry["seconds"] = before + (processor_seconds(process.pid) or entry["seconds"] - before)
                save()
                if entry["seconds"] >= budget and (out / "progress.jsonl").is_file():  # not before its first step
                    process.send_signal(signal.SIGTERM)  # it saves after the step in hand
                    process.wait(600)
                time.sleep(min(POLL, max(0.1, budget - entry["seconds"])))
        except BaseException:
            process.send_signal(signal.SIGTERM)
            process.wait(600)
            raise
    if process.returncode not in (0, 128 + signal.SIGTERM):
        raise SystemExit(f"{name} ended with {process.returncode}; read {args.out / name}.log")
    if not (out / "model.safetensors").is_file():
        raise SystemExit(f"{name} had no time to write a model; give it more --minutes.")
    entry["done"] = True
    entry["trained"] = json.loads((out / "config.json").read_text())["trained"]["images"]
    save()


def processor_seconds(pid: int) -> float | None:
    """What a process has used until now, itself and its threads; None where it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") or None


def judge(args: argparse.Namespace, names: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Judge → what `python -m gan compare` found of each model with it."""
    found = {}
    for network in args.judges:
        out = args.out / f"compare-{network}"
        command = [
            sys.executable, "-m", "gan", "compare", *(str(args.out / name) for name in names), str(args.photos), "--network",
            network, "-n", str(args.n), "--truncation", "3", "--out", str(out),
        ]  # fmt: skip
        if subprocess.run(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}).returncode:
            raise SystemExit(f"{network} did not judge; its message stands above.")
        found[network] = json.loads((out / "comparison.json").read_text())
    return found


def table(names: list[str], found: dict[str, list[dict[str, Any]]], state: dict[str, Any], out: Path) -> Iterator[str]:
    """The lines of the table: a row for each model, the figures of the first judge, then the distances of the others."""
    rows = [row for number, judged in enumerate(found.values()) for row in _figures(judged, number == 0)]
    heads = [row.label for row in rows] + ["parameters", "ms an image", "images", "processor minutes"]
    yield f"| model | {' | '.join(heads)} |"
    yield f"| --- |{' ---: |' * len(heads)}"
    for number, name in enumerate(names):
        cells = [row.figures[number].text for row in rows]
        cells = [f"**{cell}**" if number in row.best else cell for cell, row in zip(cells, rows)]
        entry = state[name]
        seconds = entry["seconds"]
        cells += [
            f"{parameters_of(out / name):,}", f"{1000 * seconds / entry['trained']:.0f}", f"{entry['trained']:,}",
            f"{seconds / 60:.1f}",
        ]  # fmt: skip
        yield f"| {name} | {' | '.join(cells)} |"
    yield f"| *real photos* | {' | '.join([row.real or MISSING for row in rows] + [MISSING] * 4)} |"


def _figures(judged: list[dict[str, Any]], first: bool) -> list[Any]:
    return results.compared(judged, results.HEADLINES if first else ("kid", "fd"))


def parameters_of(folder: Path) -> int:
    """The number of parameters of the generator of a model folder."""
    from gan.hub.checkpoint import load_model
    from gan.networks.layers import parameters

    return parameters(load_model(folder))


def main() -> None:
    """Train, judge, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/family"))
    parser.add_argument("--minutes", type=float, default=40, help="of one processor, for each training")
    parser.add_argument("--only", nargs="+", default=[], help="these runs only")
    parser.add_argument("--judges", nargs="+", default=["mobilenetv2", "inception"])
    parser.add_argument("-n", type=int, default=1000, help="flowers of each model that are judged, at truncation 3")
    parser.add_argument("--switches", action="store_true", help="the slides' tricks instead of the family")
    args = parser.parse_args()
    args.photos, args.out = args.photos.resolve(), args.out.resolve()
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "family.json"
    state = json.loads(path.read_text()) if path.is_file() else {}
    names = list(runs_of(args))
    for name in names:
        train(name, args, state, lambda: write_atomic(path, json_bytes(state)))
    lines = list(table(names, judge(args, names), state, args.out))
    write_atomic(args.out / "family.md", ("\n".join(lines) + "\n").encode())
    print("\n".join(lines))


if __name__ == "__main__":
    main()
