"""The controls that several tabs use: class, seed, truncation, and the group of controls that describes one flower."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from gan.networks import latents
from gan.sampling.flower import Flower, described, every, extras, level_text, main_class, with_extras
from gan.studio.address import Address
from gan.studio.handlers import NO_API
from gan.studio.i18n import TEXT, class_names, t
from gan.studio.session import Studio

MAX_RADIO_CLASSES = 24  # with more classes, a visitor searches for a name in a list


def class_selector(
    classes: Sequence[str], label: str, all_label: str | None = None, css_id: str | None = None
) -> gr.Radio | gr.Dropdown:
    """A selector of one class, hidden if the model has only one.

    `label` and `all_label` are keys of the page's text. With `all_label`, the first choice is every class. `css_id` is for
    the styles.
    """
    choices = list(zip(class_names(classes), classes))
    if all_label:
        name, words = every(classes), {text[all_label] for text in TEXT.values()}
        choices.insert(0, (t(all_label) if words.isdisjoint(label for label, _ in choices) else name, name))
    options: dict[str, Any] = {"value": choices[0][1], "label": t(label), "visible": len(classes) > 1, "elem_id": css_id}
    if len(classes) > MAX_RADIO_CLASSES:
        return gr.Dropdown(choices, info=t("find_class"), elem_classes="finder", **options)
    return gr.Radio(choices, elem_classes="chips", **options)


def seed_slider() -> gr.Slider:
    """A seed, 0 to 2³²−1, as a slider with a number field."""
    return gr.Slider(
        0, latents.MAX_SEED, 0, step=1, label=t("seed"), info=t("seed_hint"), buttons=[], elem_classes=["level", "seed"]
    )


def seed_number(label: str, *, under_class: bool = False) -> gr.Number:
    """A seed, 0 to 2³²−1, as a number field. `under_class` hides its label from all but screen readers."""
    css = ["seed", "under"] if under_class else "seed"
    return gr.Number(
        0, label=t(label), precision=0, minimum=0, maximum=latents.MAX_SEED, step=1, min_width=120, elem_classes=css
    )


def slider(label: str, low: float, high: float, value: float, step: float, info: str | None = None) -> gr.Slider:
    """A slider with a number field. Listen to `release`: the page's script sends it also while the slider is dragged."""
    return gr.Slider(
        low, high, value, step=step, label=t(label), info=t(info) if info else None, buttons=[], elem_classes="level"
    )


def truncation_controls(truncation: float, info: str | None = None) -> tuple[gr.Slider, gr.Checkbox]:
    """The slider of the truncation, and the switch that turns truncation off."""
    level = slider("truncation", latents.MIN_TRUNCATION, latents.MAX_TRUNCATION, truncation, 0.01, info)
    off = gr.Checkbox(False, label=t("truncation_off"), container=False, elem_classes="switch")
    off.change(None, off, level, js="(off) => ({interactive: !off, __type__: 'update'})", **NO_API)
    return level, off


def truncation_values(truncation: float | None) -> tuple[Any, bool]:
    """The values of the two `truncation_controls`; None turns truncation off."""
    if truncation is None:
        return gr.Slider(interactive=False), True
    return gr.Slider(value=truncation, interactive=True), False


def hidden_text() -> gr.Textbox:
    """A field that the visitor does not see. It holds values that have no control, such as a flower's extras."""
    return gr.Textbox("", visible="hidden", show_label=False)


class FlowerControls:
    """The controls of one flower: class, seed, truncation, and a hidden field for its extras (`extras`)."""

    def __init__(self, studio: Studio, prefix: str, info: str | None = None) -> None:
        """`prefix` begins the flower's keys in the address. `info` is the key of the text below the truncation."""
        self.studio, self.prefix = studio, prefix
        self.label = class_selector(studio.classes, "class")
        self.seed = seed_number("seed")
        self.slider, self.off = truncation_controls(studio.truncation, info)
        self.extras = hidden_text()
        self.controls: list[Any] = [self.label, self.seed, self.slider, self.off, self.extras]

    @property
    def events(self) -> list[Any]:
        """The events that change the flower."""
        return [self.label.input, self.seed.input, self.slider.release, self.off.input]

    def from_address(self, address: Address) -> Flower:
        """The flower that the address describes; defaults stand for what is missing or bad; extras that do not fit go."""
        label = address.label(f"{self.prefix}-class", self.studio.classes, 0)
        level = address.level(f"{self.prefix}-truncation")
        flower = Flower(label, address.seed(f"{self.prefix}-seed"), level).resolve(len(self.studio.classes))
        whole = with_extras(flower, address.text(f"{self.prefix}-extras"), self.studio.classes)
        return whole if self.studio.can_draw([whole]) else flower

    def to_controls(self, flower: Flower) -> list[Any]:
        """The values of the controls for a flower."""
        name = self.studio.classes[main_class(flower)]
        return [name, flower.seed, *truncation_values(flower.truncation), extras(flower)]

    def from_controls(self, label: Any, seed: Any, level: Any, off: Any, extras: Any) -> Flower:
        """The flower that the controls describe. Raises UserError for a value out of range."""
        about = {"class": label, "seed": seed, "truncation": None if off else level, "extras": extras}
        return described(self.studio.classes, about)

    def to_address(self, flower: Flower) -> dict[str, str]:
        """The flower as parameters of the page's address. An empty value removes its key."""
        pairs = {
            "class": self.studio.classes[main_class(flower)] if len(self.studio.classes) > 1 else "",
            "seed": str(flower.seed),
            "truncation": level_text(flower.truncation),
            "extras": extras(flower),
        }
        return {f"{self.prefix}-{key}": value for key, value in pairs.items()}
