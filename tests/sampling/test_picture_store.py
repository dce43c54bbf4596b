"""What was drawn a moment ago is not drawn again: for the same caller, for others, and while it is being drawn."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gan.errors import UserError
from gan.sampling.flower import Flower, grid_flowers
from gan.sampling.picture_store import PictureStore


def file_of(flower: Flower) -> bytes:
    return f"{flower.label}.{flower.seed}.{flower.truncation}".encode()


class Drawer:
    """Draws files of ten bytes or so, and counts them; `gate` holds it up before each."""

    def __init__(self):
        self.drawn, self.gate = [], threading.Event()
        self.gate.set()

    def __call__(self, flowers):
        for flower in flowers:
            assert self.gate.wait(20)
            if flower.label == 9:
                raise UserError("there is no such class.")
            self.drawn.append(flower)
            yield file_of(flower)


@pytest.fixture
def drawer():
    return Drawer()


def test_each_flower_is_drawn_once_and_given_in_the_order_asked_for(drawer):
    store, flowers = PictureStore(drawer), grid_flowers(0, 1, 1.5, 4)
    assert list(store.each(flowers)) == [file_of(flower) for flower in flowers]
    again = [*reversed(flowers), flowers[0], Flower(0, 1, 0.5)]  # another truncation is another flower
    assert list(store.each(again)) == [file_of(flower) for flower in again]
    assert drawer.drawn == [*flowers, Flower(0, 1, 0.5)]
    assert list(store.each([])) == []


def test_the_first_is_there_before_the_second_is_drawn(drawer):
    files = PictureStore(drawer).each(grid_flowers(0, 1, 1.5, 3))
    assert next(files) == b"0.1.1.5" and len(drawer.drawn) == 1


def test_who_ends_before_the_first_is_drawn_leaves_nothing_that_others_wait_for(drawer):
    store, flowers = PictureStore(drawer), grid_flowers(0, 1, 1.5, 2)
    assert list(store.each(flowers[:1]))
    files = store.each(flowers)
    assert next(files) == b"0.1.1.5"  # it was there
    files.close()
    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(lambda: list(store.each(flowers[1:]))).result(20) == [b"0.2.1.5"]


def test_what_another_thread_is_drawing_is_waited_for(drawer):
    store, flowers = PictureStore(drawer), grid_flowers(0, 1, 1.5, 3)
    drawer.gate.clear()
    with ThreadPoolExecutor(8) as threads:  # in both orders: no two may wait for each other
        asked = [threads.submit(lambda turn=turn: list(store.each(flowers[:: 1 - 2 * (turn % 2)]))) for turn in range(8)]
        drawer.gate.set()
        for turn, one in enumerate(asked):
            assert one.result(20) == [file_of(flower) for flower in flowers[:: 1 - 2 * (turn % 2)]]
    assert sorted(drawer.drawn, key=lambda flower: flower.seed) == flowers


def test_who_waits_for_a_thread_that_fails_or_goes_away_draws_by_himself(drawer):
    store, good = PictureStore(drawer), Flower(0, 2, 1.5)
    with pytest.raises(UserError):
        list(store.each([Flower(9, 1), good]))
    drawer.gate.clear()
    leaving = store.each([Flower(0, 1), good])
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(lambda: (next(leaving), leaving.close()))
        waiting = threads.submit(lambda: list(store.each([good])))
        drawer.gate.set()
        first.result(20)
        assert waiting.result(20) == [file_of(good)]
    assert list(store.each([good])) == [file_of(good)]


def test_the_oldest_go_where_there_is_no_room(drawer):
    store, flowers = PictureStore(drawer, most_bytes=3 * len(b"0.1.1.5")), grid_flowers(0, 1, 1.5, 4)
    list(store.each(flowers[:3]))
    list(store.each([flowers[0], flowers[3]]))  # the second goes: the first was asked for again
    drawer.drawn.clear()
    list(store.each([flowers[0], flowers[2], flowers[3]]))
    assert drawer.drawn == []
    assert list(store.each(flowers[1:2])) == [file_of(flowers[1])] and drawer.drawn == flowers[1:2]
