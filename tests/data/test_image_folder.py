"""gan.data.image_folder: what a folder may hold, and what is said about what cannot be used. All files are made here."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import unicodedata
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from gan.data import decode, manifest
from gan.data.image_folder import MIN_PHOTOS, Skipped, find_photos, load_photos, sample_classes
from gan.errors import UserError
from gan.utils import memory

SIZE = 16
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8))


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def plain(color=RED, size=(20, 20), mode: str = "RGB") -> Image.Image:
    return Image.new(mode, size, color)


def fill(folder: Path, count: int = MIN_PHOTOS, start: int = 0) -> Path:
    """Good photos `~0.png`, `~1.png`, … (sorted behind what a test adds), each of its own gray."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(start, start + count):
        (folder / f"~{number}.png").write_bytes(encoded(plain((number,) * 3)))
    return folder


def load_one(tmp_path: Path, content: bytes, name: str = "a.jpg", size: int = SIZE) -> torch.Tensor:
    """`content` as the first photo of a folder: 3×size×size."""
    fill(tmp_path / "roses")
    (tmp_path / "roses" / name).write_bytes(content)
    photos = load_photos(tmp_path, size)
    assert not photos.skipped
    assert len(photos.images) == MIN_PHOTOS + 1
    return photos.images[0]


def color(image: torch.Tensor) -> tuple[int, ...]:
    """The one color of an image."""
    assert (image == image[:, :1, :1]).all()
    return tuple(image[:, 0, 0].tolist())


def png(width: int, height: int, rows: bytes = b"", depth: int = 8) -> bytes:
    """A gray PNG by hand, whose header may claim anything."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def tiff(
    strips: list[bytes], bits: tuple[int, ...], photometric: int = 2, planar: int = 1, order: str = "<", packed: bool = False,
    samples: int = 0, more: tuple = (), kind: int = 1,
) -> bytes:  # fmt: skip
    """A TIFF of 20×20 pixels by hand: a strip a plane, the bits of each channel, and `more` tags."""
    strips = [zlib.compress(strip) for strip in strips] if packed else strips
    tags = [
        (256, "H", [20]), (257, "H", [20]), (258, "H", bits), (259, "H", [8 if packed else 1]), (262, "H", [photometric]),
        (273, "I", [0] * len(strips)), (277, "H", [samples or len(bits)]), (278, "H", [20]),
        (279, "I", list(map(len, strips))), (284, "H", [planar]), (339, "H", [kind] * len(bits)), *more,
    ]  # fmt: skip
    tags.sort()
    place, body, entries = 8 + 2 + 12 * len(tags) + 4, b"", b""
    offsets = [place + sum(map(len, strips[:number])) for number in range(len(strips))]
    body = b"".join(strips)
    for tag, code, values in tags:
        value = struct.pack(f"{order}{len(values)}{code}", *(offsets if tag == 273 else values))
        if len(value) > 4:
            value, body = struct.pack(f"{order}I", place + len(body)), body + value
        entries += struct.pack(f"{order}HHI", tag, {"H": 3, "I": 4}[code], len(values)) + value.ljust(4, b"\0")
    head = struct.pack(f"{order}2sHIH", b"II" if order == "<" else b"MM", 42, 8, len(tags))
    return head + entries + bytes(4) + body


def words(value: int, order: str = "<", count: int = 400) -> bytes:
    return np.full(count, value, f"{order}u2").tobytes()


def with_notes(**options) -> bytes:
    info = PngInfo()
    for name, text in options.pop("text", {}).items():
        info.add_text(name, text, zip=True)
    return encoded(plain(RED), pnginfo=info, **options)


def ramp(most: int, shape: tuple = (20, 20), kind: str = "PNG") -> bytes:
    """16-bit gray from 0 to `most`."""
    return encoded(Image.fromarray(np.linspace(0, most, 400).reshape(shape).astype(np.uint16)), kind)


def png16(values: np.ndarray) -> bytes:
    """A PNG of 16 bits a channel by hand, of uint16 20×20×3."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    return png(20, 20, rows, depth=16).replace(*(
        struct.pack(">IIBB", 20, 20, 16, kind) + bytes(3) + checksum(kind) for kind in (0, 2)
    ))  # fmt: skip


def checksum(kind: int) -> bytes:
    return struct.pack(">I", zlib.crc32(b"IHDR" + struct.pack(">IIBB", 20, 20, 16, kind) + bytes(3)))


def gray16(value: int) -> Image.Image:
    return Image.fromarray(np.full((20, 20), value, np.uint16))


