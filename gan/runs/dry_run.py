"""`--dry-run`: estimates the time of a training from a few steps of a temporary trainer."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from gan.networks.layers import parameters
from gan.runs import batch_size
from gan.runs.run import Run
from gan.trainer import Trainer
from gan.utils.formatting import clock

TIMED_STEPS, MOST_TIMED_STEPS = 4, 16


def print_estimate(run: Run) -> None:
    """Print how long the rest of the run would take, from a few timed steps at each remaining side of its schedule."""
    train = run.trainer.config
    trainer = Trainer(
        run.trainer.model, replace(train, critic_warm_up=0), run.trainer.photos, run.trainer.device, run.processes
    )
    images = train.batch * train.critic_steps
    begun, total, seconds = run.folder if run.saved else None, 0, 0.0
    each: list[str] = []
    for first, end in run.trainer.phases():
        trainer.schedule, trainer.images_seen = run.trainer.schedule, first
        steps, step = count_steps(end - first, images), _step_seconds(trainer, begun)
        total, seconds, each = total + steps, seconds + steps * step, [*each, f"{step:.2f} s at {trainer.side} pixels"]
    if total:
        count = f"{total:,} step{'s' if total > 1 else ''}"
        print(f"cost:   about {clock(seconds)} for {count} of {' and '.join(each)}, measured on a temporary copy")
    else:
        print("cost:   nothing, the run has seen all its images")
    print(f"size:   generator {parameters(trainer.generator):,} parameters, critic {parameters(trainer.critic):,}")
    print("dry run: nothing was trained or written")


def count_steps(left: int, images: int) -> int:
    """How many steps of `images` images it takes to show `left` images, rounded up."""
    return max(0, -(-left // images))


def _step_seconds(trainer: Trainer, begun: Path | None) -> float:
    """Mean seconds of a step after one to warm up. `begun` is the folder of a resumed run, else None.

    A penalty is due at some steps only, so as many are timed as it takes to come round to it, up to MOST_TIMED_STEPS.
    """
    batch_size.step(trainer, begun)
    config, started = trainer.config, time.perf_counter()
    count = min(MOST_TIMED_STEPS, max(TIMED_STEPS, config.penalty_every, config.path_length_every))
    for _ in range(count):
        batch_size.step(trainer, begun)
    return (time.perf_counter() - started) / count
