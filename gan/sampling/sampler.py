"""A loaded model → pictures: for many threads at once, and each picture the same to the bit however it is asked for."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from gan.errors import UserError
from gan.generator import Generator
from gan.networks.latents import default_truncation
from gan.sampling.flower import Flower, check_label, read_shift
from gan.sampling.interpolation import DEFAULT_PATH, PATHS, check_path, positions, straight, walk_places
from gan.utils import validation
from gan.utils.device import has_amx, pick_precision
from gan.utils.images import to_uint8

MAX_WORKERS = 32
PAIR = 2  # pictures in a pass with styles where there is AMX: 1.4 times as fast as one by one; more would delay one flower


class Sampler:
    """Draws pictures on threads of its own, one processor core each. Many callers may share it.

    Torch chooses kernels by the size of a batch and by the number of cores. So every pass draws one picture on one core. On a
    processor with AMX it draws PAIR pictures where there are styles, and a single picture is drawn twice; without AMX a pair
    takes as long as two passes. That keeps a picture the same, alone or among others. Memory is that of one pass for each
    thread, however many pictures are asked for.

    Pictures are drawn in bf16 on processors that multiply it natively, which is two to four times as fast, and in float32 on
    others. docs/using-models.md says how much the two differ.
    """

    def __init__(self, generator: Generator, workers: int | None = None) -> None:
        """`generator` is in evaluation mode, on the CPU. It is copied, so that the one given stays in float32 and unchanged.

        `workers` is the number of threads, by default torch's own, at most MAX_WORKERS. Each sets torch's thread count to one
        for itself.
        """
        self.config = generator.config
        self.workers = min(workers or torch.get_num_threads(), MAX_WORKERS)
        self._at_once = PAIR if generator.style_scales and has_amx() else 1
        # Weights in the layout of the pictures save a conversion in every layer.
        self._generator: Generator = copy.deepcopy(generator)
        self._generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stubs
        self._generator.for_inference(torch.bfloat16 if pick_precision(torch.device("cpu")) == "bf16" else torch.float32)
        self._pool = ThreadPoolExecutor(self.workers, "sampler", initializer=lambda: torch.set_num_threads(1))

    @property
    def truncation(self) -> float:
        """The model's own truncation: the one with its best KID, if it was evaluated, otherwise 1.5."""
        return default_truncation(self.config.scores)

    def flower(self, label: int | str | None, seed: int) -> Flower:
        """The flower that the app draws by default for a class and a seed: at the model's own `truncation`.

        `label` is the index or the name of a class; with None, the seed picks the class. Raises UserError for a class or a seed
        that is not there.
        """
        if isinstance(label, str):
            label = check_label(self.config.classes, label)
        return Flower(label, seed, self.truncation).resolve(len(self.config.classes))

    def draw(self, flowers: Sequence[Flower]) -> np.ndarray:
        """The pictures of `flowers`, uint8 N×S×S×3. Raises UserError for a class, seed, truncation or shift out of range."""
        return np.stack(pictures) if (pictures := list(self.each(flowers))) else self._empty()

    def each(self, flowers: Sequence[Flower], side: int | None = None) -> Iterator[np.ndarray]:
        """The same one by one, uint8 S×S×3, each as soon as it is drawn.

        `side` asks for the coarser picture of so many pixels that a model with styles has on its way, in less time: one of
        `sides`. Raises UserError for another.
        """
        if side not in (None, *self.sides):
            raise UserError(f"the side is {validation.show(side)}; use one of {', '.join(map(str, self.sides))}.")
        if flowers:
            yield from self._each(*self.latents(flowers), side)

    @property
    def sides(self) -> tuple[int, ...]:
        """The sides in pixels of the pictures that `each` can draw: 4, 8, … up to S with styles, S alone without."""
        return self._generator.sides

    def latents(self, flowers: Sequence[Flower]) -> tuple[Tensor, Tensor]:
        """The two arguments of the generator's `decode` for each of `flowers`, float32. Raises UserError as `draw` does.

        The first N×W comes from the seeds: the noise, or how far the style is from the mean style of its class. The second N×A
        comes from the classes: the code, or that mean style. Both are N×L×W, one style for each scale, if a flower has `fine`.
        """
        with torch.no_grad():
            rows = [self._latent(flower.resolve(len(self.config.classes))) for flower in flowers]
        if any(flower.fine for flower in flowers):
            rows = [(self._scales(of_seed), self._scales(of_class)) for of_seed, of_class in rows]
        return torch.cat([row[0] for row in rows]), torch.cat([row[1] for row in rows])

    def _latent(self, flower: Flower) -> tuple[Tensor, Tensor]:
        """Latents of one resolved flower. One at a time, because kernels are chosen by the size of a batch."""
        of_seed, of_class = self._generator.latents([flower.seed], flower.code(self.config), flower.truncation)
        of_seed = of_seed + read_shift(flower.shift, of_seed.shape[1]) if flower.shift else of_seed
        return (of_seed, of_class) if flower.fine is None else self._style_mixed((of_seed, of_class), flower)

    def _style_mixed(self, coarse: tuple[Tensor, Tensor], flower: Flower) -> tuple[Tensor, Tensor]:
        """The first scales of `coarse`, and the others of the flower that `flower.fine` names."""
        assert flower.fine is not None
        if not self.scales:
            raise UserError(f"'{self.config.preset}' has no styles; cross flowers of a model that has, such as flagship.")
        first = validation.whole("number of scales", flower.fine.scales, 0, self.scales)
        other = Flower(flower.fine.label, flower.fine.seed, flower.truncation).resolve(len(self.config.classes))
        mixed = [self._scales(part).clone() for part in self._latent(other)]
        for part, kept in zip(mixed, coarse):
            part[:, :first] = self._scales(kept)[:, :first]
        return mixed[0], mixed[1]

    @property
    def scales(self) -> int:
        """The number of scales of a picture, each with a style; 0 for a model without styles."""
        return self._generator.style_scales

    def _scales(self, part: Tensor) -> Tensor:
        """N×W or N×L×W → N×L×W."""
        return part if part.ndim == 3 else part[:, None].expand(-1, self.scales, -1)

    def maps(self, flower: Flower) -> tuple[list[tuple[str, np.ndarray]], np.ndarray]:
        """Each layer of the generator with its maps for a flower, float32 C×H×W, and the picture, uint8 S×S×3.

        A layer is its string in `config.generator`, as in `Generator.maps`. The picture is exactly what `draw` gives. Raises
        UserError as `draw` does.
        """
        return self._pool.submit(self._maps, *self.latents([flower])).result()

    def draw_latents(self, of_seed: Tensor, of_class: Tensor) -> np.ndarray:
        """The pictures, uint8 N×S×S×3, of what `latents` returned, or of points between such rows."""
        return np.stack(list(self._each(of_seed, of_class))) if len(of_seed) else self._empty()

    def path(self, start: Flower, end: Flower, steps: int, way: str = DEFAULT_PATH, loop: bool = False) -> np.ndarray:
        """The `steps` pictures from one flower to another, uint8 N×S×S×3; the two ends are exactly what `draw` gives.

        What comes from the seeds takes the path called `way` in `interpolation.PATHS`; what comes from the classes goes
        straight. A `loop` comes back, without its last picture, so that it can be repeated. Raises UserError for a path or a
        number of steps that is not there, and as `draw` does.
        """
        steps = validation.whole("number of steps", steps, 2)
        return self._along([start, end], [(0, 1, t) for t in positions(steps, loop)], way)

    def walk(self, flowers: Sequence[Flower], steps: int, way: str = DEFAULT_PATH, closed: bool = True) -> np.ndarray:
        """The `steps` pictures of a walk through two or more flowers, uint8 N×S×S×3; each flower is exactly what `draw` gives.

        A `closed` walk ends before the picture it began with. Raises UserError for a path that is not there, for fewer steps
        than flowers, and as `draw` does.
        """
        steps = validation.whole("number of steps", steps, len(flowers))
        return self._along(flowers, walk_places(len(flowers), steps, closed), way)

    def _along(self, flowers: Sequence[Flower], places: Sequence[tuple[int, int, float]], way: str) -> np.ndarray:
        """The pictures at `places`: t on the way from one of `flowers`, by its number, to another."""
        along = PATHS[check_path(way)]
        of_seed, of_class = self.latents(flowers)
        width = of_seed.shape[-1]  # several rows of a flower are the styles of its scales

        def between(first: int, second: int, t: float) -> Tensor:
            pairs = zip(of_seed[first].reshape(-1, width), of_seed[second].reshape(-1, width))
            return torch.stack([along(a, b, t) for a, b in pairs]).view_as(of_seed[0])

        return self.draw_latents(
            torch.stack([between(*place) for place in places]),
            torch.stack([straight(of_class[first], of_class[second], t) for first, second, t in places]),
        )

    def warm_up(self) -> None:
        """Draw a pass on every thread: the first picture of a thread is slow."""
        self.draw([Flower(0, seed) for seed in range(self.workers * self._at_once)])

    def close(self) -> None:
        """Stop the threads. They first finish what they are drawing."""
        self._pool.shutdown(cancel_futures=True)

    def _each(self, of_seed: Tensor, of_class: Tensor, side: int | None = None) -> Iterator[np.ndarray]:
        """Pictures in order. A caller has at most two passes a thread in the queue, so that a film does not block a flower."""
        waiting: deque[Future[np.ndarray]] = deque()
        try:
            for part in zip(of_seed.split(self._at_once), of_class.split(self._at_once)):
                if len(waiting) >= 2 * self.workers:
                    yield from waiting.popleft().result()
                waiting.append(self._pool.submit(self._pass, *part, side))
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def _pass(self, of_seed: Tensor, of_class: Tensor, side: int | None) -> np.ndarray:
        with torch.inference_mode():
            return to_uint8(self._generator.decode(self._filled(of_seed), self._filled(of_class), side))[: len(of_seed)]

    def _maps(self, of_seed: Tensor, of_class: Tensor) -> tuple[list[tuple[str, np.ndarray]], np.ndarray]:
        with torch.inference_mode():
            maps, picture = self._generator.maps(self._filled(of_seed), self._filled(of_class))
            return [(layer, x[0].contiguous().numpy()) for layer, x in maps], to_uint8(picture)[0]

    def _filled(self, part: Tensor) -> Tensor:
        """Latents of a pass, the last one repeated where they are fewer than a pass has."""
        missing = self._at_once - len(part)
        return torch.cat([part, part[-1:].expand(missing, *part.shape[1:])]) if missing > 0 else part

    def _empty(self) -> np.ndarray:
        return np.zeros((0, self.config.resolution, self.config.resolution, 3), np.uint8)
