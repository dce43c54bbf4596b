"""How long a training still takes: coarse and fine steps are counted apart, because a fine one takes longer."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable

from gan.trainer import Trainer

# How much longer an image of twice the side takes, until it is measured (flagship: 46 ms at 64×64, 114 ms at 128×128).
GROWTH = 2.5


class TimeLeft:
    """Measures the time of an image at each side of the schedule, and from that what is left of the run."""

    def __init__(self, trainer: Trainer, clock: Callable[[], float] = time.monotonic) -> None:
        self._trainer, self._clock = trainer, clock
        self._at = trainer.side, trainer.images_seen, clock()  # when the last step ended
        self._images: defaultdict[int, int] = defaultdict(int)
        self._seconds: defaultdict[int, float] = defaultdict(float)
        self._begun: set[int] = set()

    def add_step(self) -> None:
        """Count the step that has just ended. The first step of a side also prepares it, and is left out."""
        side, seen, started = self._at
        self._at = self._trainer.side, self._trainer.images_seen, self._clock()
        images = self._at[1] - seen  # below 0 where the run went back to a snapshot
        if side in self._begun and images > 0:
            self._images[side] += images
            self._seconds[side] += self._at[2] - started
        self._begun.add(side)

    def speed(self) -> float | None:
        """Images a second at the side that is trained now; None before one was measured."""
        side = self._trainer.side
        return self._images[side] / self._seconds[side] if self._seconds[side] else None

    def seconds(self) -> float | None:
        """The seconds that are left; None before the first measurement."""
        phases = self._trainer.phases()
        measured = {side: seconds / self._images[side] for side, seconds in self._seconds.items() if self._images[side]}
        if not measured:
            return None
        return sum((end - first) * _each(measured, side) for (first, end), side in zip(phases, self._sides(phases)))

    def _sides(self, phases: list[tuple[int, int]]) -> list[int]:
        schedule, last = self._trainer.schedule, self._trainer.model.resolution
        return [next((side for side, end in schedule if first < end), last) for first, _ in phases]


def _each(measured: dict[int, float], side: int) -> float:
    """Seconds of an image with `side` pixels a side: as measured, or from the nearest side that was."""
    nearest = min(measured, key=lambda known: abs(math.log2(known / side)))
    return measured[nearest] * GROWTH ** math.log2(side / nearest)
