"""The Gallery as a person uses it: kept, compared, taken out and put back, exported and read in again."""

from __future__ import annotations

import base64
import io
import json
import re

import numpy as np
from PIL import Image
from visitor import DESKTOP, FIGURES, FIRST_LOOK, PHONE, content, contrast, gallery, looks, rest

from gan.utils import images

KEY = "flowers.favourites.1"
KEPT = "#gallery-kept figure[data-seed]"
COMPARED = "#gallery-pictures figure[data-seed]"
TOLD = "#gallery-kept .told [role=status]"
BLACK = "data:image/png;base64," + base64.b64encode(images.png(np.zeros((4, 4, 3), np.uint8))).decode()


def keep(visitor, *places: int, key: bool = False) -> None:
    """Open the pictures at these places of the grid large and keep them."""
    for place in places:
        visitor.page.locator(f"{FIGURES} > button").nth(place).click()
        button = visitor.page.locator(".sheet[open] .keep button")
        if key:
            visitor.page.keyboard.press("k")
        else:
            button.click()
        visitor.page.wait_for_selector(".sheet[open] .keep button[aria-pressed=true]")
        visitor.page.keyboard.press("Escape")


def seeds(visitor, where: str = KEPT) -> list[int]:
    return [int(seed) for seed in visitor.page.eval_on_selector_all(where, "all => all.map(one => one.dataset.seed)")]


def stored(visitor) -> list[dict]:
    return json.loads(visitor.page.evaluate(f"localStorage['{KEY}'] ?? '{{}}'")).get("flowers", [])


def kept_on_tabs(visitor) -> dict[str, str]:
    """The numbers that stand on tabs, by the tab."""
    found = "[...document.querySelectorAll('#tabs [data-tab-id][data-kept]')].map(({dataset: d}) => [d.tabId, d.kept])"
    return dict(visitor.page.evaluate(found))


def reloaded(visitor):
    visitor.page.reload()
    visitor.page.wait_for_selector("#gallery-kept .kept", state="visible")
    rest(visitor)


def test_kept_flowers_survive_a_reload_newest_first(visit):  # noqa: F811
    visitor = visit("?seed=20&grid=2&class=All")
    keep(visitor, 0, 1)
    keep(visitor, 3, key=True)
    assert kept_on_tabs(visitor) == {"gallery": "3"}, "also before the gallery was ever opened"
    page = gallery(visitor)
    assert seeds(visitor) == [23, 21, 20] and [one["seed"] for one in stored(visitor)] == [23, 21, 20]
    one = stored(visitor)[0]
    assert {"class": "marigold", "seed": 23, "truncation": 1.5, "model": "tiny"}.items() <= one.items()
    assert re.fullmatch("[0-9a-f]{12}", one["revision"]) and len(one["thumbnail"]) < 20_000
    page.set_viewport_size(PHONE)  # where the framework takes buttons for other tabs
    page.locator(".overflow-menu > button:visible").wait_for()
    assert set(kept_on_tabs(visitor).items()) <= {("gallery", "3")}
    page.set_viewport_size(DESKTOP)
    page.locator('#tabs [data-tab-id="gallery"][data-kept="3"]').wait_for()
    reloaded(visitor)
    assert seeds(visitor) == [23, 21, 20]
    page.locator(f"{KEPT} > button").first.click()
    sheet = page.locator(".sheet[open]")
    assert sheet.get_by_role("button", name="Kept").get_attribute("aria-pressed") == "true"
    name, file = visitor.download(lambda: sheet.get_by_role("link", name="Download PNG").click())
    assert name == "marigold-23-t1.5.png" and images.read_settings(file)["seed"] == 23
    assert Image.open(io.BytesIO(file)).size == (16, 16)
    page.keyboard.press("k")
    page.wait_for_selector(".sheet[open] .keep button[aria-pressed=false]")
    assert seeds(visitor) == [21, 20]


def test_a_kept_flower_is_sent_to_another_tab(visit):  # noqa: F811
    visitor = visit("?seed=20&grid=2&class=All&to-seed=1&steps=3")
    keep(visitor, 1)
    page = gallery(visitor)
    page.locator(f"{KEPT} > button").first.click()
    page.locator(".sheet[open]").get_by_role("button", name="Interpolate to").click()
    visitor.until("to-seed", "21")
    assert visitor.query()["tab"] == "interpolate" and visitor.query()["to"] == "marigold"


