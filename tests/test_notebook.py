"""docs/train_your_own.ipynb runs from top to bottom, from photos to a published model."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import numpy as np
from hub_server import HubServer
from nbclient import NotebookClient
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "docs" / "train_your_own.ipynb"


def photos(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in ("roses", "tulips"):
        (folder / name).mkdir(parents=True)
        for number in range(6):
            Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8)).save(folder / name / f"{number}.png")
    return folder


def test_it_runs_from_photos_to_a_published_model(tmp_path, monkeypatch):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)  # photos of whoever ran it last
    tagged = {tag: cell for cell in notebook.cells for tag in cell.metadata.get("tags", [])}
    tagged["install"].source = ""  # it is on the path already
    values = f"PHOTOS, OUT, IMAGES, REPO = {str(photos(tmp_path / 'photos'))!r}, {str(tmp_path / 'run')!r}, 260, 'me/roses'"
    assert re.findall(r"^(\w+) = ", tagged["parameters"].source, re.MULTILINE) == ["PHOTOS", "OUT", "IMAGES", "REPO"]
    tagged["parameters"].source = values
    train = next(cell for cell in notebook.cells if "gan.train(" in cell.source)
    train.source = train.source.replace("images=IMAGES", "images=IMAGES, preset='dcgan-64', width=8, batch=20")
    with HubServer() as hub:
        own = {"HF_ENDPOINT": hub.url, "HF_TOKEN": "hf_me", "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "0"}
        for name, value in {**own, "PYTHONPATH": str(ROOT), "IPYTHONDIR": str(tmp_path / "ipython")}.items():
            monkeypatch.setenv(name, value)
        # A busy computer starts a kernel slowly, and hands over what it printed late.
        patience = {"timeout": 300, "startup_timeout": 300, "iopub_timeout": 60}
        NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}, **patience).execute()
        repo = hub.repos["me/roses"]
        assert {"config.json", "model.safetensors", "README.md"} <= repo.commits[repo.refs["main"]].keys()
    shown = [output for output in train.outputs if "text/html" in output.get("data", {})]
    assert len(shown) == 1 and "data:image/png;base64," in shown[0].data["text/html"]
    assert "260 images" in shown[0].data["text/html"]
    drawn = next(cell for cell in notebook.cells if "sampler.draw" in cell.source)
    assert any("image/png" in output.get("data", {}) for output in drawn.outputs)
    assert (tmp_path / "run" / "film.gif").read_bytes()[:4] == b"GIF8"
