"""gan.studio.upload: which pictures are taken from a stranger, and why the others are not."""

from __future__ import annotations

import base64
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from gan.studio import upload


def file(kind: str, side: int | tuple[int, int] = 256, **options) -> bytes:
    size = side if isinstance(side, tuple) else (side, side)
    noise = np.random.default_rng(1).integers(0, 256, (size[1] // 8 + 1, size[0] // 8 + 1, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def address(content: bytes, kind: str = "jpeg") -> str:
    return f"data:image/{kind};base64," + base64.b64encode(content).decode()


def reason(text) -> str:
    with pytest.raises(upload.Refused) as caught:
        upload.read(text)
    assert str(caught.value) == upload.SENTENCES[caught.value.reason]
    return caught.value.reason


@pytest.mark.parametrize(
    ("kind", "side", "options"),
    [
        ("jpeg", 256, {}), ("jpeg", 256, {"progressive": True, "quality": 95}), ("jpeg", 100, {"comment": b"hello"}),
        ("png", 128, {}), ("webp", 256, {}), ("webp", 64, {"lossless": True}),
    ],
)  # fmt: skip
def test_a_picture_of_each_kind_is_read(kind, side, options):
    content = file(kind, side, **options)
    pixels = upload.read(address(content, kind))
    assert pixels.shape == (256, 256, 3) and pixels.dtype == np.uint8 and pixels.flags.writeable
    with Image.open(io.BytesIO(content)) as image:
        wanted = np.asarray(image.convert("RGB").resize((256, 256), Image.Resampling.LANCZOS))
    assert np.abs(wanted.astype(int) - pixels).max() <= 1


def test_it_stands_upright_and_on_white():
    left_red = Image.new("RGB", (64, 64), "red")
    left_red.paste("blue", (32, 0, 64, 64))
    buffer, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter to the right
    left_red.save(buffer, "JPEG", exif=exif, quality=95)
    pixels = upload.read(address(buffer.getvalue()))
    assert pixels[20, 128, 0] > 200 and pixels[230, 128, 2] > 200
    clear = io.BytesIO()
    Image.new("RGBA", (64, 64), (0, 0, 0, 0)).save(clear, "PNG")
    assert upload.read(address(clear.getvalue(), "png")).min() == 255


def test_what_is_missing_or_no_address():
    assert reason(None) == reason("") == "missing"
    good = address(file("jpeg"))
    for bad in (
        7, [good], {"a": 1}, "hello", good.partition(",")[2], good.replace("base64,", ""), good.replace("data:", "http:"),
        good + "\n", good + "=", good[:-1] + "é", good.replace(",", ", "), good.replace("jpeg;", "jpeg;charset=x;"),
        good.replace("image/jpeg", "image/svg+xml"), good.replace("image/jpeg", "text/html"), good.replace("jpeg", "gif"),
        "data:image/jpeg;base64,AAA", "data:image/jpeg;base64,",
    ):  # fmt: skip
        assert reason(bad) == "address", str(bad)[:60]


def test_what_is_too_long_is_not_even_decoded(monkeypatch):
    monkeypatch.setattr(upload.base64, "b64decode", None)
    assert reason("data:image/jpeg;base64," + "A" * upload.MAX_TEXT) == "long"


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><script>alert(1)</script></svg>'


def test_the_kind_is_that_of_the_bytes():
    assert reason(address(SVG)) == reason(address(b"<html>" * 20)) == reason(address(b"PK\3\4" * 20)) == "kind"
    assert reason(address(file("gif", 64))) == reason(address(file("bmp", 64))) == reason(address(file("tiff", 64))) == "kind"
    assert reason(address(file("png", 64))) == reason(address(file("jpeg", 64), "webp")) == "kind"
    assert reason(address(b"\0\0\0\x18ftypheic" + bytes(40))) == "kind"


def bomb(width: int, height: int) -> bytes:
    """A PNG file that says it is so large."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes(100))),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


@pytest.mark.parametrize("size", [(60_000, 60_000), (2**31 - 1, 2**31 - 1), (1024, 1024), (513, 513)])
def test_bombs_are_refused_before_a_pixel_is_decoded(monkeypatch, size):
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    assert reason(address(bomb(*size), "png")) in ("sides", "damaged")
    monkeypatch.undo()
    assert reason(address(bomb(256, 256), "png")) == "damaged", "too few pixels"


def test_sides_that_are_no_square_or_too_small():
    assert reason(address(file("jpeg", (256, 255)))) == reason(address(file("png", 8), "png")) == "sides"


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_files_cut_short_anywhere_are_refused(kind):
    content = file(kind, 64)
    for length in (12, 20, 30, 60, len(content) // 2, len(content) - 40):
        assert reason(address(content[:length], kind)) in ("damaged", "kind"), length


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_damaged_files_are_a_sentence_or_a_picture_but_never_another_error(kind):
    content, random = file(kind, 64), np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(content)
        for place in random.integers(0, len(content), 8):
            damaged[place] = random.integers(0, 256)
        try:
            assert upload.read(address(bytes(damaged), kind)).shape == (256, 256, 3)
        except upload.Refused:
            pass


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
@pytest.mark.parametrize("more", [b"PK\5\6" + bytes(18), SVG, b"%PDF-1.4", b"\0", b"\xff\xd9"])
def test_what_stands_behind_the_picture_is_not_used(kind, more):
    content = file(kind, 64)
    assert np.array_equal(upload.read(address(content + more, kind)), upload.read(address(content, kind)))


def test_moving_pictures_are_refused():
    frames = [Image.new("RGB", (64, 64), color) for color in ("red", "blue")]
    for kind in ("png", "webp"):
        buffer = io.BytesIO()
        frames[0].save(buffer, kind, save_all=True, append_images=frames[1:])
        assert reason(address(buffer.getvalue(), kind)) == "moving"


def test_nothing_is_written(monkeypatch, tmp_path):
    monkeypatch.setattr("builtins.open", lambda *_, **__: pytest.fail("a file was opened"))
    upload.read(address(file("jpeg", 64)))
