"""The Copies tab: how near a flower is to photos of the training, compared with photos held out from it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
from threading import Lock
from typing import Any

import gradio as gr
import numpy as np

from gan.errors import UserError
from gan.evaluation import photo_index
from gan.evaluation.features import FeatureNetwork, find_network
from gan.evaluation.photo_index import PhotoIndex
from gan.sampling.flower import Flower, main_class
from gan.studio.controls import FlowerControls
from gan.studio.handlers import request_language
from gan.studio.i18n import say, t
from gan.studio.session import Studio, data_url
from gan.studio.tabs.base import FlowerTab
from gan.utils import images, svg_plots
from gan.utils.formatting import rounded

NEAREST = 6  # photos that are shown
NEAR, FAR = 0.95, 0.05  # a distance is called near (far) if more (less) than this share of held-out photos is farther away
BINS = 12


class NearestPhotos:
    """Measures distances between flowers and the photos of a model's photo index."""

    def __init__(self, studio: Studio, index: PhotoIndex, network: FeatureNetwork) -> None:
        """`network` is the one that `index` was made with."""
        self.studio, self.index, self.network = studio, index, network
        self.find = lru_cache(maxsize=256)(self._find)

    @property
    def is_critic_backbone(self) -> bool:
        """Whether the model's critic was trained on top of the same network."""
        return f"projected {self.index.network}" in str(self.studio.config.trained.get("critic"))

    def _find(self, flower: Flower) -> tuple[list[float], list[int]]:
        """The distances of the NEAREST photos trained on, ascending, and their indices."""
        picture = self.studio.sampler.draw([flower])[0]
        return self.index.compare(photo_index.turned_features(self.network, picture), NEAREST)

    def photo(self, number: int) -> np.ndarray | None:
        """The photo with index `number` as in training, uint8 S×S×3. None if the host does not have it."""
        photos = self.studio.photos
        path = photos.find(self.index.trained).get(number) if photos else None
        return photos.square(path) if photos and path else None


def load_nearest(studio: Studio) -> NearestPhotos | str:
    """Load the photo index of the model and its network. If that fails, return the key of the text that says why."""
    folder = studio.model.folder
    try:
        index = photo_index.read(folder, studio.config) if folder else None
    except UserError:
        return "copies_bad_features"
    if index is None:
        return "copies_no_features"
    try:
        network = find_network(index.network)
    except UserError:
        return "copies_no_network"
    # Features of other weights cannot be compared.
    return NearestPhotos(studio, index, network) if network.digest == index.network_digest else "copies_bad_features"


class CopiesTab(FlowerTab):
    """One flower and the photos nearest to it. Its settings are the `Flower`."""

    id, position = "copies", 80
    stage_class = "twins"

    def __init__(self, studio: Studio) -> None:
        self._lock = Lock()  # visitors who open the tab at once load the index once
        super().__init__(studio)

    @cached_property
    def _loaded(self) -> NearestPhotos | str:
        return load_nearest(self.studio)

    def build_controls(self) -> list[Any]:
        """The controls of the flower."""
        self.new_seed = self.seed_button("copies_roll", name="new-twin")
        self.flower = FlowerControls(self.studio, "copies", "truncation_hint")
        gr.HTML(f'<p class="aside">{t("copies_about")}</p>', apply_default_css=False)
        return self.flower.controls

    def draw(self, wanted: Flower) -> dict[str, Any]:
        """The flower as `item`, and either what was measured or, as `trouble`, why nothing can be."""
        wanted = wanted.resolve(len(self.studio.classes))
        shown = {"item": self.studio.items([wanted])[0], "address": self.flower.to_address(wanted)}
        with self._lock:
            nearest = self._loaded
        if isinstance(nearest, str):
            return {**shown, "trouble": say(nearest, request_language(), model=self.studio.name)}
        return {**shown, **_measure(nearest, wanted, request_language())}


def _measure(nearest: NearestPhotos, flower: Flower, language: str) -> dict[str, Any]:
    index, label = nearest.index, main_class(flower)
    distances, numbers = nearest.find(flower)
    usual = index.usual(label)
    return {
        "distance": say("copies_distance", language, distance=rounded(distances[0], 2)),
        "words": _explain(distances[0], usual, index.is_class_of_its_own(label), language),
        "plot": _plot(distances[0], usual, language) if usual else "",
        "near": [_photo(nearest, number, distance) for number, distance in zip(numbers, distances)],
        "photos": nearest.studio.photos is not None,
        "network": _about_network(nearest, language),
    }


def _photo(nearest: NearestPhotos, number: int, distance: float) -> dict[str, Any]:
    picture, index = nearest.photo(number), nearest.index
    return {
        "distance": rounded(distance, 2),
        "class": index.classes[int(index.trained.labels[number])],
        "src": None if picture is None else data_url(images.png(picture)),
    }


def _about_network(nearest: NearestPhotos, language: str) -> str:
    about = say("copies_network", language, network=nearest.network.label)
    return f"{about} {say('copies_critic', language)}" if nearest.is_critic_backbone else about


def _explain(distance: float, usual: Sequence[float], of_class: bool, language: str) -> list[str]:
    """What the distance means, in sentences. `of_class`: the `usual` distances are those of the flower's class."""
    if not usual:
        return [say("copies_nothing_held_out", language)]
    share = photo_index.share_farther(distance, usual)
    among = say("copies_share_of_class" if of_class else "copies_share", language, share=round(100 * share), count=len(usual))
    verdict = "copies_near" if share > NEAR else "copies_far" if share < FAR else "copies_usual"
    return [among, say(verdict, language)]


def _plot(distance: float, usual: Sequence[float], language: str) -> str:
    """A histogram of the `usual` distances, with a mark at the flower's own, as SVG."""
    end = 1.05 * max(distance, usual[-1])
    counts, edges = np.histogram(usual, BINS, (0.0, end))
    unseen = svg_plots.Series(say("copies_unseen", language), "real", svg_plots.stairs(edges.tolist(), counts.tolist()))
    here = svg_plots.Series(say("copies_here", language), "here", [(distance, 0.0), (distance, float(counts.max()))])
    x, y = (
        svg_plots.Axis(say("copies_axis", language), 0.0, end),
        svg_plots.span(counts.tolist(), say("copies_count", language)),
    )
    return str(svg_plots.lines(say("copies_plot", language), x, y, [unseen, here]))
