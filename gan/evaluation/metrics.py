"""Distances between two sets of pictures, from feature vectors, and their standard errors.

Every function takes features as float tensors N×D on the CPU, one row for each picture, and computes in float64.
"""

from __future__ import annotations

import math
import statistics
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from gan.errors import UserError

KID_SUBSET = 1000  # Bińkowski et al. 2018, section 4
GROUPS = 10  # of the jackknife
ROWS = 256  # of a table of distances in memory at a time

Figures = TypeVar("Figures", float, dict[str, float])  # the value of a statistic: one figure, or several by name


def frechet(a: Tensor, b: Tensor) -> float:
    """Fréchet distance, ≥ 0, between the normal distributions fitted to N×D and M×D (Heusel et al. 2017, section 2).

        ‖μ_a − μ_b‖² + Tr(Σ_a + Σ_b − 2 (Σ_a Σ_b)^½)

    It is biased upwards, strongly where there are fewer pictures than features D: compare only figures of equal numbers of
    pictures, and beside the floor that `halves` gives. Raises UserError for fewer than two pictures.
    """
    from torchmetrics.image.fid import FrechetInceptionDistance

    _check(a, b, least=2)
    small, large = sorted((a.double(), b.double()), key=len)
    outside = 0.0
    if len(small) < small.shape[1]:
        # The smaller set spans fewer than D dimensions. In the others its mean and variance are 0, and the distance is the
        # larger set's squared mean plus variance. torchmetrics then needs eigenvalues of a small matrix only, which is exact
        # and about 50 times as fast for 70 photos and D = 1280.
        basis = torch.linalg.qr(small.T).Q
        rest = large - large @ basis @ basis.T
        outside = (rest.mean(0).square() + rest.var(0)).sum().item()
        small, large = small @ basis, large @ basis
    metric = FrechetInceptionDistance(_Given(small.shape[1]))
    metric.update(small, real=True)
    metric.update(large, real=False)
    return max(0.0, metric.compute().item() + outside)  # rounding errors of eigenvalues near 0 can give −1e-4


def kid(a: Tensor, b: Tensor, seed: int) -> float:
    """Kernel distance of N×D and M×D: the unbiased squared MMD with the kernel (x·y/D + 1)³ (Bińkowski et al. 2018, section 4).

    The mean over pairs of subsets of size min(N, M, KID_SUBSET). `seed` shuffles both sets; the subsets then cover each set
    from end to end, so that equal sets of up to KID_SUBSET pictures are compared whole. The distance is symmetric. Its
    expectation for two samples of one distribution is 0, so about half of such figures are negative. Raises UserError for fewer
    than two pictures.
    """
    from torchmetrics.image.kid import KernelInceptionDistance

    _check(a, b, least=2)
    size, values = min(len(a), len(b), KID_SUBSET), []
    windows = [_windows(x.double()[torch.randperm(len(x), generator=_rng(seed))], size) for x in (a, b)]
    with warnings.catch_warnings(), torch.random.fork_rng(devices=()):  # torchmetrics uses the global generator
        warnings.filterwarnings("ignore", "Metric `Kernel Inception Distance` will save all extracted features")
        torch.default_generator.manual_seed(seed)
        metric = KernelInceptionDistance(nn.Identity(), subsets=1, subset_size=size)
        for number in range(max(map(len, windows))):
            for window, real in zip(windows, (True, False)):
                metric.update(window[number % len(window)], real=real)
            values.append(metric.compute()[0].item())
            metric.reset()
    return statistics.fmean(values)


