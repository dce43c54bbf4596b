"""Objectives and penalties against cases worked out by hand."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from gan import losses
from gan.options import OBJECTIVES


def test_penalty_of_a_linear_critic():
    """C(x) = w·x has gradient w everywhere, so the penalty is (‖w‖ − 1)² and its own gradient 2(‖w‖ − 1)·w/‖w‖."""
    weight = torch.tensor([3.0, 4.0] + [0.0] * 10, requires_grad=True)
    real, fake = torch.randn(5, 3, 2, 2), torch.randn(5, 3, 2, 2)
    norms = losses.gradient_norms(lambda x: x.flatten(1) @ weight, real, fake, torch.rand(5))
    assert torch.allclose(norms, torch.full((5,), 5.0))
    penalty = losses.gradient_penalty(norms)
    assert penalty.item() == pytest.approx(16.0)
    penalty.backward()
    assert torch.allclose(weight.grad[:2], 2 * 4 * torch.tensor([0.6, 0.8]))


def test_penalty_is_per_sample_and_at_the_mixed_point():
    """C(x) = ‖x‖²/2 has gradient x, so each norm is the length of its own mixed picture."""
    real, fake = torch.randn(4, 3, 2, 2), torch.randn(4, 3, 2, 2)
    mix = torch.tensor([0.0, 1.0, 0.5, 0.25])
    norms = losses.gradient_norms(lambda x: x.flatten(1).square().sum(1) / 2, real, fake, mix)
    between = mix[:, None, None, None] * real + (1 - mix)[:, None, None, None] * fake
    assert torch.allclose(norms, between.flatten(1).norm(dim=1))
    assert torch.allclose(norms[:2], torch.stack([fake[0].norm(), real[1].norm()]))


def test_penalty_of_a_flat_critic_has_a_finite_gradient():
    weight = torch.zeros(12, requires_grad=True)
    norms = losses.gradient_norms(
        lambda x: x.flatten(1) @ weight, torch.randn(2, 3, 2, 2), torch.randn(2, 3, 2, 2), torch.rand(2)
    )
    losses.gradient_penalty(norms).backward()
    assert torch.isfinite(weight.grad).all()


def test_penalty_stays_in_float32_under_autocast():
    critic = nn.Sequential(nn.Flatten(), nn.Linear(12, 1))
    real, fake, mix = torch.randn(4, 3, 2, 2), torch.randn(4, 3, 2, 2), torch.rand(4)
    wanted = losses.gradient_norms(lambda x: critic(x).flatten(), real, fake, mix)
    with torch.autocast("cpu", torch.bfloat16):
        norms = losses.gradient_norms(lambda x: critic(x).flatten(), real, fake.bfloat16().float(), mix)
    assert norms.dtype == torch.float32
    assert torch.equal(norms, wanted), "a linear critic's gradient does not depend on the point"


def test_wasserstein():
    real, fake = torch.tensor([3.0, 5.0]), torch.tensor([1.0, -2.0, 4.0])
    assert losses.wasserstein_critic(real, fake).item() == pytest.approx(1 - 4)
    assert losses.wasserstein_generator(fake).item() == pytest.approx(-1)


def test_clipping():
    critic = nn.Linear(3, 1)
    with torch.no_grad():
        critic.weight.copy_(torch.tensor([[0.5, -0.5, 0.005]]))
        critic.bias.fill_(-1)
    losses.clip_weights(critic, 0.01)
    assert critic.weight.tolist()[0] == pytest.approx([0.01, -0.01, 0.005])
    assert critic.bias.item() == pytest.approx(-0.01)


def test_labels():
    like = torch.zeros(3)
    assert losses.labels(like, True, 0.0, None).tolist() == [1, 1, 1]
    assert losses.labels(like, True, 0.4, None).tolist() == pytest.approx([0.8] * 3)
    assert losses.labels(like, False, 0.4, None).tolist() == pytest.approx([0.2] * 3)
    ends = torch.tensor([0.0, 0.5, 1.0])
    assert losses.labels(like, True, 0.0, ends).tolist() == pytest.approx([0.7, 0.95, 1.2])
    assert losses.labels(like, False, 0.0, ends).tolist() == pytest.approx([0.0, 0.15, 0.3])


def test_cross_entropy_by_hand():
    """At logit 0 either class costs ln 2; the generator's loss is −ln σ(score), steep where the critic is sure."""
    zero, one = torch.zeros(1), torch.ones(1)
    assert losses.cross_entropy_critic(zero, zero, one, zero).item() == pytest.approx(2 * math.log(2))
    score = torch.tensor([-5.0], requires_grad=True)
    loss = losses.cross_entropy_generator(score, one)
    assert loss.item() == pytest.approx(math.log1p(math.exp(5)))
    loss.backward()
    assert score.grad.item() == pytest.approx(-1 / (1 + math.exp(-5)), abs=1e-6), "does not saturate"


