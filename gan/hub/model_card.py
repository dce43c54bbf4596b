"""The model card: what `README.md` of a model folder says, as the Hub reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gan.config import ModelConfig
from gan.data.split import judged_by
from gan.utils.formatting import MISSING, number, plain, share

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCardData

TASK = "unconditional-image-generation"
TAGS = ("gan", "image-generation")


def model_card(config: ModelConfig, parameters: int) -> str:
    """Markdown with the Hub's front matter, filled from `config.json` alone, so that card and weights never disagree."""
    trained = config.trained
    lines = ["---", _metadata(config).to_yaml(), "---", "", f"# {config.preset}", ""]
    lines += [
        f"A generator of {config.resolution}×{config.resolution} pictures that do not exist, of the project "
        "This Flower Does Not Exist.",
        "",
    ]
    if "command" in trained:
        turn = ", the classes in turn" if config.code_dim else ""
        lines += [f"![Sixty-four pictures as they came: seeds 0–63, truncation 1.5{turn}](samples.png)", ""]
    if trained.get("notes"):
        lines += ["## What the pictures show", "", trained["notes"], ""]
    lines += ["## The model", "", *_table(_model_rows(config, parameters)), ""]
    if "command" in trained:
        lines += ["## Training", "", *_table(_training_rows(trained)), "", "```", trained["command"], "```", ""]
        lines += ["## Data", "", _data_statement(trained), ""]
    if config.scores.get("parts"):
        lines += ["## Evaluation", "", *evaluation_section(config.scores), ""]
    lines += ["## Use", "", "```python", "import gan", 'model = gan.load("path/of/this/folder")', "```", ""]
    lines += [
        "The generator takes noise from a normal distribution"
        + (f" and a one-hot code of the classes, in the order {', '.join(config.classes)}." if config.code_dim else "."),
        "",
        "## Limits",
        "",
        "The pictures are not photographs of real things and carry no botanical knowledge. The model knows only the photos it "
        "was trained on; with a few hundred of them it repeats colours and layouts.",
        "",
    ]
    return "\n".join(lines)


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


def _data_statement(trained: dict[str, Any]) -> str:
    photos = trained["photos"]
    held = f"; {trained['holdout']:g} of each class was held out of training" if trained.get("holdout") else ""
    return (
        f"Trained on {sum(photos.values()):,} photos, in folders called {', '.join(photos)}{held}. The photos are not part of "
        "this repository; a file `photos.safetensors`, where there is one, holds features of them, by which whoever has one of "
        "the photos can tell that it was used. Where they come from, and what rights rest on them, is for whoever trained the "
        "model to say."
    )


def _model_rows(config: ModelConfig, parameters: int) -> list[tuple[str, str]]:
    return [
        ("preset", config.preset),
        ("resolution", f"{config.resolution}×{config.resolution}"),
        ("classes", ", ".join(config.classes) if config.code_dim else "none: a plain model"),
        ("noise", f"{config.z_dim} numbers"),
        ("parameters", f"{parameters:,}" + (f", in {config.trained['stored']}" if "stored" in config.trained else "")),
        ("layers", " · ".join(f"`{layer}`" for layer in config.generator)),
    ]


def _training_rows(trained: dict[str, Any]) -> list[tuple[str, str]]:
    """How it was trained: what everyone asks first, then every setting the run had."""
    photos, begun = trained["photos"], trained.get("begun_from") or {}
    count = sum(photos.values())
    names = ("transpose", "flip_horizontal", "flip_vertical", "rotate")
    augmentations = [name.replace("_", " ") for name in names if trained.get(name)]
    rows = [
        ("photos", f"{count:,} (" + ", ".join(f"{number:,} {name}" for name, number in photos.items()) + ")"),
        ("held out of training", f"{trained.get('holdout', 0):g} of each class" if trained.get("holdout") else "nothing"),
        ("images shown to the critic", f"{trained['images']:,} ({trained['images'] / count:,.0f} epochs)"),
        ("generator steps", f"{trained['steps']:,}"),
        ("time", f"{trained['hours']:.2f} hours on the clock"),
        ("hardware", trained["hardware"]),
        ("precision", trained["precision"] + (" (sums of the penalty in fp32)" if trained["precision"] == "bf16" else "")),
        ("objective", f"{trained['objective']}{_objective(trained)}"),
        ("critic", " · ".join(f"`{layer}`" for layer in trained["critic"])),
        ("critic steps", str(trained["critic_steps"])),
        ("batch", str(trained["batch"])),
        ("Adam", f"learning rate {trained['lr']:g}, betas ({trained['beta1']:g}, {trained['beta2']:g})"),
        ("weight average", f"half-life {trained['ema_images']:,} images"),
        ("augmentations", ", ".join(augmentations) or "none"),
        ("seed", str(trained["seed"])),
    ]
    if trained.get("matching_weight"):
        rows.append(("matching", f"kernel distance to the photos of the class, weight {trained['matching_weight']:g}"))
    if trained.get("spectrum_weight"):
        rows.append(("spectrum", f"distance to the mean of the photos, weight {trained['spectrum_weight']:g}"))
    if trained.get("coarse_images"):  # of a model from before there was a schedule of sides
        side = trained["coarse_side"]
        rows.append(("coarse beginning", f"{side}×{side} for the first {trained['coarse_images']:,} images"))
    if trained.get("sides"):
        rows.append(("sides", _sides(trained["sides"])))
    if trained.get("diffaugment"):
        rows.append(("DiffAugment", "colour, shift and hole, on what the critic sees of photos and pictures"))
    if best := trained.get("chosen_by"):
        to = f" to {judged_by(best['held_out'])}" if "held_out" in best else ""
        lowest = f"where KID-MobileNetV2 of 500 flowers{to} was lowest, {best['kid']:.3f}, of all moments judged"
        rows.insert(3, ("chosen", lowest))
    if back := trained.get("rollbacks"):
        times = (f"at {one['back_to']:,} images, diverged at {one['reached']:,}" for one in back)
        rows.append(("learning rate halved", "; ".join(times)))
    if trained.get("critic_lr"):
        rows.insert(1 + [row[0] for row in rows].index("Adam"), ("critic's learning rate", f"{trained['critic_lr']:g}"))
    if trained.get("start_from"):
        more = f" ({begun['images']:,} images, {begun['hours']:.2f} hours, not counted below)" if begun.get("images") else ""
        warm = f"; the first {trained['critic_warm_up']:,} images for the critic alone" if trained.get("critic_warm_up") else ""
        rows.insert(2, ("begun as", f"{trained['start_from']}{more}{warm}"))
    return rows


