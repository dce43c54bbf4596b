"""Training runs as processes of their own that may be killed at any moment, and what is left of them.

They are forked (forked.py), so that a run takes as long as its training.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forked

FLAGS = (
    "--preset cwgan-gp-28 --width 4 --batch 4 --critic-steps 2 --device cpu --precision fp32 --threads 1 --evaluate-every 0"
).split()
_WRITES = ("fsync", "replace")  # the steps of an atomic write


class Victim:
    """`train.py` on `photos` into `out`, as a process."""

    def __init__(self, photos: Path, out: Path, *flags: str, log: Path, fatal: int = 0, before: Callable | None = None):
        """It kills itself before write operation number `fatal` (from 1; 0: never); `before` is called in it first."""
        argv = ["train.py", str(photos), *FLAGS, "--out", str(out), *flags]
        self.log = log
        self.process = forked.begin(argv, log, before=functools.partial(_prepare, log, fatal, before))

    def kill(self) -> None:
        """`kill -9`."""
        self.process.kill()

    def wait(self, seconds: float = 60) -> int | None:
        """Its exit code once it has ended, negative after a signal; None when it has not after so many seconds."""
        self.process.join(seconds)
        return self.process.exitcode

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")


def _prepare(log: Path, fatal: int, before: Callable | None) -> None:
    counted = [0]
    for name in _WRITES:
        setattr(os, name, _counting(getattr(os, name), counted, fatal))
    atexit.register(lambda: log.with_suffix(".writes").write_text(str(counted[0])))
    if before:
        before()


def _counting(call: Callable, counted: list[int], fatal: int) -> Callable:
    def counts(*args: Any, **named: Any) -> Any:
        counted[0] += 1
        if counted[0] == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **named)

    return counts


def writes(victim: Victim) -> int:
    """How many write operations a run that ended by itself made."""
    return int(victim.log.with_suffix(".writes").read_text())


def kill_at(victim: Victim, seconds: float) -> bool:
    """Kill it after so many seconds; whether it was still alive."""
    time.sleep(seconds)
    alive = victim.process.is_alive()
    victim.kill()
    victim.wait()
    return alive


def differences(one: Path, other: Path) -> list[str]:
    """In what two run folders differ, of all that does not tell the time."""
    from test_trainer import same

    from gan.hub import checkpoint

    found = []
    states = [checkpoint.load_snapshot(folder) for folder in (one, other)]
    for state in states:
        state.pop("seconds")
    found += [f"snapshot: {key}" for key in states[0] if not same(states[0][key], states[1].get(key))]
    if states[0].keys() != states[1].keys():
        found.append("snapshot: keys")
    for pattern in ("model.safetensors", "*.png", "grids/*", "growth/*"):
        contents = [{path.name: path.read_bytes() for path in sorted(folder.glob(pattern))} for folder in (one, other)]
        if contents[0] != contents[1]:
            found.append(pattern)
    configs = [json.loads((folder / "config.json").read_text()) for folder in (one, other)]
    for config in configs:
        for key in ("hours", "command"):
            config["trained"].pop(key)
    if configs[0] != configs[1]:
        found.append("config.json")
    return found


def cut(path: Path, draws: random.Random) -> None:
    """End a file somewhere in its middle."""
    content = path.read_bytes()
    path.write_bytes(content[: draws.randrange(len(content))])


def flip(path: Path, draws: random.Random) -> None:
    """Turn one bit of a file."""
    content = bytearray(path.read_bytes())
    content[draws.randrange(len(content))] ^= 1 << draws.randrange(8)
    path.write_bytes(content)
