"""Which language the framework is asked in: what it puts into a page is up to the request for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from gan.studio.i18n import language_of, spoken

Message = MutableMapping[str, Any]


class Speaker:
    """ASGI middleware: everything that answers a request speaks the language of who asks."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        with spoken(language_of(headers, scope["query_string"].decode("latin-1"))):
            await self.app(scope, receive, send)
