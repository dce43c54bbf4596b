"""Seeds, truncation and paths: the distribution, the bound, and what may depend on what."""

from __future__ import annotations

import base64
import math
import struct

import pytest
import torch
from scipy import stats

from gan.errors import UserError
from gan.networks import latents
from gan.sampling import flower, interpolation
from gan.utils import validation

SEEDS = range(1000, 1400)


@pytest.mark.parametrize("truncation", [0.01, 0.5, 1.5, 3.0])
def test_truncation_has_the_distribution_of_a_redrawn_normal_and_its_bound(truncation):
    z = latents.noise(SEEDS, 64, truncation).double().flatten()
    assert z.abs().max() <= truncation
    assert stats.kstest(z.numpy(), stats.truncnorm(-truncation, truncation).cdf).pvalue > 0.01


def test_no_truncation_is_the_whole_normal_distribution():
    z = latents.noise(SEEDS, 64, None).double().flatten()
    assert z.abs().max() > 3
    assert stats.kstest(z.numpy(), stats.norm.cdf).pvalue > 0.01


@pytest.mark.parametrize("truncation", [None, 0.5, 3.0])
def test_a_seed_stands_for_numbers_of_twice_the_precision(truncation):
    """Drawn with less, they would be others, and each flower that somebody linked to with them."""
    uniform = torch.rand(64, dtype=torch.float64, generator=torch.Generator().manual_seed(7)).numpy()
    low = 0.0 if truncation is None else stats.norm.cdf(-truncation)
    wanted = torch.from_numpy(stats.norm.ppf(low + uniform * (1 - 2 * low))).float()
    torch.testing.assert_close(latents.noise([7], 64, truncation)[0], wanted, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("truncation", [None, 1.5])
def test_a_seed_is_the_same_alone_and_in_any_batch_and_leaves_the_global_generator_alone(truncation):
    before = torch.get_rng_state()
    batch = latents.noise([5, 0, latents.MAX_SEED, 5], 16, truncation)
    assert torch.equal(latents.noise([latents.MAX_SEED], 16, truncation)[0], batch[2])
    assert torch.equal(batch[0], batch[3]) and not torch.equal(batch[0], batch[1])
    assert torch.equal(before, torch.get_rng_state())


def test_a_seed_keeps_its_signs_while_the_truncation_moves():
    low, high = latents.noise([7], 64, 0.5), latents.noise([7], 64, None)
    assert torch.equal(low.sign(), high.sign()) and (low.abs() <= high.abs()).all()


@pytest.mark.parametrize("way", [interpolation.spherical, interpolation.straight])
def test_the_ends_of_a_path_are_exact(way):
    start, end = latents.noise([1, 2], 64, 1.5)
    assert torch.equal(way(start, end, 0.0), start) and torch.equal(way(start, end, 1.0), end)


def test_the_arc_has_a_linear_norm_and_an_even_angle():
    start, end = latents.noise([1, 2], 64, None).double()
    end = end * 2
    whole = _angle(start, end)
    for t in (0.1, 0.25, 0.5, 0.9):
        point = interpolation.spherical(start, end, t).double()
        assert math.isclose(point.norm(), (1 - t) * start.norm() + t * end.norm(), rel_tol=1e-5)
        assert math.isclose(_angle(start, point), t * whole, rel_tol=1e-4)


def _angle(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(torch.arccos(a @ b / a.norm() / b.norm()))


@pytest.mark.parametrize("end", [[0.0, 0.0], [-1.0, 0.0], [2.0, 0.0]])
def test_without_an_arc_the_path_is_straight(end):
    start, end = torch.tensor([1.0, 0.0]), torch.tensor(end)
    for a, b in ((start, end), (end, start)):
        assert torch.allclose(interpolation.spherical(a, b, 0.25), 0.75 * a + 0.25 * b)


def test_neither_has_a_vector_an_arc_to_a_multiple_of_itself():
    """Whatever their lengths round to: of some the cosine comes out above 1 or below −1."""
    for start in latents.noise(SEEDS, 64, None):
        for factor in (2.0, -2.0):  # exact, so that nothing but the cosine rounds
            assert torch.allclose(interpolation.spherical(start, factor * start, 0.25), (0.75 + 0.25 * factor) * start)


def test_the_two_numbers_without_an_inverse_are_noise_too(monkeypatch):
    monkeypatch.setattr(torch, "rand", lambda *_, **__: torch.tensor([0.0, 1.0], dtype=torch.float64))
    low, high = latents.noise([1], 2, None)[0].tolist()
    assert -8 < low < -6 and 6 < high < 8


def test_positions_of_a_path_and_of_a_loop():
    assert interpolation.positions(2, False) == [0, 1]
    assert interpolation.positions(5, False) == [0, 0.25, 0.5, 0.75, 1]
    assert interpolation.positions(4, True) == [0, 0.5, 1, 0.5]
    assert interpolation.positions(2, True) == [0, 1]
    assert interpolation.positions(3, True) == [0, 1, 0.5]
    assert interpolation.positions(5, True) == [0, 0.5, 1, 2 / 3, 1 / 3]


@pytest.mark.parametrize("steps", range(2, 61))
def test_a_loop_of_any_length_holds_both_ends_once(steps):
    at = interpolation.positions(steps, True)
    assert len(at) == steps and at.count(0) == at.count(1) == 1
    top = at.index(1)
    assert at[0] == 0 and at[:top] == sorted(at[:top]) and at[top:] == sorted(at[top:], reverse=True)
    if steps % 2 == 0:
        assert at[1:] == at[:0:-1]


# ------------------------------------------------------------------------------------------------------------- shifts


def text_of(scale: float, steps: list[int]) -> str:
    """The text of a shift, built by hand."""
    return base64.urlsafe_b64encode(struct.pack("<f", scale) + struct.pack(f"{len(steps)}b", *steps)).decode().rstrip("=")


@pytest.mark.parametrize("steps", [[127], [127, -64], [-127, 64, 0], [1, 2, -127, 4], list(range(-127, 128))])
def test_a_shift_is_its_scale_and_a_byte_a_step(steps):
    """At every number of letters that base64 pads in another way."""
    shift = torch.tensor(steps) * 0.25
    text = flower.write_shift(shift)
    assert text == text_of(0.25, steps) and torch.equal(flower.read_shift(text, len(steps)), shift)


def test_a_shift_between_two_steps_goes_to_the_nearer_one():
    assert flower.write_shift(torch.tensor([127.0, 0.4, 0.6, -0.6]) / 4) == text_of(0.25, [127, 0, 1, -1])


def test_no_shift_is_the_empty_text():
    assert flower.write_shift(torch.zeros(5)) == "" and torch.equal(flower.read_shift("", 5), torch.zeros(5))


def test_the_farthest_shift_is_read_and_none_beyond_it():
    far = torch.tensor([flower.MAX_SHIFT, 0.0])
    assert torch.allclose(flower.read_shift(flower.write_shift(far), 2), far)
    with pytest.raises(UserError, match="shift"):
        flower.read_shift(flower.write_shift(far * 1.001), 2)


@pytest.mark.parametrize("scale", [0.0, -0.25, math.nan, math.inf, 1.0])
def test_a_shift_of_an_impossible_scale_is_refused(scale):
    assert flower.read_shift(text_of(0.25, [1, 2]), 2).tolist() == [0.25, 0.5]
    with pytest.raises(UserError, match="shift"):
        flower.read_shift(text_of(scale, [1, 2]), 2)


@pytest.mark.parametrize("width", [1, 3, 4])
def test_a_shift_of_another_width_is_refused(width):
    with pytest.raises(UserError, match="shift"):
        flower.read_shift(text_of(0.25, [1, 2]), width)


def test_letters_that_are_no_part_of_a_shift_are_not_passed_over():
    text = text_of(0.25, [1, 2])
    with pytest.raises(UserError, match="shift"):
        flower.read_shift(f"{text[:4]}!{text[4:]}", 2)


# ------------------------------------------------------------------------------------------------------- what is refused


BAD = [-1, True, "1", b"1", [1], {}, math.nan, math.inf, -math.inf, 10**5000, -(10**5000), [10**5000]]


def kind(value: object) -> str:
    return type(value).__name__  # Python refuses to write the larger ones out


@pytest.mark.parametrize("seed", [*BAD, None, 2**32, 1.5], ids=kind)
def test_a_bad_seed_is_refused(seed):
    with pytest.raises(UserError, match="^the seed is .{1,60}; use a whole number from 0 to 4294967295.$"):
        latents.check_seed(seed)
    with pytest.raises(UserError, match="seed"):
        latents.noise([seed], 4, None)


@pytest.mark.parametrize("truncation", [*BAD, None, 0, 0.009, 3.01], ids=kind)
def test_a_bad_truncation_is_refused(truncation):
    with pytest.raises(UserError, match="^the truncation is .{1,60}; use a number from 0.01 to 3, or switch it off.$"):
        latents.check_truncation(truncation)
    if truncation is not None:
        with pytest.raises(UserError, match="truncation"):
            latents.noise([1], 4, truncation)


def test_good_values_keep_their_worth():
    assert [latents.check_seed(seed) for seed in (0, 7.0, 2**32 - 1)] == [0, 7, 2**32 - 1]
    assert [latents.check_truncation(level) for level in (0.01, 1, 3.0)] == [0.01, 1.0, 3.0]
    assert isinstance(latents.check_seed(7.0), int) and isinstance(latents.check_truncation(1), float)


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "missing"), (10**31, "an enormous number"), ([10**5000], "too large to show"), ("7", "'7'")]
)
def test_a_bad_value_is_shown_in_short(value, shown):
    assert validation.show(value) == shown
    assert len(validation.show("x" * 10_000)) <= 60


