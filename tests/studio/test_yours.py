"""The Your photo tab as a server: what it takes, what it keeps (nothing), and who waits for whom."""

from __future__ import annotations

import base64
import http.client
import io
import json
import os
import threading
import time
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from conftest import free_port, tiny_generator
from PIL import Image
from starlette.middleware import Middleware

from gan.hub import loader
from gan.sampling import inversion
from gan.sampling.flower import Flower
from gan.studio.address import Address
from gan.studio.i18n import TEXT
from gan.studio.middleware import MAX_BODY, AllowList, RequestLanguage
from gan.studio.page import build
from gan.studio.session import Studio
from gan.studio.tabs import yours
from gan.studio.theme import translations
from gan.studio.upload import MAX_TEXT, SENTENCES


def photo(seed: int = 3, side: int = 256) -> str:
    """A JPEG file as the page's script sends it."""
    noise = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).resize((side, side), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=92)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


FILE = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}
BANDS = {0: "yours_same", 0.3: "yours_close", 0.6: "yours_alike", 1.0: "yours_distant", 9.0: "yours_far"}


@pytest.fixture(scope="module")
def studio():
    return Studio(loader.Model("tiny", "bundled", "0123456789abcdef", tiny_generator(), None))


@pytest.fixture
def tab(studio):
    with gr.Blocks():
        room = yours.YoursTab(studio)
    room.__dict__["inverter"] = Quick(studio)
    return room


class Quick:
    """The real search, with few steps."""

    pixels_only = False

    def __init__(self, studio: Studio) -> None:
        self._inverter = inversion.Inverter(studio.model.generator, studio.sampler, studio.truncation)

    def search(self, pixels, label):
        assert pixels.shape == (256, 256, 3)
        return self._inverter.search(pixels, label, steps=4)


def answers(tab, letter, label="All", found=""):
    return list(tab.search(yours.UnstoredMessage(root=letter), label, found))


def test_a_photo_gives_a_flower_that_the_address_brings_back(tab, studio):
    (first, _), *between, (last, kept) = answers(tab, {"photo": photo(), "run": 7})
    assert first == {"state": "begun", "run": 7}
    assert all(value["state"] == "running" and value["run"] == 7 for value, _ in between)
    assert last["state"] == "done" and f"{last['percent']} %" in last["sentence"] and last["address"]["yours-extras"]
    pairs = "&".join(f"{key}={value}" for key, value in last["address"].items())
    again = tab.from_address(Address(pairs, lambda: 0, studio.truncation))
    assert again.label is None and tab.draw(again)["item"] == last["item"]
    assert tab.to_controls(again) == ["All", kept] and tab.from_controls("All", kept) == again
    assert tab.receive(Flower(1, 5), "to", replace(again, label=0)) == yours.Yours(0, Flower(1, 5))


def test_without_a_photo_there_is_no_flower(tab, studio):
    empty = tab.from_address(Address("", lambda: 0, studio.truncation))
    assert empty == yours.Yours(None) and "item" not in tab.draw(empty) and tab.to_controls(empty) == ["All", ""]


