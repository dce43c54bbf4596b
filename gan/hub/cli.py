"""`python -m gan export MODEL --onnx` and `python -m gan publish MODEL OWNER/NAME`: a model that leaves this computer."""

from __future__ import annotations

import argparse
from pathlib import Path

from gan.errors import UserError


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add `export` and `publish`."""
    export = commands.add_parser("export", allow_abbrev=False, help="write a generator for use without PyTorch")
    export.add_argument("model", metavar="MODEL", help="path, bundled name or Hub name of a model")
    export.add_argument("--onnx", action="store_true", required=True, help="as an ONNX file")
    export.add_argument("--out", type=Path, metavar="FILE", help="where it goes (default MODEL.onnx, in this folder)")
    export.add_argument("--force", action="store_true", help="replace a file that is there already")
    export.set_defaults(do=_export)
    publish = commands.add_parser("publish", allow_abbrev=False, help="put a model on the Hugging Face Hub")
    publish.add_argument("model", metavar="MODEL", help="path or bundled name of a model")
    publish.add_argument("repo", metavar="OWNER/NAME", help="the repository, made where there is none")
    publish.add_argument("--private", action="store_true", help="for its owner's eyes only; an existing public one is refused")
    publish.add_argument("--space", action="store_true", help="also make a Space of the same name that serves the app with it")
    publish.set_defaults(do=_publish)


def _export(args: argparse.Namespace, command: str) -> int:
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
    if args.space:
        spaces.app_files()  # refused before anything is sent
    print(f"the model: {publish.publish(model.folder, args.repo, private=args.private)}")
    if args.space:
        print(f"the Space: {spaces.publish_space(args.repo, model.generator.config, private=args.private)}")
    if args.space and args.private:
        print("A Space reads a private model with a token only: add a secret HF_TOKEN, one that may read it, in its settings.")
    return 0
