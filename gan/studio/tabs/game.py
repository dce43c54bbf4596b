"""The Game tab: the visitor sees three photos of the host's folder and one generated flower, and guesses which is generated."""

from __future__ import annotations

from itertools import islice
from typing import Any

import gradio as gr
import numpy as np

from gan.errors import UserError
from gan.evaluation.rounds import PICTURES, Round, RoundDealer, RoundRequest, readable
from gan.networks import latents
from gan.sampling.flower import Flower, check_label, check_truncation, every, level_text
from gan.studio.address import Address
from gan.studio.controls import class_selector, hidden_text, truncation_controls, truncation_values
from gan.studio.handlers import DRAW_QUEUE, NO_API, report_errors, request_language
from gan.studio.i18n import say, t
from gan.studio.session import data_url
from gan.studio.tabs.base import Tab
from gan.utils import images, validation


class GameTab(Tab):
    """Rounds of the game. Its settings are a `RoundRequest`. Without photos the tab only says so."""

    id, position = "game", 90
    stage_class = "game"

    def build_below_stage(self) -> None:
        """The hidden element through which the script sends a choice and receives the answer."""
        script = "flowers.kit.referee(props, watch, () => trigger('submit'))"
        self.referee = gr.HTML({}, visible="hidden", elem_id="referee", html_template="<i></i>", js_on_load=script)

    def build_controls(self) -> list[Any]:
        """The class, the truncation, and a hidden field for the number of the round."""
        studio = self.studio
        photos = studio.photos
        self.dealer = RoundDealer([len(photos.files(label)) if photos else 0 for label in range(len(studio.classes))])
        self.next_round = self.seed_button("game_next", name="game-next")
        self.label = class_selector(studio.classes, "class", "all")
        self.level, self.off = truncation_controls(studio.truncation, "game_truncation")
        self.round = hidden_text()
        controls = [self.label, self.level, self.off, self.round]
        if not self.dealer.labels:
            for control in (self.next_round, *controls):
                control.visible = control.visible and "hidden"
        gr.HTML(f'<p class="aside">{t("game_about")}</p>', apply_default_css=False)
        return controls

    def connect(self) -> None:
        """Redraw on every change; answer choices."""
        self.redraw_on([self.label.input, self.level.release, self.off.input])
        self.connect_seed_button(self.next_round, [self.round])
        judge = report_errors(self.judge)
        judged = self.referee.submit(judge, self.referee, self.referee, show_progress="hidden", **NO_API, **DRAW_QUEUE)
        judged.then(None, js="() => flowers.kit.refereed()", **NO_API)

    def from_address(self, address: Address) -> RoundRequest:
        """The round that the address describes."""
        label = address.label("game-class", self.studio.classes, None if len(self.studio.classes) > 1 else 0)
        return RoundRequest(address.seed("game-round"), label, address.level("game-truncation"))

    def to_controls(self, wanted: RoundRequest) -> list[Any]:
        """The values of the controls for a round."""
        return [self._class_name(wanted.label), *truncation_values(wanted.truncation), str(wanted.number)]

    def from_controls(self, label: Any, level: Any, off: Any, number: Any) -> RoundRequest:
        """The round that the controls describe. Raises UserError."""
        text = str(number or "")
        number = int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else number
        return self._check(number, label, None if off else level)

    def receive(self, flower: Flower, end: str, now: RoundRequest) -> RoundRequest:
        """The same round: the visitor already knows a flower that they send."""
        return now

    def draw(self, wanted: RoundRequest) -> dict[str, Any]:
        """The four pictures side by side as `sheet`, and what the script sends back with a choice as `asked`."""
        address = {
            "game-class": self._class_name(wanted.label) if len(self.studio.classes) > 1 else "",
            "game-truncation": level_text(wanted.truncation),
            "game-round": str(wanted.number),
        }
        if not self.dealer.labels:
            return {"off": say("game_off", request_language()), "address": {**address, "game-round": ""}}
        dealt = self._deal(wanted)
        return {
            # One file, because sizes and order of four files would give the answer away.
            "sheet": data_url(images.png(np.concatenate(self._pictures(dealt, wanted.truncation), 1))),
            "class": self.studio.classes[dealt.label],
            "asked": self._to_message(wanted),
            "model": self.studio.name,
            "revision": self.studio.model.revision,
            "address": address,
        }

    def judge(self, message: Any) -> dict[str, Any]:
        """The answer to a choice, for the script. `message` is `asked` of `draw`, with a `choice` from 0 to 3.

        Raises UserError for a malformed message, and for a round that another process dealt.
        """
        if not isinstance(message, dict):
            raise UserError(say("game_over", request_language()))
        wanted = self._check(message.get("round"), message.get("class"), message.get("truncation"))
        choice = validation.whole("choice", message.get("choice"), 0, PICTURES - 1)
        if not self.dealer.verify(wanted, message.get("tag")):
            raise UserError(say("game_over", request_language()))
        dealt = self._deal(wanted)
        item = self.studio.items([Flower(dealt.label, dealt.seed, wanted.truncation)])[0]
        return {"tag": message["tag"], "choice": choice, "place": dealt.place, "right": choice == dealt.place, "item": item}

    def _check(self, number: Any, label: Any, level: Any) -> RoundRequest:
        number = validation.whole("number of the round", number, 0, latents.MAX_SEED)
        return RoundRequest(number, check_label(self.studio.classes, label), check_truncation(level))

    def _deal(self, wanted: RoundRequest) -> Round:
        try:
            return self.dealer.deal(wanted)
        except UserError:
            raise UserError(say("game_few", request_language())) from None

    def _pictures(self, dealt: Round, truncation: float | None) -> list[np.ndarray]:
        """The four pictures of a round in order, uint8 S×S×3. Raises UserError if too few photos can be read."""
        photos = self.studio.photos
        found = [square for _, square in islice(readable(photos, dealt), PICTURES - 1)] if photos else []
        if len(found) < PICTURES - 1:
            raise UserError(say("game_few", request_language()))
        found.insert(dealt.place, self.studio.sampler.draw([Flower(dealt.label, dealt.seed, truncation)])[0])
        return found

    def _to_message(self, wanted: RoundRequest) -> dict[str, Any]:
        label = self._class_name(wanted.label)
        return {"round": wanted.number, "class": label, "truncation": wanted.truncation, "tag": self.dealer.tag(wanted)}

    def _class_name(self, label: int | None) -> str:
        return every(self.studio.classes) if label is None else self.studio.classes[label]
