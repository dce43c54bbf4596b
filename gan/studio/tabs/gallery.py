"""The Gallery tab: the flowers that a visitor keeps, compared side by side, and on a contact sheet.

What is kept is in the visitor's browser alone (`script/gallery.js`); the server draws it anew from its values.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from gan.errors import UserError
from gan.sampling import collection, settings
from gan.sampling.flower import Flower
from gan.studio import contact_sheet
from gan.studio.i18n import LANGUAGES, class_titles, say, t
from gan.studio.session import cached
from gan.studio.tabs.base import DRAW, FILM, HIDDEN, Tab, answering, asked, keeper, language
from gan.utils.names import file_stem

LEAST_COMPARED, MOST_COMPARED = 2, 4
AT_ONCE = 4  # pictures of a sheet between two looks at whether it was cancelled
KINDS = {"png": contact_sheet.png, "pdf": contact_sheet.document}


class GalleryTab(Tab):
    id = "gallery"
    stage = "compared"

    def below(self) -> None:
        self.kept = _fill("gallery-kept", "kept")

    def build(self) -> list[Any]:
        self.tools = _fill("gallery-tools", "tools")
        with gr.Row(elem_classes="sheet-buttons"):
            self.kinds = {
                kind: gr.Button(t(f"gallery_sheet_{kind}"), elem_id=f"gallery-sheet-{kind}", min_width=60) for kind in KINDS
            }
        self.progress = _fill("gallery-progress", "progress")
        self.file = gr.File(visible="hidden", interactive=False)
        self.compared = keeper()
        return [self.compared]

    def listen(self) -> None:
        quiet = {**HIDDEN, "show_progress": "hidden"}
        self.pictures.submit(
            asked(self._compare), self.pictures, [self.pictures, self.compared], trigger_mode="always_last", **quiet, **DRAW
        )
        self.kept.submit(asked(self._one), self.kept, self.kept, trigger_mode="always_last", **quiet, **DRAW)
        made = []
        for kind, button in self.kinds.items():
            steps = button.click(
                self._sheet(kind),
                self.tools,
                [self.file, self.progress],
                js="() => [flowers.gallery.wanted()]",
                **quiet,
                **FILM,
            )
            steps.success(None, self.file, None, js="(file) => flowers.gallery.made(file)", **HIDDEN)
            steps.then(None, js="() => flowers.gallery.ended()", **HIDDEN)
            made.append(steps)
        self.progress.submit(None, cancels=made, **HIDDEN)

    # --------------------------------------------------------------------------------------------------- the comparison

    def find(self, address: settings.Address) -> tuple[Flower, ...]:
        flowers = collection.read(address.text("gallery-compare"), self.studio.classes, MOST_COMPARED)
        try:
            self.studio.sampler.latents(flowers) if flowers else None
        except UserError:  # moved or crossed in another model
            return ()
        return flowers

    def values(self, wanted: tuple[Flower, ...]) -> list[Any]:
        return [collection.write(wanted)]

    def read(self, compared: Any) -> tuple[Flower, ...]:
        return collection.read(compared, self.studio.classes, MOST_COMPARED)

    def show(self, wanted: tuple[Flower, ...]) -> dict[str, Any]:
        items = self.studio.items(wanted) if wanted else []
        return {"items": items, "address": {"gallery-compare": collection.write(wanted)}}

    def take(self, flower: Flower, end: str, *values: Any) -> tuple[Flower, ...]:
        return (*self.read(*values), flower)[-MOST_COMPARED:]

    def _compare(self, letter: Any) -> tuple[dict[str, Any], str]:
        """Draw two to four flowers side by side, or none."""
        flowers = tuple(self._flowers(letter))
        if len(flowers) not in (0, *range(LEAST_COMPARED, MOST_COMPARED + 1)):
            raise UserError(say("gallery_compare_hint", language()))
        return self.value(flowers), collection.write(flowers)

    # -------------------------------------------------------------------------------------------------------- the files

    def _one(self, letter: Any) -> dict[str, Any]:
        """Draw one of the kept flowers, to be shown large."""
        flowers = self._flowers(letter)
        if len(flowers) != 1:
            raise UserError(say("gallery_bad", language()))
        return {"item": self.studio.items(flowers)[0]}

    def _sheet(self, kind: str) -> Any:
        def steps(letter: Any) -> Iterator[tuple[Any, Any]]:
            """Draw the flowers, saying how far it has come, and put them on a sheet."""
            with answering():
                flowers = self._flowers(letter)
                if not flowers:
                    raise UserError(say("gallery_sheet_none", language()))
                pictures: list[Any] = []
                while len(pictures) < len(flowers):
                    yield gr.skip(), {"done": len(pictures), "of": len(flowers)}
                    pictures += list(self.studio.sampler.draw(flowers[len(pictures) : len(pictures) + AT_ONCE]))
                names = class_titles(self.studio.classes, LANGUAGES[0])
                drawn = contact_sheet.Sheet(flowers, pictures, self.studio.classes, names, self.studio.about())
                name = f"{file_stem('flowers', self.studio.name, len(flowers))}.{kind}"
                yield cached(name, KINDS[kind](drawn)), {"done": len(flowers), "of": len(flowers)}

        return steps

    def _flowers(self, letter: Any) -> list[Flower]:
        """The flowers of a letter of the page's script. Raises UserError."""
        values = letter.get("flowers") if isinstance(letter, dict) else None
        if isinstance(values, list) and len(values) > collection.MOST:
            raise UserError(say("gallery_sheet_many", language(), count=len(values), most=collection.MOST))
        return collection.checked(self.studio.classes, values)


def _fill(name: str, kind: str) -> gr.HTML:
    """An element that `script/gallery.js` fills."""
    return gr.HTML(
        {}, html_template=f'<div class="{kind}"></div>', elem_id=name, apply_default_css=False,
        js_on_load=f"flowers.gallery[{kind!r}](element, props, watch, trigger)",
    )  # fmt: skip
