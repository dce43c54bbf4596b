"""What the functions of the API give beyond /generate and /interpolate, and the same as tools of an agent (`--mcp`)."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
import pytest
from conftest import serving, styled_generator
from gradio_client import Client
from PIL import Image
from stranger import JSON, ask

from gan.hub.checkpoint import save_model
from gan.sampling.flower import Flower, StyleMix
from gan.sampling.sampler import Sampler
from gan.utils import images

NAMES = {"/generate", "/draw", "/interpolate", "/film", "/explore", "/mixing", "/truncation"}


@pytest.fixture(scope="module")
def styled():
    return styled_generator()


@pytest.fixture(scope="module")
def url(styled, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "styled"
    save_model(folder, styled, styled.config)
    with serving(folder, tmp_path_factory.mktemp("app") / "app.log", options=["--mcp"]) as url:
        yield url


@pytest.fixture(scope="module")
def client(url, tmp_path_factory):
    return Client(url, verbose=False, download_files=str(tmp_path_factory.mktemp("downloads")))


@pytest.fixture(scope="module")
def sampler(styled):
    return Sampler(styled, 1)


def pixels(path: str) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_every_function_says_the_type_of_each_value_and_result(client):
    functions = client.view_api(return_format="dict")
    assert set(functions["named_endpoints"]) == NAMES and not functions["unnamed_endpoints"]
    for function in functions["named_endpoints"].values():
        for value in (*function["parameters"], *function["returns"]):
            assert value["python_type"]["type"] not in ("Any", ""), value


def test_one_flower(client, sampler):
    file = client.predict("marigold", 7, 2.0, api_name="/draw")
    assert np.array_equal(pixels(file), sampler.draw([Flower(1, 7, 2.0)])[0])
    about = images.read_settings(Path(file).read_bytes())
    assert (about["class"], about["seed"], about["truncation"]) == ("marigold", 7, 2.0)


def test_a_film_of_two_by_two(client):
    file = client.predict("All", [1, 5], 1.0, 2, 2, 1.5, "mp4", api_name="/film")
    with av.open(file) as film:
        assert sum(1 for _ in film.decode(video=0)) == 12


def test_a_flower_is_moved_and_mixed(client, sampler):
    file = client.predict("dandelion", 3, 1.5, [0.0] * 6, "marigold", 40, api_name="/explore")
    assert np.array_equal(pixels(file), sampler.draw([Flower((0.6, 0.4), 3)])[0])
    assert images.read_settings(Path(file).read_bytes())["extras"] == "0.3~m60:40"
    moved = client.predict("dandelion", 3, 1.5, [2.0, 0, 0, 0, 0, 0], "marigold", 0, api_name="/explore")
    still = client.predict("dandelion", 3, 1.5, api_name="/draw")
    assert not np.array_equal(pixels(moved), pixels(still))


def test_tables_come_as_one_picture(client, sampler):
    sheet = client.predict("dandelion", [0, 1], "marigold", [2, 3, 4], 1, 1.5, api_name="/mixing")
    wanted = sampler.draw([Flower(0, row, 1.5, fine=StyleMix(1, column, 1)) for row in (0, 1) for column in (2, 3, 4)])
    assert np.array_equal(pixels(sheet), images.grid(list(wanted), 3))
    sheet = client.predict("marigold", 9, [0.5, None], 2, api_name="/truncation")
    wanted = sampler.draw([Flower(1, seed, level) for level in (0.5, None) for seed in (9, 10)])
    assert np.array_equal(pixels(sheet), images.grid(list(wanted), 2))


BAD = [
    ("film", '["All", [1], 1.0, 1, 1, 1.5, "mp4"]', "The film goes through 1 flower; give it 2 to"),
    ("film", '["All", 7, 1.0, 1, 1, 1.5, "mp4"]', "The seeds are 7; give a list of 1 to 12"),
    ("film", '["All", [1, 2], 60, 6, 6, 1.5, "mp4"]', "The film has 25920 pictures; make it shorter"),
    ("film", '["All", [1, 2], 1.0, 1, 1, 1.5, "exe"]', "The kind of film is 'exe'; choose one of mp4"),
    ("explore", '["dandelion", 3, 1.5, [9, 0, 0, 0, 0, 0], "marigold", 0]', "The place along a direction is 9; use a number"),
    ("mixing", '["dandelion", [], "marigold", [1], 1, 1.5]', "The rows are []; give a list of 1 to 6"),
    ("mixing", '["dandelion", [1], "marigold", [1], 99, 1.5]', "The number of scales is 99; use a whole number"),
    ("truncation", '["dandelion", 1, [9], 3]', "The truncation is 9; use a number from 0.01 to 3"),
    ("draw", '["rose", 1, 1.5]', "The class is 'rose'; choose one of"),
]


@pytest.mark.parametrize("function, data, sentence", BAD)
def test_a_bad_value_gets_one_sentence(url, function, data, sentence):
    status, answer = ask(f"{url}/gradio_api/call/{function}", f'{{"data": {data}}}'.encode(), JSON)
    assert status == 200
    said = ask(f"{url}/gradio_api/call/{function}/{json.loads(answer)['event_id']}")[1].decode()
    assert sentence in said


# ------------------------------------------------------------------------------------------------------------- agents


def test_an_agent_sees_the_tools_and_draws(url, sampler):
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    async def visit():
        async with streamable_http_client(f"{url}/gradio_api/mcp/") as (read, write, _):
            async with ClientSession(read, write) as session:
                await session.initialize()
                tools = (await session.list_tools()).tools
                flower = await session.call_tool("draw", {"label": "marigold", "seed": 7, "truncation": 2.0})
                bad = await session.call_tool("draw", {"label": "rose"})
                return tools, flower, bad

    with ThreadPoolExecutor(1) as thread:  # Playwright has an event loop in this one, where other tests started it
        tools, flower, bad = thread.submit(asyncio.run, visit()).result()
    assert {f"/{tool.name}" for tool in tools} == NAMES
    for tool in tools:
        assert tool.description and all(value.get("description") for value in tool.inputSchema["properties"].values()), tool
    picture = next(part for part in flower.content if part.type == "image")
    with Image.open(io.BytesIO(base64.b64decode(picture.data))) as image:
        assert np.array_equal(np.asarray(image), sampler.draw([Flower(1, 7, 2.0)])[0])
    assert bad.isError and "The class is 'rose'" in bad.content[0].text


def test_without_the_option_there_is_nothing_for_agents(app_url):
    assert ask(f"{app_url}/gradio_api/mcp/", b"{}", JSON)[0] == 404
