"""The loop on tiny networks: exact resume, the order of photos, the weight average, every objective."""

import copy
from dataclasses import replace

import pytest
import torch
from pictures import make_photos

from gan import losses
from gan import trainer as trainer_module
from gan.config import ModelConfig
from gan.data.image_folder import OVERSAMPLE, load_photos
from gan.data.photo_stream import mix_seeds
from gan.errors import UserError
from gan.hub import checkpoint
from gan.matching import Matching
from gan.options import TrainConfig
from gan.presets import from_preset
from gan.runs.transfer import critic_with_classes, init_critic_from
from gan.trainer import StepStats, Trainer
from gan.utils.distributed import ShardedRandom

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
        second.gradients()  # only looks
    assert stats == last
    assert same(whole.state(), second.state()) and whole.gradients() == second.gradients()


def test_gradients_are_those_that_moved_the_weights_last(photos):
    trainer = make(photos, critic_warm_up=8)
    assert trainer.gradients() == {}
    trainer.step()
    assert trainer.gradients().keys() == {"critic_gradient"}, "the generator was not trained yet"
    trainer.step()
    found = trainer.gradients()
    for name, network in (("generator", trainer.generator), ("critic", trainer.critic)):
        total = sum(float(weight.grad.double().square().sum()) for weight in network.parameters()) ** 0.5
        assert found[f"{name}_gradient"] == pytest.approx(total, rel=1e-5) and total > 0


def test_another_seed_is_another_run(photos):
    a, b = make(photos, seed=1), make(photos, seed=2)
    assert a.step() != b.step()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"lr": 1e-3}, "--lr was 0.0002 and is now 0.001"),
        ({"batch": 5}, "--batch was 4 and is now 5"),
        ({"width": 5}, "its generator had other layers .--width"),
        ({"flip_vertical": False}, "--flip-vertical was on and is now off"),
        ({"seed": 3}, "--seed was 0 and is now 3"),
    ],
)
def test_another_configuration_is_refused_and_named(photos, change, named):
    state = make(photos).state()
    with pytest.raises(UserError, match=named):
        make(photos, **change).load_state(state)


def test_a_run_from_before_a_setting_existed_goes_on_under_its_default(photos):
    state = make(photos).state()
    del state["train"]["critic_warm_up"]
    make(photos).load_state(state)
    with pytest.raises(UserError, match="--critic-warm-up was 0 and is now 8"):
        make(photos, critic_warm_up=8).load_state(state)


def test_more_images_and_another_end_are_not_another_configuration(photos):
    state = make(photos, images=10).state()
    make(photos, images=20).load_state(state)
    make(photos, images=20, lr_decay=0.5).load_state(state)


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


def test_a_lack_of_memory_is_no_damage(larger, monkeypatch):
    trainer = styled(larger)
    trainer.step()
    state, other = trainer.state(), styled(larger)

    def full():
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(other, "_calibrate", full)
    with pytest.raises(RuntimeError, match="allocate"):
        other.load_state(state)


def test_every_epoch_shows_every_photo_once_in_another_order(photos):
    trainer = make(photos)
    total = len(photos.labels)
    stream = torch.cat([trainer.stream.indices(start, 5, trainer.side) for start in range(0, 3 * total, 5)])[: 3 * total]
    epochs = stream.view(3, total)
    for epoch in epochs:
        assert sorted(epoch.tolist()) == list(range(total))
    assert not torch.equal(epochs[0], epochs[1])


def test_the_seed_of_a_step_is_what_it_always_was():
    """A run that goes on, also one of an earlier version, draws as if it had not been interrupted."""
    assert [mix_seeds(*of) for of in ((7, 3), (~1, 2), (2**32 - 1, 10**6))] == [
        7299484271657422945, 600071339624584192, 8783077679670494788,
    ]  # fmt: skip


