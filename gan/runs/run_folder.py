"""The files of a run folder, and the class that writes them.

config.json  model.safetensors  README.md  samples.png     the model, to share
critic.safetensors                                         the critic that belongs to the model, for further training
snapshot.pt  snapshot-before.pt                            the state to resume from, and the one before it
training_options.json                                      the settings of the run
reals.png                                                  photos as they are trained on: augmented, but for DiffAugment
grids/000012800.png                                        pictures of the same noise and classes (fig. 19); at most 60
growth/000012800.webp                                      a few of them, small, for the model folder (sample_history.py)
logs/  wandb/  wandb-id                                    TensorBoard's and Weights & Biases' files (loggers.py)
progress.jsonl  learning.html                              measurements (history.py), and a page of them (dashboard.py)
.lock  .trainer                                            the process that trains here now (lock.py)
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
from gan.hub.model_card import model_card, write_card
from gan.networks.layers import parameters
from gan.runs import dashboard, loggers
from gan.runs.history import History
from gan.runs.loggers import Loggers
from gan.trainer import StepStats, Trainer
from gan.utils.device import describe
from gan.utils.distributed import ShardedRandom
from gan.utils.files import json_bytes, remove_temporary_files, write_atomic
from gan.utils.images import grid, png, to_uint8
from gan.utils.terminal import published_name

GRID_SIDE = 8  # pictures along each side of a grid
LOG_STEPS = 10  # steps between two rows of progress.jsonl
OPTIONS = "training_options.json"


class RunFolder:
    """Writes the files of one run. Only the first of several processes has a RunFolder."""

    def __init__(self, folder: Path, trainer: Trainer, wandb: str | None, say: Callable[[str], object]) -> None:
        """Prepare the folder; a new run removes the files of an earlier one. Raises OSError.

        `wandb` is a project of Weights & Biases or None. `say` gets messages for the user.
        """
        self.folder, self.trainer, self._say = folder, trainer, say
        self.seeds = range(GRID_SIDE * GRID_SIDE)
        self.labels = torch.arange(len(self.seeds)) % len(trainer.model.classes)
        self._last_gradient_norm = 0.0  # of the critic, from the last step that measured it
        self._next_logged_grid = 0.0  # images after which the next grid goes to the loggers
        folder.mkdir(parents=True, exist_ok=True)
        remove_temporary_files(folder)
        if not trainer.images_seen:
            self._clear()
        write_atomic(folder / OPTIONS, json_bytes(self.settings()))
        self.history = History(folder, trainer.images_seen)
        self.loggers = Loggers(folder, trainer.images_seen, wandb, self.settings(), say)

    def _clear(self) -> None:
        """Remove the files of an earlier run that a later start would mix with this run."""
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
        """The settings of model and training, as the page and the loggers show them."""
        config = {**self.trainer.model.to_json(), **self.trainer.config.to_json()}
        config["start_from"] = published_name(config["start_from"])
        return {name: value for name, value in config.items() if name not in ("trained", "scores")}

    def rewind(self) -> None:
        """Drop what was logged beyond the images that the trainer has now seen. Raises OSError."""
        self.loggers.rewind(self.trainer.images_seen)
        self.history = History(self.folder, self.trainer.images_seen)

    def close(self) -> None:
        """Close the loggers. Raises OSError."""
        self.loggers.close()

    def draw_sheet(self) -> np.ndarray:
        """A grid of generated pictures, from the same noise and classes each time: uint8 H×W×3."""
        return _sheet(self.trainer.draw(self.seeds, self.labels))

    def save_reals(self) -> None:
        """Write a grid of photos as they are trained on: augmented, at the run's first side. Raises OSError."""
        pictures, _ = self.trainer.real_batch(0, len(self.seeds), ShardedRandom(self.trainer.config.seed))
        sheet = _sheet(pictures)
        write_atomic(self.folder / "reals.png", png(sheet))
        self.loggers.add_image("reals", sheet, self.trainer.images_seen, photos=True)

    def save_grid(self, sheet: np.ndarray) -> None:
        """Write a grid for the history of the model (fig. 19). Raises OSError."""
        path = self.folder / "grids" / f"{self.trainer.images_seen:09d}.png"
        write_atomic(path, png(sheet))
        sample_history.thin(self.folder)
        # No more pictures in TensorBoard's files, which only grow, than grids in the folder.
        if self.trainer.images_seen >= self._next_logged_grid:
            self.loggers.add_image("fixed noise", sheet, self.trainer.images_seen)
            self._next_logged_grid = self.trainer.images_seen + self.trainer.config.images / sample_history.MOST_GRIDS

    def save_snapshot(self, progress: Mapping[str, Any], *, keep: bool = True) -> None:
        """Write the state of trainer and run (`progress`) to resume from. `keep` keeps the last snapshot. Raises OSError."""
        checkpoint.save_snapshot(self.folder, {**self.trainer.state(), **progress}, keep=keep)

    def save_model(self, sheet: np.ndarray, about: Mapping[str, Any], seconds: float, *, half: bool) -> None:
        """Write the averaged generator, its critic and a model card. `about` is added to config.json. Raises OSError.

        A card by hand is kept (write_card).
        """
        trainer, config = self.trainer, self.trainer.config
        trained = {
            **{name: value for name, value in config.to_json().items() if name != "images"},
            "start_from": published_name(config.start_from),
            "images": trainer.images_seen,
            "sides": trainer.sides_trained(),
            **({"rate": round(trainer.rate, 3)} if config.lr_decay else {}),
            "steps": trainer.generator_steps,
            "hours": round(seconds / 3600, 3),
            "hardware": describe(trainer.device, trainer.processes.size),
            "photos": trainer.photos.counts(),
            "photos_digest": trainer.photos.digest,
            "stored": stored(half=half),
            **about,
        }
        described = replace(trainer.model, trained=trained)
        checkpoint.save_model(self.folder, trainer.averaged(), described, half=half)
        checkpoint.save_critic(self.folder, trainer.saved_critic())
        kept = write_card(self.folder, model_card(described, parameters(trainer.ema), self.folder.resolve().name))
        if kept:
            self._say(f"the card was written or changed by hand: it is now {kept}")
        write_atomic(self.folder / checkpoint.SAMPLES, png(sheet))

    def save_page(self, validator: Any, seconds: float) -> None:
        """Write learning.html, the page that shows the training. Raises OSError."""
        config = {**self.settings(), "hardware": describe(self.trainer.device, self.trainer.processes.size)}
        settings = {name.replace("_", " "): str(value) for name, value in config.items()}
        found = dashboard.collect(self.trainer, validator, self.folder, self.folder.resolve().name, seconds, settings)
        write_atomic(self.folder / dashboard.FILE, dashboard.page(found).encode())

    def log(self, stats: StepStats, seconds: float) -> None:
        """Log the measurements of a step, every LOG_STEPS steps. Raises OSError."""
        self._last_gradient_norm = stats.gradient_norm or self._last_gradient_norm
        if self.trainer.steps % LOG_STEPS:
            return
        measured = {**vars(stats), "gradient_norm": self._last_gradient_norm, **self.trainer.gradients()}
        kept = {name: value for name, value in measured.items() if not name.endswith("_score")}
        self.history.add(self.trainer.images_seen, seconds=seconds, **kept)
        speed = self.trainer.images_seen / max(seconds, 1e-9)
        self.loggers.add_scalars({**measured, "images per second": speed}, self.trainer.images_seen)

    def log_kid(self, kid: float, names: Mapping[str, str]) -> None:
        """Log the KID that the validator measured; `names` says by which network. Raises OSError."""
        self.history.add(self.trainer.images_seen, names, kid=kid)
        self.loggers.add_scalars({"KID": kid}, self.trainer.images_seen)


def stored(*, half: bool) -> str:
    """How the weights of a model are stored, in words, for its card."""
    return "half precision" if half else "single precision"


def _sheet(pictures: Tensor) -> np.ndarray:
    """Pictures N×3×S×S in [−1, 1] → a grid uint8 H×W×3."""
    return grid(list(to_uint8(pictures)), GRID_SIDE)
