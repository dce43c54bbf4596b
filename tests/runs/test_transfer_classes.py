"""The same generator for other classes: by their names, in any number, and with or without a code."""

import pytest
import torch

from gan.generator import make_generator, one_hot
from gan.networks.layers import init_weights
from gan.presets import from_preset
from gan.runs.transfer import with_classes

PRESETS = ["flagship", "cwgan-gp-64-k4", "cwgan-gp-64"]  # styles; kernels of T, and of C, in the first layer
OLD = ("a", "b", "c")


def make(preset, classes=OLD):
    torch.manual_seed(1)
    resolution = 32 if preset == "flagship" else None
    generator = make_generator(from_preset(preset, classes, resolution=resolution, width=8)[0])
    generator.init_weights()
    if preset != "flagship":
        init_weights(generator, 0.3)
    return generator.requires_grad_(False).eval()


def draw(generator, label, count=3):
    z = torch.randn(count, generator.config.z_dim, generator=torch.Generator().manual_seed(2))
    return generator(z, one_hot(torch.full((count,), label), generator.config))


@pytest.mark.parametrize("preset", PRESETS)
def test_a_class_that_both_name_draws_as_before(preset):
    old = make(preset)
    new = with_classes(old, ("x", "c", "y", "a", "z"))
    assert new.config.classes == ("x", "c", "y", "a", "z")
    for label, before in ((1, 2), (3, 0)):
        assert torch.allclose(draw(new, label), draw(old, before), atol=1e-5)
    assert not torch.allclose(draw(new, 1), draw(new, 3), atol=1e-2)
    assert torch.equal(draw(new, 0), draw(new, 4)), "new ones begin alike"
    assert with_classes(old, OLD) is old


def test_a_new_class_of_a_model_with_codes_begins_as_an_even_mix():
    old = make("cwgan-gp-64-k4")
    z = torch.randn(3, old.config.z_dim)
    mixed = old(z, torch.full((3, 3), 1 / 3))
    assert torch.allclose(with_classes(old, ("x", "y"))(z, torch.eye(2)[[0, 1, 0]]), mixed, atol=1e-5)


def test_a_plain_model_draws_the_class_of_its_name_or_the_mean():
    old = make("flagship")
    assert torch.allclose(draw(with_classes(old, ("b",)), 0), draw(old, 1), atol=1e-5)
    z, mean = torch.randn(3, old.config.z_dim), torch.full((3, 3), 1 / 3)
    assert torch.allclose(with_classes(old, ("x",))(z, torch.zeros(3, 0)), old(z, mean), atol=1e-5)
    new = with_classes(make("cwgan-gp-64-k4"), ("x",))
    assert torch.isfinite(draw(new, 0)).all() and draw(new, 0).std() > 0.05


@pytest.mark.parametrize("preset", PRESETS)
def test_every_class_made_of_a_plain_model_begins_as_what_that_draws(preset):
    plain = make(preset, ("all",))
    new = with_classes(plain, ("x", "y"))
    for label in (0, 1):
        assert torch.allclose(draw(new, label), draw(plain, 0), atol=1e-5)
    if preset == "flagship":  # what tells them apart can be learnt at once
        new.requires_grad_(True)
        draw(new, 0).sum().backward()
        assert new.mapping[0].weight.grad[:, plain.config.z_dim :].abs().sum() > 0
        assert not torch.equal(new.embed.weight[:, 0], new.embed.weight[:, 1])


def test_the_mean_styles_have_the_new_classes_too():
    old = make("flagship")
    old.calibrate()
    new = with_classes(old, ("c", "x"))
    assert torch.equal(new.mean_style[0], old.mean_style[2])
    assert torch.allclose(new.mean_style[1], old.mean_style.mean(0))