def test_the_critic_sees_augmented_photos_with_their_classes(photos):
    trainer = make(photos, transpose=False, flip_horizontal=False, flip_vertical=False, rotate=False)
    pictures, code = trainer.real_batch(0, 4, ShardedRandom(0))
    index = trainer.stream.indices(0, 4, trainer.side)
    plain = torch.nn.functional.avg_pool2d(photos.images[index].float() / 127.5 - 1, 2)
    assert torch.allclose(pictures, plain)
    assert code.argmax(1).tolist() == photos.labels[index].tolist()
    assert pictures.shape == (4, 3, 28, 28) and pictures.abs().max() <= 1


@pytest.mark.parametrize(
    ("half_life", "seen", "from_trained", "kept"),
    [(8, 10_000, False, 0.5), (4, 10_000, True, 0.25), (24, 10_000, False, 0.5 ** (1 / 3)),
     (1000, 80, False, 0.25), (1000, 0, False, 0.0),  # at the start it is a twentieth of what was seen
     (1000, 64, True, 0.5 ** 0.5), (1000, 0, True, 0.0)],  # or a quarter, of a trained model
)  # fmt: skip
def test_average_by_hand(photos, half_life, seen, from_trained, kept):
    """One step is 2 × 4 images. Weights and statistics of the batch norms move alike, their counters are copied."""
    trainer = make(photos, ema_images=half_life)
    trainer.images_seen, trainer.from_trained = seen, from_trained
    before = {name: value.clone() for name, value in trainer.ema.state_dict().items()}
    with torch.no_grad():
        for value in trainer.generator.state_dict().values():
            value.add_(1)
    now = trainer.generator.state_dict()
    trainer._update_ema()
    for name, value in trainer.ema.state_dict().items():
        wanted = before[name] + (1 - kept) if value.is_floating_point() else now[name]
        assert torch.allclose(value, wanted), name
        assert torch.equal(now[name], trainer.generator.state_dict()[name]), "the generator itself stays"


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


@pytest.mark.parametrize("objective", ["relativistic", "wgan-gp", "bce"])
def test_a_critic_of_layers_learns_under_every_objective_with_a_penalty_or_without(photos, objective):
    trainer = make(photos, objective=objective, **({} if objective == "bce" else {"penalty_every": 2}))
    slopes = [trainer.step().gradient_norm > 0 for _ in range(3)]
    assert trainer.finite() and slopes == ([False] * 3 if objective == "bce" else [True, False, True])


def test_a_rarer_penalty_weighs_as_much_more(photos):
    """The first step has one either way: every fourth with a quarter of the weight is the same as every step."""
    assert make(photos, penalty_every=4, penalty_weight=2.5).step() == make(photos, penalty_every=1, penalty_weight=10.0).step()


def test_labels_are_noisy_where_the_run_wants_it_and_else_the_same_for_all(photos):
    def labels(**training):
        trainer = make(photos, objective="bce", **training)
        return [trainer._labels(torch.zeros(50), real, ShardedRandom(0)) for real in (True, False)]

    for noisy, low, high in zip(labels(noisy_labels=True), (0.7, 0.0), (1.2, 0.3)):
        assert low <= noisy.min() < noisy.max() <= high and noisy.unique().numel() == 50
    assert [plain.unique().tolist() for plain in labels()] == [[1], [0]]
    smooth = labels(label_smoothing=0.25)
    assert [one.unique().tolist() for one in smooth] == [[0.875], [0.125]]


def test_a_loss_that_is_no_number_is_noticed():
    assert StepStats(1, 2, 3, 4, 5).finite
    assert not StepStats(1, float("nan"), 3, 4, 5).finite
    assert not StepStats(float("inf"), 2, 3, 4, 5).finite


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
    again = make(photos, critic_warm_up=16)
    again.load_state(copy.deepcopy(trainer.state()))
    assert (again.steps, again.generator_steps) == (trainer.steps, trainer.generator_steps) == (3, 1)


