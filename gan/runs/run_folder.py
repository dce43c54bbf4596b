"""What a run writes into its folder on its way.

config.json  model.safetensors  README.md  samples.png     the model, to share
critic.safetensors                                         the critic of the same moment, for training on
snapshot.pt  snapshot-before.pt                            what resuming needs, and the one before it
training_options.json                                      the settings of the run, as they were used
reals.png                                                  photos as the critic sees them
grids/000012800.png                                        the same noise and classes through training (fig. 19), 60 at most
growth/000012800.webp                                      a few of these, small, for the model folder (sample_history.py)
logs/  wandb/  wandb-id                                    TensorBoard's and Weights & Biases' files (loggers.py)
progress.jsonl  learning.html                              what was measured, and the page that shows it (dashboard.py)
.lock  .trainer                                            who trains here now (lock.py)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan.hub import checkpoint, sample_history
from gan.hub.model_card import model_card
from gan.networks.layers import parameters
from gan.runs import dashboard, loggers
from gan.runs.history import History
from gan.runs.loggers import Loggers
from gan.trainer import StepStats, Trainer
from gan.utils.device import describe
from gan.utils.files import json_bytes, sweep, write_atomic
from gan.utils.images import grid, png, to_uint8
from gan.utils.sharded_random import ShardedRandom

GRID_SIDE = 8  # flowers along each side of a grid
LOG_STEPS = 10  # steps from one line of progress.jsonl to the next
OPTIONS = "training_options.json"


class RunFolder:
    """Writes the files of one run. Only the first of several processes has one."""

    def __init__(self, folder: Path, trainer: Trainer, wandb: str | None, say: Callable[[str], object]) -> None:
        """Make the folder ready. A run that begins anew removes what an earlier one left. Raises OSError."""
        self.folder, self.trainer = folder, trainer
        self.seeds = range(GRID_SIDE * GRID_SIDE)
        self.labels = torch.arange(len(self.seeds)) % len(trainer.model.classes)
        self._slope = 0.0  # the norm of the critic's gradient, at the last step that measured it
        self._show_from = 0.0  # images from which on the next grid goes to the loggers
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)
        if not trainer.images_seen:
            self._clear()
        write_atomic(folder / OPTIONS, json_bytes(self.settings()))
        self.history = History(folder, trainer.images_seen)
        self.loggers = Loggers(folder, trainer.images_seen, wandb, self.settings(), say)

    def _clear(self) -> None:
        """Remove what an earlier run left in the folder, or the next start would go on with it."""
        for old in (
            self.folder / checkpoint.BEFORE,
            self.folder / checkpoint.SNAPSHOT,
            self.folder / dashboard.FILE,
            self.folder / loggers.WANDB_ID,
            *(self.folder / "grids").glob("*.png"),
            *(self.folder / sample_history.FOLDER).glob("*.webp"),
            *(self.folder / loggers.LOGS).glob("events.out.tfevents.*"),
        ):
            old.unlink(missing_ok=True)

    def settings(self) -> dict[str, Any]:
        """The model and how it is trained, as the page and the loggers show it."""
        config = {**self.trainer.model.to_json(), **self.trainer.config.to_json()}
        return {name: value for name, value in config.items() if name not in ("trained", "scores")}

    def rewind(self) -> None:
        """Go on from the images of the trainer, after more of them had been logged."""
        self.loggers.rewind(self.trainer.images_seen)
        self.history = History(self.folder, self.trainer.images_seen)

    def close(self) -> None:
        """End the loggers. Raises OSError."""
        self.loggers.close()

    def draw_sheet(self) -> np.ndarray:
        """A grid of flowers from the same noise and classes each time, uint8 H×W×3."""
        return _sheet(self.trainer.draw(self.seeds, self.labels))

    def save_reals(self) -> None:
        """A grid of photos exactly as the critic gets them: augmented, at the training resolution."""
        pictures, _ = self.trainer.real_batch(0, len(self.seeds), ShardedRandom(self.trainer.config.seed))
        sheet = _sheet(pictures)
        write_atomic(self.folder / "reals.png", png(sheet))
        self.loggers.add_image("reals", sheet, self.trainer.images_seen, photos=True)

    def save_grid(self, sheet: np.ndarray) -> None:
        """Keep a grid for the growth of the model (fig. 19)."""
        path = self.folder / "grids" / f"{self.trainer.images_seen:09d}.png"
        write_atomic(path, png(sheet))
        sample_history.thin(self.folder)
        # TensorBoard's files only grow: no more pictures there than grids here.
        if self.trainer.images_seen >= self._show_from:
            self.loggers.add_image("fixed noise", sheet, self.trainer.images_seen)
            self._show_from = self.trainer.images_seen + self.trainer.config.images / sample_history.MOST_GRIDS

    def save_snapshot(self, progress: Mapping[str, Any], *, keep: bool = True) -> None:
        """Write all that resuming needs: the trainer's state, and the run's own `progress`."""
        checkpoint.save_snapshot(self.folder, {**self.trainer.state(), **progress}, keep=keep)

    def save_model(self, sheet: np.ndarray, about: Mapping[str, Any], seconds: float, *, half: bool) -> None:
        """Write the averaged generator and its critic, with a card. `about` joins what config.json says of the training."""
        trainer, config = self.trainer, self.trainer.config
        trained = {
            **{name: value for name, value in config.to_json().items() if name != "images"},
            "images": trainer.images_seen,
            "sides": trainer.sides_trained(),
            "steps": trainer.generator_steps,
            "hours": round(seconds / 3600, 3),
            "hardware": describe(trainer.device, trainer.processes.size),
            "photos": trainer.photos.counts(),
            "photos_digest": trainer.photos.digest,
            "stored": "half precision" if half else "single precision",
            **about,
        }
        described = replace(trainer.model, trained=trained)
        checkpoint.save_model(self.folder, trainer.averaged(), described, half=half)
        checkpoint.save_critic(self.folder, trainer.saved_critic())
        write_atomic(self.folder / checkpoint.CARD, model_card(described, parameters(trainer.ema)).encode())
        write_atomic(self.folder / checkpoint.SAMPLES, png(sheet))

    def save_page(self, judge: Any, seconds: float) -> None:
        """Write learning.html, which shows the training as it goes."""
        config = {**self.settings(), "hardware": describe(self.trainer.device, self.trainer.processes.size)}
        settings = {name.replace("_", " "): str(value) for name, value in config.items()}
        found = dashboard.observe(self.trainer, judge, self.folder, self.folder.resolve().name, seconds, settings)
        write_atomic(self.folder / dashboard.FILE, dashboard.page(found).encode())

    def log(self, stats: StepStats, seconds: float) -> None:
        """Log a step: every LOG_STEPS steps, what it measured."""
        self._slope = stats.gradient_norm or self._slope
        if self.trainer.steps % LOG_STEPS:
            return
        measured = {**vars(stats), "gradient_norm": self._slope, **self.trainer.gradients()}
        kept = {name: value for name, value in measured.items() if not name.endswith("_score")}
        self.history.add(self.trainer.images_seen, seconds=seconds, **kept)
        speed = self.trainer.images_seen / max(seconds, 1e-9)
        self.loggers.add_scalars({**measured, "images per second": speed}, self.trainer.images_seen)

    def log_kid(self, kid: float) -> None:
        """Log what the judge found."""
        self.history.add(self.trainer.images_seen, kid=kid)
        self.loggers.add_scalars({"KID": kid}, self.trainer.images_seen)


def _sheet(pictures: Tensor) -> np.ndarray:
    return grid(list(to_uint8(pictures)), GRID_SIDE)
