"""What the server refuses before anything else sees it: uploads, proxies, and requests no visitor of this app makes."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote

MAX_BODY = 128 << 10  # bytes; a page of settings is under two kilobytes, a photo in text under 120,000 (gan/sent.py)

# What an app of this framework does not need to be: an upload server, a proxy, a store of other people's states.
_REFUSED = re.compile(
    r"/(upload|upload_progress|proxy=.*|stream/.*|deep_link|run-history/.*|runs|dev/.*|vibe.*|undo-vibe.*|process_recording|"
    r"monitoring.*|profiling/.*|component_server|custom_component/.*|file/.*|login|logout|mcp.*)/?",
    re.IGNORECASE,
)
# The only things a visitor may send: a job, its cancellation, the end of a visit.
_POSTS = re.compile(r"/(queue/join|cancel|reset|(run|api|call|call/v2)/[\w-]+)/?")
_ELSEWHERE = re.compile(r"/file=\s*[a-z][a-z0-9+.-]+:", re.IGNORECASE)  # a file of another server, to be fetched by this one

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Guard:
    """ASGI middleware: answers 404, 405 or 413 to what is not part of the app, and passes everything else on."""

    def __init__(self, app: Callable[[Message, Receive, Send], Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path, method = route(scope["path"]), scope["method"]
        if _REFUSED.fullmatch(path) or _ELSEWHERE.match(path):
            await _answer(send, 404, "This app takes no files and fetches nothing.")
        elif method not in ("GET", "HEAD", "OPTIONS") and not (method == "POST" and _POSTS.fullmatch(path)):
            await _answer(send, 405, "This app does not take that.")
        elif method == "POST":
            body = await _read(receive)
            if body is None:
                await _answer(send, 413, f"That is more than {MAX_BODY >> 10} KiB, and no settings of this app are.")
            else:
                await self.app(scope, _replay(body, receive), send)
        else:
            await self.app(scope, receive, send)


def route(path: str) -> str:
    """The path of a request as the framework's own routes name it: decoded, without the prefix of its API."""
    return re.sub(r"/+", "/", unquote(path)).removeprefix("/gradio_api") or "/"


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


async def _answer(send: Send, status: int, sentence: str) -> None:
    content = sentence.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
