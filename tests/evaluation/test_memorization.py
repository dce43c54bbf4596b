"""Nearest photos, repeated pictures and the birthday paradox, by hand and by naive loops."""

import math
import statistics

import pytest
import torch
from torch import Tensor

from gan.errors import UserError
from gan.evaluation import memorization
from gan.utils.formatting import share_error


def normal(count: int, width: int, seed: int) -> Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("rows", [1, 7, 256])
def test_nearest_is_that_of_a_naive_loop(rows, monkeypatch):
    monkeypatch.setattr(memorization, "ROWS", rows)
    queries, photos = normal(20, 6, 0), normal(15 * 4, 6, 1)
    distances, which = memorization.nearest(queries, photos, variants=4)
    for query, distance, number in zip(queries.tolist(), distances, which):
        everything = [math.dist(query, photo) for photo in photos.tolist()]
        assert distance == pytest.approx(min(everything))
        assert number == everything.index(min(everything)) // 4


def test_any_variant_of_a_photo_is_that_photo():
    photos = normal(10 * 8, 1280, 0) + 5  # long vectors: matrix products alone would leave a millionth
    distances, which = memorization.nearest(photos[[0, 13, 79, 40]], photos, variants=8)
    assert which.tolist() == [0, 1, 9, 5] and distances.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("rows", [2, 256])
def test_a_picture_is_not_its_own_neighbor(rows, monkeypatch):
    monkeypatch.setattr(memorization, "ROWS", rows)
    points = torch.tensor([[0.0], [1.0], [5.0], [5.0], [20.0]])
    distances, which = memorization.nearest(points, points, itself=True)
    assert distances.tolist() == [1, 1, 0, 0, 15] and which.tolist()[:4] == [1, 0, 3, 2]


def test_share_below_by_hand():
    held_out = torch.arange(1.0, 102.0)  # its first percentile is 2
    assert memorization.share_below(torch.tensor([0.5, 2.0, 2.5, 90.0]), held_out) == 0.5
    assert memorization.share_below(torch.tensor([10.0, 60.0]), held_out, percentile=50) == 0.5
    assert memorization.share_below(torch.zeros(3), torch.zeros(5)) == 1, "a photo held out may itself be a copy"


def test_the_error_of_a_share_below_has_that_of_the_threshold():
    draws = torch.Generator().manual_seed(0)
    flowers, photos = (torch.rand(count, generator=draws) for count in (2000, 80))
    found = [memorization.share_below(*(torch.rand(count, generator=draws) for count in (2000, 80))) for _ in range(200)]
    spread, error = statistics.stdev(found), memorization.share_below_error(flowers, photos)
    assert error is not None and spread / 3 < error < 3 * spread
    counted = share_error(memorization.share_below(flowers, photos), 2000)
    assert counted is not None and counted < spread / 3, "to count the flowers alone would say far too little"
    assert memorization.share_below_error(flowers, photos[:9]) is None


def test_closest_in_order():
    assert memorization.closest(torch.tensor([3.0, 1.0, 2.0, 1.0]), 3).tolist() == [1, 3, 2]
    assert memorization.closest(torch.tensor([3.0, 1.0])).tolist() == [1, 0]


def test_support_by_hand():
    """Four pictures, two pairs of them alike: 6 pairs and 2 duplicates, as three pictures would give."""
    points = torch.tensor([[0.0], [0.1], [5.0], [5.1]])
    wanted = {"pictures": 4, "pairs": 6, "duplicates": 2, "size": 3.0, "at_least": False}
    found, none = memorization.support_size(points, 0.2), memorization.support_size(points, 0.01)
    # A Poisson variable of mean 6.296 is 2 or less in 5 % of cases, one of mean 2.996 is 0.
    assert found.pop("least") == pytest.approx(6 / 6.296, abs=1e-3) and none.pop("least") == pytest.approx(6 / 2.996, abs=1e-3)
    assert found == wanted
    assert none == {**wanted, "duplicates": 0, "size": 2.0, "at_least": True}


def test_support_of_a_generator_of_500_pictures():
    """300 draws from 500 flowers with a little noise: some 90 duplicates, so the estimate is within a third."""
    flowers, rng = normal(500, 20, 0), torch.Generator().manual_seed(1)
    drawn = flowers[torch.randint(500, (300,), generator=rng)] + 1e-3 * normal(300, 20, 2)
    found = memorization.support_size(drawn, 0.1)
    assert not found["at_least"] and found["size"] == pytest.approx(500, rel=0.33)
    assert 350 < found["least"] < found["size"]


def test_exact_repetition_is_seen_even_at_a_threshold_of_zero():
    found = memorization.support_size((normal(1, 1280, 0) + 5).expand(300, -1), 0.0)
    assert found["duplicates"] == found["pairs"] and found["size"] == 1


def test_nothing_to_compare_with_is_refused():
    one = torch.zeros(1, 4)
    for ask in (
        lambda: memorization.nearest(one, one[:0]),
        lambda: memorization.nearest(one, one, itself=True),
        lambda: memorization.support_size(one, 1.0),
    ):
        with pytest.raises(UserError, match="no other picture to compare with; use two or more"):
            ask()
