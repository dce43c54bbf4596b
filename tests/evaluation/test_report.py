"""Reports of made-up results: every figure is there, nothing is loaded, nothing breaks out, and phones can read it."""

from __future__ import annotations

import base64
import copy
import hashlib
import io
import math
import re
from html.parser import HTMLParser

import jinja2
import numpy as np
import pytest
from PIL import Image
from visitor import contrast

from gan.evaluation import report
from gan.evaluation import results as figures
from gan.utils import formatting, svg_plots

HOSTILE = "<script>alert(1)</script>\"'&amp; | `x` \x1b[31m\n# rose"
SECTIONS = ("probe", "copies", "diversity", "artefacts", "truncation", "best_truncation", "smoothness", "cost")
FIGURES = ("value", "error", "floor", "floor_error", "floor_n", "ceiling_noise", "ceiling_class")
GRIDS = [f"{kind}_{period}" for kind in ("phase", "peaks") for period in (2, 4, 8)]
CLASSES = [("rose",), ("dandelion", "marigold"), ("dandelion", "marigold", "rose", "x" * 60, HOSTILE)]


def measure(value, error, better="low", floor=-0.0003, noise=1.2, other=0.44, against="trained on"):
    return {
        "value": value, "error": error, "n": 1000, "against": against, "better": better,
        "floor": floor, "floor_error": 0.0015 + 0.03 * abs(floor), "floor_n": 94,
        "ceiling_noise": noise, "ceiling_class": other,
    }  # fmt: skip


def part(n, other=0.44):
    measures = {
        "kid": measure(0.1234, 0.0041, other=other),
        "fd": measure(51.73, 1.62, floor=12.4, noise=310.2, other=other and 98.7),
    }
    for k in (3, 5):
        for name, value in (("precision", 0.871), ("recall", 0.1237), ("density", 1.204), ("coverage", 0.652)):
            measures[f"{name}_{k}"] = measure(value + k / 1000, 0.012, "high", 0.93, 0.0, other and 0.31)
    measures["auc"] = measure(0.913, 0.021, "half", 0.512, 1.0, other and 0.97, "held out")
    return {"n": n, "trained_on": 188, "held_out": 34, "measures": measures}


