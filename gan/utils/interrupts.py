"""The signals that ask a program to end (Ctrl-C, kill, a closed terminal), caught so that the current step can finish."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# SIGHUP: a closed terminal (POSIX). SIGBREAK: Ctrl-Break or a closed console (Windows).
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


def signals() -> list[signal.Signals]:
    """The signals by which this system asks a program to end. SIGHUP is left out where it is ignored, as under `nohup`."""
    known = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    return [number for number in known if number.name != "SIGHUP" or signal.getsignal(number) != signal.SIG_IGN]


@contextmanager
def catch_signals() -> Iterator[list[int]]:
    """Collect the signals that arrive within the block in a list, instead of ending the program.

    Outside of the main thread Python does not allow it, and the list stays empty.
    """
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
