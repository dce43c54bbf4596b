"""The game tab: four pictures, three of them photos of the host's folder, and the visitor says which one was drawn."""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np

from gan.errors import UserError
from gan.networks import latents
from gan.sampling import settings
from gan.sampling.flower import Flower
from gan.studio.game_rounds import PICTURES, Round, RoundDealer, RoundRequest
from gan.studio.i18n import say, t
from gan.studio.session import data_url
from gan.studio.tabs.base import DRAW, HIDDEN, Tab, asked, class_selector, keeper, language, level_values, truncation_controls
from gan.utils import images, validation


class GameTab(Tab):
    id = "game"
    stage = "game"

    def below(self) -> None:
        script = "flowers.kit.referee(props, watch, () => trigger('submit'))"
        self.referee = gr.HTML({}, visible="hidden", elem_id="referee", html_template="<i></i>", js_on_load=script)

    def build(self) -> list[Any]:
        studio = self.studio
        photos = studio.photos
        self.dealer = RoundDealer([len(photos.files(label)) if photos else 0 for label in range(len(studio.classes))])
        self.dice = self.roll("game_next", name="game-next")
        self.label = class_selector(studio.classes, "class", "all")
        self.level, self.off = truncation_controls(studio.truncation, "game_truncation")
        self.round = keeper()
        controls = [self.label, self.level, self.off, self.round]
        if not self.dealer.labels:
            for control in (self.dice, *controls):
                control.visible = control.visible and "hidden"
        gr.HTML(f'<p class="aside">{t("game_about")}</p>', apply_default_css=False)
        return controls

    def listen(self) -> None:
        self.on([self.label.input, self.level.release, self.off.input])
        self.rolled(self.dice, [self.round])
        judged = self.referee.submit(asked(self.judge), self.referee, self.referee, show_progress="hidden", **HIDDEN, **DRAW)
        judged.then(None, js="() => flowers.kit.refereed()", **HIDDEN)

    def find(self, address: settings.Address) -> RoundRequest:
        label = address.label("game-class", self.studio.classes, None if len(self.studio.classes) > 1 else 0)
        return RoundRequest(address.seed("game-round"), label, address.level("game-truncation"))

    def values(self, wanted: RoundRequest) -> list[Any]:
        return [self._name(wanted.label), *level_values(wanted.truncation), str(wanted.number)]

    def read(self, label: Any, level: Any, off: Any, number: Any) -> RoundRequest:
        text = str(number or "")
        number = int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else number
        return self._asked(number, label, None if off else level)

    def take(self, flower: Flower, end: str, *values: Any) -> RoundRequest:
        return self.read(*values)  # a flower of the visitor's own would be no riddle

    def show(self, wanted: RoundRequest) -> dict[str, Any]:
        address = {
            "game-class": self._name(wanted.label) if len(self.studio.classes) > 1 else "",
            "game-truncation": settings.level_text(wanted.truncation),
            "game-round": str(wanted.number),
        }
        if not self.dealer.labels:
            return {"off": say("game_off", language()), "address": {**address, "game-round": ""}}
        dealt = self._deal(wanted)
        return {
            # One file: four would tell by their sizes, or by which comes first.
            "sheet": data_url(images.png(np.concatenate(self._pictures(dealt, wanted.truncation), 1))),
            "class": self.studio.classes[dealt.label],
            "asked": self._letter(wanted),
            "model": self.studio.name,
            "revision": self.studio.model.revision,
            "address": address,
        }

    def judge(self, letter: Any) -> dict[str, Any]:
        """What the page gets for a choice. Raises UserError for one that is none, and for one of another process's rounds."""
        if not isinstance(letter, dict):
            raise UserError(say("game_over", language()))
        wanted = self._asked(letter.get("round"), letter.get("class"), letter.get("truncation"))
        choice = validation.whole("choice", letter.get("choice"), 0, PICTURES - 1)
        if not self.dealer.knows(wanted, letter.get("tag")):
            raise UserError(say("game_over", language()))
        dealt = self._deal(wanted)
        item = self.studio.items([Flower(dealt.label, dealt.seed, wanted.truncation)])[0]
        return {"tag": letter["tag"], "choice": choice, "place": dealt.place, "right": choice == dealt.place, "item": item}

    def _asked(self, number: Any, label: Any, level: Any) -> RoundRequest:
        number = validation.whole("number of the round", number, 0, latents.MAX_SEED)
        return RoundRequest(number, settings.check_label(self.studio.classes, label), settings.check_truncation(level))

    def _deal(self, wanted: RoundRequest) -> Round:
        try:
            return self.dealer.deal(wanted)
        except UserError:
            raise UserError(say("game_few", language())) from None

    def _pictures(self, dealt: Round, truncation: float | None) -> list[np.ndarray]:
        """The four pictures in their places, uint8 S×S×3. Raises UserError where too few photos can be read."""
        files, found = self.studio.photos.files(dealt.label), []
        for number in dealt.photos:
            square = self.studio.photos.square(files[number])
            if square is not None:
                found.append(square)
            if len(found) == PICTURES - 1:
                break
        else:
            raise UserError(say("game_few", language()))
        found.insert(dealt.place, self.studio.sampler.draw([Flower(dealt.label, dealt.seed, truncation)])[0])
        return found

    def _letter(self, wanted: RoundRequest) -> dict[str, Any]:
        """What the page sends back with a choice."""
        label = self._name(wanted.label)
        return {"round": wanted.number, "class": label, "truncation": wanted.truncation, "tag": self.dealer.tag(wanted)}

    def _name(self, label: int | None) -> str:
        return settings.every(self.studio.classes) if label is None else self.studio.classes[label]
