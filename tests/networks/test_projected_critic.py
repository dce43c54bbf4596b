"""The projected critic: what is frozen and what learns, what it sees of a picture, and how a class tells in its scores."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from pictures import make_photos

from gan import losses
from gan.config import ModelConfig, Projected, parse_projected
from gan.critic import make_critic
from gan.data.image_folder import load_photos
from gan.errors import UserError
from gan.generator import one_hot
from gan.networks.backbones import find_backbone
from gan.networks.layers import SLOPE
from gan.networks.projected_critic import BATCH, WIDTHS, Head, ProjectedCritic

CPU = torch.device("cpu")
MODEL = ModelConfig("small", 32, ("dandelion", "marigold"), ("M>8", "S>8", "S>8", "S>8", "S>8"), z_dim=8).validate()
PLAIN = replace(MODEL, classes=("all",))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """40 photos of two classes, N×3×64×64 in [−1, 1]: more than a batch of the backbone's."""
    found = load_photos(make_photos(tmp_path_factory.mktemp("photos"), 20), 64)
    assert len(found.labels) > BATCH
    return found.images.float() / 127.5 - 1


@pytest.fixture(scope="module")
def backbone():
    return find_backbone("efficientnet-lite0")


@pytest.fixture
def critic(backbone, photos):
    return made(backbone, photos)


def made(backbone, photos, model=MODEL, seed=1):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        critic = ProjectedCritic(model, backbone, 8)
        critic.init_weights()
    critic.calibrate(photos)
    return critic


def code_of(*labels):
    return one_hot(torch.tensor(labels), MODEL)


def train(critic, better, worse, code, steps=1):
    """Steps that raise the scores of `better` above those of `worse`."""
    optimizer = torch.optim.Adam(critic.parameters(), 1e-2)
    for _ in range(steps):
        optimizer.zero_grad()
        losses.relativistic(critic(better, code), critic(worse, code)).backward()
        optimizer.step()


# ---------------------------------------------------------------------------------------------------------- what learns


def test_the_backbone_is_neither_saved_nor_among_what_learns(critic, backbone):
    frozen = {id(value) for value in (*backbone.parameters(), *backbone.buffers())}
    assert len(frozen) > 90
    assert not any(id(weight) in frozen for weight in critic.parameters())
    assert {name.split(".")[0].rstrip("0123") for name in critic.state_dict()} == {"heads", "mean", "deviation", "mix", "down"}
    critic.requires_grad_(True)
    assert not any(weight.requires_grad for weight in backbone.parameters())


def test_training_changes_every_weight_of_the_heads_and_nothing_else(critic, backbone, photos):
    before, beneath = copy.deepcopy(critic.state_dict()), copy.deepcopy(backbone.state_dict())
    seen = critic.features(photos[:8])
    train(critic, seen[:4], seen[4:], code_of(0, 1, 0, 1), steps=2)
    changed = {name for name, value in critic.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {name for name in before if name.startswith("heads.")} - {f"heads.{i}.out.bias" for i in range(4)}, (
        "the loss compares scores, so that their common height has no slope"
    )
    assert all(torch.equal(value, beneath[name]) for name, value in backbone.state_dict().items())


def test_resetting_draws_mixing_and_heads_from_the_global_generator(backbone, photos):
    states = [made(backbone, photos, seed=seed).state_dict() for seed in (1, 1, 2)]
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name])
        fixed = name.startswith(("mean", "deviation")) or (name.startswith("heads") and name.endswith("bias"))
        assert torch.equal(value, states[2][name]) == fixed, name


def test_a_saved_critic_scores_as_before_beneath_another_backbone_of_the_same_kind(critic, backbone, photos):
    other = made(copy.deepcopy(backbone), photos[:9], seed=5)
    other.load_state_dict(critic.state_dict())
    code = code_of(0, 1)
    assert torch.equal(other(other.features(photos[:2]), code), critic(critic.features(photos[:2]), code))


# ---------------------------------------------------------------------------------------------------------- what it sees


def test_every_channel_is_standardized_over_all_photos(critic, photos):
    maps = critic.maps(photos)
    assert [x.shape[1:] for x in maps] == [(24, 16, 16), (40, 8, 8), (112, 4, 4), (320, 2, 2)]
    for x in maps:
        assert x.mean((0, 2, 3)).abs().max() < 1e-3
        assert (x.std((0, 2, 3)) - 1).abs().max() < 1e-3


