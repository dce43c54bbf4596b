"""The Your photo tab: the flower nearest to a photo of the visitor's own."""

from __future__ import annotations

import json
import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import gradio as gr

from gan.errors import UserError
from gan.networks.backbones import find_backbone
from gan.sampling.flower import Flower, check_label, describe, described, every, extras, level_text, main_class, with_extras
from gan.sampling.inversion import Inverter, Nearest
from gan.studio import upload
from gan.studio.address import Address
from gan.studio.controls import class_selector, hidden_text
from gan.studio.gradio_compat import root_model
from gan.studio.handlers import NO_API, reporting_errors, request_language
from gan.studio.i18n import say, t
from gan.studio.session import data_url
from gan.studio.tabs.base import Tab
from gan.utils import images

# One search at a time, because each keeps a core busy for many seconds.
SEARCH_QUEUE: dict[str, Any] = {
    "concurrency_id": "invert", "concurrency_limit": 1, "trigger_mode": "multiple", "show_progress": "hidden",
}  # fmt: skip

# (greatest distance, key of the sentence about it); two random flowers are at distance 1, typically.
DISTANCE_BANDS = (
    (0.15, "yours_same"), (0.45, "yours_close"), (0.75, "yours_alike"), (1.0, "yours_distant"), (math.inf, "yours_far"),
)  # fmt: skip

# `upload.Refused.reason` → key of the sentence.
REFUSAL_TEXT = {
    "missing": "yours_missing", "long": "yours_long", "address": "yours_address", "kind": "yours_kind", "sides": "yours_sides",
    "moving": "yours_moving", "damaged": "yours_damaged",
}  # fmt: skip


class UnstoredMessage(root_model()):  # type: ignore[misc]
    """A message with the visitor's photo. Gradio stores the last values of a session, and of this one it stores None."""

    root: Any = None

    def model_dump(self, **_: Any) -> Any:
        """None, instead of the message."""
        return None


@dataclass(frozen=True)
class Yours:
    """The class that is searched, and the flower that was found."""

    label: int | None  # index of a class; None is every class
    flower: Flower | None = None


