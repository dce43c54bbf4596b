"""All options of a training, each declared once: name, default, range and help.

The flags of train.py, its help, the arguments of `gan.train`, the checks and docs/options.md are made from TrainConfig and
RunOptions.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import Field, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from gan.config import MAX_CHANNELS, MAX_RESOLUTION, parse_projected
from gan.errors import UserError

# Objective → those of its options that not every objective has. losses.OBJECTIVES has the functions.
OBJECTIVES: dict[str, tuple[str, ...]] = {
    "wgan-gp": ("penalty_weight", "penalty_every"),
    "wgan-clip": ("clip",),
    "bce": ("label_smoothing", "noisy_labels"),
    "relativistic": ("penalty_weight", "penalty_every"),
    "bce-r1": ("penalty_weight", "penalty_every", "label_smoothing", "noisy_labels"),
    "lsgan": (),
    "hinge": (),
    "acgan": ("label_smoothing", "noisy_labels"),
}
NORMS = ("none", "ln", "bn")
AUTO = "auto"
_SIDE = re.compile(r"(\d{1,5})(?::(\d{1,10}(?:\.\d+)?)(%)?)?")
# Group → the note below its heading in the help; in the order of the help.
GROUPS = {
    "everyday": "",
    "run": "",
    "model": "",
    "learning": "",
    "augmentation": "--no-rotate, for example, switches off what the preset has on",
}


def option(
    default: Any, help: str, group: str, *, low: float | None = None, high: float | None = None, choices: tuple[str, ...] = (),
    metavar: str = "", flag: str = "", shown: str = "", bare: Any = None,
) -> Any:  # fmt: skip
    """A dataclass field that is an option of the group `group` (a key of GROUPS).

    - `low`, `high`: the range of a number, both included; None for no limit.
    - `choices`: the allowed values. `metavar`: the name of the value in the help.
    - `flag`: the name on the command line, where it differs from the field's.
    - `shown`: the default as the help shows it, where the value itself would not be clear.
    - `bare`: the value of the flag when it is given without one.
    """
    return field(default=default, metadata={
        "help": help, "group": group, "low": low, "high": high, "choices": choices, "metavar": metavar, "flag": flag,
        "shown": shown, "bare": bare,
    })  # fmt: skip


@dataclass(frozen=True)
class TrainConfig:
    """How a generator is trained. Lengths are in photos shown to the critic (`images`), never in epochs.

    The defaults are those of the paper's ladder: WGAN-GP with weight 10 and target norm 1, five critic steps for each generator
    step, Adam with 2e-4 and betas (0.5, 0.999). The paper does not give all of them. Presets may have other defaults.
    """

    critic: tuple[str, ...]  # layer strings (config.py); not an option, because it follows from the preset
    images: int = option(
        500_000, "stop after N photos were shown to the critic, in whole batches", "everyday", low=1, high=10**10
    )  # fmt: skip
    holdout: float = option(0.0, "share of each class's photos kept away from training", "everyday", low=0, high=0.9)
    start_from: str = option(
        "", "begin as this model, as far as layers fit: a path, a bundled name or a Hub name", "everyday",
        metavar="MODEL", flag="from", shown="from nothing",
    )  # fmt: skip
    seed: int = option(0, "of weights, noise and the order of the photos", "everyday", low=0, high=2**32 - 1)
    sides: tuple[str, ...] = option(
        (), "draw each side for so many images, or such a share of them, and the last one until the end", "model",
        metavar="SIDE:IMAGES", shown="one side",
    )  # fmt: skip
    batch: int = option(64, "photos in a batch", "learning", low=1, high=4096)
    optimizer: str = option("adam", "how weights follow their gradients", "learning", choices=("adam", "rmsprop"))
    lr: float = option(2e-4, "learning rate", "learning", low=1e-8, high=1)
    # Different rates are the two time scales of Heusel et al. 2017.
    critic_lr: float = option(0.0, "the critic's learning rate", "learning", low=0, high=1, shown="the generator's")
    lr_decay: float = option(
        0.0, "share of the images, at the end, in which both learning rates fall to zero in a straight line", "learning",
        low=0, high=1,
    )  # fmt: skip
    beta1: float = option(0.5, "Adam's first beta", "learning", low=0, high=0.9999)
    beta2: float = option(0.999, "Adam's second beta", "learning", low=0, high=0.999999)
    critic_steps: int = option(5, "critic steps for each generator step", "learning", low=1, high=100)
    # A new critic would first damage a generator that was trained before.
    critic_warm_up: int = option(0, "images at the start that only the critic learns from", "learning", low=0, high=10**9)
    # A finer scale can so be added to a trained model without changing what that draws.
    freeze_below: int = option(
        0, "the generator's scales of fewer pixels a side keep the weights they begin with (wants --from)", "learning",
        low=0, high=MAX_RESOLUTION, metavar="SIDE", shown="none",
    )  # fmt: skip
    objective: str = option("wgan-gp", "which losses", "learning", choices=tuple(OBJECTIVES))
    # λ of Gulrajani et al. 2017, equation 3; for "relativistic" and "bce-r1" γ of Mescheder et al. 2018, equation 9.
    penalty_weight: float = option(10.0, "weight of the gradient penalty", "learning", low=0, high=1e4)
    # The weight of each penalty is multiplied by this number (Karras et al. 2020, section 3.1).
    penalty_every: int = option(1, "a penalty at every Nth step of the training", "learning", low=1, high=1000)
    clip: float = option(0.01, "bound on the critic's weights", "learning", low=1e-6, high=10)
    label_smoothing: float = option(0.0, "smooth the targets 0 and 1: 0.4 makes them 0.2 and 0.8", "learning", low=0, high=0.9)
    noisy_labels: bool = option(False, "targets drawn from [0, 0.3] and [0.7, 1.2]", "learning")
    mixed_batches: bool = option(False, "the critic judges photos and pictures in one batch, which bn mixes", "learning")
    matching_weight: float = option(
        0.0, "weight of matching sets of pictures and photos (wants a projected critic)", "learning", low=0, high=1e6
    )
    spectrum_weight: float = option(0.0, "weight of the distance of mean log spectra", "learning", low=0, high=1e6)
    orthogonal_weight: float = option(0.0, "weight of how much the generator's filters look alike", "learning", low=0, high=1e4)
    style_mixing: float = option(0.0, "share of pictures with the styles of two noises", "learning", low=0, high=1)
    path_length_weight: float = option(0.0, "weight of the path length penalty (wants styles)", "learning", low=0, high=1e4)
    # The weight of each is multiplied by this number, as that of the gradient penalty.
    path_length_every: int = option(1, "generator steps from one such penalty to the next", "learning", low=1, high=1000)
    ema_images: int = option(10_000, "half-life of the weight average, in images", "learning", low=0, high=10**9)
    # bf16 is autocast. Sums of a penalty, and a penalty through norms or heads, stay in float32.
    precision: str = option(
        "fp32", "of the convolutions", "learning", choices=("fp32", "bf16"), shown="bf16 where the processor has it"
    )
    diffaugment: bool = option(
        False, "the critic sees photos and pictures in other colors, moved and cut (DiffAugment)", "augmentation"
    )
    transpose: bool = option(True, "swap rows and columns of a photo half of the time", "augmentation")
    flip_horizontal: bool = option(True, "mirror left and right", "augmentation")
    flip_vertical: bool = option(True, "mirror top and bottom", "augmentation")
    rotate: bool = option(True, "turn half of them by up to 90° either way", "augmentation")

    def validate(self) -> TrainConfig:
        """Return self. Raises UserError for values with which no run can start."""
        check(self)
        projected = parse_projected(self.critic)
        if projected and not 1 <= projected.width <= MAX_CHANNELS:
            raise UserError(f"the critic's heads are {projected.width} wide; use 1 to {MAX_CHANNELS}.")
        if self.matching_weight and not projected:
            raise UserError(
                "--matching-weight compares features of a frozen network; use it with a projected critic, as flagship has."
            )
        if (self.objective == "acgan") != self.critic[-1].startswith("X"):
            raise UserError(
                f"--objective is {self.objective}, and the critic ends with {self.critic[-1]}; acgan goes with a critic that "
                "ends with X, as acgan-64 has, and with no other."
            )
        if self.freeze_below and not self.start_from:
            raise UserError("--freeze-below keeps the weights of a trained model; name the model with --from.")
        schedule = parse_sides(self.sides, self.images)
        if schedule and schedule[0][0] < self.freeze_below:
            raise UserError(
                f"--sides begins with {schedule[0][0]}, where --freeze-below {self.freeze_below} leaves nothing to train."
            )
        return self

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON values, for a snapshot and for `config.json`."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}


@dataclass(frozen=True)
class RunOptions:
    """What a training reads and writes, where it runs, and the choices for `presets.from_preset`."""

    preset: str = option(AUTO, "which model; auto: that of --from, or chosen by photos and device", "everyday", metavar="NAME")
    resolution: int | None = option(
        None,
        "pixels a side; flagship: 32, 64, 128 or 256; others have one",
        "everyday",
        low=8,
        high=MAX_RESOLUTION,
        shown="the preset's",
    )
    out: Path | None = option(None, "run folder", "everyday", metavar="FOLDER", shown="runs/PRESET-PHOTOS")
    classes: tuple[str, ...] = option((), "train on these sub-folders only", "everyday", metavar="NAME", shown="all")
    epochs: int | None = option(None, "the length in passes over the photos, in place of --images", "everyday", low=1, shown="")
    dry_run: bool = option(False, "check everything, print the plan and its cost, train nothing", "everyday")
    preview: int | None = option(
        None, "show the run's page, learning.html, at this port of this computer (8008 if none is given)", "everyday",
        low=1, high=65535, metavar="PORT", bare=8008, shown="",
    )  # fmt: skip
    device: str = option(AUTO, "auto, cpu, cuda or mps", "run", metavar="NAME")
    threads: int | None = option(None, "CPU threads", "run", low=1, shown="PyTorch's choice")
    manifest: Path | None = option(
        None, "train on what this manifest.csv of `python -m gan doctor` keeps", "run", metavar="FILE", shown=""
    )
    resume: str = option(AUTO, "whether to continue the run in --out", "run", choices=(AUTO, "never"))
    overwrite: bool = option(False, "let a run that begins anew replace a trained model in --out", "run")
    every: int = option(
        10_000,
        "write a grid and a snapshot every N images, the first ones sooner",
        "run",
        low=1,
    )
    evaluate_every: int = option(10_000, "judge every N images and keep the best model; 0: keep the last", "run", low=0)
    network: str = option(
        "mobilenetv2", "feature network that judges: mobilenetv2, dinov2 (another family, slower), …", "run", metavar="NAME"
    )  # fmt: skip
    half: bool = option(False, "store the model's weights in half precision", "run")
    note: str = option("", "what the pictures show and what they do not, for the model card", "run", metavar="TEXT")
    push_to_hub: str = option("", "publish the model when training ends", "run", metavar="OWNER/NAME", shown="")
    wandb: str | None = option(
        None, "log to this project of Weights & Biases, too: figures and pictures, never photos", "run",
        metavar="PROJECT", bare="", shown="",
    )  # fmt: skip
    width: int | None = option(None, "hidden width h of the generator", "model", low=1, high=256, shown="the preset's")
    critic_width: int | None = option(None, "hidden width of the critic", "model", low=1, high=256, shown="the generator's")
    critic_norm: str | None = option(
        None, "the critic's norm (ln: per sample, bn: the paper's, which breaks the penalty; for the ladder and wgan-64)",
        "model", choices=NORMS, shown="none",
    )  # fmt: skip
    unconditional: bool = option(False, "one class for all photos", "model")

    def validate(self) -> RunOptions:
        """Return self. Raises UserError for a value out of range."""
        check(self)
        return self


def options_of(cls: type) -> Iterator[Field[Any]]:
    """The fields of TrainConfig or RunOptions that are options."""
    return (item for item in fields(cls) if "group" in item.metadata)


def flag_of(item: Field[Any]) -> str:
    """The flag of an option on the command line."""
    return "--" + (item.metadata["flag"] or item.name).replace("_", "-")


def kind_of(item: Field[Any]) -> str:
    """The type of an option's value, or of each of its values: int, float, str, bool or Path."""
    return re.sub(r" \| None|tuple\[|, \.\.\.\]", "", str(item.type))


