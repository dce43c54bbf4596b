"""Show the page of a training (dashboard.py) in a browser of this computer while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from gan.errors import UserError
from gan.runs.dashboard import FILE

PORT = 8008
WAITING = (
    b'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="5"><title>A training</title>Nothing saved yet.'
)


@contextmanager
def preview(run: Path, port: int = PORT) -> Iterator[str]:
    """Serve the page of a run folder on loopback alone, at `port` (0: any free one), as long as the block lasts: its address.

    Nothing else in the folder is served. Raises UserError when the port is taken.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
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
            """Say nothing: the progress bar has the terminal."""

    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    except OSError as error:
        where = f"port {port} ({error.strerror})"
        raise UserError(f"cannot show the training at {where}; choose another with --preview PORT.") from None
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, name="preview", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
