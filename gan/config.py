"""The description of a model: a frozen dataclass and its JSON form. options.py has the settings of a training.

A network is a tuple of layer strings, read by `parse_layer`:

    C3,1,1>128 bn relu      convolution: kernel 3, stride 1, padding 1, 128 channels, batch norm, ReLU
    T4,2,1>64 bn relu       transposed convolution, with the same notation
    up                      bilinear upsampling by two;  up-corners: the same with align_corners=True

or, for a generator with styles (style_generator.py),

    M>256                   a layer of the mapping network, 256 wide; all mapping layers come first
    S>128                   a scale: twice the side of the one before (the first is 4×4), 128 channels
    S>128 smooth            the same, low-pass filtered after it is enlarged

A critic is a tuple of layer strings without M and S, or a tuple of one string:

    projected efficientnet-lite0>64   heads 64 wide on features of a frozen network (projected_critic.py)

Norms are `bn` (batch) and `ln` (per sample). Activations are `relu`, `lrelu` (slope 0.2) and `tanh`.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from gan.errors import UserError

SCHEMA = 1
MAX_RESOLUTION = 1024
MAX_CHANNELS = 4096
MAX_CLASSES = 1000

_PROJECTED = re.compile(r"projected ([a-z0-9-]+)>(\d+)")
_STYLE = re.compile(r"(?:M>(\d+)|S>(\d+)( smooth)?)")
_CONV = re.compile(r"([CT])(\d+),(\d+),(\d+)>(\d+)((?: (?:bn|ln))?)((?: (?:relu|lrelu|tanh))?)")


@dataclass(frozen=True)
class Layer:
    """One parsed layer string: an upsampling, a (transposed) convolution with norm and activation, a mapping layer, a scale."""

    op: str  # "C", "T", "up", "up-corners", "M" or "S"
    kernel: int = 0
    stride: int = 0
    padding: int = 0
    channels: int = 0
    norm: str = ""  # "", "bn" or "ln"
    activation: str = ""  # "", "relu", "lrelu" or "tanh"
    smooth: bool = False  # of "S": low-pass filtered after it is enlarged

    def size_after(self, size: int) -> int:
        """The side of the output in pixels for an input with side `size`."""
        if self.op == "C":
            return (size + 2 * self.padding - self.kernel) // self.stride + 1
        if self.op == "T":
            return (size - 1) * self.stride - 2 * self.padding + self.kernel
        if self.op == "M":
            return size
        return 4 if self.op == "S" and size == 1 else 2 * size


def parse_layer(text: str) -> Layer:
    """Parse a layer string (notation above). Raises UserError for any other text and for numbers out of range."""
    if text in ("up", "up-corners"):
        return Layer(text)
    if found := _STYLE.fullmatch(text):
        mapping, scale, smooth = found.groups()
        return _in_range(Layer("M" if mapping else "S", channels=int(mapping or scale), smooth=bool(smooth)), text)
    found = _CONV.fullmatch(text)
    if not found:
        raise UserError(f"'{text}' is not a layer; write for example 'C3,1,1>64 bn relu', 'T4,2,1>64 bn relu' or 'up'.")
    op, kernel, stride, padding, channels, norm, activation = found.groups()
    layer = Layer(op, int(kernel), int(stride), int(padding), int(channels), norm.strip(), activation.strip())
    if not (1 <= layer.kernel <= 16 and 1 <= layer.stride <= 8 and 0 <= layer.padding <= 16):
        raise UserError(f"layer '{text}' is out of range; keep the kernel in 1–16, the stride in 1–8, the padding in 0–16.")
    return _in_range(layer, text)


@dataclass(frozen=True)
class Projected:
    """A critic whose heads see features of a frozen network."""

    backbone: str  # a name for backbones.find_backbone
    width: int  # channels of the heads


def parse_projected(critic: tuple[str, ...]) -> Projected | None:
    """The projected critic that a critic's only string describes (notation above); None for a critic of layers."""
    found = _PROJECTED.fullmatch(critic[0]) if len(critic) == 1 else None
    return Projected(found[1], int(found[2])) if found else None


def _in_range(layer: Layer, text: str) -> Layer:
    """`layer`, unless its number of channels is out of range. Raises UserError."""
    if not 1 <= layer.channels <= MAX_CHANNELS:
        raise UserError(f"layer '{text}' has {layer.channels} channels; use 1 to {MAX_CHANNELS}.")
    return layer


def sizes(layers: tuple[str, ...], start: int) -> list[int]:
    """The sides in pixels before the first of `layers` and after each. Raises UserError."""
    result = [start]
    for text in layers:
        result.append(parse_layer(text).size_after(result[-1]))
    return result


