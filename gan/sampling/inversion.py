"""The flower nearest to a photo: a search in the latent space of a frozen generator, by gradient descent.

After Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", section 5 and appendix D, with what a small
model and one processor core want: it begins at the best of many flowers and not at the mean, a pull keeps it where flowers
live (Abdal et al. 2019, "Image2StyleGAN", find anything at all where nothing holds them), and the steps are counted.
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

CANDIDATES, LEAST = 144, 16  # flowers that are looked at first, and of each class at least
STARTS, TRIAL = 2, 10  # so many of them, and the mean, are each followed for so many steps, then the best alone
STEPS = 90  # of the best alone
SECONDS = 25.0  # the search ends then, however far it has come; on one busy core it takes about 20
RATE, BETAS = 0.08, (0.9, 0.99)  # of Adam; the rate in units of the spread
PULL = 0.02  # what a flower one deviation from the mean costs, in units of the distance of two flowers, squared
SIDE = 128  # what the frozen network looks at: 224, as it was trained, would take three times as long
EVERY = 0.35  # seconds between two pieces of news
BUNCH = 8  # flowers that are looked at at once
GATHERING = 0.5  # of its seconds that a search looks at flowers at most; the next one looks at the rest
_NICE = 10


@dataclass(frozen=True)
class Nearest:
    """How far a search has come. `distance` is 0 for the photo itself and 1 for two flowers drawn at random, typically."""

    share: float  # of the work that is done, 0 to 1
    picture: np.ndarray  # the best so far, uint8 S×S×3
    distance: float
    flower: Flower | None = None  # at the end; then `picture` is what `Sampler.draw` makes of it


class Inverter:
    """Searches for flowers on one thread of its own, with the exact weights of a sampler's model.

    What it reads is never written: only the latent has a gradient.
    """

    def __init__(
        self, generator: Generator, sampler: Sampler, truncation: float | None, backbone: Backbone | None = None,
    ) -> None:  # fmt: skip
        """`generator` is the model of `sampler`, in evaluation mode, on the CPU. Flowers are found at `truncation`.

        With `backbone`, distances are those of pixels and of what it sees; without it, of pixels alone.
        """
        self.config, self._generator, self._sampler = generator.config, generator, sampler
        self._truncation = truncation
        self._perceptual, self.pixels_only = PerceptualFeatures(backbone), backbone is None
        self._bf16 = pick_precision(torch.device("cpu")) == "bf16"
        self._thread = ThreadPoolExecutor(1, "invert", initializer=_modest)
        self._crowd = _Crowd(sampler, self._perceptual, len(self.config.classes), truncation)
        self.space = lru_cache(maxsize=None)(lambda label: _Space(self, label))

    def search(self, photo: np.ndarray, label: int | None, seconds: float = SECONDS, steps: int = STEPS) -> Iterator[Nearest]:
        """Search for the flower of class `label` (None: of any) that is nearest to `photo`, uint8 H×H×3.

        Yields how far it has come a few times a second, and at last the flower. `steps` bounds the work, so that the same
        photo gives the same flower; `seconds` ends it early where the computer is too slow for that. Closing the iterator
        ends the work within a step.
        """
        began = time.monotonic()
        crowd = self._crowd
        first = 0.0 if crowd.complete else 0.2
        while not crowd.complete and (crowd.empty or time.monotonic() < began + GATHERING * seconds):
            yield Nearest(first * crowd.share, self._thread.submit(crowd.gather).result(), math.nan)
        search = self._thread.submit(_Search, self, photo, label, steps).result()
        while not search.complete and time.monotonic() < began + seconds:
            until = min(time.monotonic() + EVERY, began + seconds)
            self._thread.submit(search.advance, until).result()
            yield Nearest(first + (1 - first) * search.share, search.picture, search.distance)
        yield self._thread.submit(search.finish).result()

    def close(self) -> None:
        """Stop the thread."""
        self._thread.shutdown(cancel_futures=True)


def _modest() -> None:
    """One core, and after everybody else who wants it."""
    torch.set_num_threads(1)
    try:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)  # of this thread alone, on Linux
    except (AttributeError, OSError):
        pass


class PerceptualFeatures:
    """What a distance goes by: pictures at several sizes, and the maps of a frozen network where there is one."""

    def __init__(self, backbone: Backbone | None) -> None:
        self._backbone = backbone

    def __call__(self, images: Tensor) -> list[Tensor]:
        """Pictures N×3×S×S in [−1, 1] → a vector each for every thing that is looked at, the coarsest first: list of N×D."""
        seen = []
        for factor in (16, 4, 1):
            small = avg_pool2d(images, factor) if images.shape[2] >= 2 * factor else images
            seen.append(small.flatten(1) / math.sqrt(small[0].numel()))
        if self._backbone is not None:
            fits = images.shape[2] == SIDE
            sized = images if fits else interpolate(images, (SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)
            for cells in reversed(self._backbone.maps(sized)):
                # Directions of the channels, as Zhang et al. 2018 compare them ("The Unreasonable Effectiveness…", section 3).
                seen.append(normalize(cells, dim=1).flatten(1) / math.sqrt(cells.shape[2] * cells.shape[3]))
        return seen


def _squares(some: Sequence[Tensor], others: Sequence[Tensor]) -> Tensor:
    """Squared distances of rows of `some` and `others`, a column for every thing looked at: N×K."""
    return torch.stack([(a - b).square().sum(1) for a, b in zip(some, others)], 1)


class _Crowd:
    """Many flowers, what is seen of each, and how far two of them typically are from one another. Gathered once, bit by bit."""

    def __init__(self, sampler: Sampler, gaze: PerceptualFeatures, classes: int, truncation: float | None) -> None:
        self._sampler, self._perceptual = sampler, gaze
        seeds = range(max(LEAST, CANDIDATES // classes))
        self._wanted = [Flower(label, seed, truncation) for seed in seeds for label in range(classes)]
        self._enough = min(len(self._wanted), max(2 * BUNCH, classes))
        self.flowers: list[Flower] = []
        self._seen: list[Tensor] = []  # in half precision: they are many
        self._squares = torch.zeros(0)

    @property
    def empty(self) -> bool:
        return len(self.flowers) < self._enough

    @property
    def complete(self) -> bool:
        return len(self.flowers) == len(self._wanted)

    @property
    def share(self) -> float:
        return len(self.flowers) / len(self._wanted)

    @torch.no_grad()
    def gather(self) -> np.ndarray:
        """Look at some more; the picture of the last of them, uint8 S×S×3."""
        more = self._wanted[len(self.flowers) : len(self.flowers) + BUNCH]
        pictures = self._sampler.draw(more)
        seen = self._perceptual(_floats(pictures))
        half = [part.half() for part in seen]
        self._seen = [torch.cat(both) for both in zip(self._seen, half)] if self._seen else half
        self.flowers = [*self.flowers, *more]
        # Each with the next three: of its own class and of others, where there are others.
        turned = [_squares(seen, [part.roll(turn, 0) for part in seen]) for turn in (1, 2, 3) if turn < len(more)]
        self._squares = torch.cat([self._squares, *turned]) if len(self._squares) else torch.cat(turned)
        self._scale = self._squares.median(0).values.clamp_min(1e-8)
        return pictures[-1]

    def to_all(self, photo: Sequence[Tensor]) -> Tensor:
        """The squared distance of each flower to what is seen of a photo, N."""
        return (_squares([part.float() for part in self._seen], photo) / self._scale).mean(1)

    def distances(self, some: Sequence[Tensor], others: Sequence[Tensor]) -> Tensor:
        """Squared distances of rows, in units of two flowers: N."""
        return (_squares(some, others) / self._scale).mean(1)


class _Search:
    """One photo's search, in units of the spread of each class."""

    def __init__(self, owner: Inverter, photo: np.ndarray, label: int | None, steps: int) -> None:
        self._owner, self._crowd = owner, owner._crowd
        crowd = self._crowd
        with torch.no_grad():
            self._photo = owner._perceptual(_floats(resized(photo[None].copy(), owner.config.resolution)))
            near = crowd.to_all(self._photo)
            allowed = [number for number, flower in enumerate(crowd.flowers) if label in (None, flower.label)]
            best = sorted(allowed, key=lambda number: float(near[number]))[:STARTS]
            self._starts = [crowd.flowers[number] for number in (*best, best[0])]  # the last stands for the mean of its class
            own, self._of_class = owner._sampler.latents(self._starts)
            self._spaces = [owner.space(flower.label) for flower in self._starts]
            self._place = torch.stack([space.place(row) for space, row in zip(self._spaces, own)])
            self._place[-1] = 0
        self._place.requires_grad_()
        self._adam = torch.optim.Adam([self._place], RATE, betas=BETAS)
        self._trial = min(TRIAL, steps)
        self._done, self._all = 0, self._trial + steps
        self._best, self._best_loss = self._place[0].detach().clone(), math.inf
        self._space, self._flower = self._spaces[0], self._starts[0]
        self.picture, self.distance = owner._sampler.draw(self._starts[:1])[0], float(near[best[0]].sqrt())

    @property
    def share(self) -> float:
        return self._done / self._all

    @property
    def complete(self) -> bool:
        return self._done >= self._all

    def advance(self, until: float) -> None:
        """Take steps until that time of the monotonic clock, one at least."""
        while not self.complete:
            self._step()
            if time.monotonic() >= until:
                return

    def _step(self) -> None:
        self._adam.param_groups[0]["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * self.share))
        own = torch.stack([space.to_latents(row) for space, row in zip(self._spaces, self._place)])
        with torch.autocast("cpu", torch.bfloat16, enabled=self._owner._bf16):
            images = self._owner._generator.decode(own, self._of_class).float()
        distances = self._crowd.distances(self._owner._perceptual(images), self._photo)
        losses = distances + PULL * self._place.square().mean(1)
        (self._place.grad,) = torch.autograd.grad(losses.sum(), self._place)  # of the place alone, whatever else could have one
        self._note(images.detach(), distances.detach(), losses.detach())
        self._adam.step()
        self._done += 1

    def _note(self, images: Tensor, distances: Tensor, losses: Tensor) -> None:
        """Keep the best so far, and after the trial that start alone."""
        number = int(losses.argmin())
        if float(losses[number]) < self._best_loss:
            self._best_loss, self._best = float(losses[number]), self._place[number].detach().clone()
            self._space, self._flower = self._spaces[number], self._starts[number]
            self.picture, self.distance = to_uint8(images[number, None])[0], float(distances[number].sqrt())
        if self._done == self._trial - 1:
            gradient = self._place.grad[number, None]
            self._place = self._place[number, None].detach().clone().requires_grad_()
            self._place.grad = gradient
            self._of_class, self._spaces = self._of_class[number, None], self._spaces[number : number + 1]
            self._starts = self._starts[number : number + 1]
            self._adam = torch.optim.Adam([self._place], self._adam.param_groups[0]["lr"], betas=BETAS)

    @torch.no_grad()
    def finish(self) -> Nearest:
        """The best as a flower, drawn as everybody draws it."""
        base, _ = self._owner._sampler.latents([self._flower])
        shift = self._space.to_latents(self._best) - base[0]
        flower = replace(self._flower, shift=write_shift(shift))
        picture = self._owner._sampler.draw([flower])[0]
        distance = self._crowd.distances(self._owner._perceptual(_floats(picture[None])), self._photo)
        return Nearest(1.0, picture, float(distance.sqrt()), flower)


class _Space:
    """The latents of a class, as how many deviations they are from its mean along each of their own axes."""

    def __init__(self, owner: Inverter, label: int) -> None:
        if not owner.config.styled:
            self._axes = None
            return
        flower = Flower(label, 0, None)
        code = flower.code(owner.config).expand(SPREAD, -1)
        styles, _ = owner._generator.latents(range(SPREAD), code, None)
        self._middle = styles.mean(0)
        _, deviations, axes = torch.linalg.svd(styles - self._middle, full_matrices=False)
        deviations = deviations / math.sqrt(SPREAD)
        kept = deviations > 0.01 * deviations[0]  # along the others nothing is ever seen to move
        self._axes, self._deviations = axes[kept], deviations[kept]

    def to_latents(self, place: Tensor) -> Tensor:
        """A place D → what `decode` takes of it, W."""
        return place if self._axes is None else self._middle + (place * self._deviations) @ self._axes

    def place(self, own: Tensor) -> Tensor:
        """The place of a latent, the nearest one where it lies off every axis."""
        return own.clone() if self._axes is None else ((own - self._middle) @ self._axes.T) / self._deviations


SPREAD = 1024  # flowers by which the spread of a class is measured


def _floats(pictures: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1
