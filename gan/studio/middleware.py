"""What the server answers at all, in one list: the page, its parts, and what a visitor of this app asks for or sends."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import quote, urlsplit

from gan.errors import UserError

MAX_BODY = 128 << 10  # bytes; a page of settings is under two kilobytes, a photo in text under 120,000 (gan/studio/upload.py)

# The framework has some seventy routes: an upload server, a proxy, a store of other people's states, an editor of code. What
# is not here is not answered. A path is compared as the framework's router will see it, decoded once and otherwise untouched.
_FILES, _FOLDERS = r"config|theme\.css|favicon\.ico|robots\.txt|manifest\.json", "assets|static"
_READ = re.compile(
    rf"/|/(?:{_FILES})|/(?:{_FOLDERS})/.+|"
    r"/gradio_api/(?:info|openapi\.json|startup-events|queue/data|heartbeat/\w+|call/\w+/\w+|"
    r"file=(?:/|[A-Za-z]:[\\/])[^:]*)"  # of this computer: an address in its place would be fetched
)
_OWN = re.compile(rf"/(?:{_FILES}|{_FOLDERS}|gradio_api)(?:/.*)?")  # where another path could be taken for one of these
_SENT = re.compile(r"/gradio_api/(?:queue/join|cancel|reset|call/\w+)")  # a job, its cancellation, the end of a visit

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Guard:
    """ASGI middleware: passes on what is part of the app, below the path `root` or at the top, and answers 404, 405 or 413 to
    all else.

    A proxy before the app may keep the path it serves the app under, or take it off: both are understood, so that what is
    compared with the list is always what the framework's router sees.
    """

    def __init__(self, app: Callable[[Message, Receive, Send], Awaitable[None]], root: str = "") -> None:
        """`root` is a path as `check_root` gives it, or an address that has one."""
        self.app, self.root = app, urlsplit(root).path

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return
        path, method = scope["path"], scope["method"]
        if self.root and path == self.root and method in ("GET", "HEAD"):  # or the page would look for its parts beside it
            query = scope["query_string"]
            await _answer(send, 307, "", [(b"location", quote(self.root).encode() + b"/" + (b"?" + query if query else b""))])
            return
        path = path[len(self.root) :] if self.root and path.startswith(f"{self.root}/") else path
        scope = {**scope, "path": path, "raw_path": quote(path).encode()}
        sent = bool(_SENT.fullmatch(path))
        if not sent and not _READ.fullmatch(path):
            await _answer(send, 404, "There is nothing here; this app takes no files and fetches nothing.")
        elif method not in (("POST", "OPTIONS") if sent else ("GET", "HEAD", "OPTIONS")):
            await _answer(send, 405, "This app does not take that.")
        elif method != "POST":
            await self.app(scope, receive, send)
        else:
            body = await _read(receive)
            if body is None:
                await _answer(send, 413, f"That is more than {MAX_BODY >> 10} KiB, and no settings of this app are.")
            else:
                await self.app(scope, _replay(body, receive), send)


def check_root(text: str) -> str:
    """`text` as the path that visitors find the app under: `/flowers`, or a whole address with one; empty at the top of a host.

    Raises UserError for anything else, and for a path that is one of the page's own.
    """
    root = text.strip().rstrip("/")
    try:
        parts = urlsplit(root)
        known = parts.netloc != "" if parts.scheme in ("http", "https") else root == parts.path and root[:1] in ("", "/")
        port = parts.port is None or parts.port > 0
    except ValueError:
        known = port = False
    if not (known and port) or parts.query or parts.fragment or not re.fullmatch(r"(?:/[\w.~-]+)*", parts.path):
        raise UserError(f"'{text}' is not a path to serve under; use one such as /flowers, or https://host/flowers.")
    if _OWN.fullmatch(parts.path):
        raise UserError(f"'{text}' is a path of the page itself; serve under another, such as /flowers.")
    return root


async def _read(receive: Receive) -> bytes | None:
    """The whole body of a request, or None when it is over the limit."""
    chunks, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b""
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > MAX_BODY:
            return None
        if not message.get("more_body"):
            return b"".join(chunks)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives `body` once, and afterwards what the connection itself says (that it was closed)."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _answer(send: Send, status: int, sentence: str, more: list[tuple[bytes, bytes]] | None = None) -> None:
    content = sentence.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(content)).encode()), *(more or [])]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
