"""Size and speed of the page that draws in the browser, and how near its pictures are to the app's.

    python tests/bench/garden.py flagship                # in Chromium, beside PyTorch on one thread
    python tests/bench/garden.py flagship --exact 1000   # every class, seeds 0 to 999: the graphs against float32

Contenders take turns, and figures are medians of the rounds. Times are given twice: on the clock, and of processor time, which
other programs do not lengthen (of all processes of the browser together). `--exact` runs the graphs in onnxruntime, not in a
browser.
"""

from __future__ import annotations

import argparse
import gzip
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any, BinaryIO

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parents[1])]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from conftest import CHROMIUM, CHROMIUM_OPTIONS  # noqa: E402

from gan.garden import files as garden  # noqa: E402
from gan.garden import runtime  # noqa: E402
from gan.hub import loader  # noqa: E402
from gan.networks import latents  # noqa: E402
from gan.sampling.flower import Flower  # noqa: E402
from gan.utils.images import to_uint8  # noqa: E402

FLOWERS, ROUNDS = 8, 3
BANDWIDTH = 20e6 / 8  # bytes a second of the cold load
DRAW = """async ([count, threads]) => {
  const facts = window.FLOWERS.garden, worker = new Worker("worker.js", { type: "module" });
  const { directions, ...plain } = facts;
  const done = (id) => new Promise((yes, no) => worker.addEventListener("message", ({ data }) => {
    if (data.kind === "failed") no(new Error(data.key));
    if (data.kind === "done" && data.id === id) yes(data);
  }));
  worker.postMessage({ task: "start", id: 1, facts: plain, wish: { kind: "wasm", threads } });
  await done(1);
  const flower = (seed) => ({ label: 0, seed, truncation: 1.5, shift: "", fine: null });
  const flowers = (first) => Array.from({ length: count }, (_, i) => flower(first + i));
  const settings = Array(count).fill({});
  worker.postMessage({ task: "draw", id: 2, flowers: flowers(0), settings });
  await done(2);
  window.again = async (id) => {
    worker.postMessage({ task: "draw", id, flowers: flowers(100 * id), settings });
    await done(id);
  };
}"""


class Host(SimpleHTTPRequestHandler):
    """A static host that allows threads from the first visit; `slow` makes all answers together as slow as BANDWIDTH."""

    slow, line = False, Lock()

    def end_headers(self) -> None:
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def copyfile(self, source: BinaryIO, outputfile: BinaryIO) -> None:
        while part := source.read(1 << 15):
            if Host.slow:
                with Host.line:
                    time.sleep(len(part) / BANDWIDTH)
            outputfile.write(part)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def hosted(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Host, directory=folder))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


def processor(pid: int) -> float:
    """Seconds of processor time of a process and all that it has started, so far."""
    total, ticks = 0, os.sysconf("SC_CLK_TCK")
    parents: dict[int, int] = {}
    spent: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(path.parent.name)], spent[int(path.parent.name)] = int(words[1]), int(words[11]) + int(words[12])
    for one in spent:
        above = one
        while above and above != pid:
            above = parents.get(above, 0)
        total += spent[one] if above == pid else 0
    return total / ticks


def timed(work: Callable[[], object], pid: int) -> tuple[float, float]:
    """Seconds on the clock and of processor time."""
    clock, spent = time.perf_counter(), processor(pid)
    work()
    return time.perf_counter() - clock, processor(pid) - spent


def size(content: dict[str, bytes]) -> None:
    """What a visitor downloads, by parts; what a host packs (text) is counted packed."""
    wanted = [name for name in content if not name.startswith("ort-") or "asyncify" not in name and "webgpu" not in name]
    whole = (".onnx", ".gz", ".png")
    packed = {name: len(content[name] if name.endswith(whole) else gzip.compress(content[name])) for name in wanted}
    parts = {"model": 0, "runtime": 0, "page": 0}
    for name, count in packed.items():
        parts["model" if name.endswith(".onnx") else "runtime" if name.startswith("ort-") else "page"] += count
    print(
        " ".join(f"{name} {count / 1e6:.2f} MB" for name, count in parts.items()),
        f"together {sum(parts.values()) / 1e6:.2f} MB",
    )