def test_nothing_kept_is_said_and_nothing_can_be_put_on_a_sheet(visit):  # noqa: F811
    visitor = visit()
    page = gallery(visitor)
    assert page.locator("#gallery-kept .none").inner_text() == "Nothing kept yet: open a flower large and press Keep."
    assert page.locator("#gallery-pictures .compared").is_hidden()
    page.locator("#gallery-sheet-png").click()
    assert "keep one first" in page.locator(".toast-body").inner_text()


def test_two_to_four_are_compared_and_the_link_brings_them_back(visit):  # noqa: F811
    visitor = visit("?seed=30&grid=3&class=All&truncation=off")
    drawn = visitor.pictures()
    keep(visitor, 0, 1, 2, 3, 4)
    page = gallery(visitor)
    compare, ticks = page.get_by_role("button", name="Compare", exact=True), page.locator(f"{KEPT} input[type=checkbox]")
    ticks.nth(0).check()
    compare.click()
    assert page.locator(TOLD).inner_text() == "Choose two to four flowers to compare." and seeds(visitor, COMPARED) == []
    ticks.nth(2).focus()
    page.keyboard.press("Space")
    page.get_by_role("checkbox", name="Choose Dandelion, seed 30").check()
    compare.click()
    page.wait_for_selector(COMPARED)
    assert seeds(visitor, COMPARED) == [34, 32, 30] and visitor.query()["gallery-compare"] == "off*0.34*off*0.32*off*0.30"
    pictures = page.eval_on_selector_all(f"{COMPARED} img", "all => all.map(one => one.src)")
    assert [content(one) for one in pictures] == [content(drawn[place]) for place in (4, 2, 0)]
    sizes = page.eval_on_selector_all(f"{COMPARED} img", "all => all.map(one => one.getBoundingClientRect().width)")
    assert max(sizes) - min(sizes) < 0.5 and sizes[0] > 200
    facts = page.locator(f"{COMPARED} dl").first.inner_text().split()
    assert facts == ["Flower", "Dandelion", "Seed", "34", "Truncation", "none"]
    reloaded(visitor)
    page.wait_for_selector(COMPARED)
    assert seeds(visitor, COMPARED) == [34, 32, 30] and page.locator(f"{KEPT} :checked").count() == 3
    other = visit("?gallery-compare=off*0.34*1.5*1.7")  # another tab is open, and another visitor's browser
    assert other.query()["gallery-compare"] == "off*0.34*1.5*1.7"
    gallery(other).wait_for_selector(COMPARED)
    assert seeds(other, COMPARED) == [34, 7] and seeds(other) == []
    other.page.get_by_role("button", name="Close the comparison").click()
    other.page.wait_for_selector(COMPARED, state="hidden")
    assert "gallery-compare" not in other.query()


def test_what_was_changed_is_shown_and_stays_with_the_flower(visit):  # noqa: F811
    visitor = visit("?gallery-compare=1.5*1.7~m40%3A60*1.5*1.7")
    page = gallery(visitor)
    page.wait_for_selector(COMPARED)
    assert "40 % Dandelion, 60 % Marigold" in page.locator(f"{COMPARED} dl").first.inner_text()
    assert "Changed" not in page.locator(f"{COMPARED} dl").nth(1).inner_text()
    page.locator(f"{COMPARED} > button").first.click()
    page.keyboard.press("k")
    page.wait_for_selector(".sheet[open] .keep button[aria-pressed=true]")
    page.keyboard.press("Escape")
    assert stored(visitor)[0]["extras"] == "1.7~m40:60" and page.locator(f"{KEPT} .flag").inner_text() == "changed"


def test_a_flower_taken_out_comes_back_to_its_place(visit):  # noqa: F811
    visitor = visit("?seed=40&grid=2")
    keep(visitor, 0, 1, 2)
    page = gallery(visitor)
    page.get_by_role("button", name="Remove Marigold, seed 41").click()
    assert seeds(visitor) == [42, 40] and page.locator(TOLD).inner_text() == "Removed: Marigold, seed 41."
    assert page.evaluate("document.activeElement.textContent") == "Undo"
    page.keyboard.press("Enter")
    assert seeds(visitor) == [42, 41, 40] == [one["seed"] for one in stored(visitor)]
    assert page.locator(TOLD).inner_text() == ""


