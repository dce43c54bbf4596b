"""`python -m gan evaluate` and `compare` as a stranger runs them, with a small feature network so that it takes seconds."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tiny_generator
from pictures import make_photos
from torch import nn

from gan.__main__ import main
from gan.data.image_folder import load_photos
from gan.data.split import split
from gan.errors import UserError
from gan.evaluation.reference import load_reference
from gan.evaluation.scores import headline
from gan.generator import make_generator
from gan.hub import checkpoint
from gan.hub.model_card import model_card
from gan.networks.latents import default_truncation
from gan.presets import from_preset
from gan.utils import memory

COUNT = 120  # flowers; -n


class Shrunk(nn.Module):
    """Pictures N×3×224×224 → their colors on an 7×7 grid, N×147, with a bend."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.tanh(torch.nn.functional.adaptive_avg_pool2d(images, (7, 7))).flatten(1)


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("network") / "shrunk.ts"
    torch.jit.script(Shrunk()).save(str(path))
    return str(path)


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    return make_photos(tmp_path_factory.mktemp("photos") / "photos", count=60)


@pytest.fixture(autouse=True)
def quick(tmp_path_factory, monkeypatch):
    """Features of photos are kept with the test's files, not in the home folder; averages are over fewer repeats."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setattr("gan.evaluation.classifier_tests.RUNS", 2)
    monkeypatch.setattr("gan.evaluation.measures.FLOOR_REPEATS", 3)


def model(folder: Path, classes=("dandelion", "marigold"), **trained) -> Path:
    generator = tiny_generator(classes)
    config = replace(generator.config, trained={"holdout": 0.25, "seed": 0, **trained})
    checkpoint.save_model(folder, generator, config)
    return folder


def run(*words, network: str, out: Path) -> dict:
    assert main([*map(str, words), "-n", str(COUNT), "--network", network, "--device", "cpu", "--out", str(out)]) == 0
    return json.loads((out / ("evaluation.json" if words[0] == "evaluate" else "comparison.json")).read_text())


def refused(capsys, *words) -> str:
    """The one sentence a command ends with."""
    assert main(list(map(str, words))) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(errors) == 1 and "Traceback" not in "\n".join(lines)
    assert errors[0].rstrip().endswith(".")
    return errors[0]


def test_a_model_is_judged_at_the_side_that_it_was_trained_at(tmp_path, photos, network):
    """A finer scale that waits for its training would only blur the flowers."""
    config = from_preset("flagship", ("dandelion", "marigold"), resolution=64, width=4)[0]
    generator = make_generator(replace(config, trained={"holdout": 0.25, "seed": 0, "sides": ["32"]}))
    generator.init_weights()
    checkpoint.save_model(tmp_path / "growing", generator, generator.config)
    flags = ("--truncation", "2")
    found = run("evaluate", tmp_path / "growing", photos, *flags, network=network, out=tmp_path / "out")
    assert found["resolution"] == found["settings"]["compared_at"] == 32
    both = run("compare", tmp_path / "growing", tmp_path / "growing", photos, *flags, network=network, out=tmp_path / "both")
    assert both[0]["settings"]["compared_at"] == 32
    said = run("evaluate", tmp_path / "growing", photos, *flags, "--resolution", 64, network=network, out=tmp_path / "said")
    assert said["settings"]["compared_at"] == 64


def test_every_measure_is_there_overall_and_for_each_class(tmp_path, photos, network, capsys):
    found = run("evaluate", model(tmp_path / "tiny"), photos, network=network, out=tmp_path / "out")
    assert list(found["parts"]) == ["all", "dandelion", "marigold"]
    for part in found["parts"].values():
        assert set(part["measures"]) == {
            "kid", "fd", "fd_equal", "auc",
            *(f"{name}_{k}" for name in ("precision", "recall", "density", "coverage") for k in (3, 5)),
        }  # fmt: skip
        for measure in part["measures"].values():
            assert measure["error"] >= 0 and measure["n"] > 0 and measure["floor"] is not None
            assert measure["ceiling_noise"] is not None
    assert (
        found["parts"]["marigold"]["measures"]["kid"]["ceiling_class"] > found["parts"]["marigold"]["measures"]["kid"]["floor"]
    )
    assert found["reference"]["trained_on"] == 90 and found["reference"]["held_out"] == 30
    assert [row["truncation"] for row in found["truncation"]] == [0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0]
    assert found["best_truncation"] == found["settings"]["truncation"] == 1.5  # no flower of an untrained network passes
    equal = found["parts"]["all"]["measures"]["fd_equal"]
    assert equal["n"] == equal["floor_n"] == 45 and equal["value"] > equal["floor"]
    assert len(found["copies"]["pairs"]) == 10 and found["probe"]["real_accuracy"]["all"] == 1
    assert found["smoothness"]["path_length"] > 0 and found["cost"]["parameters"] > 0

    printed = capsys.readouterr().out
    assert "shrunk.ts" in printed and "FID" not in printed  # only one network may be called so
    page = (tmp_path / "out" / "evaluation.html").read_text()
    assert "data:image/png;base64," in page and "<script" not in page


def test_an_untrained_generator_is_far_from_photos_and_told_from_them(tmp_path, photos, network):
    found = run("evaluate", model(tmp_path / "tiny"), photos, "--truncation", 1.5, network=network, out=tmp_path / "out")
    overall = found["parts"]["all"]["measures"]
    assert overall["kid"]["value"] > 20 * max(overall["kid"]["floor"], overall["kid"]["error"])
    assert overall["auc"]["value"] > 0.95 and abs(overall["auc"]["floor"] - 0.5) < 0.2
    assert overall["precision_3"]["value"] < 0.2
    assert found["truncation"] is None and found["best_truncation"] is None


def test_two_runs_with_one_seed_give_the_same_figures_and_another_seed_others(tmp_path, photos, network):
    folder = model(tmp_path / "tiny")
    runs = [
        run("evaluate", folder, photos, "--truncation", 1, "--seed", seed, network=network, out=tmp_path / f"out{number}")
        for number, seed in enumerate((0, 0, 1))
    ]
    for found in runs:
        del found["cost"], found["settings"]
    assert runs[0] == runs[1]
    assert runs[0]["parts"] != runs[2]["parts"]


def test_card_writes_the_figures_where_the_app_finds_them(tmp_path, photos, network):
    folder = model(tmp_path / "tiny")
    weights = (folder / checkpoint.WEIGHTS).read_bytes()
    found = run("evaluate", folder, photos, "--card", network=network, out=tmp_path / "out")
    config = checkpoint.load_model(folder).config
    assert default_truncation(config.scores) == found["best_truncation"]
    assert headline(config.scores).startswith("KID-shrunk.ts ")
    card = (folder / checkpoint.CARD).read_text()
    assert "## Evaluation" in card and "| AUC |" in card and card.startswith("---") and "\n# tiny\n" in card
    assert "python -m gan evaluate tiny photos --card" in card and str(tmp_path) not in card, "names of folders, no paths"
    assert (folder / checkpoint.WEIGHTS).read_bytes() == weights
    assert model_card(config, 0)  # what was written can be read again and made anew

    run("evaluate", folder, photos, "--card", "--truncation", 0.3, network=network, out=tmp_path / "out")
    scores = checkpoint.read_config(folder).scores
    assert scores["settings"]["truncation"] == 0.3
    assert default_truncation(scores) == found["best_truncation"]  # which nobody has looked for anew
    assert scores["curve"] == found["truncation"], "the page shows it, whatever the figures were taken at"
    assert not list(folder.glob("README-before*")), "a card that nobody has changed is not kept"

    (folder / checkpoint.CARD).write_text("My flowers, in my words.")
    run("evaluate", folder, photos, "--card", "--truncation", 1, network=network, out=tmp_path / "out")
    assert (folder / "README-before.md").read_text() == "My flowers, in my words."
    assert "## Evaluation" in (folder / checkpoint.CARD).read_text()


def test_figures_of_a_part_do_not_go_into_the_card(tmp_path, photos, network, capsys, monkeypatch):
    monkeypatch.setattr("gan.evaluation.cli._judge", None)  # it is said before anything is drawn
    folder = model(tmp_path / "tiny")
    before = (folder / checkpoint.CONFIG).read_bytes()
    words = ["evaluate", folder, photos, "--card", "--network", network, "--out", tmp_path / "out"]
    assert "--card is for all classes, not for those of --classes" in refused(capsys, *words, "--classes", "marigold")
    assert "not for those of --reference" in refused(capsys, *words, "--reference", photos)
    assert (folder / checkpoint.CONFIG).read_bytes() == before


def test_two_networks_see_the_same_flowers_side_by_side(tmp_path, photos, network, capsys):
    """The second one is the first under another name: so the second figures must be the first ones again."""
    folder, twin = model(tmp_path / "tiny"), tmp_path / "twin.ts"
    shutil.copy(network, twin)
    words = ["--truncation", 1, "--network", twin, "--card"]
    found = run("evaluate", folder, photos, *words, network=network, out=tmp_path / "out")
    (other,) = found["also"]
    assert found["settings"]["network_label"] == "twin.ts" and other["settings"]["network_label"] == "shrunk.ts"
    assert other["parts"] == found["parts"] and other["settings"]["truncation"] == 1
    printed = capsys.readouterr().out
    rows = [line.split() for line in printed.split("the same flowers seen by")[1].splitlines()]
    head, kid = rows[0], next(row for row in rows if row[:1] == ["KID"])
    assert head == ["twin.ts", "real", "photos", "shrunk.ts", "real", "photos"]
    assert kid[2:8] == kid[8:] and len(kid) == 14
    assert "seen by other networks" in (tmp_path / "out" / "evaluation.html").read_text()
    scores, card = checkpoint.read_config(folder).scores, (folder / checkpoint.CARD).read_text()
    assert scores["also"][0]["parts"]["all"]["kid"] == scores["parts"]["all"]["kid"]
    assert "| | twin.ts, n 120 | two halves of the photos | shrunk.ts, n 120 | two halves of the photos |" in card
    assert "name: KID-shrunk.ts" in card and "name: recall (k=3), shrunk.ts" in card

    found = run("compare", folder, folder, photos, "--network", twin, network=network, out=tmp_path / "both")
    printed = capsys.readouterr().out
    assert all(one["also"][0]["parts"] == one["parts"] for one in found)
    assert printed.count("KID-twin.ts") == printed.count("KID-shrunk.ts") == 1 and printed.count("tiny (2)") >= 2
    page = (tmp_path / "both" / "comparison.html").read_text()
    assert "KID-shrunk.ts" in page and "twin.ts: SHA-256" in page


def test_figures_do_not_go_into_a_model_that_has_been_trained_on_meanwhile(tmp_path, photos, network, capsys, monkeypatch):
    from gan.evaluation import report

    folder, table = model(tmp_path / "tiny"), report.table

    def train_on(result):
        generator = checkpoint.load_model(folder)
        checkpoint.save_model(folder, generator, generator.config, half=True)
        return table(result)

    monkeypatch.setattr(report, "table", train_on)
    words = ["-n", COUNT, "--network", network, "--truncation", 1, "--out", tmp_path / "out"]
    assert "other weights by now" in refused(capsys, "evaluate", folder, photos, "--card", *words)
    assert checkpoint.read_config(folder).scores == {}


def test_without_photos_held_out_nothing_is_said_about_unseen_ones(tmp_path, photos, network, capsys):
    folder = model(tmp_path / "tiny", holdout=0.0, photos={"dandelion": 60, "marigold": 60})
    found = run("evaluate", folder, photos, "--truncation", 1, network=network, out=tmp_path / "out")
    assert "auc" not in found["parts"]["all"]["measures"] and found["copies"] is None and found["probe"] is None
    printed = capsys.readouterr().out
    assert "AUC, right class and near copies are left out" in " ".join(printed.split())
    assert [line.split()[-1] for line in printed.splitlines() if line.startswith("AUC")] == ["–"]
    assert any("trained on every photo here" in note and "--holdout" in note for note in found["notes"])

    other = make_photos(tmp_path / "other", count=12, side=44)
    found = run("evaluate", folder, photos, "--reference", other, "--truncation", 1, network=network, out=tmp_path / "out2")
    assert found["reference"]["held_out"] == 24 and found["probe"] is not None


def test_other_photos_than_those_of_the_training_are_noted(tmp_path, photos, network):
    folder = model(tmp_path / "tiny", photos={"dandelion": 7, "marigold": 7})
    found = run("evaluate", folder, photos, "--truncation", 1, network=network, out=tmp_path / "out")
    assert any("not exactly those" in note for note in found["notes"])
    assert any("photos held out here may have been trained on" in note for note in found["notes"])


def test_photos_held_out_of_another_folder_may_have_been_trained_on(photos, tmp_path):
    """By the digest at the size of the training, else by the numbers; a reference of one's own says nothing of that kind."""
    told = lambda found: any("held out here may have been trained on" in note for note in found.notes)  # noqa: E731
    generator, counts = tiny_generator(), {"dandelion": 45, "marigold": 45}
    side = generator.config.resolution

    def trained(**about):
        return replace(generator.config, trained={"holdout": 0.25, "seed": 0, "photos": counts, **about})

    digest = load_photos(photos, 2 * side, select=lambda found: split(found, photos, 0.25, 0)[0]).digest
    assert not told(load_reference(photos, trained(photos_digest=digest), side))
    assert told(load_reference(photos, trained(photos_digest="0" * 64), side)), "as many, but others"
    assert not told(load_reference(photos, trained(photos_digest="0" * 64), 2 * side)), "which cannot be seen there"
    assert told(load_reference(photos, trained(photos={"dandelion": 44, "marigold": 45}), 2 * side))
    own = make_photos(tmp_path / "own", count=12, side=44)
    assert not told(load_reference(photos, trained(photos_digest="0" * 64), side, own))


