"""A picture that arrives as text from a stranger's browser, as pixels; or the reason why not.

Nothing about it is believed: it is small before it is decoded, its kind is that of its bytes, and its sides are read before its
pixels. Only the decoded pixels are used: what else the file holds, before or behind them, goes no further. Nothing is written
anywhere.
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
SIDE = 256  # of what `read` gives
FORMATS = ("JPEG", "PNG", "WEBP")

_ADDRESS = re.compile(r"data:image/(jpeg|png|webp);base64,([A-Za-z0-9+/]+={0,2})")


class Refused(UserError):
    """A picture that is not taken. `reason` is a word for it: one of SENTENCES."""

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
    """The picture of a data address (data:image/jpeg;base64,…; JPEG, PNG or WebP, a square), upright: uint8 256×256×3.

    What is transparent stands on white. Raises Refused.
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
    if _kind(content) != found[1]:
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
            return _flat(ImageOps.exif_transpose(image))
    except Refused:
        raise
    except Image.DecompressionBombError:
        raise Refused("sides") from None
    except Exception:  # decoders raise nearly everything on hostile files
        raise Refused("damaged") from None


def _flat(image: Image.Image) -> np.ndarray:
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("RGB")
    if image.width != SIDE:
        image = image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    return np.array(image)


def _kind(content: bytes) -> str:
    """What the first bytes say that it is."""
    if content.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    return "webp" if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else ""
