"""The crowd of tests/bench/load.py in short: nobody gets an error, or a picture of somebody else; who leaves frees the work."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "tests" / "bench"))

from load import LINKS, crowd  # noqa: E402


def test_a_small_crowd_on_all_tabs(app_url):
    with ThreadPoolExecutor(1) as thread:  # in this one the loop of the browser tests may be running
        found = thread.submit(asyncio.run, crowd(app_url, 6, 120, (0.05, 0.4), links=len(LINKS))).result()
    assert not found.errors and not found.strangers
    assert found.opened == 6 * len(LINKS) and found.pictures > 300


def pictures_sent(messages: list[dict]) -> int:
    """How many different pictures the messages carry; none of them is in two messages."""
    sent = [set(re.findall('data:image/[^"]+', json.dumps(message))) for message in messages]
    assert sum(map(len, sent)) == len(set().union(*sent))
    return len(set().union(*sent))


def answers(url: str, number: int, data: list, session: str) -> list[dict]:
    """The messages of the framework's queue for one call of a function."""
    body = {"data": data, "fn_index": number, "session_hash": session, "event_data": None, "trigger_id": None}
    with httpx.Client(base_url=url, timeout=60) as client:
        client.post("/gradio_api/queue/join", json=body).raise_for_status()
        with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as events:
            found = [json.loads(line[5:]) for line in events.iter_lines() if line.startswith("data:")]
    return [message for message in found if message["msg"].startswith("process_")]


@pytest.mark.parametrize("tab", ["generate", "interpolate", "truncation"])
def test_a_link_opens_its_tab_before_it_is_drawn_and_every_picture_is_sent_once(app_url, tab):
    config = httpx.get(f"{app_url}/config").json()
    names = {part["id"]: part["props"].get("elem_id") for part in config["components"]}
    opening = next(one["id"] for one in config["dependencies"] if [names.get(id_) for id_ in one["inputs"]] == ["opened"])
    messages = answers(app_url, opening, [f"?tab={tab}&seed=5&grid=7"], f"once-{tab}")
    first, *rest = [json.dumps(message["output"]) for message in messages if message["msg"] == "process_generating"]
    assert f'"selected": "{tab}"' in first and "data:image" not in first
    pictures = re.findall('data:image/[^"]+', json.dumps(messages))
    assert len(pictures) == len(set(pictures)) > 10 and messages[-1]["success"] and rest


def test_pictures_drawn_anew_are_sent_once(app_url):
    config = httpx.get(f"{app_url}/config").json()
    parts = {part["id"]: part["props"] for part in config["components"]}
    (stage,) = [number for number, props in parts.items() if props.get("elem_id") == "generate-pictures"]
    redraw = next(one for one in config["dependencies"] if one["outputs"] == [stage] and stage not in one["inputs"])
    messages = answers(app_url, redraw["id"], [parts[number].get("value") for number in redraw["inputs"]], "anew")
    pictures = re.findall('data:image/[^"]+', json.dumps(messages))
    assert messages[-1]["success"] and len(pictures) == len(set(pictures)) > 0