def evaluation_section(scores: dict[str, Any]) -> list[str]:
    """The figures of an evaluation (scores.summary) as a table, a column a class, and how they were taken."""
    parts, settings, reference = scores["parts"], scores["settings"], scores["reference"]
    names = {"kid": settings["kid_name"], "fd": settings["fd_name"], "fd_equal": f"{settings['fd_name']} at equal n"}
    names["auc"] = "two-sample AUC"
    names |= {f"{name}_{k}": f"{name}, k = {k}" for name in ("precision", "recall", "density", "coverage") for k in (3, 5)}
    lines = [f"| | {' | '.join(map(_cell, parts))} | two halves of the photos |", "| --- |" + " ---: |" * (len(parts) + 1)]
    for key, name in names.items():
        measures = [part.get(key) for part in parts.values()]
        if any(measures):
            cells = [number(measure["value"], measure["error"]) if measure else MISSING for measure in measures]
            floor = measures[0] or {}
            lines.append(f"| {name} | {' | '.join(cells)} | {number(floor.get('floor'), floor.get('floor_error'))} |")
    if probe := scores.get("probe"):
        cells = [f"{share(probe['generated_accuracy'][part])} ({share(probe['real_accuracy'][part])})" for part in parts]
        lines.append(f"| class seen as asked (of photos) | {' | '.join(cells)} | |")
    if copied := scores.get("copies"):
        blanks = " |" * (len(parts) - 1)
        lines.append(
            f"| nearer to a training photo than the nearest 1 % of held-out photos are | "
            f"{share(copied['below_1st_percentile'])} |{blanks} {share(copied['held_out_share'])} of those |"
        )
    kept, held = reference["trained_on"], reference["held_out"]
    judged = f"{held:,} held out of training ({reference['held_out_from']})" if held else "none held out"
    return [
        *lines,
        "",
        f"{settings['n']:,} flowers, seeds from {settings['seed']}, truncation {settings['truncation']:g}, compared at "
        f"{settings['compared_at']}×{settings['compared_at']}; photos: {kept:,} trained on (for the distances) and {judged}. "
        f"Feature network {settings['network_label']} (SHA-256 {settings['network_sha256'][:12]}). ± is the standard error; "
        "in the last column it is the spread over ten cuts, at half the photos' number (for the AUC: photos trained on against "
        "those held out). Figures of different n are not comparable but for KID.",
        "",
        "```",
        settings["command"],
        "```",
    ]


def _sides(sides: list[str]) -> str:
    """ "64×64 up to 4,800 images, 128×128 up to 8,000, 256×256 from there on" for ["64:4800", "128:8000", "256"]."""
    parts = [text.split(":") for text in sides]
    return ", ".join(f"{side}×{side} " + (f"up to {int(end[0]):,} images" if end else "from there on") for side, *end in parts)


def _objective(trained: dict[str, Any]) -> str:
    if trained["objective"] == "wgan-gp":
        return f", λ {trained['penalty_weight']:g}"
    if trained["objective"] == "wgan-clip":
        return f", weights within ±{trained['clip']:g}"
    if trained["objective"] == "relativistic":
        return (
            f", γ {trained['penalty_weight']:g} on the slope at photos and at pictures, every {trained['penalty_every']} steps"
        )
    return f", label smoothing {trained['label_smoothing']:g}" + (", noisy labels" if trained["noisy_labels"] else "")


def _table(rows: list[tuple[str, str]]) -> list[str]:
    return ["| | |", "| --- | --- |", *(f"| {_cell(name)} | {_cell(value)} |" for name, value in rows)]


def _cell(text: str) -> str:
    """`text` in one cell of a table: names of classes and folders may hold anything."""
    return plain(text).replace("|", "\\|")
