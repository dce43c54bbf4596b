"""How many photos are enough? The flagship at 64×64 on 25, 50, 100, 200 and all photos of each of two classes.

    python tests/bench/how_many_photos.py PHOTOS                 # goes on where it was stopped; hours on one core
    python tests/bench/how_many_photos.py PHOTOS --page          # the page, the plot, and the curve that the doctor reads

Each training is what `train.py --resolution 64` does with so many photos, also its number of images. A smaller set is part of
each larger one. A share of the photos is held out from all trainings, and all models are judged against it, by every
network that is there, with 1,000 flowers at the default truncation.

Files in --out: photos-N/ (links), held-out/ (links), run-N-SEED/ (a run folder), judged-N-SEED.json, results.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import wrap
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent)]

import peers_judge  # noqa: E402
import torch  # noqa: E402

from gan.data.image_folder import OVERSAMPLE, find_photos, load_photos  # noqa: E402
from gan.data.photo_count import CURVE  # noqa: E402
from gan.data.split import split  # noqa: E402
from gan.evaluation import metrics  # noqa: E402
from gan.evaluation.features import cached, features, find_network  # noqa: E402
from gan.evaluation.reference import pictures, quotas  # noqa: E402
from gan.hub import loader  # noqa: E402
from gan.networks.latents import DEFAULT_TRUNCATION  # noqa: E402
from gan.sampling.flower import Flower  # noqa: E402
from gan.sampling.sampler import Sampler  # noqa: E402
from gan.utils import images, svg_plots  # noqa: E402
from gan.utils.device import describe, pick_device  # noqa: E402
from gan.utils.files import json_bytes, write_atomic  # noqa: E402

CLASSES = ("dandelion", "marigold")
COUNTS = (25, 50, 100, 200)  # photos of each class; then all
SIDE, HOLDOUT, FLOWERS, SHOWN = 64, 0.2, 1000, 16
WIDTH = 160  # characters in a line of the page
DOCTORS = "mobilenetv2"  # the network of the doctor's curve


def linked(files: dict[str, list[Path]], folder: Path) -> None:
    """A folder of links to these files, by class."""
    for name, paths in files.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for path in paths:
            if not (link := folder / name / path.name).exists():
                link.symlink_to(path.resolve())


def prepare(photos: Path, out: Path, classes: tuple[str, ...]) -> list[int]:
    """Make the folders of links → the number of photos of each class in each training; the last has all, on the mean."""
    kept, held = split(find_photos(photos, classes), photos, HOLDOUT, 0)
    linked(held, out / "held-out")
    fewest = min(map(len, kept.values()))
    # In an order that does not depend on the number, so that each set holds the smaller ones.
    order = {name: sorted(paths, key=lambda path: hashlib.sha256(path.name.encode()).digest()) for name, paths in kept.items()}
    counts = [count for count in COUNTS if count < fewest]
    for count in counts:
        linked({name: paths[:count] for name, paths in order.items()}, out / f"photos-{count}")
    everything = round(sum(map(len, kept.values())) / len(kept))
    linked(order, out / f"photos-{everything}")
    return [*counts, everything]


def train(out: Path, count: int, seed: int) -> bool:
    """Train on `count` photos of each class in a process of its own; whether it was finished."""
    folder = out / f"run-{count}-{seed}"
    command = [sys.executable, "-u", str(ROOT / "train.py"), str(out / f"photos-{count}"), "--resolution", str(SIDE)]
    command += ["--seed", str(seed), "--threads", "1", "--out", str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with (out / "log").open("a") as log:
        return subprocess.run(command, stdout=log, stderr=log, env=environment, cwd=ROOT).returncode == 0


def judge(out: Path, count: int, seed: int) -> dict[str, Any]:
    """The figures of a trained model by each network, and sixteen of its flowers beside it."""
    model = loader.load(str(out / f"run-{count}-{seed}"))
    trained_on = pictures(load_photos(out / f"photos-{count}", OVERSAMPLE * SIDE))
    held_out = pictures(load_photos(out / "held-out", OVERSAMPLE * SIDE))
    labels = quotas(held_out.labels, len(model.generator.config.classes), FLOWERS)
    sampler = Sampler(model.generator)
    drawn = sampler.draw([Flower(int(label), number, DEFAULT_TRUNCATION) for number, label in enumerate(labels)])
    shown = sampler.draw([Flower(number % 2, FLOWERS + number, DEFAULT_TRUNCATION) for number in range(SHOWN)])
    sampler.close()
    write_atomic(out / f"flowers-{count}-{seed}.png", images.png(images.grid(list(shown), SHOWN // 2)))
    found: dict[str, Any] = {"photos": count, "seed": seed, "images": model.generator.config.trained["images"], "judged": {}}
    for name in peers_judge.NETWORKS:
        network = find_network(name)
        variants, real = cached(network, peers_judge.mirrored(trained_on.pixels)), cached(network, held_out.pixels)
        flowers = features(network, drawn)
        found["judged"][name] = {
            **peers_judge.measured(real, flowers), "label": network.label,
            "copies": peers_judge.copies(flowers, real, variants),
            "floor": metrics.kid(real, variants[::2], 0),  # the photos trained on, as if they were drawn
        }  # fmt: skip
    return found


def run(args: argparse.Namespace) -> int:
    """Train and judge what is missing → exit code."""
    counts = prepare(args.photos, args.out, tuple(args.classes))
    about = {
        "classes": list(args.classes), "held_out": len(list((args.out / "held-out").glob("*/*"))), "flowers": FLOWERS,
        "hardware": describe(pick_device("cpu")), "torch": torch.__version__,
    }  # fmt: skip
    for seed in range(args.seeds):
        for count in counts:
            path = args.out / f"judged-{count}-{seed}.json"
            if not path.exists():
                print(f"{count} photos of each class, seed {seed}", flush=True)
                if not train(args.out, count, seed):
                    print(f"stopped; {args.out / 'log'} says why, and the same command goes on", flush=True)
                    return 1
                write_atomic(path, json_bytes(judge(args.out, count, seed)))
            points = [json.loads(file.read_text()) for file in sorted(args.out.glob("judged-*.json"))]
            write_atomic(args.out / "results.json", json_bytes({**about, "points": points}))
    return 0


# --------------------------------------------------------------------------------------------------------------- the page


def curve(results: dict[str, Any], network: str) -> list[dict[str, float]]:
    """The figures by one network, the mean over the seeds, the fewest photos first."""
    found = []
    for count in sorted({point["photos"] for point in results["points"]}):
        rows = [point["judged"][network] for point in results["points"] if point["photos"] == count]
        keys = ("kid", "kid_error", "precision", "recall", "copies", "floor")
        found.append({"photos": count, **{key: sum(row[key] for row in rows) / len(rows) for key in keys}})
    return found


def plot(results: dict[str, Any]) -> str:
    """KID, recall and near copies against the number of photos, by both networks."""
    networks = {name: found["label"] for name, found in results["points"][0]["judged"].items()}
    curves, plots = {name: curve(results, name) for name in networks}, []
    ends = [point["photos"] for point in curves[next(iter(networks))]]
    x = svg_plots.Axis("photos of each class", min(ends), max(ends), "log", names={end: f"{end}" for end in ends})
    for key, words in (("recall", "recall"), ("copies", "share of near copies")):
        series = [
            svg_plots.Series(label, kind, [(point["photos"], point[key]) for point in curves[name]], dots=True)
            for kind, (name, label) in zip(svg_plots.KINDS, networks.items())
        ]
        y = svg_plots.span([value for one in series for _, value in one.points], words)
        plots.append(svg_plots.lines(f"{words} against photos", x, y, series))
    for name, label in networks.items():  # of two networks, KIDs have scales of their own
        points = [(point["photos"], point["kid"]) for point in curves[name]]
        one = svg_plots.Series(label, "model", points, [point["kid_error"] for point in curves[name]], dots=True)
        y = svg_plots.span([point["kid"] + point["kid_error"] for point in curves[name]], f"KID-{label}")
        plots.append(svg_plots.lines(f"KID-{label} against photos", x, y, [one]))
    return svg_plots.figure(plots)


def page(results: dict[str, Any]) -> str:
    """docs/how-many-photos.md."""
    a, b = results["classes"]
    seen = {point["photos"]: point["images"] for point in results["points"]}
    seeds = len({point["seed"] for point in results["points"]})
    lines = [
        "# How many photos are enough?", "",
        *wrap(
            f"Measured with the flagship at {SIDE}×{SIDE} on photos of two classes ({a}, {b}), with the number of images that "
            f"`--preset auto` chooses. The same {results['held_out']} photos were held out from all. "
            f"{results['flowers']:,} flowers are compared with them, at truncation {DEFAULT_TRUNCATION:g}, which costs recall. "
            f"*Images*: those that the best weights of the training had seen. On {results['hardware']}, PyTorch "
            f"{results['torch']}; {'one seed' if seeds == 1 else f'{seeds} seeds, the mean'}.", WIDTH,
        ), "",
        "```sh", *(f"python tests/bench/how_many_photos.py PHOTOS{flag}" for flag in ("", " --page")), "```", "",
        "![recall, near copies and KID against the number of photos](how-many-photos.svg)", "",
        "| judge | photos of each class | images | KID to photos held out | precision | recall | near copies |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]  # fmt: skip
    for name, found in results["points"][0]["judged"].items():
        for point in curve(results, name):
            kid = f"{point['kid']:.3f} ± {point['kid_error']:.3f}"
            lines.append(
                f"| {found['label']} | {point['photos']} | {seen[point['photos']]:,} | {kid} | {point['precision']:.2f} | "
                f"{point['recall']:.2f} | {point['copies']:.1%} |"
            )
    lines += ["", "Near copies: flowers nearer to a photo trained on than 99 % of the photos held out are.", ""]
    lines += ["## Sixteen flowers of each", ""]
    for count in sorted(seen):
        lines += [f"{count} photos of each class:", "", f"![sixteen flowers](how-many-{count}.png)", ""]
    return "\n".join([*lines, "## Rule of thumb", "", *rule(curve(results, DOCTORS)), ""])


def rule(points: list[dict[str, float]]) -> list[str]:
    """The rule of thumb, from the curve."""
    fewest, most, best = points[0], points[-1], min(points, key=lambda point: point["kid"])
    near, honest = (_from_there_on(points, key, limit) for key, limit in (("kid", 1.25 * best["kid"]), ("copies", 0.05)))
    copied = (
        f"From {honest} photos of each class on, at most 5 % of the flowers are near copies."
        if honest
        else "With the most photos that were measured, more than 5 % of the flowers are near copies."
    )
    sentences = (
        f"From {fewest['photos']} to {most['photos']} photos of each class, KID goes from {fewest['kid']:.3f} to "
        f"{most['kid']:.3f} and recall from {fewest['recall']:.2f} to {most['recall']:.2f}. Where a number in between does not "
        "fit the order, it shows how much is chance in one training.",
        f"From {near} photos of each class on, the KID stays within a quarter of the best that was measured "
        f"({best['kid']:.3f}, with {best['photos']})." if near else "The KID is best with fewer photos than the most.",
        copied,
        "`python -m gan doctor PHOTOS` reads this curve for the number of your photos. That is a guess: flowers with one head "
        "in the middle were measured, at one size, with one preset. Photos that differ more need more of them.",
    )  # fmt: skip
    return [line for text in sentences for line in wrap(text, WIDTH, initial_indent="- ", subsequent_indent="  ")]


def _from_there_on(points: list[dict[str, float]], key: str, limit: float) -> int | None:
    """The least number of photos from which on a figure stays within a limit; None where it ends beyond it."""
    beyond = [number for number, point in enumerate(points) if point[key] > limit]
    first = beyond[-1] + 1 if beyond else 0
    return int(points[first]["photos"]) if first < len(points) else None


def write(results: dict[str, Any], out: Path, docs: Path) -> None:
    """Write page, plot, flowers and the doctor's curve."""
    docs.joinpath("how-many-photos.md").write_text(page(results), encoding="utf-8")
    docs.joinpath("how-many-photos.svg").write_text(plot(results), encoding="utf-8")
    docs.joinpath("how-many-photos.json").write_bytes(json_bytes(results))
    for count in {point["photos"] for point in results["points"]}:
        docs.joinpath(f"how-many-{count}.png").write_bytes((out / f"flowers-{count}-0.png").read_bytes())
    found = curve(results, DOCTORS)
    label = results["points"][0]["judged"][DOCTORS]["label"]
    points = [{key: round(point[key], 4) for key in ("photos", "kid", "recall", "copies")} for point in found]
    CURVE.write_bytes(json_bytes({"resolution": SIDE, "label": label, "floor": round(found[-1]["floor"], 4), "points": points}))


def main() -> int:
    """Do what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="a folder with a sub-folder of photos for each class")
    parser.add_argument("--classes", nargs=2, default=CLASSES, metavar="NAME", help="two of its classes (default %(default)s)")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each number (default 1)")
    parser.add_argument("--out", type=Path, default=Path("runs") / "how-many-photos", help="(default %(default)s)")
    parser.add_argument("--page", action="store_true", help="write the page and the curve from results.json, and end")
    args = parser.parse_args()
    args.out = args.out.resolve()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    if args.page:
        write(json.loads((args.out / "results.json").read_text()), args.out, ROOT / "docs")
        return 0
    return run(args)


if __name__ == "__main__":
    sys.exit(main())
