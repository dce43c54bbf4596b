"""The HTML head of the page with all styles and scripts, its header and footer, and Gradio's theme."""

from __future__ import annotations

import html
import json
from pathlib import Path
from urllib.parse import quote

import gradio as gr

from gan.studio.i18n import LANGUAGES, TEXT, Translations, say, say_html, untranslated_names
from gan.studio.session import Studio
from gan.utils import svg_plots

HERE = Path(__file__).parent


def title() -> str:
    """The title of the page in the default language; the page's script translates it."""
    return say("title", LANGUAGES[0])


def translations(studio: Studio) -> Translations:
    """All text of the page for Gradio, with the header and the footer."""
    return Translations({name: _composed(studio, name) for name in LANGUAGES})


def _composed(studio: Studio, language: str) -> dict[str, str]:
    about = {f"what_{key[6:]}": _what(key[6:], language) for key in TEXT[language] if key.startswith("about_")}
    return {
        "page_header": _header(studio, language),
        "page_footer": _footer(studio, language),
        "page_language": language,
        **about,
    }


def _what(tab: str, language: str) -> str:
    """What a tab is for, in one sentence; more of it unfolds."""
    return (
        f"<details><summary>{say_html(f'about_{tab}', language)}</summary><p>{say_html(f'more_{tab}', language)}</p></details>"
    )


def _logo() -> str:
    """The flower beside the title, as SVG."""
    return (HERE / "logo.svg").read_text(encoding="utf-8")


def _header(studio: Studio, language: str) -> str:
    notice = f'<p class="notice" role="status">{html.escape(studio.notice)}</p>' if studio.notice else ""
    title = f"<div><h1>{say_html('title', language)}</h1><p>{say_html('tagline', language)}</p></div>"
    links = "".join(_language_link(other) for other in LANGUAGES if other != language)
    return f"<header>{_logo()}{title}{links}</header>{notice}"


def _language_link(language: str) -> str:
    return (
        f'<a class="tongue" lang="{language}" hreflang="{language}" href="?lang={language}" '
        f"onclick=\"flowers.speak('{language}');return false\">{say_html('in_this_language', language)}</a>"
    )


def _footer(studio: Studio, language: str) -> str:
    return f'<footer><p id="status">{html.escape(studio.status(language))}</p></footer>'


def head(studio: Studio) -> str:
    """The HTML head: the values that the scripts need, the styles and the scripts."""
    values = {
        "text": TEXT,
        "model": studio.name,
        "revision": studio.model.revision,
        "size": studio.config.resolution,
        "classes": studio.classes,
        "names": untranslated_names(studio.classes),
    }
    facts = json.dumps(values).replace("<", "\\u003c")
    plots = svg_plots.STYLE.read_text(encoding="utf-8")
    # The repeated class gives the rules a higher specificity than Gradio's.
    style = "\n".join([f".gradio-container.gradio-container.gradio-container {{\n{plots}}}", *_files("style", "css")])
    # One element for each script: if one fails, the others still run.
    scripts = "".join(f"<script>{script}</script>" for script in [f"window.FLOWERS = {facts};", *_files("script", "js")])
    icon = "data:image/svg+xml," + quote(_logo().replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" '))
    description = html.escape(say("description", LANGUAGES[0]))
    # The style is here because Gradio's css parameter drops @container.
    return f'<meta name="description" content="{description}"><link rel="icon" href="{icon}"><style>{style}</style>{scripts}'


def _files(folder: str, ending: str) -> list[str]:
    """The contents of the files of a folder. `page` and `player` come first, because the others use them."""
    files = sorted((HERE / folder).glob(f"*.{ending}"), key=lambda path: (path.stem not in ("page", "player"), path.stem))
    return [path.read_text(encoding="utf-8") for path in files]


def theme() -> gr.themes.Base:
    """Gradio's theme in the colors and fonts of our styles. It loads nothing from other servers."""
    fonts = ["ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"]
    base = gr.themes.Base(radius_size="lg", font=fonts, font_mono=["ui-monospace", "Consolas", "monospace"])
    colors = {  # name → (light, dark)
        "body_background_fill": ("#f6f3e8", "#11160f"), "body_text_color": ("#22301f", "#e9eddf"),
        "body_text_color_subdued": ("#586250", "#a9b49d"), "background_fill_primary": ("#fffdf7", "#1a2117"),
        "background_fill_secondary": ("#f6f3e8", "#11160f"), "border_color_primary": ("#dfd8c4", "#323d2c"),
        "slider_color": ("#37632f", "#a3cd86"), "color_accent_soft": ("#efebdc", "#242d20"),
        "checkbox_background_color": ("#f6f3e8", "#11160f"),
        "checkbox_background_color_selected": ("#37632f", "#5f8c48"),
        "checkbox_border_color_selected": ("#37632f", "#5f8c48"),
    }  # fmt: skip
    both = {name: light for name, (light, _) in colors.items()} | {f"{name}_dark": dark for name, (_, dark) in colors.items()}
    return base.set(color_accent="#37632f", link_text_color="#37632f", link_text_color_dark="#a3cd86", **both)
