"""One trainer to a run folder: a lock that the system lets go of when its process ends, however that ends."""

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
HOLDER = ".trainer"  # who holds the lock, for a sentence; it stays behind, and only the lock itself counts
# Some network drives know no locks. Going on without one is what they are used to.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextmanager
def in_turn(path: Path) -> Iterator[None]:
    """Wait until no other process is in such a block with `path`, whose folder is made where it is missing. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = _acquire(path, -1)
    try:
        yield
    finally:
        lock.release()


def _acquire(path: Path, timeout: float) -> FileLock:
    """The lock, taken, or not where the file system knows none. Raises Timeout after so many seconds (−1: never), OSError."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=timeout)
    except NotImplementedError:
        pass
    except OSError as error:
        if isinstance(error, Timeout) or error.errno not in _NO_LOCKS:
            raise
    return lock


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Keep every other trainer out of `folder`, which is made where it is missing, until the block or the process ends.

    Raises UserError, which says which process it is, when another one is in there, and OSError when nothing can be written.
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
    """Raise UserError when another process trains in `folder` now: better than after all photos have been read."""
    if (folder / LOCK).exists():
        with hold(folder):
            pass


def _holder(folder: Path) -> str:
    try:
        return (folder / HOLDER).read_text(encoding="utf-8", errors="replace")[:200]
    except OSError:  # in the moment between its lock and its name
        return "another process"
