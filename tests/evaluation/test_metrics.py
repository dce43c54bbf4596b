"""Distances, neighbors and standard errors against cases worked out by hand, naive loops and other libraries."""

import math
import statistics
import warnings

import pytest
import torch
from scipy.linalg import sqrtm
from torch import Tensor

from gan.errors import UserError
from gan.evaluation import metrics


def normal(count: int, width: int, seed: int, shift: float = 0.0) -> Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed)) + shift


def naive_kid(a: Tensor, b: Tensor) -> float:
    def kernel(x: Tensor, y: Tensor) -> float:
        return (float(x @ y) / len(x) + 1) ** 3

    n, a, b = len(a), a.double(), b.double()
    pairs = [(i, j) for i in range(n) for j in range(n)]
    own = sum(kernel(a[i], a[j]) + kernel(b[i], b[j]) for i, j in pairs if i != j) / (n * (n - 1))
    return own - 2 * sum(kernel(a[i], b[j]) for i, j in pairs) / n**2


def naive_neighbors(real: Tensor, fake: Tensor, k: int) -> dict[str, float]:
    def radii(points: Tensor) -> list[float]:
        return [sorted(math.dist(p, q) for q in points.tolist())[k] for p in points.tolist()]

    real_radii, fake_radii, hits = radii(real), radii(fake), []
    for y in fake.tolist():
        hits.append([math.dist(x, y) <= radius for x, radius in zip(real.tolist(), real_radii)])
    reached = [any(math.dist(x, y) <= r for y, r in zip(fake.tolist(), fake_radii)) for x in real.tolist()]
    return {
        "precision": sum(map(any, hits)) / len(fake),
        "recall": sum(reached) / len(real),
        "density": sum(map(sum, hits)) / (k * len(fake)),
        "coverage": sum(map(any, zip(*hits))) / len(real),
    }


# ------------------------------------------------------------------------------------------------------------ Fréchet


def test_frechet_by_hand():
    """In one dimension it is (μ₁ − μ₂)² + (σ₁ − σ₂)²."""
    a, b = torch.tensor([[-1.0], [1.0]]), torch.tensor([[2.0], [8.0]])
    assert metrics.frechet(a, b) == pytest.approx(5**2 + (math.sqrt(2) - math.sqrt(18)) ** 2)


def test_frechet_of_a_shift_is_its_square_even_with_fewer_pictures_than_features():
    a = normal(5, 20, 0)
    shift = normal(1, 20, 1)
    assert metrics.frechet(a, a + shift) == pytest.approx(shift.square().sum().item(), rel=1e-6)


@pytest.mark.parametrize(("n", "m"), [(300, 200), (16, 40), (9, 300), (200, 5)])
def test_frechet_is_that_of_scipy(n, m):
    """Also with fewer pictures than features, where only a small matrix goes through torchmetrics."""
    a, b = normal(n, 16, 0).double(), (normal(m, 16, 1, 0.3) * 1.5).double()
    root = torch.from_numpy(sqrtm(a.T.cov().numpy() @ b.T.cov().numpy()).real)
    wanted = (a.mean(0) - b.mean(0)).square().sum() + (a.T.cov() + b.T.cov() - 2 * root).trace()
    assert metrics.frechet(a, b) == pytest.approx(wanted.item(), abs=1e-4)


def test_frechet_is_that_of_torchmetrics():
    from torchmetrics.image.fid import FrechetInceptionDistance

    network = torch.nn.Identity()
    network.num_features = 64
    metric, a, b = FrechetInceptionDistance(network), normal(20, 64, 0), normal(50, 64, 1, 0.3)
    metric.update(a, real=True)
    metric.update(b, real=False)
    assert metrics.frechet(a, b) == pytest.approx(metric.compute().item(), rel=1e-5)


@pytest.mark.parametrize("count", [10, 100])
def test_frechet_is_symmetric_and_zero_on_itself(count):
    a, b = normal(count, 32, 0), normal(count + 3, 32, 1, 0.1)
    assert metrics.frechet(a, b) == pytest.approx(metrics.frechet(b, a), rel=1e-9)
    assert 0 <= metrics.frechet(a, a.clone()) < 1e-4
    far = (a + 300).double(), (b + 300).double()
    assert metrics.frechet(*far) == pytest.approx(metrics.frechet(far[0] - 300, far[1] - 300), rel=1e-6), "or anywhere else"


# ---------------------------------------------------------------------------------------------------------------- KID


def test_kid_is_that_of_a_naive_loop():
    a, b = normal(12, 5, 0), normal(12, 5, 1, 0.5)
    assert metrics.kid(a, b, 0) == pytest.approx(naive_kid(a, b), rel=1e-9)


def test_kid_of_a_set_against_itself_is_slightly_negative():
    a = normal(30, 8, 0)
    kernel = (a.double() @ a.double().T / 8 + 1) ** 3
    off = (kernel.sum() - kernel.trace()) / (30 * 29)
    assert metrics.kid(a, a, 0) == pytest.approx(2 / 30 * (off - kernel.trace() / 30).item())
    assert metrics.kid(a, a, 0) < 0


