"""The residual block of SN-GAN, SAGAN and BigGAN."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, relu

from gan.config import Layer
from gan.networks.conditional_norm import ConditionalBatchNorm, Conditioned
from gan.networks.weight_scaling import scaled


class Residual(nn.Module):
    """Twice norm, ReLU and 3×3 convolution, and a shortcut beside them (Miyato et al. 2018, figure 9).

    `up` enlarges before the first convolution by repeating pixels, `down` averages behind the second one. The shortcut has a
    1×1 convolution where the channels change.
    """

    def __init__(self, before: int, layer: Layer, condition: int = 0) -> None:
        """`before` channels come in. `condition`: the number of values of a condition, for the norm `cbn`."""
        super().__init__()
        self.resample = layer.resample

        def norm(channels: int) -> nn.Module:
            if layer.norm == "cbn":
                return ConditionalBatchNorm(channels, condition)
            return nn.BatchNorm2d(channels) if layer.norm else nn.Identity()

        self.norm1, self.norm2 = norm(before), norm(layer.channels)
        self.conv1 = scaled(nn.Conv2d(before, layer.channels, 3, 1, 1), layer.scaling)
        self.conv2 = scaled(nn.Conv2d(layer.channels, layer.channels, 3, 1, 1), layer.scaling)
        self.shortcut = scaled(nn.Conv2d(before, layer.channels, 1), layer.scaling) if before != layer.channels else None

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Maps N×C×H×W, and conditions N×A for the norm `cbn` → maps N×C'×S×S; S is H, 2H or H/2."""
        kept = x if self.shortcut is None else self.shortcut(x)  # 1×1, so it commutes with both ways of resampling
        x = relu(self._normed(self.norm1, x, condition))
        x = self.conv1(interpolate(x, scale_factor=2, mode="nearest") if self.resample == "up" else x)
        x = self.conv2(relu(self._normed(self.norm2, x, condition)))
        if self.resample == "up":
            return x + interpolate(kept, scale_factor=2, mode="nearest")
        return avg_pool2d(x + kept, 2) if self.resample == "down" else x + kept

    @staticmethod
    def _normed(norm: nn.Module, x: Tensor, condition: Tensor | None) -> Tensor:
        return norm(x, condition) if isinstance(norm, Conditioned) else norm(x)
