"""Inside the network in a browser: steps with their own pixels, the flower large, the link, and a list on a phone."""

from __future__ import annotations

from visitor import PHONE

STEPS = "#inside-pictures .way > li"


def test_a_flower_scale_by_scale_its_link_and_one_that_is_sent_here(newcomer, flagship_url):
    visitor = newcomer(flagship_url).open("?tab=inside&inside-seed=4&seed=9&grid=1&class=marigold", tab=None)
    page = visitor.page
    page.wait_for_selector(f"{STEPS} img")
    sides = "all => all.map(one => one.naturalWidth)"
    drawn = page.locator(f"{STEPS} figure:first-child img")
    assert drawn.evaluate_all(sides)[1:] == [4, 8, 16, 32, 64, 128, 256]
    widths = drawn.evaluate_all("all => all.map(one => [Math.round(one.clientWidth), getComputedStyle(one).imageRendering])")
    assert len({width for width, _ in widths}) == 1 and {way for _, way in widths} == {"pixelated"}
    assert page.locator(".spectrum-of-one svg.plot").count() == 1
    page.locator(f"{STEPS} figure button").click()
    assert "4" in page.get_by_role("dialog").inner_text()
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="Generate").click()
    page.locator("#generate-pictures figure[data-seed] button").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Inside").click()
    visitor.until("inside-seed", "9")
    assert visitor.query().items() >= {"tab": "inside", "inside-class": "marigold"}.items()
    page.keyboard.press("r")
    visitor.changed("inside-seed", "9")


def test_layers_are_a_list_on_a_phone(visit):
    page = visit("?tab=inside&inside-seed=4&lang=uk", tab=None, viewport=PHONE).page
    page.wait_for_selector(f"{STEPS} img")
    boxes = page.locator(STEPS).evaluate_all("all => all.map(one => one.getBoundingClientRect()).map(({x, y}) => [x, y])")
    assert len(boxes) == 5 and len({x for x, _ in boxes}) == 1 and [y for _, y in boxes] == sorted({y for _, y in boxes})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator(f"{STEPS} code").all_inner_texts() == ["T4,1,0>8 bn relu", "up", "C3,1,1>8 bn relu", "T4,2,1>3 tanh"]
