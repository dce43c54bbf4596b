"""A generator as two ONNX graphs for a browser: what becomes of a seed, and the picture of it.

    styles     noise N×z_dim, classes N×K (no input for a plain model) → offset N×W, mean N×W (`Generator.latents` without ψ)
    painting   styles 1×L×W → picture 1×3×S×S in float32, around [−1, 1], for a generator with styles
               noise 1×z_dim, classes 1×K → picture, for one of convolutions; such a model has no graph `styles`
    warmup     `painting` with zeros for weights, a few KB: a browser compiles its code with it while the weights still come

The nodes of the usual layers are written one by one, not traced: an export takes a second where torch.onnx takes a minute. The
shapes of `painting` are fixed. Weights of two axes or more are stored in half precision. Nodes that depend on no input widen
them, and a runtime computes such nodes once, when it loads the graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from gan.config import parse_layer
from gan.errors import UserError
from gan.garden.traced import traced_painting
from gan.generator import Generator
from gan.hub.onnx_export import check_installed
from gan.networks.layers import SLOPE
from gan.networks.style_generator import GAIN, TAPS, Modulated, Scale, StyleGenerator

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

OPSET, IR = 17, 8  # old enough for every runtime of the last years
STYLES, PAINTING, WARMUP = "styles", "painting", "warmup"
KNOWN = ("C", "T", "up", "up-corners", "M", "S")  # kinds of layer that a graph is written for


class _Graph:
    """Nodes and weights of a graph that is being written. A value is the name of what a node gives."""

    def __init__(self, half: bool) -> None:
        self.half, self._count = half, 0
        self.nodes: list[NodeProto] = []
        self.weights: list[TensorProto] = []

    def node(self, kind: str, *values: str, **attributes: Any) -> str:
        """A node with one output, and the name of that."""
        from onnx import helper

        self._count += 1
        output = f"{kind}{self._count}"
        self.nodes.append(helper.make_node(kind, list(values), [output], **attributes))
        return output

    def constant(self, value: Any, kind: Any = np.float32) -> str:
        """Numbers that stay as they are."""
        from onnx import numpy_helper

        self._count += 1
        name = f"c{self._count}"
        self.weights.append(numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def weight(self, tensor: Tensor, *, exact: bool = False) -> str:
        """A weight; in half precision where it has several axes, unless it is to be `exact` or all of the graph is."""
        from onnx import TensorProto

        values = tensor.detach().cpu().float().numpy()
        if exact or not self.half or values.ndim < 2:
            return self.constant(values)
        return self.node("Cast", self.constant(values, np.float16), to=TensorProto.FLOAT)

    def shape(self, value: str, *sizes: int) -> str:
        return self.node("Reshape", value, self.constant(sizes, np.int64))

    def linear(self, value: str, layer: nn.Linear) -> str:
        bias = [] if layer.bias is None else [self.weight(layer.bias)]
        return self.node("Gemm", value, self.weight(layer.weight), *bias, transB=1)

    def sum(self, value: str, *axes: int) -> str:
        return self.node("ReduceSum", value, self.constant(axes, np.int64), keepdims=0)

    def enlarged(self, value: str, corners: bool = False) -> str:
        """Maps of twice the side, bilinear."""
        mode = "align_corners" if corners else "half_pixel"
        factors = self.constant([1, 1, 2, 2])
        return self.node("Resize", value, "", factors, mode="linear", coordinate_transformation_mode=mode)

    def repeated(self, value: str) -> str:
        """Maps of twice the side, each pixel four times."""
        options = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return self.node("Resize", value, "", self.constant([1, 1, 2, 2]), mode="nearest", **options)

    def bytes(self, inputs: dict[str, list[Any]], outputs: dict[str, str], shapes: dict[str, list[Any]]) -> bytes:
        """The file: inputs and their shapes; outputs, what they are called by now, and their shapes."""
        from onnx import TensorProto, helper

        nodes = [*self.nodes, *(helper.make_node("Identity", [value], [name]) for name, value in outputs.items())]
        given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()]
        made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name]) for name in outputs]
        graph = helper.make_graph(nodes, "flower", given, made, self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR, producer_name="")
        return model.SerializeToString(deterministic=True)


def graphs(generator: Generator, *, half: bool = True) -> dict[str, bytes]:
    """Name → ONNX file of the graphs of `generator` (evaluation mode, float32); `half` stores weights in half precision.

    A painting with layers of other kinds than KNOWN is traced (traced.py). Raises UserError where onnx is missing.
    """
    check_installed()
    found = {STYLES: _styles(generator, half)} if isinstance(generator, StyleGenerator) else {}
    if not _known(generator):
        found[PAINTING] = traced_painting(generator, half)
    elif isinstance(generator, StyleGenerator):
        found[PAINTING] = _style_painting(generator, half)
    else:
        found[PAINTING] = _conv_painting(generator, half)
    return {**found, WARMUP: _without_weights(found[PAINTING])}


def _without_weights(content: bytes) -> bytes:
    """A graph whose weights of two axes or more are nodes that make zeros of the same shapes and types."""
    from onnx import ModelProto, TensorProto, helper, numpy_helper

    model = ModelProto.FromString(content)
    graph = model.graph
    kept: list[TensorProto] = []
    nodes: list[NodeProto] = []
    for weight in graph.initializer:
        if len(weight.dims) < 2 or weight.data_type not in (TensorProto.FLOAT, TensorProto.FLOAT16):
            kept.append(weight)
            continue
        kept.append(numpy_helper.from_array(np.array(weight.dims, np.int64), f"{weight.name}-shape"))
        zero = helper.make_tensor("zero", weight.data_type, [1], [0])
        nodes.append(helper.make_node("ConstantOfShape", [kept[-1].name], [weight.name], value=zero))
    nodes += graph.node
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)
    return model.SerializeToString(deterministic=True)


def _known(generator: Generator) -> bool:
    """Whether a graph of all layers is written here."""
    layers = [parse_layer(text) for text in generator.config.generator]
    foreign = (layer.scaling or layer.norm == "cbn" or layer.after or layer.adain or layer.noise for layer in layers)
    return all(layer.op in KNOWN for layer in layers) and not any(foreign)


# -------------------------------------------------------------------------------------------------------------- styles


def _styles(generator: StyleGenerator, half: bool) -> bytes:
    graph, config = _Graph(half), generator.config
    x, width = _normalized(graph, "noise"), generator.mean_style.shape[1]
    mean, inputs = graph.weight(generator.mean_style, exact=True), {"noise": ["N", config.z_dim]}
    if generator.embed is not None:
        inputs["classes"] = ["N", config.code_dim]
        mean = graph.node("MatMul", "classes", mean)
        x = graph.node("Concat", x, _normalized(graph, graph.linear("classes", generator.embed)), axis=1)
    for layer in generator.mapping:
        assert isinstance(layer, nn.Linear)
        x = graph.node("LeakyRelu", graph.linear(x, layer), alpha=SLOPE)
    offset = graph.node("Sub", x, mean)
    mean = graph.node("Sub", x, offset) if generator.embed is None else mean  # as many rows as there are of noise
    return graph.bytes(inputs, {"offset": offset, "mean": mean}, {"offset": ["N", width], "mean": ["N", width]})


def _normalized(graph: _Graph, value: str) -> str:
    """Rows with a mean square of 1 (style_generator.normalize)."""
    square = graph.node("ReduceMean", graph.node("Mul", value, value), axes=[1], keepdims=1)
    return graph.node("Div", value, graph.node("Sqrt", graph.node("Add", square, graph.constant(1e-8))))


def _style_painting(generator: StyleGenerator, half: bool) -> bytes:
    graph, config = _Graph(half), generator.config
    count, width = generator.style_scales, generator.mean_style.shape[1]

    def style(number: int) -> str:
        return graph.node("Gather", "styles", graph.constant(number, np.int64), axis=1)

    assert generator.start is not None  # no layer K
    x = graph.shape(graph.linear(style(0), generator.start), 1, -1, 4, 4)
    picture = ""
    for number, scale in enumerate(generator.scales):
        x, picture = _scale(graph, scale, x, picture, style(number), number > 0)
    shape = [1, 3, config.resolution, config.resolution]
    return graph.bytes({"styles": [1, count, width]}, {"picture": picture}, {"picture": shape})


def _scale(graph: _Graph, scale: Scale, x: str, picture: str, style: str, enlarge: bool) -> tuple[str, str]:
    """`Scale.forward`."""
    assert isinstance(scale.first, Modulated) and isinstance(scale.second, Modulated) and scale.rgb is not None
    x = _modulated(graph, scale.second, _modulated(graph, scale.first, x, style, enlarge), style, False)
    kernel = graph.node("Mul", graph.weight(scale.rgb_weight), graph.linear(style, scale.rgb))  # 3×C
    seen = graph.node("Conv", x, graph.shape(kernel, 3, -1, 1, 1), graph.weight(scale.rgb_bias))
    return x, graph.node("Add", seen, graph.enlarged(picture)) if picture else seen


def _modulated(graph: _Graph, layer: Modulated, x: str, style: str, enlarge: bool) -> str:
    """`Modulated.forward`."""
    channels, before = layer.weight.shape[:2]
    turned = enlarge and bool(layer.low_pass)  # a transposed convolution: ONNX has the channels that come first in front there
    kernel = graph.weight(layer.weight.flip(2, 3).transpose(0, 1) if turned else layer.weight)
    energy = graph.sum(graph.node("Mul", kernel, kernel), 2, 3)  # C'×C, or C×C'
    scale = graph.linear(style, layer.affine)  # 1×C
    square = graph.node("Mul", scale, scale)
    power = graph.node("Gemm", square, energy, transB=0 if turned else 1)  # 1×C'
    shrink = graph.node("Div", graph.constant(GAIN), graph.node("Sqrt", graph.node("Add", power, graph.constant(1e-8))))
    x = graph.node("Mul", x, graph.shape(scale, 1, before, 1, 1))
    if turned:
        taps = TAPS[layer.low_pass]
        x = graph.node("Pad", x, graph.constant([0, 0, *[len(taps) // 4] * 2] * 2, np.int64), mode="edge")
        x = _filtered(graph, graph.node("ConvTranspose", x, kernel, strides=[2, 2], pads=[1, 1, 1, 1]), taps)
    else:
        x = graph.node("Conv", graph.repeated(x) if enlarge else x, kernel, pads=[1, 1, 1, 1])
    x = graph.node("Mul", x, graph.shape(shrink, 1, channels, 1, 1))
    x = graph.node("Add", x, graph.weight(layer.bias.view(1, -1, 1, 1).detach(), exact=True))
    return graph.node("LeakyRelu", x, alpha=SLOPE)


def _filtered(graph: _Graph, x: str, taps: Sequence[float]) -> str:
    """`style_generator.filtered` of maps 1×C×H×W: each channel by itself, as a batch of C pictures."""
    kernel = np.array(taps, np.float32)
    x = graph.node("Transpose", x, perm=[1, 0, 2, 3])
    x = graph.node("Conv", x, graph.constant(kernel.reshape(1, 1, -1, 1)))
    x = graph.node("Conv", x, graph.constant(kernel.reshape(1, 1, 1, -1)))
    return graph.node("Transpose", x, perm=[1, 0, 2, 3])


# -------------------------------------------------------------------------------------------------------- convolutions


def _conv_painting(generator: Generator, half: bool) -> bytes:
    graph, config = _Graph(half), generator.config
    inputs: dict[str, list[Any]] = {"noise": [1, config.z_dim]}
    x = "noise"
    if config.code_dim:
        inputs["classes"] = [1, config.code_dim]
        x = graph.node("Concat", "noise", "classes", axis=1)
    x = graph.shape(x, 1, -1, 1, 1)
    for part in generator.gen:  # type: ignore[union-attr]  # the Sequential of ConvGenerator
        x = _block(graph, part, x)
    shape = [1, 3, config.resolution, config.resolution]
    return graph.bytes(inputs, {"picture": x}, {"picture": shape})


def _block(graph: _Graph, part: nn.Module, x: str) -> str:
    """A module that `layers.build` makes of a layer string."""
    if isinstance(part, nn.Upsample):
        return graph.enlarged(x, bool(part.align_corners))
    assert isinstance(part, nn.Sequential)
    first, *rest = part
    norm = rest[0] if rest and isinstance(rest[0], nn.BatchNorm2d) else None
    rest = rest[1:] if norm is not None else rest
    x = _convolution(graph, first, norm, x)
    for module in rest:
        x = _pointwise(graph, module, x)
    return x


def _convolution(graph: _Graph, layer: nn.Module, norm: nn.BatchNorm2d | None, x: str) -> str:
    """A convolution, and the batch norm behind it as a factor of its kernels: the kernels are stored without it."""
    assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
    kernel, turned = graph.weight(layer.weight), isinstance(layer, nn.ConvTranspose2d)
    bias = torch.zeros(layer.out_channels) if layer.bias is None else layer.bias.detach()
    if norm is not None:
        assert norm.running_var is not None and norm.running_mean is not None
        factor = norm.weight.detach() / (norm.running_var + norm.eps).sqrt()
        shape = (1, -1, 1, 1) if turned else (-1, 1, 1, 1)
        kernel = graph.node("Mul", kernel, graph.constant(factor.view(shape).numpy()))
        bias = (bias - norm.running_mean) * factor + norm.bias.detach()
    pads, strides = [layer.padding[0]] * 4, list(layer.stride)  # type: ignore[list-item]  # never the text "same" here
    return graph.node("ConvTranspose" if turned else "Conv", x, kernel, graph.weight(bias), pads=pads, strides=strides)


def _pointwise(graph: _Graph, module: nn.Module, x: str) -> str:
    """An activation, or the norm of a sample."""
    if isinstance(module, nn.ReLU):
        return graph.node("Relu", x)
    if isinstance(module, nn.LeakyReLU):
        return graph.node("LeakyRelu", x, alpha=module.negative_slope)
    if isinstance(module, nn.Tanh):
        return graph.node("Tanh", x)
    if isinstance(module, nn.GroupNorm) and module.num_groups == 1:
        centered = graph.node("Sub", x, graph.node("ReduceMean", x, axes=[1, 2, 3], keepdims=1))
        square = graph.node("ReduceMean", graph.node("Mul", centered, centered), axes=[1, 2, 3], keepdims=1)
        spread = graph.node("Sqrt", graph.node("Add", square, graph.constant(module.eps)))
        scaled = graph.node("Mul", graph.node("Div", centered, spread), graph.shape(graph.weight(module.weight), 1, -1, 1, 1))
        return graph.node("Add", scaled, graph.shape(graph.weight(module.bias), 1, -1, 1, 1))
    raise UserError(f"the generator has a layer ({type(module).__name__}) that the page in the browser does not know.")
