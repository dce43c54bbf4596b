"""Everything that depends on Gradio's internals, so that another release of Gradio concerns one file.

Gradio reads about forty environment variables, half of them at its import. The app has options for those that it supports,
and passes their values itself. The others can break it: a wrong number stops the import, and with a proxy Gradio asks the proxy
whether the app has started on this computer.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


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


def request_headers() -> Any:
    """The headers of the request that is being answered; None outside a request."""
    from gradio.context import LocalContext

    request = LocalContext.request.get(None)
    return None if request is None else request.headers


def upload_folder() -> Path:
    """The folder from which Gradio serves files to visitors, and whose old files it deletes."""
    from gradio.utils import get_upload_folder

    return Path(get_upload_folder())


def event_data(event: Any) -> dict[str, Any]:
    """What a script sent with an event; empty where that is no object."""
    data = getattr(event, "_data", None)
    return data if isinstance(data, dict) else {}


def root_model() -> type:
    """The base class of messages with one value, of which Gradio keeps what `model_dump` returns."""
    from gradio.data_classes import GradioRootModel

    return GradioRootModel
