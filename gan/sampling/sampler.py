"""A loaded model → pictures, from many threads at once, with the same bits however they are asked for."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from gan.config import ModelConfig
from gan.errors import UserError
from gan.generator import Generator, one_hot
from gan.networks import latents
from gan.networks.latents import DEFAULT_PATH
from gan.utils import validation
from gan.utils.device import pick_precision
from gan.utils.images import to_uint8

MAX_WORKERS = 32
PAIR = 2  # pictures a pass with styles: 1.4 times as many a second as one by one; more would keep a single flower waiting


@dataclass(frozen=True)
class StyleMix:
    """The flower that gives another one its colour and texture: `label` is the index of a class, the truncation the other's."""

    label: int
    seed: int
    scales: int  # so many scales, from 4×4 up, stay the other one's


@dataclass(frozen=True)
class Flower:
    """The value that makes a picture: the same flower on the same model is the same picture, wherever it is drawn.

    `label` is the index of a class, a mix of them (a weight for each, none below 0; only their ratios count), or None for "all
    of them": then the seed picks one (`resolve`). `seed` is a whole number from 0 to 2³²−1, `truncation` a number from 0.01 to
    3 or None for none. `shift` is the way it was moved in the latent space, as `latents.write_shift` writes it. With `fine`, a
    flower of a model with styles has its coarse scales only, which say what is where, and another one's fine scales (Karras
    et al. 2019, section 3.1).
    """

    label: int | tuple[float, ...] | None
    seed: int
    truncation: float | None = latents.DEFAULT_TRUNCATION
    shift: str = ""
    fine: StyleMix | None = None

    def resolve(self, classes: int) -> Flower:
        """This flower with a class of its own out of `classes` many. Raises UserError when it has one that is not there."""
        if self.label is None:
            return replace(self, label=latents.check_seed(self.seed) % classes)
        if isinstance(self.label, tuple):
            return replace(self, label=_mix(self.label, classes))
        return replace(self, label=validation.whole("class", self.label, 0, classes - 1))

    def code(self, config: ModelConfig) -> Tensor:
        """The class code 1×K (1×0 for a plain model) of a flower that `resolve` gave: one-hot, or the shares of its mix."""
        if isinstance(self.label, tuple):
            return torch.tensor([self.label])[:, : config.code_dim]
        return one_hot(torch.tensor([self.label]), config)


def _mix(weights: tuple[float, ...], classes: int) -> tuple[float, ...]:
    """Weights as shares that add up to 1. Raises UserError."""
    if len(weights) != classes:
        raise UserError(f"the mix has {len(weights)} weights; give one for each of the {classes} classes.")
    weights = tuple(validation.number("weight of a class", weight, 0, 1e6) for weight in weights)
    if not any(weights):
        raise UserError("every weight of the mix is 0; give one class at least a weight above 0.")
    return tuple(weight / sum(weights) for weight in weights)


def grid_flowers(label: int | None, seed: int, truncation: float | None, count: int) -> list[Flower]:
    """`count` flowers whose seeds follow on from `seed`; after 2³²−1 comes 0. Raises UserError for a bad seed."""
    first = latents.check_seed(seed)
    return [Flower(label, (first + i) % (latents.MAX_SEED + 1), truncation) for i in range(count)]


