"""Contact sheets: flowers side by side with what they are, as one PNG picture and as A4 pages in a PDF file.

The same flowers give the same bytes: the date in the PDF is fixed, and the font comes with this package (fonts/). It has Latin,
Greek and Cyrillic letters.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gan.sampling.flower import Flower, describe, main_class
from gan.utils import images

if TYPE_CHECKING:
    from fpdf import FPDF

FONTS = Path(__file__).parent / "fonts"
FONT, BOLD = FONTS / "DejaVuSansCondensed.ttf", FONTS / "DejaVuSansCondensed-Bold.ttf"

PAPER, INK, SOFT, MARK = (255, 253, 247), (34, 48, 31), (88, 98, 80), (168, 72, 10)
LEAST_SIDE = 192  # pixels of a picture in the PNG: below, ten digits of a seed do not fit under it in a legible size
MOST_COLUMNS = 10
A4 = (595.28, 841.89)  # points, 72 an inch
MARGIN, GAP = 36.0, 12.0  # points
DATE = datetime(1980, 1, 1, tzinfo=timezone.utc)  # of every PDF: the same flowers, the same file
Line = tuple[str, tuple[int, int, int]]  # text and its color


@dataclass(frozen=True)
class Sheet:
    """Flowers, their pictures, and what is printed about them."""

    flowers: Sequence[Flower]  # each with a class of its own
    pictures: Sequence[np.ndarray]  # uint8 S×S×3
    classes: Sequence[str]
    names: Sequence[str]  # of the classes, as people read them
    about: Mapping[str, Any]  # `model` and `revision`

    @property
    def heading(self) -> str:
        """The line below the title: model, revision, number of flowers."""
        model, revision, count = legible(str(self.about["model"])), str(self.about["revision"])[:12], len(self.flowers)
        return f"{model}  ·  revision {revision}  ·  {count} flower{'s' if count > 1 else ''}"

    def caption(self, flower: Flower) -> list[Line]:
        """The lines below a flower: its class if the model has several, seed, truncation, and kinds of changes."""
        label = main_class(flower)
        level = "no truncation" if flower.truncation is None else f"truncation {flower.truncation:.7g}"
        name = [(legible(self.names[label], f"class {label + 1}"), INK)] if len(self.classes) > 1 else []
        done = (("mixed", isinstance(flower.label, tuple)), ("moved", flower.shift), ("crossed", flower.fine))
        changed = ", ".join(word for word, true in done if true)
        return [*name, (f"seed {flower.seed}", SOFT), (level, SOFT), *([(changed, MARK)] if changed else [])]

    def settings(self) -> dict[str, Any]:
        """The metadata of the file: everything that is needed to draw the sheet again."""
        return {**self.about, "flowers": [describe(flower, self.classes) for flower in self.flowers]}


# ---------------------------------------------------------------------------------------------------------------- PNG


def png(sheet: Sheet) -> bytes:
    """The sheet as one PNG file. Pictures are enlarged by a whole number; `sheet.settings()` is in the text chunk."""
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
        for number, (words, color) in enumerate(sheet.caption(flower)):
            pen.text((x, y + side + gap // 3 + number * line), _fitted(words, size, side + gap // 2), color, _font(size))
    return images.png(np.asarray(image), sheet.settings())


def columns_for(count: int) -> int:
    """Columns of the PNG: one row up to four flowers, otherwise the square root of the count rounded up, at most 10."""
    return count if count <= 4 else min(MOST_COLUMNS, math.ceil(math.sqrt(count)))


# ---------------------------------------------------------------------------------------------------------------- PDF


def document(sheet: Sheet) -> bytes:
    """A4 pages of pictures in two to five columns, as few as need no second page; the settings are in the file's properties.

    Pictures are kept without loss, and words stay words, which can be searched and copied.
    """
    file = _empty_document(sheet)
    columns = next((columns for columns in range(2, 5) if len(sheet.flowers) <= columns * _rows(sheet, columns)), 5)
    each = columns * _rows(sheet, columns)
    starts = range(0, len(sheet.flowers), each)
    for number, start in enumerate(starts, 1):
        _add_page(file, sheet, start, each, columns, f"{number} / {len(starts)}")
    return bytes(file.output())


def _empty_document(sheet: Sheet) -> FPDF:
    from fpdf import FPDF  # takes a while to import, and only a PDF needs it

    file = FPDF(unit="pt", format="A4")
    file.add_font("sheet", "", FONT)
    file.add_font("sheet", "B", BOLD)
    file.set_image_filter("FlateDecode")
    file.set_creation_date(DATE)
    file.set_title(images.SOFTWARE)
    file.set_creator(images.SOFTWARE)
    file.set_subject(json.dumps(sheet.settings(), sort_keys=True))
    return file


def _measures(sheet: Sheet, columns: int) -> tuple[float, float, float]:
    """Side of a picture, size of the letters, and height of a row."""
    side = (A4[0] - 2 * MARGIN - (columns - 1) * GAP) / columns
    size = max(8.0, min(11.0, side / 13))
    return side, size, side + 4 + _lines(sheet) * size * 1.25 + GAP


def _rows(sheet: Sheet, columns: int) -> int:
    return int((A4[1] - 2 * MARGIN - 46 + GAP) // _measures(sheet, columns)[2])


def _add_page(file: FPDF, sheet: Sheet, start: int, each: int, columns: int, number: str) -> None:
    """A page with up to `each` flowers, those from number `start` on; `number` says which page it is."""
    (side, size, step), width = _measures(sheet, columns), A4[0] - 2 * MARGIN
    file.add_page()
    _write(file, MARGIN, MARGIN + 14, images.SOFTWARE, 16, INK, bold=True)
    _write(file, MARGIN, MARGIN + 30, _fitted(sheet.heading, 9, width - 50), 9, SOFT)
    _write(file, A4[0] - MARGIN - _width(number, 9), MARGIN + 30, number, 9, SOFT)
    for place, flower in enumerate(sheet.flowers[start : start + each]):
        x, y = MARGIN + place % columns * (side + GAP), MARGIN + 46 + place // columns * step
        file.image(Image.fromarray(sheet.pictures[start + place]), x, y, side, side)
        for line, (words, color) in enumerate(sheet.caption(flower)):
            below = y + side + 4 + (line + 0.8) * size * 1.25
            _write(file, x, below, _fitted(words, size, side + GAP / 2, bold=line == 0), size, color, bold=line == 0)


def _write(file: FPDF, x: float, y: float, words: str, size: float, color: Sequence[int], bold: bool = False) -> None:
    """One line whose letters stand on the line y."""
    file.set_font("sheet", "B" if bold else "", size)
    file.set_text_color(*color)
    file.text(x, y, words)


# --------------------------------------------------------------------------------------------------------------- words


def _lines(sheet: Sheet) -> int:
    return max(len(sheet.caption(flower)) for flower in sheet.flowers)


@lru_cache(maxsize=16)
def _font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(BOLD if bold else FONT, size, layout_engine=ImageFont.Layout.BASIC)


def _width(words: str, size: float, bold: bool = False) -> float:
    return _font(100, bold).getlength(words) * size / 100


def _fitted(words: str, size: float, width: float, bold: bool = False) -> str:
    """`words`, cut where they are wider than `width`."""
    if _width(words, size, bold) <= width:
        return words
    while words and _width(words + "…", size, bold) > width:
        words = words[:-1]
    return words + "…"


@cache
def _letters() -> frozenset[int]:
    """Numbers of the letters that the font has."""
    from fontTools.ttLib import TTFont

    return frozenset(TTFont(FONT).getBestCmap())


def legible(words: str, otherwise: str = "") -> str:
    """`words` with `?` for every letter that the font lacks. `otherwise`, if given, stands for words with such a letter."""
    words = unicodedata.normalize("NFC", words)
    shown = "".join(letter if ord(letter) in _letters() else "?" for letter in words)
    return otherwise if otherwise and shown != words else shown