def two_frames() -> bytes:
    return encoded(plain(RED), "GIF", save_all=True, append_images=[plain(BLUE)], duration=100)


def see_through_palette() -> bytes:
    image = Image.new("P", (20, 20), 1)
    image.putpalette([0, 255, 0, 255, 0, 0])
    return encoded(image, transparency=1)


# ------------------------------------------------------------------------------------------------------------ formats


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(encoded(plain(RED), "JPEG", quality=95), RED, id="jpeg"),
        pytest.param(encoded(plain(RED), "PNG"), RED, id="png"),
        pytest.param(encoded(plain(RED), "WEBP", lossless=True), RED, id="webp"),
        pytest.param(encoded(plain(RED), "BMP"), RED, id="bmp"),
        pytest.param(encoded(plain(RED), "TIFF"), RED, id="tiff"),
        pytest.param(encoded(plain(RED), "TIFF", compression="tiff_lzw"), RED, id="tiff-lzw"),
        pytest.param(two_frames(), RED, id="gif-first-frame"),
        pytest.param(encoded(plain(77, mode="L")), (77,) * 3, id="gray"),
        pytest.param(encoded(plain(1, mode="1")), WHITE, id="one-bit"),
        pytest.param(encoded(gray16(0)), (0,) * 3, id="16-bit-black"),
        pytest.param(encoded(gray16(0x8080)), (128,) * 3, id="16-bit-middle"),
        pytest.param(encoded(gray16(1000)), (4,) * 3, id="16-bit-dark-is-not-clipped"),
        pytest.param(encoded(gray16(65535)), WHITE, id="16-bit-white"),
        pytest.param(encoded(gray16(0x4040), "TIFF"), (64,) * 3, id="16-bit-tiff"),
        pytest.param(encoded(Image.new("I", (20, 20), 0x4040), "TIFF"), (64,) * 3, id="32-bit-tiff"),
        pytest.param(encoded(plain(RED).convert("P")), RED, id="palette"),
        pytest.param(see_through_palette(), WHITE, id="palette-transparent"),
        pytest.param(encoded(plain(RED), transparency=RED), WHITE, id="rgb-transparent-color"),
        pytest.param(encoded(plain((0, 255, 255, 0), mode="CMYK"), "TIFF"), RED, id="cmyk-tiff"),
        pytest.param(encoded(plain((0, 255, 255, 0), mode="CMYK"), "JPEG", quality=95), RED, id="cmyk-jpeg"),
        pytest.param(encoded(plain((0, 0, 0, 0), mode="RGBA")), WHITE, id="alpha-none"),
        pytest.param(encoded(plain((255, 0, 0, 128), mode="RGBA")), (255, 127, 127), id="alpha-half-on-white"),
        pytest.param(encoded(plain((0, 51), mode="LA")), (204,) * 3, id="gray-alpha"),
        pytest.param(encoded(plain(RED)) + b"PK\3\4 and an archive", RED, id="trailing-bytes"),
        pytest.param(encoded(plain(RED, (3000, 16))), RED, id="very-wide"),
        pytest.param(with_notes(text={"workflow": "x" * 2_000_000}), RED, id="png-2-mb-of-packed-text"),
        pytest.param(with_notes(text={str(n): "x" * 1_000_000 for n in range(70)}), RED, id="png-70-mb-of-packed-text"),
        pytest.param(with_notes(icc_profile=np.random.default_rng(0).bytes(1_500_000)), RED, id="png-1.5-mb-of-profile"),
        pytest.param(tiff([words(0x4040)], (16,), photometric=0), (191,) * 3, id="16-bit-tiff-white-is-zero"),
        pytest.param(tiff([words(0x4040)], (16,), 0, packed=True), (191,) * 3, id="16-bit-tiff-white-is-zero-packed"),
        pytest.param(tiff([words(0x4040, ">")], (16,), 1, order=">"), (64,) * 3, id="16-bit-tiff-big-endian"),
        pytest.param(tiff([b"\x40" * 400], (8,), photometric=0), (191,) * 3, id="8-bit-tiff-white-is-zero"),
        pytest.param(tiff([b"\x80\x08\x00" * 200], (12,), photometric=1), (128,) * 3, id="12-bit-tiff"),
        pytest.param(tiff([words(0xFFFF), words(0), words(0)], (16,) * 3, planar=2, packed=True), RED, id="planar-packed"),
        pytest.param(tiff([b"\xff" * 400, bytes(400), bytes(400)], (8,) * 3, planar=2), RED, id="planar-8-bit"),
        pytest.param(png16(np.full((20, 20, 3), (0xFFFF, 0, 0))), RED, id="16-bit-rgb"),
        pytest.param(png16(np.full((20, 20, 3), 900)), (3,) * 3, id="16-bit-rgb-dark"),
        pytest.param(encoded(plain(RED, (16, 3000))), RED, id="very-tall"),
    ],
)
def test_formats_and_modes(tmp_path, content, expected):
    """Each under a misleading name: the content decides."""
    found, slack = color(load_one(tmp_path, content, "a.txt")), 1 if content.startswith(b"\xff\xd8") else 0  # JPEG rounds
    assert max(abs(a - b) for a, b in zip(found, expected)) <= slack