# -------------------------------------------------------------------------------------------------- the flagship's parts


def test_slopes_of_a_linear_critic_are_the_length_of_its_weights_for_each_score():
    """C(x) = Σ_h w_h·x of several heads has the gradient Σ_h w_h at every point, of one axis or of many."""
    weight = torch.randn(12, 4, requires_grad=True)
    for shape in ((5, 12), (5, 3, 2, 2)):
        norms = losses.gradient_norms_at(lambda x: x.flatten(1) @ weight, torch.randn(shape))
        assert torch.allclose(norms, weight.sum(1).norm().expand(5))
    losses.r1_r2_penalty(norms).backward()
    assert torch.allclose(weight.grad, weight.detach().sum(1, keepdim=True).expand(12, 4), atol=1e-5), "of ‖Σw‖²/2"


def test_slopes_are_taken_at_each_sample_and_leave_it_alone():
    """C(x) = ‖x‖²/2 has the gradient x."""
    at = torch.randn(4, 7).requires_grad_(True)
    norms = losses.gradient_norms_at(lambda x: x.square().sum(1) / 2, at)
    assert torch.allclose(norms, at.norm(dim=1)) and norms.std() > 0
    norms.sum().backward()
    assert at.grad is None, "the penalty is on the critic's weights alone"


def test_slopes_stay_in_float32_under_autocast():
    critic, at = nn.Linear(12, 4), torch.randn(4, 12)
    wanted = losses.gradient_norms_at(critic, at)
    with torch.autocast("cpu", torch.bfloat16):
        norms = losses.gradient_norms_at(critic, at.bfloat16())
    assert norms.dtype == torch.float32 and torch.equal(norms, wanted)


def test_gradient_norms_take_what_a_projected_critic_sees_too():
    """Vectors N×D instead of pictures, several scores instead of one."""
    weight, real, fake = torch.randn(6, 4), torch.randn(3, 6), torch.randn(3, 6)
    norms = losses.gradient_norms(lambda x: x @ weight, real, fake, torch.rand(3))
    assert torch.allclose(norms, weight.sum(1).norm().expand(3))
    mix = torch.tensor([0.0, 1.0, 0.25])
    norms = losses.gradient_norms(lambda x: x.square().sum(1) / 2, real, fake, mix)
    assert torch.allclose(norms, (mix[:, None] * real + (1 - mix[:, None]) * fake).norm(dim=1))


def test_a_zero_centred_penalty_is_half_the_mean_square():
    assert losses.r1_r2_penalty(torch.tensor([0.0, 2.0, 4.0])).item() == pytest.approx((0 + 4 + 16) / 3 / 2)
    assert losses.r1_r2_penalty(torch.zeros(3)).item() == 0


def test_relativistic_by_hand():
    """Heads add up, samples are averaged, and each sample is judged beside its own counterpart."""
    better, worse = torch.tensor([[1.0, -2.0], [0.5, 3.0]]), torch.tensor([[0.0, 1.0], [0.5, -4.0]])
    wanted = sum(math.log1p(math.exp(x)) for x in (-1.0, 3.0, 0.0, -7.0)) / 2
    assert losses.relativistic(better, worse).item() == pytest.approx(wanted)
    assert losses.relativistic(better[:, 0], worse[:, 0]).item() == pytest.approx((math.log1p(math.exp(-1)) + math.log(2)) / 2)
    assert losses.relativistic(better + 5, worse + 5).item() == pytest.approx(wanted), "only differences count"


