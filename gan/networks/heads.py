"""The last layers of critics that know the class: a score with a projection, and a classifier beside the score."""

from __future__ import annotations

from torch import Tensor, cat, nn

from gan.networks.conditional_norm import Conditioned
from gan.networks.weight_scaling import scaled


class ProjectionHead(Conditioned):
    """w·φ + b + ⟨embedding of the class, φ⟩ (Miyato and Koyama 2018, equation 3).

    φ is the sum of a map over all places, behind a ReLU.
    """

    def __init__(self, channels: int, classes: int, scaling: str = "") -> None:
        """`classes` is the width K of the class code, 0 for a model without classes."""
        super().__init__()
        self.out = scaled(nn.Linear(channels, 1), scaling)
        self.embed = scaled(nn.Linear(classes, channels, bias=False), scaling) if classes else None

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """A map N×C×H×W and class codes N×K → scores N."""
        x = x.float().relu().sum((2, 3))
        score = self.out(x)[:, 0]
        return score if self.embed is None else score + (self.embed(condition.to(x.dtype)) * x).sum(1)


class ClassifierHead(nn.Module):
    """A score, and beside it a logit for each class, of the mean of a map over all places (Odena et al. 2017, section 3)."""

    def __init__(self, channels: int, classes: int, scaling: str = "") -> None:
        """`classes` is the width K of the class code, 0 for a model without classes."""
        super().__init__()
        self.out = scaled(nn.Linear(channels, 1), scaling)
        self.classes = scaled(nn.Linear(channels, classes), scaling) if classes else None

    def forward(self, x: Tensor) -> Tensor:
        """A map N×C×H×W → N×(1+K): scores, then class logits."""
        x = x.float().mean((2, 3))
        return self.out(x) if self.classes is None else cat([self.out(x), self.classes(x)], 1)
