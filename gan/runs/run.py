"""A run folder: a model folder that also holds what its training needs and shows.

config.json  model.safetensors  README.md  samples.png     the model, to share
critic.safetensors                                         the critic of the same moment, for who trains on
snapshot.pt  snapshot-before.pt                            what resuming needs, and the one before it
reals.png                                                  photos as the critic sees them
grids/000012800.png                                        the same noise and classes through training (fig. 19), 60 at most
growth/000012800.webp                                      a few of these, small, for the model folder (sample_history.py)
logs/  wandb/  wandb-id                                    what it is logged to beside (loggers.py)
progress.jsonl  learning.html                              what was measured, and the page that shows it (dashboard.py)
.lock  .trainer                                            who trains here now (lock.py)
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan.config import ModelConfig
from gan.data.image_folder import Photos
from gan.errors import UserError
from gan.generator import Generator
from gan.hub import checkpoint, sample_history
from gan.hub.model_card import model_card
from gan.networks.layers import parameters
from gan.networks.projected_critic import SavedCritic
from gan.options import TrainConfig
from gan.runs import dashboard, loggers
from gan.runs.batch_size import step
from gan.runs.history import History
from gan.runs.loggers import Loggers
from gan.runs.transfer import begin_critic_as, begin_trainer_as
from gan.trainer import StepStats, Trainer
from gan.utils.device import describe
from gan.utils.distributed import ALONE, PeerLost, ProcessGroup
from gan.utils.files import sweep, write_atomic
from gan.utils.images import grid, png, to_uint8
from gan.utils.sharded_random import ShardedRandom

GRID_SIDE = 8
SNAPSHOT_SECONDS = 300  # a snapshot at least this often, however slow the steps are
LOG_STEPS = 10
ROLLBACKS = 3  # a run that diverges more often is set up wrongly


class Diverged(UserError):
    """A loss or a weight stopped being a number, and half the learning rate did not help; the last good snapshot is there."""


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
        processes: ProcessGroup = ALONE,
        judge: Callable[[Trainer], float] | None = None,
        wandb: str | None = None,
        say: Callable[[str], object] = print,
    ) -> None:
        """`about` goes into the card beside the configuration (`command`, `notes`, `photos`); `half` stores it in float16.
        With a `judge` (validator.py) the model is kept as it was when its KID was lowest, without as it is at the end.
        `wandb` is a project of Weights & Biases that it is logged to as well. `say` is given a sentence when something
        happens that nobody asked for. Nothing is written before `train`, which is for one trainer at a time (lock.py). That may
        be several processes, `processes`: the first of them judges and writes, the others need no folder; all call the same.
        """
        self.folder, self.about, self.half, self.judge, self.say = folder, about or {}, half, judge, say
        self.processes, self.wandb = processes, wandb
        self.trainer = Trainer(model, train, photos, device, processes)
        self.seconds = 0.0
        self.best: dict[
            str, Any
        ] = {}  # kid, images (and held_out: validator.py) of the model in the folder, once it was judged
        self.begun_from: dict[str, Any] = {}  # name, images and hours of the model it began as
        self.rollbacks: list[dict[str, Any]] = []  # each time it diverged: after which images, back to which, at which rate
        self.saved: int | None = None  # images of the last snapshot
        self.boards: Loggers | None = None
        self.journal: History | None = None
        self._slope = 0.0  # the critic's, at the last step that measured it
        self._show_from = 0.0  # images from which on the next grid is shown on the boards
        side = GRID_SIDE
        self.seeds = range(side * side)
        self.labels = torch.arange(side * side) % len(model.classes)

    # ---------------------------------------------------------------------------------------------------- start and end

    def resume(self, *, mend: bool = False) -> bool:
        """Continue from the folder's last good snapshot, if it has one and anything was trained.

        With `mend` it takes the place of a damaged one; otherwise nothing is written. Raises UserError when it is of another
        run, or when there is none that is whole.
        """
        state = self.processes.broadcast_from_rank0(lambda: checkpoint.load_snapshot(self.folder, self.say, mend=mend))
        if state is None or not state["images_seen"]:  # what it was before the first step, any start is
            return False
        self._load(state)
        return True

    def _load(self, state: dict[str, Any]) -> None:
        try:
            self.trainer.load_state(state)
        except UserError as error:
            raise UserError(f"{self.folder}: {error}") from None
        self.seconds, self.begun_from = float(state.get("seconds", 0)), dict(state.get("begun_from", {}))
        # Without a judge nothing is better than the last moment.
        self.best = dict(state.get("best", {})) if self.judge else {}
        if self.best and hasattr(self.judge, "go_on"):  # one figure cannot be compared with another of other photos
            self.judge.go_on(bool(self.best.get("held_out")))
        self.rollbacks, self.saved = list(state.get("rollbacks", [])), self.trainer.images_seen

    def init_from(self, name: str, other: Generator, critic: SavedCritic | None = None) -> int:
        """Begin with the weights of the model called `name`, as far as they fit; returns how many convolutions do.

        `critic` is the one it was trained against: it is taken up, too, where it is of the same build. Raises UserError when no
        convolution fits.
        """
        layers = begin_trainer_as(self.trainer, other)
        if not layers:
            raise UserError(f"no layer of '{name}' fits {self.trainer.model.preset}; begin with a model of the same family.")
        kept = ("images", "hours", "holdout", "seed")
        kept_critic = critic is not None and begin_critic_as(self.trainer, critic)
        self.begun_from = {"name": name, "critic": kept_critic, **{key: other.config.trained.get(key) for key in kept}}
        return layers

    def train(
        self, every: int, show: Callable[[int, StepStats], None], stopped: Callable[[], bool], judge_every: int = 0
    ) -> bool:  # fmt: skip
        """Train until `images` have been seen; True when finished, False when `stopped()` said so after a step.

        `show(images_seen, stats)` is called after each step; grid, model and snapshot are written each `every` images and
        at the end. The judge is asked each `judge_every` images (0: never), and at the end of a run in which it was asked
        before. A value that is not finite takes the run back to its last snapshot, with half the learning rate.
        Raises Diverged when that happens more than ROLLBACKS times, UserError when nothing more can be written, or when
        another process of the same training has ended.
        """
        with loggers.quiet_threads():
            try:
                return self._train(every, show, stopped, judge_every if self.judge else 0)
            except OSError as error:
                raise UserError(self._sentence(error.strerror or str(error), "see to that")) from None
            except PeerLost as error:
                raise UserError(self._sentence(str(error), "see what it said")) from None
            finally:
                if self.boards:
                    with suppress(OSError):  # it has been said
                        self.boards.close()

    def _train(
        self, every: int, show: Callable[[int, StepStats], None], stopped: Callable[[], bool], judge_every: int
    ) -> bool:  # fmt: skip
        if self.processes.size > 1 and not self.trainer.images_seen:  # else they have the same snapshot
            self._agree()
        if self.processes.first:
            self._open()
        before, started, saved = self.seconds, time.monotonic(), time.monotonic()
        halted = asked = False
        while self.trainer.images_seen < self.trainer.config.images and not halted:
            seen = self.trainer.images_seen
            stats = step(self.trainer, self.folder if self.saved else None)
            self.seconds = before + time.monotonic() - started
            due, asked = self._passed(every, seen), self._passed(judge_every, seen)
            late = time.monotonic() - saved > SNAPSHOT_SECONDS
            halted, saving = self.processes.any(stopped(), due or asked or late)
            ending = halted or self.trainer.images_seen >= self.trainer.config.images
            if not stats.finite or (saving or ending) and not self.trainer.finite():
                self._roll_back()
                halted = False
                continue
            show(self.trainer.images_seen, stats)
            if self.processes.first:
                self._log(stats)
                if saving:
                    self._save(with_grid=due, judged=asked)
            saved = time.monotonic() if saving else saved
        if self.processes.first:
            self._save(with_grid=True, judged=bool(self.best) and not halted and not asked)
            sample_history.keep(self.folder, self.best.get("images"))
        return not halted

    def _agree(self) -> None:
        """Begin in all processes as in the first. Raises UserError in one that has other settings or other photos."""
        state = self.processes.broadcast_from_rank0(self.trainer.state)
        if not self.processes.first:
            self.trainer.load_state(state)

    def _open(self) -> None:
        """Make the folder ready for what the run will write."""
        self.folder.mkdir(parents=True, exist_ok=True)
        sweep(self.folder)
        fresh = not self.trainer.images_seen
        if fresh:
            self._clear()
        self.journal = History(self.folder, self.trainer.images_seen)
        self.boards = Loggers(self.folder, self.trainer.images_seen, self.wandb, self._settings(), self.say)
        if fresh:
            self._save_reals()
            self._save_grid(self._fixed_sheet())
            self._save_snapshot()  # a disk that is too small is found out now, and there is something to go back to

    def _passed(self, interval: int, seen: int) -> bool:
        """Whether the last step went past a multiple of `interval` images (0: never)."""
        return interval > 0 and self.trainer.images_seen // interval != seen // interval

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

    def _roll_back(self) -> None:
        """Go back to the last good snapshot with half the learning rate, and say so. Raises Diverged after ROLLBACKS times."""
        reached, seconds = self.trainer.images_seen, self.seconds
        what = f"the loss stopped being a number after {reached:,} images"
        self._load(self.processes.broadcast_from_rank0(lambda: self._last_good(what)))
        self.seconds = seconds  # what was lost took its time, too
        rate, critic_rate = self.trainer.halve_rates()
        back = self.trainer.images_seen
        self.rollbacks.append({"reached": reached, "back_to": back, "lr": rate, "critic_lr": critic_rate})
        if not self.processes.first:
            return
        self._save_snapshot(keep=False)  # the same moment once more, with its rates: a killed run does not diverge again
        rates = f"{rate:g}" if rate == critic_rate else f"{rate:g}, the critic's {critic_rate:g}"
        self.say(
            f"{what}: back to the snapshot at {back:,} images, with half the learning rate, {rates} "
            f"({len(self.rollbacks)} of at most {ROLLBACKS} times)"
        )
        self.boards.rewind(back)
        self.journal = History(self.folder, back)

    def _last_good(self, what: str) -> dict[str, Any]:
        """The last good snapshot, to go on from. Raises Diverged when that has been done ROLLBACKS times."""
        state = checkpoint.load_snapshot(self.folder, self.say, mend=True)
        if state is None or len(state.get("rollbacks", [])) >= ROLLBACKS:
            begin = f"--from {self.folder}, " if (self.folder / checkpoint.WEIGHTS).exists() else ""
            raise Diverged(
                f"{what}, and did so with half the learning rate, too, {ROLLBACKS} times over; the last good snapshot stays in "
                f"{self.folder}: begin a new run with {begin}another --out, and a lower --lr, a larger --batch or "
                "--precision fp32."
            )
        return state

    def _sentence(self, what: str, do: str) -> str:
        """What ended the run, what is kept of it, and what to do."""
        kept = "nothing was trained" if self.saved is None else f"the last snapshot, at {self.saved:,} images, is whole"
        kept = kept if self.processes.first else "the last snapshot is whole"
        return f"{self.folder}: {what}; {kept}: {do}, then the same command continues."

    # ------------------------------------------------------------------------------------------------- what is written

    def _save(self, *, with_grid: bool, judged: bool) -> None:
        """Grid for fig. 19, model and snapshot, in this order: what is resumed has been shown."""
        sheet = self._fixed_sheet()
        if with_grid:
            self._save_grid(sheet)
        if self._is_best() if judged else not self.best:
            self._save_model(sheet)
        self._save_snapshot()
        self._save_page()

    def _settings(self) -> dict[str, Any]:
        """The model and how it is trained, as the page and the boards show it."""
        config = {**self.trainer.model.to_json(), **self.trainer.config.to_json()}
        return {name: value for name, value in config.items() if name not in ("trained", "scores")}

    def _save_page(self) -> None:
        """The page that shows the training as it goes."""
        config = {**self._settings(), "hardware": describe(self.trainer.device, self.processes.size)}
        settings = {name.replace("_", " "): str(value) for name, value in config.items()}
        found = dashboard.observe(self.trainer, self.judge, self.folder, self.folder.resolve().name, self.seconds, settings)
        write_atomic(self.folder / dashboard.FILE, dashboard.page(found).encode())

    def _save_snapshot(self, *, keep: bool = True) -> None:
        state = {
            **self.trainer.state(),
            "seconds": self.seconds,
            "begun_from": self.begun_from,
            "best": self.best,
            "rollbacks": self.rollbacks,
        }
        checkpoint.save_snapshot(self.folder, state, keep=keep)
        self.saved = self.trainer.images_seen

    def _is_best(self) -> bool:
        """Ask the judge; whether the model of this moment is the best one so far."""
        kid = self.judge(self.trainer)
        self.journal.add(self.trainer.images_seen, kid=kid)
        self.boards.add_scalars({"KID": kid}, self.trainer.images_seen)
        better = kid < self.best.get("kid", math.inf)
        if better:
            by = {"held_out": self.judge.held_out} if hasattr(self.judge, "held_out") else {}
            self.best = {"kid": kid, "images": self.trainer.images_seen, **by}
        return better

    def _save_model(self, sheet: np.ndarray) -> None:
        trainer, config = self.trainer, self.trainer.config
        trained = {
            **{name: value for name, value in config.to_json().items() if name != "images"},
            "images": trainer.images_seen,
            "sides": trainer.sides_trained(),
            "steps": trainer.generator_steps,
            "hours": round(self.seconds / 3600, 3),
            "hardware": describe(trainer.device, self.processes.size),
            "photos": trainer.photos.counts(),
            "photos_digest": trainer.photos.digest,
            "begun_from": self.begun_from,
            "chosen_by": self.best,
            **({"rollbacks": self.rollbacks} if self.rollbacks else {}),
            "stored": "half precision" if self.half else "single precision",
            **self.about,
        }
        described = replace(trainer.model, trained=trained)
        checkpoint.save_model(self.folder, trainer.averaged(), described, half=self.half)
        checkpoint.save_critic(self.folder, trainer.saved_critic())
        write_atomic(self.folder / checkpoint.CARD, model_card(described, parameters(trainer.ema)).encode())
        write_atomic(self.folder / checkpoint.SAMPLES, png(sheet))

    def _save_reals(self) -> None:
        """A grid of photos exactly as the critic gets them: augmented, at the training resolution."""
        pictures, _ = self.trainer.real_batch(0, len(self.seeds), ShardedRandom(self.trainer.config.seed))
        sheet = _sheet(pictures)
        write_atomic(self.folder / "reals.png", png(sheet))
        self.boards.add_image("reals", sheet, self.trainer.images_seen, photos=True)

    def _save_grid(self, sheet: np.ndarray) -> None:
        path = self.folder / "grids" / f"{self.trainer.images_seen:09d}.png"
        write_atomic(path, png(sheet))
        sample_history.thin(self.folder)
        # TensorBoard's files only grow: no more pictures there than grids here.
        if self.trainer.images_seen >= self._show_from:
            self.boards.add_image("fixed noise", sheet, self.trainer.images_seen)
            self._show_from = self.trainer.images_seen + self.trainer.config.images / sample_history.MOST_GRIDS

    def _fixed_sheet(self) -> np.ndarray:
        return _sheet(self.trainer.draw(self.seeds, self.labels))

    def _log(self, stats: StepStats) -> None:
        self._slope = stats.gradient_norm or self._slope
        if self.trainer.steps % LOG_STEPS:
            return
        measured = {**vars(stats), "gradient_norm": self._slope, **self.trainer.gradients()}
        kept = {name: value for name, value in measured.items() if not name.endswith("_score")}
        self.journal.add(self.trainer.images_seen, seconds=self.seconds, **kept)
        speed = self.trainer.images_seen / max(self.seconds, 1e-9)
        self.boards.add_scalars({**measured, "images per second": speed}, self.trainer.images_seen)


def _sheet(pictures: Tensor) -> np.ndarray:
    return grid(list(to_uint8(pictures)), GRID_SIDE)