def test_photos_are_augmented_by_the_draws_given(photos):
    trainer = make(photos, rotate=True)

    def batch(draw: int) -> torch.Tensor:
        return trainer.real_batch(0, 4, ShardedRandom(draw))[0]

    plain = trainer.stream.pictures(trainer.stream.indices(0, 4, trainer.side), trainer.side)
    assert torch.equal(batch(0), batch(0)) and not torch.equal(batch(0), batch(1)) and not torch.equal(batch(0), plain)


@pytest.mark.parametrize(
    ("training", "kind", "settings"),
    [
        ({}, torch.optim.Adam, {"betas": (0.5, 0.999)}),
        ({"beta1": 0.1, "beta2": 0.8}, torch.optim.Adam, {"betas": (0.1, 0.8)}),
        ({"optimizer": "rmsprop"}, torch.optim.RMSprop, {"momentum": 0, "centered": False}),
    ],
)
def test_both_networks_have_the_optimizer_that_is_asked_for(photos, training, kind, settings):
    trainer = make(photos, lr=4e-4, critic_lr=1e-3, **training)
    for network, optimizer, rate in (
        (trainer.generator, trainer.generator_optimizer, 4e-4), (trainer.critic, trainer.critic_optimizer, 1e-3),
    ):  # fmt: skip
        (group,) = optimizer.param_groups
        assert type(optimizer) is kind and {name: group[name] for name in settings} == settings and group["lr"] == rate
        assert [*map(id, group["params"])] == [*map(id, network.parameters())], "of all weights"
        assert not group["weight_decay"]


def test_halved_rates_are_those_of_the_steps_and_of_the_state(photos):
    trainer = make(photos, lr=4e-4, critic_lr=1e-3)
    assert trainer.halve_rates() == (2e-4, 5e-4) and trainer.halve_rates() == (1e-4, 2.5e-4)
    again = make(photos, lr=4e-4, critic_lr=1e-3)
    again.load_state(trainer.state())
    assert again.halve_rates() == (5e-5, 1.25e-4)


def rates(trainer):
    """The learning rates of the last step: generator, critic."""
    return [optimizer.param_groups[0]["lr"] for optimizer in (trainer.generator_optimizer, trainer.critic_optimizer)]


def test_rates_fall_to_zero_in_a_straight_line_in_the_last_share_of_the_images(photos):
    trainer = make(photos, lr=4e-4, critic_lr=1e-3, images=80, lr_decay=0.5)
    found = []
    while trainer.images_seen < 80:  # eight images a step
        trainer.step()
        found.append([rate / full for rate, full in zip(rates(trainer), (4e-4, 1e-3), strict=True)])
    wanted = [1, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2]
    assert found == [pytest.approx([share, share]) for share in wanted]


def test_without_decay_the_rates_stay_to_the_end_and_beyond(photos):
    trainer = make(photos, lr=4e-4, images=16)
    for _ in range(3):
        trainer.step()
        assert rates(trainer) == [4e-4, 4e-4]


def test_rates_that_fall_are_resumed_bit_for_bit_also_when_halved(photos):
    whole = make(photos, images=48, lr_decay=1.0)
    for _ in range(2):
        whole.step()
    whole.halve_rates()
    halved = copy.deepcopy(whole.state())
    for _ in range(3):
        whole.step()
    second = make(photos, images=48, lr_decay=1.0)
    second.load_state(halved)
    for _ in range(3):
        second.step()
    assert same(whole.state(), second.state()) and rates(second) == [pytest.approx(1e-4 * 2 / 6)] * 2


def test_a_snapshot_from_before_the_decay_goes_on_with_its_rates(photos):
    trainer = make(photos, lr=4e-4)
    trainer.step()
    state = copy.deepcopy(trainer.state())
    for part in ("generator_optimizer", "critic_optimizer"):
        state[part]["param_groups"][0].pop("initial_lr")
        state[part]["param_groups"][0]["lr"] = 1e-4  # halved twice
    again = make(photos, lr=4e-4)
    again.load_state(state)
    again.step()
    assert rates(again) == [1e-4, 1e-4]