def made_up(classes=("dandelion", "marigold"), model="cwgan-gp-64"):
    """A result as `gan.evaluation.evaluate` gives it, of numbers that nobody measured."""
    count = len(classes)
    confusion = [[950 if i == j else 50 + i + j for j in range(count)] for i in range(count)]
    real = [[33 if i == j else i + j for j in range(count)] for i in range(count)]
    accuracy = {"all": 0.9417, **{name: 0.95 for name in classes}}
    frequency = np.linspace(0.02, 0.5, 24)
    sweep = [
        {
            "truncation": t,
            "kid": 0.1 + 0.08 * (t - 1.4) ** 2,
            "kid_error": 0.004,
            "precision": 0.95 - 0.1 * t,
            "recall": 0.15 * t,
        }
        for t in (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
    ]
    return {
        "schema": 1, "model": model, "preset": "cwgan-gp-64", "classes": list(classes), "resolution": 64,
        "settings": {
            "n": 2000, "seed": 7, "truncation": 1.5, "network": "mobilenetv2", "network_label": "MobileNetV2",
            "network_sha256": "2f518e77" * 8, "fd_name": "FD-MobileNetV2", "kid_name": "KID-MobileNetV2", "compared_at": 64,
            "command": "python -m gan evaluate cwgan-gp-64 photos/flowers",
        },
        "reference": {
            "photos": "photos/flowers", "trained_on": 401, "held_out": 73, "held_out_from": "the run's holdout of 0.15",
        },
        "parts": {"all": part(2000, None), **({name: part(1000) for name in classes} if count > 1 else {})},
        "probe": None if count == 1 else {
            "classes": list(classes), "generated": confusion, "real": real,
            "generated_accuracy": accuracy, "real_accuracy": {**accuracy, "all": 0.9863},
        },
        "copies": {
            "below_1st_percentile": 0.0125, "n": 2000, "held_out_n": 73, "held_out_share": 0.0137,
            "histogram": {
                "edges": np.linspace(0, 1.2, 25).tolist(),
                "flowers": [round(600 * math.exp(-((i - 13) ** 2) / 14)) for i in range(24)],
                "held_out": [round(16 * math.exp(-((i - 11) ** 2) / 18)) for i in range(24)],
            },
            "pairs": [{"seed": 17 + 90 * i, "class": classes[i % count], "distance": 0.3111 + 0.0123 * i} for i in range(10)],
        },
        "diversity": {
            "duplicates": 0.0324, "n": 401, "real_duplicates": 0.0100,
            "support": {"estimate": 51234.4, "least": 38123.4, "kind": "estimate", "collisions": 12, "n": 2000},
        },
        "artefacts": {
            "n": 400,
            "checkerboard": {
                "generated": {key: 0.1 + i / 7 for i, key in enumerate(GRIDS)},
                "real": {key: 0.02 + i / 90 for i, key in enumerate(GRIDS)},
                "real_spread": {key: 0.004 for key in GRIDS},
            },
            "spectrum": {
                "frequency": frequency.tolist(), "generated": (-4.4 - 2.6 * np.log10(frequency)).tolist(),
                "real": (-4.0 - 2.2 * np.log10(frequency)).tolist(),
            },
            "saturated": {"generated": 0.0125, "real": 0.0}, "blank": {"generated": 0.0, "real": 0.0},
        },
        "truncation": [*sweep, {"truncation": None, "kid": 0.31, "kid_error": 0.006, "precision": 0.6, "recall": 0.44}],
        "best_truncation": 1.5,
        "smoothness": {"path_length": 123.4, "error": 5.6, "n": 250},
        "cost": {"parameters": 1048899, "gflop": 1.2345, "pictures_per_second": 80.12, "threads": 2, "bytes": 4200123},
        "notes": ["The photos are not exactly those the model was trained on."],
    }  # fmt: skip


def pictures(side=16):
    shown = np.random.default_rng(0).integers(0, 256, (84, side, side, 3), dtype=np.uint8)
    return {"samples": shown[:64], "pairs": list(zip(shown[64:74], shown[74:]))}


def bare(result):
    """`result` with every figure but the settings and counts gone."""
    result = copy.deepcopy(result)
    for one in result["parts"].values():
        for m in one["measures"].values():
            m.update(dict.fromkeys(FIGURES))
    result.update(dict.fromkeys(SECTIONS))
    return result


def gaps():
    """The way to each section, each part of one, and each figure of a measure and of the sweep: what may be None."""
    result = made_up()
    for name in SECTIONS:
        yield (name,)
        if isinstance(result[name], dict):
            yield from (
                (name, key) for key in result[name] if (name, key) not in {("probe", "classes"), ("probe", "generated")}
            )
    yield from (("truncation", 0, key) for key in ("kid", "kid_error", "precision", "recall"))
    yield from (("parts", "all", "measures", name, key) for name in ("kid", "recall_3", "auc") for key in FIGURES)


# ------------------------------------------------------------------------------------------------------------- the text


def test_a_figure_has_the_digits_its_error_allows():
    assert formatting.number(0.12345, 0.0041) == "0.123 ± 0.004"
    assert formatting.number(-0.00031, 0.0015) == "−0.0003 ± 0.0015"
    assert formatting.number(123.4, 5.6) == "123 ± 6" and formatting.number(51234.4, 123) == "51,230 ± 120"
    assert (
        formatting.number(0.12345) == "0.123"
        and formatting.number(1048899) == "1,048,899"
        and formatting.number(51234.4) == "51,234"
    )
    assert formatting.number(-0.00001, 0.02) == "0.00 ± 0.02", "no minus before nothing"
    assert formatting.number(0.5, 0) == formatting.number(0.5, None) == "0.500" and formatting.number(0) == "0"
    for nothing in (None, math.nan, math.inf, True, "0.5", jinja2.Undefined()):
        assert formatting.number(nothing) == formatting.share(nothing, 100) == formatting.count(nothing) == "–"


def test_a_share_is_never_certain():
    """39 of 39: z = 1 moves it to 39.5 of 40, whose error is √(0.9875 · 0.0125 / 40)."""
    assert formatting.share_error(1, 39) == pytest.approx(math.sqrt(0.9875 * 0.0125 / 40))
    assert formatting.share(1, 39) == "100.0 ± 1.8 %" and formatting.share(0.965, 1000) == "96.5 ± 0.6 %"
    assert (
        formatting.share(0.965) == "96.5 %"
        and formatting.share(0.965, None) == "96.5 %"
        and formatting.share_error(0.5, 0) is None
    )


@pytest.mark.parametrize("classes", CLASSES, ids=len)
def test_the_table_fits_a_terminal_and_lines_up(classes):
    result = made_up(classes, model=classes[-1] * 3)
    text = report.table(result)
    result["settings"].update(kid_name=f"KID-{HOSTILE * 3}", network_label=HOSTILE * 3)
    assert max(map(len, report.table(result).splitlines())) <= 100
    assert max(map(len, text.splitlines())) <= 100
    assert all(line.isprintable() for line in text.splitlines()), "no escape sequences of a class name"
    for figure in ("0.123 ± 0.004", "−0.0003 ± 0.0015", "51.7 ± 1.6", "0.127 ± 0.012", "38,000", "123 ± 6", "1,048,899"):
        assert figure in text
    assert ("right class" in text) and ("94.2 ± 0." in text) == (len(classes) > 1)
    rows = [line for line in text.splitlines() if "trained on" in line and "±" in line]
    assert len(rows) == 10 and len({line.index("trained on") for line in rows}) == 1


def test_what_was_not_measured_is_a_dash():
    text = report.table(bare(made_up()))
    kid = next(line for line in text.splitlines() if line.startswith("KID"))
    assert kid.split() == ["KID-MobileNetV2", "↓", "–", "1,000", "–", "–", "trained", "on"]
    assert "±" not in text.replace("± is one", "") and "None" not in text and "nan" not in text


def test_columns_that_do_not_fit_go_on_below():
    lines = formatting.columns([["", *["x" * 30] * 5], ["name", *"12345"]])
    assert max(map(len, lines)) <= 100
    assert [line.split()[1:] for line in lines if line.startswith("name")] == [["1", "2", "3"], ["4", "5"]]


def models():
    """Three models, of which the third is best at KID, the second too near to it to tell, and the first just out of reach."""
    results = []
    for name, kid, auc in (("a", 0.113, 0.51), ("b", 0.104, 0.99), (HOSTILE, 0.1, 0.45)):
        one = made_up(model=name)
        one["parts"]["all"]["measures"]["kid"]["value"] = kid
        one["parts"]["all"]["measures"]["auc"]["value"] = auc
        results.append(one)
    return results


def test_the_best_are_those_that_two_errors_do_not_set_apart():
    rows = {row.label.split("\N{NO-BREAK SPACE}")[0]: row for row in figures.compared(models())}
    assert rows["KID-MobileNetV2"].best == {1, 2} and rows["AUC"].best == {0, 2}, "0.45 is no further from 0.5 than 0.51 ± 0.02"
    assert rows["parameters"].best == rows["FD-MobileNetV2"].best == set(), "no better way, no difference"
    assert rows["KID-MobileNetV2"].real == "−0.0003 ± 0.0015"


def test_a_missing_figure_is_not_best_and_models_judged_otherwise_are_named():
    first, second, _ = models()
    second["parts"]["all"]["measures"]["kid"].update(value=None, error=None, floor=None)
    second["settings"]["truncation"], second["probe"] = None, None
    del second["parts"]["all"]["measures"]["auc"]
    text = report.comparison_table([first, second])
    assert "truncation 1.5, none" in text and "not the same" in text
    kid = figures.compared([first, second], ["kid", "auc", "right class"])
    assert [row.figures[1].text for row in kid] == ["–"] * 3 and all(row.best <= {0} for row in kid)


def test_the_comparison_fits_a_terminal():
    text = report.comparison_table(models() * 4)
    assert max(map(len, text.splitlines())) <= 100 and all(line.isprintable() for line in text.splitlines())
    assert "0.104 ± 0.004*" in text and "0.113 ± 0.004 " in text and "real photos" in text


def test_a_comparison_says_how_it_was_measured_and_what_is_to_be_doubted():
    results = models()
    results[1]["notes"] = ["The photos are not those of the training."]
    for text in (report.comparison_table(results), report.comparison_markdown(results)):
        assert "flowers of each, truncation 1.5, seen by" in text and "photos trained on and" in text
        assert text.count("The photos are not those of the training.") == 1 and "None is better" not in text
    alike = report.comparison_table([results[0], results[0]])
    assert "None is better by more than two standard errors." in alike and report.BEST not in alike


def test_the_markdown_is_one_table_that_no_name_breaks():
    text = report.comparison_markdown(models())
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 6
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    assert "<script" not in text and "**0.104 ± 0.004**" in text and "\x1b" not in text
    assert "\N{NO-BREAK SPACE}" not in text


# ------------------------------------------------------------------------------------------------------------ the pages


class Page(HTMLParser):
    """What a browser would make of a page, as far as the tests ask."""

    VOID = {"meta", "link", "img", "br", "line", "circle", "polyline"}

    def __init__(self, html):
        super().__init__()
        self.tags, self.open, self.text, self.ids = [], [], "", []
        self.feed(html)
        self.close()
        assert self.open == [], "every tag is closed"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        assert len(attrs) == len(dict(attrs)), "no attribute twice"
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]

    def words(self):
        return " ".join(self.text.split())


