"""Photo folders whose sub-folders are not classes, although they look like it. Training on them would be a mistake.

photos/train/rose, photos/train/tulip, photos/val/rose   a split data set: train and val are not classes
photos/images/rose, photos/images/tulip                  the classes are one level further down
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from gan.data.decode import rejection_reason
from gan.errors import UserError
from gan.utils.names import printable

_PREFIX = r"(?P<set>[\w -]+[-_ .])?"  # seg_train, 1_train
_SUFFIX = r"([-_ .]?(set|data|images|photos|split|[ab]|\d+))?"  # train_images, test_set, trainA, train1
_TRAIN = re.compile(rf"{_PREFIX}(train|training){_SUFFIX}", re.IGNORECASE)
_HELD_OUT = re.compile(rf"{_PREFIX}(val|valid|validation|test|testing|dev|eval|evaluation|holdout){_SUFFIX}", re.IGNORECASE)


def check(root: Path, files: Iterable[Path], *, command: bool) -> None:
    """Raise UserError when the sub-folders of `root`, in which `files` lie, do not look like classes.

    A folder called train or test that has no counterpart counts as a class, and so does a folder with photos of its own.
    `command` says whether the sentence may recommend `--classes`, which takes sub-folders by name without this check.
    """
    top, folders = root, _folders(root, files)
    first = sorted(folders)
    while len(folders) == 1:  # one folder in another, as in many archives
        ((name, below),) = folders.items()
        top, folders = top / name, _folders(top / name, below)
    anyway = f", or add --classes {_first_few(first, ' ')} to take {'these' if len(first) > 1 else 'that'} all the same"
    anyway = anyway if command else ""
    parts = _parts_of_a_split(folders)
    if parts:
        place = top / parts[0]
        classes = _folders(place, folders[parts[0]])
        what = f"with the classes {_first_few(classes)}" if classes else "for its photos as one class"
        raise UserError(
            f"'{printable(str(top))}' looks like a set split into {_first_few(parts)}, which are not classes; "
            f"name '{printable(str(place))}', {what}{anyway}."
        )
    if folders and top != root:
        raise UserError(
            f"all photos of '{printable(str(root))}' are in the one folder '{printable(str(top))}', and there in "
            f"{_first_few(folders)}; name '{printable(str(top))}' if these are the classes{anyway}."
        )


def _parts_of_a_split(names: Iterable[str]) -> list[str]:
    """The names of folders that are the parts of one set, the part to train on first; empty where there are no two of them.

    A word before train and test has to be the same: passenger_train and flight_test may be classes.
    """
    sets: dict[str, list[str]] = {}
    for name in sorted(names):
        if found := _TRAIN.fullmatch(name) or _HELD_OUT.fullmatch(name):
            before = re.sub(r"^\d+[-_ .]", "", found["set"] or "").casefold()  # 1_train, 2_val
            sets.setdefault(before, []).append(name)
    whole = (sorted(parts, key=lambda name: not _TRAIN.fullmatch(name)) for parts in sets.values() if _has_both(parts))
    return next(whole, [])


def _has_both(parts: Iterable[str]) -> bool:
    """Whether there is a part to train on and another one."""
    return len({bool(_TRAIN.fullmatch(name)) for name in parts}) == 2


def _folders(top: Path, files: Iterable[Path]) -> dict[str, list[Path]]:
    """Sub-folder of `top` → the `files` below it. Empty where a photo is in `top` itself."""
    folders: dict[str, list[Path]] = {}
    own = []
    for path in files:
        first, *rest = path.relative_to(top).parts
        if rest:
            folders.setdefault(first, []).append(path)
        else:
            own.append(path)
    return {} if any(not rejection_reason(path) for path in own) else folders


def _first_few(names: Iterable[str], between: str = ", ", most: int = 5) -> str:
    """The first `most` names in order, joined by `between`, with … where there are more."""
    names = sorted(map(printable, names))
    return between.join(names[:most]) + (f"{between}…" if len(names) > most else "")
