"""A person who plays Real or not?: rounds by mouse and by keys, the score that the browser keeps, both languages."""

from __future__ import annotations

import csv
import io
import json

import pytest
from conftest import serving_here
from pictures import make_photos
from visitor import FIRST_LOOK, Visitor, contrast, looks

PLACE = "#game-pictures"
FOUR = f"{PLACE} .four button"
READY = f"{PLACE} .score h3"


@pytest.fixture(scope="module")
def url(model_folder, tmp_path_factory):
    photos = make_photos(tmp_path_factory.mktemp("photos"), 8)
    with serving_here(model_folder, "--photos", str(photos)) as url:
        yield url


@pytest.fixture
def arrive(newcomer):
    def open_(url: str, address: str = "", ready: str = READY, stored: str | None = None, **options) -> Visitor:
        visitor = newcomer(url, **options)
        if stored is not None:
            visitor.page.add_init_script(f"localStorage.setItem('flowers-game', {json.dumps(stored)})")
        visitor.page.goto(f"{url}/?tab=game&{address}")
        visitor.page.wait_for_selector(ready)
        return visitor

    return open_


def play(visitor: Visitor, choose) -> bool:
    """Choose, wait for the verdict, and say whether it was right."""
    choose()
    visitor.page.wait_for_selector(f"{PLACE} .four.done")
    return "right" in visitor.page.locator(f"{PLACE} .verdict").get_attribute("class")


def forward(visitor: Visitor, press) -> None:
    """Go on to the next round."""
    before = visitor.query()["game-round"]
    press()
    visitor.changed("game-round", before)
    visitor.page.wait_for_selector(f"{PLACE} .four:not(.done)")
    visitor.page.wait_for_function("document.querySelector('#game-pictures .four button').ariaDisabled === 'false'")


def kept(visitor: Visitor) -> list[dict]:
    return json.loads(visitor.page.evaluate("localStorage.getItem('flowers-game')") or "[]")


def test_rounds_by_mouse_and_keys_the_score_its_files_and_its_reset(arrive, url):
    visitor = arrive(url, "game-round=5&game-class=All")
    page = visitor.page
    assert page.locator(FOUR).count() == 4 and "One in four" in page.locator(f"{PLACE} .score").inner_text()
    right = [play(visitor, page.locator(FOUR).nth(1).click)]
    drawn = page.locator(f"{PLACE} .drawn")
    assert drawn.count() == 1 and drawn.get_attribute("aria-label").endswith(": drawn")
    page.locator(FOUR).nth(2).click(force=True)  # a choice is made once
    page.get_by_role("button", name="Show the drawn flower").click()
    assert str(kept(visitor)[0]["seed"]) in page.get_by_role("dialog").inner_text()
    page.keyboard.press("Escape")
    for number in range(10):
        forward(
            visitor,
            lambda n=number: page.keyboard.press("r") if n % 2 else page.locator(f"{PLACE} .after button").first.click(),
        )
        right.append(play(visitor, lambda n=number: page.keyboard.press(str(n % 4 + 1))))
    rows = kept(visitor)
    assert [row["right"] for row in rows] == right and len({row["round"] for row in rows}) == 11
    said = page.locator(f"{PLACE} .score").inner_text()
    assert f"{sum(right)} of 11 right" in said and "95 % interval" in said and "In a row" in said

    _, content = visitor.download(page.get_by_role("button", name="Answers as CSV").click)
    table = list(csv.DictReader(io.StringIO(content.decode(), newline="")))
    wanted = "model,revision,round,class,seed,truncation,choice,drawn,right,milliseconds"
    assert ",".join(table[0]) == wanted and len(table) == 11
    assert [row["right"] == "true" for row in table] == [row["choice"] == row["drawn"] for row in table] == right
    name, content = visitor.download(page.get_by_role("button", name="Answers as JSON").click)
    assert name == "real-or-not.json" and json.loads(content) == rows and all(row["milliseconds"] >= 0 for row in rows)

    page.reload()
    page.wait_for_selector(READY)
    assert f"{sum(right)} of 11 right" in page.locator(f"{PLACE} .score").inner_text()
    play(visitor, lambda: page.keyboard.press("2"))
    assert "already" in page.locator(f"{PLACE} .verdict").inner_text() and len(kept(visitor)) == 11
    page.get_by_role("button", name="Reset the score").click()
    page.get_by_role("button", name="Delete 11 answers?").click()
    assert kept(visitor) == [] and "No round played yet" in page.locator(f"{PLACE} .score").inner_text()


def test_the_same_round_is_the_same_pictures_and_another_class_another_round(arrive, url):
    source = f"{PLACE} .game > img"
    one, two = (arrive(url, "game-round=77&game-class=marigold") for _ in range(2))
    first = one.page.locator(source).get_attribute("src")
    assert first == two.page.locator(source).get_attribute("src")
    assert "Marigold: which one was drawn?" in one.page.locator(PLACE).inner_text()
    one.page.locator(".chips").get_by_role("radio", name="Dandelion").locator("visible=true").check(force=True)
    one.until("game-class", "dandelion")
    assert one.page.locator(source).get_attribute("src") != first
    one.page.get_by_role("tab", name="Generate").click()
    one.until("tab", "generate")
    one.page.keyboard.press("1")
    assert kept(one) == []


@pytest.mark.parametrize("stored", ["{", "7", '[null, 1, {"right": true}]', '{"length": 3}'])
def test_a_score_that_someone_spoilt_is_no_score(arrive, url, stored):
    visitor = arrive(url, "game-round=5", stored=stored)
    play(visitor, lambda: visitor.page.keyboard.press("1"))
    assert len(kept(visitor)) == 1 and "of 1 right" in visitor.page.locator(f"{PLACE} .score").inner_text()


def test_without_photos_the_tab_says_how_to_turn_it_on(arrive, app_url):
    page = arrive(app_url, ready=f"{PLACE} .off .none").page
    assert "app.py --photos FOLDER" in page.locator(PLACE).inner_text()
    assert page.locator("#game-next").count() == 0 or not page.locator("#game-next").is_visible()
    assert not page.locator(FOUR).first.is_visible()


def test_it_fits_does_not_jump_and_is_legible_in_ukrainian(arrive, url):
    visitor = arrive(url, "game-round=5", locale="uk-UA", **FIRST_LOOK)
    page = visitor.page
    tops = [page.locator(READY).bounding_box()["y"] for _ in looks(page)]
    play(visitor, lambda: page.keyboard.press("1"))
    assert "Справжня чи ні?" in page.locator("#tabs").inner_text()
    for look, top in zip(looks(page), tops):
        assert page.locator(READY).bounding_box()["y"] == pytest.approx(top, abs=1), look
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), look
        for place in ("h3", ".verdict", ".badge", ".drawn .badge", ".after button", ".score p"):
            assert contrast(page.locator(f"{PLACE} {place}").first) >= 4.5, (place, look)
