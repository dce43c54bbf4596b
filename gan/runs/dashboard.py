"""A page in the run folder that shows a training as it goes: `learning.html`, one file that loads nothing."""

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
from gan.data.split import judged_by
from gan.evaluation import memorization
from gan.evaluation.features import features
from gan.evaluation.reference import pictures
from gan.evaluation.report import cut, template
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
MOMENTS = 10  # of the fixed grid that are shown, evenly through the training
ACROSS = sample_history.SIDE  # flowers of each
POINTS = 160  # of a curve: each is the median of what it stands for
TRUNCATIONS = (0.01, DEFAULT_TRUNCATION, None)  # the paper's, fig. 20
LOSSES, GRADIENTS, SLOPE = "Losses", "Gradients of the weights", "Slope of the critic"
WORDS = {  # below the curve of this name
    LOSSES: "What each network is trained to make small. What one wins the other loses, so neither has to fall.",
    GRADIENTS: "How strongly the loss pulls at all the weights of a network: at nothing it learns no more, and where it only "
    "climbs the run is about to break.",
    SLOPE: "How steeply the critic's score changes with the picture it looks at, which its penalty holds down.",
}
REFRESH = 60  # seconds after which a browser asks for the page anew


@dataclass(frozen=True)
class Learning:
    """All that the page shows; pictures are uint8 H×W×3, rows of them N×H×W×3."""

    name: str
    images: int  # shown to the critic so far
    planned: int
    seconds: float
    settings: Mapping[str, str]  # in words
    photos: Mapping[str, int]  # class → count
    rows: Sequence[Mapping[str, Any]]  # of the journal
    moments: Sequence[tuple[int, np.ndarray]] = ()  # images seen, the first ACROSS flowers of the fixed grid then
    truncations: Sequence[tuple[str, np.ndarray]] = ()  # what the truncation is called, the same flowers at it
    pairs: Sequence[tuple[np.ndarray, np.ndarray, float]] = ()  # a flower, the photo nearest to it, how far it is
    reals: np.ndarray | None = None  # photos as the critic sees them
    kid_name: str = "KID"
    kid_to: str = "the photos"


def page(found: Learning) -> str:
    """The page as HTML."""
    share, drawn = found.images / max(1, found.planned), curves(found.rows, found.kid_name)
    nearer = f"How far the flowers are from {found.kid_to}, taken as a crowd: the lower, the nearer."
    words = {**WORDS, found.kid_name: nearer}
    return template("dashboard.html", TEMPLATES).render(found=found, curves=drawn, words=words, refresh=REFRESH, share=share)


def curves(rows: Sequence[Mapping[str, Any]], kid_name: str = "KID") -> list[tuple[str, Markup]]:
    """What was measured over the images seen, each where there are two points or more: (name, drawing)."""
    wanted = {
        LOSSES: (("critic", "model", "critic_loss"), ("generator", "real", "generator_loss")),
        GRADIENTS: (("critic", "model", "critic_gradient"), ("generator", "real", "generator_gradient")),
        SLOPE: (("mean norm of its gradient", "model", "gradient_norm"),),
        kid_name: ((kid_name, "model", "kid"),),
    }
    drawn = ((name, _curve(name, parts, rows)) for name, parts in wanted.items())
    return [(name, drawing) for name, drawing in drawn if drawing]


def _curve(name: str, parts: Sequence[tuple[str, str, str]], rows: Sequence[Mapping[str, Any]]) -> Markup | None:
    series = []
    for words, kind, key in parts:
        points = [(row["images"], row[key]) for row in rows if known(row.get(key))]
        # A penalty that is taken at every fourth step is 0 at the others; a logarithm has no 0.
        points = [(images, value) for images, value in points if name not in (SLOPE, GRADIENTS) or value]
        if len(points) > 1:
            series.append(svg_plots.Series(words, kind, _thinned(points), dots=key == "kid"))
    if not series:
        return None
    values = [value for one in series for _, value in one.points]
    x = svg_plots.Axis("images shown", 0, max(images for one in series for images, _ in one.points))
    return svg_plots.lines(name, x, svg_plots.span(values, name, "log" if name == GRADIENTS else "linear"), series)


def _thinned(points: Sequence[tuple[int, float]]) -> list[tuple[float, float]]:
    """At most POINTS points, each the median of its neighbours."""
    step = -(-len(points) // POINTS)
    parts = [points[start : start + step] for start in range(0, len(points), step)]
    return [(median(images for images, _ in part), median(value for _, value in part)) for part in parts]


def observe(trainer: Trainer, judge: object, folder: Path, name: str, seconds: float, settings: Mapping[str, str]) -> Learning:
    """What there is to show of a training now, from its run folder and its networks. Draws a few dozen flowers.

    Changes neither the trainer nor any global state. Raises OSError.
    """
    side, classes = trainer.model.resolution, len(trainer.model.classes)
    seeds, labels = range(ACROSS), torch.arange(ACROSS) % classes
    rows = {level: to_uint8(trainer.draw(seeds, labels, level)) for level in TRUNCATIONS}
    known = judge if isinstance(judge, Validator) else None  # a run may have any judge
    return Learning(
        name=name,
        images=trainer.images_seen,
        planned=trainer.config.images,
        seconds=seconds,
        settings=settings,
        photos=trainer.photos.counts(),
        rows=history.read(folder),
        moments=moments(folder / "grids", side),
        truncations=[(cut(level), flowers) for level, flowers in rows.items()],
        pairs=_pairs(trainer.photos, known, rows[DEFAULT_TRUNCATION]) if known else (),
        reals=_picture(folder / "reals.png"),
        kid_name=known.network.kid_name if known else "KID",
        kid_to=judged_by(known.held_out) if known else "the photos",
    )


def _pairs(photos: Photos, judge: Validator, flowers: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """`flowers`, and the photos nearest to them as the judge sees both."""
    distances, which = memorization.nearest(features(judge.network, flowers), judge.real)
    nearest = pictures(replace(photos, images=photos.images[which], labels=photos.labels[which])).pixels
    return list(zip(flowers, nearest, distances.tolist()))


def _picture(path: Path) -> np.ndarray | None:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except OSError:
        return None


def moments(grids: Path, side: int) -> list[tuple[int, np.ndarray]]:
    """The first row of the grids in a folder (`000012800.png`), MOMENTS of them at most, evenly, the last one among them.

    (images seen, uint8 ACROSS×side×side×3). Files that cannot be read are passed over.
    """
    rows = []
    for path in sample_history.evenly(sample_history.in_order(grids), MOMENTS):
        try:
            with Image.open(path) as image:
                row = image.convert("RGB").crop((0, 0, image.width, side))
        except OSError:
            continue
        rows.append((int(path.stem), sample_history.cut(np.asarray(row), side)))
    return rows
