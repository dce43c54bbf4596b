"""Trains every preset of the family on two classes for the same processor time, and judges them in one table.

    python tests/bench/family.py photos/flowers --minutes 40 --out runs/family
    python tests/bench/family.py photos/flowers --minutes 10 --out runs/switches --switches

One training after the other, each on one thread. The script goes on where it was stopped, by SIGTERM too: a training resumes,
one that has had its time is not begun again, and a model is judged again only if it has changed. What was measured is in
OUT/family.json, the table in OUT/family.md. A training or a judging that fails costs its own cells of the table only: its
reason is in family.json, the same command tries it again, and the script ends with 1. With `--switches` it trains the slides'
stabilizing tricks instead, the DCGAN with each of them switched off, and the WGAN with other clips.

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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from gan.errors import UserError  # noqa: E402
from gan.evaluation import results  # noqa: E402
from gan.presets import PRESETS  # noqa: E402
from gan.utils.device import pick_precision  # noqa: E402
from gan.utils.files import json_bytes, write_atomic  # noqa: E402
from gan.utils.formatting import MISSING  # noqa: E402

CLASSES = ("dandelion", "marigold")
HOLDOUT = 0.15
FAMILY = ("cwgan-gp-64", *(name for name, preset in PRESETS.items() if preset.year))
# Name → preset and options: the slides' list, each trick switched off by itself, and other clips (docs/family.md).
SLIDES = ["--width", "32", "--batch", "16"]
SWITCHES = {
    "all-on": ("dcgan-64", SLIDES),
    "no-label-smoothing": ("dcgan-64", [*SLIDES, "--label-smoothing", "0"]),
    "no-noisy-labels": ("dcgan-64", [*SLIDES, "--no-noisy-labels"]),
    "momentum-0.9": ("dcgan-64", [*SLIDES, "--beta1", "0.9"]),
    "no-momentum": ("dcgan-64", [*SLIDES, "--beta1", "0"]),
    "mixed-batches": ("dcgan-64", [*SLIDES, "--mixed-batches"]),
    "clip-0.01": ("wgan-64", []),  # and the two failures of clipping that the paper describes
    "clip-0.1": ("wgan-64", ["--clip", "0.1"]),
    "clip-0.001": ("wgan-64", ["--clip", "0.001"]),
}
SIDE = 64  # pixels a side, of every run
POLL = 5  # seconds
PROBE_STEPS = 3
TRAINING = "training"  # beside the judges' names in what failed of a run


class Failed(Exception):
    """A training or a judging that ended badly; the message says why."""


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


def planned_images(preset: str, budget: float, seconds: float) -> int:
    """Images for `budget` processor seconds at `seconds` an image; twice as many where they only end the run.

    The probe may run on a busy machine, and a run whose images are through early would leave time unused. Only a schedule of
    sides is laid out by the images.
    """
    spare = 1 if PRESETS[preset].training.get("sides") else 2
    return max(1000, int(spare * budget / seconds))


def train(name: str, args: argparse.Namespace, entry: dict[str, Any], save: Callable[[], None]) -> None:
    """Train one run until its processor time is used up; go on where it stopped. Raises Failed, and UserError of the probe."""
    if entry["done"]:
        return
    (preset, options), budget, out = runs_of(args)[name], 60 * args.minutes, args.out / name
    if "images" not in entry:
        entry["rate"] = rate(preset, options, args.photos)
        entry["images"] = planned_images(preset, budget, entry["rate"])
        save()
    command = [
        sys.executable, str(ROOT / "train.py"), str(args.photos), "--classes", *CLASSES, "--holdout", str(HOLDOUT),
        "--preset", preset, "--out", str(out), "--half", "--evaluate-every", "0", "--threads", "1",
        "--images", str(entry["images"]), *options,
    ]  # fmt: skip
    model, log = out / "model.safetensors", args.out / f"{name}.log"
    if entry["seconds"] < budget or not model.is_file():  # else the script ended between the training and its last save
        plan = f"{entry['images']:,} images planned at {1000 * entry['rate']:.0f} ms"
        print(f"{name}: {plan}; {' '.join(command[1:])}", flush=True)
        code = spend(command, log, entry, budget, out / "progress.jsonl", save)
        if code not in (0, 128 + signal.SIGTERM):
            raise Failed(f"ended with {code}: {last_line(log)}")
        if code and entry["seconds"] < budget:
            raise Failed("was stopped by somebody before its time was used up; the same command goes on with it")
    if not model.is_file():
        raise Failed("had no time to write a model; give it more --minutes")
    entry["trained"] = json.loads((out / "config.json").read_text())["trained"]["images"]
    entry["done"] = True


def spend(
    command: list[str], log: Path, entry: dict[str, Any], budget: float, begun: Path, save: Callable[[], None]
) -> int:  # fmt: skip
    """Run a training until it ends, or until `budget` processor seconds are used and the file `begun` is there: its code.

    However this is left, the training has ended then: one that goes on would hold the lock of its folder.
    """
    before = entry["seconds"]
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment(), cwd=ROOT)
        try:
            while process.poll() is None:
                entry["seconds"] = before + (processor_seconds(process.pid) or entry["seconds"] - before)
                save()
                if entry["seconds"] >= budget and begun.is_file():  # not before its first step
                    break
                time.sleep(min(POLL, max(0.1, budget - entry["seconds"])))
        finally:
            stop(process)
    return process.returncode


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask a training to end, and wait for it; nothing for one that has ended."""
    if process.poll() is not None:
        return
    process.terminate()  # it saves after the step in hand
    try:
        process.wait(600)
    except subprocess.TimeoutExpired:
        process.kill()
    finally:
        process.wait()


