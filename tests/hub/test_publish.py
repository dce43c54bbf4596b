"""`python -m gan publish`: a model and a Space on the Hub, with the real client against a server on the loopback interface."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import test_loader
from hub_server import HubServer
from huggingface_hub import ModelCard, SpaceCard
from test_loader import REPO, make

import gan
from gan.__main__ import main
from gan.config import ModelConfig
from gan.hub import loader, model_card, spaces
from gan.hub.checkpoint import CARD, CONFIG, SAMPLES, SNAPSHOT, WEIGHTS, read_config, save_config

no_other_hub, server = test_loader.no_other_hub, test_loader.server  # fixtures, the first for every test
SPACE = f"spaces/{REPO}"
MEASURE = {"error": 0.01, "floor": 0.0, "floor_error": 0.0, "n": 500}
SCORES = {
    "truncation": 2.0,
    "settings": {
        "kid_name": "KID-MobileNetV2", "fd_name": "FD-MobileNetV2", "n": 500, "seed": 0, "truncation": 2.0, "compared_at": 28,
        "network_label": "MobileNetV2", "network_sha256": "0" * 64, "command": "python -m gan evaluate …",
    },
    "reference": {"trained_on": 40, "held_out": 6, "held_out_from": "its training"},
    "parts": {"all": {"kid": {"value": 0.125, **MEASURE}, "recall_3": {"value": 0.5, **MEASURE}}},
}  # fmt: skip


@pytest.fixture
def signed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_test")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small repository in place of ours, with files of every kind that must not go along."""
    root = tmp_path / "repository"
    for name in (
        "app.py",
        "train.py",
        "gan/__init__.py",
        "gan/studio/page.css",
        "checkpoints/flagship/config.json",
        "docs/a.png",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"as committed: {name}\n")
    for name in ("requirements.txt", "README.md"):
        shutil.copy(spaces.ROOT / name, root / name)
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "all")
    (root / "gan" / "__init__.py").write_text("half done\n")
    (root / "gan" / "secret.py").write_text("not under version control\n")
    (root / "runs").mkdir()
    (root / "runs" / "snapshot.pt").write_bytes(b"state")
    monkeypatch.setattr(spaces, "ROOT", root)
    return root


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True)


def head(server: HubServer, name: str) -> dict[str, bytes]:
    repo = server.repos[name]
    return repo.commits[repo.refs["main"]]


def test_a_model_and_its_space(server, signed_in, repository, tmp_path, capsys):
    folder = make(tmp_path / "run", seed=6)
    for name in (SAMPLES, SNAPSHOT):
        (folder / name).write_bytes(b"x")
    assert main(["publish", str(folder), REPO, "--space"]) == 0
    printed = capsys.readouterr().out
    assert f"the model: {server.url}/{REPO}\n" in printed and f"the Space: {server.url}/{SPACE}\n" in printed
    assert sorted(head(server, REPO)) == sorted([CONFIG, WEIGHTS, CARD, SAMPLES])
    made = server.repos[SPACE]
    assert made.sdk == "gradio" and made.variables == {"MODEL_ID": REPO} and not made.private
    files = head(server, SPACE)
    assert sorted(files) == [
        "README.md", "app.py", "checkpoints/flagship/config.json", "gan/__init__.py", "gan/studio/page.css", "requirements.txt",
    ]  # fmt: skip
    assert files["gan/__init__.py"] == b"as committed: gan/__init__.py\n"
    ours, theirs = SpaceCard(files[CARD].decode()).data, SpaceCard((repository / CARD).read_text()).data
    assert [ours[key] for key in ("sdk", "sdk_version", "python_version", "app_file")] == [
        theirs[key] for key in ("sdk", "sdk_version", "python_version", "app_file")
    ]
    assert ours["models"] == [REPO] and ours["short_description"] == "Dandelion, marigold, drawn by a small GAN"
    assert isinstance(ours["python_version"], str), "or 3.10 would be 3.1"
    assert loader.load(made.variables["MODEL_ID"]).source == "hub"
    asked = server.requests.index(f"POST /api/spaces/{REPO}/variables")
    assert asked < server.requests.index(f"POST /api/spaces/{REPO}/commit/main"), "what starts the Space comes last"
    assert main(["publish", str(folder), REPO, "--space"]) == 0  # again into what there is


def test_what_a_newer_model_lacks_goes_and_what_is_not_of_a_model_stays(server, signed_in, tmp_path):
    server.put(REPO, {"growth/000000001.webp": b"old", "critic.safetensors": b"old", "notes.txt": b"by hand"})
    folder = make(tmp_path / "run", seed=6)
    (folder / "growth").mkdir()
    (folder / "growth" / "000000002.webp").write_bytes(b"new")
    assert main(["publish", str(folder), REPO]) == 0
    assert sorted(head(server, REPO)) == sorted([CONFIG, WEIGHTS, CARD, "growth/000000002.webp", "notes.txt"])


