"""A flower is drawn once: files of flowers drawn a moment ago, for whoever asks for the same."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from threading import Lock

from gan.sampling.flower import Flower

MOST_BYTES = 64 << 20  # of all files; some two thousand flowers of 128×128 pixels


class PictureStore:
    """Keeps the files of the flowers asked for last, up to a number of bytes. Many threads may share it.

    A flower that another thread is drawing now is not drawn twice: whoever asks for it waits. The same flower has the same
    file, so a store needs no expiry.
    """

    def __init__(self, draw: Callable[[Sequence[Flower]], Iterator[bytes]], most_bytes: int = MOST_BYTES) -> None:
        """`draw` gives the file of each of some resolved flowers, in their order, as they are drawn."""
        self._draw, self._most = draw, most_bytes
        self._lock, self._bytes = Lock(), 0
        self._files: OrderedDict[Flower, Future[bytes]] = OrderedDict()  # the one asked for last comes last

    def each(self, flowers: Sequence[Flower]) -> Iterator[bytes]:
        """The files of resolved flowers in their order, each as soon as it is there. Raises what `draw` raises."""
        futures, mine = self._claim(flowers)
        drawing = self._drawing(mine)
        try:
            for flower, future in zip(flowers, futures):
                # Before it waits for another thread a thread finishes what is its own, so that no two wait for each other.
                while not future.done() and next(drawing, None):
                    pass
                yield self._result(flower, future)
        finally:
            drawing.close()
            self._release(mine)

    def _claim(self, flowers: Sequence[Flower]) -> tuple[list[Future[bytes]], dict[Flower, Future[bytes]]]:
        """For each flower the future of its file, and those of them that the caller has to draw."""
        mine: dict[Flower, Future[bytes]] = {}
        with self._lock:
            for flower in flowers:
                if flower not in self._files:
                    self._files[flower] = mine[flower] = Future()
                self._files.move_to_end(flower)
            return [self._files[flower] for flower in flowers], mine

    def _drawing(self, mine: dict[Flower, Future[bytes]]) -> Generator[bool, None, None]:
        """Draw the flowers of `mine`, one a step."""
        for future, file in zip(mine.values(), self._draw(list(mine)) if mine else ()):
            future.set_result(file)
            self._keep(len(file))
            yield True

    def _release(self, mine: dict[Flower, Future[bytes]]) -> None:
        """Let others claim what is not drawn when an error or the caller ends the drawing, even before its first step."""
        left = {flower: future for flower, future in mine.items() if not future.done()}
        with self._lock:
            for flower in left:
                self._files.pop(flower, None)
        for future in left.values():
            future.cancel()

    def _keep(self, more: int) -> None:
        """Count a new file, and let the oldest go until the rest fits."""
        with self._lock:
            self._bytes += more
            for flower in [flower for flower, future in self._files.items() if future.done()]:
                if self._bytes <= self._most:
                    break
                self._bytes -= len(self._files.pop(flower).result())

    def _result(self, flower: Flower, future: Future[bytes]) -> bytes:
        try:
            return future.result()
        except CancelledError:  # the thread that was drawing it has failed or was stopped
            return next(iter(self._draw([flower])))
