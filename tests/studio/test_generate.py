"""A grid that is slow to draw is shown while it is drawn; a quick one comes at once."""

from __future__ import annotations

import gradio as gr
import pytest
from conftest import tiny_generator

from gan.hub import loader
from gan.studio.address import Address
from gan.studio.session import Studio
from gan.studio.tabs import generate


@pytest.fixture(scope="module")
def tab():
    studio = Studio(loader.Model("tiny", "path", "0123", tiny_generator(), None))
    with gr.Blocks(), gr.Tabs():
        return generate.GenerateTab(studio)


def test_a_slow_grid_is_shown_while_it_is_drawn(tab, monkeypatch):
    monkeypatch.setattr(generate, "SHOW_EVERY", -1)  # every flower takes longer
    wanted = tab.from_address(Address("grid=2&seed=7", lambda: 0))
    steps = list(tab.draw_steps(wanted))
    assert [len(step["items"]) for step in steps] == [1, 2, 3] and {step["of"] for step in steps} == {4}
    assert steps[-1]["items"] == tab.draw(wanted)["items"][:3] and "address" not in steps[0]


def test_a_quick_grid_comes_at_once(tab, monkeypatch):
    monkeypatch.setattr(generate, "SHOW_EVERY", 1000)
    assert list(tab.draw_steps(tab.from_address(Address("grid=2&seed=9", lambda: 0)))) == []
