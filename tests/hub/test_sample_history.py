"""The few pictures of a training that travel with its model."""

import numpy as np
import pytest
from PIL import Image

from gan.errors import UserError
from gan.hub import sample_history


def run_with(folder, count):
    (folder / "grids").mkdir(parents=True)
    for number in range(count):
        Image.new("RGB", (64, 64), (number, 0, 0)).save(folder / "grids" / f"{number * 1000:09d}.png")
    return folder


def test_at_most_twelve_are_kept_evenly_and_the_last_among_them(tmp_path):
    assert len(sample_history.keep(run_with(tmp_path / "run", 37))) == sample_history.MOST
    seen = [images for images, _ in sample_history.frames(tmp_path / "run")]
    assert seen == sorted(seen) and seen[-1] == 36_000
    assert set(np.diff(seen)) <= {3000, 4000}


def test_all_of_a_short_run_are_kept_and_show_the_same(tmp_path):
    sample_history.keep(run_with(tmp_path / "run", 3))
    (images, last) = sample_history.frames(tmp_path / "run")[-1]
    with Image.open(last) as picture:
        assert picture.size == (64, 64) and abs(picture.getpixel((5, 5))[0] - 2) <= 3
    assert images == 2000


def test_what_was_kept_before_goes(tmp_path):
    sample_history.keep(run_with(tmp_path / "run", 3))
    (tmp_path / "run" / "grids" / "000002000.png").unlink()
    sample_history.keep(tmp_path / "run")
    assert [images for images, _ in sample_history.frames(tmp_path / "run")] == [0, 1000]


def test_what_came_after_the_model_is_left_out_and_so_is_what_is_no_grid(tmp_path):
    run = run_with(tmp_path / "run", 5)
    Image.new("RGB", (64, 64)).save(run / "grids" / "mine.png")
    sample_history.keep(run, until=3000)
    assert [images for images, _ in sample_history.frames(run)] == [0, 1000, 2000, 3000]
    sample_history.keep(run)
    assert [images for images, _ in sample_history.frames(run)] == [0, 1000, 2000, 3000, 4000]


def test_what_is_kept_stays_where_somebody_removed_the_grids(tmp_path):
    run = run_with(tmp_path / "run", 3)
    kept = sample_history.keep(run)
    for grid in (run / "grids").iterdir():
        grid.unlink()
    assert sample_history.keep(run) == [] and [path for _, path in sample_history.frames(run)] == kept


def test_a_folder_without_any_has_none(tmp_path):
    assert sample_history.frames(tmp_path) == []


def test_a_grid_comes_apart_into_its_flowers(tmp_path):
    from gan.utils import images as render

    pictures = [np.full((16, 16, 3), 3 * number, np.uint8) for number in range(64)]
    path = tmp_path / "000001000.webp"
    Image.fromarray(render.grid(pictures, 8)).save(path, "WEBP", lossless=True)
    found = sample_history.flowers(path, 16)
    assert found.shape == (64, 16, 16, 3) and np.array_equal(found, np.stack(pictures))


@pytest.mark.parametrize("content", [b"", b"RIFF....WEBP", b"x" * 100])
def test_a_damaged_grid_is_a_sentence(tmp_path, content):
    path = tmp_path / "000001000.webp"
    path.write_bytes(content)
    with pytest.raises(UserError, match="000001000.webp of the model's growth"):
        sample_history.flowers(path, 16)


def test_a_grid_of_another_size_or_kind_is_refused(tmp_path):
    path = tmp_path / "000001000.webp"
    Image.new("RGB", (142, 142)).save(path, "PNG")
    with pytest.raises(UserError, match="is no grid"):
        sample_history.flowers(path, 16)
    Image.new("RGB", (100, 142)).save(path, "WEBP")
    with pytest.raises(UserError, match="is no grid"):
        sample_history.flowers(path, 16)
