"""What a user asks a training for, from flags or from arguments. Nothing here needs torch: a wrong value is refused at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gan.errors import UserError
from gan.options import AUTO, RunOptions, TrainConfig, options_of


@dataclass(frozen=True)
class Request:
    """What a user asked for: photos, the options of the run, and those of TrainConfig that were given by hand."""

    photos: str
    options: RunOptions
    given: Mapping[str, Any]
    command: str = ""  # for the model card

    @classmethod
    def of(cls, photos: str | os.PathLike[str], values: Mapping[str, Any], command: str = "") -> Request:
        """Options by name → a request. A value of None, or "auto" for an option of TrainConfig, counts as not given.

        Raises UserError for a name that is no option, and for a value out of range.
        """
        about_run, about_training = ({item.name for item in options_of(part)} for part in (RunOptions, TrainConfig))
        if unknown := sorted(set(values) - about_run - about_training):
            raise UserError(f"there is no option '{unknown[0]}'; docs/options.md lists them.")
        values = {name: _as_declared(value) for name, value in values.items() if value is not None}
        options = RunOptions(**{name: value for name, value in values.items() if name in about_run}).validate()
        given = {name: value for name, value in values.items() if name in about_training and value != AUTO}
        if options.epochs and "images" in given:
            raise UserError("--images and --epochs both say how long the training is; give one of them.")
        return cls(os.fspath(photos), options, given, command)


def _as_declared(value: Any) -> Any:
    """A list as the tuple that a frozen dataclass holds."""
    return tuple(value) if isinstance(value, list) else value
