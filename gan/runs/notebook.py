"""What a training shows in a Jupyter notebook while it goes on: its newest grid, and the KID below it."""

from __future__ import annotations

import base64
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gan.utils.images import png

if TYPE_CHECKING:
    import numpy as np


def in_notebook() -> bool:
    """Whether a notebook's kernel runs this process. IPython in a terminal has no kernel."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


class Notebook:
    """A logger (loggers.py) with one output below the cell, which each grid and each KID replaces."""

    leaves_home = False

    def __init__(self) -> None:
        self._output: Any = None
        self._grid, self._images, self._kid = b"", 0, ""

    def add_scalars(self, values: Mapping[str, float], images: int) -> None:
        """Show the KID; the other numbers are on the progress bar."""
        if "KID" in values:
            self._kid = f", KID {values['KID']:.3f} at {images:,}"
            self._show()

    def add_image(self, name: str, picture: np.ndarray, images: int) -> None:
        """Show a grid uint8 H×W×3 of generated pictures; the photos themselves are not shown."""
        if name == "fixed noise":
            self._grid, self._images = png(picture), images
            self._show()

    def rewind(self, images: int) -> None:
        """Does nothing: the next grid replaces the one that is shown."""

    def close(self) -> None:
        """Does nothing: the last grid stays."""

    def _show(self) -> None:
        if not self._grid:  # a run that goes on may measure before it draws
            return
        from IPython.display import HTML, display

        source = base64.b64encode(self._grid).decode()
        content = HTML(
            f'<img alt="the same flowers again" src="data:image/png;base64,{source}"><p>{self._images:,} images{self._kid}</p>'
        )
        if self._output is None:
            self._output = display(content, display_id=True)
        else:
            self._output.update(content)
