"""Train, load, sample and judge small conditional GANs.

The names below are all a notebook needs. Each is imported when it is first used, so that `import gan` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PUBLIC = {
    "load": "hub.loader",
    "publish": "hub.loader",
    "Sampler": "sampling.sampler",
    "Flower": "sampling.sampler",
    "Generator": "generator",
    "Critic": "critic",
    "Trainer": "trainer",
    "from_preset": "presets",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'gan' has no attribute '{name}'")
    return getattr(import_module(f"gan.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
