"""The layers of the family against cases worked out by hand."""

from __future__ import annotations

import copy
import itertools
import math

import pytest
import torch
from torch import nn

from gan.config import Layer, ModelConfig, parse_layer
from gan.critic import make_critic
from gan.errors import UserError
from gan.generator import make_generator, one_hot
from gan.networks.adain import AdaptiveConv, normalize_maps
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


@pytest.mark.parametrize(("kind", "sizes"), [(nn.Conv2d, (3, 8, 3)), (nn.ConvTranspose2d, (3, 8, 4)), (nn.Linear, (6, 5))])
def test_spectral_norm_divides_by_the_largest_singular_value(kind, sizes):
    torch.manual_seed(0)  # before the layer is made: where two singular values are alike, 60 steps are too few
    layer = scaled(kind(*sizes), "sn")
    for _ in range(60):
        layer.weight  # one step of the power iteration each  # noqa: B018
    axis = 1 if kind is nn.ConvTranspose2d else 0
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


def test_attention_with_peaked_queries_against_a_loop_over_places():
    """Each place looks at the pooled place whose key is like its query: of no other orientation, sign or strength."""
    torch.manual_seed(0)
    layer, x = SelfAttention(16), torch.randn(2, 16, 4, 6)
    with torch.no_grad():
        layer.gain.fill_(0.7)
        layer.query.weight.mul_(20)
        query = layer.query(x)
        key, value = (nn.functional.max_pool2d(maps(x), 2).flatten(2) for maps in (layer.key, layer.value))
        wanted, looked_at = x.clone(), set()
        for n, row, column in itertools.product(range(2), range(4), range(6)):
            fits = [float(query[n, :, row, column] @ key[n, :, place]) for place in range(6)]
            shares = [math.exp(fit - max(fits)) for fit in fits]
            mixed = sum(share / sum(shares) * value[n, :, place] for place, share in enumerate(shares))
            wanted[n, :, row, column] += 0.7 * (layer.out.weight[:, :, 0, 0] @ mixed)
            looked_at.add((n, fits.index(max(fits))))
        assert torch.allclose(layer(x), wanted, atol=1e-5)
        assert len(looked_at) > 6 and (wanted - x).abs().max() > 0.1, "a case in which places look elsewhere than others"


def test_a_place_attends_to_the_place_that_its_query_names():
    """A map that is brightest in one corner: every query looks for it, so all places get the value of that corner."""
    layer, x = SelfAttention(2), torch.zeros(1, 2, 4, 4)
    x[:, 0], x[0, :, 3, 0] = 1, torch.tensor([1.0, 5.0])
    with torch.no_grad():
        layer.query.weight.copy_(torch.tensor([30.0, 0]).view(1, 2, 1, 1))
        layer.key.weight.copy_(torch.tensor([0, 1.0]).view(1, 2, 1, 1))
        layer.value.weight.copy_(torch.tensor([0, 1.0]).view(1, 2, 1, 1))
        layer.out.weight.copy_(torch.tensor([1.0, 0]).view(2, 1, 1, 1))
        layer.gain.fill_(1)
        added = layer(x) - x
    assert torch.allclose(added[:, 0], torch.full((1, 4, 4), 5.0)) and not added[:, 1].any()


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


def plain_residual(block, x, norms, resample):
    """The block as figure 9 of Miyato et al. 2018 draws it: `norms` are functions of the maps before each of the two ReLUs."""

    def enlarged(maps):
        return maps.repeat_interleave(2, 2).repeat_interleave(2, 3) if resample == "up" else maps

    def reduced(maps):
        return maps.unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).mean((3, 5)) if resample == "down" else maps

    along = nn.functional.conv2d(enlarged(norms[0](x).clamp(min=0)), block.conv1.weight, block.conv1.bias, padding=1)
    along = nn.functional.conv2d(norms[1](along).clamp(min=0), block.conv2.weight, block.conv2.bias, padding=1)
    beside = enlarged(x) if block.shortcut is None else block.shortcut(enlarged(x))
    return reduced(along) + reduced(beside)


