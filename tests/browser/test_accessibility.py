"""Every tab as axe-core sees it (WCAG 2.0 to 2.2, A and AA) in real Chromium: two languages, day and night, two sizes.

axe-core comes with its Python package and asks nobody. No rule is excepted anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from visitor import DESKTOP, Visitor, barriers, barriers_everywhere, gallery, open_tab

from gan.studio.i18n import LANGUAGES
from gan.studio.page import TABS

NAMES = [tab.id for tab in TABS]
# Drawn, and nothing has been on its way for half a second: what is being redrawn fades.
READY = """async (name) => {
  const says = (key) => new URLSearchParams(location.search).get(key);
  const rests = () => says("tab") === name && says("model") && !document.querySelector(`#${name}-pictures .pending`);
  let times = 0;
  for (let tries = 0; times < 5 && tries < 400; tries++) {
    times = rests() ? times + 1 : 0;
    await new Promise((done) => setTimeout(done, 100));
  }
  return times === 5;
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


def walk(page) -> Iterator[str]:
    """Open one tab after another as a visitor does, on a phone by the menu of folded tabs; yield each once it has drawn."""
    for name in NAMES:
        open_tab(page, name)
        assert page.evaluate(READY, name), name
        assert page.locator(f".room:has(#{name}-pictures)").is_visible(), name
        yield name


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_tab_has_a_barrier(arrive, flagship_url, language):
    page = arrive(flagship_url, NAMES[-1], f"&lang={language}").page
    assert page.evaluate("document.documentElement.lang") == language
    found = {name: barriers_everywhere(page) for name in walk(page)}
    assert not any(found.values()), found


def test_a_small_model_without_extras_has_none_either(arrive, app_url):
    page = arrive(app_url, "ladder").page  # no other test opens it by its link
    found = {name: barriers(page) for name in walk(page)}
    assert not any(found.values()), found


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
