"""The crowd of tests/bench/load.py in short: nobody gets an error, or a picture of somebody else; who leaves frees the work."""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor

from conftest import ROOT

sys.path.insert(0, str(ROOT / "tests" / "bench"))

from load import LINKS, crowd  # noqa: E402


def test_a_small_crowd_on_all_tabs(app_url):
    with ThreadPoolExecutor(1) as thread:  # in this one the loop of the browser tests may be running
        found = thread.submit(asyncio.run, crowd(app_url, 6, 120, (0.05, 0.4), links=len(LINKS))).result()
    assert not found.errors and not found.strangers
    assert found.opened == 6 * len(LINKS) and found.pictures > 300
