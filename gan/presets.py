"""The named models: the paper's ladder, the family of GANs by other papers, and the flagship.

Layers are written as in `config.py`, with two additions: channels may be multiples of the hidden width (`2h`), and `norm`
stands for the critic norm that the run chooses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gan.config import ModelConfig, parse_layer, parse_projected
from gan.errors import UserError
from gan.options import NORMS, OBJECTIVES, TrainConfig, parse_sides

EVERY = "all"  # the class of a model without classes, and the name of the figures over all classes


@dataclass(frozen=True)
class Preset:
    """A named model and the default settings of its training."""

    stage: str  # where it comes from, for help texts and model cards
    resolution: int
    generator: tuple[str, ...]  # with styles: for RESOLUTIONS[-1]; lower resolutions leave out the finest scales
    critic: tuple[str, ...]
    conditional: bool = True
    width: int = 64  # the hidden width h
    z_dim: int = 64
    training: dict[str, Any] = field(default_factory=dict)  # TrainConfig fields that differ from its defaults
    year: int = 0  # of the paper of others that it follows; 0 for the ladder and the flagship


def _blocks(text: str, tail: str) -> tuple[str, ...]:
    """Expand 'T3,2,0>4h · up · …': every convolution but the last gets `tail`, the last one tanh."""
    items = [item.strip() for item in text.split("·")]
    return tuple(item if item.startswith("up") else f"{item} {tail}" for item in items[:-1]) + (f"{items[-1]} tanh",)


_RELU = "bn relu"
_LRELU = "bn lrelu"
# The default of `norm` is none. The penalty bounds the critic's gradient at each sample, and batch norm makes a score depend on
# the rest of the batch (Gulrajani et al. 2017, section 4), so `bn` is only there as the paper's variant. A norm for each sample
# (`ln`) is correct too, but the penalty alone is enough and faster.
# Padding lets the critic see every pixel: without it (28→13→5→1) the last six rows and columns do not change the score, and the
# generator leaves them gray.
_CRITIC_28 = ("C4,2,1>h norm lrelu", "C4,2,1>2h norm lrelu", "C7,1,0>1")
_CRITIC_64 = ("C4,2,1>h norm lrelu", "C4,2,1>2h norm lrelu", "C4,2,1>4h norm lrelu", "C4,2,1>8h norm lrelu", "C4,1,0>1")
_CRITIC_128 = _CRITIC_64[:4] + ("C4,2,1>8h norm lrelu", "C4,1,0>1")
_CRITIC_DCGAN = ("C5,2,2>h bn lrelu", "C5,2,2>2h bn lrelu", "C5,2,2>4h bn lrelu", "C5,2,2>8h bn lrelu", "C4,1,0>1")

_GENERATOR_28 = _blocks("T3,2,0>4h · T4,1,0>2h · T3,2,0>h · T4,2,0>3", _RELU)
_GENERATOR_64 = _blocks(
    "C4,1,3>4h · up · C3,1,1>2h · up · C3,1,1>2h · C3,1,1>2h · up · C3,1,1>h · C3,1,1>h · up · C3,1,1>h · C3,1,1>h · C3,1,1>3",
    _RELU,
)
_GENERATOR_128 = _blocks(
    "C4,1,3>4h · up · C3,1,1>2h · up · C3,1,1>2h · C3,1,1>2h · up · C3,1,1>h · C3,1,1>h · up · C3,1,1>h · C3,1,1>h · up · "
    "C3,1,1>h · C3,1,1>h · C3,1,1>3",
    _RELU,
)

# The family: at 64×64, and of a width that one slow core of a processor trains in 40 minutes.
_FAMILY: dict[str, Any] = {"critic_steps": 1, "batch": 16, "images": 100_000}
# R1's weight is the papers' 10 at 1024×1024 in batches of 32, brought to 64×64 and 16 (Karras et al. 2020, arXiv:2006.06676,
# appendix C: in proportion to pixels, and inversely to the batch). The papers' learning rate is 0.002, of weights that begin
# with a deviation of 1. The critic's do; a scale's begin with some 0.04, so a twentieth moves them as fast.
_STYLED = {
    **_FAMILY, "objective": "bce-r1", "penalty_weight": 0.08, "lr": 1e-4, "critic_lr": 2e-3, "beta1": 0.0, "beta2": 0.99,
    "style_mixing": 0.9,
}  # fmt: skip
_DCGAN = _blocks("T4,1,0>8h · T4,2,1>4h · T4,2,1>2h · T4,2,1>h · T4,2,1>3", _RELU)
_CRITIC_BN = ("C4,2,1>h lrelu", "C4,2,1>2h bn lrelu", "C4,2,1>4h bn lrelu", "C4,2,1>8h bn lrelu", "C4,1,0>1")
_EQ = "eq lrelu pn"
_GROWING = (
    f"C4,1,3>16h {_EQ}", f"C3,1,1>16h {_EQ}", "up", f"C3,1,1>16h {_EQ}", f"C3,1,1>16h {_EQ}", "rgb eq",
    "up", f"C3,1,1>8h {_EQ}", f"C3,1,1>8h {_EQ}", "rgb eq", "up", f"C3,1,1>4h {_EQ}", f"C3,1,1>4h {_EQ}", "rgb eq",
    "up", f"C3,1,1>h {_EQ}", f"C3,1,1>h {_EQ}", "rgb eq",
)  # fmt: skip
_GROWING_CRITIC = (
    "rgb>h eq lrelu", "C3,1,1>h eq lrelu", "C3,1,1>2h eq lrelu", "down", "rgb>2h eq lrelu", "C3,1,1>2h eq lrelu",
    "C3,1,1>8h eq lrelu", "down", "rgb>8h eq lrelu", "C3,1,1>8h eq lrelu", "C3,1,1>16h eq lrelu", "down", "rgb>16h eq lrelu",
    "C3,1,1>16h eq lrelu", "C3,1,1>16h eq lrelu", "down", "mbstd", "C3,1,1>16h eq lrelu", "C4,1,0>16h eq lrelu", "C1,1,0>1 eq",
)  # fmt: skip

PRESETS: dict[str, Preset] = {
    "wgan-gp-28": Preset("stage 1 of the paper", 28, _GENERATOR_28, _CRITIC_28, conditional=False),
    "cwgan-gp-28": Preset("stage 2 of the paper", 28, _GENERATOR_28, _CRITIC_28),
    "cwgan-gp-64-k3": Preset(
        "stage 3 of the paper", 64, _blocks("T3,2,0>4h · T3,2,0>2h · T3,2,0>2h · T3,2,0>h · T4,2,0>3", _RELU), _CRITIC_64
    ),
    "cwgan-gp-64-k4": Preset(
        "stage 4 of the paper", 64, _blocks("T4,1,0>4h · T4,2,1>2h · T4,2,1>2h · T4,2,1>h · T4,2,1>3", _RELU), _CRITIC_64
    ),
    "cwgan-gp-64": Preset("stage 5 of the paper", 64, _GENERATOR_64, _CRITIC_64),
    "cwgan-gp-128": Preset("stage 6 of the paper", 128, _GENERATOR_128, _CRITIC_128),
    "dcgan-64": Preset(
        "the lecture slides' DCGAN", 64,
        ("T4,1,0>16h lrelu",) + _blocks("T4,2,1>8h · T4,2,1>4h · T4,2,1>2h · T4,2,1>3", _LRELU), _CRITIC_DCGAN, z_dim=128,
        year=2016,
        training={"objective": "bce", "critic_steps": 1, "label_smoothing": 0.4, "noisy_labels": True},
    ),
    "wgan-64": Preset(
        "WGAN with clipped weights, 2017", 64, _DCGAN, _CRITIC_64, width=32, year=2017,
        training={
            **_FAMILY, "objective": "wgan-clip", "optimizer": "rmsprop", "lr": 5e-5, "critic_steps": 5,
        },
    ),
    "lsgan-64": Preset(
        "LSGAN, 2017", 64, _DCGAN, _CRITIC_BN, width=32, year=2017, training={**_FAMILY, "objective": "lsgan"}
    ),
    "acgan-64": Preset(
        "AC-GAN, 2017", 64, _DCGAN, (*_CRITIC_BN[:-1], "X"), width=32, year=2017, training={**_FAMILY, "objective": "acgan"}
    ),
    "sngan-64": Preset(
        "SN-GAN, 2018", 64, _blocks("T4,1,0>8h · T4,2,1>4h · T4,2,1>2h · T4,2,1>h · T4,2,1>3", "cbn relu"),
        ("C3,1,1>h sn lrelu", "C4,2,1>h sn lrelu", "C4,2,1>2h sn lrelu", "C4,2,1>4h sn lrelu", "C4,2,1>8h sn lrelu", "P sn"),
        width=32, year=2018, training={**_FAMILY, "images": 80_000, "objective": "hinge"},
    ),
    "progan-64": Preset(
        "ProGAN, 2018", 64, _GROWING, _GROWING_CRITIC, width=8, year=2018, z_dim=128,
        training={
            **_FAMILY, "images": 40_000, "objective": "wgan-gp", "lr": 1e-3, "beta1": 0.0, "beta2": 0.99,
            "sides": ("8:10%", "16:15%", "32:25%", "64"),
        },
    ),
    "sagan-64": Preset(
        "SAGAN, 2019", 64,
        ("T4,1,0>8h sn cbn relu", "T4,2,1>4h sn cbn relu", "T4,2,1>2h sn cbn relu", "T4,2,1>h sn cbn relu", "A sn",
         "T4,2,1>3 sn tanh"),
        ("C4,2,1>h sn lrelu", "A sn", "C4,2,1>2h sn lrelu", "C4,2,1>4h sn lrelu", "C4,2,1>8h sn lrelu", "P sn"), width=32,
        year=2019, z_dim=128,
        training={**_FAMILY, "images": 50_000, "objective": "hinge", "lr": 1e-4, "critic_lr": 4e-4, "beta1": 0.0, "beta2": 0.9},
    ),
    "biggan-64": Preset(
        "BigGAN, 2019", 64,
        ("E>32", "C4,1,3>16h sn", "R>16h up sn cbn", "R>8h up sn cbn", "R>4h up sn cbn", "A sn", "R>2h up sn cbn",
         "C1,1,0>2h sn cbn relu", "C3,1,1>3 sn tanh"),
        ("C4,2,1>4h sn", "A sn", "R>8h down sn", "R>16h down sn", "R>16h down sn", "P sn"), width=8, year=2019, z_dim=120,
        training={
            **_FAMILY, "images": 32_000, "objective": "hinge", "critic_steps": 2, "batch": 32, "lr": 1e-4, "critic_lr": 4e-4,
            "beta1": 0.0, "orthogonal_weight": 1e-4,
        },
    ),
    "stylegan-64": Preset(
        "StyleGAN, 2019", 64,
        ("M>16h", "M>16h", "M>16h", "M>16h", "K>16h", "S>16h adain noise", "S>16h adain noise", "S>8h adain noise",
         "S>4h adain noise", "S>2h adain noise"),
        ("C4,2,1>4h eq lrelu", "C4,2,1>8h eq lrelu", "C4,2,1>16h eq lrelu", "C4,2,1>16h eq lrelu", "mbstd",
         "C4,1,0>16h eq lrelu", "P eq"),
        width=8, year=2019, z_dim=128, training={**_STYLED, "images": 48_000},
    ),
    "stylegan2-64": Preset(
        "StyleGAN2, 2020", 64,
        ("M>16h", "M>16h", "M>16h", "M>16h", "K>16h", "S>16h noise", "S>16h noise", "S>8h noise", "S>4h smooth noise",
         "S>2h smooth noise"),
        ("C4,2,1>4h eq lrelu", "R>8h down eq", "R>16h down eq", "R>16h down eq", "mbstd", "C3,1,1>16h eq lrelu",
         "C4,1,0>16h eq lrelu", "P eq"),
        width=8, year=2020, z_dim=128,
        training={
            **_STYLED, "images": 28_000, "penalty_every": 16, "path_length_weight": 2.0, "path_length_every": 4,
        },
    ),
    "flagship": Preset(
        "styles, a projected critic and matched sets", 128,
        # Up to 16 pixels, maps are enlarged by repeating pixels: this learns faster, and its grid is too coarse to be seen.
        ("M>4h", "M>4h", "S>4h", "S>4h", "S>3h", "S>2h smooth", "S>h smooth", "S>32 smoother", "S>16 smoother"),
        ("projected efficientnet-lite0>h",), z_dim=128,
        training={
            "objective": "relativistic", "critic_steps": 1, "batch": 32, "images": 160_000, "lr": 4e-4, "critic_lr": 1e-3,
            "beta1": 0.0, "beta2": 0.99, "penalty_weight": 0.001, "penalty_every": 4, "matching_weight": 20.0,
            "spectrum_weight": 0.3, "sides": ("64:30%", "128:50%", "256"), "diffaugment": True,
            "transpose": False, "flip_vertical": False, "rotate": False,
        },
    ),
}  # fmt: skip


RESOLUTIONS = (32, 64, 128, 256)  # pixels a side of a generator with styles


def resolve(layers: tuple[str, ...], width: int, norm: str = "none") -> tuple[str, ...]:
    """A preset's layers → layer strings of `config.py`: `2h` becomes 2 × `width`, and `norm` the chosen norm or nothing."""
    result = []
    for text in layers:
        text = re.sub(r">(\d*)h\b", lambda found: f">{int(found[1] or 1) * width}", text)
        result.append(text.replace(" norm", "" if norm == "none" else f" {norm}"))
    return tuple(result)


