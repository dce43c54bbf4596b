"""Train a GAN on your photos: `python train.py PHOTOS`, a folder with a sub-folder for each class."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import socket
import sys
import time
from contextlib import ExitStack, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan.config import NORMS, OBJECTIVES, ModelConfig, TrainConfig
from gan.data.split import judged_by
from gan.errors import UserError
from gan.presets import PRESETS, from_preset, merged
from gan.runs.loggers import WANDB_PROJECT, check_wandb
from gan.utils import interrupts
from gan.utils.files import check_writable, name_of
from gan.utils.terminal import command, unbreakable

if TYPE_CHECKING:
    import torch

    from gan.data.image_folder import Photos
    from gan.runs.run import Run
    from gan.runs.validator import Validator
    from gan.trainer import StepStats, Trainer
    from gan.utils.distributed import ProcessGroup

# Large pages for tensors, set before torch is imported: on a virtual machine the small ones took half of a training step.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

AUTO = "auto"


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line; argparse itself exits with 2 and a sentence where it can't be read."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        description=__doc__,
        epilog="several GPUs or computers: torchrun --nproc-per-node N train.py PHOTOS … (docs/devices.md). presets: "
        + "; ".join(f"{name} ({preset.stage})" for name, preset in PRESETS.items()),
    )
    parser.add_argument(
        "photos",
        metavar="PHOTOS",
        help="folder of photos with a sub-folder for each class, a .zip of one, or hf://datasets/owner/name[/folder]",
    )
    add = parser.add_argument
    add("--preset", default=AUTO, choices=(AUTO, *PRESETS), metavar="NAME",
        help="which model (default auto: that of --from, or chosen by the photos and the device, and said)")  # fmt: skip
    add(
        "--resolution",
        type=int,
        metavar="N",
        help="pixels a side, for flagship: 32, 64, 128 or 256 (default that of the preset)",
    )
    add("--sides", nargs="+", action="extend", default=[], metavar="SIDE:IMAGES",
        help="for flagship: draw each side for so many images or such a share of them, the last one until the end, as in "
        "64:100000 128:50%% 256 (default 64:30%% 128:50%% 256, as far as --resolution)")  # fmt: skip
    add("--classes", nargs="+", action="extend", default=[], metavar="NAME", help="train on these sub-folders only")
    add("--manifest", type=Path, metavar="FILE", help="train on what this manifest.csv of `python -m gan doctor` keeps")
    add("--holdout", type=float, metavar="X", help="share of each class's photos kept away from training, 0 to 0.9 (default 0)")
    add("--out", type=Path, metavar="FOLDER", help="run folder (default runs/PRESET-PHOTOS)")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--images", type=int, metavar="N",
        help=f"stop after N photos shown to the critic ({_default('images')}; auto: by the photos)")  # fmt: skip
    length.add_argument("--epochs", type=int, metavar="N", help="the same, in passes over the photos")
    add("--batch", type=int, metavar="N", help=f"photos in a batch ({_default('batch')})")
    add("--lr", type=float, metavar="X", help=f"Adam's learning rate ({_default('lr')})")
    add("--critic-lr", type=float, metavar="X",
        help=f"the critic's own learning rate ({_default('critic_lr', 'that of the generator')})")  # fmt: skip
    add("--beta1", type=float, metavar="X", help=f"Adam's first beta ({_default('beta1')})")
    add("--beta2", type=float, metavar="X", help=f"Adam's second beta ({_default('beta2')})")
    add("--critic-steps", type=int, metavar="N", help=f"critic steps to one generator step ({_default('critic_steps')})")
    add("--critic-warm-up", type=int, metavar="N", help="images at the start for the critic alone, with --from (default 0)")
    add("--width", type=int, metavar="N", help="hidden width h of the generator (default 64)")
    add("--critic-width", type=int, metavar="N", help="hidden width of the critic (default that of the generator)")
    add(
        "--critic-norm",
        choices=NORMS,
        help="none (default), ln (per sample) or bn (the paper's; breaks the penalty); not for "
        + " or ".join(name for name, preset in PRESETS.items() if " norm" not in " ".join(preset.critic)),
    )
    add("--objective", choices=OBJECTIVES, help=_default("objective"))
    add("--penalty-weight", type=float, metavar="X",
        help=f"weight of the gradient penalty, for wgan-gp and relativistic ({_default('penalty_weight')})")  # fmt: skip
    add("--clip", type=float, metavar="X", help=f"bound on the critic's weights, for wgan-clip ({_default('clip')})")
    add("--label-smoothing", type=float, metavar="X", help=f"for bce ({_default('label_smoothing')})")
    add("--noisy-labels", action=argparse.BooleanOptionalAction, help=f"for bce ({_default('noisy_labels')})")
    add("--ema-images", type=int, metavar="N", help=f"half-life of the weight average, in images ({_default('ema_images')})")
    add("--unconditional", action="store_true", help="one class for all photos")
    for name in ("transpose", "flip-horizontal", "flip-vertical", "rotate"):
        add(f"--{name}", action=argparse.BooleanOptionalAction, help=argparse.SUPPRESS)
    parser.add_argument_group(
        "augmentations",
        "the paper's four, all on but with flagship, which only flips left and right; --transpose, --flip-horizontal, "
        "--flip-vertical and --rotate switch them on, --no-transpose and so on off",
    )
    add(
        "--from",
        dest="start_from",
        metavar="MODEL",
        help="begin as this model, as far as its layers fit, whatever its classes (path, bundled or Hub name)",
    )
    add("--seed", type=int, default=0, metavar="N", help="default 0")
    add("--device", default="auto", metavar="NAME", help="auto, cpu, cuda or mps (default auto)")
    add("--threads", type=int, metavar="N", help="CPU threads (default: PyTorch's choice)")
    add("--precision", default="auto", choices=("auto", "fp32", "bf16"), help="default bf16 where the processor has it")
    add("--resume", default="auto", choices=("auto", "never"), help="auto continues the run in --out (default)")
    add("--overwrite", action="store_true", help="let a run that begins anew replace a trained model in --out")
    add("--preview", type=int, nargs="?", const=8008, metavar="PORT",
        help="show the run's page, learning.html, at this port of this computer (8008 if none is said)")  # fmt: skip
    add("--every", type=int, default=10_000, metavar="N", help="grid and snapshot every N images (default 10,000)")
    add(
        "--evaluate-every",
        type=int,
        default=10_000,
        metavar="N",
        help="judge the pictures every N images and keep the best model (default 10,000; 0: keep the last)",
    )
    add("--wandb", nargs="?", const=os.environ.get("WANDB_PROJECT") or WANDB_PROJECT, metavar="PROJECT",
        help="log to this project of Weights & Biases, too: figures and drawn pictures, never photos (none named: "
        f"{WANDB_PROJECT}; with WANDB_MODE=offline nothing is sent)")  # fmt: skip
    add("--half", action="store_true", help="store the model's weights in half precision")
    add("--note", default="", metavar="TEXT", help="what the pictures show and what they don't, for the model card")
    add("--dry-run", action="store_true", help="check everything, print the plan and its cost, train nothing")
    add("--push-to-hub", metavar="OWNER/NAME", help="publish the model when training ends")
    return parser.parse_args(argv)


def _default(name: str, unset: str | None = None) -> str:
    """What a setting of TrainConfig is where it is not given, for the help: "default 64; flagship: 32". 0 is called `unset`."""

    def said(value: object) -> str:
        if isinstance(value, (bool, str)):
            return {True: "on", False: "off"}.get(value, value)
        return unset if unset and not value else f"{value:g}" if isinstance(value, float) else f"{value:,}"

    usual = getattr(TrainConfig, name)
    others = {preset: settings.training.get(name, usual) for preset, settings in PRESETS.items()}
    return "; ".join([f"default {said(usual)}", *(f"{preset}: {said(own)}" for preset, own in others.items() if own != usual)])


@unbreakable()
def main(argv: list[str] | None = None) -> int:
    """Train; the exit code: 0 finished, 2 something the user can mend, 128 and its number after a signal (and saved)."""
    args = parse(argv)
    try:
        return _train(args, sys.argv[1:] if argv is None else argv)
    except UserError as error:
        _list(error.skipped)
        print(f"error: {_speaker()}{error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # before or after the training itself, which catches it and saves
        print("stopped", file=sys.stderr)
        return 130
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        print(f"error: {_speaker()}{error.strerror or error}{where}; see to that, and try again.", file=sys.stderr)
        return 2
    except (MemoryError, RuntimeError) as error:  # outside of a step, where a smaller batch is no help
        from gan.runs.batch_size import is_exhausted

        if not is_exhausted(error):
            raise
        print(
            f"error: {_speaker()}there is not enough memory; use a smaller --resolution or --width, or fewer photos.",
            file=sys.stderr,
        )
        return 2


def _train(args: argparse.Namespace, argv: list[str]) -> int:
    _check(args)
    import torch  # after the cheap checks: it takes over a second

    from gan.utils.device import pick_device
    from gan.utils.distributed import joined

    if args.threads:
        torch.set_num_threads(args.threads)
    with joined(pick_device(args.device)) as (processes, device):
        if processes.first:
            return _train_here(args, argv, device, processes)
        with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):  # the first one speaks for all
            return _train_here(args, argv, device, processes)


def _train_here(args: argparse.Namespace, argv: list[str], device: torch.device, processes: ProcessGroup) -> int:
    from gan.data.image_folder import OVERSAMPLE, find_photos, load_photos
    from gan.data.manifest import manifest_filter
    from gan.data.sources import photo_folder
    from gan.runs.run import Run
    from gan.utils import lock
    from gan.utils.device import describe, pick_precision

    args.photos = photo_folder(args.photos, _reading("preparing"))
    keep = manifest_filter(args.manifest, args.photos) if args.manifest else None
    found = find_photos(args.photos, args.classes)
    found = keep(found) if keep else found
    args = _chosen(args, device, found)
    out = args.out or Path("runs") / f"{args.preset}-{name_of(args.photos.resolve(), 'photos')}"
    processes.broadcast_from_rank0(lambda: _check_out(args, out))
    classes = tuple(found)
    model, train = _configure(args, classes, pick_precision(device, args.precision), _begun(args, out))
    photos = load_photos(
        args.photos,
        OVERSAMPLE * model.resolution,
        only=args.classes,
        select=_part(args, train, keep, 0),
        progress=_reading("reading"),
    )
    _list(photos.skipped)
    counts = photos.counts()
    print("photos: " + ", ".join(f"{count:,} {name}" for name, count in counts.items()))
    _print_doctor(photos, model.resolution)
    if args.epochs:
        train = replace(train, images=args.epochs * len(photos.labels))
    train = train.validate()
    if len(model.classes) != len(photos.classes):
        photos = photos.merged(model.classes[0])
    _print_plan(model, train, out, describe(device, processes.size))
    about = {**_about(args, argv), "photos": counts}  # by folder, where a plain model merges them
    judge = _judge(args, model, train, photos, device, keep) if processes.first else None
    run = Run(
        out, model, train, photos, device,
        about=about, half=args.half, processes=processes, judge=judge, wandb=args.wandb, say=_say,
    )  # fmt: skip
    with ExitStack() as held:
        if not args.dry_run:
            processes.broadcast_from_rank0(lambda: held.enter_context(lock.hold(out)))
        run = _prepare(args, run)
        if args.dry_run:
            return _estimate(run)
        if judge:
            print(f"judged: every {args.evaluate_every:,} images, by the KID to {judged_by(judge.held_out)}")
        finished = _go(run, args.every, args.evaluate_every, args.preview)
    if finished == 0 and args.push_to_hub and processes.first:
        from gan.hub import loader

        print(f"published at {loader.publish(out, args.push_to_hub)}")
    return finished


def _speaker() -> str:
    """Which of several processes says something; nothing where there is one."""
    number, size = (int(os.environ.get(name, default)) for name, default in (("RANK", "0"), ("WORLD_SIZE", "1")))
    return f"process {number + 1} of {size} on {socket.gethostname()}: " if size > 1 else ""


def _list(skipped: tuple) -> None:
    for file in skipped:
        print(f"skipped {file.path}: {file.reason}")


def _about(args: argparse.Namespace, argv: list[str]) -> dict[str, str]:
    """What the card says beside the configuration: its note, and the command without it."""
    kept = [
        word
        for before, word in zip(["", *argv], argv, strict=False)
        if word != "--note" and before != "--note" and not word.startswith("--note=")
    ]
    about = {"command": shlex.join(["python", "train.py", *kept]), "notes": args.note}
    return {**about, "manifest": args.manifest.name} if args.manifest else about


def _chosen(args: argparse.Namespace, device: torch.device, found: dict[str, list[Path]]) -> argparse.Namespace:
    """The arguments with what `--preset auto` stands for in them, after saying so; what was given by hand stays."""
    if args.preset != AUTO:
        return args
    from gan.hub import loader
    from gan.runs.auto_preset import choose

    choice = choose(device, found, loader.load(args.start_from).generator.config if args.start_from else None)
    print(f"chosen: {choice.preset}, {choice.resolution}×{choice.resolution}, {choice.images:,} images ({choice.why})")
    chosen = {"preset": choice.preset, "resolution": args.resolution or choice.resolution}
    if args.images is None and args.epochs is None:
        chosen["images"] = choice.images
    return argparse.Namespace(**{**vars(args), **chosen})


def _check(args: argparse.Namespace) -> None:
    """What can be refused before anything is read or built. Raises UserError."""
    for name, least in (("epochs", 1), ("every", 1), ("threads", 1), ("evaluate_every", 0)):
        value = getattr(args, name)
        if value is not None and value < least:
            raise UserError(f"--{name.replace('_', '-')} is {value}; use {least} or more.")
    if args.push_to_hub:
        from gan.hub import loader

        loader.check_publishing(args.push_to_hub)
    if args.wandb:
        check_wandb(args.wandb)


def _check_out(args: argparse.Namespace, out: Path) -> None:
    """Raise UserError when the run folder cannot be where it is to be."""
    if out.resolve().is_relative_to(args.photos.resolve()):
        raise UserError(f"--out {out} lies inside the photos, where it would be taken for one of them; choose another --out.")
    check_writable(out, "choose another --out")
    if not args.dry_run:
        from gan.utils.lock import check_free

        check_free(out)
    from gan.hub.checkpoint import has_snapshot

    if args.resume == "never" or not has_snapshot(out):
        _check_overwrite(args, out)


def _check_overwrite(args: argparse.Namespace, out: Path) -> None:
    """Raise UserError when a run that begins anew would take the place of a trained model."""
    from gan.hub.checkpoint import is_model

    if args.overwrite or not is_model(out):
        return
    why = "no run to go on with" if args.resume == "auto" else "--resume never would begin anew"
    raise UserError(
        f"{out} holds a trained model, and {why}: choose another --out, with --from {command([str(out)])} to begin as this "
        "model, or add --overwrite to replace it."
    )


def _configure(
    args: argparse.Namespace,
    classes: tuple[str, ...],
    precision: str,
    goes_on: tuple[ModelConfig, dict[str, Any]] | None = None,
) -> tuple[ModelConfig, TrainConfig]:
    """Preset, flags and the run that goes on (`_begun`) → the two configurations. What is not given stays as that run has it.

    Raises UserError.
    """
    from gan.hub import loader

    names = (
        "images", "batch", "lr", "critic_lr", "critic_warm_up", "beta1", "beta2", "critic_steps", "objective", "penalty_weight",
        "clip", "label_smoothing", "noisy_labels", "ema_images", "transpose", "flip_horizontal", "flip_vertical", "rotate",
        "holdout", "seed", "start_from",
    )  # fmt: skip
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    if args.precision != "auto":
        given["precision"] = args.precision
    sides, resolution = tuple(args.sides), args.resolution
    begun, settings = goes_on or (None, {})
    if begun:
        resolution = resolution or begun.resolution
        sides = sides or (tuple(settings["sides"]) if resolution == begun.resolution else ())
    elif args.start_from:
        begun = loader.load(args.start_from).generator.config
    classes = merged(classes) if args.unconditional else classes
    return from_preset(
        args.preset, classes, resolution=resolution, width=args.width, critic_width=args.critic_width,
        critic_norm=args.critic_norm, sides=sides, begun=begun,
        kept={"precision": precision, **settings}, **given,
    )  # fmt: skip


def _begun(args: argparse.Namespace, out: Path) -> tuple[ModelConfig, dict[str, Any]] | None:
    """The model and the training settings of the run that goes on in `out`, or None."""
    from gan.hub.checkpoint import load_snapshot
    from gan.trainer import settings_of

    try:
        state = load_snapshot(out) if args.resume == "auto" else None
        if state is None or not state["images_seen"]:
            return None
        model, settings = ModelConfig.from_json(state["model"]), settings_of(state)
    except (UserError, KeyError):  # Run.resume says what is wrong with it
        return None
    settings.pop("critic")  # the preset's, by its width
    return (model, settings) if model.preset == args.preset else None


def _part(args: argparse.Namespace, train: TrainConfig, keep, part: int):
    """What is left of the files when the manifest has been asked, with `keep`, as load_photos takes it: those to train on
    (part 0), or those held out (part 1); None for all.
    """
    if not train.holdout:
        return keep
    from gan.data.split import split

    return lambda found: split(keep(found) if keep else found, args.photos, train.holdout, train.seed)[part]


def _held_out(args: argparse.Namespace, model: ModelConfig, train: TrainConfig, keep) -> Photos | None:
    """The photos kept away from training; None where they are too few to judge by."""
    from gan.data.image_folder import OVERSAMPLE, find_photos, load_photos
    from gan.runs.validator import LEAST_HELD_OUT

    if not train.holdout:
        return None
    select = _part(args, train, keep, 1)
    if sum(map(len, select(find_photos(args.photos, args.classes)).values())) < LEAST_HELD_OUT:
        return None
    try:
        photos = load_photos(args.photos, OVERSAMPLE * model.resolution, only=args.classes, select=select)
    except UserError:  # of a class none is held out that can be read
        return None
    return photos if len(model.classes) == len(photos.classes) else photos.merged(model.classes[0])


def _reading(what: str):
    """A progress callback for `what` is done to the photos, or None where nobody looks."""
    if not sys.stderr.isatty():
        return None
    return lambda done, total: print(f"\r{what} photos {done:,}/{total:,}", end="\n" * (done == total), file=sys.stderr)


def _print_doctor(photos: Photos, resolution: int) -> None:
    from gan.data.doctor import short

    try:
        lines = short(photos, resolution)
    except Exception as error:  # advice only: whatever it is, it must not cost the training
        lines = [f"the photos were not examined ({error})"]
    for line in lines:
        print(f"doctor: {line}")
    print("doctor: nothing to complain about" if not lines else "doctor: python -m gan doctor PHOTOS says more")


def _judge(
    args: argparse.Namespace, model: ModelConfig, train: TrainConfig, photos: Photos, device: torch.device, keep
) -> Validator | None:  # fmt: skip
    """What judges the run on its way; None for a run too short to be judged, or where that cannot be done (said, once)."""
    if args.dry_run or not 0 < args.evaluate_every <= train.images:
        return None
    from gan.runs.validator import find_judge

    try:
        return find_judge(photos, device, _held_out(args, model, train, keep))
    except UserError as error:
        print(f"not judged on the way, the last model will be kept: {error}")
        return None


def _print_plan(model: ModelConfig, train: TrainConfig, out: Path, hardware: str) -> None:
    print(f"model:  {model.preset}, {model.resolution}×{model.resolution}, classes: {', '.join(model.classes)}")
    print(f"train:  {train.objective}, {train.images:,} images, batch {train.batch}, {train.critic_steps} critic steps, "
          f"learning rate {train.lr:g}, {train.precision}, seed {train.seed}")  # fmt: skip
    print(f"on:     {hardware}")
    print(f"out:    {out}")


def _prepare(args: argparse.Namespace, run: Run) -> Run:
    """Take up the run in the folder, or begin as the model of --from. Raises UserError; a dry run writes nothing."""
    if args.resume == "auto" and run.resume(mend=not args.dry_run):
        print(f"resumed at {run.trainer.images_seen:,} images")
        return run
    if args.start_from:
        from gan.hub import loader
        from gan.hub.checkpoint import load_critic

        model = loader.load(args.start_from)
        layers = run.init_from(args.start_from, model.generator, load_critic(model.folder) if model.folder else None)
        critic = "its critic" if run.begun_from["critic"] else "a new critic"
        print(f"begun with the first {layers} layers of {args.start_from} and {critic}")
    return run


def _estimate(run: Run) -> int:
    """Time a few steps of a trainer that is thrown away, and print what the rest of the run would take."""
    from gan.networks.layers import parameters
    from gan.trainer import Trainer

    train = run.trainer.config
    trainer = Trainer(
        run.trainer.model, replace(train, critic_warm_up=0), run.trainer.photos, run.trainer.device, run.processes
    )
    images = train.batch * train.critic_steps
    begun, total, each, seconds = run.folder if run.saved else None, 0, [], 0.0
    for first, end in run.trainer.phases():
        trainer.schedule, trainer.images_seen = run.trainer.schedule, first
        steps, step = _steps(end - first, images), _step_seconds(trainer, begun)
        total, seconds, each = total + steps, seconds + steps * step, [*each, f"{step:.2f} s"]
    if total:
        count = f"{total:,} step{'s' if total > 1 else ''}"
        print(f"cost:   about {_clock(seconds)} for {count} of {' and '.join(each)}, measured on a throwaway copy")
    else:
        print("cost:   nothing, for it has seen all its images")
    print(f"size:   generator {parameters(trainer.generator):,} parameters, critic {parameters(trainer.critic):,}")
    print("dry run: nothing was trained or written")
    return 0


def _steps(left: int, images: int) -> int:
    """How many steps of `images` there are in what is left: the last one is a whole one, too."""
    return max(0, -(-left // images))


def _step_seconds(trainer: Trainer, begun: Path | None) -> float:
    """The median of three steps, after one that also warms up; `begun` is the folder of a run that has been trained."""
    from gan.runs import batch_size

    batch_size.step(trainer, begun)
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        batch_size.step(trainer, begun)
        seconds.append(time.perf_counter() - started)
    return sorted(seconds)[1]


def _go(run: Run, every: int, judge_every: int, port: int | None) -> int:
    """Train, with a progress bar and (at `port`) a page that shows it, until the end or a signal; the exit code."""
    from gan.runs.dashboard_server import preview

    total = run.trainer.config.images
    with ExitStack() as stack:
        if port is not None and run.processes.first:
            print(f"look at it: {stack.enter_context(preview(run.folder, port))}", flush=True)
        caught = stack.enter_context(interrupts.caught())
        bar = stack.enter_context(_bar(run.trainer.images_seen, total, run.processes.first))

        def show(seen: int, stats: StepStats) -> None:
            bar.update(min(seen, total) - bar.n)
            bar.set_postfix_str(
                f"critic {stats.critic_loss:.2f}, generator {stats.generator_loss:.2f}, gradient {stats.gradient_norm:.2f}",
                refresh=False,
            )

        finished = run.train(every, show, lambda: bool(caught), judge_every)
    if not finished:
        print(f"stopped at {run.trainer.images_seen:,} images and saved; the same command continues.")
        return 128 + (caught[0] if caught else signal.SIGTERM)  # it may have come to another process
    if run.best:
        to = judged_by(run.best.get("held_out", 0))
        print(f"the best of the moments judged is kept: {run.best['images']:,} images, KID {run.best['kid']:.3f} to {to}")
    print(f"finished {run.trainer.images_seen:,} images in {_clock(run.seconds)}; look at {run.folder / 'learning.html'}")
    print(f"open it: python app.py --model {command([str(run.folder)])}")
    print(f"publish it: python -m gan publish {command([str(run.folder)])} OWNER/NAME")
    return 0


def _say(sentence: str) -> None:
    """Print a line above the progress bar."""
    from tqdm import tqdm

    tqdm.write(sentence)


def _bar(done: int, total: int, shown: bool):
    from tqdm import tqdm

    return tqdm(
        total=total, initial=min(done, total), unit=" images", mininterval=1 if sys.stderr.isatty() else 30, unit_scale=True,
        disable=not shown,
    )  # fmt: skip


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {seconds:02d} s"


if __name__ == "__main__":
    sys.exit(main())
