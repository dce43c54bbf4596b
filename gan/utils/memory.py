"""How much memory there is, asked before something large is begun."""

from __future__ import annotations

import os

from gan.errors import UserError


def check_memory(need: int, what: str, do: str) -> None:
    """Raise UserError when `need` bytes for `what` ("2000 photos") are over half of what is available; `do` says what helps."""
    available = available_memory()
    if available is not None and need > available // 2:
        raise UserError(
            f"{what} need {need / 2**30:.1f} GiB of memory, and half of what is available is {available / 2**31:.1f} GiB; {do}."
        )


def available_memory() -> int | None:
    """Bytes of memory that can be used without swapping; None where the system does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:  # MemAvailable counts the file cache, sysconf does not
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None
