"""The survey: a page that tells nothing, a key, and answers made by a program added up."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import random
import re
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from pictures import make_photos
from PIL import Image

from gan.__main__ import main
from gan.evaluation import survey
from gan.evaluation.rounds import RoundDealer, RoundRequest
from gan.hub import loader
from gan.sampling.flower import Flower
from gan.sampling.sampler import Sampler
from gan.utils.formatting import share_error
from gan.utils.images import png

PAIRS = 12


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    return make_photos(tmp_path_factory.mktemp("photos") / "photos", count=8)


@pytest.fixture(scope="module")
def made(tmp_path_factory, model_folder, photos) -> Path:
    out = tmp_path_factory.mktemp("survey")
    assert main(["survey", str(model_folder), str(photos), "--out", str(out), "--pairs", str(PAIRS)]) == 0
    return out


def shown(folder: Path) -> dict:
    """What the page holds: the data of its script."""
    text = (folder / survey.PAGE).read_text(encoding="utf-8")
    return json.loads(re.search(r"const SURVEY = (\{.*\});\n", text)[1].replace("<\\/", "</"))


def answer(folder: Path, path: Path, sheet: str, say, /, **changes) -> Path:
    """Write a sheet of answers; `say(picture of the key)` is "photo" or "drawn"."""
    pictures = json.loads((folder / survey.KEY).read_text())["pictures"]
    answers = [{"picture": i, "answer": say(one), "milliseconds": 1000} for i, one in enumerate(pictures)]
    random.Random(sheet).shuffle(answers)
    about = {"format": survey.FORMAT, "survey": shown(folder)["survey"], "sheet": sheet, "language": "uk"}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**about, "answers": answers, **changes}))
    return path


def test_flowers_and_photos_come_in_equal_number_for_each_class_and_none_twice(made, model_folder):
    key = json.loads((made / survey.KEY).read_text())
    pictures = [survey.Picture(**one) for one in key["pictures"]]
    assert len(pictures) == 2 * PAIRS and key["model"] == model_folder.name
    for flower in {one.flower for one in pictures}:
        drawn = [one.seed for one in pictures if one.flower == flower and one.drawn]
        real = [one.photo for one in pictures if one.flower == flower and not one.drawn]
        assert len(drawn) == len(real) == len(set(drawn)) == len(set(real)) == PAIRS // 2
    # In random order, the kind and the class change after half of the pictures: 11.5 times of 23, give or take 2.4.
    for kinds in ([one.drawn for one in pictures], [one.flower for one in pictures]):
        assert 5 <= sum(one != other for one, other in pairwise(kinds)) <= 18, "neither sorted nor in turn"
        assert 3 <= kinds[:PAIRS].count(kinds[0]) <= PAIRS - 3, "as many in the first half as in the second, about"


def test_a_key_that_answers_may_need_is_not_written_over(made, model_folder, photos, capsys):
    before = (made / survey.KEY).read_bytes()
    words = ["survey", str(model_folder), str(photos), "--out", str(made), "--pairs", str(PAIRS)]
    assert main(words) == 0, "the same survey"
    assert main([*words, "--seed", "1"]) == 2 and "is the key of another survey" in capsys.readouterr().err
    assert (made / survey.KEY).read_bytes() == before


def test_a_round_of_the_survey_is_a_round_of_the_game_with_two_pictures(made, model_folder):
    """One core deals both: the pictures that are drawn are those of its rounds."""
    key, model = json.loads((made / survey.KEY).read_text()), loader.load(str(model_folder))
    secret = hashlib.sha256(f"{model.revision} 0".encode()).digest()
    dealer = RoundDealer([8, 8], secret, pictures=2)
    rounds = [dealer.deal(RoundRequest(i, i % 2, key["truncation"])) for i in range(PAIRS)]
    assert {one.place for one in rounds} == {0, 1}
    seeds = {one["seed"] for one in key["pictures"] if one["drawn"]}
    assert seeds == {one.seed for one in rounds}
    place = next(i for i, one in enumerate(key["pictures"]) if one["drawn"])
    about, content = key["pictures"][place], shown(made)["pictures"][place]
    label = model.generator.config.classes.index(about["flower"])
    wanted = Sampler(model.generator).draw([Flower(label, about["seed"], key["truncation"])])[0]
    file = base64.b64decode(content.removeprefix("data:image/png;base64,"))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(file))), wanted)


def test_the_page_loads_nothing_and_does_not_know_the_answers(made):
    text, data = (made / survey.PAGE).read_text(encoding="utf-8"), shown(made)
    assert set(data) == {"format", "survey", "answers", "text", "pictures"} and len(data["pictures"]) == 2 * PAIRS
    assert (
        "default-src 'none'" in text
        and "unsafe" not in text
        and "fetch(" not in text
        and "http:" not in text
        and "https:" not in text
    )
    files = [base64.b64decode(content.removeprefix("data:image/png;base64,")) for content in data["pictures"]]
    assert len({file[:33] for file in files}) == 1, "of one size, depth and kind of color: signature and IHDR"
    for file in files:
        assert png(np.asarray(Image.open(io.BytesIO(file)))) == file, "nothing but the pixels, all encoded alike"
    assert all(set(words) == {"en", "uk"} and all(words.values()) for words in data["text"].values())


def test_the_same_seed_gives_the_same_survey_and_another_one_another(made, tmp_path, model_folder, photos):
    for seed in ("0", "1"):
        words = ["survey", str(model_folder), str(photos), "--pairs", str(PAIRS), "--seed", seed, "--out", str(tmp_path / seed)]
        assert main(words) == 0
    first, again, other = ((folder / survey.KEY).read_text() for folder in (made, tmp_path / "0", tmp_path / "1"))
    assert first == again != other
    assert (made / survey.PAGE).read_bytes() == (tmp_path / "0" / survey.PAGE).read_bytes()


def test_answers_of_a_program_are_added_up(made, tmp_path, capsys):
    """Four people: two know everything, two take every dandelion for a photo and every marigold for drawn."""
    folder = tmp_path / "answers"
    for name in ("a", "b"):
        answer(made, folder / f"{name}.json", name, lambda one: "drawn" if one["drawn"] else "photo")
    for name in ("c", "d"):
        answer(made, folder / f"{name}.json", name, lambda one: "photo" if one["flower"] == "dandelion" else "drawn")
    answer(made, folder / "a (1).json", "a", lambda one: "drawn" if one["drawn"] else "photo")  # sent twice
    found, people = survey.add_up(made / survey.KEY, [folder])
    assert people == 4
    shares = {one.flower: one for one in found}
    assert list(shares) == ["all", "dandelion", "marigold"]
    assert (shares["all"].drawn, shares["all"].photos) == (0.25, 0.75)
    assert (shares["dandelion"].drawn, shares["dandelion"].photos) == (0.5, 1.0)
    assert (shares["marigold"].drawn, shares["marigold"].photos) == (0.0, 0.5)
    # Shares 0, 0, 1, 1 of the people: standard deviation 1/√3, standard error half of that.
    assert shares["dandelion"].drawn_error == pytest.approx(0.5 / 3**0.5)
    assert shares["marigold"].drawn_error > 0, "nobody being wrong is no proof"
    assert main(["survey-results", str(made / survey.KEY), str(folder)]) == 0
    printed = capsys.readouterr().out
    assert "4 people" in printed and re.search(r"all +25 ± \d+ % +75 ± \d+ % +48\n", printed), printed
    assert "by the differences between people and between pictures;" in printed


def test_guessing_gives_a_half_within_its_error(made, tmp_path):
    rng = random.Random(0)
    files = [answer(made, tmp_path / f"{i}.json", str(i), lambda one: rng.choice(survey.ANSWERS)) for i in range(16)]
    found = survey.add_up(made / survey.KEY, files)[0][0]
    assert abs(found.drawn - 0.5) < 3 * found.drawn_error < 0.2 and abs(found.photos - 0.5) < 3 * found.photos_error


@pytest.mark.parametrize("differ", ["people", "pictures", "neither"])
def test_the_error_is_the_spread_over_other_people_and_other_pictures(differ):
    """Surveys of 12 people and 20 pictures, simulated 400 times: the error is as large as the shares differ, or a little more.

    By the differences between people alone, it would be a third of that where the pictures differ.
    """
    rng, found = np.random.default_rng(0), []
    for _ in range(400):
        people, pictures = rng.choice([0.1, 0.9], (12, 1)), rng.choice([0.1, 0.9], (1, 20))
        rate = {"people": people, "pictures": pictures, "neither": np.full((1, 1), 0.5)}[differ]
        found.append(survey._mean((rng.random((12, 20)) < rate).astype(float)))
    values, errors = np.array(found).T
    assert abs(values.mean() - 0.5) < 0.02
    assert 0.9 < errors.mean() / values.std() < (1.6 if differ == "neither" else 1.15)


def test_errors_by_hand():
    """Pictures that are 1, 1, 0, 0 to everybody: s_Q = 1/√3, and half of that. Where all agree, the error of the count."""
    assert survey._mean(np.array([[1.0, 1, 0, 0]] * 9)) == (0.5, pytest.approx(0.5 / 3**0.5))
    assert survey._mean(np.array([[1.0], [0], [1], [0]])) == (0.5, pytest.approx(0.5 / 3**0.5))
    assert survey._mean(np.ones((3, 4))) == (1.0, share_error(1.0, 12))
    assert survey._mean(np.ones((1, 1))) == (1.0, share_error(1.0, 1))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"survey": "another"}, "answers another survey"),
        ({"answers": []}, f"answers 0 of {2 * PAIRS} pictures"),
        ({"answers": [{"picture": 0, "answer": "photo"}] * 2}, "cannot have given"),
        ({"answers": [{"picture": 10_000, "answer": "photo"}]}, "cannot have given"),
        ({"answers": [{"picture": True, "answer": "photo"}]}, "cannot have given"),
        ({"answers": [{"picture": 0, "answer": "maybe"}]}, "cannot have given"),
        ({"answers": [7]}, "cannot have given"),
        ({"answers": "none"}, "not a file of answers"),
        ({"format": "survey-9"}, "not a file of answers"),
        ({"sheet": None}, "does not say which sheet it is"),
        ({"sheet": ""}, "does not say which sheet it is"),
        ({"sheet": 7}, "does not say which sheet it is"),
    ],
)
def test_a_file_that_is_no_whole_sheet_is_one_sentence(change, words, made, tmp_path, capsys):
    file = answer(made, tmp_path / "one.json", "x", lambda one: "photo", **change)
    assert main(["survey-results", str(made / survey.KEY), str(file)]) == 2
    said = capsys.readouterr().err
    assert words in said and "one.json" in said and said.count("\n") == 1


def test_one_sheet_with_two_kinds_of_answers_is_refused_whichever_comes_first(made, tmp_path, capsys):
    one = answer(made, tmp_path / "one.json", "a", lambda one: "drawn")
    other = answer(made, tmp_path / "other.json", "a", lambda one: "photo")
    for words in ([one, other], [other, one], [tmp_path]):
        assert main(["survey-results", str(made / survey.KEY), *map(str, words)]) == 2
        said = capsys.readouterr().err
        assert "same sheet with different answers" in said and str(one) in said and str(other) in said and said.count("\n") == 1


def test_a_folder_may_hold_what_the_survey_wrote_and_what_mail_programs_make_of_answers(made, tmp_path):
    for name in (survey.KEY, survey.PAGE):
        shutil.copy(made / name, tmp_path / name)
    key = shutil.copy(made / survey.KEY, tmp_path / "renamed.json")
    answer(made, tmp_path / "a.json", "a", lambda one: "photo")
    answer(made, tmp_path / "B.JSON.txt", "b", lambda one: "photo")
    marked = answer(made, tmp_path / "c.json.txt", "c", lambda one: "photo")
    marked.write_bytes(b"\xef\xbb\xbf" + marked.read_bytes())
    found, people = survey.add_up(key, [tmp_path])
    assert people == 3 and found[0].drawn == found[0].photos == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda pictures: [], "does not have a picture"),
        (lambda pictures: [one for one in pictures if one["drawn"]], "both drawn pictures and photos of 'dandelion'"),
        (lambda pictures: [one for one in pictures if not one["drawn"]], "both drawn pictures and photos of 'dandelion'"),
        (
            lambda pictures: [one for one in pictures if one["drawn"] or one["flower"] == "dandelion"],
            "both drawn pictures and photos of 'marigold'",
        ),
        (lambda pictures: [{**one, "flower": i} for i, one in enumerate(pictures)], "a key that was changed"),
        (lambda pictures: [{**one, "flower": None} for one in pictures], "a key that was changed"),
        (lambda pictures: [{**one, "flower": ["rose"]} for one in pictures], "a key that was changed"),
        (lambda pictures: [{**one, "drawn": "no"} for one in pictures], "a key that was changed"),
        (lambda pictures: [7], "is not the key"),
        (lambda pictures: None, "is not the key"),
    ],
)
def test_a_key_of_which_nothing_can_be_added_up_is_one_sentence(change, words, made, tmp_path, capsys):
    key = json.loads((made / survey.KEY).read_text())
    key["pictures"] = change(key["pictures"])
    (tmp_path / "key.json").write_text(json.dumps(key))
    sheet = answer(made, tmp_path / "a.json", "a", lambda one: "photo")
    assert main(["survey-results", str(tmp_path / "key.json"), str(sheet)]) == 2
    said = capsys.readouterr().err
    assert words in said and "key.json" in said and said.count("\n") == 1


def test_files_that_are_none(made, tmp_path, capsys):
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "empty").mkdir()
    key = str(made / survey.KEY)
    for words, sentence in (
        ([key, str(tmp_path / "broken.json")], "not a JSON file"),
        ([key, str(tmp_path / "nowhere.json")], "cannot be read"),
        ([key, str(tmp_path / "empty")], "no answers"),
        ([str(tmp_path / "broken.json"), key], "not a JSON file"),
        ([str(answer(made, tmp_path / "a.json", "a", lambda one: "photo")), key], "not the key"),
    ):
        assert main(["survey-results", *words]) == 2
        assert sentence in capsys.readouterr().err


def test_a_class_without_photos_is_named_and_nothing_is_advised_that_a_survey_does_not_have(tmp_path, model_folder, capsys):
    for classes, lacking in ((("dandelion",), "of marigold;"), (("seedhead",), "of dandelion or marigold;")):
        photos = make_photos(tmp_path / classes[0], classes=classes)
        (photos / "marigold").mkdir(exist_ok=True)
        assert main(["survey", str(model_folder), str(photos), "--out", str(tmp_path / "out"), "--pairs", "4"]) == 2
        said = capsys.readouterr().err
        assert f"has no usable photo {lacking}" in said and "--photos" not in said and said.count("\n") == 1


def test_every_photo_of_a_large_folder_can_be_shown(tmp_path, model_folder):
    many = make_photos(tmp_path / "many", 120, side=16)
    pictures = survey.make(loader.load(model_folder), many, tmp_path / "out", pairs=240)
    assert len({(one.flower, one.photo) for one in pictures if not one.drawn}) == 240


def test_too_few_photos_say_how_many_pairs_there_can_be(tmp_path, model_folder, photos, capsys):
    assert main(["survey", str(model_folder), str(photos), "--out", str(tmp_path / "out")]) == 2
    assert "only 8 usable photos" in (said := capsys.readouterr().err) and "--pairs, 16 at most" in said
    assert main(["survey", str(model_folder), str(photos), "--out", str(tmp_path / "out"), "--pairs", "0"]) == 2
    assert not (tmp_path / "out" / survey.PAGE).exists()
