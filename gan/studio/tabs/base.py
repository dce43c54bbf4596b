"""What all tabs have in common: settings that live in the address, controls, and a stage on which a script shows pictures."""

from __future__ import annotations

import html
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any

import gradio as gr

from gan.errors import UserError
from gan.networks import latents
from gan.sampling import settings
from gan.sampling.flower import Flower
from gan.studio.i18n import TEXT, class_names, language_of, say, t
from gan.studio.session import Studio, cached

DRAW = {"concurrency_id": "draw", "concurrency_limit": 4}  # the sampler's threads are shared anyway: this bounds the waiting
FILM = {"concurrency_id": "film", "concurrency_limit": 2}  # encoding takes longer, and must not keep flowers waiting
HIDDEN = {"api_visibility": "private"}


class Tab:
    """A tab. A subclass names itself, builds its controls, and turns what they hold into settings, and settings into a value
    for its stage, which `script/<id>.js` shows.

    Settings are whatever the subclass likes; they come from the address, from the controls, or from a flower that a visitor
    sends from another tab, and every value of the stage has the address that brings it back.
    """

    id: str
    stage = ""  # the class of the element that the script fills

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.quiet = {**HIDDEN, "show_progress": "minimal"}
        with gr.Tab(t(f"tab_{self.id}"), id=self.id, elem_classes="room") as self.tab:
            with gr.Row(equal_height=False, elem_classes="bench"):
                with gr.Column(scale=3, min_width=0, elem_classes="stage"):
                    self.pictures = stage(self.id, self.stage)
                    self.below()
                with gr.Column(scale=1, min_width=0, elem_classes="controls"):
                    self.controls = self.build()
            self.quiet["show_progress_on"] = self.pictures
            self.draw = asked(self._draw)
            self._on_opening()
            self.listen()

    # ------------------------------------------------------------------------------------------- what a subclass says

    def below(self) -> None:
        """Add widgets below the pictures."""

    def build(self) -> list[Any]:
        """Make the controls; what is returned is what `values` fills and `read` reads."""
        raise NotImplementedError

    def listen(self) -> None:
        """Say what happens when a control changes."""
        raise NotImplementedError

    def find(self, address: settings.Address) -> Any:
        """The settings that an address says."""
        raise NotImplementedError

    def values(self, wanted: Any) -> list[Any]:
        """What the controls show for these settings."""
        raise NotImplementedError

    def read(self, *values: Any) -> Any:
        """The settings the controls stand for. Raises UserError."""
        raise NotImplementedError

    def show(self, wanted: Any) -> dict[str, Any]:
        """What the stage shows for these settings, `address` among it. Raises UserError."""
        raise NotImplementedError

    def take(self, flower: Flower, end: str, *values: Any) -> Any:
        """The settings after a flower has arrived from another tab (as its `end`, where there are two)."""
        raise NotImplementedError

    # ------------------------------------------------------------------------------------------------------- the rest

    def _draw(self, *values: Any) -> Any:
        # A field that has just been emptied is not an error yet.
        return gr.skip() if None in values else self.value(self.read(*values))

    def value(self, wanted: Any) -> dict[str, Any]:
        """What `show` gives, its address saying that this tab is open."""
        shown = self.show(wanted)
        return {**shown, "address": {"tab": self.id, **shown["address"]}}

    def on(self, events: Sequence[Any]) -> None:
        """Draw after any of `events`; of those that come while one is being drawn only the last counts."""
        gr.on(events, self.draw, self.controls, self.pictures, trigger_mode="always_last", **self.quiet, **DRAW)

    def follow(self, event: Any) -> None:
        """Draw after what `event` began has come to its end."""
        event.then(self.draw, self.controls, self.pictures, trigger_mode="always_last", **self.quiet, **DRAW)

    def roll(self, label: str, name: str) -> gr.Button:
        """A button, and the key R, for new seeds; `rolled` says which."""
        return gr.Button(t(label), variant="primary", elem_id=name, elem_classes="dice")

    def rolled(self, button: gr.Button, seeds: Sequence[Any]) -> None:
        """Draw new seeds when `button` is pressed."""
        fresh = ", ".join(["flowers.seed()"] * len(seeds))
        script = f"() => {fresh}" if len(seeds) == 1 else f"() => [{fresh}]"
        self.follow(button.click(None, None, list(seeds), js=script, **HIDDEN))

    def _on_opening(self) -> None:
        """Write the open tab into the address, and draw its pictures when it has none yet."""
        script = f"(_, ...values) => [flowers.opened('{self.id}'), ...values]"

        def first(empty: Any, *values: Any) -> Any:
            return self._draw(*values) if empty is True else gr.skip()

        self.tab.select(asked(first), [self.pictures, *self.controls], self.pictures, js=script, **self.quiet, **DRAW)


