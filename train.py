"""Train a GAN on a folder of photos: `python train.py PHOTOS`, with a sub-folder for each class."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from gan.config import NORMS, OBJECTIVES, ModelConfig, TrainConfig
from gan.errors import UserError
from gan.presets import PRESETS, from_preset, merged

DEFAULT_PRESET = "cwgan-gp-64"


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line; argparse itself exits with 2 and a sentence where it can't be read."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="presets: " + "; ".join(f"{name} ({preset.stage})" for name, preset in PRESETS.items())
    )
    parser.add_argument("photos", metavar="PHOTOS", type=Path, help="folder of photos, with a sub-folder for each class")
    add = parser.add_argument
    add("--preset", default=DEFAULT_PRESET, choices=PRESETS, metavar="NAME", help="which model (default %(default)s)")
    add("--classes", nargs="+", default=(), metavar="NAME", help="train on these sub-folders only")
    add("--out", type=Path, metavar="FOLDER", help="run folder (default runs/PRESET-PHOTOS)")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--images", type=int, metavar="N", help="stop after N photos shown to the critic (default 500,000)")
    length.add_argument("--epochs", type=int, metavar="N", help="the same, in passes over the photos")
    add("--batch", type=int, metavar="N", help="photos in a batch (default 64)")
    add("--lr", type=float, metavar="X", help="Adam's learning rate (default 2e-4)")
    add("--critic-lr", type=float, metavar="X", help="the critic's own learning rate (default that of the generator)")
    add("--beta1", type=float, metavar="X", help="Adam's first beta (default 0.5)")
    add("--beta2", type=float, metavar="X", help="Adam's second beta (default 0.999)")
    add("--critic-steps", type=int, metavar="N", help="critic steps to one generator step (default 5; dcgan-64: 1)")
    add("--critic-warm-up", type=int, metavar="N", help="images at the start for the critic alone, with --from (default 0)")
    add("--width", type=int, metavar="N", help="hidden width h of the generator (default 64)")
    add("--critic-width", type=int, metavar="N", help="hidden width of the critic (default that of the generator)")
    add("--critic-norm", default="none", choices=NORMS, help="none, ln (per sample) or bn (the paper's; breaks the penalty)")
    add("--objective", choices=OBJECTIVES, help="default wgan-gp; dcgan-64: bce")
    add("--penalty-weight", type=float, metavar="X", help="weight λ of the gradient penalty (default 10)")
    add("--clip", type=float, metavar="X", help="bound on the critic's weights for wgan-clip (default 0.01)")
    add("--label-smoothing", type=float, metavar="X", help="for bce (default 0; dcgan-64: 0.4)")
    add("--noisy-labels", action=argparse.BooleanOptionalAction, help="for bce")
    add("--ema-images", type=int, metavar="N", help="half-life of the weight average, in images (default 10,000)")
    add("--unconditional", action="store_true", help="one class for all photos")
    for name in ("transpose", "flip-horizontal", "flip-vertical", "rotate"):
        add(f"--no-{name}", dest=name.replace("-", "_"), action="store_false", help=argparse.SUPPRESS)
    parser.add_argument_group(
        "augmentations",
        "all four are on; --no-transpose, --no-flip-horizontal, --no-flip-vertical and --no-rotate switch them off",
    )
    add(
        "--from",
        dest="start_from",
        metavar="MODEL",
        help="begin as this model, as far as its layers fit (path, bundled or Hub name)",
    )
    add("--seed", type=int, default=0, metavar="N", help="default 0")
    add("--device", default="auto", metavar="NAME", help="auto, cpu, cuda or mps (default auto)")
    add("--threads", type=int, metavar="N", help="CPU threads (default: PyTorch's choice)")
    add("--precision", default="auto", choices=("auto", "fp32", "bf16"), help="default bf16 where the processor has it")
    add("--resume", default="auto", choices=("auto", "never"), help="auto continues the run in --out (default)")
    add("--every", type=int, default=10_000, metavar="N", help="grid and snapshot every N images (default 10,000)")
    add("--note", default="", metavar="TEXT", help="what the pictures show and what they don't, for the model card")
    add("--dry-run", action="store_true", help="check everything, print the plan and its cost, train nothing")
    add("--push-to-hub", metavar="OWNER/NAME", help="publish the model when training ends")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Train; the exit code: 0 finished, 2 something the user can mend, 130 or 143 interrupted (and saved)."""
    args = parse(argv)
    try:
        return _train(args, sys.argv[1:] if argv is None else argv)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error.strerror or error} ({error.filename or args.out}); the last snapshot stays.", file=sys.stderr)
        return 2


def _train(args: argparse.Namespace, argv: list[str]) -> int:
    out = args.out or Path("runs") / f"{args.preset}-{args.photos.resolve().name}"
    _check(args, out)
    import torch  # after the cheap checks: it takes over a second

    from gan.data import find_photos, load_photos
    from gan.device import describe, pick_device, pick_precision
    from gan.trainer import OVERSAMPLE

    if args.threads:
        torch.set_num_threads(args.threads)
    device = pick_device(args.device)
    classes = tuple(find_photos(args.photos, args.classes))
    model, train = _configure(args, classes, pick_precision(device, args.precision))
    photos = load_photos(args.photos, OVERSAMPLE * model.resolution, only=args.classes, progress=_reading())
    for skipped in photos.skipped:
        print(f"skipped {skipped.path}: {skipped.reason}")
    print("photos: " + ", ".join(f"{count:,} {name}" for name, count in photos.counts().items()))
    if args.epochs:
        train = replace(train, images=args.epochs * len(photos.labels))
    train = train.validate()
    if len(model.classes) != len(photos.classes):
        photos = photos.merged(model.classes[0])
    _print_plan(model, train, out, describe(device))
    if args.dry_run:
        return _estimate(model, train, photos, device)
    finished = _run(args, out, model, train, photos, device, _command(argv))
    if finished == 0 and args.push_to_hub:
        from gan import hub

        print(f"published at {hub.publish(out, args.push_to_hub)}")
    return finished


