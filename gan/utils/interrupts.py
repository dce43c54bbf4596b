"""Ctrl-C, a polite kill and a closed terminal: what they ask for is done after the step in hand."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Of Windows: Ctrl-Break, and what a console that is closed sends. Of POSIX: a terminal that is closed.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


def signals() -> list[signal.Signals]:
    """The signals by which this system asks a program to end. Under `nohup` that of a closed terminal is not one of them."""
    known = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    return [number for number in known if number.name != "SIGHUP" or signal.getsignal(number) != signal.SIG_IGN]


@contextmanager
def caught() -> Iterator[list[int]]:
    """The signals that come within the block, as a list; none in a thread, where Python lets nobody catch them."""
    found: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield found
        return
    before = {number: signal.signal(number, lambda number, frame: found.append(number)) for number in signals()}
    try:
        yield found
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
