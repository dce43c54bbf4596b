"""Decodes a picture that a browser sent as a data URL.

The sender is not trusted. The length is checked before decoding, the format by the first bytes, the sides before the pixels are
read. Only the decoded pixels are used: what else the file holds goes no further. Nothing is written to disk.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from gan.errors import UserError

MAX_TEXT = 120_000  # characters; the page's script sends a JPEG file of 256×256 pixels in 20,000 to 110,000
MIN_SIDE, MAX_SIDE = 16, 512  # pixels
SIDE = 256  # of the result of `read`
FORMATS = ("JPEG", "PNG", "WEBP")

_ADDRESS = re.compile(r"data:image/(jpeg|png|webp);base64,([A-Za-z0-9+/]+={0,2})")


class Refused(UserError):
    """Raised for a picture that is refused. `reason` is a key of SENTENCES."""

    def __init__(self, reason: str) -> None:
        super().__init__(SENTENCES[reason])
        self.reason = reason


SENTENCES = {
    "missing": "there is no photo; choose one.",
    "long": f"the photo is over {MAX_TEXT} characters of base64; send it smaller.",
    "address": "the photo is no data address in base64; send data:image/jpeg;base64,…",
    "kind": "the photo is not what it says it is; send a JPEG, PNG or WebP file.",
    "sides": f"the photo must be a square of {MIN_SIDE} to {MAX_SIDE} pixels a side; crop it, or make it smaller.",
    "moving": "the photo moves; send a still one.",
    "damaged": "the photo is damaged or cut short; save it anew.",
}


def read(text: Any) -> np.ndarray:
    """Decode a data URL of a square JPEG, PNG or WebP file: uint8 256×256×3, upright, transparent pixels on white.

    Raises Refused for anything else.
    """
    if text is None or text == "":
        raise Refused("missing")
    if not isinstance(text, str):
        raise Refused("address")
    if len(text) > MAX_TEXT:
        raise Refused("long")
    found = _ADDRESS.fullmatch(text)
    if not found or len(found[2]) % 4:
        raise Refused("address")
    try:
        content = base64.b64decode(found[2], validate=True)
    except binascii.Error:
        raise Refused("address") from None
    if _format(content) != found[1]:
        raise Refused("kind")
    return _decode(content, found[1])


def _decode(content: bytes, kind: str) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(content), formats=[kind.upper()]) as image:
            if image.width != image.height or not MIN_SIDE <= image.width <= MAX_SIDE:
                raise Refused("sides")
            if getattr(image, "n_frames", 1) != 1:
                raise Refused("moving")
            image.load()
            return _to_rgb(ImageOps.exif_transpose(image))
    except Refused:
        raise
    except Image.DecompressionBombError:
        raise Refused("sides") from None
    except Exception:  # decoders raise many kinds of exceptions for hostile files
        raise Refused("damaged") from None


def _to_rgb(image: Image.Image) -> np.ndarray:
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("RGB")
    if image.width != SIDE:
        image = image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    return np.array(image)


def _format(content: bytes) -> str:
    """The format by the first bytes; empty if it is none of the three."""
    if content.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    return "webp" if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else ""
