"""Can the figures be trusted? Real photos through the real network, made worse on purpose, one step after another.

Every figure is compared with hand-made cases, naive loops and other libraries in test_metrics, test_classify, test_copies and
test_artefacts; here with what it is for.
"""

from __future__ import annotations

import io
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT
from PIL import Image, ImageFilter
from scipy.linalg import sqrtm
from torch import Tensor

from gan.data.image_folder import load_photos
from gan.evaluation import artifacts, classifier_tests, features, memorization, metrics

FOLDER = Path(os.environ.get("PHOTOS", ROOT / "photos" / "flowers"))
CLASSES = ("dandelion", "marigold", "dandelion_clock", "calendula")
SIDE, REFERENCE, POOL = 128, 25, (32, 16, 11, 8)  # photos a class that stand for the truth, and that play the generator
SAMPLE = 32  # pictures that are judged at a time


@dataclass(frozen=True)
class Photos:
    """Pixels and features: a reference of all classes in equal numbers, and others by class."""

    network: features.FeatureNetwork
    reference_pixels: np.ndarray
    reference: Tensor
    pool_pixels: list[np.ndarray]
    pool: list[Tensor]

    def drawn(self, classes: int) -> Tensor:
        """Features of SAMPLE pictures of the first `classes` classes in equal numbers, as of a generator without the others."""
        counts = [SAMPLE // classes + (number < SAMPLE % classes) for number in range(classes)]
        return torch.cat([part[:count] for part, count in zip(self.pool, counts)])

    @property
    def sample_pixels(self) -> np.ndarray:
        """The pictures of `drawn` of all classes."""
        return np.concatenate([part[: SAMPLE // len(CLASSES)] for part in self.pool_pixels])


@pytest.fixture(scope="module")
def photos() -> Photos:
    if not all((FOLDER / name).is_dir() for name in CLASSES):
        pytest.skip(f"no photos of {', '.join(CLASSES)} in {FOLDER}; name their folder in PHOTOS")
    wanted = {name: REFERENCE + count for name, count in zip(CLASSES, POOL)}
    found = load_photos(
        FOLDER,
        SIDE,
        only=CLASSES,
        select=lambda files: {name: random.Random(0).sample(paths, wanted[name]) for name, paths in files.items()},
    )
    pixels = found.images.permute(0, 2, 3, 1).numpy()
    by_class = [pixels[found.labels == found.classes.index(name)] for name in CLASSES]
    reference, pool = np.concatenate([part[:REFERENCE] for part in by_class]), [part[REFERENCE:] for part in by_class]
    network = features.find_network("mobilenetv2")
    return Photos(
        network, reference, features.features(network, reference), pool, [features.features(network, part) for part in pool]
    )


def blur(picture: Image.Image, radius: float, _: np.random.Generator) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(radius))


def noise(picture: Image.Image, deviation: float, rng: np.random.Generator) -> Image.Image:
    values = np.asarray(picture) + rng.normal(0, deviation, (SIDE, SIDE, 3))
    return Image.fromarray(values.round().clip(0, 255).astype(np.uint8))


def jpeg(picture: Image.Image, quality: float, _: np.random.Generator) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=int(quality))
    return Image.open(file).convert("RGB")


def worse(pixels: np.ndarray, how: Callable[..., Image.Image], strength: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.stack([np.asarray(how(Image.fromarray(picture), strength, rng)) for picture in pixels])


def figures(reference: Tensor, fake: Tensor) -> dict[str, float]:
    return {
        "kid": metrics.kid(reference, fake, 0),
        "frechet": metrics.frechet(reference, fake),
        **metrics.neighbors(reference, fake, 3),
        "auc": classifier_tests.two_sample_auc(reference, fake, 0)[0],
    }


def rising(values: list[float]) -> bool:
    return all(low < high for low, high in zip(values, values[1:]))


def falling(values: list[float]) -> bool:
    """Every step down, but for those at the bottom already."""
    return all(low > high or low == high == 0 for low, high in zip(values, values[1:]))


# ----------------------------------------------------------------------------------------- what has to be noticed, by steps


@pytest.mark.parametrize(
    ("how", "strengths"),
    [(blur, (1, 2, 4)), (noise, (5, 20, 40)), (jpeg, (50, 10, 5))],
    ids=["blur", "noise", "jpeg"],
)
def test_every_step_of_harm_is_noticed(photos, how, strengths):
    """Radius of the blur and deviation of the noise in pixels and values of 255; JPEG's quality."""
    steps = [figures(photos.reference, photos.drawn(len(CLASSES)))]
    for strength in strengths:
        harmed = features.features(photos.network, worse(photos.sample_pixels, how, strength))
        steps.append(figures(photos.reference, harmed))
    found = {name: [step[name] for step in steps] for name in steps[0]}
    assert rising(found["kid"]) and rising(found["frechet"]), found
    assert all(falling(found[name]) for name in ("precision", "recall", "density", "coverage")), found
    told = [auc for auc in found["auc"] if auc < 0.999]
    assert rising(told) and found["auc"][-1] > 0.999, found


def test_every_class_left_out_is_noticed_but_not_by_precision(photos):
    steps = [figures(photos.reference, photos.drawn(classes)) for classes in (4, 3, 2, 1)]
    found = {name: [step[name] for step in steps] for name in steps[0]}
    assert rising(found["kid"]) and rising(found["frechet"]) and rising(found["auc"]), found
    assert falling(found["recall"]) and falling(found["coverage"]), found
    assert min(found["precision"]) > 0.6, found


def test_new_photos_of_the_same_flowers_are_as_good_as_photos(photos):
    """Within what two halves of the reference differ by."""
    mean, spread = metrics.halves(photos.reference, lambda a, b: metrics.kid(a, b, 0), 10, 0)
    assert abs(mean) < 2 * spread
    assert metrics.kid(photos.reference, photos.drawn(len(CLASSES)), 0) < mean + 3 * spread


def test_the_coarser_the_jpeg_the_stronger_its_grid(photos):
    pixels = photos.sample_pixels
    strengths = [artifacts.phase_strength(worse(pixels, jpeg, quality), 8) for quality in (50, 25, 10, 5)]
    assert artifacts.phase_strength(pixels, 8) < 0.1 < strengths[0] and rising(strengths), strengths


def test_classes_are_told_apart_and_halves_of_one_are_not(photos):
    dandelions, marigolds = photos.reference[:REFERENCE], photos.reference[REFERENCE : 2 * REFERENCE]
    assert classifier_tests.two_sample_auc(dandelions, marigolds, 0)[0] > 0.98
    order = torch.randperm(len(photos.reference), generator=torch.Generator().manual_seed(0))
    half, other = photos.reference[order].chunk(2)
    assert 0.3 < classifier_tests.two_sample_auc(half, other, 0)[0] < 0.7
    labels = torch.arange(len(CLASSES)).repeat_interleave(REFERENCE)
    probe = classifier_tests.Probe(photos.reference, labels, CLASSES)
    unseen = torch.arange(len(CLASSES)).repeat_interleave(torch.tensor(POOL))
    assert probe.accuracy(torch.cat(photos.pool), unseen) > 0.85


# --------------------------------------------------------------------------------------- copies, which distances cannot see


def test_returned_training_photos_are_caught_by_copies_and_missed_by_kid(photos):
    returned = photos.reference[::3]
    held_out, _ = memorization.nearest(torch.cat(photos.pool), photos.reference)
    distances, which = memorization.nearest(returned, photos.reference)
    assert which.tolist() == list(range(0, len(photos.reference), 3)) and distances.max() == 0
    assert memorization.share_below(distances, held_out) == 1
    assert memorization.share_below(held_out, held_out) < 0.05
    some, _ = memorization.nearest(torch.cat([returned[:10], *photos.pool]), photos.reference)
    assert memorization.closest(some, 10).tolist() == list(range(10)), "among honest ones, too"
    floor, spread = metrics.halves(photos.reference, lambda a, b: metrics.kid(a, b, 0), 10, 0)
    assert metrics.kid(photos.reference, returned, 0) < floor + 2 * spread
    assert classifier_tests.two_sample_auc(torch.cat(photos.pool), returned, 0)[0] < 0.7


def test_turned_and_compressed_copies_are_caught(photos):
    learnt, count = photos.reference_pixels[::10], len(photos.reference_pixels) // 10
    ways = [np.rot90(way, turns, (1, 2)) for way in (learnt, learnt[:, :, ::-1]) for turns in range(4)]
    variants = features.features(photos.network, np.stack(ways, 1).reshape(-1, SIDE, SIDE, 3))
    returned = features.features(photos.network, worse(np.rot90(learnt, 1, (1, 2)), jpeg, 90))
    distances, which = memorization.nearest(returned, variants, variants=len(ways))
    held_out, _ = memorization.nearest(torch.cat(photos.pool), variants, variants=len(ways))
    assert which.tolist() == list(range(count))
    assert memorization.share_below(distances, held_out) == 1


def test_a_generator_that_repeats_itself_is_caught(photos):
    """Eight photos four times over: 48 duplicates among 496 pairs are what 10 pictures would give."""
    diverse = photos.drawn(len(CLASSES))
    repeated = diverse[::4].repeat(4, 1)
    apart, _ = memorization.nearest(diverse, diverse, itself=True)
    threshold = torch.quantile(apart, 0.01).item()
    found = memorization.support_size(repeated, threshold)
    assert found["duplicates"] == 48 and found["size"] == pytest.approx(496 / 48)
    assert memorization.support_size(diverse, threshold)["size"] > 20 * found["size"]
    again, _ = memorization.nearest(repeated, repeated, itself=True)
    assert memorization.share_below(again, apart) == 1


# ------------------------------------------------------------------------------------- the same numbers, here and elsewhere


def test_figures_are_those_of_other_libraries(photos):
    """SciPy's root of a matrix, scikit-learn's neighbors, and the sum that KID is, on the same features."""
    from sklearn.neighbors import NearestNeighbors

    real, fake, k = photos.reference.double(), torch.cat(photos.pool).double(), 3
    a, b = real[:, :60].T.cov(), fake[:, :60].T.cov()
    root = torch.from_numpy(sqrtm((a @ b).numpy()).real)
    wanted = ((real - fake.mean(0)).mean(0)[:60].square().sum() + (a + b - 2 * root).trace()).item()
    assert metrics.frechet(real[:, :60], fake[:, :60]) == pytest.approx(wanted, abs=1e-4)

    radii = [NearestNeighbors(n_neighbors=k + 1).fit(x).kneighbors(x)[0][:, k] for x in (real, fake)]
    table = np.linalg.norm(fake.numpy()[:, None] - real.numpy()[None], axis=2)
    inside = table <= radii[0]
    assert metrics.neighbors(real, fake, k) == pytest.approx(
        {
            "precision": inside.any(1).mean(),
            "recall": (table <= radii[1][:, None]).any(0).mean(),
            "density": inside.sum() / (k * len(fake)),
            "coverage": inside.any(0).mean(),
        }
    )

    same = real[: len(fake)]
    own, other, between = ((x @ y.T / 1280 + 1) ** 3 for x, y in ((same, same), (fake, fake), (same, fake)))
    pairs = len(fake) * (len(fake) - 1)
    wanted = ((own.sum() - own.trace() + other.sum() - other.trace()) / pairs - 2 * between.mean()).item()
    assert metrics.kid(same, fake, 0) == pytest.approx(wanted, rel=1e-9)


def test_two_runs_give_the_same_numbers_and_batches_change_nothing(photos, monkeypatch):
    drawn, pixels = photos.drawn(len(CLASSES)), photos.sample_pixels
    again = features.features(photos.network, pixels)
    assert torch.equal(again, drawn) and figures(photos.reference, again) == figures(photos.reference, drawn)
    monkeypatch.setattr(features, "MICRO_BATCH", 5)
    other = features.features(photos.network, pixels)
    assert figures(photos.reference, other) == pytest.approx(figures(photos.reference, drawn), rel=1e-5, abs=1e-5)