def test_of_a_model_that_does_not_say_what_it_was_trained_on_nothing_is_claimed(photos):
    generator = tiny_generator()
    notes = load_reference(photos, generator.config, 16).notes
    assert any("is not known" in note for note in notes) and any("may have been trained" in note for note in notes)
    plain = tiny_generator(("all",)).config
    assert len(load_reference(photos, plain, 16).trained_on.labels) == 120


def test_classes_in_another_order_than_that_of_the_folders_keep_their_photos(photos):
    sorted_, turned = (
        load_reference(photos, tiny_generator(classes).config, 16).trained_on
        for classes in (("dandelion", "marigold"), ("marigold", "dandelion"))
    )
    for label in (0, 1):
        assert np.array_equal(sorted_.pixels[sorted_.of(label)], turned.pixels[turned.of(1 - label)])


def test_photos_that_were_trained_on_are_no_held_out_ones(tmp_path, photos, network, capsys):
    words = ["--network", network, "--reference", photos]
    assert "'" + str(photos) + "' were trained on" in refused(capsys, "evaluate", model(tmp_path / "tiny"), photos, *words)

    twins = make_photos(tmp_path / "twins", count=60)
    for path in sorted(twins.glob("*/*.png")):
        shutil.copy(path, path.with_stem(f"again-{path.stem}"))
    config = replace(tiny_generator().config, trained={"holdout": 0.25})
    assert any("under another name" in note for note in load_reference(twins, config, 16).notes)


