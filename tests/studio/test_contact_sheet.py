"""A bunch of flowers as a browser sends it and as an address says it; contact sheets and the PDF files they stand in."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import numpy as np
import pypdf
import pytest
import torch
from conftest import CLASSES, tiny_generator
from PIL import Image

from gan.errors import UserError
from gan.sampling import collection
from gan.sampling.flower import Flower, StyleMix, describe, write_shift
from gan.sampling.sampler import Sampler
from gan.studio import contact_sheet
from gan.utils import images

FLOWERS = [
    Flower(0, 7, 1.5),
    Flower(1, 2**32 - 1, None),
    Flower((0.4, 0.6), 12, 0.1 + 0.2),
    replace(Flower(1, 3, 1.0), shift=write_shift(torch.linspace(-1, 1, 8)), fine=StyleMix(0, 5, 3)),
]


def sheet_of(flowers, classes=CLASSES, names=("Dandelion", "Marigold")) -> contact_sheet.Sheet:
    pictures = [np.full((16, 16, 3), number, np.uint8) for number in range(len(flowers))]
    return contact_sheet.Sheet(flowers, pictures, classes, names, {"model": "tiny", "revision": "0123456789abcdef"})


# ----------------------------------------------------------------------------------------------------------- a bunch


def test_flowers_of_a_browser_are_those_that_were_described():
    described = json.loads(json.dumps([describe(flower, CLASSES) for flower in FLOWERS]))
    assert collection.checked(CLASSES, described) == FLOWERS
    assert collection.checked(CLASSES, []) == []


PLAIN = {"class": "dandelion", "seed": 7, "truncation": 1.5}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (None, "the list of flowers is missing"),
        ("flowers", "the list of flowers is 'flowers'"),
        ({"0": PLAIN}, "the list of flowers is"),
        ([PLAIN] * 101, "101 flowers are too many; choose 100 at most"),
        ([PLAIN, None], "that is no flower"),
        ([{**PLAIN, "class": "rose"}], "the class is 'rose'"),
        ([{**PLAIN, "class": ["dandelion"]}], "the class is"),
        ([{**PLAIN, "seed": 2**32}], "the seed is 4294967296"),
        ([{**PLAIN, "seed": "7"}], "the seed is '7'"),
        ([{**PLAIN, "truncation": 4}], "the truncation is 4"),
        ([{**PLAIN, "extras": "0.8~m60:40"}], "what was changed in the flower of seed 7 cannot be read"),
        ([{**PLAIN, "extras": "0.7~m60:40:10"}], "what was changed"),
        ([{**PLAIN, "extras": {"mix": [1, 2]}}], "what was changed"),
    ],
)
def test_what_describes_no_flowers_is_refused(values, sentence):
    with pytest.raises(UserError, match=re.escape(sentence)):
        collection.checked(CLASSES, values)


def test_an_address_brings_them_back():
    text = collection.write(FLOWERS)
    assert collection.read(text, CLASSES) == tuple(FLOWERS)
    assert collection.write(FLOWERS[:2]) == "1.5*0.7*off*1.4294967295"
    assert collection.write([]) == "" and collection.read("", CLASSES) == ()


@pytest.mark.parametrize(
    "text",
    [None, 7, "1.5", "1.5*0.7*1.5", "1.5*0.7*x*0.8", "9*0.7", "1.5*2.7", "1.5*0.4294967296", "1.5*0.7~m1", "1.5*0.7!",
     "nan*0.7", "1.5*9999.7", "*".join(["1.5*0.7"] * 5)],
)  # fmt: skip
def test_an_address_that_says_no_flowers_gives_none(text):
    assert collection.read(text, CLASSES, most=4) == ()


# ---------------------------------------------------------------------------------------------------------- the sheet


def test_a_png_has_every_picture_in_order_and_says_what_they_are():
    sampler = Sampler(tiny_generator(), 1)
    plain = FLOWERS[:3]
    drawn = replace(sheet_of(plain), pictures=sampler.draw(plain))
    file = contact_sheet.png(drawn)
    assert file == contact_sheet.png(drawn)
    about = images.read_settings(file)
    assert about["model"] == "tiny" and about["revision"] == "0123456789abcdef"
    assert collection.checked(CLASSES, about["flowers"]) == plain
    with Image.open(io.BytesIO(file)) as image:
        whole = np.asarray(image)
    side = 192
    lefts = []
    for picture in drawn.pictures:
        tile = images.enlarge(picture, contact_sheet.LEAST_SIDE)
        rows, columns = np.nonzero((whole == tile[0, 0]).all(-1))
        found = [
            (y, x) for y, x in zip(rows, columns)
            if y + side <= len(whole) and x + side <= whole.shape[1] and np.array_equal(whole[y : y + side, x : x + side], tile)
        ]  # fmt: skip
        assert len(found) == 1
        lefts.append(found[0][1])
    assert lefts == sorted(lefts) and len({*lefts}) == 3


def test_another_order_or_truncation_is_another_file():
    first = sheet_of(FLOWERS)
    assert contact_sheet.document(first) == contact_sheet.document(sheet_of(FLOWERS))
    others = [sheet_of(FLOWERS[::-1]), sheet_of([replace(FLOWERS[0], truncation=1.25), *FLOWERS[1:]])]
    assert len({make(one) for make in (contact_sheet.png, contact_sheet.document) for one in (first, *others)}) == 6


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (4, 4), (5, 3), (17, 5), (100, 10)])
def test_columns_of_the_png(count, columns):
    assert contact_sheet.columns_for(count) == columns
    with Image.open(io.BytesIO(contact_sheet.png(sheet_of([Flower(0, seed) for seed in range(count)])))) as image:
        assert max(1, (image.width - 64) // 192) >= columns and image.width <= columns * 220 + 300


def test_a_caption_says_class_seed_truncation_and_what_was_done():
    drawn = sheet_of(FLOWERS)
    said = [[words for words, _ in drawn.caption(flower)] for flower in FLOWERS]
    assert said == [
        ["Dandelion", "seed 7", "truncation 1.5"],
        ["Marigold", "seed 4294967295", "no truncation"],
        ["Marigold", "seed 12", "truncation 0.3", "mixed"],
        ["Marigold", "seed 3", "truncation 1", "moved, crossed"],
    ]
    alone = replace(drawn, classes=CLASSES[:1], names=("Dandelion",))
    assert [words for words, _ in alone.caption(FLOWERS[0])] == ["seed 7", "truncation 1.5"]


def test_letters_that_the_font_lacks_are_question_marks():
    assert contact_sheet.legible("Чорнобривці Їжа Ґанок é № ·") == "Чорнобривці Їжа Ґанок é № ·"
    assert contact_sheet.legible("花 e\u0301") == "? é" and contact_sheet.legible("花", "class 2") == "class 2"


@pytest.mark.parametrize("bold", [False, True])
def test_the_font_has_all_that_a_sheet_says(bold):
    font = contact_sheet._font(20, bold)
    lacking = bytes(font.getmask("\uffff"))  # what stands for a letter that is not there
    ukrainian = "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя"
    letters = [*map(chr, range(33, 127)), *"·…", *ukrainian, *ukrainian.upper()]
    assert all(bytes(font.getmask(letter)) != lacking and ord(letter) in contact_sheet._letters() for letter in letters)


# ------------------------------------------------------------------------------------------------------------ the PDF


def read(file: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(file), strict=True)


@pytest.mark.parametrize(("count", "pages"), [(1, 1), (4, 1), (16, 1), (25, 1), (26, 2), (100, 4)])
def test_pages_of_the_pdf(count, pages):
    found = read(contact_sheet.document(sheet_of([Flower(0, seed) for seed in range(count)]))).pages
    assert len(found) == pages and sum(len(page.images) for page in found) == count
    assert all((round(page.mediabox.width), round(page.mediabox.height)) == (595, 842) for page in found)


def test_a_pdf_keeps_the_pictures_without_loss_and_the_words_as_words():
    drawn = replace(
        sheet_of(FLOWERS, names=("Кульбаба", "Marigold")),
        pictures=[np.random.default_rng(one).integers(0, 256, (16, 16, 3), np.uint8) for one in range(4)],
    )
    page = read(contact_sheet.document(drawn)).pages[0]
    kept = [np.asarray(picture.image.convert("RGB")) for picture in page.images]
    assert all(np.array_equal(one, wanted) for one, wanted in zip(kept, drawn.pictures, strict=True))
    words = page.extract_text()
    for line in (
        "This Flower Does Not Exist", "tiny  ·  revision 0123456789ab  ·  4 flowers", "1 / 1", "Кульбаба", "seed 7",
        "truncation 1.5", "Marigold", "seed 4294967295", "no truncation", "moved, crossed",
    ):  # fmt: skip
        assert line in words


def test_everything_stands_on_the_page():
    file = read(contact_sheet.document(sheet_of([Flower(one % 2, 2**32 - 1 - one, 1.5) for one in range(25)])))
    places = []
    file.pages[0].extract_text(visitor_text=lambda text, _, matrix, *__: places.append(matrix[4:6]) if text.strip() else None)
    assert len(places) >= 3 + 25 * 3 and all(36 <= x < 595 - 36 and 0 < y < 842 for x, y in places)


def test_the_settings_are_in_the_properties_of_the_pdf():
    said = read(contact_sheet.document(sheet_of(FLOWERS))).metadata
    assert collection.checked(CLASSES, json.loads(said.subject)["flowers"]) == FLOWERS
    assert said.title == "This Flower Does Not Exist" and said.creation_date == contact_sheet.DATE


def test_brackets_and_strange_letters_do_no_harm_to_a_pdf():
    name = "(a) \\ <b> Щ é 花"
    page = read(contact_sheet.document(sheet_of(FLOWERS[:1], names=(name, name)))).pages[0]
    assert "class 1" in page.extract_text()
    page = read(contact_sheet.document(sheet_of(FLOWERS[:1], names=(name[:-2], name)))).pages[0]
    assert name[:-2] in page.extract_text()
