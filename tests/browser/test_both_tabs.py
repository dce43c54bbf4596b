"""A person in front of the page, played by the system's Chromium: both tabs, on a desktop and on a phone."""

from __future__ import annotations

import io
import re
import zipfile
from urllib.parse import urlsplit

import pytest
from PIL import Image
from visitor import CUT, FIGURES, FIRST_LOOK, FRAMES, LOOSE, content, contrast, looks

from gan.utils import images


def test_flowers_at_once_and_the_line_says_whose(visit):
    visitor = visit()
    assert len(visitor.pictures()) == 16 and len(set(visitor.pictures())) == 16
    first = visitor.seeds()[0]
    assert visitor.seeds() == [(first + i) % 2**32 for i in range(16)]
    assert re.fullmatch(r"tiny · local weights · revision [0-9a-f]{12} · 16×16", visitor.page.locator("#status").inner_text())
    assert visitor.page.get_by_text(str(first), exact=True).first.is_visible()


def test_dice_and_the_key_draw_new_flowers_but_not_while_typing(visit):
    visitor = visit("?seed=5&grid=2")
    before = visitor.pictures()
    visitor.page.get_by_role("button", name="New flowers").click()
    rolled = visitor.changed("seed", "5")
    assert visitor.pictures() != before and visitor.seeds()[0] == int(rolled)
    visitor.page.locator("h1").click()
    visitor.page.keyboard.press("r")
    pressed = visitor.changed("seed", rolled)
    field = visitor.page.locator(".seed input[type=number]").locator("visible=true")
    field.focus()
    visitor.page.keyboard.press("r")
    visitor.page.keyboard.press("Control+ArrowLeft")
    visitor.page.wait_for_timeout(400)
    assert visitor.query()["seed"] == pressed
    field.fill("77")
    field.press("Enter")
    visitor.until("seed", "77")
    assert visitor.seeds() == [77, 78, 79, 80]


def test_every_control_draws_and_the_link_brings_it_all_back(visit):
    visitor = visit("?seed=4294967295&grid=1")
    page = visitor.page
    page.get_by_role("radio", name="3", exact=True).check(force=True)
    visitor.until("grid", "3")
    assert visitor.seeds() == [2**32 - 1, *range(8)]
    page.locator(".chips").get_by_role("radio", name="Marigold").locator("visible=true").check(force=True)
    visitor.until("class", "marigold")
    slider = page.get_by_label("range slider for Truncation").locator("visible=true")
    slider.focus()
    page.keyboard.press("ArrowRight")
    visitor.until("truncation", "1.51")
    number = page.get_by_label("number input for Truncation").locator("visible=true")
    number.fill("0.5")
    number.press("Enter")
    visitor.until("truncation", "0.5")
    page.get_by_label("No truncation").locator("visible=true").check()
    visitor.until("truncation", "off")
    assert not slider.is_enabled()
    again = visit("?" + urlsplit(page.url).query)
    assert again.pictures() == visitor.pictures() and again.query() == visitor.query()
    assert again.page.get_by_label("No truncation").locator("visible=true").is_checked()
    assert again.page.locator(".seed input[type=number]").locator("visible=true").input_value() == "4294967295"


def test_an_emptied_field_is_no_error_and_one_out_of_range_is_brought_back(visit):
    visitor = visit("?seed=5&grid=1")
    field = visitor.page.locator(".seed input[type=number]").locator("visible=true")
    field.fill("")
    visitor.page.wait_for_timeout(500)
    assert visitor.page.locator(".toast-body").count() == 0
    field.press("Tab")
    visitor.page.wait_for_timeout(500)
    assert field.input_value() == "5" and visitor.query()["seed"] == "5", "what is shown is what the field says"
    field.fill("4294967296")
    field.press("Enter")
    visitor.until("seed", "4294967295")
    field.fill("6.4")
    field.press("Enter")
    visitor.until("seed", "6")
    assert visitor.page.locator(".toast-body").count() == 0


def test_a_flower_arrives_at_a_tab_where_a_field_was_left_empty(visit):
    visitor = visit("?seed=20&grid=1&from-seed=30&tab=interpolate", tab="interpolate")
    page = visitor.page
    page.locator(".seed input[type=number]").locator("visible=true").first.fill("")
    page.get_by_role("tab", name="Generate").click()
    page.locator(f"{FIGURES} button").first.click()
    page.get_by_role("button", name="Interpolate to").click()
    visitor.until("to-seed", "20")
    assert visitor.query()["from-seed"] and page.locator(".toast-body").count() == 0


