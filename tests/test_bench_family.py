"""tests/bench/family.py with trainings and judgings that are small scripts: what fails, what is kept, and how it is stopped."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests" / "bench"))

import family  # noqa: E402

from gan.evaluation import features  # noqa: E402
from gan.presets import PRESETS, from_preset  # noqa: E402

NAMES = ["wgan-64", "lsgan-64", "acgan-64"]

# What a file NAME in the folder of the script says, it does: "fail", "run" until it is stopped, or "stop" who began it.
TRAIN = """
import json, os, signal, sys, time
from pathlib import Path
out = Path(sys.argv[sys.argv.index("--out") + 1])
what = Path(__file__).with_name(out.name)
what = what.read_text() if what.is_file() else ""
out.mkdir(exist_ok=True)
def save(code):
    (out / "model.safetensors").write_bytes(b"weights")
    (out / "config.json").write_text(json.dumps({"trained": {"images": 320}}))
    sys.exit(code)
signal.signal(signal.SIGTERM, lambda *_: save(143))
(out / "progress.jsonl").write_text("")
if what == "fail":
    sys.exit("error: the loss is no number.\\n")
if what == "stop":
    os.kill(os.getppid(), signal.SIGTERM)
while what:
    time.process_time()
save(0)
"""

# Writes the result in the file "result" with the KID of the file JUDGE-NAME, or fails if that has a word.
JUDGE = """
import json, sys
from pathlib import Path
here, model, words = Path(__file__).parents[1], Path(sys.argv[2]), sys.argv
network, out = (words[words.index(flag) + 1] for flag in ("--network", "--out"))
with (here / "calls").open("a") as calls:
    print(network, model.name, file=calls)
