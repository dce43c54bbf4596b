"""Explore in the system's Chromium: the search and its end, sliders, neighbors, mixing, and what the address brings back."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

import pytest
from conftest import serving_here
from playwright.sync_api import expect
from visitor import PHONE, Visitor

from gan.sampling.directions import DirectionSearch

CELLS = "#explore-pictures figure"
FOUND = f"!document.querySelector('.walk.waiting') && document.querySelectorAll('{CELLS} img[src]').length === 9"
UKRAINIAN = {"locale": "uk-UA"}


@pytest.fixture
def walk(newcomer, app_url):
    """A function that opens the tab and waits for nine flowers."""

    def arrive(address: str = "", **options) -> Visitor:
        visitor = newcomer(app_url, **options)
        visitor.page.goto(f"{app_url}/?tab=explore&{address}")
        visitor.page.wait_for_function(FOUND)
        return visitor

    return arrive


def sources(visitor: Visitor) -> list[str]:
    return visitor.page.eval_on_selector_all(f"{CELLS} img", "images => images.map(image => image.src)")


def middle(visitor: Visitor, src: str) -> None:
    """Wait until this picture is the flower in the middle."""
    visitor.page.wait_for_function(f"src => document.querySelectorAll('{CELLS} img')[4].src === src", arg=src)


def level(visitor: Visitor, name: str):
    return visitor.page.get_by_label(f"range slider for {name}").locator("visible=true")


def sliders(visitor: Visitor) -> list[float]:
    found = visitor.page.locator("#explore-pictures").locator("xpath=ancestor::*[contains(@class,'bench')]").locator(
        ".controls .level input[type=range]"
    )  # fmt: skip
    return [float(value) for value in found.evaluate_all("all => all.map(one => one.value)")][1:7]


def test_the_middle_is_the_flower_itself_and_a_press_on_a_neighbor_goes_exactly_there(walk):
    visitor = walk("explore-seed=7&explore-class=marigold")
    before = sources(visitor)
    visitor.page.goto(f"{visitor.url}/?seed=7&class=marigold&grid=1")
    visitor.page.wait_for_selector("#generate-pictures figure[data-seed]")
    assert before[4] == visitor.pictures()[0] and len(set(before)) == 9

    visitor = walk("explore-seed=7&explore-class=marigold")
    assert sources(visitor) == before
    for number in (5, 6):  # by mouse, by keyboard
        wanted = sources(visitor)[number]
        cell = visitor.page.locator(f"{CELLS} button").nth(number)
        if number == 5:
            cell.click()
        else:
            cell.focus()
            visitor.page.keyboard.press("Enter")
        middle(visitor, wanted)
    visitor.until("explore-at", "0_1_0_0_0_0")
    assert sliders(visitor) == [0, 1, 0, 0, 0, 0]
    again = walk(urlsplit(visitor.page.url).query)
    assert sources(again) == sources(visitor) and again.query() == visitor.query()
    again.page.get_by_role("button", name="Back to the start").click()
    middle(again, before[4])
    assert sliders(again) == [0] * 6 and "explore-at" not in again.query()


def test_sliders_move_it_and_at_the_end_there_is_no_neighbor(walk):
    visitor = walk("explore-seed=3")
    first = sources(visitor)
    number = visitor.page.locator(".controls .level input[type=number]").locator("visible=true").nth(1)
    number.fill("3")
    number.press("Enter")
    visitor.until("explore-at", "3_0_0_0_0_0")
    assert sources(visitor)[4] not in first
    cells = visitor.page.locator(f"{CELLS} button")
    assert cells.nth(5).is_disabled() and cells.nth(3).is_enabled() and cells.nth(2).is_enabled()
    assert cells.nth(5).get_attribute("aria-label") == "The directions end here"
    assert cells.nth(3).get_attribute("aria-label").count("+2") == 1


def test_the_two_directions_of_the_neighbors_are_never_the_same(walk):
    visitor = walk("explore-seed=3")
    before = sources(visitor)
    across, down = (visitor.page.locator(".steps .segments").nth(number) for number in (0, 1))
    across.get_by_role("radio", name="2", exact=True).check(force=True)
    visitor.until("explore-across", "2")
    visitor.until("explore-down", "3")
    assert down.get_by_role("radio", name="3", exact=True).is_checked()
    assert sources(visitor)[4] == before[4] and sources(visitor)[5] != before[5]


def test_a_flower_is_mixed_and_what_was_made_arrives_elsewhere_as_it_is(walk):
    visitor = walk("explore-seed=3&explore-class=dandelion&explore-at=1_0_0_-2_0_0&explore-degree=30&explore-second=marigold")
    shown = sources(visitor)[4]
    visitor.page.locator(f"{CELLS} button").nth(4).click()
    sheet = visitor.page.get_by_role("dialog")
    assert "70 % Dandelion, 30 % Marigold, moved" in sheet.inner_text()
    sheet.get_by_role("button", name="Explore", exact=True).click()
    visitor.page.wait_for_function("new URLSearchParams(location.search).get('explore-extras')")
    visitor.page.wait_for_function(FOUND)
    middle(visitor, shown)
    assert sliders(visitor) == [0] * 6 and visitor.query()["explore-degree"] == "0"
    again = walk(urlsplit(visitor.page.url).query)
    assert sources(again) == sources(visitor)


def test_a_model_without_styles_has_no_crossing_and_says_so_nowhere(walk):
    visitor = walk()
    assert visitor.page.get_by_text("Crossing").count() == 0
    assert visitor.page.get_by_label("Seed of the other").locator("visible=true").count() == 0


@pytest.mark.parametrize("options", [{"viewport": PHONE}, {"viewport": PHONE, **UKRAINIAN}, UKRAINIAN])
def test_on_a_phone_and_in_ukrainian(walk, options):
    visitor = walk("explore-seed=7&explore-at=1_1_0_0_0_0", **options)
    page, width = visitor.page, visitor.page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    spoken = "Назад до початку" if "locale" in options else "Back to the start"
    button = page.get_by_role("button", name=spoken)
    button.scroll_into_view_if_needed()
    page.wait_for_timeout(200)
    box = page.locator(f"{CELLS}.here").bounding_box()
    assert 0 <= box["y"] and box["y"] + box["height"] <= page.viewport_size["height"]  # it stays in view beside the sliders
    before = sources(visitor)[4]
    button.click()
    page.wait_for_function(f"src => document.querySelectorAll('{CELLS} img')[4].src !== src", arg=before)


@pytest.mark.parametrize("address", [
    "explore-at=9_9&explore-extras=0.7~sAAAA&explore-seed=7&explore-class=dandelion&explore-degree=x",
    "explore-extras=0.7~f0:1:5&explore-seed=7&explore-class=dandelion&explore-across=3&explore-down=0&explore-step=99",
])  # fmt: skip
def test_a_bad_address_shows_the_flower_all_the_same(walk, address):
    visitor = walk(address)
    assert visitor.page.locator(".toast-body").count() == 0 and len(set(sources(visitor))) == 9


def test_the_search_shows_how_far_it_is_and_can_be_stopped_and_taken_up_again(browser, model_folder, monkeypatch):
    def slow(search):  # so small a model would be searched before a click arrives
        time.sleep(0.1)
        return step(search)

    step = DirectionSearch.step
    monkeypatch.setattr(DirectionSearch, "step", slow)
    with serving_here(model_folder) as url:  # one that has found nothing yet
        visitor = Visitor(browser, url, viewport=PHONE)
        visitor.page.goto(f"{url}/?tab=explore&explore-seed=7")
        visitor.page.evaluate("""() => new Promise((done) => {
            const look = () => {
                if (!(document.querySelector(".walk progress")?.value > 0)) return requestAnimationFrame(look);
                document.querySelector(".walk .search button").click();
                done();
            };
            look();
        })""")
        search = visitor.page.locator(".walk .search")
        visitor.page.get_by_role("button", name="Find the directions").wait_for()
        assert "not found yet" in search.inner_text()
        shown = visitor.page.locator(f"{CELLS} img").locator("visible=true")
        expect(shown).to_have_count(1)
        assert shown.bounding_box()["width"] > 50  # the flower is there all the while
        visitor.page.get_by_role("button", name="Find the directions").click()
        visitor.page.wait_for_function(FOUND)
        assert search.is_hidden() and not visitor.errors and not visitor.away
        visitor.context.close()
