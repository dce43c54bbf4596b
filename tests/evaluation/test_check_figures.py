"""`python -m gan check-figures`: what a card says is measured again, and a figure that is wrong is found."""

from __future__ import annotations

import json
import math
import shutil

import pytest
from pictures import make_photos
from test_evaluate import COUNT, model, network, photos, quick, refused, run  # noqa: F401  # fixtures

from gan.__main__ import main
from gan.evaluation.check_figures import Check
from gan.evaluation.measures import METRICS
from gan.hub import checkpoint


@pytest.fixture(scope="module")
def judged(tmp_path_factory, photos, network):  # noqa: F811
    folder = model(tmp_path_factory.mktemp("judged") / "tiny")
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
    patch.setattr("gan.evaluation.classifier_tests.RUNS", 2)  # as `quick` has them
    patch.setattr("gan.evaluation.measures.FLOOR_REPEATS", 3)
    run("evaluate", folder, photos, "--truncation", 1, "--card", network=network, out=folder.parent / "out")
    patch.undo()
    return folder


def test_the_figures_of_a_card_hold_and_a_changed_one_does_not(judged, photos, tmp_path, capsys):  # noqa: F811
    words = ["check-figures", str(photos)]
    assert main([*words, str(judged), "-n", str(COUNT), "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    rows = {line.split(": ")[1].split("  ")[0].strip(): line for line in printed.splitlines() if line.startswith("tiny, ")}
    assert {"KID-shrunk.ts", "FD-shrunk.ts", "recall (k=3)", "AUC"} <= set(rows) and len(rows) == 12
    assert all(line.split()[-2:] == ["0.0", "holds"] for line in rows.values()), "the same flowers give the same figures"

    folder = tmp_path / "tiny"
    shutil.copytree(judged, folder)
    config = json.loads((folder / checkpoint.CONFIG).read_text())
    kid = config["scores"]["parts"]["all"]["kid"]
    kid["value"] -= 10 * kid["error"]
    (folder / checkpoint.CONFIG).write_text(json.dumps(config))
    assert main([*words, str(folder), "-n", str(COUNT + 30), "--device", "cpu"]) == 1
    printed = capsys.readouterr().out
    assert [line.split(": ")[1].split()[0] for line in printed.splitlines() if "DOES NOT HOLD" in line] == ["KID-shrunk.ts"]
    assert "FD-shrunk.ts  " not in printed and "1 do not hold" in printed, "the FD depends on the number of flowers"


def test_what_cannot_be_compared_is_one_sentence(judged, photos, tmp_path, capsys):  # noqa: F811
    bare = model(tmp_path / "bare")
    assert "has no figures; take them" in refused(capsys, "check-figures", photos, bare)
    other = make_photos(tmp_path / "other", count=50)
    assert "photos are not those" in refused(capsys, "check-figures", other, judged, "-n", COUNT)


def test_a_network_that_is_on_no_card_is_refused_with_those_that_are(judged, photos, network, capsys):  # noqa: F811
    said = refused(capsys, "check-figures", photos, judged, "--network", network, "--network", "typo")
    assert "no card has figures of the network 'typo'" in said and f"choose among {network}." in said
    assert "'dinov2'" in refused(capsys, "check-figures", photos, judged, "--network", "dinov2")


@pytest.mark.parametrize("key", ["compared_at", "truncation", "seed", "network_sha256", "kid_name"])
@pytest.mark.parametrize("damage", ["missing", "of another type"])
def test_scores_that_are_not_whole_are_one_sentence(judged, photos, tmp_path, capsys, key, damage):  # noqa: F811
    folder = tmp_path / "tiny"
    shutil.copytree(judged, folder)
    config = json.loads((folder / checkpoint.CONFIG).read_text())
    config["scores"]["settings"][key] = [7]
    if damage == "missing":
        del config["scores"]["settings"][key]
    (folder / checkpoint.CONFIG).write_text(json.dumps(config))
    said = refused(capsys, "check-figures", photos, folder)
    assert f"no usable '{key}'" in said and "--card" in said and str(folder) in said

    config["scores"]["settings"] = json.loads((judged / checkpoint.CONFIG).read_text())["scores"]["settings"]
    config["scores"]["parts"]["all"]["kid"] = {"value": 0.1}
    (folder / checkpoint.CONFIG).write_text(json.dumps(config))
    assert "no usable 'kid'" in refused(capsys, "check-figures", photos, folder)


def test_three_combined_errors_are_the_limit():
    assert Check("x", 1.0, 0.3, 2.4, 0.4).holds and not Check("x", 1.0, 0.3, 2.6, 0.4).holds
    assert Check("x", 1.0, 0.0, 1.0, 0.0).holds and not Check("x", 1.0, 0.0, 1.1, 0.0).holds, "a figure that is no share"


def test_a_share_whose_error_is_zero_is_not_certain():
    """One photo in four runs of 401 and none in 401, both without a jackknife error: no difference. Twenty in 401 are one."""
    assert Check("recall", 1 / 1604, 0.0, 0.0, 0.0, 401).apart == pytest.approx(0.24, abs=0.02)
    assert not Check("recall", 20 / 401, 0.0, 0.0, 0.0, 401).holds
    assert Check("recall", 0.5, 0.1, 0.8, 0.0, 401).apart == pytest.approx(0.3 / math.hypot(0.1, 0.02), rel=0.01), "the larger"
    assert {metric.key for metric in METRICS if metric.share} == {
        "auc", *(f"{name}_{k}" for name in ("precision", "recall", "coverage") for k in (3, 5))
    }  # fmt: skip


def test_a_changed_share_of_a_card_is_judged_by_its_count(judged, photos, tmp_path, capsys):  # noqa: F811
    """Recall is 0 ± 0 here; a card that says one photo more still holds, one that says 20 more does not."""
    for more, code in ((1, 0), (20, 1)):
        folder = tmp_path / str(more)
        shutil.copytree(judged, folder)
        config = json.loads((folder / checkpoint.CONFIG).read_text())
        recall = config["scores"]["parts"]["all"]["recall_3"]
        assert recall["error"] == 0
        recall["value"] += more / recall["n"]
        (folder / checkpoint.CONFIG).write_text(json.dumps(config))
        assert main(["check-figures", str(photos), str(folder), "-n", str(COUNT), "--device", "cpu"]) == code
        assert f"{code} do not hold" in capsys.readouterr().out
