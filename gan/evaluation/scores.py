"""What an evaluation leaves in a model: the figures in `config.json`, and their table in its card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gan.hub import checkpoint
from gan.hub.model_card import model_card
from gan.networks.latents import default_truncation
from gan.networks.layers import parameters
from gan.utils.files import write_atomic

_KEPT = ("value", "error", "floor", "floor_error", "n")


def write_scores(folder: Path, result: Mapping[str, Any]) -> None:
    """Put the figures of an evaluation (evaluate.py) into the `config.json` and the card of a model folder.

    Raises UserError when the folder is not one of a model, OSError when it cannot be written.
    """
    generator = checkpoint.load_model(folder)
    described = replace(generator.config, scores=summary(result, default_truncation(generator.config.scores)))
    checkpoint.save_config(folder, described)
    write_atomic(folder / checkpoint.CARD, model_card(described, parameters(generator)).encode())


def summary(result: Mapping[str, Any], truncation: float) -> dict[str, Any]:
    """The figures of an evaluation that a model carries with it, and how they were taken.

    `truncation` is what the model is shown at so far; the one with the best KID, where it was looked for, takes its place.
    """
    copied, artifacts, smoothness = result["copies"], result["artefacts"], result["smoothness"]
    parts = {
        part: {name: {key: measure[key] for key in _KEPT} for name, measure in found["measures"].items()}
        for part, found in result["parts"].items()
    }
    return {
        "truncation": result["best_truncation"] or truncation,
        "settings": dict(result["settings"]),
        "reference": dict(result["reference"]),
        "parts": parts,
        "probe": result["probe"] and {key: result["probe"][key] for key in ("generated_accuracy", "real_accuracy")},
        "copies": copied and {key: copied[key] for key in ("below_1st_percentile", "held_out_share", "held_out_n")},
        "checkerboard": artifacts and {key: artifacts["checkerboard"][key] for key in ("generated", "real", "real_spread")},
        "curve": result["truncation"],
        "smoothness": smoothness and dict(smoothness),
    }


def headline(scores: Mapping[str, Any]) -> str:
    """One line about a judged model: "KID-MobileNetV2 0.123 (n 2,000)"; empty for one that never was, or says nonsense."""
    try:
        measure, settings = scores["parts"]["all"]["kid"], scores["settings"]
        return f"{settings['kid_name']} {float(measure['value']):.3f} (n {int(measure['n']):,})"
    except (KeyError, TypeError, ValueError, OverflowError):
        return ""