def test_two_windows_stay_in_step(visit):  # noqa: F811
    visitor = visit("?seed=50&grid=2")
    other = visitor.context.new_page()
    other.goto(f"{visitor.url}/?tab=gallery")
    other.wait_for_selector("#gallery-kept .none")
    keep(visitor, 1)
    other.wait_for_selector(f"{KEPT}[data-seed='51']")
    other.locator("#gallery-kept .cross").click()
    visitor.page.wait_for_function(f"JSON.parse(localStorage['{KEY}']).flowers.length === 0")
    page = gallery(visitor)
    page.wait_for_selector("#gallery-kept .none")  # the other window's news come in their own time
    assert seeds(visitor) == [] and page.locator("#gallery-kept .chooser").is_hidden()


def test_sheets_of_all_and_of_the_chosen(visit):  # noqa: F811
    visitor = visit("?seed=60&grid=2&class=All")
    drawn = [Image.open(io.BytesIO(content(src))) for src in visitor.pictures()]
    keep(visitor, 0, 1, 2)
    # What the browser has as a picture plays no part.
    script = '([key, url]) => { localStorage[key] = localStorage[key].replace(/data:[^"]+/g, url); }'
    visitor.page.evaluate(script, [KEY, BLACK])
    page = gallery(visitor)
    reloaded(visitor)
    name, file = visitor.download(lambda: page.locator("#gallery-sheet-png").click())
    assert name == "flowers-tiny-3.png"
    about = images.read_settings(file)
    assert about["model"] == "tiny" and [one["seed"] for one in about["flowers"]] == [62, 61, 60]
    whole = np.asarray(Image.open(io.BytesIO(file)))
    tile = images.enlarge(np.asarray(drawn[2]), 192)
    corners = np.argwhere((whole == tile[0, 0]).all(-1))
    assert any(np.array_equal(whole[y : y + 192, x : x + 192], tile) for y, x in corners)
    assert visitor.download(lambda: page.locator("#gallery-sheet-png").click())[1] == file
    page.get_by_role("checkbox", name="Choose Marigold, seed 61").check()
    name, file = visitor.download(lambda: page.locator("#gallery-sheet-pdf").click())
    assert name == "flowers-tiny-1.pdf" and file.startswith(b"%PDF-1.") and file.endswith(b"%%EOF\n")
    assert file.count(b"/Type /Page\n") == 1 and file.count(b"/Subtype /Image") == 1
    assert page.locator("#gallery-progress .progress").is_hidden()


def many(count: int, **more) -> str:
    one = {"class": "dandelion", "truncation": 1.5, "model": "tiny", "revision": "?", "thumbnail": BLACK, **more}
    flowers = [{**one, "seed": seed, "kept": f"2026-01-01T00:00:{seed % 60:02}.000Z"} for seed in range(count)]
    return json.dumps({"format": "this-flower-does-not-exist/favourites", "version": 1, "flowers": flowers})


def put(visitor, text: str) -> None:
    """Put a list into the storage, its revision being that of the model, and open the gallery."""
    script = "([key, text]) => { localStorage[key] = text.replaceAll('\"?\"', JSON.stringify(FLOWERS.revision)); }"
    visitor.page.evaluate(script, [KEY, text])
    visitor.page.goto(f"{visitor.url}/?tab=gallery")
    visitor.page.wait_for_selector("#gallery-kept .kept", state="visible")
    rest(visitor)


def test_too_many_for_a_sheet_and_too_many_to_keep(visit):  # noqa: F811
    visitor = visit("?seed=900&grid=1")
    put(visitor, many(200))
    page = visitor.page
    assert len(seeds(visitor)) == 200
    page.locator("#gallery-sheet-pdf").click()
    assert "200 flowers are too many for one sheet; choose 100 at most." in page.locator(".toast-body").inner_text()
    page.get_by_role("tab", name="Generate").click()
    page.wait_for_selector(FIGURES)
    page.locator(f"{FIGURES} > button").first.click()
    page.keyboard.press("k")
    page.wait_for_selector(".sheet .keep p:not(:empty)")
    assert page.locator(".sheet .keep p").inner_text().startswith("The gallery is full: it holds 200 flowers.")
    assert page.locator(".sheet .keep button").get_attribute("aria-pressed") == "false" and len(stored(visitor)) == 200


