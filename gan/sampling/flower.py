"""A flower: the value that makes a picture, and how it is written in an address, in a PNG file and in JSON.

A flower as text has these parts. The first two are its class and seed; what follows are its "extras":

    0.7~m60:0:40~sAAAA…~f2:33:3    class 0, seed 7; a mix of 60 : 0 : 40; a shift; fine scales of class 2, seed 33
    0.7~m0-60:210-40               the same kind of mix for many classes: only those with a share are named

A model limits how long a mix or a shift may be: see `Flower.resolve` and `read_shift`.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan.config import ModelConfig
from gan.errors import UserError
from gan.generator import one_hot
from gan.networks import latents
from gan.utils import validation
from gan.utils.names import composed

MAX_SHIFT = 100.0  # the largest coordinate of a shift; those of noise and of styles are a few units at most
_LONG_MIX = 200  # characters; a mix up to this length names every class by its place, so that old addresses stay the same
_EXTRAS = re.compile(
    r"(?P<label>\d{1,3})\.(?P<seed>\d{1,10})(?:~m(?P<mix>[\d.:-]+))?(?:~s(?P<shift>[\w-]+))?"
    r"(?:~f(?P<fine>\d{1,3}):(?P<fine_seed>\d{1,10}):(?P<scales>\d{1,2}))?",
    re.ASCII,
)


@dataclass(frozen=True)
class StyleMix:
    """A second flower that gives its fine scales: color and texture. It is drawn at the truncation of the first."""

    label: int  # index of its class
    seed: int
    scales: int  # how many scales of the first flower are kept, from 4×4 on


@dataclass(frozen=True)
class Flower:
    """The value that makes a picture: the same flower of the same model is the same picture, wherever it is drawn.

    The default `truncation` is 1.5, whatever the model. `Sampler.flower` makes a flower at the model's own truncation.
    """

    label: int | tuple[float, ...] | None  # index of a class; or a weight ≥ 0 for each class; or None: the seed picks the class
    seed: int  # 0 to 2³²−1
    truncation: float | None = latents.DEFAULT_TRUNCATION  # 0.01 to 3; None for none
    shift: str = ""  # a step in the latent space, as `write_shift` writes it
    # For models with styles: this flower's layout with another one's fine scales (Karras et al. 2019, section 3.1).
    fine: StyleMix | None = None

    def resolve(self, classes: int) -> Flower:
        """This flower with a class of its own out of `classes` many: a seed's pick for None, shares that add up to 1 for a mix.

        Raises UserError for a class that is not there, a seed out of range, and weights that are no mix.
        """
        seed = latents.check_seed(self.seed)
        if self.label is None:
            return replace(self, label=seed % classes)
        if isinstance(self.label, tuple):
            return replace(self, label=_shares(self.label, classes))
        if isinstance(self.label, str):
            raise UserError(
                f"a flower's class is a number, from 0 to {classes - 1}; Sampler.flower({self.label!r}, seed) takes its name."
            )
        return replace(self, label=validation.whole("class", self.label, 0, classes - 1))

    def code(self, config: ModelConfig) -> Tensor:
        """The class code 1×K (1×0 for a plain model) of a resolved flower: one-hot, or the shares of its mix."""
        if isinstance(self.label, tuple):
            return torch.tensor([self.label])[:, : config.code_dim]
        return one_hot(torch.tensor([self.label]), config)


def grid_flowers(label: int | None, seed: int, truncation: float | None, count: int) -> list[Flower]:
    """`count` flowers with consecutive seeds from `seed` on; after 2³²−1 comes 0. Raises UserError for a seed out of range."""
    first = Flower(label, latents.check_seed(seed), truncation)
    return [later(first, number) for number in range(count)]


def later(flower: Flower, number: int) -> Flower:
    """The same flower with a seed that is higher by `number`; after the highest seed comes 0."""
    return replace(flower, seed=(flower.seed + number) % (latents.MAX_SEED + 1))


def main_class(flower: Flower) -> int:
    """The index of the class of a resolved flower, or of the greatest share of its mix."""
    if isinstance(flower.label, tuple):
        return flower.label.index(max(flower.label))
    assert flower.label is not None, "resolve the flower first"
    return flower.label


def _shares(weights: tuple[float, ...], classes: int) -> tuple[float, ...]:
    """Weights as shares that add up to 1. Raises UserError."""
    if len(weights) != classes:
        raise UserError(f"the mix has {len(weights)} weights; give one for each of the {classes} classes.")
    weights = tuple(validation.number("weight of a class", weight, 0, 1e6) for weight in weights)
    if not any(weights):
        raise UserError("every weight of the mix is 0; give one class at least a weight above 0.")
    return tuple(weight / sum(weights) for weight in weights)


# ------------------------------------------------------------------------------------------------------------ its parts


def every(classes: Sequence[str]) -> str:
    """The name of the choice of all classes: `All`, with stars where a class has that name."""
    name = "All"
    while name in classes:
        name += "*"
    return name


def check_label(classes: Sequence[str], name: Any) -> int | None:
    """The index of the class called `name`, None for every class; always 0 where there is one class. Raises UserError."""
    if len(classes) == 1:
        return 0
    if isinstance(name, str) and composed(name) in (same := [composed(own) for own in classes]):
        return list(classes).index(name) if name in classes else same.index(composed(name))
    if name == every(classes):
        return None
    raise UserError(f"the class is {validation.show(name)}; choose one of {validation.name_list(classes)} or {every(classes)}.")


def check_truncation(truncation: Any) -> float | None:
    """`truncation` as a number from 0.01 to 3, or None for no truncation. Raises UserError."""
    return None if truncation is None else latents.check_truncation(truncation)


def read_level(text: str) -> float | None:
    """A truncation from an address: a number, or None for "off". Raises ValueError or UserError."""
    return None if text == "off" else check_truncation(float(text))


def level_text(truncation: float | None) -> str:
    """A truncation for an address; `read_level` reads it back as the same float, and so as the same picture."""
    return "off" if truncation is None else repr(float(truncation))


def write_shift(shift: Tensor) -> str:
    """A step W in the latent space as text for an address: base64 of a float32 scale and an int8 for each coordinate.

    So a shift is rounded to 1/127 of its largest coordinate. `read_shift` gives back exactly what is drawn. The empty text
    stands for zero.
    """
    most = float(shift.abs().max())
    if not most:
        return ""
    scale = np.float32(most / 127)
    steps = (shift.double() / float(scale)).round().to(torch.int8).numpy()
    return base64.urlsafe_b64encode(scale.tobytes() + steps.tobytes()).decode().rstrip("=")


def read_shift(text: Any, width: int) -> Tensor:
    """The shift that `write_shift` wrote, float32 of shape `width`. Raises UserError for any other text."""
    if text == "":
        return torch.zeros(width)
    try:
        text = str(text)[: 8 + 2 * width]
        content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        scale = float(np.frombuffer(content[:4], "<f4")[0])
    except (binascii.Error, ValueError, IndexError):
        content, scale = b"", math.nan
    if len(content) != 4 + width or not 0 < scale <= MAX_SHIFT / 127:
        raise UserError("the shift of the flower is not one of this model; send it again from where it was made.")
    return torch.from_numpy(np.frombuffer(content[4:], np.int8).copy()).float() * scale


# -------------------------------------------------------------------------------------------------------------- extras


def extras(flower: Flower) -> str:
    """The text of a resolved flower that has extras; empty for a flower that is its class, seed and truncation alone."""
    parts = [
        f"~m{_write_mix(flower.label)}" if isinstance(flower.label, tuple) else "",
        f"~s{flower.shift}" if flower.shift else "",
        f"~f{flower.fine.label}:{flower.fine.seed}:{flower.fine.scales}" if flower.fine else "",
    ]
    return f"{main_class(flower)}.{flower.seed}{''.join(parts)}" if any(parts) else ""


def with_extras(flower: Flower, text: Any, classes: Sequence[str]) -> Flower:
    """`flower` with the extras in `text`. Unchanged where these are damaged, or belong to another class or seed."""
    found = _EXTRAS.fullmatch(text if isinstance(text, str) else "")
    if not found or (int(found["label"]), int(found["seed"])) != (flower.label, flower.seed):
        return flower
    fine = StyleMix(int(found["fine"]), int(found["fine_seed"]), int(found["scales"])) if found["fine"] else None
    try:
        label = _read_mix(found["mix"], len(classes)) if found["mix"] else flower.label
        if fine:
            Flower(fine.label, latents.check_seed(fine.seed)).resolve(len(classes))
        return replace(flower, label=label, shift=found["shift"] or "", fine=fine).resolve(len(classes))
    except (ValueError, UserError):
        return flower


def _write_mix(shares: Sequence[float]) -> str:
    """Shares that add up to 1 as percentages; a share below a millionth is written as 0."""
    texts = [f"{100 * share:.6g}" if share >= 1e-6 else "0" for share in shares]
    whole = ":".join(texts)
    return whole if len(whole) <= _LONG_MIX else ":".join(f"{i}-{text}" for i, text in enumerate(texts) if text != "0")


def _read_mix(text: str, classes: int) -> tuple[float, ...]:
    """The weights that `_write_mix` wrote. Raises ValueError for any other text, and for one of other classes."""
    parts = text.split(":")
    if "-" not in text:
        return tuple(float(part) for part in parts)
    pairs = [part.split("-") for part in parts]
    weights = {int(number): float(weight) for number, weight in pairs}
    if len(weights) < len(pairs) or max(weights) >= classes:
        raise ValueError(text)
    return tuple(weights.get(number, 0.0) for number in range(classes))


# ----------------------------------------------------------------------------------------------------------------- JSON


def describe(flower: Flower, classes: Sequence[str]) -> dict[str, Any]:
    """A resolved flower as plain values, for the text chunk of its PNG file: `class`, `seed`, `truncation`, `extras` if any."""
    more = extras(flower)
    about = {"class": classes[main_class(flower)], "seed": flower.seed, "truncation": flower.truncation}
    return {**about, "extras": more} if more else about


def described(classes: Sequence[str], about: Any) -> Flower:
    """The flower that `describe` described. Raises UserError for values that describe none."""
    if not isinstance(about, dict):
        raise UserError("that is no flower; send one from the page.")
    label = check_label(classes, about.get("class"))
    flower = Flower(label, latents.check_seed(about.get("seed")), check_truncation(about.get("truncation")))
    return with_extras(flower.resolve(len(classes)), about.get("extras"), classes)
