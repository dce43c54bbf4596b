"""The Yours tab: the flower nearest to a photo of the visitor's own."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import gradio as gr
from gradio.data_classes import GradioRootModel

from gan.errors import UserError
from gan.networks.backbones import find_backbone
from gan.sampling import settings
from gan.sampling.flower import Flower
from gan.sampling.inversion import Inverter, Nearest
from gan.studio import upload
from gan.studio.i18n import say, t
from gan.studio.session import data_url
from gan.studio.tabs.base import HIDDEN, Tab, answering, class_selector, keeper, language
from gan.utils import images

# One search at a time on a server: each keeps a core busy for many seconds.
SEARCH = {"concurrency_id": "invert", "concurrency_limit": 1, "trigger_mode": "multiple", "show_progress": "hidden"}

# What a distance, 1 being that of two flowers drawn at random, is called up to there.
BANDS = ((0.15, "yours_same"), (0.45, "yours_close"), (0.75, "yours_alike"), (1.0, "yours_distant"), (math.inf, "yours_far"))

REFUSED = {
    "missing": "yours_missing", "long": "yours_long", "address": "yours_address", "kind": "yours_kind", "sides": "yours_sides",
    "moving": "yours_moving", "damaged": "yours_damaged", "more": "yours_more",
}  # fmt: skip


class Passing(GradioRootModel):
    """What a visitor sends and the framework passes on. It keeps every value of a session, and of this one nothing."""

    root: Any = None

    def model_dump(self, **_: Any) -> None:
        return None


@dataclass(frozen=True)
class Yours:
    """The class that is searched (None: all of them), and the flower that was found, if any."""

    label: int | None
    flower: Flower | None = None


class YoursTab(Tab):
    id = "yours"
    stage = "yours"

    def below(self) -> None:
        self.letter = gr.HTML({}, visible="hidden", html_template="<i></i>", js_on_load="")
        self.letter.data_model = Passing

    def build(self) -> list[Any]:
        self.go = gr.Button(t("yours_find"), variant="primary", elem_id="yours-find")
        self.stop = gr.Button(t("yours_stop"), elem_id="yours-stop")
        self.cancel = gr.Button(visible="hidden", elem_id="yours-cancel")
        self.label = class_selector(self.studio.classes, "yours_label", "yours_any")
        gr.HTML(f"<p>{t('yours_how')}</p>", elem_classes="yours-how", apply_default_css=False)
        self.found = keeper()
        return [self.label, self.found]

    def listen(self) -> None:
        photo = "(_, ...values) => [flowers.yours.photo(), ...values]"
        outputs = [self.pictures, self.found]
        search = self.go.click(self.search, [self.letter, *self.controls], outputs, js=photo, **SEARCH, **HIDDEN)
        search.failure(None, js="() => flowers.yours.failed()", **HIDDEN)
        self.stop.click(None, js="() => flowers.yours.stop()", **HIDDEN)
        self.cancel.click(None, cancels=[search], **HIDDEN)  # pressed by the script, once there is something to cancel
        remember = "(name) => { flowers.kit.remember({'yours-of': name}); }"
        self.label.input(None, self.label, js=remember, **HIDDEN)

    def find(self, address: settings.Address) -> Yours:
        classes = self.studio.classes
        label = address.label("yours-of", classes, None if len(classes) > 1 else 0)
        if not address.text("yours-seed"):
            return Yours(label)
        own = address.label("yours-class", classes, 0)
        flower = Flower(own, address.seed("yours-seed"), address.level("yours-truncation")).resolve(len(classes))
        return Yours(label, settings.with_extras(flower, address.text("yours-extras"), classes))

    def values(self, wanted: Yours) -> list[Any]:
        name = settings.every(self.studio.classes) if wanted.label is None else self.studio.classes[wanted.label]
        return [name, self._kept(wanted.flower) if wanted.flower else ""]

    def read(self, label: Any, found: Any) -> Yours:
        flower = None
        if found:
            try:
                flower = settings.described(self.studio.classes, json.loads(str(found)))
            except (ValueError, RecursionError):
                raise UserError("that is no flower; send one from the page.") from None
        return Yours(settings.check_label(self.studio.classes, label), flower)

    def show(self, wanted: Yours) -> dict[str, Any]:
        if wanted.flower is None:
            return {"state": "", "address": self._address(wanted)}
        return {"state": "done", "item": self.studio.items([wanted.flower])[0], "address": self._address(wanted)}

    def take(self, flower: Flower, end: str, *values: Any) -> Yours:
        return Yours(self.read(*values).label, flower)

    # ------------------------------------------------------------------------------------------------------- the search

    @cached_property
    def inverter(self) -> Inverter:
        try:
            backbone = find_backbone("efficientnet-lite0")
        except UserError:  # not installed, or damaged: pixels alone do, less well
            backbone = None
        return Inverter(self.studio.model.generator, self.studio.sampler, self.studio.truncation, backbone)

    def search(self, letter: Passing | None, label: Any, found: Any) -> Iterator[tuple[Any, Any]]:
        """What the stage shows, and the flower at the end, for {"photo": data address, "run": number of the request}."""
        with answering():
            tongue = language()
            sent_ = getattr(letter, "root", None)
            sent_ = sent_ if isinstance(sent_, dict) else {}
            run = sent_.get("run") if isinstance(sent_.get("run"), int) else 0
            yield {"state": "begun", "run": run}, gr.skip()
            wanted = settings.check_label(self.studio.classes, label)
            try:
                photo = upload.read(sent_.get("photo"))
            except upload.Refused as refused:
                yield {"state": "refused", "run": run, "sentence": say(REFUSED[refused.reason], tongue)}, gr.skip()
                return
            search = self.inverter.search(photo, wanted)
            try:
                for news in search:
                    if news.flower is None:
                        yield {**self._news(news), "run": run}, gr.skip()
                    else:
                        yield {**self._end(Yours(wanted, news.flower), news, tongue), "run": run}, self._kept(news.flower)
            finally:
                search.close()

    def _news(self, news: Nearest) -> dict[str, Any]:
        percent = None if math.isnan(news.distance) else round(100 * news.distance)
        return {"state": "running", "share": news.share, "src": data_url(images.png(news.picture)), "percent": percent}

    def _end(self, wanted: Yours, news: Nearest, tongue: str) -> dict[str, Any]:
        percent = round(100 * news.distance)
        key = next(key for limit, key in BANDS if news.distance <= limit)
        sentence = say(key, tongue, percent=percent)
        if self.inverter.pixels_only:
            sentence += " " + say("yours_pixels", tongue)
        return {**self.value(wanted), "percent": percent, "sentence": sentence}

    def _kept(self, flower: Flower) -> str:
        return json.dumps(settings.describe(flower, self.studio.classes))

    def _address(self, wanted: Yours) -> dict[str, str]:
        classes, flower = self.studio.classes, wanted.flower
        several = len(classes) > 1
        pairs = {"yours-of": self.values(wanted)[0] if several else ""}
        pairs["yours-class"] = classes[settings.main_class(flower)] if flower and several else ""
        pairs["yours-seed"] = str(flower.seed) if flower else ""
        pairs["yours-truncation"] = settings.level_text(flower.truncation) if flower else ""
        pairs["yours-extras"] = settings.extras(flower) if flower else ""
        return pairs
