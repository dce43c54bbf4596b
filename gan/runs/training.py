"""Training from photos and options to a model folder, for `gan.train` and train.py."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from gan.config import ModelConfig
from gan.data.doctor_report import training_warnings
from gan.data.image_folder import Photos
from gan.data.split import judging_photos
from gan.errors import UserError
from gan.evaluation.features import find_network
from gan.evaluation.reference import MIN_OF_A_CLASS
from gan.hub import loader, publish
from gan.hub.checkpoint import has_snapshot, is_model, load_critic, load_snapshot
from gan.options import AUTO, RunOptions, TrainConfig, settings_of
from gan.presets import from_preset, merged
from gan.runs import dashboard
from gan.runs.auto_preset import Choice, choose
from gan.runs.dashboard_server import preview
from gan.runs.dry_run import print_estimate
from gan.runs.loggers import WANDB_PROJECT, check_wandb
from gan.runs.request import Request
from gan.runs.run import FIRST_GRIDS, Run
from gan.runs.time_left import TimeLeft
from gan.runs.training_photos import TrainingPhotos
from gan.runs.validator import Validator, make_validator
from gan.trainer import StepStats
from gan.utils import interrupts, lock
from gan.utils.device import describe, pick_device, pick_precision
from gan.utils.distributed import ProcessGroup, joined
from gan.utils.files import check_outside, check_writable, folder_name
from gan.utils.formatting import clock
from gan.utils.terminal import command, safe_output


@dataclass(frozen=True)
class Outcome:
    """A run, and how it ended."""

    run: Run
    finished: bool
    signal: int = 0  # the number of the signal that stopped it; the run was saved, and the same command continues


@safe_output()
def train(photos: str | os.PathLike[str], **options: Any) -> Run:
    """Train a model on photos and return its run. The model is in `run.folder`, for `gan.load`.

    `photos` is a folder with a sub-folder for each class, a .zip of such a folder, or hf://datasets/owner/name. The arguments
    are the options of docs/options.md: `gan.train("photos/", images=20_000, out="runs/mine")`. An interrupted run is saved, and
    the same call continues it. Raises UserError for errors that the caller can correct.
    """
    return start(Request.of(photos, options)).run


def start(request: Request) -> Outcome:
    """Train as `request` says, in this process, which may be one of several under torchrun. Raises UserError."""
    request = _check_services(request)
    if request.options.threads:
        torch.set_num_threads(request.options.threads)
    with joined(pick_device(request.options.device)) as (processes, device):
        if processes.first:
            return _start_in_group(request, device, processes)
        with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):  # only the first process prints
            return _start_in_group(request, device, processes)


def _start_in_group(request: Request, device: torch.device, processes: ProcessGroup) -> Outcome:
    """As `start`, with the device of this process."""
    source = TrainingPhotos.find(request.photos, request.options)
    kept = processes.broadcast_from_rank0(lambda: _kept_preset(request.options))
    request, choice = _resolve_auto(request, device, source, kept)
    options = request.options
    out = options.out or Path("runs") / f"{options.preset}-{folder_name(source.folder.resolve(), 'photos')}"
    processes.broadcast_from_rank0(lambda: _check_out(options, source.folder, out))
    saved = processes.broadcast_from_rank0(lambda: _saved_settings(options, out))  # the others may not see its folder
    if choice and not saved:
        _print_choice(request, choice)
    if options.epochs:  # about; which files cannot be read is known when all are
        files = sum(map(len, source.files.values()))
        request = replace(request, given={**request.given, "images": options.epochs * files})
    model, config = configure(request, tuple(source.files), pick_precision(device), saved, choice)
    photos = source.load(model, config)
    _print_photos(photos, model.resolution, request.photos)
    _print_few_held_out(photos, config.holdout)
    about = {**_card_notes(request), "photos": photos.counts()}  # before classes are merged for a plain model
    if options.epochs:
        config = replace(config, images=options.epochs * len(photos.labels)).validate()
    if len(model.classes) != len(photos.classes):
        photos = photos.merged(model.classes[0])
    _print_plan(model, config, out, describe(device, processes.size))
    validator = _make_validator(options, out, source, model, config, photos, device) if processes.first else None
    run = Run(out, model, config, photos, device, about=about, half=options.half, processes=processes, validator=validator,
              wandb=options.wandb, say=_print_above_bar)  # fmt: skip
    with ExitStack() as held:
        if not options.dry_run:
            processes.broadcast_from_rank0(lambda: held.enter_context(lock.hold(out)))
        _resume_or_init(run, config.start_from, options)
        _print_sides(run.trainer.schedule)
        if options.dry_run:
            print_estimate(run)
            return Outcome(run, True)
        if validator:
            by = f"{validator.network.kid_name} to {judging_photos(validator.held_out)}"
            print(f"validated: every {options.evaluate_every:,} images, by the {by}")
        outcome = _run_to_end(run, options, request.photos)
    if outcome.finished and options.push_to_hub and processes.first:
        print(f"published at {publish.publish(out, options.push_to_hub)}")
    return outcome


# --------------------------------------------------------------------------------------------- what is checked and chosen


def _check_services(request: Request) -> Request:
    """The request with its W&B project. Raises UserError where the Hub, Weights & Biases or a feature network is asked for and
    cannot be used.
    """
    options = request.options
    if options.evaluate_every and options.network != RunOptions.network:
        find_network(options.network)
    if options.push_to_hub:
        publish.check_publishing(options.push_to_hub)
    if options.wandb is None:
        return request
    project = options.wandb or os.environ.get("WANDB_PROJECT") or WANDB_PROJECT
    check_wandb(project)
    return replace(request, options=replace(options, wandb=project))


def _kept_preset(options: RunOptions) -> str | None:
    """The preset of the run that is continued in --out, where auto would choose one; None for a new run."""
    if options.preset != AUTO or options.out is None:
        return None
    state = _snapshot(options, options.out)
    return state["model"].get("preset") if state else None


def _snapshot(options: RunOptions, out: Path) -> dict[str, Any] | None:
    """The snapshot of the run that is continued in `out`; None for a new run, and where Run.resume will raise an error."""
    try:
        state = load_snapshot(out) if options.resume == AUTO else None
        return state if state and state["images_seen"] and state["model"] else None
    except (UserError, KeyError):
        return None


def _resolve_auto(
    request: Request, device: torch.device, source: TrainingPhotos, kept: str | None
) -> tuple[Request, Choice | None]:
    """The request with a preset, and what `preset="auto"` chose. A run that is continued has the preset `kept`."""
    options = request.options
    if options.preset != AUTO:
        return request, None
    if kept:
        return replace(request, options=replace(options, preset=kept)), None
    begun = request.given.get("start_from")
    choice = choose(device, source.files, loader.load(begun).generator.config if begun else None)
    return replace(request, options=replace(options, preset=choice.preset)), choice


def _print_choice(request: Request, choice: Choice) -> None:
    """Print what `preset="auto"` chose for a new run, without what the user gave, and why."""
    options = request.options
    side = [] if options.resolution or "sides" in request.given else [f"{choice.resolution}×{choice.resolution}"]
    length = [] if "images" in request.given or options.epochs else [f"{choice.images:,} images"]
    print(f"chosen: {', '.join([choice.preset, *side, *length])} ({choice.why})")


def _check_out(options: RunOptions, photos: Path, out: Path) -> None:
    """Raise UserError when the run folder `out` cannot be used: inside the photos, not writable, in use, or holding a model."""
    check_outside(out, photos)
    check_writable(out, "choose another --out")
    if not options.dry_run:
        lock.check_free(out)
    goes_on = options.resume == AUTO and has_snapshot(out)
    if goes_on or options.overwrite or not is_model(out):
        return
    why = "no run to continue" if options.resume == AUTO else "with --resume never a new run would start"
    raise UserError(
        f"{out} holds a trained model, and {why}: choose another --out, with --from {command([str(out)])} to begin with its "
        "weights, or add --overwrite to replace it."
    )


def configure(
    request: Request,
    classes: tuple[str, ...],
    precision: str,
    goes_on: tuple[ModelConfig, dict[str, Any]] | None = None,
    choice: Choice | None = None,
) -> tuple[ModelConfig, TrainConfig]:
    """The configurations of model and training for a request, the photos' `classes`, and a run that is continued.

    `goes_on` is what `_saved_settings` returned; its settings hold where the request has none. `choice` is that of
    `preset="auto"`, and `precision` the default, of a new run. Raises UserError.
    """
    options, given = request.options, dict(request.given)
    sides, resolution = given.pop("sides", ()), options.resolution
    begun, settings = goes_on or (None, {})
    if begun:
        resolution = resolution or begun.resolution
        sides = sides or (tuple(settings["sides"]) if resolution == begun.resolution else ())
    elif given.get("start_from"):
        begun = loader.load(given["start_from"]).generator.config
    chosen: dict[str, Any] = {}
    if choice and not goes_on:
        resolution = resolution or (None if sides else choice.resolution)
        chosen = {"images": choice.images}
    return from_preset(
        options.preset, merged(classes) if options.unconditional else classes, resolution=resolution, width=options.width,
        critic_width=options.critic_width, critic_norm=options.critic_norm, sides=sides, begun=begun,
        kept={"precision": precision, **chosen, **settings}, **given,
    )  # fmt: skip


def _saved_settings(options: RunOptions, out: Path) -> tuple[ModelConfig, dict[str, Any]] | None:
    """Model and training settings in the snapshot of the run that is continued in `out`; None for a new run."""
    state = _snapshot(options, out)
    if state is None:
        return None
    try:
        model, settings = ModelConfig.from_json(state["model"]), settings_of(state)
    except (UserError, KeyError):  # Run.resume raises it again
        return None
    settings.pop("critic")  # follows from the preset and its width
    return (model, settings) if model.preset == options.preset else None


def _make_validator(
    options: RunOptions, out: Path, source: TrainingPhotos, model: ModelConfig, config: TrainConfig, photos: Photos,
    device: torch.device,
) -> Validator | None:  # fmt: skip
    """The validator of a run; None without --evaluate-every, and where validation is not possible, which is printed.

    Raises UserError where that is a mistake: a --network was named, or the run in `out` was validated before, and its best
    model would be lost.
    """
    if options.dry_run or not options.evaluate_every:
        return None
    if options.evaluate_every > config.images:
        print(f"not validated, the last model will be kept: {config.images:,} images, fewer than --evaluate-every")
        return None
    try:
        return make_validator(photos, device, source.load_held_out(model, config), options.network)
    except UserError as error:
        if options.network != RunOptions.network:
            raise
        if (_snapshot(options, out) or {}).get("best"):
            raise UserError(
                f"{out} holds the best validated model of its run, and the run cannot be validated any more: {error} Or add "
                "--evaluate-every 0 to keep the last model in its place."
            ) from None
        print(f"not validated, the last model will be kept: {error}")
        return None


def _card_notes(request: Request) -> dict[str, Any]:
    """What the model card says beside the configuration."""
    manifest = request.options.manifest
    return {"command": request.command, "notes": request.options.note, **({"manifest": manifest.name} if manifest else {})}


# ---------------------------------------------------------------------------------------------------------------- the run


def _resume_or_init(run: Run, start_from: str, options: RunOptions) -> None:
    """Resume the run in the folder, or begin with the weights of the model `start_from` ("" for none). Raises UserError."""
    if options.resume == AUTO and run.resume(mend=not options.dry_run):
        print(f"resumed at {run.trainer.images_seen:,} images")
    elif start_from:
        model = loader.load(start_from)
        layers = run.init_from(start_from, model.generator, load_critic(model.folder) if model.folder else None)
        critic = "its critic" if run.begun_from["critic"] else "a new critic"
        print(f"begun with the first {layers} layers of {start_from} and {critic}")


def _run_to_end(run: Run, options: RunOptions, source: str) -> Outcome:
    """Train until the end or a signal, with a progress bar and, where a port is given, a page.

    `source` is what names the photos.
    """
    total = run.trainer.config.images
    with ExitStack() as stack:
        if options.preview is not None and run.processes.first:
            print(f"look at it: {stack.enter_context(preview(run.folder, options.preview))}", flush=True)
        caught = stack.enter_context(interrupts.catch_signals())
        bar = stack.enter_context(_progress_bar(run.trainer.images_seen, total, run.processes.first))

        left = TimeLeft(run.trainer)

        def show(seen: int, stats: StepStats) -> None:
            left.add_step()
            bar.update(min(seen, total) - bar.n)
            bar.set_postfix_str(_progress(left, run.kid, stats), refresh=False)

        finished = run.train(options.every, show, lambda: bool(caught), options.evaluate_every)
    _print_end(run, finished, source)
    # `caught` is empty where another process got the signal.
    return Outcome(run, finished, 0 if finished else (caught[0] if caught else signal.SIGTERM))


# ------------------------------------------------------------------------------------------------------------ what is said


def _print_skipped(skipped: tuple) -> None:
    """Print the skipped files with the reasons."""
    for file in skipped:
        print(f"skipped {file.path}: {file.reason}")


def _print_photos(photos: Photos, resolution: int, source: str) -> None:
    """Print skipped files, the number of photos by class, and the doctor's warnings. `source` is what names the photos."""
    _print_skipped(photos.skipped)
    print("photos: " + ", ".join(f"{count:,} {name}" for name, count in photos.counts().items()))
    try:
        lines = training_warnings(photos, resolution)
    except Exception as error:  # advice only, so no error of it may end the training
        lines = [f"the photos were not examined ({error})"]
    for line in lines:
        print(f"doctor: {line}")
    more = f"{command(['python', '-m', 'gan', 'doctor', source])} says more"
    print(f"doctor: {more if lines else 'nothing to complain about'}")


