"""Directions of a model's latent space along which its pictures change clearly, each in a way of its own, found without labels.

After GANSpace (Härkönen et al. 2020), which takes principal components of what the network makes and brings them back into the
latent space by regression. Here the two are one step: pictures are regressed on latents in standard deviations, and the
singular vectors of that map are the directions. They are uncorrelated in the latent space, and what they change in the mean
picture is orthogonal. On the bundled flagship, from −2 to +2 and over 24 flowers, the six change pictures by 0.29, 0.25, 0.24,
0.21, 0.18 and 0.20 (root mean square, of 1), the first six principal components of its styles by 0.28, 0.24, 0.22, 0.21, 0.22
and 0.20. The gain is in the first, of whose change 68 % (of the squares) is common to all flowers where it was 34 %, with 18
to 35 % for the others either way, and in how different they are: two have mean changes with a cosine of 0.41 at most, not 0.53.
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
REACH = 3.0  # standard deviations either way
COMPONENTS = 16  # of the style space: beyond them are hardly any differences, and with them regression takes fewer pictures
CLOUD = 1024  # flowers whose latents say what a standard deviation is
FIRST_SEED = 20_000
JUDGES, FIRST_JUDGE = 30, 5_000  # other flowers, by which directions are named
SIDE = 16  # pixels a side of what is regressed: layout and colour
EACH = 4  # flowers of the cloud that a class has at least: of fewer its mean takes most of what they differ by
FEW = 16  # classes whose means cost next to nothing; for each one more a flower more is drawn
AT_ONCE = 12  # pictures a step: others who draw meanwhile wait for no more
SHARE, EFFECT = 0.9, 1.5  # when a direction gets a name; see `_names`


@dataclass(frozen=True)
class Directions:
    """COUNT directions of one model."""

    steps: Tensor  # COUNT×W: one standard deviation of each
    names: tuple[str | None, ...]  # the attribute (attributes.py) that + gives more of, where there is a clear one

    def move(self, flower: Flower, sliders: Sequence[float]) -> Flower:
        """`flower` moved on by so many standard deviations along each; itself where all are 0.

        Raises UserError for a flower whose shift is none of this model.
        """
        if not any(sliders):
            return flower
        moved = read_shift(flower.shift, self.steps.shape[1]) + torch.tensor(sliders, dtype=torch.float32) @ self.steps
        return replace(flower, shift=write_shift(moved))


def can_be_found(config: ModelConfig) -> bool:
    """Whether enough flowers stand behind directions of such a model: not with hundreds of classes, or numbers of noise."""
    classes, units = len(config.classes), COMPONENTS if config.styled else config.z_dim
    return EACH * classes <= CLOUD and 2 * (_drawn(units, classes) - classes) >= 3 * units


def _drawn(units: int, classes: int) -> int:
    """How many pictures are drawn to find the directions among so many numbers."""
    return min(CLOUD, 192 + 8 * units + max(0, classes - FEW))


class Search:
    """Finds the directions of a model, once; the work is cut into steps, which whoever waits does or sees done.

    Nothing of it is random: the same model on the same computer has the same directions. Safe to call from many threads.
    """

    def __init__(self, sampler: Sampler) -> None:
        self.found: Directions | None = None
        self._sampler, self._lock, self._done = sampler, threading.Lock(), 0.0
        self._work: Generator[float, None, Directions] | None = None

    def step(self) -> float:
        """Do one step, if any is left; the share of the work that is done, 1.0 once `found` is there."""
        with self._lock:
            if self.found:
                return 1.0
            self._work = self._work or _find(self._sampler)
            try:
                self._done = next(self._work)
            except StopIteration as end:
                self.found, self._done = end.value, 1.0
            except BaseException:
                self._work = None  # whoever asks next begins anew
                raise
            return self._done

    def finish(self) -> Directions:
        """The directions, however long it takes: on one core of a laptop some eight seconds for the flagship."""
        while not self.found:
            self.step()
        return self.found


def _find(sampler: Sampler) -> Generator[float, None, Directions]:
    config = sampler.config
    flowers = _flowers(sampler, FIRST_SEED, CLOUD)
    own, of_class = sampler.latents(flowers)
    kinds = torch.tensor([flower.label for flower in flowers])
    units = _units(_centred(own, kinds), COMPONENTS if config.styled else own.shape[1])
    drawn = _drawn(len(units), len(config.classes))
    whole = drawn + 2 * COUNT * JUDGES

    looks, measures = [], []
    for start in range(0, drawn, AT_ONCE):
        part = slice(start, min(start + AT_ONCE, drawn))
        pictures = sampler.draw_latents(own[part], of_class[part])
        looks.append(_look(pictures))
        measures.append(measure(pictures))
        yield part.stop / whole
    kinds = kinds[:drawn]
    steps = _clearest(_centred(own[:drawn], kinds), _centred(torch.cat(looks), kinds), units)
    usual = {name: _centred(values, kinds).std() for name, values in _joined(measures).items()}

    changes = []
    judges = sampler.latents(_flowers(sampler, FIRST_JUDGE, JUDGES))
    for number, step in enumerate(steps):
        ends = []
        for end, sign in enumerate((-2, 2)):
            parts = []
            for start in range(0, JUDGES, AT_ONCE):
                own, of_class = (part[start : start + AT_ONCE] for part in judges)
                parts.append(measure(sampler.draw_latents(own + sign * step, of_class)))
                yield (drawn + (2 * number + end) * JUDGES + start + len(own)) / whole
            ends.append(_joined(parts))
        changes.append({name: (ends[1][name] - ends[0][name]) / usual[name].clamp_min(1e-6) for name in usual})
    return Directions(*_named(steps, changes))


def _flowers(sampler: Sampler, first: int, count: int) -> list[Flower]:
    """Flowers of all classes in turn, as the model draws them by default."""
    level, classes = latents.default_truncation(sampler.config.scores), len(sampler.config.classes)
    return [Flower(None, first + i, level).resolve(classes) for i in range(count)]


def _look(pictures: np.ndarray) -> Tensor:
    full = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    return interpolate(full, size=(SIDE, SIDE), mode="area").flatten(1)


def _centred(values: Tensor, kinds: Tensor) -> Tensor:
    """`values` N or N×D, less the mean of each one's class: what differs between classes is no direction."""
    values = values.clone()
    for kind in kinds.unique():
        values[kinds == kind] -= values[kinds == kind].mean(0)
    return values


