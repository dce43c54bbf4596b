"""What falling learning rates at the end of a training give, and how long the weight average should then be.

    python tests/bench/lr_decay.py RUN PHOTOS HELD_OUT --images 12000      # half an hour on one core at 64×64

A finished run of the flagship goes on for so many images, once at the rates it had and once with `--lr-decay`, which lets them
fall to zero in these images: from the same snapshot, with the same photos, noise and order. Of each, averages with several
half-lives are kept side by side, and judged by MobileNetV2 and DINOv2 with 1,000 flowers at the default truncation.
PHOTOS are those of the run (nothing held out by it), HELD_OUT photos that it never saw: the folders of `how_many_photos.py`
are such. An arm that was measured is not measured again.

Files in --out: results.json, and a generator and sixteen flowers for each arm and half-life. The table is printed at the end.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent)]

import numpy as np  # noqa: E402
import peers_judge  # noqa: E402
import torch  # noqa: E402

from gan.config import ModelConfig  # noqa: E402
from gan.data.image_folder import OVERSAMPLE, Photos, load_photos  # noqa: E402
from gan.evaluation import metrics  # noqa: E402
from gan.evaluation.features import cached, features, find_network  # noqa: E402
from gan.evaluation.reference import pictures, quotas  # noqa: E402
from gan.hub import checkpoint  # noqa: E402
from gan.networks.base import Generator  # noqa: E402
from gan.networks.latents import DEFAULT_TRUNCATION  # noqa: E402
from gan.options import TrainConfig, settings_of  # noqa: E402
from gan.sampling.flower import Flower  # noqa: E402
from gan.sampling.sampler import Sampler  # noqa: E402
from gan.trainer import Trainer  # noqa: E402
from gan.utils import images as image_files  # noqa: E402
from gan.utils.files import json_bytes, write_atomic  # noqa: E402
from gan.utils.formatting import number, share  # noqa: E402

ARMS = {"as before": 0.0, "falling": 1.0}  # share of the added images in which the rates fall
FLOWERS, SHOWN = 1000, 16


def continued(state: dict[str, Any], photos: Photos, added: int, falling: float) -> Trainer:
    """The run of a snapshot, planned to go on for `added` images, with rates that fall in this share of them."""
    images = int(state["images_seen"]) + added
    saved = {**settings_of(state), "images": images, "lr_decay": falling * added / images}
    config = TrainConfig(**{key: tuple(value) if isinstance(value, list) else value for key, value in saved.items()})
    trainer = Trainer(ModelConfig.from_json(state["model"]), config.validate(), photos, torch.device("cpu"))
    trainer.load_state(state)
    return trainer


def averages(trainer: Trainer, half_lives: list[int]) -> dict[int, Generator]:
    """Train to the end → the generator's weight average for each half-life, in images."""
    found = {images: copy.deepcopy(trainer.ema) for images in half_lives}
    while trainer.images_seen < trainer.config.images:
        trainer.step()
        for images, average in found.items():
            trainer.config = replace(trainer.config, ema_images=images)
            follow(average, trainer)
    for average in found.values():
        average.calibrate()
    return found


@torch.no_grad()
def follow(average: Generator, trainer: Trainer) -> None:
    """Move an average on as the trainer moves its own."""
    own, trainer.ema = trainer.ema, average
    trainer._update_ema()
    trainer.ema = own


def judge(generator: Generator, known: np.ndarray, real: np.ndarray, labels: np.ndarray, picture: Path) -> dict[str, Any]:
    """The figures of a generator by each network: KID to both sets of photos, the rest to those trained on, `known`."""
    sampler = Sampler(generator)
    drawn = sampler.draw([Flower(int(label), seed, DEFAULT_TRUNCATION) for seed, label in enumerate(labels)])
    sampler.close()
    write_atomic(picture, image_files.png(image_files.grid(list(drawn[:SHOWN]), SHOWN // 2)))
    found: dict[str, Any] = {}
    for name in peers_judge.NETWORKS:
        network = find_network(name)
        variants, held_out = cached(network, peers_judge.mirrored(known)), cached(network, real)
        trained_on, flowers = variants[::2], features(network, drawn)
        found[name] = {
            **peers_judge.measured(trained_on, flowers), "label": network.label,
            "kid_held_out": metrics.kid(held_out, flowers, 0), "twins": peers_judge.twins(flowers, trained_on),
            "copies": peers_judge.copies(flowers, held_out, variants),
        }  # fmt: skip
    return found


def table(results: dict[str, Any]) -> str:
    """Markdown of all that was judged: a row for each judge, arm and half-life."""
    rows = []
    for arm, judged in results["judged"].items():
        for half_life, networks in judged.items():
            for one in networks.values():
                pairs = (number(one[key], one[f"{key}_error"]) for key in ("kid", "precision", "recall"))
                shares = (share(one[key]) for key in ("twins", "copies"))
                rows.append([one["label"], arm, half_life, *pairs, f"{one['kid_held_out']:.3g}", *shares])
    names = ["judge", "rates", "half-life", "KID", "precision", "recall", "KID to photos held out", "near twins", "near copies"]
    return "\n".join(f"| {' | '.join(row)} |" for row in [names, ["---"] * len(names), *sorted(rows)])


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Train and judge what is missing → the results."""
    state = checkpoint.load_snapshot(args.run, print)
    if state is None:
        sys.exit(f"error: {args.run} holds no snapshot; name the folder of a run of train.py.")
    begun = int(state["images_seen"])
    about = {
        "run": args.run.name, "begun_at": begun, "images": args.images, "half_lives": args.half_lives, "flowers": FLOWERS,
        "photos": [str(args.photos), str(args.held_out)],
    }  # fmt: skip
    path = args.out / "results.json"
    results = json.loads(path.read_text()) if path.exists() else {**about, "judged": {}}
    if {key: results.get(key) for key in about} != about:
        sys.exit(
            f"error: {args.out} holds results of another run, number of images, half-lives or photos; choose another --out."
        )
    side = OVERSAMPLE * state["model"]["resolution"]
    photos, held_out = load_photos(args.photos, side), load_photos(args.held_out, side)
    known, real = pictures(photos).pixels, pictures(held_out).pixels
    labels = quotas(photos.labels, len(photos.classes), FLOWERS)
    for name in peers_judge.NETWORKS:
        find_network(name)  # now, if it is missing, and not after the training
    for arm in args.arms:
        if arm in results["judged"]:
            continue
        print(f"rates {arm}", flush=True)
        found = averages(continued(state, photos, args.images, ARMS[arm]), args.half_lives)
        results["judged"][arm] = {}
        for half_life, generator in found.items():
            name = f"{arm.replace(' ', '-')}-{half_life}"
            torch.save(generator.state_dict(), args.out / f"{name}.pt")
            results["judged"][arm][str(half_life)] = judge(generator, known, real, labels, args.out / f"{name}.png")
        write_atomic(path, json_bytes(results))
    return results


def main() -> int:
    """Do what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="the folder of a finished run, with its snapshot")
    parser.add_argument("photos", type=Path, help="the photos that it was trained on")
    parser.add_argument("held_out", type=Path, help="photos of the same classes that it never saw")
    parser.add_argument("--images", type=int, default=12_000, help="added to the run (default %(default)s)")
    parser.add_argument("--half-lives", type=int, nargs="+", default=[10_000, 2000], metavar="IMAGES", help="of the averages")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=[*ARMS], help="(default both)")
    parser.add_argument("--out", type=Path, default=Path("runs") / "lr-decay", help="(default %(default)s)")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    print(table(run(args)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