def _print_few_held_out(photos: Photos, share: float) -> None:
    """Print which classes have too few photos held out for `python -m gan evaluate`; their numbers are estimates."""
    held = {name: round(count * share / (1 - share)) for name, count in photos.counts().items()} if share else {}
    few = [f"{count} {name}" for name, count in held.items() if count < MIN_OF_A_CLASS]
    if few:
        print(
            f"note: about {', '.join(few)} held out, and python -m gan evaluate needs {MIN_OF_A_CLASS} of each class: give a "
            "larger --holdout, more photos, or no --holdout."
        )


def _print_plan(model: ModelConfig, train: TrainConfig, out: Path, hardware: str) -> None:
    """Print what will be trained, how, on which device, and where."""
    print(f"model:  {model.preset}, {model.resolution}×{model.resolution}, classes: {', '.join(model.classes)}")
    falling = f" (falls to 0 in the last {100 * train.lr_decay:g} % of the images)" if train.lr_decay else ""
    print(f"train:  {train.objective}, {train.images:,} images, batch {train.batch}, {train.critic_steps} critic steps, "
          f"learning rate {train.lr:g}{falling}, {train.precision}, seed {train.seed}")  # fmt: skip
    print(f"on:     {hardware}")
    print(f"out:    {out}")
    first = min(FIRST_GRIDS[0], train.images)
    print(f"see:    {out / dashboard.FILE}, from {first} images on; --preview serves it while the run goes on")