def test_private_is_for_both_and_never_made_of_a_public_one(server, signed_in, repository, tmp_path, capsys):
    folder = make(tmp_path / "run", seed=6)
    assert main(["publish", str(folder), REPO, "--space", "--private"]) == 0
    assert server.repos[REPO].private and server.repos[SPACE].private
    assert "HF_TOKEN" in capsys.readouterr().out and "hf_test" not in str(server.repos[SPACE].variables)
    server.repos[SPACE].private = False
    before = len(server.repos[SPACE].commits)
    assert main(["publish", str(folder), REPO, "--space", "--private"]) == 2
    assert "is public, so nothing was sent" in capsys.readouterr().err and len(server.repos[SPACE].commits) == before


def test_zero_gpu_is_asked_for_where_the_account_has_nothing_else(server, signed_in, repository, tmp_path, capsys):
    folder = make(tmp_path / "run", seed=6)
    server.hardware = {"zero-a10g"}
    assert main(["publish", str(folder), REPO, "--space", "gradio"]) == 0
    assert server.repos[SPACE].hardware == "zero-a10g" and "app.py" in head(server, SPACE)
    del server.repos[SPACE]
    server.hardware = set()
    assert main(["publish", str(folder), REPO, "--space"]) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith(
        "error: the Hub makes no Gradio Space for this account, on ZeroGPU neither (Creating this Space needs"
    )
    assert "take --space static" in error and "\n" not in error and SPACE not in server.repos


def test_a_static_space_holds_a_page_that_draws_by_itself(server, signed_in, tmp_path, capsys):
    pytest.importorskip("onnxruntime")
    folder = make(tmp_path / "run", seed=6)
    server.hardware = set()
    assert main(["publish", str(folder), REPO, "--space", "static"]) == 0
    assert f"the Space: {server.url}/{SPACE}\n" in capsys.readouterr().out
    assert server.repos[SPACE].sdk == "static" and not server.repos[SPACE].variables
    files = head(server, SPACE)
    assert {"index.html", "facts.js", "worker.js", "sw.js", "README.md"} < set(files) and "app.py" not in files
    assert any(path.startswith("painting-") and path.endswith(".onnx") for path in files)
    data = SpaceCard(files[CARD].decode()).data
    assert (data.sdk, data.app_file, data.models) == ("static", "index.html", [REPO])
    assert data.get("sdk_version") is None and data.get("python_version") is None
    assert data.custom_headers["cross-origin-opener-policy"] == "same-origin"
    assert REPO.encode() in files["facts.js"], "links name the model by where it is published"
    assert main(["publish", str(folder), REPO, "--vendor"]) == 2
    assert "add --space static" in capsys.readouterr().err


def test_the_space_of_this_repository_is_all_the_app_needs(tmp_path):
    """What goes into a Space starts as an app does, in a folder of its own."""
    for path, content in spaces.app_files().items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    assert {path.name for path in tmp_path.iterdir()} == {"README.md", "app.py", "checkpoints", "gan", "requirements.txt"}
    code = "import app; from gan import hub; app.build(app.Studio(*hub.load_or_bundled('nobody/flowers')))"
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": "", "HF_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


def test_no_repository_is_said_before_anything_is_sent(server, signed_in, tmp_path, capsys, monkeypatch):
    folder = make(tmp_path / "run", seed=6)
    (tmp_path / "unpacked").mkdir()
    monkeypatch.setattr(spaces, "ROOT", tmp_path / "unpacked")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert main(["publish", str(folder), REPO, "--space"]) == 2
    assert "clone it with git" in capsys.readouterr().err
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["publish", str(folder), REPO, "--space"]) == 2
    assert "git cannot be run" in capsys.readouterr().err
    assert server.requests == []


@pytest.mark.parametrize(("model", "repo", "says"), [("nosuch", REPO, "nosuch"), ("RUN", "flowers", "owner/name")])
def test_bad_input_is_one_sentence_and_exit_2(server, signed_in, model, repo, says, tmp_path, capsys):
    model = str(make(tmp_path / "run", seed=6)) if model == "RUN" else model
    assert main(["publish", model, repo]) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ") and "\n" not in error and says in error
    assert server.requests == []


def test_without_a_token_it_is_said_at_once(server, tmp_path, capsys):
    assert main(["publish", str(make(tmp_path / "run", seed=6)), REPO]) == 2
    assert "needs a Hub token" in capsys.readouterr().err and server.requests == []


