"""Analyses that are made once, of all flowers: classes, copies, repeats, traces of convolutions, smoothness and cost.

A new analysis is a function of an `EvaluationRun` and an entry of SECTIONS, with the metrics that are read from its result.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from gan.evaluation import artifacts, classifier_tests, measures, memorization, metrics
from gan.evaluation.cost import cost
from gan.evaluation.judged_model import EvaluationRun
from gan.evaluation.measures import subset
from gan.evaluation.path_length import path_length
from gan.evaluation.registry import Figure, Metric, Section, at, number_figure, share_figure, spread_figure, total
from gan.networks.latents import MAX_SEED
from gan.utils.formatting import MISSING, known, rounded
from gan.utils.images import resized

PAIRS = 10  # of a flower and the photo nearest to it, that are shown
PATHS = 250  # pairs of seeds for the path length
BINS = 30  # of the histogram of distances


def class_probe(run: EvaluationRun) -> dict[str, Any] | None:
    """Whether a classifier trained on the photos sees the class that was asked for. None without held-out photos or classes."""
    judged = run.judged
    names, held = judged.reference.classes, judged.reference.held_out
    if len(names) == 1 or judged.held is None or held is None:
        return None
    probe = classifier_tests.Probe(judged.trained, judged.reference.trained_on.labels, names)
    generated = probe.confusion(run.features, run.pictures.labels)
    real = probe.confusion(judged.held, held.labels)
    return {
        "classes": list(names),
        "generated": generated.tolist(),
        "real": real.tolist(),
        "generated_accuracy": _accuracies(generated, names),
        "real_accuracy": _accuracies(real, names),
    }


def copies(run: EvaluationRun) -> dict[str, Any] | None:
    """How near flowers come to photos trained on, and how near held-out photos come. None without held-out photos."""
    if run.judged.held is None:
        return None
    distances, held, _ = run.nearest
    edges = np.linspace(0, float(max(distances.max(), held.max())), BINS + 1)
    names, seed = run.judged.reference.classes, run.judged.settings.seed
    return {
        "below_1st_percentile": memorization.share_below(distances, held),
        "error": memorization.share_below_error(distances, held),
        "n": len(run.features),
        "held_out_n": len(held),
        "held_out_share": memorization.share_below(held, held),
        "histogram": {
            "edges": edges.tolist(),
            "flowers": np.histogram(distances, edges)[0].tolist(),
            "held_out": np.histogram(held, edges)[0].tolist(),
        },
        "pairs": [
            {
                "seed": (seed + i) % (MAX_SEED + 1),
                "class": names[int(run.pictures.labels[i])],
                "distance": float(distances[i]),
            }
            for i in memorization.closest(distances, PAIRS).tolist()
        ],
    }


def closest_pairs(run: EvaluationRun) -> list[tuple[np.ndarray, np.ndarray]]:
    """The flower and the photo, uint8 S×S×3 each, of each pair in the result of `copies`."""
    if run.judged.held is None:
        return []
    distances, _, photos = run.nearest
    closest = memorization.closest(distances, PAIRS)
    flowers = resized(run.pictures.pixels[closest.numpy()], run.judged.side)
    return [(flower, run.judged.reference.trained_on.pixels[int(photos[i])]) for flower, i in zip(flowers, closest)]


def diversity(run: EvaluationRun) -> dict[str, Any]:
    """How many flowers nearly repeat another flower, beside as many photos, and how many different flowers there may be."""
    n = min(len(run.judged.trained), len(run.features))
    photos = subset(run.judged.trained, n)
    real, _ = memorization.nearest(photos, photos, itself=True)
    own, _ = memorization.nearest(run.features[:n], run.features[:n], itself=True)
    support = memorization.support_size(run.features, float(torch.quantile(real, 0.01)))
    return {
        "duplicates": memorization.share_below(own, real),
        "error": memorization.share_below_error(own, real),
        "real_duplicates": memorization.share_below(real, real),
        "n": n,
        "support": {
            "estimate": support["size"],
            "least": support["least"],
            "kind": "at least" if support["at_least"] else "estimate",
            "collisions": support["duplicates"],
            "n": support["pictures"],
        },
    }


def convolution_artifacts(run: EvaluationRun) -> dict[str, Any] | None:
    """Checkerboards, spectrum and failed pictures, beside those of as many photos.

    Measured at the model's own side, as enlarging removes a grid of two pixels. None where the photos are smaller than that.
    """
    judged, pixels = run.judged, run.pictures.pixels
    if judged.side < pixels.shape[1]:
        return None
    n = min(len(pixels), len(judged.trained))
    pixels, photos = pixels[:n], resized(subset(judged.reference.trained_on.pixels, n), pixels.shape[1])
    repeats, seed = measures.FLOOR_REPEATS, judged.settings.seed
    spread = metrics.halves(torch.arange(n), lambda a, b: artifacts.checkerboard(photos[a.numpy()]), repeats, seed)[1]
    frequency, real_power = artifacts.radial_spectrum(photos)
    return {
        "n": n,
        "checkerboard": {
            "generated": artifacts.checkerboard(pixels),
            "real": artifacts.checkerboard(photos),
            "real_spread": spread,
        },
        "spectrum": {
            "frequency": np.asarray(frequency).tolist(),
            "generated": np.asarray(artifacts.radial_spectrum(pixels)[1]).tolist(),
            "real": np.asarray(real_power).tolist(),
        },
        "saturated": {"generated": _share(artifacts.saturated(pixels)), "real": _share(artifacts.saturated(photos))},
        "blank": {"generated": _share(artifacts.blank(pixels)), "real": _share(artifacts.blank(photos))},
    }


def smoothness(run: EvaluationRun) -> dict[str, Any] | None:
    """Perceptual path length. None with a network that rounds pictures to 8 bits, which hides such small steps."""
    judged = run.judged
    if judged.network.rounds:
        return None
    n, seed, report = min(judged.settings.n, PATHS), judged.settings.seed, judged.progress("smoothness")
    generator, classes = judged.model.generator, judged.model_labels
    length, error = path_length(generator, judged.network, n, seed, run.truncation, progress=report, classes=classes)
    return {"path_length": length, "error": error, "n": n}


def _accuracies(confusion: np.ndarray, names: tuple[str, ...]) -> dict[str, float]:
    """The share of right answers in a confusion matrix: of "all", and of each class."""
    own = {name: float(confusion[i, i] / max(1, confusion[i].sum())) for i, name in enumerate(names)}
    return {"all": float(np.trace(confusion) / max(1, confusion.sum())), **own}


def _share(flags: Any) -> float:
    return float(np.mean(np.asarray(flags)))


# ------------------------------------------------------------------------------------------------------- what is shown


def _right_class(probe: Any) -> Figure:
    return share_figure(
        at(probe, "generated_accuracy", "all"), total(at(probe, "generated")),
        at(probe, "real_accuracy", "all"), total(at(probe, "real")),
    )  # fmt: skip


def _near_copies(copies: Any) -> Figure:
    return share_figure(*(at(copies, key) for key in ("below_1st_percentile", "n", "held_out_share", "held_out_n", "error")))


def _near_twins(diversity: Any) -> Figure:
    return share_figure(*(at(diversity, key) for key in ("duplicates", "n", "real_duplicates", "n", "error")))


def _different_flowers(diversity: Any) -> Figure:
    """The lower bound alone: a few flowers with a few twins among them say no more."""
    support = at(diversity, "support")
    least = at(support, "least")
    text = f"{rounded(least, 1 - math.floor(math.log10(max(least, 1))))}" if known(least) else MISSING
    return Figure(text=text, n=at(support, "n"), value=least)


def _grid(period: int, unit: str, name: str) -> Metric:
    """A figure of artifacts.checkerboard."""

    def read(found: Any) -> Figure:
        generated, real, spread = (at(found, "checkerboard", of, name) for of in ("generated", "real", "real_spread"))
        return spread_figure(generated, at(found, "n"), real, spread)

    return Metric(f"grid of {period} px{unit}", read=read)


def _failed(name: str) -> Metric:
    """The share of pictures that are saturated or blank."""

    def read(found: Any) -> Figure:
        n = at(found, "n")
        return share_figure(at(found, name, "generated"), n, at(found, name, "real"), n)

    return Metric(name, read=read)


SECTIONS: tuple[Section, ...] = (
    Section(
        "probe", class_probe,
        (Metric("right class", better="high", headline=True, read=_right_class),),
        kept_as="probe", keep=lambda found: {key: found[key] for key in ("generated_accuracy", "real_accuracy")},
    ),
    Section(
        "copies", copies,
        (Metric("near copies", better="low", headline=True, read=_near_copies),),
        kept_as="copies",
        keep=lambda found: {key: at(found, key) for key in ("below_1st_percentile", "error", "held_out_share", "held_out_n")},
    ),
    Section(
        "diversity", diversity,
        (
            Metric("near twins", better="low", headline=True, read=_near_twins),
            Metric("different flowers, at least", read=_different_flowers),
        ),
        kept_as="twins", keep=lambda found: {key: at(found, key) for key in ("duplicates", "error", "real_duplicates", "n")},
    ),
    Section(
        "artefacts", convolution_artifacts,  # the key is spelled as in every evaluation.json so far
        (
            *(_grid(period, "", f"phase_{period}") for period in artifacts.PERIODS),
            *(_grid(period, ", dB", f"peaks_{period}") for period in artifacts.PERIODS),
            _failed("saturated"),
            _failed("blank"),
        ),
        kept_as="checkerboard",
        keep=lambda found: {key: found["checkerboard"][key] for key in ("generated", "real", "real_spread")},
    ),
    Section(
        "smoothness", smoothness,
        (
            Metric(
                "path length", better="low",
                read=lambda found: number_figure(*(at(found, key) for key in ("path_length", "error", "n"))),
            ),
        ),
        thorough=True, kept_as="smoothness", keep=dict,
    ),
    Section(
        "cost", lambda run: dict(cost(run.judged.model.generator, run.judged.model.folder)),
        (
            Metric("parameters", read=lambda found: number_figure(at(found, "parameters"))),
            Metric("GFLOP a picture", read=lambda found: number_figure(at(found, "gflop"))),
            Metric("pictures/s", headline=True, read=lambda found: number_figure(at(found, "pictures_per_second"))),
        ),
        thorough=True,
    ),
)  # fmt: skip
