"""KID, precision and recall at several truncations, and the truncation that is best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from gan.evaluation import metrics
from gan.evaluation.judged_model import MAX_N, JudgedModel
from gan.evaluation.measures import NEIGHBORS, neighbors_at_equal_numbers
from gan.networks.latents import DEFAULT_TRUNCATION, MAX_SEED

TRUNCATIONS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0)  # 3 cuts off 0.3 % of a normal distribution
COUNT = 500  # pictures at each truncation


def truncation_curve(judged: JudgedModel) -> list[dict[str, float]]:
    """A row for each of TRUNCATIONS: `truncation`, `n`, `kid`, `kid_error`, `precision`, `recall`.

    The seeds are MAX_N further on than those of the evaluation, so that no flower chooses the truncation it is judged at.
    """
    settings = judged.settings
    rows, count, first = [], min(settings.n, COUNT), (settings.seed + MAX_N) % (MAX_SEED + 1)
    for truncation in TRUNCATIONS:
        stage = f"truncation {truncation:g}"
        flowers = judged.features(judged.draw(first, count, truncation, stage), f"features at {stage}")
        values, errors = metrics.jackknife(_figures, (judged.trained, flowers), seed=settings.seed)
        rows.append({"truncation": truncation, "n": count, "kid_error": errors["kid"], **values})
    return rows


def best_truncation(curve: Sequence[Mapping[str, Any]]) -> float:
    """The truncation with the lowest KID, among those with a precision above 0; DEFAULT_TRUNCATION where there is none.

    The KID of pictures far from all photos falls when they are drawn alike, which does not make them better.
    """
    likely = [row for row in curve if row["precision"] > 0]
    return min(likely, key=lambda row: row["kid"])["truncation"] if likely else DEFAULT_TRUNCATION


def _figures(real: Tensor, fake: Tensor) -> dict[str, float]:
    near = neighbors_at_equal_numbers(real, fake, NEIGHBORS[0])
    return {"kid": metrics.kid(real, fake, 0), "precision": near["precision"], "recall": near["recall"]}
