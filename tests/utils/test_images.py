"""What people keep: files that open, hold what they should, and are the same bytes every time."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from gan.utils import images


def flowers(count: int, size: int = 16) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (size, size, 3), dtype=np.uint8) for _ in range(count)]


def test_a_png_is_lossless_and_knows_its_settings():
    picture, settings = flowers(1)[0], {"class": "чорнобривці <b>", "seed": 2**32 - 1, "truncation": None}
    file = images.png(picture, settings)
    assert file == images.png(picture, settings)
    with Image.open(io.BytesIO(file)) as image:
        assert image.format == "PNG" and np.array_equal(np.asarray(image), picture)
        assert image.info["Software"] == "This Flower Does Not Exist"
    assert images.read_settings(file) == settings
    assert images.read_settings(images.png(picture)) is None


def test_a_jpeg_is_near_and_knows_its_settings():
    ramp = np.linspace(0, 255, 64).astype(np.uint8)
    picture = np.stack(np.broadcast_arrays(ramp, ramp[:, None], ramp[::-1]), -1)  # smooth, in all colors
    settings = {"class": "чорнобривці <b>", "seed": 2**32 - 1, "truncation": None}
    file = images.jpeg(picture, settings)
    assert file == images.jpeg(picture, settings) and images.read_settings(file) == settings
    with Image.open(io.BytesIO(file)) as image:
        assert image.format == "JPEG"
        assert np.abs(np.asarray(image).astype(int) - picture).max() < 16


def test_a_zip_holds_its_files_and_no_date():
    files = [("a-1.png", b"one"), ("b-2.png", b"two")]
    archive = images.zipped(files)
    assert archive == images.zipped(files)
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert opened.testzip() is None
        assert [(entry.filename, opened.read(entry)) for entry in opened.infolist()] == files
        assert {entry.date_time for entry in opened.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_a_grid_puts_pictures_in_rows():
    pictures = flowers(5, 4)
    sheet = images.grid(pictures, 3, gap=1, color=9)
    assert sheet.shape == (9, 14, 3)
    assert np.array_equal(sheet[5:9, 5:9], pictures[4]) and (sheet[5:, 10:] == 9).all() and (sheet[4] == 9).all()
    assert images.grid(pictures[:1], 7).shape == (4, 4, 3)


def test_a_filmstrip_breaks_after_twelve():
    assert images.filmstrip(flowers(3, 4)).shape == (4, 12, 3)
    assert images.filmstrip(flowers(13, 4)).shape == (8, 48, 3)


@pytest.mark.parametrize(("size", "least", "side"), [(28, 256, 280), (64, 256, 256), (128, 384, 384), (600, 384, 600)])
def test_small_pictures_are_enlarged_by_a_whole_factor(size, least, side):
    assert images.enlarge(np.zeros((size, size, 3), np.uint8), least).shape == (side, side, 3)


def test_a_gif_opens_with_all_its_pictures_and_repeats():
    pictures = flowers(6)
    file = images.gif(pictures)
    assert file == images.gif(pictures)
    with Image.open(io.BytesIO(file)) as image:
        assert (image.format, image.n_frames, image.size) == ("GIF", 6, (256, 256))
        assert image.info["loop"] == 0 and image.info["duration"] == 80


@pytest.mark.parametrize("size", [16, 129, 395])
def test_a_film_decodes_to_all_its_pictures_at_an_even_size(size):
    import av

    pictures = [np.full((size, size, 3), level, np.uint8) for level in (0, 60, 120, 180, 240)]
    file = images.mp4(pictures)
    assert file == images.mp4(pictures)
    with av.open(io.BytesIO(file)) as film:
        stream = film.streams.video[0]
        assert stream.codec_context.name == "h264" and stream.codec_context.pix_fmt == "yuv420p"
        decoded = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert len(decoded) == 5 and all(side % 2 == 0 and side >= 384 for side in decoded[0].shape[:2])
    levels = [frame.mean() for frame in decoded]
    assert levels == pytest.approx([0, 60, 120, 180, 240], abs=8)