def check(html):
    """What is true of every page: nothing loaded, no script, everything named for those who cannot see it."""
    page = Page(html)
    assert not page.all("script") and not page.all("iframe") and not page.all("form")
    for tag, attrs in page.tags:
        assert not any(name.startswith("on") or name == "style" for name in attrs), "the policy forbids both"
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            if name in attrs:
                inside = attrs[name].startswith(("data:", "#"))
                assert inside or (tag == "a" and attrs[name].startswith("https://") and attrs["rel"] == "noreferrer")
    style = html.split("<style>")[1].split("</style>")[0]
    assert "url(" not in style and "@import" not in style
    [policy] = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; ") and f"style-src 'sha256-{digest}'" in policy
    assert page.all("html") == [{"lang": "en"}] and all(image["alt"] for image in page.all("img"))
    assert all(svg["aria-label"] for svg in page.all("svg") if "role" in svg)
    assert all(header["scope"] for header in page.all("th")) and len(page.all("caption")) == len(page.all("table"))
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {link["href"][1:] for link in page.all("a") if link["href"].startswith("#")} <= set(ids)
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1 and all(b - a <= 1 for a, b in zip(levels, levels[1:]))
    assert not re.search(r"\bNone\b(?! of the)", page.text) and "nan" not in page.text.split() and "Undefined" not in html
    return page


