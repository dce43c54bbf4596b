"""The app in surroundings that are not its own: proxies, variables of the framework, and addresses of other kinds."""

from __future__ import annotations

import os
import socket
import urllib.request

import pytest
from conftest import free_port, serving, serving_here
from test_app import ask, forked_start, front_door, start  # noqa: F401
from visitor import DESKTOP, Visitor

from gan.studio.gradio_compat import clean_environment

PROXY = "http://127.0.0.1:9"  # nobody answers there
ODD = {
    "http_proxy": PROXY, "https_proxy": PROXY, "all_proxy": "socks://127.0.0.1:9/", "ALL_PROXY": "socks5h://127.0.0.1:9",
    "NO_PROXY": "localhost,[::1],127.0.0.0/8", "GRADIO_SERVER_PORT": "", "GRADIO_NUM_PORTS": "many",
    "GRADIO_SERVER_NAME": "::1", "GRADIO_SHARE": "true", "GRADIO_SSR_MODE": "true", "GRADIO_MCP_SERVER": "true",
    "GRADIO_ALLOWED_PATHS": "/etc",
    "GRADIO_ANALYTICS_ENABLED": "True", "GRADIO_HEARTBEAT_INTERVAL": "soon",
}  # fmt: skip


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as trial:
            trial.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_the_app_serves_whatever_the_environment_says(model_folder, tmp_path):
    with serving(model_folder, tmp_path / "app.log", fresh=True, **ODD) as url:
        assert ask(f"{url}/gradio_api/file=/etc/passwd")[0] == 403
        assert b"This Flower Does Not Exist" in ask(url)[1]


@pytest.mark.parametrize(("port", "begin"), [("abc", start), ("0", forked_start), ("7860.5", forked_start)])
def test_a_port_in_the_environment_that_is_none_is_one_sentence(port, begin):
    """The framework reads it at its import, as a whole number: it is there once, the other times only when the app begins."""
    done = begin(GRADIO_SERVER_PORT=port)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert done.stderr.strip().splitlines()[-1].endswith(f"'{port}' is not a port; use a whole number from 1 to 65535")


def test_meanwhile_nobody_else_is_asked_and_afterwards_all_is_as_it_was(monkeypatch):
    for name, value in ODD.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    with clean_environment():
        assert urllib.request.getproxies() == {"no": "*"}
        assert [name for name in os.environ if name.startswith("GRADIO_")] == ["GRADIO_ANALYTICS_ENABLED"]
    assert dict(os.environ) == before


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
@pytest.mark.parametrize("host", ["::1", "[::1]", "::"])
def test_an_address_of_ipv6(host, model_folder, browser):
    with serving_here(model_folder, host=host) as url:
        assert url.startswith("http://[::1]:")
        if host != "::1":
            assert ask(url)[0] == 200
            return
        visitor = Visitor(browser, url, viewport=DESKTOP).open("?seed=5&grid=2")
        assert visitor.seeds() == [5, 6, 7, 8]
        visitor.context.close()
        assert not visitor.errors


def test_a_port_of_loopback_in_use_is_one_sentence_for_another_address(front_door, capsys, model_folder):  # noqa: F811
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert front_door.main(["--model", str(model_folder), "--port", str(port), "--host", "127.0.0.2"]) == 2
    said = capsys.readouterr().err
    assert f"port {port}" in said and said.count("\n") == 1


@pytest.mark.parametrize("host", ["a" * 70, "a..b", "\u2603" * 80])
def test_what_can_be_no_name_of_a_computer_is_one_sentence(front_door, capsys, host):  # noqa: F811
    assert front_door.main(["--host", host, "--port", str(free_port())]) == 2
    assert "--host" in capsys.readouterr().err
