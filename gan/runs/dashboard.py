"""The page of a training in its run folder, `learning.html`: one HTML file that loads no other file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from markupsafe import Markup
from PIL import Image

from gan.data.image_folder import Photos
from gan.data.split import judging_photos
from gan.evaluation import memorization
from gan.evaluation.features import features
from gan.evaluation.reference import pictures
from gan.evaluation.report import template, truncation_words
from gan.hub import sample_history
from gan.networks.latents import DEFAULT_TRUNCATION
from gan.runs import history
from gan.runs.validator import Validator
from gan.trainer import Trainer
from gan.utils import svg_plots
from gan.utils.formatting import known
from gan.utils.images import to_uint8

FILE = "learning.html"
TEMPLATES = Path(__file__).parent / "templates"
MOMENTS = 10  # moments of the training whose grids are shown, evenly spaced
ACROSS = sample_history.SIDE  # pictures of each moment
POINTS = 160  # points of a curve; each is the median of its neighbors
TRUNCATIONS = (0.01, DEFAULT_TRUNCATION, None)  # as in the paper, fig. 20
LOSSES, GRADIENTS, SLOPE = "Losses", "Gradients of the weights", "Slope of the critic"
WORDS = {  # name of a curve → the text below it
    LOSSES: "What each network is trained to make small. The networks work against each other, so neither loss has to fall.",
    GRADIENTS: "The norm of the gradient over all weights of a network. At zero the network learns no more; when it only "
    "grows, the run is about to diverge.",
    SLOPE: "How fast the critic's score changes with what it is given. The gradient penalty bounds it: to 1 in WGAN-GP, "
    "towards 0 in the others.",
}
REFRESH = 60  # seconds after which a browser loads the page again


@dataclass(frozen=True)
class DashboardData:
    """All that the page shows. A picture is uint8 H×W×3, a row of pictures N×H×W×3."""

    name: str
    images: int  # shown to the critic so far
    planned: int
    seconds: float
    settings: Mapping[str, str]  # name → value as text
    photos: Mapping[str, int]  # class → number
    rows: Sequence[Mapping[str, Any]]  # of history.py
    moments: Sequence[tuple[int, np.ndarray]] = ()  # (images seen, the first ACROSS pictures of the fixed grid at that time)
    truncations: Sequence[tuple[str, np.ndarray]] = ()  # (name of the truncation, the same pictures with it)
    pairs: Sequence[tuple[np.ndarray, np.ndarray, float]] = ()  # (picture, the nearest photo, their distance)
    reals: np.ndarray | None = None  # photos as they are trained on
    kid_name: str = "KID"
    kid_to: str = "the photos"


def page(found: DashboardData) -> str:
    """The page as HTML."""
    share, drawn = found.images / max(1, found.planned), curves(found.rows, found.kid_name)
    nearer = f"The distance between the distributions of the flowers and of {found.kid_to}. Lower is better."
    words = {**WORDS, found.kid_name: nearer}
    return template("dashboard.html", TEMPLATES).render(found=found, curves=drawn, words=words, refresh=REFRESH, share=share)


def curves(rows: Sequence[Mapping[str, Any]], kid_name: str = "KID") -> list[tuple[str, Markup]]:
    """(name, plot) of each measurement over the images seen; one with fewer than two points is left out."""
    wanted = {
        LOSSES: (("critic", "model", "critic_loss"), ("generator", "real", "generator_loss")),
        GRADIENTS: (("critic", "model", "critic_gradient"), ("generator", "real", "generator_gradient")),
        SLOPE: (("mean norm of its gradient", "model", "gradient_norm"),),
        kid_name: ((kid_name, "model", "kid"),),
    }
    drawn = ((name, _curve(name, parts, rows)) for name, parts in wanted.items())
    return [(name, drawing) for name, drawing in drawn if drawing]


def _curve(name: str, parts: Sequence[tuple[str, str, str]], rows: Sequence[Mapping[str, Any]]) -> Markup | None:
    """The plot of `parts`, each a (label, style, key of a row); None where there are too few points."""
    series = []
    for words, kind, key in parts:
        mine = (row for row in rows if key != "kid" or row.get("kid_name", name) == name)  # KIDs of networks do not compare
        points = [(row["images"], row[key]) for row in mine if known(row.get(key))]
        # A penalty at every fourth step is 0 at the others, and a logarithmic axis has no 0.
        points = [(images, value) for images, value in points if name not in (SLOPE, GRADIENTS) or value]
        if len(points) > 1:
            series.append(svg_plots.Series(words, kind, _thinned(points), dots=key == "kid"))
    if not series:
        return None
    values = [value for one in series for _, value in one.points]
    x = svg_plots.Axis("images shown", 0, max(images for one in series for images, _ in one.points))
    return svg_plots.lines(name, x, svg_plots.span(values, name, "log" if name == GRADIENTS else "linear"), series)


def _thinned(points: Sequence[tuple[int, float]]) -> list[tuple[float, float]]:
    """At most POINTS points; each is the median of some neighbors."""
    step = -(-len(points) // POINTS)
    parts = [points[start : start + step] for start in range(0, len(points), step)]
    return [(median(images for images, _ in part), median(value for _, value in part)) for part in parts]


def collect(
    trainer: Trainer, validator: object, folder: Path, name: str, seconds: float, settings: Mapping[str, str]
) -> DashboardData:
    """Collect what the page shows of a training now, from its run folder and its networks. Generates a few dozen pictures.

    `validator` is any validator of the run, or None. Changes neither the trainer nor any global state. Raises OSError.
    """
    side, classes = trainer.model.resolution, len(trainer.model.classes)
    seeds, labels = range(ACROSS), torch.arange(ACROSS) % classes
    rows = {level: to_uint8(trainer.draw(seeds, labels, level)) for level in TRUNCATIONS}
    judge = validator if isinstance(validator, Validator) else None  # only this class has features of the photos
    return DashboardData(
        name=name,
        images=trainer.images_seen,
        planned=trainer.config.images,
        seconds=seconds,
        settings=settings,
        photos=trainer.photos.counts(),
        rows=history.read(folder),
        moments=moments(folder / "grids", side),
        truncations=[(truncation_words(level), flowers) for level, flowers in rows.items()],
        pairs=_pairs(trainer.photos, judge, rows[DEFAULT_TRUNCATION]) if judge else (),
        reals=_picture(folder / "reals.png"),
        kid_name=judge.network.kid_name if judge else "KID",
        kid_to=judging_photos(judge.held_out) if judge else "the photos",
    )


def _pairs(photos: Photos, validator: Validator, flowers: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """(flower, nearest photo trained on, distance) of `flowers`, in the validator's features."""
    distances, which = memorization.nearest(features(validator.network, flowers), validator.real)
    nearest = pictures(replace(photos, images=photos.images[which], labels=photos.labels[which])).pixels
    return list(zip(flowers, nearest, distances.tolist()))


def _picture(path: Path) -> np.ndarray | None:
    """The picture in a file, or None where it cannot be read."""
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except OSError:
        return None


def moments(grids: Path, side: int) -> list[tuple[int, np.ndarray]]:
    """(images seen, first row of the grid, uint8 ACROSS×side×side×3) of the grids in a folder, such as `000012800.png`.

    At most MOMENTS grids, evenly spaced, with the last one. Files that cannot be read are skipped.
    """
    rows = []
    for path in sample_history.evenly(sample_history.in_order(grids), MOMENTS):
        try:
            with Image.open(path) as image:
                row = image.convert("RGB").crop((0, 0, image.width, side))
        except OSError:
            continue
        rows.append((int(path.stem), sample_history.cells(np.asarray(row), side)))
    return rows
