"""Grids, spectra and broken pictures on made ones, where what is in them is known."""

import numpy as np
import pytest

import gan
from gan.errors import UserError
from gan.evaluation import artifacts
from gan.sampling.flower import grid_flowers
from gan.sampling.sampler import Sampler

WHITE_NOISE = np.random.default_rng(0).integers(0, 256, (80, 64, 64, 3), np.uint8)


def clouds(count: int = 60, side: int = 64, seed: int = 0) -> np.ndarray:
    """Colorless random pictures with the spectrum of photos (power falls with the square of the frequency), N×S×S in 0–255."""
    rng = np.random.default_rng(seed)
    y, x = np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side), indexing="ij")
    scale = 1 / np.maximum(np.hypot(y, x), 1 / side)
    waves = np.fft.ifft2(np.fft.fft2(rng.normal(size=(count, side, side))) * scale).real
    return 128 + 40 * waves / waves.std((1, 2), keepdims=True) + rng.normal(size=waves.shape)


def grid(side: int, period: int) -> np.ndarray:
    """1 on every `period`-th row and column, less their share."""
    line = np.arange(side) % period == 0
    both = (line[:, None] | line).astype(float)
    return both - both.mean()


def pictures(values: np.ndarray) -> np.ndarray:
    return np.repeat(values.round().clip(0, 255).astype(np.uint8)[..., None], 3, -1)


@pytest.mark.parametrize("side", [28, 64, 128])
def test_no_grid_is_seen_where_there_is_none(side):
    found = artifacts.checkerboard(pictures(clouds(side=side)))
    assert list(found) == ["phase_2", "phase_4", "phase_8", "peaks_2", "peaks_4", "peaks_8"]
    assert all(found[f"phase_{period}"] < 0.06 and -2 < found[f"peaks_{period}"] < 1 for period in (2, 4, 8)), found


@pytest.mark.parametrize("side", [28, 64, 128])
@pytest.mark.parametrize("period", [2, 4, 8])
def test_an_added_grid_is_seen_the_more_the_stronger(side, period):
    """Among the coarse detail where a grid of 8 pixels has its frequencies it takes more of it, and most where few fit in."""
    base = clouds(side=side)
    peaks = [artifacts.grid_peaks(pictures(base + strength * grid(side, period)), period) for strength in (0, 8, 16, 32)]
    assert peaks == sorted(peaks) and peaks[-1] > peaks[0] + (0.7 if (side, period) == (28, 8) else 4), peaks


@pytest.mark.parametrize("side", [28, 64, 128])
@pytest.mark.parametrize("period", [2, 4, 8])
def test_uneven_detail_is_seen_the_more_the_stronger(side, period):
    """Noise that is louder on the lines of a grid, as kernels that overlap unevenly leave it, and nowhere a line by itself."""
    base, noise = 128 + (clouds(side=side) - 128) / 8, np.random.default_rng(1).normal(size=(60, side, side))
    found = [
        artifacts.phase_strength(pictures(base + noise * (6 + strength * grid(side, period))), period)
        for strength in (0, 1, 2, 4)
    ]
    assert found == sorted(found) and found[0] < 0.05 and found[-1] > 0.3, found


@pytest.mark.parametrize("side", [64, 128])
def test_a_grid_is_not_taken_for_coarser_ones(side):
    """One of 2 pixels also repeats every 4 and 8; one of 8 pixels has no line of its own at 2."""
    fine = artifacts.checkerboard(pictures(clouds(side=side) + 16 * grid(side, 2)))
    assert fine["peaks_2"] > 6 and abs(fine["peaks_4"]) < 1 and abs(fine["peaks_8"]) < 1


def test_phase_does_not_depend_on_the_number_of_pictures():
    """Few pictures are noisier; what noise alone is expected to show is taken off."""
    few = [artifacts.phase_strength(pictures(clouds(6, seed=seed)), 8) for seed in range(8)]
    assert np.mean(few) < 0.06
    values = pictures(clouds(64) + np.random.default_rng(1).normal(size=(64, 64, 64)) * (6 + 4 * grid(64, 4)))
    whole = artifacts.phase_strength(values, 4)
    parts = [artifacts.phase_strength(values[i : i + 8], 4) for i in range(0, 64, 8)]
    assert np.mean(parts) == pytest.approx(whole, rel=0.1)


@pytest.mark.parametrize(("side", "middle", "limit"), [(28, 0.3, 0.4), (64, 0.6, 0.03)])
def test_where_flowers_are_is_hardly_a_grid(side, middle, limit):
    """Detail around one place of every picture only, which at 28 pixels and three periods cannot all be told from a grid."""
    y, x = np.mgrid[:side, :side] / side - middle
    busy = np.exp(-(x**2 + y**2) / 0.05)
    values = 128 + 40 * busy * np.random.default_rng(0).normal(size=(300, side, side))
    found = [artifacts.phase_strength(pictures(values), period) for period in (2, 4, 8)]
    assert max(found) < limit, found


