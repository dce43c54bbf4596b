"""Reading PyTorch files from others as data. Code in them is never run."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from gan.errors import UserError
from gan.utils.formatting import first_line


def load_pickle(path: Path) -> Any:
    """`torch.load` with `weights_only=True`, on the CPU: data only, no code. Raises UserError."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"there is no file {path}; check the path.") from None
    except pickle.UnpicklingError:
        raise UserError(f"{path} holds more than plain weights, or is damaged; it was not read: use another file.") from None
    except Exception as error:  # the unpickler raises many kinds of errors for damaged files
        raise UserError(f"{path} is not a whole file of weights ({first_line(error)}); download or write it again.") from None
