"""The description of a model: a frozen dataclass and its JSON form. options.py has the settings of a training.

A network is a tuple of layer strings, read by `parse_layer`:

    C3,1,1>128 bn relu      convolution: kernel 3, stride 1, padding 1, 128 channels, batch norm, ReLU
    T4,2,1>64 bn relu       transposed convolution, with the same notation
    up                      bilinear upsampling by two;  up-corners: the same with align_corners=True
    down                    average pooling by two
    R>64 up bn              residual block (residual.py); `up`, `down` or neither
    A                       self-attention (attention.py)
    E>16                    first layer of a generator: an embedding of the class, shared by all `cbn`, each of which also gets
                            numbers of the noise of its own (conditional_norm.py)
    rgb                     in a generator that grows: draws the picture of this side (growing.py)

or, for a generator with styles (style_generator.py),

    M>256                   a layer of the mapping network, 256 wide; all mapping layers come first
    K>128                   constant start: 4×4 learned maps of 128 channels; without it the start is drawn from the style
    S>128                   a scale: twice the side of the one before (the first is 4×4), 128 channels
    S>128 smooth            the same, low-pass filtered after it is enlarged;  S>128 smoother: with a steeper filter
    S>128 adain             the style scales normalized maps, and only the last scale draws a picture (adain.py)
    S>128 noise             a random number is added to every pixel of the maps

A critic is a tuple of layer strings without M, K, S and E. It may have

    rgb>16 lrelu            in a critic that grows: takes the picture of this side in
    mbstd                   a map more: how far the pictures of a small group differ (batch_statistics.py)
    P                       last layer: a score with a projection of the class (heads.py)
    X                       last layer: a score, and a logit for each class (heads.py)

or it is a tuple of one string:

    projected efficientnet-lite0>64   heads 64 wide on features of a frozen network (projected_critic.py)

Behind the channels stand, in this order and each of them optional: how the weight is scaled, `sn` (spectral norm) or `eq`
(equalized learning rate); a norm, `bn` (batch), `ln` (per sample) or `cbn` (batch, scaled by the class); an activation,
`relu`, `lrelu` (slope 0.2) or `tanh`; and `pn` (pixel norm).
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
_LAYER = re.compile(r"([A-Za-z-]+?)(?:(\d+),(\d+),(\d+))?(?:>(\d+))?((?: [a-z]+)*)")
_SCALING, _AFTER, _NORM = ("scaling", "sn", "eq"), ("after", "pn"), ("norm", "bn", "ln", "cbn")
_ACTIVATION = ("activation", "relu", "lrelu", "tanh")
LOW_PASSES = ("smooth", "smoother")  # style_generator.py has their taps
# Kind of layer → what may stand behind it, in this order: a field of Layer, and its words.
_KINDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "C": (_SCALING, _NORM, _ACTIVATION, _AFTER), "T": (_SCALING, _NORM, _ACTIVATION, _AFTER),
    "R": (("resample", "up", "down"), _SCALING, ("norm", "bn", "cbn")), "A": (_SCALING,), "P": (_SCALING,), "X": (_SCALING,),
    "S": (("low_pass", *LOW_PASSES), ("adain", "adain"), ("noise", "noise")), "M": (), "K": (), "E": (),
    "rgb": (_SCALING, ("activation", "relu", "lrelu")), "up": (), "up-corners": (), "down": (), "mbstd": (),
}  # fmt: skip
_KERNEL, _CHANNELS = ("C", "T"), ("C", "T", "R", "S", "M", "K", "E")  # the kinds that have them; "rgb" may have channels


@dataclass(frozen=True)
class Layer:
    """One parsed layer string (notation above)."""

    op: str  # its first word: "C", "T", "R", "A", "up", "M", …
    kernel: int = 0
    stride: int = 0
    padding: int = 0
    channels: int = 0  # 0 where the layer keeps those before it
    scaling: str = ""  # "", "sn" or "eq"
    norm: str = ""  # "", "bn", "ln" or "cbn"
    activation: str = ""  # "", "relu", "lrelu" or "tanh"
    after: str = ""  # "" or "pn"
    resample: str = ""  # of "R": "", "up" or "down"
    low_pass: str = ""  # of "S": "" or one of LOW_PASSES, the filter after it is enlarged
    adain: bool = False  # of "S"
    noise: bool = False  # of "S"

    def size_after(self, size: int) -> int:
        """The side of the output in pixels for an input with side `size`."""
        if self.op == "C":
            return (size + 2 * self.padding - self.kernel) // self.stride + 1
        if self.op == "T":
            return (size - 1) * self.stride - 2 * self.padding + self.kernel
        if self.op in ("P", "X"):
            return 1
        if self.op == "S" and size == 1:
            return 4
        way = self.resample or self.op
        return 2 * size if way in ("S", "up", "up-corners") else size // 2 if way == "down" else size


def parse_layer(text: str) -> Layer:
    """Parse a layer string (notation above). Raises UserError for any other text and for numbers out of range."""
    found = _LAYER.fullmatch(text)
    words = _words(found[1], found[6].split()) if found else None
    if not found or words is None or (found[1] in _KERNEL) != bool(found[2]) or not _channels_fit(found[1], found[5]):
        raise UserError(f"'{text}' is not a layer; write for example 'C3,1,1>64 bn relu', 'T4,2,1>64 bn relu' or 'up'.")
    kernel, stride, padding, channels = (int(number or 0) for number in found.groups()[1:5])
    layer = Layer(found[1], kernel, stride, padding, channels, **words)
    if layer.op in _KERNEL and not (1 <= layer.kernel <= 16 and 1 <= layer.stride <= 8 and 0 <= layer.padding <= 16):
        raise UserError(f"layer '{text}' is out of range; keep the kernel in 1–16, the stride in 1–8, the padding in 0–16.")
    if found[5] and not 1 <= layer.channels <= MAX_CHANNELS:
        raise UserError(f"layer '{text}' has {layer.channels} channels; use 1 to {MAX_CHANNELS}.")
    return layer


def _channels_fit(kind: str, channels: str | None) -> bool:
    return kind == "rgb" or (kind in _CHANNELS) == bool(channels)


def _words(kind: str, words: list[str]) -> dict[str, Any] | None:
    """Fields of Layer → the words behind a layer of this kind; None where they do not belong there."""
    result: dict[str, Any] = {}
    for name, *allowed in _KINDS.get(kind, ()):
        if words and words[0] in allowed:
            word = words.pop(0)
            result[name] = True if word == name else word
    return None if words or kind not in _KINDS else result


@dataclass(frozen=True)
class Projected:
    """A critic whose heads see features of a frozen network."""

    backbone: str  # a name for backbones.find_backbone
    width: int  # channels of the heads


def parse_projected(critic: tuple[str, ...]) -> Projected | None:
    """The projected critic that a critic's only string describes (notation above); None for a critic of layers."""
    found = _PROJECTED.fullmatch(critic[0]) if len(critic) == 1 else None
    return Projected(found[1], int(found[2])) if found else None


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
    def grows(self) -> bool:
        """Whether the generator draws its picture at several sides, and learns the small ones first."""
        return self.fades or self.styled and " adain" not in self.generator[-1]

    @property
    def trained_side(self) -> int:
        """The side of its finest trained picture, in pixels: less than the resolution while a training is at a coarser one."""
        sides = self.trained.get("sides") or []
        last = str(sides[-1]).partition(":")[0] if isinstance(sides, list) and sides else ""
        return int(last) if last.isdecimal() and 8 <= int(last) < self.resolution else self.resolution

    @property
    def fades(self) -> bool:
        """Whether the generator fades its finer layers in, by `rgb` layers."""
        return any(text.startswith("rgb") for text in self.generator)

    def sides_drawn(self) -> list[int]:
        """The sides at which a generator that `fades` draws its picture, in pixels."""
        return [side for text, side in zip(self.generator, sizes(self.generator, 1)[1:]) if text.startswith("rgb")]

    @property
    def class_in_norms(self) -> bool:
        """Whether the generator's norms take the class, and its first layer does not."""
        return any(" cbn" in text for text in self.generator)

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
        self._check_order()
        return self

    def _check_order(self) -> None:
        """Raise UserError where layers do not go together."""
        layers = [parse_layer(text) for text in self.generator]
        ops = "".join(layer.op[0] for layer in layers)
        if self.styled:
            if not re.fullmatch("M+K?S+", ops):
                raise UserError("a generator with styles needs mapping layers (M) first, then scales (S), and no other layers.")
            if len({layer.adain for layer in layers if layer.op == "S"}) > 1:
                raise UserError("all scales (S) of a generator have 'adain', or none of them.")
        elif any(layer.op in ("K", "P", "X", "mbstd") or layer.op == "rgb" and layer.channels for layer in layers):
            raise UserError("the generator has a layer that only a critic, or only a generator with styles, may have.")
        elif self.fades and layers[-1].op != "rgb":
            raise UserError("a generator that grows ends with rgb, which draws its largest picture.")
        elif not self.fades and layers[-1].channels != 3:
            raise UserError("the generator's last layer must have 3 channels (red, green, blue).")
        elif "E" in ops[1:] or "E" in ops and self.z_dim % self.noise_shares:
            raise UserError(
                f"the embedding (E) is a generator's first layer, and z_dim is a multiple of {self.noise_shares}, one more "
                "than there are layers with cbn."
            )

    @property
    def noise_shares(self) -> int:
        """Into how many equal parts the noise is cut: for the first layer, and with `E` for each layer with `cbn`."""
        return 1 + sum(" cbn" in text for text in self.generator) if self.generator[0].startswith("E") else 1

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
