"""Judge models from the command line: `python -m gan evaluate MODEL PHOTOS`, `python -m gan compare MODEL… PHOTOS`; and index
the photos of one, for the page that shows copies: `python -m gan index-photos MODEL PHOTOS`. Use them, too:
`python -m gan sample MODEL --out FOLDER`, `python -m gan export MODEL --onnx`, `python -m gan publish MODEL owner/name`.
Before a training, look at its photos: `python -m gan doctor PHOTOS`.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import sys
import time
from collections.abc import Callable, Container
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan.errors import UserError
from gan.utils.terminal import command as shell_command
from gan.utils.terminal import line, unbreakable

if TYPE_CHECKING:
    from gan.evaluation.evaluate import Evaluation, Settings
    from gan.evaluation.features import FeatureNetwork
    from gan.hub.loader import Model


_PHOTOS = "folder of photos (a .zip, or hf://datasets/owner/name)"


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line; argparse itself exits with 2 and a sentence where it can't be read."""
    parser = argparse.ArgumentParser(prog="python -m gan", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(dest="what", required=True)
    common = argparse.ArgumentParser(add_help=False)
    add = common.add_argument
    add(
        "--reference",
        type=Path,
        metavar="HELD_OUT",
        help="a folder of photos no model was trained on (default: the --holdout of the training)",
    )
    add(
        "--classes", nargs="+", action="extend", default=[], metavar="NAME",
        help="judge these classes only (default: all the model draws)",
    )  # fmt: skip
    add("-n", type=int, metavar="N", help="how many flowers (default 2000; compare: 1000)")
    add(
        "--network",
        default="mobilenetv2",
        metavar="NAME",
        help="mobilenetv2 (default), efficientnet-lite0, inception, or a TorchScript file",
    )
    add("--device", default="auto", metavar="NAME", help="of the feature network: auto, cpu, cuda or mps (default auto)")
    add("--seed", type=int, default=0, metavar="N", help="of the first flower (default 0)")
    add("--truncation", type=float, metavar="X", help="default: the one with the best KID; compare: each model's own")
    add(
        "--resolution",
        type=int,
        metavar="N",
        help="side to compare at (default the model's; compare: the largest of the models')",
    )
    add(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="where the report goes (default evaluations/MODEL; compare: evaluations/compare)",
    )
    one = commands.add_parser("evaluate", parents=[common], allow_abbrev=False, help="judge one model")
    one.add_argument("model", metavar="MODEL", help="path, bundled name or Hub name of a model")
    one.add_argument("photos", metavar="PHOTOS", help=f"the {_PHOTOS} it was trained on")
    one.add_argument("--card", action="store_true", help="also write the figures into the model's config.json and card")
    several = commands.add_parser("compare", parents=[common], allow_abbrev=False, help="put models side by side")
    several.add_argument("models", metavar="MODEL", nargs="+", help="path, bundled name or Hub name of a model")
    several.add_argument("photos", metavar="PHOTOS", help=f"the {_PHOTOS} they were trained on")
    memory = commands.add_parser("index-photos", allow_abbrev=False, help="write features of its photos into a model folder")
    memory.add_argument("model", metavar="MODEL", help="path or bundled name of a model")
    memory.add_argument("photos", metavar="PHOTOS", help=f"the {_PHOTOS} it was trained on")
    memory.add_argument(
        "--network", default="efficientnet-lite0", choices=("efficientnet-lite0", "mobilenetv2"),
        help="whose features (default efficientnet-lite0, which the app installs)",
    )  # fmt: skip
    for command in (one, several, memory):
        command.add_argument("--manifest", type=Path, metavar="FILE", help="the manifest.csv given to train.py, if one was")
    _add_doctor(commands)
    _add_uses(commands)
    return parser.parse_args(argv)


def _add_doctor(commands: argparse._SubParsersAction) -> None:
    doctor = commands.add_parser(
        "doctor",
        allow_abbrev=False,
        help="say what is wrong with photos, before a training",
        description="Look at photos as a training would: what cannot be read, near-duplicates, small and blurred photos, "
        "imbalance. Writes doctor.json, a contact sheet a class (red: left out, orange: small), and manifest.csv, which "
        "train.py --manifest takes. Nothing is deleted.",
        epilog="exit codes: 0 nothing to complain about, 1 something found, 2 it could not be done, 130 interrupted",
    )
    doctor.add_argument("photos", metavar="PHOTOS", help=f"the {_PHOTOS} to look at")
    add = doctor.add_argument
    add("--out", type=Path, metavar="FOLDER", help="where the files go (default runs/doctor-PHOTOS)")
    add("--classes", nargs="+", action="extend", default=[], metavar="NAME", help="these sub-folders only")
    add("--resolution", type=int, metavar="N", help="pixels a side of the training (default: what --preset auto would choose)")


def _add_uses(commands: argparse._SubParsersAction) -> None:
    """The commands for a model that is done."""
    sample = commands.add_parser("sample", allow_abbrev=False, help="draw flowers into PNG files, the same as the app's")
    sample.add_argument("model", metavar="MODEL", help="path, bundled name or Hub name of a model")
    add = sample.add_argument
    add("--class", dest="label", metavar="NAME", help="this class only (default: one for each seed, as the app has it)")
    add("--seed", type=int, default=0, metavar="N", help="of the first flower (default 0)")
    add("--count", type=int, default=1, metavar="N", help="how many flowers, their seeds following on (default 1)")
    add("--truncation", metavar="X", help="0.01 to 3, or off (default: the model's own)")
    add("--out", type=Path, required=True, metavar="FOLDER", help="where the files go")
    add("--grid", type=Path, metavar="FILE", help="also put all of them into one PNG file")
    add("--force", action="store_true", help="replace files that are there already")
    export = commands.add_parser("export", allow_abbrev=False, help="write a generator for use without PyTorch")
    export.add_argument("model", metavar="MODEL", help="path, bundled name or Hub name of a model")
    export.add_argument("--onnx", action="store_true", required=True, help="as an ONNX file")
    export.add_argument("--out", type=Path, metavar="FILE", help="where it goes (default MODEL.onnx, in this folder)")
    export.add_argument("--force", action="store_true", help="replace a file that is there already")
    publish = commands.add_parser("publish", allow_abbrev=False, help="put a model on the Hugging Face Hub")
    publish.add_argument("model", metavar="MODEL", help="path or bundled name of a model")
    publish.add_argument("repo", metavar="OWNER/NAME", help="the repository, made where there is none")
    publish.add_argument("--private", action="store_true", help="for its owner's eyes only; an existing public one is refused")
    publish.add_argument("--space", action="store_true", help="also make a Space of the same name that serves the app with it")


@unbreakable()
def main(argv: list[str] | None = None) -> int:
    """Do it; the exit code: 0 done, 1 the doctor found something, 2 something the user can mend, 130 interrupted."""
    words = sys.argv[1:] if argv is None else argv
    args = parse(argv)
    try:
        what = {
            "evaluate": _evaluate, "compare": _compare, "index-photos": _index_photos, "sample": _sample, "export": _export,
            "publish": _publish, "doctor": _doctor,
        }[args.what]  # fmt: skip
        return what(args, shlex.join(["python", "-m", "gan", *words]))
    except UserError as error:
        _complain(f"error: {error}")
        return 2
    except KeyboardInterrupt:
        _complain("stopped")
        return 130
    except OSError as error:
        out = getattr(args, "out", None)
        mend = "choose another --out" if hasattr(args, "out") else "see to that, and try again"
        place = f" ({error.filename or out})" if error.filename or out else ""
        _complain(f"error: {error.strerror or error}{place}; {mend}.")
        return 2


def _evaluate(args: argparse.Namespace, command: str) -> int:
    from gan.evaluation import report
    from gan.evaluation.evaluate import called
    from gan.hub import loader
    from gan.utils.files import check_writable, write_atomic

    settings, network = _settings(args, command, 2000), _network(args)
    model = loader.load(args.model)
    out = args.out or Path("evaluations") / called(model)
    check_writable(out, "choose another --out")
    if args.card and model.source not in ("path", "bundled"):
        raise UserError(f"--card writes into a model folder, and '{args.model}' is none on this computer; fetch it first.")
    if args.card:
        check_writable(model.folder, "leave out --card")
    found = _judge(args, model, network, settings, args.resolution or model.generator.config.resolution)
    write_atomic(out / "evaluation.json", _json(found.result))
    write_atomic(out / "evaluation.html", report.page(found.result, found.pictures).encode())
    print(report.table(found.result))
    if args.card:
        from gan.evaluation.scores import write_scores

        if loader.load(args.model).revision != model.revision:
            raise UserError(f"{model.folder} has other weights by now, so its card was left as it is; evaluate it again.")
        write_scores(model.folder, found.result)
        print(f"written into {model.folder}")
    print(f"the report, with pictures: {out / 'evaluation.html'}")
    return 0


def _compare(args: argparse.Namespace, command: str) -> int:
    from gan.evaluation import report
    from gan.hub import loader
    from gan.networks.latents import default_truncation
    from gan.utils.files import check_writable, write_atomic

    out = args.out or Path("evaluations") / "compare"
    check_writable(out, "choose another --out")
    settings, network = _settings(args, command, 1000), _network(args)
    models = [loader.load(name) for name in args.models]
    side = args.resolution or max(model.generator.config.resolution for model in models)
    results, pictures = [], {}
    for model in models:
        own = (
            settings
            if args.truncation is not None
            else replace(settings, truncation=default_truncation(model.generator.config.scores))
        )
        found = _judge(args, model, network, own, side)
        found.result["model"] = _unlike(pictures, found.result["model"])
        results.append(found.result)
        pictures[found.result["model"]] = found.pictures["samples"]
    write_atomic(out / "comparison.json", _json(results))
    write_atomic(out / "comparison.html", report.comparison_page(results, pictures).encode())
    write_atomic(out / "comparison.md", report.comparison_markdown(results).encode())
    print(report.comparison_table(results))
    print(f"the report, with pictures: {out / 'comparison.html'}")
    return 0


def _index_photos(args: argparse.Namespace, command: str) -> int:
    from gan.evaluation import photo_index
    from gan.evaluation.evaluate import called
    from gan.evaluation.features import find_network
    from gan.evaluation.reference import load_reference
    from gan.hub import loader
    from gan.utils.files import check_writable

    network, model = find_network(args.network), loader.load(args.model)
    if model.source not in ("path", "bundled"):
        raise UserError(f"this writes into a model folder, and '{args.model}' is none on this computer; fetch it first.")
    check_writable(model.folder, "copy the model to a folder of yours")
    show, config = _progress(called(model)), model.generator.config
    progress = lambda done, total: show("reading photos", done, total)  # noqa: E731
    folder, keep = _photos(args, show)
    reference = load_reference(folder, config, config.resolution, progress=progress, keep=keep)
    for note in reference.notes:
        _complain(f"note: {note}")
    found = photo_index.index_photos(reference, config, network, show)
    size = photo_index.write(model.folder, found)
    print(
        f"{photo_index.PHOTO_INDEX} in {model.folder}: features of {len(found.trained.labels)} photos trained on and "
        f"{len(found.held_out.labels)} held out, {size / 1e6:.1f} MB"
    )
    return 0


def _sample(args: argparse.Namespace, command: str) -> int:
    from gan.hub import loader
    from gan.networks.latents import default_truncation
    from gan.sampling import sample_files as sample
    from gan.sampling import settings
    from gan.sampling.sampler import grid_flowers
    from gan.utils import validation

    model = loader.load(args.model)
    config = model.generator.config
    label = settings.check_label(config.classes, args.label if args.label is not None else settings.every(config.classes))
    truncation = default_truncation(config.scores) if args.truncation is None else _level(args.truncation)
    count = validation.whole("count", args.count, 1, sample.MOST)
    flowers = [flower.resolve(len(config.classes)) for flower in grid_flowers(label, args.seed, truncation, count)]
    for path in sample.write(args.out, model, flowers, grid=args.grid, force=args.force):
        print(path)
    return 0


def _level(text: str) -> float | None:
    """A truncation as the app's address has it. Raises UserError."""
    from gan.sampling import settings

    try:
        return settings.read_level(text)
    except ValueError:
        raise UserError(f"the truncation is '{text}'; use a number from 0.01 to 3, or off.") from None


def _export(args: argparse.Namespace, command: str) -> int:
    from gan.hub import loader
    from gan.hub import onnx_export as export
    from gan.sampling import settings
    from gan.utils.files import check_writable, write_atomic

    export.check_installed()
    model = loader.load(args.model)
    out = args.out or Path(f"{settings.file_stem(model.title)}.onnx")
    check_writable(out.parent, "choose another --out")
    if out.exists() and (not args.force or out.is_dir()):
        raise UserError(f"{out} is there already, and nothing was written; choose another --out" + (
            "." if out.is_dir() else ", or add --force."
        ))  # fmt: skip
    if out.suffix.lower() != ".onnx":
        raise UserError(f"--out {out} would be an ONNX file of another name; give it one that ends in .onnx.")
    content, differs = export.onnx_file(model)
    write_atomic(out, content)
    print(f"{out}: {len(content) / 1e6:.1f} MB; {export.CHECKED} flowers differ by {differs} of 255 at most from PyTorch's")
    return 0


def _publish(args: argparse.Namespace, command: str) -> int:
    from gan.hub import loader, spaces

    loader.check_publishing(args.repo)
    model = loader.load(args.model)
    if model.source not in ("path", "bundled"):
        raise UserError(f"a model folder is published, and '{args.model}' is none on this computer; fetch it first.")
    if args.space:
        spaces.app_files()  # refused before anything is sent
    print(f"the model: {loader.publish(model.folder, args.repo, private=args.private)}")
    if args.space:
        print(f"the Space: {spaces.publish_space(args.repo, model.generator.config, private=args.private)}")
    if args.space and args.private:
        print("A Space reads a private model with a token only: add a secret HF_TOKEN, one that may read it, in its settings.")
    return 0


def _doctor(args: argparse.Namespace, command: str) -> int:
    from gan.config import MAX_RESOLUTION
    from gan.data import doctor
    from gan.data.image_folder import find_photos
    from gan.data.manifest import table
    from gan.data.sources import photo_folder
    from gan.runs.auto_preset import choose
    from gan.utils import validation
    from gan.utils.device import pick_device
    from gan.utils.files import check_writable, name_of, write_atomic
    from gan.utils.images import png

    if args.resolution is not None:
        validation.whole("--resolution", args.resolution, 8, MAX_RESOLUTION)
    show = _progress("doctor")
    folder = photo_folder(args.photos, lambda done, total: show("preparing photos", done, total))
    files = find_photos(folder, args.classes)
    args.out = out = args.out or Path("runs") / f"doctor-{name_of(folder.resolve(), 'photos')}"
    if out.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"--out {out} lies inside the photos, where it would be taken for one of them; choose another --out.")
    check_writable(out, "choose another --out")
    resolution = args.resolution or choose(pick_device("auto"), files).resolution
    found = doctor.examine(folder, resolution, args.classes, lambda done, total: show("photos", done, total))
    write_atomic(out / "doctor.json", _json(doctor.summary(found, args.photos)))
    write_atomic(out / "manifest.csv", table(doctor.rows(found)))
    for number, (label, sheet) in enumerate(doctor.sheets(found)):
        write_atomic(out / f"sheet-{number:02d}-{re.sub('[^A-Za-z0-9]', '_', label)[:60]}.png", png(sheet))
    print(doctor.report(found, args.photos))
    print(f"written into {out}: doctor.json, manifest.csv, and a sheet for each class")
    if sum(found.kept.values()) < len(found.photos):
        words = ["python", "train.py", args.photos, "--manifest", str(out / "manifest.csv")]
        print(f"train on what is kept: {shell_command(words)}")
    return 0 if found.sound else 1