def find_preset(name: str) -> Preset:
    """The preset called `name`. Raises UserError with all names."""
    if name not in PRESETS:
        raise UserError(f"there is no preset '{name}'; choose one of {', '.join(PRESETS)}.")
    return PRESETS[name]


def from_preset(
    name: str,
    classes: tuple[str, ...],
    *,
    resolution: int | None = None,
    width: int | None = None,
    critic_width: int | None = None,
    critic_norm: str | None = None,
    sides: tuple[str, ...] = (),
    begun: ModelConfig | None = None,
    kept: Mapping[str, Any] | None = None,
    **training: Any,
) -> tuple[ModelConfig, TrainConfig]:
    """The configurations of model and training for the preset `name` and these classes.

    - `resolution`: pixels a side; for a preset with styles one of RESOLUTIONS. Default: the last of `sides`, else the preset's.
    - `width`, `critic_width`: the hidden width h of generator and critic (default: the generator's), 1 to 256.
    - `critic_norm`: one of NORMS. `sides`: a schedule (options.parse_sides) in place of the preset's.
    - `begun`: the model whose weights the run begins with; scales are enlarged in the same way as there.
    - `training`: other fields of TrainConfig. `kept`: those of a run that is continued; they hold where `training` has none,
      and are not checked against the objective.

    A preset without classes merges all classes into one. Raises UserError, also for a setting that the preset does not use.
    """
    preset = find_preset(name)
    critic_norm = _check_critic_norm(name, preset, critic_norm)
    width = preset.width if width is None else width
    critic_width = width if critic_width is None else critic_width
    for flag, value in (("--width", width), ("--critic-width", critic_width)):
        if not 1 <= value <= 256:
            raise UserError(f"{flag} is {value}; use a value from 1 to 256.")
    if not preset.conditional:
        classes = merged(classes)
    if EVERY in classes and len(classes) > 1:
        raise UserError(
            f"a class is called '{EVERY}', the name of the figures over all classes; rename its folder, then train."
        )
    if sides and resolution is None:
        resolution = parse_sides(sides, 1)[-1][0]
    side = preset.resolution if resolution is None else resolution
    layers = _keep_smoothing(resolve(_layers_for(preset, side), width), begun)
    critic = resolve(preset.critic, critic_width, critic_norm)
    model = ModelConfig(name, side, classes, layers, preset.z_dim).validate()
    train = replace(TrainConfig(critic=critic), **{**preset.training, **(kept or {}), **training})
    _check_objective(train.objective, training)
    _check_unused(train, training)
    if sides:
        _check_sides(name, model, train, parse_sides(sides, train.images), begins=not (kept and "sides" in kept))
    if model.fades and not {side for side, _ in parse_sides(sides, train.images)} <= {*model.sides_drawn()}:
        drawn = ", ".join(map(str, model.sides_drawn()))
        raise UserError(f"--sides is {' '.join(sides)}, and {name} grows by {drawn} pixels; use those sides.")
    if (train.style_mixing or train.path_length_weight) and not model.styled:
        raise UserError(f"--style-mixing and --path-length-weight want styles, which {name} has not; leave them out.")
    return model, replace(train, sides=sides or _sides_up_to(side, preset.training.get("sides", ()))).validate()


