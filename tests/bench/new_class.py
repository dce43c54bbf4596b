"""What a kept critic is worth when a model learns a new class: with it, with a new one, and from nothing.

    python tests/bench/new_class.py PHOTOS --new calendula       # goes on where it was stopped; some two hours on one core

The flagship at 64×64 is trained on all classes but the new one, as `train.py` does it. Then the new class alone is trained
on, with the number of images that `auto` plans for a model that begins with another: from that model and its critic, from
that model and a new critic, and from nothing. A share of the photos is held out from all, and each model is judged against
those of the new class, by every network that is there, with 400 flowers at the default truncation.

Files in --out: old/, new/, held-out/ (links), mother/, bare/ (the same without its critic), WAY-SEED/ (run folders) and
judged-WAY-SEED.json. The table is printed at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent)]

import peers_judge  # noqa: E402
import torch  # noqa: E402
from how_many_photos import linked  # noqa: E402

from gan.data.image_folder import OVERSAMPLE, find_photos, load_photos  # noqa: E402
from gan.data.split import split  # noqa: E402
from gan.errors import UserError  # noqa: E402
from gan.evaluation.features import cached, features, find_network  # noqa: E402
from gan.evaluation.reference import pictures  # noqa: E402
from gan.hub import checkpoint, loader  # noqa: E402
from gan.networks.latents import DEFAULT_TRUNCATION  # noqa: E402
from gan.sampling.flower import Flower  # noqa: E402
from gan.sampling.sampler import Sampler  # noqa: E402
from gan.utils.files import json_bytes, write_atomic  # noqa: E402
from gan.utils.formatting import number, share  # noqa: E402

SIDE, HOLDOUT, FLOWERS, IMAGES = 64, 0.2, 400, 10_000
WAYS = {"kept critic": "mother", "new critic": "bare", "from nothing": ""}  # what a training begins with


def prepare(photos: Path, out: Path, new: str) -> None:
    """Make the folders of links."""
    kept, held = split(find_photos(photos), photos, HOLDOUT, 0)
    if new not in kept:
        raise UserError(f"'{photos}' has no class '{new}'; name one of {', '.join(kept)}.")
    linked({name: paths for name, paths in kept.items() if name != new}, out / "old")
    linked({new: kept[new]}, out / "new")
    linked({new: held[new]}, out / "held-out")


def train(photos: Path, out: Path, log: Path, *more: str) -> None:
    """Train in a process of its own; what is there is continued. Raises UserError where it did not come to its end."""
    command = [sys.executable, "-u", str(ROOT / "train.py"), str(photos), "--preset", "flagship", "--resolution", str(SIDE)]
    command += ["--threads", "1", "--evaluate-every", "0", "--out", str(out), *more]
    with log.open("a") as file:
        done = subprocess.run(command, stdout=file, stderr=file, env={**os.environ, "OMP_NUM_THREADS": "1"}, cwd=ROOT)
    if done.returncode:
        raise UserError(f"the training of {out.name} was stopped; {log} says why, and the same command goes on.")


def mother(out: Path, images: int) -> None:
    """Train the model of the old classes, and make a copy of it without its critic."""
    train(out / "old", out / "mother", out / "log", "--images", str(images))
    (out / "bare").mkdir(exist_ok=True)
    for name in (checkpoint.CONFIG, checkpoint.WEIGHTS):
        shutil.copy(out / "mother" / name, out / "bare" / name)


def judge(out: Path, folder: Path) -> dict[str, Any]:
    """KID, precision, recall and near twins of a model by each network that is there."""
    real_pixels = pictures(load_photos(out / "held-out", OVERSAMPLE * SIDE)).pixels
    sampler = Sampler(loader.load(str(folder)).generator)
    drawn = sampler.draw([Flower(0, seed, DEFAULT_TRUNCATION) for seed in range(FLOWERS)])
    sampler.close()
    found: dict[str, Any] = {}
    for name in peers_judge.NETWORKS:
        network = find_network(name)
        real, flowers = cached(network, real_pixels), features(network, drawn)
        found[name] = {
            **peers_judge.measured(real, flowers), "label": network.label,
            "twins": peers_judge.twins(flowers, real), "photos": len(real),
        }  # fmt: skip
    return found


def table(out: Path) -> str:
    """Markdown of all that was judged so far: a row for each way, seed and judge."""
    rows = []
    for path in sorted(out.glob("judged-*.json")):
        way, _, seed = path.stem.removeprefix("judged-").rpartition("-")
        for one in json.loads(path.read_text()).values():
            pairs = (number(one[key], one[f"{key}_error"]) for key in ("kid", "precision", "recall"))
            rows.append([one["label"], way.replace("_", " "), seed, *pairs, share(one["twins"])])
    head = [["judge", "begun with", "seed", "KID", "precision", "recall", "near twins"], ["---"] * 7]
    return "\n".join(f"| {' | '.join(row)} |" for row in [*head, *sorted(rows)])


def run(args: argparse.Namespace) -> None:
    """Train and judge what is missing."""
    prepare(args.photos, args.out, args.new)
    mother(args.out, args.mother_images)
    for seed in range(args.seeds):
        for way, begin in WAYS.items():
            name = f"{way.replace(' ', '_')}-{seed}"
            if (args.out / f"judged-{name}.json").exists():
                continue
            print(f"{way}, seed {seed}", flush=True)
            more = ["--from", str(args.out / begin)] if begin else []
            train(args.out / "new", args.out / name, args.out / "log", "--images", str(args.images), "--seed", str(seed), *more)
            write_atomic(args.out / f"judged-{name}.json", json_bytes(judge(args.out, args.out / name)))


def main() -> int:
    """Do what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="a folder with a sub-folder of photos for each class")
    parser.add_argument("--new", default="calendula", metavar="NAME", help="the new class (default %(default)s)")
    parser.add_argument("--seeds", type=int, default=2, help="trainings of each way (default 2)")
    parser.add_argument("--images", type=int, default=IMAGES, help="of each of them (default %(default)s)")
    parser.add_argument("--mother-images", type=int, default=4 * IMAGES, help="of the old classes (default %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs") / "new-class", help="(default %(default)s)")
    args = parser.parse_args()
    args.out = args.out.resolve()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    try:
        run(args)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(table(args.out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
