"""A tiny model folder, the app serving it, and a real browser: shared by the tests of the app."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import forked
import pytest
import torch
from profiles import Browser
from visitor import DESKTOP, Visitor

from gan.config import ModelConfig
from gan.generator import ConvGenerator, Generator, make_generator
from gan.hub import loader
from gan.hub.checkpoint import save_model
from gan.networks.layers import init_weights

for _name in [name for name in os.environ if name.startswith("GRADIO_") or name.lower().endswith("_proxy")]:
    del os.environ[_name]  # of whoever runs the tests: everything here is on this computer

if hasattr(signal, "SIGHUP"):
    with suppress(ValueError):  # in a thread of whoever runs the tests
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # terminals are closed here, also where the tests run under nohup

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
CHROMIUM_OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
CLASSES = ("dandelion", "marigold")


# Files that are begun first: begun last, the other processes would wait for one.
LONG = ("test_distributed.py", "test_terminal.py", "test_evaluate.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long come first, the others in the order of their names."""
    items.sort(key=lambda item: item.path.name not in LONG)


def tiny_generator(classes: tuple[str, ...] = CLASSES) -> Generator:
    """An untrained generator of 16×16 pictures, every seed and class of which look different. Always the same one."""
    layers = ("T4,1,0>8 bn relu", "up", "C3,1,1>8 bn relu", "T4,2,1>3 tanh")
    config = ModelConfig("tiny", 16, classes, layers, z_dim=8).validate()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        generator = ConvGenerator(config)
        init_weights(generator, std=0.3)
    return generator.requires_grad_(False).eval()


def styled_generator(
    classes: tuple[str, ...] = CLASSES, layers: tuple[str, ...] = ("M>16", "M>16", "S>16", "S>16", "S>8"), resolution: int = 16,
    contrast: float = 0.3,
) -> Generator:  # fmt: skip
    """An untrained generator with styles, every seed and class of which look different. The same one for the same arguments."""
    config = ModelConfig("styled", resolution, classes, layers, z_dim=8).validate()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        generator = make_generator(config)
        generator.init_weights()
        for scale in generator.scales:
            torch.nn.init.normal_(scale.rgb_weight, 0, contrast)
        generator.calibrate()
    return generator.requires_grad_(False).eval()


@pytest.fixture
def tiny() -> Generator:
    """`tiny_generator()`, new for every test."""
    return tiny_generator()


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Torch computes on two threads, as many as a computer would give it, also where the tests have one (`make test`)."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`tiny_generator()` as a model folder named `tiny`."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    generator = tiny_generator()
    save_model(folder, generator, generator.config)
    return folder


def free_port() -> int:
    """A port on loopback that nobody listened on a moment ago."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


@contextmanager
def serving(
    model: Path | str, log: Path, host: str = "127.0.0.1", options: Sequence[str] = (), fresh: bool = False, **more: str
) -> Iterator[str]:  # fmt: skip
    """`python app.py --model MODEL` as a process of its own, with `more` in its environment: its address, once it answers.

    A `fresh` one has its own interpreter, and reads `more` while it imports; others are forked (forked.py).
    """
    port = free_port()
    command = [str(ROOT / "app.py"), "--model", str(model), "--host", host, "--port", str(port), *options]
    with _fresh(command, log, more) if fresh else _forked(command, log, more) as is_alive:
        url = f"http://{'[::1]' if ':' in host else host}:{port}"
        _wait_for(f"{url}/config", is_alive, log)
        yield url


@contextmanager
def _fresh(command: list[str], log: Path, more: dict[str, str]) -> Iterator[Callable[[], bool]]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}
    environment.pop("MODEL_ID", None)
    environment.update(more)
    with log.open("wb") as output:
        argv = [sys.executable, *command]
        process = subprocess.Popen(argv, stdout=output, stderr=subprocess.STDOUT, cwd=log.parent, env=environment)
    try:
        yield lambda: process.poll() is None
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


@contextmanager
def serving_here(model: Path | str, *options: str, host: str = "127.0.0.1") -> Iterator[str]:
    """The same inside of this process, which has imported Gradio once: `app.serve` in a thread of its own."""
    import app  # here, because few tests need it and it takes seconds

    port = free_port()
    given = app.parse(["--model", str(model), "--host", host, "--port", str(port), *options])
    with ThreadPoolExecutor(1) as thread:  # Gradio wants a thread without an event loop, and Playwright has one in this one
        page = thread.submit(app.serve, given, wait=False).result()
        try:
            yield f"http://{'[::1]' if ':' in host else host}:{port}"
        finally:
            thread.submit(page.close, verbose=False).result()


@contextmanager
def _forked(command: list[str], log: Path, more: dict[str, str]) -> Iterator[Callable[[], bool]]:
    process = forked.begin(command, log, cwd=log.parent, **{"MODEL_ID": "", **more})
    try:
        yield process.is_alive
    finally:
        process.terminate()
        process.join(20)
        process.kill()


def _wait_for(url: str, is_alive: Callable[[], bool], log: Path, seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while is_alive() and time.monotonic() < end:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the app did not start:\n{log.read_text()}")


@pytest.fixture(scope="session")
def app_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything the app of `app_url` says."""
    return tmp_path_factory.mktemp("app") / "app.log"


@pytest.fixture(scope="session")
def app_url(model_folder: Path, app_log: Path) -> Iterator[str]:
    """The address of the app serving the tiny model, one process for all tests."""
    with serving(model_folder, app_log) as url:
        yield url


@pytest.fixture(scope="session")
def flagship_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the app with its default model, which carries its growth and its curves; one process for all tests."""
    with serving(loader.DEFAULT, tmp_path_factory.mktemp("flagship") / "app.log") as url:
        yield url


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium, started once; its profiles are lent to one test after another.

    Skips where there is none (`.ci/run` installs it, and fails when this was skipped).
    """
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no browser at {CHROMIUM}; set CHROMIUM to one")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
        yield Browser(chromium)
        chromium.close()


@pytest.fixture
def newcomer(browser):
    """A function that gives a new visitor of an address; afterwards nothing may have gone wrong or left this computer."""
    visitors = []

    def arrive(url: str, kind: type[Visitor] = Visitor, **options) -> Visitor:
        visitors.append(kind(browser, url, **{"viewport": DESKTOP, **options}))
        return visitors[-1]

    yield arrive
    for visitor in visitors:
        visitor.context.close()
        assert not visitor.errors and not visitor.away


@pytest.fixture
def visit(newcomer, app_url):
    """A function that opens the page of the tiny model."""

    def arrive(address: str = "", tab: str | None = "generate", **options) -> Visitor:
        return newcomer(app_url, **options).open(address, tab)

    return arrive