@pytest.mark.parametrize("trained", [{"holdout": "much"}, {"holdout": 5}, {"holdout": 0.2, "seed": [1]}])
def test_a_configuration_that_makes_no_sense_is_refused(photos, trained):
    with pytest.raises(UserError, match=r"in the model's config\.json is"):
        load_reference(photos, replace(tiny_generator().config, trained=trained), 16)


def test_a_plain_model_is_judged_against_all_its_folders(tmp_path, photos, network):
    folder = model(tmp_path / "plain", ("all",), photos={"dandelion": 45, "marigold": 45})
    found = run("evaluate", folder, photos, "--truncation", 1, network=network, out=tmp_path / "out")
    assert list(found["parts"]) == ["all"] and found["probe"] is None
    assert found["reference"]["trained_on"] == 90 and not found["notes"]


def test_models_of_different_kinds_are_compared_on_the_same_photos(tmp_path, photos, network, capsys):
    both = model(tmp_path / "both"), model(tmp_path / "plain", ("all",), photos={"dandelion": 45, "marigold": 45})
    found = run("compare", *both, photos, "--resolution", 32, network=network, out=tmp_path / "out")
    assert [one["settings"]["compared_at"] for one in found] == [32, 32]
    assert found[0]["parts"]["all"]["measures"]["kid"]["floor"] == found[1]["parts"]["all"]["measures"]["kid"]["floor"]
    printed = capsys.readouterr().out
    assert "both" in printed and "plain" in printed
    assert "data:image/png;base64," in (tmp_path / "out" / "comparison.html").read_text()
    assert (tmp_path / "out" / "comparison.md").read_text().startswith("|")