def check(options: Any) -> None:
    """Raise UserError for the first option that is out of its range or not one of its choices. None is always allowed."""
    for item in options_of(type(options)):
        value, about = getattr(options, item.name), item.metadata
        if value is None:
            continue
        if about["choices"] and value not in about["choices"]:
            raise UserError(f"{flag_of(item)} is {value!r}; choose one of {', '.join(about['choices'])}.")
        if about["low"] is not None:
            _check_number(item, value)


def _check_number(item: Field[Any], value: Any) -> None:
    """Raise UserError for a number of the wrong type or out of range."""
    low, high = item.metadata["low"], item.metadata["high"]
    whole = kind_of(item) == "int"
    fits = not isinstance(value, bool) and isinstance(value, int if whole else (int, float))
    if fits and low <= value <= (math.inf if high is None else high):
        return
    low, high = (bound if bound is None or not whole else int(bound) for bound in (low, high))
    bounds = f"a {'whole number' if whole else 'value'}" + (f" of {low} or more" if high is None else f" from {low} to {high}")
    raise UserError(f"{flag_of(item)} is {value!r}; use {bounds}.")


def parse_sides(sides: tuple[str, ...], images: int) -> list[tuple[int, int]]:
    """A schedule of sides → (side in pixels, images of the run after which it ends) for each.

    An entry is `64:100000` (for 100,000 images) or `64:30%` (for 30 % of the run's `images`). The last entry is a side alone,
    such as `256`; it is drawn until `images`. Raises UserError where the schedule cannot be read or the sides do not grow.
    """
    result: list[tuple[int, int]] = []
    reached = 0
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


