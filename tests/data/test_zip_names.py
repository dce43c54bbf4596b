"""gan.data.zip_names: class names out of archives as macOS, Windows and others write them; none is ever garbage."""

from __future__ import annotations

import struct
import unicodedata
import zipfile
import zlib
from pathlib import Path

import pytest
import test_sources
from pictures import make_photos
from test_sources import refusal

from gan.data import sources
from gan.data.image_folder import load_photos
from gan.data.zip_names import code_page

cache = test_sources.cache  # an empty one for each test

RUSSIAN = ["роза", "тюльпан", "Одуванчик", "МАК", "хризантема", "эхинацея", "щавель", "моя_астра/фото №1"]
UKRAINIAN = ["троянда", "чорнобривці", "Кульбаба", "їжак"]


class Raw(zipfile.ZipInfo):
    """An entry whose name is written as these bytes, without the flag of UTF-8."""

    def __init__(self, raw: bytes, extra: bytes = b"") -> None:
        super().__init__(raw.decode("cp437"))
        self.raw, self.extra = raw, extra

    def _encodeFilenameFlags(self):  # noqa: N802
        return self.raw, self.flag_bits & ~0x800


def archive(path: Path, photos: Path, names: dict[str, bytes], extra=lambda raw: b"") -> Path:
    """`photos` with the folder names written as these bytes; extra fields are made of the whole raw name."""
    with zipfile.ZipFile(path, "w") as made:
        for label, raw in names.items():
            for file in sorted((photos / label).iterdir()):
                whole = raw + b"/" + file.name.encode()
                made.writestr(Raw(whole, extra(whole)), file.read_bytes())
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return make_photos(tmp_path / "photos")


@pytest.mark.parametrize(
    ("how", "names"),
    [
        ("utf-8", ("роза", "тюльпан")), ("cp866", ("роза", "тюльпан")), ("cp1251", ("роза", "тюльпан")),
        ("cp866", ("Роза", "Тюльпан")), ("cp1251", ("РОЗА", "ТЮЛЬПАН")), ("cp850", ("Löwenzahn", "Gänseblümchen")),
        ("cp1252", ("Löwenzahn", "Gänseblümchen")), ("utf-8", ("Löwenzahn", "バラ")), ("ascii", ("rose", "tulip")),
    ],
)  # fmt: skip
def test_class_names_are_what_their_owner_wrote(photos: Path, tmp_path: Path, how: str, names: tuple[str, str]) -> None:
    raw = dict(zip(("dandelion", "marigold"), (name.encode(how) for name in names)))
    folder = sources.photo_folder(str(archive(tmp_path / "flowers.zip", photos, raw)))
    assert load_photos(folder, 32).counts() == {name: 8 for name in sorted(names)}


def test_the_decomposed_names_of_a_mac_are_composed(photos: Path, tmp_path: Path) -> None:
    raw = {"dandelion": unicodedata.normalize("NFD", "Löwenzahn").encode(), "marigold": b"Rose"}
    folder = sources.photo_folder(str(archive(tmp_path / "flowers.zip", photos, raw)))
    assert load_photos(folder, 32).classes == ("Löwenzahn", "Rose")


def test_a_name_given_in_unicode_beside_the_other_is_taken(photos: Path, tmp_path: Path) -> None:
    """The extra field of Info-ZIP, WinRAR and others; one of another name, as a rename leaves it, is not."""

    def unicode_path(raw: bytes, of: bytes) -> bytes:
        content = b"\1" + struct.pack("<I", zlib.crc32(of)) + raw.decode("cp866").replace("пион", "peony").encode()
        return struct.pack("<HH", 0x7075, len(content)) + content

    raw = {"dandelion": "пион".encode("cp866"), "marigold": b"rose"}
    path = archive(tmp_path / "flowers.zip", photos, raw, lambda whole: unicode_path(whole, whole))
    assert load_photos(sources.photo_folder(str(path)), 32).classes == ("peony", "rose")
    path = archive(tmp_path / "flowers.zip", photos, raw, lambda whole: unicode_path(whole, b"another"))
    assert load_photos(sources.photo_folder(str(path)), 32).classes == ("rose", "пион")


@pytest.mark.parametrize(
    ("how", "name"),
    [("cp932", "バラ"), ("gbk", "玫瑰"), ("big5", "玫瑰"), ("euc-kr", "장미"), ("cp737", "ίρις"), ("cp866", "ёж")],
)
def test_what_cannot_be_told_is_said_where_it_names_a_class(photos: Path, tmp_path: Path, how: str, name: str) -> None:
    path = archive(tmp_path / "flowers.zip", photos, {"dandelion": name.encode(how), "marigold": b"rose"})
    assert "code page that cannot be told" in refusal(path)
    with zipfile.ZipFile(path, "w") as made:  # the name of a photo is no matter
        for number, file in enumerate(sorted((photos / "marigold").iterdir())):
            made.writestr(Raw(b"rose/" + name.encode(how) + b"%d.png" % number), file.read_bytes())
    assert load_photos(sources.photo_folder(str(path)), 32).counts() == {"rose": 8}


def test_names_that_lead_out_do_so_in_no_disguise(tmp_path: Path) -> None:
    name = b"a/b.png"
    content = b"\1" + struct.pack("<I", zlib.crc32(name)) + b"../../out.png"
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as made:
        made.writestr(Raw(name, struct.pack("<HH", 0x7075, len(content)) + content), b"x")
    assert "leads out" in refusal(tmp_path / "bad.zip")


@pytest.mark.parametrize("how", ["cp866", "cp1251", "koi8-r"])
@pytest.mark.parametrize("word", RUSSIAN[:6])
def test_a_single_word_is_read_right_or_not_at_all(how: str, word: str) -> None:
    assert code_page([word.encode(how)]) in (how, "koi8-u" if how == "koi8-r" else None, None)


GREEK = ["τριαντάφυλλο", "Τουλίπα", "παπαρούνα", "ορχιδέα"]
HEBREW = ["ורד", "צבעוני", "נרקיס", "חמנית", "ציפורן"]


@pytest.mark.parametrize(("how", "words"), [("cp737", GREEK), ("cp1253", GREEK), ("cp862", HEBREW), ("cp1255", HEBREW)])
def test_greek_and_hebrew_names_are_not_taken_for_cyrillic_ones(how: str, words: list[str]) -> None:
    assert code_page(word.encode(how) for word in words) == how
    assert all(code_page([word.encode(how)]) in (how, None) for word in words)


def test_a_letter_of_iceland_is_not_read_as_one_of_the_centre() -> None:
    assert code_page(["þistill".encode("cp850")]) is None


def test_code_pages() -> None:
    for how in ("cp866", "cp1251"):
        assert code_page(name.encode(how) for name in RUSSIAN) == how
        names = UKRAINIAN if how == "cp1251" else [name.replace("і", "i") for name in UKRAINIAN]  # as Windows writes it there
        assert code_page(name.encode(how) for name in names) == how
    for how, name in (("cp850", "forêt"), ("cp852", "biały"), ("cp1252", "crème"), ("cp1250", "růže"), ("cp850", "piña")):
        page = code_page([name.encode(how)])
        assert page is None or name.encode(how).decode(page) == name
    assert code_page([]) == code_page([b"rose"]) == "utf-8"
