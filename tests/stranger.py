"""A stranger with a socket: requests written by hand."""

from __future__ import annotations

import urllib.error
import urllib.request

JSON = {"Content-Type": "application/json"}
MULTIPART = {"Content-Type": "multipart/form-data; boundary=b"}
UPLOAD = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\nx\r\n--b--\r\n'


def ask(url: str, body: bytes | None = None, headers: dict | None = None, method: str | None = None) -> tuple[int, bytes]:
    """Status and content of one request, errors included."""
    request = urllib.request.Request(url, data=body, headers=headers or {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
