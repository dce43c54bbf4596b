"""Beginning a generator as another: fine-tuning copies all of it, growing starts from its pictures, enlarged."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate

from gan.data.image_folder import Photos
from gan.generator import ConvGenerator, make_generator, one_hot
from gan.networks.layers import init_weights
from gan.presets import from_preset
from gan.runs.transfer import _can_pass, init_from, init_trainer_from
from gan.trainer import Trainer


def make(preset, seed, classes=("a", "b"), width=4):
    torch.manual_seed(seed)
    generator = ConvGenerator(from_preset(preset, classes, width=width)[0])
    init_weights(generator)
    with torch.no_grad():  # as after some training: weights large enough for pictures with contrast
        for name, weight in generator.named_parameters():
            if ".0.weight" in name:
                weight.mul_(5)
    for module in generator.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # a plain mean over the passes: two settle the running statistics
    generator.train()
    for _ in range(2):
        draw(generator, 64)
    return generator.eval()


@torch.no_grad()
def draw(generator, count, seed=1):
    z = torch.randn(count, generator.config.z_dim, generator=torch.Generator().manual_seed(seed))
    return generator(z, one_hot(torch.arange(count) % 2, generator.config))


def test_the_same_network_is_copied_whole():
    first, second = make("cwgan-gp-64-k4", 1), make("cwgan-gp-64-k4", 2)
    assert init_from(second, first) == 5
    assert torch.equal(draw(first, 3), draw(second, 3))


@pytest.mark.parametrize("training", [False, True])
def test_growing_starts_with_the_smaller_pictures_enlarged(training):
    small, large = make("cwgan-gp-64", 1), make("cwgan-gp-128", 2)
    before = (draw(large, 32) - interpolate(draw(small, 32), scale_factor=2, mode="bilinear")).abs().mean()
    assert init_from(large, small) == 8, "every convolution of the 64×64 generator but its last"
    large.train(training)
    enlarged = interpolate(draw(small, 32), scale_factor=2, mode="bilinear")
    after = (draw(large, 32) - enlarged).abs().mean()
    assert enlarged.std() > 0.05  # what is left is the last convolution seeing enlarged features
    assert after < 0.25 * enlarged.std() and after < before / 4


def test_another_number_of_classes_fits_too():
    small, large = make("cwgan-gp-64-k4", 1), ConvGenerator(from_preset("cwgan-gp-64-k4", ("a", "b", "c"), width=4)[0]).eval()
    assert init_from(large, small) == 5
    assert torch.equal(draw(large, 3), draw(small, 3).detach()), "shared names draw as before"


def test_blocks_that_change_their_width_keep_their_own_weights():
    """The leading layers fit, but what follows cannot hand a picture on: only the fitting layers are taken."""
    small = make("cwgan-gp-64", 1)
    config = from_preset("cwgan-gp-128", ("a", "b"), width=4)[0]
    layers = list(config.generator)
    layers[-3] = layers[-3].replace(">4 ", ">5 ")
    torch.manual_seed(2)
    large = ConvGenerator(replace(config, generator=tuple(layers)).validate())
    last = large.gen[-1][0].weight.clone()
    assert init_from(large, small) == 8
    assert torch.equal(large.gen[0][0].weight, small.gen[0][0].weight)
    assert torch.equal(large.gen[-1][0].weight, last)


def styled(resolution: int, classes=("a", "b"), width: int = 8):
    torch.manual_seed(resolution)
    generator = make_generator(from_preset("flagship", classes, resolution=resolution, width=width)[0])
    generator.init_weights()
    return generator


def test_a_generator_with_styles_grows_from_a_smaller_one():
    small, large = styled(32), styled(64)
    assert init_from(large, small) == 2 * 4
    z, code = torch.randn(3, 128), torch.eye(2)[[0, 1, 0]]
    with torch.no_grad():
        enlarged = interpolate(small(z, code), scale_factor=2, mode="bilinear", align_corners=False)
        assert torch.allclose(large(z, code), enlarged, atol=1e-4), "the new scale adds nothing yet"
        assert torch.allclose(large(z, code, 32), small(z, code), atol=1e-5)


def test_other_classes_keep_the_layers_and_begin_as_the_mean_of_the_old():
    small, other = styled(32), styled(32, ("b", "x", "y"))
    assert init_from(other, small) == 2 * 4
    old, new = small.embed.weight, other.embed.weight
    assert torch.equal(new[:, 0], old[:, 1]) and torch.equal(other.start.weight, small.start.weight)
    assert torch.allclose(new[:, 1], old.mean(1)) and torch.equal(new[:, 1], new[:, 2])


def test_nothing_fits_across_families_or_other_mappings():
    plain = make_generator(from_preset("cwgan-gp-64", ("a", "b"), width=8)[0])
    assert init_from(styled(64), plain) == 0 == init_from(plain, styled(64))
    assert init_from(styled(32), styled(32, width=12)) == 0


def tiny_trainer(resolution):
    model, train = from_preset("flagship", ("x", "y", "z"), resolution=resolution, width=8, images=1000)
    assert train.sides == (() if resolution == 64 else ("64:30%", str(resolution)))
    images = torch.zeros(9, 3, 2 * resolution, 2 * resolution, dtype=torch.uint8)
    photos = Photos(images, torch.arange(9) % 3, model.classes, (), "d")
    return Trainer(model, train, photos, torch.device("cpu"))


def test_beginning_at_the_whole_side_leaves_the_coarse_beginning_out():
    """A coarse beginning would train the coarse scales away from fine ones that are trained already."""
    other, trainer = styled(128), tiny_trainer(128)
    assert trainer.side == 64
    assert not trainer.from_trained
    init_trainer_from(trainer, other)
    assert trainer.from_trained and trainer.side == 128 and trainer.generator.scales[-1].rgb_weight.abs().sum() > 0
    again = tiny_trainer(128)
    again.load_state(trainer.state())
    assert again.side == 128 and again.from_trained, "a run that is taken up again, too"
    growing = tiny_trainer(128)
    init_trainer_from(growing, styled(64))
    assert growing.side == 64 and not growing.generator.scales[-1].rgb_weight.any(), "a new scale is learnt after the others"


def test_the_images_of_sides_that_are_left_out_go_to_the_last_side():
    trainer = Trainer(*small_flagship(32), torch.device("cpu"))
    assert trainer.schedule == [(8, 300), (16, 800), (32, 1000)]
    init_trainer_from(trainer, make_generator(small_flagship(16)[0]))
    assert trainer.schedule == [(16, 500), (32, 1000)]


def small_flagship(resolution):
    """A model of so many pixels a side that grows in three steps, its training and its photos."""
    model, train = from_preset("flagship", ("x", "y", "z"), resolution=32, width=8, images=1000)
    model = replace(model, resolution=resolution, generator=model.generator[: resolution.bit_length()])
    images = torch.zeros(9, 3, 2 * resolution, 2 * resolution, dtype=torch.uint8)
    photos = Photos(images, torch.arange(9) % 3, model.classes, (), "d")
    return model, replace(train, sides=("8:30%", "16:50%", "32")), photos


def test_norms_that_processes_share_do_not_keep_a_block_from_being_an_identity():
    class Shared(nn.BatchNorm2d):
        pass

    block = nn.Sequential(nn.Conv2d(4, 4, 3, 1, 1), Shared(4), nn.ReLU())
    assert _can_pass(block) and not _can_pass(block[:2])
