"""The two functions of the HTTP API, for `gradio_client` and other programs."""

from __future__ import annotations

from typing import Any

import gradio as gr

from gan.sampling import settings
from gan.sampling.flower import describe, every
from gan.sampling.interpolation import DEFAULT_PATH
from gan.studio.handlers import DRAW_QUEUE, FILM_QUEUE, report_errors
from gan.studio.session import Studio, save_to_cache


def add_api(studio: Studio) -> None:
    """Add `/generate` and `/interpolate` to the page that is being built."""
    classes = studio.classes
    first, last, all_of_them = classes[0], classes[-1], every(classes)

    def file(name: str, content: bytes) -> dict[str, Any]:
        return {"path": save_to_cache(name, content), "orig_name": name, "meta": {"_type": "gradio.FileData"}}

    def generate(
        label: str = all_of_them if len(classes) > 1 else first, seed: int = 0,
        truncation: float | None = studio.truncation, side: int = 1,
    ) -> list[dict]:  # fmt: skip
        """Draw side² flowers whose seeds follow on from `seed` (0 to 2³²−1; side 1 to 7).

        `label` is a class of the model or All, `truncation` 0.01 to 3 or None. Returns for each picture its PNG file,
        class and seed.
        """
        wanted = settings.generate(classes, label, seed, truncation, side)
        return [{"image": file(name, png), **describe(flower, classes)} for flower, name, png in studio.pictures(wanted)]

    def interpolate(
        from_label: str = first, from_seed: int = 0, to_label: str = last, to_seed: int = 1,
        truncation: float | None = studio.truncation, path: str = DEFAULT_PATH,
        steps: int = settings.DEFAULT_STEPS, loop: bool = False,
    ) -> dict:  # fmt: skip
        """Turn one flower into another in `steps` pictures (2 to 60), along a `spherical` or `straight` path.

        Returns the files `filmstrip` (PNG), `gif` and `mp4`.
        """
        wanted = settings.interpolate(classes, from_label, from_seed, to_label, to_seed, truncation, path, steps, loop)
        kinds = {"filmstrip": "png", "gif": "gif", "mp4": "mp4"}
        return {name: file(*studio.film(wanted, kind)) for name, kind in kinds.items()}

    gr.api(report_errors(generate, on_page=False), api_name="generate", **DRAW_QUEUE)
    gr.api(report_errors(interpolate, on_page=False), api_name="interpolate", **FILM_QUEUE)