def test_learns_the_colors_of_its_photos(photos):
    """Not a test of quality: after a short training the two classes differ as their photos do, red against green."""
    trainer = make(photos, width=16, batch=16, lr=1e-3, beta1=0.0, beta2=0.9, ema_images=200)
    for _ in range(60):
        trainer.step()
    drawn = [trainer.draw(range(32), torch.full((32,), label)) for label in (0, 1)]
    real = [photos.images[photos.labels == label].float().mean((0, 2, 3)) for label in (0, 1)]
    green = [float(pictures[:, 1, 9:19, 9:19].mean()) for pictures in drawn]
    assert real[0][1] > real[1][1]
    assert green[0] > green[1] + 0.1


# ------------------------------------------------------------------------------------------------------------ flagship

SMALL = ("M>12", "M>12", "S>12", "S>12", "S>12", "S>8")  # to 32 pixels a side


@pytest.fixture(scope="module")
def larger(tmp_path_factory):
    """Photos for 32 pixels, 8 a class."""
    return load_photos(make_photos(tmp_path_factory.mktemp("photos")), OVERSAMPLE * 32)


def styled(photos, **training):
    """The flagship's recipe for 32 pixels, with its first four steps at 16."""
    model = ModelConfig("small", 32, photos.classes, SMALL, z_dim=8).validate()
    recipe = {
        **vars(from_preset("flagship", photos.classes)[1]), "critic": ("projected efficientnet-lite0>4",), "batch": 4,
        "penalty_every": 2, "sides": ("16:16", "32"), "images": 1000, **training,
    }  # fmt: skip
    return Trainer(model, TrainConfig(**recipe).validate(), photos, CPU)


def test_frozen_scales_keep_their_weights_and_the_picture_of_their_side_bit_for_bit(larger):
    frozen = {"sides": ("32",), "freeze_below": 32, "start_from": "another"}
    trainer = styled(larger, **frozen)
    begun = {part: copy.deepcopy(getattr(trainer, part).state_dict()) for part in ("generator", "ema")}
    labels = torch.tensor([0, 1])
    drawn = {side: trainer.draw([5, 6], labels, side=side) for side in (16, 32)}
    for _ in range(3):
        trainer.step()
    last = f"scales.{len(trainer.generator.scales) - 1}."
    for part, before in begun.items():
        after = getattr(trainer, part).state_dict()
        changed = {name for name in before if not torch.equal(before[name], after[name])} - {"mean_style"}
        assert changed == {name for name in before if name.startswith(last)}, part
    assert torch.equal(trainer.draw([5, 6], labels, side=16), drawn[16])
    assert not torch.equal(trainer.draw([5, 6], labels, side=32), drawn[32])

    second = styled(larger, **frozen)
    second.load_state(copy.deepcopy(trainer.state()))
    assert second.step() == trainer.step() and same(second.state(), trainer.state())


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"freeze_below": 32, "sides": ("32",)}, "name the model with --from"),
        ({"freeze_below": 32, "start_from": "another"}, "begins with 16, where --freeze-below 32 leaves nothing to train"),
        ({"freeze_below": 24, "sides": ("32",), "start_from": "another"}, "is 24; use one of 8, 16, 32"),
    ],
)
def test_what_cannot_be_frozen_is_refused(larger, wrong, says):
    with pytest.raises(UserError, match=says):
        styled(larger, **wrong)


def test_a_model_without_scales_cannot_be_frozen(photos):
    with pytest.raises(UserError, match="cwgan-gp-28 has none"):
        make(photos, freeze_below=8, start_from="another")


@pytest.mark.parametrize(
    ("before", "training"), [(2, {}), (4, {}), (5, {}), (3, {"precision": "bf16"}), (1, {"critic_steps": 3})]
)
def test_the_flagship_resumes_bit_for_bit_before_at_and_after_the_change_of_side(larger, before, training):
    whole = styled(larger, **training)
    for _ in range(6):
        last = whole.step()

    first = styled(larger, **training)
    for _ in range(before):
        first.step()
    saved = copy.deepcopy(first.state())
    torch.manual_seed(12345)
    second = styled(larger, **training)
    second.load_state(saved)
    for _ in range(6 - before):
        stats = second.step()
    assert last.finite and stats == last
    assert same(whole.state(), second.state())


