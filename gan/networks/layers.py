"""Layer strings of `config.py` → torch modules, for generators and critics."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from gan.config import Layer, parse_layer

Network = TypeVar("Network", bound=nn.Module)


def build(layers: tuple[str, ...], in_channels: int) -> nn.Sequential:
    """A network with one entry for each layer string: an upsampling, or a `Sequential` of convolution, norm and activation.

    Its state has the keys `<i>.0.weight` (convolution) and `<i>.1.*` (norm), as in the files of the paper's authors.
    """
    modules, channels = [], in_channels
    for text in layers:
        layer = parse_layer(text)
        modules.append(_block(layer, channels))
        channels = layer.channels or channels
    return nn.Sequential(*modules)


def _block(layer: Layer, in_channels: int) -> nn.Module:
    """The module of one layer."""
    if layer.op.startswith("up"):
        return nn.Upsample(scale_factor=2, mode="bilinear", align_corners=layer.op == "up-corners")
    conv = nn.Conv2d if layer.op == "C" else nn.ConvTranspose2d
    parts: list[nn.Module] = [conv(in_channels, layer.channels, layer.kernel, layer.stride, layer.padding)]
    if layer.norm == "bn":
        parts.append(nn.BatchNorm2d(layer.channels))
    elif layer.norm == "ln":
        parts.append(nn.GroupNorm(1, layer.channels))  # one group: statistics of a single sample
    if layer.activation == "relu":
        parts.append(nn.ReLU(inplace=True))
    elif layer.activation == "lrelu":
        parts.append(nn.LeakyReLU(0.2, inplace=True))
    elif layer.activation == "tanh":
        parts.append(nn.Tanh())
    return nn.Sequential(*parts)


def folded(network: nn.Sequential) -> nn.Sequential:
    """A copy of a network of `build`, for inference only: batch norms are merged into the convolutions before them.

    A batch norm in evaluation mode is a scale and a shift of each channel, so results differ only by rounding.
    """
    return nn.Sequential(
        *(_folded_block(block) if isinstance(block, nn.Sequential) else block for block in copy.deepcopy(network))
    )


def _folded_block(block: nn.Sequential) -> nn.Sequential:
    """A block without its batch norm, and with the faster ReLU."""
    conv, *rest = block
    if rest and isinstance(rest[0], nn.BatchNorm2d):
        conv = fuse_conv_bn_eval(conv, rest.pop(0), isinstance(conv, nn.ConvTranspose2d))  # type: ignore[type-var, arg-type]
    return nn.Sequential(conv, *(_FastReLU() if isinstance(part, nn.ReLU) else part for part in rest))


class _FastReLU(nn.Module):
    """max(x, 0), in place.

    A negative bfloat16 has the bits of a negative int16, and PyTorch clamps int16 six times as fast on the CPU.
    """

    def forward(self, x: Tensor) -> Tensor:
        """`x` itself, of any shape, with negative values set to 0."""
        if x.dtype != torch.bfloat16:
            return x.clamp_(min=0)
        x.view(torch.int16).clamp_(min=0)
        return x


def init_weights(network: nn.Module, std: float = 0.02) -> None:
    """Draw convolution and batch-norm weights from N(0, std²) around 0 and 1, biases 0, in place (DCGAN, section 3).

    Uses torch's global generator; seed it first where the result has to be reproducible.
    """
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, 0.0, std)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, std)
            nn.init.zeros_(module.bias)


def channels_last(network: Network, device: torch.device | None = None, dtype: torch.dtype | None = None) -> Network:
    """`network` itself, on `device` and in `dtype`, with weights in the memory layout in which convolutions are fastest."""
    return network.to(device, dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's types lack it


def parameters(network: nn.Module) -> int:
    """The number of parameters of a network."""
    return sum(weight.numel() for weight in network.parameters())