def test_flowers_of_another_model_stay_and_say_so(visit):  # noqa: F811
    visitor = visit("?grid=1")
    put(visitor, many(3, model="roses", revision="0123456789ab"))
    page = visitor.page
    assert page.locator(f"{KEPT}.other").count() == 3 and page.locator(f"{KEPT} .flag").first.inner_text() == "other model"
    page.locator(f"{KEPT} > button").first.click()
    said = page.locator(TOLD).inner_text()
    assert "roses (revision 0123456789ab)" in said and "tiny" in said and page.locator(".sheet[open]").count() == 0
    page.locator(f"{KEPT} input").nth(0).check()
    page.locator(f"{KEPT} input").nth(1).check()
    page.get_by_role("button", name="Compare", exact=True).click()
    assert page.locator(TOLD).inner_text() == "A flower of another model cannot be compared here."
    page.locator("#gallery-sheet-png").click()
    assert "keep one first" in page.locator(".toast-body").inner_text()


def test_the_list_as_a_file_and_back_in_another_browser(visit):  # noqa: F811
    visitor = visit("?seed=70&grid=2")
    keep(visitor, 0, 1)
    page = gallery(visitor)
    name, file = visitor.download(lambda: page.get_by_role("button", name="Save as a file").click())
    assert name == "flowers-gallery.json"
    other = visit("?seed=71&grid=1&class=All")
    keep(other, 0)
    there = gallery(other)
    read(there, file)
    there.wait_for_selector(f"{KEPT}[data-seed='70']")
    assert there.locator(TOLD).inner_text() == "Added: 1. Were there already: 1."
    assert sorted(seeds(other)) == [70, 71] and len(stored(other)) == 2


def read(page, file: bytes) -> None:
    chooser = page.locator("#gallery-tools input[type=file]")
    chooser.set_input_files({"name": "list.json", "mimeType": "application/json", "buffer": file})


NO_LISTS = [b"", b"nonsense", b"[]", b"{}", b'{"format": "other", "version": 1, "flowers": []}', b"\xff" * 99, b"[" * 99_999]
NO_FLOWERS = [
    {"seed": -1}, {"seed": "1"}, {"truncation": 9}, {"truncation": "1"}, {"class": 7}, {"kept": "never"}, {"extras": "<b>"},
    {"thumbnail": "https://example.com/a.png"}, {"thumbnail": "data:image/svg+xml;base64,AAAA"},
    {"thumbnail": "data:image/png;base64," + "A" * 20_000},
]  # fmt: skip


def test_a_file_that_is_no_list_is_refused_and_a_bad_flower_of_one_left_out(visit):  # noqa: F811
    visitor = visit("?grid=1")
    page = gallery(visitor)
    for file in NO_LISTS:
        read(page, file)
        page.wait_for_function(f"document.querySelector('{TOLD}').textContent")
        assert page.locator(TOLD).inner_text() == "That file is no list of flowers; choose one that was saved here."
        page.evaluate(f"document.querySelector('{TOLD}').firstChild.textContent = ''")
    assert stored(visitor) == []
    whole = json.loads(many(len(NO_FLOWERS) + 1))
    for flower, bad in zip(whole["flowers"], NO_FLOWERS):
        flower |= bad
    read(page, json.dumps(whole).encode())
    page.wait_for_selector(KEPT)
    assert page.locator(TOLD).inner_text() == f"Added: 1. Were there already: 0. Could not be read: {len(NO_FLOWERS)}."
    assert seeds(visitor) == [len(NO_FLOWERS)]


def test_a_browser_that_keeps_nothing_says_so(newcomer, app_url):
    visitor = newcomer(app_url)
    visitor.page.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError'); }})"
    )
    visitor.open("?seed=5&grid=1")
    visitor.page.locator(f"{FIGURES} > button").first.click()
    visitor.page.keyboard.press("k")
    visitor.page.wait_for_selector(".sheet .keep p:not(:empty)")
    assert "private windows" in visitor.page.locator(".sheet .keep p").inner_text()
    visitor.page.keyboard.press("Escape")
    page = gallery(visitor)
    assert seeds(visitor) == [5] and "private windows" in page.locator(TOLD).inner_text()