def test_only_a_folder_is_published(server, signed_in, tmp_path, capsys):
    folder = make(tmp_path / "run", seed=6)
    server.put("other/model", {name: (folder / name).read_bytes() for name in (CONFIG, WEIGHTS)})
    assert main(["publish", "other/model", REPO]) == 2
    assert "a model folder is published" in capsys.readouterr().err and REPO not in server.repos


# -------------------------------------------------------------------------------------------------------------- cards


def judged(folder: Path) -> ModelConfig:
    data = {**read_config(folder).to_json(), "scores": SCORES}
    save_config(folder, ModelConfig.from_json(data))
    return read_config(folder)


def test_a_card_has_the_figures_where_the_hub_looks_for_them(server, signed_in, tmp_path):
    folder = make(tmp_path / "run", seed=6)
    judged(folder)
    assert main(["publish", str(folder), REPO]) == 0  # there is no card yet
    data = ModelCard(head(server, REPO)[CARD].decode()).data
    assert data.pipeline_tag == "unconditional-image-generation"
    found = {result.metric_type: (result.metric_name, result.metric_value) for result in data.eval_results}
    assert found["kid"] == ("KID-MobileNetV2", 0.125) and found["recall_3"][1] == 0.5


def test_a_card_that_was_written_by_hand_stays_and_gets_what_it_lacks(server, signed_in, tmp_path, capsys):
    folder = make(tmp_path / "run", seed=6)
    written = "---\nlicense: mit\npipeline_tag: text-to-image\n---\n\n# Mine\n\n---\n\nby hand\n"
    (folder / CARD).write_text(written)
    judged(folder)
    assert main(["publish", str(folder), REPO]) == 0
    sent = head(server, REPO)[CARD].decode()
    data = ModelCard(sent).data
    assert sent.endswith("\n# Mine\n\n---\n\nby hand\n")
    assert (data.license, data.pipeline_tag, data.library_name) == ("mit", "text-to-image", "pytorch")
    assert data.eval_results[0].metric_value == 0.125
    assert (folder / CARD).read_text() == written
    assert model_card.completed(sent, read_config(folder)) == sent
    (folder / CARD).write_text("---\n: [\n---\n")
    before = len(server.repos[REPO].commits)
    assert main(["publish", str(folder), REPO]) == 2
    assert "mend it" in capsys.readouterr().err and len(server.repos[REPO].commits) == before


def test_a_folder_may_be_plain_text(server, signed_in, tmp_path):
    assert gan.publish(str(make(tmp_path / "run", seed=6)), REPO) == f"{server.url}/{REPO}"


def test_a_card_says_what_it_was_trained_on():
    config = read_config(spaces.CHECKPOINTS / "flagship")
    made = model_card.model_card(config, 1)
    assert (
        "## Data" in made
        and "1,320 photos, in folders called calendula, dandelion, dandelion_clock, marigold; 0.15 of each class" in made
    )
    assert made.count("---\n") == 2 and made.startswith("---\n") and "![Sixty-four pictures" in made


def test_no_name_breaks_a_table_of_a_card():
    config = read_config(spaces.CHECKPOINTS / "flagship")
    names = ("a|b", "line\nbreak")
    trained = {**config.trained, "photos": dict.fromkeys(names, 7), "start_from": "runs/a|b", "notes": ""}
    scores = {**SCORES, "parts": {"all": SCORES["parts"]["all"], "a|b": SCORES["parts"]["all"]}}
    made = model_card.model_card(replace(config, classes=names, trained=trained, scores=scores), 1)
    tables = [line for line in made.splitlines() if line.startswith("|")]
    assert r"| classes | a\|b, line break |" in tables and any(r"| a\|b |" in line for line in tables)
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in tables} == {3, 5}, "two columns, or four of the evaluation"


def test_a_card_names_every_part_of_a_loss():
    config = read_config(spaces.CHECKPOINTS / "flagship")
    made = model_card.model_card(config, 1)
    assert "| matching | kernel distance to the photos of the class, weight 20 |" in made
    assert "| spectrum | distance to the mean of the photos, weight 0.3 |" in made
    assert "| spectrum |" not in model_card.model_card(read_config(spaces.CHECKPOINTS / "cwgan-gp-128"), 1)


def test_a_card_says_which_scales_were_trained():
    config = read_config(spaces.CHECKPOINTS / "flagship")
    row = "| trained scales | 64×64 and larger; the others keep the weights they began with |"
    for side, says in ((64, True), (0, False)):
        made = model_card.model_card(replace(config, trained={**config.trained, "freeze_below": side}), 1)
        assert (row in made.splitlines()) is says