@pytest.mark.parametrize("channels", [6, 5])
@pytest.mark.parametrize("resample", ["", "up", "down"])
@pytest.mark.parametrize("norm", ["", "bn", "cbn"])
def test_a_residual_block_is_norm_relu_and_convolution_twice_beside_its_shortcut(norm, resample, channels):
    torch.manual_seed(0)
    block = Residual(6, parse_layer(" ".join(filter(None, (f"R>{channels}", resample, norm)))), 2).eval()
    x, condition = torch.randn(2, 6, 8, 8), torch.eye(2)
    assert (block.shortcut is None) == (channels == 6)
    norms = [lambda maps: maps] * 2
    if norm:
        for part in (block.norm1, block.norm2):
            for name, value in part.named_buffers():
                if value.is_floating_point():
                    value.copy_(0.5 + torch.rand_like(value) if name.endswith("var") else torch.randn_like(value))
            for weight in part.parameters():
                nn.init.normal_(weight)
        one, two = block.norm1, block.norm2
        norms = [lambda maps: one(maps, condition), lambda maps: two(maps, condition)] if norm == "cbn" else [one, two]
    with torch.no_grad():
        found, wanted = block(x, condition if norm == "cbn" else None), plain_residual(block, x, norms, resample)
    assert found.shape == wanted.shape and torch.allclose(found, wanted, atol=1e-5)


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


def test_adaptive_modulation_by_hand():
    """A map of 0 and 2 is −1 and 1 when normalized; times 1 + scale, plus shift."""
    layer = AdaptiveConv(1, 2, 3, 2, noise=False)
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[:, 0, 1, 1] = torch.tensor([1.0, 4.0])  # passes the map on, to the second channel four times as high
        layer.affine.weight.copy_(torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]]))
        layer.affine.bias.copy_(torch.tensor([0.0, 0, 0, 7]))
        x = torch.tensor([[0.0, 2], [2, 0]]).view(1, 1, 2, 2)
        found = layer(x, torch.tensor([[0.5, -3, 20]]), enlarge=False)
    one = torch.tensor([[-1.0, 1], [1, -1]])
    assert torch.allclose(found[0, 0], 1.5 * one + 20, atol=1e-4), "its scale 0.5, its shift 20"
    assert torch.allclose(found[0, 1], -2 * one + 7, atol=1e-4), "its scale −3, its shift 7"


def test_an_adaptive_convolution_against_its_steps_in_order():
    """Enlarged, convolved, noise, leaky ReLU, normalized, modulated (Karras et al. 2019, figure 1b)."""
    torch.manual_seed(0)
    layer = AdaptiveConv(3, 4, 5, 8, noise=True)
    layer.init_weights()
    x, style, noise = torch.randn(2, 3, 4, 4), torch.randn(2, 5), torch.randn(2, 8, 8)
    with torch.no_grad():
        layer.noise.strength.copy_(torch.tensor([0.0, 1.0, 2.0, -1.0]))
        layer.bias.copy_(torch.randn(4))
        maps = nn.functional.interpolate(x, scale_factor=2, mode="bilinear")
        maps = nn.functional.conv2d(maps, layer.weight, padding=1) + layer.bias[:, None, None]
        maps = maps + layer.noise.strength[:, None, None] * noise[:, None]
        maps = torch.where(maps > 0, maps, 0.2 * maps)
        maps = (maps - maps.mean((2, 3), keepdim=True)) / maps.std((2, 3), correction=0, keepdim=True)
        change = style @ layer.affine.weight.T
        wanted = maps * (1 + change[:, :4, None, None]) + change[:, 4:, None, None]
        assert torch.allclose(layer(x, style, True, noise), wanted, atol=1e-4)


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
