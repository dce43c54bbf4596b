"""Directions of a model's latent space along which its pictures change clearly, found without labels.

After GANSpace (Härkönen et al. 2020), which computes principal components of a network's activations, and finds their
directions in the latent space by regression. Here one regression does both:

1. draw flowers, and subtract the mean of its class from each latent and from each picture
2. express the latents in their first principal components, in standard deviations
3. fit the linear map from these coordinates to small pictures, by least squares
4. the directions are the singular vectors of this map, those with the largest singular values first

So directions are uncorrelated in the latent space, and the changes that they make on average are orthogonal.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from gan.config import ModelConfig
from gan.networks import latents
from gan.sampling.attributes import measure
from gan.sampling.flower import Flower, read_shift, write_shift
from gan.sampling.sampler import Sampler

COUNT = 6
REACH = 3.0  # standard deviations in both senses
COMPONENTS = 16  # of the style space; the others hardly change pictures, and would need more flowers for the regression
FLOWERS = 1024  # whose latents give the principal components; a part of them is drawn for the regression
FIRST_SEED = 20_000
TEST_FLOWERS, FIRST_TEST_SEED = 30, 5_000  # other flowers, by which directions are named
SIDE = 16  # pixels; the small pictures show layout and color
MIN_OF_CLASS = 4  # of FLOWERS; with fewer, subtracting the mean of a class removes most differences
FREE_CLASSES = 16  # with more classes, one more flower is drawn for each
BATCH = 12  # pictures drawn in a step, so that others can draw between two steps
SHARE, EFFECT = 0.9, 1.5  # when a direction gets a name: see `_named`


@dataclass(frozen=True)
class Directions:
    """COUNT directions of one model."""

    steps: Tensor  # COUNT×W in the latent space: one standard deviation along each
    names: tuple[str | None, ...]  # the attribute (attributes.py) that grows along +, where there is a clear one

    def move(self, flower: Flower, sliders: Sequence[float]) -> Flower:
        """`flower` moved by `sliders`, COUNT standard deviations; the same flower where all are 0.

        Raises UserError for a flower whose shift does not fit this model.
        """
        if not any(sliders):
            return flower
        moved = read_shift(flower.shift, self.steps.shape[1]) + torch.tensor(sliders, dtype=torch.float32) @ self.steps
        return replace(flower, shift=write_shift(moved))


def can_be_found(config: ModelConfig) -> bool:
    """Whether FLOWERS are enough for such a model. They are not for hundreds of classes, or a long noise without styles."""
    classes, units = len(config.classes), COMPONENTS if config.styled else config.z_dim
    return MIN_OF_CLASS * classes <= FLOWERS and 2 * (_drawn(units, classes) - classes) >= 3 * units


def _drawn(units: int, classes: int) -> int:
    """How many pictures are drawn for a regression on `units` coordinates."""
    return min(FLOWERS, 192 + 8 * units + max(0, classes - FREE_CLASSES))


class DirectionSearch:
    """Finds the directions of a model, once, in steps. Several callers may take the steps together, from many threads.

    The search is deterministic: the same model has the same directions on the same computer.
    """

    def __init__(self, sampler: Sampler) -> None:
        self.found: Directions | None = None
        self._sampler, self._lock, self._done = sampler, threading.Lock(), 0.0
        self._work: Generator[float, None, Directions] | None = None

    def step(self) -> float:
        """Take one step, if one is left. Returns the share of the work that is done, 0 to 1; at 1, `found` is set."""
        with self._lock:
            if self.found:
                return 1.0
            self._work = self._work or _find(self._sampler)
            try:
                self._done = next(self._work)
            except StopIteration as end:
                self.found, self._done = end.value, 1.0
            except BaseException:
                self._work = None  # the next call starts again
                raise
            return self._done

    def finish(self) -> Directions:
        """Take all steps, about eight seconds of one core for the flagship, and return the directions."""
        while not self.found:
            self.step()
        return self.found


def _find(sampler: Sampler) -> Generator[float, None, Directions]:
    config = sampler.config
    flowers = _flowers(sampler, FIRST_SEED, FLOWERS)
    of_seed, of_class = sampler.latents(flowers)
    labels = torch.tensor([flower.label for flower in flowers])
    units = _units(_centered(of_seed, labels), COMPONENTS if config.styled else of_seed.shape[1])
    drawn = _drawn(len(units), len(config.classes))
    whole = drawn + 2 * COUNT * TEST_FLOWERS

    small, measures = [], []
    for start in range(0, drawn, BATCH):
        part = slice(start, min(start + BATCH, drawn))
        pictures = sampler.draw_latents(of_seed[part], of_class[part])
        small.append(_small_pictures(pictures))
        measures.append(measure(pictures))
        yield part.stop / whole
    labels = labels[:drawn]
    steps = _strongest(_centered(of_seed[:drawn], labels), _centered(torch.cat(small), labels), units)
    usual = {name: _centered(values, labels).std() for name, values in _joined(measures).items()}

    changes = []
    tested = sampler.latents(_flowers(sampler, FIRST_TEST_SEED, TEST_FLOWERS))
    for number, step in enumerate(steps):
        ends = []
        for end, sign in enumerate((-2, 2)):
            parts = []
            for start in range(0, TEST_FLOWERS, BATCH):
                of_seed, of_class = (part[start : start + BATCH] for part in tested)
                parts.append(measure(sampler.draw_latents(of_seed + sign * step, of_class)))
                yield (drawn + (2 * number + end) * TEST_FLOWERS + start + len(of_seed)) / whole
            ends.append(_joined(parts))
        changes.append({name: (ends[1][name] - ends[0][name]) / usual[name].clamp_min(1e-6) for name in usual})
    return Directions(*_named(steps, changes))


def _flowers(sampler: Sampler, first: int, count: int) -> list[Flower]:
    """`count` flowers of all classes in turn, at the model's own truncation."""
    level, classes = latents.default_truncation(sampler.config.scores), len(sampler.config.classes)
    return [Flower(None, first + i, level).resolve(classes) for i in range(count)]


