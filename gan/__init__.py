"""Train, load, sample and judge small conditional GANs.

The names below are all a notebook needs. Each is imported when it is first used, so that `import gan` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PUBLIC = {  # name → module and name there
    "Critic": ("gan.critic", "Critic"),
    "Flower": ("gan.sampling.flower", "Flower"),
    "Generator": ("gan.generator", "Generator"),
    "Sampler": ("gan.sampling.sampler", "Sampler"),
    "Trainer": ("gan.trainer", "Trainer"),
    "evaluate": ("gan.evaluation.evaluate_model", "evaluate_model"),
    "from_preset": ("gan.presets", "from_preset"),
    "load": ("gan.hub.loader", "load"),
    "publish": ("gan.hub.publish", "publish"),
    "train": ("gan.runs.training", "train"),
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'gan' has no attribute '{name}'")
    module, attribute = _PUBLIC[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
