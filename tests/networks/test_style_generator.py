"""The style generator: what a style does, which parts of a picture it does it to, and where truncation draws it."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import conv2d, interpolate, leaky_relu, pad

from gan.config import LOW_PASSES, ModelConfig, parse_layer
from gan.errors import UserError
from gan.generator import one_hot
from gan.hub.checkpoint import load_model, save_model
from gan.networks import latents
from gan.networks.style_generator import TAPS, Modulated, StyleGenerator, filtered

THREE = ("dandelion", "marigold", "seedhead")
LAYERS = ("M>12", "M>16", "S>16", "S>12", "S>8")  # 4, 8 and 16 pixels
DIM = 8


def made(classes=THREE, layers=LAYERS, *, trained=True):
    """A generator of 16×16 pictures, as `init_weights` leaves it or with biases and contrast as after some training."""
    config = ModelConfig("small", 4 << (len(layers) - 3), classes, layers, z_dim=DIM).validate()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(1)
        generator = StyleGenerator(config)
        generator.init_weights()
        for name, weight in generator.named_parameters():
            if trained:
                weight.add_(0.3 * torch.randn_like(weight)) if weight.ndim == 1 else weight
                weight.mul_(5 if name.endswith("rgb_weight") else 1)
    generator.calibrate()
    return generator.requires_grad_(False).eval()


@pytest.fixture
def generator():
    return made()


def noise(count, seed=0):
    return torch.randn(count, DIM, generator=torch.Generator().manual_seed(seed))


def code_of(generator, *labels):
    return one_hot(torch.tensor(labels), generator.config)


def styles_of(generator, count, seed=0):
    return generator.style(noise(count, seed), code_of(generator, *[0] * count))


def distance(a, b):
    """Root mean square difference."""
    return (a - b).square().mean().sqrt().item()


# ----------------------------------------------------------------------------------------------------- shapes and kinds


@pytest.mark.parametrize(("classes", "rows"), [(THREE, 3), (("all",), 1)])
def test_pictures_styles_and_means_have_their_shapes(classes, rows):
    generator = made(classes)
    code = code_of(generator, *[0] * 5)
    assert code.shape == (5, 0 if rows == 1 else rows)
    assert generator.style(noise(5), code).shape == (5, 16) and generator.mean_style.shape == (rows, 16)
    pictures = generator(noise(5), code)
    assert pictures.shape == (5, 3, 16, 16) and pictures.isfinite().all()
    assert min(distance(pictures[0], other) for other in pictures[1:]) > 0.1, "every noise draws another picture"


def test_each_class_draws_another_picture_from_the_same_noise(generator):
    pictures = generator(noise(1).expand(3, -1), code_of(generator, 0, 1, 2))
    assert min(distance(pictures[i], pictures[i - 1]) for i in range(3)) > 0.1


def test_a_mix_of_classes_draws_a_picture_of_its_own():
    generator = made(THREE[:2])
    half = torch.tensor([[0.5, 0.5]])
    _, mean = generator.latents([3], half, 1.5)
    assert torch.allclose(mean[0], generator.mean_style.mean(0), atol=1e-6)
    mixed, first, second = (generator.decode(*generator.latents([3], code, 1.5)) for code in (half, *torch.eye(2)[:, None]))
    assert mixed.isfinite().all() and min(distance(mixed, first), distance(mixed, second)) > 0.05


def test_the_length_of_the_noise_is_of_no_consequence(generator):
    """Each is scaled to one length before the first layer, as in the paper."""
    code, lengths = code_of(generator, 1, 1), torch.tensor([[0.5], [3.0]])
    torch.testing.assert_close(generator.style(lengths * noise(2), code), generator.style(noise(2), code), atol=1e-5, rtol=0)


def test_every_weight_takes_part(generator):
    generator.requires_grad_(True)
    generator(noise(6), code_of(generator, 0, 1, 2, 0, 1, 2)).square().sum().backward()
    still = [name for name, weight in generator.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert not still


@pytest.mark.parametrize(
    "layers", [("S>8", "S>8"), ("S>8", "M>8", "S>8"), ("M>8", "S>8", "up"), ("M>8", "S>8", "S>8", "C3,1,1>3")]
)
def test_styles_come_from_mapping_layers_first_and_scales_after(layers):
    with pytest.raises(UserError, match="mapping layers"):
        ModelConfig("small", 8, THREE, layers).validate()


@pytest.mark.parametrize("text", ["M>0", "S>0", "S>99999", "M", "S>", "M>8 relu", "S3>8"])
def test_bad_style_layers_are_refused(text):
    with pytest.raises(UserError):
        parse_layer(text)


# ----------------------------------------------------------------------------------------------------------- modulation


def modulated(before=48, channels=40, style=6):
    torch.manual_seed(2)
    layer = Modulated(before, channels, style)
    layer.init_weights()
    return layer.requires_grad_(False), torch.randn(5, before, 16, 16), torch.randn(5, style)


@pytest.mark.parametrize("enlarge", [False, True])
@pytest.mark.parametrize("strength", [0.3, 1.0, 20.0])
def test_demodulation_keeps_the_scale_whatever_the_style(strength, enlarge):
    layer, x, style = modulated()
    energy = layer(x, strength * style, enlarge).square().mean((1, 2, 3))
    assert ((0.8 < energy) & (energy < 1.2)).all(), "the input has one of about 1; the border loses a little"


def test_a_constant_factor_of_the_modulation_changes_nothing():
    layer, x, style = modulated()
    wanted = layer(x, style, False)
    layer.affine.weight.mul_(7)
    layer.affine.bias.mul_(7)
    torch.testing.assert_close(layer(x, style, False), wanted, atol=1e-5, rtol=0)
    layer.affine.bias.mul_(7)  # no longer the same factor for all channels
    assert distance(layer(x, style, False), wanted) > 0.1


def test_modulation_is_that_of_the_paper_a_kernel_for_each_sample():
    """Equations 1 and 3 of Karras et al. 2020: w' = s·w, w'' = w'/‖w'‖; then the gain of a leaky ReLU, its bias, itself."""
    layer, x, style = modulated()
    layer.bias.normal_()
    for number, scale in enumerate(layer.affine(style)):
        kernel = layer.weight * scale[None, :, None, None]
        kernel = kernel / kernel.square().sum((1, 2, 3), keepdim=True).sqrt() * math.sqrt(2 / 1.04)
        wanted = leaky_relu(conv2d(x[number], kernel, layer.bias, padding=1), 0.2)
        torch.testing.assert_close(layer(x, style, False)[number], wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("drawing", [False, True])
def test_enlarging_repeats_the_pixels_of_the_input(drawing):
    layer, x, style = modulated()
    if drawing:
        layer.for_inference(torch.float32)
    wanted = layer(interpolate(x, scale_factor=2, mode="nearest"), style, False)
    torch.testing.assert_close(layer(x, style, True), wanted, atol=1e-5, rtol=0)


def test_enlarging_has_the_gradients_of_repeated_pixels():
    layer, x, style = modulated()
    layer.double().requires_grad_(True)
    x, style = x.double().requires_grad_(True), style.double()
    wanted = layer(interpolate(x, scale_factor=2, mode="nearest"), style, False)
    push = torch.randn_like(wanted)
    inputs = (x, layer.weight, layer.affine.weight, layer.bias)
    torch.testing.assert_close(
        torch.autograd.grad(layer(x, style, True), inputs, push), torch.autograd.grad(wanted, inputs, push)
    )


def test_a_layer_leaves_its_input_alone():
    layer, x, style = modulated()
    before = x.clone()
    layer(x, style, False)
    assert torch.equal(x, before)


# --------------------------------------------------------------------------------------------------- pictures and scales


def test_a_picture_is_the_same_alone_and_in_any_batch(generator):
    styles = styles_of(generator, 6)
    pictures = generator.synthesize(styles)
    for number in range(6):
        alone = generator.synthesize(styles[number : number + 1])
        torch.testing.assert_close(pictures[number : number + 1], alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("side", [4, 8, 16])
def test_a_smaller_side_leaves_the_finer_scales_out(generator, side):
    scales = {4: 1, 8: 2, 16: 3}[side]
    coarse = generator.synthesize(styles_of(generator, 3), side)
    assert coarse.shape == (3, 3, side, side)
    shorter = StyleGenerator(ModelConfig("short", side, THREE, LAYERS[: 2 + scales], z_dim=DIM))
    shorter.load_state_dict({name: value for name, value in generator.state_dict().items() if name in shorter.state_dict()})
    assert torch.equal(coarse, shorter.synthesize(styles_of(generator, 3)))
    assert torch.equal(coarse, generator(noise(3), code_of(generator, 0, 0, 0), side))


@pytest.mark.parametrize("side", [4, 8])
def test_beginning_coarse_draws_the_coarse_picture_enlarged_until_the_finer_scales_have_learnt(side):
    generator = made(trained=False)
    styles = styles_of(generator, 3)

    def off():
        enlarged = generator.synthesize(styles, side)
        while enlarged.shape[2] < 16:
            enlarged = interpolate(enlarged, scale_factor=2, mode="bilinear", align_corners=False)
        return distance(generator.synthesize(styles), enlarged)

    assert off() > 0.02
    coarse = generator.synthesize(styles, side)
    generator.begin_coarse(side)
    assert off() < 1e-6 and torch.equal(generator.synthesize(styles, side), coarse)
    generator.requires_grad_(True)
    generator.synthesize(styles).square().sum().backward()
    assert all(scale.rgb_weight.grad.any() for scale in generator.scales), "what is left out can learn"


def test_a_smooth_scale_equals_bilinear_enlarging_with_repeated_edges_everywhere():
    smooth, plain = Modulated(5, 3, DIM, "smooth").double(), Modulated(5, 3, DIM).double()
    smooth.init_weights()
    plain.load_state_dict(smooth.state_dict())
    maps, style = torch.randn(2, 5, 8, 8, dtype=torch.float64), torch.randn(2, DIM, dtype=torch.float64)
    # Six pixels more on each side, cut off behind the convolution, keep its zeros away from the picture.
    wide = interpolate(pad(maps, (3, 3, 3, 3), mode="replicate"), scale_factor=2, mode="bilinear", align_corners=False)
    assert distance(smooth(maps, style, True), plain(wide, style, False)[:, :, 6:-6, 6:-6]) < 1e-12


def test_a_smoother_scale_equals_enlarging_by_its_filter_with_repeated_edges_everywhere():
    smoother, plain = Modulated(5, 3, DIM, "smoother").double(), Modulated(5, 3, DIM).double()
    smoother.init_weights()
    plain.load_state_dict(smoother.state_dict())
    maps, style = torch.randn(2, 5, 8, 8, dtype=torch.float64), torch.randn(2, DIM, dtype=torch.float64)
    wide = torch.zeros(2, 5, 48, 48, dtype=torch.float64)
    wide[:, :, ::2, ::2] = pad(maps, (8, 8, 8, 8), mode="replicate")
    wide = filtered(pad(wide, (6, 5, 6, 5)), TAPS["smoother"])  # pixel (0, 0) of the maps lies between the first four
    expected = plain(wide, style, False)[:, :, 16:-16, 16:-16]
    assert distance(smoother(maps, style, True), expected) < 1e-12


@pytest.mark.parametrize(("name", "least"), [("smooth", 9.0), ("smoother", 19.0)])
def test_low_passes_keep_even_maps_even_and_weaken_what_becomes_a_grid(name, least):
    assert tuple(TAPS) == LOW_PASSES, "a model's description knows the filters that the generator has"

    def loss(frequency: float) -> float:
        wave = torch.exp(-2j * math.pi * frequency * torch.arange(len(TAPS[name])))
        return -20 * math.log10((torch.tensor(TAPS[name]) * wave).sum().abs().item() / 2 + 1e-12)

    assert abs(loss(0)) < 1e-5 and loss(0.5) > 100, "the two phases of an even map are equal"
    assert least < loss(0.25) < least + 1 and loss(0.4) > 30
    assert filtered(torch.ones(1, 1, 12, 12), TAPS[name]).unique().tolist() == pytest.approx([4.0], abs=1e-4)


def test_styles_of_two_flowers_mix(generator):
    one, other = styles_of(generator, 2, 1), styles_of(generator, 2, 2)
    first, second = generator.synthesize(one), generator.synthesize(other)
    assert torch.equal(generator.synthesize(torch.stack([one] * 3, 1)), first)
    assert torch.equal(generator.synthesize(torch.stack([other] * 3, 1)), second)
    mixed = torch.stack([one, one, other], 1)
    assert min(distance(generator.synthesize(mixed), picture) for picture in (first, second)) > 0.05
    assert torch.equal(generator.synthesize(mixed, 8), generator.synthesize(one, 8)), "the coarse scales are one's alone"


@pytest.mark.parametrize("scale", [0, 1, 2])
def test_every_scale_hears_its_own_style(generator, scale):
    one, other = styles_of(generator, 2, 1), styles_of(generator, 2, 2)
    styles = [one] * 3
    styles[scale] = other
    assert distance(generator.synthesize(torch.stack(styles, 1)), generator.synthesize(one)) > 0.02


# ----------------------------------------------------------------------------------------------- mean styles, truncation


@pytest.mark.parametrize("classes", [THREE, ("all",)])
def test_the_mean_style_is_that_of_each_class_over_noise(classes):
    generator = made(classes)
    count = 4096
    for label, mean in enumerate(generator.mean_style):
        styles = generator.style(noise(count, seed=9), code_of(generator, *[label] * count))
        error = math.sqrt(2 / count) * styles.std(0)  # of the difference of two such means
        assert ((styles.mean(0) - mean).abs() < 5 * error).all()
        others = [other for number, other in enumerate(generator.mean_style) if number != label]
        assert all(((other - mean).abs() > 5 * error).any() for other in (torch.zeros(16), *others))


def test_settling_is_the_same_every_time_and_leaves_the_global_generator_alone(generator):
    mean = generator.mean_style.clone()
    torch.manual_seed(77)
    before = torch.get_rng_state()
    generator.mean_style.zero_()
    generator.calibrate()
    assert torch.equal(generator.mean_style, mean) and torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("classes", [THREE, ("all",)])
def test_at_the_lowest_truncation_every_seed_is_the_mean_flower_of_its_class(classes):
    generator = made(classes)
    labels = list(range(len(classes))) * 2
    own, mean = generator.latents(range(len(labels)), code_of(generator, *labels), latents.MIN_TRUNCATION)
    assert torch.equal(mean, generator.mean_style[labels])
    pictures, usual = generator.decode(own, mean), generator.synthesize(generator.mean_style)
    assert max(distance(picture, usual[label]) for picture, label in zip(pictures, labels)) < 0.02
    assert own.any(), "and yet no two are the same"


@pytest.mark.parametrize("classes", [THREE, ("all",)])
def test_without_truncation_a_seed_has_the_whole_style_of_its_noise(classes):
    generator = made(classes)
    seeds, code = [5, 6, 7], code_of(generator, 0, len(classes) - 1, 0)
    own, mean = generator.latents(seeds, code, None)
    wanted = generator.style(latents.noise(seeds, DIM, None), code)
    torch.testing.assert_close(own + mean, wanted, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(generator.decode(own, mean), generator.synthesize(wanted), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("truncation", [0.01, 0.5, 1.5, 3.0])
def test_truncation_keeps_the_share_of_a_style_that_it_keeps_of_noise(generator, truncation):
    code = code_of(generator, 0, 1)
    whole, truncated = (generator.latents([1, 2], code, level) for level in (None, truncation))
    torch.testing.assert_close(truncated[0], latents.spread(truncation) * whole[0])
    assert torch.equal(truncated[1], whole[1])


@pytest.mark.parametrize(("seed", "truncation"), [(-1, 1.5), (2**32, None), (1, 0.0), (1, 3.5)])
def test_seeds_and_truncations_out_of_range_are_refused(generator, seed, truncation):
    with pytest.raises(UserError):
        generator.latents([seed], code_of(generator, 0), truncation)


# --------------------------------------------------------------------------------------------------- precision and files


def test_under_autocast_styles_stay_in_float32_and_pictures_come_near(generator):
    code = code_of(generator, 0, 1, 2)
    style, picture = generator.style(noise(3), code), generator(noise(3), code)
    with torch.autocast("cpu", torch.bfloat16):
        rough_style, rough = generator.style(noise(3), code), generator(noise(3), code)
    assert torch.equal(rough_style, style)
    assert rough.dtype == torch.float32 and 0 < distance(rough, picture) < 0.03 * picture.std()


@pytest.mark.parametrize(("half", "most"), [(False, 0.0), (True, 0.005)])
@pytest.mark.parametrize("classes", [THREE, ("all",)])
def test_a_saved_model_keeps_its_mean_styles_and_its_pictures(tmp_path, classes, half, most):
    generator = made(classes)
    save_model(tmp_path, generator, generator.config, half=half)
    loaded = load_model(tmp_path)
    assert isinstance(loaded, StyleGenerator) and loaded.config == generator.config and not loaded.training
    assert {value.dtype for value in loaded.state_dict().values()} == {torch.float32}
    assert distance(loaded.mean_style, generator.mean_style) <= most and generator.mean_style.abs().max() > 0.1
    code = code_of(generator, 0, len(classes) - 1)
    for truncation in (0.5, None):
        wanted, found = (network.decode(*network.latents([3, 4], code, truncation)) for network in (generator, loaded))
        assert distance(found, wanted) <= most
