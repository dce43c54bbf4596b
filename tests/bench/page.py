"""What a visitor waits for, and what a host pays: `python tests/bench/page.py` (wants Chromium).

- Start: the app from nothing to its first picture over the wire, beside the bare import of gradio and torch, in turns.
- Memory: the same two processes, resident, at the end.
- Click to picture: from the press of a button to the first and to sixteen new pictures decoded in Chromium, alone and with 32
  other visitors who ask for sixteen every few seconds; the median and the 95th percentile.

Ratios of one machine at one time: say which, and what else it did.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from threading import Event, Thread

ROOT = Path(__file__).resolve().parents[2]
BARE = "import gradio, torch, time, sys; print('ready', flush=True); sys.stdin.read()"
STARTS, OTHERS, PAUSE = 5, 32, 4.0
CLICK = """async () => {
  const before = document.querySelector('#generate-pictures img').src, started = performance.now();
  document.querySelector('#new-flowers').click();
  const images = () => [...document.querySelectorAll('#generate-pictures img[src]')];
  while (images()[0].src === before) await new Promise(requestAnimationFrame);
  await images()[0].decode();
  const first = performance.now() - started;
  while (document.querySelector('#generate-pictures .coming')) await new Promise(requestAnimationFrame);
  await Promise.all(images().map((image) => image.decode()));
  return [first, performance.now() - started];
}"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="flagship")
    parser.add_argument("--clicks", type=int, default=60, help="alone, and beside the others (default %(default)s)")
    args = parser.parse_args()
    model = args.model
    bare, whole, over = [], [], []
    for _ in range(STARTS):
        started = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-c", BARE], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process.stdout.readline()
        bare.append(time.perf_counter() - started)
        floor = _resident(process.pid)
        process.communicate(b"")
        started = time.perf_counter()
        process, address = _serve(model)
        try:
            _draw(address, 1)
            whole.append(time.perf_counter() - started)
            over.append(_resident(process.pid) - floor)
        finally:
            process.terminate()
            process.wait(20)
    print(f"start to first picture: {_m(whole):.2f} s; the imports alone {_m(bare):.2f} s; ratio {_m(whole) / _m(bare):.2f}")
    print(f"memory above the imports after one picture: {_m(over):.0f} MiB")
    process, address = _serve(model)
    try:
        _say("alone", _clicks(address, args.clicks))
        stop = Event()
        others = [Thread(target=_visit, args=(address, stop, number), daemon=True) for number in range(OTHERS)]
        for other in others:
            other.start()
        time.sleep(5)
        _say(f"with {OTHERS} others", _clicks(address, args.clicks))
        stop.set()
        for other in others:
            other.join(30)
        print(f"memory at the end: {_resident(process.pid):.0f} MiB")
    finally:
        process.terminate()
        process.wait(20)


def _say(who: str, clicks: list[list[float]]) -> None:
    for what, times in zip(("the first picture", "sixteen pictures"), zip(*clicks)):
        late = sorted(times)[int(0.95 * len(times))]
        print(f"click to {what} {who}: p50 {_m(times):.0f} ms, p95 {late:.0f} ms (n {len(times)})")


def _m(values: Sequence[float]) -> float:
    return statistics.median(values)


def _serve(model: str) -> tuple[subprocess.Popen, str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GRADIO_")}
    environment["HF_HUB_OFFLINE"] = "1"
    command = [sys.executable, str(ROOT / "app.py"), "--port", str(port), "--model", model]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    for _ in range(2400):
        try:
            urllib.request.urlopen(address + "/config", timeout=5).close()
            return process, address
        except OSError:
            time.sleep(0.05)
    process.terminate()
    raise SystemExit("the app did not start")


def _draw(address: str, side: int) -> None:
    """Ask the API for side² pictures, and wait for them."""
    body = json.dumps({"data": ["All", int(time.time_ns() % 2**32), 1.5, side]}).encode()
    request = urllib.request.Request(f"{address}/gradio_api/call/generate", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        event = json.loads(answer.read())["event_id"]
    with urllib.request.urlopen(f"{address}/gradio_api/call/generate/{event}", timeout=60) as answer:
        if b"event: complete" not in answer.read():
            raise SystemExit("the app answered with an error")


def _visit(address: str, stop: Event, number: int) -> None:
    """A visitor who asks for sixteen pictures, looks at them for a while, and asks again."""
    stop.wait(PAUSE * number / OTHERS)
    while not stop.is_set():
        _draw(address, 4)
        stop.wait(PAUSE)


def _clicks(address: str, count: int) -> list[list[float]]:
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-background-networking"])
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        page.add_init_script("localStorage.setItem('flowers.welcomed', '1')")
        page.goto(address + "/?grid=4")
        page.wait_for_selector("#generate-pictures img[src]")
        page.wait_for_timeout(2000)
        times = [page.evaluate(CLICK) for _ in range(count + 3)][3:]
        browser.close()
    return times


def _resident(pid: int) -> float:
    """Resident memory of a process, MiB (Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise SystemExit("no figure for memory here: this wants Linux")


if __name__ == "__main__":
    main()
