"""The app: loads a model and serves the page on which visitors draw flowers. See `python app.py --help`."""

from __future__ import annotations

import argparse
import atexit
import importlib.util
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.middleware import Middleware

from gan.errors import UserError
from gan.hub import loader
from gan.sampling import collection, inversion, settings
from gan.studio.gradio_compat import clean_environment
from gan.studio.handlers import DRAW_QUEUE, FILM_QUEUE
from gan.studio.middleware import MAX_BODY, AllowList, RequestLanguage, check_root
from gan.studio.page import MAX_QUEUE, build
from gan.studio.session import Studio
from gan.studio.theme import head, theme, translations
from gan.utils import interrupts
from gan.utils.terminal import safe_output

if TYPE_CHECKING:
    from gradio import Blocks


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line; without `arguments`, that of the process."""
    parser = argparse.ArgumentParser(
        prog="app.py", description="Serve the page on which visitors draw flowers that do not exist.",
        epilog="Bundled models: " + (", ".join(loader.bundled()) or "none yet; give --model") + ". " + _limits(),
    )  # fmt: skip
    model = os.environ.get("MODEL_ID") or loader.DEFAULT
    host, port = os.environ.get("GRADIO_SERVER_NAME") or "127.0.0.1", os.environ.get("GRADIO_SERVER_PORT") or "7860"
    root = os.environ.get("GRADIO_ROOT_PATH") or ""
    options: tuple[tuple[str, str, Callable[[str], Any], str], ...] = (
        ("model", model, str, "a bundled model, a model folder, a .pt file of the paper's authors, or owner/name[@revision] on "
         "the Hugging Face Hub (environment: MODEL_ID"),
        ("host", host, str, "address to serve at; 0.0.0.0 is the whole network, :: the same by IPv6 (environment: "
         "GRADIO_SERVER_NAME"),
        ("port", port, _port, "port to serve at (environment: GRADIO_SERVER_PORT"),
        ("root-path", root, _root, "path that a proxy serves the app under, such as /flowers, or the whole address, such as "
         "https://host/flowers; the proxy may keep the path or take it off (environment: GRADIO_ROOT_PATH"),
    )  # fmt: skip
    for name, default, kind, what in options:
        shown = "%(default)s" if default else "none"
        parser.add_argument(f"--{name}", default=default, type=kind, metavar=name.upper(), help=f"{what}; now: {shown})")
    parser.add_argument(
        "--photos", type=Path, default=os.environ.get("PHOTOS_FOLDER") or None, metavar="FOLDER",
        help="photos with a sub-folder for each class, shown to visitors beside the flowers (environment: PHOTOS_FOLDER; "
        "default: none are shown)",
    )  # fmt: skip
    parser.add_argument(
        "--mcp", action="store_true",
        help="serve the functions of the API to agents, too, by the Model Context Protocol (needs requirements-mcp.txt)",
    )  # fmt: skip
    return parser.parse_args(arguments)


def _limits() -> str:
    """The limits for visitors, as text for the help."""
    side, drawn, made = settings.MAX_SIDE, DRAW_QUEUE["concurrency_limit"], FILM_QUEUE["concurrency_limit"]
    return (
        f"Limits: {side}×{side} flowers a grid, {settings.MAX_STEPS} pictures a film, {collection.MOST} flowers a contact "
        f"sheet, {inversion.SECONDS:g} seconds for the search of a flower near to a photo, one at a time; {drawn} requests are "
        f"drawn and {made} films or files made at once, {MAX_QUEUE} wait; a request has at most {MAX_BODY >> 10} KiB, and "
        "no file is ever uploaded."
    )


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"'{text}' is not a port; use a whole number from 1 to 65535")
    return int(text)


def _root(text: str) -> str:
    try:
        return check_root(text)
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error).rstrip(".")) from None


def check_free(host: str, port: int) -> None:
    """Raise UserError if this computer cannot serve at `host` (an IPv6 address without brackets) and `port`."""
    for name in dict.fromkeys((host, "127.0.0.1")):  # Gradio itself checks the port of 127.0.0.1
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)[0]
            with socket.socket(family, kind, protocol) as trial:
                if os.name == "posix":  # a port that was closed a moment ago counts as free
                    trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:  # as the server does
                    trial.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                trial.bind(address)
        except (OSError, UnicodeError) as error:  # UnicodeError: not a valid host name
            reason = getattr(error, "strerror", None) or str(error)
            raise UserError(f"cannot serve at {name}, port {port} ({reason}); choose another with --port or --host.") from None


def use_private_cache() -> None:
    """Give Gradio this process's own temporary cache folder. By default all apps of a computer share one folder."""
    os.environ["GRADIO_TEMP_DIR"] = _cache_folder()


@cache
def _cache_folder() -> str:
    """A new folder, deleted at exit."""
    folder = tempfile.mkdtemp(prefix="flowers-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if threading.current_thread() is threading.main_thread():  # only the main thread may set signal handlers
        for number in set(interrupts.signals()) - {signal.SIGINT}:
            signal.signal(number, lambda *_: sys.exit(0))  # so that atexit functions run
    return folder


def mark_for_zero_gpu() -> None:
    """Declare a GPU function if the app runs on ZeroGPU, which stops apps without one. Drawing stays on the CPU."""
    try:
        import spaces
    except ImportError:
        return
    spaces.GPU(lambda: None)


@safe_output()
def main(arguments: list[str] | None = None) -> int:
    """Load the model and serve the page until Ctrl-C. Returns the exit code: 0, or 2 for a bad option or model."""
    try:
        serve(parse(arguments))
    except UserError as error:
        print(f"app.py: {error}", file=sys.stderr)
        return 2
    return 0


def serve(options: argparse.Namespace, *, wait: bool = True) -> Blocks:
    """Load the model and serve the page as `parse` returned `options`; with `wait`, until Ctrl-C. Raises UserError."""
    host = options.host.removeprefix("[").removesuffix("]")
    check_free(host, options.port)
    if options.mcp and importlib.util.find_spec("mcp") is None:
        raise UserError("--mcp needs the package mcp; install it by: pip install -r requirements-mcp.txt")
    model, said = loader.load_or_bundled(options.model)
    loader.fetch_growth(model)
    studio = Studio(model, said, options.photos)
    if studio.notice:
        print(f"app.py: {studio.notice}", file=sys.stderr)
    print(studio.status(), flush=True)
    studio.sampler.warm_up()
    mark_for_zero_gpu()
    host = f"[{host}]" if ":" in host else host  # as in URLs
    print(f"Serving at http://{host}:{options.port}", flush=True)
    if options.mcp:
        print(f"Agents: http://{host}:{options.port}/gradio_api/mcp/", flush=True)
    with clean_environment():
        use_private_cache()
        page = build(studio)
        page.launch(
            server_name=host, server_port=options.port, root_path=options.root_path, share=False, ssr_mode=False, pwa=False,
            mcp_server=options.mcp, quiet=True, show_error=False, theme=theme(), head=head(studio), i18n=translations(studio),
            footer_links=["api"], enable_monitoring=False, run_history=False, allowed_paths=[], max_file_size="1kb",
            app_kwargs={"middleware": [Middleware(AllowList, options.root_path, options.mcp), Middleware(RequestLanguage)]},
            state_session_capacity=32,  # Gradio stores the last values of each session, pictures too; the app needs none
            prevent_thread_lock=not wait,
        )  # fmt: skip
    return page


if __name__ == "__main__":
    sys.exit(main())
