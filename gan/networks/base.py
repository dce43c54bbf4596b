"""What every generator and every critic can do. Trainer, sampler and evaluation use these methods and no others."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gan.config import ModelConfig
from gan.errors import UserError
from gan.networks import latents
from gan.utils.distributed import ShardedRandom


class Generator(nn.Module):
    """Noise and class code → pictures. `gan.generator.make_generator` builds the one that a description asks for."""

    config: ModelConfig

    @property
    def style_scales(self) -> int:
        """How many scales take a style of their own, L; 0 for a generator without styles."""
        return 0

    @property
    def sides(self) -> tuple[int, ...]:
        """The sides in pixels of the pictures that `decode` can draw, the last of them S."""
        return (self.config.resolution,)

    def init_weights(self) -> None:
        """Draw all weights anew from torch's global generator."""
        raise NotImplementedError

    def calibrate(self) -> None:
        """Measure what `latents` needs of finished weights. Does nothing where that is nothing."""

    def for_inference(self, dtype: torch.dtype) -> None:
        """Draw in `dtype` from now on, faster. The weights must not change afterwards."""
        raise NotImplementedError

    def begin_coarse(self, side: int) -> None:
        """Take what is finer than `side` pixels out of the picture until it has learned to add to it."""
        raise NotImplementedError

    def freeze_below(self, side: int) -> None:
        """Train only the layers that add to the picture from `side` pixels on. Raises UserError where there are none."""
        raise UserError(
            f"--freeze-below wants a generator that adds up scales, as flagship has; {self.config.preset} has none."
        )

    def latents(self, seeds: Sequence[int], code: Tensor, truncation: float | None) -> tuple[Tensor, Tensor]:
        """Seeds N and class codes N×K → the two arguments of `decode`: what each seed gives, and what each class gives.

        Without styles these are noise N×z_dim, cut at `truncation` (latents.noise), and the codes. Raises UserError for a seed
        or a truncation out of range.
        """
        return latents.noise(seeds, self.config.z_dim, truncation).to(code.device), code

    def decode(self, of_seed: Tensor, of_class: Tensor, side: int | None = None) -> Tensor:
        """What `latents` returned, or a point between two such rows → pictures N×3×S×S, around [−1, 1].

        `side` asks for the coarser picture on the way to S: one of `sides`.
        """
        return self(of_seed, of_class, side)

    def maps(self, of_seed: Tensor, of_class: Tensor) -> tuple[list[tuple[str, Tensor]], Tensor]:
        """What `latents` returned → each layer with what it gives, and the picture N×3×S×S as `decode` gives it.

        A layer is its string in `config.generator`; what it gives are maps N×C×H×W in float32. Layers without maps (embeddings,
        mapping) and those that only draw a picture (`rgb`) are left out.
        """
        raise NotImplementedError

    def grow(self, side: int, share: float) -> None:
        """Draw `side` pixels from now on; the layers of this side count `share`, 0 to 1. Does nothing where nothing fades."""

    def styles(self, z: Tensor, code: Tensor) -> Tensor:
        """Noise N×z_dim, or N×L×z_dim with a row for each scale, and class codes N×K → styles N×L×W. With styles only."""
        raise NotImplementedError

    def synthesize(self, styles: Tensor, side: int | None = None, draws: ShardedRandom | None = None) -> Tensor:
        """Styles N×W or N×L×W → pictures N×3×S×S. With styles only; `side` and `draws` as in `forward`."""
        raise NotImplementedError

    def forward(self, z: Tensor, code: Tensor, side: int | None = None, draws: ShardedRandom | None = None) -> Tensor:
        """Noise N×z_dim and class codes N×K (N×0 for a plain model) → pictures N×3×S×S, around [−1, 1].

        A code row is one-hot for a class, or a convex mix of such rows. `side` asks for a coarser picture, of a generator that
        grows. Layers that add a number to every pixel take it from `draws`; without, they add the ones that they keep.
        """
        raise NotImplementedError


class Maps:
    """What layers give, copied as they give it: a function to call with maps N×C×H×W."""

    def __init__(self) -> None:
        self.found: list[Tensor] = []

    def __call__(self, x: Tensor) -> None:
        """Keep a copy of `x` in float32. A later layer may change `x` in place."""
        self.found.append(x.to(torch.float32, copy=True))

    def named(self, layers: Sequence[str]) -> list[tuple[str, Tensor]]:
        """The copies, each with its layer. The last of `layers` may not have been in use."""
        return list(zip(layers, self.found))


class Critic(nn.Module):
    """A picture and its class → one score or several. `gan.critic.make_critic` builds the one that a description asks for."""

    needs_calibration = False  # whether `calibrate` has to see photos before the first score

    @property
    def piecewise_linear(self) -> bool:
        """Whether `gradient` can be asked for."""
        return False

    def init_weights(self) -> None:
        """Draw all weights anew from torch's global generator."""
        raise NotImplementedError

    def calibrate(self, images: Tensor) -> None:
        """Measure what the critic needs to know of photos N×3×S×S in [−1, 1]. Does nothing where that is nothing."""

    def features(self, images: Tensor) -> Tensor:
        """Pictures N×3×S×S in [−1, 1] → what `forward` takes of them: the pictures themselves, or features N×F."""
        return images

    def forward(self, seen: Tensor, code: Tensor) -> Tensor:
        """What `features` returned, and class codes N×K → scores N or N×H, unbounded; higher means more like a photo."""
        raise NotImplementedError

    def scores(self, real: Tensor, fake: Tensor, code: Tensor, mixed: bool = False) -> tuple[Tensor, Tensor]:
        """The scores of photos and of pictures, as `features` returned them, of the same class codes N×K.

        In two passes, because a batch norm must not mix photos with pictures (slides); in one if `mixed`.
        """
        if mixed:
            of_real, of_fake = self(torch.cat([real, fake]), torch.cat([code, code])).chunk(2)
            return of_real, of_fake
        return self(real, code), self(fake, code)

    def grow(self, side: int, share: float) -> None:
        """Judge `side` pixels from now on; the layers of this side count `share`, 0 to 1. Does nothing where nothing fades."""

    def gradient(self, images: Tensor, code: Tensor) -> Tensor:
        """∂score/∂images, N×3×S×S in float32, where the critic is `piecewise_linear`."""
        raise NotImplementedError
