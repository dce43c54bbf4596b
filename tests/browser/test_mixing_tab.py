"""The mixing table in a browser: cells open large, flowers are sent here as rows and columns, and the link brings all back."""

from __future__ import annotations

CELLS = "#mixing-pictures td img"
PICTURES = "all => all.map(one => one.src)"


def test_a_table_its_cells_its_link_and_a_flower_that_is_sent_here(newcomer, flagship_url):
    rows, columns = "3.0*1.4*3.0*2.5", "3.0*0.6*3.0*1.7"
    query = f"?tab=mixing&mixing-rows={rows}&mixing-columns={columns}&mixing-scales=2&seed=9&grid=1&class=marigold"
    visitor = newcomer(flagship_url).open(query, tab=None)
    page = visitor.page
    page.wait_for_selector(CELLS)
    shown = page.eval_on_selector_all(CELLS, PICTURES)
    assert len(set(shown)) == 4
    page.get_by_role("button", name="Layout of").first.click()
    assert "crossed with Calendula 6" in page.get_by_role("dialog").inner_text()
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="Generate").click()
    page.locator("#generate-pictures figure[data-seed] button").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Mixing: row").click()
    changed = visitor.changed("mixing-rows", rows)
    assert changed == "3.0*3.9*3.0*1.4" and visitor.query()["mixing-columns"] == columns
    assert page.eval_on_selector_all(CELLS, PICTURES)[2:] == shown[:2]  # the first row has become the second
    page.keyboard.press("r")
    visitor.changed("mixing-rows", changed)
    assert page.locator(CELLS).count() == 12
