"""What a generator costs, against a network small enough to count by hand."""

from __future__ import annotations

import pytest
import torch

from gan.evaluation import cost as costs
from gan.evaluation.cost import cost
from gan.hub import loader
from gan.hub.checkpoint import save_model


def test_a_network_counted_by_hand(tiny, tmp_path, two_threads):
    """Noise of 8 and 2 classes; 4×4 by a transposed convolution, 8×8 by doubling, 16×16 by a transposed convolution."""
    save_model(tmp_path, tiny, tiny.config)
    found = cost(tiny, tmp_path)
    weights = 10 * 8 * 16 + 8 * 8 * 9 + 8 * 3 * 16
    assert found["parameters"] == sum(p.numel() for p in tiny.parameters())
    assert weights < found["parameters"] <= weights + 2 * (8 + 8) + 8 + 8 + 3, "and the norms and biases, nothing else"
    # A transposed convolution multiplies each pixel that goes in with its whole kernel, a plain one each that comes out.
    multiplications = 1 * 10 * 8 * 16 + 64 * 8 * 8 * 9 + 64 * 8 * 3 * 16
    assert found["gflop"] == pytest.approx(2 * multiplications / 1e9)
    assert found["bytes"] == (tmp_path / "model.safetensors").stat().st_size > 4 * weights
    assert found["threads"] == 2


def test_without_a_folder_there_is_no_file(tiny):
    assert cost(tiny, None)["bytes"] is None


def test_speed_is_the_median_over_the_repeats(tiny, monkeypatch):
    """A clock that goes 1, 2, 4, 8 and 16 seconds over the batches: the middle one counts, an interrupted one does not."""
    ticks = iter([0, 4, 10, 11, 20, 36, 40, 42, 50, 58])
    monkeypatch.setattr(costs.time, "perf_counter", lambda: next(ticks))
    assert cost(tiny, None)["pictures_per_second"] == 16 / 4


def test_weights_keep_their_values(tiny):
    before = {key: value.clone() for key, value in tiny.state_dict().items()}
    cost(tiny, None)
    assert all(torch.equal(before[key], value) for key, value in tiny.state_dict().items())


def test_the_papers_largest_model_costs_what_was_measured_before():
    model = loader.load("cwgan-gp-128")
    found = cost(model.generator, model.folder)
    assert found["gflop"] == pytest.approx(3.5, rel=0.01) and found["parameters"] == 1_123_011
    assert found["pictures_per_second"] > 0
