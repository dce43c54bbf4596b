"""Objectives and penalties against cases worked out by hand."""

import math

import pytest
import torch
from torch import nn

from gan import losses


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
