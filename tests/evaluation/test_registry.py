"""What a metric declares: one entry is enough for the JSON, the tables, the comparison, the page and the scores of a model."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch
from test_report import check, made_up, pictures

from gan.evaluation import classifier_tests, measures, metrics, report, results
from gan.evaluation.registry import Comparison, Gauge, Metric
from gan.evaluation.scores import summary
from gan.evaluation.sections import SECTIONS

TOY = Metric(
    "mean_shift", "mean shift of {fd}", better="low", headline=True,
    distance=lambda real, fake: float((real.mean(0) - fake.mean(0)).norm()),
    gauge=Gauge(
        "Mean shift: {part}", "Left is better.", every_class=True, about="How far apart the means are.",
        source=("Nobody", 2000, "On Means", "https://example.org/means"),
    ),
    comparison=Comparison("Mean shift", "How far apart the means are; left is better."),
)  # fmt: skip


@pytest.fixture
def toy(monkeypatch):
    """TOY among the metrics."""
    monkeypatch.setattr(measures, "METRICS", (*measures.METRICS, TOY))
    monkeypatch.setitem(results.ALL_METRICS, TOY.key, TOY)
    monkeypatch.setattr(report, "HEADLINES", (*results.HEADLINES, TOY.key))
    return TOY


def test_keys_are_unique_and_each_metric_has_one_source():
    metrics = [*measures.METRICS, *(metric for section in SECTIONS for metric in section.metrics)]
    assert len({metric.key for metric in metrics}) == len(metrics) == len(results.ALL_METRICS)
    for metric in metrics:
        sources = (metric.distance, metric.measure, metric.read)
        assert sum(source is not None for source in sources) == 1 and metric.better in ("low", "high", "half", None)
    assert all(metric.read is None for metric in measures.METRICS)
    assert all(metric.read is not None for section in SECTIONS for metric in section.metrics)


def test_a_metric_declared_once_is_measured_with_error_floor_and_ceilings(toy):
    random = torch.Generator().manual_seed(0)
    flowers, trained, others, noise = (torch.randn(24, 4, generator=random) + shift for shift in (1.0, 0.0, 2.0, 9.0))
    found = measures.measure(measures.FeatureSets(flowers, trained, None, others, noise), seed=0)
    assert "auc" not in found, "there are no photos held out"
    one = found[toy.key]
    assert one["value"] == pytest.approx(float((trained.mean(0) - flowers.mean(0)).norm()))
    assert one["floor"] < one["value"] < one["ceiling_class"] < one["ceiling_noise"]
    assert one["better"] == "low" and one["n"] == 24 and one["error"] > 0
    assert json.loads(json.dumps(found)) == found


def test_the_n_of_the_auc_is_the_number_that_was_compared(monkeypatch):
    """Of 600 photos held out and 50 flowers, 50 and 50 are compared; and for the floor as many as were trained on."""
    monkeypatch.setattr(classifier_tests, "RUNS", 1)
    random = torch.Generator().manual_seed(0)
    flowers, trained, held, noise = (torch.randn(count, 4, generator=random) for count in (50, 40, 600, 20))
    auc = measures.measure(measures.FeatureSets(flowers, trained, held, None, noise), seed=0)["auc"]
    assert (auc["n"], auc["floor_n"]) == (50, 40)
    auc = measures.measure(measures.FeatureSets(flowers, trained, held[:30], None, noise), seed=0)["auc"]
    assert (auc["n"], auc["floor_n"]) == (30, 30)
    monkeypatch.setattr(classifier_tests, "MAX_PICTURES", 12)
    auc = measures.measure(measures.FeatureSets(flowers, trained, held, None, noise), seed=0)["auc"]
    assert (auc["n"], auc["floor_n"]) == (12, 12)


def test_neighbors_at_equal_numbers_by_hand():
    """Ten photos; ten flowers that are copies, ten far away, and five more that make no whole run: half of each figure."""
    photos = torch.randn(10, 4, generator=torch.Generator().manual_seed(0))
    flowers = torch.cat([photos, photos + 1000, torch.full((5, 4), torch.nan)])
    copies = metrics.neighbors(photos, photos, 3)
    found = measures.neighbors_at_equal_numbers(photos, flowers, 3)
    assert found == {name: pytest.approx(value / 2) for name, value in copies.items()} and found["recall"] == 0.5
    # With fewer flowers than photos, as many of the photos, drawn at random.
    few = measures.neighbors_at_equal_numbers(flowers[:20], photos[:6], 3)
    assert (
        few
        == metrics.neighbors(measures.subset(flowers[:20], 6), photos[:6], 3)
        != metrics.neighbors(flowers[:20], photos[:6], 3)
    )


def test_a_metric_declared_once_is_shown_everywhere(toy):
    result = made_up()
    for part in result["parts"].values():
        part["measures"][toy.key] = {**part["measures"]["kid"], "value": 0.777, "error": 0.001}
    assert "mean shift of FD-Mobile" in report.table(result) and report.table(result).count("0.7770 ± 0.0010") == 4
    words = check(report.page(result, pictures())).words()
    assert "How far apart the means are." in words and "On Means" in words and words.count("Mean shift: ") == 3
    other = {**made_up(model="other"), "parts": result["parts"]}
    assert "0.7770" in report.comparison_table([result, other]) and "0.7770" in report.comparison_markdown([result, other])
    assert "How far apart the means are; left is better." in check(report.comparison_page([result, other], {})).words()
    assert summary(result, 1.5)["parts"]["all"][toy.key]["value"] == 0.777


def test_a_metric_of_another_release_is_still_shown():
    result = made_up()
    result["parts"]["all"]["measures"]["old_figure"] = {**result["parts"]["all"]["measures"]["kid"], "value": 0.4321}
    assert "old figure" in report.table(result) and "old figure" in report.page(result, pictures())


def test_figures_of_sections_are_the_same_without_a_section_and_with_damaged_ones():
    for section in SECTIONS:
        for metric in section.metrics:
            for found in (None, {}, {"support": None}, {"checkerboard": {}}):
                figure = metric.read(found)
                assert figure.text == "–" and figure.value is None and dataclasses.replace(figure, key="x")
