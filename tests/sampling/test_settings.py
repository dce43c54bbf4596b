"""Settings: every bad value gets a sentence, every good one survives the page's address."""

from __future__ import annotations

import math
from urllib.parse import urlencode

import pytest
import torch

from gan.errors import UserError
from gan.sampling import collection, settings
from gan.sampling.flower import (
    Flower,
    StyleMix,
    check_label,
    describe,
    described,
    every,
    extras,
    main_class,
    read_shift,
    with_extras,
    write_shift,
)
from gan.studio.address import Address, generate_from, interpolate_from, to_address
from gan.utils.names import file_stem

CLASSES = ("dandelion", "marigold")
GOOD = ("marigold", 7, 1.5, 4)
FILM = ("dandelion", 1, "marigold", 2, None, "straight", 12, True)
NONSENSE = [
    None, math.nan, math.inf, -math.inf, "7", "", [], [7], {}, {"path": "/etc/passwd"}, True, 10**5000, -(10**40), 1.25, b"7",
]  # fmt: skip


def kind(value: object) -> str:
    return type(value).__name__  # Python refuses to write the larger ones out


def test_good_values_become_settings():
    assert settings.generate(CLASSES, *GOOD) == settings.Generate(1, 7, 1.5, 4)
    assert settings.generate(CLASSES, "All", 2**32 - 1, None, 1.0) == settings.Generate(None, 2**32 - 1, None, 1)
    assert settings.interpolate(CLASSES, *FILM) == settings.Interpolate(0, 1, 1, 2, None, "straight", 12, True)


@pytest.mark.parametrize("bad", [*NONSENSE, -1, 2**32], ids=kind)
def test_bad_seeds(bad):
    with pytest.raises(UserError, match="^the seed is .*; use a whole number from 0 to 4294967295.$"):
        settings.generate(CLASSES, "marigold", bad, 1.5, 4)


@pytest.mark.parametrize("bad", [*NONSENSE, 0, 8, 100], ids=kind)
def test_bad_grids(bad):
    with pytest.raises(UserError, match="^the grid is .*; use a whole number from 1 to 7.$"):
        settings.generate(CLASSES, "marigold", 7, 1.5, bad)


@pytest.mark.parametrize(
    "bad", [value for value in NONSENSE if value is not None and value != 1.25] + [0, 0.009, 3.01, -1], ids=kind
)
def test_bad_truncations(bad):
    with pytest.raises(UserError, match="^the truncation is .*; use a number from 0.01 to 3, or switch it off.$"):
        settings.generate(CLASSES, "marigold", 7, bad, 4)


@pytest.mark.parametrize("bad", [*NONSENSE, "rose", "Marigold", 0, 1, "../marigold", "x" * 10_000], ids=kind)
def test_bad_classes(bad):
    with pytest.raises(UserError, match="^the class is .*; choose one of dandelion, marigold or All.$") as caught:
        settings.generate(CLASSES, bad, 7, 1.5, 4)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("position", "bad"),
    [(5, "round"), (5, None), (5, ["straight"]), (6, 1), (6, 61), (6, 10_000), (6, None), (7, 1), (7, "yes"), (7, None)],
)
def test_bad_films(position, bad):
    values = list(FILM)
    values[position] = bad
    with pytest.raises(UserError):
        settings.interpolate(CLASSES, *values)


def test_a_class_called_all_is_a_class():
    assert every(("All", "b")) == "All*"
    assert check_label(("All", "b"), "All") == 0 and check_label(("All", "b"), "All*") is None


def test_one_class_needs_no_name():
    assert check_label(("all",), None) == 0
    assert "class" not in to_address(("all",), settings.Generate(0, 1))


@pytest.mark.parametrize("level", [None, 0.01, 0.35, 1.5, 3.0, 1.23456789, 1.2345678901234567, 1 / 3])
@pytest.mark.parametrize("classes", [CLASSES, ("чорнобривці", "a&b=c"), ("all",)])
def test_the_address_brings_all_settings_back(level, classes):
    last = len(classes) - 1
    grid = settings.Generate(None if last else 0, 2**32 - 1, level, 7)
    film = settings.Interpolate(last, 3, 0, 4, level, "straight", 60, True)
    query = {
        "tab": "interpolate",
        **to_address(classes, grid),
        **to_address(classes, film),
        "__theme": "dark",
    }
    assert read(urlencode(query), classes, _never) == (grid, film)


def read(query, classes=CLASSES, fresh=lambda: 0, *more):
    address = Address(query, fresh, *more)
    return generate_from(address, classes), interpolate_from(address, classes)


def test_the_address_writes_a_truncation_out():
    assert to_address(CLASSES, settings.Generate(0, 1, 1.23456789))["truncation"] == "1.23456789"
    assert to_address(CLASSES, settings.Generate(0, 1, None))["truncation"] == "off"
    assert to_address(CLASSES, settings.Generate(0, 1, 1))["truncation"] == "1.0"


def _never() -> int:
    raise AssertionError("the address has every seed")


