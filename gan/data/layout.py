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

_SUFFIX = r"([-_ .]?(set|data|images|photos|split|[ab]))?"  # train_images, test_set, trainA
_TRAIN = re.compile(rf"(train|training){_SUFFIX}", re.IGNORECASE)
_HELD_OUT = re.compile(rf"(val|valid|validation|test|testing|dev|eval|evaluation|holdout){_SUFFIX}", re.IGNORECASE)


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
    training = sorted(name for name in folders if _TRAIN.fullmatch(name))
    parts = [name for name in sorted(folders) if name in training or _HELD_OUT.fullmatch(name)]
    if training and len(parts) > 1:
        place = top / training[0]
        classes = _folders(place, folders[training[0]])
        what = f"with the classes {_first_few(classes)}" if classes else "for its photos as one class"
        raise UserError(
            f"'{top}' looks like a set split into {_first_few(parts)}, which are not classes; name '{place}', {what}{anyway}."
        )
    if folders and top != root:
        raise UserError(
            f"all photos of '{root}' are in the one folder '{top}', and there in {_first_few(folders)}; "
            f"name '{top}' if these are the classes{anyway}."
        )


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
