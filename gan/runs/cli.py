"""train.py's command line: flags, help and exit codes. What they ask for is done in training.py."""

from __future__ import annotations

import argparse
import os
import shlex
import socket
import sys
from collections.abc import Iterator
from dataclasses import MISSING, Field
from pathlib import Path
from typing import Any

from gan.errors import UserError
from gan.options import AUTO, GROUPS, RunOptions, TrainConfig, flag_of, kind_of, options_of
from gan.presets import PRESETS
from gan.runs.request import Request
from gan.utils.terminal import unbreakable

_DESCRIPTION = "Train a GAN on your photos and write a model folder."
_PHOTOS = "folder with a sub-folder of photos for each class, a .zip of one, or hf://datasets/owner/name[/folder]"
_EPILOG = (
    "presets: " + "; ".join(f"{name} ({preset.stage})" for name, preset in PRESETS.items()) + ". Several GPUs or computers: "
    "torchrun --nproc-per-node N train.py PHOTOS … (docs/devices.md). Every option on one page: docs/options.md."
)


def build_parser() -> argparse.ArgumentParser:
    """The parser, made from the declarations in options.py."""
    parser = argparse.ArgumentParser(
        prog="train.py", usage="python train.py PHOTOS [options]", description=_DESCRIPTION, epilog=_EPILOG, allow_abbrev=False
    )
    parser.add_argument("photos", metavar="PHOTOS", help=_PHOTOS)
    for name, note in GROUPS.items():
        group = parser.add_argument_group(f"{name} options", note or None)
        for item in options_in(name):
            group.add_argument(flag_of(item), **_argument(item))
    return parser


def options_in(group: str) -> Iterator[Field[Any]]:
    """The options below one heading."""
    return (item for part in (RunOptions, TrainConfig) for item in options_of(part) if item.metadata["group"] == group)


def _argument(item: Field[Any]) -> dict[str, Any]:
    """What argparse is told of one option. None stands for what is not given: a run that goes on keeps it as it is."""
    about, kind = item.metadata, kind_of(item)
    argument: dict[str, Any] = {"dest": item.name, "help": help_of(item).replace("%", "%%"), "default": None}
    if kind == "bool":
        switch = argparse.BooleanOptionalAction if in_training(item) else "store_true"
        return {**argument, "action": switch, **({} if in_training(item) else {"default": False})}
    argument["metavar"] = about["metavar"] or ("NAME" if kind == "str" else "N" if kind == "int" else "X")
    argument["type"] = {"int": int, "float": float, "Path": Path}.get(kind, str)
    if about["choices"]:
        argument["choices"] = (*about["choices"], AUTO) if item.name == "precision" else about["choices"]
    if str(item.type).startswith("tuple"):
        argument |= {"nargs": "+", "action": "extend"}
    if about["bare"] is not None:
        argument |= {"nargs": "?", "const": about["bare"]}
    return argument


def help_of(item: Field[Any]) -> str:
    """The help of an option with its choices and its default, that of each preset where they differ."""
    about = item.metadata
    choices = f": {', '.join(about['choices'])}" if about["choices"] and in_training(item) else ""
    default = default_of(item)
    return about["help"] + choices + (f" (default {default})" if default else "")


def default_of(item: Field[Any]) -> str:
    """The default that will be used: "64; flagship: 32". Empty for an option that does nothing where it is not given."""
    usual = item.default
    if not in_training(item):
        return "" if isinstance(usual, bool) else _said(item, usual)
    assert usual is not MISSING
    others = {name: preset.training.get(item.name, usual) for name, preset in PRESETS.items()}
    own = [f"{name}: {_said(item, value)}" for name, value in others.items() if value != usual]
    return "; ".join([_said(item, usual), *own])


def in_training(item: Field[Any]) -> bool:
    """Whether an option is one of TrainConfig, for which presets have defaults of their own."""
    return item.name in TrainConfig.__dataclass_fields__


def _said(item: Field[Any], value: Any) -> str:
    if value == item.default and (item.metadata["shown"] or value in (None, "", ())):
        return item.metadata["shown"]
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return " ".join(value)
    return f"{value:g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def parse(argv: list[str] | None = None) -> Request:
    """Read the command line. argparse itself exits with 2 and a sentence where it cannot; raises UserError for bad values."""
    words = sys.argv[1:] if argv is None else argv
    args = vars(build_parser().parse_args(words))
    return Request.of(args.pop("photos"), args, shlex.join(["python", "train.py", *_without_note(words)]))


def _without_note(words: list[str]) -> list[str]:
    """The words of a command without its note, which the card has beside the command."""
    pairs = zip(["", *words], words)
    return [word for before, word in pairs if "--note" not in (word, before) and not word.startswith("--note=")]


@unbreakable()
def main(argv: list[str] | None = None) -> int:
    """Train; the exit code: 0 finished, 2 something the user can mend, 128 and its number after a signal (and saved)."""
    # Large pages for tensors, set before torch is imported: on a virtual machine the small ones took half of a training step.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    try:
        request = parse(argv)  # before torch is imported, which takes over a second
        from gan.runs.training import start

        outcome = start(request)
        return 0 if outcome.finished else 128 + outcome.signal
    except UserError as error:
        for file in error.skipped:
            print(f"skipped {file.path}: {file.reason}")
        return _refuse(str(error))
    except KeyboardInterrupt:  # before or after the training itself, which catches it and saves
        print("stopped", file=sys.stderr)
        return 130
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        return _refuse(f"{error.strerror or error}{where}; see to that, and try again.")
    except (MemoryError, RuntimeError) as error:  # outside of a step, where a smaller batch is no help
        from gan.runs.batch_size import is_exhausted

        if not is_exhausted(error):
            raise
        return _refuse("there is not enough memory; use a smaller --resolution or --width, or fewer photos.")


def _refuse(sentence: str) -> int:
    """Say what the user can mend, and which of several processes says so; the exit code."""
    number, size = (int(os.environ.get(name, default)) for name, default in (("RANK", "0"), ("WORLD_SIZE", "1")))
    speaker = f"process {number + 1} of {size} on {socket.gethostname()}: " if size > 1 else ""
    print(f"error: {speaker}{sentence}", file=sys.stderr)
    return 2
