"""A crowd: `python tests/bench/load.py [--visitors 64] [--seconds 60] [--seeds N]`, against an app of its own on loopback.

Every visitor opens links of all tabs, one after the other, as a browser does it (the framework's queue), and looks at each for
a while. Of every picture that comes the file itself says which flower it is: it has to be the one asked for.
Printed: links opened, errors, strangers' pictures, the median and the 95th percentile of the wait, the server's memory at the
start, halfway and at the end. Exit code 1 if anything was wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from page import _resident, _serve  # noqa: E402

from gan.utils import images  # noqa: E402

LOOK = (0.5, 3.0)  # seconds that a visitor looks at what came
WAIT = 60.0  # seconds after which a visitor gives up, which is an error
# A link of each tab, and the parameter of its seed.
LINKS = {
    "tab=generate&grid=4&seed={seed}": "seed",
    "tab=generate&grid=7&class=marigold&seed={seed}": "seed",
    "tab=interpolate&steps=12&from-seed={seed}&to-seed=5": None,
    "tab=explore&explore-seed={seed}": "explore-seed",
    "tab=mixing&mixing-seed={seed}": None,
    "tab=inside&inside-seed={seed}": "inside-seed",
    "tab=truncation&truncation-seed={seed}": "truncation-seed",
    "tab=growth&growth-seed=7": None,
    "tab=ladder&ladder-seed={seed}": "ladder-seed",
    "tab=copies&copies-seed={seed}": None,
}


@dataclass
class Found:
    """What all visitors saw."""

    waits: dict[str, list[float]] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    strangers: int = 0
    pictures: int = 0

    @property
    def opened(self) -> int:
        return sum(map(len, self.waits.values()))

    def all_waits(self) -> list[float]:
        return sorted(wait for waits in self.waits.values() for wait in waits)


async def crowd(
    address: str, visitors: int, seconds: float, pause: tuple[float, float] = LOOK, links: float = float("inf"),
    seeds: int = 2**32,
) -> Found:  # fmt: skip
    """Let so many visitors use the app at `address` for so long, or until each has opened so many links.

    The links have one of `seeds` seeds: with few of them visitors open the links of one another.
    """
    found = Found()
    limits = httpx.Limits(max_connections=2 * visitors + 8)
    async with httpx.AsyncClient(base_url=address, limits=limits, timeout=WAIT) as client:
        config = (await client.get("/config")).json()
        opening = _opening(config)
        end = time.monotonic() + seconds
        await asyncio.gather(*(_visit(client, opening, number, end, pause, links, seeds, found) for number in range(visitors)))
    return found


def _opening(config: dict[str, Any]) -> int:
    """The function that opens an address."""
    ids = {part["id"]: part["props"].get("elem_id") for part in config["components"]}
    return next(one["id"] for one in config["dependencies"] if [ids.get(id_) for id_ in one["inputs"]] == ["opened"])


async def _visit(
    client: httpx.AsyncClient, opening: int, number: int, end: float, pause: tuple[float, float], links: float, seeds: int,
    found: Found,
) -> None:  # fmt: skip
    dice = random.Random(number)
    tour = dice.sample(list(LINKS), len(LINKS))  # all of them, in an order of the visitor's own, again and again
    await asyncio.sleep(dice.uniform(0, pause[1]))
    opened = 0
    while time.monotonic() < end and opened < links:
        link = tour[opened % len(tour)]
        opened += 1
        seed = dice.randrange(seeds)
        started = time.monotonic()
        try:
            shown = await _open(client, opening, "?" + link.format(seed=seed), dice.getrandbits(60))
        except (httpx.HTTPError, RuntimeError, ValueError) as error:
            found.errors[f"{link.partition('&')[0]}: {type(error).__name__} {str(error)[:100]}"] += 1
        else:
            found.waits.setdefault(link.split("&")[0], []).append(time.monotonic() - started)
            _check(shown, LINKS[link], seed, found)
        await asyncio.sleep(dice.uniform(*pause))


async def _open(client: httpx.AsyncClient, opening: int, query: str, session: int) -> list[Any]:
    """Ask for a link in a session of its own, and wait for what the page would show."""
    name = f"{session:015x}"
    body = {"data": [query], "fn_index": opening, "session_hash": name, "event_data": None, "trigger_id": None}
    joined = await client.post("/gradio_api/queue/join", json=body)
    if joined.status_code != 200:
        raise RuntimeError(f"join: {joined.status_code} {joined.text[:80]}")
    async with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": name}) as events:
        async for line in events.aiter_lines():
            if not line.startswith("data:"):
                continue
            message = json.loads(line[5:])
            if message["msg"] == "process_completed":
                if not message["success"]:
                    raise RuntimeError(str(message["output"].get("error"))[:100])
                return message["output"]["data"]
    raise RuntimeError("the stream ended without an answer")


def _check(shown: list[Any], key: str | None, seed: int, found: Found) -> None:
    """Count the pictures that are not of the flowers asked for."""
    value = next((part for part in reversed(shown) if isinstance(part, dict) and "address" in part), None)
    if value is None:
        found.errors["a link without an answer"] += 1
        return
    for src in _sources(value):
        found.pictures += 1
        if key is None:
            continue
        about = images.read_settings(base64.b64decode(src.partition("base64,")[2])) or {}
        if "seed" in about and not 0 <= (about["seed"] - seed) % 2**32 < 49:
            found.strangers += 1
    if key and value["address"].get(key) != str(seed):
        found.strangers += 1


def _sources(value: Any) -> Iterator[str]:
    """Every PNG or JPEG file within a value."""
    if isinstance(value, str) and value.startswith(("data:image/png", "data:image/jpeg")):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _sources(part)
    elif isinstance(value, list):
        for part in value:
            yield from _sources(part)


async def _watched(address: str, pid: int, visitors: int, seconds: float, seeds: int) -> tuple[Found, list[float]]:
    memory = [_resident(pid)]

    async def halfway() -> None:
        await asyncio.sleep(seconds / 2)
        memory.append(_resident(pid))

    found, _ = await asyncio.gather(crowd(address, visitors, seconds, seeds=seeds), halfway())
    return found, [*memory, _resident(pid)]


def main() -> int:
    """Serve, let the crowd in, print; 0 if all was well."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visitors", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--model", default="flagship")
    parser.add_argument("--seeds", type=int, default=2**32, help="of how many seeds the links are; few: visitors share links")
    options = parser.parse_args()
    process, address = _serve(options.model)
    try:
        asyncio.run(crowd(address, 2, 5))  # what is loaded at first use is loaded
        found, memory = asyncio.run(_watched(address, process.pid, options.visitors, options.seconds, options.seeds))
    finally:
        process.terminate()
        process.wait(20)
    waits = found.all_waits()
    print(f"{options.visitors} visitors, {options.seconds:g} s: {found.opened} links opened, {found.pictures} pictures")
    print(f"errors: {sum(found.errors.values())}, pictures of somebody else: {found.strangers}")
    for what, count in found.errors.most_common():
        print(f"  {count} × {what}")
    for tab, times in sorted(found.waits.items()):
        late = sorted(times)[int(0.95 * len(times))]
        print(f"  {tab:16s} n {len(times):4d}  p50 {statistics.median(times):.2f} s  p95 {late:.2f} s")
    if waits:
        print(f"wait: p50 {statistics.median(waits):.2f} s, p95 {waits[int(0.95 * len(waits))]:.2f} s")
    print("memory, MiB: " + ", ".join(f"{value:.0f}" for value in memory) + " (start, halfway, end)")
    return 1 if found.errors or found.strangers else 0


if __name__ == "__main__":
    sys.exit(main())
