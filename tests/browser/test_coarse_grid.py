"""A model with larger pictures than a grid shows: the grid takes a finished one on the way, the large view the whole one."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace

import pytest
from conftest import serving_here, styled_generator
from PIL import Image
from visitor import FIGURES, content

from gan.hub import loader
from gan.hub.checkpoint import save_model
from gan.studio import session


@pytest.fixture
def url(tmp_path, monkeypatch):
    generator = styled_generator()
    save_model(tmp_path / "styled", generator, replace(generator.config, trained={"freeze_below": 16}))
    monkeypatch.setattr(session, "GRID_SIDE", 8)
    with serving_here(tmp_path / "styled") as url:
        yield url


@pytest.mark.parametrize(("below", "small"), [(0, None), (8, None), (16, 8), ("16", None), (None, None)])
def test_a_picture_on_the_way_is_shown_where_the_larger_scales_were_trained_alone(monkeypatch, below, small):
    monkeypatch.setattr(session, "GRID_SIDE", 8)
    generator = styled_generator()
    generator.config = replace(generator.config, trained={"freeze_below": below})
    assert session.Studio(loader.Model("styled", "path", "0123", generator, None)).coarse_side == small


def side(file: bytes) -> int:
    with Image.open(io.BytesIO(file)) as image:
        return image.width


def test_a_grid_is_coarse_and_what_is_shown_large_or_saved_is_whole(url, newcomer):
    visitor = newcomer(url).open("?seed=5&grid=3")
    page = visitor.page
    assert {side(content(src)) for src in visitor.pictures()} == {8}
    page.locator(f"{FIGURES} button").nth(4).click()
    page.wait_for_function("document.querySelector('.sheet .large img').naturalWidth === 16")
    name, file = visitor.download(lambda: page.locator(".sheet a.go").click())
    assert side(file) == 16 and "-9-" in name
    page.keyboard.press("Escape")
    _, archive = visitor.download(lambda: page.get_by_role("button", name="Download all").click())
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        assert [side(files.read(one)) for one in files.namelist()] == [16] * 9 and files.read(name) == file
    page.get_by_role("radio", name="2", exact=True).first.check(force=True)
    visitor.until("grid", "2")
    assert {side(content(src)) for src in visitor.pictures()} == {16}  # few are shown large
    visitor.context.close()  # before the server goes
