"""`python -m gan doctor PHOTOS`: what is wrong with photos, before a training."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gan.errors import UserError
from gan.utils.files import check_writable, json_bytes, name_of, write_atomic
from gan.utils.terminal import command, progress

PHOTOS = "folder of photos (a .zip, or hf://datasets/owner/name)"
# Class → files, to the side of the pictures that a training would choose.
ChooseSide = Callable[[Mapping[str, Sequence[Path]]], int]


def add_commands(commands: argparse._SubParsersAction, choose_side: ChooseSide) -> None:
    """Add `doctor`. `choose_side` is asked where no --resolution is given."""
    doctor = commands.add_parser(
        "doctor",
        allow_abbrev=False,
        help="say what is wrong with photos, before a training",
        description="Look at photos as a training would: what cannot be read, near-duplicates, small and blurred photos, "
        "imbalance. Writes doctor.json, a contact sheet for each class (red: left out, orange: small), and manifest.csv, which "
        "train.py --manifest takes. Nothing is deleted.",
        epilog="exit codes: 0 nothing to complain about, 1 something found, 2 it could not be done, 130 interrupted",
    )
    doctor.add_argument("photos", metavar="PHOTOS", help=f"the {PHOTOS} to look at")
    add = doctor.add_argument
    add("--out", type=Path, metavar="FOLDER", help="where the files go (default runs/doctor-PHOTOS)")
    add("--classes", nargs="+", action="extend", default=[], metavar="NAME", help="these sub-folders only")
    add("--resolution", type=int, metavar="N", help="pixels a side of the training (default: what --preset auto would choose)")
    doctor.set_defaults(do=lambda args, command: _doctor(args, choose_side))


def _doctor(args: argparse.Namespace, choose_side: ChooseSide) -> int:
    from gan.config import MAX_RESOLUTION
    from gan.data import doctor
    from gan.data.image_folder import find_photos
    from gan.data.manifest import table
    from gan.data.sources import photo_folder
    from gan.utils import validation
    from gan.utils.images import png

    if args.resolution is not None:
        validation.whole("--resolution", args.resolution, 8, MAX_RESOLUTION)
    show = progress("doctor")
    folder = photo_folder(args.photos, lambda done, total: show("preparing photos", done, total))
    files = find_photos(folder, args.classes)
    args.out = out = args.out or Path("runs") / f"doctor-{name_of(folder.resolve(), 'photos')}"
    if out.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"--out {out} lies inside the photos, where it would be taken for one of them; choose another --out.")
    check_writable(out, "choose another --out")
    resolution = args.resolution or choose_side(files)
    found = doctor.examine(folder, resolution, args.classes, lambda done, total: show("photos", done, total))
    write_atomic(out / "doctor.json", json_bytes(doctor.summary(found, args.photos)))
    write_atomic(out / "manifest.csv", table(doctor.rows(found)))
    for number, (label, sheet) in enumerate(doctor.sheets(found)):
        write_atomic(out / f"sheet-{number:02d}-{re.sub('[^A-Za-z0-9]', '_', label)[:60]}.png", png(sheet))
    print(doctor.report(found, args.photos))
    print(f"written into {out}: doctor.json, manifest.csv, and a sheet for each class")
    if sum(found.kept.values()) < len(found.photos):
        words = ["python", "train.py", args.photos, "--manifest", str(out / "manifest.csv")]
        print(f"train on what is kept: {command(words)}")
    return 0 if found.sound else 1
