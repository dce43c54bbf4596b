"""Names of files and folders: which are passed over, how one is shown, and the form in which class names are compared."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata

from gan.utils.files import RESERVED

# What systems and devices leave beside photos, lower case; hidden names need no mention. A folder called "recycled" may be a
# class of somebody who sorts waste, and is not here.
LEFT_BEHIND = frozenset(
    {
        "__macosx", "network trash folder", "temporary items", "icon\r", "desktop db", "desktop df",  # macOS
        "$recycle.bin", "system volume information", "thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini",  # Windows
        "lost+found",  # Linux
        "@eadir", "@tmp", "#recycle", "#snapshot",  # Synology
        "@recycle", "@recently-snapshot",  # QNAP
    }
)  # fmt: skip

MOST_IN_NAME, MOST_BYTES_IN_NAME = 100, 200  # of a file's; systems stop at 255 bytes, with its ending and while it is written

# Control characters, and those that end a line or turn its direction: a name must not write lines of its own.
_UNSHOWN = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def is_ignored(name: str) -> bool:
    """Whether a file or folder of this name is passed over without a word."""
    return name.startswith(".") or name.lower() in LEFT_BEHIND


def printable(name: str) -> str:
    """A name as it can be printed: odd bytes (it was not written in UTF-8) and control characters are escaped."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return _UNSHOWN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def composed(name: str) -> str:
    """A name in Unicode's composed form (NFC): macOS hands out ö as o and ¨, and it is the same name."""
    return unicodedata.normalize("NFC", name)


def file_stem(*parts: object) -> str:
    """The parts joined into a file name without an ending, safe on every system.

    Where that is longer than MOST_IN_NAME characters or MOST_BYTES_IN_NAME bytes of UTF-8, the longest parts are cut and a
    digest of the whole is the last one: other parts still give another name.
    """
    names = [re.sub(r"[^\w.+-]+", "_", str(part)) for part in parts]
    text = "-".join(names)
    if not _fits(text):
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        cuts = ("-".join([*(name[:most] for name in names), digest]) for most in range(MOST_IN_NAME, 0, -1))
        text = next((cut for cut in cuts if _fits(cut)), digest)
    text = text.strip("._-") or "flower"
    return f"{text}_" if RESERVED.fullmatch(text.partition(".")[0]) else text


def _fits(name: str) -> bool:
    return len(name) <= MOST_IN_NAME and len(name.encode()) <= MOST_BYTES_IN_NAME
