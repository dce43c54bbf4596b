"""Tabs without a browser: what their stages get, and what forged values get."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from conftest import tiny_generator
from PIL import Image

from gan.errors import UserError
from gan.hub import loader, sample_history
from gan.sampling.flower import Flower
from gan.studio import ladder_stages, theme
from gan.studio.address import Address
from gan.studio.controls import class_selector
from gan.studio.i18n import TEXT, class_titles, language_of, t
from gan.studio.page import TABS, _Router, build
from gan.studio.session import Studio
from gan.studio.tabs.growth import Growth, GrowthTab
from gan.studio.tabs.ladder import Ladder, LadderTab
from gan.studio.tabs.truncation import LEVELS, PAPER_LEVELS, Truncation, TruncationTab, plots
from gan.utils import images as render

ROOT = Path(__file__).resolve().parents[2]
CURVE = [
    {
        "truncation": level,
        "n": 500,
        "kid": 0.5 / level,
        "kid_error": 0.01,
        "precision": 0.9 - 0.1 * level,
        "recall": 0.2 * level,
    }
    for level in (0.5, 1.0, 2.0)
]


@pytest.fixture(scope="module")
def studio(tmp_path_factory) -> Studio:
    """A studio of the tiny model, whose folder has two moments of its growth."""
    folder = tmp_path_factory.mktemp("grown") / "tiny"
    (folder / "growth").mkdir(parents=True)
    for images in (1000, 20_000):
        pictures = [np.full((16, 16, 3), (images // 1000 + 3 * number) % 256, np.uint8) for number in range(64)]
        Image.fromarray(render.grid(pictures, 8)).save(folder / "growth" / f"{images:09d}.webp", lossless=True)
    return Studio(loader.Model("tiny", "path", "0123456789ab", tiny_generator(), folder))


@pytest.fixture(scope="module")
def rooms(studio):
    """The tabs of a whole page, by their class."""
    import gradio as gr

    with gr.Blocks(), gr.Tabs():
        return {kind: kind(studio) for kind in (TruncationTab, GrowthTab, LadderTab)}


def picture(src: str) -> np.ndarray:
    with Image.open(io.BytesIO(base64.b64decode(src.partition("base64,")[2]))) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("kind", TABS)
def test_every_tab_has_a_script_a_title_and_its_settings_survive_the_address(studio, kind):
    import gradio as gr

    with gr.Blocks(), gr.Tabs():
        room = kind(studio)
    assert f"tab_{room.id}" in TEXT["en"]
    first = room.from_address(Address("", lambda: 5))
    again = room.from_address(Address("?" + "&".join(f"{k}={v}" for k, v in _address(room, first).items()), lambda: 6))
    assert _address(room, again) == _address(room, first)
    assert len(room.to_controls(first)) == len(room.controls)
    nonsense = "&".join(f"{key}=%00..%2F" for key in _address(room, first))
    assert set(_address(room, room.from_address(Address("?" + nonsense, lambda: 5)))) >= {"tab"}


def _address(room, wanted) -> dict[str, str]:
    return room.link_value(wanted)["address"]


def test_an_answer_that_comes_late_leaves_the_open_tab_in_the_address(rooms):
    room = rooms[TruncationTab]
    wanted = room.from_address(Address("", lambda: 5))
    room.from_controls = lambda *values: wanted
    assert "tab" not in room.redraw(0)["address"] and _address(room, wanted)["tab"] == room.id
    del room.from_controls


def test_rows_rise_and_the_current_truncation_has_one(rooms, studio):
    room = rooms[TruncationTab]
    wanted = Truncation(Flower(1, 2**32 - 2, 0.7))
    shown = room.link_value(wanted)
    assert [row["level"] for row in shown["rows"]] == [0.01, 0.7, 1.5, None]
    assert [row["current"] for row in shown["rows"]] == [False, True, False, False]
    assert [item["seed"] for item in shown["rows"][0]["items"]] == [2**32 - 2, 2**32 - 1, 0, 1, 2, 3]
    for row in shown["rows"]:
        drawn = studio.sampler.draw([Flower(1, 0, row["level"])])[0]
        assert np.array_equal(picture(row["items"][2]["src"]), drawn)
    assert room.link_value(Truncation(Flower(1, 3, 1.5), PAPER_LEVELS))["rows"][1]["current"] is True


@pytest.mark.parametrize("rows", [None, "off", ["x"], [1.5], {}, [["off"]], ["off"] * 1000])
def test_forged_rows_are_refused_or_counted_once(rooms, rows):
    room = rooms[TruncationTab]
    values = ["marigold", 1, 1.5, False, "", rows]
    if rows == ["off"] * 1000:
        assert room.from_controls(*values).levels == (None,)
    else:
        with pytest.raises(UserError, match="rows"):
            room.from_controls(*values)


@pytest.mark.parametrize("language", ["en", "uk"])
@pytest.mark.parametrize("current", [0.01, 0.75, 1.0, 3.0, None])
def test_the_curves_mark_the_current_setting(current, language):
    found = plots({"curve": CURVE, "settings": {"kid_name": "KID-X"}}, current, language)
    assert len(found) == 2 and all(one["svg"].count('class="here"') >= 1 for one in found)
    assert "KID-X" in found[0]["svg"] and TEXT[language]["truncation_here"] in found[0]["svg"]


@pytest.mark.parametrize("scores", [{}, {"curve": None}, {"curve": CURVE[:1]}, {"curve": [{"truncation": 1}]}])
def test_a_model_that_was_never_judged_has_no_curves(scores):
    assert plots(scores, 1.5, "en") == []


def test_growth_shows_the_same_flower_at_every_moment(rooms):
    shown = rooms[GrowthTab].link_value(Growth(5))
    assert shown["images"] == [1000, 20_000] and shown["item"]["seed"] == 5 and shown["item"]["truncation"] == 1.5
    means = [picture(frame).mean() for frame in shown["frames"]]
    assert means == pytest.approx([1 + 15, 20 + 15], abs=2)
    several = rooms[GrowthTab].link_value(Growth(60, alone=False))
    assert several["item"] is None and picture(several["frames"][0]).shape == (4 * 16 + 6, 4 * 16 + 6, 3)


def test_growth_shows_the_newest_moments_of_many(tmp_path):
    """A run writes MOST of them at most; more lie in a folder that was put together by hand."""
    import gradio as gr

    (tmp_path / "growth").mkdir()
    for images in range(sample_history.MOST + 2):
        Image.new("RGB", (8 * 18 - 2,) * 2).save(tmp_path / "growth" / f"{images:09d}.webp")
    with gr.Blocks(), gr.Tabs():
        room = GrowthTab(Studio(loader.Model("tiny", "path", "0123", tiny_generator(), tmp_path)))
    assert room.link_value(Growth(5))["images"] == list(range(2, sample_history.MOST + 2))


def test_growth_of_a_model_without_any_is_empty():
    import gradio as gr

    with gr.Blocks(), gr.Tabs():
        room = GrowthTab(Studio(loader.Model("tiny", "authors", "0123", tiny_generator(), None)))
    assert room.link_value(Growth())["frames"] == []


def test_the_ladder_draws_what_each_stage_draws(rooms):
    shown = rooms[LadderTab].link_value(Ladder("marigold", 3))
    assert len(shown["stages"]) == 6 and [stage["size"] for stage in shown["stages"]] == [28, 28, 64, 64, 64, 128]
    sixth = loader.load("cwgan-gp-128").generator
    from gan.sampling.sampler import Sampler

    drawn = Sampler(sixth, 1).draw([Flower(list(sixth.config.classes).index("marigold"), 3)])[0]
    assert np.array_equal(picture(shown["stages"][5]["src"]), drawn)
    assert "6.6 dB" in shown["stages"][2]["peaks"][0]
    for bad in (["rose", 3, 1.5, False], ["marigold", -1, 1.5, False], ["marigold", 3, 9, False], [None, 3, 1.5, False]):
        with pytest.raises(UserError):
            rooms[LadderTab].from_controls(*bad)


def test_the_ladder_shows_its_flowers_before_its_spectra(rooms, monkeypatch):
    room, wanted = rooms[LadderTab], Ladder("marigold", 3)
    monkeypatch.setattr(room, "_tree", (ladder_stages.load()[:1], ladder_stages.load_branches()[:1]))
    linked = room.link_value(wanted)
    (first,) = room.draw_steps(wanted)
    whole = room.draw(wanted)
    assert linked == {**first, "address": room.link_value(wanted)["address"], "more": True}
    assert room.link_value(wanted) == room.link_value(wanted), "its spectra are there by now"
    for part in ("stages", "branches"):
        assert first[part][0]["spectrum"] == "" and picture(whole[part][0]["spectrum"]).shape[-1] == 3
        assert first[part][0]["src"] == whole[part][0]["src"]
    assert "address" not in first and list(room.draw_steps(wanted)) == []


@pytest.mark.parametrize(
    ("peaks", "scores", "said"),
    [
        ({}, {}, ["never measured"]), ({}, {"kid": 0.123}, []), ({2: (6.6, 0.1)}, {}, ["2 px: 6.6 dB (0.1)"]),
        ({2: (6.6, 0.1)}, {"recall": 0.5}, ["2 px: 6.6 dB (0.1)"]),
    ],
)  # fmt: skip
def test_only_a_model_without_any_figure_was_never_measured(rooms, monkeypatch, peaks, scores, said):
    """One with a KID has been judged, also where its checkerboard was not measured."""
    stage = rooms[LadderTab]._load()[0][0]
    monkeypatch.setattr(type(stage), "peaks", lambda self: peaks)
    monkeypatch.setattr(type(stage), "scores", lambda self: scores)
    shown = rooms[LadderTab]._draw_stage(stage, Ladder("marigold", 3))
    assert shown["peaks"] == said and len(shown["scores"]) == len(scores)


def test_flowers_sent_to_a_tab_arrive(rooms):
    flower = Flower(1, 77, 0.9)
    for kind in (TruncationTab, LadderTab):
        room = rooms[kind]
        taken = room.receive(flower, "to", room.from_address(Address("", lambda: 5)))
        assert room.link_value(taken)["address"][f"{room.id}-seed"] == "77"
        assert room.link_value(taken)["address"][f"{room.id}-truncation"] == "0.9"


def test_a_flower_arrives_at_a_tab_whose_fields_hold_nothing(studio):
    """A field that was emptied, or filled by somebody else's script: the tab opens with its defaults and the flower."""
    with gr.Blocks(), gr.Tabs() as tab_bar:
        tabs = [GrowthTab(studio), LadderTab(studio), TruncationTab(studio)]
    router = _Router(studio, tab_bar, tabs)
    message = {"to": "truncation", "flower": {"class": "marigold", "seed": 77, "truncation": 0.9, "extras": ""}}
    opened, *updates = router.send(message, *[None] * len(router.controls))
    assert opened.selected == "truncation" and updates[-1]["address"]["truncation-seed"] == "77"