def test_the_seed_can_be_dragged_and_a_bad_one_is_a_sentence(visit):
    visitor = visit("?seed=0&grid=1&tab=interpolate", tab="interpolate")
    fields = visitor.page.locator(".seed input[type=number]").locator("visible=true")
    fields.first.fill("4294967296")
    visitor.page.wait_for_selector(".toast-body")
    visitor.page.get_by_role("tab", name="Generate").click()
    visitor.page.wait_for_selector(FIGURES)
    visitor.page.get_by_label("range slider for Seed").locator("visible=true").focus()
    visitor.page.keyboard.press("End")
    visitor.until("seed", "4294967295")


@pytest.mark.parametrize(
    "address", ["?class=rose&seed=-1&truncation=x&grid=99&tab=none&from=%00", "?%&&==", "?seed=1e9&grid=&loop=maybe"]
)
def test_a_bad_address_shows_the_page_all_the_same(visit, address):
    visitor = visit(address)
    assert len(visitor.pictures()) == 16 and visitor.page.locator(".toast-body").count() == 0


def test_one_flower_large_its_file_and_all_of_them(visit):
    visitor = visit("?seed=20&grid=2&class=All")
    visitor.page.locator(f"{FIGURES} button").nth(1).click()
    sheet = visitor.page.get_by_role("dialog")
    assert "21" in sheet.inner_text() and "Marigold" in sheet.inner_text()
    name, file = visitor.download(lambda: sheet.get_by_role("link", name="Download PNG").click())
    assert name == "marigold-21-t1.5.png" and file == content(visitor.pictures()[1])
    assert {"model": "tiny", "class": "marigold", "seed": 21, "truncation": 1.5}.items() <= images.read_settings(file).items()
    visitor.page.keyboard.press("Escape")
    name, archive = visitor.download(lambda: visitor.page.get_by_role("button", name="Download all").click())
    assert name == "flowers-20-2x2.zip"
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        assert [files.read(entry) for entry in files.namelist()] == [content(src) for src in visitor.pictures()]
        assert files.namelist()[:2] == ["dandelion-20-t1.5.png", "marigold-21-t1.5.png"]


def test_a_film_its_ends_its_files_and_its_link(visit):
    import av

    visitor = visit("?seed=30&grid=2&from-seed=30&to-seed=31&steps=8")
    page = visitor.page
    ends = [visitor.pictures()[0], visitor.pictures()[1]]
    page.get_by_role("tab", name="Interpolate").click()
    page.wait_for_selector(FRAMES)
    visitor.until("tab", "interpolate")
    frames = visitor.frames()
    assert len(frames) == 8 and len(set(frames)) > 5
    for frame, end in ((frames[0], ends[0]), (frames[-1], ends[1])):
        assert Image.open(io.BytesIO(content(frame))).tobytes() == Image.open(io.BytesIO(content(end))).tobytes()
    page.get_by_role("radio", name="Straight").check(force=True)
    visitor.until("path", "straight")
    page.get_by_label("Loop").check()
    visitor.until("loop", "yes")
    _, gif = visitor.download(lambda: page.get_by_role("button", name="GIF").click())
    with Image.open(io.BytesIO(gif)) as image:
        assert image.format == "GIF" and image.n_frames == 8 and image.size == (256, 256)
    name, mp4 = visitor.download(lambda: page.get_by_role("button", name="MP4").click())
    assert name == "dandelion-30-t1.5-to-marigold-31-t1.5.mp4"
    with av.open(io.BytesIO(mp4)) as video:
        assert sum(1 for _ in video.decode(video=0)) == 8
    _, webp = visitor.download(lambda: page.get_by_role("button", name="WebP").click())
    with Image.open(io.BytesIO(webp)) as image:
        assert image.format == "WEBP" and image.n_frames == 8
    _, strip = visitor.download(lambda: page.get_by_role("button", name="Filmstrip").click())
    assert Image.open(io.BytesIO(strip)).size == (8 * 16, 16)
    again = visit("?" + urlsplit(page.url).query, tab="interpolate")
    assert again.frames() == visitor.frames() and again.query() == visitor.query()
    assert again.page.get_by_role("tab", name="Interpolate").get_attribute("aria-selected") == "true"
    again.page.get_by_role("tab", name="Generate").click()
    again.page.wait_for_selector(FIGURES)
    assert again.seeds() == [30, 31, 32, 33]


