"""A person in front of the copies tab: distances without photos, photos where the host gives them, in both languages."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import serving_here, tiny_generator
from pictures import make_photos
from PIL import Image
from visitor import FIRST_LOOK, Visitor, content, contrast, looks

from gan.evaluation import photo_index
from gan.evaluation.features import find_network
from gan.evaluation.photo_index import PhotoSet
from gan.evaluation.reference import load_reference
from gan.hub.checkpoint import read_config, save_model

COUNT, HELD = 30, 12
PLACE = "#copies-pictures"


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("photos"), COUNT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, photos):
    """A model that remembers its photos, by numbers made up: what they are does not matter to the page."""
    config = replace(tiny_generator().config, trained={"holdout": HELD / COUNT, "critic": ["projected efficientnet-lite0>64"]})
    place = tmp_path_factory.mktemp("models") / "tiny"
    save_model(place, tiny_generator(), config)
    known, numbers = load_reference(photos, config, 16), torch.Generator().manual_seed(0)
    network = find_network(photo_index.NETWORKS[0])

    def part(pictures) -> PhotoSet:
        features = torch.rand(len(pictures.labels), network.dim, generator=numbers).half().float()
        return replace(photo_index._known(features, pictures), labels=pictures.labels)

    photo_index.write(
        place,
        photo_index.PhotoIndex(
            photo_index.NETWORKS[0], network.digest, 16, config.classes, "", part(known.trained_on), part(known.held_out),
            torch.linspace(15, 40, 2 * HELD),
        ),
    )  # fmt: skip
    return place


@pytest.fixture(scope="module")
def with_photos(folder, photos):
    with serving_here(folder, "--photos", str(photos)) as url:
        yield url


@pytest.fixture
def arrive(newcomer):
    def open_(url: str, address: str, ready: str = f"{PLACE} .words > *", **options) -> Visitor:
        visitor = newcomer(url, **options)
        visitor.page.goto(f"{url}/?tab=copies&{address}")
        visitor.page.wait_for_selector(ready)
        return visitor

    return open_


def test_the_nearest_photos_are_shown_as_the_training_saw_them(arrive, with_photos, photos, folder):
    visitor = arrive(with_photos, "copies-class=marigold&copies-seed=5")
    page = visitor.page
    shown = page.eval_on_selector_all(f"{PLACE} .photos img", "all => all.map(one => one.src)")
    distances = [float(text) for text in page.locator(f"{PLACE} .photos b").all_inner_texts()]
    assert len(shown) == 6 and distances == sorted(distances)
    kept = load_reference(photos, read_config(folder), 16).trained_on.pixels
    squares = [np.asarray(Image.open(io.BytesIO(content(src)))) for src in shown]
    assert all(any(np.array_equal(square, one) for one in kept) for square in squares)
    said = page.locator(f"{PLACE} .words").inner_text()
    assert f"{distances[0]:.2f}" in said and re.search(r"than \d+ % of the 12 photos of this flower", said)
    assert page.locator(f"{PLACE} svg.plot").get_attribute("aria-label").startswith("Distances of photos never shown")
    assert "critic looked through" in page.locator(f"{PLACE} .near").inner_text()


def test_new_flowers_the_link_and_flowers_sent_here(arrive, with_photos):
    visitor = arrive(with_photos, "copies-class=marigold&copies-seed=5&seed=9&grid=1")
    page = visitor.page
    flower = page.locator(f"{PLACE} .meadow img")
    first = flower.get_attribute("src")
    page.locator("h1").click()
    page.keyboard.press("r")
    rolled = visitor.changed("copies-seed", "5")
    assert flower.get_attribute("src") != first  # two flowers may lie equally far from the photos
    again = arrive(with_photos, page.url.partition("?")[2])
    assert again.page.locator(f"{PLACE} .words").inner_text() == page.locator(f"{PLACE} .words").inner_text()
    page.locator(f"{PLACE} .meadow button").click()
    assert rolled in page.get_by_role("dialog").inner_text()
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="Generate").click()
    page.locator("#generate-pictures figure[data-seed] button").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Is it a copy?").click()
    visitor.until("copies-seed", "9")
    assert visitor.query()["tab"] == "copies"


def test_without_the_folder_there_are_distances_and_a_sentence(arrive, folder):
    with serving_here(folder) as url:
        page = arrive(url, "copies-seed=5").page
        assert page.locator(f"{PLACE} .near img").count() == 0 and page.locator(f"{PLACE} .near li").count() == 6
        assert "--photos FOLDER" in page.locator(f"{PLACE} .near").inner_text()


def test_a_model_that_remembers_nothing_says_what_to_do(arrive, app_url):
    page = arrive(app_url, "copies-seed=5&copies-truncation=nonsense").page
    assert "python -m gan index-photos MODEL PHOTOS" in page.locator(f"{PLACE} .words").inner_text()
    assert page.locator(f"{PLACE} .meadow img[src]").count() == 1 and page.locator(f"{PLACE} svg").count() == 0


def test_it_fits_and_is_legible_in_ukrainian(arrive, with_photos):
    page = arrive(with_photos, "copies-seed=5", locale="uk-UA", **FIRST_LOOK).page
    assert "Відстань до найближчої" in page.locator(f"{PLACE} .words").inner_text()
    for look in looks(page):
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), look
        for place in (".words h3", ".words p", ".near p", ".photos b", ".photos figcaption"):
            assert contrast(page.locator(f"{PLACE} {place}").first) >= 4.5, (place, look)
