"""Films of many: a walk hits its way points and closes, a grid has a film in each place, the command writes three kinds."""

from __future__ import annotations

import io
import itertools

import av
import numpy as np
import pytest
from PIL import Image

from gan.__main__ import main
from gan.errors import UserError
from gan.sampling import films
from gan.sampling.films import FilmGrid
from gan.sampling.flower import Flower, later
from gan.sampling.interpolation import walk_places
from gan.sampling.sampler import Sampler

FLOWERS = (Flower(0, 1), Flower(1, 5), Flower(0, 9))


@pytest.fixture
def sampler(tiny):
    sampler = Sampler(tiny, 1)
    yield sampler
    sampler.close()


@pytest.mark.parametrize(("count", "steps", "closed"), [*itertools.product((2, 3, 5), (5, 6, 24), (True, False))])
def test_a_walk_hits_every_point_and_goes_evenly(count, steps, closed):
    places = walk_places(count, steps, closed)
    assert len(places) == steps
    at = [first + t for first, _, t in places]
    assert at == sorted(at) and set(range(count)) <= set(at)
    assert all((second - first) % count == 1 for first, second, _ in places)
    gaps = np.diff([*at, count] if closed else at)
    assert max(gaps) <= 2 * min(gaps) if steps > count else True


def test_a_walk_is_what_its_flowers_are_and_closes(sampler):
    pictures = sampler.draw(FLOWERS)
    walk = sampler.walk(FLOWERS, 24)
    for number, picture in enumerate(pictures):
        assert np.array_equal(walk[8 * number], picture)
    steps = [np.abs(a.astype(int) - b).mean() for a, b in zip(walk, np.roll(walk, -1, axis=0))]
    assert 0 < steps[-1] < 2 * max(steps[:-1])  # from the last picture to the first is a step like others
    way = sampler.walk(FLOWERS, 9, "straight", closed=False)
    assert np.array_equal(way[0], pictures[0]) and np.array_equal(way[4], pictures[1]) and np.array_equal(way[8], pictures[2])
    assert np.array_equal(sampler.walk(FLOWERS[:2], 7, closed=False), sampler.path(*FLOWERS[:2], 7))
    with pytest.raises(UserError, match="number of steps is 2"):
        sampler.walk(FLOWERS, 2)


def test_each_place_of_a_grid_has_its_own_walk(sampler):
    film = FilmGrid(FLOWERS, columns=3, rows=2, seconds=1)
    frames = films.draw(sampler, film)
    assert frames.shape == (12, 2 * 18 - 2, 3 * 18 - 2, 3) and frames.dtype == np.uint8
    for place in range(6):
        later = [Flower(flower.label, flower.seed + place) for flower in FLOWERS]
        top, left = place // 3 * 18, place % 3 * 18
        assert np.array_equal(frames[:, top : top + 16, left : left + 16], sampler.walk(later, 12))


def test_on_one_path_each_starts_further_along(sampler):
    frames = films.draw(sampler, FilmGrid(FLOWERS, columns=2, rows=2, seconds=1, paths="same"))
    walk = sampler.walk(FLOWERS, 12)
    for place in range(4):
        top, left = place // 2 * 18, place % 2 * 18
        assert np.array_equal(frames[:, top : top + 16, left : left + 16], np.roll(walk, -3 * place, axis=0))


def test_the_command_writes_all_three_kinds(model_folder, tmp_path, capsys):
    given = ["film", str(model_folder), "--seeds", "1,5,4294967295", "--grid", "2x2", "--seconds", "1", "--out"]
    for kind in films.KINDS:
        out = tmp_path / "new" / f"film.{kind}"
        assert main([*given, str(out)]) == 0 and capsys.readouterr().out.strip() == str(out)
        if kind == "mp4":
            with av.open(str(out)) as video:
                frames = list(video.decode(video=0))
            assert len(frames) == 12 and (frames[0].width, frames[0].height) == (408, 408)
        else:
            with Image.open(out) as image:
                assert (image.format, image.n_frames, image.info["loop"]) == (kind.upper(), 12, 0)
                assert image.size == (272, 272)
    assert main([*given, str(out)]) == 2 and "there already" in capsys.readouterr().err
    before = out.read_bytes()
    assert main([*given, str(out), "--force"]) == 0 and out.read_bytes() == before  # the same film, the same bytes
    assert Image.open(io.BytesIO(before)).is_animated


BAD = [
    (["--seeds", "1"], "2 to 50 seeds"),
    (["--seeds", "1,x"], "such as 1,5,9"),
    (["--seeds", "1,4294967296"], "the seed is 4294967296"),
    (["--grid", "2by2"], "such as 2x2"),
    (["--grid", "7x1"], "from 1 to 6"),
    (["--seconds", "0.5"], "seconds is 0.5"),
    (["--seconds", "nan"], "seconds is nan"),
    (["--seeds", ",".join(map(str, range(13))), "--seconds", "1"], "too short for 13"),
    (["--paths", "same", "--open"], "leave out --open"),
    (["--class", "rose"], "'rose'"),
    (["--truncation", "9"], "0.01 to 3"),
    (["--out", "film.avi"], ".mp4, .gif, .webp"),
]


@pytest.mark.parametrize(("more", "sentence"), BAD)
def test_what_can_be_no_film_is_one_sentence(model_folder, tmp_path, capsys, monkeypatch, more, sentence):
    monkeypatch.chdir(tmp_path)
    assert main(["film", str(model_folder), "--seeds", "1,2", "--out", "film.gif", *more]) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1 and not list(tmp_path.iterdir())


def test_an_open_film_may_have_a_picture_for_each_flower():
    flowers = tuple(Flower(0, seed) for seed in range(12))
    assert FilmGrid(flowers, seconds=1, closed=False).check().steps == 12


def test_a_film_that_would_fill_the_memory_is_refused(sampler, monkeypatch):
    monkeypatch.setattr(films, "MAX_BYTES", 1 << 10)
    with pytest.raises(UserError, match="fewer or shorter"):
        films.draw(sampler, FilmGrid(FLOWERS))


def test_films_stand_row_by_row_with_white_between_them():
    parts = [np.full((2, 3, 3, 3), number, np.uint8) for number in range(6)]
    frames = films.tiled(iter(parts), 3, 2)
    assert frames.shape == (2, 8, 13, 3)
    assert [int(frames[1, top, left, 0]) for top in (0, 5) for left in (0, 5, 10)] == [0, 1, 2, 3, 4, 5]
    assert (frames[:, 3:5] == 255).all() and (frames[:, :, 3:5] == 255).all()
    assert np.array_equal(films.tiled(parts[:1], 1, 1), parts[0])
    assert later(Flower(1, 2**32 - 1, None), 2) == Flower(1, 1, None)
