"""The whole page: the tabs, what an address opens, and what one tab sends to another."""

from __future__ import annotations

import secrets
from typing import Any

import gradio as gr

from gan.errors import UserError
from gan.sampling import settings
from gan.studio.api import add_api
from gan.studio.i18n import mark
from gan.studio.session import Studio
from gan.studio.tabs.base import DRAW, HIDDEN, Tab, asked
from gan.studio.tabs.copies import CopiesTab
from gan.studio.tabs.explore import ExploreTab
from gan.studio.tabs.gallery import GalleryTab
from gan.studio.tabs.game import GameTab
from gan.studio.tabs.generate import GenerateTab
from gan.studio.tabs.growth import GrowthTab
from gan.studio.tabs.interpolate import InterpolateTab
from gan.studio.tabs.ladder import LadderTab
from gan.studio.tabs.truncation import TruncationTab
from gan.studio.tabs.yours import YoursTab

TABS: tuple[type[Tab], ...] = (
    GenerateTab, InterpolateTab, ExploreTab, TruncationTab, GrowthTab, LadderTab, YoursTab, CopiesTab, GameTab, GalleryTab,
)  # fmt: skip
QUEUE = 128
CACHE_SECONDS = 900


class Page(gr.Blocks):
    """Blocks whose words are those of the visitor's language, and whose API says in one sentence that values are missing."""

    @property
    def config(self) -> Any:
        """What the framework sends to a browser. It asks for the words once, when it starts; here they are asked for anew."""
        words = getattr(self, "i18n_instance", None)
        return {**self._config, "i18n_translations": words.translations_dict} if words else self._config

    @config.setter
    def config(self, config: Any) -> None:
        self._config = config

    def validate_inputs(self, block_fn: Any, inputs: list[Any]) -> None:
        wanted = len(block_fn.inputs)
        if len(inputs) < wanted:
            raise gr.Error(f"{wanted} values are needed, and {len(inputs)} came; give them all.", print_exception=False)


def build(studio: Studio) -> gr.Blocks:
    """The whole page for a loaded model, with its API."""
    from gan.studio.theme import title

    with Page(title=title(), analytics_enabled=False, delete_cache=(CACHE_SECONDS // 3, CACHE_SECONDS)) as page:
        gr.HTML(mark("page_header"), elem_id="head", apply_default_css=False)
        with gr.Tabs(elem_id="tabs") as tabs:
            rooms = [make(studio) for make in TABS]
        gr.HTML(mark("page_footer"), elem_id="foot", apply_default_css=False)
        _connect(page, tabs, rooms)
        add_api(studio)
    page.queue(max_size=QUEUE, api_open=False)
    return page


def _connect(page: gr.Blocks, tabs: gr.Tabs, rooms: list[Tab]) -> None:
    """Open what the address says, and carry flowers from tab to tab."""
    address = gr.HTML(elem_id="opened", visible="hidden")  # receives the address on opening
    controls = [control for room in rooms for control in room.controls]
    outputs = [tabs, *controls, *(room.pictures for room in rooms)]
    studio = rooms[0].studio

    def restore(query: Any) -> list[Any]:
        """Give every control the value that the address says, and draw the open tab."""
        found = settings.Address(query, lambda: secrets.randbelow(2**32), studio.truncation)
        wanted = [room.find(found) for room in rooms]
        open_ = found.choice("tab", {room.id: number for number, room in enumerate(rooms)}, 0)
        try:
            stages = _stages(rooms, open_, wanted[open_])
        except UserError:  # what was done to a flower of another model, or by nobody: the tab opens as if nothing were said
            nothing = settings.Address("", lambda: secrets.randbelow(2**32), studio.truncation)
            wanted[open_] = rooms[open_].find(nothing)
            stages = _stages(rooms, open_, wanted[open_])
        values = [value for room, one in zip(rooms, wanted) for value in room.values(one)]
        return [gr.Tabs(selected=rooms[open_].id), *values, *stages]

    start = page.load(asked(restore), address, outputs, js="() => flowers.address()", show_progress="hidden", **HIDDEN, **DRAW)
    start.then(None, js="() => flowers.restored()", **HIDDEN)

    def deliver(letter: Any, *values: Any) -> list[Any]:
        """Put a flower into another tab, and come to the front."""
        number, flower, end = _read(letter, rooms)
        first = sum(len(room.controls) for room in rooms[:number])
        room = rooms[number]
        wanted = room.take(flower, end, *values[first : first + len(room.controls)])
        skipped = [gr.skip()] * len(controls)
        skipped[first : first + len(room.controls)] = room.values(wanted)
        return [gr.Tabs(selected=room.id), *skipped, *_stages(rooms, number, wanted)]

    script = "flowers.mail(props, () => trigger('submit'))"
    mail = gr.HTML({}, visible="hidden", elem_id="mail", html_template="<i></i>", js_on_load=script)
    sent = mail.submit(asked(deliver), [mail, *controls], outputs, show_progress="hidden", **HIDDEN, **DRAW)
    sent.then(None, js="() => flowers.delivered()", **HIDDEN)


def _stages(rooms: list[Tab], number: int, wanted: Any) -> list[Any]:
    return [room.value(wanted) if place == number else gr.skip() for place, room in enumerate(rooms)]


def _read(letter: Any, rooms: list[Tab]) -> tuple[int, Any, str]:
    """Which tab, flower and end a letter of the page's script means. Raises UserError."""
    known = {room.id: number for number, room in enumerate(rooms)}
    if not isinstance(letter, dict) or letter.get("to") not in known:
        raise UserError("there is no such tab; reload the page.")
    flower = settings.described(rooms[0].studio.classes, letter.get("flower"))
    return known[letter["to"]], flower, "from" if letter.get("end") == "from" else "to"
