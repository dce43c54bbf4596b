"""The encoding of the names in a zip archive. The format does not tell it, unless a name has the UTF-8 flag.

macOS writes UTF-8 without the flag. Windows writes the code page of its console or of its desktop. A code page is accepted
where the names, decoded by it, are plausible: words with the letters of one language, no capital after a small letter, and in
Cyrillic, Greek and Hebrew mostly frequent letters. Where plausible code pages give different names, none is chosen.
"""

from __future__ import annotations

import math
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence

_UTF8_FLAG, _UNICODE_PATH = 0x800, 0x7075  # APPNOTE.TXT, 4.4.4 and 4.6.9
# How often a letter occurs in 1,000 letters of text, roughly: of Russian and Ukrainian, of Greek, of Hebrew.
_CYRILLIC = dict(zip(
    "оаеинтрслвкмдпуяьызбгйчіхжшюцщїєфэґё",
    (100, 82, 74, 70, 67, 60, 47, 47, 41, 46, 36, 31, 31, 28, 28, 22, 18, 14, 18, 17, 16, 12, 15, 28, 10, 9, 7, 7, 5, 4, 3, 3,
     2, 2, 1, 1),
))  # fmt: skip
_GREEK = dict(zip(
    "αοιετσνηυρπκςλμγδωχθφβξζψάίόέήώύϊϋΐΰ",
    (110, 90, 80, 70, 78, 45, 60, 45, 40, 43, 39, 40, 38, 32, 33, 19, 17, 15, 14, 13, 12, 8, 6, 4, 2, 24, 27, 24, 19, 16, 11, 9,
     1, 1, 1, 1),
))  # fmt: skip
_HEBREW = dict(zip(
    "יוהלאתמרבשנעםדחכקפןסגזטצךץף",
    (110, 104, 100, 74, 63, 55, 50, 58, 47, 44, 40, 33, 30, 27, 25, 20, 21, 17, 15, 15, 13, 13, 12, 12, 8, 3, 2),
))  # fmt: skip
_SCRIPTS = {
    "cp866": _CYRILLIC, "cp1251": _CYRILLIC, "koi8-u": _CYRILLIC, "cp737": _GREEK, "cp1253": _GREEK, "cp862": _HEBREW,
    "cp1255": _HEBREW,
}  # fmt: skip
_LATIN = {  # code pages of Windows' console and desktop → the part of Europe
    "cp437": "west", "cp850": "west", "cp1252": "west", "cp852": "centre", "cp1250": "centre",
}  # fmt: skip
_ALPHABETS = {
    "west": ("áæðéíóúýþö", "àâæçéèêëîïôœùûüÿ", "äöüß", "áéíñóúü", "ãõáàâçéêíóôúü", "àèéìíîòóùú", "åäöæøéü"),
    "centre": ("äöüß", "ąćęłńóśźż", "áčďéěíňóřšťúůýžľĺŕôä", "áéíóöőúüű", "ăâîşţ", "čćđšž"),
}
_MIN_LOG_LIKELIHOOD = -5.8  # mean log2 probability of a letter; names of flowers have −4.3 to −5.7
# log2 of how much more often an archive with names in this code page is met than with others.
_COMMON = {"cp866": 3.0, "cp1251": 3.0}
_MIN_LETTERS = {"cp737": 6, "cp1253": 6, "cp862": 6, "cp1255": 6}  # fewer are taken for none of them
_MIN_MARGIN = 3.0  # least difference of the log2 probabilities of the two best code pages

_WORD = re.compile(r"[^\W\d_]+")


def names(entries: Sequence[zipfile.ZipInfo]) -> list[str | None]:
    """The name of each entry; None where it is not ASCII and its encoding is unknown."""
    written = [_raw_name(entry) for entry in entries]
    page = code_page(name for name in written if isinstance(name, bytes))
    return [name if isinstance(name, str) else _decoded(name, page or "ascii") for name in written]


