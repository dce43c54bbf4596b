"""The generator: noise and class code → pictures."""

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat

import torch
from torch import Tensor, nn

from gan.config import ModelConfig, parse_layer
from gan.networks.base import Generator, Maps
from gan.networks.conditional_norm import run
from gan.networks.growing import GrowingGenerator
from gan.networks.layers import build, for_inference, init_weights
from gan.networks.style_generator import StyleGenerator
from gan.utils.distributed import ShardedRandom


class ConvGenerator(Generator):
    """The generators of the paper's ladder, built from `config.generator` (paper, section 4).

    The class goes into the first layer beside the noise, or into the layers with `cbn`; with `E` each of those gets the
    embedding of the class and a share of the noise (Brock et al. 2019, figure 15).

    Keys of the state dict are `gen.<i>.0.weight`, `gen.<i>.1.running_mean`, …, those of the paper authors' files.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        layers, share = config.generator, config.z_dim // config.noise_shares
        self.embed: nn.Linear | None = None
        condition = config.code_dim
        if layers[0].startswith("E"):
            if config.code_dim:
                self.embed = nn.Linear(config.code_dim, parse_layer(layers[0]).channels, bias=False)
            condition = share + (self.embed.out_features if self.embed else 0)
            layers = layers[1:]
        self.gen = build(layers, share + (0 if config.class_in_norms else config.code_dim), condition)

    def init_weights(self) -> None:
        """Draw all weights anew from torch's global generator."""
        init_weights(self)
        if self.embed is not None:
            nn.init.normal_(self.embed.weight)

    def for_inference(self, dtype: torch.dtype) -> None:
        """Draw in `dtype` from now on: batch norms are folded into the convolutions before them."""
        self.gen = for_inference(self.gen, dtype)

    def forward(self, z: Tensor, code: Tensor, side: int | None = None, draws: ShardedRandom | None = None) -> Tensor:
        """Noise N×z_dim and class codes N×K (N×0 for a plain model) → pictures N×3×S×S in [−1, 1]; `side` is S or None."""
        assert side in (None, self.config.resolution), "only a generator that grows draws coarser pictures"
        return self._drawn(z, code)

    def maps(self, of_seed: Tensor, of_class: Tensor) -> tuple[list[tuple[str, Tensor]], Tensor]:
        """Each layer with its maps, the last of which are the picture, and the picture."""
        maps = Maps()
        picture = self._drawn(of_seed, of_class, maps)
        return maps.named([text for text in self.config.generator if not text.startswith("E")]), picture

    def _drawn(self, z: Tensor, code: Tensor, visit: Callable[[Tensor], None] | None = None) -> Tensor:
        """The pictures; `visit` is shown what each layer gives."""
        code = code.to(z.dtype)
        z, *shares = z.chunk(self.config.noise_shares, 1)
        x = (z if self.config.class_in_norms else torch.cat([z, code], dim=1)).to(next(self.gen.parameters()).dtype)
        shared = code if self.embed is None else self.embed(code)
        conditions = (torch.cat([shared, share], 1) for share in shares) if shares else repeat(code)
        # Channels-last from the first layer on is what the convolutions are fastest in, on CPU and GPU alike.
        return run(self.gen, x[:, :, None, None].contiguous(memory_format=torch.channels_last), iter(conditions), visit)


def make_generator(config: ModelConfig) -> Generator:
    """The generator that `config` describes, its weights not drawn yet."""
    if config.styled:
        return StyleGenerator(config)
    return GrowingGenerator(config) if config.fades else ConvGenerator(config)


def one_hot(labels: Tensor, config: ModelConfig) -> Tensor:
    """Class indices N → codes N×K in float32 (N×0 for a plain model), as the generator takes them."""
    if not config.code_dim:
        return torch.zeros(len(labels), 0, device=labels.device)
    return nn.functional.one_hot(labels, config.code_dim).float()
