"""Folders of photos that are not a sub-folder for each class, though they look like it: what they are, and how to point at one.

photos/train/rose, photos/train/tulip, photos/val/rose   a set cut in parts: train and val are no classes
photos/images/rose, photos/images/tulip                  the classes lie one level further down
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from gan.data.decode import refuse
from gan.errors import UserError
from gan.utils.names import printable

_PART = r"([-_ .]?(set|data|images|photos|split|[ab]))?"  # train_images, test_set, trainA
_TRAIN = re.compile(rf"(train|training){_PART}", re.IGNORECASE)
_OTHER = re.compile(rf"(val|valid|validation|test|testing|dev|eval|evaluation|holdout){_PART}", re.IGNORECASE)


def check(root: Path, files: Iterable[Path], *, command: bool) -> None:
    """Raise UserError when the sub-folders of `root`, in which `files` lie, do not look like classes.

    A class called train or test beside other things is one; a folder with photos of its own is, too. `command` says whether
    `--classes`, which takes sub-folders by name without asking, is a way out.
    """
    top, folders = root, _folders(root, files)
    first = sorted(folders)
    while len(folders) == 1:  # one folder in another, as archives often hold them
        ((name, below),) = folders.items()
        top, folders = top / name, _folders(top / name, below)
    anyway = f", or add --classes {_some(first, ' ')} to take {'these' if len(first) > 1 else 'that'} all the same"
    anyway = anyway if command else ""
    training = sorted(name for name in folders if _TRAIN.fullmatch(name))
    parts = [name for name in sorted(folders) if name in training or _OTHER.fullmatch(name)]
    if training and len(parts) > 1:
        place = top / training[0]
        classes = _folders(place, folders[training[0]])
        what = f"with the classes {_some(classes)}" if classes else "for its photos as one class"
        raise UserError(
            f"'{top}' looks like a set that is cut into {_some(parts)}, which are no classes; name '{place}', {what}{anyway}."
        )
    if folders and top != root:
        raise UserError(
            f"all photos of '{root}' lie in the one folder '{top}', and there in {_some(folders)}; "
            f"name '{top}' if these are the classes{anyway}."
        )


def _folders(top: Path, files: Iterable[Path]) -> dict[str, list[Path]]:
    """The sub-folders of `top` with those of `files` that lie in each; none where a photo lies in `top` itself."""
    folders: dict[str, list[Path]] = {}
    own = []
    for path in files:
        first, *rest = path.relative_to(top).parts
        if rest:
            folders.setdefault(first, []).append(path)
        else:
            own.append(path)
    return {} if any(not refuse(path) for path in own) else folders


def _some(names: Iterable[str], between: str = ", ", most: int = 5) -> str:
    names = sorted(map(printable, names))
    return between.join(names[:most]) + (f"{between}…" if len(names) > most else "")
