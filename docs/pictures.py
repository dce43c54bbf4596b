"""Make the pictures of README and docs from the bundled models: `python docs/pictures.py` (screenshots need Chromium).

All are uncurated, the classes in turn: the ladder's rows seeds 0–15 at truncation 1.5, the family's a row of seeds 0–11 for
each model, the flagship's grid seeds 0–63 at its default, and its strip seeds 0–15 of these. No photograph is in any of them:
where the page wants photos it gets flowers that the flagship drew.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from gan.hub import loader  # noqa: E402
from gan.networks.latents import default_truncation  # noqa: E402
from gan.sampling.flower import grid_flowers  # noqa: E402
from gan.sampling.sampler import Sampler  # noqa: E402
from gan.studio import contact_sheet, ladder_stages  # noqa: E402
from gan.utils import images  # noqa: E402

SIDE = 128  # every model's pictures are shown at this size
# What each tab is opened with, and what shows that it is there.
TABS = {
    "generate": ("class=All&seed=2&grid=4", "img[src]"),
    "interpolate": ("from-seed=2&to-seed=5", "img[src]"),
    "explore": ("explore-class=marigold&explore-seed=5", "figure:nth-child(9) img[src]"),
    "mixing": ("mixing-rows=3.0*0.4*3.0*1.9*3.0*2.5&mixing-columns=3.0*0.6*3.0*1.7*3.0*2.3*3.0*1.1", "td img[src]"),
    "inside": ("inside-class=dandelion&inside-seed=2", ".spectrum-of-one svg"),
    "truncation": ("truncation-seed=4", ".curves svg"),
    "growth": ("growth-seed=0&growth-moment=6", "img[src]"),
    "ladder": ("ladder-seed=3", "img[src]"),
    "copies": ("copies-class=dandelion&copies-seed=4", "svg"),
    "game": ("game-class=marigold&game-round=7", "img[src], canvas"),
}


def ladder(name: str) -> None:
    """Sixteen flowers of a bundled model in two rows; enlarged without smoothing, so that its pixels can be judged."""
    pictures = Sampler(loader.load(name).generator).draw(grid_flowers(None, 0, 1.5, 16))
    large = [np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.NEAREST)) for picture in pictures]
    (ROOT / "docs" / f"{name}.png").write_bytes(images.png(images.grid(large, 8)))


def family() -> None:
    """Twelve flowers of each bundled model of another paper, a row each, with its name in front."""
    names = [name for name in ladder_stages.BRANCHES if name in loader.bundled()]
    rows = [Sampler(loader.load(name).generator).draw(grid_flowers(None, 0, 1.5, 12)) for name in names]
    drawn = Image.fromarray(images.grid([picture for row in rows for picture in row], 12))
    left, font = 124, ImageFont.truetype(contact_sheet.BOLD, 16)
    sheet = Image.new("RGB", (left + drawn.width, drawn.height), contact_sheet.PAPER)
    sheet.paste(drawn, (left, 0))
    for number, name in enumerate(names):
        middle = (number + 0.5) * drawn.height / len(names)
        ImageDraw.Draw(sheet).text((8, middle), name, contact_sheet.INK, font, anchor="lm")
    sheet.save(ROOT / "docs" / "family.png")


def flagship() -> None:
    """Sixty-four flowers of the flagship."""
    generator = loader.load("flagship").generator
    pictures = Sampler(generator).draw(grid_flowers(None, 0, default_truncation(generator.config.scores), 64))
    Image.fromarray(images.grid(list(pictures), 8)).save(ROOT / "docs" / "flagship.webp", quality=90, method=6)


def strip() -> None:
    """The README's first picture: the first sixteen of them, in two rows."""
    generator = loader.load("flagship").generator
    pictures = Sampler(generator).draw(grid_flowers(None, 0, default_truncation(generator.config.scores), 16))
    Image.fromarray(images.grid(list(pictures), 8)).save(ROOT / "docs" / "strip.webp", quality=90, method=6)