def test_all_levels_of_the_rows_can_be_drawn(rooms):
    shown = rooms[TruncationTab].link_value(Truncation(Flower(0, 1, 1.5), LEVELS))
    assert len(shown["rows"]) == len(LEVELS)


@pytest.mark.parametrize(
    ("headers", "query", "language"),
    [
        ({}, "", "en"), ({"accept-language": "uk"}, "", "uk"), ({"accept-language": "de,uk;q=0.5,en;q=0.9"}, "", "en"),
        ({"accept-language": "de-DE,uk-UA;q=0.9,en;q=0.8"}, "", "uk"), ({"accept-language": "x" * 5000}, "", "en"),
        ({"accept-language": "uk", "cookie": "language=en"}, "", "en"), ({"cookie": "language=uk"}, "lang=en", "en"),
        ({"cookie": "language=<script>"}, "", "en"), ({"cookie": "a=b; language=uk; c=\x00"}, "", "uk"),
        ({"referer": "http://x/?seed=1&lang=uk"}, "", "uk"), ({"referer": "http://[::1/?lang=uk"}, "", "en"),
        ({}, "lang=fr", "en"), ({}, "lang=uk&lang=en", "en"), ({}, "%ff=&;;;lang", "en"),
        ({"accept-language": "uk;q=0"}, "", "en"),
        ({"accept-language": "uk;q=9,en"}, "", "uk"),
    ],
)  # fmt: skip
def test_the_language_of_a_request(headers, query, language):
    assert language_of(headers, query) == language