@pytest.mark.parametrize("size", [(40, 30), (41, 30)])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, orientation, size):
    """A photo stored in any of the eight orientations comes out as it was seen, even with odd margins."""
    upright = NOISE.resize(size)
    undo = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]  # Pillow's numbers of the inverse turns
    stored = upright if undo is None else upright.transpose(Image.Transpose(undo))
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert ImageOps.exif_transpose(Image.open(io.BytesIO(encoded(stored, exif=exif)))).tobytes() == upright.tobytes()
    for kind, options in (("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {})):
        folder = fill(tmp_path / kind)
        (folder / "a").write_bytes(encoded(stored, kind, exif=exif, **options))
        (folder / "b").write_bytes(encoded(upright))
        photos = load_photos(folder, SIZE)
        assert (photos.images[0].int() - photos.images[1].int()).abs().max() <= 1, kind


def test_broken_exif_is_ignored(tmp_path):
    assert color(load_one(tmp_path, encoded(plain(RED), exif=b"Exif\0\0II*\0\xff\xff\xff\xff"))) == RED


def test_centre_is_kept(tmp_path):
    image = plain(RED, (60, 20))
    image.paste(BLUE, (20, 0, 40, 20))
    assert color(load_one(tmp_path / "wide", encoded(image))) == BLUE
    assert color(load_one(tmp_path / "tall", encoded(image.transpose(Image.Transpose.ROTATE_90)))) == BLUE


def test_resizing_averages(tmp_path):
    """A fine checkerboard becomes gray: no pixel is just left out."""
    board = Image.fromarray((np.indices((512, 512)).sum(0) % 2 * 255).astype(np.uint8))
    image = load_one(tmp_path, encoded(board)).float()
    assert abs(image.mean() - 127.5) < 2 and image.std() < 3


def test_large_jpeg_matches_plain_decoding(tmp_path):
    """Decoding at a fraction of the size, for speed, stays close to what a full decoding gives."""
    smooth = NOISE.resize((100, 100), Image.Resampling.BICUBIC)
    content = encoded(smooth, "JPEG", quality=95)
    full = np.asarray(Image.open(io.BytesIO(content)).resize((SIZE, SIZE), Image.Resampling.LANCZOS)).transpose(2, 0, 1)
    assert np.abs(load_one(tmp_path, content).numpy().astype(int) - full).mean() < 3


# ------------------------------------------------------------------------------------------------------ what is skipped

KINDS = {"JPEG": {}, "PNG": {}, "WEBP": {"lossless": True}, "GIF": {}, "BMP": {}, "TIFF": {}}
TRUNCATED = [
    pytest.param(encoded(NOISE, kind, **options)[: int(length * share)], "truncated", id=f"{kind}-{share:.0%}")
    for kind, options in KINDS.items()
    for length in [len(encoded(NOISE, kind, **options))]
    for share in (0.1, 0.5, 0.9)
]
BOMB_GIF = (
    b"GIF89a" + struct.pack("<HHBBB", 60000, 60000, 0, 0, 0) + b",\0\0\0\0" + struct.pack("<HHB", 60000, 60000, 0) + b"\2\0;"
)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", "empty file", id="empty"),
        pytest.param(b"roses are red", "not a picture", id="text"),
        pytest.param(b"BMW is no bitmap, whatever the first two bytes say", "not a picture", id="text-like-bmp"),
        pytest.param(b"<!DOCTYPE html><html><body>404</body></html>", "not a picture", id="html"),
        pytest.param(b'<svg xmlns="http://www.w3.org/2000/svg"></svg>', "not a picture", id="svg"),
        pytest.param(encoded(plain(), "PPM"), "not a picture", id="other-format"),
        pytest.param(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC", id="heic"),
        pytest.param(b"GIF89a=1;alert('a script that begins like a picture')", "damaged", id="polyglot"),
        pytest.param(b"\xff\xd8\xff", "damaged", id="three-bytes"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + b"\xff" * 64, "damaged", id="png-nonsense"),
        pytest.param(b"II*\0" + b"\xff" * 64, "damaged", id="tiff-nonsense"),
        pytest.param(b"RIFF\xff\xff\xff\xffWEBPVP8 " + b"\xff" * 64, "damaged", id="webp-nonsense"),
        pytest.param(png(40000, 30000), "too large: ", id="bomb-png"),
        pytest.param(png(12000, 9000), "too large: 12000×9000 pixels", id="large-png"),
        pytest.param(BOMB_GIF, "too large: ", id="bomb-gif"),
        pytest.param(png(20, 20, b"\0" * 50), "truncated", id="too-few-pixels"),
        pytest.param(encoded(plain(RED, (15, 40))), "too small: 15×40 pixels", id="icon"),
        pytest.param(encoded(Image.new("F", (20, 20)), "TIFF"), "floating-point", id="float"),
        pytest.param(tiff([np.ones(1200, "<f4").tobytes()], (32,) * 3, kind=3), "floating-point", id="float-rgb"),
        pytest.param(tiff([np.ones(400, ">f8").tobytes()], (64,), 1, order=">", kind=3), "floating-point", id="double"),
        pytest.param(tiff([words(0, ">")], (16,), 0, order=">"), "a TIFF of 16 bits with white as zero", id="white-is-zero"),
        pytest.param(tiff([bytes(4800)], (32,) * 3), "a TIFF of 32 bits is not read", id="32-bit-rgb"),
        pytest.param(tiff([words(0x4040, count=800)], (32,), 1), "a TIFF of 32 bits is not read", id="32-bit-gray"),
        pytest.param(tiff([words(0xC040, count=800)], (32,), 1), "a TIFF of 32 bits is not read", id="32-bit-light"),
        pytest.param(tiff([words(0xC040, count=800)], (32,), 1, kind=2), "a TIFF of 32 bits is not read", id="32-bit-sign"),
        pytest.param(encoded(Image.new("I", (20, 20), 70000), "TIFF"), "a TIFF of 32 bits", id="32-bit-by-pillow"),
        pytest.param(tiff([words(0)], (16,), 1, kind=2), "a TIFF of 16 bits with a sign is not read", id="16-bit-sign"),
        pytest.param(tiff([bytes(1200)], (8,) * 3, photometric=8), "Lab colors", id="lab"),
        pytest.param(tiff([bytes(1200)], (8,) * 3, more=((254, "I", [1]),)), "only the thumbnail", id="raw-file"),
        pytest.param(tiff([bytes(1200)], (8,) * 3, more=((255, "H", [2]),)), "only the thumbnail", id="raw-file-of-old"),
        pytest.param(tiff([words(1), words(2), words(3)], (16,) * 3, planar=2), "in planes", id="planar"),
        pytest.param(ramp(4095), "16 bits of which only the lowest 12", id="12-in-16-bits"),
        pytest.param(ramp(1000, kind="TIFF"), "16 bits of which only the lowest 12", id="10-in-16-bits"),
        pytest.param(png16(np.arange(1200).reshape(20, 20, 3) * 3), "16 bits of which only the lowest 12", id="12-in-16-rgb"),
        *TRUNCATED,
    ],
)
def test_bad_files_are_skipped_and_named(tmp_path, content, reason, capfd):
    fill(tmp_path / "roses")
    (tmp_path / "roses" / "bad.jpg").write_bytes(content)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        decode.silence_pillow_warnings()  # anew, as the tests change what Python warns of
        photos = load_photos(tmp_path, SIZE)
    assert len(photos.images) == MIN_PHOTOS
    assert [item.path for item in photos.skipped] == [os.path.join("roses", "bad.jpg")]
    assert reason in photos.skipped[0].reason and len(photos.skipped[0].reason) < 80
    assert not heard and capfd.readouterr() == ("", "")
    assert photos.skipped[0].reason.casefold().startswith(manifest._LEFT_OUT), "a manifest has to know it"


def test_no_flipped_byte_is_a_crash(tmp_path):
    """Files damaged anywhere are either read or listed."""
    random, folder = np.random.default_rng(1), fill(tmp_path / "roses")
    for number in range(120):
        kind = list(KINDS)[number % len(KINDS)]
        content = np.frombuffer(encoded(NOISE, kind, **KINDS[kind]), np.uint8).copy()
        places = random.integers(0, min(len(content), 200), 4)
        content[places] = random.integers(0, 256, 4)
        (folder / f"{number:03}.{kind.lower()}").write_bytes(content.tobytes())
    photos = load_photos(tmp_path, SIZE)
    assert len(photos.images) + len(photos.skipped) == MIN_PHOTOS + 120


@pytest.mark.parametrize("error", [struct.error, SyntaxError, ValueError, OSError, MemoryError, IndexError, RecursionError])
def test_any_error_of_a_decoder_is_a_skipped_file(tmp_path, monkeypatch, error):
    fill(tmp_path / "roses")
    (tmp_path / "roses" / "a.jpg").write_bytes(encoded(plain(), "JPEG"))

    def fail(*_):
        raise error("unforeseen")

    monkeypatch.setattr("PIL.JpegImagePlugin.JpegImageFile.draft", fail)
    assert [item.path for item in load_photos(tmp_path, SIZE).skipped] == [os.path.join("roses", "a.jpg")]


def test_huge_file_is_not_opened(tmp_path):
    with open(fill(tmp_path / "roses") / "a.png", "wb") as file:
        file.truncate(decode.MAX_BYTES + 1)  # sparse: takes no room
    assert load_photos(tmp_path, SIZE).skipped[0].reason == "too large: 256 MiB"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_pipes_are_not_waited_for(tmp_path):
    os.mkfifo(fill(tmp_path / "roses") / "pipe.jpg")
    assert load_photos(tmp_path, SIZE).skipped == (Skipped(os.path.join("roses", "pipe.jpg"), "not a file"),)


READ_BY_THREADS = """
import logging, sys, threading, warnings
from pathlib import Path
import numpy as np
from PIL import Image
from gan.data import decode

def state():
    return list(warnings.filters), logging.getLogger("PIL").level, Image.MAX_IMAGE_PIXELS, id(warnings.showwarning)

before, seen = state(), set()
def read(path):
    for _ in range(20):
        decode.prepare(path, np.empty((3, 16, 16), np.uint8)), decode.stored_size(path)
        seen.add(state() == before)
threads = [threading.Thread(target=read, args=(path,)) for path in Path(sys.argv[1]).iterdir()]
[thread.start() for thread in threads], [thread.join() for thread in threads]
print(state() == before and seen == {True})
"""


def test_reading_changes_nothing_of_the_process_from_any_thread_and_is_quiet(tmp_path):
    """Warnings, logging and Pillow's limits are the same before, while and after files of all kinds are read."""
    folder = fill(tmp_path / "roses", 3)
    (folder / "large.png").write_bytes(png(9900, 9900))  # a bomb to Pillow, a photo to us, if it were whole
    (folder / "exif.png").write_bytes(encoded(plain(RED), exif=b"Exif\0\0II*\0\xff\xff\xff\xff"))
    (folder / "samples.tiff").write_bytes(tiff([bytes(1200)], (8, 8, 8), samples=9000))
    (folder / "palette.png").write_bytes(see_through_palette())
    done = subprocess.run(
        [sys.executable, "-c", READ_BY_THREADS, str(folder)], cwd=Path(__file__).parents[2], capture_output=True, text=True
    )
    assert (done.stdout.strip(), done.stderr) == ("True", "")


# ------------------------------------------------------------------------------------------------------ folders and links


def test_classes_and_order(tmp_path):
    fill(tmp_path / "tulips", 3)
    fill(tmp_path / "roses", 4, start=100)
    fill(tmp_path / "roses" / "garden" / "back", 2, start=200)
    photos = load_photos(tmp_path, SIZE)
    assert photos.classes == ("roses", "tulips")
    assert photos.counts() == {"roses": 6, "tulips": 3}
    assert photos.images.dtype == torch.uint8 and photos.images.shape == (9, 3, SIZE, SIZE)
    assert photos.images.is_contiguous()
    assert photos.labels.dtype == torch.int64 and photos.labels.tolist() == [0] * 6 + [1] * 3
    assert photos.images[:, 0, 0, 0].tolist() == [200, 201, 100, 101, 102, 103, 0, 1, 2]  # "garden" sorts before "~100.png"
    assert photos.skipped == ()


def test_find_photos_lists_files_unopened(tmp_path):
    fill(tmp_path / "tulips", 2)
    (tmp_path / "roses").mkdir()
    (tmp_path / "roses" / "note.txt").write_text("no photo, but not opened either")
    (tmp_path / "loose.png").write_bytes(encoded(plain()))
    assert find_photos(tmp_path) == {
        "roses": [tmp_path / "roses" / "note.txt"],
        "tulips": [tmp_path / "tulips" / "~0.png", tmp_path / "tulips" / "~1.png"],
    }


def test_a_folder_without_sub_folders_is_one_class(tmp_path, monkeypatch):
    fill(tmp_path / "roses")
    (tmp_path / "roses" / "empty").mkdir()
    photos = load_photos(str(tmp_path / "roses"), SIZE)
    assert photos.classes == ("roses",) and photos.counts() == {"roses": MIN_PHOTOS}
    monkeypatch.chdir(tmp_path / "roses")
    assert load_photos(".", SIZE).classes == ("roses",)


def test_files_beside_the_class_folders(tmp_path):
    fill(tmp_path / "roses")
    (tmp_path / "a.png").write_bytes(encoded(plain()))
    (tmp_path / "sources.csv").write_text("file,author")
    assert load_photos(tmp_path, SIZE).skipped == (
        Skipped("a.png", "lies beside the class folders; move it into one of them"),
        Skipped("sources.csv", "not a picture"),
    )


def test_hidden_files_are_not_mentioned(tmp_path):
    folder = fill(tmp_path / "roses")
    for hidden in (folder / ".a", tmp_path / ".cache", tmp_path / "__MACOSX", folder / "__MACOSX"):
        fill(hidden, 1)
    for name in (".hidden.png", "._~0.png", "Thumbs.db", "desktop.ini", ".DS_Store"):
        (folder / name).write_bytes(encoded(plain()))
    photos = load_photos(tmp_path, SIZE)
    assert photos.counts() == {"roses": MIN_PHOTOS} and photos.skipped == ()


def link(path: Path, target: Path | str) -> None:
    try:
        path.symlink_to(target)
    except OSError:
        pytest.skip("links cannot be made here")


def test_links_are_followed_and_files_used_once(tmp_path):
    outside, roses = fill(tmp_path / "outside", 3, start=50), fill(tmp_path / "photos" / "roses")
    link(roses / "folder", outside)
    link(roses / "again", outside)
    link(roses / "file.png", roses / "~0.png")
    link(tmp_path / "photos" / "tulips", outside)
    photos = load_photos(tmp_path / "photos", SIZE)
    assert photos.counts() == {"roses": MIN_PHOTOS + 3, "tulips": 3} and photos.skipped == ()


def test_a_file_linked_twice_in_a_plain_folder_is_used_once(tmp_path):
    fill(tmp_path / "roses")
    link(tmp_path / "roses" / "again.png", "~0.png")
    assert load_photos(tmp_path / "roses", SIZE).counts() == {"roses": MIN_PHOTOS}


def test_broken_and_circular_links(tmp_path):
    root = tmp_path / "photos"
    roses = fill(root / "roses")
    fill(root / "tulips", 2, start=50)
    link(roses / "broken.jpg", "nowhere.jpg")
    link(roses / "circle.jpg", "circle.jpg")
    link(roses / "self", ".")
    link(roses / "up", root)
    link(roses / "further", tmp_path)
    link(root / "whole", root)
    link(root / "above", tmp_path)
    photos = load_photos(root, SIZE)
    assert photos.counts() == {"roses": MIN_PHOTOS, "tulips": 2}  # no tulip has come to the roses
    reasons = {item.path.replace(os.sep, "/"): item.reason for item in photos.skipped}
    assert reasons.pop("roses/broken.jpg") == "broken link"
    assert "symbolic links" in reasons.pop("roses/circle.jpg")
    assert reasons == dict.fromkeys(
        ("above", "roses/further", "roses/self", "roses/up", "whole"), "a link to a folder it lies in"
    )


def test_links_that_go_round(tmp_path):
    """Two folders outside that link to each other: each is walked once."""
    one, two, roses = fill(tmp_path / "one", 2), fill(tmp_path / "two", 2, start=50), fill(tmp_path / "photos" / "roses")
    link(one / "on", two)
    link(two / "on", one)
    link(roses / "in", one)
    photos = load_photos(tmp_path / "photos", SIZE)
    assert photos.counts() == {"roses": MIN_PHOTOS + 4} and photos.skipped == ()


@pytest.mark.skipif(os.name != "posix", reason="names are Unicode here")
def test_names_that_are_not_unicode(tmp_path):
    folder = fill(tmp_path / "roses")
    try:
        (Path(os.fsdecode(os.fsencode(folder) + b"/\xff.jpg"))).write_bytes(b"x")
    except OSError:
        pytest.skip("the file system refuses such names")
    assert load_photos(tmp_path, SIZE).skipped == (Skipped("roses/\\xff.jpg", "not a picture"),)


NFC, NFD = "Löwenzahn", unicodedata.normalize("NFD", "Löwenzahn")


def test_composed_and_decomposed_names_are_one_name(tmp_path):
    """A folder of a Mac, a name typed elsewhere; the order of the classes is that of the composed names, too."""
    fill(tmp_path / "mac" / NFD)
    fill(tmp_path / "mac" / "Lp", 2, start=50)
    for only in ((NFC,), (NFD,)):
        assert list(find_photos(tmp_path / "mac", only)) == [NFC]
    fill(tmp_path / "linux" / NFC)
    fill(tmp_path / "linux" / "Lp", 2, start=50)
    mac, linux = load_photos(tmp_path / "mac", SIZE), load_photos(tmp_path / "linux", SIZE)
    assert mac.classes == ("Lp", NFC) and mac.digest == linux.digest


def test_both_forms_of_a_name_beside_one_another_are_one_class(tmp_path):
    fill(tmp_path / NFC, 5)
    fill(tmp_path / NFD, 4, start=50)
    (tmp_path / NFD / "bad.jpg").write_bytes(b"")
    if len(os.listdir(tmp_path)) < 2:
        pytest.skip("one folder to this file system")
    (tmp_path / "other").mkdir()
    photos = load_photos(tmp_path, SIZE, only=[NFC])
    assert photos.counts() == {NFC: 9} and [item.reason for item in photos.skipped] == ["empty file"]


@pytest.mark.skipif(os.name != "posix", reason="such names cannot be written here")
def test_control_characters_of_names_are_escaped(tmp_path, capsys):
    """A name cannot clear the screen, write a line of its own or turn the direction of one; letters that join stay."""
    fill(tmp_path / "ros\x1b[2Jes")
    for name in ("a.jpg\nskipped b.jpg: fine", "\x9b1m\r.jpg", "\u202egpj.exe", "\u06af\u200c.jpg"):
        (tmp_path / "ros\x1b[2Jes" / name).write_bytes(b"x")
    photos = load_photos(tmp_path, SIZE)
    assert photos.classes == (r"ros\x1b[2Jes",)
    assert {Path(item.path).name for item in photos.skipped} == {
        r"a.jpg\nskipped b.jpg: fine", r"\x9b1m\r.jpg", r"\u202egpj.exe", "\u06af\u200c.jpg",
    }  # fmt: skip


# ------------------------------------------------------------------------------------------------------ errors


def build(tmp_path: Path, case: str) -> Path:
    """The photo folder of one row below."""
    root = tmp_path / "photos"
    if case == "missing":
        return root
    if case == "file":
        root.write_bytes(encoded(plain()))
        return root
    root.mkdir()
    if case == "only text":
        (root / "a.txt").write_text("no photo")
    if case in ("empty class", "two empty classes", "spoilt class"):
        fill(root / "roses")
        (root / "tulips").mkdir()
    if case == "two empty classes":
        (root / "violets").mkdir()
    if case == "spoilt class":
        for name in ("a.jpg", "b.jpg"):
            (root / "tulips" / name).write_bytes(b"")
    if case == "too few":
        fill(root / "roses", MIN_PHOTOS - 1)
        (root / "roses" / "a.jpg").write_bytes(b"")
    return root


@pytest.mark.parametrize(
    ("case", "parts"),
    [
        ("missing", ["there is no folder", "photos", "sub-folder"]),
        ("file", ["is a file, not a folder"]),
        ("nothing", ["no usable photo", "put JPEG"]),
        ("only text", ["no usable photo", "1 skipped", "'a.txt': not a picture"]),
        ("empty class", ["class folder 'tulips'", "0 skipped"]),
        ("two empty classes", ["class folder 'tulips'", "1 other"]),
        ("spoilt class", ["class folder 'tulips'", "2 skipped"]),
        ("too few", [f"only {MIN_PHOTOS - 1} usable", "1 skipped", "empty file", f"{MIN_PHOTOS} or more"]),
    ],
)
def test_folders_that_cannot_be_used(tmp_path, case, parts):
    folder = build(tmp_path, case)
    with pytest.raises(UserError) as error:
        load_photos(folder, SIZE)
    message = str(error.value)
    assert all(part in message for part in parts + [str(folder)]), message
    assert message.endswith(".") and "\n" not in message


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="permissions do not bind this user")
def test_unreadable_folder_and_file(tmp_path):
    folder = fill(tmp_path / "roses")
    (folder / "a.jpg").write_bytes(encoded(plain()))
    (folder / "a.jpg").chmod(0)
    assert load_photos(tmp_path, SIZE).skipped[0].reason == "cannot be read: permission denied"
    folder.chmod(0)
    try:
        with pytest.raises(UserError, match="no permission to read"):
            load_photos(folder, SIZE)
    finally:
        folder.chmod(0o700)


