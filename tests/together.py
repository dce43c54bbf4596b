"""A few steps of every kind of recipe, by this process alone or, under torchrun, by several: `together.py PHOTOS OUT`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gan.config import ModelConfig  # noqa: E402
from gan.data.image_folder import OVERSAMPLE, load_photos  # noqa: E402
from gan.options import TrainConfig  # noqa: E402
from gan.presets import from_preset  # noqa: E402
from gan.trainer import Trainer  # noqa: E402
from gan.utils.distributed import ALONE, ProcessGroup, joined  # noqa: E402

STEPS = 6
EARLY = 3  # steps in which rounding has not grown yet: the optimizer divides tiny gradients by themselves
CPU = torch.device("cpu")
SMALL = ("M>16", "M>16", "S>16", "S>16", "S>8", "S>8")
COMMON = {"width": 4, "batch": 8, "precision": "fp32"}
RECIPES: dict[str, dict[str, Any]] = {
    "batch norm in the generator, penalty": {"name": "cwgan-gp-28", "critic_steps": 2},
    "batch norm in the critic, under a penalty": {"name": "cwgan-gp-28", "critic_norm": "bn", "critic_steps": 1},
    "noisy labels": {"name": "dcgan-64"},
    "clipped weights": {"name": "cwgan-gp-28", "objective": "wgan-clip", "critic_norm": "ln", "critic_steps": 1},
    "flagship": {},
}


def make(recipe: str, photos: Path, processes: ProcessGroup = ALONE) -> Trainer:
    """The trainer of a recipe, as all processes make it."""
    settings = {**COMMON, **RECIPES[recipe]}
    classes = ("dandelion", "marigold")
    if "name" in settings:
        model, train = from_preset(settings.pop("name"), classes, **settings)
    else:  # the flagship's at 32 pixels, two steps at 16 first
        model = ModelConfig("small", 32, classes, SMALL, z_dim=8).validate()
        whole = vars(from_preset("flagship", classes)[1])
        small = {"critic": ("projected efficientnet-lite0>4",), "sides": ("16:16", "32"), "penalty_every": 2}
        train = TrainConfig(**{**whole, **small, "batch": 8, "precision": "fp32"}).validate()
    return Trainer(model, train, load_photos(photos, OVERSAMPLE * model.resolution), CPU, processes)


def train(photos: Path, processes: ProcessGroup = ALONE) -> dict[str, Any]:
    """Of each recipe what every step measured, the gradients of the last early step, and the state after the last step."""
    found = {}
    for recipe in RECIPES:
        trainer = make(recipe, photos, processes)
        stats = [list(vars(trainer.step()).values()) for _ in range(EARLY)]
        gradients = {
            name: weight.grad.clone() for name, weight in trainer.generator.named_parameters() if weight.grad is not None
        }
        stats += [list(vars(trainer.step()).values()) for _ in range(STEPS - EARLY)]
        found[recipe] = {"stats": stats, "gradients": gradients, "state": trainer.state()}
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    with joined(CPU) as (processes, _):
        torch.save(train(Path(sys.argv[1]), processes), f"{sys.argv[2]}{processes.rank}")