@pytest.mark.parametrize("classes", CLASSES, ids=len)
def test_the_page_holds_every_figure_and_loads_nothing(classes):
    result, shown = made_up(classes), pictures()
    page = check(report.page(result, shown))
    words = page.words()
    for part in result["parts"].values():
        for key, m in part["measures"].items():
            assert formatting.number(m["value"], m["error"]).replace(" ", "\N{NO-BREAK SPACE}") in page.text
            floor = formatting.number(m["floor"], m["floor_error"]).replace(" ", "\N{NO-BREAK SPACE}")
            assert (floor in page.text) is (key != "fd"), "the floor of a Fréchet distance is one of another n"
    for figure in (
        "1.2 ± 0.3 %", "1.4 ± 1.6 %", "3.2 ± 0.9 %", "38,123", "0.020 ± 0.004", "0.00 ± 0.18 %", "123 ± 6", "1,048,899", "1.23",
        "80.1", "4,200,123", "0.101 ± 0.004", "seed 827", "0.422", "2f518e77", "the run's holdout of 0.15", *result["notes"],
        "1,000 flowers against 188 photos trained on", "1,000 flowers against 34 photos held out",
    ):  # fmt: skip
        assert figure in words, figure
    assert ("94.2 ± 0." in words) == (len(classes) > 1)
    assert len(page.all("img")) == 21 and len(page.all("polyline")) == 6
    assert all(name in page.text for name in classes)


