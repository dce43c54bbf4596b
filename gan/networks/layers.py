"""Layer strings of `config.py` → torch modules, for generators and critics."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from gan.config import Layer, parse_layer
from gan.networks.attention import SelfAttention
from gan.networks.batch_statistics import MinibatchDeviation, PixelNorm
from gan.networks.conditional_norm import ConditionalBatchNorm, ConditionedBlock
from gan.networks.heads import ClassifierHead, ProjectionHead
from gan.networks.residual import Residual
from gan.networks.weight_scaling import fix_scaling, initial_deviation, scaled, trained_weight

SLOPE = 0.2  # of every leaky ReLU below 0

Network = TypeVar("Network", bound=nn.Module)


def build(layers: tuple[str, ...], in_channels: int, condition: int = 0) -> nn.Sequential:
    """A network with one entry for each layer string: a module, or a `Sequential` of convolution, norm and activation.

    `condition` is how many values a condition has, for layers that take one (conditional_norm.py). The state has the keys
    `<i>.0.weight` (convolution) and `<i>.1.*` (norm), as in the files of the paper's authors.
    """
    modules, channels = [], in_channels
    for text in layers:
        layer = parse_layer(text)
        modules.append(
            _OTHERS[layer.op](layer, channels, condition) if layer.op in _OTHERS else _block(layer, channels, condition)
        )
        channels = layer.channels or channels + (layer.op == "mbstd")
    return nn.Sequential(*modules)


# Kind of layer → its module, of the layer, the channels before it and the number of values of a condition.
_OTHERS: dict[str, Callable[[Layer, int, int], nn.Module]] = {
    "up": lambda *_: nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
    "up-corners": lambda *_: nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
    "down": lambda *_: nn.AvgPool2d(2),
    "mbstd": lambda *_: MinibatchDeviation(),
    "A": lambda layer, channels, _: SelfAttention(channels, layer.scaling),
    "R": lambda layer, channels, condition: Residual(channels, layer, condition),
    "P": lambda layer, channels, condition: ProjectionHead(channels, condition, layer.scaling),
    "X": lambda layer, channels, condition: ClassifierHead(channels, condition, layer.scaling),
}


def _block(layer: Layer, in_channels: int, condition: int) -> nn.Sequential:
    """Convolution, norm and activation of one layer."""
    kind: type[nn.Module] = nn.ConvTranspose2d if layer.op == "T" else nn.Conv2d
    conv = kind(in_channels, layer.channels, layer.kernel, layer.stride, layer.padding)
    parts: list[nn.Module] = [scaled(conv, layer.scaling)]
    if layer.norm == "bn":
        parts.append(nn.BatchNorm2d(layer.channels))
    elif layer.norm == "ln":
        parts.append(nn.GroupNorm(1, layer.channels))  # one group: statistics of a single sample
    elif layer.norm == "cbn":
        parts.append(ConditionalBatchNorm(layer.channels, condition))
    parts += activation(layer.activation)
    if layer.after:
        parts.append(PixelNorm())
    return ConditionedBlock(*parts) if layer.norm == "cbn" else nn.Sequential(*parts)


def activation(name: str) -> list[nn.Module]:
    """The activation called `name`; none for ""."""
    if not name:
        return []
    return [{"relu": nn.ReLU(inplace=True), "lrelu": nn.LeakyReLU(SLOPE, inplace=True), "tanh": nn.Tanh()}[name]]


def folded(network: nn.Sequential) -> nn.Sequential:
    """A copy of a network of `build`, for inference only: batch norms are merged into the convolutions before them.

    A batch norm in evaluation mode is a scale and a shift of each channel, so results differ only by rounding. Scaled weights
    become plain ones. A norm that follows the class stays.
    """
    network = copy.deepcopy(network)
    fix_scaling(network)
    return nn.Sequential(*(_folded_block(block) if type(block) is nn.Sequential else block for block in network))


def _folded_block(block: nn.Sequential) -> nn.Sequential:
    """A block without its batch norm, and with the faster ReLU."""
    conv, *rest = block
    if rest and isinstance(rest[0], nn.BatchNorm2d):
        conv = fuse_conv_bn_eval(conv, rest.pop(0), isinstance(conv, nn.ConvTranspose2d))  # type: ignore[type-var, arg-type]
    return nn.Sequential(conv, *(_FastReLU() if isinstance(part, nn.ReLU) else part for part in rest))


def for_inference(network: nn.Sequential, dtype: torch.dtype) -> nn.Sequential:
    """A `folded` copy that computes in `dtype`. Norms that stay, and what makes their scales, are in float32."""
    network = channels_last(folded(network), dtype=dtype)
    for part in network.modules():
        if isinstance(part, (nn.BatchNorm2d, nn.Linear)):
            part.float()
    return network


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
    """Draw weights from N(0, std²) around 0, those of batch norms around 1, biases 0, in place (DCGAN, section 3).

    Uses torch's global generator; seed it first where the result has to be reproducible.
    """
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.normal_(trained_weight(module), 0.0, initial_deviation(module, std))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, std)
            nn.init.zeros_(module.bias)


def with_planes(images: Tensor, code: Tensor) -> Tensor:
    """Append to N×3×S×S one plane S×S for each of the K classes, filled with its entry of the code (stage 2)."""
    n, _, height, width = images.shape
    planes = code.to(images.dtype)[:, :, None, None].expand(n, code.shape[1], height, width)
    return torch.cat([images, planes], dim=1).contiguous(memory_format=torch.channels_last)


def channels_last(network: Network, device: torch.device | None = None, dtype: torch.dtype | None = None) -> Network:
    """`network` itself, on `device` and in `dtype`, with weights in the memory layout in which convolutions are fastest."""
    return network.to(device, dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's types lack it


def parameters(network: nn.Module) -> int:
    """The number of parameters of a network."""
    return sum(weight.numel() for weight in network.parameters())