def _print_sides(schedule: Sequence[tuple[int, int]]) -> None:
    """Print which sides are trained and until when, where there is more than one."""
    parts = [f"{side}×{side} until {end:,} images" for side, end in schedule[:-1]]
    if parts:
        print(f"sides:  {', '.join(parts)}, then {schedule[-1][0]}×{schedule[-1][0]}")


def _print_end(run: Run, finished: bool, source: str) -> None:
    """Print how the run ended, and the commands that use its model. `source` is what names the photos."""
    if not finished:
        print(f"stopped at {run.trainer.images_seen:,} images and saved; the same command continues.")
        return
    if run.best:
        kid, to = run.best.get("kid_name", "KID"), judging_photos(run.best.get("held_out", 0))
        print(f"the best validated model is kept: {run.best['images']:,} images, {kid} {run.best['kid']:.3f} to {to}")
    print(f"finished {run.trainer.images_seen:,} images in {clock(run.seconds)}; look at {run.folder / 'learning.html'}")
    print(f"open it: python app.py --model {command([str(run.folder)])}")
    print(f"judge it: {command(['python', '-m', 'gan', 'evaluate', str(run.folder), source])}")
    print(f"publish it: python -m gan publish {command([str(run.folder)])} OWNER/NAME")


def _progress(left: TimeLeft, kid: float | None, stats: StepStats) -> str:
    """What the progress bar says beside how far it is: speed, time left, last KID, losses."""
    speed, seconds = left.speed(), left.seconds()
    return ", ".join([
        *([f"{speed:.1f} images/s, {clock(seconds)} left"] if speed and seconds is not None else []),
        *([f"KID {kid:.3f}"] if kid is not None else []),
        f"critic {stats.critic_loss:.2f}, generator {stats.generator_loss:.2f}",
    ])  # fmt: skip


def _print_above_bar(sentence: str) -> None:
    """Print a line above the progress bar."""
    from tqdm import tqdm

    tqdm.write(sentence)


def _progress_bar(done: int, total: int, shown: bool) -> Any:
    """The progress bar of a run that has seen `done` of `total` images. The time left is not its own (time_left.py)."""
    from tqdm import tqdm

    return tqdm(
        total=total, initial=min(done, total), unit=" images", mininterval=1 if sys.stderr.isatty() else 30, unit_scale=True,
        disable=not shown, bar_format="{l_bar}{bar:20}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]",
    )  # fmt: skip
