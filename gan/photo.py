"""One picture file, of whatever kind people have, as a square of RGB pixels; or the reason why not."""

from __future__ import annotations

import logging
import os
import re
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

MIN_SIDE = 16  # pixels; smaller ones are icons
MAX_PIXELS = 100_000_000
MAX_BYTES = 256 * 2**20
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")  # all others stay closed: fewer decoders, fewer surprises

_PICTURE = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF....WEBP|II[*+]\0|MM\0[*+]|BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0",
    re.DOTALL,
)  # how files of FORMATS begin
_HEIF = re.compile(rb"....ftyp(hei|hev|mif|msf|avi)", re.DOTALL)


def prepare(path: Path, out: np.ndarray) -> str:
    """Decode `path` into `out`, uint8 3×S×S. Returns why that was not possible, or an empty string."""
    reason = refuse(path)
    if reason:
        return reason
    try:
        with open(path, "rb") as file, Image.open(file, formats=FORMATS) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                return f"too large: {width}×{height} pixels"
            if min(width, height) < MIN_SIDE:
                return f"too small: {width}×{height} pixels"
            out[:] = np.asarray(_square(image, out.shape[-1])).transpose(2, 0, 1)
        return ""
    except Image.DecompressionBombError:
        return f"too large: over {MAX_PIXELS // 10**6} megapixels"
    except UnidentifiedImageError:
        return "damaged or truncated"  # it begins like a picture, or refuse would have said so
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
        with quiet_pillow(), open(path, "rb") as file, Image.open(file, formats=FORMATS) as image:
            return image.size
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


def _square(image: Image.Image, size: int) -> Image.Image:
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
    image = _eight_bit(image)
    x, y = (image.width - side) / 2, (image.height - side) / 2
    box = (x, y, x + side, y + side)
    image = image.resize((size, size), Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    """Any mode as RGB, or RGBA where something is transparent."""
    if image.mode.startswith("I"):  # 16-bit grey: Pillow's own conversion clips at 255
        grey = np.asarray(image).clip(0, 65535).astype(np.uint32)
        return Image.fromarray(((grey + 128) // 257).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise _Unsupported("floating-point pixels are not read; save it with 8 bits a channel")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Keep Pillow's warnings about odd files away from the user; the list of skipped files says what matters.

    What libtiff itself writes to stderr about a damaged compressed TIFF still comes through.
    """
    logger = logging.getLogger("PIL")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