def test_the_side_grows_once_its_images_are_through(larger):
    trainer, sides = styled(larger), []
    for _ in range(6):
        real, _ = trainer.real_batch(0, 2, ShardedRandom(0))
        fake = trainer._draw_fakes(torch.eye(2), ShardedRandom(0))
        sides.append((trainer.side, real.shape[2], fake.shape[2]))
        trainer.step()
    assert sides == [(16, 16, 16)] * 4 + [(32, 32, 32)] * 2
    assert trainer.draw([1], torch.tensor([0])).shape == (1, 3, 32, 32)


def test_the_finest_scale_waits_until_its_side_is_trained(larger):
    """Until then the pictures of the average are those of the coarser scales, enlarged."""
    trainer = styled(larger)
    before = copy.deepcopy(trainer.generator.scales[3].state_dict())
    for _ in range(4):
        trainer.step()
    assert same(trainer.generator.scales[3].state_dict(), before) and not before["rgb_weight"].any()
    styles = trainer.averaged().style(torch.randn(2, 8), torch.eye(2))
    coarse = torch.nn.functional.interpolate(trainer.ema.synthesize(styles, 16), scale_factor=2, mode="bilinear")
    assert torch.allclose(trainer.ema.synthesize(styles), coarse)
    for _ in range(2):
        trainer.step()
    assert all(not torch.equal(value, before[name]) for name, value in trainer.generator.scales[3].state_dict().items())


