"""Printing for people: progress lines, errors, and output that never ends the program, whatever happens to the terminal."""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from gan.utils.files import WINDOWS, user_path
from gan.utils.progress import StageProgress


class _NeverFailing:
    """A stream whose writes never raise; text that cannot be written is lost."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except (OSError, ValueError):  # the reader of a pipe has gone, the terminal was closed, the disk is full
            return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def safe_output() -> Iterator[None]:
    """Within the block, printing never raises. Letters that the encoding lacks are written as `\\u0445`.

    Output to a stream that is closed, or that does not exist, is lost.
    """
    before, errors = (sys.stdout, sys.stderr), []
    for stream in before:
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            errors.append((stream, stream.errors))
            stream.reconfigure(errors="backslashreplace")
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        sys.stdout, sys.stderr = (_NeverFailing(stream or nowhere) for stream in before)
        try:
            yield
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            sys.stdout, sys.stderr = before
            for stream, was in errors:
                with suppress(OSError, ValueError):  # its buffer cannot be written
                    stream.reconfigure(errors=was)


def line(text: str = "") -> str:
    """Text that overwrites the current line of the terminal of stderr with `text`, or clears it for an empty `text`."""
    try:
        columns = os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):
        columns = 80
    return (
        "\r" + text.ljust(columns - 1) + ("" if text else "\r")
    )  # by spaces, as some Windows consoles would print an escape sequence


def command(words: Sequence[str]) -> str:
    """A command line, quoted for the shell of this system."""
    return subprocess.list2cmdline(words) if WINDOWS else shlex.join(words)


def published_command(words: Sequence[str]) -> str:
    """A command line as a card or a report shows it to others: of each path of this computer, the last name only.

    A word is such a path if it exists here, or leads out of the working folder.
    """

    def shown(word: str) -> str:
        flag, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
        return flag + equals + published_name(value)

    return shlex.join(map(shown, words))


def published_name(value: str) -> str:
    """The last name of a path of this computer, as `published_command` shows it; another text as it is."""
    path = user_path(value) if value.startswith(("~/", "~\\")) else Path(value)
    try:
        local = path.is_absolute() or value.startswith("..") or path.exists()
    except (OSError, ValueError):  # no path at all
        local = False
    return path.resolve().name or value if local and value else value


def complain(text: str) -> None:
    """Print `text` to stderr, over the progress line if there is one."""
    print((line() if sys.stderr.isatty() else "") + text, file=sys.stderr)


def progress(name: str) -> StageProgress:
    """A function `show(stage, done, total)`: one updated line on a terminal, elsewhere a line for each new stage."""
    last_stage, last_time = "", 0.0

    def show(stage: str, done: int, total: int) -> None:
        nonlocal last_stage, last_time
        if sys.stderr.isatty():
            if time.monotonic() - last_time > 0.1 or done == total:
                last_time = time.monotonic()
                print(line(f"{name}: {stage} {done:,}/{total:,}"), end="", file=sys.stderr, flush=True)
                if done == total:
                    print(line(), end="", file=sys.stderr)
        elif stage != last_stage:
            print(f"{name}: {stage}", file=sys.stderr, flush=True)
        last_stage = stage

    return show
