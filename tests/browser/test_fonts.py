"""Seeds are whole on the page whatever fonts a computer has, and at any zoom to 200 %."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conftest import CHROMIUM, CHROMIUM_OPTIONS
from visitor import CUT, FIGURES, LOOSE, Visitor

FONTS = Path("/usr/share/fonts/truetype")  # of Debian's packages fonts-dejavu, fonts-noto-core with -mono, and fonts-liberation
ZOOMED = {"1280": 1280, "1280 at 200 %": 640, "390": 390, "360": 360, "320": 320, "360 at 200 %": 180}  # CSS pixels across
TALLEST = """() => {
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = "100px monospace";
  const { fontBoundingBoxAscent: up, fontBoundingBoxDescent: down } = pen.measureText("0");
  return Math.round(up + down);
}"""
# A package's families for sans-serif and monospace, and how high a line of the latter is at 100 pixels.
PACKAGES = {
    "dejavu": ("DejaVu Sans", "DejaVu Sans Mono", 116),
    "noto": ("Noto Sans", "Noto Sans Mono", 136),
    "liberation": ("Liberation Sans", "Liberation Mono", 113),
}
CONFIG = """<?xml version="1.0"?><fontconfig><dir>{fonts}</dir><cachedir>{folder}</cachedir>
<alias><family>sans-serif</family><prefer><family>{sans}</family></prefer></alias>
<alias><family>monospace</family><prefer><family>{mono}</family></prefer></alias></fontconfig>"""


TABS = ("generate", "interpolate", "explore")
ADDRESS = "seed=4294967270&from-seed=4294967290&to-seed=4294967291&explore-seed=4294967295&grid=7&steps=2&class=dandelion"


@pytest.fixture(scope="module", params=PACKAGES)
def readers(request, browser, app_url, tmp_path_factory):
    """Three tabs, open on a computer that has the fonts of one package alone."""
    fonts, (sans, mono, height) = FONTS / request.param, PACKAGES[request.param]
    if not fonts.is_dir():
        pytest.skip(f"no fonts in {fonts}")
    folder = tmp_path_factory.mktemp(request.param)
    config = folder / "fonts.conf"
    config.write_text(CONFIG.format(fonts=fonts, folder=folder, sans=sans, mono=mono))
    environment = {**os.environ, "FONTCONFIG_FILE": str(config)}
    chromium = browser.browser_type.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS, env=environment)
    visitors = {tab: Visitor(chromium, app_url) for tab in TABS}
    for tab, visitor in visitors.items():
        visitor.open(f"?tab={tab}&{ADDRESS}", tab=None)
        assert visitor.page.evaluate(TALLEST) == pytest.approx(height, abs=3)  # these fonts, and no others
    yield visitors
    chromium.close()
    assert not any(visitor.errors or visitor.away for visitor in visitors.values())


@pytest.mark.parametrize("zoom", ZOOMED)
def test_a_seed_is_whole_in_any_font_at_any_zoom(readers, zoom):
    for tab, visitor in readers.items():
        visitor.page.set_viewport_size({"width": ZOOMED[zoom], "height": 740})
        boxes = visitor.page.locator(".seed input[type=number] >> visible=true")
        assert boxes.count() >= 1 and boxes.evaluate_all(CUT) == [], tab
        assert visitor.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), tab
    assert readers["generate"].page.eval_on_selector_all(FIGURES, LOOSE) == []
