"""The whole line, as a newcomer walks it: a folder of pictures → train → resume → publish → the app in a browser."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path

import forked
import pytest
from conftest import ROOT, free_port, serving
from gradio_client import Client
from hub_server import HubServer
from pictures import make_photos
from visitor import DESKTOP, FRAMES, Visitor

from gan.hub import loader
from gan.hub.checkpoint import MODEL_FILES

REPO = "tester/discs"


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("line")


@pytest.fixture(scope="module")
def server():
    with HubServer() as running:
        yield running


@pytest.fixture(scope="module")
def hub_environment(server, place) -> dict[str, str]:
    """What makes the real client of a new process talk to the server of the tests and to nobody else."""
    return {
        "HF_ENDPOINT": server.url, "HF_HUB_OFFLINE": "0", "HF_TOKEN": "hf_test", "HF_HOME": str(place / "hf"),
        "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1", "NO_PROXY": "127.0.0.1",
    }  # fmt: skip


@pytest.fixture(scope="module")
def run(place, hub_environment) -> Path:
    """A run folder: trained for some steps, resumed by another process, published."""
    photos, out = make_photos(place / "photos", count=10), place / "discs"
    command = [
        "train.py", str(photos), "--preset", "cwgan-gp-28", "--width", "8", "--batch", "8",
        "--critic-steps", "2", "--out", str(out), "--device", "cpu", "--threads", "1", "--every", "64",
    ]  # fmt: skip
    first = forked.call(*command, "--images", "128")
    assert first.returncode == 0, first.stderr
    whole = [sys.executable, *command, "--images", "256", "--push-to-hub", REPO]
    environment = {**os.environ, **hub_environment}
    done = subprocess.run(whole, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "resumed at 128 images" in done.stdout and "published at" in done.stdout
    return out


def test_browser_clicks_and_the_client_get_the_same_bytes(run, browser, place):
    with serving(run, place / "app.log") as url:
        visitor = Visitor(browser, url, viewport=DESKTOP).open("?seed=7&grid=2&from-seed=7&to-seed=8&steps=6")
        assert "discs · local weights" in visitor.page.locator("#status").inner_text()
        shown = [base64.b64decode(src.partition("base64,")[2]) for src in visitor.pictures()]
        visitor.page.get_by_role("button", name="New flowers").click()
        visitor.changed("seed", "7")
        visitor.page.get_by_role("tab", name="Interpolate").click()
        visitor.page.wait_for_selector(FRAMES)
        assert len(visitor.frames()) == 6
        visitor.context.close()
        assert not visitor.errors and not visitor.away

        client = Client(url, verbose=False, download_files=str(place / "downloads"))
        flowers = client.predict("All", 7, 1.5, 2, api_name="/generate")
        assert [Path(item["image"]).read_bytes() for item in flowers] == shown


def test_the_hub_got_the_model_and_the_app_takes_it_from_there(run, server, hub_environment, place):
    repo = server.repos[REPO]
    sent = repo.commits[repo.refs["main"]]
    assert set(MODEL_FILES) <= set(sent) and not {"snapshot.pt", "reals.png"} & set(sent)
    assert sent["model.safetensors"] == (run / "model.safetensors").read_bytes()
    with serving(REPO, place / "hub.log", fresh=True, **hub_environment) as url:
        client = Client(url, verbose=False, download_files=str(place / "downloads"))
        assert len(client.predict("All", 7, 1.5, 1, api_name="/generate")) == 1
    fetched = {path.name for path in (place / "hf").rglob("growth/*.webp")}
    assert fetched and fetched == {path.name for path in (run / "growth").iterdir()}
    assert "weights from the Hub" in (place / "hub.log").read_text()


def test_without_the_hub_the_app_starts_on_bundled_weights_and_says_so(browser, place):
    nobody = {"HF_ENDPOINT": f"http://127.0.0.1:{free_port()}", "HF_HUB_OFFLINE": "0", "HF_HOME": str(place / "empty")}
    with serving("somebody/flowers", place / "down.log", fresh=True, **nobody) as url:
        visitor = Visitor(browser, url, viewport=DESKTOP).open("?seed=7&grid=2")
        assert len(visitor.pictures()) == 4
        notice = visitor.page.locator(".notice").inner_text()
        assert "somebody/flowers" in notice and f"The bundled model {loader.DEFAULT} is shown instead." in notice
        assert f"{loader.DEFAULT} · bundled weights" in visitor.page.locator("#status").inner_text()
        visitor.context.close()
        assert not visitor.errors and not visitor.away