def test_a_full_storage_is_said_and_nothing_is_lost(visit):  # noqa: F811
    visitor = visit("?seed=5&grid=2")
    keep(visitor, 0)
    visitor.page.evaluate(
        """() => { for (let text = "x".repeat(1 << 20), i = 0; text; i++) {
        try { localStorage["f" + i] = text } catch { text = text.slice(text.length >> 1 || 1) } } }"""
    )
    visitor.page.locator(f"{FIGURES} > button").nth(1).click()
    visitor.page.keyboard.press("k")
    visitor.page.wait_for_selector(".sheet .keep p:not(:empty)")
    assert visitor.page.locator(".sheet .keep p").inner_text().startswith("This browser has no more room")
    assert [one["seed"] for one in stored(visitor)] == [5]


ROSE = {"class": "rose", "seed": 1, "truncation": 1.5}
FORGED = [
    None,
    7,
    [],
    {"flowers": 7},
    {"flowers": [7]},
    {"flowers": [ROSE]},
    {"flowers": [{**ROSE, "class": "dandelion", "extras": "x"}]},
]


def test_a_forged_letter_is_a_sentence(visit, app_log):  # noqa: F811
    visitor = visit("?grid=1")
    page = gallery(visitor)
    before = app_log.stat().st_size  # other tests forge other things
    for letter in FORGED:
        page.evaluate("letter => { flowers.gallery.wanted = () => letter; }", letter)
        page.locator("#gallery-sheet-png").click()
        page.wait_for_selector(".toast-body")
        assert "wrong on the server" not in page.locator(".toast-body").inner_text()
        page.locator(".toast-close").click()
        page.wait_for_selector(".toast-body", state="detached")
    assert "Traceback" not in app_log.read_text()[before:]


def test_on_a_phone_in_ukrainian(visit):  # noqa: F811
    visitor = visit("?seed=4294967290&grid=3", locale="uk-UA", **FIRST_LOOK)
    keep(visitor, 0, 1, 2, 3)
    page = gallery(visitor)
    for number in range(4):
        page.locator(f"{KEPT} input").nth(number).check()
    page.get_by_role("button", name="Порівняти", exact=True).click()
    page.wait_for_selector(COMPARED)
    assert page.locator(f"{COMPARED} dl").first.inner_text().startswith("Квітка")
    assert page.locator("#gallery-kept .count").inner_text() == "Збережено: 4 · обрано: 4"
    texts = ("#gallery-kept .count", "#gallery-kept .chooser button", "#gallery-tools .hint", "#gallery-tools h3")
    for look in looks(page, {"phone": PHONE}):
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), look
        for place in (*texts, f"{COMPARED} dt", f"{COMPARED} dd", "#gallery-sheet-pdf", f"{KEPT} .cross"):
            assert contrast(page.locator(place).first) >= 4.5, (place, look)
    page.locator(f"{KEPT} .cross").first.click()
    assert page.locator(TOLD).inner_text().startswith("Вилучено: ")
    for _ in range(3):
        page.locator(f"{KEPT} .cross").first.click()
    page.locator("#gallery-sheet-png").click()
    assert page.locator(".toast-body").inner_text().split("\n")[0].strip() == "Не вийшло"


def test_a_film_of_the_kept_flowers_is_shown_and_downloaded(visit):
    visitor = visit("?seed=20&grid=2&class=All")
    keep(visitor, 0)
    page = gallery(visitor)
    film, files = page.locator("#gallery-film .film"), page.locator("#gallery-film-files")
    page.get_by_role("button", name="Film of these").click()
    page.wait_for_function(f"() => document.querySelector('{TOLD}').innerText.includes('2 to 12')")
    assert not film.is_visible() and not files.is_visible()
    page.get_by_role("tab", name="Generate").click()
    keep(visitor, 1, 2)
    page = gallery(visitor)
    page.locator(f"{KEPT} .tick input").nth(0).check()
    page.locator(f"{KEPT} .tick input").nth(2).check()
    page.get_by_role("button", name="Film of these").click()
    page.wait_for_selector("#gallery-film .cinema:not(.empty)")
    assert "Through 2 flowers" in film.inner_text() and files.is_visible()
    assert page.locator("#gallery-film .bar output").inner_text().endswith("/ 24")
    for kind, sign in (("mp4", b"ftyp"), ("gif", b"GIF8"), ("webp", b"WEBP")):
        name, file = visitor.download(page.locator(f"#gallery-film-{kind}").click)
        assert name == f"film-tiny-2.{kind}" and sign in file[:16]
    page.get_by_role("button", name="Close the film").click()
    assert not film.is_visible() and not files.is_visible()
