"""What a model and a training run are, as data: frozen dataclasses and their JSON form.

A network is a tuple of layer strings, read by `parse_layer`:

    C3,1,1>128 bn relu      convolution: kernel 3, stride 1, padding 1, 128 channels, batch norm, ReLU
    T4,2,1>64 bn relu       transposed convolution, the same way
    up                      bilinear upsampling by two;  up-corners: the same with align_corners=True

or, for a generator with styles (style_generator.py),

    M>256                   a layer of the mapping network, 256 wide; all of them come first
    S>128                   a scale: twice the size before it (the first is 4×4), 128 channels
    S>128 smooth            the same, low-pass filtered after it was enlarged

A critic is written the same way, or in one string:

    projected efficientnet-lite0>64   heads 64 wide on what a frozen network sees (projected_critic.py)

Norms are `bn` (batch) and `ln` (per sample),
activations `relu`, `lrelu` (slope 0.2) and `tanh`.
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
NORMS = ("none", "ln", "bn")
OBJECTIVES = ("wgan-gp", "wgan-clip", "bce", "relativistic")

_PROJECTED = re.compile(r"projected ([a-z0-9-]+)>(\d+)")
_STYLE = re.compile(r"(?:M>(\d+)|S>(\d+)( smooth)?)")
_SIDE = re.compile(r"(\d{1,5})(?::(\d{1,10}(?:\.\d+)?)(%)?)?")
_CONV = re.compile(r"([CT])(\d+),(\d+),(\d+)>(\d+)((?: (?:bn|ln))?)((?: (?:relu|lrelu|tanh))?)")


@dataclass(frozen=True)
class Layer:
    """One block of a network: an upsampling, or a (transposed) convolution with its norm and activation."""

    op: str  # "C", "T", "up", "up-corners", "M" or "S"
    kernel: int = 0
    stride: int = 0
    padding: int = 0
    channels: int = 0
    norm: str = ""  # "", "bn" or "ln"
    activation: str = ""  # "", "relu", "lrelu" or "tanh"
    smooth: bool = False  # of an "S": filtered after it was enlarged

    def size_after(self, size: int) -> int:
        """Side of the output in pixels for an input of side `size`."""
        if self.op == "C":
            return (size + 2 * self.padding - self.kernel) // self.stride + 1
        if self.op == "T":
            return (size - 1) * self.stride - 2 * self.padding + self.kernel
        if self.op == "M":
            return size
        return 4 if self.op == "S" and size == 1 else 2 * size


def parse_layer(text: str) -> Layer:
    """Read one layer string (grammar above). Raises UserError when it is not one."""
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
    """A critic that looks through a frozen network."""

    backbone: str  # as backbone.find_backbone knows it
    width: int  # channels of its heads


def parse_projected(critic: tuple[str, ...]) -> Projected | None:
    """What a critic's one string says (grammar above), or None for one of layers."""
    found = _PROJECTED.fullmatch(critic[0]) if len(critic) == 1 else None
    return Projected(found[1], int(found[2])) if found else None


def parse_sides(sides: tuple[str, ...], images: int) -> list[tuple[int, int]]:
    """A schedule of sides → each side in pixels, and after how many images of the run the next one takes over.

    Every entry but the last says for how long: `64:100000` images, or `64:30%` of a run of `images`; the last one, `256`, is
    drawn until the end, and its number is `images`. Raises UserError where the schedule cannot be read or does not grow.
    """
    result, reached = [], 0
    for number, text in enumerate(sides, 1):
        found = _SIDE.fullmatch(text)
        if not found or bool(found[2]) == (number == len(sides)):
            raise UserError(
                f"--sides has '{text}'; write each side with its images or its share, and the last side alone, as in "
                "64:100000 128:50% 256."
            )
        side, length, percent = int(found[1]), float(found[2] or 0), found[3]
        if not 4 <= side <= MAX_RESOLUTION or side & (side - 1) or result and side <= result[-1][0]:
            raise UserError(
                f"--sides has '{text}'; use powers of two from 4 to {MAX_RESOLUTION}, each larger than the one before."
            )
        reached = images if number == len(sides) else reached + int(length * images / 100 if percent else length)
        result.append((side, reached))
    return result