@pytest.mark.parametrize(
    ("letter", "reason"),
    [
        (None, "missing"), ([], "missing"), ({}, "missing"), ({"photo": None}, "missing"), ({"photo": 5}, "address"),
        ({"photo": "data:image/jpeg;base64," + "A" * MAX_TEXT}, "long"), ({"photo": photo(side=600)}, "sides"),
        ({"photo": "data:image/svg+xml;base64,AAAA"}, "address"), ({"photo": "data:image/png;base64,AAAA"}, "kind"),
        ({"photo": photo()[:2000]}, None), ({"photo": photo()[:-8] + "AAAA"}, "damaged"), ({"photo": FILE}, "address"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("tongue", ["en", "uk"])
def test_what_is_no_photo_is_a_sentence_in_the_visitor_s_language(tab, monkeypatch, letter, reason, tongue):
    monkeypatch.setattr(yours, "request_language", lambda: tongue)
    (_, _), (refused, _) = answers(tab, letter)
    assert refused["state"] == "refused"
    allowed = [yours.REFUSAL_TEXT[reason]] if reason else yours.REFUSAL_TEXT.values()
    assert refused["sentence"] in [TEXT[tongue][key] for key in allowed]


def test_every_reason_has_words():
    assert set(yours.REFUSAL_TEXT) == set(SENTENCES)


@pytest.mark.parametrize("label", ["rose", None, 3, ["All"]])
def test_a_class_that_is_none_is_a_sentence(tab, label):
    with pytest.raises(gr.Error, match="The class is"):
        answers(tab, {"photo": photo()}, label)


@pytest.mark.parametrize("found", ["{", "[" * 100_000, '"x"', '{"class": "rose"}', 7, '{"class": "dandelion", "seed": -1}'])
def test_a_forged_result_is_a_sentence(tab, found):
    with pytest.raises(yours.UserError):
        tab.from_controls("All", found)


def test_distances_have_words_up_to_the_farthest(tab):
    for distance, key in (
        (0, "yours_same"),
        (0.3, "yours_close"),
        (0.6, "yours_alike"),
        (1.0, "yours_distant"),
        (9.0, "yours_far"),
    ):
        news = inversion.Nearest(1, np.zeros((16, 16, 3), np.uint8), distance, Flower(0, 1))
        sentence = tab._result(yours.Yours(None, Flower(0, 1)), news, "en")["sentence"]
        assert sentence == TEXT["en"][key].format(percent=round(100 * distance))
    tab.inverter.pixels_only = True
    assert tab._result(yours.Yours(None, Flower(0, 1)), news, "en")["sentence"] == f"{sentence} {TEXT['en']['yours_pixels']}"


# ---------------------------------------------------------------------------------------------------------- the server


class Endless:
    """A search that goes on until it is closed, and says when it was begun and closed."""

    def __init__(self) -> None:
        self.begun, self.closed = [], []

    def search(self, pixels, label):
        number = len(self.begun)
        self.begun.append(number)
        try:
            while True:
                time.sleep(0.05)
                yield inversion.Nearest(0.5, pixels[:16, :16], 0.5)
        finally:
            self.closed.append(number)


@pytest.fixture(scope="module")
def server(studio, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("GRADIO_TEMP_DIR")
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    page = build(studio)
    port = free_port()
    page.launch(
        server_name="127.0.0.1", server_port=port, prevent_thread_lock=True, quiet=True, ssr_mode=False,
        app_kwargs={"middleware": [Middleware(AllowList), Middleware(RequestLanguage)]}, state_session_capacity=32,
        i18n=translations(studio),
    )  # fmt: skip
    yield Server(page, port, folder)
    page.close()
    os.environ.pop("GRADIO_TEMP_DIR")
    if before is not None:
        os.environ["GRADIO_TEMP_DIR"] = before


class Server:
    def __init__(self, page, port: int, folder: Path) -> None:
        self.page, self.port, self.folder = page, port, folder
        self.number = next(i for i, one in page.fns.items() if one.concurrency_id == "invert")

    def post(self, route: str, body: dict) -> dict:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/gradio_api/{route}", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def join(self, session: str, letter: object) -> str:
        data = {"data": [letter, "All", ""], "fn_index": self.number, "session_hash": session}
        return self.post("queue/join", data)["event_id"]

    def listen(self, session: str) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", f"/gradio_api/queue/data?session_hash={session}")
        return connection, connection.getresponse()

    def messages(self, session: str) -> list[dict]:
        connection, answer = self.listen(session)
        found = [json.loads(line[6:]) for line in answer if line.startswith(b"data: ")]
        connection.close()
        return found

    def cancel(self, session: str, event: str) -> None:
        self.post("cancel", {"session_hash": session, "fn_index": self.number, "event_id": event})


def until(condition, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def test_nothing_of_the_photo_is_left_on_the_server(server, studio, monkeypatch, capfd):
    monkeypatch.setattr(yours.YoursTab, "inverter", Quick(studio))
    sent = photo(11)
    server.join("whole", {"photo": sent, "run": 1})
    last = server.messages("whole")[-2]
    assert last["msg"] == "process_completed" and last["success"], last
    server.join("refused", {"photo": sent + "AAAA", "run": 1})
    assert server.messages("refused")[-2]["success"]
    held = server.page.state_holder.session_data
    assert {"whole", "refused"} <= set(held)
    for state in held.values():
        assert sent[100:200] not in repr(state.config_values) and sent[100:200] not in repr(state.state_data)
    queue = server.page._queue
    until(lambda: sent[100:200] not in repr([vars(queue), [vars(event) for event in queue.event_ids_to_events.values()]]))
    assert [path for path in server.folder.rglob("*") if path.is_file()] == []
    said = capfd.readouterr()
    assert sent[100:200] not in said.out + said.err and "Traceback" not in said.err


def test_one_search_at_a_time_and_a_cancelled_one_frees_the_next(server, monkeypatch):
    monkeypatch.setattr(yours.YoursTab, "inverter", endless := Endless())
    first = server.join("first", {"photo": photo(1)})
    until(lambda: endless.begun == [0])
    second = server.join("second", {"photo": photo(2)})
    time.sleep(0.5)
    assert endless.begun == [0] and not endless.closed, "the second waits"
    server.cancel("first", first)
    until(lambda: endless.closed == [0] and endless.begun == [0, 1])
    third = server.join("third", {"photo": photo(3)})
    server.cancel("third", third)
    server.cancel("second", second)
    until(lambda: endless.closed == [0, 1])
    time.sleep(0.3)
    assert endless.begun == [0, 1], "one that was cancelled while it waited never begins"
    for state in server.page.state_holder.session_data.values():
        assert "base64," + photo(1)[30:60] not in repr(state.config_values)


def test_a_visitor_who_leaves_frees_the_work(server, monkeypatch):
    monkeypatch.setattr(yours.YoursTab, "inverter", endless := Endless())
    server.join("leaves", {"photo": photo(1)})
    connection, answer = server.listen("leaves")
    answer.readline()
    until(lambda: endless.begun == [0])
    connection.sock.shutdown(2)
    answer.close()
    connection.close()
    until(lambda: endless.closed == [0])


def test_the_search_ends_its_work_on_its_own_thread(studio):
    quick = Quick(studio)
    list(quick.search(np.zeros((256, 256, 3), np.uint8), None))
    mine = [thread for thread in threading.enumerate() if thread in quick._inverter._thread._threads]
    assert len(mine) == 1 and mine[0].name.startswith("invert")
    quick._inverter.close()
    assert not mine[0].is_alive()


def test_the_largest_photo_fits_into_a_request_and_no_more(server):
    assert MAX_TEXT + 2000 < MAX_BODY <= 256 << 10
    with pytest.raises(urllib.error.HTTPError, match="413"):
        server.join("large", {"photo": "A" * MAX_BODY})
