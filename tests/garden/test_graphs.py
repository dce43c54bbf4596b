"""The two graphs of a page in the browser draw what PyTorch draws, for every kind of layer."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gan.config import ModelConfig
from gan.errors import UserError
from gan.garden import files, runtime
from gan.garden.graphs import graphs
from gan.generator import make_generator
from gan.hub import loader

onnxruntime = pytest.importorskip("onnxruntime")

LAYERS = {
    "styles": ("M>16", "S>8", "S>8", "S>4"),
    "smooth": ("M>16", "M>16", "S>8", "S>8 smooth", "S>4 smoother"),
    "norms": ("T4,1,0>8 ln relu", "up-corners", "C3,1,1>8 bn lrelu", "T4,2,1>3 tanh"),
    "plain": ("C4,1,3>8 bn lrelu", "up", "C3,1,1>8 ln relu", "T4,2,1>3"),
}


def network(name: str, classes: tuple[str, ...]):
    """An untrained generator whose batch norms have something to do."""
    config = ModelConfig("tiny", 16, classes, LAYERS[name], z_dim=8).validate()
    torch.manual_seed(0)
    generator = make_generator(config)
    generator.init_weights()
    for module in generator.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
            torch.nn.init.normal_(module.weight, 0, 0.2)
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.normal_(module.bias)
    generator.calibrate()
    return generator.requires_grad_(False).eval()


@pytest.mark.parametrize("classes", [("a", "b"), ("all",)], ids=["classes", "one"])
@pytest.mark.parametrize("name", LAYERS)
def test_every_kind_of_layer(name, classes):
    generator = network(name, classes)
    code = torch.tensor([[0.25, 0.75]])[:, : generator.config.code_dim]
    level = 1.5
    with torch.no_grad():
        expected = generator.decode(*generator.latents([7], code, level)).numpy()
    assert expected.std() > 0.02, "something to see"
    farthest = {}
    for half in (False, True):
        content = graphs(generator, half=half)
        sessions = {
            key: onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]) for key, file in content.items()
        }
        farthest[half] = np.abs(files._drawn(generator, sessions, 7, code.numpy(), level) - expected).max()
    assert farthest[False] < 1e-5
    assert farthest[False] < farthest[True] < 0.01


def test_weights_take_half_the_room_and_a_bundled_model_loses_nothing_by_it():
    """`wgan-gp-28` is stored in half precision itself."""
    generator = loader.load("wgan-gp-28").generator
    half, whole = (graphs(generator, half=half) for half in (True, False))
    assert 0.45 < len(half["painting"]) / len(whole["painting"]) < 0.55
    assert files._checked_graphs(generator) == half


@pytest.mark.parametrize("name", LAYERS)
def test_the_graph_that_warms_a_browser_up_is_the_painting_without_its_weights(name):
    from onnx import ModelProto

    content = graphs(network(name, ("a", "b")))
    warm, painting = (ModelProto.FromString(content[key]).graph for key in ("warmup", "painting"))
    zeros = [node for node in warm.node if node.op_type == "ConstantOfShape"]
    assert [node for node in warm.node if node not in zeros] == list(painting.node)
    assert len(zeros) == sum(len(weight.dims) > 1 for weight in painting.initializer) > 3
    session = onnxruntime.InferenceSession(content["warmup"], providers=["CPUExecutionProvider"])
    drawn = session.run(None, {one.name: np.zeros(one.shape, np.float32) for one in session.get_inputs()})[0]
    assert drawn.shape == (1, 3, 16, 16) and np.isfinite(drawn).all()


def test_it_is_small_where_the_weights_are_many():
    content = graphs(loader.load("wgan-gp-28").generator)
    assert len(content["warmup"]) < len(content["painting"]) / 50


def test_float32_where_half_precision_shows(monkeypatch):
    generator = network("plain", ("a", "b"))
    seen = iter([files.FARTHEST + 1, files.FARTHEST])
    monkeypatch.setattr(files, "_difference", lambda generator, content: next(seen))
    assert files._checked_graphs(generator) == graphs(generator, half=False)
    seen = iter([9, 9])
    with pytest.raises(UserError, match="draws other pictures than PyTorch .9 of 255."):
        files._checked_graphs(generator)


def test_a_layer_that_is_not_known_is_said():
    generator = network("plain", ("a", "b"))
    generator.gen[2].append(torch.nn.Sigmoid())
    with pytest.raises(UserError, match="Sigmoid"):
        graphs(generator)


@pytest.mark.parametrize("layers", [
    ("M>16", "K>8", "S>8 noise", "S>8 smooth noise", "S>4 noise"),
    ("E>8", "C4,1,3>8 sn", "R>8 up sn cbn", "A sn", "R>4 up sn cbn", "C3,1,1>3 sn tanh"),
    ("C4,1,3>8 eq lrelu pn", "up", "C3,1,1>8 eq lrelu pn", "rgb eq", "up", "C3,1,1>8 eq lrelu pn", "rgb eq"),
], ids=["stylegan2", "biggan", "progan"])  # fmt: skip
def test_layers_of_the_family_are_traced(layers):
    config = ModelConfig("tiny", 16, ("a", "b"), layers, z_dim=9 if layers[0].startswith("E") else 8).validate()
    torch.manual_seed(0)
    generator = make_generator(config)
    generator.init_weights()
    for name, weight in [*generator.named_parameters()]:
        if name.endswith((".strength", ".gain", ".gain.weight", ".shift.weight")):
            torch.nn.init.normal_(weight.data if weight.ndim else weight.data.view(1), 0, 0.3)
    generator.calibrate()
    generator.requires_grad_(False).eval()
    content, code = graphs(generator), torch.tensor([[0.25, 0.75]])
    assert ("styles" in content) == config.styled and len(content["warmup"]) > 0
    assert str(files.HERE).encode() not in content["painting"], "nothing of this computer"
    sessions = {key: onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]) for key, file in content.items()}
    with torch.no_grad():
        expected = generator.decode(*generator.latents([7], code, 1.5)).numpy()
    assert expected.std() > 0.02, "something to see"
    assert np.abs(files._drawn(generator, sessions, 7, code.numpy(), 1.5) - expected).max() < 0.01


# ------------------------------------------------------------------------------------------------------------- runtime


def package(folder, version=runtime.VERSION):
    """A folder that looks like the npm package."""
    (folder / "dist").mkdir(parents=True)
    (folder / "package.json").write_text(f'{{"version": "{version}"}}')
    for names in runtime.KINDS.values():
        for name in names:
            (folder / "dist" / name).write_bytes(name.encode())
    return folder


def test_the_runtime_of_another_release_is_refused(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="is not that of onnxruntime-web"):
        runtime.vendor(package(tmp_path / "other"))
    (tmp_path / "other" / "dist" / "ort.wasm.min.mjs").unlink()
    with pytest.raises(UserError, match="cannot be read"):
        runtime.vendor(tmp_path / "other")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="needs npm, which is not here; install Node.js"):
        runtime.vendor()


def test_an_installed_package_of_the_pinned_release_is_found_from_below(tmp_path, monkeypatch):
    package(tmp_path / "node_modules" / runtime.PACKAGE)
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    assert runtime._installed() == tmp_path / "node_modules" / runtime.PACKAGE
    package(tmp_path / "a" / "node_modules" / runtime.PACKAGE, version="0.0.1")
    assert runtime._installed() == tmp_path / "node_modules" / runtime.PACKAGE, "an older one is passed over"


def test_without_a_copy_the_page_names_the_release_and_its_digests():
    for kind in runtime.facts(None).values():
        for file in kind.values():
            assert file["url"].startswith(f"https://cdn.jsdelivr.net/npm/onnxruntime-web@{runtime.VERSION}/dist/ort")
            assert file["integrity"].startswith("sha384-") and file["bytes"] >= file["wire"] > 0
