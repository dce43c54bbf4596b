"""Layer strings of `config.py` → torch modules, for both networks."""

from __future__ import annotations

from torch import nn

from .config import Layer, parse_layer


def build(layers: tuple[str, ...], in_channels: int) -> nn.Sequential:
    """One `Sequential` entry a layer string: an upsampling, or a `Sequential` of convolution, norm and activation.

    The nesting gives the key names `<i>.0.weight` (convolution) and `<i>.1.*` (norm) of the paper authors' own files.
    """
    modules, channels = [], in_channels
    for text in layers:
        layer = parse_layer(text)
        modules.append(_block(layer, channels))
        channels = layer.channels or channels
    return nn.Sequential(*modules)


def _block(layer: Layer, in_channels: int) -> nn.Module:
    if layer.op.startswith("up"):
        return nn.Upsample(scale_factor=2, mode="bilinear", align_corners=layer.op == "up-corners")
    conv = nn.Conv2d if layer.op == "C" else nn.ConvTranspose2d
    parts: list[nn.Module] = [conv(in_channels, layer.channels, layer.kernel, layer.stride, layer.padding)]
    if layer.norm == "bn":
        parts.append(nn.BatchNorm2d(layer.channels))
    elif layer.norm == "ln":
        parts.append(nn.GroupNorm(1, layer.channels))  # one group: every statistic belongs to one sample
    if layer.activation == "relu":
        parts.append(nn.ReLU(inplace=True))
    elif layer.activation == "lrelu":
        parts.append(nn.LeakyReLU(0.2, inplace=True))
    elif layer.activation == "tanh":
        parts.append(nn.Tanh())
    return nn.Sequential(*parts)


def init_weights(network: nn.Module, std: float = 0.02) -> None:
    """Draw convolution and batch-norm weights from N(0, std²) around 0 and 1, biases 0, in place (DCGAN, section 3).

    Uses torch's global generator; seed it first where the result has to be reproducible.
    """
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, 0.0, std)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, std)
            nn.init.zeros_(module.bias)