def _check_critic_norm(name: str, preset: Preset, norm: str | None) -> str:
    """The critic norm of a run (None: "none"). Raises UserError for an unknown one, and where the critic has no `norm`."""
    if norm is None:
        return "none"
    if norm not in NORMS:
        raise UserError(f"--critic-norm is '{norm}'; choose one of {', '.join(NORMS)}.")
    if not any(" norm" in layer for layer in preset.critic):
        others = [other for other, its in PRESETS.items() if any(" norm" in layer for layer in its.critic)]
        raise UserError(
            f"--critic-norm is '{norm}', and the critic of {name} has norms of its own; leave it out, or choose another "
            f"--preset ({', '.join(others)})."
        )
    return norm


def _check_objective(objective: str, given: Mapping[str, Any]) -> None:
    """Raise UserError for a setting in `given` that the objective does not use."""
    limited = {name for names in OBJECTIVES.values() for name in names}
    for name in sorted(limited & given.keys()):
        objectives = [other for other, names in OBJECTIVES.items() if name in names]
        if given[name] and objective in OBJECTIVES and objective not in objectives:
            raise UserError(
                f"--{name.replace('_', '-')} is for --objective {' or '.join(objectives)}, and this run's is {objective}; "
                "leave it out, or choose that objective."
            )