@pytest.mark.parametrize(
    "query",
    [
        None, 7, [], {}, "", "?", "?%", "?%ff%fe", "&&&===", "?" + "a=b&" * 100_000, "?tab=../../etc", "?tab=interpolate%00",
        "?class=rose&seed=-1&truncation=9&grid=8&from=x&from-seed=1e3&to=&to-seed=4294967296&film-truncation=nan&path=round&steps=61&loop=1",
        "?class[]=dandelion&seed=٣&truncation=inf&grid=0x2&steps=1_0", "?seed=" + "9" * 4000, "?seed=+7&grid= 3",
    ],
)  # fmt: skip
def test_whatever_the_address_holds_the_defaults_stand(query):
    grid, film = read(query, CLASSES, lambda: 11)
    assert grid == settings.Generate(None, 11, 1.5, settings.DEFAULT_SIDE)
    assert film == settings.Interpolate(0, 11, 1, 11, 1.5, "spherical", settings.DEFAULT_STEPS, False)


def test_one_bad_value_leaves_the_others():
    grid, _ = read("?class=dandelion&seed=5&truncation=off&grid=99")
    assert grid == settings.Generate(0, 5, None, settings.DEFAULT_SIDE)


def test_flowers_of_a_grid_and_of_a_film_have_classes_of_their_own():
    assert settings.Generate(None, 2**32 - 1, None, 2).flowers(CLASSES) == [
        Flower(1, 2**32 - 1, None), Flower(0, 0, None), Flower(1, 1, None), Flower(0, 2, None),
    ]  # fmt: skip
    assert settings.Interpolate(None, 3, 0, 4).ends(CLASSES) == (Flower(1, 3, 1.5), Flower(0, 4, 1.5))


@pytest.mark.parametrize(
    ("parts", "stem"),
    [(("a/b", 1), "a_b-1"), (("..", "..\\x"), "x"), (("чорнобривці", 7, "t1.5"), "чорнобривці-7-t1.5"), (("\n", ""), "flower")],
)
def test_file_names_are_safe(parts, stem):
    assert file_stem(*parts) == stem


@pytest.mark.parametrize("letter", ["a", "ж", "花", "𠀀"])
@pytest.mark.parametrize("length", [100, 104, 1000])
def test_a_long_file_name_keeps_what_makes_it_another_one(letter, length):
    name = letter * length
    stems = {file_stem(name, seed, "t1.5") for seed in range(100)} | {file_stem(name + letter, 7, "t1.5")}
    assert len(stems) == 101
    assert all(len(stem) <= 100 and len(f".{stem}.png.12345678.tmp".encode()) <= 255 for stem in stems)
    assert all(stem.startswith(letter) and f"-{seed}-t1.5-" in stem for seed in [7] for stem in stems if f"-{seed}-" in stem)
    ends = [file_stem(f"{name}-{seed}", "to", f"{name}-{seed + 1}") for seed in range(9)]
    assert len(set(ends)) == 9, "of films, too"


@pytest.mark.parametrize("name", ["CON", "nul", "Com1", "aux.photos"])
def test_no_file_is_called_like_a_device_of_windows(name):
    assert file_stem(name) == f"{name}_"
    assert file_stem(name.partition(".")[0], 7) == f"{name.partition('.')[0]}-7"


CHANGED = [
    Flower(1, 7, 1.5, "AAAA-_"), Flower((0.25, 0.75), 7, None), Flower(0, 2**32 - 1, 0.01, fine=StyleMix(1, 3, 2)),
    Flower((1 / 3, 2 / 3), 7, 3.0, "A" * 344, StyleMix(0, 0, 0)),
]  # fmt: skip


@pytest.mark.parametrize("flower", CHANGED)
def test_what_was_done_to_a_flower_travels_as_text(flower):
    about = describe(flower, CLASSES)
    back = described(CLASSES, about)
    assert describe(back, CLASSES) == about
    assert back.shift == flower.shift and back.fine == flower.fine and back.seed == flower.seed
    if isinstance(flower.label, tuple):
        assert back.label == pytest.approx(flower.label, abs=1e-6)
    ends = settings.Interpolate(main_class(flower), flower.seed, 0, 1, flower.truncation, from_extras=about["extras"])
    assert describe(ends.ends(CLASSES)[0], CLASSES) == about


@pytest.mark.parametrize(
    "text",
    [None, 7, "", "1.8~sAAAA", "0.7~sAAAA", "1.7~s../../etc", "1.7~m1:2:3", "1.7~m0:0", "1.7~m..:1", "1.7~f9:1:1",
     "1.7~f0:9999999999:1", "1.7", "٧.7~sAAAA"],
)  # fmt: skip
def test_extras_of_another_flower_or_of_none_are_left_out(text):
    plain = Flower(1, 7)
    assert with_extras(plain, text, CLASSES) == plain


@pytest.mark.parametrize("about", [None, [], "x", {}, {"class": "rose", "seed": 1}, {"class": "marigold", "seed": -1},
                                   {"class": "marigold", "seed": 1, "truncation": 9}])  # fmt: skip
