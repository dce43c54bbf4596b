"""The copies tab: how near a flower is to the photos its model was trained on, beside how near photos it never saw are."""

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
from gan.sampling import settings
from gan.sampling.flower import Flower
from gan.studio.i18n import say, t
from gan.studio.session import Studio, data_url
from gan.studio.tabs.base import OneFlower, Tab, language
from gan.utils import images, svg_plots
from gan.utils.formatting import rounded

NEAREST = 6
NEAR, FAR = 0.95, 0.05  # shares of unseen photos that are farther away, beyond which a distance is worth a word
BINS = 12


class Nearest:
    """Distances of flowers to the photos that a model remembers, and those photos where the host has them."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self._lock = Lock()
        self.of = lru_cache(maxsize=256)(self._measure)

    @cached_property
    def _read(self) -> tuple[PhotoIndex | None, str]:
        """What the model remembers; or None, and why in words of the page (a key)."""
        folder = self.studio.model.folder
        try:
            found = photo_index.read(folder, self.studio.config) if folder else None
        except UserError:
            return None, "copies_bad_features"
        return found, "" if found else "copies_no_features"

    @cached_property
    def _network(self) -> tuple[FeatureNetwork | None, str]:
        known = self.index
        try:
            network = find_network(known.network) if known else None
        except UserError:
            return None, "copies_no_network"
        # Features of another file of weights are of another network.
        return (network, "") if network is None or network.digest == known.network_digest else (None, "copies_bad_features")

    @property
    def index(self) -> PhotoIndex | None:
        return self._read[0]

    @property
    def trouble(self) -> str:
        """Why there is nothing to measure with, as a key of the page's words; empty where there is."""
        with self._lock:
            return self._read[1] or self._network[1]

    @property
    def network(self) -> str:
        """What the network is called, for people. Only where there is no trouble."""
        return self._network[0].label

    @property
    def is_the_critic_s(self) -> bool:
        """Whether the model was trained through the very network."""
        critic = self.studio.config.trained.get("critic")
        return self.index is not None and f"projected {self.index.network}" in str(critic)

    def _measure(self, flower: Flower) -> tuple[list[float], list[int]]:
        """Distances to the NEAREST photos trained on, and which they are. Only where there is no trouble."""
        picture = self.studio.sampler.draw([flower])[0]
        return self.index.compare(photo_index.turned_features(self._network[0], picture), NEAREST)

    def photo(self, number: int) -> np.ndarray | None:
        """A photo trained on as its training saw it, None where the host has not given it."""
        photos = self.studio.photos
        path = photos.find(self.index.trained).get(number) if photos else None
        return photos.square(path) if path else None


class CopiesTab(Tab):
    id = "copies"
    stage = "twins"

    def build(self) -> list[Any]:
        self.nearest = Nearest(self.studio)
        self.dice = self.roll("copies_roll", name="new-twin")
        self.flower = OneFlower(self.studio, "copies", "truncation_hint")
        gr.HTML(f'<p class="aside">{t("copies_about")}</p>', apply_default_css=False)
        return self.flower.controls

    def listen(self) -> None:
        self.on(self.flower.changes)
        self.rolled(self.dice, [self.flower.seed])

    def find(self, address: settings.Address) -> Flower:
        return self.flower.find(address)

    def values(self, wanted: Flower) -> list[Any]:
        return self.flower.values(wanted)

    def read(self, *values: Any) -> Flower:
        return self.flower.read(*values)

    def take(self, flower: Flower, end: str, *values: Any) -> Flower:
        return flower

    def show(self, wanted: Flower) -> dict[str, Any]:
        wanted = wanted.resolve(len(self.studio.classes))
        shown = {"item": self.studio.items([wanted])[0], "address": self.flower.to_address(wanted)}
        trouble = self.nearest.trouble
        if trouble:
            return {**shown, "trouble": say(trouble, language(), model=self.studio.name)}
        return {**shown, **self._measured(wanted, language())}

    def _measured(self, flower: Flower, tongue: str) -> dict[str, Any]:
        known, label = self.nearest.index, settings.main_class(flower)
        distances, numbers = self.nearest.of(flower)
        usual = known.usual(label)
        return {
            "distance": say("copies_distance", tongue, distance=rounded(distances[0], 2)),
            "words": _words(distances[0], usual, known.is_class_of_its_own(label), tongue),
            "plot": _plot(distances[0], usual, tongue) if usual else "",
            "near": [self._photo(number, distance, known) for number, distance in zip(numbers, distances)],
            "photos": self.studio.photos is not None,
            "network": self._about_network(tongue),
        }

    def _photo(self, number: int, distance: float, known: PhotoIndex) -> dict[str, Any]:
        picture = self.nearest.photo(number)
        return {
            "distance": rounded(distance, 2),
            "class": known.classes[int(known.trained.labels[number])],
            "src": None if picture is None else data_url(images.png(picture)),
        }

    def _about_network(self, tongue: str) -> str:
        about = say("copies_network", tongue, network=self.nearest.network)
        return f"{about} {say('copies_critic', tongue)}" if self.nearest.is_the_critic_s else about


def _words(distance: float, usual: Sequence[float], own: bool, tongue: str) -> list[str]:
    """What the distance means, in sentences."""
    if not usual:
        return [say("copies_nothing_held_out", tongue)]
    share = photo_index.share_farther(distance, usual)
    among = say("copies_share_of_class" if own else "copies_share", tongue, share=round(100 * share), count=len(usual))
    verdict = "copies_near" if share > NEAR else "copies_far" if share < FAR else "copies_usual"
    return [among, say(verdict, tongue)]


def _plot(distance: float, usual: Sequence[float], tongue: str) -> str:
    """The distribution of `usual` distances with the flower's own marked, as SVG."""
    end = 1.05 * max(distance, usual[-1])
    counts, edges = np.histogram(usual, BINS, (0.0, end))
    unseen = svg_plots.Series(say("copies_unseen", tongue), "real", svg_plots.stairs(edges.tolist(), counts.tolist()))
    here = svg_plots.Series(say("copies_here", tongue), "here", [(distance, 0.0), (distance, float(counts.max()))])
    x, y = svg_plots.Axis(say("copies_axis", tongue), 0.0, end), svg_plots.span(counts.tolist(), say("copies_count", tongue))
    return str(svg_plots.lines(say("copies_plot", tongue), x, y, [unseen, here]))
