"""Weights that are scaled wherever they are used: spectral norm and equalized learning rate."""

from __future__ import annotations

import math
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.nn.utils import parametrize

Weighted = TypeVar("Weighted", bound=nn.Module)  # with a weight: a convolution or a linear layer


class SpectralNorm(nn.Module):
    """W → W/σ(W), with σ the largest singular value of the weight as a matrix (Miyato et al. 2018, algorithm 1).

    One step of the power iteration is taken at every use in training; its vector u is kept. Weights change little from step to
    step, so σ is followed closely. No gradient flows through u and v.
    """

    u: Tensor

    def __init__(self, weight: Tensor, axis: int) -> None:
        """`axis` of `weight` has the output channels."""
        super().__init__()
        self.axis = axis
        self.register_buffer("u", weight.new_empty(weight.shape[axis]).uniform_(-1, 1))  # only its direction counts

    def forward(self, weight: Tensor) -> Tensor:
        """The weight divided by its largest singular value, of the same shape."""
        matrix = weight.movedim(self.axis, 0).flatten(1)
        with torch.no_grad():
            v = normalize((self.u[:, None] * matrix).sum(0), dim=0)  # sums, because autocast would round matrix products
            u = normalize((matrix * v).sum(1), dim=0)
            if self.training:
                self.u.copy_(u)
        return weight / (u * (matrix * v).sum(1)).sum()


class EqualizedRate(nn.Module):
    """W → W·√(2/fan-in), of weights that begin with a deviation of 1 (Karras et al. 2018, section 4.1).

    Adam's steps then are as large for every layer, measured in what the weights do.
    """

    def __init__(self, weight: Tensor, axis: int) -> None:
        """`axis` of `weight` has the output channels."""
        super().__init__()
        self.gain = math.sqrt(2 / (weight.numel() / weight.shape[axis]))

    def forward(self, weight: Tensor) -> Tensor:
        """The scaled weight, of the same shape."""
        return weight * self.gain


SCALINGS = {"sn": SpectralNorm, "eq": EqualizedRate}


def scaled(layer: Weighted, scaling: str) -> Weighted:
    """`layer` itself, its weight scaled by the entry of SCALINGS; unchanged for ""."""
    if scaling:
        axis = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
        scaling_module = SCALINGS[scaling](trained_weight(layer).detach(), axis)
        # "unsafe" leaves out a trial use, which costs seconds of imports where a model is first built without its weights.
        parametrize.register_parametrization(layer, "weight", scaling_module, unsafe=True)
    return layer


def is_scaled(layer: nn.Module) -> bool:
    """Whether `scaled` has given the layer a scaling."""
    return parametrize.is_parametrized(layer, "weight")


def trained_weight(layer: nn.Module) -> Tensor:
    """The parameter that is trained: before it is scaled."""
    weight = layer.parametrizations.weight.original if is_scaled(layer) else layer.weight  # type: ignore[union-attr, index]
    assert isinstance(weight, Tensor)
    return weight


def initial_deviation(layer: nn.Module, usual: float) -> float:
    """The deviation that the weight of `layer` is drawn with: 1 with an equalized rate, otherwise `usual`."""
    if is_scaled(layer) and isinstance(layer.parametrizations.weight[0], EqualizedRate):  # type: ignore[union-attr, index]
        return 1.0
    return usual


def fix_scaling(network: nn.Module) -> None:
    """Replace every scaled weight of `network` by its value, in place. For inference only."""
    for module in list(network.modules()):
        if is_scaled(module):
            weight = module.weight.detach()  # type: ignore[operator]  # torch's types do not know that it is a tensor
            # PyTorch's remove_parametrizations would also take the weight from all copies of the layer.
            del module._modules["parametrizations"]
            module.__class__ = type(module).__bases__[0]
            module.register_parameter("weight", nn.Parameter(weight, requires_grad=False))