def test_a_channel_that_is_the_same_everywhere_is_not_blown_up(critic):
    """A deviation of 0 is taken for a thousandth."""
    critic.calibrate(torch.zeros(2, 3, 32, 32))
    assert all(x.isfinite().all() for x in critic.maps(torch.zeros(1, 3, 32, 32)))
    assert min(value.min() for name, value in critic.named_buffers() if name.startswith("deviation")) > 0.9e-3


def test_what_each_head_sees_of_photos_is_about_a_unit_long(critic, photos):
    seen = critic.features(photos)
    sizes = [channels * side**2 for channels, side in zip(WIDTHS, (16, 8, 4, 2))]
    assert seen.shape == (len(photos), sum(sizes)) and seen.dtype == torch.float32
    for part in seen.split(sizes, 1):
        assert part.norm(dim=1).square().mean().sqrt().item() == pytest.approx(1, abs=0.25)


def test_finer_maps_also_carry_what_the_coarser_ones_see(critic, photos):
    """With nothing of their own left, they repeat what comes from the coarsest one: a map of 2×2 in pieces of 8×8."""
    for number in range(3):
        getattr(critic, f"mix{number}").zero_()
    finest = critic.features(photos[:2])[:, : WIDTHS[0] * 256].view(2, WIDTHS[0], 2, 8, 2, 8)
    pieces = finest[:, :, :, :1, :, :1]
    assert torch.equal(finest, pieces.expand_as(finest)) and pieces.std() > 1e-4
    critic.mix3.zero_()
    assert not critic.features(photos[:2]).any()


@pytest.mark.parametrize("side", [16, 32, 64])
def test_gradients_reach_every_pixel(critic, side):
    torch.manual_seed(0)
    images = torch.randn(4, 3, side, side)
    critic.calibrate(images)
    images.requires_grad_(True)
    critic(critic.features(images), code_of(0, 1, 0, 1)).sum().backward()
    assert (images.grad.abs().sum((0, 1)) > 0).all()


def test_looking_stays_in_float32_under_autocast(critic, photos):
    seen = critic.features(photos[:2])
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(critic.features(photos[:2]), seen)
        assert critic(seen, code_of(0, 1)).dtype == torch.float32


# ------------------------------------------------------------------------------------------------------ scores, classes


def test_scores_are_one_a_head_and_those_of_each_picture_alone(critic, photos):
    code = code_of(0, 1, 0)
    scores = critic(critic.features(photos[[0, 20, 39]]), code)
    assert scores.shape == (3, 4) and scores.std(0).min() > 1e-4
    for number, photo in enumerate((0, 20, 39)):
        alone = critic(critic.features(photos[photo : photo + 1]), code[number : number + 1])
        torch.testing.assert_close(scores[number : number + 1], alone, atol=1e-5, rtol=1e-4)


def test_a_head_looks_at_its_own_map(critic, photos):
    sizes = [channels * side**2 for channels, side in zip(WIDTHS, (16, 8, 4, 2))]
    seen = critic.features(photos[:1])
    for number in range(4):
        parts = list(seen.split(sizes, 1))
        parts[number] = -parts[number]
        changed = critic(torch.cat(parts, 1), code_of(0)) != critic(seen, code_of(0))
        assert changed[0].tolist() == [head == number for head in range(4)]


def test_every_head_learns_which_class_a_photo_is_of(critic, photos):
    """The same photos with the right and with the wrong class: only the projection can tell the two apart."""
    right = torch.tensor([0] * 4 + [1] * 4)
    seen = critic.features(photos[[0, 1, 2, 3, 20, 21, 22, 23]])
    optimizer = torch.optim.Adam(critic.parameters(), 1e-2)

    def lead():
        return critic(seen, one_hot(right, MODEL)) - critic(seen, one_hot(1 - right, MODEL))

    before = lead().mean(0)
    for _ in range(10):
        optimizer.zero_grad()
        torch.nn.functional.softplus(-lead()).sum(1).mean().backward()
        optimizer.step()
    assert (lead().mean(0) > before + 0.1).all()