def test_two_models_of_one_name_stay_apart(tmp_path, photos, network):
    both = model(tmp_path / "a" / "tiny"), model(tmp_path / "b" / "tiny")
    found = run("compare", *both, photos, network=network, out=tmp_path / "out")
    assert [one["model"] for one in found] == ["tiny", "tiny (2)"]


def test_where_nothing_can_be_written_is_said_before_anything_is_drawn(tmp_path, photos, network, capsys, monkeypatch):
    monkeypatch.setattr("gan.evaluation.cli._judge", None)
    (tmp_path / "file").write_text("")
    folder, to = model(tmp_path / "tiny"), ("--network", network, "--out", tmp_path / "file" / "out")
    for words in (("evaluate", folder, photos, *to), ("compare", folder, photos, *to)):
        assert "is a file; choose another --out" in refused(capsys, *words)
    monkeypatch.setattr("gan.utils.files.os.access", lambda path, mode: path != folder)
    words = ("--network", network, "--out", tmp_path / "out", "--card")
    assert "leave out --card" in refused(capsys, "evaluate", folder, photos, *words)


def test_without_the_libraries_the_way_to_get_them_is_said(tmp_path, photos, network, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert "requirements-dev.txt" in refused(capsys, "evaluate", model(tmp_path / "tiny"), photos, "--network", network)


def test_a_missing_class_is_refused(tmp_path, photos, network, capsys):
    folder = model(tmp_path / "tiny", ("dandelion", "rose"))
    assert "'rose'" in refused(capsys, "evaluate", folder, photos, "--network", network)


def test_too_few_photos_are_refused(tmp_path, network, capsys):
    few = make_photos(tmp_path / "few", count=11)
    said = refused(capsys, "evaluate", model(tmp_path / "tiny", holdout=0.0), few, "--network", network)
    assert "only 11 photos of 'dandelion'" in said


def test_more_flowers_than_fit_into_memory_are_refused(tmp_path, photos, network, capsys, monkeypatch):
    folder = model(tmp_path / "tiny")
    side = checkpoint.read_config(folder).resolution
    monkeypatch.setattr(memory, "available_memory", lambda: 4 * 3 * side * side * 2000)
    said = refused(capsys, "evaluate", folder, photos, "--network", network, "-n", "2001")
    assert f"2001 flowers at {side}×{side} need" in said and "judge fewer of them (-n)" in said


def test_too_few_photos_held_out_are_refused(tmp_path, photos, network, capsys):
    folder = model(tmp_path / "tiny", holdout=0.1)
    assert "only 6 photos of 'dandelion'" in refused(capsys, "evaluate", folder, photos, "--network", network)


def test_of_a_small_folder_the_photos_held_out_are_not_taken_for_all_of_them(tmp_path, network, capsys):
    """Of ten photos two are held out, of nine seven are trained on: neither is how many there are."""
    folder = model(tmp_path / "tiny", holdout=0.2)
    for count, only in ((5, 4), (14, 11), (20, 4)):
        few = make_photos(tmp_path / str(count), count=count)
        said = refused(capsys, "evaluate", folder, few, "--network", network)
        side = "held out" if count == 20 else "trained on"
        assert f"only {only} photos of 'dandelion' in '{few}' among those {side}; add photos until there are 12" in said


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("-n", "5"), "number of pictures"),
        (("--truncation", "9"), "truncation is 9.0"),
        (("--seed", "-1"), "seed is -1"),
        (("--network", "resnet"), "no feature network 'resnet'"),
        (("--device", "tpu"), "--device tpu"),
        (("--resolution", "3"), "--resolution is 3"),
        (("--reference", "/nowhere"), "no folder '/nowhere'"),
    ],
)
def test_bad_flags_are_refused_in_a_sentence(tmp_path, photos, capsys, network, words, part):
    words = words if "--network" in words else (*words, "--network", network)
    assert part in refused(capsys, "evaluate", model(tmp_path / "tiny"), photos, *words)