def test_the_page_is_built_with_all_tabs(studio):
    parts = build(studio).get_config_file()["components"]
    assert [part["props"]["id"] for part in parts if part["type"] == "tabitem"] == [kind.id for kind in TABS]


@pytest.mark.parametrize(
    ("trained", "moments", "said"),
    [
        ({}, (), False), ({"begun_from": {}}, (), False), ({"begun_from": {"name": "flagship"}}, (), True),
        ({"begun_from": {"name": "flagship"}, "images": 500}, (0, 500), True),
        ({"begun_from": {"name": "flagship"}, "images": 500}, (0, 2000, 2500), False),
        ({"begun_from": {"name": "flagship"}, "images": "many"}, (0, 500), True),
    ],
)  # fmt: skip
def test_the_growth_tab_says_where_its_first_picture_is_what_another_model_drew(trained, moments, said, tmp_path):
    generator = tiny_generator()
    generator.config = replace(generator.config, trained=trained)
    (tmp_path / sample_history.FOLDER).mkdir()
    for images in moments:
        (tmp_path / sample_history.FOLDER / f"{images:09d}.webp").touch()
    page = build(Studio(loader.Model("tiny", "path", "0123", generator, tmp_path))).get_config_file()
    parts = [str(part["props"].get("value")) for part in page["components"] if part["type"] == "html"]
    assert any(t("growth_begun") in part for part in parts) is said


