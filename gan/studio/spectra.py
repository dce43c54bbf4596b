"""Spectra of pictures as the page shows them: as a picture, as a curve beside that of photos, and as measured peaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import islice
from threading import Lock
from typing import Any

import numpy as np

from gan.evaluation.artifacts import PERIODS, mean_spectrum, radial_spectrum
from gan.evaluation.photo_folder import PhotoFolder
from gan.studio.i18n import say
from gan.utils import svg_plots
from gan.utils.formatting import rounded

RANGE = 60.0  # decibels from black to white
MOST_PHOTOS = 64  # photos of a class behind a spectrum


def picture(pictures: np.ndarray) -> np.ndarray:
    """The mean spectrum of pictures uint8 N×S×S×3 as a gray picture, uint8 S×S×3, with frequency 0 in the middle.

    White is the strongest frequency, black is RANGE below it or less. A checkerboard shows as bright points away from the
    middle.
    """
    power = mean_spectrum(pictures)
    gray = np.clip(1 + (power - power.max()) / RANGE, 0, 1)
    return np.repeat((255 * gray).round().astype(np.uint8)[..., None], 3, axis=2)


def peaks(scores: Mapping[str, Any]) -> dict[int, tuple[float, float]]:
    """The height of the checkerboard's peaks: period in pixels → decibels in a model's flowers, and in photos.

    From the model's evaluation; empty if `scores` have none.
    """
    found = scores.get("checkerboard") or {}
    drawn, real = found.get("generated") or {}, found.get("real") or {}
    return {
        period: (float(drawn[key]), float(real[key]))
        for period in PERIODS
        if (key := f"peaks_{period}") in drawn and key in real
    }


def peak_sentences(found: Mapping[int, tuple[float, float]], language: str) -> list[str]:
    """What the page says of such `peaks`, a sentence for each period."""
    return [
        say("ladder_peak", language, period=period, drawn=rounded(drawn, 1), real=rounded(real, 1))
        for period, (drawn, real) in found.items()
    ]


class PhotoSpectra:
    """The spectra of a host's photos, each class read once."""

    def __init__(self, photos: PhotoFolder) -> None:
        self._photos, self._lock = photos, Lock()
        self._squares = lru_cache(maxsize=4)(self._read)

    def squares(self, label: int) -> np.ndarray:
        """The first MOST_PHOTOS usable photos of class index `label`, uint8 N×S×S×3."""
        with self._lock:  # visitors who open the tab at once read the photos once
            return self._squares(label)

    def _read(self, label: int) -> np.ndarray:
        found = (self._photos.square(path) for path in self._photos.files(label))
        squares = list(islice((square for square in found if square is not None), MOST_PHOTOS))
        return np.stack(squares) if squares else np.empty((0, self._photos.side, self._photos.side, 3), np.uint8)


def plot(flower: np.ndarray, photos: np.ndarray, language: str) -> str:
    """The radial spectrum of a flower, uint8 S×S×3, beside the mean one of photos N×S×S×3 where there are any: an SVG."""
    series = [_series(say("inside_this_flower", language), "model", flower[None])]
    if len(photos):
        series.append(_series(say("inside_photos", language, count=len(photos)), "real", photos))
    points = [point for one in series for point in one.points]
    x = svg_plots.Axis(say("inside_frequency", language), 0.0, max(x for x, _ in points))
    y = svg_plots.span([power for _, power in points], say("inside_power", language), "log")
    return str(svg_plots.lines(say("inside_plot", language), x, y, series))


def _series(name: str, kind: str, pictures: np.ndarray) -> svg_plots.Series:
    frequencies, powers = radial_spectrum(pictures)
    points: Sequence[tuple[float, float]] = [(float(x), 10.0 ** float(power)) for x, power in zip(frequencies, powers)]
    return svg_plots.Series(name, kind, points)