class Sampler:
    """Draws pictures on a few threads of its own, which all callers share, each pass on one processor core.

    Kernels are chosen by the size of a batch and by how it is cut over the cores, so that a picture alone differs from the same
    picture in a batch. So every pass is of one picture, or with styles of PAIR, an odd one being drawn twice: a picture alone
    is still the same picture. Memory is that of one pass a thread, however many are asked for.

    Where the processor multiplies bf16 natively it is drawn in that, norms folded into the convolutions before them: for the
    bundled flagship twice as fast as float32, for cwgan-gp-128 four times. Of 256 flowers of the flagship 99.9 % of the values
    are within 3 of 255 of float32's, the farthest 12 away; of 64 of cwgan-gp-128 within 6, the farthest 20. Elsewhere it
    draws in float32, so that two computers may differ by that.
    """

    def __init__(self, generator: Generator, workers: int | None = None) -> None:
        """Draw with a copy of `generator` (evaluation mode, on the CPU); the one given stays exact, for those who measure it.

        `workers` threads draw, by default as many as torch would use; each sets torch's thread count to one for itself alone.
        """
        self.config = generator.config
        self.workers = min(workers or torch.get_num_threads(), MAX_WORKERS)
        self._at_once = PAIR if generator.style_scales else 1
        # Weights in the layout of the pictures save a conversion in every layer.
        self._generator = copy.deepcopy(generator).to(memory_format=torch.channels_last)
        self._generator.for_inference(torch.bfloat16 if pick_precision(torch.device("cpu")) == "bf16" else torch.float32)
        self._pool = ThreadPoolExecutor(self.workers, "sampler", initializer=lambda: torch.set_num_threads(1))

    def draw(self, flowers: Sequence[Flower]) -> np.ndarray:
        """The pictures of `flowers`, uint8 N×S×S×3. Raises UserError for a class, seed or truncation out of range."""
        if not flowers:
            return self._empty()
        return self.draw_latents(*self.latents(flowers))

    def latents(self, flowers: Sequence[Flower]) -> tuple[Tensor, Tensor]:
        """What the generator's `decode` takes for each of `flowers`, float32: what its seed gives (noise, or how its style
        differs from the mean one) and what its class gives (the code, or that mean). Raises UserError as `draw` does.
        """
        with torch.no_grad():
            rows = [self._latent(flower.resolve(len(self.config.classes))) for flower in flowers]
        if any(flower.fine for flower in flowers):  # then each has a style a scale
            rows = [tuple(self._scales(part) for part in row) for row in rows]
        return torch.cat([row[0] for row in rows]), torch.cat([row[1] for row in rows])

    def _latent(self, flower: Flower) -> tuple[Tensor, Tensor]:
        """Of one flower alone: kernels are chosen by the size of a batch here, too."""
        own, of_class = self._generator.latents([flower.seed], flower.code(self.config), flower.truncation)
        own = own + latents.read_shift(flower.shift, own.shape[1]) if flower.shift else own
        return (own, of_class) if flower.fine is None else self._crossed((own, of_class), flower)

    def _crossed(self, coarse: tuple[Tensor, Tensor], flower: Flower) -> tuple[Tensor, Tensor]:
        if not self.scales:
            raise UserError(f"'{self.config.preset}' has no styles; cross flowers of a model that has, such as flagship.")
        first = validation.whole("number of scales", flower.fine.scales, 0, self.scales)
        fine = self._latent(Flower(flower.fine.label, flower.fine.seed, flower.truncation).resolve(len(self.config.classes)))
        crossed = tuple(self._scales(part).clone() for part in fine)
        for part, other in zip(crossed, coarse):
            part[:, :first] = self._scales(other)[:, :first]
        return crossed

    @property
    def scales(self) -> int:
        """How many scales a picture is made of, each with a style; 0 for a model without styles."""
        return self._generator.style_scales

    def _scales(self, part: Tensor) -> Tensor:
        """N×W, or N×L×W, as N×L×W."""
        return part if part.ndim == 3 else part[:, None].expand(-1, self.scales, -1)

    def draw_latents(self, own: Tensor, of_class: Tensor) -> np.ndarray:
        """The pictures, uint8 N×S×S×3, of what `latents` gave, or of points between."""
        return np.stack(list(self._each(own, of_class))) if len(own) else self._empty()

    def path(self, start: Flower, end: Flower, steps: int, way: str = DEFAULT_PATH, loop: bool = False) -> np.ndarray:
        """The `steps` pictures from one flower to the other, uint8 N×S×S×3; both ends are exactly what `draw` gives.

        What the seeds give goes the `way` named in `latents.PATHS`, what the classes give goes straight. A loop comes back and
        leaves out its last picture, so that a film of it repeats smoothly. Raises UserError.
        """
        along = latents.PATHS[latents.check_path(way)]
        steps = validation.whole("number of steps", steps, 2)
        own, of_class = self.latents([start, end])
        at = latents.positions(steps, loop)
        pairs = list(zip(*(part.reshape(-1, part.shape[-1]) for part in own)))  # one a scale, where each has a style
        return self.draw_latents(
            torch.stack([torch.stack([along(a, b, t) for a, b in pairs]).view_as(own[0]) for t in at]),
            torch.stack([latents.straight(of_class[0], of_class[1], t) for t in at]),
        )

    def warm_up(self) -> None:
        """Draw one picture on every thread, so that the first visitor does not wait for torch to set itself up."""
        self.draw([Flower(0, seed) for seed in range(self.workers)])

    def close(self) -> None:
        """Stop the threads; what they are drawing is finished first."""
        self._pool.shutdown(cancel_futures=True)

    def _each(self, own: Tensor, of_class: Tensor) -> Iterator[np.ndarray]:
        """Pictures in order. No caller has more than two passes a thread waiting, so that a film does not hold up a flower."""
        waiting: deque[Future[np.ndarray]] = deque()
        try:
            for part in zip(own.split(self._at_once), of_class.split(self._at_once)):
                if len(waiting) >= 2 * self.workers:
                    yield from waiting.popleft().result()
                waiting.append(self._pool.submit(self._pass, *part))
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def _pass(self, own: Tensor, of_class: Tensor) -> np.ndarray:
        count = len(own)
        if count < self._at_once:
            own, of_class = (
                torch.cat([part, part[-1:].expand(self._at_once - count, *part.shape[1:])]) for part in (own, of_class)
            )
        with torch.inference_mode():
            return to_uint8(self._generator.decode(own, of_class))[:count]

    def _empty(self) -> np.ndarray:
        return np.zeros((0, self.config.resolution, self.config.resolution, 3), np.uint8)
