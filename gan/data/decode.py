"""A picture file → its central square as RGB pixels, or the reason why the file is not used."""

from __future__ import annotations

import io
import logging
import os
import re
import stat
import struct
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
from PIL import Image, ImageOps, TiffImagePlugin, UnidentifiedImageError

MIN_SIDE = 16  # pixels of the shorter side; smaller pictures are icons
MAX_PIXELS = 100_000_000
MAX_BYTES = 256 * 2**20
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")  # the decoders of all other formats are never called

_SIGNATURES = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF....WEBP|II[*+]\0|MM\0[*+]|BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0",
    re.DOTALL,
)  # the first bytes of FORMATS
_HEIF_SIGNATURE = re.compile(rb"....ftyp(hei|hev|mif|msf|avi)", re.DOTALL)
# Numbers of TIFF tags (TIFF 6.0, sections 8, 13 and 19).
_SUBFILE, _OLD_SUBFILE, _BITS, _PHOTOMETRIC, _PLANAR, _SAMPLE_FORMAT = 254, 255, 258, 262, 284, 339
_SAVE_AS = "save it with 8 bits a channel"
_NO_FLOATS = f"floating-point pixels are not read; {_SAVE_AS}"

T = TypeVar("T")


def silence_pillow_warnings() -> None:
    """Hide Pillow's warnings about odd files; the list of skipped files says what matters.

    This is process-wide, so it is done once, at the import, and not while several threads read photos. Messages that libtiff
    itself writes to stderr about damaged TIFF files are still shown.
    """
    warnings.filterwarnings("ignore", module=r"PIL\.")
    logging.getLogger("PIL").addHandler(logging.NullHandler())  # without a handler, its errors would go to stderr


silence_pillow_warnings()


def prepare(path: Path, out: np.ndarray) -> str:
    """Decode `path` into `out`, uint8 3×S×S. Returns why that is not possible, or ""; a bad file raises nothing."""
    reason = rejection_reason(path)
    if reason:
        return reason
    try:
        return _with_image(path, lambda image: _decode(image, out))
    except Image.DecompressionBombError:
        return f"too large: over {MAX_PIXELS // 10**6} megapixels"
    except UnidentifiedImageError:
        return _tiff_reason(path) or "damaged or truncated"  # its first bytes are those of a picture
    except MemoryError:
        return "too large for the memory there is"
    except _Unsupported as error:
        return str(error)
    except Exception as error:  # decoders raise many kinds of errors for damaged files
        if isinstance(error, OSError) and error.errno is not None:
            return unreadable_reason(error)
        return "truncated" if "truncated" in str(error).lower() else "damaged or truncated"


class _Unsupported(Exception):
    """A valid picture of a kind that is not read. The message is the reason."""


def shorter_side(path: Path) -> int:
    """The shorter side of a photo in pixels, from its header alone; 0 for a file that is not a picture."""
    return min(stored_size(path))


def stored_size(path: Path) -> tuple[int, int]:
    """Width and height of a photo in pixels as it is stored, from its header alone; (0, 0) for a file that is not a picture."""
    try:
        return _with_image(path, lambda image: image.size)
    except Exception:  # damaged headers raise many kinds; `prepare` says what is wrong
        return 0, 0


def rejection_reason(path: Path) -> str:
    """Why `path` is no picture file, by its kind, size and first bytes; an empty string if it may be one."""
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            return "not a file"  # a pipe or device; opening it could block for ever
        if status.st_size == 0:
            return "empty file"
        if status.st_size > MAX_BYTES:
            return f"too large: {status.st_size / 2**20:.0f} MiB"
        with open(path, "rb") as file:
            start = file.read(32)
    except FileNotFoundError:
        return "broken link"
    except OSError as error:
        return unreadable_reason(error)
    if _HEIF_SIGNATURE.match(start):
        return "HEIC and AVIF are not read; save it as JPEG or PNG"
    return "" if _SIGNATURES.match(start) else "not a picture"


def unreadable_reason(error: OSError) -> str:
    """The reason for a file or folder that the system did not let us read."""
    return f"cannot be read: {(error.strerror or 'unknown error').lower()}"


def _with_image(path: Path, use: Callable[[Image.Image], T]) -> T:
    """The result of `use` on the opened picture. Raises whatever Pillow raises."""
    with open(path, "rb") as file:
        try:
            with Image.open(file, formats=FORMATS) as image:
                return use(image)
        except ValueError as error:
            if "MAX_TEXT" not in str(error):
                raise
        # Pillow refuses a PNG whose text or color profile is over a MiB when unpacked. Neither is needed here.
        with Image.open(io.BytesIO(_without_long_chunks(file)), formats=FORMATS) as image:
            return use(image)


