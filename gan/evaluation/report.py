"""The result of an evaluation as text for a terminal, as Markdown, and as HTML pages that load nothing."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from gan.evaluation import charts
from gan.evaluation.artifacts import PERIODS
from gan.evaluation.registry import Result, at, filled, total
from gan.evaluation.results import (
    ALL_METRICS,
    ARROWS,
    HEADLINES,
    Row,
    by_network,
    compared,
    differences,
    figures,
    floored,
    label,
    views,
)
from gan.utils import images, svg_plots
from gan.utils.formatting import columns, count, markdown, number, plain, share, wrapped

BEST = "the best, and those within two standard errors of the difference to it"
ERRORS = "± is one standard error; beside the distances of real photos, how far random halves of them differ"
_NAME = 28  # letters of a name in a table of text
TEMPLATES = Path(__file__).parent / "templates"


# ---------------------------------------------------------------------------------------------------------------- text


def table(result: Result) -> str:
    """One model as plain text, at most 100 columns wide: every figure over all classes, then the headlines of each class."""
    setting = result["settings"]
    lines = wrapped(
        f"{plain(result['model'])}: {number(setting['n'])} flowers of {squared(result['resolution'])} from seed "
        f"{setting['seed']} on, {truncation_words(setting['truncation'])}, {_seen(result)}"
    )
    body = [
        [plain(one.label, _NAME), one.text, _n(one.n), one.real, _n(one.real_n), one.noise, one.against]
        for one in figures(result, absent=True)
    ]
    lines += ["", *columns([["", "flowers", "n", "real photos", "n", "noise", "against"], *body])]
    if len(views(result)) > 1:
        labels = [plain(view["settings"]["network_label"], _NAME) for view in views(result)]
        head = ["the same flowers seen by", *(cell for name in labels for cell in (name, "real photos"))]
        body = [[name, *(cell for one in row for cell in (one.text, one.real))] for name, row in by_network(result)]
        lines += ["", *columns([head, *body])]
    names = [key for key in HEADLINES if key in result["parts"]["all"]["measures"]]
    body = [[plain(name, _NAME), *(_measure(part, key) for key in names)] for name, part in result["parts"].items()]
    if len(body) > 1:
        lines += ["", *columns([["", *(plain(label(result, key), _NAME) for key in names)], *body])]
    lines += [""] + [line for note in [f"{ERRORS}.", *result["notes"]] for line in wrapped(note)]
    return "\n".join(lines)


def _seen(result: Result) -> str:
    """The end of a sentence: by which network the flowers were seen, and beside which photos."""
    setting, reference = result["settings"], result["reference"]
    return (
        f"seen by {plain(setting['network_label'])} at {squared(setting['compared_at'])} beside "
        f"{number(reference['trained_on'])} photos trained on and {number(reference['held_out'])} held out."
    )


def comparison_table(results: Sequence[Result]) -> str:
    """Several models as plain text, at most 100 columns wide: one line for each; a "*" marks the best.

    One such table for each feature network.
    """
    return "\n\n".join(_one_comparison(seen) for seen in _by_view(results))


def _by_view(results: Sequence[Result]) -> list[list[Result]]:
    """Results of several models, for each feature network that all of them have: what it saw of each model."""
    return [list(seen) for seen in zip(*map(views, results))]


def _one_comparison(results: Sequence[Result]) -> str:
    rows = compared(results, HEADLINES)
    body = [["", *(plain(row.label, _NAME) for row in rows)]]
    for i, result in enumerate(results):
        body.append([plain(result["model"], _NAME), *(row.figures[i].text + " *"[i in row.best] for row in rows)])
    body.append(["real photos", *(f"{row.real} " for row in rows)])
    notes = _remarks(results, rows, "*")
    return "\n".join([*columns(body), "", *(line for note in notes for line in wrapped(note))])


def _remarks(results: Sequence[Result], rows: Sequence[Row], mark: str) -> list[str]:
    """What stands below a comparison: what `mark` means, how was measured, what was not alike, and the notes of all models."""
    setting = results[0]["settings"]
    truncations = {result["settings"]["truncation"] for result in results}
    level = f", {truncation_words(setting['truncation'])}" if len(truncations) == 1 else ""
    notes = dict.fromkeys(note for result in results for note in result.get("notes", ()))
    return [
        f"{mark} {BEST}." if any(row.best for row in rows) else "None is better by more than two standard errors.",
        f"{number(setting['n'])} flowers of each{level}, {_seen(results[0])}",
        *differences(results),
        *notes,
    ]


def comparison_markdown(results: Sequence[Result]) -> str:
    """Several models as a Markdown table for each feature network: one line for each model; the best are bold."""
    return "\n".join(_one_markdown(seen) for seen in _by_view(results))


def _one_markdown(results: Sequence[Result]) -> str:
    rows = compared(results, HEADLINES)
    body = [["model", *(markdown(row.label) for row in rows)], ["---", *["---:"] * len(rows)]]
    for i, result in enumerate(results):
        cells = [f"**{row.figures[i].text}**" if i in row.best else row.figures[i].text for row in rows]
        body.append([markdown(result["model"]), *cells])
    body.append(["*real photos*", *(row.real for row in rows)])
    notes = _remarks(results, rows, "Bold:")
    return "\n".join([*(f"| {' | '.join(cells)} |" for cells in body), "", " ".join(map(markdown, notes))]) + "\n"


def truncation_words(truncation: float | None) -> str:
    """A truncation in words."""
    return "no truncation" if truncation is None else f"truncation {truncation:g}"


def squared(side: int) -> str:
    """64 → "64×64"."""
    return f"{side}×{side}"


def _n(count: int | None) -> str:
    return "" if count is None else number(count)


def _measure(part: Mapping[str, Any], key: str) -> str:
    return number(at(part, "measures", key, "value"), at(part, "measures", key, "error"))


# --------------------------------------------------------------------------------------------------------------- pages


def page(result: Result, pictures: Mapping[str, Any]) -> str:
    """One model as a page of HTML. `pictures` has these keys, each of which may be absent:

    - `samples`: flowers with consecutive seeds, uint8 N×S×S×3, or a grid of them, uint8 H×W×3
    - `pairs`: a list of (flower, photo), uint8 H×W×3 each, in the order of `copies.pairs` in the result
    """
    pairs = zip_longest(at(result, "copies", "pairs") or (), pictures.get("pairs") or ())
    return template("report.html").render(
        result=result,
        samples=pictures.get("samples"),
        pairs=[{**about, "pictures": both} for about, both in pairs if about],
    )


def comparison_page(results: Sequence[Result], pictures: Mapping[str, np.ndarray]) -> str:
    """Several models side by side as a page of HTML. `pictures`: model → `samples` as in `page`, of the same seeds."""
    return template("comparison.html").render(
        results=results,
        pictures=pictures,
        rows=[row for seen in _by_view(results) for row in compared(seen)],
        best=BEST,
        differences=differences(results),
    )


def gauges(result: Result, place: str) -> list[dict[str, Any]]:
    """The drawings in one place of the page: of the metrics whose `gauge.place` it is, and that were measured.

    Each is an item of `charts.scales` with its `title` and its `gauge`.
    """
    found = []
    for key, metric in ALL_METRICS.items():
        if metric.gauge and metric.gauge.place == place:
            drawn = charts.scales(result, key)
            for one in drawn if metric.gauge.every_class else drawn[:1]:
                title = filled(metric.gauge.title, result["settings"], part=one["name"])
                found.append({**one, "title": title, "gauge": metric.gauge})
    return found


def comparisons(results: Sequence[Result]) -> list[dict[str, Any]]:
    """The sections of the comparison page, of measured metrics: `title`, `text`, and `scales`, one for each model."""
    return [
        {"title": filled(metric.comparison.title, results[0]["settings"]), "text": metric.comparison.text, "scales": scales}
        for key, metric in ALL_METRICS.items()
        if metric.comparison and (scales := charts.scales_of_models(results, key))
    ]


@lru_cache
def template(name: str, folder: Path = TEMPLATES) -> jinja2.Template:
    """The Jinja template `name` in `folder`, with the style, the filters and the security policy that all pages share.

    A template may use what a result lacks: it is undefined, and the filters show it as "–".
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, TEMPLATES]), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.ChainableUndefined,
    )  # fmt: skip
    style = "\n".join(path.read_text(encoding="utf-8") for path in (TEMPLATES / "report.css", svg_plots.STYLE))
    # The page's policy allows this style sheet, by its digest, and pictures inside the page; nothing else, and no script.
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    words = {"number": number, "count": count, "share": share}
    environment.filters.update({name: _unbroken(function) for name, function in words.items()})
    environment.filters.update(
        truncation_words=truncation_words, squared=squared, sheet=_sheet, data_url=_data_url, fifths=_fifths, row=_row,
        views=views,
    )  # fmt: skip
    environment.globals.update(
        style=Markup(style),
        digest=digest,
        errors=ERRORS,
        charts=charts,
        arrows=ARROWS,
        floored=floored,
        label=label,
        by_network=by_network,
        views=views,
        total=total,
        periods=PERIODS,
        gauges=gauges,
        comparisons=comparisons,
    )
    return environment.get_template(name)


