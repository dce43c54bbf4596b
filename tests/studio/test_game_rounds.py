"""Rounds of the game: the same for the same number, unguessable without the secret, judged by the process that dealt them."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from conftest import tiny_generator
from pictures import make_photos
from PIL import Image

from gan.errors import UserError
from gan.evaluation.rounds import RoundDealer, RoundRequest
from gan.hub import loader
from gan.sampling.flower import Flower
from gan.studio.i18n import TEXT
from gan.studio.session import Studio
from gan.studio.tabs.game import GameTab

SECRET = b"s" * 32


def test_a_round_is_the_same_when_asked_again_and_another_under_another_secret():
    asked = [RoundRequest(number, label, level) for number in range(40) for label in (None, 0, 1) for level in (1.5, None)]
    one, two, other = RoundDealer([9, 7], SECRET), RoundDealer([9, 7], SECRET), RoundDealer([9, 7])
    assert [one.deal(a) for a in asked] == [two.deal(a) for a in asked] != [other.deal(a) for a in asked]
    assert all(one.verify(a, two.tag(a)) and not other.verify(a, one.tag(a)) for a in asked)
    assert len({one.tag(a) for a in asked}) == len(asked)


@pytest.mark.parametrize("tag", [None, 7, "", "é", ["x"], "0" * 32, "0" * 100_000])
def test_a_tag_may_be_anything(tag):
    assert not RoundDealer([5], SECRET).verify(RoundRequest(1, 0), tag)


def test_places_classes_and_photos_come_evenly():
    dealer = RoundDealer([6, 8, 2], SECRET)
    rounds = [dealer.deal(RoundRequest(number)) for number in range(2000)]
    assert dealer.labels == [0, 1] and all(sorted(one.photos) == list(range((6, 8)[one.label])) for one in rounds)
    places, labels = Counter(one.place for one in rounds), Counter(one.label for one in rounds)
    assert set(places) == {0, 1, 2, 3} and all(400 < count < 600 for count in places.values())
    assert set(labels) == {0, 1} and all(900 < count < 1100 for count in labels.values())
    assert all(Counter(one.photos[0] for one in rounds if one.label == 1)[photo] > 80 for photo in range(8))
    assert len({one.seed for one in rounds}) == 2000


def test_nothing_stays_when_class_or_truncation_is_asked_for_otherwise():
    """Else the flower would be the one picture that changes with the truncation."""
    dealer = RoundDealer([40, 40], SECRET)
    for number in range(50):
        rounds = [dealer.deal(RoundRequest(number, 0, level)) for level in (0.5, 1.5, None)]
        assert len({one.seed for one in rounds}) == 3 and len({one.photos for one in rounds}) == 3


@pytest.mark.parametrize(("counts", "label"), [([2, 9], 0), ([2, 2], None), ([], None)])
def test_too_few_photos(counts, label):
    with pytest.raises(UserError, match="too few photos"):
        RoundDealer(counts).deal(RoundRequest(1, label))


# ------------------------------------------------------------------------------------------------------------- the tab


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = make_photos(tmp_path_factory.mktemp("photos"), 6)
    for number in range(4):
        (folder / "marigold" / f"0{number}.png").write_bytes(b"\x89PNG\r\n\x1a\n damaged")
    return folder


@pytest.fixture(scope="module")
def tab(photos):
    import gradio as gr

    with gr.Blocks(), gr.Tabs():
        return GameTab(Studio(loader.Model("tiny", "path", "0123", tiny_generator(), None), photos=photos))


def cut(src: str) -> list[np.ndarray]:
    import base64
    import io

    with Image.open(io.BytesIO(base64.b64decode(src.partition("base64,")[2]))) as image:
        assert set(image.info) <= {"Software"}, "nothing about the flower goes along"
        return np.split(np.asarray(image.convert("RGB")), 4, 1)


def test_three_photos_as_the_training_sees_them_and_the_flower_in_its_place(tab, photos):
    squares = [tab.studio.photos.square(path) for path in sorted((photos / "dandelion").iterdir())]
    for number in range(12):
        asked = RoundRequest(number, 0, 1.5)
        dealt, pictures = tab.dealer.deal(asked), cut(tab.draw(asked)["sheet"])
        drawn = tab.studio.sampler.draw([Flower(0, dealt.seed, 1.5)])[0]
        assert np.array_equal(pictures.pop(dealt.place), drawn)
        assert all(any(np.array_equal(picture, square) for square in squares) for picture in pictures)
        assert len({picture.tobytes() for picture in pictures}) == 3


def test_what_the_browser_gets_does_not_say_which(tab):
    shown = tab.draw(RoundRequest(5, 0, 1.5))
    seed = str(tab.dealer.deal(RoundRequest(5, 0, 1.5)).seed)
    assert set(shown) == {"sheet", "class", "asked", "model", "revision", "address"}
    assert set(shown["asked"]) == {"round", "class", "truncation", "tag"} and seed not in str({**shown, "sheet": ""})


def test_a_choice_is_judged(tab):
    shown = tab.draw(RoundRequest(5, 0, 1.5))
    answers = [tab.judge({**shown["asked"], "choice": choice}) for choice in range(4)]
    place = tab.dealer.deal(RoundRequest(5, 0, 1.5)).place
    assert [answer["right"] for answer in answers] == [choice == place for choice in range(4)]
    assert {answer["place"] for answer in answers} == {place} and answers[0]["item"]["class"] == "dandelion"


FORGED = [
    None, [], "x", {}, {"choice": 4}, {"choice": -1}, {"choice": "0"}, {"choice": True}, {"round": -1}, {"round": 2**32},
    {"round": "5"}, {"round": 6}, {"class": "rose"}, {"class": None}, {"class": "marigold"}, {"truncation": 99},
    {"truncation": 1.4}, {"truncation": float("nan")}, {"tag": None}, {"tag": "0" * 32}, {"tag": {}},
]  # fmt: skip


@pytest.mark.parametrize("change", FORGED, ids=range(len(FORGED)))
def test_a_forged_choice_is_refused(tab, change):
    good = {**tab.draw(RoundRequest(5, 0, 1.5))["asked"], "choice": 0}
    assert "place" in tab.judge(good)
    letter = {**good, **change} if isinstance(change, dict) and change else change
    with pytest.raises(UserError):
        tab.judge(letter)


def test_a_choice_of_another_process_is_refused_with_its_own_words(tab):
    other = RoundDealer(tab.dealer.counts)
    letter = {**tab.draw(RoundRequest(5, 0, 1.5))["asked"], "tag": other.tag(RoundRequest(5, 0, 1.5)), "choice": 0}
    with pytest.raises(UserError) as error:
        tab.judge(letter)
    assert str(error.value) == TEXT["en"]["game_over"]


def test_photos_that_cannot_be_read_are_passed_over_or_too_few(tab):
    with pytest.raises(UserError) as error:
        tab.draw(RoundRequest(3, 1, 1.5))  # six files, two of them photos
    assert str(error.value) == TEXT["en"]["game_few"]


def test_without_photos_it_says_how_to_turn_it_on(tab):
    import gradio as gr

    with gr.Blocks(), gr.Tabs():
        off = GameTab(Studio(loader.Model("tiny", "path", "0123", tiny_generator(), None)))
    assert "--photos" in off.draw(RoundRequest(1, 0, 1.5))["off"] and off.next_round.visible == "hidden"
    with pytest.raises(UserError):
        off.judge({**tab.draw(RoundRequest(5, 0, 1.5))["asked"], "choice": 0})


def test_a_plain_model_plays_with_all_photos(photos, tmp_path):
    import gradio as gr

    shutil.copytree(photos / "dandelion", tmp_path / "dandelion")
    generator = tiny_generator(("all",))
    generator.config = replace(generator.config, trained={"photos": {"dandelion": 6}})
    with gr.Blocks(), gr.Tabs():
        plain = GameTab(Studio(loader.Model("plain", "path", "0123", generator, None), photos=tmp_path))
    shown = plain.draw(RoundRequest(2, 0, None))
    assert len(cut(shown["sheet"])) == 4 and plain.judge({**shown["asked"], "choice": 1})["item"]["class"] == "all"