@pytest.mark.parametrize("scores", [{}, {"truncation": None}, {"truncation": "1"}, {"truncation": 9}, {"truncation": True}])
def test_a_model_without_a_sound_truncation_of_its_own_has_the_usual_one(scores):
    assert latents.default_truncation(scores) == latents.DEFAULT_TRUNCATION


def test_a_judged_model_has_the_truncation_found_best():
    assert latents.default_truncation({"truncation": 0.75}) == 0.75


@pytest.mark.parametrize("truncation", [0.01, 0.1, 0.5, 1, 1.5, 2.2, 3.0])
def test_the_spread_is_the_deviation_of_truncated_noise(truncation):
    assert latents.spread(truncation) == pytest.approx(stats.truncnorm(-truncation, truncation).std(), rel=1e-6)
    found = latents.noise(SEEDS, 64, truncation).double().std().item()
    assert latents.spread(truncation) == pytest.approx(found, rel=0.02)


def test_without_truncation_the_spread_is_whole():
    assert latents.spread(None) == 1


@pytest.mark.parametrize("truncation", [*BAD, 0, 0.009, 3.01], ids=kind)
def test_there_is_no_spread_at_a_bad_truncation(truncation):
    with pytest.raises(UserError, match="truncation"):
        latents.spread(truncation)
