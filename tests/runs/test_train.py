"""`train.py` as its users meet it: bad input row by row, dry run, interruption, resuming, what a run folder holds."""

import json
import os
import re
import shutil
import signal
import stat
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import forked
import numpy as np
import pytest
from pictures import make_photos
from PIL import Image
from test_trainer import same

import train
from gan.hub import checkpoint
from gan.hub.checkpoint import load_model
from gan.options import TrainConfig
from gan.presets import PRESETS, from_preset
from gan.runs import cli, dry_run, training
from gan.utils.files import write_atomic

ROOT = Path(__file__).resolve().parents[2]
TINY = [
    "--preset",
    "cwgan-gp-28",
    "--width",
    "4",
    "--batch",
    "4",
    "--critic-steps",
    "2",
    "--device",
    "cpu",
    "--precision",
    "fp32",
]


@pytest.fixture
def photos(tmp_path):
    return make_photos(tmp_path / "photos")


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


# --------------------------------------------------------------------------------------------------------- bad input


def missing(photos):
    return [str(photos / "nowhere")]


def a_file(photos):
    return [str(photos / "marigold" / "00.png")]


def too_few(photos):
    for path in list(photos.rglob("*.png"))[3:]:
        path.unlink()
    for name in ("dandelion", "marigold"):
        shutil.copy(next(photos.rglob("*.png")), photos / name / "one.png")
    return [str(photos)]


def empty_class(photos):
    (photos / "tulip").mkdir()
    return [str(photos)]


def only_broken(photos):
    for path in (photos / "dandelion").iterdir():
        path.write_bytes(b"not a picture at all")
    return [str(photos)]


def nothing(photos):
    shutil.rmtree(photos / "dandelion")
    shutil.rmtree(photos / "marigold")
    return [str(photos)]


def unknown_class(photos):
    return [str(photos), "--classes", "tulip"]


BAD_FLAGS = [
    "--batch 0", "--batch -4", "--lr 0", "--lr nan", "--critic-steps 0", "--images 0", "--epochs 0", "--seed -1",
    "--seed 4294967296", "--every 0", "--threads 0", "--width 0", "--device tpu9", "--penalty-weight -1",
]  # fmt: skip


@pytest.mark.parametrize(
    ("arrange", "says"),
    [(missing, "nowhere"), (a_file, "00.png"), (too_few, "photos"), (empty_class, "tulip"), (only_broken, "dandelion"),
     (nothing, "photos"), (unknown_class, "tulip")],
)  # fmt: skip
def test_bad_photos_are_one_sentence_and_exit_2(arrange, says, photos, tmp_path, capsys):
    refused([*arrange(photos), *TINY, "--out", str(tmp_path / "out")], says, tmp_path, capsys)


@pytest.mark.parametrize("flags", BAD_FLAGS)
def test_bad_flags_are_one_sentence_and_exit_2(flags, photos, tmp_path, capsys):
    refused([str(photos), *TINY, "--out", str(tmp_path / "out"), *flags.split()], flags.split()[0], tmp_path, capsys)


def test_a_model_to_begin_with_that_is_none_is_refused(photos, tmp_path, capsys):
    refused([str(photos), *TINY, "--out", str(tmp_path / "out"), "--from", "no/such/model"], "no/such/model", tmp_path, capsys)


def refused(argv, says, tmp_path, capsys):
    assert train.main(argv) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ") and says in error and "\n" not in error and "Traceback" not in error
    assert not (tmp_path / "out" / "snapshot.pt").exists()
    assert not (tmp_path / "out" / "model.safetensors").exists()


def test_out_that_is_a_file_is_refused(photos, tmp_path, capsys):
    (tmp_path / "taken").write_text("x")
    refused([str(photos), *TINY, "--out", str(tmp_path / "taken" / "run")], "taken", tmp_path, capsys)


def test_no_permission_to_write_is_refused(photos, tmp_path, capsys, monkeypatch):
    (tmp_path / "locked").mkdir(mode=0o500)
    if os.geteuid() == 0:  # root may write anywhere: let the system say what it says to others
        monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "locked")
    refused([str(photos), *TINY, "--out", str(tmp_path / "locked" / "run")], "permission", tmp_path, capsys)


