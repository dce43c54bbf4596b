"""The text of the page in every language, from the files in `text/`, and the choice of a visitor's language.

To add a language, add its code to every entry of those files; the code of `title` in `page.json` switches it on.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import gradio as gr

from gan.utils import words
from gan.utils.words import read_words

HERE = Path(__file__).parent


TEXT = read_words(sorted((HERE / "text").glob("*.json")))  # language → key → text
LANGUAGES = tuple(TEXT)  # the first is the default
COOKIE = "language"
_current: ContextVar[str] = ContextVar("language", default=LANGUAGES[0])


def t(key: str) -> str:
    """A marker that Gradio replaces by the text `key` in the visitor's language. Raises KeyError for an unknown key."""
    return marker(key) if TEXT[LANGUAGES[0]][key] else ""


def marker(key: str) -> str:
    """The same for text that is composed when the server starts (`more` of `Translations`); the key is not checked."""
    return str(gr.I18n()(key))


def say(key: str, language: str, **values: object) -> str:
    """The text `key` in a language, with `values` for its placeholders. Raises KeyError for an unknown key."""
    return TEXT[language][key].format(**values)


def class_names(classes: Sequence[str]) -> list[str]:
    """The name of each class on the page: a marker (`t`), or the name from `untranslated_names`."""
    own = untranslated_names(classes)
    return [own[name] if name in own else t(f"class_{name}") for name in classes]


def class_titles(classes: Sequence[str], language: str) -> list[str]:
    """The name of each class in one language."""
    own = untranslated_names(classes)
    return [own[name] if name in own else say(f"class_{name}", language) for name in classes]


def untranslated_names(classes: Sequence[str]) -> dict[str, str]:
    """Names of the classes that have no translation (`words.untranslated_names`)."""
    return words.untranslated_names(classes, TEXT)


class Translations(gr.I18n):
    """All text, for Gradio. Gradio asks for it at each visit, and gets that of the language set by `use_language`.

    Gradio itself knows only the browser's language, but a visitor may have chosen another one.
    """

    def __init__(self, more: Mapping[str, Mapping[str, str]]) -> None:
        """`more` is text that is composed when the server starts: language → key → text."""
        self.more = more
        super().__init__(**{language: {**TEXT[language], **more[language]} for language in LANGUAGES})

    @property
    def translations_dict(self) -> dict[str, dict[str, str]]:
        """The text of the current language, under the code of every language."""
        chosen = self.translations[_current.get()]
        return dict.fromkeys(LANGUAGES, chosen)


@contextmanager
def use_language(language: str) -> Iterator[None]:
    """Make `language` the current one of `Translations` within the block."""
    token = _current.set(language)
    try:
        yield
    finally:
        _current.reset(token)


def language_of(headers: Mapping[str, str], query: str = "") -> str:
    """The language of a request; `headers` have lower-case names. Never raises.

    The first of these that names one of LANGUAGES decides: the query (`?lang=uk`), the query of the referring page, the cookie,
    and the browser's own languages (RFC 9110, section 12.5.4).
    """
    referer = headers.get("referer", "")
    for text in (query, urlsplit(referer).query if _is_url(referer) else ""):
        chosen = _from_query(text)
        if chosen:
            return chosen
    try:
        cookie = SimpleCookie(headers.get("cookie", "")[:4096]).get(COOKIE)
    except CookieError:
        cookie = None
    if cookie and cookie.value in LANGUAGES:
        return cookie.value
    return _from_accept_language(headers.get("accept-language", ""))


def _is_url(text: str) -> bool:
    try:
        urlsplit(text)
    except ValueError:
        return False
    return True


def _from_query(query: str) -> str | None:
    found = parse_qs(query[:4096]).get("lang", [""])[-1]
    return found if found in LANGUAGES else None


def _from_accept_language(header: str) -> str:
    best, chosen = 0.0, LANGUAGES[0]
    for part in header[:1000].split(","):
        name, _, rest = part.strip().partition(";")
        found = re.fullmatch(r"\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*", rest)
        weight = float(found[1]) if found else 1.0
        language = name.strip().lower().split("-")[0]
        if language in LANGUAGES and weight > best:
            best, chosen = weight, language
    return chosen


def say_html(key: str, language: str, **values: Any) -> str:
    """`say`, escaped for HTML."""
    return html.escape(say(key, language, **values))
