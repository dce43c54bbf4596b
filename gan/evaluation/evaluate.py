"""Judge a model: every metric, overall and for each class, as one dictionary of plain values.

| compared with the photos trained on | compared with the photos held out |
| --- | --- |
| the distances, as is customary | the two-sample test |
| how near flowers come to a photo | how near other photos come to it |
| the training of the class probe | the accuracy of the class probe |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gan.evaluation.features import FeatureNetwork
from gan.evaluation.judged_model import EvaluationRun, JudgedModel, Settings
from gan.evaluation.reference import Reference
from gan.evaluation.sections import SECTIONS, closest_pairs
from gan.evaluation.truncation_curve import best_truncation, truncation_curve
from gan.hub.loader import Model
from gan.networks.latents import default_truncation
from gan.utils.progress import StageProgress

__all__ = ["Evaluation", "Settings", "display_name", "evaluate"]

SCHEMA = 1
SAMPLES = 64  # flowers on the report page


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
    also: Sequence[FeatureNetwork] = (),
    thorough: bool = True,
    progress: StageProgress | None = None,
) -> Evaluation:
    """Judge `model` at the resolution of `reference`'s photos.

    Two runs with the same arguments give the same figures, except for the pictures a second. With `thorough=False`, the search
    for a truncation, the smoothness and the cost are left out. The networks `also` repeat the metrics of measures.py on the
    same flowers; everything else is seen by `network` alone. Raises UserError for settings out of range and for a class that
    would get too few flowers.
    """
    settings.validate()
    progress = progress or (lambda stage, done, total: None)
    judged = JudgedModel(model, reference, network, settings, progress)
    truncation, best = settings.truncation, None
    curve = truncation_curve(judged) if thorough and (truncation is None or settings.curve) else None
    if truncation is None:
        best = best_truncation(curve) if curve else None
        truncation = best or default_truncation(model.generator.config.scores)
    run = EvaluationRun(judged, truncation)
    result = {
        **_conditions(run),
        "parts": run.parts(),
        **{section.key: section.run(run) for section in SECTIONS if not section.thorough},
        "truncation": curve,
        "best_truncation": best,
        **{section.key: section.run(run) if thorough else None for section in SECTIONS if section.thorough},
        "also": [_seen_by(other, run, progress) for other in also],
        "notes": list(reference.notes),
    }
    samples = judged.draw_in_turn(settings.seed, SAMPLES, run.truncation)
    return Evaluation(result, {"samples": samples, "pairs": closest_pairs(run)})


def display_name(model: Model) -> str:
    """The name of a model in reports: its name, or that of its folder, never a path."""
    return model.folder.resolve().name if model.source == "path" and model.folder else Path(model.name).name


def _seen_by(network: FeatureNetwork, run: EvaluationRun, progress: StageProgress) -> dict[str, Any]:
    """The conditions and the metrics of the flowers of `run`, seen by another network."""
    told: StageProgress = lambda stage, done, total: progress(f"{stage}, {network.label}", done, total)  # noqa: E731
    judged = JudgedModel(run.judged.model, run.judged.reference, network, run.judged.settings, told)
    other = EvaluationRun(judged, run.truncation, run.pictures)
    return {**_conditions(other), "parts": other.parts()}


def _conditions(run: EvaluationRun) -> dict[str, Any]:
    """The first entries of evaluation.json: which model was judged, how, and against which photos."""
    judged = run.judged
    model, network, settings, reference = judged.model, judged.network, judged.settings, judged.reference
    return {
        "schema": SCHEMA,
        "model": display_name(model),
        "revision": model.revision,
        "preset": judged.config.preset,
        "classes": list(reference.classes),
        "resolution": judged.config.trained_side,
        "settings": {
            "n": settings.n,
            "seed": settings.seed,
            "truncation": run.truncation,
            "network": network.name,  # the path of a TorchScript file, too: check-figures finds it by that
            "network_label": network.label,
            "network_sha256": network.digest,
            "fd_name": network.frechet_name,
            "kid_name": network.kid_name,
            "compared_at": judged.side,
            "command": settings.command,
        },
        "reference": {
            "photos": reference.digest,
            "trained_on": len(reference.trained_on.labels),
            "held_out": len(reference.held_out.labels) if reference.held_out else 0,
            "held_out_from": reference.held_out_from,
        },
    }
