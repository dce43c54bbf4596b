"""The generator: noise and class code → pictures."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gan.config import ModelConfig
from gan.networks import latents
from gan.networks.base import Generator
from gan.networks.layers import build, channels_last, folded, init_weights
from gan.networks.style_generator import StyleGenerator


class ConvGenerator(Generator):
    """The generators of the paper's ladder, built from `config.generator` (paper, section 4).

    Keys of the state dict are `gen.<i>.0.weight`, `gen.<i>.1.running_mean`, …, those of the paper authors' files.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.gen = build(config.generator, config.z_dim + config.code_dim)

    def init_weights(self) -> None:
        """Draw all weights anew from torch's global generator."""
        init_weights(self)

    def for_inference(self, dtype: torch.dtype) -> None:
        """Draw in `dtype` from now on: batch norms are folded into the convolutions before them."""
        self.gen = channels_last(folded(self.gen), dtype=dtype)

    def latents(self, seeds: Sequence[int], code: Tensor, truncation: float | None) -> tuple[Tensor, Tensor]:
        """Seeds N and class codes N×K → noise N×z_dim, cut at `truncation` (latents.noise), and the codes.

        Raises UserError for a seed or a truncation out of range.
        """
        return latents.noise(seeds, self.config.z_dim, truncation).to(code.device), code

    def decode(self, of_seed: Tensor, of_class: Tensor, side: int | None = None) -> Tensor:
        """Noise N×z_dim and class codes N×K, as `latents` returns them → pictures N×3×S×S in [−1, 1]; `side` is S or None."""
        return self(of_seed, of_class, side)

    def forward(self, z: Tensor, code: Tensor, side: int | None = None) -> Tensor:
        """Noise N×z_dim and class codes N×K (N×0 for a plain model) → pictures N×3×S×S in [−1, 1]; `side` is S or None."""
        assert side in (None, self.config.resolution), "only a generator with styles draws coarser pictures"
        x = torch.cat([z, code.to(z.dtype)], dim=1).to(next(self.gen.parameters()).dtype)
        # Channels-last from the first layer on is what the convolutions are fastest in, on CPU and GPU alike.
        return self.gen(x[:, :, None, None].contiguous(memory_format=torch.channels_last))


def make_generator(config: ModelConfig) -> Generator:
    """The generator that `config` describes, its weights not drawn yet."""
    return StyleGenerator(config) if config.styled else ConvGenerator(config)


def one_hot(labels: Tensor, config: ModelConfig) -> Tensor:
    """Class indices N → codes N×K in float32 (N×0 for a plain model), as the generator takes them."""
    if not config.code_dim:
        return torch.zeros(len(labels), 0, device=labels.device)
    return nn.functional.one_hot(labels, config.code_dim).float()
