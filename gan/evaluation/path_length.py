"""Perceptual path length: how much a picture changes for a small step of its noise."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from gan.errors import UserError
from gan.evaluation.features import MICRO_BATCH, FeatureNetwork, full_precision
from gan.generator import Generator, one_hot
from gan.networks import latents
from gan.sampling.interpolation import spherical
from gan.utils import validation
from gan.utils.progress import Progress

EPSILON = 1e-4  # the paper's; float32 is exact to 0.02 % of the mean there, and longer steps give smaller lengths
TRIM = 0.01  # share of the pairs left out at either end, as in StyleGAN's code


def path_length(
    generator: Generator,
    network: FeatureNetwork,
    n: int,
    seed: int = 0,
    truncation: float | None = latents.DEFAULT_TRUNCATION,
    epsilon: float = EPSILON,
    progress: Progress | None = None,
    classes: Sequence[int] | None = None,
) -> tuple[float, float]:
    """Perceptual path length and its standard error (Karras et al. 2019, StyleGAN, section 4.1); lower is smoother.

        mean of ‖f(G(z(t))) − f(G(z(t + ε)))‖² / ε²

    The mean is over `n` (2 or more) random pairs of seeds. Each pair is of one class: of `classes`, or of all, in turn. z(t) is
    a point of the spherical path between their latents (noise, or styles), t is uniform in [0, 1 − ε], ε is `epsilon` (10⁻⁶ to
    0.1), and f are the features of `network`, scaled to length 1. The paper's f is LPIPS on VGG16, so only values of the same
    network can be compared. The lowest and the highest per cent are left out. Pictures stay in float.

    `generator` may be on any device. The same `seed` gives the same pairs. `progress` is called with (pairs done, pairs in
    all). Raises UserError for numbers out of range, and for a network that rounds pictures.
    """
    n, seed = validation.whole("number of pairs", n, 2), latents.check_seed(seed)
    epsilon = validation.number("step of a path", epsilon, 1e-6, 0.1)
    if network.rounds:
        raise UserError(f"{network.label} rounds pictures, which hides so small a step; measure paths with another network.")
    random = torch.Generator().manual_seed(seed)
    ends = torch.randint(latents.MAX_SEED + 1, (n, 2), generator=random).tolist()
    at = (torch.rand(n, dtype=torch.float64, generator=random) * (1 - epsilon)).tolist()
    chosen = torch.tensor(range(len(generator.config.classes)) if classes is None else list(classes))
    labels = chosen[torch.arange(n) % len(chosen)]
    lengths = []
    for start in range(0, n, MICRO_BATCH // 2):
        part = slice(start, start + MICRO_BATCH // 2)
        arcs, of_class = _arcs(generator, ends[part], labels[part], truncation)
        here = torch.stack([spherical(arc[0], arc[1], t) for arc, t in zip(arcs, at[part])])
        there = torch.stack([spherical(arc[0], arc[1], t + epsilon) for arc, t in zip(arcs, at[part])])
        lengths.append(_squared_steps(generator, network, here, there, of_class) / epsilon**2)
        if progress:
            progress(min(part.stop, n), n)
    return trimmed_mean(torch.cat(lengths))


def trimmed_mean(values: Tensor, share: float = TRIM) -> tuple[float, float]:
    """Mean of float64 `values` N without the lowest and the highest `share`, and its standard error.

    The rule is StyleGAN's: of fewer than 1/`share` values, none is left out. The error of a trimmed mean is computed from the
    values, clamped to the range of those that count (Tukey and McLaughlin 1963).
    """
    low, high = values.quantile(share, interpolation="lower"), values.quantile(1 - share, interpolation="higher")
    counted = values[(values >= low) & (values <= high)]
    part = len(counted) / len(values)
    return counted.mean().item(), values.clamp(low, high).std().item() / (part * math.sqrt(len(values)))


def _arcs(generator: Generator, ends: list[list[int]], labels: Tensor, truncation: float | None) -> tuple[list[Tensor], Tensor]:
    """The latents of each of N pairs of seeds, 2×D on the CPU, and those of their classes, N×A."""
    device = next(generator.parameters()).device
    code = one_hot(labels, generator.config).to(device)
    with torch.no_grad(), full_precision(device):
        found = [generator.latents(pair, code[i : i + 1].expand(2, -1), truncation) for i, pair in enumerate(ends)]
    return [of_seed.cpu() for of_seed, _ in found], torch.stack([of_class[0] for _, of_class in found])


def _squared_steps(generator: Generator, network: FeatureNetwork, here: Tensor, there: Tensor, of_class: Tensor) -> Tensor:
    """Squared distances N, float64, of the unit features of pictures of the latents `here` and `there`, N×D each."""
    device = next(generator.parameters()).device
    # Both ends are in one batch: the same kernels draw them, so that their rounding errors are alike.
    both = torch.cat([here, there]).to(device)
    with torch.no_grad(), full_precision(device):
        vectors = normalize(network(generator.decode(both, of_class.repeat(2, 1))).double(), dim=1)
    return (vectors[: len(here)] - vectors[len(here) :]).square().sum(1).cpu()
