"""The command line of train.py: flags, help and exit codes. training.py does the work."""

from __future__ import annotations

import argparse
import os
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
from gan.utils.terminal import published_command, safe_output

_DESCRIPTION = "Train a GAN on your photos and write a model folder."
_PHOTOS = "folder with a sub-folder of photos for each class, a .zip of one, or hf://datasets/owner/name[/folder]"
_EPILOG = (
    "presets: " + "; ".join(f"{name} ({preset.stage})" for name, preset in PRESETS.items()) + ". Several GPUs or computers: "
    "torchrun --nproc-per-node N train.py PHOTOS … (docs/devices.md). Every option on one page: docs/options.md."
)


def build_parser() -> argparse.ArgumentParser:
    """The argument parser, made from the declarations in options.py."""
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
    """The options of one group (a key of options.GROUPS)."""
    return (item for part in (RunOptions, TrainConfig) for item in options_of(part) if item.metadata["group"] == group)


def _argument(item: Field[Any]) -> dict[str, Any]:
    """The arguments of `add_argument` for one option. The default None means "not given": a resumed run keeps its value."""
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
    """The help of an option with its choices and its default, also of presets whose default differs."""
    about = item.metadata
    choices = f": {', '.join(about['choices'])}" if about["choices"] else ""
    default = default_of(item)
    return about["help"] + choices + (f" (default {default})" if default else "")


def default_of(item: Field[Any]) -> str:
    """The default as text, for example "64; flagship: 32". Empty for an option that has no effect unless it is given."""
    usual = item.default
    if not in_training(item):
        return "" if isinstance(usual, bool) else _default_text(item, usual)
    assert usual is not MISSING
    others = {name: preset.training.get(item.name, usual) for name, preset in PRESETS.items()}
    own = [f"{name}: {_default_text(item, value)}" for name, value in others.items() if value != usual]
    return "; ".join([_default_text(item, usual), *own])


def in_training(item: Field[Any]) -> bool:
    """Whether an option belongs to TrainConfig, for which presets may have other defaults."""
    return item.name in TrainConfig.__dataclass_fields__


def _default_text(item: Field[Any], value: Any) -> str:
    """A default value as the help shows it."""
    if value == item.default and (item.metadata["shown"] or value in (None, "", ())):
        return item.metadata["shown"]
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return " ".join(value)
    return f"{value:g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def parse(argv: list[str] | None = None) -> Request:
    """Read the command line (None: sys.argv). Raises UserError for bad values; argparse exits with 2 for unknown flags."""
    words = sys.argv[1:] if argv is None else argv
    args = vars(build_parser().parse_args(words))
    return Request.of(args.pop("photos"), args, published_command(["python", "train.py", *_without_note(words)]))


def _without_note(words: list[str]) -> list[str]:
    """The words of a command without --note, because the model card shows the note itself."""
    pairs = zip(["", *words], words)
    return [word for before, word in pairs if "--note" not in (word, before) and not word.startswith("--note=")]


@safe_output()
def main(argv: list[str] | None = None) -> int:
    """Train and return the exit code: 0 finished, 2 an error that the user can correct, 128 + n after signal n (and saved)."""
    # Large memory pages for tensors, set before torch is imported: small ones doubled the time of a step in a virtual machine.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    try:
        request = parse(argv)  # before torch is imported, which takes a second
        from gan.runs.training import start

        outcome = start(request)
        return 0 if outcome.finished else 128 + outcome.signal
    except UserError as error:
        for file in error.skipped:
            print(f"skipped {file.path}: {file.reason}")
        return _print_error(str(error))
    except KeyboardInterrupt:  # outside of the training, which catches it and saves
        print("stopped", file=sys.stderr)
        return 130
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        return _print_error(f"{error.strerror or error}{where}; correct that, and try again.")
    except (MemoryError, RuntimeError) as error:  # not in a step, so a smaller batch would not help
        from gan.runs.batch_size import is_exhausted

        if not is_exhausted(error):
            raise
        return _print_error("there is not enough memory; use a smaller --resolution or --width, or fewer photos.")


def _print_error(sentence: str) -> int:
    """Print an error, with the process where there are several; returns the exit code 2."""
    number, size = os.environ.get("RANK", "0"), os.environ.get("WORLD_SIZE", "1")
    several = number.isdecimal() and size.isdecimal() and int(size) > 1
    speaker = f"process {int(number) + 1} of {size} on {socket.gethostname()}: " if several else ""
    print(f"error: {speaker}{sentence}", file=sys.stderr)
    return 2
