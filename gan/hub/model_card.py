"""The model card: what `README.md` of a model folder says, as the Hub reads it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan.config import ModelConfig
from gan.data.split import judging_photos
from gan.utils.formatting import number, plain, share

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCardData

TASK = "unconditional-image-generation"
TAGS = ("gan", "image-generation")
TEMPLATE = Path(__file__).parent / "templates" / "card.md"

_NO_MEASURE: dict[str, Any] = dict.fromkeys(("value", "error", "floor", "floor_error"))


def model_card(config: ModelConfig, parameters: int) -> str:
    """The text of templates/card.md, filled from `config.json` alone, so that card and weights never disagree."""
    from huggingface_hub import ModelCard

    card = ModelCard.from_template(
        _metadata(config), str(TEMPLATE), config=config, trained=config.trained, scores=config.scores, parameters=parameters,
        cell=_cell, judging_photos=judging_photos, measured=_measured, number=number, share=share,
    )  # fmt: skip
    return f"{card}\n"


def completed(card: str, config: ModelConfig) -> str:
    """A card as somebody wrote it, with what its front matter lacks of `model_card`'s. Raises ValueError for bad YAML in it."""
    import yaml
    from huggingface_hub import RepoCard

    try:
        written, ours = RepoCard(card), _metadata(config).to_dict()
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
    missing = {key: value for key, value in ours.items() if key not in written.data.to_dict()}
    for key, value in missing.items():
        written.data[key] = value
    return str(written) if missing else card


def _metadata(config: ModelConfig) -> ModelCardData:
    """The front matter: what the Hub files the model under, and the figures of its evaluation where there was one."""
    from huggingface_hub import ModelCardData

    objective = [config.trained["objective"]] if "objective" in config.trained else []
    return ModelCardData(
        library_name="pytorch", pipeline_tag=TASK, tags=[*TAGS, *objective], model_name=config.preset,
        eval_results=_results(config.scores) or None,
    )  # fmt: skip


def _results(scores: dict[str, Any]) -> list[EvalResult]:
    """The headline figures over all classes, as the Hub's `model-index` has them."""
    from huggingface_hub import EvalResult

    if not scores.get("parts"):
        return []
    measures, said, held = scores["parts"]["all"], scores["settings"], scores["reference"]
    names = {"kid": said["kid_name"], "fd": said["fd_name"], "precision_3": "precision, k = 3", "recall_3": "recall, k = 3"}
    names["auc"] = "two-sample AUC (0.5 is best)"
    data = f"the {held['trained_on']:,} photos trained on, and {held['held_out']:,} held out"
    return [
        EvalResult(TASK, "imagefolder", data, key, round(measures[key]["value"], 5), metric_name=name)
        for key, name in names.items()
        if measures.get(key) and measures[key]["value"] is not None
    ]


def _measured(scores: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """The rows of an evaluation (scores.summary) that hold a figure: what it is called, and its measure of every part."""
    settings, parts = scores["settings"], scores["parts"].values()
    names = {"kid": settings["kid_name"], "fd": settings["fd_name"], "fd_equal": f"{settings['fd_name']} at equal n"}
    names["auc"] = "two-sample AUC"
    names |= {f"{name}_{k}": f"{name}, k = {k}" for name in ("precision", "recall", "density", "coverage") for k in (3, 5)}
    names |= {key: key.replace("_", " ") for key in scores["parts"]["all"] if key not in names}  # a new metric
    rows = [(name, [part.get(key) or _NO_MEASURE for part in parts]) for key, name in names.items()]
    return [(name, measures) for name, measures in rows if any(one is not _NO_MEASURE for one in measures)]


def _cell(text: str) -> str:
    """`text` in one cell of a table: names of classes and folders may hold anything."""
    return plain(text).replace("|", "\\|")
