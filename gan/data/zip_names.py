"""The names in a zip archive, whose format leaves open how they are written unless they are flagged as UTF-8.

macOS writes UTF-8 without the flag, Windows in the code page of its console or of its windows. A code page is told by what
can be read in it: words of one script and one language's letters, no capital after a small letter, and in Cyrillic the
letters that are frequent. Several pages may give the same names; where they give different ones, nothing is guessed.
"""

from __future__ import annotations

import math
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Sequence

_UTF8_FLAG, _UNICODE_PATH = 0x800, 0x7075  # APPNOTE.TXT, 4.4.4 and 4.6.9
_CYRILLIC = ("cp866", "cp1251", "koi8-u")
_LATIN = {  # pages of Windows' console and of its windows, west and centre
    "cp437": "west", "cp850": "west", "cp1252": "west", "cp852": "centre", "cp1250": "centre",
}  # fmt: skip
_ALPHABETS = {
    "west": ("àâæçéèêëîïôœùûüÿ", "äöüß", "áéíñóúü", "ãõáàâçéêíóôúü", "àèéìíîòóùú", "åäöæøéü"),
    "centre": ("äöüß", "ąćęłńóśźż", "áčďéěíňóřšťúůýžľĺŕôä", "áéíóöőúüű", "ăâîşţ", "čćđšž"),
}
# Letters of Russian and Ukrainian text in a thousand, roughly and of both together.
_FREQUENT = dict(zip(
    "оаеинтрслвкмдпуяьызбгйчіхжшюцщїєфэґё",
    (100, 82, 74, 70, 67, 60, 47, 47, 41, 46, 36, 31, 31, 28, 28, 22, 18, 14, 18, 17, 16, 12, 15, 28, 10, 9, 7, 7, 5, 4, 3, 3,
     2, 2, 1, 1),
))  # fmt: skip
_LEAST = -5.8  # bits a letter in the mean; names of flowers have −4.3 to −5.7
_APART = 3.0  # bits in all by which the second best has to be worse

_WORD = re.compile(r"[^\W\d_]+")


def names(entries: Sequence[zipfile.ZipInfo]) -> list[str | None]:
    """The name of each entry; None where it is not ASCII and nothing tells how it is written."""
    written = [_written(entry) for entry in entries]
    page = code_page(name for name in written if isinstance(name, bytes))
    return [name if isinstance(name, str) else _decoded(name, page or "ascii") for name in written]


def code_page(found: Iterable[bytes]) -> str | None:
    """The encoding in which all of these names were written, or None where that cannot be known."""
    odd = sorted({part for name in found for part in re.split(rb"[/\\]", name) if not part.isascii()})
    if all(_decoded(name, "utf-8") is not None for name in odd):
        return "utf-8"
    read: dict[str, str] = {}  # what can be read → the first page in which it can
    for page in (*_CYRILLIC, *_LATIN):
        texts = [_decoded(name, page) for name in odd]
        text = "\n".join(text for text in texts if text is not None)
        if None not in texts and (_is_cyrillic(text) if page in _CYRILLIC else _is_latin(text, _LATIN[page])):
            read.setdefault(text, page)
    likely = sorted(read, key=_bits, reverse=True)
    if len(read) > 1 and (_bits(likely[0]) - _bits(likely[1]) < _APART or any(page in _LATIN for page in read.values())):
        return None
    return read[likely[0]] if read else None


def _written(entry: zipfile.ZipInfo) -> str | bytes:
    """The name where the archive says it in Unicode, its bytes where not."""
    if entry.flag_bits & _UTF8_FLAG:
        return entry.orig_filename
    raw = entry.orig_filename.encode("cp437")  # as zipfile has decoded it; all 256 bytes have a letter there
    extra = entry.extra
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        content, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == _UNICODE_PATH and content[:1] == b"\1" and content[1:5] == struct.pack("<I", zlib.crc32(raw)):
            return _decoded(content[5:], "utf-8") or raw
    return raw


def _decoded(name: bytes, page: str) -> str | None:
    try:
        return name.decode(page)
    except UnicodeDecodeError:
        return None


def _is_cyrillic(text: str) -> bool:
    """Whether the words of `text` that are not ASCII can be Russian or Ukrainian ones, and are enough to tell."""
    letters = _cyrillic_letters(text)
    if any(word[0] in "ьъыЬЪЫ" for word in _odd_words(text)):  # no word begins so
        return False
    return len(letters) > 2 and set(letters) <= _FREQUENT.keys() and _is_cased(text) and _bits(text) / len(letters) >= _LEAST


def _is_latin(text: str, part: str) -> bool:
    """Whether the words of `text` that are not ASCII can be of one language of that part of Europe."""
    words = _odd_words(text)
    odd = {letter for letter in "".join(words).lower() if not letter.isascii()}
    # Bytes of other scripts look like words of accents: of more than three letters half are plain, of capitals most.
    plain = all(2 * sum(map(str.isascii, word)) - word.isupper() >= len(word) for word in words if len(word) > 3)
    known = max(map(len, words), default=0) > 1 and any(odd <= set(alphabet) for alphabet in _ALPHABETS[part])
    return plain and known and _is_cased(text)


def _odd_words(text: str) -> list[str]:
    return [word for word in _WORD.findall(text) if not word.isascii()]


def _is_cased(text: str) -> bool:
    """Whether all of `text` that is not ASCII is letters, and their capitals stand where they do in names."""
    letters = all(letter.isascii() or letter.isalpha() for letter in re.sub(r"(?<!\w)№|[–—]", "", text))
    words = _odd_words(text)
    odd = sum(not word.isupper() and word[1:] != word[1:].lower() for word in words)
    return letters and 10 * odd <= len(words)  # МояРоза is one, too


def _cyrillic_letters(text: str) -> str:
    return "".join(_odd_words(text)).lower().replace("i", "і")  # cp866 lacks the Ukrainian і, and Windows writes the Latin one


def _bits(text: str) -> float:
    """How likely the letters of a Cyrillic text are, as a sum of logarithms to base 2."""
    return sum(math.log2(_FREQUENT.get(letter, 0.1) / 1000) for letter in _cyrillic_letters(text))
