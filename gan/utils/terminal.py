"""What is printed for people: no line of it may end a program, whatever the terminal, pipe or log at the other end can take."""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from gan.utils.files import WINDOWS


class _Patient:
    """A stream whose writes cannot fail: what it cannot take is lost."""

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
def unbreakable() -> Iterator[None]:
    """Within the block nothing that is printed raises; letters that an encoding lacks are written as `\\u0445`.

    Streams that are not there at all (closed by who started the program) take everything and keep nothing.
    """
    before, errors = (sys.stdout, sys.stderr), []
    for stream in before:
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            errors.append((stream, stream.errors))
            stream.reconfigure(errors="backslashreplace")
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        sys.stdout, sys.stderr = (_Patient(stream or nowhere) for stream in before)
        try:
            yield
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            sys.stdout, sys.stderr = before
            for stream, was in errors:
                with suppress(OSError, ValueError):  # what it still held cannot be written
                    stream.reconfigure(errors=was)


def line(text: str = "") -> str:
    """`text` in place of what stands in the line of the terminal that errors go to; without a text, an empty line."""
    try:
        columns = os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):
        columns = 80
    return "\r" + text.ljust(columns - 1) + ("" if text else "\r")  # not by an escape: consoles of Windows may print that


def command(words: Sequence[str]) -> str:
    """A command as it can be pasted into the shell of this system."""
    return subprocess.list2cmdline(words) if WINDOWS else shlex.join(words)


def complain(text: str) -> None:
    """Say `text` in place of the progress that stands in its line."""
    print((line() if sys.stderr.isatty() else "") + text, file=sys.stderr)


def progress(name: str) -> Callable[[str, int, int], object]:
    """A function of a stage, what is done and what there is: one line on a terminal; elsewhere a line for each stage."""
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
