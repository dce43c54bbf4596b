"""Seeds, truncation and paths: the distribution, the bound, and what may depend on what."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import stats

from gan import latent
from gan.errors import UserError

SEEDS = range(1000, 1400)


@pytest.mark.parametrize("truncation", [0.01, 0.5, 1.5, 3.0])
def test_truncation_has_the_distribution_of_a_redrawn_normal_and_its_bound(truncation):
    z = latent.noise(SEEDS, 64, truncation).double().flatten()
    assert z.abs().max() <= truncation
    assert stats.kstest(z.numpy(), stats.truncnorm(-truncation, truncation).cdf).pvalue > 0.01


def test_no_truncation_is_the_whole_normal_distribution():
    z = latent.noise(SEEDS, 64, None).double().flatten()
    assert z.abs().max() > 3
    assert stats.kstest(z.numpy(), stats.norm.cdf).pvalue > 0.01


@pytest.mark.parametrize("truncation", [None, 1.5])
def test_a_seed_is_the_same_alone_and_in_any_batch_and_leaves_the_global_generator_alone(truncation):
    before = torch.get_rng_state()
    batch = latent.noise([5, 0, latent.MAX_SEED, 5], 16, truncation)
    assert torch.equal(latent.noise([latent.MAX_SEED], 16, truncation)[0], batch[2])
    assert torch.equal(batch[0], batch[3]) and not torch.equal(batch[0], batch[1])
    assert torch.equal(before, torch.get_rng_state())


def test_a_seed_keeps_its_signs_while_the_truncation_moves():
    low, high = latent.noise([7], 64, 0.5), latent.noise([7], 64, None)
    assert torch.equal(low.sign(), high.sign()) and (low.abs() <= high.abs()).all()


@pytest.mark.parametrize("way", [latent.spherical, latent.straight])
def test_the_ends_of_a_path_are_exact(way):
    start, end = latent.noise([1, 2], 64, 1.5)
    assert torch.equal(way(start, end, 0.0), start) and torch.equal(way(start, end, 1.0), end)


def test_the_arc_has_a_linear_norm_and_an_even_angle():
    start, end = latent.noise([1, 2], 64, None).double()
    end = end * 2
    whole = _angle(start, end)
    for t in (0.1, 0.25, 0.5, 0.9):
        point = latent.spherical(start, end, t).double()
        assert math.isclose(point.norm(), (1 - t) * start.norm() + t * end.norm(), rel_tol=1e-5)
        assert math.isclose(_angle(start, point), t * whole, rel_tol=1e-4)


def _angle(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(torch.arccos(a @ b / a.norm() / b.norm()))


@pytest.mark.parametrize("end", [[0.0, 0.0], [-1.0, 0.0], [2.0, 0.0]])
def test_without_an_arc_the_path_is_straight(end):
    start, end = torch.tensor([1.0, 0.0]), torch.tensor(end)
    assert torch.allclose(latent.spherical(start, end, 0.25), 0.75 * start + 0.25 * end)


def test_positions_of_a_path_and_of_a_loop():
    assert latent.positions(2, False) == [0, 1]
    assert latent.positions(5, False) == [0, 0.25, 0.5, 0.75, 1]
    assert latent.positions(4, True) == [0, 0.5, 1, 0.5]
    assert latent.positions(2, True) == [0, 1]
    odd = latent.positions(5, True)
    assert odd[0] == 0 and max(odd) < 1 and odd[1:] == pytest.approx(odd[:0:-1])


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, True, None, "7", [7], math.nan, math.inf])
def test_a_bad_seed_is_refused(seed):
    with pytest.raises(UserError, match="seed"):
        latent.noise([seed], 4, None)


@pytest.mark.parametrize("truncation", [0, 0.009, 3.01, -1, math.nan, math.inf, "1", True, [1]])
def test_a_bad_truncation_is_refused(truncation):
    with pytest.raises(UserError, match="truncation"):
        latent.noise([1], 4, truncation)