def test_relativistic_is_one_game_for_both_sides():
    """What one side loses by a lead of d it gains by −d: f(−d) − f(d) = d; and equal scores pull both with half a unit."""
    real, fake = torch.randn(6, 4, requires_grad=True), torch.randn(6, 4, requires_grad=True)
    critic, generator = losses.relativistic(real, fake), losses.relativistic(fake, real)
    assert (generator - critic).item() == pytest.approx((real - fake).sum(1).mean().item(), abs=1e-5)
    same = real.detach().clone().requires_grad_(True)
    losses.relativistic(same, real).backward()
    assert torch.allclose(same.grad, torch.full((6, 4), -0.5 / 6)) and torch.allclose(real.grad, -same.grad)


def test_relativistic_stays_finite_for_scores_far_apart():
    far = torch.tensor([500.0, -500.0], requires_grad=True)
    loss = losses.relativistic(far, torch.zeros(2))
    loss.backward()
    assert loss.item() == pytest.approx(250) and far.grad.tolist() == pytest.approx([0, -0.5])


def test_only_what_leaves_the_range_costs():
    images = torch.tensor([-3.0, -1.0, -0.5, 0.0, 1.0, 1.5], requires_grad=True)
    loss = losses.out_of_range(images)
    assert loss.item() == pytest.approx((4 + 0.25) / 6)
    loss.backward()
    assert images.grad.tolist() == pytest.approx([-4 / 6, 0, 0, 0, 0, 1 / 6])


def by_hand(pictures, photos, others, attract, repel):
    """The kernel distance, one pair after the other in float64."""

    def apart(a, b):
        return math.sqrt(float(((a - b) ** 2).mean()) + 1e-4)

    arrays = (value.double().numpy() for value in (pictures, photos, others, attract, repel))
    pictures, photos, others, attract, repel = arrays
    near = [[apart(a, b) for b in photos] for a in pictures]
    usual = np.mean([sum(d * w for d, w in zip(*rows)) for rows in zip(near, attract)])
    total = 0.0
    for picture, wanted, unwanted in zip(pictures, attract, repel):
        for sign, rows, weights in ((-1, photos, wanted), (1, others, unwanted)):
            density = sum(w * math.exp(-apart(picture, row) / (0.3 * usual)) for row, w in zip(rows, weights))
            total += sign * 0.3 * math.log(density) if weights.any() else 0.0
    return total / len(pictures)


@pytest.mark.parametrize("scale", [1, 0.02])
def test_kernel_distance_by_hand(scale):
    """Also where differences are so small that the number which keeps a root from zero counts."""
    torch.manual_seed(0)
    pictures, photos, others = scale * torch.randn(3, 5), scale * (torch.randn(4, 5) + 0.5), scale * torch.randn(2, 5)
    attract = torch.tensor([[0.5, 0.5, 0, 0], [0, 0, 0.25, 0.75], [1, 0, 0, 0]])
    repel = torch.tensor([[0.0, 1], [0.5, 0.5], [0, 0]])
    found = losses.kernel_distance(pictures, photos, others, attract, repel)
    assert found.item() == pytest.approx(by_hand(pictures, photos, others, attract, repel), rel=1e-4)


def test_kernel_distance_does_not_hang_on_the_unit_of_what_is_seen():
    torch.manual_seed(0)
    sets = torch.randn(3, 5), torch.randn(4, 5), torch.randn(2, 5)
    shares = torch.full((3, 4), 0.25), torch.full((3, 2), 0.5)
    small, large = (losses.kernel_distance(*(scale * x for x in sets), *shares).item() for scale in (1, 100))
    assert small == pytest.approx(large, rel=1e-3)


@pytest.mark.parametrize("temperature", [0.15, 0.3, 0.6])
def test_the_force_on_a_picture_beside_one_photo_is_the_same_at_any_temperature(monkeypatch, temperature):
    """d/dd = 1/d̄ at every d, times how the root mean square changes with the picture."""
    monkeypatch.setattr(losses, "TEMPERATURE", temperature)
    picture, photo = torch.randn(1, 5, requires_grad=True), torch.randn(1, 5)
    losses.kernel_distance(picture, photo, photo, torch.ones(1, 1), torch.zeros(1, 1)).backward()
    difference = picture.detach() - photo
    distance = (difference.square().mean() + 1e-4).sqrt()
    assert torch.allclose(picture.grad, difference / (5 * distance) / distance, rtol=1e-3, atol=1e-5)