def speed(model: loader.Model, content: dict[str, bytes]) -> None:
    """Milliseconds a flower in Chromium and in PyTorch, and the time to the first flower of a cold load."""
    from playwright.sync_api import sync_playwright

    generator, config = model.generator, model.generator.config
    torch.set_num_threads(1)
    code = Flower(0, 0).resolve(len(config.classes)).code(config)

    def draw() -> None:
        with torch.inference_mode():
            for seed in range(FLOWERS):
                to_uint8(generator.decode(*generator.latents([seed], code, 1.5)))

    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        for path, data in content.items():
            (Path(name) / path).parent.mkdir(parents=True, exist_ok=True)
            (Path(name) / path).write_bytes(data)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
        print("Chromium", browser.version, "on", os.cpu_count(), "cores")
        with hosted(Path(name)) as url:
            contenders: dict[str, Callable[[], object]] = {"PyTorch, float32, one thread": draw}
            for threads in (1, 2):
                page = browser.new_page()
                page.set_default_timeout(600_000)
                page.goto(f"{url}sw.js")  # of the same origin, with nothing to do
                page.goto(f"{url}index.html?engine=wasm&threads=1&grid=1")
                page.wait_for_selector(".garden[data-engine]")
                page.evaluate(DRAW, [FLOWERS, threads])
                number = iter(range(3, 1000))
                again = partial(lambda page, number: page.evaluate("(id) => window.again(id)", next(number)), page, number)
                contenders[f"page, {threads} thread(s)"] = again
            seconds: dict[str, list[tuple[float, float]]] = {label: [] for label in contenders}
            draw()
            for _ in range(ROUNDS):
                for label, work in contenders.items():
                    seconds[label].append(timed(work, os.getpid()))
            for label, found in seconds.items():
                clock, spent = (statistics.median(times) * 1000 / FLOWERS for times in zip(*found))
                print(f"{label}: {clock:.0f} ms a flower on the clock, {spent:.0f} of processor time")
            cold(browser, url)
        browser.close()


def cold(browser: Any, url: str) -> None:
    """First visits at BANDWIDTH."""
    rounds = []
    for _ in range(ROUNDS):
        page = browser.new_context().new_page()
        page.set_default_timeout(600_000)
        Host.slow, start = True, time.perf_counter()
        page.goto(f"{url}?engine=wasm&grid=1&seed=1")
        page.wait_for_function("document.querySelector('.loading progress').value >= 0.9999")
        fetched = time.perf_counter() - start
        Host.slow = False
        later = timed(lambda: page.wait_for_selector("#generate-pictures img[src^='data:image/png']"), os.getpid())
        rounds.append((fetched, *later))
        page.context.close()
    fetched, clock, spent = (statistics.median(times) for times in zip(*rounds))
    print(f"cold load at {BANDWIDTH * 8 / 1e6:.0f} Mbit/s: downloaded after {fetched:.1f} s")
    print(f"the first flower {clock:.1f} s later on the clock, {spent:.1f} of processor time")


def exact(model: loader.Model, count: int) -> None:
    """The farthest value of any flower of every class, seeds 0 to `count`, from float32."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    generator, config = model.generator, model.generator.config
    sessions = {name: onnxruntime.InferenceSession(data, options) for name, data in garden._checked_graphs(generator).items()}
    level, found = latents.default_truncation(config.scores), np.zeros(256, np.int64)
    for seed in range(count):
        for label in range(len(config.classes)):
            code = Flower(label, seed).resolve(len(config.classes)).code(config)
            with torch.inference_mode():
                wanted = to_uint8(generator.decode(*generator.latents([seed], code, level))).astype(int)
            drawn = to_uint8(torch.from_numpy(garden._drawn(generator, sessions, seed, code.numpy(), level))).astype(int)
            found += np.bincount(np.abs(drawn - wanted).ravel(), minlength=256)
    share = found / found.sum()
    print(f"{count} seeds × {len(config.classes)} classes: farthest {np.nonzero(found)[0].max()} of 255")
    print(f"{share[0]:.2%} of the values are equal")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--exact", type=int, metavar="N", help="compare N seeds of every class instead")
    args = parser.parse_args()
    model = loader.load(args.model)
    if args.exact:
        return exact(model, args.exact)
    content = garden.garden_files(model, vendored=runtime.vendor())
    size(content)
    speed(model, content)


if __name__ == "__main__":
    main()
