"""What a run is logged to beside its own folder: TensorBoard where it is installed, Weights & Biases where it was asked for.

logs/                                                      TensorBoard: scalars and pictures
wandb/  wandb-id                                           W&B: what it sends, or is to send, and the id of the run there
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from gan.errors import UserError
from gan.runs import history
from gan.utils.files import write_atomic

if TYPE_CHECKING:
    import numpy as np

LOGS = "logs"
WANDB_ID = "wandb-id"
WANDB_PROJECT = "this-flower-does-not-exist"  # where none is named
SECONDS = 60.0  # that W&B may take to begin, and at the end to send what is left


class Logger(Protocol):
    """Takes figures and pictures, each after so many images."""

    leaves_home: bool  # whether others may see what it is given

    def add_scalars(self, values: Mapping[str, float], images: int) -> None: ...

    def add_image(self, name: str, picture: np.ndarray, images: int) -> None:
        """`picture` is uint8 H×W×3."""

    def rewind(self, images: int) -> None:
        """Go on from `images`, after more of them."""

    def close(self) -> None: ...


class Loggers:
    """All boards of a run, as one that goes on from `images`."""

    def __init__(
        self, folder: Path, images: int, project: str | None, settings: Mapping[str, Any], say: Callable[[str], object]
    ) -> None:
        """With a `project` of Weights & Biases there too, under `settings`; what becomes of it is told to `say`."""
        self._all: list[Logger] = []
        try:
            self._all.append(TensorBoard(folder, images))
        except ImportError:  # an extra: training goes on without it
            pass
        if project:
            self._all.append(WeightsAndBiases(folder, project, settings, say))

    def add_scalars(self, values: Mapping[str, float], images: int) -> None:
        for board in self._all:
            board.add_scalars(values, images)

    def add_image(self, name: str, picture: np.ndarray, images: int, *, photos: bool = False) -> None:
        """A picture, or `photos`, which stay at home."""
        for board in self._all:
            if not (photos and board.leaves_home):
                board.add_image(name, picture, images)

    def rewind(self, images: int) -> None:
        for board in self._all:
            board.rewind(images)

    def close(self) -> None:
        for board in self._all:
            board.close()


# --------------------------------------------------------------------------------------------------------- TensorBoard


class TensorBoard:
    """A log that drops what an interrupted run had logged beyond `images`. Raises OSError when it cannot be written."""

    leaves_home = False

    def __init__(self, folder: Path, images: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._open = lambda images: SummaryWriter(str(folder / LOGS), purge_step=images or None)
        self._writer = self._open(images)

    def add_scalars(self, values: Mapping[str, float], images: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, images)

    def add_image(self, name: str, picture: np.ndarray, images: int) -> None:
        self._writer.add_image(name, picture, images, dataformats="HWC")

    def rewind(self, images: int) -> None:
        self.close()
        self._writer = self._open(images)

    def close(self) -> None:
        self._writer.close()


@contextmanager
def quiet_threads() -> Iterator[None]:
    """No traceback when TensorBoard's thread cannot write: the next call of its writer raises the same error here."""
    before = threading.excepthook
    threading.excepthook = lambda args: None if issubclass(args.exc_type, OSError) else before(args)
    try:
        yield
    finally:
        threading.excepthook = before


# --------------------------------------------------------------------------------------------------- Weights & Biases


_NAMES = {"kid": "KID"}  # of what has another one in the journal