def _without_long_chunks(file: BinaryIO) -> bytes:
    """A PNG without long text (for example the workflow of an image generator) and without long color profiles."""
    file.seek(0)
    kept, room = (
        [file.read(8)],
        {True: 1 << 10, False: 1 << 20},
    )  # bytes by "is packed"; unpacked text may be 1,000 times as long
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        body = file.read(length + 4)
        packed = kind in (b"zTXt", b"iCCP") or kind == b"iTXt" and body[body.find(b"\0") + 1 :][:1] == b"\1"
        if packed or kind in (b"iTXt", b"tEXt"):
            room[packed] -= length
            if room[packed] < 0:
                continue
        kept += head, body
    return b"".join(kept)


def _decode(image: Image.Image, out: np.ndarray) -> str:
    """As `prepare`, for an opened picture. Raises _Unsupported, and whatever decoders raise."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        return f"too large: {width}×{height} pixels"
    if min(width, height) < MIN_SIDE:
        return f"too small: {width}×{height} pixels"
    tags = getattr(image, "tag_v2", {})
    if tags.get(_SUBFILE, 0) & 1 or tags.get(_OLD_SUBFILE) == 2:
        return "only the thumbnail of a camera's raw file can be read; save it as JPEG or PNG"
    tile = getattr(image, "tile", [])
    deep = ";16" in str(tile)  # 16 bits a channel, of which Pillow keeps 8
    bits = max(tags.get(_BITS, (8,)))
    if bits > 8 and tags.get(_PLANAR) == 2 and tile[0][0] == "raw":  # Pillow decodes it to noise
        return f"16 bits in planes are not read; {_SAVE_AS}"
    if bits <= 16 and 2 in tags.get(_SAMPLE_FORMAT, ()):
        return f"a TIFF of {bits} bits with a sign is not read; {_SAVE_AS}"
    out[:] = np.asarray(_central_square(image, out.shape[-1], tags, deep)).transpose(2, 0, 1)
    return ""


def _tiff_reason(path: Path) -> str:
    """Why Pillow cannot decode the pixels of an undamaged TIFF; an empty string for any other file."""
    try:
        with open(path, "rb") as file:
            head = file.read(8)
            tags = TiffImagePlugin.ImageFileDirectory_v2(head + file.read(8) if 43 in head[2:4] else head)
            file.seek(tags.next)
            tags.load(file)
            bits, formats = max(tags[_BITS]), tags.get(_SAMPLE_FORMAT, (1,))
            if not 0 < bits <= 64 or not tags[TiffImagePlugin.IMAGEWIDTH]:
                return ""
    except Exception:  # damaged headers raise many kinds
        return ""
    if 3 in formats:
        return _NO_FLOATS
    inverted = " with white as zero" if tags.get(_PHOTOMETRIC) == 0 else ""
    return f"a TIFF of {bits} bits{inverted} is not read; {_SAVE_AS}"


def _central_square(image: Image.Image, size: int, tags: Mapping[int, Any], deep: bool) -> Image.Image:
    """The central square of an opened picture as RGB of `size` pixels a side, upright as its EXIF says, on white."""
    image.draft(None, (2 * size, 2 * size))  # JPEG only: decode at 1/2, 1/4 or 1/8, still twice what is needed
    image.load()
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    # An odd margin: keep one pixel more and resize from its middle, so that every EXIF rotation gives the same square.
    odd_x, odd_y = (width - side) % 2, (height - side) % 2
    image = image.crop((left, top, left + side + odd_x, top + side + odd_y))
    try:
        image = ImageOps.exif_transpose(image)
    except Exception:
        pass  # EXIF that cannot be read is ignored
    image = _eight_bit(image, tags, deep)
    x, y = (image.width - side) / 2, (image.height - side) / 2
    box = (x, y, x + side, y + side)
    image = image.resize((size, size), Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _eight_bit(image: Image.Image, tags: Mapping[int, Any], deep: bool) -> Image.Image:
    """A picture of any mode as RGB, or RGBA where it has transparency. Raises _Unsupported."""
    if image.mode.startswith("I"):  # 16-bit gray: Pillow's own conversion clips at 255
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:  # of a TIFF of 32 bits, whose white nobody knows
            raise _Unsupported(f"a TIFF of 32 bits is not read; {_SAVE_AS}")
        gray = values.astype(np.uint32)
        if tags.get(_BITS, (16,))[0] == 12:
            gray = (gray.clip(max=4095) * 65535 + 2047) // 4095
        _check_depth(gray.min(), gray.max(), 4095)
        if tags.get(_PHOTOMETRIC) == 0:  # white as zero; Pillow inverts it for 8 bits only
            gray = 65535 - gray
        return Image.fromarray(((gray + 128) // 257).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise _Unsupported(_NO_FLOATS)
    if image.mode == "LAB":
        raise _Unsupported("Lab colors are not read; save it as RGB")
    image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    if deep:
        lowest, highest = zip(*image.getextrema()[:3])
        _check_depth(min(lowest), max(highest), 15)
    return image


def _check_depth(lowest: int, highest: int, low: int) -> None:
    """Raise _Unsupported for 16-bit values that all are at most `low`: the file holds 12 bits that were not scaled up."""
    if lowest != highest and highest <= low:
        raise _Unsupported(f"16 bits of which only the lowest 12 are used; {_SAVE_AS}")
