"""Batch norm whose scale and shift follow from the class, and blocks that hand the class on to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import Tensor, nn


class Conditioned(nn.Module):
    """A layer whose result follows from a condition, too: the class code, or its embedding with a share of the noise."""

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Maps N×C×H×W and conditions N×A → maps."""
        raise NotImplementedError


class ConditionalBatchNorm(Conditioned):
    """Batch norm, scaled by 1 + a(condition) and shifted by b(condition), channel by channel; a and b are linear.

    With a one-hot code as the condition, every class has a scale and a shift of its own (Dumoulin et al. 2017). With a shared
    embedding and a share of the noise it is BigGAN's (Brock et al. 2019, section 3 and appendix B).
    """

    def __init__(self, channels: int, condition: int) -> None:
        """`condition` is the number of values A of a condition, 0 for a model without classes."""
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.gain = nn.Linear(condition, channels, bias=False) if condition else None
        self.shift = nn.Linear(condition, channels, bias=False) if condition else None

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Maps N×C×H×W and conditions N×A → maps of the same shape."""
        x = self.norm(x)
        if self.gain is None or self.shift is None:
            return x
        gain, shift = (1 + self.gain(condition)).to(x.dtype), self.shift(condition).to(x.dtype)
        return x * gain[:, :, None, None] + shift[:, :, None, None]


class ConditionedBlock(nn.Sequential):
    """Layers in a row; those that are `Conditioned` get the condition."""

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:  # type: ignore[override]  # one argument more than its base
        """Maps N×C×H×W and conditions N×A → maps."""
        for layer in self:
            x = layer(x, condition) if isinstance(layer, Conditioned) else layer(x)
        return x


def is_conditioned(block: nn.Module) -> bool:
    """Whether a block of a network takes a condition."""
    return any(isinstance(part, Conditioned) for part in block.modules())


def run(
    network: nn.Sequential, x: Tensor, conditions: Iterator[Tensor], visit: Callable[[Tensor], None] | None = None
) -> Tensor:
    """Maps N×C×H×W through all blocks of a network; each that is conditioned takes the next of the conditions N×A.

    `visit` is shown what each block gives.
    """
    for block in network:
        x = block(x, next(conditions)) if is_conditioned(block) else block(x)
        if visit:
            visit(x)
    return x