def _units(own: Tensor, count: int) -> Tensor:
    """The first `count` principal components of latents N×W, each one standard deviation long: count×W in float64."""
    _, sizes, axes = torch.linalg.svd(own.double(), full_matrices=False)
    return axes[:count] * (sizes[:count, None] / (len(own) - 1) ** 0.5)


def _clearest(own: Tensor, looks: Tensor, units: Tensor) -> Tensor:
    """COUNT×W in float32: the singular vectors of the linear map from latents, in `units`, to pictures, the strongest first."""
    coordinates = own.double() @ (units / units.square().sum(1, keepdim=True)).T
    effect = torch.linalg.lstsq(coordinates, looks.double()).solution
    turn, _, seen = torch.linalg.svd(effect, full_matrices=False)
    turn = turn * torch.where(seen.sum(1) < 0, -1, 1)  # towards the brighter; a singular vector has no sign of its own
    steps = torch.zeros(COUNT, units.shape[1], dtype=torch.float64)
    steps[: len(turn)] = (turn.T @ units)[:COUNT]  # fewer than COUNT where noise has fewer numbers
    return steps.float()


def _joined(parts: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def _named(steps: Tensor, changes: Sequence[dict[str, Tensor]]) -> tuple[Tensor, tuple[str | None, ...]]:
    """The directions, turned so that + gives more of what they are named after, and their names.

    `changes` says for each how every attribute of the judges changes from −2 to +2, in standard deviations of that attribute
    among flowers of one class. A direction is named after the attribute it changes most, and only if that is EFFECT or more on
    average, has one sense in SHARE of the flowers, and no other direction changes the same attribute more.
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
