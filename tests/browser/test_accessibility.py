"""Every tab as axe-core sees it (WCAG 2.0 to 2.2, A and AA) in real Chromium: two languages, day and night, two sizes.

axe-core comes with its Python package and asks nobody. No rule is excepted anywhere.
"""

from __future__ import annotations

import pytest
from visitor import DESKTOP, Visitor, barriers, barriers_everywhere, gallery

from gan.studio.i18n import LANGUAGES
from gan.studio.page import TABS

NAMES = [tab.id for tab in TABS]
# Drawn, and nothing has been on its way for half a second: what is being redrawn fades.
READY = """async (name) => {
  const says = (key) => new URLSearchParams(location.search).get(key);
  const rests = () => says("tab") === name && says("model") && !document.querySelector(`#${name}-pictures .pending`);
  for (let times = 0, tries = 0; times < 5 && tries < 400; tries++) {
    times = rests() ? times + 1 : 0;
    await new Promise((done) => setTimeout(done, 100));
  }
  return rests();
}"""


@pytest.fixture
def arrive(newcomer):
    """A function that opens an address whose tab is `name`."""

    def opened(url: str, name: str, more: str = "") -> Visitor:
        visitor = newcomer(url, reduced_motion="reduce", color_scheme="light")
        visitor.page.goto(f"{url}/?tab={name}{more}")
        assert visitor.page.evaluate(READY, name)
        return visitor

    return opened


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_a_tab_has_no_barriers(arrive, flagship_url, name, language):
    page = arrive(flagship_url, name, f"&lang={language}").page
    assert (
        page.locator(f".room:has(#{name}-pictures)").is_visible() and page.evaluate("document.documentElement.lang") == language
    )
    assert barriers_everywhere(page) == []


def test_a_small_model_without_extras_has_none_either(arrive, app_url):
    for name in NAMES:
        visitor = arrive(app_url, name)
        assert barriers(visitor.page) == [], name
        visitor.context.close()  # or the next one would be another browser's, which has fetched nothing yet


def test_neither_has_a_flower_large_nor_the_gallery_nor_a_message(arrive, app_url):
    visitor = arrive(app_url, "generate", "&seed=5&grid=2&class=All&gallery-compare=1.5*0.5*1.5*0.6")
    page = visitor.page
    for place in (0, 1):
        page.locator("#generate-pictures figure[data-seed] > button").nth(place).click()
        page.locator(".sheet[open] .keep button").click()
        page.wait_for_selector(".sheet[open] .keep button[aria-pressed=true]")
        assert barriers_everywhere(page) == []
        page.set_viewport_size(DESKTOP)
        page.keyboard.press("Escape")
    gallery(visitor)
    page.wait_for_selector("#gallery-pictures figure[data-seed]")
    page.locator("#gallery-kept .cross").first.click()
    assert barriers_everywhere(page) == []
    page.locator("#gallery-kept .cross").first.click()
    page.locator("#gallery-sheet-png").click()
    page.wait_for_selector(".toast-body")
    page.wait_for_timeout(600)  # it fades in
    assert barriers_everywhere(page) == []


def test_a_barrier_would_be_found(arrive, app_url):
    page = arrive(app_url, "generate").page
    page.evaluate(
        """() => { document.querySelector("#head header p").style.color = "#c8c4b4";
        document.querySelector("#foot").append(document.createElement("button")); }"""
    )
    assert {one.split()[0] for one in barriers(page)} == {"color-contrast", "button-name"}
