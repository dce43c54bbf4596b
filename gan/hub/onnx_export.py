"""A generator as an ONNX file: pictures without PyTorch, wherever there is a runtime for ONNX.

Inputs, float32, for any number N of pictures at a time:

    noise    N×z_dim  numbers from a normal distribution; for a model without styles cut to [−t, t] for a truncation t
    classes  N×K      how much of each class: one 1 and zeros, or shares that add up to 1 (none for a plain model)
    psi      1        with styles only: how far a style is from the mean one of its class, 1 for no truncation at all

and one output, `pictures`, uint8 N×S×S×3. The file's metadata says what else there is to know. What turns a seed into noise
is PyTorch's own generator of random numbers, and stays outside: a seed of the app is no seed here.
"""

from __future__ import annotations

import copy
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from gan.errors import UserError
from gan.generator import Generator
from gan.hub.loader import Model
from gan.networks import latents
from gan.networks.style_generator import StyleGenerator
from gan.utils.images import SOFTWARE, to_uint8

if TYPE_CHECKING:
    from onnx import ModelProto

PACKAGES = ("onnx", "onnxscript", "onnxruntime")
CHECKED = 3  # pictures that the file has to draw as PyTorch does


def check_installed() -> None:
    """Raise UserError where a package that `onnx_file` needs is missing."""
    missing = [name for name in PACKAGES if not find_spec(name)]
    if missing:
        raise UserError(f"writing ONNX needs {' and '.join(missing)}; run pip install -r requirements-onnx.txt.")


def onnx_file(model: Model) -> tuple[bytes, int]:
    """The content of an ONNX file that draws as `model` does in float32, and by how much a few pictures differ, 0 or 1 of 255.

    Raises UserError where a package is missing, and where onnxruntime draws anything else.
    """
    check_installed()
    inputs, batch = _inputs(model.generator), torch.export.Dim("batch")
    first, *others = ({} if name == "psi" else {0: batch} for name in inputs)
    shapes = (first, tuple(others)) if others else (first,)
    proto = exported(_Drawing(model.generator).eval(), inputs, "pictures", shapes)
    content = _described(proto, model, list(inputs)).SerializeToString(deterministic=True)
    return content, _checked(content, model, inputs)


def exported(network: nn.Module, inputs: dict[str, Tensor], output: str, shapes: tuple[Any, ...] | None = None) -> ModelProto:
    """A network as ONNX, without where on this computer it was made. `shapes` says what varies (torch.onnx.export)."""
    with torch.no_grad(), _quiet():
        program = torch.onnx.export(
            network, tuple(inputs.values()), dynamo=True, input_names=list(inputs), output_names=[output],
            dynamic_shapes=shapes, verbose=False,
        )  # fmt: skip
    assert program is not None  # with dynamo there always is one
    proto = program.model_proto
    for holder in (proto, proto.graph, *proto.graph.node, *proto.graph.value_info, *proto.graph.initializer):
        del holder.metadata_props[:]
        holder.doc_string = ""
    return proto


class _Drawing(nn.Module):
    """A generator as the file has it: from its inputs to pictures of whole numbers."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = copy.deepcopy(generator)
        self.generator.for_inference(torch.float32)

    def forward(self, noise: Tensor, *others: Tensor) -> Tensor:
        generator, config = self.generator, self.generator.config
        code = others[0] if config.code_dim else noise[:, :0]
        own, of_class = noise, code
        if isinstance(generator, StyleGenerator):
            of_class = code @ generator.mean_style if config.code_dim else generator.mean_style
            own = others[-1] * (generator.style(noise, code) - of_class)
        pixels = ((generator.decode(own, of_class) + 1) * 127.5).round().clamp(0, 255)
        return pixels.to(torch.uint8).permute(0, 2, 3, 1)


def _inputs(generator: Generator) -> dict[str, Tensor]:
    """What to draw a few pictures from, at the truncation the model is shown at."""
    config, draws = generator.config, torch.Generator().manual_seed(0)
    bound = latents.default_truncation(config.scores)
    noise = torch.randn(CHECKED, config.z_dim, generator=draws)
    inputs = {"noise": noise if config.styled else noise.clamp(-bound, bound)}
    if config.code_dim:
        inputs["classes"] = torch.eye(config.code_dim)[torch.arange(CHECKED) % config.code_dim]
    if config.styled:
        inputs["psi"] = torch.full((1,), latents.spread(bound))
    return inputs


def _described(proto: ModelProto, model: Model, inputs: list[str]) -> ModelProto:
    """The same, with what a user has to know in its metadata."""
    config = model.generator.config
    truncation = latents.default_truncation(config.scores)
    said = {
        "project": SOFTWARE,
        "model": model.title,
        "revision": model.revision,
        "preset": config.preset,
        "resolution": str(config.resolution),
        "classes": json.dumps(list(config.classes), ensure_ascii=False),
        "noise": str(config.z_dim),
        "truncation": f"{truncation:g}",
        **({"psi": f"{latents.spread(truncation):.4f}"} if config.styled else {}),
        "inputs": " ".join(_SAID[name] for name in inputs) + ("" if config.styled else _CUT),
        "seeds": "The app makes noise from a seed with PyTorch's generator of random numbers, which is not in this file.",
    }
    for key, value in said.items():
        proto.metadata_props.add(key=key, value=value)
    proto.doc_string = f"{said['inputs']} pictures: uint8, N×S×S×3. {said['seeds']}"
    return proto


_SAID = {
    "noise": "noise: N×z_dim numbers from a normal distribution.",
    "classes": "classes: N×K, for each picture one 1 and zeros, or shares that add up to 1, in the order of `classes`.",
    "psi": "psi: one number, how far styles are from the mean one of their class; 1 is no truncation, `psi` the usual one.",
}
_CUT = " Noise beyond ±`truncation` is drawn anew, for pictures as the model is usually shown; or not at all."


def _checked(content: bytes, model: Model, inputs: dict[str, Tensor]) -> int:
    """The greatest difference between what onnxruntime and PyTorch draw of `inputs`, of 255. Raises UserError for 2 or more."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    drawn = session.run(None, {name: value.numpy() for name, value in inputs.items()})[0]
    with torch.no_grad():
        expected = _reference(model.generator, inputs)
    differs = int(np.abs(drawn.astype(int) - expected.astype(int)).max()) if drawn.shape == expected.shape else 255
    if differs > 1:
        raise UserError(
            f"onnxruntime {onnxruntime.__version__} draws other pictures from the file than PyTorch {torch.__version__} "
            f"({differs} of 255), so it was not written; take the versions of requirements-onnx.txt."
        )
    return differs


def _reference(generator: Generator, inputs: dict[str, Tensor]) -> np.ndarray:
    """The pictures of the generator as it was loaded."""
    noise = inputs["noise"]
    code = inputs.get("classes", noise[:, :0])
    if not isinstance(generator, StyleGenerator):
        return to_uint8(generator(noise, code))
    mean = code @ generator.mean_style if generator.config.code_dim else generator.mean_style
    return to_uint8(generator.decode(inputs["psi"] * (generator.style(noise, code) - mean), mean))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks about packages and names that do not matter here."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