@pytest.mark.parametrize("critic_steps", [1, 3])
def test_the_critic_sees_the_photos_anew_at_every_side(larger, critic_steps):
    """With three critic steps to a step, the side changes in the middle of the second one."""
    trainer = styled(larger, critic_steps=critic_steps)

    def at(side):
        wanted = copy.deepcopy(trainer.critic)
        pictures = larger.images.float() / 127.5 - 1
        wanted.calibrate(torch.nn.functional.avg_pool2d(pictures, 64 // side))
        names = [name for name, _ in wanted.named_buffers() if name.startswith(("mean", "deviation"))]
        return all(torch.allclose(getattr(wanted, name), getattr(trainer.critic, name), atol=1e-5) for name in names)

    trainer.step()
    assert at(16) and not at(32)
    while trainer.images_seen <= 16:
        trainer.step()
    assert at(32) and not at(16)
    assert len(trainer.matching.recent_labels) == 4, "pictures of the other side are no neighbors"


def test_every_class_is_shown_where_there_are_more_photos_than_are_looked_at(larger, monkeypatch):
    """Photos come in the order of their classes: the first so many may all be of one."""
    monkeypatch.setattr(trainer_module, "CALIBRATION_PHOTOS", 6)
    trainer = styled(larger)
    trainer.step()
    assert trainer.matching.photo_labels.tolist() == [0, 0, 0, 1, 1, 1] * 2
    assert [len(group) for group in trainer.matching.photos] == [12] * len(trainer.matching.photos)


@pytest.mark.parametrize(
    "training",
    [{}, {"objective": "wgan-gp"}, {"objective": "wgan-clip"}, {"objective": "bce", "noisy_labels": True},
     {"matching_weight": 0.0}, {"diffaugment": False}, {"precision": "bf16"}],
)  # fmt: skip
def test_every_objective_moves_the_flagships_networks(larger, training):
    trainer = styled(larger, **training)
    before = copy.deepcopy(trainer.state())
    stats = trainer.step()
    assert stats.finite and trainer.finite()
    assert (stats.gradient_norm > 0) == (trainer.config.objective in ("relativistic", "wgan-gp"))
    for part in ("generator", "critic", "ema"):
        assert not same(before[part], trainer.state()[part]), part


@pytest.mark.parametrize("change", [{"matching_weight": 0.0}, {"diffaugment": False}, {"penalty_weight": 1.0}])
def test_each_part_of_the_recipe_tells(larger, change):
    assert styled(larger).step() != styled(larger, **change).step()


def test_every_photo_counts_as_much_for_the_spectrum(tmp_path):
    photos = load_photos(make_photos(tmp_path / "photos", 35, side=16), OVERSAMPLE * 32)
    trainer = styled(photos)
    trainer._calibrate()
    pictures = trainer.stream.pictures(torch.arange(70), trainer.side)
    assert torch.allclose(trainer.spectrum, losses.log_spectrum(pictures).mean(0), atol=1e-4)


@pytest.mark.parametrize("weight", ["matching_weight", "spectrum_weight"])
def test_what_is_added_to_the_generators_loss_counts_by_its_weight(larger, weight, monkeypatch):
    monkeypatch.setattr(Matching, "forward", lambda self, fake, labels: 0 * fake.mean() + 0.25)
    monkeypatch.setattr(losses, "spectral_distance", lambda fake, *_: 0 * fake.mean() + 0.25)
    none, one, three = (styled(larger, **{weight: share}).step().generator_loss for share in (0.0, 1.0, 3.0))
    assert one - none == pytest.approx(0.25, abs=1e-3) and three - none == pytest.approx(0.75, abs=1e-3)


@pytest.mark.parametrize("objective", ["relativistic", "wgan-gp", "bce"])
def test_each_network_works_against_the_other(larger, objective):
    """While only the critic learns, photos lead over pictures; while only the generator does, the lead shrinks."""
    trainer = styled(
        larger,
        objective=objective,
        lr=1e-8,
        critic_lr=1e-2,
        matching_weight=0.0,
        spectrum_weight=0.0,
        diffaugment=False,
        sides=("16:900", "32"),
    )

    @torch.no_grad()
    def scores():
        """Of all photos and of as many pictures, the same ones each time."""
        code = torch.nn.functional.one_hot(larger.labels, 2).float()
        noise = torch.randn(len(code), 8, generator=torch.Generator().manual_seed(0))
        pairs = trainer.stream.pictures(torch.arange(len(larger.images)), trainer.side), trainer.generator(noise, code, 16)
        return [trainer.critic(trainer.critic.features(images), code).mean().item() for images in pairs]

    trainer.step()
    before = scores()
    for _ in range(5):
        trainer.step()
    between = scores()
    assert between[0] - between[1] > before[0] - before[1] + 0.5
    for optimizer, rate in ((trainer.generator_optimizer, 1e-2), (trainer.critic_optimizer, 0.0)):
        optimizer.param_groups[0]["initial_lr"] = rate
    for _ in range(5):
        trainer.step()
    assert scores()[1] > between[1] + 0.5 and scores()[0] == between[0]


def test_the_relativistic_penalty_is_on_the_slopes_at_photos_and_at_pictures(larger):
    trainer = styled(larger)
    trainer.step()
    photos, pictures = (trainer.critic.features(torch.randn(3, 3, 16, 16)) for _ in range(2))
    code = torch.eye(2)[[0, 1, 0]]
    at = [losses.gradient_norms_at(lambda seen: trainer.critic(seen, code), seen) for seen in (photos, 3 * pictures)]
    penalty, norms = trainer._penalty(photos, 3 * pictures, code, ShardedRandom(0))
    assert torch.allclose(norms, torch.cat(at)) and (at[0].mean() - at[1].mean()).abs() > 1e-4
    assert penalty.item() == pytest.approx(sum(slopes.square().mean().item() / 2 for slopes in at), rel=1e-4)


def test_pictures_beyond_the_range_cost_a_generator_with_styles(larger):
    costs = []
    for lift in (0.0, 2.0):
        trainer = styled(larger, matching_weight=0.0, spectrum_weight=0.0, objective="wgan-gp", diffaugment=False)
        with torch.no_grad():
            trainer.generator.scales[2].rgb_bias.add_(lift)
        costs.append(trainer.step().generator_loss)
    assert costs[1] - costs[0] > 0.8, "about (2 − 1)², and some more or less from the critic"


def test_a_side_ends_where_the_run_planned_it_however_long_it_goes_on(larger):
    first = styled(larger, images=32, sides=("16:50%", "32"))
    first.step()
    longer = styled(larger, images=64, sides=("16:50%", "32"))
    longer.load_state(copy.deepcopy(first.state()))
    assert longer.schedule == [(16, 16), (32, 32)]
    for _ in range(3):
        longer.step()
    assert longer.side == 32
    assert longer.phases() == [(16, 64)] and styled(larger, images=64, sides=("16:50%", "32")).phases() == [(0, 32), (32, 64)]


@pytest.mark.parametrize(
    ("seen", "rest"),
    [(0, [(0, 16), (16, 32), (32, 64)]), (16, [(16, 32), (32, 64)]), (20, [(20, 32), (32, 64)]), (32, [(32, 64)]), (64, [])],
)
def test_the_rest_of_a_run_is_cut_where_the_side_changes(larger, seen, rest):
    trainer = styled(larger, images=64, sides=("8:16", "16:16", "32"))
    trainer.images_seen = seen
    assert trainer.phases() == rest


@pytest.mark.parametrize(
    ("seen", "trained"), [(0, ["8"]), (16, ["8:16", "16"]), (32, ["8:16", "16:32", "32"]), (64, ["8:16", "16:32", "32"])]
)
def test_a_model_says_at_which_sides_it_was_trained(larger, seen, trained):
    trainer = styled(larger, images=64, sides=("8:16", "16:16", "32"))
    trainer.images_seen = seen
    assert trainer.sides_trained() == trained
    assert styled(larger, sides=()).sides_trained() == []


def test_a_saved_critic_names_the_side_that_its_statistics_are_of(larger):
    """Not the side that comes next, where a part of the run has just ended."""
    trainer = styled(larger)
    assert trainer.saved_critic().side == 16, "before the first step"
    for _ in range(4):
        trainer.step()
    assert (trainer.side, trainer.saved_critic().side) == (32, 16)
    trainer.step()
    assert trainer.saved_critic().side == 32


def test_a_run_from_before_there_was_a_schedule_keeps_its_coarse_beginning(larger):
    first = styled(larger, images=32)
    first.step()
    state = copy.deepcopy(first.state())
    del state["schedule"], state["known_side"], state["train"]["sides"]
    state["train"].update(coarse_side=16, coarse_images=16)
    again = styled(larger, images=32)
    again.load_state(state)
    assert again.schedule == [(16, 16), (32, 32)]
    assert again.step() == first.step()


def test_photos_far_smaller_than_the_side_serve_the_coarser_sides_only(larger):
    """Of 16 photos three are too small for 32 pixels, all of one class but its last."""
    few = replace(larger, native=(19, 100, 19, 19, *[100] * 12))
    trainer = styled(few)
    shown = [set(trainer.stream.indices(16 * epoch, 16, trainer.side).tolist()) for epoch in range(2)]
    assert shown == [set(range(16))] * 2
    trainer.images_seen = 16
    assert trainer.side == 32 and set(trainer.stream.indices(16, 26, trainer.side).tolist()) == {1, *range(4, 16)}
    for _ in range(2):
        assert trainer.step().finite
    none = replace(larger, native=tuple(10 if label else 100 for label in larger.labels.tolist()))
    assert none.sharp(32).tolist() == list(range(16)), "a class that has no other photos keeps them"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"sides": ("8:16", "32")}, "--sides was 16:16 32 and is now 8:16 32"),
        ({"matching_weight": 1.0}, "--matching-weight was 20.0 and is now 1.0"),
        ({"diffaugment": False}, "--diffaugment was on and is now off"),
    ],
)
def test_another_recipe_is_refused_and_named(larger, change, named):
    with pytest.raises(UserError, match=named):
        styled(larger, **change).load_state(styled(larger).state())


