"""Contact sheets: flowers side by side with what they are, as one PNG picture and as A4 pages in a PDF file.

The same flowers give the same bytes: no date, and no font but Pillow's own and Helvetica. Neither has Cyrillic letters, so
the words are English, and names of classes and models are written in Latin letters (`plain`).
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gan.sampling import settings
from gan.sampling.flower import Flower
from gan.studio import pdf
from gan.utils import images

PAPER, INK, SOFT, MARK = (255, 253, 247), (34, 48, 31), (88, 98, 80), (168, 72, 10)
LEAST_SIDE = 192  # pixels of a picture in the PNG: below, ten digits of a seed do not fit under it in a legible size
MOST_COLUMNS = 10
MARGIN, GAP = 36.0, 12.0  # points
Line = tuple[str, tuple[int, int, int]]  # words and their colour


@dataclass(frozen=True)
class Sheet:
    """Drawn flowers with what there is to say of them."""

    flowers: Sequence[Flower]  # each with a class of its own
    pictures: Sequence[np.ndarray]  # uint8 S×S×3
    classes: Sequence[str]
    names: Sequence[str]  # of the classes, as people read them
    about: Mapping[str, Any]  # `model` and `revision`

    @property
    def heading(self) -> str:
        """The line below the title."""
        model, revision, count = plain(str(self.about["model"])), str(self.about["revision"])[:12], len(self.flowers)
        return f"{model}  ·  revision {revision}  ·  {count} flower{'s' if count > 1 else ''}"

    def caption(self, flower: Flower) -> list[Line]:
        """Class (left out where there is one only), seed and truncation of a flower, and what was done to it."""
        label = settings.main_class(flower)
        level = "no truncation" if flower.truncation is None else f"truncation {flower.truncation:.7g}"
        name = [(plain(self.names[label], f"class {label + 1}"), INK)] if len(self.classes) > 1 else []
        done = (("mixed", isinstance(flower.label, tuple)), ("moved", flower.shift), ("crossed", flower.fine))
        changed = ", ".join(word for word, true in done if true)
        return [*name, (f"seed {flower.seed}", SOFT), (level, SOFT), *([(changed, MARK)] if changed else [])]

    def settings(self) -> dict[str, Any]:
        """Everything needed to draw it again."""
        return {**self.about, "flowers": [settings.describe(flower, self.classes) for flower in self.flowers]}


# ---------------------------------------------------------------------------------------------------------------- PNG


def png(sheet: Sheet) -> bytes:
    """All of it as one picture, whole pictures enlarged by a whole number, with `sheet.settings()` in its text chunk."""
    tiles = [images.enlarge(np.asarray(picture), LEAST_SIDE) for picture in sheet.pictures]
    side, count = tiles[0].shape[0], len(tiles)
    size = side // 11  # of the letters: ten digits and a word then fit under a picture
    columns, lines = columns_for(count), _lines(sheet)
    gap, margin, line = side // 10, side // 6, round(size * 1.3)
    wide = max(columns * (side + gap) - gap, 2 * side + gap)  # room for the title above a single flower
    top, step = margin + 5 * size, side + gap // 3 + lines * line + gap
    rows = -(-count // columns)
    image = Image.new("RGB", (wide + 2 * margin, top + rows * step - gap + margin), PAPER)
    pen = ImageDraw.Draw(image)
    pen.text((margin, margin), images.SOFTWARE, INK, _font(round(size * 1.7)))
    pen.text((margin, margin + round(size * 2.4)), _fitted(sheet.heading, size, wide), SOFT, _font(size))
    for place, (flower, tile) in enumerate(zip(sheet.flowers, tiles)):
        x, y = margin + place % columns * (side + gap), top + place // columns * step
        image.paste(Image.fromarray(tile), (x, y))
        for number, (words, colour) in enumerate(sheet.caption(flower)):
            pen.text((x, y + side + gap // 3 + number * line), _fitted(words, size, side + gap // 2), colour, _font(size))
    return images.png(np.asarray(image), sheet.settings())


def columns_for(count: int) -> int:
    """Columns of the PNG: as many as rows or one more, four flowers or fewer in one row, 10 at most."""
    return count if count <= 4 else min(MOST_COLUMNS, math.ceil(math.sqrt(count)))


# ---------------------------------------------------------------------------------------------------------------- PDF


def document(sheet: Sheet) -> bytes:
    """A4 pages of pictures in two to five columns, as few as need no second page; the settings are in the file's properties."""
    columns = next((columns for columns in range(2, 5) if len(sheet.flowers) <= columns * _rows(sheet, columns)), 5)
    each = columns * _rows(sheet, columns)
    starts = range(0, len(sheet.flowers), each)
    pages = [_page(sheet, start, each, columns, f"{number} / {len(starts)}") for number, start in enumerate(starts, 1)]
    return pdf.write(pages, images.SOFTWARE, json.dumps(sheet.settings(), sort_keys=True), images.SOFTWARE)


