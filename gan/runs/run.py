"""A run: drives a trainer from start to end, saves, validates, and goes back when the loss diverges."""

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
from gan.runs.run_folder import RunFolder, stored
from gan.runs.transfer import init_critic_from, init_trainer_from
from gan.trainer import StepStats, Trainer
from gan.utils.distributed import ALONE, PeerLost, ProcessGroup
from gan.utils.terminal import published_name

SNAPSHOT_SECONDS = 300  # longest time between two snapshots
ROLLBACKS = 3  # how often a run may diverge and go back
_FIRST_KID = "KID-MobileNetV2"  # of the validations in snapshots that do not name their network
FIRST_GRIDS = (250, 500, 1000, 2000, 4000)  # images: the first grids come early, then one every `every` images


class Diverged(UserError):
    """A loss or a weight was not finite again after ROLLBACKS rollbacks. The last good snapshot remains."""


class Run:
    """Drives a Trainer until it has seen a number of images, and writes the run folder."""

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
        validator: Callable[[Trainer], float] | None = None,
        wandb: str | None = None,
        say: Callable[[str], object] = print,
    ) -> None:
        """`about` is added to the model card (`command`, `notes`, `photos`). `half` stores weights in float16.

        With a `validator` (validator.py) the model with the lowest KID is kept, else the last model. `wandb` is a project of
        Weights & Biases or None. `say` gets messages for the user. With several `processes`, each makes a Run and calls
        the same methods; the first one validates and writes.

        Nothing is written before `train`. Only one training at a time may use `folder` (lock.py).
        """
        self.folder, self.about, self.half, self.validator, self.say = folder, about or {}, half, validator, say
        self.processes, self.wandb = processes, wandb
        self.trainer = Trainer(model, train, photos, device, processes)
        self.seconds = 0.0
        self.best: dict[str, Any] = {}  # kid, images, held_out of the model in the folder; empty before a validation
        self.begun_from: dict[str, Any] = {}  # name, images, hours … of the model whose weights the run began with
        self.kid: float | None = None  # the last one that the validator measured
        self.rollbacks: list[dict[str, Any]] = []  # one entry for each time it diverged
        self.saved: int | None = None  # images seen at the last snapshot
        self._files: RunFolder | None = None  # in the first process, after the start of `train`

    # ---------------------------------------------------------------------------------------------------- start and end

    def resume(self, *, mend: bool = False) -> bool:
        """Continue from the last good snapshot in the folder. Returns False where there is none, or it is from before a step.

        With `mend`, the good snapshot replaces a damaged one; otherwise nothing is written. Raises UserError when the snapshot
        is of a run with other settings or photos, and when no snapshot is undamaged.
        """
        state = self.processes.broadcast_from_rank0(lambda: checkpoint.load_snapshot(self.folder, self.say, mend=mend))
        if state is None or not state["images_seen"]:  # nothing was trained yet
            return False
        self._load(state)
        return True

    def _load(self, state: dict[str, Any]) -> None:
        """Take over the state of a snapshot. Raises UserError."""
        try:
            self.trainer.load_state(state)
        except UserError as error:
            raise UserError(f"{self.folder}: {error}") from None
        self.seconds, self.begun_from = float(state.get("seconds", 0)), dict(state.get("begun_from", {}))
        # Without a validator the last model is kept, whatever was best before.
        self.best = dict(state.get("best", {})) if self.validator else {}
        # Runs from before there was a choice of the network were judged by MobileNetV2.
        if self.best and self._kid_name().get("kid_name", _FIRST_KID) != self.best.get("kid_name", _FIRST_KID):
            self.best = {}  # KIDs of two networks cannot be compared
        use_held_out = getattr(self.validator, "use_held_out", None)
        if self.best and use_held_out:  # KIDs to other photos cannot be compared
            use_held_out(bool(self.best.get("held_out")))
        self.rollbacks, self.saved = list(state.get("rollbacks", [])), self.trainer.images_seen

    def init_from(self, name: str, other: Generator, critic: SavedCritic | None = None) -> int:
        """Begin with the weights of `other`, a model called `name`, as far as they fit; returns how many convolutions fit.

        `critic` is that model's critic; it is used where it has the same layers. Raises UserError when no convolution fits.
        """
        layers = init_trainer_from(self.trainer, other)
        if not layers:
            model = self.trainer.model
            if other.config.preset == model.preset and other.config.classes != model.classes:
                raise UserError(
                    f"'{name}' draws {', '.join(other.config.classes)}, and {model.preset} cannot change its classes; name the "
                    "folders of the photos like these, or begin without --from."
                )
            raise UserError(f"no layer of '{name}' fits {model.preset}; begin with a model of a similar preset.")
        kept = ("images", "hours", "holdout", "seed")
        kept_critic = critic is not None and init_critic_from(self.trainer, critic)
        self.begun_from = {
            "name": published_name(name),
            "critic": kept_critic,
            **{key: other.config.trained.get(key) for key in kept},
        }
        return layers

    def train(
        self, every: int, show: Callable[[int, StepStats], None], stopped: Callable[[], bool], validate_every: int = 0
    ) -> bool:  # fmt: skip
        """Train until the planned images are seen. Returns True then, or False after a step at which `stopped()` was true.

        `show(images_seen, stats)` is called after each step. Grid, model and snapshot are written after FIRST_GRIDS, every
        `every` images and at the end. The validator is called every `validate_every` images (0: never), and at the
        end if it was called before.

        When a loss or a weight is not finite, the run goes back to its last snapshot with half the learning rate. Raises
        Diverged when that happens more than ROLLBACKS times; UserError when files cannot be written, or when another process
        of the training has ended.
        """
        with quiet_threads():
            try:
                return self._train(every, show, stopped, validate_every if self.validator else 0)
            except OSError as error:
                raise UserError(self._end_message(error.strerror or str(error), "correct that")) from None
            except PeerLost as error:
                raise UserError(self._end_message(str(error), "read its error message")) from None
            finally:
                if self._files:
                    with suppress(OSError):  # reported already
                        self._files.close()

    def _train(
        self, every: int, show: Callable[[int, StepStats], None], stopped: Callable[[], bool], validate_every: int
    ) -> bool:  # fmt: skip
        """As `train`, with the errors of the system."""
        if self.processes.size > 1 and not self.trainer.images_seen:  # else all have the same snapshot
            self._share_start()
        if self.processes.first:
            self._open_folder()
        begun = self.trainer.images_seen
        before, started, saved = self.seconds, time.monotonic(), time.monotonic()
        halted = asked = False
        while self.trainer.images_seen < self.trainer.config.images and not halted:
            seen = self.trainer.images_seen
            stats = step(self.trainer, self.folder if self.saved else None)
            self.seconds = before + time.monotonic() - started
            due, asked = self._grid_is_due(every, seen), self._passed_multiple(validate_every, seen)
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
            if self.trainer.images_seen > begun or not self._is_written():
                self._save(with_grid=True, judged=bool(self.best) and not halted and not asked)
            sample_history.keep(self.folder, self.best.get("images"))  # also where a run was killed after its last snapshot
        return not halted

    def _share_start(self) -> None:
        """Start all processes with the state of the first. Raises UserError in one with other settings or photos."""
        state = self.processes.broadcast_from_rank0(self.trainer.state)
        if not self.processes.first:
            self.trainer.load_state(state)

    @property
    def files(self) -> RunFolder:
        """The writer of the run folder: in the first process, after the start of `train`."""
        assert self._files is not None
        return self._files

    def _open_folder(self) -> None:
        """Prepare the folder, and write the first files of a new run."""
        self._files = RunFolder(self.folder, self.trainer, self.wandb, self.say)
        if not self.trainer.images_seen:
            self._files.save_reals()
            self._files.save_grid(self._files.draw_sheet())
            self._save_snapshot()  # finds a full disk now, and is there to go back to

    def _grid_is_due(self, every: int, seen: int) -> bool:
        """Whether the last step, which began at `seen` images, passed a multiple of `every`, or one of FIRST_GRIDS before."""
        early = any(seen < first <= self.trainer.images_seen for first in FIRST_GRIDS if first < every)
        return early or self._passed_multiple(every, seen)

    def _passed_multiple(self, interval: int, seen: int) -> bool:
        """Whether the last step, which began at `seen` images, passed a multiple of `interval` images (0: never)."""
        return interval > 0 and self.trainer.images_seen // interval != seen // interval

    def _roll_back(self) -> None:
        """Go back to the last good snapshot with half the learning rates. Raises Diverged after ROLLBACKS times."""
        reached, seconds = self.trainer.images_seen, self.seconds
        what = f"the loss stopped being a number after {reached:,} images"
        self._load(self.processes.broadcast_from_rank0(lambda: self._last_good(what)))
        self.seconds = seconds  # the lost steps took time as well
        rate, critic_rate = self.trainer.halve_rates()
        back = self.trainer.images_seen
        self.rollbacks.append({"reached": reached, "back_to": back, "lr": rate, "critic_lr": critic_rate})
        if not self.processes.first:
            return
        self._save_snapshot(keep=False)  # the same state with the new rates, in case the run is killed
        rates = f"{rate:g}" if rate == critic_rate else f"{rate:g}, the critic's {critic_rate:g}"
        self.say(
            f"{what}: back to the snapshot at {back:,} images, with half the learning rate, {rates} "
            f"({len(self.rollbacks)} of at most {ROLLBACKS} times)"
        )
        self.files.rewind()

    def _last_good(self, what: str) -> dict[str, Any]:
        """The last good snapshot. Raises Diverged when the run went back ROLLBACKS times before."""
        state = checkpoint.load_snapshot(self.folder, self.say, mend=True)
        if state is None or len(state.get("rollbacks", [])) >= ROLLBACKS:
            begin = f"--from {self.folder}, " if (self.folder / checkpoint.WEIGHTS).exists() else ""
            raise Diverged(
                f"{what}, after the learning rate was halved {ROLLBACKS} times; the last good snapshot stays in "
                f"{self.folder}: begin a new run with {begin}another --out, and a lower --lr, a larger --batch or "
                "--precision fp32."
            )
        return state

    def _end_message(self, what: str, do: str) -> str:
        """The error sentence of a run that cannot go on: the cause `what`, what is kept, and what to `do`."""
        kept = "nothing was trained" if self.saved is None else f"the last snapshot, at {self.saved:,} images, is whole"
        kept = kept if self.processes.first else "the last snapshot is whole"
        return f"{self.folder}: {what}; {kept}: {do}, then the same command continues."

    # ------------------------------------------------------------------------------------------------- what is written

    def _save(self, *, with_grid: bool, judged: bool) -> None:
        """Write grid, model, snapshot and page. The snapshot is last, so that a resumed run has the other files."""
        sheet = self.files.draw_sheet()
        if with_grid:
            self.files.save_grid(sheet)
        if self._is_best() if judged else not self.best:
            rollbacks = {"rollbacks": self.rollbacks} if self.rollbacks else {}
            about = {"begun_from": self.begun_from, "chosen_by": self.best, **rollbacks, **self.about}
            self.files.save_model(sheet, about, self.seconds, half=self.half)
        self._save_snapshot()
        self.files.save_page(self.validator, self.seconds)

    def _is_written(self) -> bool:
        """Whether the folder has a model as this run would write it: it may have scores, which are kept."""
        try:
            trained = checkpoint.read_config(self.folder).trained
        except UserError:
            return False
        return (self.folder / checkpoint.WEIGHTS).exists() and trained.get("stored") == stored(half=self.half)

    def _save_snapshot(self, *, keep: bool = True) -> None:
        """Write the state to resume from; `keep` keeps the last one as well."""
        progress = {"seconds": self.seconds, "begun_from": self.begun_from, "best": self.best, "rollbacks": self.rollbacks}
        self.files.save_snapshot(progress, keep=keep)
        self.saved = self.trainer.images_seen

    def _kid_name(self) -> dict[str, str]:
        """The name of the validator's KID, "KID-DINOv2" say; empty for a validator without a feature network."""
        network = getattr(self.validator, "network", None)
        return {"kid_name": network.kid_name} if network else {}

    def _is_best(self) -> bool:
        """Measure the KID and log it; whether it is the lowest so far."""
        assert self.validator is not None
        kid = self.validator(self.trainer)
        self.files.log_kid(kid, self._kid_name())
        self.kid = kid
        side = self.trainer.side
        other = side != self.best.get("side", self.trainer.model.resolution)  # KIDs of two sides do not compare
        better = other or kid < self.best.get("kid", math.inf)
        if better:
            at = {"side": side} if self.trainer.schedule else {}
            by = {"held_out": self.validator.held_out} if hasattr(self.validator, "held_out") else {}
            self.best = {"kid": kid, "images": self.trainer.images_seen, **at, **by, **self._kid_name()}
        return better
