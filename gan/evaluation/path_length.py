"""How far a picture moves for a small step of its noise: perceptual path length."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import normalize

from gan.errors import UserError
from gan.evaluation.features import MICRO_BATCH, FeatureNetwork, full_precision
from gan.generator import Generator, one_hot
from gan.networks import latents
from gan.sampling.interpolation import spherical
from gan.utils import validation

# The paper's. In float32 with MobileNetV2 the mean is right to 0.02 % for cwgan-gp-64-k4 and to 0.01 % for cwgan-gp-128, and
# single pairs to 0.3 % on the mean, all against float64. Longer steps cut corners: 1e-3 gives 0.1 and 3 % less, 1e-2 gives
# 3 and 31 % less.
EPSILON = 1e-4
TRIM = 0.01  # share of the pairs at either end that does not count, as in StyleGAN's code


def path_length(
    generator: Generator,
    network: FeatureNetwork,
    n: int,
    seed: int = 0,
    truncation: float | None = latents.DEFAULT_TRUNCATION,
    epsilon: float = EPSILON,
    progress: Callable[[int, int], object] | None = None,
) -> tuple[float, float]:
    """Perceptual path length in z and its standard error (Karras et al. 2019, StyleGAN, section 4.1); lower is smoother.

    Mean of ‖f(G(z(t))) − f(G(z(t + ε)))‖²/ε² over `n` random pairs (2 or more) on the arcs between what two seeds give in one
    class, t uniform in [0, 1 − ε], f the features of `network` scaled to unit length. The paper's f is another network's
    (LPIPS on VGG16), so values compare only where the network is the same. The lowest and the highest per cent are left out.
    Pictures are not rounded to whole numbers in between. The same `seed` gives the same pairs; `generator` may be on any
    device. `progress` is called with (pairs done, pairs in all). Raises UserError for numbers out of range and for a network
    that rounds pictures.
    """
    n, seed = validation.whole("number of pairs", n, 2), latents.check_seed(seed)
    epsilon = validation.number("step of a path", epsilon, 1e-6, 0.1)
    if network.rounds:
        raise UserError(f"{network.label} rounds pictures, which hides so small a step; measure paths with another network.")
    random = torch.Generator().manual_seed(seed)
    ends = torch.randint(latents.MAX_SEED + 1, (n, 2), generator=random).tolist()
    at = (torch.rand(n, dtype=torch.float64, generator=random) * (1 - epsilon)).tolist()
    labels = torch.arange(n) % len(generator.config.classes)
    lengths = []
    for start in range(0, n, MICRO_BATCH // 2):
        part = slice(start, start + MICRO_BATCH // 2)
        arcs, of_class = _arcs(generator, ends[part], labels[part], truncation)
        here = torch.stack([spherical(*arc, t) for arc, t in zip(arcs, at[part])])
        there = torch.stack([spherical(*arc, t + epsilon) for arc, t in zip(arcs, at[part])])
        lengths.append(_squared_steps(generator, network, here, there, of_class) / epsilon**2)
        if progress:
            progress(min(part.stop, n), n)
    return trimmed_mean(torch.cat(lengths))


def trimmed_mean(values: Tensor, share: float = TRIM) -> tuple[float, float]:
    """Mean of float64 `values` without the lowest and the highest `share`, and its standard error.

    Which are left out is StyleGAN's rule: of fewer than 1/`share` values, none. The error is the one of a trimmed mean, from
    values clamped to the range of those that count (Tukey and McLaughlin 1963).
    """
    low, high = values.quantile(share, interpolation="lower"), values.quantile(1 - share, interpolation="higher")
    counted = values[(values >= low) & (values <= high)]
    part = len(counted) / len(values)
    return counted.mean().item(), values.clamp(low, high).std().item() / (part * math.sqrt(len(values)))


def _arcs(generator: Generator, ends: list[list[int]], labels: Tensor, truncation: float | None) -> tuple[list[Tensor], Tensor]:
    """For each pair of seeds what both give (2×D, on the CPU), and what their class gives (N×A)."""
    device = next(generator.parameters()).device
    code = one_hot(labels, generator.config).to(device)
    with torch.no_grad(), full_precision(device):
        found = [generator.latents(pair, code[i : i + 1].expand(2, -1), truncation) for i, pair in enumerate(ends)]
    return [own.cpu() for own, _ in found], torch.stack([of_class[0] for _, of_class in found])


def _squared_steps(generator: Generator, network: FeatureNetwork, here: Tensor, there: Tensor, of_class: Tensor) -> Tensor:
    """Squared distances N, float64, of the unit features of what `here` and `there` (N×D each) draw."""
    device = next(generator.parameters()).device
    # Both ends in one batch, so that the same kernels draw them and their rounding errors are alike.
    both = torch.cat([here, there]).to(device)
    with torch.no_grad(), full_precision(device):
        vectors = normalize(network(generator.decode(both, of_class.repeat(2, 1))).double(), dim=1)
    return (vectors[: len(here)] - vectors[len(here) :]).square().sum(1).cpu()
