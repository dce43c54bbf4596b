"""Objectives and penalties, as functions of critic scores (and, for the penalty, of the critic itself)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits


def wasserstein_critic(real: Tensor, fake: Tensor) -> Tensor:
    """Critic's loss E[C(fake)] − E[C(real)]; its negative estimates the Wasserstein distance (Arjovsky et al. 2017)."""
    return fake.mean() - real.mean()


def wasserstein_generator(fake: Tensor) -> Tensor:
    """Generator's loss −E[C(fake)]."""
    return -fake.mean()


def gradient_norms(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    """‖∇C(x̂)‖₂ at x̂ = mix·real + (1 − mix)·fake: N norms, differentiable with respect to the critic's weights.

    `real` and `fake` are N×3×S×S, `mix` is N in [0, 1]. One norm a sample over all its pixels, in float32 outside any
    autocast: a squared sum of small half-precision gradients loses the penalty's point.
    """
    with torch.autocast(real.device.type, enabled=False):
        mix = mix.float()[:, None, None, None]
        between = (mix * real.float() + (1 - mix) * fake.float()).detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
        # The epsilon keeps the root's own gradient finite where a gradient vanishes.
        return (gradient.flatten(1).square().sum(dim=1) + 1e-12).sqrt()


def gradient_penalty(norms: Tensor) -> Tensor:
    """E[(‖∇C(x̂)‖₂ − 1)²] of the N norms, to be weighted by λ (Gulrajani et al. 2017, equation 3)."""
    return (norms - 1).square().mean()


@torch.no_grad()
def clip_weights(critic: nn.Module, bound: float) -> None:
    """Clamp every weight of the critic to [−bound, bound], in place (the plain WGAN)."""
    for weight in critic.parameters():
        weight.clamp_(-bound, bound)


def labels(like: Tensor, real: bool, smoothing: float, noise: Tensor | None) -> Tensor:
    """Targets for the cross-entropy, of the shape of `like` (slides, "stable training" and the listing of the loss).

    1 for real and 0 for fake; with `noise` (uniform in [0, 1]) spread over [0.7, 1.2] and [0, 0.3]; then smoothed
    towards 1/2 as y·(1 − s) + s/2.
    """
    if noise is None:
        target = torch.full_like(like, float(real))
    else:
        target = 0.7 + 0.5 * noise if real else 0.3 * noise
    return target * (1 - smoothing) + smoothing / 2


def cross_entropy_critic(real: Tensor, fake: Tensor, real_labels: Tensor, fake_labels: Tensor) -> Tensor:
    """Critic's loss: binary cross-entropy of real scores (logits) to their labels plus that of fake ones to theirs."""
    return binary_cross_entropy_with_logits(real, real_labels) + binary_cross_entropy_with_logits(fake, fake_labels)


def cross_entropy_generator(fake: Tensor, real_labels: Tensor) -> Tensor:
    """Generator's non-saturating loss: −ln D(G(z)) with the labels of real pictures (Goodfellow et al. 2014, section 3)."""
    return binary_cross_entropy_with_logits(fake, real_labels)