def test_a_critic_goes_along_with_its_statistics(larger, tmp_path):
    """In half precision, through the file, into a run that begins at the side the critic last judged."""
    first = styled(larger)
    for _ in range(5):
        first.step()
    checkpoint.save_critic(tmp_path, first.saved_critic())
    saved = checkpoint.load_critic(tmp_path)
    assert saved.side == 32 and saved.classes == larger.classes
    second = styled(larger, sides=())
    assert init_critic_from(second, saved)
    for name, value in first.critic.state_dict().items():
        assert torch.allclose(second.critic.state_dict()[name], value, rtol=1e-3, atol=1e-3), name
    mean = second.critic.mean0.clone()
    second.step()
    assert torch.equal(second.critic.mean0, mean)
    again = styled(larger, sides=())
    again.load_state(copy.deepcopy(second.state()))
    assert torch.equal(again.critic.mean0, mean), "when the run is taken up again, too"
    coarse = styled(larger)
    assert init_critic_from(coarse, saved)
    coarse.step()
    assert not torch.equal(coarse.critic.mean0, mean), "at another side its statistics are measured anew"


@pytest.mark.parametrize(
    "change",
    [
        {"critic": ("projected efficientnet-lite0>8",)},
        {"critic": ("C4,4,0>4 lrelu", "C8,1,0>1"), "matching_weight": 0.0, "objective": "wgan-gp"},
    ],
)
def test_a_critic_of_another_build_is_left(larger, change):
    saved, other = styled(larger).saved_critic(), styled(larger, **change)
    before = copy.deepcopy(other.critic.state_dict())
    assert not init_critic_from(other, saved) and same(other.critic.state_dict(), before)


