"""Pages with pictures and text as a PDF file (ISO 32000-1): the same pages give the same bytes, and text stays text.

Lengths are points, 72 an inch, from the upper left corner of a page. Pictures are kept without loss. Text is in Helvetica,
which every reader of PDF has and no file need carry; it has the letters of Western Europe only (`plain`).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

A4 = (595.0, 842.0)
FONTS = ("Helvetica", "Helvetica-Bold")


@dataclass
class Page:
    """What stands on a page of `size`: `text` and `picture` add to it."""

    size: tuple[float, float] = A4
    marks: list[str] = field(default_factory=list)
    pictures: list[np.ndarray] = field(default_factory=list)

    def text(self, x: float, y: float, words: str, points: float, colour: Sequence[int], bold: bool = False) -> None:
        """One line whose letters stand on the line y; `colour` is three values from 0 to 255.

        Where Helvetica lacks a letter there is a question mark.
        """
        paint = " ".join(_number(value / 255) for value in colour)
        place = f"{_number(x)} {_number(self.size[1] - y)}"
        # Latin-1 is what WinAnsiEncoding says in all places that are used here.
        shown = words.encode("latin-1", "replace").hex()
        self.marks.append(f"BT /F{int(bold)} {_number(points)} Tf {paint} rg {place} Td <{shown}> Tj ET")

    def picture(self, x: float, y: float, side: float, picture: np.ndarray) -> None:
        """A picture, uint8 H×W×3, in a square whose upper left corner is (x, y)."""
        corner = f"{_number(x)} {_number(self.size[1] - y - side)}"
        self.marks.append(f"q {_number(side)} 0 0 {_number(side)} {corner} cm /P{len(self.pictures)} Do Q")
        self.pictures.append(picture)


def write(pages: Sequence[Page], title: str, about: str = "", maker: str = "") -> bytes:
    """The file. `title`, `about` (its subject) and `maker` stand in its properties; no date does."""
    objects: list[bytes] = []

    def add(content: bytes) -> int:
        objects.append(content)
        return len(objects)

    root, tree = add(b""), add(b"")  # filled when all that they name has a number
    fonts = [add(f"<< /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding >>".encode()) for name in FONTS]
    kids = [_page(page, tree, fonts, add) for page in pages]
    objects[root - 1] = f"<< /Type /Catalog /Pages {tree} 0 R >>".encode()
    objects[tree - 1] = f"<< /Type /Pages /Count {len(kids)} /Kids [{' '.join(f'{kid} 0 R' for kid in kids)}] >>".encode()
    info = add(f"<< /Title {_string(title)} /Subject {_string(about)} /Creator {_string(maker)} >>".encode())
    return _file(objects, root, info)


def _page(page: Page, tree: int, fonts: Sequence[int], add) -> int:  # noqa: ANN001
    pictures = [add(_stream(_picture(picture), np.ascontiguousarray(picture).tobytes())) for picture in page.pictures]
    named = " ".join(f"/P{number} {one} 0 R" for number, one in enumerate(pictures))
    letters = " ".join(f"/F{number} {one} 0 R" for number, one in enumerate(fonts))
    content = add(_stream("", "\n".join(page.marks).encode("ascii")))
    box = f"[0 0 {_number(page.size[0])} {_number(page.size[1])}]"
    resources = f"<< /Font << {letters} >> /XObject << {named} >> >>"
    return add(f"<< /Type /Page /Parent {tree} 0 R /MediaBox {box} /Resources {resources} /Contents {content} 0 R >>".encode())


def _picture(picture: np.ndarray) -> str:
    height, width = picture.shape[:2]
    return (
        f"/Type /XObject /Subtype /Image /Width {width} /Height {height} /ColorSpace /DeviceRGB /BitsPerComponent 8 "
        "/Interpolate true "
    )


def _stream(entries: str, content: bytes) -> bytes:
    packed = zlib.compress(content, 6)
    return f"<< {entries}/Filter /FlateDecode /Length {len(packed)} >>\nstream\n".encode() + packed + b"\nendstream"


def _string(words: str) -> str:
    return f"<{(chr(0xFEFF) + words).encode('utf-16-be').hex()}>"


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _file(objects: Sequence[bytes], root: int, info: int) -> bytes:
    file, places = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"), []  # bytes above 127: it is not to be sent as text
    for number, content in enumerate(objects, 1):
        places.append(len(file))
        file += f"{number} 0 obj\n".encode() + content + b"\nendobj\n"
    table = len(file)
    file += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    file += "".join(f"{place:010d} 00000 n \n" for place in places).encode()
    file += f"trailer\n<< /Size {len(objects) + 1} /Root {root} 0 R /Info {info} 0 R >>\n".encode()
    return bytes(file + f"startxref\n{table}\n%%EOF\n".encode())