def _photos(args: argparse.Namespace, show: Callable[[str, int, int], object]) -> tuple[Path, Any]:
    """The folder of PHOTOS, and what takes of its files those that --manifest keeps. Raises UserError."""
    from gan.data.manifest import manifest_filter
    from gan.data.sources import photo_folder

    folder = photo_folder(args.photos, lambda done, total: show("preparing photos", done, total))
    return folder, manifest_filter(args.manifest, folder) if args.manifest else None


def _judge(
    args: argparse.Namespace, model: Model, network: FeatureNetwork, settings: Settings, side: int
) -> Evaluation:  # fmt: skip
    from gan.evaluation.evaluate import called, evaluate
    from gan.evaluation.reference import load_reference

    show = _progress(called(model))
    progress = lambda done, total: show("photos", done, total)  # noqa: E731
    folder, keep = _photos(args, show)
    reference = load_reference(folder, model.generator.config, side, args.reference, args.classes, progress, keep)
    return evaluate(model, reference, network, settings, thorough=args.what == "evaluate", progress=show)


def _settings(args: argparse.Namespace, command: str, n: int) -> Settings:
    """What the flags say. Raises UserError."""
    from gan.config import MAX_RESOLUTION
    from gan.evaluation.evaluate import Settings
    from gan.utils import validation

    if args.resolution is not None:
        validation.whole("--resolution", args.resolution, 16, MAX_RESOLUTION)
    return Settings(args.n if args.n is not None else n, args.seed, args.truncation, command).validate()


