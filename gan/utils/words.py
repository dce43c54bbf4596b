"""The text of a page in several languages, from JSON files: key → language → text."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

Text = dict[str, dict[str, str]]  # language → key → text


def read_words(files: Iterable[Path]) -> Text:
    """The text of `files`. The languages are those of the entry `title`; every other entry has them too."""
    entries: dict[str, dict[str, str]] = {}  # key → language → text
    for path in files:
        entries.update(json.loads(path.read_text(encoding="utf-8")))
    return {language: {key: text[language] for key, text in entries.items()} for language in entries["title"]}


def untranslated_names(classes: Sequence[str], text: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Names of the classes that have no entry `class_<name>` in `text`: class → its own name, with spaces for underscores.

    Classes whose names would look the same in some language keep their underscores. If they still look the same, a number is
    added.
    """
    forms = {name: {_visible(words.get(f"class_{name}", _spaced(name))) for words in text.values()} for name in classes}
    counts = Counter(form for several in forms.values() for form in several)
    unique = {form for form, count in counts.items() if count == 1}
    known = next(iter(text.values()))
    found, taken = {}, set(unique)
    for number, name in enumerate(classes, 1):
        if not forms[name] <= unique:
            found[name] = name if _visible(name) not in taken else f"{name} ({number})"
            taken.add(_visible(found[name]))
        elif f"class_{name}" not in known:
            found[name] = _spaced(name)
    return found


def _spaced(name: str) -> str:
    """`dandelion_clock` becomes `dandelion clock`."""
    return name.replace("_", " ") if name.strip("_ ") else name


def _visible(name: str) -> str:
    """The name as a reader sees it: composed letters, and no spaces that a page does not show."""
    return " ".join(unicodedata.normalize("NFC", name).split())