@dataclass(frozen=True)
class ModelConfig:
    """A generator and its classes: all that is needed to build the network before its weights are read.

    With a single class the generator's input is noise (`z_dim` numbers). With K classes, a generator of convolutions gets the
    noise concatenated with a one-hot code of K numbers (paper, section 4, stage 2).
    """

    preset: str
    resolution: int
    classes: tuple[str, ...]
    generator: tuple[str, ...]
    z_dim: int = 64
    trained: dict[str, Any] = field(default_factory=dict)  # its training: images, seed, photos, command, …
    scores: dict[str, Any] = field(default_factory=dict)  # results of an evaluation; empty without one
    schema: int = SCHEMA

    @property
    def styled(self) -> bool:
        """Whether the generator has styles, that is, `M` and `S` layers."""
        return any(text[:2] in ("M>", "S>") for text in self.generator)

    @property
    def code_dim(self) -> int:
        """Width of the one-hot code: K for K > 1 classes, 0 for a single class."""
        return len(self.classes) if len(self.classes) > 1 else 0

    def validate(self) -> ModelConfig:
        """Return self. Raises UserError for a configuration from which no generator can be built."""
        if not isinstance(self.preset, str) or not self.preset:
            raise UserError("the model has no preset; give the name of one.")
        if not _is_whole(self.schema) or self.schema != SCHEMA:
            raise _schema_error(self.schema)
        if not 1 <= len(self.classes) <= MAX_CLASSES or len(set(self.classes)) != len(self.classes):
            raise UserError(f"a model needs 1 to {MAX_CLASSES} different class names, and this one has {len(self.classes)}.")
        if any(not isinstance(name, str) or not name for name in self.classes):
            raise UserError("every class of a model needs a name that is not empty.")
        if not _is_whole(self.z_dim) or not 1 <= self.z_dim <= MAX_CHANNELS:
            raise UserError(f"z_dim is {self.z_dim!r}; use a whole number from 1 to {MAX_CHANNELS}.")
        if not _is_whole(self.resolution) or not 8 <= self.resolution <= MAX_RESOLUTION:
            raise UserError(f"the resolution is {self.resolution!r}; use a whole number from 8 to {MAX_RESOLUTION}.")
        if not 1 <= len(self.generator) <= 64:
            raise UserError(f"the generator has {len(self.generator)} layers; use 1 to 64.")
        reached = sizes(self.generator, 1)
        if min(reached) < 1 or max(reached) > 2 * MAX_RESOLUTION or reached[-1] != self.resolution:
            raise UserError(
                f"the generator's layers give {reached[-1]} pixels a side, not {self.resolution}; correct one of them."
            )
        if self.styled:
            if not re.fullmatch("M+S+", "".join(parse_layer(text).op for text in self.generator)):
                raise UserError("a generator with styles needs mapping layers (M) first, then scales (S), and no other layers.")
        elif parse_layer(self.generator[-1]).channels != 3:
            raise UserError("the generator's last layer must have 3 channels (red, green, blue).")
        return self

    def to_json(self) -> dict[str, Any]:
        """The content of `config.json`."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_json(cls, data: Any) -> ModelConfig:
        """Read the content of `config.json`, parsed JSON, and validate it. Raises UserError."""
        # Checked before the keys, because a later schema has keys that are not known here.
        if isinstance(data, dict) and _is_whole(data.get("schema")) and data["schema"] > SCHEMA:
            raise _schema_error(data["schema"])
        return _from_json(cls, data, "config.json").validate()


def _schema_error(schema: Any) -> UserError:
    """The error for a `config.json` of another version."""
    return UserError(
        f"this model's config.json has schema {schema!r}, and this version reads schema {SCHEMA}; "
        "use the release that wrote it, or convert it."
    )


def _is_whole(value: Any) -> bool:
    """Whether a value from JSON is a whole number; true and 1.0 are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def _from_json(cls: type, data: Any, where: str) -> Any:
    """Build the dataclass `cls` from parsed JSON without unknown or missing keys; lists become tuples. Raises UserError."""
    if not isinstance(data, dict):
        raise UserError(f"{where} does not hold a JSON object; is it the file of a model folder?")
    known = {item.name: item for item in fields(cls)}
    unknown = sorted(set(data) - set(known))
    if unknown:
        raise UserError(f"{where} has keys this version does not know: {', '.join(map(str, unknown))}.")
    values = {}
    for name, value in data.items():
        if str(known[name].type).startswith("tuple"):
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                raise UserError(f"'{name}' in {where} must be a list of strings.")
            value = tuple(value)
        elif str(known[name].type).startswith("dict") and not isinstance(value, dict):
            raise UserError(f"'{name}' in {where} must be a JSON object.")
        values[name] = value
    try:
        return cls(**values)
    except TypeError as error:
        raise UserError(f"{where} is incomplete: {error}.") from None
