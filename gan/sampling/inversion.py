"""The flower nearest to a photo: inversion of a frozen generator, by gradient descent in its latent space.

After Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", section 5 and appendix D. For a small model
and one processor core, three things differ:

1. the descent starts from the nearest of many flowers, not only from the mean
2. a penalty on the distance from the mean keeps it among the latents of flowers; without one, anything can be fitted (Abdal et
   al. 2019, "Image2StyleGAN")
3. the number of steps is fixed
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, normalize

from gan.generator import Generator
from gan.networks.backbones import Backbone
from gan.sampling.flower import Flower, write_shift
from gan.sampling.sampler import Sampler
from gan.utils.device import pick_precision
from gan.utils.images import resized, to_uint8

CANDIDATES, MIN_OF_CLASS = 144, 16  # flowers compared with the photo first, and the fewest of each class
STARTS, TRIAL_STEPS = 2, 10  # from that many of them, and from the mean, the descent is tried for that many steps
STEPS = 90  # from the best of these starts
SECONDS = 25.0  # time limit of a search; on one busy core it takes about 20
RATE, BETAS = 0.08, (0.9, 0.99)  # of Adam; the rate in standard deviations
PENALTY = 0.02  # weight of the squared distance from the mean
SIDE = 128  # pixels that the frozen network sees; with 224, as in its training, a search takes three times as long
REPORT_SECONDS = 0.35  # between two reports
BATCH = 8  # candidates drawn at a time
CANDIDATE_TIME = 0.5  # share of its seconds that a search may draw candidates; the next search draws the others
SPREAD = 1024  # flowers from which the standard deviations of a class are computed
_NICE = 10


@dataclass(frozen=True)
class Nearest:
    """A report of a search: the nearest picture so far."""

    share: float  # of the work that is done, 0 to 1
    picture: np.ndarray  # the nearest so far, uint8 S×S×3
    distance: float  # from the photo; typically 1 for two random flowers; NaN before the first comparison
    flower: Flower | None = None  # in the last report only; `picture` is then what `Sampler.draw` gives for it


class Inverter:
    """Searches for flowers on one thread of its own, with the float32 weights of a sampler's model.

    It changes no weights: only latents get a gradient.
    """

    def __init__(
        self, generator: Generator, sampler: Sampler, truncation: float | None, backbone: Backbone | None = None,
    ) -> None:  # fmt: skip
        """`generator` is the model of `sampler`, in evaluation mode, on the CPU. `truncation` is that of the flowers it finds.

        With `backbone`, a distance is of pixels and of the backbone's features; without it, of pixels alone.
        """
        self.config, self._generator, self._sampler = generator.config, generator, sampler
        self._truncation = truncation
        self._perceptual, self.pixels_only = PerceptualFeatures(backbone), backbone is None
        self._bf16 = pick_precision(torch.device("cpu")) == "bf16"
        self._thread = ThreadPoolExecutor(1, "invert", initializer=_lower_priority)
        self._candidates = _Candidates(sampler, self._perceptual, len(self.config.classes), truncation)
        self.coordinates = lru_cache(maxsize=None)(lambda label: _Coordinates(self, label))

    def search(self, photo: np.ndarray, label: int | None, seconds: float = SECONDS, steps: int = STEPS) -> Iterator[Nearest]:
        """Search for the flower of class `label` (None: of any class) that is nearest to `photo`, uint8 H×H×3.

        Yields reports a few times a second; the last one has the flower. After `steps` steps the search ends, so that the same
        photo gives the same flower. After `seconds` it ends early. To stop it, close the iterator: it ends within a step.
        """
        began = time.monotonic()
        candidates = self._candidates
        first = 0.0 if candidates.complete else 0.2  # share of the work that the candidates are
        while not candidates.complete and (candidates.too_few or time.monotonic() < began + CANDIDATE_TIME * seconds):
            yield Nearest(first * candidates.share, self._thread.submit(candidates.draw_more).result(), math.nan)
        descent = self._thread.submit(_Descent, self, photo, label, steps).result()
        while not descent.complete and time.monotonic() < began + seconds:
            until = min(time.monotonic() + REPORT_SECONDS, began + seconds)
            self._thread.submit(descent.advance, until).result()
            yield Nearest(first + (1 - first) * descent.share, descent.picture, descent.distance)
        yield self._thread.submit(descent.finish).result()

    def close(self) -> None:
        """Stop the thread."""
        self._thread.shutdown(cancel_futures=True)


def _lower_priority() -> None:
    """Let this thread use one core, and only when nothing else needs it."""
    torch.set_num_threads(1)
    try:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)  # of this thread alone, on Linux
    except (AttributeError, OSError):
        pass


class PerceptualFeatures:
    """What distances are computed from: pictures at three sizes, and the feature maps of a backbone, if there is one."""

    def __init__(self, backbone: Backbone | None) -> None:
        self._backbone = backbone

    def __call__(self, images: Tensor) -> list[Tensor]:
        """Pictures N×3×S×S in [−1, 1] → a list of features N×D, one for each size and each map, the coarsest first."""
        seen = []
        for factor in (16, 4, 1):
            small = avg_pool2d(images, factor) if images.shape[2] >= 2 * factor else images
            seen.append(small.flatten(1) / math.sqrt(small[0].numel()))
        if self._backbone is not None:
            fits = images.shape[2] == SIDE
            sized = images if fits else interpolate(images, (SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)
            for cells in reversed(self._backbone.maps(sized)):
                # Channels of unit length, as in LPIPS (Zhang et al. 2018, section 3).
                seen.append(normalize(cells, dim=1).flatten(1) / math.sqrt(cells.shape[2] * cells.shape[3]))
        return seen


def _squares(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    """Squared distances N×K between rows of the K features of `a` and `b`."""
    return torch.stack([(one - other).square().sum(1) for one, other in zip(a, b)], 1)


class _Candidates:
    """Flowers from which a descent may start, and their features. They are drawn once, a few at a time, for all searches."""

    def __init__(self, sampler: Sampler, perceptual: PerceptualFeatures, classes: int, truncation: float | None) -> None:
        self._sampler, self._perceptual = sampler, perceptual
        seeds = range(max(MIN_OF_CLASS, CANDIDATES // classes))
        self._wanted = [Flower(label, seed, truncation) for seed in seeds for label in range(classes)]
        self._enough = min(len(self._wanted), max(2 * BATCH, classes))
        self.flowers: list[Flower] = []
        self._features: list[Tensor] = []  # in half precision, to save memory
        self._squares = torch.zeros(0)

    @property
    def too_few(self) -> bool:
        """Whether no search can start yet."""
        return len(self.flowers) < self._enough

    @property
    def complete(self) -> bool:
        return len(self.flowers) == len(self._wanted)

    @property
    def share(self) -> float:
        return len(self.flowers) / len(self._wanted)

    @torch.no_grad()
    def draw_more(self) -> np.ndarray:
        """Draw BATCH more, and return the last picture, uint8 S×S×3.

        Where another search has drawn them all meanwhile, only the last one is drawn again.
        """
        more = self._wanted[len(self.flowers) : len(self.flowers) + BATCH]
        if not more:
            return self._sampler.draw(self._wanted[-1:])[0]
        pictures = self._sampler.draw(more)
        found = self._perceptual(_floats(pictures))
        half = [part.half() for part in found]
        self._features = [torch.cat(both) for both in zip(self._features, half)] if self._features else half
        self.flowers = [*self.flowers, *more]
        # Distances of each to the next three: to flowers of its own class and of others.
        turned = [_squares(found, [part.roll(turn, 0) for part in found]) for turn in (1, 2, 3) if turn < len(more)]
        self._squares = torch.cat([self._squares, *turned]) if len(self._squares) else torch.cat(turned)
        self._scale = self._squares.median(0).values.clamp_min(1e-8)
        return pictures[-1]

    def to_all(self, photo: Sequence[Tensor]) -> Tensor:
        """The squared distance N of each candidate to the features of a photo."""
        return (_squares([part.float() for part in self._features], photo) / self._scale).mean(1)

    def distances(self, a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
        """Squared distances N between rows of features, each divided by the median of two flowers, and averaged."""
        return (_squares(a, b) / self._scale).mean(1)


class _Descent:
    """The gradient descent for one photo, on coordinates in standard deviations of the latents of a class."""

    def __init__(self, owner: Inverter, photo: np.ndarray, label: int | None, steps: int) -> None:
        self._owner, self._candidates = owner, owner._candidates
        candidates = self._candidates
        with torch.no_grad():
            self._photo = owner._perceptual(_floats(resized(photo[None].copy(), owner.config.resolution)))
            near = candidates.to_all(self._photo)
            allowed = [number for number, flower in enumerate(candidates.flowers) if label in (None, flower.label)]
            best = sorted(allowed, key=lambda number: float(near[number]))[:STARTS]
            self._starts = [candidates.flowers[number] for number in (*best, best[0])]  # the last is set to the mean below
            of_seed, self._of_class = owner._sampler.latents(self._starts)
            self._systems = [owner.coordinates(flower.label) for flower in self._starts]
            self._point = torch.stack([system.of_latents(row) for system, row in zip(self._systems, of_seed)])
            self._point[-1] = 0
        self._point.requires_grad_()
        self._adam = torch.optim.Adam([self._point], RATE, betas=BETAS)
        self._trial_steps = min(TRIAL_STEPS, steps)
        self._done, self._all = 0, self._trial_steps + steps
        self._best, self._best_loss = self._point[0].detach().clone(), math.inf
        self._system, self._flower = self._systems[0], self._starts[0]
        self.picture, self.distance = owner._sampler.draw(self._starts[:1])[0], float(near[best[0]].sqrt())

    @property
    def share(self) -> float:
        return self._done / self._all

    @property
    def complete(self) -> bool:
        return self._done >= self._all

    def advance(self, until: float) -> None:
        """Take steps until a time of the monotonic clock, one at least."""
        while not self.complete:
            self._step()
            if time.monotonic() >= until:
                return

    def _step(self) -> None:
        self._adam.param_groups[0]["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * self.share))
        of_seed = torch.stack([system.to_latents(row) for system, row in zip(self._systems, self._point)])
        with torch.autocast("cpu", torch.bfloat16, enabled=self._owner._bf16):
            images = self._owner._generator.decode(of_seed, self._of_class).float()
        distances = self._candidates.distances(self._owner._perceptual(images), self._photo)
        losses = distances + PENALTY * self._point.square().mean(1)
        (self._point.grad,) = torch.autograd.grad(losses.sum(), self._point)  # weights get no gradient
        self._keep_best(images.detach(), distances.detach(), losses.detach())
        self._adam.step()
        self._done += 1

    def _keep_best(self, images: Tensor, distances: Tensor, losses: Tensor) -> None:
        """Keep the point with the lowest loss so far; after the trial steps, go on from the best start alone."""
        number = int(losses.argmin())
        if float(losses[number]) < self._best_loss:
            self._best_loss, self._best = float(losses[number]), self._point[number].detach().clone()
            self._system, self._flower = self._systems[number], self._starts[number]
            self.picture, self.distance = to_uint8(images[number, None])[0], float(distances[number].sqrt())
        if self._done == self._trial_steps - 1:
            assert self._point.grad is not None
            gradient = self._point.grad[number, None]
            self._point = self._point[number, None].detach().clone().requires_grad_()
            self._point.grad = gradient
            self._of_class, self._systems = self._of_class[number, None], self._systems[number : number + 1]
            self._starts = self._starts[number : number + 1]
            self._adam = torch.optim.Adam([self._point], self._adam.param_groups[0]["lr"], betas=BETAS)

    @torch.no_grad()
    def finish(self) -> Nearest:
        """The best point as a flower, and its picture as the sampler draws it."""
        base, _ = self._owner._sampler.latents([self._flower])
        shift = self._system.to_latents(self._best) - base[0]
        flower = replace(self._flower, shift=write_shift(shift))
        picture = self._owner._sampler.draw([flower])[0]
        distance = self._candidates.distances(self._owner._perceptual(_floats(picture[None])), self._photo)
        return Nearest(1.0, picture, float(distance.sqrt()), flower)


class _Coordinates:
    """Coordinates of latents: along the principal axes of the latents of one class, in standard deviations from their mean.

    Noise has these coordinates already, so that a model without styles keeps its latents.
    """

    def __init__(self, owner: Inverter, label: int) -> None:
        self._axes: Tensor | None = None
        if not owner.config.styled:
            return
        flower = Flower(label, 0, None)
        code = flower.code(owner.config).expand(SPREAD, -1)
        styles, _ = owner._generator.latents(range(SPREAD), code, None)
        self._mean = styles.mean(0)
        _, deviations, axes = torch.linalg.svd(styles - self._mean, full_matrices=False)
        deviations = deviations / math.sqrt(SPREAD)
        kept = deviations > 0.01 * deviations[0]  # the others do not change pictures visibly
        self._axes, self._deviations = axes[kept], deviations[kept]

    def to_latents(self, point: Tensor) -> Tensor:
        """Coordinates D → the latent W that `decode` takes."""
        return point if self._axes is None else self._mean + (point * self._deviations) @ self._axes

    def of_latents(self, latent: Tensor) -> Tensor:
        """A latent W → its coordinates D; without the part that is orthogonal to all axes."""
        return latent.clone() if self._axes is None else ((latent - self._mean) @ self._axes.T) / self._deviations


def _floats(pictures: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1
