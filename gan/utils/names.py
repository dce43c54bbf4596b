"""Names of files and folders: which are ignored, how they are printed, and how class names are compared."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata

from gan.utils.files import RESERVED

# Files and folders that systems and devices leave beside photos, in lower case. Hidden names are ignored anyway. "recycled" is
# missing on purpose, as it may be a class.
IGNORED_NAMES = frozenset(
    {
        "__macosx", "network trash folder", "temporary items", "icon\r", "desktop db", "desktop df",  # macOS
        "$recycle.bin", "system volume information", "thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini",  # Windows
        "lost+found",  # Linux
        "@eadir", "@tmp", "#recycle", "#snapshot",  # Synology
        "@recycle", "@recently-snapshot",  # QNAP
    }
)  # fmt: skip

_CHKDSK = re.compile(r"found\.\d{3}", re.IGNORECASE)  # where Windows puts what it found on a damaged disk

MAX_NAME_CHARS, MAX_NAME_BYTES = 100, 200  # of a file name; systems allow 255 bytes, of which endings need some

# Control characters, and those that end a line or change its direction: a printed name must stay within its line.
_CONTROL = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def is_ignored(name: str) -> bool:
    """Whether a file or folder of this name is skipped without being listed."""
    return name.startswith(".") or name.lower() in IGNORED_NAMES or bool(_CHKDSK.fullmatch(name))


def printable(name: str) -> str:
    """A name for printing: bytes that are not UTF-8 and control characters are escaped."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def composed(name: str) -> str:
    """A name in Unicode's composed form (NFC), for comparing: macOS writes ö as o and ¨."""
    return unicodedata.normalize("NFC", name)


def file_stem(*parts: object) -> str:
    """The parts joined by "-" into a file name without an ending that is valid on every system.

    Where it is longer than MAX_NAME_CHARS characters or MAX_NAME_BYTES bytes of UTF-8, the longest parts are cut and a digest
    of the whole is added, so that different parts still give different names.
    """
    names = [re.sub(r"[^\w.+-]+", "_", str(part)) for part in parts]
    text = "-".join(names)
    if not _fits(text):
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        cuts = ("-".join([*(name[:most] for name in names), digest]) for most in range(MAX_NAME_CHARS, 0, -1))
        text = next((cut for cut in cuts if _fits(cut)), digest)
    text = text.strip("._-") or "flower"
    return f"{text}_" if RESERVED.fullmatch(text.partition(".")[0]) else text


def _fits(name: str) -> bool:
    return len(name) <= MAX_NAME_CHARS and len(name.encode()) <= MAX_NAME_BYTES
