"""Train, load and sample small conditional GANs. `gan.load(name)` is where to start."""

from .hub import load

__all__ = ["load"]
