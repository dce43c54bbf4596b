"""Make the README's pictures from the bundled models: `python docs/pictures.py` (needs Chromium for the screenshots).

All are uncurated, the classes in turn: the ladder's rows seeds 0–15 at truncation 1.5, the flagship's grid seeds 0–63 at its
default.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from gan import hub, render  # noqa: E402
from gan.latent import default_truncation  # noqa: E402
from gan.sampler import Sampler, grid_flowers  # noqa: E402

SIDE = 128  # every model's pictures are shown at this size
TABS = {"generate": "/?tab=generate&class=All&seed=2&grid=4", "interpolate": "/?tab=interpolate&from-seed=2&to-seed=5"}


def ladder(name: str) -> None:
    """Sixteen flowers of a bundled model in two rows; enlarged without smoothing, so that its pixels can be judged."""
    pictures = Sampler(hub.load(name).generator).draw(grid_flowers(None, 0, 1.5, 16))
    large = [np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.NEAREST)) for picture in pictures]
    (ROOT / "docs" / f"{name}.png").write_bytes(render.png(render.grid(large, 8)))


def flagship() -> None:
    """Sixty-four flowers of the flagship."""
    generator = hub.load("flagship").generator
    pictures = Sampler(generator).draw(grid_flowers(None, 0, default_truncation(generator.config.scores), 64))
    (ROOT / "docs" / "flagship.png").write_bytes(render.png(render.grid(list(pictures), 8)))


def screenshots() -> None:
    """Each tab of the app on its default model, as a desktop browser shows it."""
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    app = subprocess.Popen([sys.executable, str(ROOT / "app.py"), "--port", str(port)])
    try:
        address = f"http://127.0.0.1:{port}"
        _wait(address)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=chromium, args=["--no-sandbox", "--disable-background-networking"]
            )
            page = browser.new_page(viewport={"width": 1280, "height": 860})
            for tab, link in TABS.items():
                page.goto(address + link)
                page.wait_for_selector(f"#{tab}-pictures img")
                page.wait_for_timeout(1500)
                page.screenshot(path=ROOT / "docs" / f"{tab}.png")
            browser.close()
    finally:
        app.terminate()
        app.wait(10)


def _wait(address: str) -> None:
    for _ in range(120):
        try:
            urllib.request.urlopen(address, timeout=2).close()
            return
        except OSError:
            time.sleep(0.5)
    raise SystemExit(f"{address} did not answer")


if __name__ == "__main__":
    for bundled in hub.bundled():
        flagship() if bundled == "flagship" else ladder(bundled)
    screenshots()