def test_pictures_stand_in_the_page_with_the_page_between_them():
    """A grid of 64 is 8×8, its pixels enlarged to whole squares, and transparent where no picture is."""
    samples = pictures()["samples"]
    page = Page(report.page(made_up(), {"samples": samples}))
    [image] = page.all("img")
    with Image.open(io.BytesIO(base64.b64decode(image["src"].partition("base64,")[2]))) as opened:
        assert opened.mode == "RGBA" and opened.size[0] == opened.size[1]
        pixels = np.asarray(opened)
    factor = pixels.shape[0] // (8 * 16 + 7)
    assert pixels.shape[0] == factor * (8 * 16 + 7) >= 600
    small = pixels[::factor, ::factor]
    assert (
        np.array_equal(small[17:33, 34:50, :3], samples[10]) and (small[:16, :16, 3] == 255).all() and not small[16, :, 3].any()
    )
    assert np.array_equal(small.repeat(factor, 0).repeat(factor, 1), pixels)


def test_the_page_of_a_result_without_figures_says_so():
    for result in (bare(made_up()), bare(made_up(("rose",)))):
        page = check(report.page(result, {}))
        assert not page.all("img") and not page.all("polyline") and "Not measured." in page.text
        assert page.words().count("could not be measured or was left out") == 7


@pytest.mark.parametrize("path", list(gaps()), ids=lambda path: ".".join(map(str, path)))
def test_any_one_figure_may_be_missing(path):
    result = made_up()
    tree = result
    for key in path[:-1]:
        tree = tree[key]
    tree[path[-1]] = None
    report.table(result), report.comparison_table([result, made_up()]), report.comparison_markdown([result])
    check(report.page(result, {}))


def test_the_pages_of_hostile_names_are_only_odd():
    result = made_up(("rose", HOSTILE), model=HOSTILE)
    for key in ("network_label", "kid_name", "fd_name", "command", "network_sha256"):
        result["settings"][key] = HOSTILE
    result["reference"].update(photos=HOSTILE, held_out_from=HOSTILE)
    result["notes"] = [HOSTILE]
    html = report.page(result, pictures())
    assert "<script" not in html and HOSTILE in check(html).text
    html = report.comparison_page([result, made_up()], {HOSTILE: pictures()["samples"]})
    assert "<script" not in html and HOSTILE in check(html).text


def test_the_comparison_page_shows_each_model():
    grids = {name: pictures()["samples"] for name in ("a", "b", HOSTILE)}
    page = check(report.comparison_page(models(), grids))
    assert len(page.all("img")) == 3 and len([svg for svg in page.all("svg") if svg["class"] == "plot scale"]) == 12
    for figure in ("0.113 ± 0.004", "0.104 ± 0.004", "0.100 ± 0.004", "0.99 ± 0.02", "94.2 ± 0.5 %", "1,048,899"):
        assert figure in page.words()
    assert len([cell for cell in page.all("td") if cell.get("class") == "best"]) == 4
    check(report.comparison_page([bare(made_up()), bare(made_up(("rose",), "other"))], {}))


