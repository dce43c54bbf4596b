"""Training runs as processes of their own that may be killed at any moment, and what is left of them.

They are forked from a server that has imported everything, so that a run takes as long as its training.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FLAGS = (
    "--preset cwgan-gp-28 --width 4 --batch 4 --critic-steps 2 --device cpu --precision fp32 --threads 1 --evaluate-every 0"
).split()
_WRITES = ("fsync", "replace")  # the steps of an atomic write

_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(
    [
        "train",
        "gan.runs.training",
        "gan.data.image_folder",
        "gan.utils.lock",
        "torch._dynamo",
        "torch.utils.tensorboard",
        "tqdm",
    ]
)


class Victim:
    """`train.py` on `photos` into `out`, as a process."""

    def __init__(self, photos: Path, out: Path, *flags: str, log: Path, fatal: int = 0, before: Callable | None = None):
        """It kills itself before write operation number `fatal` (from 1; 0: never); `before` is called in it first."""
        argv = [str(photos), *FLAGS, "--out", str(out), *flags]
        self.log = log
        self.process = _server.Process(target=_run, args=(argv, log, fatal, before))
        self.process.start()

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


def _run(argv: list[str], log: Path, fatal: int, before: Callable | None) -> None:
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
    counted = [0]
    for name in _WRITES:
        setattr(os, name, _counting(getattr(os, name), counted, fatal))
    if before:
        before()
    import train

    code = train.main(argv)
    log.with_suffix(".writes").write_text(str(counted[0]))
    sys.exit(code)


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