def test_what_describes_no_flower_is_refused(about):
    with pytest.raises(UserError):
        described(CLASSES, about)


def test_a_flower_to_which_nothing_was_done_has_no_extras():
    assert extras(Flower(1, 7)) == ""
    assert describe(Flower(1, 7), CLASSES) == {"class": CLASSES[1], "seed": 7, "truncation": 1.5}


def test_an_address_without_a_truncation_takes_the_models_own():
    grid, film = read("?seed=1", CLASSES, lambda: 0, 0.75)
    assert (grid.truncation, film.truncation) == (0.75, 0.75)
    grid, film = read("?truncation=1.25&film-truncation=off", CLASSES, lambda: 0, 0.75)
    assert (grid.truncation, film.truncation) == (1.25, None)


MANY = tuple(f"species {number}" for number in range(1000))


@pytest.mark.parametrize("count", [2, 99, 100, 300, 1000])
def test_a_mix_of_however_many_classes_travels_as_text(count):
    classes = MANY[:count]
    mixed = Flower(tuple([0.625] + [0.0] * (count - 2) + [0.375]), 7)
    about = describe(mixed, classes)
    assert described(classes, about) == mixed and len(about["extras"]) <= 210
    assert collection.read(collection.write([mixed]), classes) == (mixed,)


def test_a_mix_of_few_classes_is_written_as_it_has_always_been():
    assert extras(Flower((0.625, 0.0, 0.375), 7)) == "0.7~m62.5:0:37.5"
    assert extras(Flower((1 / 3, 2 / 3), 7)) == "1.7~m33.3333:66.6667"
    assert extras(Flower(tuple([0.5] + [0.0] * 299 + [0.5]), 7)) == "0.7~m0-50:300-50"


def test_a_share_of_next_to_nothing_does_not_cost_the_others():
    mixed = Flower((0.6, 0.4 - 1e-9, 1e-9), 7)
    back = described(MANY[:3], describe(mixed, MANY[:3]))
    assert back.label == pytest.approx((0.6, 0.4, 0.0), abs=1e-6)


@pytest.mark.parametrize("mix", ["0-60:300-40", "0-60:0-40", "0-60:40", "0-", "-1", "0-60:1--1", "x-1", "0-0:1-0", "1-2-3"])
def test_a_mix_that_is_none_is_left_out(mix):
    assert with_extras(Flower(0, 7), f"0.7~m{mix}", MANY[:300]) == Flower(0, 7)


@pytest.mark.parametrize("width", [16, 512, 1047, 4096])
def test_a_shift_of_however_wide_a_style_travels_as_text(width):
    moved = Flower(1, 7, 1.5, write_shift(torch.linspace(-1, 1, width)))
    assert described(CLASSES, describe(moved, CLASSES)) == moved
    query = urlencode({"x-extras": extras(moved), "padding": "x" * 20_000, "y-extras": extras(moved)})
    assert Address(query, _never).text("y-extras") == extras(moved)


@pytest.mark.parametrize("seed", range(40))
def test_a_shift_comes_back_to_half_a_step_of_its_largest_coordinate(seed):
    shift = torch.randn(61, generator=torch.Generator().manual_seed(seed))
    back, most = read_shift(write_shift(shift), 61), shift.abs().max()
    assert (back - shift).abs().max() <= most / 253
    assert back.abs().max() == pytest.approx(most)
    assert write_shift(back) == write_shift(shift)


def test_two_forms_of_one_name_in_a_model_are_two_classes_and_else_either_form_will_do():
    single, combined = "L\u00f6wenzahn", "Lo\u0308wenzahn"
    assert [check_label((single, combined), name) for name in (single, combined)] == [0, 1]
    assert [check_label(("rose", single), name) for name in (single, combined)] == [1, 1]


def test_the_sentence_about_a_class_stays_short_where_there_are_hundreds():
    with pytest.raises(UserError, match=r"species 0, .*… \(1,000 in all\) or All") as caught:
        check_label(MANY, "rose")
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(("name", "most"), [("1x1", 60), ("2x2", 60), ("3x3", 26), ("4x3", 20)])
def test_many_films_in_one_have_fewer_pictures_and_a_link(name, most):
    assert settings.most_steps(name) == most
    values = [*FILM[:6], 60, True, "", "", name]
    wanted = settings.interpolate(CLASSES, *values)
    assert wanted.films == name and wanted.steps == most
    query = urlencode(to_address(CLASSES, wanted))
    assert interpolate_from(Address(query, lambda: 3), CLASSES) == wanted
    assert ("films=" + name in query) == (name != "1x1")


def test_a_number_of_films_that_is_not_there_is_refused():
    with pytest.raises(UserError, match="number of films"):
        settings.interpolate(CLASSES, *FILM, "", "", "9x9")
    assert interpolate_from(Address("films=9x9", lambda: 3), CLASSES).films == "1x1"
