"""The graph `painting` of a generator with layers that graphs.py does not write: PyTorch's own exporter traces it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from gan.generator import Generator
from gan.hub.onnx_export import exported

if TYPE_CHECKING:
    from onnx import ModelProto


def traced_painting(generator: Generator, half: bool) -> bytes:
    """The file, with the inputs and the output of graphs.py; `half` stores weights of two axes or more in half precision."""
    config, network = generator.config, _Painting(generator).eval()
    if config.styled:
        width = generator.latents([0], torch.zeros(1, config.code_dim), None)[0].shape[1]
        inputs = {"styles": torch.zeros(1, generator.style_scales, width)}
    else:
        inputs = {"noise": torch.zeros(1, config.z_dim)}
        if config.code_dim:
            inputs["classes"] = torch.zeros(1, config.code_dim)
    proto = exported(network, inputs, "picture")
    if half:
        _store_in_half(proto)
    return proto.SerializeToString(deterministic=True)


class _Painting(nn.Module):
    """From the inputs of the graph to a picture 1×3×S×S."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = copy.deepcopy(generator)
        self.generator.for_inference(torch.float32)

    def forward(self, given: Tensor, *code: Tensor) -> Tensor:
        if self.generator.config.styled:
            return self.generator.synthesize(given)
        return self.generator.decode(given, code[0] if code else given[:, :0])


def _store_in_half(proto: ModelProto) -> None:
    """Weights of two axes or more become half as large, and nodes that a runtime computes once widen them."""
    from onnx import NodeProto, TensorProto, helper, numpy_helper

    weights: list[TensorProto] = []
    nodes: list[NodeProto] = []
    for weight in proto.graph.initializer:
        if len(weight.dims) < 2 or weight.data_type != TensorProto.FLOAT:
            weights.append(weight)
            continue
        name = f"{weight.name}-half"
        weights.append(numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), name))
        nodes.append(helper.make_node("Cast", [name], [weight.name], to=TensorProto.FLOAT))
    nodes += proto.graph.node
    del proto.graph.initializer[:], proto.graph.node[:]
    proto.graph.initializer.extend(weights)
    proto.graph.node.extend(nodes)