def screenshots() -> None:
    """Each tab of the app on its default model, as a desktop browser shows it."""
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as place:
        stand_ins(Path(place))
        app = subprocess.Popen([sys.executable, str(ROOT / "app.py"), "--port", str(port), "--photos", place])
        try:
            address = f"http://127.0.0.1:{port}"
            _wait(address)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=chromium, args=["--no-sandbox", "--disable-background-networking"]
                )
                page = browser.new_page(viewport={"width": 1280, "height": 860}, locale="en-US")
                page.add_init_script("localStorage.setItem('flowers.welcomed', '1')")
                for tab, (link, sign) in TABS.items():
                    page.goto(f"{address}/?tab={tab}&{link}")
                    page.wait_for_selector(f"#{tab}-pictures :is({sign})", timeout=120_000)
                    page.wait_for_timeout(2500)
                    _shoot(page, tab)
                yours(page, address, Path(place))
                gallery(page, address)
                browser.close()
        finally:
            app.terminate()
            app.wait(10)


def stand_ins(place: Path) -> None:
    """A folder of pictures that take the place of photos: other flowers of the flagship."""
    generator = loader.load("flagship").generator
    for number, picture in enumerate(Sampler(generator).draw(grid_flowers(None, 100, 1.5, 24))):
        name = generator.config.classes[(100 + number) % len(generator.config.classes)]
        (place / name).mkdir(exist_ok=True)
        (place / name / f"{number}.png").write_bytes(images.png(picture))


def yours(page, address: str, place: Path) -> None:
    """The Your photo tab: the search for a flower near to one that the flagship drew itself, from another file."""
    generator = loader.load("flagship").generator
    [picture] = Sampler(generator).draw(grid_flowers(None, 23, 1.0, 1))
    file = place / "flower.jpg"
    buffer = io.BytesIO()
    Image.fromarray(images.enlarge(picture, 512)).save(buffer, "JPEG", quality=90)
    file.write_bytes(buffer.getvalue())
    page.goto(f"{address}/?tab=yours")
    page.wait_for_selector("#yours-pictures input[type=file]", state="attached")
    page.wait_for_timeout(1500)
    page.locator("#yours-pictures input[type=file]").first.set_input_files(str(file))
    page.wait_for_timeout(800)
    page.get_by_role("button", name="Find the nearest flower").click()
    page.wait_for_function("new URLSearchParams(location.search).get('yours-seed')", timeout=120_000)
    page.wait_for_timeout(1500)
    _shoot(page, "yours")


def gallery(page, address: str) -> None:
    """The Gallery tab with six flowers kept."""
    page.goto(f"{address}/?tab=generate&seed=12&grid=3&class=All")
    page.wait_for_selector("#generate-pictures img[src]")
    page.wait_for_timeout(1500)
    for number in range(6):
        page.locator("#generate-pictures figure button").nth(number).click()
        page.locator("dialog[open] .keep button").click()
        page.keyboard.press("Escape")
    page.goto(f"{address}/?tab=gallery")
    page.get_by_text("Kept: 6").first.wait_for()
    page.wait_for_timeout(1500)
    _shoot(page, "gallery")


def _shoot(page, tab: str) -> None:
    """The whole page."""
    with Image.open(io.BytesIO(page.screenshot(full_page=True))) as image:
        image.convert("RGB").save(ROOT / "docs" / f"{tab}.webp", quality=82, method=6)


def _wait(address: str) -> None:
    for _ in range(120):
        try:
            urllib.request.urlopen(address, timeout=2).close()
            return
        except OSError:
            time.sleep(0.5)
    raise SystemExit(f"{address} did not answer")


def main() -> None:
    """Make all of them, or the screenshots alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--screenshots", action="store_true", help="only what the app shows")
    if not parser.parse_args().screenshots:
        strip()
        flagship()
        family()
        for name in (*ladder_stages.STAGES, "dcgan-64"):
            ladder(name)
    screenshots()


if __name__ == "__main__":
    main()
