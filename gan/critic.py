"""The critic: a picture and its class → one score."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv_transpose2d

from gan.config import ModelConfig, parse_projected
from gan.networks.backbones import find_backbone
from gan.networks.base import Critic
from gan.networks.conditional_norm import run
from gan.networks.growing import GrowingCritic
from gan.networks.layers import build, channels_last, init_weights, with_planes
from gan.networks.projected_critic import ProjectedCritic
from gan.networks.weight_scaling import is_scaled


class ConvCritic(Critic):
    """Layers down to a 1×1 score (paper, section 4), conditioned through K constant class planes or by the last layer.

    The paper does not publish its critics; `layers` says which one this is.
    """

    def __init__(self, config: ModelConfig, layers: tuple[str, ...]) -> None:
        super().__init__()
        self._planes = layers[-1][0] not in "PX"  # the last layer knows the class, so the first one need not
        self.critic = build(layers, 3 + config.code_dim * self._planes, config.code_dim)

    def init_weights(self) -> None:
        """Draw all weights anew from torch's global generator."""
        init_weights(self)

    def forward(self, seen: Tensor, code: Tensor) -> Tensor:
        """Pictures N×3×S×S in [−1, 1] and class codes N×K → scores N, unbounded; higher means more like a photo.

        With the last layer `X`: N×(1+K), a score and the logits of the classes.
        """
        score = run(self.critic, with_planes(seen, code if self._planes else code[:, :0]), repeat(code))
        return score if score.ndim == 2 else score.flatten()

    @property
    def piecewise_linear(self) -> bool:
        """Whether it has nothing but convolutions and leaky ReLUs, which `gradient` relies on."""
        parts = [part for block in self.critic for part in (block if isinstance(block, nn.Sequential) else [block])]
        return all(isinstance(part, (nn.Conv2d, nn.LeakyReLU)) and not is_scaled(part) for part in parts)

    def _convolutions(self) -> Iterator[tuple[nn.Conv2d, nn.LeakyReLU | None]]:
        """Each convolution with the activation behind it, of a critic that is `piecewise_linear`."""
        for block in self.critic:
            conv, *activation = block.children()
            assert isinstance(conv, nn.Conv2d)
            yield conv, next((part for part in activation if isinstance(part, nn.LeakyReLU)), None)

    def gradient(self, images: Tensor, code: Tensor) -> Tensor:
        """∂score/∂images, N×3×S×S in float32, of a critic that is `piecewise_linear`; differentiable by its weights alone.

        The chain of transposed convolutions is written out. Autograd would find the same, and then go back through the scores
        as well, where all gradients are 0, because a leaky ReLU is linear except at 0: half as much arithmetic again.
        """
        steps: list[tuple[nn.Conv2d, torch.Size, Tensor | None]] = []
        x = with_planes(images, code)
        with torch.no_grad():
            for conv, activation in self._convolutions():
                before, x, bends = x.shape, conv(x), None
                if activation:
                    bends = torch.where(x > 0, 1.0, activation.negative_slope).to(x.dtype)
                    x = x * bends
                steps.append((conv, before, bends))
        gradient = torch.ones_like(x)
        for number, (conv, before, bends) in reversed(list(enumerate(steps))):
            gradient = gradient if bends is None else gradient * bends
            # Of the first layer's input only the picture is asked for, not the planes.
            weight = conv.weight if number else conv.weight[:, : images.shape[1]]
            stride, padding = _pair(conv.stride), _pair(conv.padding)
            rest = [(n + 2 * p - k) % s for n, p, k, s in zip(before[2:], padding, conv.kernel_size, stride)]
            gradient = conv_transpose2d(gradient, weight, None, stride, padding, rest)
        return gradient.float()


def _pair(value: Any) -> tuple[int, int]:
    """What torch keeps of a stride or padding, which its types allow to be a word, too."""
    height, width = value
    return height, width


def make_critic(config: ModelConfig, layers: tuple[str, ...], device: torch.device) -> Critic:
    """The critic that `layers` describes (config.py), its weights not drawn yet, on `device`.

    Raises UserError when it looks through a network whose weights are not installed.
    """
    critic: Critic
    if found := parse_projected(layers):
        critic = ProjectedCritic(config, find_backbone(found.backbone, device), found.width)
    elif layers[0].startswith("rgb"):
        critic = GrowingCritic(config, layers)
    else:
        critic = ConvCritic(config, layers)
    channels_last(critic, device)
    return critic
