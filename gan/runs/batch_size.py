"""A device whose memory is too small for a batch: whether an error says so, and which batch it has room for."""

from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path

import torch

from gan.config import ModelConfig
from gan.data.image_folder import Photos
from gan.errors import UserError
from gan.options import TrainConfig
from gan.trainer import StepStats, Trainer
from gan.utils.device import describe

# PyTorch has a type of its own for CUDA only; these are the words of its allocators elsewhere.
_WORDS = (
    "not enough memory",
    "can't allocate memory",
    "out of memory",
    "could not allocate",
    "bad_alloc",
)
# oneDNN says no more than that it could not begin: for lack of memory, or because it cannot do what it was asked.
_PERHAPS = (
    "could not create a primitive",
    "could not execute a primitive",
    "could not create a memory",
)


def is_exhausted(error: BaseException) -> bool:
    """Whether `error` means that there was not enough memory."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in _WORDS)


def may_be_exhausted(error: BaseException) -> bool:
    """Whether `error` means that, or may: only a smaller batch that can be trained tells."""
    return is_exhausted(error) or isinstance(error, RuntimeError) and any(word in str(error).lower() for word in _PERHAPS)


def step(trainer: Trainer, begun: Path | None) -> StepStats:
    """One step of `trainer`. Raises UserError where there is not enough memory for it, with a batch that it is enough for.

    That batch is found by trying, for which the trainer is used up. `begun` is the folder of a run that has been trained:
    its batch can no longer be changed. Raises RuntimeError where it may be for another reason, and no batch can be trained.
    """
    try:
        return trainer.step()
    except (MemoryError, RuntimeError) as error:
        if not may_be_exhausted(error):
            raise
        otherwise = "" if is_exhausted(error) else str(error)
    # Out of the handler: as long as the error is known, so is all that the step had in memory.
    what = f"a batch of {trainer.config.batch} does not fit into the memory of this computer"
    if trainer.device.type != "cpu":
        what = f"a batch of {trainer.config.batch} does not fit into the memory of {describe(trainer.device)}"
    batch = trainer.processes.size * batch_that_fits(trainer)
    if not batch and otherwise:
        raise RuntimeError(otherwise)
    if not batch:
        raise UserError(f"{what}, nor does one of 1; use a smaller --resolution or --width.")
    if begun:
        raise UserError(f"{what}, one of {batch} does: begin a new run with --batch {batch}, --from {begun} and another --out.")
    raise UserError(f"{what}, one of {batch} does; use --batch {batch}.")


def batch_that_fits(trainer: Trainer) -> int:
    """The first of half of this process's part of the batch, a quarter, … that can be trained; 0 when not even 1 can.

    `trainer` is used up: its networks make room for the trials.
    """
    model, config, photos, device = trainer.model, trainer.config, trainer.photos, trainer.device
    batch = config.batch // trainer.processes.size // 2
    vars(trainer).clear()
    while batch:
        _make_room(device)
        if _fits(model, replace(config, batch=batch, critic_warm_up=0, penalty_every=1), photos, device):
            break
        batch //= 2
    return batch


def _fits(model: ModelConfig, config: TrainConfig, photos: Photos, device: torch.device) -> bool:
    try:
        trainer = Trainer(model, config, photos, device)
        trainer.images_seen = config.images  # by then the side is the largest
        for _ in range(2):  # Adam's averages are there from the first one on
            trainer.step()
    except (MemoryError, RuntimeError) as error:
        if may_be_exhausted(error):
            return False
        raise
    return True


def _make_room(device: torch.device) -> None:
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
