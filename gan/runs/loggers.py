"""Loggers of a run: TensorBoard where it is installed, Weights & Biases (W&B) where it is asked for, a notebook that runs it.

Files in the run folder:

logs/                                                      TensorBoard: scalars and pictures
wandb/  wandb-id                                           W&B: data that is sent or kept, and the id of the run there
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
from gan.runs.notebook import Notebook, in_notebook
from gan.utils.files import write_atomic

if TYPE_CHECKING:
    import numpy as np

LOGS = "logs"
WANDB_ID = "wandb-id"
WANDB_PROJECT = "this-flower-does-not-exist"  # the project where the user names none
TIMEOUT_SECONDS = 60.0  # limit for W&B to start, and at the end to send what is left


class Logger(Protocol):
    """Receives numbers and pictures. `images` is always the number of images that the critic has seen."""

    leaves_home: bool  # whether data is sent to another computer; photos never are

    def add_scalars(self, values: Mapping[str, float], images: int) -> None:
        """Log numbers by name."""

    def add_image(self, name: str, picture: np.ndarray, images: int) -> None:
        """Log a picture uint8 H×W×3."""

    def rewind(self, images: int) -> None:
        """Go back to `images`, after more had been logged."""

    def close(self) -> None:
        """Write or send what is left."""


class Loggers:
    """All loggers of a run as one."""

    def __init__(
        self, folder: Path, images: int, project: str | None, settings: Mapping[str, Any], say: Callable[[str], object]
    ) -> None:
        """Start at `images`. `project` is one of W&B or None, `settings` are shown there, `say` gets messages."""
        self._all: list[Logger] = []
        try:
            self._all.append(TensorBoard(folder, images))
        except ImportError:  # it is optional
            pass
        if in_notebook():
            self._all.append(Notebook())
        if project:
            self._all.append(WeightsAndBiases(folder, project, settings, say))

    def add_scalars(self, values: Mapping[str, float], images: int) -> None:
        """Log numbers by name, after `images` images."""
        for logger in self._all:
            logger.add_scalars(values, images)

    def add_image(self, name: str, picture: np.ndarray, images: int, *, photos: bool = False) -> None:
        """Log a picture uint8 H×W×3. One with `photos` stays on this computer."""
        for logger in self._all:
            if not (photos and logger.leaves_home):
                logger.add_image(name, picture, images)

    def rewind(self, images: int) -> None:
        """Go back to `images`, after more had been logged."""
        for logger in self._all:
            logger.rewind(images)

    def close(self) -> None:
        """Close all loggers. Raises OSError."""
        for logger in self._all:
            logger.close()


# --------------------------------------------------------------------------------------------------------- TensorBoard


class TensorBoard:
    """A log in TensorBoard's format. What an interrupted run logged beyond `images` is hidden. Methods raise OSError."""

    leaves_home = False

    def __init__(self, folder: Path, images: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._open = lambda images: SummaryWriter(str(folder / LOGS), purge_step=images + 1)
        self._writer = self._open(images)

    def add_scalars(self, values: Mapping[str, float], images: int) -> None:
        """Log numbers by name."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, images)

    def add_image(self, name: str, picture: np.ndarray, images: int) -> None:
        """Log a picture uint8 H×W×3."""
        self._writer.add_image(name, picture, images, dataformats="HWC")

    def rewind(self, images: int) -> None:
        """Go back to `images`: what was logged beyond is hidden."""
        self.close()
        self._writer = self._open(images)

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()


@contextmanager
def quiet_threads() -> Iterator[None]:
    """Hide an OSError of TensorBoard's thread: the next call of its writer raises the same error in this thread."""
    before = threading.excepthook
    threading.excepthook = lambda args: None if issubclass(args.exc_type, OSError) else before(args)
    try:
        yield
    finally:
        threading.excepthook = before


# --------------------------------------------------------------------------------------------------- Weights & Biases


_LOGGED_NAMES = {"kid": "KID"}  # name in history.py → name in the loggers
_NOT_LOGGED = ("images", "seconds", "kid_name")


class WeightsAndBiases:
    """A run on W&B, with the id from the run folder. An error is reported once and ends the logging, not the training.

    W&B gets the settings, numbers, generated pictures, and the versions of Python and the operating system. Its steps only
    grow: values of images that are trained again after a rollback are ignored there. Stop on its page interrupts the training,
    as Ctrl-C does.
    """

    leaves_home = True

    def __init__(self, folder: Path, project: str, settings: Mapping[str, Any], say: Callable[[str], object]) -> None:
        self._folder, self._say, self._run, self._teardown = folder, say, None, None
        self._try(lambda: self._begin(project, dict(settings)))

    def _begin(self, project: str, settings: dict[str, Any]) -> None:
        """Start or resume the run. Raises whatever wandb raises."""
        wandb, asked = _wandb()
        self._teardown = wandb.teardown
        if asked.mode == "disabled":
            return
        offline = _is_offline(asked)
        run = wandb.init(
            project=project, id=_run_id(self._folder), name=self._folder.resolve().name, dir=str(self._folder), config=settings,
            resume=None if offline else "allow", reinit="create_new", settings=_private_settings(wandb),
        )  # fmt: skip
        # Log everything again: a killed process may not have sent all of it, and W&B ignores what it has. So the last offline
        # part is complete, although `wandb sync` replaces one part by the next.
        for row in history.read(self._folder):
            values = {_LOGGED_NAMES.get(name, name): value for name, value in row.items() if name not in _NOT_LOGGED}
            run.log(values, step=row["images"])
        self._image, self._run = wandb.Image, run
        self._say(
            f"Weights & Biases: nothing is sent; `wandb sync {run.settings.sync_dir}` sends it later"
            if offline
            else f"Weights & Biases: numbers and generated pictures go to {run.url}"
        )

    def add_scalars(self, values: Mapping[str, float], images: int) -> None:
        """Log numbers by name."""
        self._log(lambda: dict(values), images)

    def add_image(self, name: str, picture: np.ndarray, images: int) -> None:
        """Log a picture uint8 H×W×3."""
        self._log(lambda: {name: self._image(picture, file_type="png")}, images)

    def _log(self, values: Callable[[], dict[str, Any]], images: int) -> None:
        if self._run:
            self._try(lambda: self._run.log(values(), step=images))

    def rewind(self, images: int) -> None:
        """Does nothing: W&B keeps what was logged."""

    def close(self) -> None:
        """Send what is left, for at most 1.5 × TIMEOUT_SECONDS."""
        if not self._teardown:
            return
        end = threading.Thread(target=self._end, daemon=True)  # W&B's own limit needs an answer of its service
        end.start()
        end.join(1.5 * TIMEOUT_SECONDS)
        if end.is_alive():
            self._say("Weights & Biases does not end; the training ends without it")

    def _end(self) -> None:
        if self._run:
            self._try(self._run.finish)
        self._run = None
        with suppress(Exception):  # an error was reported already; here it would be a traceback
            if self._teardown:
                self._teardown()

    def _try(self, act: Callable[[], object]) -> None:
        """Call `act`; an error is reported and ends the logging."""
        try:
            act()
        except Exception as error:  # no error of W&B may end the training
            self._run = None
            self._say(f"Weights & Biases failed ({_reason(error)}): no more is logged there; the training goes on")


def check_wandb(project: str) -> None:
    """Raise UserError where W&B is not installed, or nobody is logged in. Nothing is sent."""
    try:
        wandb, asked = _wandb()
        wandb.Settings(project=project)
        _private_settings(wandb)
    except ImportError as error:
        raise UserError(
            f"--wandb needs the package wandb, which cannot be imported ({_reason(error)}); pip install wandb, or leave it out."
        ) from None
    except Exception as error:  # wandb's own types of errors
        raise UserError(f"--wandb cannot be used: {_reason(error)}; correct that, or leave it out.") from None
    if asked.mode != "disabled" and not _is_offline(asked) and not _logged_in(asked):
        raise UserError(
            "--wandb: nobody is logged in to Weights & Biases here; run `wandb login`, set WANDB_API_KEY, or set "
            "WANDB_MODE=offline, with which nothing is sent."
        )


def _wandb() -> tuple[Any, Any]:
    """The package wandb, and its settings from the environment and from files. Raises ImportError."""
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # else crash reports would be sent
    import wandb
    from wandb.sdk import wandb_setup

    return wandb, wandb_setup.singleton().settings  # not wandb.setup(), which would start its service


def _is_offline(asked: Any) -> bool:
    """Whether these settings of wandb send nothing."""
    return asked.mode in ("offline", "dryrun")


def _logged_in(asked: Any) -> bool:
    """Whether there is an API key, in the settings, the environment or ~/.netrc."""
    from requests.utils import get_netrc_auth  # installed with wandb

    return bool(asked.api_key or asked.identity_token_file or get_netrc_auth(asked.base_url))


def _private_settings(wandb: Any) -> Any:
    """Settings with which wandb prints nothing, waits TIMEOUT_SECONDS at most, and sends only what is logged."""
    return wandb.Settings(
        console="off", silent=True, init_timeout=TIMEOUT_SECONDS, finish_timeout=TIMEOUT_SECONDS, finish_timeout_raises=True,
        host="", program="train.py", disable_git=True, disable_code=True, save_code=False, label_disable=True,
        x_save_requirements=False, x_disable_meta=True, x_disable_stats=True, x_disable_machine_info=True,
    )  # fmt: skip


def _run_id(folder: Path) -> str:
    """The id of the run in W&B, read from the run folder, or a new one that is written there."""
    path = folder / WANDB_ID
    if not path.exists():
        write_atomic(path, secrets.token_hex(4).encode())
    return path.read_text(encoding="ascii").strip()


def _reason(error: Exception) -> str:
    """An error's message in one line of at most 200 characters."""
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
