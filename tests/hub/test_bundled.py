"""The models that come with the repository: all presets, whole, and drawing what their cards show."""

from __future__ import annotations

import json
import re
from itertools import takewhile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan.evaluation.scores import headline
from gan.hub import loader, model_card, sample_history
from gan.networks.latents import DEFAULT_TRUNCATION
from gan.presets import PRESETS
from gan.sampling.flower import Flower, grid_flowers
from gan.sampling.sampler import Sampler
from gan.utils.formatting import number, share
from gan.utils.images import grid


def test_the_ladder_and_the_flagship_are_bundled_and_nothing_that_is_no_preset():
    found = loader.bundled()
    assert found == [name for name in PRESETS if name in found]
    family = {name for name, preset in PRESETS.items() if preset.year > 2016}
    assert {*PRESETS} - family <= {*found}


@pytest.mark.parametrize("name", loader.bundled())
def test_a_bundled_model_draws_what_its_card_shows(name):
    model = loader.load(name)
    config, folder = model.generator.config, model.folder
    assert config.preset == name and model.source == "bundled"
    pictures = Sampler(model.generator).draw(grid_flowers(None, 0, DEFAULT_TRUNCATION, 64))
    with Image.open(folder / "samples.png") as shown:
        sheet = np.asarray(shown.convert("RGB")).astype(int)
    # The card's grid was drawn by the trainer, in one batch and perhaps from single precision; the sampler draws in bf16.
    away = np.abs(grid(list(pictures), 8).astype(int) - sheet)
    assert away.mean() < 1 and np.percentile(away, 99.9) <= 16, "of 255; two flowers of a class are 5 to 50 apart"
    assert pictures.reshape(64, -1).std(axis=1).min() > 4, "no picture is blank"
    assert len({picture.tobytes() for picture in pictures}) == 64


@pytest.mark.parametrize("name", loader.bundled())
def test_a_card_says_how_its_model_came_about(name):
    folder = loader.CHECKPOINTS / name
    trained, card = json.loads((folder / "config.json").read_text())["trained"], (folder / "README.md").read_text()
    assert trained["photos"] and trained["images"] > 0 and trained["hours"] > 0
    assert len(trained["notes"]) > 80 and trained["notes"] in card, "what the pictures show, and what they don't"
    assert f"{trained['images']:,}" in card and trained["command"] in card and trained["hardware"] in card
    most = 20_000_000 if name == "flagship" else 10_000_000  # over 10 MB a Space wants LFS, which `hf upload` sees to
    assert (folder / "model.safetensors").stat().st_size < most


@pytest.mark.parametrize("name", loader.bundled())
def test_a_bundled_model_carries_its_figures_taken_on_photos_it_never_saw(name):
    config, card = loader.load(name).generator.config, (loader.CHECKPOINTS / name / "README.md").read_text()
    assert config.trained["holdout"] == 0.15 and config.scores["reference"]["held_out"] >= 50
    assert headline(config.scores).startswith("KID-MobileNetV2 ") and "## Evaluation" in card
    overall = config.scores["parts"]["all"]
    assert 0 < overall["kid"]["value"] < 2 and 0.4 < overall["auc"]["value"] <= 1
    assert overall["kid"]["n"] == 2000 and abs(overall["kid"]["floor"]) < 0.02
    photos = "meadow" if name == "flagship" else "flowers"  # the larger collection came later
    assert f"python -m gan evaluate {name} photos/{photos}" in card


@pytest.mark.parametrize("name", [name for name in loader.bundled() if loader.load(name).generator.config.code_dim])
def test_the_class_selector_changes_the_color(name):
    """Marigolds are redder than dandelions, in the middle of the picture and on the mean of 64."""
    model = loader.load(name)
    side = model.generator.config.resolution // 4
    labels = [model.generator.config.classes.index(flower) for flower in ("dandelion", "marigold")]
    drawn = Sampler(model.generator).draw([Flower(label, seed) for label in labels for seed in range(64)])
    middle = drawn[:, side:-side, side:-side].reshape(2, -1, 3).mean(1)
    dandelion, marigold = middle[0], middle[1]
    assert marigold[1] / marigold[0] < 0.9 * dandelion[1] / dandelion[0]


def test_the_flagship_carries_its_growth_and_opens_the_app():
    assert loader.DEFAULT == "flagship"
    config, seen = loader.load("flagship").generator.config, sample_history.frames(loader.CHECKPOINTS / "flagship")
    assert 6 <= len(seen) <= sample_history.MOST and seen[-1][0] >= config.trained["images"]
    for _, path in seen:
        with Image.open(path) as frame:
            assert frame.size == (8 * (config.resolution + 2) - 2,) * 2 and path.stat().st_size < 800_000


def figures_in(page: str, after: str) -> dict[str, tuple[str, str]]:
    """The first table behind the words `after`: name of a figure, without arrow and number → the model's, the photos'."""
    lines = (Path(__file__).parents[2] / page).read_text(encoding="utf-8").split(after, 1)[1].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("| ---")) + 1
    rows = list(takewhile(lambda line: line.startswith("|"), lines[start:]))
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]
    return {re.sub(r" (↓|↑|→ 0\.5|\(\d+\))$", "", row[0]): (row[-2], row[-1]) for row in cells}


@pytest.mark.parametrize(
    ("page", "after", "view", "least"),
    [
        ("README.md", "## The strip above", 0, 4),
        ("docs/models.md", "Floor: two halves of the photos, or photos held out.", 0, 5),
        ("docs/models.md", "KIDs of two networks cannot be compared", 1, 7),
    ],
)
def test_the_pages_have_the_figures_of_the_flagships_card(page, after, view, least):
    scores = loader.load("flagship").generator.config.scores
    seen = [scores, *scores["also"]][view]
    wanted = {
        model_card._name(key, seen["settings"]): (number(m["value"], m["error"]), number(m["floor"], m["floor_error"]))
        for key, m in seen["parts"]["all"].items()
    }
    found = {name: both for name, both in figures_in(page, after).items() if name in wanted}
    assert len(found) >= least
    assert found == {name: wanted[name] for name in found}


@pytest.mark.parametrize(
    ("page", "after"),
    [("README.md", "## The strip above"), ("docs/models.md", "Floor: two halves of the photos, or photos held out.")],
)
def test_the_pages_have_the_copies_and_twins_of_the_flagships_card(page, after):
    scores, found = loader.load("flagship").generator.config.scores, figures_in(page, after)
    copies, twins = scores["copies"], scores["twins"]
    assert found["near copies"][0] == share(copies["below_1st_percentile"], scores["settings"]["n"], copies["error"])
    if "near twins" in found:
        assert found["near twins"][0] == share(twins["duplicates"], twins["n"], twins["error"])
