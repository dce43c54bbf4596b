"""Every option of every command line, read from the parsers themselves."""

import argparse

import pytest

import app
from gan import __main__ as commands
from gan.errors import UserError
from gan.options import TrainConfig
from gan.presets import PRESETS, from_preset
from gan.runs import cli, training


def actions(parse, monkeypatch) -> list[argparse.Action]:
    """The options of a command line and of its sub-commands."""
    seen = []

    def caught(parser, *_, **__):
        seen.append(parser)
        return argparse.Namespace()

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", caught)
    parse([])
    found, waiting = [], seen
    while waiting:
        for action in waiting.pop()._actions:
            found.append(action)
            if isinstance(action, argparse._SubParsersAction):
                waiting += action.choices.values()
    return found


def training_flags(words):
    return cli.build_parser().parse_args(words)


@pytest.mark.parametrize("parse", [training_flags, commands.parse, app.parse])
def test_an_option_of_several_values_may_be_given_several_times(parse, monkeypatch):
    found = actions(parse, monkeypatch)
    assert len(found) > 4
    for action in found:
        if action.option_strings and action.nargs in ("+", "*"):
            assert isinstance(action, argparse._ExtendAction), action.option_strings


def test_two_lists_are_one_and_stay_apart_from_those_of_another_call():
    assert commands.parse("doctor photos --classes a b --classes c".split()).classes == ["a", "b", "c"]
    assert commands.parse("evaluate model photos --classes a --classes b".split()).classes == ["a", "b"]
    assert commands.parse("doctor photos".split()).classes == []
    assert cli.parse("photos --classes a b --classes c".split()).options.classes == ("a", "b", "c")
    assert cli.parse(["photos"]).options.classes == ()


SETTINGS = [
    "images", "batch", "lr", "critic_lr", "beta1", "beta2", "critic_steps", "objective", "penalty_weight", "clip",
    "label_smoothing", "noisy_labels", "ema_images",
]  # fmt: skip


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("setting", SETTINGS)
def test_the_help_says_the_default_of_every_preset(setting, preset, monkeypatch):
    option = f"--{setting.replace('_', '-')}"
    said = next(action.help for action in actions(training_flags, monkeypatch) if option in action.option_strings)
    usual, *others = said[said.index("default ") :].removeprefix("default ").rstrip(")").split("; ")
    value = {name: own for name, _, own in (other.partition(": ") for other in others)}.get(preset, usual)
    words = {"on": 1, "off": 0, "the generator's": 0}
    _, trained = from_preset(preset, ("a", "b"))
    wanted = getattr(trained, setting)
    assert value == wanted or float(words.get(value, value.replace(",", ""))) == wanted
    assert getattr(TrainConfig, setting) == wanted or preset in said


@pytest.mark.parametrize(
    ("preset", "given", "says"),
    [
        ("flagship", {"critic_norm": "ln"}, "--critic-norm"), ("dcgan-64", {"critic_norm": "none"}, "--critic-norm"),
        ("flagship", {"clip": 0.1}, "--clip is for --objective wgan-clip, and this run's is relativistic"),
        ("cwgan-gp-64", {"noisy_labels": True}, "--noisy-labels is for --objective bce"),
        ("cwgan-gp-64", {"label_smoothing": 0.1}, "--label-smoothing is for --objective bce"),
        ("dcgan-64", {"penalty_weight": 5.0}, "--penalty-weight is for --objective wgan-gp or relativistic"),
        ("cwgan-gp-64", {"objective": "wgan-clip", "penalty_weight": 5.0}, "--penalty-weight"),
        ("wgan-64", {"beta1": 0.3}, "--beta1 is for --optimizer adam, and this run's is rmsprop"),
        ("cwgan-gp-64", {"path_length_every": 4}, "--path-length-every is given, and --path-length-weight is 0"),
        ("cwgan-gp-64", {"penalty_every": 4, "penalty_weight": 0.0}, "--penalty-every is given, and --penalty-weight is 0"),
    ],
)  # fmt: skip
def test_what_a_preset_cannot_honour_is_refused(preset, given, says):
    with pytest.raises(UserError, match=says):
        from_preset(preset, ("a", "b"), **given)
    flags = [word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", str(value)) if word != "True"]
    with pytest.raises(UserError, match=says):
        training.configure(cli.parse(["photos", "--preset", preset, *flags]), ("a", "b"), "fp32")


def test_what_is_said_and_is_so_anyway_is_honoured():
    _, trained = from_preset("dcgan-64", ("a", "b"), penalty_weight=0.0, noisy_labels=False)
    assert not trained.noisy_labels
    assert from_preset("flagship", ("a", "b"), label_smoothing=0.0, noisy_labels=False)[1].objective == "relativistic"
