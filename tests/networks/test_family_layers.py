"""The layers of the family against cases worked out by hand."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from gan.config import Layer, ModelConfig, parse_layer
from gan.critic import make_critic
from gan.errors import UserError
from gan.generator import make_generator, one_hot
from gan.networks.adain import normalize_maps
from gan.networks.attention import SelfAttention
from gan.networks.batch_statistics import MinibatchDeviation, PixelNorm
from gan.networks.conditional_norm import ConditionalBatchNorm
from gan.networks.heads import ClassifierHead, ProjectionHead
from gan.networks.pixel_noise import PixelNoise
from gan.networks.residual import Residual
from gan.networks.weight_scaling import fix_scaling, scaled, trained_weight
from gan.presets import PRESETS, from_preset
from gan.utils.distributed import ShardedRandom

TWO = ("dandelion", "marigold")


def made(name, classes=TWO):
    """The generator of a preset, its weights drawn, at a small width."""
    torch.manual_seed(0)
    generator = make_generator(from_preset(name, classes, width=4)[0])
    generator.init_weights()
    return generator


@pytest.mark.parametrize("kind", [nn.Conv2d(3, 8, 3), nn.ConvTranspose2d(3, 8, 4), nn.Linear(6, 5)])
def test_spectral_norm_divides_by_the_largest_singular_value(kind):
    torch.manual_seed(0)
    layer = scaled(copy.deepcopy(kind), "sn")
    for _ in range(60):
        layer.weight  # one step of the power iteration each  # noqa: B018
    axis = 1 if isinstance(kind, nn.ConvTranspose2d) else 0
    matrix = trained_weight(layer).detach().movedim(axis, 0).flatten(1)
    largest = torch.linalg.svdvals(matrix)[0]
    assert torch.allclose(layer.weight, trained_weight(layer) / largest, rtol=1e-3)
    assert torch.linalg.svdvals(layer.weight.detach().movedim(axis, 0).flatten(1))[0].item() == pytest.approx(1, rel=1e-3)


def test_the_power_iteration_stands_still_outside_of_training_and_a_fixed_weight_is_the_same():
    torch.manual_seed(0)
    layer = scaled(nn.Conv2d(3, 8, 3), "sn").eval()
    before = copy.deepcopy(layer.state_dict())
    weight, x = layer.weight.detach().clone(), torch.randn(1, 3, 5, 5)
    wanted = layer(x)
    assert all(torch.equal(value, layer.state_dict()[key]) for key, value in before.items())
    fix_scaling(layer)
    assert torch.equal(layer.weight, weight) and torch.equal(layer(x), wanted)


def test_an_equalized_rate_scales_by_the_fan_in():
    layer = scaled(nn.Conv2d(8, 4, 3), "eq")
    with torch.no_grad():
        trained_weight(layer).fill_(1)
    assert torch.allclose(layer.weight, torch.full((4, 8, 3, 3), math.sqrt(2 / 72)))


def test_attention_with_a_gain_of_zero_is_the_identity():
    layer, x = SelfAttention(16), torch.randn(2, 16, 8, 8)
    assert torch.equal(layer(x), x)
    layer(x).square().sum().backward()
    assert layer.gain.grad.abs() > 0, "from where it can learn"


def test_attention_by_hand():
    """Queries of zero look everywhere alike: each place gets the mean of the pooled values."""
    layer, x = SelfAttention(8), torch.randn(2, 8, 4, 4)
    with torch.no_grad():
        layer.query.weight.zero_()
        layer.gain.fill_(2)
        values = nn.functional.max_pool2d(layer.value(x), 2).mean((2, 3), keepdim=True)
        assert torch.allclose(layer(x), x + 2 * layer.out(values.expand(-1, -1, 4, 4)), atol=1e-5)


def test_a_conditional_norm_scales_each_class_by_its_own():
    norm = ConditionalBatchNorm(3, 2)
    with torch.no_grad():
        norm.gain.weight.copy_(torch.tensor([[1.0, 0.0]] * 3))
        norm.shift.weight.copy_(torch.tensor([[0.0, 5.0]] * 3))
    x = torch.randn(2, 3, 4, 4)
    plain = nn.BatchNorm2d(3)(x)
    assert torch.allclose(norm(x, torch.eye(2)), torch.stack([2 * plain[0], plain[1] + 5]), atol=1e-6)
    assert torch.allclose(ConditionalBatchNorm(3, 0)(x, torch.zeros(2, 0)), plain), "a model without classes"


@pytest.mark.parametrize(("text", "side"), [("R>6", 8), ("R>6 up", 16), ("R>6 down", 4)])
def test_a_residual_block_with_weights_of_zero_is_its_shortcut(text, side):
    block, x = Residual(6, parse_layer(text)), torch.randn(2, 6, 8, 8)
    assert block.shortcut is None
    with torch.no_grad():
        for part in (block.conv1, block.conv2):
            part.weight.zero_()
            part.bias.zero_()
    wanted = nn.functional.interpolate(x, size=(side, side), mode="nearest") if side > 4 else nn.functional.avg_pool2d(x, 2)
    assert torch.allclose(block(x), wanted)


def test_the_deviation_of_a_group_by_hand():
    """Two pictures that differ by 2 in every value have a deviation of 1; two that are the same, of 0."""
    x = torch.zeros(4, 3, 2, 2)
    x[1] += 2
    assert MinibatchDeviation()(x[:2])[:, 3].flatten().tolist() == pytest.approx([1] * 8, abs=1e-3)
    assert MinibatchDeviation()(x[2:])[:, 3].abs().max() < 1e-3
    assert MinibatchDeviation()(torch.randn(6, 3, 2, 2)).shape == (6, 4, 2, 2), "groups of three, where four do not fit"


def test_pixel_norm_by_hand():
    x = torch.tensor([3.0, 4.0]).view(1, 2, 1, 1)
    assert torch.allclose(PixelNorm()(x).flatten(), torch.tensor([3.0, 4.0]) / math.sqrt(12.5))


def test_heads_by_hand():
    x, code = torch.tensor([[[[1.0, 2.0]], [[-5.0, 1.0]]]]).expand(2, -1, -1, -1), torch.eye(2)
    head = ProjectionHead(2, 2)
    with torch.no_grad():
        head.out.weight.copy_(torch.tensor([[1.0, 10.0]]))
        head.out.bias.fill_(0.5)
        head.embed.weight.copy_(torch.tensor([[0.0, 1.0], [0.0, 100.0]]))
    assert head(x, code).tolist() == pytest.approx([3 + 10 + 0.5, 3 + 10 + 0.5 + 3 + 100])
    assert ProjectionHead(2, 0)(x, code[:, :0]).shape == (2,)
    classifier = ClassifierHead(2, 2)
    mean = torch.tensor([1.5, -2.0])
    assert torch.allclose(classifier(x)[0, 0], classifier.out(mean)[0]) and classifier(x).shape == (2, 3)
    assert torch.allclose(classifier(x)[1, 1:], classifier.classes(mean)) and ClassifierHead(2, 0)(x).shape == (2, 1)


def test_adaptive_maps_have_mean_zero_and_deviation_one():
    x = normalize_maps(3 + 2 * torch.randn(2, 3, 8, 8))
    assert x.mean((2, 3)).abs().max() < 1e-5 and torch.allclose(x.var((2, 3), correction=0), torch.ones(2, 3), atol=1e-4)


def test_noise_begins_without_strength_and_is_the_same_for_every_channel():
    layer, x, noise = PixelNoise(3, 4), torch.randn(2, 3, 4, 4), torch.randn(2, 4, 4)
    assert torch.equal(layer(x, noise), x)
    with torch.no_grad():
        layer.strength.copy_(torch.tensor([0.0, 1.0, 2.0]))
    added = layer(x, noise) - x
    assert torch.allclose(added[:, 2], 2 * noise, atol=1e-5) and not added[:, 0].any()
    assert torch.allclose(layer(x, None) - x, layer.strength.detach()[:, None, None] * layer.kept, atol=1e-5)


def test_a_grown_stage_fades_in_between_the_enlarged_picture_and_its_own():
    generator = made("progan-64").eval()
    z, code = torch.randn(2, 128), torch.eye(2)
    with torch.no_grad():
        drawn = {}
        for side, share in ((16, 1.0), (32, 0.25), (32, 1.0)):
            generator.grow(side, share)
            drawn[side, share] = generator(z, code, side)
        enlarged = nn.functional.interpolate(drawn[16, 1.0], scale_factor=2, mode="nearest")
        assert torch.allclose(drawn[32, 0.25], 0.75 * enlarged + 0.25 * drawn[32, 1.0], atol=1e-5)
        assert generator(z, code).shape == (2, 3, 64, 64), "what was not trained yet is enlarged"
        again = make_generator(generator.config).eval()
        again.load_state_dict(generator.state_dict())
        assert torch.equal(again(z, code), generator(z, code)), "a saved model knows how far it has grown"


def test_a_growing_critic_begins_as_the_critic_of_the_smaller_picture():
    torch.manual_seed(0)
    model, train = from_preset("progan-64", TWO, width=4)
    critic = make_critic(model, train.critic, torch.device("cpu"))
    critic.init_weights()
    images, code = torch.randn(4, 3, 32, 32), one_hot(torch.tensor([0, 1, 0, 1]), model)
    critic.grow(16, 1.0)
    small = critic(nn.functional.avg_pool2d(images, 2), code)
    critic.grow(32, 0.0)
    assert torch.allclose(critic(images, code), small, atol=1e-5)
    critic.grow(32, 1.0)
    assert not torch.allclose(critic(images, code), small, atol=1e-3)


@pytest.mark.parametrize("name", ["stylegan-64", "stylegan2-64"])
def test_noise_is_drawn_anew_in_training_and_kept_otherwise(name):
    generator = made(name).eval()
    with torch.no_grad():
        for part in generator.modules():
            if isinstance(part, PixelNoise):
                part.strength.fill_(0.5)
        z, code = torch.randn(2, 128), torch.eye(2)
        assert torch.equal(generator(z, code), generator(z, code))
        first, second = (generator(z, code, draws=ShardedRandom(seed)) for seed in (0, 1))
        assert (first - second).abs().max() > 1e-3 and torch.equal(first, generator(z, code, draws=ShardedRandom(0)))


def test_every_block_of_biggan_has_a_share_of_the_noise():
    generator = made("biggan-64").eval()
    with torch.no_grad():
        for part in generator.modules():
            if isinstance(part, ConditionalBatchNorm):
                nn.init.normal_(part.gain.weight)
        z, code = torch.randn(1, 120), torch.eye(2)[:1]
        before = generator(z, code)
        for share in range(6):
            changed = z.clone()
            changed[:, 20 * share : 20 * share + 20] += 1
            assert (generator(changed, code) - before).abs().max() > 1e-4, share


@pytest.mark.parametrize("name", [name for name, preset in PRESETS.items() if preset.year])
def test_inference_draws_the_same_and_one_class_is_enough(name):
    for classes in (TWO, ("dandelion",)):
        generator = made(name, classes).eval()
        code = one_hot(torch.tensor([0]), generator.config)
        with torch.no_grad():
            generator.calibrate()
            of_seed, of_class = generator.latents([3], code, 1.5)
            before = generator.decode(of_seed, of_class)
            fast = copy.deepcopy(generator)
            fast.for_inference(torch.float32)
            assert torch.allclose(fast.decode(of_seed, of_class), before, atol=1e-4)
            fast = copy.deepcopy(generator)
            fast.for_inference(torch.bfloat16)
            away = (fast.decode(of_seed, of_class).float() - before).square().mean().sqrt()
            assert away < 0.05 * before.std()


@pytest.mark.parametrize(
    "text", ["R>8 sideways", "C3,1,1>8 relu bn", "A>8", "P>3", "S>8 noise adain", "rgb>", "E", "mbstd sn", "C3,1,1>8 pn relu"]
)
def test_words_that_do_not_belong_there_are_refused(text):
    with pytest.raises(UserError, match="is not a layer"):
        parse_layer(text)


def test_words_are_read_in_their_order():
    assert parse_layer("C3,1,2>8 eq cbn lrelu pn") == Layer("C", 3, 1, 2, 8, "eq", "cbn", "lrelu", "pn")
    assert parse_layer("R>8 up sn cbn") == Layer("R", channels=8, scaling="sn", norm="cbn", resample="up")
    assert parse_layer("S>8 adain noise") == Layer("S", channels=8, adain=True, noise=True)


@pytest.mark.parametrize(
    ("layers", "z_dim", "says"),
    [
        (("C4,1,3>8", "E>4", "up", "C3,1,1>3 cbn"), 8, "embedding"), (("E>4", "C8,1,7>3 cbn"), 7, "multiple of 2"),
        (("P", "C8,1,7>3"), 8, "only a critic"), (("M>4", "S>8 adain", "S>8"), 8, "all scales"),
        (("C4,1,3>8", "rgb", "up", "C3,1,1>3"), 8, "ends with rgb"),
    ],
)  # fmt: skip
def test_layers_that_do_not_go_together_are_refused(layers, z_dim, says):
    with pytest.raises(UserError, match=says):
        ModelConfig("small", 8, TWO, layers, z_dim=z_dim).validate()
