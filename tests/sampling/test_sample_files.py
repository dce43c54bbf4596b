"""`python -m gan sample`: the app's own files for scripts, and nothing overwritten unasked."""

import io
import subprocess
import sys
import zipfile

import forked
import pytest
from conftest import tiny_generator
from PIL import Image

from gan.__main__ import main
from gan.errors import UserError
from gan.hub import loader
from gan.hub.checkpoint import save_model
from gan.sampling import sample_files, settings
from gan.sampling.flower import Flower
from gan.studio.session import Studio
from gan.utils.images import read_settings


def run(folder, *more):
    return main(["sample", str(folder), *map(str, more)])


def test_the_files_are_those_of_the_app(model_folder, tmp_path, capsys):
    assert run(model_folder, "--seed", 7, "--count", 4, "--truncation", 1.25, "--out", tmp_path / "new" / "out") == 0
    studio = Studio(loader.load(str(model_folder)))
    expected = studio.pictures(settings.generate(studio.classes, "All", 7, 1.25, 2))
    assert {path.name: path.read_bytes() for path in (tmp_path / "new" / "out").iterdir()} == {
        name: png for _, name, png in expected
    }
    assert capsys.readouterr().out.split() == [str(tmp_path / "new" / "out" / name) for _, name, _ in expected]


def test_one_class_without_truncation_and_the_default(model_folder, tmp_path):
    assert run(model_folder, "--class", "marigold", "--count", 2, "--truncation", "off", "--out", tmp_path) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["marigold-0-full.png", "marigold-1-full.png"]
    assert run(model_folder, "--class", "marigold", "--out", tmp_path) == 0
    about = read_settings((tmp_path / "marigold-0-t1.5.png").read_bytes())
    assert about["class"] == "marigold" and about["truncation"] == 1.5 and about["model"] == "tiny"


def test_a_class_asked_of_a_model_without_classes_is_refused(tmp_path, capsys):
    assert run("wgan-gp-28", "--class", "rose", "--out", tmp_path) == 2
    assert "the class is 'rose', and this model draws 'all' only; leave out --class" in capsys.readouterr().err
    assert not list(tmp_path.iterdir()) and run("wgan-gp-28", "--class", "all", "--out", tmp_path) == 0


def test_a_grid_has_all_of_them_and_says_which(model_folder, tmp_path):
    grid = tmp_path / "sheets" / "all.png"
    assert run(model_folder, "--count", 5, "--seed", 3, "--out", tmp_path / "out", "--grid", grid) == 0
    with Image.open(grid) as picture:
        assert picture.size == (3 * 18 - 2, 2 * 18 - 2)
        for number, path in enumerate(sorted((tmp_path / "out").iterdir(), key=lambda path: path.name.split("-")[1])):
            left, top = number % 3 * 18, number // 3 * 18
            with Image.open(path) as one:
                assert picture.crop((left, top, left + 16, top + 16)).tobytes() == one.tobytes()
    assert [flower["seed"] for flower in read_settings(grid.read_bytes())["flowers"]] == [3, 4, 5, 6, 7]


def test_nothing_is_overwritten_unless_forced(model_folder, tmp_path, capsys):
    call = ("--class", "marigold", "--count", 3, "--out", tmp_path)
    (tmp_path / "marigold-1-t1.5.png").write_bytes(b"mine")
    assert run(model_folder, *call) == 2
    assert "marigold-1-t1.5.png is there already" in capsys.readouterr().err
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"mine"]
    (tmp_path / "grid.png").write_bytes(b"mine too")
    assert run(model_folder, "--class", "dandelion", "--out", tmp_path, "--grid", tmp_path / "grid.png") == 2
    assert len(list(tmp_path.iterdir())) == 2
    assert run(model_folder, *call, "--grid", tmp_path / "grid.png", "--force") == 0
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in tmp_path.iterdir()) and len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ("--class rose", "'rose'"), ("--seed -1", "seed"), ("--seed 4294967296", "seed"), ("--count 0", "count"),
        ("--count 1000001", "count"), ("--truncation 0", "truncation"), ("--truncation much", "'much'"),
        ("--truncation nan", "truncation"), ("--count 1025 --grid all.png", "1,024"),
        ("--grid out/dandelion-0-t1.5.png", "name"), ("--grid out/Dandelion-0-T1.5.PNG", "name"),
        ("--grid all.jpg", ".png"), ("--grid all", ".png"),
        ("--grid .", "folder"), ("--out FILE", "FILE"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence_and_exit_2(model_folder, flags, says, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FILE").write_bytes(b"")
    assert run(model_folder, "--out", "out", *flags.split()) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ") and "\n" not in error and says in error
    assert [path.name for path in tmp_path.iterdir()] == ["FILE"]


LONG = ("x" * 104, "x" * 103 + "y", "\N{CJK UNIFIED IDEOGRAPH-82B1}" * 80)  # 80 of these are 240 bytes
ALIKE = ("a b", "a_b", "A/B", "Lo\u0308wenzahn", "L\u00f6wenzahn")


@pytest.mark.parametrize("classes", [LONG, ALIKE])
def test_every_flower_has_a_file_of_its_own(classes, tmp_path, capsys):
    generator = tiny_generator(classes)
    save_model(tmp_path / "model", generator, generator.config)
    assert run(tmp_path / "model", "--count", 16, "--out", tmp_path / "out") == 0
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 16 and sorted(printed) == sorted(str(path) for path in (tmp_path / "out").iterdir())
    studio = Studio(loader.load(str(tmp_path / "model")))
    _, archive = studio.archive(settings.generate(studio.classes, "All", 0, 1.5, 4))
    names = zipfile.ZipFile(io.BytesIO(archive)).namelist()
    assert len({sample_files.same_name(name) for name in names}) == 16, "on a system without case, too"
    one = [sample_files.stem(Flower(label, 7), classes) for label in range(len(classes))]
    assert len({sample_files.same_name(name) for name in one}) == len(classes), "of one seed, too"


def test_two_equal_flowers_are_refused_at_once(model_folder, tmp_path):
    with pytest.raises(UserError, match="two of the flowers would be .*dandelion-7-t1.5.png"):
        sample_files.write(tmp_path / "out", loader.load(str(model_folder)), [Flower(0, 7), Flower(1, 7), Flower(0, 7)])
    assert not (tmp_path / "out").exists()


def test_as_a_process_with_its_exit_codes(model_folder, tmp_path):
    command = ["-m", "gan", "sample", str(model_folder), "--out", str(tmp_path), "--class", "dandelion"]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=180)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{tmp_path / 'dandelion-0-t1.5.png'}\n", "")
    again = forked.call(*command)
    assert (again.returncode, again.stdout) == (2, "") and again.stderr.startswith("error: ")
