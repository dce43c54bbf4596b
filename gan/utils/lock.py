"""Locks between processes: one trainer for each run folder. The system releases a lock when its process ends."""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from gan.errors import UserError
from gan.utils.files import write_atomic

LOCK = ".lock"
HOLDER = ".trainer"  # text about the process with the lock, for error sentences; it remains after the release
# Some network drives have no locks; there a run goes on without one.
_UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Run the block while no other process runs one with the same `path`; waits for that. Makes the folder. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = _acquire(path, -1)
    try:
        yield
    finally:
        lock.release()


def _acquire(path: Path, timeout: float) -> FileLock:
    """A lock that is held, or is not where the file system has no locks. Raises OSError, and Timeout after `timeout` seconds
    (−1: waits for ever).
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=timeout)
    except NotImplementedError:
        pass
    except OSError as error:
        if isinstance(error, Timeout) or error.errno not in _UNSUPPORTED:
            raise
    return lock


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Lock the run folder `folder`, which is made where it is missing, until the block or the process ends.

    Raises UserError, with the process that has the lock, when another one trains there; OSError when nothing can be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        lock = _acquire(folder / LOCK, 0)
    except Timeout:
        raise UserError(
            f"{_holder(folder)} is training in {folder}; wait until it has ended, stop it, or choose another --out."
        ) from None
    try:
        write_atomic(folder / HOLDER, f"process {os.getpid()} on {socket.gethostname()}, since {time.ctime()},".encode())
        yield
    finally:
        lock.release()


def check_free(folder: Path) -> None:
    """Raise UserError when another process trains in `folder` now. Called before the photos are read, which takes long."""
    if (folder / LOCK).exists():
        with hold(folder):
            pass


def _holder(folder: Path) -> str:
    """The process that has the lock, in words."""
    try:
        return (folder / HOLDER).read_text(encoding="utf-8", errors="replace")[:200]
    except OSError:  # it has the lock, but has not written its name yet
        return "another process"
