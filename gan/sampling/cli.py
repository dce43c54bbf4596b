"""The command `python -m gan sample MODEL --out FOLDER`: flowers as PNG files, the same as the app's."""

from __future__ import annotations

import argparse
from pathlib import Path

from gan.errors import UserError


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add `sample`."""
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
    sample.set_defaults(do=_sample)


def _sample(args: argparse.Namespace, command: str) -> int:
    from gan.hub import loader
    from gan.networks.latents import default_truncation
    from gan.sampling import sample_files
    from gan.sampling.flower import check_label, every, grid_flowers
    from gan.utils import validation

    model = loader.load(args.model)
    config = model.generator.config
    label = check_label(config.classes, args.label if args.label is not None else every(config.classes))
    truncation = default_truncation(config.scores) if args.truncation is None else _level(args.truncation)
    count = validation.whole("count", args.count, 1, sample_files.MOST)
    flowers = [flower.resolve(len(config.classes)) for flower in grid_flowers(label, args.seed, truncation, count)]
    for path in sample_files.write(args.out, model, flowers, grid=args.grid, force=args.force):
        print(path)
    return 0


def _level(text: str) -> float | None:
    """A truncation, written as in the app's address: a number, or "off". Raises UserError."""
    from gan.sampling.flower import read_level

    try:
        return read_level(text)
    except ValueError:
        raise UserError(f"the truncation is '{text}'; use a number from 0.01 to 3, or off.") from None
