"""A run folder: a model folder that also holds what its training needs and shows.

config.json  model.safetensors  README.md  samples.png     the model, to share
snapshot.pt                                                what resuming needs
reals.png                                                  photos as the critic sees them
grids/000012800.png                                        the same noise and classes through training (fig. 19)
growth/000012800.webp                                      a few of these, small, for the model folder (growth.py)
logs/                                                      TensorBoard: scalars and pictures
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from . import checkpoint, growth
from .card import model_card
from .config import ModelConfig, TrainConfig
from .data import Photos
from .device import describe
from .errors import UserError
from .files import write_atomic
from .generator import Generator, to_uint8
from .render import grid, png
from .trainer import Stats, Trainer, parameters

GRID_SIDE = 8
SNAPSHOT_SECONDS = 300  # a snapshot at least this often, however slow the steps are


class Diverged(UserError):
    """A loss stopped being a number; the last good snapshot is untouched."""


class Run:
    """Drives a Trainer until a count of images, and keeps its folder."""

    def __init__(
        self,
        folder: Path,
        model: ModelConfig,
        train: TrainConfig,
        photos: Photos,
        device: torch.device,
        *,
        about: dict[str, Any] | None = None,
        half: bool = False,
        judge: Callable[[Trainer], float] | None = None,
    ) -> None:
        """`about` goes into the card beside the configuration (`command`, `notes`, `photos`); `half` stores it in float16.
        With a `judge` (judge.py) the model is kept as it was when its KID was lowest, without as it is at the end.
        Nothing is written before `train`.
        """
        self.folder, self.about, self.half, self.judge = folder, about or {}, half, judge
        self.trainer = Trainer(model, train, photos, device)
        self.seconds = 0.0
        self.best: dict[str, Any] = {}  # kid and images of the model in the folder, once the judge has been asked
        self.begun_from: dict[str, Any] = {}  # name, images and hours of the model it began as
        self.writer: Any = None
        side = GRID_SIDE
        self.seeds = range(side * side)
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
        self.seconds, self.begun_from = float(state.get("seconds", 0)), dict(state.get("begun_from", {}))
        # Without a judge nothing is better than the last moment.
        self.best = dict(state.get("best", {})) if self.judge else {}
        return True

    def begin_as(self, name: str, other: Generator) -> int:
        """Begin with the weights of the model called `name`, as far as they fit; returns how many convolutions do.

        Raises UserError when none does.
        """
        layers = self.trainer.begin_as(other)
        if not layers:
            raise UserError(f"no layer of '{name}' fits {self.trainer.model.preset}; begin with a model of the same family.")
        kept = ("images", "hours", "holdout", "seed")
        self.begun_from = {"name": name, **{key: other.config.trained.get(key) for key in kept}}
        return layers

    def train(
        self, every: int, show: Callable[[int, Stats], None], stopped: Callable[[], bool], judge_every: int = 0
    ) -> bool:  # fmt: skip
        """Train until `images` have been seen; True when finished, False when `stopped()` said so after a step.

        `show(images_seen, stats)` is called after each step; grid, model and snapshot are written each `every` images and
        at the end. The judge is asked each `judge_every` images (0: never), and at the end of a run in which it was asked
        before. Raises Diverged when a value is not finite, OSError when the disk is full.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.trainer.images_seen:
            self._clear()
        self.writer = _tensorboard(self.folder / "logs", self.trainer.images_seen)
        if not self.trainer.images_seen:
            self._save_reals()
            self._save_grid(self._fixed_sheet())
        before, started, saved = self.seconds, time.monotonic(), time.monotonic()
        halted = asked = False
        while self.trainer.images_seen < self.trainer.config.images and not halted:
            seen = self.trainer.images_seen
            stats = self.trainer.step()
            self.seconds = before + time.monotonic() - started
            if not stats.finite:
                raise self._divergence()
            show(self.trainer.images_seen, stats)
            self._log(stats)
            due, asked = (self._passed(interval, seen) for interval in (every, judge_every if self.judge else 0))
            if due or asked or time.monotonic() - saved > SNAPSHOT_SECONDS:
                self._save(with_grid=due, judged=asked)
                saved = time.monotonic()
            halted = stopped()
        self._save(with_grid=True, judged=bool(self.best) and not halted and not asked)
        growth.keep(self.folder)
        if self.writer:
            self.writer.close()
        return not halted

    def _passed(self, interval: int, seen: int) -> bool:
        """Whether the last step went past a multiple of `interval` images (0: never)."""
        return interval > 0 and self.trainer.images_seen // interval != seen // interval

    def _clear(self) -> None:
        """Remove what an earlier run left in the folder, or the next start would go on with it."""
        (self.folder / checkpoint.SNAPSHOT).unlink(missing_ok=True)
        for old in (
            *(self.folder / "grids").glob("*.png"),
            *(self.folder / growth.FOLDER).glob("*.webp"),
            *(self.folder / "logs").glob("events.out.tfevents.*"),
        ):
            old.unlink()

    def _divergence(self) -> Diverged:
        last = "the last good snapshot stays in" if (self.folder / checkpoint.SNAPSHOT).exists() else "nothing was saved in"
        return Diverged(
            f"the loss stopped being a number after {self.trainer.images_seen:,} images; {last} {self.folder}: "
            f"begin a new run with --from {self.folder}, another --out, and a lower --lr, a larger --batch or --precision fp32."
        )

    # ------------------------------------------------------------------------------------------------- what is written

    def _save(self, *, with_grid: bool, judged: bool) -> None:
        """Snapshot, grid for fig. 19, and model, unless a weight has stopped being a number since the last loss."""
        if not self.trainer.finite():
            raise self._divergence()
        sheet = self._fixed_sheet()
        if with_grid:
            self._save_grid(sheet)
        if self._is_best() if judged else not self.best:
            self._save_model(sheet)
        state = {**self.trainer.state(), "seconds": self.seconds, "begun_from": self.begun_from, "best": self.best}
        checkpoint.save_snapshot(self.folder, state)

    def _is_best(self) -> bool:
        """Ask the judge; whether the model of this moment is the best one so far."""
        kid = self.judge(self.trainer)
        if self.writer:
            self.writer.add_scalar("KID", kid, self.trainer.images_seen)
        better = kid < self.best.get("kid", math.inf)
        if better:
            self.best = {"kid": kid, "images": self.trainer.images_seen}
        return better

    def _save_model(self, sheet: np.ndarray) -> None:
        trainer, config = self.trainer, self.trainer.config
        trained = {
            **{name: value for name, value in config.to_json().items() if name != "images"},
            "images": trainer.images_seen,
            "steps": trainer.generator_steps,
            "hours": round(self.seconds / 3600, 3),
            "hardware": describe(trainer.device),
            "photos": trainer.photos.counts(),
            "photos_digest": trainer.photos.digest,
            "begun_from": self.begun_from,
            "chosen_by": self.best,
            "stored": "half precision" if self.half else "single precision",
            **self.about,
        }
        described = replace(trainer.model, trained=trained)
        checkpoint.save_model(self.folder, trainer.averaged(), described, half=self.half)
        write_atomic(self.folder / checkpoint.CARD, model_card(described, parameters(trainer.ema)).encode())
        write_atomic(self.folder / checkpoint.SAMPLES, png(sheet))

    def _save_reals(self) -> None:
        """A grid of photos exactly as the critic gets them: augmented, at the training resolution."""
        draws = torch.Generator().manual_seed(self.trainer.config.seed)
        pictures, _ = self.trainer.real_batch(0, len(self.seeds), draws)
        self._picture("reals", _sheet(pictures), self.folder / "reals.png")

    def _save_grid(self, sheet: np.ndarray) -> None:
        self._picture("fixed noise", sheet, self.folder / "grids" / f"{self.trainer.images_seen:09d}.png")

    def _fixed_sheet(self) -> np.ndarray:
        return _sheet(self.trainer.draw(self.seeds, self.labels))

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


def _tensorboard(folder: Path, images_seen: int) -> Any:
    """A writer that drops what an interrupted run had logged beyond `images_seen`; None without TensorBoard."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:  # an extra: training goes on without it
        return None
    return SummaryWriter(str(folder), purge_step=images_seen or None)


def _sheet(pictures: Tensor) -> np.ndarray:
    return grid(list(to_uint8(pictures)), GRID_SIDE)
