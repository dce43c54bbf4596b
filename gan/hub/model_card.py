"""The model card: what `README.md` of a model folder says, as the Hub reads it."""

from __future__ import annotations

import hashlib
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan.config import ModelConfig
from gan.data.split import judging_photos
from gan.hub.checkpoint import CARD
from gan.utils.files import write_atomic
from gan.utils.formatting import number, plain, share

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCardData

TASK = "unconditional-image-generation"
TAGS = ("gan", "image-generation")
TEMPLATE = Path(__file__).parent / "templates" / "card.md"

_NO_MEASURE: dict[str, Any] = dict.fromkeys(("value", "error", "floor", "floor_error"))


def model_card(config: ModelConfig, parameters: int, name: str = "") -> str:
    """The text of templates/card.md, filled from `config.json` alone, so that card and weights never disagree.

    `name` is what the model is called, its preset where it is empty. The last line has a digest of the others, by which
    `write_card` knows a card that nobody has changed.
    """
    from huggingface_hub import ModelCard

    card = ModelCard.from_template(
        _metadata(config, name), str(TEMPLATE), name=name or config.preset, config=config, trained=config.trained,
        scores=config.scores, parameters=parameters, cell=_cell, judging_photos=judging_photos, measured=_measured,
        by_network=_by_network, number=number, share=share,
    )  # fmt: skip
    return _marked(f"{card}\n")


def write_card(folder: Path, card: str) -> Path | None:
    """Write the card of a model folder, as `model_card` made it. Raises OSError.

    One that was written or changed by hand is kept beside it as README-before.md, README-before-2.md, …; its path is returned.
    """
    path = folder / CARD
    by_hand = path.is_file() and not _is_marked(path.read_text(encoding="utf-8", errors="replace"))
    kept = _unused(path) if by_hand else None
    write_atomic(path, card.encode(), kept)
    return kept


def _unused(path: Path) -> Path:
    names = (path.with_stem(f"{path.stem}-before{'' if number == 1 else f'-{number}'}") for number in count(1))
    return next(name for name in names if not name.exists())


_MARK = "<!-- made from config.json, "


def _marked(text: str) -> str:
    return f"{text}{_MARK}{hashlib.sha256(text.encode()).hexdigest()[:16]} -->\n"


def _is_marked(card: str) -> bool:
    return card == _marked(card.rpartition(_MARK)[0])


def completed(card: str, config: ModelConfig, name: str = "") -> str:
    """A card as somebody wrote it, with what its front matter lacks of `model_card`'s. Raises ValueError for bad YAML in it."""
    import yaml
    from huggingface_hub import RepoCard

    try:
        written, ours = RepoCard(card), _metadata(config, name).to_dict()
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
    missing = {key: value for key, value in ours.items() if key not in written.data.to_dict()}
    for key, value in missing.items():
        written.data[key] = value
    return str(written) if missing else card


def _metadata(config: ModelConfig, name: str) -> ModelCardData:
    """The front matter: what the Hub files the model under, and the figures of its evaluation where there was one."""
    from huggingface_hub import ModelCardData

    objective = [config.trained["objective"]] if "objective" in config.trained else []
    return ModelCardData(
        library_name="pytorch", pipeline_tag=TASK, tags=[*TAGS, *objective], model_name=name or config.preset,
        eval_results=_results(config.scores) or None,
    )  # fmt: skip


def _results(scores: dict[str, Any]) -> list[EvalResult]:
    """The headline figures over all classes, as the Hub's `model-index` has them."""
    from huggingface_hub import EvalResult

    if not scores.get("parts"):
        return []
    held = scores["reference"]
    data = f"the {held['trained_on']:,} photos trained on, and {held['held_out']:,} held out"
    results = []
    for number_of, view in enumerate(_views(scores)):
        label = view["settings"]["network_label"]
        for key, measure in view["parts"]["all"].items():
            if key not in _HEADLINES or measure["value"] is None:
                continue
            # A metric is known by its type, so that of a further network needs one of its own.
            kind = f"{key}_{view['settings']['network']}" if number_of else key
            name = _name(key, view["settings"]) + ("" if key in ("kid", "fd") else f", {label}" if number_of else "")
            results.append(EvalResult(TASK, "imagefolder", data, kind, round(measure["value"], 5), metric_name=name))
    return results


_HEADLINES = ("kid", "fd", "precision_3", "recall_3", "auc")


def _views(scores: dict[str, Any]) -> list[dict[str, Any]]:
    """What each feature network saw: its settings and its figures of every part, the first network first."""
    return [scores, *scores.get("also", ())]


def _name(key: str, settings: dict[str, Any]) -> str:
    """The name of a metric, as the tables of evaluation/report.py have it: `precision_3` → "precision (k=3)"."""
    names = {
        "kid": settings["kid_name"],
        "fd": settings["fd_name"],
        "fd_equal": f"{settings['fd_name']}, equal n",
        "auc": "AUC",
    }
    word, _, k = key.rpartition("_")
    return names.get(key) or (f"{word} (k={k})" if k.isdigit() else key.replace("_", " "))


def _by_network(scores: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """The figures over all classes side by side: the name of each, without a network's, and its measure by each network."""
    plain_names = {"kid_name": "KID", "fd_name": "FD"}
    return [
        (_name(key, plain_names), [_shown(view["parts"]["all"], key) for view in _views(scores)])
        for key in scores["parts"]["all"]
    ]


def _measured(scores: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """The rows of an evaluation (scores.summary) that hold a figure: what it is called, and its measure of every part."""
    parts = scores["parts"].values()
    keys = list(dict.fromkeys(key for part in parts for key in part))
    return [(_name(key, scores["settings"]), [_shown(part, key) for part in parts]) for key in keys]


def _shown(part: dict[str, Any], key: str) -> dict[str, Any]:
    """A measure of a part. FD depends on n, so it has no floor of half the photos beside it; "FD, equal n" has."""
    measure = part.get(key) or _NO_MEASURE
    return {**measure, "floor": None, "floor_error": None} if key == "fd" else measure


def _cell(text: str) -> str:
    """`text` in one cell of a table: names of classes and folders may hold anything."""
    return plain(text).replace("|", "\\|")