class YoursTab(Tab):
    """Searches for the flower nearest to a photo, and reports its progress to the script."""

    id, position = "yours", 70
    stage_class = "yours"

    def build_below_stage(self) -> None:
        """The hidden element through which the script sends the photo."""
        self.message = gr.HTML({}, visible="hidden", html_template="<i></i>", js_on_load="")
        self.message.data_model = UnstoredMessage

    def build_controls(self) -> list[Any]:
        """The buttons, the class, and a hidden field for the flower that was found."""
        self.find_button = gr.Button(t("yours_find"), variant="primary", elem_id="yours-find")
        self.stop_button = gr.Button(t("yours_stop"), elem_id="yours-stop")
        self.cancel_button = gr.Button(visible="hidden", elem_id="yours-cancel")
        self.label = class_selector(self.studio.classes, "yours_label", "yours_any")
        gr.HTML(f"<p>{t('yours_how')}</p>", elem_classes="yours-how", apply_default_css=False)
        self.found = hidden_text()
        return [self.label, self.found]

    def connect(self) -> None:
        """Start and stop the search; write a chosen class into the address."""
        photo = "(_, ...values) => [flowers.yours.photo(), ...values]"
        inputs, outputs = [self.message, *self.controls], [self.stage, self.found]
        search = self.find_button.click(self.search, inputs, outputs, js=photo, **SEARCH_QUEUE, **NO_API)
        search.failure(None, js="() => flowers.yours.failed()", **NO_API)
        self.stop_button.click(None, js="() => flowers.yours.stop()", **NO_API)
        self.cancel_button.click(None, cancels=[search], **NO_API)  # the script presses it once the search can be canceled
        remember = "(name) => { flowers.kit.remember({'yours-of': name}); }"
        self.label.input(None, self.label, js=remember, **NO_API)

    def from_address(self, address: Address) -> Yours:
        """The class and the flower that the address describes."""
        classes = self.studio.classes
        label = address.label("yours-of", classes, None if len(classes) > 1 else 0)
        if not address.text("yours-seed"):
            return Yours(label)
        own = address.label("yours-class", classes, 0)
        flower = Flower(own, address.seed("yours-seed"), address.level("yours-truncation")).resolve(len(classes))
        whole = with_extras(flower, address.text("yours-extras"), classes)
        return Yours(label, whole if self.studio.can_draw([whole]) else flower)

    def to_controls(self, wanted: Yours) -> list[Any]:
        """The values of the controls."""
        name = every(self.studio.classes) if wanted.label is None else self.studio.classes[wanted.label]
        return [name, self._to_json(wanted.flower) if wanted.flower else ""]

    def from_controls(self, label: Any, found: Any) -> Yours:
        """The class and the flower that the controls describe. Raises UserError."""
        flower = None
        if found:
            try:
                flower = described(self.studio.classes, json.loads(str(found)))
            except (ValueError, RecursionError):
                raise UserError("that is no flower; send one from the page.") from None
        return Yours(check_label(self.studio.classes, label), flower)

    def draw(self, wanted: Yours) -> dict[str, Any]:
        """The flower that was found as `item`, with `state` "done"; before a search `state` is empty."""
        if wanted.flower is None:
            return {"state": "", "address": self._to_address(wanted)}
        return {"state": "done", "item": self.studio.items([wanted.flower])[0], "address": self._to_address(wanted)}

    def receive(self, flower: Flower, end: str, now: Yours) -> Yours:
        """The flower, as if it had been found."""
        return Yours(now.label, flower)

    # ------------------------------------------------------------------------------------------------------- the search

    @cached_property
    def inverter(self) -> Inverter:
        """The search engine. Without the weights of its backbone it compares pixels only, with poorer results."""
        try:
            backbone = find_backbone("efficientnet-lite0")
        except UserError:  # not installed, or damaged
            backbone = None
        return Inverter(self.studio.model.generator, self.studio.sampler, self.studio.truncation, backbone)

    def search(self, message: UnstoredMessage | None, label: Any, found: Any) -> Iterator[tuple[Any, Any]]:
        """Search for the flower nearest to a photo. `message` is {"photo": a data URL, "run": the number of the request}.

        Yields (value of the stage, value of the hidden field) several times a second; the last pair has the flower.
        """
        with reporting_errors():
            language = request_language()
            root = getattr(message, "root", None)
            sent: dict[str, Any] = root if isinstance(root, dict) else {}
            run = sent.get("run") if isinstance(sent.get("run"), int) else 0
            yield {"state": "begun", "run": run}, gr.skip()
            wanted = check_label(self.studio.classes, label)
            try:
                photo = upload.read(sent.get("photo"))
            except upload.Refused as refused:
                yield {"state": "refused", "run": run, "sentence": say(REFUSAL_TEXT[refused.reason], language)}, gr.skip()
                return
            search = cast(Generator[Nearest, None, None], self.inverter.search(photo, wanted))
            try:
                for step in search:
                    if step.flower is None:
                        yield {**self._progress(step), "run": run}, gr.skip()
                    else:
                        result = self._result(Yours(wanted, step.flower), step, language)
                        yield {**result, "run": run}, self._to_json(step.flower)
            finally:
                search.close()

    def _progress(self, step: Nearest) -> dict[str, Any]:
        percent = None if math.isnan(step.distance) else round(100 * step.distance)
        return {"state": "running", "share": step.share, "src": data_url(images.png(step.picture)), "percent": percent}

    def _result(self, wanted: Yours, step: Nearest, language: str) -> dict[str, Any]:
        percent = round(100 * step.distance)
        key = next(key for limit, key in DISTANCE_BANDS if step.distance <= limit)
        sentence = say(key, language, percent=percent)
        if self.inverter.pixels_only:
            sentence += " " + say("yours_pixels", language)
        return {**self.draw(wanted), "percent": percent, "sentence": sentence}

    def _to_json(self, flower: Flower) -> str:
        return json.dumps(describe(flower, self.studio.classes))

    def _to_address(self, wanted: Yours) -> dict[str, str]:
        classes, flower = self.studio.classes, wanted.flower
        several = len(classes) > 1
        return {
            "yours-of": self.to_controls(wanted)[0] if several else "",
            "yours-class": classes[main_class(flower)] if flower and several else "",
            "yours-seed": str(flower.seed) if flower else "",
            "yours-truncation": level_text(flower.truncation) if flower else "",
            "yours-extras": extras(flower) if flower else "",
        }
