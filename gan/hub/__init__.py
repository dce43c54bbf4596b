"""A model as a folder and on the Hugging Face Hub: load, save, publish, export, the files of the paper's authors."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["CHECKPOINTS", "DEFAULT", "Model", "bundled", "load", "load_or_bundled"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'gan.hub' has no attribute '{name}'")
    return getattr(import_module("gan.hub.loader"), name)
