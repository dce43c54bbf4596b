"""A model with large pictures: its grid shows previews, the large view and what is saved are whole PNG files."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from threading import Event

import pytest
from conftest import serving_here, styled_generator
from PIL import Image
from visitor import FIGURES, content

from gan.hub import loader
from gan.hub.checkpoint import save_model
from gan.sampling.flower import Flower
from gan.studio import session
from gan.utils.images import read_settings


@pytest.fixture
def url(tmp_path, monkeypatch):
    generator = styled_generator()
    save_model(tmp_path / "styled", generator, generator.config)
    monkeypatch.setattr(session, "GRID_SIDE", 8)
    with serving_here(tmp_path / "styled") as url:
        yield url


@pytest.mark.parametrize(("below", "small"), [(0, None), (8, None), (16, 8), ("16", None), (None, None)])
def test_a_picture_on_the_way_is_shown_where_the_larger_scales_were_trained_alone(monkeypatch, below, small):
    monkeypatch.setattr(session, "GRID_SIDE", 8)
    generator = styled_generator()
    generator.config = replace(generator.config, trained={"freeze_below": below})
    studio = session.Studio(loader.Model("styled", "path", "0123", generator, None))
    assert studio.coarse_side == small
    (item,) = studio.items([Flower(0, 3, 1.5)], small=True)
    with Image.open(io.BytesIO(content(item["src"]))) as image:
        assert (image.format, image.width) == (("PNG", 8) if small else ("JPEG", 16)) and item["preview"]
    assert read_settings(content(item["src"]))["seed"] == 3
    assert "preview" not in studio.items([Flower(0, 3, 1.5)])[0]
    monkeypatch.setattr(session, "GRID_SIDE", 16)
    assert "preview" not in studio.items([Flower(0, 3, 1.5)], small=True)[0], "not larger than in a grid"


def kind(file: bytes) -> str:
    with Image.open(io.BytesIO(file)) as image:
        assert image.size == (16, 16)
        return image.format


def test_a_grid_has_previews_and_what_is_shown_large_or_saved_is_lossless(url, newcomer):
    visitor = newcomer(url).open("?seed=5&grid=3")
    page = visitor.page
    assert {kind(content(src)) for src in visitor.pictures()} == {"JPEG"}
    page.locator(f"{FIGURES} button").nth(4).click()
    page.wait_for_selector(".sheet a.go[href^='data:image/png']")
    name, file = visitor.download(lambda: page.locator(".sheet a.go").click())
    assert kind(file) == "PNG" and "-9-" in name
    page.keyboard.press("Escape")
    _, archive = visitor.download(lambda: page.get_by_role("button", name="Download all").click())
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        assert [kind(files.read(one)) for one in files.namelist()] == ["PNG"] * 9 and files.read(name) == file
    page.get_by_role("radio", name="2", exact=True).first.check(force=True)
    visitor.until("grid", "2")
    assert {kind(content(src)) for src in visitor.pictures()} == {"PNG"}  # few are shown large
    visitor.context.close()  # before the server goes


SAVED = ".sheet a.go"  # the link that saves the flower of the sheet


def test_a_crossed_flower_of_another_tab_is_saved_lossless(url, newcomer):
    visitor = newcomer(url).open("?tab=mixing", tab=None)
    visitor.page.locator("#mixing-pictures td button").first.click()
    visitor.page.wait_for_selector(f"{SAVED}[href^='data:image/png']:not([aria-disabled])")
    _, file = visitor.download(lambda: visitor.page.locator(SAVED).click())
    assert kind(file) == "PNG" and "extras" in read_settings(file)
    visitor.context.close()


def test_a_picture_that_comes_late_does_not_take_the_place_of_another_flower(url, newcomer, monkeypatch):
    slow, drawn, draw = Event(), Event(), session.Studio.items

    def late(self, flowers, **how):
        slow.wait(60)
        drawn.set()
        return draw(self, flowers, **how)

    monkeypatch.setattr(session.Studio, "items", late)
    visitor = newcomer(url).open("?seed=5&grid=3")
    page = visitor.page
    page.locator(f"{FIGURES} button").nth(4).click()
    assert page.locator(SAVED).get_attribute("aria-disabled") == "true" and not page.locator(SAVED).get_attribute("href")
    page.keyboard.press("Escape")
    page.get_by_role("radio", name="2", exact=True).first.check(force=True)
    visitor.until("grid", "2")
    page.locator(f"{FIGURES} button").nth(1).click()
    page.wait_for_selector(f"{SAVED}[href]")
    before = page.locator(SAVED).get_attribute("href")
    slow.set()
    assert drawn.wait(60)
    page.wait_for_timeout(1500)  # for what must not come
    assert page.locator(SAVED).get_attribute("href") == before and "-6-" in page.locator(SAVED).get_attribute("download")
    visitor.context.close()
