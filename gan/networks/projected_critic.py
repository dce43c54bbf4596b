"""The projected critic: scores of what a frozen, ImageNet-trained network sees in a picture (Sauer et al. 2021, "Projected
GANs Converge Faster"). It knows textures and shapes from the first step, where a critic of its own would have to learn them
from a few hundred photos.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, leaky_relu

from gan.config import ModelConfig
from gan.networks.backbones import Backbone
from gan.networks.base import Critic
from gan.networks.layers import SLOPE

WIDTHS = (32, 64, 128, 256)  # channels after mixing, finest map first
CALIBRATION_PHOTOS = 2048  # photos that the maps are standardized by, and that sets are matched with, at most
BATCH = 32


@dataclass(frozen=True)
class SavedCritic:
    """A critic as a model folder holds it: its layers (config.py), the side it judged last, the classes it knows, its state."""

    layers: tuple[str, ...]
    side: int
    classes: tuple[str, ...]
    state: dict[str, Tensor]


class ProjectedCritic(Critic):
    """One head for each map of the backbone. Channels and scales are mixed by fixed random weights before (section 3.2).

    The backbone is frozen, computes in float32 (its depthwise convolutions go backward faster than in bf16 on a CPU) and is no
    part of the state. `calibrate` has to be called before the first use, and when the side of the pictures changes.
    """

    needs_calibration = True
    heads: Sequence[Head]

    def __init__(self, config: ModelConfig, backbone: Backbone, width: int) -> None:
        """`width` channels in the heads; `backbone` as `backbones.find_backbone` gives it, on the device of the training."""
        super().__init__()
        self._backbone = [backbone]  # in a list: neither trained, nor saved, nor copied
        for number, (channels, mixed) in enumerate(zip(backbone.widths, WIDTHS)):
            self.register_buffer(f"mean{number}", torch.zeros(channels, 1, 1))
            self.register_buffer(f"deviation{number}", torch.ones(channels, 1, 1))
            self.register_buffer(f"mix{number}", torch.empty(mixed, channels, 1, 1))
            if number:
                self.register_buffer(f"down{number}", torch.empty(WIDTHS[number - 1], mixed, 1, 1))
        self.heads = nn.ModuleList(  # type: ignore[assignment]
            Head(mixed, width, config.code_dim) for mixed in WIDTHS
        )

    def init_weights(self) -> None:
        """Draw the mixing and the heads anew from torch's global generator."""
        for name, value in self.named_buffers():
            if name.startswith(("mix", "down")):
                nn.init.normal_(value, 0, 1 / math.sqrt(value.shape[1]))
        for head in self.heads:
            head.init_weights()

    @torch.no_grad()
    def calibrate(self, images: Tensor) -> None:
        """Measure mean and deviation of every channel over photos N×3×S×S in [−1, 1]."""
        parts = [self._backbone[0].maps(batch) for batch in images.split(BATCH)]
        for number, maps in enumerate(zip(*parts)):
            values = torch.cat([x.transpose(0, 1).flatten(1) for x in maps], 1)
            getattr(self, f"mean{number}").copy_(values.mean(1)[:, None, None])
            getattr(self, f"deviation{number}").copy_(values.std(1).clamp_min(1e-3)[:, None, None])

    def maps(self, images: Tensor) -> list[Tensor]:
        """Pictures N×3×S×S → the backbone's maps, finest first, each channel standardized over the photos, in float32."""
        with torch.autocast(images.device.type, enabled=False):
            maps = self._backbone[0].maps(images.float().contiguous(memory_format=torch.channels_last))
            return [(x - getattr(self, f"mean{i}")) / getattr(self, f"deviation{i}") for i, x in enumerate(maps)]

    def features(self, images: Tensor) -> Tensor:
        """Pictures N×3×S×S → features float32 N×F: the mixed maps of all scales in a row, each with a norm of about 1."""
        with torch.autocast(images.device.type, enabled=False):
            maps = self.maps(images)
            mixed: list[Tensor] = []
            for number in reversed(range(len(maps))):
                x = conv2d(maps[number], getattr(self, f"mix{number}"))
                if mixed:
                    coarser = conv2d(mixed[0], getattr(self, f"down{number + 1}"))
                    x = (x + interpolate(coarser, size=x.shape[2:], mode="nearest")) * math.sqrt(0.5)
                mixed.insert(0, x)
            self._shapes = [x.shape[1:] for x in mixed]
            # Each map has a norm of about 1, so a penalty on the gradient does not depend on how many numbers there are.
            return torch.cat([x.flatten(1) / math.sqrt(x[0].numel()) for x in mixed], 1)

    def forward(self, seen: Tensor, code: Tensor) -> Tensor:
        """Features N×F and class codes N×K → scores N×4, one for each head, unbounded; higher means more like a photo."""
        parts = seen.split([shape.numel() for shape in self._shapes], 1)
        maps = (part.view(-1, *shape) * math.sqrt(shape.numel()) for part, shape in zip(parts, self._shapes))
        laid = (x.contiguous(memory_format=torch.channels_last) for x in maps)
        return torch.stack([head(x, code) for head, x in zip(self.heads, laid)], 1)


class Head(nn.Module):
    """Three convolutions, averaged over the picture, and a score with a class projection (Miyato and Koyama 2018)."""

    def __init__(self, channels: int, width: int, classes: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            [nn.Conv2d(channels, width, 3, 1, 1), nn.Conv2d(width, width, 3, 2, 1), nn.Conv2d(width, width, 3, 1, 1)]
        )
        self.out = nn.Linear(width, 1)
        self.embed = nn.Linear(classes, width, bias=False) if classes else None

    def init_weights(self) -> None:
        """Draw all weights anew from torch's global generator; the last ones small, so that the penalty starts low."""
        for conv in self.convs:
            assert isinstance(conv, nn.Conv2d) and conv.bias is not None
            nn.init.kaiming_normal_(conv.weight, SLOPE)
            nn.init.zeros_(conv.bias)
        for last in filter(None, (self.out, self.embed)):
            nn.init.normal_(last.weight, 0, 0.1 / math.sqrt(self.out.in_features))
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """A map N×C×H×W and class codes N×K → scores N in float32."""
        # PyTorch 2.13's bf16 convolutions on the CPU give gradients that are no numbers, now and then, for a map of one pixel.
        single = torch.autocast(x.device.type, enabled=False) if x.shape[2] == 1 else nullcontext()
        with single:
            for conv in self.convs:
                x = leaky_relu(conv(x), SLOPE)
        x = x.mean((2, 3)).float()
        score = self.out(x)[:, 0]
        return score if self.embed is None else score + (self.embed(code.to(x.dtype)) * x).sum(1)