def test_tabs_are_found_by_their_files_and_ordered_by_their_positions():
    files = {path.stem for path in (ROOT / "gan/studio/tabs").glob("*.py")} - {"__init__", "base"}
    assert {kind.id for kind in TABS} == files and TABS[0].id == "generate"
    positions = [kind.position for kind in TABS]
    assert positions == sorted(set(positions))


def test_the_header_links_to_every_other_language(studio, monkeypatch):
    monkeypatch.setitem(TEXT, "xx", {**TEXT["en"], "in_this_language": "Xx"})
    monkeypatch.setattr(theme, "LANGUAGES", ("en", "uk", "xx"))
    links = {name: re.findall(r'href="\?lang=(\w+)"', theme._header(studio, name)) for name in theme.LANGUAGES}
    assert links == {"en": ["uk", "xx"], "uk": ["en", "xx"], "xx": ["en", "uk"]}


@pytest.mark.parametrize(
    ("classes", "shown"),
    [
        (["McIntosh", "USA", "rose_hip", "rose"], ["McIntosh", "USA", "rose hip", "rose"]),
        (["Rose", "rose"], ["Rose", "rose"]),
        (["a b", "a_b", "c_d"], ["a b", "a_b", "c d"]),
        (["a_b", "a__b"], ["a_b", "a__b"]),
        (["a b", "a  b"], ["a b", "a  b (2)"]),
        (["Lo\u0308we", "L\u00f6we"], ["Lo\u0308we", "L\u00f6we (2)"]),
        (["dandelion", "marigold"], ["Dandelion", "Marigold"]),
        (["dandelion", "Dandelion"], ["dandelion", "Dandelion"]),
        (["__proto__", "_", "constructor"], ["  proto  ", "_", "constructor"]),
    ],
)  # fmt: skip
def test_a_class_is_called_as_its_owner_wrote_it_and_equal_ones_are_told_apart(classes, shown):
    assert class_titles(classes, "en") == shown


def test_a_class_called_all_is_not_taken_for_all_of_them():
    assert [label for label, _ in class_selector(["All", "b"], "class", "all").choices] == ["All*", "All", "b"]
    assert [label for label, _ in class_selector(["Усі", "b"], "class", "all").choices] == ["All", "Усі", "b"]
    assert [label for label, _ in class_selector(["a", "b"], "class", "all").choices] == [t("all"), "a", "b"]


def test_many_classes_are_looked_for_by_name():
    few, many = (class_selector([f"species {number}" for number in range(count)], "class") for count in (24, 25))
    assert isinstance(few, gr.Radio) and isinstance(many, gr.Dropdown) and many.filterable and not many.allow_custom_value