# ------------------------------------------------------------------------------------------------------------ the plots


def test_an_axis_stands_by_its_kind():
    assert svg_plots.Axis("", 0, 4).at(1) == 0.25 and svg_plots.Axis("", 0, 4, "root").at(1) == 0.5
    assert svg_plots.Axis("", 0, 4, "root").at(-3) == 0 and svg_plots.Axis("", 0, 4).at(9) == 1
    assert svg_plots.Axis("", 1e-4, 1, "log").at(1e-2) == pytest.approx(0.5)
    assert svg_plots.Axis("", 1e-2, 1, "log").ticks() == [(0.0, "10⁻²"), (pytest.approx(0.5), "10⁻¹"), (1.0, "1")]
    assert [name for _, name in svg_plots.Axis("", -0.1, 0.31).ticks()] == ["−0.1", "0", "0.1", "0.2", "0.3"]
    for values in ([], [0.0], [-0.002, -0.001], [None, math.nan], [5e-5], [1e6]):
        axis = svg_plots.span(values, "")
        assert axis.low <= 0 <= axis.high and axis.low < axis.high and axis.ticks()


def test_labels_of_a_scale_stay_on_it_and_apart():
    random = np.random.default_rng(0)
    for _ in range(200):
        labels = [(place, 0.3) for place in random.random(3).tolist()]
        ends = sorted(
            {"start": (x, x + 0.3), "middle": (x - 0.15, x + 0.15), "end": (x - 0.3, x)}[anchor]
            for x, anchor in svg_plots._apart(labels)
        )
        assert ends[0][0] > -1e-9 and ends[-1][1] < 1 + 1e-9
        assert all(b[0] - a[1] > -1e-9 for a, b in zip(ends, ends[1:]))


def test_a_histogram_is_a_staircase_from_and_to_the_ground():
    assert svg_plots.stairs([0, 1, 2], [5, 3]) == [(0, 0), (0, 5), (1, 5), (1, 3), (2, 3), (2, 0)]


# ----------------------------------------------------------------------------------------------------------- a browser


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])
def test_pages_fit_and_are_legible_in_a_browser(browser, tmp_path, width, scheme):
    """No sideways scrolling, nothing asked of a network, nothing the policy stops, contrast of 4.5 or more."""
    five = made_up(("dandelion", "marigold", "rose", "x" * 60, HOSTILE), model=HOSTILE)
    pages = {
        "one": report.page(five, pictures()),
        "two": report.comparison_page(models(), {"a": pictures()["samples"]}),
    }
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    tab, wrong = context.new_page(), []
    tab.on("console", lambda message: wrong.append(message.text))
    tab.on("request", lambda request: wrong.append(request.url) if not request.url.startswith(("file:", "data:")) else None)
    for name, html in pages.items():
        (tmp_path / f"{name}.html").write_text(html, encoding="utf-8")
        tab.goto((tmp_path / f"{name}.html").as_uri())
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert tab.evaluate("getComputedStyle(document.body).margin") == "0px", "the policy lets the style sheet in"
        assert tab.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
        for place in (
            "h1",
            "p.lead",
            "main a",
            "figcaption",
            "caption",
            "td",
            "thead th",
            "tbody th",
            ".best",
            ".f5",
            "dt",
            "dd",
        ):
            for element in tab.locator(place).all()[:1]:
                assert contrast(element) >= 4.5, (name, place, scheme)
        assert tab.evaluate(OUTSIDE) == [], "words of a plot that leave the page"
    context.close()
    assert wrong == []


OUTSIDE = """[...document.querySelectorAll(".plot text")].filter(text => {
  const box = text.getBoundingClientRect();
  return box.width && (box.left < 0 || box.right > innerWidth);
}).map(text => text.textContent)"""
