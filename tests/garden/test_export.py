"""`python -m gan export MODEL --web`: a folder for any static host, and what is refused."""

from __future__ import annotations

import json

import pytest
from pictures import make_photos

from gan.__main__ import main
from gan.garden import runtime
from gan.hub import loader, onnx_export

pytest.importorskip("onnxruntime")


def refused(capsys, *argv) -> str:
    assert main(["export", *map(str, argv)]) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ") and "\n" not in error
    return error


def test_a_folder_is_written_and_replaced_only_when_told_to(model_folder, tmp_path, capsys, monkeypatch):
    out = tmp_path / "deep" / "garden"
    assert main(["export", str(model_folder), "--web", "--out", str(out)]) == 0
    assert f"python -m http.server --directory {out}" in capsys.readouterr().out
    first = {path.name for path in out.iterdir()}
    assert {"index.html", "facts.js", "look.css", "worker.js", "sw.js", "icon.svg", "manifest.webmanifest"} < first
    facts = json.loads((out / "facts.js").read_text().removeprefix("window.FLOWERS = ").removesuffix(";\n"))
    garden = facts["garden"]
    assert garden["graphs"]["painting"]["url"] in first and garden["classes"] == ["dandelion", "marigold"]
    assert garden["runtime"]["wasm"]["wasm"]["url"].startswith(runtime.CDN) and set(facts["text"]) == {"en", "uk"}
    assert "or add --force to replace the page in it" in refused(capsys, model_folder, "--web", "--out", out)
    photos = make_photos(tmp_path / "photos")
    said = refused(capsys, model_folder, "--web", "--force", "--out", photos)
    assert "photos is not empty, and nothing was written; choose another --out." in said
    assert {path.name for path in photos.iterdir()} == {"dandelion", "marigold"}
    (out / "mine.txt").write_text("mine")
    assert main(["export", str(loader.CHECKPOINTS / "wgan-gp-28"), "--web", "--force", "--out", str(out)]) == 0
    assert (out / "mine.txt").exists() and len(list(out.glob("painting-*.onnx"))) == 1, "the other model's graph has gone"
    assert len(list(out.glob("warmup-*.onnx"))) == 1


def test_what_is_refused(model_folder, tmp_path, capsys, monkeypatch):
    assert "add --web" in refused(capsys, model_folder, "--onnx", "--vendor", "--out", tmp_path / "a.onnx")
    assert "cannot be read" in refused(capsys, model_folder, "--web", "--vendor", tmp_path / "no", "--out", tmp_path / "a")
    (tmp_path / "file").write_text("mine")
    assert "cannot be a folder" in refused(capsys, model_folder, "--web", "--force", "--out", tmp_path / "file")
    monkeypatch.setattr(onnx_export, "find_spec", lambda name: None)
    assert "pip install -r requirements-onnx.txt" in refused(capsys, model_folder, "--web", "--out", tmp_path / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    for words in ([], ["--web", "--onnx"]):
        with pytest.raises(SystemExit) as error:
            main(["export", str(model_folder), *words])
        assert error.value.code == 2
