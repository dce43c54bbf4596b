"""Somebody answers a survey: by buttons and keys, in both languages, on a phone and at a desk, and gets a file that adds up."""

from __future__ import annotations

import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from pictures import make_photos
from visitor import DESKTOP, Visitor

from gan.__main__ import main
from gan.evaluation import survey

PAIRS = 2
LOOK = 300  # ms; the page takes no answer to a picture that came 250 ms ago or less


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def made(tmp_path_factory, model_folder) -> Path:
    out = tmp_path_factory.mktemp("survey")
    photos = make_photos(tmp_path_factory.mktemp("photos"), 4)
    assert main(["survey", str(model_folder), str(photos), "--out", str(out), "--pairs", str(PAIRS)]) == 0
    return out


@pytest.fixture(scope="module")
def url(made):
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(made))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("size", "locale", "start", "thanks"),
    [
        (DESKTOP, "en-US", "Start", "Thank you! These were all."),
        ({"width": 390, "height": 844}, "uk-UA", "Почати", "Дякуємо! Це всі зображення."),
    ],
)
def test_a_survey_from_start_to_end(made, url, browser, tmp_path, size, locale, start, thanks):
    visitor = Visitor(browser, url, viewport=size, locale=locale)
    page = visitor.page
    page.goto(f"{url}/{survey.PAGE}")
    wide = lambda: page.evaluate("document.documentElement.scrollWidth <= innerWidth")  # noqa: E731
    assert page.evaluate("document.documentElement.lang") == locale[:2] and wide()
    problems = [violation["id"] for violation in Axe().run(page).response["violations"]]
    page.get_by_role("button", name=start).click()
    seen = []
    for number in range(2 * PAIRS):
        assert f"{number + 1}" in page.locator("#count").inner_text()
        seen.append(page.locator("#picture").get_attribute("src"))
        box = page.locator("#picture").bounding_box()
        assert box["width"] >= 200 and wide()
        assert page.locator("#drawn").bounding_box()["y"] + 48 <= size["height"], "one need not scroll for an answer"
        if number == 0:
            problems += [violation["id"] for violation in Axe().run(page).response["violations"]]
            page.wait_for_timeout(LOOK)
            page.locator("#drawn").click()
            page.locator("#back").click()
        page.wait_for_timeout(LOOK)
        page.keyboard.press("1") if number % 2 else page.locator("#drawn").click()
    assert len(set(seen)) == 2 * PAIRS
    assert page.locator("#end h2").inner_text() == thanks and wide()
    problems += [violation["id"] for violation in Axe().run(page).response["violations"]]
    assert problems == []

    name, content = visitor.download(page.locator("#save").click)
    sheet = json.loads(content)
    assert sheet == json.loads(page.locator("#sheet").input_value()) and sheet["language"] == locale[:2]
    assert [one["answer"] for one in sheet["answers"]] == ["drawn", "photo"] * PAIRS
    pictures = json.loads((made / survey.KEY).read_text())["pictures"]
    assert sorted(one["picture"] for one in sheet["answers"]) == list(range(len(pictures)))
    (tmp_path / name).write_bytes(content)
    found, people = survey.add_up(made / survey.KEY, [tmp_path])
    assert people == 1 and found[0].drawn + found[0].photos == 1, "half of the pictures were called photos"

    page.locator("#tongue").click()
    assert page.evaluate("document.documentElement.lang") == ("en" if locale == "uk-UA" else "uk")
    visitor.context.close()
    assert not visitor.errors and not visitor.away


def test_a_picture_that_nobody_has_seen_yet_is_not_answered(url, browser):
    """The second half of a double click, or of two that come at once, is no answer to the next picture."""
    visitor = Visitor(browser, url, viewport=DESKTOP, locale="en-US")
    page = visitor.page
    page.goto(f"{url}/{survey.PAGE}")
    # In one go of the page itself, as a browser that is driven may take more time than a hand for two clicks.
    twice = "for (const id of ['drawn', 'photo']) document.getElementById(id).click()"
    page.locator("#start").click()
    for number in range(2 * PAIRS):
        page.wait_for_timeout(LOOK)
        assert page.locator("#count").inner_text() == f"Picture {number + 1} of {2 * PAIRS}"
        page.evaluate(twice)
    sheet = json.loads(page.locator("#sheet").input_value())
    assert [one["answer"] for one in sheet["answers"]] == ["drawn"] * 2 * PAIRS
    assert min(one["milliseconds"] for one in sheet["answers"]) >= 250
    visitor.context.close()
    assert not visitor.errors