def _network(args: argparse.Namespace) -> FeatureNetwork:
    from gan.evaluation.features import find_network
    from gan.utils.device import pick_device

    if not (find_spec("torchmetrics") and find_spec("sklearn")):
        raise UserError("judging needs torchmetrics and scikit-learn; run pip install -r requirements-dev.txt.")
    return find_network(args.network, pick_device(args.device))


def _unlike(names: Container[str], name: str) -> str:
    """`name`, with a number behind it where it is already among `names`: two folders of one name."""
    return next(new for new in (name, *(f"{name} ({i})" for i in range(2, 1000))) if new not in names)


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _complain(text: str) -> None:
    """Say `text` in place of the progress that stands in its line."""
    print((line() if sys.stderr.isatty() else "") + text, file=sys.stderr)


def _progress(name: str) -> Callable[[str, int, int], object]:
    """One line on a terminal that says what is being done; a line a stage elsewhere."""
    last = ["", 0.0]

    def show(stage: str, done: int, total: int) -> None:
        if sys.stderr.isatty():
            if time.monotonic() - last[1] > 0.1 or done == total:
                last[1] = time.monotonic()
                print(line(f"{name}: {stage} {done:,}/{total:,}"), end="", file=sys.stderr, flush=True)
                if done == total:
                    print(line(), end="", file=sys.stderr)
        elif stage != last[0]:
            print(f"{name}: {stage}", file=sys.stderr, flush=True)
        last[0] = stage

    return show


if __name__ == "__main__":
    sys.exit(main())
