"""The Inside tab: steps have their pictures and two sentences in each language, and photos a spectrum where there are any."""

from __future__ import annotations

import base64
import io

import gradio as gr
import numpy as np
import pytest
from conftest import styled_generator, tiny_generator
from PIL import Image

from gan.evaluation.artifacts import mean_spectrum, radial_spectrum
from gan.hub import loader
from gan.sampling import inside
from gan.sampling.flower import Flower
from gan.studio import spectra
from gan.studio.i18n import LANGUAGES
from gan.studio.session import Studio
from gan.studio.tabs.inside import InsideTab, _layer, _scale

STYLED = ("M>16", "M>16", "S>16", "S>16", "S>8")


def studio_of(generator, photos=None) -> Studio:
    return Studio(loader.Model("small", "path", "0123", generator, None), photos=photos)


def tab_of(studio: Studio) -> InsideTab:
    with gr.Blocks(), gr.Tabs():
        return InsideTab(studio)


@pytest.fixture(scope="module")
def styled() -> InsideTab:
    return tab_of(studio_of(styled_generator()))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder, draw = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    (folder / "marigold").mkdir()
    for number in range(3):
        noise = Image.fromarray(draw.integers(0, 256, (40, 40, 3), np.uint8))
        noise.save(folder / "marigold" / f"{number}.png")
    (folder / "marigold" / "broken.png").write_bytes(b"no picture")
    return folder


def picture(src: str) -> np.ndarray:
    with Image.open(io.BytesIO(base64.b64decode(src.partition("base64,")[2]))) as image:
        return np.asarray(image)


def test_a_model_with_styles_is_shown_scale_by_scale(styled):
    flower = Flower(1, 7, 1.5)
    shown = styled.link_value(flower)
    assert shown["kind"] == "scales" and [step["title"] for step in shown["steps"]][1:] == [
        f"{side} × {side} pixels" for side in (4, 8, 16)
    ]
    assert [len(step["pictures"]) for step in shown["steps"]] == [1, 1, 2, 2]
    last = shown["steps"][-1]["pictures"][0]
    assert last["opens"] and np.array_equal(picture(last["src"]), styled.studio.sampler.draw([flower])[0])
    assert shown["item"]["src"] == styled.studio.items([flower])[0]["src"]
    assert shown["address"] == {**shown["address"], "tab": "inside", "inside-seed": "7", "inside-class": "marigold"}
    assert "more than any other scale" in " ".join(step["about"] for step in shown["steps"])
    assert styled.from_controls("marigold", 7, 1.5, False, "") == flower


def test_another_model_is_shown_layer_by_layer():
    tab = tab_of(studio_of(tiny_generator()))
    flower = Flower(0, 3, 0.5)
    steps = tab.link_value(flower)["steps"]
    assert [step["title"] for step in steps] == ["Noise", "T4,1,0>8 bn relu", "up", "C3,1,1>8 bn relu", "T4,2,1>3 tanh"]
    assert [step["shape"] for step in steps] == ["8 numbers", "8 × 4 × 4", "8 × 8 × 8", "8 × 8 × 8", "3 × 16 × 16"]
    assert steps[3]["pictures"][0]["caption"] == "all 8 maps" and "about 2×2 pixels" in steps[3]["about"]
    assert np.array_equal(picture(steps[-1]["pictures"][0]["src"]), tab.studio.sampler.draw([flower])[0])


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_step_has_two_sentences(language):
    blank = np.zeros((2, 2, 3), np.uint8)
    for side in (4 << number for number in range(9)):
        step = _scale(inside.ScaleStep(side, blank, None if side == 4 else blank, 2, 3.21), side == 64, language)
        assert step["about"].count(". ") == 1 and step["about"].endswith("."), step["about"]
        assert side == 4 or ("3.2" in step["about"] and "2" in step["pictures"][1]["caption"])
    for number, kind in enumerate(("C4,1,3>8", "T4,2,1>8 bn", "C3,1,1>8", "up", "up-corners", "R>8 up", "A", "S>8 adain")):
        step = _layer(inside.LayerStep(kind, (8, 5, 5), 8, blank[..., 0]), number == 0, 28, language)
        assert step["about"].count(". ") == 1 and step["about"].endswith("."), step["about"]


def test_photos_stand_beside_the_flower_where_the_host_has_some(photos):
    tab = tab_of(studio_of(tiny_generator(), photos))
    beside, alone = (tab.link_value(Flower(label, 3, 1.5))["spectrum"] for label in (1, 0))
    assert [one["name"] for one in beside["pictures"]] == ["this flower", "photos of its class (3)"] and not beside["without"]
    assert 'class="real"' in beside["svg"] and 'class="real"' not in alone["svg"]
    assert len(alone["pictures"]) == 1 and "No curve of photos" in alone["without"]
    squares = np.stack([tab.studio.photos.square(path) for path in tab.studio.photos.files(1) if path.stem != "broken"])
    assert np.array_equal(picture(beside["pictures"][1]["src"]), spectra.picture(squares))
    power = radial_spectrum(squares)[1]
    assert np.ptp(power) < 1.5 and mean_spectrum(squares).shape == (16, 16)  # noise: as much of every frequency


def test_no_photos_and_no_evaluation_is_said_and_nothing_is_made_up(styled):
    spectrum = styled.link_value(Flower(0, 3))["spectrum"]
    assert "without photos" in spectrum["without"] and spectrum["peaks"] == [] and len(spectrum["pictures"]) == 1
    scores = {"checkerboard": {"generated": {"peaks_2": 3, "peaks_4": 1}, "real": {"peaks_2": -0.1}}}
    assert spectra.peaks(scores) == {2: (3, -0.1)}
