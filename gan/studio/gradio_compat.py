"""Gradio without its environment variables.

Gradio reads about forty variables, half of them when it is imported. The app has options for those that it supports, and passes
their values itself. The others can break it: a wrong number stops the import, and with a proxy Gradio asks the proxy whether
the app has started on this computer.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def clean_environment() -> Iterator[None]:
    """Remove Gradio's variables and all proxies from the environment, and put them back at the end of the block."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("GRADIO_") or name.lower().endswith("_proxy")}
    for name in kept:
        del os.environ[name]
    # No analytics. Without the star, macOS and Windows would use the system's proxies.
    os.environ.update(GRADIO_ANALYTICS_ENABLED="False", no_proxy="*")
    try:
        yield
    finally:
        for name in ("GRADIO_ANALYTICS_ENABLED", "no_proxy"):
            del os.environ[name]
        os.environ.update(kept)
