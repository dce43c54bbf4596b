"""Names of files and folders: which are passed over, how one is shown, and the form in which class names are compared."""

from __future__ import annotations

import os
import re
import unicodedata

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
