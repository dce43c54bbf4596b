"""The Inside tab: how the network comes to one flower, step by step, and the spectrum of the picture.

A model with styles shows its picture scale by scale, as Karras et al. 2020 measure it for their figure 8 (section 4.1). Others
show the maps of each layer.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import gradio as gr
import numpy as np

from gan.config import parse_layer
from gan.sampling import inside
from gan.sampling.flower import Flower, main_class
from gan.studio import spectra
from gan.studio.controls import FlowerControls
from gan.studio.handlers import request_language
from gan.studio.i18n import LANGUAGES, TEXT, say, t
from gan.studio.session import data_url
from gan.studio.tabs.base import FlowerTab
from gan.utils import images
from gan.utils.formatting import rounded


class InsideTab(FlowerTab):
    """One flower and the steps to it. Its settings are the `Flower`."""

    id, position = "inside", 37
    stage_class = "inside"

    def build_controls(self) -> list[Any]:
        """The controls of the flower."""
        self.new_seed = self.seed_button("inside_roll", name="new-inside")
        self.flower = FlowerControls(self.studio, "inside", "truncation_hint")
        about = "inside_about_scales" if self.has_scales else "inside_about_layers"
        gr.HTML(f'<p class="aside">{t(about)}</p>', apply_default_css=False)
        return self.flower.controls

    @property
    def has_scales(self) -> bool:
        """Whether the model is shown scale by scale."""
        return inside.has_scales(self.studio.sampler)

    @cached_property
    def _photos(self) -> spectra.PhotoSpectra | None:
        return spectra.PhotoSpectra(self.studio.photos) if self.studio.photos else None

    # ------------------------------------------------------------------------------------------------------------ stage

    def draw(self, wanted: Flower) -> dict[str, Any]:
        """The `steps` from what goes in to the picture, the flower as `item`, and its `spectrum`."""
        wanted = wanted.resolve(len(self.studio.classes))
        language = request_language()
        steps, picture = (self._scales if self.has_scales else self._layers)(wanted, language)
        item = {"src": data_url(images.png(picture, self.studio.about(wanted))), **self.studio.item(wanted)}
        return {
            "steps": [self._start(wanted, language), *steps],
            "kind": "scales" if self.has_scales else "layers",
            "item": item,
            "spectrum": self._spectrum(wanted, picture, language),
            "address": self.flower.to_address(wanted),
        }

    def _start(self, wanted: Flower, language: str) -> dict[str, Any]:
        """The numbers that go in."""
        picture, count = inside.start(self.studio.sampler, wanted)
        kind = "style" if self.studio.sampler.scales else "noise"
        return {
            "title": say(f"inside_{kind}", language),
            "shape": say("inside_numbers", language, count=count),
            "about": say(f"inside_{kind}_about", language),
            "pictures": [_picture(picture, say("inside_numbers_alt", language))],
        }

    def _scales(self, wanted: Flower, language: str) -> tuple[list[dict[str, Any]], np.ndarray]:
        found = inside.scales(self.studio.sampler, wanted)
        most = max(found, key=lambda step: step.change)
        steps = [_scale(step, step is most, language) for step in found]
        steps[-1]["pictures"][0]["opens"] = True
        return steps, found[-1].picture

    def _layers(self, wanted: Flower, language: str) -> tuple[list[dict[str, Any]], np.ndarray]:
        found, picture = inside.layers(self.studio.sampler, wanted)
        last = found.pop() if found[-1].shape[0] == picture.shape[-1] else None  # its maps are the picture
        steps = [_layer(step, number == 0, len(picture), language) for number, step in enumerate(found)]
        steps.append({
            "title": last.layer if last else say("inside_rgb", language),
            "layer": last is not None,
            "shape": _shape((3, *picture.shape[:2]), language),
            "about": say("inside_picture_about", language),
            "pictures": [{**_picture(picture, say("inside_whole", language)), "opens": True}],
        })  # fmt: skip
        return steps, picture

    def _spectrum(self, wanted: Flower, picture: np.ndarray, language: str) -> dict[str, Any]:
        """The spectrum of the picture as `pictures` and as `svg`, beside that of photos where the host shows some."""
        photos = self._photos.squares(main_class(wanted)) if self._photos else picture[None][:0]
        shown = [_spectrum(picture[None], say("inside_this_flower", language))]
        if len(photos):
            shown.append(_spectrum(photos, say("inside_photos", language, count=len(photos))))
        peaks = spectra.peak_sentences(spectra.peaks(self.studio.config.scores), language)
        return {
            "svg": spectra.plot(picture, photos, language),
            "pictures": shown,
            "about": say("inside_spectrum_about", language),
            "without": "" if len(photos) else say("inside_no_photos", language),
            "peaks": peaks,
        }


def _scale(step: inside.ScaleStep, most: bool, language: str) -> dict[str, Any]:
    """A step of a model with styles: the picture of a scale, and what it adds."""
    key = f"inside_scale_{step.side}"
    about = [say(key if key in TEXT[LANGUAGES[0]] else "inside_scale_more", language, side=step.side)]
    pictures = [_picture(step.picture, say("inside_scale_alt", language, side=step.side), say("inside_picture", language))]
    if step.added is None:
        about.append(say("inside_first_scale", language))
    else:
        change = rounded(step.change, 1)
        about.append(say("inside_change_most" if most else "inside_change", language, change=change))
        caption = say("inside_added" if step.factor == 1 else "inside_added_times", language, factor=step.factor)
        pictures.append(_picture(step.added, say("inside_added_alt", language, side=step.side), caption))
    return {
        "title": say("inside_scale", language, side=step.side),
        "shape": "",
        "about": " ".join(about),
        "pictures": pictures,
    }


def _layer(step: inside.LayerStep, first: bool, whole: int, language: str) -> dict[str, Any]:
    """A step of another model: the strongest maps of a layer. `whole` is the side of the picture."""
    kind = parse_layer(step.layer)
    word = "adain" if kind.op == "S" else "first" if first else kind.op.removesuffix("-corners")
    about = [say(f"inside_layer_{word}", language, channels=step.shape[0], side=step.shape[-1])]
    pixels = round(whole / step.shape[-1])
    if word not in ("first", "up"):
        about.append(say("inside_covers" if pixels > 1 else "inside_covers_one", language, pixels=pixels))
    caption = say("inside_maps_all" if step.shown == step.shape[0] else "inside_maps", language, shown=step.shown)
    return {
        "title": step.layer,
        "layer": True,
        "shape": _shape(step.shape, language),
        "about": " ".join(about),
        "pictures": [_picture(step.mosaic, say("inside_maps_alt", language, layer=step.layer), caption)],
    }


def _shape(shape: tuple[int, ...], language: str) -> str:
    return say("inside_shape", language, channels=shape[0], height=shape[1], width=shape[2])


def _spectrum(pictures: np.ndarray, name: str) -> dict[str, Any]:
    return _picture(spectra.picture(pictures), name, name)


def _picture(picture: np.ndarray, name: str, caption: str = "") -> dict[str, Any]:
    """A picture for the script: `name` is for screen readers, `caption` stands below it."""
    return {"src": data_url(images.png(picture)), "name": name, "caption": caption, "wide": picture.shape[1] / picture.shape[0]}
