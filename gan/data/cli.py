"""The command `python -m gan doctor PHOTOS`, which says what is wrong with photos before a training."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gan.errors import UserError
from gan.utils.files import check_outside, check_writable, folder_name, json_bytes, write_atomic
from gan.utils.terminal import command, progress

REPORT, MANIFEST = "doctor.json", "manifest.csv"
PHOTOS = "folder of photos (a .zip, or hf://datasets/owner/name)"
# Class → its files, to the side in pixels that a training would choose for them.
ChooseSide = Callable[[Mapping[str, Sequence[Path]]], int]


def add_commands(commands: argparse._SubParsersAction, choose_side: ChooseSide) -> None:
    """Add the command `doctor`. `choose_side` gives the resolution where --resolution is missing."""
    doctor = commands.add_parser(
        "doctor",
        allow_abbrev=False,
        help="say what is wrong with photos before a training",
        description="Examine photos as a training would see them: unreadable files, near-duplicates, small and blurred "
        "photos, imbalance. Writes doctor.json, a contact sheet of each class (red: left out, orange: small), manifest.csv, "
        "which train.py --manifest takes. Nothing is deleted.",
        epilog="exit codes: 0 nothing found, 1 something found, 2 it could not be done, 130 interrupted",
    )
    doctor.add_argument("photos", metavar="PHOTOS", help=f"the {PHOTOS} to examine")
    add = doctor.add_argument
    add("--out", type=Path, metavar="FOLDER", help="where the files go (default runs/doctor-PHOTOS)")
    add("--classes", nargs="+", action="extend", default=[], metavar="NAME", help="these sub-folders only")
    add("--resolution", type=int, metavar="N", help="pixels a side of the training (default: what --preset auto would choose)")
    doctor.set_defaults(do=lambda args, command: _doctor(args, choose_side))


def _doctor(args: argparse.Namespace, choose_side: ChooseSide) -> int:
    from gan.config import MAX_RESOLUTION
    from gan.data import doctor_report as report
    from gan.data.doctor import examine
    from gan.data.image_folder import find_photos
    from gan.data.manifest import csv_bytes
    from gan.data.sources import photo_folder
    from gan.utils import validation
    from gan.utils.images import png

    if args.resolution is not None:
        validation.whole("--resolution", args.resolution, 8, MAX_RESOLUTION)
    show = progress("doctor")
    folder = photo_folder(args.photos, lambda done, total: show("preparing photos", done, total))
    files = find_photos(folder, args.classes)
    args.out = out = args.out or Path("runs") / f"doctor-{folder_name(folder.resolve(), 'photos')}"
    check_outside(out, folder)
    check_writable(out, "choose another --out")
    _check_manifest(out)
    resolution = args.resolution or choose_side(files)
    found = examine(folder, resolution, args.classes, lambda done, total: show("photos", done, total))
    manifest = csv_bytes(report.rows(found))
    about = {**report.summary(found, args.photos), "manifest_sha256": hashlib.sha256(manifest).hexdigest()}
    write_atomic(out / REPORT, json_bytes(about))
    write_atomic(out / MANIFEST, manifest)
    for number, (label, sheet) in enumerate(report.sheets(found)):
        write_atomic(out / f"sheet-{number:02d}-{re.sub('[^A-Za-z0-9]', '_', label)[:60]}.png", png(sheet))
    print(report.report(found, args.photos))
    sheets = ", a sheet for each class" if any(found.thumbnails.values()) else ""
    print(f"written into {out}: {REPORT}, {MANIFEST}{sheets}")
    if sum(found.kept.values()) < len(found.photos):
        words = ["python", "train.py", args.photos, "--manifest", str(out / MANIFEST)]
        print(f"train on what is kept: {command(words)}")
    return 0 if found.sound else 1


def _check_manifest(out: Path) -> None:
    """Raise UserError where `out` has a manifest that is not as the doctor wrote it: it may hold an evening's work."""
    try:
        content = (out / MANIFEST).read_bytes()
    except OSError:
        return
    try:
        written = json.loads((out / REPORT).read_text(encoding="utf-8"))["manifest_sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        written = ""
    if hashlib.sha256(content).hexdigest() != written:
        raise UserError(f"{out / MANIFEST} was changed since the doctor wrote it; choose another --out, or remove that file.")
