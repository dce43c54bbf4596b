"""Objectives and penalties, as functions of critic scores (and, for the penalty, of the critic itself)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, softplus


def wasserstein_critic(real: Tensor, fake: Tensor) -> Tensor:
    """Critic's loss E[C(fake)] − E[C(real)]; its negative estimates the Wasserstein distance (Arjovsky et al. 2017)."""
    return fake.mean() - real.mean()


def wasserstein_generator(fake: Tensor) -> Tensor:
    """Generator's loss −E[C(fake)]."""
    return -fake.mean()


def gradient_norms(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    """‖∇C(x̂)‖₂ at x̂ = mix·real + (1 − mix)·fake: N norms, as `gradient_norms_at` gives them. `mix` is N in [0, 1]."""
    return gradient_norms_at(critic, between(real, fake, mix))


def between(real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    """x̂ = mix·real + (1 − mix)·fake in float32; `mix` is N in [0, 1]."""
    mix = mix.float().view(-1, *[1] * (real.ndim - 1))
    return mix * real.float() + (1 - mix) * fake.float()


def gradient_norms_at(critic: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """‖∇C‖₂ at each of N points: N norms over all that a sample has, differentiable with respect to the critic's weights.

    In float32 outside any autocast: a squared sum of small half-precision gradients loses the penalty's point.
    """
    with torch.autocast(at.device.type, enabled=False):
        at = at.detach().float().requires_grad_(True)
        (gradient,) = torch.autograd.grad(critic(at).sum(), at, create_graph=True)
        return norms(gradient)


def norms(gradient: Tensor) -> Tensor:
    """The Euclidean norm of each of N gradients."""
    # The epsilon keeps the root's own gradient finite where a gradient vanishes.
    return (gradient.flatten(1).square().sum(dim=1) + 1e-12).sqrt()


def gradient_penalty(norms: Tensor) -> Tensor:
    """E[(‖∇C(x̂)‖₂ − 1)²] of the N norms, to be weighted by λ (Gulrajani et al. 2017, equation 3)."""
    return (norms - 1).square().mean()


def r1_r2_penalty(norms: Tensor) -> Tensor:
    """E[‖∇C(x)‖²]/2 of norms at photos or at pictures, to be weighted by γ (Mescheder et al. 2018, R₁ and R₂, equation 9)."""
    return norms.square().mean() / 2


def relativistic(better: Tensor, worse: Tensor) -> Tensor:
    """E[ln(1 + exp(worse − better))] of N or N×H scores, summed over the H heads (Huang et al. 2024, R3GAN, equation 2).

    The critic's loss takes the photos as `better`, the generator's loss the pictures. Row i of one is compared with row i of
    the other.
    """
    return softplus(worse - better).reshape(len(better), -1).sum(1).mean()


def out_of_range(images: Tensor) -> Tensor:
    """E[max(0, |x| − 1)²] over the values of pictures: keeps a generator without a last tanh within [−1, 1]."""
    return (images.abs() - 1).relu().square().mean()


# Averages a value over all processes (ProcessGroup.mean); within one process it returns its argument.
Across = Callable[[Tensor], Tensor]


def _same(mean: Tensor) -> Tensor:
    return mean


WIDEST_GRID = 8  # pixels: the last three doublings of the side leave grids of 2, 4 and 8, which artifacts.py measures


def log_spectrum(images: Tensor) -> Tensor:
    """ln of the power of the brightness of N×3×S×S at each frequency, under a Hann window: N×S×(S/2 + 1), in float32.

    Without a window a generator drew four bright corner pixels: their spectrum is flat and stood in for the detail it lacked.
    """
    with torch.autocast(images.device.type, enabled=False):
        brightness = images.float().mean(1)
        line = torch.hann_window(images.shape[-1], periodic=False, device=images.device)
        window = line[:, None] * line / line.square().mean()  # its mean square is 1: white noise keeps its power
        windowed = (brightness - brightness.mean((1, 2), keepdim=True)) * window
        return torch.fft.rfft2(windowed, norm="ortho").abs().square().add(1e-4).log()


def spectral_distance(pictures: Tensor, usual: Tensor, across: Across = _same) -> Tensor:
    """Mean squared difference of the mean log spectrum of N×3×S×S `pictures` and the `usual` one of photos, S×(S/2 + 1), over
    all frequencies, and once more over those of a grid of WIDEST_GRID pixels or of a part of it.

    Upsampling leaves a grid: peaks in the spectrum, to which networks of strided convolutions are nearly blind (Durall et al.
    2020, "Watch your Up-Convolution"). Those few frequencies would hardly count among all, so they get the weight of all.
    With N pictures chance alone adds about 1.8/N to each of the two means.
    """
    off = (across(log_spectrum(pictures).mean(0)) - usual).square()
    step = max(1, len(usual) // WIDEST_GRID)  # in a smaller picture every frequency belongs to a grid
    return off.mean() + off[::step, ::step].flatten()[1:].mean()  # without the mean brightness, which is no grid


def kernel_distance(
    pictures: Tensor, photos: Tensor, others: Tensor, attract: Tensor, repel: Tensor, across: Across = _same
) -> Tensor:
    """How far N×D `pictures` are from M×D `photos` as a set: τ·E[ln p_others(x) − ln p_photos(x)] over the pictures x.

    p is a density estimate, the weighted mean of the kernel exp(−d/(τ·d̄)), with d the root mean square difference of two rows
    and d̄ the mean d to the photos. The logarithm divides each force by its own density (Deng et al. 2026, "Generative Modeling
    via Drifting"): a picture far from all photos is drawn to them as strongly as a near one, and a rare photo draws as strongly
    as a common one. `others`, L×D, are pictures as well, from which the pictures are driven away. `attract` N×M and `repel` N×L
    are weights; each row adds up to 1, or is 0 and then adds nothing.
    """
    near, own = _distances(pictures, photos), _distances(pictures, others)
    judged = (attract > 0).any(1).float()
    total, count = across(torch.stack([(near.detach() * attract).sum(), judged.sum()]))
    width = TEMPERATURE * (total / count.clamp_min(1e-6)).clamp_min(1e-6)  # no class may have a photo
    return TEMPERATURE * (_log_density(own / width, repel) - _log_density(near / width, attract)).mean()


TEMPERATURE = 0.3  # τ of the kernel


def _log_density(distances: Tensor, weights: Tensor) -> Tensor:
    """ln Σ wᵢ·exp(−dᵢ) of each row of N×M distances d and weights w, N; 0 for a row without a weight."""
    some = (weights > 0).any(1)
    logs = torch.where(some[:, None], weights, torch.ones_like(weights)).log()
    return torch.where(some, (logs - distances).logsumexp(1), torch.zeros_like(distances[:, 0]))


def _distances(a: Tensor, b: Tensor) -> Tensor:
    """Root mean square differences of the rows of N×D and M×D: N×M; never 0, where a root has no slope."""
    squares = a.square().sum(1)[:, None] + b.square().sum(1) - 2 * a @ b.T
    return (squares.clamp_min(0) / a.shape[1] + 1e-4).sqrt()


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


def least_squares_critic(real: Tensor, fake: Tensor) -> Tensor:
    """Critic's loss (E[(C(real) − 1)²] + E[C(fake)²])/2 (Mao et al. 2017, equation 9)."""
    return ((real - 1).square().mean() + fake.square().mean()) / 2


def least_squares_generator(fake: Tensor) -> Tensor:
    """Generator's loss E[(C(fake) − 1)²]/2 (Mao et al. 2017, equation 9)."""
    return (fake - 1).square().mean() / 2


def hinge_critic(real: Tensor, fake: Tensor) -> Tensor:
    """Critic's loss E[max(0, 1 − C(real))] + E[max(0, 1 + C(fake))] (Miyato et al. 2018, equation 16)."""
    return (1 - real).relu().mean() + (1 + fake).relu().mean()


def class_error(scores: Tensor, code: Tensor) -> Tensor:
    """Cross-entropy of the class logits in N×(1+K) scores to class codes N×K (Odena et al. 2017, equation 3).

    0 for a model without classes, N×0. The first column of the scores tells photos from pictures and is left out.
    """
    return -(code * scores[:, 1:].log_softmax(1)).sum(1).mean()


def orthogonality(weights: Iterable[Tensor]) -> Tensor:
    """Σ ‖WWᵀ ⊙ (1 − I)‖² over weights, a row of W for each filter: filters that look alike (Brock et al. 2019, equation 3).

    The length of a filter is left free.
    """
    total = torch.zeros(())
    for weight in weights:
        products = weight.flatten(1) @ weight.flatten(1).T
        total = total + (products - products.diag().diag()).square().sum()
    return total


def path_lengths(generated: Tensor, styles: Tensor, noise: Tensor) -> Tensor:
    """‖Jᵀy‖₂ of N pictures N×3×S×S made of styles N×L×W, for noise y/S of the pictures' shape: N lengths.

    The mean square over the L scales takes the place of the sum, as in the authors' code (Karras et al. 2020, equation 4).
    Differentiable by what made the pictures.
    """
    (gradient,) = torch.autograd.grad((generated * noise).sum() / generated.shape[-1], styles, create_graph=True)
    return (gradient.square().sum(2).mean(1) + 1e-12).sqrt()


# Scores and whether they are of photos → the labels that a cross-entropy compares them with.
Targets = Callable[[Tensor, bool], Tensor]


@dataclass(frozen=True)
class Objective:
    """What the critic and the generator minimize, of scores N or N×H. A new objective is a new entry of OBJECTIVES.

    The functions take scores of photos (of the generator's: only if `paired`, else None), scores of pictures, the labels, and
    the class codes N×K of both.
    """

    critic: Callable[[Tensor, Tensor, Targets, Tensor], Tensor]
    generator: Callable[[Any, Tensor, Targets, Tensor], Tensor]
    # On the critic's gradient: "one" (to norm 1, between photos and pictures), "zero" (to 0, at both), "photos" (to 0, there).
    penalty: str = ""
    paired: bool = False  # the generator's loss compares pictures with photos
    clips: bool = False  # the critic's weights are clamped after each step
    classifies: bool = False  # the scores have class logits behind the first column: the critic ends with the layer X

    def without_classes(self, scores: Tensor) -> Tensor:
        """The scores alone, which tell photos from pictures."""
        return scores[:, 0] if self.classifies else scores


_WASSERSTEIN = (
    lambda real, fake, labels, code: wasserstein_critic(real, fake),
    lambda real, fake, labels, code: wasserstein_generator(fake),
)
_CROSS_ENTROPY = (
    lambda real, fake, labels, code: cross_entropy_critic(real, fake, labels(real, True), labels(fake, False)),
    lambda real, fake, labels, code: cross_entropy_generator(fake, labels(fake, True)),
)

OBJECTIVES = {
    "wgan-gp": Objective(*_WASSERSTEIN, penalty="one"),
    "wgan-clip": Objective(*_WASSERSTEIN, clips=True),
    "bce": Objective(*_CROSS_ENTROPY),
    "bce-r1": Objective(*_CROSS_ENTROPY, penalty="photos"),
    "lsgan": Objective(
        lambda real, fake, labels, code: least_squares_critic(real, fake),
        lambda real, fake, labels, code: least_squares_generator(fake),
    ),
    "hinge": Objective(lambda real, fake, labels, code: hinge_critic(real, fake), _WASSERSTEIN[1]),
    "acgan": Objective(
        lambda real, fake, labels, code: (
            _CROSS_ENTROPY[0](real[:, 0], fake[:, 0], labels, code) + class_error(real, code) + class_error(fake, code)
        ),
        lambda real, fake, labels, code: _CROSS_ENTROPY[1](None, fake[:, 0], labels, code) + class_error(fake, code),
        classifies=True,
    ),
    "relativistic": Objective(
        lambda real, fake, labels, code: relativistic(real, fake),
        lambda real, fake, labels, code: relativistic(fake, real),
        penalty="zero",
        paired=True,
    ),
}
