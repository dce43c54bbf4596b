"""Judge a model: every measure there is, overall and for each class, as one dictionary of plain values.

What each measure is stands in the room that computes it: metrics, classify, copies, artefacts, smoothness, cost. Here is
what is compared with what. Distances are taken to the photos trained on, as is customary; the two-sample test, the probe's
own accuracy and the distances a copy is told by use the photos held out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan.errors import UserError
from gan.evaluation import artifacts, classifier_tests, metrics
from gan.evaluation import memorization as copies
from gan.evaluation.cost import cost
from gan.evaluation.features import FeatureNetwork, cached, features
from gan.evaluation.measures import FLOOR_REPEATS, FeatureSets, measure, some, sweep
from gan.evaluation.memorization import DIHEDRAL, dihedral
from gan.evaluation.path_length import path_length
from gan.evaluation.reference import LEAST, Pictures, Reference, quotas
from gan.hub.loader import Model
from gan.networks.latents import DEFAULT_TRUNCATION, check_seed, check_truncation, default_truncation
from gan.sampling.sampler import Flower, Sampler
from gan.utils import validation
from gan.utils.images import resized
from gan.utils.names import composed

SCHEMA = 1
TRUNCATIONS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0)  # 3 keeps all but a third of a percent of the noise
SWEEP = 500  # pictures for each of them
PATHS = 250  # pairs for the path length
MAX_N = 50_000
PAIRS = 10

Progress = Callable[[str, int, int], object]  # what is being done, how much of it, out of how much


@dataclass(frozen=True)
class Settings:
    """How to judge; counts are in pictures."""

    n: int = 2000
    seed: int = 0  # the first flower's; the others follow
    truncation: float | None = None  # None: the best one, found on other seeds
    command: str = ""  # said in the report

    def validate(self) -> Settings:
        """Return self, or raise UserError for settings nothing can be judged with."""
        validation.whole("number of pictures (-n)", self.n, 100, MAX_N)
        check_seed(self.seed)
        if self.truncation is not None:
            check_truncation(self.truncation)
        return self


@dataclass
class Evaluation:
    """What was found, and the pictures that show it."""

    result: dict[str, Any]  # plain values, the content of evaluation.json
    pictures: dict[str, Any] = field(default_factory=dict)  # "samples": uint8 N×S×S×3; "pairs": list of (flower, photo)


def evaluate(
    model: Model,
    reference: Reference,
    network: FeatureNetwork,
    settings: Settings,
    *,
    thorough: bool = True,
    progress: Progress | None = None,
) -> Evaluation:
    """Judge `model` at the resolution of `reference`'s photos. Two runs with the same arguments give the same figures but
    for pictures a second. Not `thorough` leaves out truncation, smoothness and cost. Raises UserError.
    """
    settings.validate()
    tell = progress or (lambda stage, done, total: None)
    _check_counts(reference, settings.n)
    judge = _Judge(model, reference, network, settings, tell)
    curve = judge.truncations() if thorough and settings.truncation is None else None
    best = _best(curve) if curve else default_truncation(model.generator.config.scores)
    truncation = settings.truncation if settings.truncation is not None else best
    pictures = judge.draw(settings.seed, settings.n, truncation, "flowers")
    flowers = features(network, resized(pictures.pixels, judge.side), _stage(tell, "features of flowers"))
    parts = judge.parts(pictures, flowers)
    probe = judge.probe(pictures, flowers)
    copied, pairs = judge.copies(pictures, flowers)
    result = {
        "schema": SCHEMA,
        "model": called(model),
        "revision": model.revision,
        "preset": model.generator.config.preset,
        "classes": list(reference.classes),
        "resolution": model.generator.config.resolution,
        "settings": {
            "n": settings.n,
            "seed": settings.seed,
            "truncation": truncation,
            "network": network.name,
            "network_label": network.label,
            "network_sha256": network.digest,
            "fd_name": network.frechet_name,
            "kid_name": network.kid_name,
            "compared_at": reference.trained_on.pixels.shape[1],
            "command": settings.command,
        },
        "reference": {
            "photos": reference.digest,
            "trained_on": len(reference.trained_on.labels),
            "held_out": len(reference.held_out.labels) if reference.held_out else 0,
            "held_out_from": reference.held_out_from,
        },
        "parts": parts,
        "probe": probe,
        "copies": copied,
        "diversity": judge.diversity(flowers),
        "artefacts": judge.artifacts(pictures.pixels) if judge.side >= pictures.pixels.shape[1] else None,
        "truncation": curve,
        "best_truncation": best if curve else None,
        "smoothness": judge.smoothness(truncation) if thorough else None,
        "cost": cost(model.generator, model.folder) if thorough else None,
        "notes": list(reference.notes),
    }
    samples = judge.draw_in_turn(settings.seed, 64, truncation)
    return Evaluation(result, {"samples": samples, "pairs": pairs})


def called(model: Model) -> str:
    """What a model is called in reports: its name, or that of its folder, never a path."""
    return model.folder.resolve().name if model.source == "path" and model.folder else Path(model.name).name


class _Judge:
    """One evaluation in progress: the model drawn, and the features of the photos."""

    def __init__(
        self, model: Model, reference: Reference, network: FeatureNetwork, settings: Settings, tell: Progress
    ) -> None:  # fmt: skip
        self.config, self.model, self.reference = model.generator.config, model, reference
        self.network, self.settings, self.tell = network, settings, tell
        self.sampler = Sampler(model.generator)
        self.side = reference.trained_on.pixels.shape[1]
        self.trained = cached(network, reference.trained_on.pixels, _stage(tell, "features of photos"))
        held = reference.held_out
        self.held = None if held is None else cached(network, held.pixels, _stage(tell, "features of photos held out"))
        noise = np.random.default_rng(0).integers(0, 256, (min(len(self.trained), 200), self.side, self.side, 3), np.uint8)
        self.noise = cached(network, noise, _stage(tell, "features of noise"))
        self.classes = len(reference.classes)
        # The places of the judged classes among those of the model.
        names = [composed(name) for name in self.config.classes]
        self.places = [names.index(name) for name in map(composed, reference.classes)]

    # ---------------------------------------------------------------------------------------------------------- drawing

    def draw(self, seed: int, count: int, truncation: float, what: str) -> Pictures:
        """`count` flowers, the classes in the proportions of the photos, at the model's own side."""
        labels = quotas(self.reference.trained_on.labels, self.classes, count)
        flowers = [Flower(self.places[label], (seed + i) % 2**32, truncation) for i, label in enumerate(labels.tolist())]
        drawn = []
        for start in range(0, count, 100):
            drawn.append(self.sampler.draw(flowers[start : start + 100]))
            self.tell(what, min(start + 100, count), count)
        return Pictures(np.concatenate(drawn), labels)

    def draw_in_turn(self, seed: int, count: int, truncation: float) -> np.ndarray:
        """`count` flowers for a grid, the classes in turn, at the model's own side."""
        labels = (self.places[i % self.classes] for i in range(count))
        return self.sampler.draw([Flower(label, (seed + i) % 2**32, truncation) for i, label in enumerate(labels)])

    # --------------------------------------------------------------------------------------------------- overall, by class

    def parts(self, pictures: Pictures, flowers: Tensor) -> dict[str, Any]:
        """Distances, neighbours and the two-sample test: for all, then for each class of more than one."""
        names: list[tuple[str, int | None]] = [("all", None)]
        if self.classes > 1:
            names += [(name, label) for label, name in enumerate(self.reference.classes)]
        result = {}
        for number, (name, label) in enumerate(names):
            self.tell("figures", number, len(names))
            result[name] = self._part(label, flowers[torch.from_numpy(pictures.of(label))])
        self.tell("figures", len(names), len(names))
        return result

    def _part(self, label: int | None, flowers: Tensor) -> dict[str, Any]:
        held = self._held(label)
        others = None if label is None else self._other_classes(label)
        sides = FeatureSets(flowers, self._trained(label), held, others, self.noise)
        counts = {"n": len(flowers), "trained_on": len(sides.trained), "held_out": 0 if held is None else len(held)}
        return {**counts, "measures": measure(sides, self.settings.seed)}

    def _trained(self, label: int | None) -> Tensor:
        return self.trained[torch.from_numpy(self.reference.trained_on.of(label))]

    def _held(self, label: int | None) -> Tensor | None:
        if self.held is None or self.reference.held_out is None:
            return None
        return self.held[torch.from_numpy(self.reference.held_out.of(label))]

    def _other_classes(self, label: int) -> Tensor:
        return self.trained[torch.from_numpy(~self.reference.trained_on.of(label))]

    # ------------------------------------------------------------------------------------------------- what stands alone

    def probe(self, pictures: Pictures, flowers: Tensor) -> dict[str, Any] | None:
        """Whether the class asked for is the class seen, by a linear probe trained on the photos trained on."""
        if self.classes == 1 or self.held is None or self.reference.held_out is None:
            return None
        names = self.reference.classes
        probe = classifier_tests.Probe(self.trained, self.reference.trained_on.labels, names)
        generated = probe.confusion(flowers, pictures.labels)
        real = probe.confusion(self.held, self.reference.held_out.labels)
        return {
            "classes": list(names),
            "generated": generated.tolist(),
            "real": real.tolist(),
            "generated_accuracy": _accuracies(generated, names),
            "real_accuracy": _accuracies(real, names),
        }

    def copies(self, pictures: Pictures, flowers: Tensor) -> tuple[dict[str, Any] | None, list[Any]]:
        """How near flowers come to photos trained on, against how near photos held out come; the closest pairs."""
        if self.held is None:
            return None, []
        photos = self.reference.trained_on.pixels
        variants = cached(self.network, dihedral(photos), _stage(self.tell, "features of turned photos"))
        distances, which = copies.nearest(flowers, variants, variants=DIHEDRAL)
        held, _ = copies.nearest(self.held, variants, variants=DIHEDRAL)
        edges = np.linspace(0, float(max(distances.max(), held.max())), 31)
        closest = copies.closest(distances, PAIRS)
        names, seeds = self.reference.classes, [(self.settings.seed + int(i)) % 2**32 for i in closest]
        result = {
            "below_1st_percentile": copies.share_below(distances, held),
            "n": len(flowers),
            "held_out_n": len(held),
            "held_out_share": copies.share_below(held, held),
            "histogram": {
                "edges": edges.tolist(),
                "flowers": np.histogram(distances, edges)[0].tolist(),
                "held_out": np.histogram(held, edges)[0].tolist(),
            },
            "pairs": [
                {"seed": seed, "class": names[int(pictures.labels[i])], "distance": float(distances[i])}
                for i, seed in zip(closest, seeds)
            ],
        }
        shown = resized(pictures.pixels[closest.numpy()], self.side)
        return result, [(flower, photos[int(which[i])]) for flower, i in zip(shown, closest)]

    def diversity(self, flowers: Tensor) -> dict[str, Any]:
        """Flowers that nearly repeat one another, against photos that do, at equal numbers; how many there may be."""
        count = min(len(self.trained), len(flowers))
        photos = some(self.trained, count)
        real, _ = copies.nearest(photos, photos, itself=True)
        own, _ = copies.nearest(flowers[:count], flowers[:count], itself=True)
        support = copies.support_size(flowers, float(torch.quantile(real, 0.01)))
        return {
            "duplicates": copies.share_below(own, real),
            "real_duplicates": copies.share_below(real, real),
            "n": count,
            "support": {
                "estimate": support["size"],
                "kind": "at least" if support["at_least"] else "estimate",
                "collisions": support["duplicates"],
                "n": support["pictures"],
            },
        }

    def artifacts(self, pixels: np.ndarray) -> dict[str, Any]:
        """What convolutions leave behind, beside the same of as many photos and the spread of those over halves.

        At the model's own side: a grid of two pixels is none any more when the picture has been enlarged.
        """
        count = min(len(pixels), len(self.trained))
        pixels, photos = pixels[:count], resized(some(self.reference.trained_on.pixels, count), self.config.resolution)
        spread = metrics.halves(
            torch.arange(count), lambda a, b: artifacts.checkerboard(photos[a.numpy()]), FLOOR_REPEATS, self.settings.seed
        )[1]  # fmt: skip
        frequency, real_power = artifacts.radial_spectrum(photos)
        return {
            "n": count,
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

    def truncations(self) -> list[dict[str, float]]:
        """KID, precision and recall at each of TRUNCATIONS, on seeds that the other figures do not use."""
        rows, count, first = [], min(self.settings.n, SWEEP), (self.settings.seed + MAX_N) % 2**32
        for truncation in TRUNCATIONS:
            stage = f"truncation {truncation:g}"
            pictures = self.draw(first, count, truncation, stage)
            flowers = features(self.network, resized(pictures.pixels, self.side), _stage(self.tell, f"features at {stage}"))
            values, errors = metrics.jackknife(sweep, (self.trained, flowers), seed=self.settings.seed)
            rows.append({"truncation": truncation, "n": count, "kid_error": errors["kid"], **values})
        return rows

    def smoothness(self, truncation: float) -> dict[str, Any] | None:
        """Perceptual path length; None with a network that rounds its pictures, which loses such small steps."""
        if self.network.rounds:
            return None
        count, seed, tell = min(self.settings.n, PATHS), self.settings.seed, _stage(self.tell, "smoothness")
        length, error = path_length(self.model.generator, self.network, count, seed, truncation, progress=tell)
        return {"path_length": length, "error": error, "n": count}


def _best(curve: list[dict[str, Any]]) -> float:
    """The truncation with the lowest KID of those at which any flower passes for a photo; where none does, the usual one.

    The KID of pictures that all lie far off falls when they are drawn alike, which says nothing about flowers.
    """
    likely = [row for row in curve if row["precision"] > 0]
    return min(likely, key=lambda row: row["kid"])["truncation"] if likely else DEFAULT_TRUNCATION


def _check_counts(reference: Reference, count: int) -> None:
    """Raise UserError when a class would get too few of `count` flowers to say anything about it."""
    labels = quotas(reference.trained_on.labels, len(reference.classes), count)
    for name, flowers in zip(reference.classes, torch.bincount(labels, minlength=len(reference.classes)).tolist()):
        if flowers < LEAST:
            raise UserError(
                f"the class '{name}' would get {flowers} of {count} flowers, by its share of the photos, and {LEAST} are "
                "needed; draw more with -n."
            )


def _accuracies(confusion: np.ndarray, names: tuple[str, ...]) -> dict[str, float]:
    own = {name: float(confusion[i, i] / max(1, confusion[i].sum())) for i, name in enumerate(names)}
    return {"all": float(np.trace(confusion) / max(1, confusion.sum())), **own}


def _share(flags: Any) -> float:
    return float(np.mean(np.asarray(flags)))


def _stage(tell: Progress, name: str) -> Callable[[int, int], object]:
    return lambda done, total: tell(name, done, total)