def test_a_new_pair_by_button_and_by_key(visit):
    visitor = visit("?tab=interpolate&from-seed=1&to-seed=2&steps=3", tab="interpolate")
    visitor.page.get_by_role("button", name="New pair").click()
    rolled = visitor.changed("from-seed", "1")
    assert visitor.query()["to-seed"] != "2"
    visitor.page.keyboard.press("r")
    visitor.changed("from-seed", rolled)
    assert visitor.query()["tab"] == "interpolate"


def test_a_flower_is_sent_to_the_other_tab(visit):
    visitor = visit("?seed=50&grid=2&truncation=off&from-seed=1&to-seed=2&steps=4")
    sent = visitor.pictures()[3]
    visitor.page.locator(f"{FIGURES} button").nth(3).click()
    visitor.page.get_by_role("button", name="Interpolate to").click()
    visitor.until("to-seed", "53")
    assert (
        visitor.query().items() >= {"tab": "interpolate", "to": "marigold", "from-seed": "1", "film-truncation": "off"}.items()
    )
    last = Image.open(io.BytesIO(content(visitor.frames()[-1])))
    assert last.tobytes() == Image.open(io.BytesIO(content(sent))).tobytes()


def test_a_link_of_another_model_says_so(visit):
    visitor = visit("?seed=1&grid=1&model=roses-of-1999")
    assert "roses-of-1999" in visitor.page.locator(".notice").inner_text() and visitor.query()["model"] == "tiny"


def test_both_tabs_fit_and_are_legible(visit):
    visitor = visit("?seed=4294967290&grid=7&steps=60", **FIRST_LOOK)
    for tab, ready in (("Generate", FIGURES), ("Interpolate", FRAMES)):
        visitor.page.get_by_role("tab", name=tab).click()
        visitor.page.wait_for_selector(ready)
        for look in looks(visitor.page):
            assert visitor.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), look
            assert visitor.page.eval_on_selector_all(".seed input[type=number]", CUT) == [], look
            for place in ("h1", "header p", "#status", "button.primary >> visible=true", ".selected >> visible=true"):
                assert contrast(visitor.page.locator(place).first) >= 4.5, (place, look)


@pytest.mark.parametrize(("side", "widths"), [(7, (320, 360, 1280)), (6, (360,)), (4, (360,))])
def test_every_picture_shows_its_own_seed_whole(visit, side, widths):
    visitor = visit(f"?seed=4294967270&grid={side}", viewport={"width": widths[0], "height": 740}, color_scheme="dark")
    assert len(visitor.seeds()) == side**2
    for width in widths:
        for look in looks(visitor.page, {str(width): {"width": width, "height": 740}}):
            assert visitor.page.eval_on_selector_all(FIGURES, LOOSE) == [], look
            assert visitor.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), look
            number = visitor.page.locator(f"{FIGURES} .number").first
            assert contrast(number) >= 4.5, look
            assert number.evaluate("element => parseFloat(getComputedStyle(element).fontSize)") >= 11, look


def test_a_truncation_of_many_digits_survives_the_link(visit):
    visitor = visit("?seed=5&grid=2&truncation=1.23456789&film-truncation=1.23456789")
    assert visitor.query()["truncation"] == "1.23456789"
    visitor.page.get_by_role("radio", name="3", exact=True).check(force=True)
    visitor.until("grid", "3")
    again = visit("?" + urlsplit(visitor.page.url).query)
    assert again.query() == visitor.query() and again.pictures() == visitor.pictures()


def test_several_films_in_one_are_wider_have_fewer_pictures_and_a_link(visit):
    visitor = visit("?tab=interpolate&from-seed=5&to-seed=6&steps=30", tab="interpolate")
    page = visitor.page
    page.get_by_role("radio", name="4×3").check(force=True)
    visitor.until("films", "4x3")
    assert visitor.query()["steps"] == "20" and len(visitor.frames()) == 20
    assert page.get_by_label("range slider for Pictures").locator("visible=true").get_attribute("max") == "20"
    page.wait_for_function("() => { const one = document.querySelector('.screen canvas'); return one.width > one.height; }")
    again = visit("?" + page.url.partition("?")[2], tab="interpolate")
    assert again.frames() == visitor.frames()
    name, file = again.download(again.page.locator("#download-gif").click)
    assert name.endswith("-4x3.gif") and file[:4] == b"GIF8"
