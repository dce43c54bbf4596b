"""Beginning as a model of other classes, from the command line: what is chosen, what is kept, and that it can be stopped."""

import re
import shlex

import pytest
import torch
from pictures import make_photos
from test_auto_preset import CPU, CUDA, folder

import train
from gan.hub import checkpoint
from gan.options import TrainConfig
from gan.presets import PRESETS, from_preset
from gan.runs import auto_preset

SMALL = ["--width", "8", "--batch", "8", "--device", "cpu", "--threads", "1", "--precision", "fp32", "--evaluate-every", "0"]


@pytest.fixture
def mother(tmp_path):
    """A small flagship of two classes at 32×32, trained for a step."""
    photos = make_photos(tmp_path / "before")
    flags = ["--preset", "flagship", "--resolution", "32", "--images", "8", "--out", str(tmp_path / "mother")]
    assert train.main([str(photos), *SMALL, *flags]) == 0
    return tmp_path / "mother"


def config(preset="flagship", **more):
    return from_preset(preset, ("a", "b"), **more)[0]


def test_a_run_from_a_model_is_of_its_kind_and_a_quarter_as_long(tmp_path):
    found = folder(tmp_path / "photos", [300] * 5)
    assert auto_preset.choose(CPU, found, config()).images == auto_preset.choose(CPU, found).images // 4 == 10_000
    assert auto_preset.choose(CUDA, found).resolution == 256
    assert auto_preset.choose(CUDA, found, config()).resolution == 128, "no larger than the model is"
    assert auto_preset.choose(CPU, found, config(resolution=32)).resolution == 32
    assert auto_preset.choose(CPU, folder(tmp_path / "small", [60] * 5), config()).resolution == 64, "nor than the photos"
    styled = from_preset("stylegan2-64", ("a", "b"))[0]
    assert auto_preset.choose(CPU, found, styled).images == PRESETS["stylegan2-64"].training["images"] // 4
    older = auto_preset.choose(CPU, found, config("cwgan-gp-64-k4"))
    assert (older.preset, older.resolution, older.images) == ("cwgan-gp-64-k4", 64, TrainConfig.images // 4)


def test_a_model_of_no_preset_here_changes_nothing(tmp_path, tiny):
    found = folder(tmp_path / "photos", [128] * 5)
    assert auto_preset.choose(CPU, found, tiny.config) == auto_preset.choose(CPU, found)


def test_other_classes_from_the_command_line(mother, tmp_path, capsys):
    photos = make_photos(tmp_path / "now", classes=("marigold", "seedhead", "dandelion"))
    argv = [str(photos), *SMALL, "--out", str(tmp_path / "out"), "--from", str(mother), "--images", "8"]
    assert train.main(argv) == 0
    printed = capsys.readouterr().out
    assert "chosen: flagship, 32×32" in printed and f"begun with the first 8 layers of {mother} and its critic" in printed
    made = checkpoint.load_model(tmp_path / "out")
    assert made.config.classes == ("dandelion", "marigold", "seedhead")
    assert train.main([*argv[:-1], "16"]) == 0 and "resumed at 8 images" in capsys.readouterr().out


def test_a_model_without_a_critic_or_with_a_damaged_one(mother, tmp_path, capsys):
    argv = [str(make_photos(tmp_path / "now")), *SMALL, "--from", str(mother), "--images", "8", "--out"]
    (mother / checkpoint.CRITIC).write_bytes(b"no critic")
    assert train.main([*argv, str(tmp_path / "damaged")]) == 2
    assert "critic.safetensors is not a whole safetensors file" in capsys.readouterr().err
    (mother / checkpoint.CRITIC).unlink()
    assert train.main([*argv, str(tmp_path / "out")]) == 0
    assert "and a new critic" in capsys.readouterr().out
    assert (tmp_path / "out" / checkpoint.CRITIC).stat().st_size < checkpoint.MAX_CRITIC_BYTES


def test_the_run_that_goes_on_keeps_what_is_not_said_again(mother, tmp_path, capsys):
    """Also where a default has changed since it began; what is said otherwise is refused."""
    argv = [str(tmp_path / "before"), *SMALL, "--preset", "flagship", "--out", str(mother)]
    assert train.main([*argv, "--images", "16"]) == 0
    assert "resumed at 8 images" in capsys.readouterr().out
    assert train.main([*argv, "--images", "24", "--lr", "0.001"]) == 2
    assert "lr was 0.0004 and is now 0.001" in capsys.readouterr().err


def test_one_class_from_a_model_of_two_and_back(mother, tmp_path, capsys):
    for name, classes, start in (("one", ("seedhead",), mother), ("two", ("marigold", "seedhead"), tmp_path / "one")):
        photos = make_photos(tmp_path / f"photos-{name}", classes=classes)
        argv = [str(photos), *SMALL, "--out", str(tmp_path / name), "--from", str(start), "--images", "8"]
        assert train.main(argv) == 0, capsys.readouterr().err
        assert checkpoint.load_model(tmp_path / name).config.classes == classes


def test_the_first_pictures_are_those_of_the_model_begun_from(mother, tmp_path):
    """Nothing is lost on the way: with steps too small to matter a shared class draws as it did."""
    photos = make_photos(tmp_path / "now", classes=("marigold", "seedhead"))
    flags = ["--from", str(mother), "--images", "8", "--lr", "1e-8", "--out", str(tmp_path / "out")]
    assert train.main([str(photos), *SMALL, *flags]) == 0
    old, new = checkpoint.load_model(mother), checkpoint.load_model(tmp_path / "out")
    z, second, first = torch.randn(4, 128), torch.eye(2)[[1] * 4], torch.eye(2)[[0] * 4]
    with torch.no_grad():
        assert torch.allclose(new(z, first), old(z, second), atol=1e-3)


def test_at_the_end_stands_how_to_open_judge_and_publish_it(tmp_path, capsys):
    photos = make_photos(tmp_path / "my photos")
    out = tmp_path / "my run"
    argv = [str(photos), *SMALL, "--preset", "flagship", "--resolution", "32", "--images", "8", "--out", str(out)]
    assert train.main(argv) == 0
    printed = capsys.readouterr().out
    opened, judged, published = (re.search(rf"^{word} it: (.*)$", printed, re.M)[1] for word in ("open", "judge", "publish"))
    assert shlex.split(opened) == ["python", "app.py", "--model", str(out)]
    assert shlex.split(judged) == ["python", "-m", "gan", "evaluate", str(out), str(photos)]
    assert shlex.split(published) == ["python", "-m", "gan", "publish", str(out), "OWNER/NAME"]