def _check_unused(train: TrainConfig, given: Mapping[str, Any]) -> None:
    """Raise UserError for a setting in `given` that another setting switches off."""
    if train.optimizer == "rmsprop" and (betas := sorted({"beta1", "beta2"} & given.keys())):
        raise UserError(f"--{betas[0]} is for --optimizer adam, and this run's is rmsprop; leave it out, or choose adam.")
    for penalty in ("penalty", "path_length"):
        if f"{penalty}_every" in given and not getattr(train, f"{penalty}_weight"):
            flag = penalty.replace("_", "-")
            raise UserError(f"--{flag}-every is given, and --{flag}-weight is 0; leave it out, or give the penalty a weight.")


def _check_sides(name: str, model: ModelConfig, train: TrainConfig, sides: list[tuple[int, int]], begins: bool) -> None:
    """Raise UserError for a schedule that the preset cannot follow, or that a run which `begins` does not get through."""
    if not model.fades and not (model.grows and parse_projected(train.critic)):
        raise UserError(f"--sides is for a preset that grows, as flagship and progan-64, and {name} does not; leave it out.")
    if sides[-1][0] != model.resolution:
        raise UserError(
            f"--sides ends with {sides[-1][0]}, and the pictures have {model.resolution} pixels a side; end with "
            f"{model.resolution}."
        )
    if not model.fades and sides[0][0] < 8:
        raise UserError(f"--sides begins with {sides[0][0]} pixels, too few for the critic of {name}; begin with 8 or more.")
    if begins and len(sides) > 1 and sides[-2][1] >= train.images:
        raise UserError(
            f"--sides draws {sides[-2][0]} pixels until {sides[-2][1]:,} images, and the run has {train.images:,}, so it would "
            f"never draw {sides[-1][0]}; give --images more, or the smaller sides less."
        )


