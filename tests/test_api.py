"""The package as a notebook uses it, and as `pip install .` leaves it."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest
from conftest import ROOT
from pictures import make_photos

import gan
from gan.errors import UserError
from gan.options import RunOptions, TrainConfig, options_of
from gan.runs import options_page
from gan.runs.request import Request

TINY = dict(preset="cwgan-gp-28", width=4, batch=4, critic_steps=2, device="cpu", precision="fp32", images=16)


def python(code: str, **environment: str) -> str:
    """What a new interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, **environment}
    )
    return done.stdout.strip()


def test_importing_the_package_imports_nothing_heavy():
    heavy = ("torch", "numpy", "gradio", "PIL", "huggingface_hub")
    code = f"import sys, gan; print([name for name in {heavy} if name in sys.modules])"
    assert python(code, PYTHONPATH=str(ROOT)) == "[]"


def test_every_public_name_is_there():
    assert len(gan.__all__) == 10
    for name in gan.__all__:
        assert callable(getattr(gan, name)) and name in dir(gan)
    with pytest.raises(AttributeError, match="has no attribute 'draw'"):
        gan.draw  # noqa: B018


def test_a_model_is_trained_loaded_drawn_and_trained_further(tmp_path):
    photos = make_photos(tmp_path / "photos")
    run = gan.train(photos, out=tmp_path / "mine", **TINY)
    assert run.folder == tmp_path / "mine" and run.trainer.images_seen == 16
    model = gan.load(run.folder)
    assert gan.Sampler(model.generator).draw([gan.Flower(0, 7), gan.Flower(1, 7)]).shape == (2, 28, 28, 3)
    more = gan.train(str(photos), out=str(tmp_path / "mine"), **{**TINY, "images": 32})
    assert more.trainer.images_seen == 32, "the same call with more images goes on"
    begun = gan.train(photos, out=tmp_path / "next", start_from=run.folder, **TINY)
    assert begun.begun_from["name"] == "mine", "a path may be given where a name may"
    card = (tmp_path / "mine" / "README.md").read_text()
    assert "```\n\n```" not in card, "no command, so no block for it"


def test_a_path_and_a_single_class_may_be_plain_text(tmp_path):
    photos = make_photos(tmp_path / "photos", 10)
    names = sorted(path.name for path in (photos / "marigold").iterdir())[:8]
    (tmp_path / "m.csv").write_text("file,class,verdict\n" + "".join(f"marigold/{name},marigold,kept\n" for name in names))
    run = gan.train(photos, out=str(tmp_path / "mine"), manifest=str(tmp_path / "m.csv"), classes="marigold", **TINY)
    assert isinstance(Request.of(photos, {"out": PurePosixPath("any/path")}).options.out, Path), "a path of another kind, too"
    assert Request.of(photos, {"out": "~/mine"}).options.out == Path.home() / "mine"
    assert run.trainer.photos.counts() == {"marigold": 8}


@pytest.mark.parametrize("encoding", ["ascii", "cp1251"])
def test_no_print_of_a_training_raises(tmp_path, monkeypatch, encoding):
    """As in a console or a pipe whose encoding lacks the names of the classes, or the sign ×."""
    photos = make_photos(tmp_path / "photos").rename(tmp_path / "花")
    (photos / "marigold").rename(photos / "花")
    console = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr("sys.stdout", console)
    gan.train(photos, out=tmp_path / "花花", dry_run=True, **TINY)
    console.flush()
    said = console.buffer.getvalue().decode(encoding)
    assert r"dandelion, \u82b1" in said and r"28\xd728" in said


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"pictures": 3}, "there is no option 'pictures'"), ({"batch": 0}, "--batch is 0"), ({"every": 0}, "--every is 0"),
        ({"every": 2.5}, "--every is 2.5; use a whole number of 1 or more"),
        ({"resume": "maybe"}, "--resume is 'maybe'; choose one of auto, never"),
        ({"images": 1, "epochs": 1}, "give one of them"),
    ],
)  # fmt: skip
def test_what_a_training_cannot_take_is_a_sentence(tmp_path, options, says):
    with pytest.raises(UserError, match=says):
        gan.train(tmp_path, **options)


def test_a_model_is_judged(tmp_path, monkeypatch):
    pytest.importorskip("torchmetrics")
    monkeypatch.setattr("gan.evaluation.evaluate_model.evaluate", lambda *things, **more: (things, more))
    photos = make_photos(tmp_path / "photos", count=120, side=80)
    (model, reference, _, settings), more = gan.evaluate("cwgan-gp-64", photos, n=200, seed=3, device="cpu")
    assert (model.name, settings.n, settings.seed, more["thorough"]) == ("cwgan-gp-64", 200, 3, True)
    assert reference.classes == ("dandelion", "marigold")


def test_the_page_of_options_is_made_from_the_declarations():
    written = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
    assert written.strip() == options_page.page().strip(), "python -m gan.runs.options_page > docs/options.md"
    for item in (*options_of(RunOptions), *options_of(TrainConfig)):
        assert item.metadata["help"] in written


# -------------------------------------------------------------------------------------------------------- pip install .


def test_every_room_is_in_the_package():
    tomllib = pytest.importorskip("tomllib")  # of Python 3.11 and later
    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    rooms = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "gan").rglob("__init__.py")}
    assert set(told) == rooms | {"gan.bundled"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The package as pip installs it, without its dependencies, which the tests' own environment has."""
    source, target = tmp_path_factory.mktemp("source") / "project", tmp_path_factory.mktemp("installed")
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    for name in filter(None, tracked):  # a copy: pip leaves a folder `build` behind
        if name.startswith(("gan/", "checkpoints/")) or "/" not in name:
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, source / name)
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index",
         "--target", target, source], check=True, capture_output=True,
    )  # fmt: skip
    return target


def test_the_installed_package_draws_a_bundled_flower(installed, tmp_path):
    code = """
import gan
model = gan.load("flagship")
print(gan.__file__, model.folder, gan.Sampler(model.generator).draw([gan.Flower(0, 7)]).shape, sep="\\n")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    package, folder, shape = done.stdout.splitlines()
    assert Path(package).is_relative_to(installed) and Path(folder).is_relative_to(installed) and shape == "(1, 256, 256, 3)"


@pytest.mark.parametrize(("command", "says"), [("gan", "evaluate"), ("gan-train", "--critic-steps")])
def test_the_installed_commands_answer(installed, tmp_path, command, says):
    done = subprocess.run(
        [sys.executable, installed / "bin" / command, "--help"], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(installed)},
    )  # fmt: skip
    assert done.returncode == 0 and says in done.stdout