def environment() -> dict[str, str]:
    """The environment of a training or a judging: one thread."""
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def last_line(log: Path) -> str:
    """The last line of a log that is not empty, with the log's path: there the reason of a failure stands."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return f"{lines[-1][:300] if lines else 'it said nothing'} ({log})"


@contextmanager
def noted(name: str, what: str, entry: dict[str, Any], save: Callable[[], None]) -> Iterator[None]:
    """Keep in `entry` why `what` of a run failed, print it, and go on: it must not cost the other rows of the table."""
    failed = entry.setdefault("failed", {})
    failed.pop(what, None)
    try:
        yield
    except Exception as error:  # whatever it is, it belongs to one run; a signal is no Exception and ends the script
        failed[what] = str(error) or type(error).__name__
        print(f"{name}, {what}: {failed[what]}", flush=True)
    save()


def processor_seconds(pid: int) -> float | None:
    """What a process has used until now, itself and its threads; None where it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") or None


def check_judges(names: list[str]) -> None:
    """Load every judge once, so that one that cannot be had ends the script before the first training. Raises SystemExit."""
    from gan.evaluation.evaluate_model import find_judging_network

    for name in names:
        try:
            find_judging_network(name, "cpu")
        except UserError as error:
            raise SystemExit(f"the judge {name} cannot be had: {error}") from None


def judge(network: str, name: str, args: argparse.Namespace) -> dict[str, Any]:
    """What `python -m gan compare` finds of one model with one judge; kept until the model changes. Raises Failed."""
    model, out = args.out / name, args.out / f"compare-{network}" / name
    path, log = out / "comparison.json", out / "judge.log"
    if found := kept_result(path, model / "model.safetensors", args.n):
        return found
    command = [
        sys.executable, "-m", "gan", "compare", str(model), str(args.photos), "--network", network, "-n", str(args.n),
        "--truncation", "3", "--resolution", str(SIDE), "--out", str(out),
    ]  # fmt: skip
    print(f"{name}: judged by {network}; {' '.join(command[1:])}", flush=True)
    out.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        code = subprocess.run(command, stdout=output, stderr=output, cwd=ROOT, env=environment()).returncode
    if code:
        raise Failed(f"not judged, {code}: {last_line(log)}")
    return json.loads(path.read_text())[0]


def kept_result(path: Path, model: Path, n: int) -> dict[str, Any] | None:
    """The result in a comparison.json that is newer than the weights `model` and has `n` flowers; None without one."""
    try:
        found = json.loads(path.read_text())[0]
        newer = path.stat().st_mtime_ns > model.stat().st_mtime_ns
        return found if newer and found["settings"]["n"] == n else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def table(
    names: list[str], found: dict[str, dict[str, dict[str, Any]]], state: dict[str, Any], out: Path
) -> Iterator[str]:  # fmt: skip
    """The lines of the table: a row for each model, the figures of the first judge, then the distances of the others.

    `found` is judge → model → result. What is missing is "–".
    """
    columns = [column for number, judged in enumerate(found.values()) for column in _columns(judged, number == 0)]
    heads = [head for head, _, _ in columns] + ["parameters", "ms an image", "images", "processor minutes"]
    yield f"| model | {' | '.join(heads)} |"
    yield f"| --- |{' ---: |' * len(heads)}"
    for name in names:
        cells = [figures.get(name, MISSING) for _, figures, _ in columns]
        yield f"| {name} | {' | '.join([*cells, *_costs(state[name], out / name)])} |"
    yield f"| *real photos* | {' | '.join([real or MISSING for _, _, real in columns] + [MISSING] * 4)} |"


