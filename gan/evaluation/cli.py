"""The commands `python -m gan evaluate`, `compare` and `index-photos`."""

from __future__ import annotations

import argparse
from collections.abc import Container
from dataclasses import replace
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
    """Add `evaluate`, `compare` and `index-photos`."""
    common = _common()
    one = commands.add_parser("evaluate", parents=[common], allow_abbrev=False, help="judge one model")
    one.add_argument("model", metavar="MODEL", help="path, bundled name or Hub name of a model")
    one.add_argument("photos", metavar="PHOTOS", help=f"the {PHOTOS} it was trained on")
    one.add_argument("--card", action="store_true", help="also write the figures into the model's config.json and card")
    one.set_defaults(do=_evaluate, thorough=True)
    several = commands.add_parser("compare", parents=[common], allow_abbrev=False, help="put models side by side")
    several.add_argument("models", metavar="MODEL", nargs="+", help="path, bundled name or Hub name of a model")
    several.add_argument("photos", metavar="PHOTOS", help=f"the {PHOTOS} they were trained on")
    several.set_defaults(do=_compare, thorough=False)
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
    for command in (one, several, index):
        command.add_argument("--manifest", type=Path, metavar="FILE", help="the manifest.csv given to train.py, if one was")


def _common() -> argparse.ArgumentParser:
    """The options of `evaluate` and `compare`."""
    common = argparse.ArgumentParser(add_help=False)
    add = common.add_argument
    add("--reference", type=Path, metavar="HELD_OUT",
        help="a folder of photos no model was trained on (default: the --holdout of the training)")  # fmt: skip
    add("--classes", nargs="+", action="extend", default=[], metavar="NAME",
        help="judge these classes only (default: all the model draws)")  # fmt: skip
    add("-n", type=int, metavar="N", help="how many flowers (default 2000; compare: 1000)")
    add("--network", default="mobilenetv2", metavar="NAME",
        help="mobilenetv2 (default), efficientnet-lite0, dinov2, inception, or a TorchScript file")  # fmt: skip
    add("--device", default="auto", metavar="NAME", help="of the feature network: auto, cpu, cuda or mps (default auto)")
    add("--seed", type=int, default=0, metavar="N", help="of the first flower (default 0)")
    add("--truncation", type=float, metavar="X", help="default: the one with the best KID; compare: each model's own")
    add("--resolution", type=int, metavar="N",
        help="side to compare at (default the model's; compare: the largest of the models')")  # fmt: skip
    add("--out", type=Path, metavar="FOLDER",
        help="where the report goes (default evaluations/MODEL; compare: evaluations/compare)")  # fmt: skip
    return common


def _evaluate(args: argparse.Namespace, command: str) -> int:
    from gan.evaluation import report
    from gan.evaluation.evaluate import display_name
    from gan.hub import loader
    from gan.utils.files import check_writable, json_bytes, write_atomic

    settings, network = _settings(args, command, 2000), _network(args)
    model = loader.load(args.model)
    out = args.out or Path("evaluations") / display_name(model)
    check_writable(out, "choose another --out")
    folder = _model_folder(model, f"--card writes into a model folder, and '{args.model}'") if args.card else None
    if folder:
        check_writable(folder, "leave out --card")
    found = _judge(args, model, network, settings, args.resolution or model.generator.config.resolution)
    write_atomic(out / "evaluation.json", json_bytes(found.result))
    write_atomic(out / "evaluation.html", report.page(found.result, found.pictures).encode())
    print(report.table(found.result))
    if folder:
        from gan.evaluation.scores import write_scores

        if loader.load(args.model).revision != model.revision:
            raise UserError(f"{folder} has other weights by now, so its card was left as it is; evaluate it again.")
        write_scores(folder, found.result)
        print(f"written into {folder}")
    print(f"the report, with pictures: {out / 'evaluation.html'}")
    return 0


def _compare(args: argparse.Namespace, command: str) -> int:
    from gan.evaluation import report
    from gan.hub import loader
    from gan.networks.latents import default_truncation
    from gan.utils.files import check_writable, json_bytes, write_atomic

    out = args.out or Path("evaluations") / "compare"
    check_writable(out, "choose another --out")
    settings, network = _settings(args, command, 1000), _network(args)
    models = [loader.load(name) for name in args.models]
    side = args.resolution or max(model.generator.config.resolution for model in models)
    results: list[dict[str, Any]] = []
    pictures: dict[str, np.ndarray] = {}
    for model in models:
        own = settings
        if args.truncation is None:
            own = replace(settings, truncation=default_truncation(model.generator.config.scores))
        found = _judge(args, model, network, own, side)
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


def _judge(args: argparse.Namespace, model: Model, network: FeatureNetwork, settings: Settings, side: int) -> Evaluation:
    from gan.evaluation.evaluate_model import evaluate_model

    return evaluate_model(
        model, args.photos, n=settings.n, seed=settings.seed, truncation=settings.truncation, network=network,
        reference=args.reference, classes=args.classes, resolution=side, manifest=args.manifest, thorough=args.thorough,
        command=settings.command,
    )  # fmt: skip


def _settings(args: argparse.Namespace, command: str, n: int) -> Settings:
    """The settings that the flags give; `n` is the default of -n. Raises UserError."""
    from gan.config import MAX_RESOLUTION
    from gan.evaluation.evaluate import Settings
    from gan.utils import validation

    if args.resolution is not None:
        validation.whole("--resolution", args.resolution, 16, MAX_RESOLUTION)
    return Settings(args.n if args.n is not None else n, args.seed, args.truncation, command).validate()


def _network(args: argparse.Namespace) -> FeatureNetwork:
    from gan.evaluation.evaluate_model import find_judging_network

    return find_judging_network(args.network, args.device)


def _model_folder(model: Model, why: str) -> Path:
    """The folder of a model on this computer. Raises UserError, with `why`, for any other."""
    if model.folder is None or model.source not in ("path", "bundled"):
        raise UserError(f"{why} is none on this computer; fetch it first.")
    return model.folder


def _unused(names: Container[str], name: str) -> str:
    """`name`, followed by a number where it is already among `names`: two models may have the same name."""
    return next(new for new in (name, *(f"{name} ({i})" for i in range(2, 1000))) if new not in names)
