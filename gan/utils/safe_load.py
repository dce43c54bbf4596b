"""Reading PyTorch files of others as data: never a line of code in them is run."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from gan.errors import UserError


def load_pickle(path: Path) -> Any:
    """`torch.load` of a file that the user handed over, with `weights_only=True`: data only, no code. Raises UserError."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"there is no file {path}; check the path.") from None
    except pickle.UnpicklingError:
        raise UserError(f"{path} holds more than plain weights, or is damaged; it was not read: use another file.") from None
    except Exception as error:  # the unpickler raises nearly everything on damaged files
        raise UserError(f"{path} is not a whole file of weights ({first_line(error)}); fetch or write it again.") from None


def first_line(error: BaseException) -> str:
    """What a library says went wrong, as part of a sentence of ours."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160].rstrip(".")
