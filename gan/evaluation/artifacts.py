"""Traces of convolutions in generated pictures (checkerboards, a wrong spectrum), and pictures that failed altogether.

Every function takes pictures as uint8 N×S×S×3.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from gan.errors import UserError

PERIODS = (2, 4, 8)  # pixels; the periods of the last three doublings of the resolution
BATCH = 64  # pictures processed at a time
END = 2  # a value this near to 0 or 255 counts as an extreme
# No photo of 681 flowers reaches either limit: the share of extremes is 0.58 at most, the spread 22 at least.
MAX_EXTREMES = 2 / 3  # share of a picture's channel values
MIN_SPREAD = 8  # standard deviation of a picture's most varied channel, out of 255


def checkerboard(pictures: np.ndarray) -> dict[str, float]:
    """Checkerboards: `phase_P` (`phase_strength`) and `peaks_P` (`grid_peaks`) for each period P of PERIODS.

    Transposed convolutions leave a grid with the period of their strides (Odena et al. 2016). Photos have none. Periods that do
    not fit three times into a picture are left out. Raises UserError for fewer than two pictures.
    """
    fitting = [period for period in PERIODS if pictures.shape[1] >= 3 * period]
    phase = {f"phase_{period}": phase_strength(pictures, period) for period in fitting}
    return phase | {f"peaks_{period}": grid_peaks(pictures, period) for period in fitting}


def phase_strength(pictures: np.ndarray, period: int) -> float:
    """How much the energy of fine detail depends on the position in a grid of `period` pixels (even): ≥ 0, and 0 for no grid.

    1. energy of a pixel = (brightness − its mean over 3×3)², divided by the mean energy of the picture
    2. minus the mean energy over one period around the pixel, so that a flower in the middle of the picture does not count
    3. averaged over all pixels and pictures at the same of the period² positions
    4. the standard deviation over the positions, minus what as many pictures without a grid are expected to have

    This finds detail that is stronger on some pixels. A pattern that is added equally to all pictures is found by `grid_peaks`.
    Where the period fits just three times, photos do not reach 0 (0.07 at 28 pixels with a period of 8). Raises UserError for
    fewer than two pictures, and when the period does not fit three times.
    """
    _check(pictures, period)
    if len(pictures) < 2:
        raise UserError("one picture alone does not tell a grid from its own pattern; use two or more.")
    places = []
    for light in _light(pictures):
        energy = (light[:, 1:-1, 1:-1] - avg_pool2d(light[:, None], 3, 1)[:, 0]).square()
        energy = energy / energy.mean((1, 2), keepdim=True).clamp(min=1e-12)
        around = avg_pool2d(avg_pool2d(energy[:, None], period, 1), 2, 1)[:, 0]  # twice, so that the window has a middle pixel
        edge = period // 2
        left = energy[:, edge:-edge, edge:-edge] - around
        side = left.shape[1] // period * period
        places.append(left[:, :side, :side].unflatten(2, (-1, period)).unflatten(1, (-1, period)).mean((1, 3)).flatten(1))
    values = torch.cat(places)
    noise = values.var(0).mean().item() / len(values)
    return math.sqrt(max(0.0, values.mean(0).var().item() - noise))


def grid_peaks(pictures: np.ndarray, period: int) -> float:
    """How far the spectrum stands out at the frequencies of a grid of `period` pixels (even), in decibels; about 0 for no grid.

    The frequencies are (i, j)/`period`, without those of a grid of half the period. The power at each is divided by the median
    power of the 16 frequencies on the square ring two steps around it; the figure is the mean of 10 · log₁₀ of these ratios.
    Pictures are cropped to a multiple of the period, so that these are frequencies of the discrete Fourier transform, and
    multiplied by a Hann window.

    Photos have slightly less than 0 at a period of 2: −0.6 dB at 128 pixels and −1.5 dB at 28. Where the period fits just three
    times, even strong grids give only 1 dB. Raises UserError when it does not fit three times.
    """
    _check(pictures, period)
    side = pictures.shape[1] // period * period
    power = torch.zeros(side, side, dtype=torch.float64)
    for batch in _power(pictures, side):
        power += (batch / batch.sum((1, 2), keepdim=True).clamp(min=1e-12)).sum(0)
    ring = [(y, x) for y in range(-2, 3) for x in range(-2, 3) if max(abs(y), abs(x)) == 2]
    around = torch.stack([power.roll(shift, (0, 1)) for shift in ring]).quantile(0.5, dim=0)
    step = side // period
    grid = (10 * torch.log10((power + 1e-12) / (around + 1e-12)))[::step, ::step]  # 1e-12: blank pictures have no power
    own = torch.ones(period, period, dtype=torch.bool)
    own[::2, ::2] = False
    return grid[own].mean().item()


def radial_spectrum(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The radial power spectrum: frequencies 1/S to 1/2 in cycles a pixel, and the mean log₁₀ of the power at each.

    The power spectrum of the brightness (0 to 1, Hann window), averaged over all directions (Durall et al. 2020, section 2).
    White noise of variance v has the power v at every frequency. Powers are at least that of rounding to 256 steps.
    """
    side = pictures.shape[1]
    axis = torch.fft.fftfreq(side, dtype=torch.float64) * side
    radius = (axis[:, None].square() + axis.square()).sqrt().round().long().flatten()
    counts = radius.bincount()[1 : side // 2 + 1]
    total = torch.zeros(len(counts), dtype=torch.float64)
    for power in _power(pictures, side):
        sums = torch.zeros(len(power), int(radius.max()) + 1, dtype=torch.float64).index_add_(1, radius, power.flatten(1))
        total += (sums[:, 1 : side // 2 + 1] / counts).clamp(min=1 / (12 * 255**2)).log10().sum(0)
    return np.arange(1, side // 2 + 1) / side, (total / len(pictures)).numpy()


def mean_spectrum(pictures: np.ndarray) -> np.ndarray:
    """The mean power spectrum of the brightness in decibels, float64 S×S, at least −120, frequency 0 in the middle.

    Each picture is divided by its total power, and multiplied by a Hann window.
    """
    side = pictures.shape[1]
    total = torch.zeros(side, side, dtype=torch.float64)
    for power in _power(pictures, side):
        total += (power / power.sum((1, 2), keepdim=True).clamp(min=1e-12)).sum(0)
    return (10 * torch.log10(torch.fft.fftshift(total / len(pictures)) + 1e-12)).numpy()


def saturated(pictures: np.ndarray) -> np.ndarray:
    """Pictures with more than MAX_EXTREMES of their values within END of 0 or 255: a boolean array N."""
    return ((pictures <= END) | (pictures >= 255 - END)).mean((1, 2, 3)) > MAX_EXTREMES


def blank(pictures: np.ndarray) -> np.ndarray:
    """Pictures of one color, with a standard deviation below MIN_SPREAD in every channel: a boolean array N."""
    return np.array([picture.std((0, 1)).max() < MIN_SPREAD for picture in pictures], bool)


def _check(pictures: np.ndarray, period: int) -> None:
    if pictures.shape[1] < 3 * period:
        raise UserError(f"a grid of {period} pixels cannot be seen in {pictures.shape[1]}; use {3 * period} pixels or more.")


def _light(pictures: np.ndarray) -> Iterator[Tensor]:
    """Brightness N×S×S in [0, 1], float64, of BATCH pictures at a time (weights of ITU-R BT.601, as in JPEG)."""
    weights = torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64) / 255
    for start in range(0, len(pictures), BATCH):
        yield torch.from_numpy(np.ascontiguousarray(pictures[start : start + BATCH])).double() @ weights


def _power(pictures: np.ndarray, side: int) -> Iterator[Tensor]:
    """Power spectra N×side×side of the central `side`×`side` pixels, frequency 0 first, of BATCH pictures at a time."""
    first = (pictures.shape[1] - side) // 2
    window = torch.hann_window(side, dtype=torch.float64)
    window = window[:, None] * window
    for light in _light(pictures[:, first : first + side, first : first + side]):
        light = light - (light * window).sum((1, 2), keepdim=True) / window.sum()  # the mean would leak into other frequencies
        yield torch.fft.fft2(light * window).abs().square() / window.square().sum()
