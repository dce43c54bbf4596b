"""What the framework finds in the environment: some forty variables are read by it, half of them while it is imported.

The app has options for those that matter to it and gives their values itself. The rest could only do harm: a word where the
framework expects a number stops its import, and a proxy is asked for the app's own start, on this computer.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def undisturbed() -> Iterator[None]:
    """Meanwhile there are no variables of the framework in the environment, and no proxies: it asks this computer alone."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("GRADIO_") or name.lower().endswith("_proxy")}
    for name in kept:
        del os.environ[name]
    # Nothing is counted or reported; and without a star a Mac or Windows would look up the system's own proxies.
    os.environ.update(GRADIO_ANALYTICS_ENABLED="False", no_proxy="*")
    try:
        yield
    finally:
        for name in ("GRADIO_ANALYTICS_ENABLED", "no_proxy"):
            del os.environ[name]
        os.environ.update(kept)
