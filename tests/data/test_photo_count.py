"""gan.data.photo_count: what the doctor says of a number of photos."""

from __future__ import annotations

import json

import pytest

from gan.data import doctor_report, photo_count
from gan.data.doctor import DatasetReport, PhotoInfo

CURVE = {
    "resolution": 64, "label": "Judge", "floor": 0.02,
    "points": [
        {"photos": 25, "kid": 0.4, "recall": 0.0, "copies": 0.5},
        {"photos": 100, "kid": 0.2, "recall": 0.1, "copies": 0.1},
        {"photos": 400, "kid": 0.1, "recall": 0.3, "copies": 0.02},
    ],
}  # fmt: skip


def test_figures_are_linear_in_the_logarithm_and_constant_beyond_the_ends():
    points = CURVE["points"]
    assert photo_count.interpolated(points, 50) == pytest.approx({"kid": 0.3, "recall": 0.05, "copies": 0.3})
    assert photo_count.interpolated(points, 200) == pytest.approx({"kid": 0.15, "recall": 0.2, "copies": 0.06})
    for point in points:
        found = photo_count.interpolated(points, point["photos"])
        assert found == pytest.approx({key: point[key] for key in ("kid", "recall", "copies")})
    assert photo_count.interpolated(points, 3)["kid"] == 0.4 and photo_count.interpolated(points, 5000)["kid"] == 0.1


def test_the_estimate_says_that_it_is_a_guess_and_when_it_is_beyond_what_was_measured():
    said = "\n".join(photo_count.estimate({"roses": 60, "tulips": 40, "gone": 0}, CURVE))
    assert "50 photos a class:" in said and "KID-Judge about 0.3" in said and "guess" in said and "30%" in said
    assert "fewer than the 25" in photo_count.estimate({"roses": 9}, CURVE)[0]
    assert "more than the 400" in photo_count.estimate({"roses": 4000}, CURVE)[0]


def test_without_a_curve_or_photos_nothing_is_estimated(tmp_path):
    assert photo_count.load_curve(tmp_path / "none.json") is None
    (tmp_path / "one.json").write_text(json.dumps({**CURVE, "points": CURVE["points"][:1]}))
    assert photo_count.load_curve(tmp_path / "one.json") is None
    assert photo_count.estimate({"roses": 50}, None) == [] and photo_count.estimate({"roses": 0}, CURVE) == []


def test_the_doctor_ends_with_the_estimate_where_there_is_a_curve(monkeypatch):
    photos = [PhotoInfo(f"roses/{number}.png", "roses", 64, 64, 9, 2.0) for number in range(50)]
    found = DatasetReport(64, photos, [], ("roses",), [], [])
    monkeypatch.setattr(photo_count, "load_curve", lambda: None)
    without = doctor_report.report(found, "photos")
    monkeypatch.setattr(photo_count, "load_curve", lambda: CURVE)
    assert doctor_report.report(found, "photos").startswith(without + "\nto expect of 50 photos a class")