def _columns(judged: dict[str, dict[str, Any]], first: bool) -> Iterator[tuple[str, dict[str, str], str]]:
    """The head of each column of one judge, its cells by model, the best ones bold, and the figure of real photos."""
    for row in results.compared([*judged.values()], results.HEADLINES if first else ("kid", "fd")):
        texts = [f"**{figure.text}**" if i in row.best else figure.text for i, figure in enumerate(row.figures)]
        yield row.label, dict(zip(judged, texts, strict=True)), row.real


def _costs(entry: dict[str, Any], folder: Path) -> list[str]:
    """Parameters, milliseconds an image, images, and processor minutes; of a failed training the minutes only."""
    seconds, trained = entry["seconds"], entry.get("trained") if entry["done"] else None
    minutes = f"{seconds / 60:.1f}"
    if not trained:
        return [MISSING, MISSING, MISSING, minutes]
    try:
        size = f"{parameters_of(folder):,}"
    except UserError:  # a damaged model, of which the judging has told
        size = MISSING
    return [size, f"{1000 * seconds / trained:.0f}", f"{trained:,}", minutes]


def parameters_of(folder: Path) -> int:
    """The number of parameters of the generator of a model folder."""
    from gan.hub.checkpoint import load_model
    from gan.networks.layers import parameters

    return parameters(load_model(folder))


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """The command line, its paths made absolute. Exits where it cannot be read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/family"))
    parser.add_argument("--minutes", type=float, default=40, help="of one processor, for each training")
    parser.add_argument(
        "--only", nargs="+", default=[], choices=[*dict.fromkeys((*FAMILY, *SWITCHES))], metavar="NAME",
        help="these runs only: presets, or with --switches switches",
    )  # fmt: skip
    parser.add_argument("--judges", nargs="+", default=["mobilenetv2", "dinov2"], help="the first one's figures are all shown")
    parser.add_argument("-n", type=int, default=1000, help="flowers of each model that are judged, at truncation 3")
    parser.add_argument("--switches", action="store_true", help="the slides' tricks instead of the family")
    args = parser.parse_args(words)
    if strange := [name for name in args.only if name not in (SWITCHES if args.switches else FAMILY)]:
        parser.error(f"--only has {', '.join(strange)}; switches go with --switches, and presets without it.")
    args.photos, args.out = args.photos.resolve(), args.out.resolve()
    return args


def end_by_signal(number: int, frame: object) -> None:
    """Turn SIGTERM into an exception, so that the training in hand is stopped and saves; a second one does not hurry it."""
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit(128 + number)


def main(words: list[str] | None = None) -> int:
    """Train, judge, and write the table. 0, or 1 where something failed."""
    args = parse(words)
    signal.signal(signal.SIGTERM, end_by_signal)
    check_judges(args.judges)
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "family.json"
    state: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}

    def save() -> None:
        write_atomic(path, json_bytes(state))

    names = list(runs_of(args))
    for name in names:
        entry = state.setdefault(name, {"seconds": 0.0, "done": False})
        with noted(name, TRAINING, entry, save):
            train(name, args, entry, save)
    found: dict[str, dict[str, dict[str, Any]]] = {network: {} for network in args.judges}
    for network in found:
        for name in names:
            if state[name]["done"]:
                with noted(name, network, state[name], save):
                    found[network][name] = judge(network, name, args)
        for line in results.differences([*found[network].values()]):
            print(f"{network}: {line}")
    lines = list(table(names, found, state, args.out))
    write_atomic(args.out / "family.md", ("\n".join(lines) + "\n").encode())
    print("\n".join(lines))
    return int(any(state[name]["failed"].keys() & {TRAINING, *found} for name in names))


if __name__ == "__main__":
    sys.exit(main())
