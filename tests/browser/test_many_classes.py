"""The page of a model with hundreds of classes, which are looked for by name."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from conftest import serving_here, tiny_generator
from visitor import DESKTOP, FIGURES, PHONE, barriers_everywhere

from gan.hub.checkpoint import save_model

CLASSES = tuple(f"species_{number:03d}" for number in range(250))  # with 257 no directions would be offered
MIDDLE = "figure.here"


@pytest.fixture(scope="module")
def many_url(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many") / "many"
    generator = tiny_generator(CLASSES)
    save_model(folder, generator, generator.config)
    with serving_here(folder) as url:
        yield url


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_class_is_found_by_a_part_of_its_name(newcomer, many_url, viewport):
    visitor = newcomer(many_url, viewport=viewport, reduced_motion="reduce").open("?seed=5&grid=2")
    page = visitor.page
    seed = page.locator(".seed input[type=number] >> visible=true").first
    assert seed.bounding_box()["y"] < page.locator(".dice >> visible=true").first.bounding_box()["y"] + 300
    field = page.get_by_role("combobox", name="Flower").locator("visible=true")
    field.click()
    page.keyboard.type("s 123")
    page.wait_for_function("document.querySelectorAll('[role=option]').length === 1")
    assert page.get_by_role("option").inner_text().endswith("species 123")
    page.keyboard.press("Enter")
    visitor.until("class", "species_123")
    assert page.locator(FIGURES).first.get_attribute("data-class") == "species_123"
    assert barriers_everywhere(page) == []


def test_a_mix_shows_nine_pictures_and_its_link_brings_it_back(newcomer, many_url):
    query = "?tab=explore&explore-class=species_003&explore-seed=5&explore-second=species_240&explore-degree=40&steps=3"
    visitor = newcomer(many_url).open(query, tab=None)
    visitor.page.wait_for_selector(f".walk:not(.waiting) {MIDDLE} img[src]", timeout=60_000)  # the directions are found
    pictures = visitor.page.eval_on_selector_all("#explore-pictures img", "all => all.map(one => one.src)")
    assert len(set(pictures)) == 9
    visitor.page.locator(f"{MIDDLE} button").click()
    sheet = visitor.page.get_by_role("dialog")
    assert "60 % species 003, 40 % species 240" in sheet.inner_text()
    sheet.get_by_role("button", name="Interpolate to").click()
    visitor.until("to-extras", "3.5~m3-60:240-40")
    again = newcomer(many_url).open("?" + urlsplit(visitor.page.url).query, tab="interpolate")
    assert again.frames() == visitor.frames()
