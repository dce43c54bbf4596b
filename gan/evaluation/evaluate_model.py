"""`gan.evaluate`: the name of a model and a folder of photos → its figures, in one call."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gan.data.manifest import manifest_filter
from gan.data.sources import photo_folder
from gan.errors import UserError
from gan.evaluation.evaluate import Evaluation, Settings, display_name, evaluate
from gan.evaluation.features import FeatureNetwork, find_network
from gan.evaluation.reference import load_reference
from gan.hub import loader
from gan.utils import terminal
from gan.utils.device import pick_device
from gan.utils.files import user_path
from gan.utils.progress import Progress, StageProgress


def evaluate_model(
    model: str | os.PathLike[str] | loader.Model,
    photos: str | os.PathLike[str],
    *,
    n: int = 2000,
    seed: int = 0,
    truncation: float | None = None,
    curve: bool = False,
    network: str | FeatureNetwork | Sequence[str | FeatureNetwork] = "mobilenetv2",
    device: str = "auto",
    reference: str | os.PathLike[str] | None = None,
    classes: Sequence[str] = (),
    resolution: int | None = None,
    manifest: str | os.PathLike[str] | None = None,
    thorough: bool = True,
    command: str = "",
) -> Evaluation:
    """Measure how good the flowers of a model are. The figures are in `.result`, a dictionary of plain values.

    | argument | what it is |
    | --- | --- |
    | `model` | a path, a bundled name, a Hub name, or what `gan.load` returned |
    | `photos` | the photos it was trained on |
    | `n`, `seed` | how many flowers, 100 to 50,000, and the seed of the first |
    | `truncation` | 0.01 to 3; None: the one of eight with the best KID |
    | `curve` | measure those eight also where `truncation` is given; the page shows them |
    | `network`, `device` | the feature network (features.find_network), or several of them, and where they compute |
    | `reference` | a folder of photos the model never saw; by default those that its training held out |
    | `classes` | the classes to judge; by default all |
    | `resolution` | side of the compared pictures in pixels; by default the one the model was trained at |
    | `manifest` | the manifest.csv that was given to the training, if any |
    | `thorough` | False leaves out the search for a truncation, the smoothness and the cost |
    | `command` | the command line, for the report |

    Of several networks, the first one judges everything, and the others repeat the metrics on the same flowers. Raises
    UserError, with a sentence that says what to do.
    """
    model = model if isinstance(model, loader.Model) else loader.load(os.fspath(model))
    settings = Settings(n, seed, truncation, curve, command).validate()
    asked = [network] if isinstance(network, (str, FeatureNetwork)) else list(network)
    networks = [find_judging_network(one, device) if isinstance(one, str) else one for one in asked]
    show = terminal.progress(display_name(model))
    folder, keep = open_photos(photos, user_path(manifest) if manifest else None, show)
    read: Progress = lambda done, total: show("photos", done, total)  # noqa: E731
    config = model.generator.config
    side, others = resolution or config.trained_side, user_path(reference) if reference else None
    found = load_reference(folder, config, side, others, list(classes), read, keep)
    return evaluate(model, found, networks[0], settings, also=networks[1:], thorough=thorough, progress=show)


def open_photos(photos: str | os.PathLike[str], manifest: Path | None, show: StageProgress) -> tuple[Path, Any]:
    """The folder that `photos` names, and a function that selects the files that `manifest` keeps. Raises UserError."""
    folder = photo_folder(os.fspath(photos), lambda done, total: show("preparing photos", done, total))
    return folder, manifest_filter(manifest, folder) if manifest else None


def find_judging_network(name: str, device: str = "auto") -> FeatureNetwork:
    """The feature network called `name`, on `device`. Raises UserError where it or a package that judging needs is missing."""
    if not (find_spec("torchmetrics") and find_spec("sklearn")):
        raise UserError("judging needs torchmetrics and scikit-learn; run pip install -r requirements-dev.txt.")
    return find_network(name, pick_device(device))
