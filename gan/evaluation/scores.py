"""The figures of an evaluation that a model carries with it: `scores` in its config.json, from which its card is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gan.evaluation.sections import SECTIONS
from gan.hub import checkpoint
from gan.hub.model_card import model_card, write_card
from gan.networks.latents import default_truncation
from gan.networks.layers import parameters

_KEPT = ("value", "error", "floor", "floor_error", "n")  # fields of a metric


def write_scores(folder: Path, result: Mapping[str, Any]) -> Path | None:
    """Write the figures of an evaluation (evaluate.py) into the config.json and the card of a model folder.

    A card that somebody has changed is kept beside the new one; its path is returned. Raises UserError when the folder holds no
    model, and OSError when it cannot be written.
    """
    generator = checkpoint.load_model(folder)
    described = replace(generator.config, scores=summary(result, default_truncation(generator.config.scores)))
    checkpoint.save_config(folder, described)
    return write_card(folder, model_card(described, parameters(generator), folder.resolve().name))


def summary(result: Mapping[str, Any], truncation: float) -> dict[str, Any]:
    """The scores of config.json: every metric of measures.py, what each section keeps, and how they were measured.

    `truncation` is the model's default so far. If the evaluation searched for the best one, that is the new default.
    """
    return {
        "truncation": result["best_truncation"] or truncation,
        "settings": dict(result["settings"]),
        "reference": dict(result["reference"]),
        "parts": _kept_parts(result),
        **_kept_sections(result, thorough=False),
        "also": [{"settings": dict(one["settings"]), "parts": _kept_parts(one)} for one in result.get("also", ())],
        "curve": result["truncation"],
        **_kept_sections(result, thorough=True),
    }


def headline(scores: Mapping[str, Any]) -> str:
    """One line about a model, "KID-MobileNetV2 0.123 (n 2,000)"; empty for scores that are missing or damaged."""
    try:
        measure, settings = scores["parts"]["all"]["kid"], scores["settings"]
        return f"{settings['kid_name']} {float(measure['value']):.3f} (n {int(measure['n']):,})"
    except (KeyError, TypeError, ValueError, OverflowError):
        return ""


def _kept_parts(result: Mapping[str, Any]) -> dict[str, Any]:
    """The metrics of every part, without their ceilings."""
    return {
        part: {name: {key: measure[key] for key in _KEPT} for name, measure in found["measures"].items()}
        for part, found in result["parts"].items()
    }


def _kept_sections(result: Mapping[str, Any], thorough: bool) -> dict[str, Any]:
    """What the sections keep: None for a section that could not be measured."""
    return {
        section.kept_as: section.keep(found) if (found := result[section.key]) else None
        for section in SECTIONS
        if section.keep and section.thorough == thorough
    }