def settings_of(state: dict[str, Any]) -> dict[str, Any]:
    """The training settings in a snapshot. A setting that did not exist when the run began has its default."""
    saved = {**TrainConfig(critic=()).to_json(), **state.get("train", {})}
    images, side = saved.pop("coarse_images", 0), saved.pop("coarse_side", 0)  # before there was a schedule of sides
    return {**saved, "sides": [f"{side}:{images}", str(state["model"]["resolution"])]} if images else saved


def schedule_of(state: dict[str, Any]) -> list[tuple[int, int]]:
    """The schedule of sides that the run of a snapshot planned when it began."""
    if "schedule" in state:
        return [(int(side), int(end)) for side, end in state["schedule"]]
    settings = settings_of(state)
    return parse_sides(tuple(settings["sides"]), settings["images"])


# How long a run goes on, how it ends, and what is written about it, may change between its parts; nothing else may.
_FREE = ("images", "lr_decay", "trained", "scores")
_LAYERS_SET_BY = {"generator": "--width", "critic": "--critic-width or --critic-norm"}


def refuse_difference(saved: dict[str, Any], mine: dict[str, Any]) -> None:
    """Raise UserError where the settings in a snapshot are not those of the run that goes on with it."""
    changed = [key for key in mine if key not in _FREE and saved.get(key) != mine[key]]
    if {"preset", "resolution"} & set(changed):
        changed = [key for key in changed if key != "generator"]  # its layers follow from both
    if changed:
        differences = "; ".join(_difference(key, saved.get(key), mine[key]) for key in changed)
        raise UserError(f"the run began with other settings: {differences}. Give the same ones, or another --out.")


def _difference(key: str, before: Any, now: Any) -> str:
    if key in _LAYERS_SET_BY:
        return f"its {key} had other layers ({_LAYERS_SET_BY[key]})"
    flags = {item.name: flag_of(item) for cls in (TrainConfig, RunOptions) for item in options_of(cls)}
    return f"{flags.get(key, key)} was {_as_given(before)} and is now {_as_given(now)}"


def _as_given(value: Any) -> str:
    """A setting as a user would write it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return (" ".join(map(str, value)) if isinstance(value, list) else str(value)) or "none"