def test_no_such_model_and_no_such_folder(tmp_path, photos, capsys, network):
    assert "tiny" in refused(capsys, "evaluate", tmp_path / "tiny", photos, "--network", network)
    assert "there is no folder" in refused(
        capsys, "evaluate", model(tmp_path / "tiny"), tmp_path / "nowhere", "--network", network
    )


def test_a_class_too_many_in_the_photos_is_left_out(tmp_path, network):
    three = make_photos(tmp_path / "three", count=60, classes=("dandelion", "marigold", "seedhead"))
    found = run("evaluate", model(tmp_path / "tiny"), three, "--truncation", 1, network=network, out=tmp_path / "out")
    assert found["reference"]["trained_on"] == 90


def test_the_best_truncation_is_one_at_which_flowers_pass_for_photos():
    from gan.evaluation.truncation_curve import best_truncation

    curve = [
        {"truncation": 0.25, "kid": 0.1, "precision": 0.0},
        {"truncation": 1.0, "kid": 0.3, "precision": 0.2},
        {"truncation": 2.0, "kid": 0.2, "precision": 0.1},
    ]
    assert best_truncation(curve) == 2.0
    assert best_truncation([{**row, "precision": 0.0} for row in curve]) == 1.5


def test_a_rare_class_is_refused_before_anything_is_drawn(tmp_path, network, capsys):
    photos = make_photos(tmp_path / "photos", count=130)
    for path in sorted((photos / "marigold").iterdir())[14:]:
        path.unlink()
    folder = model(tmp_path / "tiny", holdout=0.0)
    said = refused(capsys, "evaluate", folder, photos, "--network", network, "-n", "100")
    assert "'marigold' would get" in said


