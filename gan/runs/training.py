"""From photos and options to a trained model: what `gan.train` and train.py do."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from gan.config import ModelConfig
from gan.data.doctor import short
from gan.data.image_folder import Photos
from gan.data.split import judged_by
from gan.errors import UserError
from gan.hub import loader
from gan.hub.checkpoint import has_snapshot, is_model, load_critic, load_snapshot
from gan.options import AUTO, RunOptions, TrainConfig
from gan.presets import from_preset, merged
from gan.runs.auto_preset import choose
from gan.runs.dashboard_server import preview
from gan.runs.dry_run import print_estimate
from gan.runs.loggers import WANDB_PROJECT, check_wandb
from gan.runs.request import Request
from gan.runs.run import Run
from gan.runs.training_photos import TrainingPhotos
from gan.runs.validator import Validator, find_judge
from gan.trainer import StepStats, settings_of
from gan.utils import interrupts, lock
from gan.utils.device import describe, pick_device, pick_precision
from gan.utils.distributed import ProcessGroup, joined
from gan.utils.files import check_writable, name_of
from gan.utils.formatting import clock
from gan.utils.terminal import command


@dataclass(frozen=True)
class Outcome:
    """A run, and how it ended."""

    run: Run
    finished: bool
    signal: int = 0  # what stopped it; it was saved, and the same command continues


def train(photos: str | os.PathLike[str], **options: Any) -> Run:
    """Train a model on photos and return its run; `run.folder` holds the model, for `gan.load`.

    `photos` is a folder with a sub-folder for each class, a .zip of one, or hf://datasets/owner/name. Every option of
    docs/options.md is an argument: `gan.train("photos/", images=20_000, out="runs/mine")`. A run that is interrupted is saved,
    and the same call continues it. Raises UserError for what the caller can mend.
    """
    if "out" in options:
        options["out"] = Path(options["out"])
    return start(Request.of(photos, options)).run


def start(request: Request) -> Outcome:
    """Train as `request` asks, in this process or, under torchrun, in this one of several. Raises UserError."""
    request = _check_services(request)
    if request.options.threads:
        torch.set_num_threads(request.options.threads)
    with joined(pick_device(request.options.device)) as (processes, device):
        if processes.first:
            return _start(request, device, processes)
        with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):  # the first one speaks for all
            return _start(request, device, processes)


def _start(request: Request, device: torch.device, processes: ProcessGroup) -> Outcome:
    source = TrainingPhotos.find(request.photos, request.options)
    request = _choose(request, device, source)
    options = request.options
    out = options.out or Path("runs") / f"{options.preset}-{name_of(source.folder.resolve(), 'photos')}"
    processes.broadcast_from_rank0(lambda: _check_out(options, source.folder, out))
    model, config = configure(request, tuple(source.files), pick_precision(device), _begun(options, out))
    photos = source.load(model, config)
    _print_photos(photos, model.resolution)
    about = {**_about(request), "photos": photos.counts()}  # by folder, where a plain model merges them
    if options.epochs:
        config = replace(config, images=options.epochs * len(photos.labels)).validate()
    if len(model.classes) != len(photos.classes):
        photos = photos.merged(model.classes[0])
    _print_plan(model, config, out, describe(device, processes.size))
    judge = _find_judge(options, source, model, config, photos, device) if processes.first else None
    run = Run(out, model, config, photos, device, about=about, half=options.half, processes=processes, judge=judge,
              wandb=options.wandb, say=_say)  # fmt: skip
    with ExitStack() as held:
        if not options.dry_run:
            processes.broadcast_from_rank0(lambda: held.enter_context(lock.hold(out)))
        _begin(run, config.start_from, options)
        if options.dry_run:
            print_estimate(run)
            return Outcome(run, True)
        if judge:
            print(f"judged: every {options.evaluate_every:,} images, by the KID to {judged_by(judge.held_out)}")
        outcome = _go(run, options)
    if outcome.finished and options.push_to_hub and processes.first:
        print(f"published at {loader.publish(out, options.push_to_hub)}")
    return outcome


# --------------------------------------------------------------------------------------------- what is checked and chosen


def _check_services(request: Request) -> Request:
    """Raise UserError where the Hub, or Weights & Biases, could not be used at the end; nothing is sent to find out."""
    options = request.options
    if options.push_to_hub:
        loader.check_publishing(options.push_to_hub)
    if options.wandb is None:
        return request
    project = options.wandb or os.environ.get("WANDB_PROJECT") or WANDB_PROJECT
    check_wandb(project)
    return replace(request, options=replace(options, wandb=project))


def _choose(request: Request, device: torch.device, source: TrainingPhotos) -> Request:
    """The request with what `preset="auto"` stands for in it, after saying so; what was given by hand stays."""
    options, given = request.options, request.given
    if options.preset != AUTO:
        return request
    begun = given.get("start_from")
    choice = choose(device, source.files, loader.load(begun).generator.config if begun else None)
    print(f"chosen: {choice.preset}, {choice.resolution}×{choice.resolution}, {choice.images:,} images ({choice.why})")
    options = replace(options, preset=choice.preset, resolution=options.resolution or choice.resolution)
    length = {} if "images" in given or options.epochs else {"images": choice.images}
    return replace(request, options=options, given={**given, **length})


def _check_out(options: RunOptions, photos: Path, out: Path) -> None:
    """Raise UserError when the run folder cannot be where it is to be."""
    if out.resolve().is_relative_to(photos.resolve()):
        raise UserError(f"--out {out} lies inside the photos, where it would be taken for one of them; choose another --out.")
    check_writable(out, "choose another --out")
    if not options.dry_run:
        lock.check_free(out)
    goes_on = options.resume == AUTO and has_snapshot(out)
    if goes_on or options.overwrite or not is_model(out):
        return
    why = "no run to go on with" if options.resume == AUTO else "--resume never would begin anew"
    raise UserError(
        f"{out} holds a trained model, and {why}: choose another --out, with --from {command([str(out)])} to begin as this "
        "model, or add --overwrite to replace it."
    )


def configure(
    request: Request,
    classes: tuple[str, ...],
    precision: str,
    goes_on: tuple[ModelConfig, dict[str, Any]] | None = None,
) -> tuple[ModelConfig, TrainConfig]:
    """A request, and the run that goes on (`_begun`) → the two configurations. What is not given stays as that run has it.

    `precision` is that of a new run where none is given. Raises UserError.
    """
    options, given = request.options, dict(request.given)
    sides, resolution = given.pop("sides", ()), options.resolution
    begun, settings = goes_on or (None, {})
    if begun:
        resolution = resolution or begun.resolution
        sides = sides or (tuple(settings["sides"]) if resolution == begun.resolution else ())
    elif given.get("start_from"):
        begun = loader.load(given["start_from"]).generator.config
    return from_preset(
        options.preset, merged(classes) if options.unconditional else classes, resolution=resolution, width=options.width,
        critic_width=options.critic_width, critic_norm=options.critic_norm, sides=sides, begun=begun,
        kept={"precision": precision, **settings}, **given,
    )  # fmt: skip


def _begun(options: RunOptions, out: Path) -> tuple[ModelConfig, dict[str, Any]] | None:
    """The model and the training settings of the run that goes on in `out`, or None."""
    try:
        state = load_snapshot(out) if options.resume == AUTO else None
        if state is None or not state["images_seen"]:
            return None
        model, settings = ModelConfig.from_json(state["model"]), settings_of(state)
    except (UserError, KeyError):  # Run.resume says what is wrong with it
        return None
    settings.pop("critic")  # the preset's, by its width
    return (model, settings) if model.preset == options.preset else None


def _find_judge(
    options: RunOptions, source: TrainingPhotos, model: ModelConfig, config: TrainConfig, photos: Photos, device: torch.device
) -> Validator | None:  # fmt: skip
    """What judges the run on its way; None for a run too short to be judged, or where that cannot be done (said, once)."""
    if options.dry_run or not 0 < options.evaluate_every <= config.images:
        return None
    try:
        return find_judge(photos, device, source.load_held_out(model, config))
    except UserError as error:
        print(f"not judged on the way, the last model will be kept: {error}")
        return None


def _about(request: Request) -> dict[str, Any]:
    """What the card says beside the configuration."""
    manifest = request.options.manifest
    return {"command": request.command, "notes": request.options.note, **({"manifest": manifest.name} if manifest else {})}


# ---------------------------------------------------------------------------------------------------------------- the run


def _begin(run: Run, start_from: str, options: RunOptions) -> None:
    """Take up the run in the folder, or begin as the model `start_from`. Raises UserError; a dry run writes nothing."""
    if options.resume == AUTO and run.resume(mend=not options.dry_run):
        print(f"resumed at {run.trainer.images_seen:,} images")
    elif start_from:
        model = loader.load(start_from)
        layers = run.init_from(start_from, model.generator, load_critic(model.folder) if model.folder else None)
        critic = "its critic" if run.begun_from["critic"] else "a new critic"
        print(f"begun with the first {layers} layers of {start_from} and {critic}")


def _go(run: Run, options: RunOptions) -> Outcome:
    """Train, with a progress bar and (at a port) a page that shows it, until the end or a signal."""
    total = run.trainer.config.images
    with ExitStack() as stack:
        if options.preview is not None and run.processes.first:
            print(f"look at it: {stack.enter_context(preview(run.folder, options.preview))}", flush=True)
        caught = stack.enter_context(interrupts.caught())
        bar = stack.enter_context(_bar(run.trainer.images_seen, total, run.processes.first))

        def show(seen: int, stats: StepStats) -> None:
            bar.update(min(seen, total) - bar.n)
            bar.set_postfix_str(
                f"critic {stats.critic_loss:.2f}, generator {stats.generator_loss:.2f}, gradient {stats.gradient_norm:.2f}",
                refresh=False,
            )

        finished = run.train(options.every, show, lambda: bool(caught), options.evaluate_every)
    _print_end(run, finished)
    # The signal may have come to another process.
    return Outcome(run, finished, 0 if finished else (caught[0] if caught else signal.SIGTERM))


# ------------------------------------------------------------------------------------------------------------ what is said


def print_skipped(skipped: tuple) -> None:
    """Print which files were skipped, and why."""
    for file in skipped:
        print(f"skipped {file.path}: {file.reason}")


def _print_photos(photos: Photos, resolution: int) -> None:
    print_skipped(photos.skipped)
    print("photos: " + ", ".join(f"{count:,} {name}" for name, count in photos.counts().items()))
    try:
        lines = short(photos, resolution)
    except Exception as error:  # advice only: whatever it is, it must not cost the training
        lines = [f"the photos were not examined ({error})"]
    for line in lines:
        print(f"doctor: {line}")
    print("doctor: nothing to complain about" if not lines else "doctor: python -m gan doctor PHOTOS says more")


def _print_plan(model: ModelConfig, train: TrainConfig, out: Path, hardware: str) -> None:
    print(f"model:  {model.preset}, {model.resolution}×{model.resolution}, classes: {', '.join(model.classes)}")
    print(f"train:  {train.objective}, {train.images:,} images, batch {train.batch}, {train.critic_steps} critic steps, "
          f"learning rate {train.lr:g}, {train.precision}, seed {train.seed}")  # fmt: skip
    print(f"on:     {hardware}")
    print(f"out:    {out}")


def _print_end(run: Run, finished: bool) -> None:
    if not finished:
        print(f"stopped at {run.trainer.images_seen:,} images and saved; the same command continues.")
        return
    if run.best:
        to = judged_by(run.best.get("held_out", 0))
        print(f"the best of the moments judged is kept: {run.best['images']:,} images, KID {run.best['kid']:.3f} to {to}")
    print(f"finished {run.trainer.images_seen:,} images in {clock(run.seconds)}; look at {run.folder / 'learning.html'}")
    print(f"open it: python app.py --model {command([str(run.folder)])}")
    print(f"publish it: python -m gan publish {command([str(run.folder)])} OWNER/NAME")


def _say(sentence: str) -> None:
    """Print a line above the progress bar."""
    from tqdm import tqdm

    tqdm.write(sentence)


def _bar(done: int, total: int, shown: bool) -> Any:
    from tqdm import tqdm

    return tqdm(
        total=total, initial=min(done, total), unit=" images", mininterval=1 if sys.stderr.isatty() else 30, unit_scale=True,
        disable=not shown,
    )  # fmt: skip