def neighbors(real: Tensor, fake: Tensor, k: int) -> dict[str, float]:
    """Precision, recall, density and coverage of `fake` N×D beside `real` M×D.

    The ball of a picture reaches to its `k`-th nearest neighbor in its own set, and includes its edge.

    - precision: the share of fakes that are in the ball of at least one photo (Kynkäänniemi et al. 2019, section 2)
    - recall: the share of photos that are in the ball of at least one fake (the same)
    - density: the mean number of photos' balls that a fake is in, divided by `k`; may exceed 1 (Naeem et al. 2020, section 3)
    - coverage: the share of photos with at least one fake in their ball (the same)

    Recall and coverage rise with the number of fakes: compare at equal numbers. Raises UserError for fewer than k + 1 pictures.
    """
    _check(real, fake, least=k + 1)
    real, fake = real.double(), fake.double()
    # Distances are computed by matrix products, with errors of about 1e-7 of a norm. Copies and ties must be inside a ball.
    slack = 1e-6 * max(real.norm(dim=1).max(), fake.norm(dim=1).max())
    radii, fake_radii = _radii(real, k) + slack, _radii(fake, k) + slack
    covered, recalled = torch.zeros(len(real), dtype=torch.bool), torch.zeros(len(real), dtype=torch.bool)
    precise = hits = 0
    for rows, radius in zip(fake.split(ROWS), fake_radii.split(ROWS)):
        distances = torch.cdist(rows, real)
        inside = distances <= radii
        precise += inside.any(1).sum().item()
        hits += inside.sum().item()
        covered |= inside.any(0)
        recalled |= (distances <= radius[:, None]).any(0)
    return {
        "precision": precise / len(fake),
        "recall": recalled.double().mean().item(),
        "density": hits / (k * len(fake)),
        "coverage": covered.double().mean().item(),
    }


def jackknife(
    statistic: Callable[..., Figures], samples: Sequence[Tensor], groups: int = GROUPS, seed: int = 0
) -> tuple[Figures, Figures]:
    """`statistic(*samples)` and its standard error, by the delete-a-group jackknife (Efron and Tibshirani 1993, chapter 11).

        √((g − 1)/g · Σ_j (θ_j − θ̄)²), with g `groups` and θ_j the statistic without group j of every sample

    `seed` deals each sample into groups. The bootstrap would draw a picture twice; such a pair at distance 0 would distort KID
    and nearest neighbors. The error is up to 1.7 times too large where the samples are of one distribution. Raises UserError
    when a sample has fewer than `groups` pictures.
    """
    _check(*samples, least=groups)
    rng = _rng(seed)
    parts: list[Sequence[Tensor]] = [torch.randperm(len(sample), generator=rng).tensor_split(groups) for sample in samples]

    def without(group: int) -> Figures:
        return statistic(*(sample[_without(part, group)] for sample, part in zip(samples, parts)))

    # pstdev² is Σ_j (θ_j − θ̄)²/g.
    error = _each([without(group) for group in range(groups)], lambda values: math.sqrt(groups - 1) * statistics.pstdev(values))
    return statistic(*samples), error


def halves(
    real: Tensor, statistic: Callable[[Tensor, Tensor], Figures], repeats: int, seed: int
) -> tuple[Figures, Figures]:  # fmt: skip
    """The floor: mean and standard deviation of `statistic` over `repeats` random splits of the photos N×D into equal halves.

    No generator can be expected to do better. Each half has N/2 photos, which matters for a figure that depends on their number
    (`frechet`, recall). Raises UserError for fewer than four photos.
    """
    _check(real, least=4)
    rng, half, values = _rng(seed), len(real) // 2, []
    for _ in range(repeats):
        order = torch.randperm(len(real), generator=rng)
        values.append(statistic(real[order[:half]], real[order[half : 2 * half]]))
    return _each(values, statistics.fmean), _each(values, statistics.stdev)


def _without(groups: Sequence[Tensor], left_out: int) -> Tensor:
    """The indices of all groups but one."""
    return torch.cat([*groups[:left_out], *groups[left_out + 1 :]])


def _rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _check(*samples: Tensor, least: int) -> None:
    fewest = min(len(sample) for sample in samples)
    if fewest < least:
        raise UserError(f"there are only {fewest} pictures on one side to compare; use {least} or more.")


class _Given(nn.Identity):
    """A feature network for torchmetrics that returns the features it is given."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.num_features = width


def _windows(x: Tensor, size: int) -> list[Tensor]:
    """The fewest windows of `size` rows that together have every row of `x`; they overlap where they have to."""
    count = math.ceil(len(x) / size)
    starts = [round(number * (len(x) - size) / max(1, count - 1)) for number in range(count)]
    return [x[start : start + size] for start in starts]


def _radii(points: Tensor, k: int) -> Tensor:
    """The distance N of each point N×D to its `k`-th neighbor. The nearest of all is the point itself, hence k + 1."""
    return torch.cat([torch.cdist(rows, points).kthvalue(k + 1, dim=1).values for rows in points.split(ROWS)])


def _each(values: list[Any], summary: Callable[[list[float]], float]) -> Any:
    """`summary` of a list of figures, or of each of several figures by name."""
    if isinstance(values[0], Mapping):
        return {name: summary([value[name] for value in values]) for name in values[0]}
    return summary(values)
