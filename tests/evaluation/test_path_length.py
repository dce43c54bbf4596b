"""Perceptual path length against generators whose paths can be worked out, and against steps of another length."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

import gan
from gan.errors import UserError
from gan.evaluation.features import FeatureNetwork, find_network
from gan.evaluation.path_length import path_length, trimmed_mean
from gan.generator import ConvGenerator
from gan.sampling import interpolation

CPU = torch.device("cpu")


def network(function=lambda images: images.flatten(1), rounds: bool = False) -> FeatureNetwork:
    return FeatureNetwork("test", "Test", 0, "0" * 64, CPU, rounds, function)


class Same(nn.Module):
    """A generator whose picture is its noise; it remembers what it was asked for."""

    def __init__(self, z_dim: int = 64, classes: tuple[str, ...] = ("a", "b")) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.config = SimpleNamespace(z_dim=z_dim, classes=classes, code_dim=len(classes) if len(classes) > 1 else 0)
        self.codes, self.noise = [], []

    latents = ConvGenerator.latents

    def decode(self, z: Tensor, code: Tensor) -> Tensor:
        self.codes.append(code)
        self.noise.append(z)
        return self.weight * z


def test_the_path_of_the_noise_itself_is_its_angle_squared():
    """Unit features of the noise run along the arc at constant speed, so a pair of angle φ has the length φ²: π²/4 for
    right angles, which independent noise of many dimensions nearly has (its angle spreads by 1/√z_dim)."""
    mean, error = path_length(Same(4096), network(), 200, truncation=None, epsilon=1e-3)
    assert mean == pytest.approx(math.pi**2 / 4, rel=0.01)
    # Angles spread by 1/√4096, so their squares by 2φ/√4096, and means of 200 pairs by 1/√200 of that.
    assert error == pytest.approx(math.pi / 64 / math.sqrt(200), rel=0.3)


def test_lengths_of_features_do_not_count():
    """A picture twice as bright, or a network of larger numbers, is not a longer path."""
    wanted = path_length(Same(), network(), 20, epsilon=1e-2)
    assert path_length(Same(), network(lambda x: 1000 * x), 20, epsilon=1e-2) == pytest.approx(wanted, rel=1e-3)


def test_a_generator_that_stands_still_has_no_path():
    assert path_length(Same(), network(lambda x: torch.ones(len(x), 3)), 20) == (0, 0)


def test_both_ends_of_a_pair_are_near_and_of_one_class_and_all_classes_come_up():
    generator = Same(classes=("a", "b", "c"))
    path_length(generator, network(), 30)
    rows = [0, 0, 0]
    for z, code in zip(generator.noise, generator.codes):
        here, there = z.chunk(2)
        assert 0 < (here - there).norm(dim=1).min() and (here - there).norm(dim=1).max() < 1e-2
        assert torch.equal(*code.chunk(2))
        rows = [row + int(count) for row, count in zip(rows, code.chunk(2)[0].sum(0))]
    assert rows == [10, 10, 10]
    generator = Same(classes=("a", "b", "c"))
    path_length(generator, network(), 10, classes=[2, 0])
    assert torch.cat(generator.codes).sum(0)[1] == 0, "of the classes asked for alone"


def test_a_plain_generator_has_paths_too():
    generator = Same(classes=("all",))
    assert path_length(generator, network(), 10)[0] > 0 and generator.codes[0].shape[1] == 0


def test_arcs_join_truncated_noise_and_are_measured_anywhere_along_them(monkeypatch):
    ends, at = [], []

    def spherical(start: Tensor, end: Tensor, t: float) -> Tensor:
        ends.extend([start, end])
        at.append(t)
        return arc(start, end, t)

    arc = interpolation.spherical
    monkeypatch.setattr("gan.evaluation.path_length.spherical", spherical)
    path_length(Same(16), network(), 400, truncation=0.5, epsilon=0.1)
    assert torch.stack(ends).abs().max() <= 0.5 and len({tuple(end.tolist()) for end in ends}) == 800
    begun = [t for t in at if t + 0.1 in at]
    assert len(begun) == 400 and max(at) <= 1
    assert stats.kstest(begun, stats.uniform(0, 0.9).cdf).pvalue > 0.01


def test_the_same_seed_is_the_same_figure_and_the_global_generator_is_left_alone(tiny):
    before, mobile = torch.get_rng_state(), find_network()
    first = path_length(tiny, mobile, 10, seed=3)
    assert path_length(tiny, mobile, 10, seed=3) == first != path_length(tiny, mobile, 10, seed=4)
    assert torch.equal(before, torch.get_rng_state())


def test_a_bundled_model_moves_smoothly_at_this_step():
    """Ten times the step is nearly the same figure, so neither rounding (which falls with it) nor a corner is measured."""
    generator, mobile = gan.load("cwgan-gp-64-k4").generator, find_network()
    mean, error = path_length(generator, mobile, 24)
    longer, _ = path_length(generator, mobile, 24, epsilon=1e-3)
    assert longer == pytest.approx(mean, rel=0.01)
    assert 0 < error < mean


def test_progress_counts_pairs():
    calls = []
    path_length(Same(), network(), 20, progress=lambda *call: calls.append(call))
    assert calls == [(8, 20), (16, 20), (20, 20)]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"n": 1}, "number of pairs"),
        ({"n": 2.5}, "number of pairs"),
        ({"seed": -1}, "seed"),
        ({"truncation": 5.0}, "truncation"),
        ({"epsilon": 0}, "step of a path"),
        ({"network": network(rounds=True)}, "rounds pictures"),
    ],
)
def test_what_cannot_be_measured(change, says):
    with pytest.raises(UserError, match=says):
        path_length(**{"generator": Same(), "network": network(), "n": 4, **change})


def test_the_ends_are_left_out_as_in_stylegans_code():
    values = np.random.default_rng(0).lognormal(0, 2, 517)
    low, high = np.percentile(values, 1, method="lower"), np.percentile(values, 99, method="higher")
    counted = np.logical_and(low <= values, values <= high)
    mean, error = trimmed_mean(torch.tensor(values))
    assert mean == pytest.approx(np.extract(counted, values).mean(), rel=1e-12) and counted.sum() < len(values)
    assert error == pytest.approx(values.clip(low, high).std(ddof=1) / counted.mean() / math.sqrt(517), rel=1e-12)
    few = torch.arange(10, dtype=torch.float64)
    assert trimmed_mean(few) == pytest.approx((4.5, (few.std() / math.sqrt(10)).item()))


def test_the_standard_error_is_how_much_the_mean_spreads():
    torch.manual_seed(0)
    samples = torch.randn(2000, 300, dtype=torch.float64).exp()
    means, errors = map(torch.tensor, zip(*(trimmed_mean(row) for row in samples)))
    assert errors.mean().item() == pytest.approx(means.std().item(), rel=0.08)