def test_a_model_grown_from_one_that_saw_the_photos_held_out_is_noted(tmp_path, photos, network):
    folder = model(tmp_path / "tiny", begun_from={"name": "mother", "holdout": 0.0, "seed": 0})
    found = run("evaluate", folder, photos, "--truncation", 1, network=network, out=tmp_path / "out")
    assert any("It began as mother" in note for note in found["notes"])
    folder = model(tmp_path / "tiny2", begun_from={"name": "mother", "holdout": 0.25, "seed": 0})
    found = run("evaluate", folder, photos, "--truncation", 1, network=network, out=tmp_path / "out2")
    assert not any("mother" in note for note in found["notes"])


def test_some_classes_of_a_model_can_be_judged_like_those_of_a_model_that_has_no_others(tmp_path, network, capsys):
    names = ("dandelion", "marigold", "seedhead")
    photos = make_photos(tmp_path / "photos", count=60, classes=names)
    scene = "".join(
        f"{name}/{number:02d}.png,{number}\n" for number in range(60) for name in names
    )  # of all three classes each
    (photos / "sources.csv").write_text("file,photo_group\n" + scene)
    three = tiny_generator(names).config
    config = replace(three, trained={"holdout": 0.25, "seed": 0})
    whole, some = (load_reference(photos, config, 16, only=only) for only in ((), ("seedhead", "marigold")))
    assert some.classes == ("seedhead", "marigold") and len(whole.classes) == 3
    for label, place in ((0, 2), (1, 1)):
        for one, other in ((some.trained_on, whole.trained_on), (some.held_out, whole.held_out)):
            assert np.array_equal(one.pixels[one.of(label)], other.pixels[other.of(place)]), "cut as the training was"

    folder, words = model(tmp_path / "three", names), ["--classes", "seedhead", "marigold", "--truncation", 1]
    found = run("evaluate", folder, photos, *words, network=network, out=tmp_path / "out")
    assert list(found["parts"]) == ["all", "seedhead", "marigold"] and found["reference"]["trained_on"] == 90
    assert "does not know the class 'rose'" in refused(capsys, "evaluate", folder, photos, "--classes", "rose")
