"""The mixing table: each cell has its row's coarse scales and its column's fine ones, and a link brings it back."""

from __future__ import annotations

import base64
import io

import gradio as gr
import numpy as np
import pytest
from conftest import styled_generator
from PIL import Image

from gan.errors import UserError
from gan.hub import loader
from gan.sampling.flower import Flower, StyleMix
from gan.studio.address import Address
from gan.studio.session import Studio
from gan.studio.tabs.mixing import MixingTab


@pytest.fixture(scope="module")
def tab():
    studio = Studio(loader.Model("styled", "path", "0123", styled_generator(("a", "b", "c")), None))
    with gr.Blocks(), gr.Tabs():
        return MixingTab(studio)


def picture(item) -> np.ndarray:
    with Image.open(io.BytesIO(base64.b64decode(item["src"].partition("base64,")[2]))) as image:
        return np.asarray(image)


def test_a_cell_is_the_row_crossed_with_the_column(tab):
    wanted = tab.from_address(Address("", lambda: 7))
    shown = tab.draw(wanted)
    assert [item["seed"] for item in shown["rows"]] == [7, 8, 9]
    assert [item["seed"] for item in shown["columns"]] == [10, 11, 12, 13]
    assert len({item["src"] for item in shown["cells"]}) == 12
    crossed = Flower(8 % 3, 8, 1.5, fine=StyleMix(12 % 3, 12, wanted.scales))
    assert np.array_equal(picture(shown["cells"][4 + 2]), tab.studio.sampler.draw([crossed])[0])


def test_more_scales_of_the_row_bring_a_cell_nearer_to_it(tab):
    def distance(scales: int) -> float:
        shown = tab.draw(tab.from_address(Address(f"mixing-scales={scales}", lambda: 7)))
        return np.abs(picture(shown["cells"][0]).astype(int) - picture(shown["rows"][0])).mean()

    assert distance(2) < distance(1)
    with pytest.raises(UserError, match="number of scales"):
        tab.from_controls(3, "", "")


def test_a_link_brings_the_table_back(tab):
    first = tab.from_address(Address("mixing-scales=2", lambda: 7))
    first = tab.receive(Flower(0, 99, 0.5), "from", first)
    query = "&".join(f"{key}={value}" for key, value in tab.draw(first)["address"].items())
    again = tab.from_address(Address(query, lambda: 8))
    assert again == first and again.rows[0] == Flower(0, 99, 0.5) and len(again.rows) == 3


def test_flowers_sent_here_become_the_first_row_or_column(tab):
    now = tab.from_address(Address("", lambda: 7))
    mixed = Flower((0.5, 0.5, 0.0), 99, 0.5, fine=StyleMix(1, 2, 1))
    row, column = (tab.receive(mixed, end, now) for end in ("from", "to"))
    assert [flower.seed for flower in row.rows] == [99, 7, 8] and [flower.seed for flower in row.columns] == [10, 11, 12, 13]
    assert row.rows[0].fine is None and isinstance(row.rows[0].label, tuple)
    level = column.rows[0].truncation  # of the cells, so a column is shown at it: it gives its class and seed alone
    assert column.columns[0] == Flower(0, 99, level) and level != 0.5
    assert {flower.truncation for flower in row.columns} == {0.5}
    assert [flower.seed for flower in column.columns] == [99, 10, 11, 12]


@pytest.mark.parametrize("text", ["1.5*0.7~sAAAA", "nonsense", "1.5*9.7", "*".join(["1.5*0.7"] * 7)])
def test_what_cannot_be_read_gives_a_table_all_the_same(tab, text):
    assert [flower.seed for flower in tab.from_address(Address(f"mixing-rows={text}", lambda: 7)).rows] == [7, 8, 9]


def test_a_model_without_styles_says_so(model_folder):
    with gr.Blocks(), gr.Tabs():
        plain = MixingTab(Studio(loader.load(str(model_folder))))
    assert "no styles" in plain.draw(plain.from_address(Address("", lambda: 7)))["trouble"]
