"""The loop on tiny networks: exact resume, the order of photos, the weight average, every objective."""

import copy
from dataclasses import replace

import pytest
import torch
from pictures import make_photos

from gan.data import load_photos
from gan.errors import UserError
from gan.presets import from_preset
from gan.trainer import OVERSAMPLE, Stats, Trainer

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return load_photos(make_photos(tmp_path_factory.mktemp("photos")), OVERSAMPLE * 28)


def make(photos, preset="cwgan-gp-28", **training):
    classes = photos.classes
    model, train = from_preset(preset, classes, **{"width": 4, "batch": 4, "critic_steps": 2, **training})
    if len(model.classes) != len(classes):
        photos = photos.merged(model.classes[0])
    return Trainer(model, train, photos, CPU)


def same(a, b) -> bool:
    """Bit for bit, through dicts and lists."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


@pytest.mark.parametrize(
    "training", [{}, {"precision": "bf16"}, {"objective": "bce", "noisy_labels": True, "critic_norm": "bn"}]
)
def test_resuming_continues_bit_for_bit(photos, training):
    whole = make(photos, **training)
    for _ in range(7):
        last = whole.step()

    first = make(photos, **training)
    for _ in range(3):
        first.step()
    saved = copy.deepcopy(first.state())
    torch.manual_seed(12345)  # nothing may hang on the global generator
    second = make(photos, **training)
    second.load_state(saved)
    for _ in range(4):
        stats = second.step()
    assert stats == last
    assert same(whole.state(), second.state())


def test_another_seed_is_another_run(photos):
    a, b = make(photos, seed=1), make(photos, seed=2)
    assert a.step() != b.step()


@pytest.mark.parametrize(
    ("change", "named"),
    [({"lr": 1e-3}, "lr was 0.0002 and is now 0.001"), ({"batch": 5}, "batch"), ({"width": 5}, "generator"),
                          ({"flip_vertical": False}, "flip_vertical"), ({"seed": 3}, "seed")],
)  # fmt: skip
def test_another_configuration_is_refused_and_named(photos, change, named):
    state = make(photos).state()
    with pytest.raises(UserError, match=named):
        make(photos, **change).load_state(state)


def test_a_run_from_before_a_setting_existed_goes_on_under_its_default(photos):
    state = make(photos).state()
    del state["train"]["critic_warm_up"]
    make(photos).load_state(state)
    with pytest.raises(UserError, match="critic_warm_up was 0 and is now 8"):
        make(photos, critic_warm_up=8).load_state(state)


def test_more_images_are_not_another_configuration(photos):
    state = make(photos, images=10).state()
    make(photos, images=20).load_state(state)


def test_other_photos_are_refused(photos):
    state = make(photos).state()
    pixels = photos.images.clone()
    pixels[0, 0, 0, 0] ^= 1
    other = replace(photos, images=pixels, digest="another")
    with pytest.raises(UserError, match="photos are not those"):
        make(other).load_state(state)


def test_a_damaged_snapshot_is_refused(photos):
    state = make(photos).state()
    del state["critic"]
    with pytest.raises(UserError, match="damaged"):
        make(photos).load_state(state)


def test_every_epoch_shows_every_photo_once_in_another_order(photos):
    trainer = make(photos)
    total = len(photos.labels)
    stream = torch.cat([trainer._indices(start, 5) for start in range(0, 3 * total, 5)])[: 3 * total]
    epochs = stream.view(3, total)
    for epoch in epochs:
        assert sorted(epoch.tolist()) == list(range(total))
    assert not torch.equal(epochs[0], epochs[1])


def test_the_critic_sees_augmented_photos_with_their_classes(photos):
    trainer = make(photos, transpose=False, flip_horizontal=False, flip_vertical=False, rotate=False)
    pictures, code = trainer.real_batch(0, 4, torch.Generator().manual_seed(0))
    index = trainer._indices(0, 4)
    plain = torch.nn.functional.avg_pool2d(photos.images[index].float() / 127.5 - 1, 2)
    assert torch.allclose(pictures, plain)
    assert code.argmax(1).tolist() == photos.labels[index].tolist()
    assert pictures.shape == (4, 3, 28, 28) and pictures.abs().max() <= 1


def test_average_by_hand(photos):
    trainer = make(photos, ema_images=8)
    trainer.images_seen = 10_000  # past the ramp: the half-life is 8 images, one step of 2 × 4
    before = {name: value.clone() for name, value in trainer.ema.state_dict().items()}
    with torch.no_grad():
        for weight in trainer.generator.parameters():
            weight.add_(1.0)
    trainer._update_ema()
    for name, _ in trainer.ema.named_parameters():
        assert torch.allclose(trainer.ema.state_dict()[name], before[name] + 0.5), name


@pytest.mark.parametrize(
    "training",
    [{"objective": "wgan-gp"}, {"objective": "wgan-clip"}, {"objective": "bce", "label_smoothing": 0.4, "noisy_labels": True},
     {"critic_norm": "ln"}, {"critic_norm": "bn"}, {"critic_lr": 1e-3}],
)  # fmt: skip
def test_every_objective_moves_both_networks(photos, training):
    trainer = make(photos, **training)
    before = copy.deepcopy(trainer.state())
    stats = trainer.step()
    assert stats.finite and trainer.finite()
    assert (stats.gradient_norm > 0) == (trainer.config.objective == "wgan-gp")
    assert not same(before["generator"], trainer.state()["generator"])
    assert not same(before["critic"], trainer.state()["critic"])
    if trainer.config.objective == "wgan-clip":
        assert max(weight.abs().max() for weight in trainer.critic.parameters()) <= trainer.config.clip
    assert trainer.images_seen == 8 and trainer.steps == 1


def test_plain_model_and_slides_model_train(photos):
    assert make(photos, "wgan-gp-28").step().finite
    bigger = replace(photos, images=torch.nn.functional.interpolate(photos.images, size=128))
    assert make(bigger, "dcgan-64", width=2).step().finite


def test_a_loss_that_is_no_number_is_noticed():
    assert Stats(1, 2, 3, 4, 5).finite
    assert not Stats(1, float("nan"), 3, 4, 5).finite
    assert not Stats(float("inf"), 2, 3, 4, 5).finite


def test_warming_up_moves_the_critic_alone(photos):
    trainer = make(photos, critic_warm_up=16)
    before = copy.deepcopy(trainer.state())
    for _ in range(2):
        assert trainer.step().generator_loss == 0
    for part in ("generator", "ema"):
        weights = {name: value for name, value in before[part].items() if "running" not in name and "num_" not in name}
        assert all(torch.equal(value, trainer.state()[part][name]) for name, value in weights.items())
    assert not same(before["critic"], trainer.state()["critic"])
    assert trainer.step().generator_loss != 0


def test_learns_the_colours_of_its_photos(photos):
    """Not a test of quality: after a short training the two classes differ as their photos do, red against green."""
    trainer = make(photos, width=16, batch=16, lr=1e-3, beta1=0.0, beta2=0.9, ema_images=200)
    for _ in range(60):
        trainer.step()
    drawn = [trainer.draw(range(32), torch.full((32,), label)) for label in (0, 1)]
    real = [photos.images[photos.labels == label].float().mean((0, 2, 3)) for label in (0, 1)]
    green = [float(pictures[:, 1, 9:19, 9:19].mean()) for pictures in drawn]
    assert real[0][1] > real[1][1]
    assert green[0] > green[1] + 0.1
