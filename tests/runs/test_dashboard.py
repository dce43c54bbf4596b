"""The page of a training: its curves, its pictures, and that it loads nothing; and the journal behind it."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request

import numpy as np
import pytest
import torch
from pictures import make_photos
from PIL import Image

import train
from gan.data.image_folder import OVERSAMPLE, load_photos
from gan.errors import UserError
from gan.presets import from_preset
from gan.runs import dashboard, history
from gan.runs.dashboard import DashboardData
from gan.runs.dashboard_server import preview
from gan.runs.run import Run
from gan.utils import images as render

ROWS = [
    {
        "images": 320 * n,
        "critic_loss": 3 - n / 10,
        "generator_loss": 1 + n / 10,
        "gradient_norm": (n % 4 == 0) * 2.0,
        "critic_gradient": 30.0 + n,
        "generator_gradient": (n > 0) * 0.5,
    }  # fmt: skip
    for n in range(20)
]
ROWS += [{"images": 3200, "kid": 0.5}, {"images": 6400, "kid": 0.25}]


def some(**more) -> DashboardData:
    given = {
        "name": "roses", "images": 6400, "planned": 12_800, "seconds": 600.0, "settings": {"preset": "flagship"},
        "photos": {"<b>rose": 12}, "rows": ROWS,
    }  # fmt: skip
    return DashboardData(**{**given, **more})


def test_the_journal_keeps_what_was_measured_and_forgets_what_was_not_saved(tmp_path):
    book = history.History(tmp_path, 0)
    for images in (32, 64, 96):
        book.add(images, critic_loss=float(images), generator_loss=float("nan"))
    assert [row["images"] for row in history.read(tmp_path)] == [32, 64, 96]
    assert history.read(tmp_path)[0] == {"images": 32, "critic_loss": 32.0}
    again = history.History(tmp_path, 64)  # resumed from a snapshot at 64
    again.add(96, kid=0.5)
    assert [row["images"] for row in history.read(tmp_path)] == [32, 64, 96]
    assert history.read(tmp_path)[-1] == {"images": 96, "kid": 0.5}


@pytest.mark.parametrize("tail", ['{"images": 12', "x\n", "[]\n", '{"kid": 1}\n', "\x00\xff\n", '{"images": "7"}\n'])
def test_a_journal_that_was_cut_short_is_read_up_to_there(tmp_path, tail):
    history.History(tmp_path, 0).add(32, kid=1.0)
    with (tmp_path / history.FILE).open("a", encoding="utf-8") as file:
        file.write(tail)
    assert history.read(tmp_path) == [{"images": 32, "kid": 1.0}]


def test_a_long_journal_is_thinned_when_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(history, "MAX_ROWS", 10)
    (tmp_path / history.FILE).write_text("".join(json.dumps({"images": n}) + "\n" for n in range(35)))
    found = [row["images"] for row in history.read(tmp_path)]
    assert len(found) <= 10 and found[0] == 0 and set(np.diff(found)) == {4}
    history.History(tmp_path, 33).add(33, kid=0.5)
    assert len((tmp_path / history.FILE).read_text().splitlines()) == 35, "a run that goes on loses none of its rows"
    assert history.read(tmp_path)[-1] == {"images": 33, "kid": 0.5}, "no KID is left out"
    assert history.read(tmp_path / "nowhere") == []


def test_curves_are_of_what_was_measured():
    always = ["Losses", "Gradients of the weights", "Slope of the critic"]
    assert [name for name, _ in dashboard.curves(ROWS, "KID-X")] == [*always, "KID-X"]
    assert [name for name, _ in dashboard.curves(ROWS[:20])] == always
    assert dashboard.curves([]) == [] and dashboard.curves([{"images": 5, "kid": 0.1}]) == []
    slope = dict(dashboard.curves(ROWS))["Slope of the critic"]
    ys = [float(pair.split(",")[1]) for pair in re.search(r'points="([^"]+)"', slope)[1].split()]
    assert len(ys) == 5 and len(set(ys)) == 1, "steps without a penalty are no point of the curve"


def test_a_journal_from_before_the_gradients_were_measured_has_the_other_curves():
    old = [{key: value for key, value in row.items() if not key.endswith("_gradient")} for row in ROWS]
    assert [name for name, _ in dashboard.curves(old)] == ["Losses", "Slope of the critic", "KID"]
    page = dashboard.page(some(rows=old))
    assert "Gradients of the weights" not in page and page.count("<figcaption>") == 3
    assert "Gradients of the weights" in dashboard.page(some(rows=[*old[:10], *ROWS[10:]])), "it goes on now"


def test_the_kid_of_another_network_is_not_in_the_curve():
    rows = [{"images": n, "kid": 1.0, "kid_name": "KID-A" if n < 3 else "KID-B"} for n in range(1, 7)]
    drawing = dict(dashboard.curves(rows, "KID-B"))["KID-B"]
    assert len(re.search(r'points="([^"]+)"', drawing)[1].split()) == 4


def test_gradients_of_different_size_are_both_to_be_seen():
    drawing = dict(dashboard.curves(ROWS))["Gradients of the weights"]
    critic, generator = (
        [tuple(map(float, pair.split(","))) for pair in found.split()] for found in re.findall(r'points="([^"]+)"', drawing)
    )
    assert len(critic) == 20 and len(generator) == 19, "none while the generator was not trained"
    assert max(y for _, y in critic) < min(y for _, y in generator) < 900, "on a scale of powers of ten"


def test_a_curve_of_many_points_is_one_of_medians():
    rows = [{"images": n, "kid": 1.0 if n % 50 else 1000.0} for n in range(1, 4001)]
    drawing = dict(dashboard.curves(rows))["KID"]
    assert len(re.search(r'points="([^"]+)"', drawing)[1].split()) <= dashboard.POINTS


def test_the_page_shows_all_of_it_and_loads_nothing():
    flowers = np.zeros((8, 16, 16, 3), np.uint8)
    page = dashboard.page(
        some(
            moments=[(3200, flowers), (6400, flowers)], truncations=[("truncation 1.5", flowers)],
            pairs=[(flowers[0], flowers[1], 4.25)], reals=np.zeros((142, 142, 3), np.uint8),
        )
    )  # fmt: skip
    assert "6,400 of 12,800 images" in page.replace("\xa0", " ") and "(50 %)" in page
    assert page.index("6,400\xa0images" if "6,400\xa0images" in page else "6,400 images") < page.index("3,200")
    assert "&lt;b&gt;rose" in page and "<b>rose" not in page
    assert "4.2" in page and page.count("<img") == 2 + 1 + 2 + 1
    assert not re.search(r"(src|href)=\"(?!data:|#)", page) and "<script" not in page
    assert "default-src 'none'" in page and f'content="{dashboard.REFRESH}"' in page


def test_a_page_of_a_run_that_has_just_begun():
    page = dashboard.page(some(rows=[], images=0))
    assert "Nothing was measured yet" in page and "Not looked for" in page


def test_moments_are_the_first_row_of_the_grids_evenly_and_the_last(tmp_path):
    for number in range(25):
        pictures = [np.full((16, 16, 3), 10 * number + cell % 10, np.uint8) for cell in range(64)]
        Image.fromarray(render.grid(pictures, 8)).save(tmp_path / f"{number * 1000:09d}.png")
    (tmp_path / "000099999.png").write_bytes(b"no picture")
    found = dashboard.moments(tmp_path, 16)
    assert len(found) == dashboard.MOMENTS - 1 and found[0][1].shape == (8, 16, 16, 3)
    assert found[0][1][3, 0, 0, 0] == found[0][0] // 100 + 3


def test_a_run_writes_its_page_and_goes_on_with_its_journal(tmp_path):
    photos, out = make_photos(tmp_path / "photos", count=10), tmp_path / "run"
    flags = [str(photos), "--preset", "cwgan-gp-28", "--width", "4", "--batch", "4", "--critic-steps", "1", "--device", "cpu"]
    for images in (80, 160):
        command = [*flags, "--images", str(images), "--every", "40", "--evaluate-every", "0", "--out", str(out)]
        assert train.main(command) == 0
        seen = [row["images"] for row in history.read(out)]
        assert seen == list(range(40, images + 1, 40))
        page = (out / dashboard.FILE).read_text(encoding="utf-8")
        assert f"{images} of {images} images" in page.replace("\xa0", " ") and "truncation 0.01" in page
        assert page.count('class="moment"') == images // 40 + 1 + 3


def test_a_slope_that_is_measured_at_every_fourth_step_is_logged_at_every_tenth(tmp_path):
    photos = load_photos(make_photos(tmp_path / "photos"), OVERSAMPLE * 28)
    given = {"width": 4, "batch": 4, "critic_steps": 1, "penalty_every": 4, "images": 160}
    run = Run(tmp_path / "run", *from_preset("cwgan-gp-28", photos.classes, **given), photos, torch.device("cpu"))
    slopes = []
    assert run.train(1000, lambda _, stats: slopes.append(round(stats.gradient_norm, 6)), lambda: False)
    assert [row["gradient_norm"] for row in history.read(tmp_path / "run")] == [slopes[step] for step in (8, 16, 28, 36)]
    assert all(row["generator_gradient"] > 0 < row["critic_gradient"] for row in history.read(tmp_path / "run"))


def test_the_preview_serves_the_page_and_nothing_else(tmp_path):
    (tmp_path / "snapshot.pt").write_bytes(b"secret")
    with preview(tmp_path, 0) as address:
        assert b"Nothing saved yet" in urllib.request.urlopen(address, timeout=5).read()
        (tmp_path / dashboard.FILE).write_text("<p>here", encoding="utf-8")
        assert urllib.request.urlopen(address + "/?again", timeout=5).read() == b"<p>here"
        for path in ("/snapshot.pt", "/learning.html/../snapshot.pt", "/%2e%2e/x"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(address + path, timeout=5)
        port = int(address.rpartition(":")[2])
        with pytest.raises(UserError, match=f"port {port}.*--preview PORT"), preview(tmp_path, port):
            pass
    with pytest.raises(OSError):
        urllib.request.urlopen(address, timeout=1)
