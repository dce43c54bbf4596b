"""The generator: noise and class code → pictures."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gan.config import ModelConfig
from gan.networks import latents
from gan.networks.layers import build, folded, init_weights
from gan.networks.style_generator import StyleGenerator


class Generator(nn.Module):
    """All generators of the paper's ladder, built from `config.generator` (paper, section 4).

    Keys of the state dict are `gen.<i>.0.weight`, `gen.<i>.1.running_mean`, …, those of the paper authors' files.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.gen = build(config.generator, config.z_dim + config.code_dim)

    def init_weights(self) -> None:
        """Draw all weights anew from torch's global generator."""
        init_weights(self)

    def calibrate(self) -> None:
        """Nothing: only a generator with styles has something to measure once its weights are what they will be."""

    def for_inference(self, dtype: torch.dtype) -> None:
        """Draw in `dtype` from now on, faster: norms go into the convolutions, whose weights are no longer the ones learnt."""
        self.gen = folded(self.gen).to(dtype, memory_format=torch.channels_last)

    def latents(self, seeds: Sequence[int], code: Tensor, truncation: float | None) -> tuple[Tensor, Tensor]:
        """Seeds N and class codes N×K → what `decode` takes: noise N×z_dim, cut at `truncation` (latents.noise), and the code.

        Raises UserError for a seed or a truncation out of range.
        """
        return latents.noise(seeds, self.config.z_dim, truncation).to(code.device), code

    def decode(self, noise: Tensor, code: Tensor) -> Tensor:
        """What `latents` gave, or a point between two of them → pictures N×3×S×S in [−1, 1]."""
        return self(noise, code)

    def forward(self, z: Tensor, code: Tensor) -> Tensor:
        """Noise N×z_dim and class code N×K (N×0 for a plain model) → pictures N×3×S×S in [−1, 1].

        A code row is one-hot for a pure class and any convex mix of rows for a mix of classes.
        """
        x = torch.cat([z, code.to(z.dtype)], dim=1).to(next(self.gen.parameters()).dtype)
        # Channels-last from the first layer on is what the convolutions are fastest in, on CPU and GPU alike.
        return self.gen(x[:, :, None, None].contiguous(memory_format=torch.channels_last))


def make_generator(config: ModelConfig) -> Generator | StyleGenerator:
    """The generator that `config` describes, its weights not drawn yet."""
    return StyleGenerator(config) if config.styled else Generator(config)


def one_hot(labels: Tensor, config: ModelConfig) -> Tensor:
    """Class indices N → codes N×K in float32 (N×0 for a plain model), as the generator takes them."""
    if not config.code_dim:
        return torch.zeros(len(labels), 0, device=labels.device)
    return nn.functional.one_hot(labels, config.code_dim).float()
