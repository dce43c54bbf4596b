"""A bunch of flowers as a browser sends it and as an address says it; contact sheets and the PDF files they stand in."""

from __future__ import annotations

import io
import json
import re
import zlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import CLASSES, tiny_generator
from PIL import Image

from gan.errors import UserError
from gan.sampling import collection, settings
from gan.sampling.flower import Flower, StyleMix, write_shift
from gan.sampling.sampler import Sampler
from gan.studio import contact_sheet, pdf
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
    described = json.loads(json.dumps([settings.describe(flower, CLASSES) for flower in FLOWERS]))
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


def test_words_in_letters_that_the_fonts_have():
    assert contact_sheet.plain("Чорнобривці Їжа Щука") == "Chornobryvtsi Izha Shchuka"
    assert contact_sheet.plain("й́ é № ·") == "i e No ·"
    assert contact_sheet.plain("花") == "?" and contact_sheet.plain("花", "class 2") == "class 2"


def test_the_font_has_all_that_a_sheet_says():
    font = contact_sheet._font(20)
    lacking = bytes(font.getmask("\uffff"))  # what stands for a letter that is not there
    assert all(bytes(font.getmask(letter)) != lacking for letter in [*map(chr, range(33, 127)), "·"])


# ------------------------------------------------------------------------------------------------------------ the PDF


def objects_of(file: bytes) -> dict[int, bytes]:
    """The objects of a PDF file by the places that its table gives."""
    start = int(re.search(rb"startxref\n(\d+)\n%%EOF\n$", file)[1])
    table = file[start:].split(b"trailer")[0].splitlines()
    assert table[0] == b"xref" and table[2] == b"0000000000 65535 f "
    found = {}
    for number, line in enumerate(table[3:], 1):
        place = int(line[:10])
        head = f"{number} 0 obj\n".encode()
        assert len(line) == 19 and file[place:].startswith(head)
        found[number] = file[place + len(head) : file.index(b"\nendobj", place)]
    return found


def pages_of(file: bytes) -> list[bytes]:
    return [one for one in objects_of(file).values() if b"/Type /Page " in one]


@pytest.mark.parametrize(("count", "pages"), [(1, 1), (4, 1), (16, 1), (25, 1), (26, 2), (100, 4)])
def test_pages_of_the_pdf(count, pages):
    file = contact_sheet.document(sheet_of([Flower(0, seed) for seed in range(count)]))
    assert file.startswith(b"%PDF-1.4\n") and len(pages_of(file)) == pages
    assert all(b"/MediaBox [0 0 595 842]" in page for page in pages_of(file))
    assert f"/Type /Pages /Count {pages} ".encode() in file and file.count(b"/Subtype /Image") == count
    assert b"Date" not in file


def test_a_pdf_keeps_the_pictures_without_loss_and_the_words_as_words():
    drawn = replace(
        sheet_of(FLOWERS), pictures=[np.random.default_rng(one).integers(0, 256, (16, 16, 3), np.uint8) for one in range(4)]
    )
    streams = [
        zlib.decompress(one.split(b"stream\n", 1)[1].rsplit(b"\nendstream", 1)[0])
        for one in objects_of(contact_sheet.document(drawn)).values()
        if b"stream\n" in one
    ]
    assert [picture.tobytes() for picture in drawn.pictures] == streams[:4]
    words = [bytes.fromhex(found).decode("latin-1") for found in re.findall(r"<([0-9a-f]*)> Tj", streams[4].decode())]
    assert words[:3] == ["This Flower Does Not Exist", "tiny  ·  revision 0123456789ab  ·  4 flowers", "1 / 1"]
    assert words[3:6] == ["Dandelion", "seed 7", "truncation 1.5"] and words[-1] == "moved, crossed"
    for number, x, y, side in re.findall(r"q ([\d.]+) 0 0 [\d.]+ ([\d.]+) ([\d.]+) cm /P(\d)", streams[4].decode()):
        assert 0 <= float(x) <= 595 - float(number) and 0 <= float(y) <= 842 - float(number), side


def test_the_settings_are_in_the_properties_of_the_pdf():
    subject = re.search(rb"/Subject <feff([0-9a-f]+)>", contact_sheet.document(sheet_of(FLOWERS)))[1]
    about = json.loads(bytes.fromhex(subject.decode()).decode("utf-16-be"))
    assert collection.checked(CLASSES, about["flowers"]) == FLOWERS


def test_brackets_and_strange_letters_do_no_harm_to_a_pdf():
    page = pdf.Page()
    page.text(10, 20, "(a) \\ <b> Щ é", 9, (255, 0, 0))
    stream = next(one for one in objects_of(pdf.write([page], "Ї (")).values() if b"stream\n" in one)
    content = zlib.decompress(stream.split(b"stream\n", 1)[1].rsplit(b"\nendstream", 1)[0]).decode()
    words = "(a) \\ <b> ? é".encode("latin-1").hex()
    assert content == f"BT /F0 9 Tf 1 0 0 rg 10 822 Td <{words}> Tj ET"
