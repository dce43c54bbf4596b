"""A static host on loopback, and a visitor of the page that draws in the browser."""

from __future__ import annotations

import functools
import time
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from visitor import DESKTOP, Visitor, content

WAIT = 3  # seconds
DRAWN = "img[src^='data:image/png']"


@contextmanager
def hosted(folder: Path):
    """Any static host: its address, and what it was asked for. Files in `cut` break off in the middle, those in `late` wait."""
    asked, cut, late = [], set(), set()

    class Host(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            asked.append(path)
            if Path(path).name in late:
                time.sleep(WAIT)
            if Path(path).name not in cut:
                return super().do_GET()
            whole = (folder / path.lstrip("/")).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(whole)))
            self.end_headers()
            self.wfile.write(whole[: len(whole) // 2])
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), functools.partial(Host, directory=folder))
    Thread(target=server.serve_forever, daemon=True).start()
    server.asked, server.cut, server.late, server.url = asked, cut, late, f"http://127.0.0.1:{server.server_port}"
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


class Guest(Visitor):
    """A visitor of the page; a whole one, as loading it costs seconds of a core."""

    def __init__(self, browser, host, address: str = "", **options) -> None:
        super().__init__(browser, host.url, **{"viewport": DESKTOP, **options})
        self.context.set_default_timeout(180_000)
        self.host = host
        self.page.goto(f"{host.url}/{address}")

    def follow(self, address: str) -> None:
        """A link, while the page stays."""
        self.page.evaluate(
            "(to) => { history.pushState(null, '', to); dispatchEvent(new PopStateEvent('popstate')); }", address
        )

    def drawn(self, tab: str, count: int) -> list[bytes]:
        """The files of the pictures of a tab, once all of them are there."""
        self.page.wait_for_function(
            """([tab, count, drawn]) => document.querySelectorAll(`#${tab}-pictures ${drawn}`).length === count
              && !document.querySelector(`#${tab}-pictures.pending`)""",
            arg=[tab, count, DRAWN],
        )
        sources = self.page.eval_on_selector_all(f"#{tab}-pictures {DRAWN}", "all => all.map(one => one.src)")
        return [content(src) for src in sources]
