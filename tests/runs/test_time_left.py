"""The time left of a training counts coarse and fine steps apart, and the first grids come early."""

from types import SimpleNamespace

import pytest

from gan.options import parse_sides
from gan.runs.run import FIRST_GRIDS, Run
from gan.runs.time_left import GROWTH, TimeLeft
from gan.trainer import Trainer


class Course(SimpleNamespace):
    """A training at 32, then 64, then 128 pixels a side, of which only the schedule is there."""

    side, phases = Trainer.side, Trainer.phases


@pytest.fixture
def course():
    sides, images = ("32:1000", "64:3000", "128"), 10_000
    return Course(
        images_seen=0, schedule=parse_sides(sides, images), model=SimpleNamespace(resolution=128),
        config=SimpleNamespace(images=images),
    )  # fmt: skip


def go(course, left, watch, images, seconds):
    course.images_seen += images
    watch[0] += seconds
    left.add_step()


def test_fine_images_that_were_not_measured_yet_count_more(course):
    watch = [0.0]
    left = TimeLeft(course, lambda: watch[0])
    assert left.seconds() is None and left.speed() is None
    go(course, left, watch, 100, 50.0)  # the first step prepares the side, and does not count
    assert left.seconds() is None
    for _ in range(4):
        go(course, left, watch, 100, 10.0)
    assert left.speed() == 10
    rest_at_64, rest_at_128 = course.schedule[1][1] - course.schedule[0][1], 10_000 - course.schedule[1][1]
    assert left.seconds() == pytest.approx(500 * 0.1 + rest_at_64 * 0.1 * GROWTH + rest_at_128 * 0.1 * GROWTH**2)


def test_what_was_measured_counts_as_it_was(course):
    watch = [0.0]
    left = TimeLeft(course, lambda: watch[0])
    for _ in range(10):
        go(course, left, watch, 100, 10.0)
    assert course.side == 64
    go(course, left, watch, 100, 70.0)  # prepares the side
    go(course, left, watch, 100, 30.0)
    assert left.speed() == pytest.approx(100 / 30)
    ends = [end for _, end in course.schedule]
    assert left.seconds() == pytest.approx((ends[1] - 1200) * 0.3 + (ends[2] - ends[1]) * 0.3 * GROWTH)
    course.images_seen = 100  # back to a snapshot, into the coarse part
    left.add_step()
    go(course, left, watch, 100, 10.0)
    assert left.speed() == pytest.approx(10)
    course.images_seen = 10_000
    assert left.seconds() == 0


@pytest.mark.parametrize(
    ("every", "due"), [(10_000, [*FIRST_GRIDS, 10_000, 20_000]), (900, [250, 500, *range(900, 20_001, 900)])]
)
def test_the_first_grids_come_early(every, due):
    run, found = Run.__new__(Run), []
    run.trainer = SimpleNamespace(images_seen=0)
    while run.trainer.images_seen < 20_000:
        seen = run.trainer.images_seen
        run.trainer.images_seen += 10
        if run._grid_is_due(every, seen):
            found.append(run.trainer.images_seen)
    assert found == due
