"""Pictures fill the stage: a grid fits the window, the controls stay in view, and on a phone the thumb reaches the dice."""

from __future__ import annotations

import pytest
from visitor import FIGURES

WINDOWS = [(1280, 860), (1440, 900), (1920, 1080)]
BOXES = "all => all.map(one => one.getBoundingClientRect()).map(({width, bottom, top}) => ({width, bottom, top}))"


def sized(width: int, height: int) -> dict:
    return {"viewport": {"width": width, "height": height}}


@pytest.mark.parametrize("window", WINDOWS)
def test_sixteen_flowers_and_the_controls_fit_the_window(newcomer, flagship_url, window):
    page = newcomer(flagship_url, **sized(*window)).open("?seed=5&grid=4").page
    boxes = page.eval_on_selector_all(FIGURES, BOXES)
    assert max(box["bottom"] for box in boxes) <= window[1]
    assert boxes[0]["width"] * 4 >= 0.8 * window[1] and boxes[0]["width"] <= 2 * 128
    (controls,) = page.eval_on_selector_all(".controls", f"all => ({BOXES})(all.filter(one => one.offsetParent))")
    assert controls["bottom"] <= window[1]
    page.locator(FIGURES).nth(3).hover()
    assert (
        page.locator(f"{FIGURES} figcaption")
        .nth(3)
        .evaluate("one => one.getAnimations().length || getComputedStyle(one).opacity > 0")
    )
    page.locator(f"{FIGURES} button").nth(3).click()
    page.wait_for_selector(".sheet .go:not([aria-disabled])")  # the whole picture has taken the preview's place
    picture = page.locator(".sheet .large canvas")
    assert picture.evaluate("one => one.width") > 128 and picture.bounding_box()["width"] > 3 * 128


def test_controls_stay_in_view_while_a_long_stage_scrolls(newcomer, flagship_url):
    page = newcomer(flagship_url, **sized(1280, 700)).open("?tab=truncation&truncation-seed=5", tab=None).page
    page.wait_for_selector("#truncation-pictures img[src]")
    page.evaluate("scrollTo(0, 300)")
    (controls,) = page.eval_on_selector_all(".controls", f"all => ({BOXES})(all.filter(one => one.offsetParent))")
    assert page.evaluate("scrollY") > 100 and 0 <= controls["top"] and controls["bottom"] <= 700


@pytest.mark.parametrize("language", ["en", "uk"])
def test_explore_fits_one_screen(newcomer, flagship_url, language):
    page = newcomer(flagship_url, **sized(1440, 900)).open(f"?tab=explore&explore-seed=5&lang={language}", tab=None).page
    page.wait_for_selector(".walk figure.here img[src]")
    (steps,) = page.eval_on_selector_all(".steps", BOXES)
    assert steps["bottom"] <= 900
    whole = "all => all.filter(one => one.offsetParent).map(one => one.scrollHeight - one.clientHeight)"
    assert page.eval_on_selector_all(".controls", whole) == [0]


def test_on_a_phone_the_dice_and_the_class_are_at_hand(newcomer, flagship_url):
    visitor = newcomer(flagship_url, **sized(390, 844)).open("?seed=5&grid=4")
    page = visitor.page
    for place in (page.locator("#new-flowers"), page.get_by_role("radio", name="All").locator("visible=true")):
        box = place.bounding_box()
        assert 844 / 2 < box["y"] and box["y"] + box["height"] <= 844
    page.locator("#generate-class label").last.click()
    visitor.changed("class", "All")
    assert page.evaluate("scrollY") == 0
    page.evaluate("scrollTo(0, 99999)")
    (grid,) = page.eval_on_selector_all("#download-all", BOXES)
    bar = page.locator("#generate-class").bounding_box()
    assert grid["bottom"] <= bar["y"]  # nothing lies hidden below the bar at the end of the page