def _small_pictures(pictures: np.ndarray) -> Tensor:
    """Pictures uint8 N×S×S×3 → N×(3·SIDE²) in [0, 1]."""
    full = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    return interpolate(full, size=(SIDE, SIDE), mode="area").flatten(1)


def _centered(values: Tensor, labels: Tensor) -> Tensor:
    """`values` N or N×D minus the mean of their class in `labels` N: directions are differences within a class."""
    values = values.clone()
    for label in labels.unique():
        values[labels == label] -= values[labels == label].mean(0)
    return values


def _units(of_seed: Tensor, count: int) -> Tensor:
    """The first `count` principal components of centered latents N×W, one standard deviation long each: count×W in float64."""
    _, sizes, axes = torch.linalg.svd(of_seed.double(), full_matrices=False)
    return axes[:count] * (sizes[:count, None] / (len(of_seed) - 1) ** 0.5)


def _strongest(of_seed: Tensor, small: Tensor, units: Tensor) -> Tensor:
    """COUNT×W in float32: singular vectors of the linear map from latents N×W, in coordinates of `units`, to pictures N×D."""
    coordinates = of_seed.double() @ (units / units.square().sum(1, keepdim=True)).T
    effect = torch.linalg.lstsq(coordinates, small.double()).solution
    turn, _, seen = torch.linalg.svd(effect, full_matrices=False)
    turn = turn * torch.where(seen.sum(1) < 0, -1, 1)  # + is brighter; a singular vector has no sign of its own
    steps = torch.zeros(COUNT, units.shape[1], dtype=torch.float64)
    steps[: len(turn)] = (turn.T @ units)[:COUNT]  # the rest stays 0 where z_dim is below COUNT
    return steps.float()


def _joined(parts: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def _named(steps: Tensor, changes: Sequence[dict[str, Tensor]]) -> tuple[Tensor, tuple[str | None, ...]]:
    """The directions COUNT×W, with the sign that makes their attribute grow, and the names of these attributes.

    `changes` has for each direction, attribute and test flower the change of the attribute from −2 to +2 standard deviations
    of the direction, in standard deviations of the attribute within a class. A direction is named after the attribute that it
    changes most on average, if that change is at least EFFECT, has the same sign in SHARE of the flowers, and is larger than
    what another direction with the same attribute changes.
    """
    found: dict[str, tuple[float, int]] = {}
    for number, change in enumerate(changes):
        most = max(change, key=lambda name: change[name].mean().abs())
        effect = float(change[most].mean())
        agree = float((change[most] * effect > 0).float().mean())
        if abs(effect) >= EFFECT and agree >= SHARE and abs(effect) > abs(found.get(most, (0.0,))[0]):
            found[most] = effect, number
    names: list[str | None] = [None] * len(steps)
    signs = torch.ones(len(steps), 1)
    for name, (effect, number) in found.items():
        names[number] = name
        signs[number] = 1 if effect > 0 else -1
    return steps * signs, tuple(names)
