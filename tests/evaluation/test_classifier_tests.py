"""The two-sample test and the class probe on features whose answer is known."""

import math
import statistics

import numpy as np
import pytest
import torch
from torch import Tensor

from gan.errors import UserError
from gan.evaluation import classifier_tests
from gan.evaluation.classifier_tests import Probe, two_sample_auc


def normal(count: int, width: int, seed: int, shift: float = 0.0) -> Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed)) + shift


def test_far_apart_is_always_told():
    assert two_sample_auc(normal(20, 200, 0), normal(45, 200, 1, 3.0), 0) == (1.0, 0.0)


def test_one_distribution_is_not_told_apart():
    """Over several pairs the area is 0.5 on average, also with more features than pictures."""
    found = [two_sample_auc(normal(20, 100, 2 * i), normal(60, 100, 2 * i + 1), i)[0] for i in range(8)]
    assert abs(statistics.fmean(found) - 0.5) < 3 * statistics.stdev(found) / math.sqrt(len(found))
    assert statistics.stdev(found) < 0.15


def test_nearer_is_harder_to_tell():
    areas = [two_sample_auc(normal(60, 50, 0), normal(60, 50, 1, shift), 0)[0] for shift in (0.05, 0.2, 0.4, 1.0)]
    assert areas == sorted(areas) and areas[0] < 0.75 and areas[-1] > 0.99


def test_all_that_is_more_numerous_is_used(monkeypatch):
    """Chunks are disjoint, of equal numbers, and as many as there are runs at the most; whichever side is the larger."""
    seen = []

    def auc(a: np.ndarray, b: np.ndarray, seed: int) -> float:
        seen.append((a[:, 0].tolist(), b[:, 0].tolist(), seed))
        return 0.5

    monkeypatch.setattr(classifier_tests, "_auc", auc)
    few, many = torch.arange(10.0)[:, None], torch.arange(35.0)[:, None]
    for sides in ((few, many), (many, few)):
        seen.clear()
        two_sample_auc(*sides, 7)
        runs = [run[:2] if sides[0] is few else run[1::-1] for run in seen]
        assert all(sorted(a) == list(range(10)) for a, _ in runs)
        assert len({number for _, b in runs for number in b}) == 30, "three chunks of ten, five left over"
        assert [runs[0][1], runs[1][1]] == [runs[3][1], runs[4][1]] and runs[0][1] != runs[1][1]
        assert len({seed for *_, seed in seen}) == classifier_tests.RUNS
    seen.clear()
    two_sample_auc(few, torch.arange(500.0)[:, None], 7)
    assert len({tuple(b) for _, b, _ in seen}) == classifier_tests.RUNS


def test_sides_are_capped(monkeypatch):
    monkeypatch.setattr(classifier_tests, "MAX_PICTURES", 12)
    sizes = []
    monkeypatch.setattr(classifier_tests, "_auc", lambda a, b, seed: sizes.append((len(a), len(b))) or 0.5)
    two_sample_auc(normal(30, 2, 0), normal(40, 2, 1), 0)
    assert set(sizes) == {(12, 12)}


def test_error_by_hand():
    """Hanley and McNeil at 0.5 with ten a side: √((1/4 + 2·9·(1/3 − 1/4))/100); below 0.5 as above it."""
    assert classifier_tests._hanley_mcneil(0.5, 10, 10) == pytest.approx(math.sqrt(0.0175))
    assert classifier_tests._hanley_mcneil(0.3, 8, 8) == pytest.approx(classifier_tests._hanley_mcneil(0.7, 8, 8))
    assert classifier_tests._hanley_mcneil(0.8, 70, 700) < classifier_tests._hanley_mcneil(0.8, 70, 70)


def test_one_seed_gives_the_same_numbers():
    real, fake = normal(20, 8, 0), normal(50, 8, 1, 0.3)
    before = torch.get_rng_state()
    assert two_sample_auc(real, fake, 3) == two_sample_auc(real, fake, 3) != two_sample_auc(real, fake, 4)
    assert two_sample_auc(real, fake, 2**32 - 1)
    assert torch.equal(torch.get_rng_state(), before)


def test_few_pictures_are_refused():
    with pytest.raises(UserError, match="only 9 pictures on one side to tell apart; use 10 or more"):
        two_sample_auc(normal(50, 4, 0), normal(9, 4, 1), 0)


# -------------------------------------------------------------------------------------------------------------- probe


def corners(*counts: int) -> tuple[Tensor, Tensor]:
    """`counts[i]` pictures of class i around a corner of its own."""
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    return normal(len(labels), len(counts), 0) * 0.1 + torch.eye(len(counts))[labels], labels


def test_confusion_by_hand():
    """Rows are what was asked for, columns what is seen."""
    probe = Probe(*corners(20, 20, 20), ("a", "b", "c"))
    found = probe.confusion(torch.eye(3)[[0, 0, 1, 2, 2, 2]], torch.tensor([0, 1, 1, 0, 2, 2]))
    assert found.dtype == np.int64 and found.tolist() == [[1, 0, 1], [1, 1, 0], [0, 0, 2]]
    assert probe.accuracy(torch.eye(3), torch.tensor([0, 1, 0])) == pytest.approx(2 / 3)
    assert probe.classes == ("a", "b", "c")


def test_rare_classes_weigh_as_much_as_common_ones():
    """Half-way between two classes neither is preferred for having more photos."""
    probe = Probe(*corners(300, 10), ("common", "rare"))
    assert probe.accuracy(torch.tensor([[0.55, 0.45], [0.45, 0.55]]), torch.tensor([0, 1])) == 1


def test_probe_wants_two_classes_with_photos():
    features, labels = corners(10, 10)
    with pytest.raises(UserError, match="only the class 'rose'"):
        Probe(features, torch.zeros(20, dtype=torch.int64), ("rose",))
    with pytest.raises(UserError, match="the class 'lily' has no photo"):
        Probe(features, labels, ("rose", "tulip", "lily"))