def test_every_class_of_a_critic_goes_by_its_name(larger):
    """A new class begins as the mean of the old ones; a single class becomes a part of the last layer."""
    torch.manual_seed(0)
    critic = styled(larger).saved_critic()
    table, out = (critic.state[f"heads.0.{name}.weight"] for name in ("embed", "out"))
    one, other = critic.classes
    more = critic_with_classes(critic, ("new", other))
    assert torch.equal(more["heads.0.embed.weight"][:, 1], table[:, 1])
    assert torch.allclose(more["heads.0.embed.weight"][:, 0], table.mean(1))
    single = critic_with_classes(critic, (one,))
    assert "heads.0.embed.weight" not in single and torch.allclose(single["heads.0.out.weight"], out + table[:, :1].T)
    back = critic_with_classes(replace(critic, classes=(one,), state=single), (one, other))
    assert not back["heads.0.embed.weight"].any()


def test_a_snapshot_without_the_recent_pictures_is_damaged(larger):
    trainer = styled(larger)
    trainer.step()
    state = trainer.state()
    del state["matching"]
    with pytest.raises(UserError, match="damaged"):
        styled(larger).load_state(state)


def test_the_averages_mean_styles_are_those_of_its_own_weights(larger):
    trainer = styled(larger)
    for _ in range(3):
        trainer.step()
    averaged = trainer.averaged()
    found = averaged.mean_style.clone()
    averaged.mean_style.zero_()
    averaged.calibrate()
    assert torch.equal(found, averaged.mean_style) and found.abs().max() > 0.1
    averaged.mean_style.zero_()
    assert not trainer.averaged().mean_style.any(), "measured once for the same weights: it takes long for many classes"
    trainer.step()
    assert trainer.averaged().mean_style.any()
    averaged.mean_style.zero_()
    trainer.load_state(trainer.state())
    assert trainer.averaged().mean_style.any()


def test_the_preset_itself_trains_at_both_of_its_sides(larger):
    model, train = from_preset("flagship", larger.classes, width=4, batch=4, images=20)
    photos = replace(larger, images=torch.nn.functional.interpolate(larger.images, size=OVERSAMPLE * model.resolution))
    trainer, sides = Trainer(model, train, photos, CPU), []
    for _ in range(4):
        sides.append(trainer.side)
        assert trainer.step().finite
    assert sides[0] == 64 and sides[-1] == 128 and trainer.finite()