def test_a_run_folder_among_the_photos_is_refused(photos, tmp_path, capsys, monkeypatch):
    refused([str(photos), *TINY, "--out", str(photos / "run")], "inside the photo folder", tmp_path, capsys)
    monkeypatch.chdir(photos)
    refused([".", *TINY], "inside the photo folder", tmp_path, capsys)
    assert sorted(path.name for path in photos.iterdir()) == ["dandelion", "marigold"]


@pytest.mark.parametrize(("repo", "says"), [("flowers", "owner/name"), ("me/flowers", "token")])
def test_a_push_that_cannot_work_is_refused_before_training(repo, says, photos, tmp_path, capsys, monkeypatch):
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "no-token"))
    refused([str(photos), *TINY, "--out", str(tmp_path / "out"), "--push-to-hub", repo], says, tmp_path, capsys)


def test_every_skipped_file_is_listed_when_too_little_is_left(photos, tmp_path, capsys):
    for path in (photos / "dandelion").iterdir():
        path.write_bytes(b"not a picture at all")
    assert train.main([str(photos), *TINY, "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().out.count("not a picture") == 8


def test_ctrl_c_before_training_is_no_traceback(photos, tmp_path, capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("gan.runs.training_photos.load_photos", interrupted)
    assert train.main([str(photos), *TINY, "--out", str(tmp_path / "out")]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_argparse_errors_exit_2(capsys):
    for argv in (
        [],
        ["photos", "--batch", "many"],
        ["photos", "--objective", "perceptron"],
    ):
        with pytest.raises(SystemExit) as error:
            cli.parse(argv)
        assert error.value.code == 2


def test_one_length_is_enough(capsys):
    assert train.main(["photos", "--images", "1", "--epochs", "1"]) == 2
    assert capsys.readouterr().err == "error: --images and --epochs both say how long the training is; give one of them.\n"


def test_bad_files_are_listed_and_the_rest_is_used(photos, tmp_path, capsys):
    (photos / "marigold" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    (photos / "marigold" / "empty.png").touch()
    assert train.main([str(photos), *TINY, "--out", str(tmp_path / "out"), "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"skipped marigold/broken\.jpg: \S+", printed)
    assert "skipped marigold/empty.png: empty file" in printed
    assert "8 dandelion, 8 marigold" in printed


# ------------------------------------------------------------------------------------------------------------ dry run


def test_dry_run_prints_the_plan_and_its_cost_and_writes_nothing(photos, tmp_path, capsys):
    before = files(tmp_path)
    assert train.main([str(photos), *TINY, "--out", str(tmp_path / "out"), "--epochs", "100", "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "1,600 images" in printed and "200 steps of" in printed and "nothing was trained" in printed
    assert files(tmp_path) == before


def test_a_holdout_too_small_to_judge_by_is_said_before(photos, tmp_path, capsys):
    command = [str(photos), *TINY, "--out", str(tmp_path / "out"), "--dry-run"]
    assert train.main([*command, "--holdout", "0.25"]) == 0
    assert "note: about 2 dandelion, 2 marigold held out, and python -m gan evaluate needs 12" in capsys.readouterr().out
    assert train.main(command) == 0
    assert "held out" not in capsys.readouterr().out


def test_the_cost_of_a_step_has_its_share_of_the_penalty(monkeypatch):
    class Fourth:
        config, steps, now = TrainConfig(critic=("C4,1,0>1",), penalty_every=4), 0, 0.0

        def step(self):
            self.now += 9 if self.steps % 4 == 0 else 1
            self.steps += 1

    trainer = Fourth()
    monkeypatch.setattr(dry_run, "time", SimpleNamespace(perf_counter=lambda: trainer.now))
    assert dry_run._step_seconds(trainer, None) == (9 + 1 + 1 + 1) / 4


@pytest.mark.skipif(os.name != "posix", reason="there is no umask")
def test_the_files_of_a_run_are_for_whom_the_umask_says(photos, tmp_path):
    """Photos are among them."""
    before = os.umask(0o077)
    try:
        assert train.main([str(photos), *TINY, "--images", "8", "--evaluate-every", "0", "--out", str(tmp_path / "run")]) == 0
        os.umask(0o022)
        write_atomic(tmp_path / "open", b"x")
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "run").rglob("*") if path.is_file()}
    assert {"reals.png", "model.safetensors", "snapshot.pt"} <= modes.keys()
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}
    assert stat.S_IMODE((tmp_path / "open").stat().st_mode) == 0o644


def test_dry_run_refuses_what_the_run_would_refuse(photos, tmp_path, capsys):
    argv = [str(photos), *TINY, "--out", str(tmp_path / "out")]
    refused([*argv, "--from", "no/such/model", "--dry-run"], "no/such/model", tmp_path, capsys)
    assert train.main([*argv, "--images", "16"]) == 0
    assert train.main([*argv, "--images", "80", "--dry-run"]) == 0
    assert "for 8 steps of" in capsys.readouterr().out, "what is left of 10"
    assert train.main([*argv, "--images", "17", "--dry-run"]) == 0
    assert "for 1 step of" in capsys.readouterr().out, "the last step is a whole one"
    assert train.main([*argv, "--images", "16", "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "cost:   nothing, the run has seen all its images" in printed and "0 steps" not in printed
    assert train.main([*argv, "--lr", "0.01", "--dry-run"]) == 2


# ------------------------------------------------------------------------------------------------------- without a flag

SHORT = ["--width", "8", "--batch", "8", "--device", "cpu", "--threads", "1"]


def test_no_flag_but_the_folder_chooses_the_flagship_and_says_why(photos, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert train.main([str(photos), *SHORT, "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "chosen: flagship, 64×64, 40,000 images (16 files, usually 40 pixels a side, on cpu" in printed
    assert "runs/flagship-photos" in printed and "for 5,000 steps of" in printed


def test_what_is_given_by_hand_is_not_chosen_anew(photos, tmp_path, capsys):
    argv = [str(photos), *SHORT, "--resolution", "32", "--images", "24", "--out", str(tmp_path / "out"), "--half"]
    assert train.main(argv) == 0
    assert "24 images" in capsys.readouterr().out
    model = load_model(tmp_path / "out")
    assert (model.config.preset, model.config.resolution, model.config.trained["images"]) == ("flagship", 32, 24)
    assert model.mean_style.abs().sum() > 0, "what truncation draws towards is in the model"


def test_a_dry_run_counts_the_coarse_and_the_fine_steps(photos, tmp_path, capsys):
    argv = [
        str(photos),
        *SHORT,
        "--preset",
        "flagship",
        "--resolution",
        "128",
        "--epochs",
        "50",
        "--out",
        str(tmp_path / "out"),
    ]
    assert train.main([*argv, "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"for 100 steps of \d+\.\d\d s at 64 pixels and \d+\.\d\d s at 128 pixels", printed), printed


# ----------------------------------------------------------------------------------------------------- a run's folder


def test_a_run_writes_what_it_says(photos, tmp_path, capsys):
    out = tmp_path / "out"
    argv = [str(photos), *TINY, "--out", str(out), "--images", "64", "--every", "16", "--note", "Discs, not flowers."]
    assert train.main(argv) == 0
    assert "python app.py --model" in capsys.readouterr().out
    assert {"config.json", "model.safetensors", "README.md", "samples.png", "snapshot.pt", "reals.png"} <= files(out)
    assert sorted(path.name for path in (out / "grids").iterdir()) == [f"{n:09d}.png" for n in (0, 16, 32, 48, 64)]
    assert not list(out.rglob("*.tmp"))
    model = load_model(out)
    assert model.config.classes == ("dandelion", "marigold")
    assert model.config.trained["images"] == 64 and model.config.trained["photos"] == {"dandelion": 8, "marigold": 8}
    card = (out / "README.md").read_text()
    assert card.startswith("---\n") and card.count("Discs, not flowers.") == 1 and "--images 64" in card
    with Image.open(out / "grids" / "000000064.png") as grid:
        assert grid.size == (8 * 30 - 2, 8 * 30 - 2)
    assert (out / "grids" / "000000064.png").read_bytes() == (out / "samples.png").read_bytes()


def test_the_grid_of_reals_is_of_real_photos(photos, tmp_path):
    out = tmp_path / "out"
    flags = ["--no-transpose", "--no-flip-horizontal", "--no-flip-vertical", "--no-rotate"]
    assert train.main([str(photos), *TINY, *flags, "--out", str(out), "--images", "8"]) == 0
    with Image.open(out / "reals.png") as grid:
        first = np.asarray(grid.crop((0, 0, 28, 28))).astype(float)
    distances = []
    for path in photos.rglob("*.png"):
        with Image.open(path) as photo:
            small = np.asarray(photo.resize((56, 56), Image.Resampling.LANCZOS)).astype(float)
            distances.append(np.abs(small.reshape(28, 2, 28, 2, 3).mean((1, 3)) - first).max())
    assert min(distances) <= 1, "the first picture of the grid is one of the photos, to rounding"


def test_tensorboard_has_scalars_and_pictures(photos, tmp_path):
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    out = tmp_path / "out"
    assert train.main([str(photos), *TINY, "--out", str(out), "--images", "160", "--every", "80"]) == 0
    events = event_accumulator.EventAccumulator(str(out / "logs"))
    events.Reload()
    assert {"critic_loss", "generator_loss", "gradient_norm", "real_score", "fake_score"} <= set(events.Tags()["scalars"])
    assert {"reals", "fixed noise"} <= set(events.Tags()["images"])
    assert [event.step for event in events.Scalars("critic_loss")] == [80, 160]


def test_unconditional_merges_the_classes(photos, tmp_path):
    out = tmp_path / "out"
    assert train.main([str(photos), *TINY, "--unconditional", "--out", str(out), "--images", "8"]) == 0
    config = load_model(out).config
    assert config.classes == ("all",) and config.code_dim == 0 and config.trained["photos"] == {"dandelion": 8, "marigold": 8}


def test_one_folder_without_classes_is_one_class(photos, tmp_path):
    out = tmp_path / "out"
    assert train.main([str(photos / "marigold"), *TINY, "--out", str(out), "--images", "8"]) == 0
    assert load_model(out).config.classes == ("marigold",)


# ----------------------------------------------------------------------------------------------------------- resuming


def test_stop_and_resume_equals_one_go(photos, tmp_path, capsys):
    """N + M steps in one process equal N, a new process's worth of state from disk, then M: bit for bit."""
    argv = [str(photos), *TINY, "--every", "16"]
    assert train.main([*argv, "--out", str(tmp_path / "whole"), "--images", "48"]) == 0
    assert train.main([*argv, "--out", str(tmp_path / "parts"), "--images", "24"]) == 0
    assert train.main([*argv, "--out", str(tmp_path / "parts"), "--images", "48"]) == 0
    assert "resumed at 24 images" in capsys.readouterr().out
    whole, parts = (checkpoint.load_snapshot(tmp_path / name) for name in ("whole", "parts"))
    for state in (whole, parts):
        del state["seconds"], state["train"]["images"]
    assert same(whole, parts)
    assert (tmp_path / "whole" / "model.safetensors").read_bytes() == (tmp_path / "parts" / "model.safetensors").read_bytes()


def test_a_finished_run_goes_on_with_rates_that_fall_to_its_new_end(photos, tmp_path, capsys):
    argv = [str(photos), *TINY, "--out", str(tmp_path / "out")]
    assert train.main([*argv, "--images", "24"]) == 0
    assert train.main([*argv, "--images", "48", "--lr-decay", "0.5"]) == 0
    said = capsys.readouterr().out
    assert "learning rate 0.0002 (falls to 0 in the last 50 % of the images)" in said and "resumed at 24 images" in said
    state = checkpoint.load_snapshot(tmp_path / "out")
    for part in ("generator_optimizer", "critic_optimizer"):
        (group,) = state[part]["param_groups"]
        assert group["initial_lr"] == 2e-4 and group["lr"] == pytest.approx(2e-4 / 3), "three steps of eight images"
    card = (tmp_path / "out" / "README.md").read_text()
    words = "planned to fall to zero in the last 50 % of the images; 0 % of them when this model was kept"
    assert f"| learning rates at the end | {words} |" in card
    assert train.main([*argv, "--images", "48", "--lr-decay", "0.25"]) == 2
    assert "the run has seen its 48 images; give more --images for other rates at its end." in capsys.readouterr().err
    assert (tmp_path / "out" / "README.md").read_text() == card


def test_resuming_under_another_configuration_names_the_difference(photos, tmp_path, capsys):
    argv = [str(photos), *TINY, "--out", str(tmp_path / "out"), "--images", "8"]
    assert train.main(argv) == 0
    before = (tmp_path / "out" / "snapshot.pt").read_bytes()
    capsys.readouterr()
    assert train.main([*argv, "--lr", "0.001"]) == 2
    assert "lr was 0.0002 and is now 0.001" in capsys.readouterr().err
    assert (tmp_path / "out" / "snapshot.pt").read_bytes() == before
    assert train.main([*argv, "--lr", "0.001", "--resume", "never", "--overwrite"]) == 0


def test_a_run_of_which_no_snapshot_is_whole_is_one_sentence(photos, tmp_path, capsys):
    argv = [str(photos), *TINY, "--out", str(tmp_path / "out"), "--images", "8"]
    assert train.main(argv) == 0
    for name in (checkpoint.SNAPSHOT, checkpoint.BEFORE):
        path = tmp_path / "out" / name
        path.write_bytes(path.read_bytes()[:1000])
    before = files(tmp_path / "out")
    capsys.readouterr()
    assert train.main(argv) == 2
    error = capsys.readouterr().err
    assert "snapshot.pt is damaged" in error and "no other one that is whole" in error and error.count("\n") == 1
    assert files(tmp_path / "out") == before


def test_beginning_as_another_model(photos, tmp_path, capsys):
    first, second = tmp_path / "first", tmp_path / "second"
    assert train.main([str(photos), *TINY, "--out", str(first), "--images", "8"]) == 0
    argv = [str(photos), *TINY, "--out", str(second), "--from", str(first), "--critic-warm-up", "8"]
    assert train.main([*argv, "--images", "16"]) == 0
    assert f"begun with the first 4 layers of {first}" in capsys.readouterr().out
    shutil.rmtree(first)  # the run has all it needs
    assert train.main([*argv, "--images", "24"]) == 0
    trained = load_model(second).config.trained
    assert trained["begun_from"]["name"] == trained["start_from"] == "first" and trained["begun_from"]["images"] == 8
    assert trained["steps"] == 2, "generator steps: the first step was the critic's alone"
    card = (second / "README.md").read_text()
    assert "the first 8 images for the critic alone" in card
    for text in (card, (second / "config.json").read_text(), (second / "learning.html").read_text()):
        assert str(tmp_path) not in text, "no path of this computer travels with the model"


def test_the_command_of_a_finished_run_leaves_its_figures_and_its_card(photos, tmp_path):
    out = tmp_path / "out"
    argv = [str(photos), *TINY, "--out", str(out), "--images", "8"]
    assert train.main(argv) == 0
    described = checkpoint.read_config(out)
    checkpoint.save_config(out, replace(described, scores={"truncation": 1.5}))
    (out / "README.md").write_text("mine")
    assert train.main(argv) == 0
    assert checkpoint.read_config(out).scores == {"truncation": 1.5} and (out / "README.md").read_text() == "mine"
    assert train.main([*argv, "--half"]) == 0
    assert "half precision" in (out / "README.md").read_text(), "the weights are to be stored otherwise, so it is written anew"


def test_auto_goes_on_without_the_model_that_the_run_began_with(photos, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    settings = [str(photos), *SHORT, "--resolution", "32"]
    assert train.main([*settings, "--images", "8", "--out", str(first)]) == 0
    argv = [*settings, "--out", str(second), "--from", str(first)]
    assert train.main([*argv, "--images", "8"]) == 0
    shutil.rmtree(first)
    assert train.main([*argv, "--images", "16"]) == 0


def test_epochs_are_counted_before_the_sides_are_checked(photos, tmp_path, capsys):
    argv = [str(photos), "--preset", "flagship", "--width", "4", "--batch", "4", "--dry-run", "--out", str(tmp_path / "out")]
    assert train.main([*argv, "--sides", "32:64", "64", "--epochs", "4"]) == 2
    assert "the run has 64" in capsys.readouterr().err
    assert train.main([*argv, "--sides", "32:200000", "64", "--epochs", "20000"]) == 0


def test_resume_never_leaves_nothing_of_the_old_run(photos, tmp_path):
    argv = [str(photos), *TINY, "--out", str(tmp_path / "out"), "--every", "8"]
    assert train.main([*argv, "--images", "32"]) == 0
    assert train.main([*argv, "--images", "16", "--seed", "1", "--resume", "never", "--overwrite"]) == 0
    assert sorted(path.name for path in (tmp_path / "out" / "grids").iterdir()) == [f"{n:09d}.png" for n in (0, 8, 16)]
    assert len(list((tmp_path / "out" / "logs").iterdir())) == 1
    assert checkpoint.load_snapshot(tmp_path / "out")["images_seen"] == 16


@pytest.mark.parametrize("more", [[], ["--resume", "never"], ["--dry-run"]])
def test_a_trained_model_is_not_replaced_unless_told(more, photos, tmp_path, capsys):
    """A copy of a bundled model, or a run whose snapshots somebody has cleaned away, as --out of another run."""
    mine = tmp_path / "mine"
    shutil.copytree(ROOT / "checkpoints" / "wgan-gp-28", mine)
    before = {path: path.read_bytes() for path in mine.rglob("*") if path.is_file()}
    argv = [str(photos), *TINY, "--out", str(mine), "--images", "8"]
    assert train.main([*argv, *more]) == 2
    error = capsys.readouterr().err
    assert f"{mine} holds a trained model" in error and f"--from {mine}" in error and "--overwrite" in error
    assert error.count("\n") == 1
    assert {path: path.read_bytes() for path in mine.rglob("*") if path.is_file()} == before
    assert train.main([*argv, *more, "--overwrite"]) == 0
    assert (load_model(mine).config.preset == "wgan-gp-28") == ("--dry-run" in more)


def test_a_run_that_replaces_a_model_goes_on_by_the_same_command(photos, tmp_path, capsys):
    out = tmp_path / "out"
    argv = [str(photos), *TINY, "--out", str(out), "--overwrite"]
    assert train.main([*argv, "--images", "8"]) == 0
    assert train.main([*argv, "--images", "16"]) == 0
    assert "resumed at 8 images" in capsys.readouterr().out
    for name in (checkpoint.SNAPSHOT, checkpoint.BEFORE):
        (out / name).unlink()
    assert train.main([*argv[:-1], "--images", "24"]) == 2
    assert load_model(out).config.trained["images"] == 16


def test_what_auto_chose_or_the_user_gave_is_kept_by_a_run_that_goes_on(photos, tmp_path, capsys):
    argv = [str(photos), "--out", str(tmp_path / "run"), "--device", "cpu", "--precision", "fp32", "--evaluate-every", "0"]
    assert train.main([*argv, "--resolution", "32", "--width", "4", "--batch", "4", "--images", "8"]) == 0
    capsys.readouterr()
    assert train.main([*argv, "--width", "4"]) == 0, "auto would choose 64 pixels or more, and 40,000 images"
    said = capsys.readouterr().out
    assert "resumed at 8 images" in said and "chosen:" not in said
    assert checkpoint.load_snapshot(tmp_path / "run")["train"]["images"] == 8


def test_a_run_that_goes_on_needs_no_preset_again(photos, tmp_path, capsys):
    argv = [str(photos), "--out", str(tmp_path / "run")]
    assert train.main([*argv, *TINY, "--images", "8"]) == 0
    assert train.main([*argv, "--width", "4", "--device", "cpu", "--images", "16"]) == 0
    assert load_model(tmp_path / "run").config.preset == "cwgan-gp-28"


def test_an_option_given_twice_takes_the_values_of_both(photos, tmp_path, capsys):
    make_photos(photos, classes=("seedhead",))
    argv = [str(photos), *TINY, "--classes", "dandelion", "--classes", "seedhead", "--dry-run", "--out", str(tmp_path / "out")]
    assert train.main(argv) == 0
    assert "photos: 8 dandelion, 8 seedhead" in capsys.readouterr().out


def test_half_precision_is_said_and_done(photos, tmp_path):
    argv = [str(photos), *TINY, "--images", "8"]
    assert train.main([*argv, "--out", str(tmp_path / "whole")]) == 0
    assert train.main([*argv, "--out", str(tmp_path / "half"), "--half"]) == 0
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("whole", "half")]
    assert sizes[1] < 0.75 * sizes[0]
    assert "half precision" in (tmp_path / "half" / "README.md").read_text()


# ------------------------------------------------------------------------------------------------------------ signals


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGKILL, -9)]
)
def test_interrupted_runs_go_on(number, code, photos, tmp_path):
    """Ctrl-C, SIGTERM and a closed terminal save after the step in hand; after SIGKILL the last snapshot is whole."""
    out = tmp_path / "out"
    argv = [str(photos), *TINY, "--out", str(out), "--every", "8", "--threads", "1"]
    with forked.ended(forked.begin, ["train.py", *argv, "--images", "10000000"]) as (process, output, errors):
        deadline = time.monotonic() + 120
        while len(list((out / "grids").glob("*.png"))) < 4:
            assert time.monotonic() < deadline and process.is_alive()
            time.sleep(0.05)
        os.kill(process.pid, number)
        process.join(30)
        assert process.exitcode == code
        printed = output.read_text() + errors.read_text()
    assert "Traceback" not in printed
    if number != signal.SIGKILL:
        assert "the same command continues" in printed
    seen = checkpoint.load_snapshot(out)["images_seen"]
    assert seen >= 8
    assert train.main([*argv, "--images", str(seen + 8)]) == 0
    assert json.loads((out / "config.json").read_text())["trained"]["images"] == seen + 8


@pytest.mark.parametrize("preset", PRESETS)
def test_without_flags_a_preset_is_trained_as_it_says(preset):
    """A flag's own default must not take the place of what the preset was given."""
    classes = ("a", "b")
    _, given = training.configure(cli.parse(["photos", "--preset", preset]), classes, "fp32")
    _, wanted = from_preset(preset, classes, precision="fp32", holdout=given.holdout, seed=given.seed)
    assert given == wanted
    _, turned = training.configure(
        cli.parse(["photos", "--preset", preset, "--rotate", "--no-flip-horizontal"]), classes, "fp32"
    )
    assert turned.rotate and not turned.flip_horizontal


def test_a_card_by_hand_is_kept_when_the_training_goes_on(photos, tmp_path, capsys):
    out = tmp_path / "out"
    words = [str(photos), *TINY, "--out", str(out), "--images"]
    assert train.main([*words, "8"]) == 0 and train.main([*words, "16"]) == 0
    assert not list(out.glob("README-*")), "a card as it was made is replaced"
    for number, more in enumerate(("24", "32")):
        (out / "README.md").write_text((out / "README.md").read_text().replace("# out", f"# Mine {number}"))
        assert train.main([*words, more]) == 0
    assert "README-before-2.md" in capsys.readouterr().out
    assert "# Mine 0" in (out / "README-before.md").read_text() and "# Mine 1" in (out / "README-before-2.md").read_text()
    assert "# out" in (out / "README.md").read_text()
