"""gan.networks.backbones against the same networks with their batch norms, and against what their weights should know."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import gan
from gan.errors import UserError
from gan.evaluation import features
from gan.networks import backbones
from gan.networks.backbones import ARCHITECTURES, Backbone
from gan.sampling.flower import Flower
from gan.sampling.sampler import Sampler
from gan.utils.safe_load import load_pickle

# One row an inverted residual, written out by hand from the papers' tables: expansion, channels, stride, kernel.
MOBILE = [
    (1, 16, 1, 3), (6, 24, 2, 3), (6, 24, 1, 3), (6, 32, 2, 3), (6, 32, 1, 3), (6, 32, 1, 3), (6, 64, 2, 3), (6, 64, 1, 3),
    (6, 64, 1, 3), (6, 64, 1, 3), (6, 96, 1, 3), (6, 96, 1, 3), (6, 96, 1, 3), (6, 160, 2, 3), (6, 160, 1, 3), (6, 160, 1, 3),
    (6, 320, 1, 3),
]  # fmt: skip
LITE0 = [
    (1, 16, 1, 3), (6, 24, 2, 3), (6, 24, 1, 3), (6, 40, 2, 5), (6, 40, 1, 5), (6, 80, 2, 3), (6, 80, 1, 3), (6, 80, 1, 3),
    (6, 112, 1, 5), (6, 112, 1, 5), (6, 112, 1, 5), (6, 192, 2, 5), (6, 192, 1, 5), (6, 192, 1, 5), (6, 192, 1, 5),
    (6, 320, 1, 3),
]  # fmt: skip
WIDTHS = {"mobilenetv2": [24, 32, 96, 320], "efficientnet-lite0": [24, 40, 112, 320]}
DAISY = 985  # of ImageNet's classes the one nearest to a dandelion


class SameConv(nn.Conv2d):
    """Padding as TensorFlow's guide gives it ("SAME"), for any size and stride."""

    def forward(self, x: Tensor) -> Tensor:
        pads = []
        for size, kernel, stride in zip(reversed(x.shape[2:]), reversed(self.kernel_size), reversed(self.stride)):
            total = max(kernel - (stride if size % stride == 0 else size % stride), 0)
            pads += [total // 2, total - total // 2]
        return nn.functional.conv2d(nn.functional.pad(x, pads), self.weight, None, self.stride, 0, 1, self.groups)


def mobile_blocks() -> nn.Module:
    """MobileNetV2 with the names of its published file, untrained."""

    def conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
        return [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(outputs)]

    class Block(nn.Module):
        def __init__(self, inputs: int, expansion: int, outputs: int, stride: int, kernel: int) -> None:
            super().__init__()
            inner, parts = inputs * expansion, []
            if expansion > 1:
                parts += [*conv(inputs, inner, 1), nn.ReLU6()]
            parts += [*conv(inner, inner, kernel, stride, inner), nn.ReLU6(), *conv(inner, outputs, 1)]
            self.conv, self.shortcut = nn.Sequential(*parts), stride == 1 and inputs == outputs

        def forward(self, x: Tensor) -> Tensor:
            return x + self.conv(x) if self.shortcut else self.conv(x)

    layers, channels = [nn.Sequential(*conv(3, 32, 3, 2), nn.ReLU6())], 32
    for expansion, outputs, stride, kernel in MOBILE:
        layers.append(Block(channels, expansion, outputs, stride, kernel))
        channels = outputs
    network = nn.Module()
    network.features = nn.Sequential(*layers, nn.Sequential(*conv(channels, 1280, 1), nn.ReLU6()))
    network.forward = lambda x: network.features(x).mean((2, 3))
    network.mean, network.std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    return network


class Lite(nn.Module):
    """EfficientNet-Lite0 with the names of its published file, untrained."""

    class Block(nn.Module):
        def __init__(self, inputs: int, expansion: int, outputs: int, stride: int, kernel: int) -> None:
            super().__init__()
            inner, self.shortcut = inputs * expansion, stride == 1 and inputs == outputs
            if expansion > 1:
                self._expand_conv, self._bn0 = SameConv(inputs, inner, 1, bias=False), nn.BatchNorm2d(inner, 1e-3)
            self._depthwise_conv = SameConv(inner, inner, kernel, stride, groups=inner, bias=False)
            self._bn1 = nn.BatchNorm2d(inner, 1e-3)
            self._project_conv, self._bn2 = SameConv(inner, outputs, 1, bias=False), nn.BatchNorm2d(outputs, 1e-3)

        def forward(self, x: Tensor) -> Tensor:
            y = self._bn0(self._expand_conv(x)).clamp(0, 6) if hasattr(self, "_expand_conv") else x
            y = self._bn2(self._project_conv(self._bn1(self._depthwise_conv(y)).clamp(0, 6)))
            return x + y if self.shortcut else y

    def __init__(self) -> None:
        super().__init__()
        self.mean, self.std = (0.5,) * 3, (0.5,) * 3
        self._conv_stem, self._bn0 = SameConv(3, 32, 3, 2, bias=False), nn.BatchNorm2d(32, 1e-3)
        rows = zip([32] + [row[1] for row in LITE0], LITE0)
        self._blocks = nn.Sequential(*(self.Block(inputs, *row) for inputs, row in rows))
        self._conv_head, self._bn1 = SameConv(320, 1280, 1, bias=False), nn.BatchNorm2d(1280, 1e-3)
        self._fc = nn.Linear(1280, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = self._blocks(self._bn0(self._conv_stem(x)).clamp(0, 6))
        return self._bn1(self._conv_head(x)).clamp(0, 6).mean((2, 3))


def written_out(name: str) -> nn.Module:
    """The network, untrained, with a signal that reaches its end, and norms of which no part can be forgotten unnoticed."""
    torch.manual_seed(3)
    network = mobile_blocks() if name == "mobilenetv2" else Lite()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0  # the means and variances of the one batch below
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.2)
    with torch.no_grad():
        network.train()(torch.randn(8, 3, 64, 64))
    return network.eval().requires_grad_(False)


def published(name: str) -> dict[str, Tensor]:
    """The tensors of the installed file."""
    wheel = backbones.WHEELS[name]
    return load_pickle(backbones.distribution(wheel.distribution).locate_file(wheel.file))


def seen(network: nn.Module, images: Tensor) -> Tensor:
    """What the written-out network says to pictures in [−1, 1]."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (network.mean, network.std))
    return network((images / 2 + 0.5 - mean) / std)


@pytest.mark.parametrize("size", [(64, 64), (75, 50)], ids=["even", "odd"])
@pytest.mark.parametrize("name", WIDTHS)
def test_folding_the_norms_changes_nothing(name, size):
    network, images = written_out(name), torch.rand(2, 3, *size) * 2 - 1
    wanted = seen(network, images)
    vectors = Backbone(ARCHITECTURES[name], network.state_dict())(images)
    assert (wanted[0] - wanted[1]).abs().max() > 0.1, "the network tells the two apart"
    assert torch.allclose(vectors, wanted, atol=5e-4, rtol=1e-4)


@pytest.mark.parametrize("name", WIDTHS)
def test_the_published_weights_fit_the_network_written_out(name):
    network, state, images = written_out(name), published(name), torch.rand(2, 3, 96, 96) * 2 - 1
    network.load_state_dict(state, strict=True)
    assert torch.allclose(Backbone(ARCHITECTURES[name], state)(images), seen(network, images), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", WIDTHS)
def test_maps_are_one_a_stride_and_let_gradients_through_to_the_pictures_alone(name):
    backbone, images = (
        Backbone(ARCHITECTURES[name], written_out(name).state_dict()),
        torch.rand(2, 3, 64, 96, requires_grad=True),
    )
    maps = backbone.maps(images)
    assert [tuple(x.shape[1:]) for x in maps] == [(width, 64 // s, 96 // s) for width, s in zip(WIDTHS[name], (4, 8, 16, 32))]
    assert backbone.widths == WIDTHS[name]
    maps[0].sum().backward()
    assert images.grad.abs().sum() > 0 and all(parameter.grad is None for parameter in backbone.parameters())


def test_training_mode_is_of_no_consequence():
    backbone, images = Backbone(ARCHITECTURES["mobilenetv2"], written_out("mobilenetv2").state_dict()), torch.rand(2, 3, 64, 64)
    assert torch.equal(backbone(images), backbone.train()(images)) and not any(p.requires_grad for p in backbone.parameters())


def test_drawing_the_layers_leaves_random_numbers_alone():
    state = written_out("mobilenetv2").state_dict()
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    Backbone(ARCHITECTURES["mobilenetv2"], state)
    assert torch.equal(torch.rand(3), wanted)


def test_a_torchvision_that_does_not_fit_is_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(UserError, match="torchvision is missing, or does not fit this PyTorch"):
        Backbone(ARCHITECTURES["mobilenetv2"], {})


MISFITS = {
    "a tensor missing": lambda state: state.pop("features.3.conv.4.running_var"),
    "a tensor too many": lambda state: state.update({"features.19.0.weight": torch.zeros(1)}),
    "a tensor at the wrong place": lambda state: state.move_to_end("features.9.conv.1.weight"),
    "a kernel of another size": lambda state: state.update({"features.3.conv.3.weight": torch.zeros(144, 1, 5, 5)}),
}
NORM_MISFITS = {
    "another width": lambda state: state.update({"features.3.conv.4.bias": torch.zeros(7)}),
    "one number": lambda state: state.update({"features.3.conv.4.weight": torch.ones(1)}),
}


def refuse(change: Callable[[dict[str, Tensor]], object]) -> None:
    state = written_out("mobilenetv2").state_dict()
    change(state)
    with pytest.raises(UserError, match="the weights are not those of this network"):
        Backbone(ARCHITECTURES["mobilenetv2"], state)


@pytest.mark.parametrize("change", MISFITS.values(), ids=MISFITS)
def test_weights_that_do_not_fit_are_refused(change):
    refuse(change)


@pytest.mark.parametrize("change", NORM_MISFITS.values(), ids=NORM_MISFITS)
def test_norms_that_do_not_fit_are_refused(change):
    refuse(change)


def test_a_classifier_may_lie_beside_the_weights():
    state = written_out("efficientnet-lite0").state_dict()
    assert "_fc.weight" in state
    bare = {key: value for key, value in state.items() if not key.startswith("_fc.")}
    images = torch.rand(1, 3, 64, 64)
    architecture = ARCHITECTURES["efficientnet-lite0"]
    assert torch.equal(Backbone(architecture, state)(images), Backbone(architecture, bare)(images))


@pytest.fixture(scope="module")
def drawn() -> list[np.ndarray]:
    """24 dandelions and 24 marigolds of a bundled model, uint8 24×64×64×3 each."""
    sampler = Sampler(gan.load("cwgan-gp-64-k4").generator)
    return [sampler.draw([Flower(label, seed) for seed in range(24)]) for label in (0, 1)]


@pytest.mark.parametrize("name", WIDTHS)
def test_dandelions_look_like_dandelions(name, drawn):
    """Each flower is nearer to the mean of twelve others of its class than to that of the other class."""
    vectors = [features.features(features.find_network(name), pictures) for pictures in drawn]
    means = torch.stack([x[:12].mean(0) for x in vectors])
    right = [(torch.cdist(x[12:], means).argmin(1) == label).float().mean() for label, x in enumerate(vectors)]
    assert min(right) >= 0.9


def test_a_dandelion_is_a_daisy_to_imagenet(drawn):
    """Among the first fifty of a thousand classes; the file of EfficientNet-Lite0 brings its classifier."""
    state = published("efficientnet-lite0")
    vectors = [features.features(features.find_network("efficientnet-lite0"), pictures) for pictures in drawn]
    dandelion, marigold = ((x @ state["_fc.weight"].T + state["_fc.bias"]).mean(0) for x in vectors)
    assert DAISY in dandelion.topk(50).indices
    assert dandelion[DAISY] > marigold[DAISY]
