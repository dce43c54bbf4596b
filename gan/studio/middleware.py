"""ASGI middleware: a list of the requests that the app answers, and the language of each request."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from gan.errors import UserError
from gan.studio.i18n import language_of, use_language

MAX_BODY = 128 << 10  # bytes; a long contact sheet is tens of KiB, a photo in base64 at most 120,000 bytes (upload.py)

# Gradio has about seventy routes, among them uploads, a proxy and an editor of code. A path that matches none of these patterns
# is refused. The path is compared as Gradio's router sees it: decoded once.
_FILES, _FOLDERS = r"config|theme\.css|favicon\.ico|robots\.txt|manifest\.json", "assets|static"
_READ = re.compile(
    rf"/|/(?:{_FILES})|/(?:{_FOLDERS})/.+|"
    r"/gradio_api/(?:info|openapi\.json|startup-events|queue/data|heartbeat/\w+|call/\w+/\w+|"
    r"file=(?:/|[A-Za-z]:[\\/])[^:]*)"  # a local path; Gradio would fetch a URL
)
_OWN = re.compile(rf"/(?:{_FILES}|{_FOLDERS}|gradio_api)(?:/.*)?")  # a root path must not be one of these
_SENT = re.compile(r"/gradio_api/(?:queue/join|cancel|reset|call/\w+)")  # POST: start or cancel a job, or end a session
_AGENTS = re.compile(r"/gradio_api/mcp/?")  # the Model Context Protocol, of an app that was started with --mcp

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class AllowList:
    """Passes on the requests of the list above, and answers 404, 405 or 413 to all others. Web sockets are closed.

    The app may be served under the path `root` by a proxy. The proxy may keep that path in a request or strip it.
    """

    def __init__(self, app: App, root: str = "", agents: bool = False) -> None:
        """`root` is a path or a URL, as `check_root` returns it. `agents` adds the route of the Model Context Protocol."""
        self.app, self.root, self.agents = app, urlsplit(root).path, agents

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one ASGI connection."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return
        path, method = scope["path"], scope["method"]
        if self.root and path == self.root and method in ("GET", "HEAD"):
            # The slash is needed for the relative URLs of the page.
            query = scope["query_string"]
            await _answer(send, 307, "", [(b"location", quote(self.root).encode() + b"/" + (b"?" + query if query else b""))])
            return
        path = path[len(self.root) :] if self.root and path.startswith(f"{self.root}/") else path
        scope = {**scope, "path": path, "raw_path": quote(path).encode()}
        both = self.agents and bool(_AGENTS.fullmatch(path))
        sent = bool(_SENT.fullmatch(path))
        if not both and not sent and not _READ.fullmatch(path):
            await _answer(send, 404, "There is nothing here; this app takes no files and fetches nothing.")
        elif method not in (
            ("GET", "POST", "OPTIONS") if both else ("POST", "OPTIONS") if sent else ("GET", "HEAD", "OPTIONS")
        ):
            await _answer(send, 405, "This app does not take that.")
        elif method != "POST":
            await self.app(scope, receive, send)
        else:
            body = await _read(receive)
            if body is None:
                await _answer(send, 413, f"That is more than {MAX_BODY >> 10} KiB, and no settings of this app are.")
            else:
                await self.app(scope, _replay(body, receive), send)


class RequestLanguage:
    """Answers each request in the language of its visitor (`i18n.language_of`)."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        with use_language(language_of(headers, scope["query_string"].decode("latin-1"))):
            await self.app(scope, receive, send)


def check_root(text: str) -> str:
    """`text` as the root path of the app, without a final slash: `/flowers`, or a URL such as `https://host/flowers`, or empty.

    Raises UserError for anything else, and for a path that the page itself uses.
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
    """The body of a request, or None if it is larger than MAX_BODY."""
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
    """A `receive` that returns `body` once, and later messages of the connection, such as its end."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _answer(send: Send, status: int, sentence: str, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
    content = sentence.encode()
    length = str(len(content)).encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", length), *headers]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
