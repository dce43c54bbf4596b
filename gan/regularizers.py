"""What BigGAN and StyleGAN add to the generator's step: unlike filters, pictures of two styles, and even paths."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from gan.losses import orthogonality, path_lengths
from gan.networks.base import Generator
from gan.networks.weight_scaling import trained_weight
from gan.options import TrainConfig
from gan.utils.distributed import ALONE, ProcessGroup, ShardedRandom

PATH_DECAY = 0.01  # how fast the mean length follows (Karras et al. 2020, appendix B)


def mixed_noise(z: Tensor, scales: int, share: float, draws: ShardedRandom) -> Tensor:
    """Noise N×z_dim → N×L×z_dim, a row for each of the L `scales`: style mixing (Karras et al. 2019, section 3.1).

    A `share` of the samples, 0 to 1, takes another noise from a random scale on. Neighboring styles so cannot be correlated.
    """
    n = len(z)
    other, mixes = draws.normal(n, z.shape[1]).to(z.device), draws.uniform(n) < share
    first = 1 + (draws.uniform(n) * (scales - 1)).long()  # 1 to L − 1
    taken = (mixes[:, None] & (torch.arange(scales) >= first[:, None])).to(z.device)
    return torch.where(taken[:, :, None], other[:, None], z[:, None])


def filters_of(network: nn.Module) -> list[Tensor]:
    """The trained weights of all convolutions, each with its output channels, the filters, along the first axis."""
    # A transposed convolution has its input channels there, and a filter's numbers along the others.
    turned = {id(trained_weight(module)) for module in network.modules() if isinstance(module, nn.ConvTranspose2d)}
    weights = (weight for weight in network.parameters() if weight.ndim == 4)
    return [weight.transpose(0, 1) if id(weight) in turned else weight for weight in weights]


class PathLength:
    """E[(‖Jᵀy‖₂ − a)²]: a step of the style changes the picture equally far everywhere (Karras et al. 2020, section 3.2).

    y is noise of the picture's shape, and a the moving mean of the lengths.
    """

    def __init__(self, processes: ProcessGroup = ALONE) -> None:
        self.processes = processes
        self.mean = torch.zeros(())

    def __call__(self, generator: Generator, z: Tensor, code: Tensor, draws: ShardedRandom) -> Tensor:
        """The penalty, not yet weighted, for noise N×z_dim and class codes N×K. Moves the mean."""
        styles = generator.styles(z, code)
        pictures = generator.synthesize(styles, draws=draws)
        lengths = path_lengths(pictures, styles, draws.normal(*pictures.shape).to(z.device))
        with torch.no_grad():
            self.mean = self.mean.to(z.device).lerp(self.processes.mean(lengths.detach().mean()), PATH_DECAY)
        return (lengths - self.mean).square().mean()


class Regularizers:
    """What the generator minimizes whatever it draws, as far as a training asks for it."""

    def __init__(self, config: TrainConfig, processes: ProcessGroup = ALONE) -> None:
        self.config = config
        self.path_length = PathLength(processes) if config.path_length_weight else None

    def __call__(self, generator: Generator, code: Tensor, draws: ShardedRandom, step: int) -> Tensor:
        """The weighted sum, 0 where nothing is asked for. `code` N×K is the batch's, `step` counts the generator's steps."""
        config, total = self.config, torch.zeros((), device=code.device)
        if config.orthogonal_weight:
            total = total + config.orthogonal_weight * orthogonality(filters_of(generator))
        if self.path_length and step % config.path_length_every == 0:
            half = code[::2]  # enough for an estimate (Karras et al. 2020, appendix B); of every process's rows
            z = draws.normal(len(half), generator.config.z_dim).to(code.device)
            weight = config.path_length_every * config.path_length_weight
            total = total + weight * self.path_length(generator, z, half, draws)
        return total

    def state(self) -> dict[str, Any]:
        """What resuming needs; nothing where there is no moving mean."""
        return {"mean_path": self.path_length.mean} if self.path_length else {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
        if self.path_length:
            self.path_length.mean = state["mean_path"]
