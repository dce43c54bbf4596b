"""Are the figures in a model's card still what the code measures? They are taken again at a smaller n and compared."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gan.errors import UserError
from gan.evaluation.features import FeatureNetwork
from gan.evaluation.judged_model import EvaluationRun, JudgedModel, Settings
from gan.evaluation.reference import Reference
from gan.evaluation.results import ALL_METRICS, label
from gan.hub.loader import Model
from gan.utils.formatting import columns, known, number, plain, share_error
from gan.utils.progress import StageProgress
from gan.utils.validation import name_list

ERRORS = 3.0  # combined standard errors that two figures may lie apart


@dataclass(frozen=True)
class Check:
    """One figure of a card, and the same figure taken again."""

    figure: str
    card: float
    card_error: float
    again: float
    again_error: float
    cases: int | None = None  # in which a share was counted; None for a figure that is no share

    @property
    def apart(self) -> float:
        """How far apart the two are, in combined standard errors.

        A share has at least the error of its count: one case more or less is no difference, though the jackknife of a share
        near 0 or 1 may give the error 0.
        """
        least = [share_error(value, self.cases) or 0.0 for value in (self.card, self.again)]
        combined = math.hypot(max(self.card_error, least[0]), max(self.again_error, least[1]))
        return abs(self.card - self.again) / max(combined, 1e-12)

    @property
    def holds(self) -> bool:
        """Whether the two are at most ERRORS standard errors apart."""
        return self.apart <= ERRORS


def views(model: Model) -> list[Mapping[str, Any]]:
    """What each network saw, as the model's config.json has it.

    Raises UserError for a model that was never judged, and for scores that lack what a figure is taken again by.
    """
    scores = model.generator.config.scores
    try:
        found = [scores, *scores.get("also", ())]
        for view in found:
            view["settings"]["network"], view["parts"]["all"], scores["reference"]["photos"]
    except (KeyError, TypeError, AttributeError):
        raise UserError(
            f"the card of '{model.name}' has no figures; take them with python -m gan evaluate MODEL PHOTOS --card."
        ) from None
    for view in found:
        if lacking := _lacking(view):
            raise UserError(
                f"the figures in the config.json of '{model.name}' have no usable '{lacking}'; take them anew with "
                "python -m gan evaluate MODEL PHOTOS --card."
            )
    return found


def chosen(models: Sequence[Model], networks: Sequence[str] | None) -> list[tuple[Model, Mapping[str, Any]]]:
    """Each model with each of its `views`; only those of `networks`, where some are named.

    Raises UserError as `views` does, and for a network that is on no card.
    """
    every = [(model, view) for model in models for view in views(model)]
    on_cards = list(dict.fromkeys(view["settings"]["network"] for _, view in every))
    if strange := [name for name in networks or () if name not in on_cards]:
        raise UserError(f"no card has figures of the network '{strange[0]}'; choose among {name_list(on_cards)}.")
    return [(model, view) for model, view in every if not networks or view["settings"]["network"] in networks]


def check(
    model: Model, view: Mapping[str, Any], reference: Reference, network: FeatureNetwork, n: int, progress: StageProgress
) -> list[Check]:
    """The figures over all classes of one of `views`, taken again with `n` flowers of the same seeds and truncation.

    Only figures that can be compared at another n: the KID, whose expectation does not depend on it, and those whose own number
    of pictures is the same again. Raises UserError for photos that are not those of the card.
    """
    scores, setting = model.generator.config.scores, view["settings"]
    if reference.digest != scores["reference"]["photos"]:
        raise UserError(
            f"the photos are not those that the figures of '{model.name}' were taken with (digest {reference.digest}, "
            f"not {scores['reference']['photos']}); name the folder of its training."
        )
    if network.digest != setting["network_sha256"]:
        raise UserError(
            f"the weights of {network.label} are not those that the figures of '{model.name}' were taken with; "
            "take the figures anew with python -m gan evaluate MODEL PHOTOS --card."
        )
    judged = JudgedModel(model, reference, network, Settings(n, setting["seed"], setting["truncation"]).validate(), progress)
    again = EvaluationRun(judged, setting["truncation"]).parts(every_class=False)["all"]["measures"]
    result = []
    for key, old in view["parts"]["all"].items():
        new = again.get(key)
        if new and known(old["value"]) and known(new["value"]) and (key == "kid" or old["n"] == new["n"]):
            cases = new["n"] if key in ALL_METRICS and ALL_METRICS[key].share else None
            result.append(Check(label(view, key), old["value"], old["error"] or 0.0, new["value"], new["error"], cases))
    return result


def _lacking(view: Mapping[str, Any]) -> str:
    """The name of the first entry that a view lacks, or that is of another type; "" for a whole view."""
    settings, parts = view["settings"], view["parts"]
    for key in ("network", "network_sha256", "kid_name", "fd_name"):
        if not isinstance(settings.get(key), str):
            return key
    for key in ("compared_at", "truncation", "seed"):
        if not known(settings.get(key)):
            return key
    if not isinstance(parts["all"], Mapping):
        return "all"
    for key, measure in parts["all"].items():
        if not isinstance(measure, Mapping) or not {"value", "error", "n"} <= measure.keys():
            return key
    return ""


def table(found: Sequence[tuple[str, Sequence[Check]]]) -> str:
    """The checks of several models as plain text: one line a figure."""
    body = [
        [
            f"{plain(name, 28)}: {plain(one.figure, 28)}", number(one.card, one.card_error), number(one.again, one.again_error),
            f"{one.apart:.1f}", "holds" if one.holds else "DOES NOT HOLD",
        ]
        for name, checks in found for one in checks
    ]  # fmt: skip
    return "\n".join(columns([["", "card", "again", "errors apart", f"within {ERRORS:g}?"], *body]))
