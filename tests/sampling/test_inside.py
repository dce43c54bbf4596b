"""Inside the network: pictures scale by scale and maps of layers are what plain PyTorch gives, and the last is the flower."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gan.config import ModelConfig
from gan.errors import UserError
from gan.generator import make_generator
from gan.sampling import inside
from gan.sampling.flower import Flower, StyleMix
from gan.sampling.sampler import Sampler
from gan.utils.images import to_uint8

STYLED = ("M>16", "M>16", "S>16", "S>16", "S>8")
FLOWER = Flower(1, 7, 1.5)
KINDS = {
    "plain": ("T4,1,0>8 bn relu", "up", "C3,1,1>8 bn relu", "T4,2,1>3 tanh"),
    "residual": ("E>4", "T4,1,0>8", "R>8 up cbn", "A", "R>20 up", "C3,1,1>3 bn tanh"),
    "grows": ("C4,1,3>8 eq lrelu", "rgb", "up", "C3,1,1>8 eq lrelu", "rgb", "up", "C3,1,1>4 eq lrelu", "rgb"),
    "adain": ("M>16", "K>8", "S>8 adain noise", "S>8 adain", "S>4 adain"),
}
MODULES = {  # the modules that give the maps, of a generator of each kind
    "plain": lambda generator: list(generator.gen),
    "residual": lambda generator: list(generator.gen),
    "grows": lambda generator: [layer for stage in generator.stages for layer in stage],
    "adain": lambda generator: list(generator.scales),
}


def made(layers: tuple[str, ...]):
    torch.manual_seed(3)
    generator = make_generator(ModelConfig("small", 16, ("a", "b"), layers, z_dim=12).validate())
    generator.init_weights()
    for name, weight in generator.named_parameters():
        if name.endswith("weight") or name.endswith("gain"):
            torch.nn.init.normal_(weight, 0, 0.3)
    generator.calibrate()
    return generator.requires_grad_(False).eval()


@pytest.fixture(params=KINDS)
def network(request):
    generator = made(KINDS[request.param])
    sampler = Sampler(generator, 1)
    yield request.param, generator, sampler
    sampler.close()


@pytest.fixture
def styled():
    sampler = Sampler(made(STYLED), 1)
    yield sampler
    sampler.close()


def test_the_maps_are_those_that_hooks_see(network):
    kind, generator, sampler = network
    seen = []
    for module in MODULES[kind](generator):
        module.register_forward_hook(lambda _, __, out: seen.append((out[0] if isinstance(out, tuple) else out)[0].clone()))
    code = FLOWER.resolve(2).code(generator.config)
    picture = generator.decode(*generator.latents([FLOWER.seed], code, FLOWER.truncation))
    maps, drawn = sampler.maps(FLOWER)
    assert len(maps) == len(seen) and [layer for layer, _ in maps] == [
        layer for layer in KINDS[kind] if layer.split(">")[0] not in ("M", "K", "E", "rgb")
    ]
    for (layer, got), wanted in zip(maps, seen):
        assert got.shape == wanted.shape and got.dtype == np.float32, layer
        # The sampler draws in bf16 where the processor can, with batch norms folded.
        assert np.abs(got - wanted.numpy()).max() <= 0.04 * float(wanted.abs().max()) + 1e-6, layer
    assert np.abs(drawn.astype(int) - to_uint8(picture)[0]).max() <= 12


def test_the_last_picture_is_the_flower_bit_for_bit(network, styled):
    for flower in (FLOWER, Flower(0, 8, None), Flower((0.5, 0.5), 9, 0.5)):
        _, _, sampler = network
        steps, picture = inside.layers(sampler, flower)
        assert np.array_equal(picture, sampler.draw([flower])[0]) and steps[-1].shape[1:] == (16, 16)
        scales = inside.scales(styled, flower)
        assert [step.side for step in scales] == [len(step.picture) for step in scales] == [4, 8, 16]
        assert np.array_equal(scales[-1].picture, styled.draw([flower])[0])


def test_coarse_pictures_and_what_is_added_make_the_finer_one(styled):
    assert inside.has_scales(styled)
    steps = inside.scales(styled, FLOWER)
    assert steps[0].added is None and steps[0].change == 0
    for coarse, fine in zip(steps, steps[1:]):
        large = torch.nn.functional.interpolate(
            torch.from_numpy(coarse.picture).permute(2, 0, 1)[None].float(), scale_factor=2, mode="bilinear"
        )
        added = fine.picture - large[0].permute(1, 2, 0).numpy()
        assert fine.change == pytest.approx(np.abs(added).mean(), rel=1e-5)
        assert fine.factor in (1, 2, 4, 8, 16)
        inner = (fine.added > 0) & (fine.added < 255)
        assert np.abs((fine.added - 127.5) / fine.factor - added)[inner].max() <= 0.5 / fine.factor + 1e-3


@pytest.mark.parametrize(("reach", "factor"), [(0, 16), (1, 16), (8, 8), (40, 2), (127, 1), (255, 1)])
def test_differences_are_amplified_as_far_as_they_fit(reach, factor):
    assert inside.amplification(np.full((4, 4, 3), -reach, np.float32)) == factor


def test_a_mosaic_shows_the_strongest_maps_each_in_its_own_range():
    maps = np.zeros((20, 4, 4), np.float32)
    maps[:, 0, 0] = np.arange(20)
    maps[7] = -5
    chosen = inside.strongest(maps)
    assert list(chosen) == [19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 6, 5, 4, 3]
    sheet = inside.mosaic(maps[[19, 7, 3]])
    assert sheet.shape == (2 * 48 + 2, 2 * 48 + 2, 2) and set(np.unique(sheet[..., 1])) == {0, 255}
    assert (sheet[:12, :12, 0] == 255).all() and (sheet[:48, 12:48, 0] == 0).all()  # a pixel is twelve, not smoothed
    assert (sheet[:48, 50:, 0] == 128).all() and (sheet[50:, 50:, 1] == 0).all()  # no range; no fourth map


def test_what_goes_in_is_the_noise_or_the_style(network, styled):
    kind, _, sampler = network
    picture, count = inside.start(sampler, FLOWER)
    of_seed, of_class = sampler.latents([FLOWER])
    numbers = (of_seed + of_class if kind == "adain" else of_seed)[0].numpy()
    assert count == len(numbers) and picture.shape == (4, 4, 2) if count == 16 else picture.shape == (3, 4, 2)
    assert np.corrcoef(picture[..., 0].ravel()[:count], numbers)[0, 1] > 0.999
    crossed = Flower(1, 7, 1.5, fine=StyleMix(0, 3, 1))
    assert inside.start(styled, FLOWER)[0].shape == (4, 4, 2) and inside.start(styled, crossed)[0].shape == (4, 10, 2)


def test_a_flower_that_is_not_there_gets_a_sentence(network, styled):
    with pytest.raises(UserError, match="class"):
        inside.layers(network[2], Flower(7, 1))
    with pytest.raises(UserError, match="seed"):
        inside.scales(styled, Flower(0, -1))
