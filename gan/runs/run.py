"""A training from its start to its end: what is saved when, who judges, and what happens when a loss is no number."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from gan.config import ModelConfig
from gan.data.image_folder import Photos
from gan.errors import UserError
from gan.generator import Generator
from gan.hub import checkpoint, sample_history
from gan.networks.projected_critic import SavedCritic
from gan.options import TrainConfig
from gan.runs.batch_size import step
from gan.runs.loggers import quiet_threads
from gan.runs.run_folder import RunFolder
from gan.runs.transfer import begin_critic_as, begin_trainer_as
from gan.trainer import StepStats, Trainer
from gan.utils.distributed import ALONE, PeerLost, ProcessGroup

SNAPSHOT_SECONDS = 300  # a snapshot at least this often, however slow the steps are
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
        self.best: dict[str, Any] = {}  # kid, images (and held_out) of the model in the folder, once it was judged
        self.begun_from: dict[str, Any] = {}  # name, images and hours of the model it began as
        self.rollbacks: list[dict[str, Any]] = []  # each time it diverged: after which images, back to which, at which rate
        self.saved: int | None = None  # images of the last snapshot
        self._files: RunFolder | None = None  # once the training has begun, in the process that writes

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
        go_on = getattr(self.judge, "go_on", None)
        if self.best and go_on:  # one figure cannot be compared with another of other photos
            go_on(bool(self.best.get("held_out")))
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
        with quiet_threads():
            try:
                return self._train(every, show, stopped, judge_every if self.judge else 0)
            except OSError as error:
                raise UserError(self._sentence(error.strerror or str(error), "see to that")) from None
            except PeerLost as error:
                raise UserError(self._sentence(str(error), "see what it said")) from None
            finally:
                if self._files:
                    with suppress(OSError):  # it has been said
                        self._files.close()

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
                self.files.log(stats, self.seconds)
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

    @property
    def files(self) -> RunFolder:
        """The folder of the run, once the training has begun, in the process that writes."""
        assert self._files is not None
        return self._files

    def _open(self) -> None:
        """Make the folder ready for what the run will write."""
        self._files = RunFolder(self.folder, self.trainer, self.wandb, self.say)
        if not self.trainer.images_seen:
            self._files.save_reals()
            self._files.save_grid(self._files.draw_sheet())
            self._save_snapshot()  # a disk that is too small is found out now, and there is something to go back to

    def _passed(self, interval: int, seen: int) -> bool:
        """Whether the last step went past a multiple of `interval` images (0: never)."""
        return interval > 0 and self.trainer.images_seen // interval != seen // interval

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
        self.files.rewind()

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
        """Grid, model and snapshot, in this order: what is resumed has been shown."""
        sheet = self.files.draw_sheet()
        if with_grid:
            self.files.save_grid(sheet)
        if self._is_best() if judged else not self.best:
            rollbacks = {"rollbacks": self.rollbacks} if self.rollbacks else {}
            about = {"begun_from": self.begun_from, "chosen_by": self.best, **rollbacks, **self.about}
            self.files.save_model(sheet, about, self.seconds, half=self.half)
        self._save_snapshot()
        self.files.save_page(self.judge, self.seconds)

    def _save_snapshot(self, *, keep: bool = True) -> None:
        progress = {"seconds": self.seconds, "begun_from": self.begun_from, "best": self.best, "rollbacks": self.rollbacks}
        self.files.save_snapshot(progress, keep=keep)
        self.saved = self.trainer.images_seen

    def _is_best(self) -> bool:
        """Ask the judge; whether the model of this moment is the best one so far."""
        assert self.judge is not None
        kid = self.judge(self.trainer)
        self.files.log_kid(kid)
        better = kid < self.best.get("kid", math.inf)
        if better:
            by = {"held_out": self.judge.held_out} if hasattr(self.judge, "held_out") else {}
            self.best = {"kid": kid, "images": self.trainer.images_seen, **by}
        return better
