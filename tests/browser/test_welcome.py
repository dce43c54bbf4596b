"""Whoever opens the page for the first time is told what to do, once; and each tab says what it is for."""

from __future__ import annotations

import pytest
from visitor import PHONE, barriers

CARD = "section.welcome"


@pytest.mark.parametrize("look", [{}, {"viewport": PHONE, "color_scheme": "dark"}], ids=["desktop", "phone"])
def test_three_steps_come_once(visit, look):
    visitor = visit("?lang=uk", first_visit=True, **look)
    card = visitor.page.locator(CARD)
    assert card.locator("li").count() == 3 and "Ви тут уперше?" in card.inner_text()
    box, window = card.bounding_box(), visitor.page.viewport_size
    assert 0 <= box["x"] and box["x"] + box["width"] <= window["width"] and box["y"] + box["height"] <= window["height"]
    assert not barriers(visitor.page)
    visitor.page.get_by_role("button", name="Зрозуміло").click()
    assert card.count() == 0
    visitor.page.reload()
    visitor.page.wait_for_selector("#generate-pictures figure[data-seed]")
    assert card.count() == 0


def test_escape_closes_them_and_pictures_can_be_drawn_beside_them(visit):
    visitor = visit(first_visit=True)
    before = visitor.seeds()
    visitor.page.keyboard.press("r")
    visitor.page.wait_for_function(
        "before => document.querySelector('#generate-pictures figure').dataset.seed !== before", arg=str(before[0])
    )
    assert visitor.page.locator(CARD).count() == 1
    visitor.page.keyboard.press("Escape")
    assert visitor.page.locator(CARD).count() == 0


def test_a_tab_says_what_it_is_for_and_more_by_the_keyboard(visit):
    page = visit().page
    what = page.locator(".room:not([style*=none]) .what details")
    assert what.locator("p").is_hidden() and "none of them ever grew" in what.inner_text()
    what.locator("summary").focus()
    page.keyboard.press("Enter")
    assert "A seed is the number" in what.locator("p").inner_text()
