"""Profiles of one browser that are lent, emptied and lent again: a new one opens a window, and fetches the whole page anew."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit


class Browser:
    """A started browser of Playwright; `new_context` lends a profile that nobody else has at that moment."""

    def __init__(self, browser: Any) -> None:
        self._browser, self._free = browser, {}
        self.browser_type = browser.browser_type  # to start another one, with other fonts

    def new_context(
        self, viewport: dict | None = None, color_scheme: str | None = None, reduced_motion: str | None = None, **options: Any
    ) -> Profile:
        """An empty profile, as Playwright's function of this name gives one. Its first three options may be any page's."""
        free = self._free.setdefault(str(sorted(options.items())), [])
        profile = free.pop() if free else Profile(self._browser, options, free)
        profile.look = {"color_scheme": color_scheme, "reduced_motion": reduced_motion}, viewport
        return profile


class Profile:
    """A context of Playwright, as far as the tests use it. Once closed, only copies of what a server sent stay."""

    def __init__(self, browser: Any, options: dict, free: list[Profile]) -> None:
        self._context, self._free, self._seen = browser.new_context(**options), free, set()
        # Keeps the window open: to open another takes as long as to load the app.
        self._window = self._context.new_page()
        self._storage = self._context.new_cdp_session(self._window)
        self._context.on("page", lambda page: page.on("framenavigated", lambda frame: self._seen.add(frame.url)))
        self.look: tuple[dict, dict | None] = ({}, None)
        self.set_default_timeout, self.cookies = self._context.set_default_timeout, self._context.cookies

    def new_page(self) -> Any:
        """A page of the size and in the colors that the profile was lent with."""
        page = self._context.new_page()
        media, viewport = self.look
        page.emulate_media(**media)
        if viewport:
            page.set_viewport_size(viewport)
        return page

    def close(self) -> None:
        """Close its pages and forget what they kept; the next visitor gets it."""
        if self in self._free:
            return
        for page in self._context.pages:
            if page != self._window:
                page.close()
        for origin in {"{0.scheme}://{0.netloc}".format(urlsplit(url)) for url in self._seen}:
            self._storage.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "all"})
        self._context.clear_cookies()
        self._seen.clear()
        self._free.append(self)
