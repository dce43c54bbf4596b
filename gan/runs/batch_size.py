"""A batch that does not fit into memory: telling it from other errors, and finding a batch that fits."""

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

# Parts of the error messages of PyTorch's allocators; only for CUDA there is an exception type.
_MEMORY_ERRORS = (
    "not enough memory",
    "can't allocate memory",
    "out of memory",
    "could not allocate",
    "bad_alloc",
)
# Messages of oneDNN that mean a lack of memory, or an operation that is not supported.
_POSSIBLE_MEMORY_ERRORS = (
    "could not create a primitive",
    "could not execute a primitive",
    "could not create a memory",
)


def is_exhausted(error: BaseException) -> bool:
    """Whether `error` certainly means that there was not enough memory."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in _MEMORY_ERRORS)


def may_be_exhausted(error: BaseException) -> bool:
    """Whether `error` may mean a lack of memory. It does if a smaller batch can be trained."""
    return (
        is_exhausted(error)
        or isinstance(error, RuntimeError)
        and any(word in str(error).lower() for word in _POSSIBLE_MEMORY_ERRORS)
    )


def step(trainer: Trainer, begun: Path | None) -> StepStats:
    """One step of `trainer`, and its measurements.

    Where memory is not enough, raises UserError with a batch that fits. That batch is found by trials, for which the memory of
    `trainer` is freed: it cannot be used afterwards. `begun` is the folder of a run whose batch can no longer change, or None.
    Raises the RuntimeError of the step where no smaller batch can be trained either and the cause may be another one.
    """
    try:
        return trainer.step()
    except (MemoryError, RuntimeError) as error:
        if not may_be_exhausted(error):
            raise
        otherwise = "" if is_exhausted(error) else str(error)
    # Outside of the handler, because the error keeps all tensors of the step in memory.
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
    """The largest of 1/2, 1/4, … of this process's part of the batch that can be trained; 0 when not even 1 can.

    The networks of `trainer` are freed to make room: it cannot be used afterwards.
    """
    model, config, photos, device = trainer.model, trainer.config, trainer.photos, trainer.device
    batch = config.batch // trainer.processes.size // 2
    vars(trainer).clear()
    while batch:
        _free_memory(device)
        if _fits(model, replace(config, batch=batch, critic_warm_up=0, penalty_every=1), photos, device):
            break
        batch //= 2
    return batch


def _fits(model: ModelConfig, config: TrainConfig, photos: Photos, device: torch.device) -> bool:
    """Whether two steps of a new trainer fit into memory."""
    try:
        trainer = Trainer(model, config, photos, device)
        trainer.images_seen = config.images  # the largest side of its schedule
        for _ in range(2):  # Adam allocates its averages in the first one
            trainer.step()
    except (MemoryError, RuntimeError) as error:
        if may_be_exhausted(error):
            return False
        raise
    return True


def _free_memory(device: torch.device) -> None:
    """Give memory that is no longer used back to the device."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
