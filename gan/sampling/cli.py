"""The commands `sample`: flowers as PNG files, the same as the app's; and `film`: flowers that turn into one another."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from gan.errors import UserError


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add `sample` and `film`."""
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
    _add_film(commands)


def _add_film(commands: argparse._SubParsersAction) -> None:
    film = commands.add_parser("film", allow_abbrev=False, help="draw a film, or many side by side, as MP4, GIF or WebP")
    film.add_argument("model", metavar="MODEL", help="path, bundled name or Hub name of a model")
    add = film.add_argument
    add("--seeds", required=True, metavar="A,B,C", help="the flowers that the film goes through, two or more, with commas")
    add("--class", dest="label", metavar="NAME", help="this class only (default: one for each seed, as the app has it)")
    add("--truncation", metavar="X", help="0.01 to 3, or off (default: the model's own)")
    add("--grid", default="1x1", metavar="CxR", help="so many films side by side, columns x rows, up to 6x6 (default 1x1)")
    add("--paths", default="own", choices=("own", "same"), help="own: the seeds of each film are one higher than those of the "
        "one before; same: all take one path, and each starts further along it (default own)")  # fmt: skip
    add(
        "--path", default="spherical", choices=("spherical", "straight"), help="the way between two flowers (default spherical)"
    )
    add("--seconds", type=float, default=12.0, metavar="X", help="1 to 120 (default 12)")
    add("--open", action="store_true", help="end at the last flower; by default the film goes on to the first, and repeats "
        "without a jump")  # fmt: skip
    add("--out", type=Path, required=True, metavar="FILE", help="the file: .mp4, .gif or .webp")
    add("--force", action="store_true", help="replace a file that is there already")
    film.set_defaults(do=_film)


def _sample(args: argparse.Namespace, command: str) -> int:
    from gan.hub import loader
    from gan.networks.latents import default_truncation
    from gan.sampling import sample_files
    from gan.sampling.flower import grid_flowers
    from gan.utils import validation

    model = loader.load(args.model)
    config = model.generator.config
    label = _label(config.classes, args.label)
    truncation = default_truncation(config.scores) if args.truncation is None else _level(args.truncation)
    count = validation.whole("count", args.count, 1, sample_files.MOST)
    flowers = [flower.resolve(len(config.classes)) for flower in grid_flowers(label, args.seed, truncation, count)]
    for path in sample_files.write(args.out, model, flowers, grid=args.grid, force=args.force):
        print(path)
    return 0


def _film(args: argparse.Namespace, command: str) -> int:
    from gan.hub import loader
    from gan.networks.latents import default_truncation
    from gan.sampling import films
    from gan.sampling.flower import Flower
    from gan.sampling.sampler import Sampler
    from gan.utils.files import check_writable, write_atomic

    kind = args.out.suffix.lower().removeprefix(".")
    if kind not in films.KINDS:
        raise UserError(f"--out {args.out} is no film; give it a name that ends in .{', .'.join(films.KINDS)}.")
    check_writable(args.out.parent, "choose another place")
    if args.out.exists() and not args.force:
        raise UserError(f"{args.out} is there already, and nothing was drawn; choose another name, or add --force.")
    seeds, (columns, rows) = films.read_seeds(args.seeds), films.read_grid(args.grid)
    model = loader.load(args.model)
    config = model.generator.config
    label = _label(config.classes, args.label)
    truncation = default_truncation(config.scores) if args.truncation is None else _level(args.truncation)
    flowers = tuple(Flower(label, seed, truncation) for seed in seeds)
    film = films.FilmGrid(flowers, columns, rows, args.seconds, args.paths, not args.open, args.path).check()
    sampler = Sampler(model.generator)
    try:
        write_atomic(args.out, films.encode(films.draw(sampler, film), kind))
    finally:
        sampler.close()
    print(args.out)
    return 0


def _label(classes: Sequence[str], name: str | None) -> int | None:
    """The class of --class; None where it was not given. Raises UserError, also for a name given to a model without classes."""
    from gan.sampling.flower import check_label, every

    if name is not None and len(classes) == 1 and name not in (*classes, every(classes)):
        raise UserError(f"the class is '{name}', and this model draws '{classes[0]}' only; leave out --class.")
    return check_label(classes, every(classes) if name is None else name)


def _level(text: str) -> float | None:
    """A truncation, written as in the app's address: a number, or "off". Raises UserError."""
    from gan.sampling.flower import read_level

    try:
        return read_level(text)
    except ValueError:
        raise UserError(f"the truncation is '{text}'; use a number from 0.01 to 3, or off.") from None