def _command(argv: list[str]) -> str:
    """The command for the card, without the card's own note."""
    kept = [word for i, word in enumerate(argv) if word != "--note" and (i == 0 or argv[i - 1] != "--note")]
    return shlex.join(["python", "train.py", *kept])


def _check(args: argparse.Namespace, out: Path) -> None:
    """What can be refused before anything is read or built. Raises UserError."""
    for name in ("epochs", "every", "threads"):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise UserError(f"--{name} is {value}; use 1 or more.")
    existing = out
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir():
        raise UserError(f"--out {out} cannot be a folder, because {existing} is a file; choose another.")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise UserError(f"there is no permission to write to {existing}; choose another --out.")


def _configure(args: argparse.Namespace, classes: tuple[str, ...], precision: str) -> tuple[ModelConfig, TrainConfig]:
    """Preset and flags → the two configurations. Raises UserError."""
    names = (
        "images", "batch", "lr", "critic_lr", "critic_warm_up", "beta1", "beta2", "critic_steps", "objective", "penalty_weight",
        "clip", "label_smoothing", "noisy_labels", "ema_images", "transpose", "flip_horizontal", "flip_vertical", "rotate", "seed",
        "start_from",
    )  # fmt: skip
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    classes = merged(classes) if args.unconditional else classes
    return from_preset(
        args.preset, classes, width=args.width, critic_width=args.critic_width, critic_norm=args.critic_norm,
        precision=precision, **given,
    )  # fmt: skip


def _reading():
    """A progress callback for reading photos, or None where nobody looks."""
    if not sys.stderr.isatty():
        return None
    return lambda done, total: print(f"\rreading photos {done:,}/{total:,}", end="\n" if done == total else "", file=sys.stderr)


def _print_plan(model: ModelConfig, train: TrainConfig, out: Path, hardware: str) -> None:
    print(f"model:  {model.preset}, {model.resolution}×{model.resolution}, classes: {', '.join(model.classes)}")
    print(f"train:  {train.objective}, {train.images:,} images, batch {train.batch}, {train.critic_steps} critic steps, "
          f"learning rate {train.lr:g}, {train.precision}, seed {train.seed}")  # fmt: skip
    print(f"on:     {hardware}")
    print(f"out:    {out}")


def _estimate(model: ModelConfig, train: TrainConfig, photos, device) -> int:
    """Time a few steps of a trainer that is thrown away, and print what the whole run would take."""
    from gan.trainer import Trainer, parameters

    trainer = Trainer(model, train, photos, device)
    trainer.step()  # the first one also warms up
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        trainer.step()
        seconds.append(time.perf_counter() - started)
    steps = train.images / (train.batch * train.critic_steps)
    step = sorted(seconds)[1]
    print(f"cost:   about {_clock(steps * step)} for {steps:,.0f} steps of {step:.2f} s, measured on a throwaway copy")
    print(
        f"size:   generator {parameters(trainer.generator):,} parameters, critic {parameters(trainer.critic):,}"
    )
    print("dry run: nothing was trained or written")
    return 0


def _run(args, out: Path, model: ModelConfig, train: TrainConfig, photos, device, command: str) -> int:
    from gan import hub
    from gan.run import Run

    start = hub.load(args.start_from).generator if args.start_from else None
    out.mkdir(parents=True, exist_ok=True)
    run = Run(out, model, train, photos, device, {"command": command, "notes": args.note})
    resumed = args.resume == "auto" and run.resume()
    if resumed:
        print(f"resumed at {run.trainer.images_seen:,} images")
    elif start:
        layers = run.trainer.begin_as(start)
        if not layers:
            raise UserError(f"no layer of '{args.start_from}' fits {args.preset}; start from a model of the same family.")
        print(f"begun with the first {layers} layers of {args.start_from}")
    with _caught() as caught, _bar(run.trainer.images_seen, train.images) as bar:

        def show(seen: int, stats) -> None:
            bar.update(min(seen, train.images) - bar.n)
            bar.set_postfix_str(
                f"critic {stats.critic_loss:.2f}, generator {stats.generator_loss:.2f}, gradient {stats.gradient_norm:.2f}",
                refresh=False,
            )

        finished = run.train(args.every, show, lambda: bool(caught))
    if not finished:
        print(f"stopped at {run.trainer.images_seen:,} images and saved; the same command continues.")
        return 128 + caught[0]
    print(f"finished {run.trainer.images_seen:,} images in {_clock(run.seconds)}; look at {out / 'samples.png'}")
    print(f"open it: python app.py --model {shlex.quote(str(out))}")
    return 0


@contextmanager
def _caught() -> Iterator[list[int]]:
    """The Ctrl-C and SIGTERM that come meanwhile, as a list: the step in hand is finished and saved first."""
    caught: list[int] = []
    before = {
        number: signal.signal(number, lambda number, frame: caught.append(number)) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _bar(done: int, total: int):
    from tqdm import tqdm

    return tqdm(
        total=total, initial=min(done, total), unit=" images", mininterval=1 if sys.stderr.isatty() else 30, unit_scale=True
    )


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {seconds:02d} s"


if __name__ == "__main__":
    sys.exit(main())
