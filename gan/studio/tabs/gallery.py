"""The Gallery tab: flowers that the visitor keeps, compared side by side, in a film, and printed on a contact sheet.

The kept flowers are stored only in the visitor's browser (`script/gallery.js`). The server draws them again from their values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from gan.errors import UserError
from gan.sampling import collection, films
from gan.sampling.flower import Flower
from gan.studio import contact_sheet
from gan.studio.address import Address
from gan.studio.controls import hidden_text
from gan.studio.handlers import DRAW_QUEUE, FILM_QUEUE, NO_API, report_errors, reporting_errors, request_language
from gan.studio.i18n import LANGUAGES, class_titles, say, t
from gan.studio.session import frame_url, save_to_cache
from gan.studio.tabs.base import Tab, connect_download
from gan.utils import images
from gan.utils.names import file_stem

MIN_COMPARED, MAX_COMPARED = 2, 4
MIN_FILMED, MAX_FILMED = 2, 12  # a second of film is drawn for each
SHEET_BATCH = 4  # flowers drawn before a sheet reports its progress and can be canceled
SHEETS = {"png": contact_sheet.png, "pdf": contact_sheet.document}


class GalleryTab(Tab):
    """Kept flowers. Its settings are the flowers that are compared."""

    id, position = "gallery", 100
    stage_class = "compared"

    def build_below_stage(self) -> None:
        """The film with its files, and the kept flowers."""
        self.film = _script_element("gallery-film", "film")
        with gr.Row(elem_classes="downloads", elem_id="gallery-film-files"):
            self.film_buttons = {
                kind: gr.Button(t(f"download_{kind}"), elem_id=f"gallery-film-{kind}", min_width=60) for kind in films.KINDS
            }
        self.filmed = hidden_text()
        self.kept = _script_element("gallery-kept", "kept")

    def build_controls(self) -> list[Any]:
        """The tools, the buttons for contact sheets, and a hidden field for the compared flowers."""
        self.tools = _script_element("gallery-tools", "tools")
        with gr.Row(elem_classes="sheet-buttons"):
            self.sheet_buttons = {
                kind: gr.Button(t(f"gallery_sheet_{kind}"), elem_id=f"gallery-sheet-{kind}", min_width=60) for kind in SHEETS
            }
        self.progress = _script_element("gallery-progress", "progress")
        self.file = gr.File(visible="hidden", interactive=False)
        self.compared = hidden_text()
        return [self.compared]

    def connect(self) -> None:
        """Answer the script's requests: compare flowers, draw one, make a film or a contact sheet."""
        options: dict[str, Any] = {**NO_API, "show_progress": "hidden"}
        last: dict[str, Any] = {**options, **DRAW_QUEUE, "trigger_mode": "always_last"}
        self.stage.submit(report_errors(self._compare), self.stage, [self.stage, self.compared], **last)
        opened = self.kept.submit(report_errors(self._draw_one), self.kept, self.kept, **last)
        opened.then(None, js="() => flowers.gallery.answered()", **NO_API)
        film = {**last, **FILM_QUEUE}
        drawn = self.film.submit(report_errors(self._draw_film), self.film, [self.film, self.filmed], **film)
        drawn.then(None, js="() => flowers.gallery.filmed()", **NO_API)
        for kind, button in self.film_buttons.items():
            connect_download(button, lambda text, kind=kind: self.studio.walk_film(self._filmed(text), kind), [self.filmed])
        sheets: list[Any] = []
        for kind, button in self.sheet_buttons.items():
            outputs, script = [self.file, self.progress], "() => [flowers.gallery.wanted()]"
            sheet = button.click(self._make_sheet(kind), self.tools, outputs, js=script, **options, **FILM_QUEUE)
            sheet.success(None, self.file, None, js="(file) => flowers.gallery.made(file)", **NO_API)
            sheet.then(None, js="() => flowers.gallery.ended()", **NO_API)
            sheets.append(sheet)
        self.progress.submit(None, cancels=sheets, **NO_API)

    # --------------------------------------------------------------------------------------------------- the comparison

    def from_address(self, address: Address) -> tuple[Flower, ...]:
        """The flowers that the address compares; none if one of them does not fit the model."""
        flowers = collection.read(address.text("gallery-compare"), self.studio.classes, MAX_COMPARED)
        return flowers if self.studio.can_draw(flowers) else ()

    def to_controls(self, wanted: tuple[Flower, ...]) -> list[Any]:
        """The value of the hidden field."""
        return [collection.write(wanted)]

    def from_controls(self, compared: Any) -> tuple[Flower, ...]:
        """The flowers of the hidden field; none if it is malformed."""
        return collection.read(compared, self.studio.classes, MAX_COMPARED)

    def draw(self, wanted: tuple[Flower, ...]) -> dict[str, Any]:
        """The compared flowers as `items`."""
        items = self.studio.items(wanted) if wanted else []
        return {"items": items, "address": {"gallery-compare": collection.write(wanted)}}

    def receive(self, flower: Flower, end: str, now: tuple[Flower, ...]) -> tuple[Flower, ...]:
        """The flower beside those that are compared; if there are too many, the first is dropped."""
        return (*now, flower)[-MAX_COMPARED:]

    def _compare(self, message: Any) -> tuple[dict[str, Any], str]:
        """Draw two to four flowers side by side, or none. Raises UserError for another number."""
        flowers = tuple(self._flowers(message))
        if len(flowers) not in (0, *range(MIN_COMPARED, MAX_COMPARED + 1)):
            raise UserError(say("gallery_compare_hint", request_language()))
        return self.draw(flowers), collection.write(flowers)

    # -------------------------------------------------------------------------------------------------------- the files

    def _draw_one(self, message: Any) -> dict[str, Any]:
        """Draw one of the kept flowers, to be shown large."""
        flowers = self._flowers(message)
        if len(flowers) != 1:
            raise UserError(say("gallery_bad", request_language()))
        return {"item": self.studio.items(flowers)[0]}

    def _draw_film(self, message: Any) -> tuple[dict[str, Any], str]:
        """The loop through 2 to 12 flowers: its pictures, and the flowers as text. Raises UserError for another number."""
        text = collection.write(self._flowers(message))
        flowers = self._filmed(text)
        frames = [frame_url(frame) for frame in self.studio.walk(flowers)]
        return {"frames": frames, "rate": images.FRAMES_A_SECOND, "count": len(flowers)}, text

    def _filmed(self, text: Any) -> tuple[Flower, ...]:
        """The flowers of the film whose text this is. Raises UserError."""
        flowers = collection.read(text, self.studio.classes, MAX_FILMED)
        if len(flowers) < MIN_FILMED:
            raise UserError(say("gallery_film_hint", request_language()))
        return flowers

    def _make_sheet(self, kind: str) -> Callable[[Any], Iterator[tuple[Any, Any]]]:
        def steps(message: Any) -> Iterator[tuple[Any, Any]]:
            """Draw the flowers and put them on a sheet. Yields (path of the file or no update, progress)."""
            with reporting_errors():
                flowers = self._flowers(message)
                if not flowers:
                    raise UserError(say("gallery_sheet_none", request_language()))
                pictures: list[Any] = []
                while len(pictures) < len(flowers):
                    yield gr.skip(), {"done": len(pictures), "of": len(flowers)}
                    pictures += list(self.studio.sampler.draw(flowers[len(pictures) : len(pictures) + SHEET_BATCH]))
                names = class_titles(self.studio.classes, LANGUAGES[0])
                sheet = contact_sheet.Sheet(flowers, pictures, self.studio.classes, names, self.studio.about())
                name = f"{file_stem('flowers', self.studio.name, len(flowers))}.{kind}"
                yield save_to_cache(name, SHEETS[kind](sheet)), {"done": len(flowers), "of": len(flowers)}

        return steps

    def _flowers(self, message: Any) -> list[Flower]:
        """The flowers of a message from the page's script. Raises UserError."""
        values = message.get("flowers") if isinstance(message, dict) else None
        if isinstance(values, list) and len(values) > collection.MOST:
            raise UserError(say("gallery_sheet_many", request_language(), count=len(values), most=collection.MOST))
        return collection.checked(self.studio.classes, values)


def _script_element(name: str, function: str) -> gr.HTML:
    """An element that `flowers.gallery.<function>` of `script/gallery.js` fills."""
    return gr.HTML(
        {}, html_template=f'<div class="{function}"></div>', elem_id=name, apply_default_css=False,
        js_on_load=f"flowers.gallery[{function!r}](element, props, watch, trigger)",
    )  # fmt: skip