def test_the_score_of_a_mix_of_classes_lies_halfway(critic, photos):
    seen = critic.features(photos[:1])
    first, second, mixed = (critic(seen, code) for code in (code_of(0), code_of(1), torch.tensor([[0.5, 0.5]])))
    assert (first - second).abs().min() > 1e-5
    torch.testing.assert_close(mixed, (first + second) / 2)


def test_a_plain_model_has_scores_without_classes(backbone, photos):
    critic = made(backbone, photos, PLAIN)
    assert critic(critic.features(photos[:2]), torch.zeros(2, 0)).shape == (2, 4)
    assert not any("embed" in name for name in critic.state_dict())


# ------------------------------------------------------------------------------------------------------------- its string


def test_its_string_names_a_backbone_and_a_width():
    assert parse_projected(("projected efficientnet-lite0>64",)) == Projected("efficientnet-lite0", 64)
    assert parse_projected(("projected mobilenetv2>8",)) == Projected("mobilenetv2", 8)


@pytest.mark.parametrize(
    "layers",
    [(), ("C4,1,0>1",), ("projected",), ("projected efficientnet-lite0",), ("projected >8",), ("projected x>",),
     ("projected x>8 relu",), ("projected x>-8",), ("Projected x>8",), ("projected x y>8",), ("projected x>8", "C4,1,0>1")],
)  # fmt: skip
def test_other_strings_are_none_of_a_projected_critic(layers):
    assert parse_projected(layers) is None


def test_its_backbone_may_be_any_of_those_installed():
    critic = make_critic(MODEL, ("projected mobilenetv2>4",), CPU)
    critic.init_weights()
    critic.calibrate(torch.randn(4, 3, 32, 32))
    assert isinstance(critic, ProjectedCritic)
    assert critic(critic.features(torch.randn(2, 3, 32, 32)), code_of(0, 1)).shape == (2, 4)


@pytest.mark.parametrize("name", ["resnet50", "inception"])
def test_a_backbone_there_is_not_is_refused_and_the_others_are_named(name):
    with pytest.raises(UserError, match=f"'{name}'.*efficientnet-lite0"):
        make_critic(MODEL, (f"projected {name}>8",), CPU)


def test_a_head_by_hand():
    """Of a map of one pixel, 1: three convolutions with −1, 1, 1 in the middle, then a score 3 + 2·x and a class 7·x."""
    head = Head(1, 1, 2)
    for conv, middle in zip(head.convs, (-1.0, 1.0, 1.0)):
        conv.weight.data.zero_()[0, 0, 1, 1] = middle
        conv.bias.data.zero_()
    head.out.weight.data.fill_(2.0)
    head.out.bias.data.fill_(3.0)
    head.embed.weight.data = torch.tensor([[5.0, 7.0]])
    seen = -(SLOPE**3)
    assert head(torch.ones(1, 1, 1, 1), torch.tensor([[0.0, 1.0]])).item() == pytest.approx(3 + 2 * seen + 7 * seen)
    assert SLOPE == 0.2


def test_a_new_head_scores_near_zero():
    """A tenth of what keeps the deviation, so that the penalty on its slope starts low."""
    torch.manual_seed(0)
    head = Head(8, 400, 9)
    head.init_weights()
    for last in (head.out, head.embed):
        assert last.weight.std().item() == pytest.approx(0.1 / 20, rel=0.15)


def test_maps_are_mixed_from_coarse_to_fine_by_hand(critic, photos):
    """Each is its own mix plus a mix of the coarser one, enlarged; a run that goes on must see what it saw before."""
    maps, coarser, wanted = critic.maps(photos[:3]), None, []
    for number in (3, 2, 1, 0):
        x = torch.einsum("oi,nihw->nohw", getattr(critic, f"mix{number}")[:, :, 0, 0], maps[number])
        if coarser is not None:
            turned = torch.einsum("oi,nihw->nohw", getattr(critic, f"down{number + 1}")[:, :, 0, 0], coarser)
            times = x.shape[2] // turned.shape[2]
            x = (x + turned.repeat_interleave(times, 2).repeat_interleave(times, 3)) / 2**0.5
        wanted.insert(0, x.flatten(1) / x[0].numel() ** 0.5)
        coarser = x
    assert torch.allclose(critic.features(photos[:3]), torch.cat(wanted, 1), atol=1e-5)
