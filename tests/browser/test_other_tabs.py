"""Truncation, Growth and Ladder as a person uses them, and the two languages of the page."""

from __future__ import annotations

import pytest
from visitor import DESKTOP, FIRST_LOOK, Visitor, contrast, looks

from gan.hub import loader, sample_history
from gan.studio.i18n import TEXT

TRUNCATION, GROWTH, LADDER = (f"#{tab}-pictures img[src]" for tab in ("truncation", "growth", "ladder"))


def opened(visitor: Visitor, tab: str) -> Visitor:
    """Open an address whose tab is `tab`."""
    visitor.page.wait_for_selector(f"#{tab}-pictures img[src]")
    visitor.until("tab", tab)
    return visitor


def arrive(browser, url: str, address: str, **options) -> Visitor:
    visitor = Visitor(browser, url, **{"viewport": DESKTOP, **options})
    visitor.page.goto(f"{url}/{address}")
    return visitor


def leave(visitor: Visitor) -> None:
    visitor.context.close()
    assert not visitor.errors and not visitor.away


def sources(visitor: Visitor, selector: str) -> list[str]:
    return visitor.page.eval_on_selector_all(selector, "images => images.map(image => image.src)")


def test_rows_of_truncation_their_curve_and_their_link(browser, flagship_url):
    visitor = opened(arrive(browser, flagship_url, "?tab=truncation&truncation-seed=4"), "truncation")
    page = visitor.page
    headings = page.locator(".rank h3").all_inner_texts()
    assert headings == ["Truncation 0.01", "Truncation 1.5", "Truncation 3 · current", "No truncation"]
    assert page.locator(".curves figure > svg").count() == 2 and page.locator(".curves circle.here").count() == 2
    page.get_by_role("checkbox", name="0.5", exact=True).check(force=True)
    visitor.until("truncation-rows", "0.01_0.5_1.5_off")
    assert page.locator(".rank").count() == 5
    slider = page.get_by_label("range slider for Truncation").locator("visible=true")
    slider.focus()
    page.keyboard.press("Home")
    visitor.until("truncation-truncation", "0.01")
    assert page.locator(".rank.current h3").inner_text() == "Truncation 0.01 · current"
    shown = sources(visitor, TRUNCATION)
    again = opened(arrive(browser, flagship_url, "?" + page.url.partition("?")[2]), "truncation")
    assert sources(again, TRUNCATION) == shown
    again.page.keyboard.press("r")
    again.changed("truncation-seed", "4")
    leave(visitor)
    leave(again)


def test_a_film_of_growth_stands_where_it_was_stopped(browser, flagship_url):
    visitor = opened(arrive(browser, flagship_url, "?tab=growth&growth-seed=2"), "growth")
    page = visitor.page
    assert page.locator(GROWTH).count() == len(sample_history.frames(loader.CHECKPOINTS / "flagship"))
    page.get_by_role("slider", name="Position in the film").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    visitor.until("growth-moment", "1")
    caption = page.locator("#growth-pictures output").inner_text()
    assert caption.endswith("images") and int(caption.split()[0].replace(",", "")) > 0
    page.get_by_role("radio", name="Sixteen").check(force=True)
    visitor.until("growth-shown", "several")
    assert page.locator("#growth-pictures output").inner_text() == caption
    page.get_by_role("radio", name="One").check(force=True)
    visitor.until("growth-shown", "one")
    page.get_by_role("button", name="Open this flower large").click()
    assert "2" in page.get_by_role("dialog").inner_text()
    leave(visitor)


def test_a_model_without_growth_or_curves_says_so(visit):  # noqa: F811
    visitor = visit("?seed=1&grid=1")
    visitor.page.get_by_role("tab", name="Growth").click()
    assert "no pictures of its training" in visitor.page.locator("#growth-pictures .none").inner_text()
    visitor.page.get_by_role("tab", name="Truncation").click()
    visitor.page.wait_for_selector(TRUNCATION)
    assert "never measured" in visitor.page.locator("#truncation-pictures .none").inner_text()