kid = here / f"{network}-{model.name}"
kid = kid.read_text() if kid.is_file() else "0.5"
result = json.loads((here / "result").read_text())
result["parts"]["all"]["measures"]["kid"]["value"] = float(kid) if kid[0].isdigit() else sys.exit(f"error: {kid}")
Path(out).mkdir(parents=True, exist_ok=True)
(Path(out) / "comparison.json").write_text(json.dumps([result]))
"""


def result(network="Judge"):
    kid = {
        "value": 0.0, "error": 0.001, "n": 1000, "against": "trained on", "better": "low", "floor": 0.01, "floor_error": 0.001,
        "floor_n": 90, "ceiling_noise": 1.0, "ceiling_class": None,
    }  # fmt: skip
    settings = {"n": 1000, "seed": 0, "truncation": 3.0, "kid_name": f"KID-{network}", "fd_name": f"FD-{network}"}
    return {"model": "m", "settings": settings, "reference": {}, "parts": {"all": {"measures": {"kid": kid}}}}


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """A function that runs the script over NAMES, and the folder whose files say what the trainings and judgings do."""
    root = tmp_path / "root"
    (root / "gan").mkdir(parents=True)
    (root / "train.py").write_text(TRAIN)
    (root / "gan" / "__init__.py").write_text("")
    (root / "gan" / "__main__.py").write_text(JUDGE)
    (root / "result").write_text(json.dumps(result()))
    for name, value in {"ROOT": root, "POLL": 0.05, "rate": lambda *_: 0.1, "parameters_of": lambda _: 1234}.items():
        monkeypatch.setattr(family, name, value)
    monkeypatch.setattr(family, "check_judges", lambda names: None)
    before = signal.getsignal(signal.SIGTERM)

    def run(*words):
        return family.main([str(tmp_path), "--out", str(tmp_path / "out"), "--only", *NAMES, "--minutes", "60", *words])

    yield run, root
    signal.signal(signal.SIGTERM, before)


def rows(folder):
    """Name of a model → the cells of its row in family.md."""
    lines = (folder / "family.md").read_text().splitlines()
    return {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in (line.strip("|").split("|") for line in lines)}


def entries(folder):
    return json.loads((folder / "family.json").read_text())


def test_a_judging_that_fails_costs_its_own_cells_and_is_tried_again(bench, tmp_path):
    run, root = bench
    for name, kid in (("wgan-64", "0.3"), ("lsgan-64", "a damaged file."), ("acgan-64", "0.1")):
        (root / f"mobilenetv2-{name}").write_text(kid)
    assert run() == 1
    found = rows(tmp_path / "out")
    assert found["model"][0].startswith("KID-Judge") and len(found["model"]) == 6, "a column for each judge, and the costs"
    assert [found[name][0][:5] for name in NAMES] == ["0.300", "–", "**0.1"], "the best one of those that were judged is bold"
    assert [found[name][1][:5] for name in NAMES] == ["0.500"] * 3, "the other judge saw all, and none is best"
    assert found["lsgan-64"][2] == "1,234" and found["lsgan-64"][4] == "320" and found["*real photos*"][0].startswith("0.010")
    failed = {name: entry["failed"] for name, entry in entries(tmp_path / "out").items()}
    assert failed.pop("lsgan-64")["mobilenetv2"].startswith("not judged, 1: error: a damaged file.") and not any(
        failed.values()
    )

    (root / "calls").unlink()
    (root / "mobilenetv2-lsgan-64").write_text("0.2")
    assert run() == 0 and rows(tmp_path / "out")["lsgan-64"][0].startswith("0.200")
    assert (root / "calls").read_text() == "mobilenetv2 lsgan-64\n", "the others were kept"
    assert not entries(tmp_path / "out")["lsgan-64"]["failed"]


def test_a_model_is_judged_again_where_it_or_the_number_of_flowers_is_another(bench, tmp_path):
    run, root = bench
    assert run("--judges", "mobilenetv2") == 0
    (root / "calls").unlink()
    weights = tmp_path / "out" / "wgan-64" / "model.safetensors"
    later = (tmp_path / "out" / "compare-mobilenetv2" / "wgan-64" / "comparison.json").stat().st_mtime + 1
    os.utime(weights, (later, later))
    (tmp_path / "out" / "compare-mobilenetv2" / "acgan-64" / "comparison.json").write_text("[{")  # a full disk, perhaps
    assert run("--judges", "mobilenetv2") == 0
    assert (root / "calls").read_text() == "mobilenetv2 wgan-64\nmobilenetv2 acgan-64\n"
    assert run("--judges", "mobilenetv2", "-n", "500") == 0 and len((root / "calls").read_text().splitlines()) == 5


def test_a_training_that_fails_leaves_the_others_and_a_row_of_dashes(bench, tmp_path):
    run, root = bench
    (root / "lsgan-64").write_text("fail")
    assert run() == 1
    found = rows(tmp_path / "out")
    assert found["lsgan-64"][:5] == ["–"] * 5 and found["acgan-64"][4] == "320"
    assert "lsgan-64" not in (root / "calls").read_text()
    entry = entries(tmp_path / "out")["lsgan-64"]
    assert not entry["done"] and entry["failed"]["training"].startswith("ended with 1: error: the loss is no number.")
    (root / "lsgan-64").unlink()
    assert run() == 0 and rows(tmp_path / "out")["lsgan-64"][4] == "320"


def test_a_training_ends_with_its_processor_time(bench, tmp_path):
    run, root = bench
    (root / "wgan-64").write_text("run")
    assert run("--minutes", "0.005") == 0
    entry = entries(tmp_path / "out")["wgan-64"]
    assert entry["done"] and 0.3 <= entry["seconds"] < 3


def test_a_signal_to_the_script_stops_the_training_which_saves_and_goes_on_later(bench, tmp_path):
    run, root = bench
    (root / "lsgan-64").write_text("stop")
    with pytest.raises(SystemExit) as stopped:
        run()
    assert stopped.value.code == 143 and (tmp_path / "out" / "lsgan-64" / "model.safetensors").is_file(), "it was waited for"
    assert {name: entry["done"] for name, entry in entries(tmp_path / "out").items()} == {"wgan-64": True, "lsgan-64": False}
    (root / "lsgan-64").unlink()
    assert run() == 0


@pytest.mark.parametrize(("preset", "images"), [("wgan-64", 48_000), ("progan-64", 24_000)])
def test_more_images_are_planned_than_fit_where_they_only_end_the_run(preset, images):
    assert family.planned_images(preset, 2400, 0.1) == images
    assert family.planned_images(preset, 1, 1) == 1000


def test_a_judge_that_cannot_be_had_ends_the_script_before_a_training(tmp_path, monkeypatch):
    trained = []
    monkeypatch.setattr(family, "train", lambda *_: trained.append(1))
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit, match="the judge mobilnet cannot be had: there is no feature network"):
            family.main([str(tmp_path), "--out", str(tmp_path / "out"), "--judges", "mobilenetv2", "mobilnet"])
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not trained and not (tmp_path / "out").exists()
    assert {*family.parse([str(tmp_path)]).judges} <= {*features.NAMES}


@pytest.mark.parametrize("words", [["wgn-64"], ["wgan-64", "all-on"], ["--switches", "--only", "wgan-64"]])
def test_a_run_that_there_is_not_is_refused(words, tmp_path, capsys):
    words = words if words[0].startswith("--") else ["--only", *words]
    with pytest.raises(SystemExit) as refused:
        family.parse([str(tmp_path), *words])
    assert refused.value.code == 2 and "--only" in capsys.readouterr().err


def test_the_switches_change_one_thing_each():
    """Every run differs from the first one of its preset in one setting; without momentum Adam keeps its second beta."""
    from gan.runs import cli

    every = {}
    for name, (preset, options) in family.SWITCHES.items():
        given = cli.parse(["photos", "--preset", preset, *options]).given
        every[name] = vars(from_preset(preset, family.CLASSES, width=32, **given)[1])
    plain = {"dcgan-64": every.pop("all-on"), "wgan-64": every.pop("clip-0.01")}
    first = {name: plain[family.SWITCHES[name][0]] for name in every}
    changed = {name: {key: run[key] for key in run if run[key] != first[name][key]} for name, run in every.items()}
    assert changed == {
        "no-label-smoothing": {"label_smoothing": 0}, "no-noisy-labels": {"noisy_labels": False},
        "momentum-0.9": {"beta1": 0.9}, "no-momentum": {"beta1": 0}, "mixed-batches": {"mixed_batches": True},
        "clip-0.1": {"clip": 0.1}, "clip-0.001": {"clip": 0.001},
    }  # fmt: skip


def test_every_run_has_the_side_at_which_it_is_judged():
    assert {PRESETS[preset].resolution for preset in (*family.FAMILY, "dcgan-64")} == {family.SIDE}