def test_one_loud_picture_does_not_drown_the_others():
    quiet = 128 + (clouds() - 128) / 8 + grid(64, 4)
    with_loud = np.concatenate([quiet, 128 + 3 * (clouds(1, seed=1) - 128)])
    assert artifacts.grid_peaks(pictures(with_loud), 4) == pytest.approx(artifacts.grid_peaks(pictures(quiet), 4), rel=0.1)
    detail = pictures(quiet + np.random.default_rng(0).normal(size=quiet.shape) * (3 + 2 * grid(64, 4)))
    both = np.concatenate([detail, pictures(with_loud[-1:])])
    assert artifacts.phase_strength(both, 4) == pytest.approx(artifacts.phase_strength(detail, 4), rel=0.1)


def test_how_pictures_are_batched_changes_nothing(monkeypatch):
    values = pictures(clouds(20) + 4 * grid(64, 4))
    whole, spectrum = artifacts.checkerboard(values), artifacts.radial_spectrum(values)[1]
    monkeypatch.setattr(artifacts, "BATCH", 7)
    assert artifacts.checkerboard(values) == pytest.approx(whole, rel=1e-9)
    assert artifacts.radial_spectrum(values)[1] == pytest.approx(spectrum, rel=1e-9)


def test_periods_that_do_not_fit_are_left_out_or_refused():
    small = pictures(clouds(side=16))
    assert list(artifacts.checkerboard(small)) == ["phase_2", "phase_4", "peaks_2", "peaks_4"]
    for ask in (artifacts.phase_strength, artifacts.grid_peaks):
        with pytest.raises(UserError, match="a grid of 8 pixels cannot be seen in 16; use 24 pixels or more"):
            ask(small, 8)
    with pytest.raises(UserError, match="one picture alone"):
        artifacts.phase_strength(small[:1], 2)


def test_the_spectrum_of_noise_is_flat_at_its_variance():
    """Brightness adds three independent channels of variance 1/12 with the squares of their weights."""
    frequency, power = artifacts.radial_spectrum(WHITE_NOISE)
    assert frequency.tolist() == [k / 64 for k in range(1, 33)]
    variance = (0.299**2 + 0.587**2 + 0.114**2) / 12
    assert np.abs(power[4:] - np.log10(variance)).max() < 0.05


def test_a_wave_stands_at_its_frequency_and_a_blur_dims_what_is_fine():
    y, x = np.mgrid[:64, :64]
    frequency, power = artifacts.radial_spectrum(pictures(128 + 50 * np.sin(2 * np.pi * (6 * x + 8 * y) / 64))[None])
    assert frequency[power.argmax()] == 10 / 64
    sharp = clouds()
    soft = (sharp + np.roll(sharp, 1, 1) + np.roll(sharp, 1, 2) + np.roll(sharp, (1, 1), (1, 2))) / 4
    before, after = artifacts.radial_spectrum(pictures(sharp))[1], artifacts.radial_spectrum(pictures(soft))[1]
    assert after[-1] < before[-1] - 0.3 and after[0] == pytest.approx(before[0], abs=0.05)


def test_broken_pictures_are_flagged_one_by_one():
    ends = np.random.default_rng(0).choice(np.array([0, 255], np.uint8), (64, 64, 3))
    rose = np.full((64, 64, 3), (200, 30, 60), np.uint8)
    dim = (rose + np.random.default_rng(0).normal(0, 4, rose.shape)).astype(np.uint8)
    found = np.stack([ends, rose, dim, WHITE_NOISE[0], pictures(clouds(1))[0], np.zeros_like(rose)])
    assert artifacts.saturated(found).tolist() == [True, False, False, False, False, True]
    assert artifacts.blank(found).tolist() == [False, True, True, False, False, True]


def test_blank_pictures_have_no_grid_and_no_missing_numbers():
    nothing = np.full((8, 32, 32, 3), 90, np.uint8)
    assert list(artifacts.checkerboard(nothing).values()) == pytest.approx([0.0] * 6, abs=1e-6)
    assert np.isfinite(artifacts.radial_spectrum(nothing)[1]).all()


def test_transposed_convolutions_have_a_grid_and_upsampling_has_none():
    """On bundled models: kernels of 3 with stride 2 (stage 3) against plain convolutions and bilinear upsampling (stage 5)."""
    strided, upsampled = (
        artifacts.checkerboard(Sampler(gan.load(name).generator, 1).draw(grid_flowers(None, 0, 1.0, 48)))
        for name in ("cwgan-gp-64-k3", "cwgan-gp-64")
    )
    assert all(strided[f"peaks_{period}"] > upsampled[f"peaks_{period}"] + 2 for period in (2, 4, 8)), (strided, upsampled)
    assert all(strided[f"phase_{period}"] > 2 * upsampled[f"phase_{period}"] for period in (4, 8)), (strided, upsampled)


def test_views_with_any_strides_are_taken():
    """As slicing and flipping leave them."""
    turned = pictures(clouds(10))[::-1, ::-1]
    assert artifacts.checkerboard(turned) == artifacts.checkerboard(turned.copy())
