"""Every word of the page, in English and Ukrainian, and which of the two a visitor gets."""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import gradio as gr

HERE = Path(__file__).parent
LANGUAGES = ("en", "uk")  # the first is for those who speak neither


def _texts() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {language: {} for language in LANGUAGES}
    for path in sorted((HERE / "text").glob("*.json")):
        for key, words in json.loads(path.read_text(encoding="utf-8")).items():
            for language in LANGUAGES:
                found[language][key] = words[language]
    return found


TEXT = _texts()  # language → key → words
COOKIE = "language"
_current: ContextVar[str] = ContextVar("language", default=LANGUAGES[0])


def t(key: str) -> str:
    """A mark that the framework replaces by the words called `key` in the visitor's language. KeyError if there are none."""
    return mark(key) if TEXT[LANGUAGES[0]][key] else ""


def mark(key: str) -> str:
    """The same for words that are put together when the server starts (`Words`)."""
    return str(gr.I18n()(key))


def say(key: str, language: str, **values: object) -> str:
    """The words called `key` in a language, with `values` in their places."""
    return TEXT[language][key].format(**values)


def class_names(classes: Sequence[str]) -> list[str]:
    """What each class is called on the page: a mark as `t` gives, or where no language has a word for it, `own_names`'."""
    own = own_names(classes)
    return [own[name] if name in own else t(f"class_{name}") for name in classes]


def class_titles(classes: Sequence[str], language: str) -> list[str]:
    """The same as words of one language."""
    own = own_names(classes)
    return [own[name] if name in own else say(f"class_{name}", language) for name in classes]


def own_names(classes: Sequence[str]) -> dict[str, str]:
    """The names of classes as their owner wrote them, underscores as spaces; without those that have a word in each language.

    Two that would look the same in any language keep their underscores, and where these do not tell them apart, a number.
    """
    looks = {name: {_look(words.get(f"class_{name}", _plain(name))) for words in TEXT.values()} for name in classes}
    seen = Counter(look for several in looks.values() for look in several)
    alone = {look for look, times in seen.items() if times == 1}
    found, taken = {}, set(alone)
    for number, name in enumerate(classes, 1):
        if not looks[name] <= alone:
            found[name] = name if _look(name) not in taken else f"{name} ({number})"
            taken.add(_look(found[name]))
        elif f"class_{name}" not in TEXT[LANGUAGES[0]]:
            found[name] = _plain(name)
    return found


def _plain(name: str) -> str:
    """`dandelion_clock` as `dandelion clock`."""
    return name.replace("_", " ") if name.strip("_ ") else name


def _look(name: str) -> str:
    """What an eye sees of a name: however its letters are composed, and without spaces that a page does not show."""
    return " ".join(unicodedata.normalize("NFC", name).split())


class Words(gr.I18n):
    """All words for the framework, which asks for them at each visit: then they are those of the visitor's language.

    The framework goes by the browser's language alone, and a visitor may have chosen the other one. `more` are words that are
    put together when the server starts, a dictionary a language.
    """

    def __init__(self, more: Mapping[str, Mapping[str, str]]) -> None:
        self.more = more
        super().__init__(**{language: {**TEXT[language], **more[language]} for language in LANGUAGES})

    @property
    def translations_dict(self) -> dict[str, dict[str, str]]:
        """The same words under every language's name."""
        chosen = self.translations[_current.get()]
        return dict.fromkeys(LANGUAGES, chosen)


@contextmanager
def spoken(language: str) -> Iterator[None]:
    """Let `Words` speak `language` meanwhile."""
    token = _current.set(language)
    try:
        yield
    finally:
        _current.reset(token)


def language_of(headers: Mapping[str, str], query: str = "") -> str:
    """The language of a request: what its address says (`?lang=uk`), or the page's that it comes from, then the cookie, then
    the browser's own (RFC 9110, section 12.5.4). Never raises.
    """
    page = urlsplit(headers.get("referer", "")).query if _is_url(headers.get("referer", "")) else ""
    for text in (query, page):
        asked = _asked(text)
        if asked:
            return asked
    try:
        kept = SimpleCookie(headers.get("cookie", "")[:4096]).get(COOKIE)
    except CookieError:
        kept = None
    if kept and kept.value in LANGUAGES:
        return kept.value
    return _accepted(headers.get("accept-language", ""))


def _is_url(text: str) -> bool:
    try:
        urlsplit(text)
    except ValueError:
        return False
    return True


def _asked(query: str) -> str | None:
    try:
        found = parse_qs(query[:4096]).get("lang", [""])[-1]
    except ValueError:
        return None
    return found if found in LANGUAGES else None


def _accepted(header: str) -> str:
    best, chosen = 0.0, LANGUAGES[0]
    for part in header[:1000].split(","):
        name, _, rest = part.strip().partition(";")
        found = re.fullmatch(r"\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*", rest)
        weight = float(found[1]) if found else 1.0
        language = name.strip().lower().split("-")[0]
        if language in LANGUAGES and weight > best:
            best, chosen = weight, language
    return chosen


def escaped(key: str, language: str, **values: Any) -> str:
    """`say` for a place in HTML."""
    return html.escape(say(key, language, **values))
