"""What a user asks a training for, by flags or by arguments. It does not import torch, so a wrong value is refused quickly."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import Field, dataclass
from typing import Any

from gan.errors import UserError
from gan.options import AUTO, RunOptions, TrainConfig, kind_of, options_of
from gan.utils.files import user_path


@dataclass(frozen=True)
class Request:
    """What a user asked for: photos, the options of the run, and the options of TrainConfig that were given."""

    photos: str
    options: RunOptions
    given: Mapping[str, Any]
    command: str = ""  # the command line, for the model card

    @classmethod
    def of(cls, photos: str | os.PathLike[str], values: Mapping[str, Any], command: str = "") -> Request:
        """Options by name → a request. None counts as not given, and so does "auto" for an option of TrainConfig.

        Raises UserError for a name that is not an option and for a value out of range.
        """
        about_run, about_training = ({item.name: item for item in options_of(part)} for part in (RunOptions, TrainConfig))
        declared = {**about_run, **about_training}
        if unknown := sorted(set(values) - declared.keys()):
            raise UserError(f"there is no option '{unknown[0]}'; docs/options.md lists them.")
        values = {name: _as_declared(declared[name], value) for name, value in values.items() if value is not None}
        options = RunOptions(**{name: value for name, value in values.items() if name in about_run}).validate()
        given = {name: value for name, value in values.items() if name in about_training and value != AUTO}
        if options.epochs and "images" in given:
            raise UserError("--images and --epochs both say how long the training is; give one of them.")
        return cls(os.fspath(photos), options, given, command)


def _as_declared(item: Field[Any], value: Any) -> Any:
    """A value as options.py declares it: a path for its text and the other way round, a tuple for a list or for one text."""
    if kind_of(item) == "Path" and isinstance(value, (str, os.PathLike)):
        return user_path(value)
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if str(item.type).startswith("tuple"):
        return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value
    return value
