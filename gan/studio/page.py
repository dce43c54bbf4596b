"""The whole page: its tabs, the settings in its address, and flowers sent from one tab to another."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import gradio as gr

from gan.errors import UserError
from gan.sampling.flower import Flower, described
from gan.studio.address import Address
from gan.studio.api import add_api
from gan.studio.handlers import DRAW_QUEUE, NO_API, report_errors
from gan.studio.i18n import marker
from gan.studio.session import Studio
from gan.studio.tabs import find_tabs
from gan.studio.tabs.base import Tab
from gan.studio.theme import title

TABS = find_tabs()
MAX_QUEUE = 128  # requests that wait
CACHE_SECONDS = 900  # age at which Gradio deletes a file


class Page(gr.Blocks):
    """Gradio's Blocks with text in the visitor's language, and with a clear error for API calls that lack values."""

    @property
    def config(self) -> Any:
        """What Gradio sends to a browser. Gradio reads the text once at its start; here it is read for each request."""
        translations = getattr(self, "i18n_instance", None)
        return {**self._config, "i18n_translations": translations.translations_dict} if translations else self._config

    @config.setter
    def config(self, config: Any) -> None:
        self._config = config

    def validate_inputs(self, block_fn: Any, inputs: list[Any]) -> None:
        """Raise gr.Error if an API call has too few values."""
        wanted = len(block_fn.inputs)
        if len(inputs) < wanted:
            raise gr.Error(f"{wanted} values are needed, and {len(inputs)} came; give them all.", print_exception=False)


def build(studio: Studio) -> gr.Blocks:
    """The page for a loaded model, with its API."""
    with Page(title=title(), analytics_enabled=False, delete_cache=(CACHE_SECONDS // 3, CACHE_SECONDS)) as page:
        gr.HTML(marker("page_header"), elem_id="head", apply_default_css=False)
        with gr.Tabs(elem_id="tabs") as tab_bar:
            tabs = [make(studio) for make in TABS]
        gr.HTML(marker("page_footer"), elem_id="foot", apply_default_css=False)
        _Router(studio, tab_bar, tabs).connect(page)
        add_api(studio)
    page.queue(max_size=MAX_QUEUE, api_open=False)
    return page


class _Router:
    """Handles what concerns several tabs: restoring the page from its address, and sending a flower to a tab.

    The outputs of both are the tab bar, the controls of all tabs, and the stages of all tabs.
    """

    def __init__(self, studio: Studio, tab_bar: gr.Tabs, tabs: Sequence[Tab]) -> None:
        self.studio, self.tab_bar, self.tabs = studio, tab_bar, tabs
        self.numbers = {tab.id: number for number, tab in enumerate(tabs)}
        self.controls = [control for tab in tabs for control in tab.controls]

    def connect(self, page: gr.Blocks) -> None:
        """Connect the events of the page with `restore` and `send`."""
        outputs = [self.tab_bar, *self.controls, *(tab.stage for tab in self.tabs)]
        options: dict[str, Any] = {"show_progress": "hidden", **NO_API}
        address = gr.HTML(elem_id="opened", visible="hidden")  # receives the address when the page is opened
        read = "() => flowers.address()"
        start = page.load(report_errors(self.restore), address, outputs, js=read, **options, **DRAW_QUEUE)
        start.then(None, js="() => flowers.restored()", **NO_API)

        script = "flowers.mail(props, () => trigger('submit'))"
        mail = gr.HTML({}, visible="hidden", elem_id="mail", html_template="<i></i>", js_on_load=script)
        sent = mail.submit(report_errors(self.send), [mail, *self.controls], outputs, **options, **DRAW_QUEUE)
        sent.then(None, js="() => flowers.delivered()", **NO_API)

        script = "flowers.whole(props, watch, () => trigger('submit'))"
        whole = gr.HTML({}, visible="hidden", elem_id="whole", html_template="<i></i>", js_on_load=script)
        whole.submit(report_errors(self.draw_whole), whole, whole, trigger_mode="always_last", **options, **DRAW_QUEUE)

    def restore(self, query: Any) -> list[Any]:
        """Set every control as the address says, and draw the open tab."""
        address = self._address(query)
        wanted = [tab.from_address(address) for tab in self.tabs]
        number = address.choice("tab", self.numbers, 0)
        try:
            stages = self._stages(number, wanted[number])
        except UserError:  # the address has extras of another model, or forged ones: the tab opens with its defaults
            wanted[number] = self.tabs[number].from_address(self._address(""))
            stages = self._stages(number, wanted[number])
        values = [value for tab, one in zip(self.tabs, wanted) for value in tab.to_controls(one)]
        return [gr.Tabs(selected=self.tabs[number].id), *values, *stages]

    def send(self, message: Any, *values: Any) -> list[Any]:
        """Give a flower to another tab, and open that tab. `values` are those of all controls."""
        number, flower, end = self._read(message)
        first = sum(len(tab.controls) for tab in self.tabs[:number])
        tab = self.tabs[number]
        own = slice(first, first + len(tab.controls))
        try:
            now = tab.from_controls(*values[own])
        except UserError:  # a field of the tab was left empty
            now = tab.from_address(self._address(""))
        wanted = tab.receive(flower, end, now)
        updates = [gr.skip()] * len(self.controls)
        updates[own] = tab.to_controls(wanted)
        return [gr.Tabs(selected=tab.id), *updates, *self._stages(number, wanted)]

    def draw_whole(self, message: Any) -> dict[str, Any]:
        """The PNG file of a flower of which the page has a preview; `asked` is the page's number of it. Raises UserError."""
        wanted = message if isinstance(message, dict) else {}
        flower = described(self.studio.classes, wanted.get("flower"))
        return {"item": self.studio.items([flower])[0], "asked": wanted.get("asked")}

    def _address(self, query: Any) -> Address:
        return Address(query, lambda: secrets.randbelow(2**32), self.studio.truncation)

    def _stages(self, number: int, wanted: Any) -> list[Any]:
        """The value of one tab's stage, and no update for the others."""
        return [tab.link_value(wanted) if place == number else gr.skip() for place, tab in enumerate(self.tabs)]

    def _read(self, message: Any) -> tuple[int, Flower, str]:
        """The tab's number, the flower and the end that a message of the page's script names. Raises UserError."""
        if not isinstance(message, dict) or message.get("to") not in self.numbers:
            raise UserError("there is no such tab; reload the page.")
        flower = described(self.studio.classes, message.get("flower"))
        return self.numbers[message["to"]], flower, "from" if message.get("end") == "from" else "to"
