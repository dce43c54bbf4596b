"""One picture file, of whatever kind people have, as a square of RGB pixels; or the reason why not."""

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

MIN_SIDE = 16  # pixels; smaller ones are icons
MAX_PIXELS = 100_000_000
MAX_BYTES = 256 * 2**20
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")  # all others stay closed: fewer decoders, fewer surprises

_PICTURE = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF....WEBP|II[*+]\0|MM\0[*+]|BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0",
    re.DOTALL,
)  # how files of FORMATS begin
_HEIF = re.compile(rb"....ftyp(hei|hev|mif|msf|avi)", re.DOTALL)
# Numbers of TIFF tags (TIFF 6.0, sections 8, 13 and 19).
_SUBFILE, _OLD_SUBFILE, _BITS, _PHOTOMETRIC, _PLANAR, _SAMPLE_FORMAT = 254, 255, 258, 262, 284, 339
_SAVE = "save it with 8 bits a channel"
_FLOATS = f"floating-point pixels are not read; {_SAVE}"

T = TypeVar("T")


def hush_pillow() -> None:
    """Keep Pillow's warnings about odd files away from the user: the list of skipped files says what matters.

    Once, at the import: what is process-wide cannot be changed and put back while several threads read photos. What libtiff
    itself writes to stderr about a damaged compressed TIFF still comes through.
    """
    warnings.filterwarnings("ignore", module=r"PIL\.")
    logging.getLogger("PIL").addHandler(logging.NullHandler())  # without any, its errors would go to stderr


hush_pillow()


def prepare(path: Path, out: np.ndarray) -> str:
    """Decode `path` into `out`, uint8 3×S×S. Returns why that was not possible, or an empty string."""
    reason = refuse(path)
    if reason:
        return reason
    try:
        return _opened(path, lambda image: _decode(image, out))
    except Image.DecompressionBombError:
        return f"too large: over {MAX_PIXELS // 10**6} megapixels"
    except UnidentifiedImageError:
        return _unread_tiff(path) or "damaged or truncated"  # it begins like a picture, or refuse would have said so
    except MemoryError:
        return "too large for the memory there is"
    except _Unsupported as error:
        return str(error)
    except Exception as error:  # decoders raise nearly everything on hostile files
        if isinstance(error, OSError) and error.errno is not None:
            return cannot_read(error)
        return "truncated" if "truncated" in str(error).lower() else "damaged or truncated"


class _Unsupported(Exception):
    """A sound picture of a kind that is not read."""


def side_of(path: Path) -> int:
    """The shorter side of a photo in pixels, from its header alone; 0 for a file that is none."""
    return min(size_of(path))


def size_of(path: Path) -> tuple[int, int]:
    """Width and height of a photo as it is stored, in pixels, from its header alone; (0, 0) for a file that is none."""
    try:
        return _opened(path, lambda image: image.size)
    except Exception:  # of whatever kind a damaged header raises; reading the photos says what is wrong
        return 0, 0


def refuse(path: Path) -> str:
    """Why `path` is no picture file, judged by its kind, its size and its first bytes; an empty string if it may be one."""
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            return "not a file"  # a pipe or device: opening it could wait for ever
        if status.st_size == 0:
            return "empty file"
        if status.st_size > MAX_BYTES:
            return f"too large: {status.st_size / 2**20:.0f} MiB"
        with open(path, "rb") as file:
            start = file.read(32)
    except FileNotFoundError:
        return "broken link"
    except OSError as error:
        return cannot_read(error)
    if _HEIF.match(start):
        return "HEIC and AVIF are not read; save it as JPEG or PNG"
    return "" if _PICTURE.match(start) else "not a picture"


def cannot_read(error: OSError) -> str:
    return f"cannot be read: {(error.strerror or 'unknown error').lower()}"


def _opened(path: Path, use: Callable[[Image.Image], T]) -> T:
    """What `use` makes of the opened picture."""
    with open(path, "rb") as file:
        try:
            with Image.open(file, formats=FORMATS) as image:
                return use(image)
        except ValueError as error:
            if "MAX_TEXT" not in str(error):
                raise
        # Pillow unpacks no more than a MiB of a PNG's text or colour profile, and neither is wanted here.
        with Image.open(io.BytesIO(_without_notes(file)), formats=FORMATS) as image:
            return use(image)


