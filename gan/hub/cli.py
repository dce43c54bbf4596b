"""`python -m gan export MODEL --onnx` and `python -m gan publish MODEL OWNER/NAME`: a model that leaves this computer."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from gan.errors import UserError

# A model → path and content of the files of a page that draws it in the browser (gan/garden). The second argument says where
# its runtime comes from: None: a content network; "": npm; else a folder of the npm package.
Garden = Callable[[Any, str | None], dict[str, bytes]]
VENDOR = "take the page's runtime into its folder, from npm or from FOLDER of its npm package, so that it needs nobody else"


def add_commands(commands: argparse._SubParsersAction, garden: Garden) -> None:
    """Add `export` and `publish`."""
    export = commands.add_parser("export", allow_abbrev=False, help="write a generator for use without PyTorch")
    export.add_argument("model", metavar="MODEL", help="path, bundled name or Hub name of a model")
    kinds = export.add_mutually_exclusive_group(required=True)
    kinds.add_argument("--onnx", action="store_true", help="as an ONNX file")
    kinds.add_argument("--web", action="store_true", help="as a page that draws in the browser: a folder for any host")
    export.add_argument("--vendor", nargs="?", const="", metavar="FOLDER", help=f"with --web: {VENDOR}")
    export.add_argument("--out", type=Path, metavar="PATH", help="where it goes (default MODEL.onnx or MODEL-garden, here)")
    export.add_argument("--force", action="store_true", help="replace what is there already")
    export.set_defaults(do=_export, garden=garden)
    publish = commands.add_parser("publish", allow_abbrev=False, help="put a model on the Hugging Face Hub")
    publish.add_argument("model", metavar="MODEL", help="path or bundled name of a model")
    publish.add_argument("repo", metavar="OWNER/NAME", help="the repository, made where there is none")
    publish.add_argument("--private", action="store_true", help="for its owner's eyes only; an existing public one is refused")
    publish.add_argument(
        "--space", nargs="?", const="gradio", choices=("gradio", "static"),
        help="also make a Space of the same name: gradio, which serves the app with it (the default), or static, a page that "
        "draws in the visitor's browser",
    )  # fmt: skip
    publish.add_argument("--vendor", nargs="?", const="", metavar="FOLDER", help=f"with --space static: {VENDOR}")
    publish.set_defaults(do=_publish, garden=garden)


def _export(args: argparse.Namespace, command: str) -> int:
    if args.web:
        return _export_page(args)
    if args.vendor is not None:
        raise UserError("--vendor is for a page; add --web, or leave it out.")
    return _export_onnx(args)


def _export_page(args: argparse.Namespace) -> int:
    from gan.hub import loader, onnx_export
    from gan.utils.files import check_writable, write_atomic
    from gan.utils.names import file_stem

    onnx_export.check_installed()
    model = loader.load(args.model)
    out: Path = args.out or Path(f"{file_stem(model.title)}-garden")
    check_writable(out.parent if not out.exists() else out, "choose another --out")
    if out.exists() and any(out.iterdir()):
        ours = (out / "facts.js").exists()  # of a page that was exported before
        if not (ours and args.force):
            force = ", or add --force to replace the page in it" if ours else ""
            raise UserError(f"{out} is not empty, and nothing was written; choose another --out{force}.")
    files = args.garden(model, args.vendor)
    graphs = {path.rpartition("-")[0] for path in files if path.endswith(".onnx")}
    for old in (old for name in graphs for old in out.glob(f"{name}-????????????.onnx")):
        if old.name not in files:
            old.unlink()  # of the model that was there
    for path, content in files.items():
        write_atomic(out / path, content)
    print(f"{out}: {sum(map(len, files.values())) / 1e6:.1f} MB; see it with: python -m http.server --directory {out}")
    return 0


def _export_onnx(args: argparse.Namespace) -> int:
    from gan.hub import loader, onnx_export
    from gan.utils.files import check_writable, write_atomic
    from gan.utils.names import file_stem

    onnx_export.check_installed()
    model = loader.load(args.model)
    out = args.out or Path(f"{file_stem(model.title)}.onnx")
    check_writable(out.parent, "choose another --out")
    if out.exists() and (not args.force or out.is_dir()):
        raise UserError(f"{out} is there already, and nothing was written; choose another --out" + (
            "." if out.is_dir() else ", or add --force."
        ))  # fmt: skip
    if out.suffix.lower() != ".onnx":
        raise UserError(f"--out {out} would be an ONNX file of another name; give it one that ends in .onnx.")
    content, differs = onnx_export.onnx_file(model)
    write_atomic(out, content)
    size = f"{len(content) / 1e6:.1f} MB"
    print(f"{out}: {size}; {onnx_export.CHECKED} flowers differ by {differs} of 255 at most from PyTorch's")
    return 0


def _publish(args: argparse.Namespace, command: str) -> int:
    from gan.hub import loader, publish, spaces

    publish.check_publishing(args.repo)
    model = loader.load(args.model)
    if model.folder is None or model.source not in ("path", "bundled"):
        raise UserError(f"a model folder is published, and '{args.model}' is none on this computer; fetch it first.")
    if args.vendor is not None and args.space != "static":
        raise UserError("--vendor is for a page; add --space static, or leave it out.")
    config, page = model.generator.config, {}
    if args.space == "gradio":
        spaces.app_files()  # refused before anything is sent
    elif args.space:
        page = args.garden(replace(model, name=args.repo, source="hub"), args.vendor)
    print(f"the model: {publish.publish(model.folder, args.repo, private=args.private)}")
    if args.space == "gradio":
        print(f"the Space: {spaces.publish_space(args.repo, config, private=args.private)}")
    elif args.space:
        print(f"the Space: {spaces.publish_static(args.repo, config, page, private=args.private)}")
    if args.space == "gradio" and args.private:
        print("A Space reads a private model with a token only: add a secret HF_TOKEN, one that may read it, in its settings.")
    return 0