def stage(name: str, kind: str) -> gr.HTML:
    """The element that `script/<name>.js` fills."""
    return gr.HTML(
        {}, html_template=f'<div class="{kind}"></div>', elem_id=f"{name}-pictures", apply_default_css=False,
        js_on_load=f"flowers.stages[{name!r}](element, props, watch, trigger)",
    )  # fmt: skip


def asked(handler: Callable[..., Any], *, on_page: bool = True) -> Callable[..., Any]:
    """Show what a visitor got wrong as one sentence `on_page` or to the API's caller, and nothing in the log."""

    @wraps(handler)
    def answer(*values: Any) -> Any:
        with answering(on_page=on_page):
            return handler(*values)

    return answer


@contextmanager
def answering(*, on_page: bool = True) -> Iterator[None]:
    """The same for a part of a handler: one that answers in steps, as a generator, is no function to be wrapped."""
    try:
        yield
    except UserError as error:
        raise refused(error, on_page=on_page) from None
    except gr.Error:
        raise
    except Exception:
        traceback.print_exc()
        raise gr.Error(say("failed", language()), print_exception=False) from None


def refused(error: UserError, *, on_page: bool = True) -> gr.Error:
    """The framework's error for a sentence of ours."""
    sentence = html.escape(str(error), quote=False) if on_page else str(error)  # the page shows messages as HTML
    return gr.Error(sentence[:1].upper() + sentence[1:], print_exception=False)


def language() -> str:
    """The language of the visitor whose request is being answered."""
    from gradio.context import LocalContext

    request = LocalContext.request.get(None)
    return language_of(request.headers) if request is not None else "en"


# --------------------------------------------------------------------------------------------------------------- widgets


MANY = 24  # classes that can be seen at a glance; more of them are looked for by name


def class_selector(classes: Sequence[str], label: str, everything: str | None = None) -> gr.Radio | gr.Dropdown:
    """The selector of a class, hidden where there is only one; `everything` names the words for "any of them"."""
    choices = list(zip(class_names(classes), classes))
    if everything:
        name, words = settings.every(classes), {text[everything] for text in TEXT.values()}
        choices.insert(0, (t(everything) if words.isdisjoint(label for label, _ in choices) else name, name))
    about = {"value": choices[0][1], "label": t(label), "visible": len(classes) > 1}
    if len(classes) > MANY:
        return gr.Dropdown(choices, info=t("find_class"), elem_classes="finder", **about)
    return gr.Radio(choices, elem_classes="chips", **about)


def seed_slider() -> gr.Slider:
    """A seed to be dragged through or typed."""
    return gr.Slider(
        0, latents.MAX_SEED, 0, step=1, label=t("seed"), info=t("seed_hint"), buttons=[], elem_classes=["level", "seed"]
    )


def seed_number(label: str, *, under: bool = False) -> gr.Number:
    """The field of a seed; one `under` the class it goes with shows its label to screen readers only."""
    look = ["seed", "under"] if under else "seed"
    return gr.Number(
        0, label=t(label), precision=0, minimum=0, maximum=latents.MAX_SEED, step=1, min_width=120, elem_classes=look
    )


def slider(label: str, low: float, high: float, value: float, step: float, info: str | None = None) -> gr.Slider:
    """A slider with its number beside it; listen to its `release`, which the page's script sends while it is dragged, too."""
    about = t(info) if info else None
    return gr.Slider(low, high, value, step=step, label=t(label), info=about, buttons=[], elem_classes="level")