def _sides_up_to(side: int, sides: tuple[str, ...]) -> tuple[str, ...]:
    """A preset's schedule for pictures of `side` pixels: its smaller sides, then `side`; empty without smaller sides."""
    coarser = tuple(text for text in sides if int(text.split(":")[0]) < side)
    return (*coarser, str(side)) if coarser else ()


def _keep_smoothing(layers: tuple[str, ...], begun: ModelConfig | None) -> tuple[str, ...]:
    """`layers`, each scale filtered, or not, as the same scale in the same place of the model `begun`, where that has it.

    Weights that were trained with one way of enlarging do not work with the other.
    """
    old = begun.generator if begun else ()
    same = [replace(parse_layer(a), low_pass="") == replace(parse_layer(b), low_pass="") for a, b in zip(old, layers)]
    return tuple(old[number] if number < len(same) and same[number] else layer for number, layer in enumerate(layers))


def _layers_for(preset: Preset, side: int) -> tuple[str, ...]:
    """The generator's layers for pictures of `side` pixels. Raises UserError for a side that the preset does not have."""
    scales = [layer for layer in preset.generator if layer.startswith("S>")]
    sides = RESOLUTIONS if scales and preset.critic[0].startswith("projected") else (preset.resolution,)
    if side not in sides:
        raise UserError(
            f"--resolution is {side}, and this preset draws {' or '.join(map(str, sides))} pixels; use one of these."
        )
    return preset.generator[: len(preset.generator) - len(scales) + (side // 4).bit_length()] if scales else preset.generator


def merged(classes: tuple[str, ...]) -> tuple[str, ...]:
    """The single class of a model without classes, trained on photos of `classes`: the only name there is, else EVERY."""
    return classes if len(classes) == 1 else (EVERY,)
