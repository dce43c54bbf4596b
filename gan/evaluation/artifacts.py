"""What convolutions leave behind in pictures: checkerboards and a wrong spectrum; and pictures that are no picture at all.

Every function takes pictures as uint8 N×S×S×3. The drop-shaped blobs that normalisation makes are not looked for: telling
them from real round things would be a claim that nothing here bears out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from gan.errors import UserError

PERIODS = (2, 4, 8)  # pixels: what the last three doublings of the resolution leave
BATCH = 64  # pictures looked at at once
END = 2  # a value this near to 0 or 255 is at the end of the scale
# Both are well beyond 681 photos of flowers at 28 to 128 pixels: at most 0.58 of the values at the ends (a flower on black),
# and a spread of at least 22.
MOST_AT_ENDS = 2 / 3  # share of a picture's channel values
LEAST_SPREAD = 8  # standard deviation of a picture's most varied channel, out of 255


def checkerboard(pictures: np.ndarray) -> dict[str, float]:
    """`phase_P` and `peaks_P` for each P of PERIODS that fits three times into the pictures: the grids of strided layers.

    Transposed convolutions repeat a grid with the period of their strides (Odena et al. 2016); photos have none.
    Raises UserError for fewer than two pictures.
    """
    fitting = [period for period in PERIODS if pictures.shape[1] >= 3 * period]
    phase = {f"phase_{period}": phase_strength(pictures, period) for period in fitting}
    return phase | {f"peaks_{period}": grid_peaks(pictures, period) for period in fitting}


def phase_strength(pictures: np.ndarray, period: int) -> float:
    """How much the energy of fine detail depends on where in a grid of `period` pixels (even) it lies: 0 for no grid.

    The energy (brightness less its mean over 3×3, squared) is divided by its mean in each picture, less its own mean over
    one period around (so that flowers in the middle do not count), and averaged by the place in the grid over all
    pictures: the standard deviation over the period² places, less what as many pictures without a grid are expected to
    show. Sees detail that is stronger on some pixels, not a grid added evenly to all: for that there is `grid_peaks`.
    Where the period fits no more than three times, the usual place of flowers still shows (0.07 in photos at 28 pixels
    with a period of 8). Raises UserError when it does not fit three times, and for fewer than two pictures.
    """
    _check(pictures, period)
    if len(pictures) < 2:
        raise UserError("one picture alone does not tell a grid from its own pattern; use two or more.")
    places = []
    for light in _light(pictures):
        energy = (light[:, 1:-1, 1:-1] - avg_pool2d(light[:, None], 3, 1)[:, 0]).square()
        energy = energy / energy.mean((1, 2), keepdim=True).clamp(min=1e-12)
        around = avg_pool2d(avg_pool2d(energy[:, None], period, 1), 2, 1)[:, 0]  # twice, so that there is a middle pixel
        edge = period // 2
        left = energy[:, edge:-edge, edge:-edge] - around
        side = left.shape[1] // period * period
        places.append(left[:, :side, :side].unflatten(2, (-1, period)).unflatten(1, (-1, period)).mean((1, 3)).flatten(1))
    values = torch.cat(places)
    noise = values.var(0).mean().item() / len(values)
    return math.sqrt(max(0.0, values.mean(0).var().item() - noise))


def grid_peaks(pictures: np.ndarray, period: int) -> float:
    """How far the spectrum stands out at the frequencies of a grid of `period` pixels (even), in decibels; about 0: no grid.

    The frequencies are (i, j)/`period` less those that a grid of half the period has too. Each one's power is compared
    with the median of the 16 frequencies that make the square ring two steps around it; the figure is the mean over all.
    Pictures are cut to a multiple of the period, so that these frequencies are ones of the discrete Fourier transform,
    and faded out to their edges (Hann window), so that those do not show as lines. At the finest frequencies the spectrum
    of photos dips: with a period of 2 they have −0.6 dB at 128 pixels and −1.5 at 28. Where the period fits only three times
    the ring is full of other detail, and even strong grids give 1 dB. Raises UserError when it does not fit three times.
    """
    _check(pictures, period)
    side = pictures.shape[1] // period * period
    power = torch.zeros(side, side, dtype=torch.float64)
    for batch in _power(pictures, side):
        power += (batch / batch.sum((1, 2), keepdim=True).clamp(min=1e-12)).sum(0)
    ring = [(y, x) for y in range(-2, 3) for x in range(-2, 3) if max(abs(y), abs(x)) == 2]
    around = torch.stack([power.roll(shift, (0, 1)) for shift in ring]).quantile(0.5, dim=0)
    step = side // period
    grid = (10 * torch.log10((power + 1e-12) / (around + 1e-12)))[::step, ::step]  # blank pictures have no power at all
    own = torch.ones(period, period, dtype=torch.bool)
    own[::2, ::2] = False
    return grid[own].mean().item()


def radial_spectrum(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The power of detail by its size: frequencies 1/S to 1/2 cycles a pixel, and the mean log₁₀ power at each.

    The power spectrum of the brightness (0 to 1, Hann window) averaged over all directions (Durall et al. 2020, section 2),
    in units in which noise of variance v that differs from pixel to pixel has power v everywhere. Nothing is below what
    rounding to 256 steps leaves.
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
    """The mean power spectrum of the brightness of pictures in decibels, float64 S×S, frequency 0 in the middle.

    Each picture counts alike, whatever its contrast; faded out to the edges (Hann window). Nothing is below −120.
    """
    side = pictures.shape[1]
    total = torch.zeros(side, side, dtype=torch.float64)
    for power in _power(pictures, side):
        total += (power / power.sum((1, 2), keepdim=True).clamp(min=1e-12)).sum(0)
    return (10 * torch.log10(torch.fft.fftshift(total / len(pictures)) + 1e-12)).numpy()


def saturated(pictures: np.ndarray) -> np.ndarray:
    """Which pictures have more than MOST_AT_ENDS of their values within END of 0 or 255: a boolean array N."""
    return ((pictures <= END) | (pictures >= 255 - END)).mean((1, 2, 3)) > MOST_AT_ENDS


def blank(pictures: np.ndarray) -> np.ndarray:
    """Which pictures are one colour, their values varying by less than LEAST_SPREAD in every channel: a boolean array N."""
    return np.array([picture.std((0, 1)).max() < LEAST_SPREAD for picture in pictures], bool)


def _check(pictures: np.ndarray, period: int) -> None:
    if pictures.shape[1] < 3 * period:
        raise UserError(f"a grid of {period} pixels cannot be seen in {pictures.shape[1]}; use {3 * period} pixels or more.")


def _light(pictures: np.ndarray) -> Iterator[Tensor]:
    """Brightness N×S×S in [0, 1], float64, some pictures after others (the weights of ITU-R BT.601, as in JPEG)."""
    weights = torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64) / 255
    for start in range(0, len(pictures), BATCH):
        yield torch.from_numpy(np.ascontiguousarray(pictures[start : start + BATCH])).double() @ weights


def _power(pictures: np.ndarray, side: int) -> Iterator[Tensor]:
    """Power spectra N×`side`×`side` of the middle of the pictures, frequency 0 first, some pictures after others."""
    first = (pictures.shape[1] - side) // 2
    window = torch.hann_window(side, dtype=torch.float64)
    window = window[:, None] * window
    for light in _light(pictures[:, first : first + side, first : first + side]):
        light = light - (light * window).sum((1, 2), keepdim=True) / window.sum()  # no trace of the mean beside frequency 0
        yield torch.fft.fft2(light * window).abs().square() / window.square().sum()
