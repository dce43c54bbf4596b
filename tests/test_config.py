"""Presets against the paper's table, layer strings, and the strict JSON form."""

import json
from dataclasses import replace

import pytest

from gan.config import ModelConfig, parse_layer, sizes
from gan.errors import UserError
from gan.generator import ConvGenerator
from gan.networks.layers import parameters
from gan.options import TrainConfig
from gan.presets import PRESETS, from_preset

TWO = ("dandelion", "marigold")

# Sides after each layer, as the paper's text and the authors' files give them (repeats: layers that keep the side).
SIDES = {
    "wgan-gp-28": "1 3 6 13 28",
    "cwgan-gp-28": "1 3 6 13 28",
    "cwgan-gp-64-k3": "1 3 7 15 31 64",
    "cwgan-gp-64-k4": "1 4 8 16 32 64",
    "cwgan-gp-64": "1 4 8 8 16 16 16 32 32 32 64 64 64 64",
    "cwgan-gp-128": "1 4 8 8 16 16 16 32 32 32 64 64 64 128 128 128 128",
    "dcgan-64": "1 4 8 16 32 64",
    "wgan-64": "1 4 8 16 32 64",
    "lsgan-64": "1 4 8 16 32 64",
    "acgan-64": "1 4 8 16 32 64",
    "sngan-64": "1 4 8 16 32 64",
    "progan-64": "1 4 4 8 8 8 8 16 16 16 16 32 32 32 32 64 64 64 64",
    "sagan-64": "1 4 8 16 32 32 64",
    "biggan-64": "1 1 4 8 16 32 32 64 64 64",
    "stylegan-64": "1 1 1 1 1 1 4 8 16 32 64",
    "stylegan2-64": "1 1 1 1 1 1 4 8 16 32 64",
    "flagship": "1 1 1 4 8 16 32 64 128",
}


@pytest.mark.parametrize("name", PRESETS)
def test_generator_sides_are_those_of_the_paper(name):
    model, train = from_preset(name, TWO)
    assert sizes(model.generator, 1) == [int(side) for side in SIDES[name].split()]
    if name != "flagship":
        assert sizes(train.critic, model.resolution)[-1] == 1, "the critic ends in one score"


def test_stage_six_has_the_published_size():
    model, _ = from_preset("cwgan-gp-128", TWO)
    assert round(parameters(ConvGenerator(model)) / 1e6, 2) == 1.12


def test_critic_blocks_are_two_and_four():
    assert len(from_preset("cwgan-gp-28", TWO)[1].critic) == 2 + 1
    assert len(from_preset("cwgan-gp-64", TWO)[1].critic) == 4 + 1


def test_stage_one_is_plain_and_the_others_take_any_number_of_classes():
    assert from_preset("wgan-gp-28", TWO)[0].classes == ("all",)
    assert from_preset("wgan-gp-28", TWO)[0].code_dim == 0
    assert from_preset("cwgan-gp-28", ("one",))[0].code_dim == 0
    assert from_preset("cwgan-gp-28", tuple("abcde"))[0].code_dim == 5


def test_critic_norm_is_a_choice():
    assert not any("bn" in layer or "ln" in layer for layer in from_preset("cwgan-gp-64", TWO)[1].critic)
    batch = from_preset("cwgan-gp-64", TWO, critic_norm="bn")[1].critic
    assert [("bn" in layer) for layer in batch] == [True] * 4 + [False]


def test_widths():
    model, train = from_preset("cwgan-gp-64", TWO, width=8, critic_width=4)
    assert parse_layer(model.generator[0]).channels == 32
    assert parse_layer(train.critic[0]).channels == 4


@pytest.mark.parametrize(
    "text", ["", "C3,1,1", "X3,1,1>4", "C3,1>4", "C0,1,1>4", "C3,1,1>0", "C3,1,1>99999", "C3,1,1>4 softmax", "sideways"]
)
def test_bad_layers_are_refused(text):
    with pytest.raises(UserError):
        parse_layer(text)


@pytest.mark.parametrize(
    ("sides", "side"),
    [(["64:4800", "128"], 128), (["64:4800"], 64), (["64"], 64), ([], 256), (["256"], 256), (["512"], 256), ([1.5], 256),
     (["0"], 256), ("64", 256), (None, 256)],
)  # fmt: skip
def test_a_model_knows_the_side_that_it_was_trained_at(sides, side):
    model = from_preset("flagship", TWO, resolution=256)[0]
    assert model.trained_side == 256
    assert replace(model, trained={"sides": sides}).trained_side == side


def test_json_round_trip():
    model, _ = from_preset("cwgan-gp-128", TWO, seed=7)
    assert ModelConfig.from_json(json.loads(json.dumps(model.to_json()))) == model


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2}, {"surprise": 1}, {"classes": "dandelion"}, {"classes": []}, {"classes": ["a", "a"]}, {"classes": [1, 2]},
        {"resolution": 127}, {"resolution": "128"}, {"resolution": 10**9}, {"z_dim": -1}, {"generator": ["C3,1,1>3 tanh"]},
        {"generator": []}, {"preset": 5}, {"schema": True}, {"schema": 1.0}, {"z_dim": True}, {"trained": []},
        {"generator": ["C3,1,1>4096"] * 65},
    ],
)  # fmt: skip
def test_bad_model_configs_are_refused(change):
    data = {**from_preset("cwgan-gp-128", TWO)[0].to_json(), **change}
    with pytest.raises(UserError):
        ModelConfig.from_json(data)


@pytest.mark.parametrize("data", [None, [], "text", {"preset": "x"}])
def test_what_is_no_config_is_refused(data):
    with pytest.raises(UserError):
        ModelConfig.from_json(data)


@pytest.mark.parametrize(
    "values",
    [
        {"batch": 0}, {"batch": 10**6}, {"lr": 0.0}, {"lr": float("nan")}, {"critic_steps": 0}, {"images": 0}, {"seed": -1},
        {"seed": 2**32}, {"objective": "energy"}, {"precision": "fp8"}, {"label_smoothing": 1.0}, {"width": 0},
        {"critic_width": 999}, {"critic_norm": "instance"}, {"batch": 3.5}, {"images": 1e5}, {"critic_steps": 2.0},
        {"seed": 0.5}, {"ema_images": 10.5},
    ],
)  # fmt: skip
def test_bad_training_values_are_refused_by_name(values):
    with pytest.raises(UserError, match="--" + next(iter(values)).replace("_", "-")):
        from_preset("cwgan-gp-64", TWO, **values)


def test_unknown_preset_lists_the_known_ones():
    with pytest.raises(UserError, match="cwgan-gp-128"):
        from_preset("stylegan9", TWO)


@pytest.mark.parametrize(
    ("critic", "change", "says"),
    [
        (("C4,1,0>1",), {"matching_weight": 1.0}, "with a projected critic"),
        (("projected efficientnet-lite0>0",), {}, "heads are 0 wide"),
        (("projected efficientnet-lite0>99999",), {}, "heads are 99999 wide"),
        (("projected efficientnet-lite0>8",), {"sides": ("64:5", "32")}, "each larger"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(critic, change, says):
    with pytest.raises(UserError, match=says):
        TrainConfig(critic, **change).validate()
