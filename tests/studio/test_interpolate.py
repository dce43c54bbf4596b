"""Several films in one on the Interpolate tab: each is the film of its own seeds, and the page says what it costs."""

from __future__ import annotations

import gradio as gr
import numpy as np
import pytest
from conftest import tiny_generator

from gan.hub import loader
from gan.sampling import settings
from gan.sampling.films import GAP
from gan.sampling.flower import Flower
from gan.studio.i18n import TEXT
from gan.studio.session import Studio
from gan.studio.tabs.interpolate import InterpolateTab


@pytest.fixture(scope="module")
def tab() -> InterpolateTab:
    with gr.Blocks(), gr.Tabs():
        return InterpolateTab(Studio(loader.Model("tiny", "path", "0123456789ab", tiny_generator(), None)))


def controls(films: str, steps: int = 5) -> tuple:
    return ("dandelion", 2**32 - 2, "marigold", 9, 1.5, False, "spherical", steps, True, "", "", films)


def test_every_film_is_that_of_its_own_seeds(tab):
    wanted = tab.from_controls(*controls("4x3"))
    frames = tab.studio.frames(wanted)
    pitch = 16 + GAP
    assert frames.shape == (5, 3 * pitch - GAP, 4 * pitch - GAP, 3)
    for place in range(12):
        ends = Flower(0, (2**32 - 2 + place) % 2**32, 1.5), Flower(1, 9 + place, 1.5)
        top, left = place // 4 * pitch, place % 4 * pitch
        assert np.array_equal(frames[:, top : top + 16, left : left + 16], tab.studio.sampler.path(*ends, 5, loop=True))
    shown = tab.link_value(wanted)
    assert len(shown["frames"]) == 5 and all(frame.startswith("data:image/webp") for frame in shown["frames"])
    assert shown["address"]["films"] == "4x3"
    assert tab.studio.film(wanted, "gif")[0].endswith("-4x3.gif")


def test_one_film_is_as_it_was(tab):
    wanted = tab.from_controls(*controls("1x1"))
    assert np.array_equal(tab.studio.frames(wanted), tab.studio.sampler.path(*wanted.ends(tab.studio.classes), 5, loop=True))
    shown = tab.link_value(wanted)
    assert all(frame.startswith("data:image/png") for frame in shown["frames"]) and shown["address"]["films"] == ""


@pytest.mark.parametrize("films", settings.FILMS)
def test_many_films_have_fewer_pictures_and_the_page_says_how_many(tab, films):
    most = settings.most_steps(films)
    assert tab.from_controls(*controls(films, 60)).steps == most
    for words in TEXT.values():
        assert films == "1x1" or f"{most} " in words["films_hint"] and films.replace("x", "×") in words["films_hint"]