def test_kid_is_unbiased():
    """The mean over many pairs of small samples of one distribution is 0, within three standard errors."""
    values = [metrics.kid(normal(10, 4, 2 * i), normal(25, 4, 2 * i + 1), 0) for i in range(200)]
    assert abs(statistics.fmean(values)) < 3 * statistics.stdev(values) / math.sqrt(200)
    assert min(values) < 0 < max(values)


def test_kid_of_unequal_sets_is_symmetric_and_hears_every_picture():
    a, b = normal(10, 4, 0), normal(23, 4, 1)
    value = metrics.kid(a, b, 3)
    assert metrics.kid(b, a, 3) == pytest.approx(value, rel=1e-9)
    for row in range(len(b)):
        changed = b.clone()
        changed[row] += 1
        assert metrics.kid(a, changed, 3) != value, row


def test_kid_of_large_sets_goes_by_subsets(monkeypatch):
    monkeypatch.setattr(metrics, "KID_SUBSET", 10)
    a, b = normal(10, 4, 0), normal(20, 4, 1)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(7))
    wanted = [naive_kid(a, b[part]) for part in order.split(10)]
    assert metrics.kid(a, b, 7) == pytest.approx(statistics.fmean(wanted))
    larger = normal(40, 4, 2)  # both are larger than a subset: the two of one beside the four of the other
    parts = [torch.randperm(len(x), generator=torch.Generator().manual_seed(7)).split(10) for x in (b, larger)]
    wanted = [naive_kid(b[parts[0][number % 2]], larger[parts[1][number]]) for number in range(4)]
    assert metrics.kid(b, larger, 7) == pytest.approx(statistics.fmean(wanted))
    both = metrics.kid(normal(40, 4, 0), normal(30, 4, 1), 0)
    monkeypatch.setattr(metrics, "KID_SUBSET", 30)
    assert both == pytest.approx(metrics.kid(normal(40, 4, 0), normal(30, 4, 1), 0), abs=0.3)


def test_kid_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        metrics.kid(normal(12, 5, 0), normal(12, 5, 1), 0)


def test_kid_repeats_its_bits_and_leaves_chance_alone():
    a, b = normal(20, 4, 0), normal(50, 4, 1)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = metrics.kid(a, b, 5)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert metrics.kid(a, b, 5) == first


# --------------------------------------------------------------------------------------------------------- neighbors


def test_neighbors_by_hand():
    """Photos at 0, 1, 3 reach 1, 1, 2; fakes at 1.5, 9, 9.5 reach 7.5, 0.5, 0.5 (k = 1)."""
    real, fake = torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([[1.5], [9.0], [9.5]])
    found = metrics.neighbors(real, fake, 1)
    assert found == pytest.approx({"precision": 1 / 3, "recall": 1.0, "density": 2 / 3, "coverage": 2 / 3})


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("rows", [1, 7, 256])
def test_neighbors_are_those_of_a_naive_loop(k, rows, monkeypatch):
    monkeypatch.setattr(metrics, "ROWS", rows)
    real, fake = normal(40, 3, 0), normal(31, 3, 1, 0.7)
    assert metrics.neighbors(real, fake, k) == pytest.approx(naive_neighbors(real, fake, k))


def test_neighbors_of_copies():
    """All photos returned, far from the origin in many dimensions: ties and distances of 0 must be seen as such."""
    real = normal(60, 500, 0, 3.0)
    found = metrics.neighbors(real, real.flip(0), 3)
    assert found == pytest.approx({"precision": 1.0, "recall": 1.0, "density": 4 / 3, "coverage": 1.0})
    table = torch.cdist(real.double(), real.double(), compute_mode="donot_use_mm_for_euclid_dist")
    inside = table[:10] <= table.sort(1).values[:, 3]
    assert metrics.neighbors(real, real[:10], 3)["density"] == pytest.approx(inside.sum().item() / 30)
    alike = real[:1].expand(60, -1)
    assert metrics.neighbors(alike, alike.clone(), 3)["precision"] == 1
    assert metrics.neighbors(real, alike, 3) == pytest.approx(
        {"precision": 1.0, "recall": 1 / 60, "density": _balls(real, 0, 3) / 3, "coverage": _balls(real, 0, 3) / 60}
    )


@pytest.mark.parametrize("unit", [1e-5, 1.0, 1e4])
def test_neighbors_do_not_hang_on_the_unit_of_the_features(unit):
    """What a distance of 0 rounds to grows with them, and so does what is forgiven for it."""
    real = normal(60, 500, 0, 3.0) * unit
    assert metrics.neighbors(real, real.flip(0), 3) == pytest.approx(
        {"precision": 1.0, "recall": 1.0, "density": 4 / 3, "coverage": 1.0}
    )


def _balls(points: Tensor, number: int, k: int) -> int:
    """How many points have the one of this number in their ball."""
    table = torch.cdist(points.double(), points.double(), compute_mode="donot_use_mm_for_euclid_dist")
    return int((table[number] <= table.sort(1).values[:, k]).sum())


