"""Each of Gradio's internals that the app leans on, by itself: another release that changes one fails here."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import gradio as gr
import pytest
from conftest import ROOT

from gan.studio import gradio_compat

INTERNAL = ("gradio.", "gr.utils", "gr.blocks", "gr.routes", "gr.helpers", "gr.context")


def test_outside_a_request_there_are_no_headers():
    assert gradio_compat.request_headers() is None


def test_inside_a_request_its_headers_are_found():
    from gradio.context import LocalContext

    token = LocalContext.request.set(gr.Request(headers={"accept-language": "uk"}))
    try:
        assert gradio_compat.request_headers()["accept-language"] == "uk"
    finally:
        LocalContext.request.reset(token)


def test_the_upload_folder_is_the_one_gradio_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    assert gradio_compat.upload_folder() == tmp_path


@pytest.mark.parametrize(
    ("event", "wanted"), [(gr.EventData(None, {"at": 3}), {"at": 3}), (gr.EventData(None, ["at"]), {}), (None, {}), (7, {})]
)
def test_what_a_script_sent_is_a_dictionary(event, wanted):
    assert gradio_compat.event_data(event) == wanted


def test_a_root_model_holds_one_value_and_its_dump_can_be_replaced():
    class Message(gradio_compat.root_model()):
        root: object = None

        def model_dump(self, **_):
            return None

    assert Message(root=5).root == 5 and Message(root=5).model_dump() is None


def test_the_environment_is_clean_within_and_as_before_behind(monkeypatch):
    monkeypatch.setenv("GRADIO_SERVER_PORT", "x")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with gradio_compat.clean_environment():
        assert "GRADIO_SERVER_PORT" not in os.environ and "http_proxy" not in os.environ and os.environ["no_proxy"] == "*"
    assert os.environ["GRADIO_SERVER_PORT"] == "x" and os.environ["http_proxy"] == "http://127.0.0.1:9"


@pytest.mark.parametrize("path", sorted((ROOT / "gan").rglob("*.py")), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_other_file_reaches_into_gradio(path: Path):
    if path.name == "gradio_compat.py":
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    assert not [name for name in (*modules, *names) if name.startswith(INTERNAL)]