def test_a_flower_goes_down_the_ladder(visit):  # noqa: F811
    visitor = visit("?seed=50&grid=2&class=marigold&truncation=0.8")
    visitor.page.locator("#generate-pictures figure button").nth(1).click()
    visitor.page.get_by_role("dialog").get_by_role("button", name="Ladder").click()
    opened(visitor, "ladder")
    assert visitor.query().items() >= {"ladder-class": "marigold", "ladder-seed": "51", "ladder-truncation": "0.8"}.items()
    trunk = visitor.page.locator("#ladder-pictures .trunk article")
    visitor.page.wait_for_function("[...document.querySelectorAll('#ladder-pictures .spectrum')].every((one) => one.src)")
    assert trunk.count() == 6 and all(trunk.nth(i).locator("li").count() == 2 + 3 for i in range(6))
    branches = visitor.page.locator("#ladder-pictures .branch")
    assert branches.count() >= 1 and branches.first.locator("h2").inner_text() == "2016"
    assert branches.first.locator("article h3").inner_text() == "dcgan-64"
    trunk_box, first = visitor.page.locator("#ladder-pictures .trunk").bounding_box(), branches.first.bounding_box()
    assert first["x"] + first["width"] <= trunk_box["x"], "on a wide window the years stand to both sides of the trunk"
    if branches.count() > 1:
        assert branches.nth(1).bounding_box()["x"] >= trunk_box["x"] + trunk_box["width"]
    assert visitor.page.get_by_role("tab", name="Ladder").get_attribute("aria-selected") == "true"


@pytest.mark.parametrize("tab", ["inside", "truncation", "growth", "ladder"])
def test_the_tabs_fit_and_are_legible(browser, flagship_url, tab):
    visitor = arrive(browser, flagship_url, f"?tab={tab}&lang=uk", **FIRST_LOOK)
    opened(visitor, tab)
    page = visitor.page
    for look in looks(page):
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), look
        for place in ("h1", ".tongue", f"#{tab}-pictures h3, #{tab}-pictures output", ".controls [data-testid=block-info]"):
            assert contrast(page.locator(place).locator("visible=true").first) >= 4.5, (place, look)
    leave(visitor)


@pytest.mark.parametrize(("locale", "language"), [("uk-UA", "uk"), ("en-GB", "en"), ("de-DE", "en")])
def test_the_browser_chooses_the_language(browser, app_url, locale, language):
    visitor = Visitor(browser, app_url, viewport=DESKTOP, locale=locale).open("?seed=1&grid=1")
    words = TEXT[language]
    assert visitor.page.locator("h1").inner_text() == words["title"] and visitor.page.title() == words["title"]
    assert visitor.page.get_by_role("tab", name=words["tab_generate"]).count() == 1
    assert visitor.page.get_by_role("radio", name=words["class_marigold"]).first.count() == 1
    assert visitor.page.locator("html").get_attribute("lang") == language
    leave(visitor)


def test_the_visitor_changes_the_language_and_keeps_it_and_the_flowers(browser, app_url):
    visitor = Visitor(browser, app_url, viewport=DESKTOP, locale="en-US").open("?seed=9&grid=2")
    shown = visitor.pictures()
    visitor.page.get_by_role("link", name=TEXT["uk"]["in_this_language"]).click()
    visitor.page.get_by_role("button", name=TEXT["uk"]["new_flowers"]).wait_for()
    visitor.page.wait_for_selector("#generate-pictures figure[data-seed]")
    assert visitor.pictures() == shown and visitor.query()["lang"] == "uk"
    visitor.page.goto(f"{app_url}/?seed=9&grid=2")  # without saying so: it was remembered
    visitor.page.get_by_role("button", name=TEXT["uk"]["new_flowers"]).wait_for()
    leave(visitor)


def test_flowers_follow_a_slider_that_is_not_let_go(visit):  # noqa: F811
    visitor = visit("?seed=5&grid=2&truncation=1.5")
    page = visitor.page
    box = page.get_by_label("range slider for Truncation").locator("visible=true").bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, y)
    page.mouse.down()
    seen = set()
    for part in range(20):
        page.mouse.move(box["x"] + box["width"] * (0.5 - 0.02 * part), y)
        page.wait_for_timeout(40)
        seen.add(visitor.query()["truncation"])
    assert len(seen) > 2, "pictures came while the button was down"
    page.mouse.up()
    wanted = page.get_by_label("number input for Truncation").locator("visible=true").input_value()
    visitor.until("truncation", wanted if "." in wanted else f"{wanted}.0")


@pytest.mark.parametrize("tab", ["explore", "truncation", "interpolate", "copies"])
def test_a_link_with_a_shift_of_another_model_opens_all_the_same(visit, tab):  # noqa: F811
    name = {"interpolate": "from"}.get(tab, tab)
    visitor = visit(f"?tab={tab}&{name}-class=dandelion&{name}-seed=7&{name}-extras=0.7~sAAAA&seed=1&grid=1", tab=None)
    visitor.page.wait_for_selector(f"#{tab}-pictures img[src]")
    assert visitor.page.locator(".toast-body").count() == 0 and visitor.query()[f"{name}-seed"] == "7"