def test_permission_errors_without_permissions(tmp_path, monkeypatch):
    """The same for the user whom permissions do not bind: the system's answer is made up."""
    fill(tmp_path / "roses")
    (tmp_path / "roses" / "locked").mkdir()
    real = os.listdir

    def listdir(path):
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "listdir", listdir)
    expected = Skipped(os.path.join("roses", "locked"), "cannot be read: permission denied")
    assert load_photos(tmp_path, SIZE).skipped == (expected,)
    with pytest.raises(UserError, match="no permission to read"):
        load_photos(tmp_path / "roses" / "locked", SIZE)


def test_too_much_for_the_memory(tmp_path, monkeypatch):
    fill(tmp_path / "roses")
    monkeypatch.setattr(memory, "available_memory", lambda: 2 * MIN_PHOTOS * 3 * SIZE * SIZE)
    load_photos(tmp_path, SIZE)
    with pytest.raises(UserError, match=f"{MIN_PHOTOS} photos at 17×17 .* use a smaller resolution"):
        load_photos(tmp_path, 17)
    monkeypatch.setattr(memory, "available_memory", lambda: None)
    load_photos(tmp_path, 17)


# ------------------------------------------------------------------------------------------------------ digest and progress


def test_digest_tells_changes(tmp_path):
    roses, tulips = fill(tmp_path / "roses", 5), fill(tmp_path / "tulips", 5, start=100)

    def digest(size: int = SIZE) -> str:
        return load_photos(tmp_path, size).digest

    seen = [digest()]
    assert digest() == seen[0] and len(seen[0]) == 64
    (roses / "broken.jpg").write_bytes(b"")
    assert digest() == seen[0]  # what is skipped does not count
    seen.append(digest(17))
    changed = plain((0, 0, 0))
    changed.putpixel((10, 10), (40, 0, 0))
    (roses / "~0.png").write_bytes(encoded(changed))
    seen.append(digest())
    (roses / "~4.png").rename(tulips / "~0.png")  # the same pixels in the same order, one with another label
    seen.append(digest())
    tulips.rename(tmp_path / "violets")
    seen.append(digest())
    assert len(set(seen)) == len(seen)


