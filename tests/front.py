"""A small reverse proxy on loopback that serves the app under a path, as a host with several apps does."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

HOP = {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "content-length", "host"}


@contextmanager
def fronted(port: int, path: str, app: str, *, keeps: bool, tells_host: bool = True) -> Iterator[list[str]]:
    """Serve what is below `path` at `port` from the app at `app`: gives the list of what was asked for beside that path.

    The proxy `keeps` the path or takes it off; it `tells_host` that the browser asked for, or calls the app by the app's own.
    """
    beside: list[str] = []

    class Front(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if urlsplit(self.path).path != path and not self.path.startswith(f"{path}/"):
                beside.append(self.path)
                self.send_response(204)
                self.end_headers()
                return
            headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
            headers["Host"] = self.headers["Host"] if tells_host else urlsplit(app).netloc
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            behind = http.client.HTTPConnection("127.0.0.1", urlsplit(app).port)
            inner = self.path if keeps else self.path[len(path) :]
            try:
                behind.request(self.command, inner if inner.startswith("/") else f"/{inner}", body or None, headers)
                answer = behind.getresponse()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in HOP:
                        self.send_header(name, value)
                self.send_header("Connection", "close")
                self.end_headers()
                while chunk := answer.read1(65536):  # events come one by one
                    self.wfile.write(chunk)
                    self.wfile.flush()
            except OSError:
                pass  # either side has gone
            finally:
                behind.close()

        do_POST = do_HEAD = do_PUT = do_OPTIONS = do_GET

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads, address_family, request_queue_size = True, socket.AF_INET, 64

        def handle_error(self, *_: object) -> None:
            pass

    server = Server(("127.0.0.1", port), Front)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield beside
    finally:
        server.shutdown()
        server.server_close()
