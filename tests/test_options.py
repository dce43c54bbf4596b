"""Every option of every command line, read from the parsers themselves."""

import argparse

import pytest

import app
import train
from gan import __main__ as commands


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


@pytest.mark.parametrize("parse", [train.parse, commands.parse, app.parse])
def test_an_option_of_several_values_may_be_given_several_times(parse, monkeypatch):
    found = actions(parse, monkeypatch)
    assert len(found) > 4
    for action in found:
        if action.option_strings and action.nargs in ("+", "*"):
            assert isinstance(action, argparse._ExtendAction), action.option_strings


def test_two_lists_are_one_and_stay_apart_from_those_of_another_call():
    assert commands.parse("doctor photos --classes a b --classes c".split()).classes == ["a", "b", "c"]
    assert commands.parse("evaluate model photos --classes a --classes b".split()).classes == ["a", "b"]
    assert commands.parse("doctor photos".split()).classes == [] == train.parse(["photos"]).classes
