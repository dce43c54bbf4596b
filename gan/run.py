"""A run folder: a model folder that also holds what its training needs and shows.

config.json  model.safetensors  README.md  samples.png     the model, to share
snapshot.pt                                                what resuming needs
reals.png                                                  photos as the critic sees them
grids/000012800.png                                        the same noise and classes through training (fig. 19)
logs/                                                      TensorBoard: scalars and pictures
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from . import checkpoint, latent
from .card import model_card
from .config import ModelConfig, TrainConfig
from .data import Photos
from .device import describe
from .errors import UserError
from .files import write_atomic
from .generator import to_uint8
from .render import grid, png
from .trainer import Stats, Trainer, parameters

GRID_SIDE = 8
SNAPSHOT_SECONDS = 300  # a snapshot at least this often, however slow the steps are


class Diverged(UserError):
    """A loss stopped being a number; the last good snapshot is untouched."""


class Run:
    """Drives a Trainer until a count of images, and keeps its folder."""

    def __init__(
        self, folder: Path, model: ModelConfig, train: TrainConfig, photos: Photos, device: torch.device, about: dict[str, Any]
    ) -> None:
        """`about` goes into the card beside the configuration: `command` and `notes`."""
        self.folder, self.train_config, self.photos, self.about = folder, train, photos, about
        self.trainer = Trainer(model, train, photos, device)
        self.seconds = 0.0
        self.writer = _tensorboard(folder / "logs")
        side = GRID_SIDE
        self.noise = latent.noise(range(side * side), model.z_dim, latent.DEFAULT_TRUNCATION)
        self.labels = torch.arange(side * side) % len(model.classes)

    # ---------------------------------------------------------------------------------------------------- start and end

    def resume(self) -> bool:
        """Continue from the folder's snapshot, if it has one. Raises UserError when it is of another run or damaged."""
        state = checkpoint.load_snapshot(self.folder)
        if state is None:
            return False
        try:
            self.trainer.load_state(state)
        except UserError as error:
            raise UserError(f"{self.folder}: {error}") from None
        self.seconds = state["seconds"]
        return True

    def train(self, every: int, show: Callable[[int, Stats], None], stopped: Callable[[], bool]) -> bool:
        """Train until `images` have been seen; True when finished, False when `stopped()` said so after a step.

        `show(images_seen, stats)` is called after each step; grid, model and snapshot are written each `every` images and
        at the end. Raises Diverged when a value is not finite, OSError when the disk is full.
        """
        if not self.trainer.images_seen:
            for old in (self.folder / "grids").glob("*.png"):  # of a run that --resume never replaces
                old.unlink()
            self._save_reals()
            self._save_grid()
        before, started, saved = self.seconds, time.monotonic(), time.monotonic()
        halted = False
        while self.trainer.images_seen < self.train_config.images and not halted:
            mark = self.trainer.images_seen // every
            stats = self.trainer.step()
            self.seconds = before + time.monotonic() - started
            if not stats.finite:
                raise self._divergence()
            show(self.trainer.images_seen, stats)
            self._log(stats)
            due = self.trainer.images_seen // every != mark
            if due:
                self._save_grid()
            if due or time.monotonic() - saved > SNAPSHOT_SECONDS:
                self._save()
                saved = time.monotonic()
            halted = stopped()
        self._save_grid()
        self._save()
        if self.writer:
            self.writer.flush()
        return not halted

    def _divergence(self) -> Diverged:
        last = "the last good snapshot stays in" if (self.folder / checkpoint.SNAPSHOT).exists() else "nothing was saved in"
        return Diverged(
            f"the loss stopped being a number after {self.trainer.images_seen:,} images; {last} {self.folder}: "
            "start again from there or anew with a lower --lr, a larger --batch or --precision fp32."
        )

    # ------------------------------------------------------------------------------------------------- what is written

    def _save(self) -> None:
        """Model and snapshot, unless a weight has stopped being a number since the last loss."""
        if not self.trainer.finite():
            raise self._divergence()
        self._save_model()
        checkpoint.save_snapshot(self.folder, {**self.trainer.state(), "seconds": self.seconds})

    def _save_model(self) -> None:
        trainer, config = self.trainer, self.train_config
        trained = {
            **{name: value for name, value in config.to_json().items() if name != "images"},
            "images": trainer.images_seen,
            "steps": trainer.steps,
            "hours": round(self.seconds / 3600, 3),
            "hardware": describe(trainer.device),
            "photos": self.photos.counts(),
            **self.about,
        }
        described = replace(trainer.model, trained=trained)
        checkpoint.save_model(self.folder, trainer.ema, described)
        write_atomic(self.folder / checkpoint.CARD, model_card(described, parameters(trainer.ema)).encode())
        write_atomic(self.folder / checkpoint.SAMPLES, png(self._fixed_sheet()))

    def _save_reals(self) -> None:
        """A grid of photos exactly as the critic gets them: augmented, at the training resolution."""
        draws = torch.Generator().manual_seed(self.train_config.seed)
        pictures, _ = self.trainer.real_batch(0, len(self.noise), draws)
        self._picture("reals", _sheet(pictures), self.folder / "reals.png")

    def _save_grid(self) -> None:
        path = self.folder / "grids" / f"{self.trainer.images_seen:09d}.png"
        self._picture("fixed noise", self._fixed_sheet(), path)

    def _fixed_sheet(self) -> np.ndarray:
        return _sheet(self.trainer.draw(self.noise, self.labels))

    def _picture(self, name: str, picture: np.ndarray, path: Path) -> None:
        write_atomic(path, png(picture))
        if self.writer:
            self.writer.add_image(name, picture, self.trainer.images_seen, dataformats="HWC")

    def _log(self, stats: Stats) -> None:
        if self.writer and self.trainer.steps % 10 == 0:
            for name, value in vars(stats).items():
                self.writer.add_scalar(name, value, self.trainer.images_seen)
            self.writer.add_scalar(
                "images per second", self.trainer.images_seen / max(self.seconds, 1e-9), self.trainer.images_seen
            )


def _tensorboard(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:  # an extra: training goes on without it
        return None
    return SummaryWriter(str(folder))


def _sheet(pictures: Tensor) -> np.ndarray:
    return grid(list(to_uint8(pictures)), GRID_SIDE)
