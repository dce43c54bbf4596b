"""The crowd of tests/bench/load.py in short: nobody gets an error, or a picture of somebody else; who leaves frees the work."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx
from conftest import ROOT

sys.path.insert(0, str(ROOT / "tests" / "bench"))

from load import LINKS, crowd  # noqa: E402


def test_a_small_crowd_on_all_tabs(app_url):
    with ThreadPoolExecutor(1) as thread:  # in this one the loop of the browser tests may be running
        found = thread.submit(asyncio.run, crowd(app_url, 6, 120, (0.05, 0.4), links=len(LINKS))).result()
    assert not found.errors and not found.strangers
    assert found.opened == 6 * len(LINKS) and found.pictures > 300


def answers(url: str, number: int, data: list, session: str) -> list[dict]:
    """The messages of the framework's queue for one call of a function."""
    body = {"data": data, "fn_index": number, "session_hash": session, "event_data": None, "trigger_id": None}
    with httpx.Client(base_url=url, timeout=60) as client:
        client.post("/gradio_api/queue/join", json=body).raise_for_status()
        with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as events:
            found = [json.loads(line[5:]) for line in events.iter_lines() if line.startswith("data:")]
    return [message for message in found if message["msg"].startswith("process_")]


def test_pictures_drawn_anew_are_sent_once(app_url):
    config = httpx.get(f"{app_url}/config").json()
    parts = {part["id"]: part["props"] for part in config["components"]}
    (stage,) = [number for number, props in parts.items() if props.get("elem_id") == "generate-pictures"]
    redraw = next(one for one in config["dependencies"] if one["outputs"] == [stage] and stage not in one["inputs"])
    messages = answers(app_url, redraw["id"], [parts[number].get("value") for number in redraw["inputs"]], "anew")
    sent = [set(re.findall('data:image/[^"]+', json.dumps(message))) for message in messages]
    assert messages[-1]["success"] and sum(map(len, sent)) == len(set().union(*sent)) > 0