class WeightsAndBiases:
    """A run there, under the id that is in the run folder. Whatever fails is said once, and harms nothing.

    It gets settings, figures and drawn pictures, and of the computer the versions of Python and of the operating system. Its
    steps only grow: figures of a stretch that is trained again are passed over there until the run is beyond them. Who
    presses Stop on its page interrupts the training, as Ctrl-C does.
    """

    leaves_home = True

    def __init__(self, folder: Path, project: str, settings: Mapping[str, Any], say: Callable[[str], object]) -> None:
        self._folder, self._say, self._run, self._teardown = folder, say, None, None
        self._attempt(lambda: self._begin(project, dict(settings)))

    def _begin(self, project: str, settings: dict[str, Any]) -> None:
        wandb, asked = _wandb()
        self._teardown = wandb.teardown
        if asked.mode == "disabled":
            return
        offline = _is_offline(asked)
        run = wandb.init(
            project=project, id=_id(self._folder), name=self._folder.resolve().name, dir=str(self._folder), config=settings,
            resume=None if offline else "allow", reinit="create_new", settings=_silent(wandb),
        )  # fmt: skip
        # What a killed process had not passed on is made up for; W&B passes over what it has. Of parts that were logged
        # offline the last one is enough so, where `wandb sync` puts one in the place of the other.
        for row in history.read(self._folder):
            values = {_NAMES.get(name, name): value for name, value in row.items() if name not in ("images", "seconds")}
            run.log(values, step=row["images"])
        self._image, self._run = wandb.Image, run
        self._say(
            f"Weights & Biases: nothing is sent; `wandb sync {run.settings.sync_dir}` would do so later"
            if offline
            else f"Weights & Biases: figures and drawn pictures go to {run.url}"
        )

    def add_scalars(self, values: Mapping[str, float], images: int) -> None:
        self._log(lambda: dict(values), images)

    def add_image(self, name: str, picture: np.ndarray, images: int) -> None:
        self._log(lambda: {name: self._image(picture, file_type="png")}, images)

    def _log(self, values: Callable[[], dict[str, Any]], images: int) -> None:
        if self._run:
            self._attempt(lambda: self._run.log(values(), step=images))

    def rewind(self, images: int) -> None:
        """Nothing to be done: what was logged there stays."""

    def close(self) -> None:
        if not self._teardown:
            return
        end = threading.Thread(target=self._end, daemon=True)  # whose own time limit holds only as long as its service answers
        end.start()
        end.join(1.5 * SECONDS)
        if end.is_alive():
            self._say("Weights & Biases does not end: it is left to itself")

    def _end(self) -> None:
        if self._run:
            self._attempt(self._run.finish)
        self._run = None
        with suppress(Exception):  # it has been said; at the end of the process it would be a traceback
            if self._teardown:
                self._teardown()

    def _attempt(self, act: Callable[[], object]) -> None:
        try:
            act()
        except Exception as error:  # whatever it is: it must not cost the training
            self._run = None
            self._say(f"Weights & Biases failed ({_reason(error)}): no more is logged there, and nothing else is touched")


def check_wandb(project: str) -> None:
    """Raise UserError where W&B cannot be used: it is not installed, or nobody is logged in. Nothing is sent to find out."""
    try:
        wandb, asked = _wandb()
        wandb.Settings(project=project)
        _silent(wandb)
    except ImportError as error:
        raise UserError(
            f"--wandb wants the package wandb, which cannot be imported ({_reason(error)}); pip install wandb, or leave it out."
        ) from None
    except Exception as error:  # of its own kinds, before it is known what they are
        raise UserError(f"--wandb cannot be used: {_reason(error)}; mend that, or leave it out.") from None
    if asked.mode != "disabled" and not _is_offline(asked) and not _logged_in(asked):
        raise UserError(
            "--wandb: nobody is logged in to Weights & Biases here; run `wandb login`, set WANDB_API_KEY, or set "
            "WANDB_MODE=offline, with which nothing is sent."
        )


def _wandb() -> tuple[Any, Any]:
    """The package, and its settings as environment and files give them."""
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # else its crash reports go to its makers
    import wandb
    from wandb.sdk import wandb_setup

    return wandb, wandb_setup.singleton().settings  # wandb.setup() would start its service


def _is_offline(asked: Any) -> bool:
    return asked.mode in ("offline", "dryrun")


def _logged_in(asked: Any) -> bool:
    from requests.utils import get_netrc_auth  # which wandb needs, too

    return bool(asked.api_key or asked.identity_token_file or get_netrc_auth(asked.base_url))


def _silent(wandb: Any) -> Any:
    """Settings under which it prints nothing, takes no longer than SECONDS, and sends only what it is given."""
    return wandb.Settings(
        console="off", silent=True, init_timeout=SECONDS, finish_timeout=SECONDS, finish_timeout_raises=True,
        host="", program="train.py", disable_git=True, disable_code=True, save_code=False, label_disable=True,
        x_save_requirements=False, x_disable_meta=True, x_disable_stats=True, x_disable_machine_info=True,
    )  # fmt: skip


def _id(folder: Path) -> str:
    """The id in a run folder; a new one is written there first."""
    path = folder / WANDB_ID
    if not path.exists():
        write_atomic(path, secrets.token_hex(4).encode())
    return path.read_text(encoding="ascii").strip()


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