def code_page(found: Iterable[bytes]) -> str | None:
    """The encoding of these names, which all have the same one; None where it cannot be found out."""
    odd = sorted({part for name in found for part in re.split(rb"[/\\]", name) if not part.isascii()})
    if all(_decoded(name, "utf-8") is not None for name in odd):
        return "utf-8"
    read: dict[str, str] = {}  # decoded names → the first code page that gives them
    for page in (*_SCRIPTS, *_LATIN):
        texts = [_decoded(name, page) for name in odd]
        text = "\n".join(text for text in texts if text is not None)
        if None not in texts and (_is_script(text, _SCRIPTS[page]) if page in _SCRIPTS else _is_latin(text, _LATIN[page])):
            read.setdefault(text, page)
    if len(read) > 1 and any(page in _LATIN for page in read.values()):
        return None
    likely = sorted(((_log_odds(text, page), page, text) for text, page in read.items()), reverse=True)
    if not likely or len(likely) > 1 and likely[0][0] - likely[1][0] < _MIN_MARGIN:
        return None
    _, page, text = likely[0]
    return page if len(_letters(text)) >= _MIN_LETTERS.get(page, 0) else None


def _raw_name(entry: zipfile.ZipInfo) -> str | bytes:
    """The name of an entry as text where the archive has it in Unicode, else as bytes."""
    if entry.flag_bits & _UTF8_FLAG:
        return entry.orig_filename
    raw = entry.orig_filename.encode("cp437")  # undoes zipfile's decoding; cp437 has a letter for each byte
    extra = entry.extra
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        content, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == _UNICODE_PATH and content[:1] == b"\1" and content[1:5] == struct.pack("<I", zlib.crc32(raw)):
            return _decoded(content[5:], "utf-8") or raw
    return raw


def _decoded(name: bytes, page: str) -> str | None:
    """`name` in that code page, or None where it is not valid there."""
    try:
        return name.decode(page)
    except UnicodeDecodeError:
        return None


def _is_script(text: str, frequencies: Mapping[str, int]) -> bool:
    """Whether the words of `text` that are not ASCII are plausible in a script, and one of them is long enough to tell."""
    letters, words = _letters(text), _odd_words(text)
    if any(word[0] in "ьъыЬЪЫς" or set(word[:-1]) & set("ςםןךץף") for word in words):  # no word begins, or goes on, with these
        return False
    return (
        max(map(len, words), default=0) > 2
        and set(letters) <= frequencies.keys()
        and _has_plausible_case(text)
        and _log_likelihood(text, frequencies) / len(letters) >= _MIN_LOG_LIKELIHOOD
    )


def _is_latin(text: str, part: str) -> bool:
    """Whether the words of `text` that are not ASCII are plausible in one language of a part of Europe ("west" or "centre")."""
    words = _odd_words(text)
    odd = {letter for letter in "".join(words).lower() if not letter.isascii()}
    # Wrongly decoded scripts look like words full of accents. In a real word of over
    # three letters half of them are ASCII, in upper case more than half.
    mostly_ascii = all(2 * sum(map(str.isascii, word)) - word.isupper() >= len(word) for word in words if len(word) > 3)
    known = max(map(len, words), default=0) > 1 and any(odd <= set(alphabet) for alphabet in _ALPHABETS[part])
    return mostly_ascii and known and _has_plausible_case(text)


def _odd_words(text: str) -> list[str]:
    """The words of `text` that are not ASCII."""
    return [word for word in _WORD.findall(text) if not word.isascii()]


def _has_plausible_case(text: str) -> bool:
    """Whether what is not ASCII in `text` is letters, with capitals in plausible places: at the start of a word, or everywhere.

    One word in ten may differ, such as МояРоза.
    """
    letters = all(letter.isascii() or letter.isalpha() for letter in re.sub(r"(?<!\w)№|[–—]", "", text))
    words = _odd_words(text)
    odd = sum(not word.isupper() and word[1:] != word[1:].lower() for word in words)
    return letters and 10 * odd <= len(words)


def _letters(text: str) -> str:
    """All letters of the words of `text` that are not ASCII, in lower case."""
    return "".join(_odd_words(text)).lower().replace("i", "і")  # cp866 lacks the Ukrainian і, and Windows writes the Latin one


def _log_odds(text: str, page: str) -> float:
    """How likely these names in this code page are, as log2: by their letters, and by how often the code page is met."""
    return _log_likelihood(text, _SCRIPTS.get(page, {})) + _COMMON.get(page, 0.0)


def _log_likelihood(text: str, frequencies: Mapping[str, int]) -> float:
    """Sum of log2 of the probabilities of the letters of a text in a script."""
    return sum(math.log2(frequencies.get(letter, 0.1) / 1000) for letter in _letters(text))
