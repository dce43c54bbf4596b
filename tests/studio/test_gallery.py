"""A film through kept flowers hits each of them and closes, comes as three kinds of files, and has its limits."""

from __future__ import annotations

import io

import av
import gradio as gr
import numpy as np
import pytest
from conftest import tiny_generator
from PIL import Image

from gan.errors import UserError
from gan.hub import loader
from gan.sampling import films
from gan.sampling.flower import Flower, describe
from gan.studio.session import Studio
from gan.studio.tabs.gallery import MAX_FILMED, GalleryTab

FLOWERS = (Flower(0, 5, 1.5), Flower(1, 6, None), Flower((0.5, 0.5), 7, 0.7))


@pytest.fixture(scope="module")
def tab() -> GalleryTab:
    with gr.Blocks(), gr.Tabs():
        return GalleryTab(Studio(loader.Model("tiny", "path", "0123456789ab", tiny_generator(), None)))


def message(tab: GalleryTab, flowers) -> dict:
    return {"flowers": [describe(flower, tab.studio.classes) for flower in flowers]}


def test_a_film_goes_through_every_flower_and_closes(tab):
    shown, text = tab._draw_film(message(tab, FLOWERS))
    walk = tab.studio.walk(tab._filmed(text))
    assert shown["count"] == 3 and shown["rate"] == 12 and len(shown["frames"]) == len(walk) == 36
    assert all(frame.startswith("data:image/webp;base64,") for frame in shown["frames"])
    assert np.array_equal(walk[::12], tab.studio.sampler.draw(FLOWERS))
    assert np.array_equal(walk, tab.studio.sampler.walk(FLOWERS, 36))


@pytest.mark.parametrize("kind", films.KINDS)
def test_the_film_as_a_file(tab, kind):
    name, file = tab.studio.walk_film(FLOWERS[:2], kind)
    assert name == f"film-tiny-2.{kind}"
    if kind == "mp4":
        with av.open(io.BytesIO(file)) as film:
            assert len(list(film.decode(video=0))) == 24
    else:
        with Image.open(io.BytesIO(file)) as film:
            assert 2 < film.n_frames <= 24 and film.info["loop"] == 0


@pytest.mark.parametrize("count", [0, 1, MAX_FILMED + 1])
def test_too_few_or_too_many_get_a_sentence(tab, count):
    with pytest.raises(UserError, match="2 to 12 flowers"):
        tab._draw_film(message(tab, [Flower(0, seed) for seed in range(count)]))


@pytest.mark.parametrize("text", ["", "1.5*0.7", "nonsense", None])
def test_a_forged_film_has_no_file(tab, text):
    with pytest.raises(UserError, match="2 to 12 flowers"):
        tab._filmed(text)