def _measures(sheet: Sheet, columns: int) -> tuple[float, float, float]:
    """Side of a picture, size of the letters, and height of a row."""
    side = (pdf.A4[0] - 2 * MARGIN - (columns - 1) * GAP) / columns
    size = max(8.0, min(11.0, side / 13))
    return side, size, side + 4 + _lines(sheet) * size * 1.25 + GAP


def _rows(sheet: Sheet, columns: int) -> int:
    return int((pdf.A4[1] - 2 * MARGIN - 46 + GAP) // _measures(sheet, columns)[2])


def _page(sheet: Sheet, start: int, each: int, columns: int, number: str) -> pdf.Page:
    page, (side, size, step) = pdf.Page(), _measures(sheet, columns)
    width = page.size[0] - 2 * MARGIN
    page.text(MARGIN, MARGIN + 14, images.SOFTWARE, 16, INK, bold=True)
    page.text(MARGIN, MARGIN + 30, _fitted(sheet.heading, 9, width - 50), 9, SOFT)
    page.text(page.size[0] - MARGIN - _width(number, 9), MARGIN + 30, number, 9, SOFT)
    for place, flower in enumerate(sheet.flowers[start : start + each]):
        x, y = MARGIN + place % columns * (side + GAP), MARGIN + 46 + place // columns * step
        page.picture(x, y, side, sheet.pictures[start + place])
        for line, (words, colour) in enumerate(sheet.caption(flower)):
            below = y + side + 4 + (line + 0.8) * size * 1.25
            page.text(x, below, _fitted(words, size, side + GAP / 2), size, colour, bold=line == 0)
    return page


# --------------------------------------------------------------------------------------------------------------- words


def _lines(sheet: Sheet) -> int:
    return max(len(sheet.caption(flower)) for flower in sheet.flowers)


@lru_cache(maxsize=16)
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


def _width(words: str, size: float) -> float:
    """About: Pillow's font is of Helvetica's kind, and a little of reserve makes up for the difference."""
    return _font(100).getlength(words) * size / 100 * 1.04


def _fitted(words: str, size: float, width: float) -> str:
    """`words`, cut where they are wider than `width`."""
    if _width(words, size) <= width:
        return words
    while words and _width(words + "...", size) > width:
        words = words[:-1]
    return words + "..."


_CYRILLIC = dict(
    zip(
        "абвгґдеєжзиіїйклмнопрстуфхцчшщьюяёъыэ",
        "a b v h g d e ie zh z y i i i k l m n o p r s t u f kh ts ch sh shch  iu ia e  y e".split(" "),
    )
)  # the Ukrainian national table of 2010, and the four letters it lacks


def plain(words: str, otherwise: str = "") -> str:
    """`words` in letters that both fonts have: Cyrillic transliterated, accents left off, `?` for what remains.

    `otherwise`, if given, stands for words in which something would remain.
    """
    spelt = "".join(_latin(letter) for letter in unicodedata.normalize("NFC", words))
    bare = "".join(one for one in unicodedata.normalize("NFKD", spelt) if not unicodedata.combining(one))
    fit = "".join(one if " " <= one <= "~" or one == "·" else "?" for one in bare)
    return otherwise if otherwise and "?" in fit and "?" not in words else fit


def _latin(letter: str) -> str:
    found = _CYRILLIC.get(letter.lower(), letter)
    return found if letter == letter.lower() else found.capitalize()