def test_neighbors_far_away():
    assert set(metrics.neighbors(normal(20, 4, 0), normal(20, 4, 1, 100.0), 3).values()) == {0.0}


# ---------------------------------------------------------------------------------------------------- standard errors


def test_jackknife_of_a_mean_is_the_textbook_error():
    """With a group for every picture it is s/√n exactly."""
    sample = normal(24, 1, 0)
    value, error = metrics.jackknife(lambda x: x.mean().item(), [sample], groups=24)
    assert value == pytest.approx(sample.mean().item())
    assert error == pytest.approx(sample.std().item() / math.sqrt(24), rel=1e-5)


def test_jackknife_in_groups_is_near_it_and_takes_several_figures():
    errors = [metrics.jackknife(lambda x: {"mean": x.mean().item(), "one": 1.0}, [normal(200, 1, i)])[1] for i in range(20)]
    assert statistics.fmean(error["mean"] for error in errors) == pytest.approx(1 / math.sqrt(200), rel=0.15)
    assert {error["one"] for error in errors} == {0.0}


def test_jackknife_goes_by_tenths_dealt_by_one_seed():
    """The figures of a model that was measured before stay what they are."""
    sample = normal(40, 1, 0)
    found = [metrics.jackknife(lambda x: x.mean().item(), [sample], **how) for how in ({}, {"groups": 10, "seed": 0})]
    assert found[0] == found[1] != metrics.jackknife(lambda x: x.mean().item(), [sample], seed=1)


def test_jackknife_leaves_each_picture_out_once():
    seen = []

    def statistic(a: Tensor, b: Tensor) -> float:
        seen.append((a.flatten().tolist(), b.flatten().tolist()))
        return 0.0

    a, b = torch.arange(23.0)[:, None], torch.arange(10.0)[:, None]
    metrics.jackknife(statistic, (a, b), groups=5, seed=3)
    assert (a.flatten().tolist(), b.flatten().tolist()) in seen, "the value itself is of everything"
    left = [(set(range(23)) - set(x), set(range(10)) - set(y)) for x, y in seen if len(x) < 23]
    assert [sorted(number for group in side for number in group) for side in zip(*left)] == [list(range(23)), list(range(10))]
    assert {len(y) for _, y in left} == {2}


def test_halves_do_not_share_a_photo():
    seen = []

    def statistic(a: Tensor, b: Tensor) -> dict[str, float]:
        seen.append(a.flatten().tolist())
        assert len(a) == len(b) == 10 and not set(a.flatten().tolist()) & set(b.flatten().tolist())
        return {"first": a[0].item(), "two": 2.0}

    mean, spread = metrics.halves(torch.arange(21.0)[:, None], statistic, 6, 0)
    first = [half[0] for half in seen]
    assert len({tuple(half) for half in seen}) == 6
    assert mean == pytest.approx({"first": statistics.fmean(first), "two": 2.0})
    assert spread == pytest.approx({"first": statistics.stdev(first), "two": 0.0})


def test_one_seed_gives_the_same_numbers():
    real, fake = normal(60, 8, 0), normal(40, 8, 1)

    def statistic(a: Tensor, b: Tensor) -> dict[str, float]:
        return {"kid": metrics.kid(a, b, 0), **metrics.neighbors(a, b, 3)}

    assert metrics.jackknife(statistic, [real, fake], seed=4) == metrics.jackknife(statistic, [real, fake], seed=4)
    assert metrics.halves(real, statistic, 3, 4) == metrics.halves(real, statistic, 3, 4)
    assert metrics.halves(real, statistic, 3, 4) != metrics.halves(real, statistic, 3, 5)


def test_the_fewest_pictures_are_enough():
    real, fake = normal(4, 3, 0), normal(4, 3, 1)
    assert metrics.kid(real[:2], fake[:2], 0) == pytest.approx(naive_kid(real[:2], fake[:2]))
    assert metrics.frechet(real[:2], fake[:2]) > 0
    assert metrics.neighbors(real, fake, 3) == pytest.approx(naive_neighbors(real, fake, 3))
    assert metrics.jackknife(lambda x: x.mean().item(), [real], groups=4)[1] > 0
    assert metrics.halves(real, metrics.frechet, 2, 0)[0] > 0


@pytest.mark.parametrize(
    "ask",
    [
        lambda few, many: metrics.frechet(few[:1], many),
        lambda few, many: metrics.frechet(many, few[:1]),
        lambda few, many: metrics.kid(many, few[:1], 0),
        lambda few, many: metrics.kid(few[:1], many, 0),
        lambda few, many: metrics.neighbors(few, many, 3),
        lambda few, many: metrics.neighbors(many, few, 3),
        lambda few, many: metrics.jackknife(metrics.frechet, [many, few]),
        lambda few, many: metrics.halves(few, metrics.frechet, 3, 0),
    ],
)
def test_too_few_pictures_are_refused_in_a_sentence(ask):
    with pytest.raises(UserError, match=r"only \d pictures on one side to compare; use \d+ or more\.$"):
        ask(normal(3, 4, 0), normal(50, 4, 1))