def _in_range(layer: Layer, text: str) -> Layer:
    if not 1 <= layer.channels <= MAX_CHANNELS:
        raise UserError(f"layer '{text}' has {layer.channels} channels; use 1 to {MAX_CHANNELS}.")
    return layer


def sizes(layers: tuple[str, ...], start: int) -> list[int]:
    """Side in pixels before the first layer and after each one."""
    result = [start]
    for text in layers:
        result.append(parse_layer(text).size_after(result[-1]))
    return result


@dataclass(frozen=True)
class ModelConfig:
    """A generator and what it draws: all that is needed to rebuild the network before its weights are read.

    `classes` names what the selector offers; with a single class the generator takes noise alone, otherwise the noise
    (`z_dim` numbers) is concatenated with a one-hot code of `len(classes)` (paper, section 4, stage 2).
    """

    preset: str
    resolution: int
    classes: tuple[str, ...]
    generator: tuple[str, ...]
    z_dim: int = 64
    trained: dict[str, Any] = field(default_factory=dict)  # how it was trained: images, seed, photos, command, …
    scores: dict[str, Any] = field(default_factory=dict)  # what an evaluation found; empty where there was none
    schema: int = SCHEMA

    @property
    def styled(self) -> bool:
        """Whether the generator has styles: `M` and `S` layers only, or none of them (`validate`)."""
        return any(text[:2] in ("M>", "S>") for text in self.generator)

    @property
    def code_dim(self) -> int:
        """Width of the one-hot code: K for K > 1 classes, 0 for a plain model."""
        return len(self.classes) if len(self.classes) > 1 else 0

    def validate(self) -> ModelConfig:
        """Return self, or raise UserError for a configuration no generator can be built from."""
        if not isinstance(self.preset, str) or not self.preset:
            raise UserError("a model needs the name of its preset.")
        if not _whole(self.schema) or self.schema != SCHEMA:
            raise _other_schema(self.schema)
        if not 1 <= len(self.classes) <= MAX_CLASSES or len(set(self.classes)) != len(self.classes):
            raise UserError(f"a model needs 1 to {MAX_CLASSES} different class names, and this one has {len(self.classes)}.")
        if any(not isinstance(name, str) or not name for name in self.classes):
            raise UserError("every class of a model needs a name that is not empty.")
        if not _whole(self.z_dim) or not 1 <= self.z_dim <= MAX_CHANNELS:
            raise UserError(f"z_dim is {self.z_dim!r}; use a whole number from 1 to {MAX_CHANNELS}.")
        if not _whole(self.resolution) or not 8 <= self.resolution <= MAX_RESOLUTION:
            raise UserError(f"the resolution is {self.resolution!r}; use a whole number from 8 to {MAX_RESOLUTION}.")
        if not 1 <= len(self.generator) <= 64:
            raise UserError(f"the generator has {len(self.generator)} layers; use 1 to 64.")
        reached = sizes(self.generator, 1)
        if min(reached) < 1 or max(reached) > 2 * MAX_RESOLUTION or reached[-1] != self.resolution:
            raise UserError(f"the generator's layers give pictures of {reached[-1]} pixels, not {self.resolution}.")
        if self.styled:
            if not re.fullmatch("M+S+", "".join(parse_layer(text).op for text in self.generator)):
                raise UserError("a generator with styles has mapping layers (M) first, then scales (S), and nothing else.")
        elif parse_layer(self.generator[-1]).channels != 3:
            raise UserError("the generator's last layer must have 3 channels (red, green, blue).")
        return self

    def to_json(self) -> dict[str, Any]:
        """The content of `config.json`."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_json(cls, data: Any) -> ModelConfig:
        """Read the content of `config.json` and validate it. Raises UserError."""
        # Before its keys: those of a later schema are new ones.
        if isinstance(data, dict) and _whole(data.get("schema")) and data["schema"] > SCHEMA:
            raise _other_schema(data["schema"])
        return _from_json(cls, data, "config.json").validate()


@dataclass(frozen=True)
class TrainConfig:
    """How a generator is trained. Counts are in photos shown to the critic (`images`), never in epochs.

    Defaults are those of the paper's ladder: WGAN-GP with weight 10 and target norm 1, five critic steps to one of the
    generator, Adam 2e-4 with betas (0.5, 0.999) (an inference where the paper is silent).
    """

    critic: tuple[str, ...]
    images: int = 500_000
    batch: int = 64
    lr: float = 2e-4
    critic_lr: float = 0.0  # 0: the same as `lr`; another one makes two time scales (Heusel et al. 2017)
    beta1: float = 0.5
    beta2: float = 0.999
    critic_steps: int = 5
    critic_warm_up: int = 0  # images at the start that only the critic learns from: a new critic misleads a grown generator
    objective: str = "wgan-gp"
    penalty_weight: float = 10.0  # λ of the gradient penalty; γ of the zero-centred ones (relativistic)
    penalty_every: int = 1  # critic steps between two penalties, which weigh as much more (Karras et al. 2020)
    clip: float = 0.01  # bound on the critic's weights, wgan-clip only
    label_smoothing: float = 0.0  # bce only
    noisy_labels: bool = False  # bce only: labels in [0, 0.3] and [0.7, 1.2] (slides)
    matching_weight: float = 0.0  # of the kernel distance to the photos (matching.py); wants a projected critic
    spectrum_weight: float = 0.0  # of the distance of mean log spectra (losses.spectral_distance)
    sides: tuple[str, ...] = ()  # what a generator with styles draws in turn (parse_sides); (): the whole side throughout
    diffaugment: bool = False  # the critic sees photos and pictures with changed colours, moved and cut (augment.py)
    ema_images: int = 10_000  # half-life of the weight average, in images
    transpose: bool = True
    flip_horizontal: bool = True
    flip_vertical: bool = True
    rotate: bool = True
    holdout: float = 0.0  # share of each class's photos kept away from training (split.py)
    seed: int = 0
    start_from: str = ""  # the model whose first layers the generator began with
    precision: str = "fp32"  # "fp32" or "bf16" (autocast; a penalty's sums, and all of it through norms or heads, in fp32)

    def validate(self) -> TrainConfig:
        """Return self, or raise UserError for a run that cannot be started."""
        for name, low, high in (
            ("images", 1, 10**10), ("batch", 1, 4096), ("critic_steps", 1, 100), ("lr", 1e-8, 1.0), ("critic_lr", 0.0, 1.0),
            ("beta1", 0.0, 0.9999), ("beta2", 0.0, 0.999999), ("penalty_weight", 0.0, 1e4), ("clip", 1e-6, 10.0),
            ("label_smoothing", 0.0, 0.9), ("ema_images", 0, 10**9), ("critic_warm_up", 0, 10**9), ("seed", 0, 2**32 - 1),
            ("holdout", 0.0, 0.9), ("penalty_every", 1, 1000), ("matching_weight", 0.0, 1e6), ("spectrum_weight", 0.0, 1e6),
        ):  # fmt: skip
            value = getattr(self, name)
            whole = isinstance(low, int)
            if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)) or not low <= value <= high:
                kind = "whole number" if whole else "value"
                raise UserError(f"--{name.replace('_', '-')} is {value}; use a {kind} from {low:g} to {high:g}.")
        if self.objective not in OBJECTIVES:
            raise UserError(f"--objective is '{self.objective}'; choose one of {', '.join(OBJECTIVES)}.")
        projected = parse_projected(self.critic)
        if projected and not 1 <= projected.width <= MAX_CHANNELS:
            raise UserError(f"the critic's heads are {projected.width} wide; use 1 to {MAX_CHANNELS}.")
        if self.matching_weight and not projected:
            raise UserError("matching compares what a frozen network sees; use it with a projected critic, as flagship has.")
        parse_sides(self.sides, self.images)
        if self.precision not in ("fp32", "bf16"):
            raise UserError(f"--precision is '{self.precision}'; choose fp32 or bf16.")
        return self

    def to_json(self) -> dict[str, Any]:
        """Its form in a snapshot and, with more about the run, in `config.json`."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}


def _other_schema(schema: Any) -> UserError:
    return UserError(
        f"this model's config.json has schema {schema!r}, and this version reads schema {SCHEMA}; "
        "use the release that wrote it, or convert it."
    )


def _whole(value: Any) -> bool:
    """Whether a value out of JSON is a whole number; true and 1.0 are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def _from_json(cls: type, data: Any, where: str) -> Any:
    """Build a dataclass from JSON strictly: no unknown keys, no missing ones, tuples where tuples belong."""
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
