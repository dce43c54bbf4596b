"""What a metric declares about itself: its name, how it is computed or read, which way is better, and where it is shown.

The declarations stand beside the functions: `METRICS` in measures.py for figures of the whole and of each class, and `SECTIONS`
in sections.py for analyses that are made once. evaluation.json, config.json, the tables, the comparison and the report page are
made from them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from torch import Tensor

from gan.utils.formatting import MISSING, larger_error, number, share, share_error

if TYPE_CHECKING:
    from gan.evaluation.judged_model import EvaluationRun
    from gan.evaluation.measures import FeatureSets, Measured

Result = Mapping[str, Any]  # the content of evaluation.json
Better = Literal["low", "high", "half"]  # "half": a value near 0.5 is best


@dataclass(frozen=True)
class Figure:
    """One figure of one model, as tables show it."""

    key: str = ""
    label: str = ""
    text: str = MISSING
    n: int | None = None  # how many cases were measured, mostly flowers
    real: str = ""  # the figure of real photos, where there is one
    real_n: int | None = None
    noise: str = ""  # the figure of random pixels, where there is one
    against: str = ""  # the photos it was measured against: "trained on" or "held out"
    value: float | None = None
    error: float | None = None  # one standard error
    better: Better | None = None


@dataclass(frozen=True)
class Gauge:
    """A drawing on the report page: the metric on a line between real photos and noise.

    In `title`, "{kid}" and "{fd}" stand for the names of these distances, and "{part}" for "all" or a class.
    """

    title: str
    hint: str  # "Left is better."
    place: str = "more"  # where the page has it: "kid", "fd", "variety", "auc"; "more" is the section of all others
    every_class: bool = False  # draw one for each class, too
    about: str = ""  # a paragraph above the drawing, in "more"
    source: tuple[str, int, str, str] | None = None  # authors, year, title and address of the paper, in "more"


@dataclass(frozen=True)
class Comparison:
    """A section of the page that compares models."""

    title: str  # may hold "{kid}" and "{fd}"
    text: str  # what the metric is, and which side is better


@dataclass(frozen=True)
class Metric:
    """One figure. It has one of `distance`, `measure` and `read`."""

    key: str  # its name in evaluation.json, and in config.json
    label: str = ""  # its name in tables; may hold "{kid}" and "{fd}"; the key where it is empty
    better: Better | None = None
    headline: bool = False  # shown in the tables that compare models or classes
    gauge: Gauge | None = None
    comparison: Comparison | None = None

    # Features of photos M×D and of flowers N×D → the figure; or several by their keys, where they are computed together.
    # Standard error, floor and ceilings are computed from it (measures.measure).
    distance: Callable[[Tensor, Tensor], float | Mapping[str, float]] | None = None
    share: bool = False  # from 0 to 1, counted in n cases: not certain, also where its error is 0
    equal_numbers: bool = False  # `distance` takes as many flowers as photos, so that the smaller number is its n
    floored: bool = True  # whether its floor, of another number of photos, may stand beside it
    # For a metric with its own error and floor: features, seed and what was measured before → the figure, or None.
    measure: Callable[[FeatureSets, int, Mapping[str, Measured]], Measured | None] | None = None
    # For a metric of a Section: the section's entry in evaluation.json, or None → the figure. May meet missing keys.
    read: Callable[[Any], Figure] | None = None

    def name(self, result: Result) -> str:
        """The label, with the names of the distances of this result."""
        return filled(self.label or self.key, result["settings"])


@dataclass(frozen=True)
class Section:
    """An analysis of all flowers at once: an entry of evaluation.json, and the metrics that are read from it."""

    key: str  # in evaluation.json
    run: Callable[[EvaluationRun], dict[str, Any] | None]  # plain values; None where it cannot be measured
    metrics: tuple[Metric, ...]
    thorough: bool = False  # made by `evaluate`, not by `compare`
    kept_as: str = ""  # its key in config.json
    keep: Callable[[Any], dict[str, Any]] | None = None  # its entry in evaluation.json → its entry in config.json, if any


def at(tree: Any, *keys: str) -> Any:
    """`tree[key][key]…`, or None where one of them is missing."""
    for key in keys:
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return tree


def total(confusion: Any) -> int | None:
    """How many cases a confusion matrix counts; None for None."""
    return None if confusion is None else sum(map(sum, confusion))


def filled(text: str, settings: Mapping[str, Any], **more: str) -> str:
    """`text` with the names of the distances in place of "{kid}" and "{fd}"."""
    return text.format(kid=settings["kid_name"], fd=settings["fd_name"], **more)


def share_figure(value: Any, n: Any, real: Any, real_n: Any, error: Any = None) -> Figure:
    """A share from 0 to 1 counted in `n` cases, beside the share of `real_n` photos. `error` is for more than the count."""
    return Figure(
        text=share(value, n, error), n=n, real=share(real, real_n), real_n=real_n, value=value,
        error=larger_error(share_error(value, n), error),
    )  # fmt: skip


def number_figure(value: Any, error: Any = None, n: Any = None) -> Figure:
    """A number with its standard error, for which photos have no counterpart."""
    return Figure(text=number(value, error), n=n, value=value, error=error)


def spread_figure(value: Any, n: Any, real: Any, spread: Any) -> Figure:
    """A number of `n` flowers, beside that of `n` photos and its `spread` over halves of the photos."""
    return Figure(text=number(value), n=n, real=number(real, spread), real_n=n, value=value)
