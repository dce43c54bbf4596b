"""Serves the page of a training (dashboard.py) to browsers on this computer while the training runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from gan.errors import UserError
from gan.runs.dashboard import FILE

WAITING = (
    b'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="5"><title>A training</title>Nothing saved yet.'
)


@contextmanager
def preview(run: Path, port: int) -> Iterator[str]:
    """Serve the page of a run folder on the loopback address at `port` (0: a free one) within the block; yields its URL.

    Nothing else in the folder is served. Raises UserError when the port cannot be used.
    """

    class Handler(BaseHTTPRequestHandler):
        """Answers / with the page, or with WAITING before it exists."""

        def do_GET(self) -> None:
            """Send the page; 404 for any other path."""
            if self.path.split("?")[0] != "/":
                self.send_error(404)
                return
            page = run / FILE
            content = page.read_bytes() if page.is_file() else WAITING
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Print nothing, because the progress bar uses the terminal."""

    class Server(ThreadingHTTPServer):
        """Says nothing of a browser that leaves before it has the page."""

        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Print nothing, because the progress bar uses the terminal."""

    try:
        server = Server(("127.0.0.1", port), Handler)
    except OSError as error:
        where = f"port {port} ({error.strerror})"
        raise UserError(f"cannot show the training at {where}; choose another with --preview PORT.") from None
    thread = Thread(target=server.serve_forever, name="preview", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
