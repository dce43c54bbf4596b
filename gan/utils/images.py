"""Pictures as files: PNG with settings, ZIP, grid, filmstrip, GIF, WebP, MP4; and between tensors, arrays and sizes.

Pictures are uint8 H×W×3 unless a function says otherwise. The same pictures and settings give the same bytes.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image, PngImagePlugin
from torch import Tensor

SOFTWARE = "This Flower Does Not Exist"
SETTINGS_KEY = "Settings"  # the PNG text chunk that holds the settings, as JSON in ASCII
JPEG_QUALITY = 90
FRAMES_A_SECOND = 12
GIF_SIDE, FILM_SIDE = 256, 384  # pixels a side that a film has at least; smaller pictures are enlarged
STRIP_COLUMNS = 12


def png(picture: np.ndarray, settings: Mapping[str, Any] | None = None) -> bytes:
    """A PNG file of `picture`, with `settings` (values of JSON) in a text chunk."""
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("Software", SOFTWARE)
    if settings is not None:
        chunks.add_text(SETTINGS_KEY, json.dumps(settings, sort_keys=True))
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", compress_level=4, pnginfo=chunks)
    return buffer.getvalue()


def jpeg(picture: np.ndarray, settings: Mapping[str, Any]) -> bytes:
    """A JPEG file of `picture` with its colors at full resolution, and with `settings` (values of JSON) as its comment.

    At 256×256 it is encoded twenty times as fast as the PNG file, and takes a quarter of the bytes.
    """
    buffer = io.BytesIO()
    comment = json.dumps(settings, sort_keys=True)
    Image.fromarray(picture).save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling="4:4:4", comment=comment)
    return buffer.getvalue()


def read_settings(file: bytes) -> dict[str, Any] | None:
    """The settings that `png` or `jpeg` wrote into a file; None where there are none. Raises errors of Pillow and json."""
    with Image.open(io.BytesIO(file)) as image:
        text = image.info.get(SETTINGS_KEY, image.info.get("comment"))
    return None if text is None else json.loads(text)


def zipped(files: Iterable[tuple[str, bytes]]) -> bytes:
    """A ZIP archive of (name, content) pairs in their order; not compressed, as PNG files are."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files:
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))  # a fixed date, so that the bytes do not change
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def grid(pictures: Sequence[np.ndarray], columns: int, gap: int = 2, color: int = 255) -> np.ndarray:
    """All pictures (of one size) in rows of `columns`, `gap` pixels of gray value `color` between them."""
    height, width = pictures[0].shape[:2]
    columns = max(1, min(columns, len(pictures)))
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), color, np.uint8)
    for i, picture in enumerate(pictures):
        top, left = i // columns * (height + gap), i % columns * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    return sheet


def filmstrip(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """The pictures of a path side by side, in rows of up to 12, without gaps."""
    return grid(pictures, STRIP_COLUMNS, gap=0)


def enlarge(picture: np.ndarray, least: int) -> np.ndarray:
    """`picture` enlarged smoothly by the smallest whole factor that makes both its sides `least` pixels or more."""
    height, width = picture.shape[:2]
    factor = -(-least // min(height, width))
    if factor <= 1:
        return picture
    return np.asarray(Image.fromarray(picture).resize((width * factor, height * factor), Image.Resampling.BICUBIC))


def gif(pictures: Sequence[np.ndarray]) -> bytes:
    """A GIF that repeats for ever: 12.5 pictures a second (GIF counts in 1/100 s), at least GIF_SIDE pixels a side.

    Equal neighbors become one picture that is shown as long as both.
    """
    frames = [Image.fromarray(enlarge(picture, GIF_SIDE)) for picture in pictures]
    # One palette for all frames: with a palette each, parts that do not move would flicker.
    palette = Image.fromarray(grid(pictures, STRIP_COLUMNS, gap=0)).quantize(256, Image.Quantize.MEDIANCUT)
    frames = [frame.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for frame in frames]
    buffer = io.BytesIO()
    milliseconds = 1000 // FRAMES_A_SECOND // 10 * 10
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=milliseconds, loop=0, optimize=False)
    return buffer.getvalue()


def mp4(pictures: Sequence[np.ndarray]) -> bytes:
    """An H.264 film in an MP4 file: FRAMES_A_SECOND, at least FILM_SIDE pixels a side. Browsers and phones play it."""
    import av  # here, because the import is slow and only films need it

    frames = [_pad_to_even(enlarge(picture, FILM_SIDE)) for picture in pictures]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as film:
        # One thread: with several, the bytes would depend on their number.
        options = {"crf": "18", "preset": "veryfast", "threads": "1"}
        stream = film.add_stream("libx264", rate=FRAMES_A_SECOND, options=options)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            film.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        film.mux(stream.encode())
    return buffer.getvalue()


def webp(pictures: Sequence[np.ndarray]) -> bytes:
    """An animated WebP file that repeats for ever: FRAMES_A_SECOND, at least GIF_SIDE pixels a side, lossy."""
    frames = [Image.fromarray(enlarge(picture, GIF_SIDE)) for picture in pictures]
    buffer = io.BytesIO()
    options: dict[str, Any] = {"duration": round(1000 / FRAMES_A_SECOND), "loop": 0, "quality": 85, "method": 3}
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:], **options)
    return buffer.getvalue()


def _pad_to_even(picture: np.ndarray) -> np.ndarray:
    """`picture` with its last row or column repeated where a side is odd, because yuv420p needs even sides."""
    height, width = picture.shape[:2]
    return np.ascontiguousarray(np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge"))


def to_uint8(images: Tensor) -> np.ndarray:
    """Pictures N×3×S×S in [−1, 1] → uint8 N×S×S×3, rounded; values outside of the range are clamped."""
    pixels = ((images.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def resized(pixels: np.ndarray, side: int) -> np.ndarray:
    """Pictures uint8 N×S×S×3 → uint8 N×side×side×3, bilinear, antialiased where they shrink."""
    if pixels.shape[1] == side:
        return pixels
    parts: Sequence[np.ndarray] = np.array_split(pixels, max(1, len(pixels) // 64))
    out = []
    for part in parts:  # at most 64 at a time, as floats take four times the memory
        images = torch.from_numpy(part).permute(0, 3, 1, 2).float()
        images = torch.nn.functional.interpolate(images, size=side, mode="bilinear", antialias=True)
        out.append(images.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy())
    return np.concatenate(out)
