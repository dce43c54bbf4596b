"""A visitor with a photo of their own, played by the system's Chromium."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image
from visitor import DESKTOP, FIRST_LOOK, PHONE, Visitor, contrast, looks

ROOM = "#yours-pictures .yours"
MARK = b"a place nobody should learn of"


def picture(width: int = 640, height: int = 480, kind: str = "JPEG", **options) -> bytes:
    noise = np.random.default_rng(5).integers(0, 256, (height // 40, width // 40, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC).save(buffer, kind, **options)
    return buffer.getvalue()


class Guest(Visitor):
    def open(self, address: str = "?tab=yours", tab: str = "") -> Guest:
        self.sent = []
        self.page.on("request", lambda request: self.sent.append(request.post_data_buffer or b""))
        self.page.goto(f"{self.url}/{address}")
        self.page.wait_for_function("new URLSearchParams(location.search).has('model')")
        self.page.wait_for_selector(ROOM)
        return self

    def choose(self, content: bytes, name: str = "photo.jpg", kind: str = "image/jpeg") -> None:
        with self.page.expect_file_chooser() as chooser:
            self.page.locator(f"{ROOM} .pick").click()
        chooser.value.set_files({"name": name, "mimeType": kind, "buffer": content})

    def state(self, wanted: str) -> None:
        self.page.wait_for_selector(f"{ROOM}[data-state={wanted}]")

    def said(self, words: str) -> None:
        self.page.wait_for_function(
            "([place, words]) => document.querySelector(place).innerText.includes(words)", arg=[f"{ROOM} .said", words]
        )

    def search(self) -> None:
        self.page.locator("#yours-find").click()
        self.state("done")

    def color(self, x: float, y: float) -> list[int]:
        """Of the square, at these shares of its sides."""
        return self.page.locator(f"{ROOM} canvas").evaluate(
            "(canvas, [x, y]) => [...canvas.getContext('2d').getImageData(x * 511, y * 511, 1, 1).data]", [x, y]
        )[:3]


@pytest.fixture
def guest(newcomer, app_url):
    def arrive(address: str = "?tab=yours", **options) -> Guest:
        return newcomer(app_url, Guest, **{"locale": "en-US", **options}).open(address)

    return arrive


def letters(visitor: Guest) -> list[dict]:
    """The photos that were sent."""
    bodies = [json.loads(body) for body in visitor.sent if b"base64" in body]
    return [part for body in bodies for part in body["data"] if isinstance(part, dict) and part.get("photo")]


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_photo_its_flower_and_what_leaves_the_device(guest, viewport):
    visitor = guest(viewport=viewport)
    exif = Image.Exif()
    exif[0x010E] = MARK.decode()
    original = picture(exif=exif)
    assert MARK in original
    visitor.choose(original)
    visitor.state("ready")
    visitor.search()
    (letter,) = letters(visitor)
    content = base64.b64decode(letter["photo"].removeprefix("data:image/jpeg;base64,"))
    with Image.open(io.BytesIO(content)) as image:
        assert image.size == (256, 256) and not image.getexif()
    assert MARK not in content and len(content) < 90_000
    assert not any(MARK in body or original[400:440] in body for body in visitor.sent)
    words = visitor.page.locator(f"{ROOM} .said").inner_text()
    assert "% of" in words and "at random" in words and "found" not in words
    query = visitor.query()
    assert query["yours-extras"].startswith(f"{['dandelion', 'marigold'].index(query['yours-class'])}.{query['yours-seed']}~s")
    assert visitor.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    flower = visitor.page.locator(f"{ROOM} .flower img").get_attribute("src")
    visitor.page.locator(f"{ROOM} .flower").click()
    sheet = visitor.page.get_by_role("dialog")
    assert sheet.locator("img").first.get_attribute("src") == flower
    visitor.page.keyboard.press("Escape")
    again = guest("?" + visitor.page.url.partition("?")[2], viewport=viewport)
    again.state("done")
    assert again.page.locator(f"{ROOM} .flower img").get_attribute("src") == flower
    assert again.page.locator(f"{ROOM} .pick").is_visible() and "not kept anywhere" in again.page.locator(ROOM).inner_text()


def test_the_flower_goes_on_to_the_other_tabs(guest):
    visitor = guest()
    visitor.choose(picture())
    visitor.state("ready")
    visitor.search()
    extras = visitor.query()["yours-extras"]
    known = visitor.page.evaluate("flowers.kit.places.some(([to]) => to === 'explore')")
    assert visitor.page.get_by_role("button", name="Explore from here").is_visible() == known
    visitor.page.get_by_role("button", name="Show it large").click()
    visitor.page.get_by_role("button", name="Interpolate to").click()
    visitor.until("to-extras", extras)
    visitor.page.get_by_role("tab", name="Your photo").click()
    assert visitor.page.locator(f"{ROOM}[data-state=done]").is_visible(), "it is still there"


def test_it_stands_upright_and_the_square_can_be_moved(guest):
    visitor = guest()
    sides = Image.new("RGB", (600, 300), "red")
    sides.paste("blue", (300, 0, 600, 300))
    buffer, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter to the right: then red is above
    sides.save(buffer, "JPEG", exif=exif, quality=95)
    visitor.choose(buffer.getvalue())
    visitor.state("ready")
    assert visitor.color(0.5, 0.1)[0] > 200 and visitor.color(0.5, 0.9)[2] > 200
    canvas = visitor.page.locator(f"{ROOM} canvas")
    assert canvas.evaluate("canvas => document.activeElement === canvas")
    for _ in range(60):
        visitor.page.keyboard.press("ArrowDown")
    assert visitor.color(0.5, 0.1)[2] > 200
    visitor.page.keyboard.press("+")
    assert visitor.page.locator(f"{ROOM} .crop input[type=range]").input_value() == "5"
    box = canvas.bounding_box()
    visitor.page.mouse.move(box["x"] + 50, box["y"] + 20)
    visitor.page.mouse.down()
    visitor.page.mouse.move(box["x"] + 50, box["y"] + box["height"] + 600, steps=4)
    visitor.page.mouse.up()
    assert visitor.color(0.5, 0.1)[0] > 200


BAD = [
    ("notes.txt", b"These are words.", "That is not a picture", "Це не зображення"),
    ("flower.svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>', "That is not a picture", "Це не зображення"),
    ("empty.jpg", b"", "That is not a picture", "Це не зображення"),
    ("torn.jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF", "damaged, or of a kind this browser", "пошкоджене або такого типу"),
    ("icon.png", None, "under 32 pixels", "менше за 32 пікселі"),
]


@pytest.mark.parametrize("locale", ["en-US", "uk-UA"])
def test_files_that_are_no_photos_are_a_sentence(guest, locale):
    visitor = guest(locale=locale)
    for name, content, english, ukrainian in BAD:
        if content is None:
            buffer = io.BytesIO()
            Image.new("RGB", (20, 20)).save(buffer, "PNG")
            content = buffer.getvalue()
        visitor.choose(content, name, "image/png")
        visitor.said(english if locale == "en-US" else ukrainian)
    assert visitor.page.locator(f"{ROOM} .pick").is_visible() and not letters(visitor)
    visitor.page.locator("#yours-find").click()
    visitor.said("Choose a photo first" if locale == "en-US" else "Спершу оберіть фотографію")


def test_a_file_over_forty_megabytes_is_a_sentence(guest, tmp_path):
    huge = tmp_path / "huge.jpg"
    with huge.open("wb") as file:
        file.truncate((40 << 20) + 1)
    visitor = guest()
    visitor.page.locator(f"{ROOM} .pick input").set_input_files(huge)
    visitor.said("over 40 MB")


def test_a_photo_can_be_dropped_and_pasted(guest):
    visitor = guest()
    data = base64.b64encode(picture(200, 200)).decode()
    make = """([kind, where, data]) => {
      const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0)), transfer = new DataTransfer();
      transfer.items.add(new File([bytes], "a.jpg", { type: "image/jpeg" }));
      const event = kind === "drop" ? new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: transfer })
        : new ClipboardEvent("paste", { bubbles: true, clipboardData: transfer });
      document.querySelector(where).dispatchEvent(event);
    }"""
    visitor.page.evaluate(make, ["drop", f"{ROOM} .pick", data])
    visitor.state("ready")
    visitor.page.reload()
    visitor.page.wait_for_selector(f"{ROOM} .pick")
    visitor.page.evaluate(make, ["paste", "body", data])
    visitor.state("ready")


def test_a_search_can_be_stopped_and_begun_again(guest):
    visitor = guest()
    visitor.choose(picture())
    visitor.state("ready")
    visitor.page.locator("#yours-find").click()
    visitor.page.locator("#yours-stop").click()
    visitor.state("ready")
    visitor.said("Stopped")
    assert visitor.page.locator("#yours-find").is_visible() and "yours-seed" not in visitor.query()
    visitor.search()
    assert visitor.query()["yours-seed"] and len(letters(visitor)) == 2


def test_another_square_is_another_photo(guest):
    visitor = guest()
    visitor.choose(picture())
    visitor.state("ready")
    visitor.search()
    visitor.page.locator(f"{ROOM} canvas").focus()
    visitor.page.keyboard.press("ArrowRight")
    visitor.state("ready")
    assert "yours-seed" not in visitor.query()


def test_a_class_is_chosen_and_stays_in_the_address(guest):
    visitor = guest()
    visitor.page.get_by_role("radio", name="Marigold").locator("visible=true").check(force=True)
    visitor.until("yours-of", "marigold")
    visitor.choose(picture())
    visitor.state("ready")
    visitor.search()
    assert visitor.query()["yours-class"] == visitor.query()["yours-of"] == "marigold"


def test_it_fits_and_is_legible(guest):
    visitor = guest(locale="uk-UA", **FIRST_LOOK)
    places = [f"{ROOM} .pick b", f"{ROOM} .pick span", f"{ROOM} .private", ".yours-how p"]
    for look in looks(visitor.page):
        for place in places:
            assert contrast(visitor.page.locator(place).first) >= 4.5, (place, look)
    visitor.choose(picture())
    visitor.state("ready")
    visitor.search()
    for look in looks(visitor.page):
        for place in (f"{ROOM} .said", f"{ROOM} .ends span", f"{ROOM} .onward button", f"{ROOM} .other", f"{ROOM} figcaption"):
            assert contrast(visitor.page.locator(place).locator("visible=true").first) >= 4.5, (place, look)
        assert visitor.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), look