def truncation_controls(level: float, info: str | None = None) -> tuple[gr.Slider, gr.Checkbox]:
    """The truncation and the switch that turns it off."""
    level_slider = slider("truncation", latents.MIN_TRUNCATION, latents.MAX_TRUNCATION, level, 0.01, info)
    off = gr.Checkbox(False, label=t("truncation_off"), container=False, elem_classes="switch")
    off.change(None, off, level_slider, js="(off) => ({interactive: !off, __type__: 'update'})", **HIDDEN)
    return level_slider, off


def level_values(truncation: float | None) -> tuple[Any, bool]:
    """What the two controls show for a truncation."""
    if truncation is None:
        return gr.Slider(interactive=False), True
    return gr.Slider(value=truncation, interactive=True), False


def keeper() -> gr.Textbox:
    """A field that no one sees, for a flower's extras (settings.py)."""
    return gr.Textbox("", visible="hidden", show_label=False)


class OneFlower:
    """The controls of one flower, for tabs that are about one: its class, seed, truncation, and what was done to it."""

    def __init__(self, studio: Studio, prefix: str, info: str | None = None, *, level: bool = True) -> None:
        """`prefix` is what its parameters in the address begin with; without `level` it is drawn at the model's truncation."""
        self.studio, self.prefix, self.level = studio, prefix, level
        self.label = class_selector(studio.classes, "class")
        self.seed = seed_number("seed")
        self.controls = [self.label, self.seed]
        if level:
            self.slider, self.off = truncation_controls(studio.truncation, info)
            self.controls += [self.slider, self.off]
        self.extras = keeper()
        self.controls.append(self.extras)

    @property
    def changes(self) -> list[Any]:
        """The events after which the flower is another one."""
        events = [self.label.input, self.seed.input]
        return [*events, self.slider.release, self.off.input] if self.level else events

    def find(self, address: settings.Address) -> Flower:
        """The flower that an address says."""
        label = address.label(f"{self.prefix}-class", self.studio.classes, 0)
        level = address.level(f"{self.prefix}-truncation") if self.level else self.studio.truncation
        flower = Flower(label, address.seed(f"{self.prefix}-seed"), level).resolve(len(self.studio.classes))
        return settings.with_extras(flower, address.text(f"{self.prefix}-extras"), self.studio.classes)

    def values(self, flower: Flower) -> list[Any]:
        """What the controls show for a flower."""
        name = self.studio.classes[settings.main_class(flower)]
        level = level_values(flower.truncation) if self.level else ()
        return [name, flower.seed, *level, settings.extras(flower)]

    def read(self, *values: Any) -> Flower:
        """The flower the controls stand for. Raises UserError."""
        label, seed, *level, extras = values
        truncation = (None if level[1] else level[0]) if self.level else self.studio.truncation
        about = {"class": label, "seed": seed, "truncation": truncation, "extras": extras}
        return settings.described(self.studio.classes, about)

    def to_address(self, flower: Flower) -> dict[str, str]:
        """The flower as parameters of the page's address; an empty one is to be taken out."""
        pairs = {
            "class": self.studio.classes[settings.main_class(flower)] if len(self.studio.classes) > 1 else "",
            "seed": str(flower.seed),
            "truncation": settings.level_text(flower.truncation) if self.level else "",
            "extras": settings.extras(flower),
        }
        return {f"{self.prefix}-{key}": value for key, value in pairs.items()}


def offer(button: gr.Button, make: Callable[..., tuple[str, bytes]], inputs: list[Any]) -> None:
    """Make a file when `button` is pressed, and hand it to the visitor's browser."""
    file = gr.File(visible="hidden", interactive=False)
    busy = {**HIDDEN, "show_progress": "minimal", "show_progress_on": button}
    made = button.click(asked(lambda *values: cached(*make(*values))), inputs, file, **busy, **FILM)
    made.success(None, file, None, js="(file) => flowers.save(file)", **HIDDEN)
