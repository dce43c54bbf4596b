"""`python -m gan export --onnx`: onnxruntime draws what PyTorch draws, from what the file itself says it wants."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
import torch

from gan.__main__ import main
from gan.hub import loader, onnx_export
from gan.networks import latents
from gan.utils.images import to_uint8

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

MODELS = ["flagship", "cwgan-gp-28", "wgan-gp-28"]  # styles; a class code; a plain model


@pytest.fixture(scope="module", params=MODELS)
def exported(request, tmp_path_factory):
    """A bundled model, and its file."""
    path = tmp_path_factory.mktemp("onnx") / "deep" / "model.onnx"
    assert main(["export", request.param, "--onnx", "--out", str(path)]) == 0
    return loader.load(request.param), path


def test_the_file_draws_as_pytorch_does_at_any_number_of_pictures(exported):
    model, path = exported
    generator, config = model.generator, model.generator.config
    session = onnxruntime.InferenceSession(str(path))
    names = [one.name for one in session.get_inputs()]
    assert names == ["noise"] + ["classes"] * bool(config.code_dim) + ["psi"] * config.styled
    count = 7
    for truncation in (0.5, 3.0):
        for number in (1, count):
            seeds, labels = range(100, 100 + number), torch.arange(number) % len(config.classes)
            code = torch.eye(len(config.classes))[labels][:, : config.code_dim]
            if number == 1 and config.code_dim:
                code = torch.full_like(code, 1 / config.code_dim)  # a mix of classes
            with torch.no_grad():
                expected = to_uint8(generator.decode(*generator.latents(seeds, code, truncation)))
            noise = latents.noise(seeds, config.z_dim, None if config.styled else truncation)
            given = {"noise": noise, "classes": code, "psi": torch.tensor([latents.spread(truncation)])}
            drawn = session.run(None, {name: given[name].numpy() for name in names})[0]
            assert drawn.dtype == np.uint8 and drawn.shape == (number, config.resolution, config.resolution, 3)
            assert np.abs(drawn.astype(int) - expected.astype(int)).max() <= 1
            assert expected.std() > 20, "something to see"


def test_the_file_says_what_it_is_and_nothing_of_this_computer(exported):
    model, path = exported
    config = model.generator.config
    about = onnxruntime.InferenceSession(str(path)).get_modelmeta().custom_metadata_map
    assert json.loads(about["classes"]) == list(config.classes) and about["revision"] == model.revision
    assert (about["resolution"], about["noise"]) == (str(config.resolution), str(config.z_dim))
    assert ("psi" in about) == config.styled and "PyTorch's generator" in about["seeds"]
    if config.styled:
        assert math.isclose(float(about["psi"]), latents.spread(float(about["truncation"])), abs_tol=1e-4)
    content = path.read_bytes()
    assert not any(word in content for word in (b'File "', b"stack_trace", sys.prefix.encode(), str(path.parent).encode()))


def test_it_is_used_without_pytorch(exported):
    """Flowers from numpy's noise, in a process that has never heard of PyTorch."""
    model, path = exported
    code = f"""
import json, sys
import numpy as np, onnxruntime
session = onnxruntime.InferenceSession({str(path)!r})
about = session.get_modelmeta().custom_metadata_map
noise = np.random.default_rng(7).standard_normal((4, int(about["noise"])), np.float32)
inputs = {{"noise": noise}}
classes = json.loads(about["classes"])
if len(classes) > 1:
    inputs["classes"] = np.eye(len(classes), dtype=np.float32)[[0, 1, 1, 0]]
if "psi" in about:
    inputs["psi"] = np.array([about["psi"]], np.float32)
pictures = session.run(None, inputs)[0]
assert "torch" not in sys.modules and pictures.std() > 20
assert not (pictures[0] == pictures[3]).all()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def refused(capsys, *argv):
    assert main(["export", *map(str, argv)]) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ") and "\n" not in error
    return error


def test_what_is_refused(model_folder, tmp_path, capsys, monkeypatch):
    there = tmp_path / "there.onnx"
    there.write_bytes(b"mine")
    assert "is there already" in refused(capsys, model_folder, "--onnx", "--out", there)
    assert "is there already" in refused(capsys, model_folder, "--onnx", "--out", tmp_path, "--force")
    assert "ends in .onnx" in refused(capsys, model_folder, "--onnx", "--out", tmp_path / "model.pt")
    assert "there is no model" in refused(capsys, "nosuch", "--onnx")
    monkeypatch.setattr(onnx_export, "find_spec", lambda name: None if name == "onnxscript" else object())
    said = refused(capsys, model_folder, "--onnx", "--out", there, "--force")
    assert "needs onnxscript; run pip install -r requirements-onnx.txt" in said
    assert there.read_bytes() == b"mine"
    with pytest.raises(SystemExit) as error:
        main(["export", str(model_folder)])
    assert error.value.code == 2


def test_a_file_that_draws_otherwise_is_not_written(model_folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(onnx_export, "_reference", lambda generator, inputs: np.zeros((3, 16, 16, 3), np.uint8))
    assert "draws other pictures" in refused(capsys, model_folder, "--onnx", "--out", tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())
