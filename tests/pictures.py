"""Small generated pictures that stand in for photos: two classes a network can tell apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

COLORS = {"dandelion": (240, 210, 40), "marigold": (230, 90, 20), "seedhead": (220, 220, 225)}


def make_photos(folder: Path, count: int = 8, classes: tuple[str, ...] = ("dandelion", "marigold"), side: int = 40) -> Path:
    """`folder`/CLASS/NN.png: a disc of the class's color on noisy green, `count` a class, the same at every call."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side]
    for name in classes:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            picture = rng.normal((30, 80, 30), 12, (side, side, 3))
            middle = rng.uniform(0.4, 0.6, 2) * side
            disc = (x - middle[0]) ** 2 + (y - middle[1]) ** 2 < (side * rng.uniform(0.25, 0.4)) ** 2
            picture[disc] = rng.normal(COLORS[name], 20, (int(disc.sum()), 3))
            Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(folder / name / f"{number:02d}.png")
    return folder
