"""The family's recipes on tiny networks: each learns from photos, resumes exactly, and is what its preset says."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from conftest import ROOT
from pictures import make_photos
from test_trainer import CPU, same

from gan.config import ModelConfig
from gan.data.image_folder import OVERSAMPLE, load_photos
from gan.errors import UserError
from gan.generator import make_generator, one_hot
from gan.hub.checkpoint import load_model, save_model
from gan.losses import orthogonality
from gan.networks.layers import parameters
from gan.networks.weight_scaling import scaled, trained_weight
from gan.options import TrainConfig
from gan.presets import PRESETS, from_preset
from gan.regularizers import PathLength, Regularizers, filters_of, mixed_noise
from gan.runs.transfer import init_critic_from, init_from, init_trainer_from
from gan.trainer import Trainer
from gan.utils.distributed import ShardedRandom

FAMILY = [name for name, preset in PRESETS.items() if preset.year > 2016]  # the DCGAN has tests of its own
CLASSES = ("dandelion", "marigold")
# Preset → its generator and its critic for 16×16 pictures; the settings of its training are its own but for these.
PLAIN = ("T4,1,0>16 bn relu", "T4,2,1>8 bn relu", "T4,2,1>3 tanh")
JUDGE = ("C4,2,1>8 lrelu", "C4,2,1>16 bn lrelu", "C4,1,0>1")
TINY = {
    "wgan-64": (PLAIN, ("C4,2,1>8 lrelu", "C4,2,1>16 lrelu", "C4,1,0>1"), {"critic_steps": 2, "lr": 2e-3, "clip": 0.05}),
    "lsgan-64": (PLAIN, JUDGE, {}),
    "acgan-64": (PLAIN, (*JUDGE[:-1], "X"), {}),
    "sngan-64": (
        ("T4,1,0>16 cbn relu", "T4,2,1>8 cbn relu", "T4,2,1>3 tanh"), ("C4,2,1>8 sn lrelu", "C4,2,1>16 sn lrelu", "P sn"), {}
    ),
    "sagan-64": (
        ("T4,1,0>16 sn cbn relu", "T4,2,1>8 sn cbn relu", "A sn", "T4,2,1>3 sn tanh"),
        ("C4,2,1>8 sn lrelu", "A sn", "C4,2,1>16 sn lrelu", "P sn"), {},
    ),
    "biggan-64": (
        ("E>4", "C4,1,3>16 sn", "R>16 up sn cbn", "R>8 up sn cbn", "C1,1,0>8 sn cbn relu", "C3,1,1>3 sn tanh"),
        ("C4,2,1>8 sn", "R>16 down sn", "P sn"), {"critic_steps": 1},
    ),
    "progan-64": (
        ("C4,1,3>16 eq lrelu pn", "up", "C3,1,1>16 eq lrelu pn", "rgb eq", "up", "C3,1,1>8 eq lrelu pn", "rgb eq"),
        ("rgb>8 eq lrelu", "C3,1,1>16 eq lrelu", "down", "rgb>16 eq lrelu", "C3,1,1>16 eq lrelu", "mbstd",
         "C8,1,0>16 eq lrelu", "C1,1,0>1 eq"), {"sides": ("8:160", "16")},
    ),
    "stylegan-64": (
        ("M>16", "M>16", "K>16", "S>16 adain noise", "S>16 adain noise", "S>8 adain noise"),
        ("C4,2,1>16 eq lrelu", "C4,2,1>16 eq lrelu", "mbstd", "C4,1,0>16 eq lrelu", "P eq"), {},
    ),
    "stylegan2-64": (
        ("M>16", "M>16", "K>16", "S>16 noise", "S>16 noise", "S>8 smooth noise"),
        ("C4,2,1>8 eq lrelu", "R>16 down eq", "mbstd", "C4,1,0>16 eq lrelu", "P eq"), {"penalty_every": 4},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return load_photos(make_photos(tmp_path_factory.mktemp("photos"), 16), OVERSAMPLE * 16)


def tiny(photos, preset, **training):
    """The recipe of a preset for 16×16 pictures, at four times its rates."""
    generator, critic, own = TINY[preset]
    model = ModelConfig(preset, 16, photos.classes, generator, z_dim=from_preset(preset, CLASSES)[0].z_dim).validate()
    recipe = {**vars(from_preset(preset, CLASSES)[1]), "critic": critic, "batch": 16, "images": 2000, "ema_images": 50}
    rates = {name: 4 * recipe[name] for name in ("lr", "critic_lr")}
    return Trainer(model, TrainConfig(**{**recipe, **rates, **own, **training}).validate(), photos, CPU)


def apart(trainer):
    """Energy distance of drawn pictures and photos in 4×4 pixels (Székely 2003): 0 for the same distribution, never below."""
    real = torch.nn.functional.adaptive_avg_pool2d(trainer.photos.images.float() / 127.5 - 1, 4).flatten(1)
    drawn = trainer.draw(range(32), torch.arange(32) % 2, None)
    drawn = torch.nn.functional.adaptive_avg_pool2d(drawn.clamp(-1, 1), 4).flatten(1)
    return float(2 * torch.cdist(real, drawn).mean() - torch.cdist(real, real).mean() - torch.cdist(drawn, drawn).mean())


def test_every_member_is_tried_here():
    assert TINY.keys() == set(FAMILY)


@pytest.mark.parametrize("preset", FAMILY)
def test_a_short_training_brings_the_pictures_nearer_to_the_photos(preset, photos):
    trainer = tiny(photos, preset)
    before = apart(trainer)
    for _ in range(50):
        assert trainer.step().finite
    assert apart(trainer) < 0.95 * before and trainer.finite()


@pytest.mark.parametrize(("preset", "before"), [("wgan-64", 2), ("biggan-64", 2), ("progan-64", 11), ("stylegan2-64", 3)])
def test_a_member_resumes_bit_for_bit(preset, before, photos):
    """Power iterations, a fading stage, moving means and penalties that are due now and then go on as if nothing had been."""
    whole = tiny(photos, preset)
    for _ in range(before + 3):
        last = whole.step()
    first = tiny(photos, preset)
    for _ in range(before):
        first.step()
    saved = copy.deepcopy(first.state())
    torch.manual_seed(12345)
    second = tiny(photos, preset)
    second.load_state(saved)
    for _ in range(3):
        stats = second.step()
    assert stats == last and same(whole.state(), second.state())


def test_a_side_fades_in_over_half_of_its_images(photos):
    trainer, seen = tiny(photos, "progan-64", images=480), []
    assert trainer.schedule == [(8, 160), (16, 480)]
    for _ in range(30):
        trainer.step()
        seen.append(round(float(trainer.generator.grown), 3))
    assert seen[:10] == [1] * 10
    assert seen[10:20] == pytest.approx([1 + max(number / 10, 1e-4) for number in range(10)], abs=1e-3)
    assert seen[20:] == [2] * 10 and trainer.critic.share == 1 and float(trainer.ema.grown) == 2


def test_photos_fade_in_with_the_layers(photos):
    """At the beginning of a side they show no more than the side before; networks that do not fade see them whole."""
    trainer = tiny(photos, "progan-64", images=480)

    def coarse(pictures):
        return torch.nn.functional.avg_pool2d(pictures, 2).repeat_interleave(2, 2).repeat_interleave(2, 3)

    for seen, share in ((0, 1), (160, 0), (240, 0.5), (320, 1)):
        trainer.images_seen = seen
        whole = torch.rand(2, 3, trainer.side, trainer.side)
        assert torch.allclose(trainer._faded(whole), (1 - share) * coarse(whole) + share * whole)
    trainer.images_seen, looked_at, features = 160, [], trainer._features
    trainer._features = lambda images, draws: looked_at.append(images) or features(images, draws)
    trainer.step()
    assert any(torch.allclose(images, coarse(images), atol=1e-6) for images in looked_at[1::2]), "the critic's photos, too"
    other = tiny(photos, "stylegan2-64")
    other.schedule, other.images_seen = [(8, 160), (16, 480)], 160
    assert other.fade == 0 and torch.equal(other._faded(whole), whole)


@pytest.mark.parametrize("preset", FAMILY)
def test_a_member_is_saved_and_drawn_the_same(preset, photos, tmp_path):
    trainer = tiny(photos, preset)
    trainer.step()
    save_model(tmp_path, trainer.averaged(), trainer.model)
    code = one_hot(torch.tensor([1, 0]), trainer.model)
    loaded, model = load_model(tmp_path), trainer.averaged()
    assert loaded.config == trainer.model
    with torch.no_grad():
        drawn, wanted = (one.decode(*one.latents([3, 4], code, 1.5)) for one in (loaded, model))
    assert torch.allclose(drawn, wanted, atol=1e-5)


@pytest.mark.parametrize("preset", FAMILY)
def test_a_preset_fits_into_five_megabytes_and_the_page_says_its_size(preset):
    model, train = from_preset(preset, CLASSES)
    size = parameters(make_generator(model))
    assert 2 * size < 5e6, "in half precision"
    row = next(
        line
        for line in (ROOT / "docs" / "family.md").read_text().splitlines()
        if line.startswith("|") and f"`{preset}`" in line
    )
    assert f"| {size / 1e6:.2f} M |" in row and f"| {PRESETS[preset].year} |" in row
    assert train.images <= 200_000 and model.resolution == 64


def test_mixed_noise_changes_once_and_for_the_share_that_is_asked_for():
    z = torch.randn(200, 8)
    mixed = mixed_noise(z, 5, 0.5, ShardedRandom(0))
    assert mixed.shape == (200, 5, 8) and torch.equal(mixed[:, 0], z), "the first scale keeps its noise"
    other = (mixed != z[:, None]).any(2)
    assert 0.35 < other[:, -1].float().mean() < 0.65 and (other[:, 1:] >= other[:, :-1]).all()
    assert {int(row.sum()) for row in other} == {0, 1, 2, 3, 4}
    assert not (mixed_noise(z, 5, 0.0, ShardedRandom(0)) != z[:, None]).any()


def test_the_styles_of_mixed_noise_are_those_of_each_row(photos):
    generator = tiny(photos, "stylegan2-64").generator
    z, code = torch.randn(2, 3, 128), torch.eye(2)
    styles = generator.styles(z, code)
    assert styles.shape == (2, 3, 16)
    assert torch.allclose(styles[1, 2], generator.style(z[1:, 2], code[1:])[0], atol=1e-6)


class Linear(torch.nn.Module):
    """Pictures A·w of styles that are the noise itself."""

    def __init__(self):
        super().__init__()
        self.matrix = torch.nn.Parameter(torch.randn(5, 12))

    def styles(self, z, code):
        return z[:, None].requires_grad_(True)

    def synthesize(self, styles, side=None, draws=None):
        return (styles[:, 0] @ self.matrix).view(-1, 3, 2, 2)


def test_the_path_length_of_a_linear_network_and_its_moving_mean():
    torch.manual_seed(0)
    network, regularizer, z = Linear(), PathLength(), torch.randn(4, 5)
    noise = ShardedRandom(0).normal(4, 3, 2, 2)
    lengths = (noise.flatten(1) @ network.matrix.T).norm(dim=1) / 2
    penalty = regularizer(network, z, torch.zeros(4, 0), ShardedRandom(0))
    mean = 0.01 * lengths.mean()
    assert regularizer.mean.item() == pytest.approx(mean.item(), rel=1e-4)
    assert penalty.item() == pytest.approx((lengths - mean).square().mean().item(), rel=1e-4)
    penalty.backward()
    assert network.matrix.grad.abs().sum() > 0


def test_r1_of_a_linear_critic_is_taken_at_photos_alone(photos):
    """C(x) = w·x has the gradient w, so the penalty is ‖w‖²/2."""
    trainer = tiny(photos, "stylegan-64")
    weight, judged = torch.randn(3 * 16 * 16), []

    def critic(seen, code):
        judged.append(len(seen))
        return seen.flatten(1) @ weight

    trainer.critic.forward = critic
    images, code = torch.randn(4, 3, 16, 16), torch.eye(2)[[0, 1, 0, 1]]
    penalty, norms = trainer._penalty(images, images - 1, code, ShardedRandom(0))
    assert judged == [4] and norms.shape == (4,) and penalty.item() == pytest.approx(float(weight.square().sum()) / 2, rel=1e-4)


def test_the_weight_of_like_filters_changes_the_loss_and_zero_does_not(photos):
    first, second = (tiny(photos, "biggan-64", orthogonal_weight=weight).step().generator_loss for weight in (0.0, 1.0))
    assert second > first


@pytest.mark.parametrize("scaling", ["", "sn", "eq"])
@pytest.mark.parametrize("kind", [torch.nn.Conv2d, torch.nn.ConvTranspose2d])
def test_like_filters_are_those_of_two_outputs_in_convolutions_of_both_kinds(kind, scaling):
    """Two filters that are the same, of length 1, have the product 1, which counts twice; like inputs are none."""
    alike, apart = torch.zeros(2, 2, 2, 1, 1)  # outputs × inputs × 1 × 1
    alike[:, 0], apart[0, :] = 1, 1
    for weight, wanted in ((alike, 2), (apart, 0)):
        layer = scaled(kind(2, 2, 1), scaling)
        with torch.no_grad():
            trained_weight(layer).copy_(weight.transpose(0, 1) if kind is torch.nn.ConvTranspose2d else weight)
        assert orthogonality(filters_of(torch.nn.Sequential(layer))).item() == wanted


def path_regularizer(photos, seen=None, **training):
    """Regularizers of a run with a path length of weight 2 every fourth step, which are 3; `seen` collects the batches."""
    train = tiny(photos, "stylegan2-64", **{"path_length_weight": 2.0, "path_length_every": 4, **training}).config
    regularizers = Regularizers(train)

    def path_length(generator, z, code, draws):
        if seen is not None:
            seen.append((z.shape, code))
        return torch.tensor(3.0)

    regularizers.path_length = path_length
    return regularizers


def test_a_path_length_comes_every_so_many_steps_and_weighs_as_much_more(photos):
    """Every fourth step 4 · 2 · 3; every step 1 · 2 · 3: the same in the mean."""
    generator, code = tiny(photos, "stylegan2-64").generator, torch.eye(2)[[0, 1, 0, 1]]
    rare, often = path_regularizer(photos), path_regularizer(photos, path_length_every=1)
    assert [float(rare(generator, code, ShardedRandom(0), step)) for step in range(9)] == [24, 0, 0, 0, 24, 0, 0, 0, 24]
    assert [float(often(generator, code, ShardedRandom(0), step)) for step in range(3)] == [6, 6, 6]


@pytest.mark.parametrize(("batch", "half"), [(6, 3), (5, 3), (1, 1)])
def test_a_path_length_is_taken_at_half_of_the_batch(photos, batch, half):
    seen, code = [], torch.eye(2)[torch.arange(batch) // 2 % 2]
    generator = tiny(photos, "stylegan2-64").generator
    path_regularizer(photos, seen)(generator, code, ShardedRandom(0), 0)
    ((shape, codes),) = seen
    assert shape == (half, generator.config.z_dim) and torch.equal(codes, code[::2])


@pytest.mark.parametrize(
    ("preset", "given", "says"),
    [
        ("acgan-64", {"objective": "bce"}, "acgan goes with a critic that ends with X"),
        ("dcgan-64", {"objective": "acgan"}, "acgan goes with a critic that ends with X"),
        ("lsgan-64", {"style_mixing": 0.5}, "want styles"), ("cwgan-gp-64", {"path_length_weight": 1.0}, "want styles"),
        ("lsgan-64", {"label_smoothing": 0.1}, "--label-smoothing is for"), ("sngan-64", {"sides": ("32:5", "64")}, "grows"),
        ("progan-64", {"sides": ("4:5", "64")}, "grows by 8, 16, 32, 64 pixels"),
        ("stylegan2-64", {"sides": ("32:5", "64")}, "grows, as flagship and progan-64"),
        ("flagship", {"sides": ("4:5", "64")}, "begin with 8 or more"),
        ("flagship", {"sides": ("32:60%", "64:40%", "128")}, "it would never draw 128"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused(preset, given, says):
    with pytest.raises(UserError, match=says):
        from_preset(preset, CLASSES, **given)


@pytest.mark.parametrize("preset", ["sngan-64", "biggan-64", "progan-64", "stylegan-64"])
def test_a_member_begins_with_another_of_its_kind(preset, photos):
    other, trainer = tiny(photos, preset, seed=1).averaged(), tiny(photos, preset)
    assert init_from(trainer.generator, other) > 0
    code, z = torch.eye(2), torch.randn(2, other.config.z_dim)
    with torch.no_grad():
        assert torch.allclose(trainer.generator.eval()(z, code), other(z, code), atol=1e-5)


def test_a_model_that_grew_up_goes_on_at_its_full_side(photos):
    trainer = tiny(photos, "progan-64", images=1000)
    assert trainer.schedule and trainer.side < 16
    assert init_trainer_from(trainer, tiny(photos, "progan-64", seed=1).averaged()) > 0
    assert trainer.side == 16 and trainer.fade == 1


@pytest.mark.parametrize("preset", ["sngan-64", "lsgan-64"])
def test_a_critic_of_layers_comes_along_to_the_same_classes(preset, photos):
    trainer, kept = tiny(photos, preset), tiny(photos, preset, seed=1).saved_critic()
    assert init_critic_from(trainer, kept)
    assert all(torch.equal(value, kept.state[key]) for key, value in trainer.critic.state_dict().items())
    assert not init_critic_from(trainer, replace(kept, classes=("rose", "tulip")))


@pytest.mark.parametrize("preset", ["sngan-64", "biggan-64"])
def test_classes_in_norms_are_matched_by_name(preset, photos):
    from gan.runs.transfer import with_classes

    old = tiny(photos, preset).averaged()
    new = with_classes(old, ("marigold", "rose", "dandelion"))
    z, rows = torch.randn(1, old.config.z_dim), torch.eye(3)
    with torch.no_grad():
        assert torch.allclose(new(z, rows[:1]), old(z, torch.eye(2)[1:]), atol=1e-5)
        assert torch.allclose(new(z, rows[2:]), old(z, torch.eye(2)[:1]), atol=1e-5)


def test_mixed_batches_share_their_batch_norm(photos):
    """With photos and pictures in one batch a score depends on the other half; in batches of their own it does not."""
    critic, code = tiny(photos, "lsgan-64").critic, torch.eye(2)[[0, 1, 0, 1]]
    real, fake = torch.randn(4, 3, 16, 16), torch.randn(4, 3, 16, 16)
    for mixed in (False, True):
        first, other = (critic.scores(real, pictures, code, mixed)[0] for pictures in (fake, fake + 3))
        assert torch.allclose(first, other, atol=1e-6) is not mixed
    assert tiny(photos, "lsgan-64", mixed_batches=True).step() != tiny(photos, "lsgan-64").step()
