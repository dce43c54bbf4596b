"""How the page looks: its head with all styles and scripts, header and footer, and the framework's theme."""

from __future__ import annotations

import html
import json
from pathlib import Path
from urllib.parse import quote

import gradio as gr

from gan.studio.i18n import LANGUAGES, TEXT, Words, escaped, own_names, say
from gan.studio.session import Studio
from gan.utils import svg_plots

HERE = Path(__file__).parent


def title() -> str:
    """The title of the page until its script gives it the visitor's language."""
    return say("title", LANGUAGES[0])


def words(studio: Studio) -> Words:
    """All words of the page for the framework, header and footer among them."""
    return Words({name: {"page_header": _header(studio, name), "page_footer": _footer(studio, name), "page_language": name}
                  for name in LANGUAGES})  # fmt: skip


def _mark() -> str:
    """The flower beside the title."""
    petals = "".join(
        f'<ellipse cx="24" cy="10" rx="4.6" ry="9.4" transform="rotate({turn} 24 24)"/>' for turn in range(0, 360, 30)
    )
    inner = "".join(
        f'<ellipse cx="24" cy="15" rx="3.2" ry="6" transform="rotate({turn} 24 24)"/>' for turn in range(15, 375, 30)
    )
    return (
        f'<svg class="mark" viewBox="0 0 48 48" aria-hidden="true"><g fill="#e07b12">{petals}</g><g fill="#f5b71e">{inner}</g>'
        '<circle cx="24" cy="24" r="5.6" fill="#8a3c06"/></svg>'
    )


def _header(studio: Studio, language: str) -> str:
    notice = f'<p class="notice" role="status">{html.escape(studio.notice)}</p>' if studio.notice else ""
    other = LANGUAGES[1 - LANGUAGES.index(language)]
    words = f"<div><h1>{escaped('title', language)}</h1><p>{escaped('tagline', language)}</p></div>"
    switch = (
        f'<a class="tongue" lang="{other}" hreflang="{other}" href="?lang={other}" '
        f"onclick=\"flowers.speak('{other}');return false\">{escaped('other_language', language)}</a>"
    )
    return f"<header>{_mark()}{words}{switch}</header>{notice}"


def _footer(studio: Studio, language: str) -> str:
    return f'<footer><p id="status">{html.escape(studio.status(language))}</p></footer>'


def head(studio: Studio) -> str:
    """What the scripts have to know, then the scripts and styles themselves."""
    model = {"model": studio.name, "revision": studio.model.revision}
    known = {
        "text": TEXT,
        **model,
        "size": studio.config.resolution,
        "classes": studio.classes,
        "names": own_names(studio.classes),
    }
    facts = json.dumps(known).replace("<", "\\u003c")
    plots = svg_plots.STYLE.read_text(encoding="utf-8")
    style = "\n".join([f".gradio-container.gradio-container.gradio-container {{\n{plots}}}", *_files("style", "css")])
    # A script a file: where one fails the others go on.
    scripts = "".join(f"<script>{script}</script>" for script in [f"window.FLOWERS = {facts};", *_files("script", "js")])
    icon = "data:image/svg+xml," + quote(_mark().replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" '))
    description = html.escape(say("description", LANGUAGES[0]))
    # One sheet within one rule that outweighs the framework's own; it is here because its css parameter drops @container.
    return f'<meta name="description" content="{description}"><link rel="icon" href="{icon}"><style>{style}</style>{scripts}'


def _files(folder: str, ending: str) -> list[str]:
    """What is in the files of a folder, `page` and `player` first: the others build on them."""
    files = sorted((HERE / folder).glob(f"*.{ending}"), key=lambda path: (path.stem not in ("page", "player"), path.stem))
    return [path.read_text(encoding="utf-8") for path in files]


def theme() -> gr.themes.Base:
    """The framework's own colours and fonts, as near to our styles as it lets them be set; nothing comes from elsewhere."""
    fonts = ["ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"]
    look = gr.themes.Base(radius_size="lg", font=fonts, font_mono=["ui-monospace", "Consolas", "monospace"])
    paint = {
        "body_background_fill": ("#f6f3e8", "#11160f"), "body_text_color": ("#22301f", "#e9eddf"),
        "body_text_color_subdued": ("#586250", "#a9b49d"), "background_fill_primary": ("#fffdf7", "#1a2117"),
        "background_fill_secondary": ("#f6f3e8", "#11160f"), "border_color_primary": ("#dfd8c4", "#323d2c"),
        "slider_color": ("#37632f", "#a3cd86"), "color_accent_soft": ("#efebdc", "#242d20"),
        "checkbox_background_color": ("#f6f3e8", "#11160f"),
        "checkbox_background_color_selected": ("#37632f", "#5f8c48"),
        "checkbox_border_color_selected": ("#37632f", "#5f8c48"),
    }  # fmt: skip
    both = {name: light for name, (light, _) in paint.items()} | {f"{name}_dark": dark for name, (_, dark) in paint.items()}
    return look.set(color_accent="#37632f", link_text_color="#37632f", link_text_color_dark="#a3cd86", **both)