def test_threads_change_nothing(tmp_path, monkeypatch):
    folder = fill(tmp_path / "roses", 30)
    for number in range(10):
        (folder / f"{number}.jpg").write_bytes(encoded(NOISE.rotate(9 * number), "JPEG") if number % 3 else b"")
    results = []
    for count in (1, 4):
        monkeypatch.setattr(os, "cpu_count", lambda: count)
        results.append(load_photos(tmp_path, SIZE))
    assert torch.equal(results[0].images, results[1].images)
    assert results[0].digest == results[1].digest and results[0].skipped == results[1].skipped
    assert len(results[0].images) == 36 and len(results[0].skipped) == 4


def test_merged(tmp_path):
    fill(tmp_path / "roses", 5)
    fill(tmp_path / "tulips", 4)
    photos = load_photos(tmp_path, SIZE)
    merged = photos.merged("all")
    assert merged.classes == ("all",) and merged.counts() == {"all": 9} and merged.labels.tolist() == [0] * 9
    assert torch.equal(merged.images, photos.images) and merged.digest != photos.digest


def test_progress(tmp_path):
    fill(tmp_path / "roses")
    (tmp_path / "roses" / "a.jpg").write_bytes(b"")
    calls = []
    load_photos(tmp_path, SIZE, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(number, MIN_PHOTOS + 1) for number in range(1, MIN_PHOTOS + 2)]


@pytest.mark.parametrize(
    ("sizes", "count", "wanted"),
    [
        ([6000, 2, 1], 2048, [2045, 2, 1]),
        ([3000, 1000, 20], 404, [None, None, 20]),
        ([5, 3], 100, [5, 3]),
        ([40] * 100, 50, None),
    ],
)
def test_a_sample_of_many_photos_holds_those_of_small_classes(sizes, count, wanted):
    """An even sample of [6000, 2, 1] had none of the last class, whose flowers were then only driven apart."""
    labels = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    index = sample_classes(labels, count)
    found = torch.bincount(labels[index], minlength=len(sizes)).tolist()
    assert len(index) <= count and len(set(index.tolist())) == len(index) and index.tolist() == sorted(index.tolist())
    if wanted:
        assert all(want is None or have == want for have, want in zip(found, wanted, strict=True)), found
        assert min(found) >= min(1, min(sizes))
