"""The commands `python -m gan evaluate`, `compare`, `check-figures`, `index-photos`, `survey`, `survey-results`."""

from __future__ import annotations

import argparse
from collections.abc import Container
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan.data.cli import PHOTOS
from gan.errors import UserError
from gan.utils.terminal import complain, progress

if TYPE_CHECKING:
    import numpy as np

    from gan.evaluation.evaluate import Evaluation, Settings
    from gan.evaluation.features import FeatureNetwork
    from gan.hub.loader import Model


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add the commands of this wing."""
    common = _common()
    one = commands.add_parser("evaluate", parents=[common], allow_abbrev=False, help="judge one model")
    one.add_argument("model", metavar="MODEL", help="path, bundled name or Hub name of a model")
    one.add_argument("photos", metavar="PHOTOS", help=f"the {PHOTOS} it was trained on")
    one.add_argument("--card", action="store_true", help="also write the figures into the model's config.json and card")
    one.set_defaults(do=_evaluate, thorough=True)
    several = commands.add_parser("compare", parents=[common], allow_abbrev=False, help="put models side by side")
    several.add_argument("models", metavar="MODEL", nargs="+", help="path, bundled name or Hub name of a model")
    several.add_argument("photos", metavar="PHOTOS", help=f"the {PHOTOS} they were trained on")
    several.set_defaults(do=_compare, thorough=False, card=False)
    index = commands.add_parser(
        "index-photos",
        allow_abbrev=False,
        help="write features of its photos into a model folder, for the page that shows copies",
    )
    index.add_argument("model", metavar="MODEL", help="path or bundled name of a model")
    index.add_argument("photos", metavar="PHOTOS", help=f"the {PHOTOS} it was trained on")
    index.add_argument(
        "--network", default="efficientnet-lite0", choices=("efficientnet-lite0", "mobilenetv2"),
        help="whose features (default efficientnet-lite0, which the app installs)",
    )  # fmt: skip
    index.set_defaults(do=_index_photos)
    survey = commands.add_parser(
        "survey", allow_abbrev=False, help="write a page on which people say of pictures whether they are photos or drawn"
    )
    survey.add_argument("model", metavar="MODEL", help="path, bundled name or Hub name of a model")
    survey.add_argument("photos", metavar="PHOTOS", help=f"{PHOTOS} of its classes; the page shows some of them")
    survey.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where survey.html and key.json go")
    survey.add_argument("--pairs", type=int, default=40, metavar="N", help="flowers, and as many photos (default 40)")
    survey.add_argument("--seed", type=int, default=0, metavar="N", help="another one gives other pictures (default 0)")
    survey.add_argument("--truncation", type=float, metavar="X", help="of the flowers (default the model's own)")
    survey.set_defaults(do=_survey)
    results = commands.add_parser("survey-results", allow_abbrev=False, help="add up the answers to a survey")
    results.add_argument("key", type=Path, metavar="KEY", help="the key.json of the survey")
    results.add_argument("answers", type=Path, nargs="+", metavar="ANSWERS", help="files of answers, or folders of them")
    results.set_defaults(do=_survey_results)
    again = commands.add_parser("check-figures", allow_abbrev=False, help="take the figures in the cards of models again")
    again.add_argument("photos", metavar="PHOTOS", help=f"the {PHOTOS} they were trained on")
    again.add_argument("models", metavar="MODEL", nargs="*", help="models (default: every bundled one)")
    again.add_argument("-n", type=int, default=600, metavar="N", help="how many flowers, 100 to 50000 (default 600)")
    again.add_argument("--network", action="append", metavar="NAME", help="only what this network saw (default: every one)")
    again.add_argument("--device", default="auto", metavar="NAME", help="of the feature network (default auto)")
    again.set_defaults(do=_check_figures)
    for command in (one, several, index, survey, again):
        command.add_argument("--manifest", type=Path, metavar="FILE", help="the manifest.csv given to train.py, if one was")


def _common() -> argparse.ArgumentParser:
    """The options of `evaluate` and `compare`."""
    common = argparse.ArgumentParser(add_help=False)
    add = common.add_argument
    add("--reference", type=Path, metavar="HELD_OUT",
        help="a folder of photos no model was trained on (default: the --holdout of the training)")  # fmt: skip
    add("--classes", nargs="+", action="extend", default=[], metavar="NAME",
        help="judge these classes only (default: all the model draws)")  # fmt: skip
    add("-n", type=int, metavar="N", help="how many flowers, 100 to 50000 (default 2000; compare: 1000)")
    add("--network", action="append", metavar="NAME",
        help="mobilenetv2 (default), efficientnet-lite0, dinov2, inception, or a TorchScript file; given several times, the "
        "first one judges everything, and the others repeat the metrics")  # fmt: skip
    add("--device", default="auto", metavar="NAME", help="of the feature network: auto, cpu, cuda or mps (default auto)")
    add("--seed", type=int, default=0, metavar="N", help="of the first flower (default 0)")
    add("--truncation", type=float, metavar="X", help="default: the one with the best KID; compare: each model's own")
    add("--resolution", type=int, metavar="N",
        help="side to compare at (default the one the model was trained at; compare: the largest of these)")  # fmt: skip
    add("--out", type=Path, metavar="FOLDER",
        help="where the report goes (default evaluations/MODEL; compare: evaluations/compare)")  # fmt: skip
    return common


def _evaluate(args: argparse.Namespace, command: str) -> int:
    from gan.evaluation import report
    from gan.evaluation.evaluate import display_name
    from gan.hub import loader
    from gan.utils.files import check_writable, json_bytes, write_atomic

    _check_card(args)
    settings, networks = _settings(args, command, 2000), _networks(args)
    model = loader.load(args.model)
    out = args.out or Path("evaluations") / display_name(model)
    check_writable(out, "choose another --out")
    folder = _model_folder(model, f"--card writes into a model folder, and '{args.model}'") if args.card else None
    if folder:
        check_writable(folder, "leave out --card")
    found = _judge(args, model, networks, settings, args.resolution or model.generator.config.trained_side)
    write_atomic(out / "evaluation.json", json_bytes(found.result))
    write_atomic(out / "evaluation.html", report.page(found.result, found.pictures).encode())
    print(report.table(found.result))
    if folder:
        from gan.evaluation.scores import write_scores

        if loader.load(args.model).revision != model.revision:
            raise UserError(f"{folder} has other weights by now, so its card was left as it is; evaluate it again.")
        kept = write_scores(folder, found.result)
        print(f"written into {folder}" + (f"; the card as it was before: {kept}" if kept else ""))
    print(f"the report, with pictures: {out / 'evaluation.html'}")
    return 0


def _compare(args: argparse.Namespace, command: str) -> int:
    from gan.evaluation import report
    from gan.hub import loader
    from gan.utils.files import check_writable, json_bytes, write_atomic

    out = args.out or Path("evaluations") / "compare"
    check_writable(out, "choose another --out")
    settings, networks = _settings(args, command, 1000), _networks(args)
    models = [loader.load(name) for name in args.models]
    side = args.resolution or max(model.generator.config.trained_side for model in models)
    results: list[dict[str, Any]] = []
    pictures: dict[str, np.ndarray] = {}
    for model in models:
        found = _judge(args, model, networks, settings, side)  # without --truncation each at its own
        found.result["model"] = _unused(pictures, found.result["model"])
        results.append(found.result)
        pictures[found.result["model"]] = found.pictures["samples"]
    write_atomic(out / "comparison.json", json_bytes(results))
    write_atomic(out / "comparison.html", report.comparison_page(results, pictures).encode())
    write_atomic(out / "comparison.md", report.comparison_markdown(results).encode())
    print(report.comparison_table(results))
    print(f"the report, with pictures: {out / 'comparison.html'}")
    return 0


def _index_photos(args: argparse.Namespace, command: str) -> int:
    from gan.evaluation import photo_index
    from gan.evaluation.evaluate import display_name
    from gan.evaluation.evaluate_model import open_photos
    from gan.evaluation.features import find_network
    from gan.evaluation.reference import load_reference
    from gan.hub import loader
    from gan.utils.files import check_writable

    network, model = find_network(args.network), loader.load(args.model)
    home = _model_folder(model, f"this writes into a model folder, and '{args.model}'")
    check_writable(home, "copy the model to a folder of yours")
    show, config = progress(display_name(model)), model.generator.config
    read = lambda done, total: show("reading photos", done, total)  # noqa: E731
    folder, keep = open_photos(args.photos, args.manifest, show)
    reference = load_reference(folder, config, config.resolution, progress=read, keep=keep)
    for note in reference.notes:
        complain(f"note: {note}")
    found = photo_index.index_photos(reference, config, network, show)
    size = photo_index.write(home, found)
    print(
        f"{photo_index.PHOTO_INDEX} in {home}: features of {len(found.trained.labels)} photos trained on and "
        f"{len(found.held_out.labels)} held out, {size / 1e6:.1f} MB"
    )
    return 0


def _check_figures(args: argparse.Namespace, command: str) -> int:
    from gan.evaluation import check_figures
    from gan.evaluation.evaluate import display_name
    from gan.evaluation.evaluate_model import find_judging_network, open_photos
    from gan.evaluation.reference import load_reference
    from gan.hub import loader

    chosen = check_figures.chosen([loader.load(name) for name in args.models or loader.bundled()], args.network)
    folder, keep = open_photos(args.photos, args.manifest, progress("photos"))
    found = []
    for model, view in chosen:
        setting, show = view["settings"], progress(display_name(model))
        network = find_judging_network(setting["network"], args.device)
        only = [one for one in view["parts"] if one != "all"]
        reference = load_reference(folder, model.generator.config, setting["compared_at"], only=only, keep=keep)
        checks = check_figures.check(model, view, reference, network, args.n, show)
        found.append((f"{display_name(model)}, {network.label}", checks))
    print(check_figures.table(found))
    wrong = [one for _, checks in found for one in checks if not one.holds]
    print(f"\n{sum(len(checks) for _, checks in found)} figures taken again with {args.n:,} flowers, {len(wrong)} do not hold")
    return 1 if wrong else 0


def _survey(args: argparse.Namespace, command: str) -> int:
    from gan.evaluation import survey
    from gan.evaluation.evaluate_model import open_photos
    from gan.hub import loader
    from gan.networks.latents import check_seed, check_truncation
    from gan.utils import validation
    from gan.utils.files import check_writable

    pairs, seed = validation.whole("--pairs", args.pairs, 1, survey.MAX_PAIRS), check_seed(args.seed)
    truncation = None if args.truncation is None else check_truncation(args.truncation)
    check_writable(args.out, "choose another --out")
    model, show = loader.load(args.model), progress("survey")
    folder, keep = open_photos(args.photos, args.manifest, show)
    survey.make(model, folder, args.out, pairs=pairs, seed=seed, truncation=truncation, keep=keep, progress=show)
    print(f"{args.out / survey.PAGE}: send it to people; it shows {pairs} of your photos, so look at their rights first")
    print(f"{args.out / survey.KEY}: keep it; then python -m gan survey-results {args.out / survey.KEY} ANSWERS …")
    return 0


def _survey_results(args: argparse.Namespace, command: str) -> int:
    from gan.evaluation import survey

    print(survey.table(*survey.add_up(args.key, args.answers)))
    return 0


def _judge(
    args: argparse.Namespace, model: Model, networks: list[FeatureNetwork], settings: Settings, side: int
) -> Evaluation:  # fmt: skip
    from gan.evaluation.evaluate_model import evaluate_model

    return evaluate_model(
        model, args.photos, n=settings.n, seed=settings.seed, truncation=settings.truncation, curve=settings.curve,
        network=networks, reference=args.reference, classes=args.classes, resolution=side, manifest=args.manifest,
        thorough=args.thorough, command=settings.command,
    )  # fmt: skip


def _settings(args: argparse.Namespace, command: str, n: int) -> Settings:
    """The settings that the flags give; `n` is the default of -n. Raises UserError."""
    from gan.config import MAX_RESOLUTION
    from gan.evaluation.evaluate import Settings
    from gan.utils import validation

    if args.resolution is not None:
        validation.whole("--resolution", args.resolution, 16, MAX_RESOLUTION)
    # --card with --truncation measures the curve, too, because the page shows it.
    return Settings(args.n if args.n is not None else n, args.seed, args.truncation, args.card, command).validate()


def _check_card(args: argparse.Namespace) -> None:
    """Raise UserError where --card would write figures of a part of the model, or of photos that check-figures cannot find."""
    if args.card and args.classes:
        raise UserError("--card is for all classes, not for those of --classes; leave out one of the two.")
    if args.card and args.reference:
        raise UserError(
            "--card is for the photos of the training, by which check-figures takes the figures again, not for those of "
            "--reference; leave out one of the two."
        )


def _networks(args: argparse.Namespace) -> list[FeatureNetwork]:
    from gan.evaluation.evaluate_model import find_judging_network
    from gan.evaluation.features import DEFAULT

    return [find_judging_network(name, args.device) for name in dict.fromkeys(args.network or [DEFAULT])]


def _model_folder(model: Model, why: str) -> Path:
    """The folder of a model on this computer. Raises UserError, with `why`, for any other."""
    if model.folder is None or model.source not in ("path", "bundled"):
        raise UserError(f"{why} is none on this computer; fetch it first.")
    return model.folder


def _unused(names: Container[str], name: str) -> str:
    """`name`, followed by a number where it is already among `names`: two models may have the same name."""
    return next(new for new in (name, *(f"{name} ({i})" for i in range(2, 1000))) if new not in names)
