"""The ladder: the bundled stages in order, one seed through all, and spectra in which a checkerboard shows."""

from __future__ import annotations

import numpy as np
import pytest

from gan.evaluation.artifacts import mean_spectrum
from gan.hub import loader
from gan.studio import i18n, ladder_stages


@pytest.fixture(scope="module")
def stages():
    return ladder_stages.load()


def test_the_six_stages_in_the_paper_s_order(stages):
    assert [stage.name for stage in stages] == list(ladder_stages.STAGES) and [stage.number for stage in stages] == [
        1,
        2,
        3,
        4,
        5,
        6,
    ]
    assert [stage.sampler.config.resolution for stage in stages] == [28, 28, 64, 64, 64, 128]


def test_branches_are_bundled_models_of_other_papers_by_year_with_a_sentence_each():
    branches = ladder_stages.load_branches()
    assert "dcgan-64" in [branch.name for branch in branches] and not {b.name for b in branches} & {*ladder_stages.STAGES}
    assert [branch.year for branch in branches] == sorted(branch.year for branch in branches) and branches[0].year == 2016
    for language in i18n.LANGUAGES:
        assert all(i18n.say(f"ladder_new_{name}", language) for name in ladder_stages.BRANCHES)
    scores = branches[0].scores()
    parts = loader.load("dcgan-64").generator.config.scores["parts"]["all"]
    assert scores == {"kid": parts["kid"]["value"], "recall": parts["recall_3"]["value"]}


def test_a_class_and_a_seed_go_through_every_stage(stages):
    for stage in stages:
        drawn = [stage.sampler.draw([stage.flower(name, 7, 1.5)])[0] for name in ("dandelion", "marigold", "rose")]
        assert np.array_equal(drawn[0], drawn[1]) == (len(stage.classes) == 1)
        assert np.array_equal(drawn[2], drawn[0]), "a class that no stage knows is its first"


def test_the_grid_is_as_the_evaluation_found_it(stages):
    k3 = next(stage for stage in stages if stage.name == "cwgan-gp-64-k3")
    found = loader.load(k3.name).generator.config.scores["checkerboard"]
    assert k3.peaks()[2] == (found["generated"]["peaks_2"], found["real"]["peaks_2"]) and set(k3.peaks()) == {2, 4, 8}


def test_a_checkerboard_is_bright_points_in_the_spectrum():
    rng = np.random.default_rng(0)
    plain = rng.integers(100, 156, (8, 32, 32, 3)).astype(np.uint8)
    board = plain.copy()
    board[:, ::4, ::4] = 255
    for pictures, stands_out in ((plain, False), (board, True)):
        power = mean_spectrum(pictures)
        point, around = power[16 + 8, 16 + 8], np.median(power[20:29, 20:29])
        assert power.shape == (32, 32) and (point - around > 6) == stands_out


def test_a_stage_s_spectrum_is_a_picture(stages):
    spectrum = stages[2].spectrum
    assert (
        spectrum.shape == (64, 64, 3)
        and spectrum.dtype == np.uint8
        and spectrum.max() == 255
        and spectrum is stages[2].spectrum
    )