def _without_notes(file: BinaryIO) -> bytes:
    """A PNG without what is long in it beside its pixels: text (a program's whole workflow, say) and colour profiles."""
    file.seek(0)
    kept, room = [file.read(8)], {True: 1 << 10, False: 1 << 20}  # bytes; what is packed may be a thousand times as long
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
    """As `prepare`, for an opened picture. Raises _Unsupported, and what decoders raise."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        return f"too large: {width}×{height} pixels"
    if min(width, height) < MIN_SIDE:
        return f"too small: {width}×{height} pixels"
    tags = getattr(image, "tag_v2", {})
    if tags.get(_SUBFILE, 0) & 1 or tags.get(_OLD_SUBFILE) == 2:
        return "only the thumbnail of a camera's raw file can be read; save it as JPEG or PNG"
    tile = getattr(image, "tile", [])
    deep = ";16" in str(tile)  # 16 bits a channel, of which Pillow takes 8
    if max(tags.get(_BITS, (8,))) > 8 and tags.get(_PLANAR) == 2 and tile[0][0] == "raw":  # Pillow makes noise of it
        return f"16 bits in planes are not read; {_SAVE}"
    out[:] = np.asarray(_square(image, out.shape[-1], tags, deep)).transpose(2, 0, 1)
    return ""


def _unread_tiff(path: Path) -> str:
    """Why Pillow does not know the pixels of a whole TIFF; empty for any other file."""
    try:
        with open(path, "rb") as file:
            head = file.read(8)
            tags = TiffImagePlugin.ImageFileDirectory_v2(head + file.read(8) if 43 in head[2:4] else head)
            file.seek(tags.next)
            tags.load(file)
            bits, formats = max(tags[_BITS]), tags.get(_SAMPLE_FORMAT, (1,))
            if not 0 < bits <= 64 or not tags[TiffImagePlugin.IMAGEWIDTH]:
                return ""
    except Exception:  # of whatever kind a damaged header raises
        return ""
    if 3 in formats:
        return _FLOATS
    upside_down = " with white as zero" if tags.get(_PHOTOMETRIC) == 0 else ""
    return f"a TIFF of {bits} bits{upside_down} is not read; {_SAVE}"


def _square(image: Image.Image, size: int, tags: Mapping[int, Any], deep: bool) -> Image.Image:
    """The central square of an opened picture, upright, on white, as RGB of `size` pixels a side."""
    image.draft(None, (2 * size, 2 * size))  # JPEG only: decode at a fraction of the size, at least twice what is needed
    image.load()
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    # Where an odd number of pixels goes, keep one more and let the resize start in its middle: the same for every rotation.
    odd_x, odd_y = (width - side) % 2, (height - side) % 2
    image = image.crop((left, top, left + side + odd_x, top + side + odd_y))
    try:
        image = ImageOps.exif_transpose(image)
    except Exception:
        pass  # EXIF that cannot be read says nothing: take the picture as it is
    image = _eight_bit(image, tags, deep)
    x, y = (image.width - side) / 2, (image.height - side) / 2
    box = (x, y, x + side, y + side)
    image = image.resize((size, size), Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _eight_bit(image: Image.Image, tags: Mapping[int, Any], deep: bool) -> Image.Image:
    """Any mode as RGB, or RGBA where something is transparent."""
    if image.mode.startswith("I"):  # 16-bit grey: Pillow's own conversion clips at 255
        grey = np.asarray(image).clip(0, 65535).astype(np.uint32)
        if tags.get(_BITS, (16,))[0] == 12:
            grey = (grey.clip(max=4095) * 65535 + 2047) // 4095
        _check_depth(grey.min(), grey.max(), 4095)
        if tags.get(_PHOTOMETRIC) == 0:  # white as zero, which Pillow turns round for 8 bits only
            grey = 65535 - grey
        return Image.fromarray(((grey + 128) // 257).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise _Unsupported(_FLOATS)
    if image.mode == "LAB":
        raise _Unsupported("Lab colours are not read; save it as RGB")
    image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    if deep:
        lowest, highest = zip(*image.getextrema()[:3])
        _check_depth(min(lowest), max(highest), 15)
    return image


def _check_depth(lowest: int, highest: int, low: int) -> None:
    """Raise _Unsupported for a picture of 16 bits that is all but black: its maker wrote 12 bits or fewer, unscaled."""
    if lowest != highest and highest <= low:
        raise _Unsupported(f"16 bits of which only the lowest 12 are used; {_SAVE}")