def _unbroken(function: Callable[..., str]) -> Callable[..., str]:
    """`function`, with spaces that do not break a line."""
    return lambda *values: function(*values).replace(" ", "\N{NO-BREAK SPACE}")


def _sheet(pictures: np.ndarray) -> np.ndarray:
    """Pictures N×S×S×3 as a square grid H×W×4 with transparent gaps; a single picture H×W×3 unchanged."""
    if pictures.ndim == 3:
        return pictures
    columns, gap = math.ceil(math.sqrt(len(pictures))), max(1, pictures.shape[1] // 32)
    opaque = images.grid(list(np.full_like(pictures, 255)), columns, gap, color=0)
    return np.concatenate([images.grid(list(pictures), columns, gap), opaque[..., :1]], axis=2)


def _row(pictures: np.ndarray) -> np.ndarray:
    """Pictures N×S×S×3 side by side."""
    return images.grid(list(pictures), len(pictures), gap=2)


def _data_url(picture: np.ndarray, least: int) -> str:
    """A picture as a data URL of a PNG file, enlarged by a whole factor so that its longer side is about `least` pixels."""
    factor = max(1, round(least / max(picture.shape[:2])))
    file = images.png(picture.repeat(factor, 0).repeat(factor, 1))
    return "data:image/png;base64," + base64.b64encode(file).decode()


def _fifths(value: int, row: Sequence[int]) -> int:
    """The share of a row that is in one of its cells, in fifths: 0 to 5."""
    return round(5 * value / max(1, sum(row)))