def test_kernel_distance_draws_to_photos_and_drives_from_others_and_only_by_their_shares():
    picture = torch.zeros(1, 2, requires_grad=True)
    right, up = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    one, none = torch.ones(1, 1), torch.zeros(1, 1)

    def pull(attract, repel):
        return -torch.autograd.grad(losses.kernel_distance(picture, right, up, attract, repel), picture)[0][0]

    assert pull(one, none)[0] > 0.1 and pull(one, none)[1] == 0
    assert pull(one, one)[0] > 0.1 and pull(one, one)[1] < -0.1


def test_a_picture_far_from_all_photos_is_drawn_as_strongly_as_a_near_one():
    pictures = torch.tensor([[0.0], [50.0]], requires_grad=True)
    photos, one = torch.tensor([[-1.0], [1.2]]), torch.full((2, 2), 0.5)
    losses.kernel_distance(pictures, photos, photos, one, torch.zeros(2, 2)).backward()
    near, far = pictures.grad.abs().flatten().tolist()
    assert far > near > 0


@pytest.mark.parametrize("attract", [[[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
def test_pictures_of_a_class_without_photos_cost_nothing_and_are_numbers(attract):
    pictures, photos = torch.randn(2, 3, requires_grad=True), torch.randn(2, 3)
    found = losses.kernel_distance(pictures, photos, photos, torch.tensor(attract), torch.zeros(2, 2))
    found.backward()
    assert found.isfinite() and pictures.grad.isfinite().all() and not pictures.grad[1].any()
    alone = losses.kernel_distance(pictures[:1], photos, photos, torch.tensor(attract[:1]), torch.zeros(1, 2))
    assert found.item() == pytest.approx(alone.item() / 2), "nor do they change how far is usual"


def test_kernel_distance_has_a_slope_where_picture_and_photo_are_the_same():
    picture = torch.tensor([[1.0, 2.0, 0.0], [0.0, 3.0, 1.0]], requires_grad=True)  # whole numbers: exactly the same
    same = picture.detach().clone()
    losses.kernel_distance(picture, same, same, torch.full((2, 2), 0.5), torch.full((2, 2), 0.5)).backward()
    assert picture.grad.isfinite().all()


def test_the_spectrum_shows_a_grid_and_its_distance_sees_what_is_missing():
    torch.manual_seed(0)
    photos = torch.nn.functional.avg_pool2d(torch.randn(64, 3, 34, 34), 3, 1)
    usual = losses.log_spectrum(photos).mean(0)
    assert usual.shape == (32, 17)
    assert losses.spectral_distance(photos, usual) == 0
    grid = (1 - 2.0 * ((torch.arange(32)[:, None] + torch.arange(32)) % 2)) * 0.5
    peak = losses.log_spectrum(photos + grid).mean(0) - usual
    assert peak.argmax() == 16 * 17 + 16 and peak.max() > 3, "a grid of two pixels is the highest frequency of both axes"
    near = losses.spectral_distance(photos[:32], usual)
    assert near + 0.3 < losses.spectral_distance(photos[:32] + grid, usual), "one frequency of 544"
    assert near < 0.1 < losses.spectral_distance(torch.nn.functional.avg_pool2d(photos, 3, 1, 1), usual), "blur"


def test_white_noise_keeps_its_power_under_the_window():
    torch.manual_seed(0)
    for side, power in ((16, 1.0), (32, 4.0)):
        noise = power**0.5 * torch.randn(400, 1, side, side).expand(-1, 3, -1, -1)
        assert losses.log_spectrum(noise).exp().mean().item() == pytest.approx(power, rel=0.05)


def test_bright_corners_are_not_seen():
    """They have a flat spectrum, by which a generator made up for the detail it lacked."""
    torch.manual_seed(0)
    pictures = torch.nn.functional.avg_pool2d(torch.randn(8, 3, 34, 34), 3, 1)
    lit = pictures - pictures.mean((1, 2, 3), keepdim=True)
    plain = losses.log_spectrum(lit).mean(0)
    lit[:, :, [0, 0, -1, -1], [0, -1, 0, -1]] += 3
    change = (losses.log_spectrum(lit).mean(0) - plain).abs().flatten()[1:]  # less the brightness
    assert change.max() < 0.1


def test_the_spectrum_of_a_picture_smaller_than_the_widest_grid_is_compared_too():
    torch.manual_seed(0)
    usual = losses.log_spectrum(torch.randn(64, 3, 4, 4)).mean(0)
    alike = losses.spectral_distance(torch.randn(8, 3, 4, 4), usual)
    blank = losses.spectral_distance(torch.zeros(8, 3, 4, 4), usual)
    assert 0 < alike < blank


@pytest.mark.parametrize(
    ("side", "at", "weight"),
    [(32, (0, 0), 1 / 544), (32, (0, 1), 1 / 544), (32, (0, 4), 1 / 544 + 1 / 39), (32, (28, 16), 1 / 544 + 1 / 39),
     (4, (0, 0), 1 / 12), (4, (0, 1), 1 / 12 + 1 / 11), (4, (3, 2), 1 / 12 + 1 / 11)],
)  # fmt: skip
def test_each_frequency_weighs_by_hand(side, at, weight):
    """Of 32 pixels the grid has 8×5 frequencies, of 4 pixels all 4×3, each time less the brightness."""
    torch.manual_seed(0)
    pictures = torch.randn(4, 3, side, side)
    usual = losses.log_spectrum(pictures).mean(0)
    usual[at] += 3
    assert losses.spectral_distance(pictures, usual).item() == pytest.approx(9 * weight, rel=1e-4)


def test_the_chance_of_a_batch_is_what_the_docstring_says():
    torch.manual_seed(0)
    usual = losses.log_spectrum(torch.randn(4096, 3, 32, 32)).mean(0)
    found = torch.stack([losses.spectral_distance(torch.randn(8, 3, 32, 32), usual) for _ in range(20)]).mean()
    assert found.item() == pytest.approx(2 * 1.8 / 8, rel=0.1)


def test_pictures_climb_towards_the_spectrum_of_photos():
    torch.manual_seed(0)
    usual = losses.log_spectrum(torch.randn(64, 3, 16, 16)).mean(0)
    pictures = (torch.randn(8, 3, 16, 16) * 0.1).requires_grad_(True)
    optimizer, before = torch.optim.Adam([pictures], 0.05), losses.spectral_distance(pictures, usual).item()
    for _ in range(60):
        optimizer.zero_grad()
        losses.spectral_distance(pictures, usual).backward()
        optimizer.step()
    assert losses.spectral_distance(pictures, usual).item() < before / 10


def test_every_objective_by_name_has_its_losses():
    assert set(losses.OBJECTIVES) == set(OBJECTIVES)
    real, fake = torch.tensor([2.0, 0.0]), torch.tensor([1.0, -1.0])
    targets = lambda score, real: torch.full_like(score, float(real))  # noqa: E731
    code = torch.zeros(2, 0)
    found = {
        name: (
            one.critic(real, fake, targets, code).item(),
            one.generator(real, fake, targets, code).item(),
            one.penalty,
            one.clips,
        )
        for name, one in losses.OBJECTIVES.items()
        if not one.classifies
    }
    assert found["wgan-gp"] == (-1.0, 0.0, "one", False) and found["wgan-clip"] == (-1.0, 0.0, "", True)
    assert found["relativistic"] == (
        pytest.approx(math.log(1 + math.exp(-1))),
        pytest.approx(math.log(1 + math.e)),
        "zero",
        False,
    )
    critic = [math.log(1 + math.exp(x)) for x in (-2, 0, 1, -1)]
    assert found["bce"][:2] == (
        pytest.approx(sum(critic) / 2),
        pytest.approx(sum(math.log(1 + math.exp(-x)) for x in (1, -1)) / 2),
    )
    assert found["bce-r1"] == (*found["bce"][:2], "photos", False)
    assert found["lsgan"] == (pytest.approx((1 + 1) / 2 / 2 + (1 + 1) / 2 / 2), pytest.approx((0 + 4) / 2 / 2), "", False)
    assert found["hinge"] == (pytest.approx((0 + 1) / 2 + (2 + 0) / 2), 0.0, "", False)


def test_an_auxiliary_classifier_by_hand():
    """Scores first, then the logits of two classes: a score of 0 costs ln 2, logits apart by d cost ln(1 + exp(∓d))."""
    acgan, code = losses.OBJECTIVES["acgan"], torch.eye(2)
    real, fake = torch.tensor([[0.0, 3, 1], [0, 0, 0]]), torch.tensor([[0.0, 0, 2], [0, -1, 1]])
    targets = lambda score, real: torch.full_like(score, float(real))  # noqa: E731
    of_photos, of_pictures = ((math.log1p(math.exp(-a)) + math.log1p(math.exp(-b))) / 2 for a, b in ((2, 0), (-2, 2)))
    assert acgan.critic(real, fake, targets, code).item() == pytest.approx(2 * math.log(2) + of_photos + of_pictures)
    assert acgan.generator(None, fake, targets, code).item() == pytest.approx(math.log(2) + of_pictures)
    assert acgan.without_classes(real).tolist() == [0, 0]
    plain = acgan.critic(real[:, :1], fake[:, :1], targets, torch.zeros(2, 0))
    assert plain.item() == pytest.approx(2 * math.log(2)), "a model without classes has nothing to classify"


def test_least_squares_and_hinge_stop_where_they_should():
    """Least squares pull scores that are too good back; the hinge leaves them alone."""
    real, fake = torch.tensor([3.0], requires_grad=True), torch.tensor([-3.0], requires_grad=True)
    losses.least_squares_critic(real, fake).backward()
    assert real.grad.item() == pytest.approx(2) and fake.grad.item() == pytest.approx(-3)
    real.grad = fake.grad = None
    losses.hinge_critic(real, fake).backward()
    assert real.grad.item() == 0 == fake.grad.item()


def test_orthogonality_by_hand():
    """Filters (1, 2) and (3, 4) have the product 11, which counts twice; their own lengths do not count."""
    assert losses.orthogonality([torch.tensor([[1.0, 2], [3, 4]])]).item() == pytest.approx(2 * 11**2)
    square = torch.linalg.qr(torch.randn(12, 12))[0]
    assert losses.orthogonality([7 * square.view(12, 3, 2, 2)]).item() == pytest.approx(0, abs=1e-4)


def test_path_lengths_of_a_linear_network():
    """Pictures A·w have the Jacobian A at every style, so a length is ‖Aᵀy‖/S; the mean over one scale changes nothing."""
    torch.manual_seed(0)
    matrix = torch.randn(5, 12, requires_grad=True)
    styles, noise = torch.randn(4, 1, 5, requires_grad=True), torch.randn(4, 3, 2, 2)
    pictures = (styles[:, 0] @ matrix).view(4, 3, 2, 2)
    lengths = losses.path_lengths(pictures, styles, noise)
    assert torch.allclose(lengths, (noise.flatten(1) @ matrix.T).norm(dim=1) / 2)
    lengths.sum().backward()
    assert matrix.grad.abs().sum() > 0, "the generator can learn from it"


def test_path_lengths_of_several_scales_by_hand():
    """One pixel 3·w₁ + 4·w₂ of two styles of one number: the slopes 3 and 4 have the mean square 12.5, not the sum 25."""
    styles = torch.randn(2, 2, 1, requires_grad=True)
    pictures = (styles[:, :, 0] @ torch.tensor([3.0, 4.0])).view(2, 1, 1, 1)
    assert losses.path_lengths(pictures, styles, torch.ones(2, 1, 1, 1)).tolist() == pytest.approx([12.5**0.5] * 2)


def test_path_lengths_sum_over_the_numbers_of_a_style():
    """A pixel 3·w₁ + 4·w₂ of one style has the length 5; noise of 2 doubles it, a side of 2 pixels halves it."""
    styles = torch.randn(1, 1, 2, requires_grad=True)
    pictures = torch.zeros(1, 1, 2, 2) + (styles[:, 0] @ torch.tensor([3.0, 4.0])).view(1, 1, 1, 1)
    noise = torch.tensor([2.0, 0, 0, 0]).view(1, 1, 2, 2)
    assert losses.path_lengths(pictures, styles, noise).tolist() == pytest.approx([5.0])


def test_the_length_of_no_path_is_a_number():
    styles = torch.zeros(4, 1, 5, requires_grad=True)
    lengths = losses.path_lengths((0 * styles).sum((1, 2)).view(4, 1, 1, 1), styles, torch.ones(4, 1, 1, 1))
    assert lengths.tolist() == pytest.approx([0] * 4, abs=1e-5)
