"""This Flower Does Not Exist: the page on which anyone draws flowers that do not exist. `python app.py --help`."""

from __future__ import annotations

import argparse
import atexit
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from pathlib import Path

from starlette.middleware import Middleware

from gan.errors import UserError
from gan.hub import loader
from gan.sampling import collection, inversion, settings
from gan.studio import middleware
from gan.studio.gradio_compat import undisturbed
from gan.studio.page import QUEUE, build
from gan.studio.session import Studio
from gan.studio.speaker import Speaker
from gan.studio.tabs.base import DRAW, FILM
from gan.studio.theme import head, theme, words
from gan.utils import interrupts
from gan.utils.terminal import unbreakable


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="app.py", description="Serve the page on which visitors draw flowers that do not exist.",
        epilog="Bundled models: " + (", ".join(loader.bundled()) or "none yet; give --model") + ". " + _limits(),
    )  # fmt: skip
    model = os.environ.get("MODEL_ID") or loader.DEFAULT
    host, port = os.environ.get("GRADIO_SERVER_NAME") or "127.0.0.1", os.environ.get("GRADIO_SERVER_PORT") or "7860"
    root = os.environ.get("GRADIO_ROOT_PATH") or ""
    for name, default, kind, what in (
        ("model", model, str, "a bundled model, a model folder, a .pt file of the paper's authors, or owner/name[@revision] on "
         "the Hugging Face Hub (environment: MODEL_ID"),
        ("host", host, str, "address to serve at; 0.0.0.0 is the whole network, :: the same by IPv6 (environment: "
         "GRADIO_SERVER_NAME"),
        ("port", port, _port, "port to serve at (environment: GRADIO_SERVER_PORT"),
        ("root-path", root, _root, "path that a proxy serves the app under, such as /flowers, or the whole address, such as "
         "https://host/flowers; the proxy may keep the path or take it off (environment: GRADIO_ROOT_PATH"),
    ):  # fmt: skip
        shown = "%(default)s" if default else "none"
        parser.add_argument(f"--{name}", default=default, type=kind, metavar=name.upper(), help=f"{what}; now: {shown})")
    parser.add_argument(
        "--photos", type=Path, default=os.environ.get("PHOTOS_FOLDER") or None, metavar="FOLDER",
        help="photos with a sub-folder for each class, shown to visitors beside the flowers (environment: PHOTOS_FOLDER; "
        "default: none are shown)",
    )  # fmt: skip
    return parser.parse_args(arguments)


def _limits() -> str:
    """What a visitor cannot go beyond, as one text for the help."""
    side, drawn, made = settings.MAX_SIDE, DRAW["concurrency_limit"], FILM["concurrency_limit"]
    return (
        f"Limits: {side}×{side} flowers a grid, {settings.MAX_STEPS} pictures a film, {collection.MOST} flowers a contact "
        f"sheet, {inversion.SECONDS:g} seconds for the search of a flower near to a photo, one at a time; {drawn} requests are "
        f"drawn and {made} films or files made at once, {QUEUE} wait; a request has at most {middleware.MAX_BODY >> 10} KiB, "
        "and no file is ever uploaded."
    )


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"'{text}' is not a port; use a whole number from 1 to 65535")
    return int(text)


def _root(text: str) -> str:
    try:
        return middleware.check_root(text)
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error).rstrip(".")) from None


def check_free(host: str, port: int) -> None:
    """Raise UserError unless this computer can serve at `host` (an IPv6 address without brackets) and `port`."""
    for name in dict.fromkeys((host, "127.0.0.1")):  # the framework wants the port of the second to be free, too
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)[0]
            with socket.socket(family, kind, protocol) as trial:
                if os.name == "posix":  # a port that was in use a moment ago is free
                    trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:  # as the server does
                    trial.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                trial.bind(address)
        except (OSError, UnicodeError) as error:  # the second for what can be no name of a computer
            reason = getattr(error, "strerror", None) or str(error)
            raise UserError(f"cannot serve at {name}, port {port} ({reason}); choose another with --port or --host.") from None


def own_cache() -> None:
    """Give the framework a cache of this process alone, gone when it ends: by default all apps of a machine share one."""
    folder = tempfile.mkdtemp(prefix="flowers-")
    os.environ["GRADIO_TEMP_DIR"] = folder
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if threading.current_thread() is threading.main_thread():  # nobody else may
        for number in set(interrupts.signals()) - {signal.SIGINT}:
            signal.signal(number, lambda *_: sys.exit(0))  # otherwise nothing is tidied up


def mark_for_zero_gpu() -> None:
    """Mark a function for ZeroGPU where it is: such a Space stops an app that has none. Drawing stays on the CPU."""
    try:
        import spaces
    except ImportError:
        return
    spaces.GPU(lambda: None)


@unbreakable()
def main(arguments: list[str] | None = None) -> int:
    """Load the model, serve the page until Ctrl-C. Returns the exit code."""
    options = parse(arguments)
    host = options.host.removeprefix("[").removesuffix("]")
    try:
        check_free(host, options.port)
        studio = Studio(*loader.load_or_bundled(options.model), options.photos)
    except UserError as error:
        print(f"app.py: {error}", file=sys.stderr)
        return 2
    if studio.notice:
        print(f"app.py: {studio.notice}", file=sys.stderr)
    print(studio.status(), flush=True)
    studio.sampler.warm_up()
    mark_for_zero_gpu()
    host = f"[{host}]" if ":" in host else host  # as addresses have it
    print(f"Serving at http://{host}:{options.port}", flush=True)
    with undisturbed():
        own_cache()
        page = build(studio)
        page.launch(
            server_name=host, server_port=options.port, root_path=options.root_path, share=False, ssr_mode=False, pwa=False,
            mcp_server=False, quiet=True, show_error=False, theme=theme(), head=head(studio), i18n=words(studio),
            footer_links=["api"], enable_monitoring=False, run_history=False, allowed_paths=[], max_file_size="1kb",
            app_kwargs={"middleware": [Middleware(middleware.Guard, options.root_path), Middleware(Speaker)]},
            state_session_capacity=32,  # the framework keeps each session's last values, pictures too; none needs them
        )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
