"""`gan.hub.loader`: a name → a model, with the real Hub client against a server on the loopback interface."""

from __future__ import annotations

import json
import os
import pickle
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest
import torch
from hub_server import HubServer
from huggingface_hub import constants
from safetensors.torch import save

from gan.errors import UserError
from gan.generator import ConvGenerator, Generator
from gan.hub import loader, publish, sample_history
from gan.hub.checkpoint import CARD, CONFIG, CRITIC, PHOTO_INDEX, SAMPLES, SNAPSHOT, WEIGHTS, save_model
from gan.presets import from_preset
from gan.utils import hub_client

REPO = "someone/flowers"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a small model."""
    folder = make(tmp_path_factory.mktemp("model"), seed=1)
    return {name: (folder / name).read_bytes() for name in (CONFIG, WEIGHTS)}


@pytest.fixture(autouse=True)
def no_other_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache, no bundled models, no token, and a Hub address that nobody answers at."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_OIDC_RESOURCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(constants, "HF_STORED_TOKENS_PATH", str(tmp_path / "stored_tokens"))
    monkeypatch.setattr(constants, "AGENT_HARNESSES_PATH", str(tmp_path / "harnesses.json"), raising=False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(loader, "CHECKPOINTS", tmp_path / "checkpoints")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        use(f"http://127.0.0.1:{free.getsockname()[1]}", monkeypatch)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with HubServer() as running:
        use(running.url, monkeypatch)
        yield running


def use(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the client at `url`: it reads these two at every call (HF_ENDPOINT itself is read at import)."""
    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")
    huggingface_hub.close_session()


@pytest.mark.parametrize("name, value", [("all_proxy", "socks://127.0.0.1:1"), ("https_proxy", "http://[::1")])
def test_a_proxy_that_is_none_is_one_sentence_and_tells_which_variables(name, value, monkeypatch):
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv(name, value)
    huggingface_hub.close_session()
    with pytest.raises(UserError, match="proxy") as caught:
        loader.load(REPO)
    assert "all_proxy" in str(caught.value) and "\n" not in str(caught.value)
    huggingface_hub.close_session()


def make(folder: Path, seed: int, classes: tuple[str, ...] = ("dandelion", "marigold")) -> Path:
    torch.manual_seed(seed)
    config, _ = from_preset("cwgan-gp-28", classes, width=2)
    save_model(folder, ConvGenerator(config), config)
    return folder


def bundle(name: str) -> Path:
    return make(loader.CHECKPOINTS / name, seed=7)


def same(first: Generator, second: Generator) -> bool:
    one, other = first.state_dict(), second.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def refusal(name: str, seconds: float | None = None) -> str:
    with pytest.raises(UserError) as caught:
        loader.load(name, seconds=seconds)
    message = str(caught.value)
    assert "\n" not in message and message.endswith((".", ")")), message
    return message


# ------------------------------------------------------------------------------------------------------ this machine


def test_loads_a_path(tmp_path: Path) -> None:
    folder = make(tmp_path / "mine", seed=3)
    model = loader.load(str(folder))
    assert (model.source, model.folder, model.name) == ("path", folder, str(folder))
    assert len(model.revision) == 12 and int(model.revision, 16) >= 0
    assert not model.generator.training and model.generator.config.classes == ("dandelion", "marigold")
    assert loader.load(str(folder / WEIGHTS)).folder == folder  # a file of the folder means the folder
    assert loader.load(str(make(tmp_path / "other", seed=4))).revision != model.revision


def test_bundled_models_come_in_the_order_of_the_ladder() -> None:
    assert loader.bundled() == []
    for name in ("z-model", "flagship", "cwgan-gp-128", "a-model", "wgan-gp-28", "cwgan-gp-64-k4"):
        bundle(name)
    (loader.CHECKPOINTS / "not-a-model").mkdir()
    assert loader.bundled() == ["wgan-gp-28", "cwgan-gp-64-k4", "cwgan-gp-128", "flagship", "a-model", "z-model"]
    model, said = loader.load_or_bundled("cwgan-gp-128")
    assert (model.source, said) == ("bundled", None)


def test_unknown_names_list_the_bundled_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bundle("cwgan-gp-128")
    for name in ("nosuch", "", "a/b/c", "../x", "/nosuch/folder", "~nobody-here/x", "x" * 5000, "nul\0l", "http://x/y"):
        assert "cwgan-gp-128" in refusal(name)
    with pytest.raises(UserError, match="there is no model 'nosuch'"):
        loader.load_or_bundled("nosuch")  # a mistyped setting is said at the start, not hidden


def test_a_path_with_an_error_in_it_is_not_asked_of_the_hub(server: HubServer, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    bundle("cwgan-gp-128")
    make(tmp_path / "runs" / "rose", 1)
    for name in ("runs/rsoe", "runs/rose2"):
        with pytest.raises(UserError, match=f"there is no model '{name}'"):
            loader.load_or_bundled(name)
        assert f"https://huggingface.co/{name}" in refusal(name)
    assert not server.requests


def test_a_folder_called_like_an_owner_does_not_hide_a_repository(server, files, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    bundle("cwgan-gp-128")
    (tmp_path / "someone" / "photos").mkdir(parents=True)
    server.put(REPO, files)
    assert loader.load(REPO).source == "hub"
    assert "nor does the folder someone here hold a model" in refusal("someone/folwers")
    server.fault = "503"
    assert "503" in loader.load_or_bundled("someone/others")[1], "the app starts without the Hub"
    (tmp_path / REPO).mkdir()
    server.fault = None
    assert loader.load(REPO).source == "hub"


@pytest.mark.parametrize("name", [f"{REPO}@../../x", f"{REPO}@a b", f"{REPO}@/etc", "some--one/x", "o/x.git", "o/" + "x" * 200])
def test_strange_hub_names_are_refused_before_any_request(server: HubServer, name: str) -> None:
    refusal(name)
    assert server.requests == []


def test_a_local_folder_of_the_same_name_wins_only_as_a_model(
    server: HubServer, files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(REPO).mkdir(parents=True)
    message = refusal(REPO)
    assert "no such repository" in message and f"the folder {REPO} here is no model" in message
    server.put(REPO, files)
    assert loader.load(REPO).source == "hub"
    make(Path(REPO), seed=5)
    assert loader.load(REPO).source == "path"


# ----------------------------------------------------------------------------------------------------------- the Hub


def test_hub_model_is_pinned_to_one_commit(server: HubServer, files: dict[str, bytes], tmp_path: Path) -> None:
    first = server.put(REPO, files)
    model = loader.load(REPO)
    assert (model.source, model.revision, model.name) == ("hub", first, REPO)
    expected = loader.load(str(write(tmp_path / "expected", files)))
    assert same(model.generator, expected.generator)

    other = make(tmp_path / "other", seed=2)
    second = server.put(REPO, {WEIGHTS: (other / WEIGHTS).read_bytes()})
    assert loader.load(REPO).revision == second
    assert same(loader.load(REPO).generator, loader.load(str(other)).generator)
    server.requests.clear()
    pinned = loader.load(f"{REPO}@{first}")  # in the cache already: nobody is asked
    assert pinned.revision == first and same(pinned.generator, expected.generator) and server.requests == []
    assert loader.load(f"https://huggingface.co/{REPO}@main").revision == second


def test_only_two_files_are_fetched_and_nothing_twice(server: HubServer, files: dict[str, bytes]) -> None:
    server.put(REPO, {**files, "pytorch_model.bin": b"x", CARD: b"# card"})
    loader.load(REPO)
    gets = [line for line in server.requests if line.startswith("GET /someone")]
    assert sorted(line.rsplit("/", 1)[1] for line in gets) == [CONFIG, WEIGHTS]
    server.requests.clear()
    loader.load(REPO)
    assert not [line for line in server.requests if line.startswith("GET /someone")]


@pytest.mark.parametrize("fault", [None, "503", "hang", "offline", "not a hub"])
def test_a_cached_model_loads_without_the_hub(
    server: HubServer, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, fault: str | None
) -> None:
    commit = server.put(REPO, files)
    loader.load(REPO)
    monkeypatch.setattr(hub_client, "ANSWER_SECONDS", 0.3)
    if fault is None:
        use("http://127.0.0.1:9", monkeypatch)
    elif fault == "offline":
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    else:
        server.fault = fault
    model, said = loader.load_or_bundled(REPO)
    assert (model.revision, model.source, said) == (commit, "hub", None)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("401", "wants a valid token"),
        ("403", "may not do this"),
        ("gated", "gated"),
        ("429", "429"),
        ("500", "500"),
        ("503", "503"),
        ("not a hub", "is not the Hub"),
        ("hang", "did not answer in time"),
        ("huge", "3072 MiB"),
        ("cut", "took longer|before it was complete"),
        ("slow", "took longer"),
        ("no server", "cannot be reached"),
        ("offline", "HF_HUB_OFFLINE"),
        ("no repository", "no such repository"),
        ("no revision", "no such revision"),
        ("no file", "lacks config.json or model.safetensors"),
    ],
)
def test_every_failure_is_a_sentence_and_the_bundled_model_steps_in(
    server: HubServer, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, fault: str, words: str
) -> None:
    bundle(loader.DEFAULT)
    bundle("wgan-gp-28")
    monkeypatch.setattr(hub_client, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(hub_client, "LOAD_SECONDS", 1.5)
    name = REPO
    if fault == "no server":
        use("http://127.0.0.1:9", monkeypatch)
    elif fault == "offline":
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    elif fault == "no file":
        server.put(REPO, {CONFIG: files[CONFIG]})
    elif fault == "no revision":
        server.put(REPO, files)
        name = f"{REPO}@v9"
    elif fault != "no repository":
        server.put(REPO, files)
        server.fault = fault
    began = time.monotonic()
    model, said = loader.load_or_bundled(name)
    assert time.monotonic() - began < 4
    assert model.name == loader.DEFAULT and re.search(words, said), said
    assert said.endswith(f" The bundled model {loader.DEFAULT} is shown instead.") and "\n" not in said
    if fault == "huge":
        assert not [line for line in server.requests if line.startswith("GET") and line.endswith(WEIGHTS)]


def test_the_page_falls_back_to_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="cannot be reached"):
        loader.load_or_bundled(REPO)  # nothing is bundled
    bundle("a-model")
    assert loader.load_or_bundled(REPO)[0].name == "a-model"
    bundle("wgan-gp-28")
    assert loader.load_or_bundled(REPO, default="a-model")[0].name == "a-model"
    assert loader.load_or_bundled(REPO)[0].name == "wgan-gp-28"
    bundle(loader.DEFAULT)
    assert loader.load_or_bundled(REPO)[0].name == loader.DEFAULT


def test_a_failed_download_is_not_taken_for_the_file_later(server: HubServer, files: dict[str, bytes]) -> None:
    commit = server.put(REPO, files)
    server.fault = "cut"
    refusal(REPO, seconds=1.0)
    server.fault = None
    assert loader.load(REPO).revision == commit
    newer = server.put(REPO, {WEIGHTS: files[WEIGHTS] + b" "})  # while its weights do not arrive, the last whole copy serves
    server.fault = "cut"
    assert loader.load(REPO, seconds=1.0).revision == commit != newer


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS, PHOTO_INDEX])
@pytest.mark.parametrize("asked", ["main", "commit"])
def test_a_cut_file_in_the_cache_is_fetched_again(name, asked, server: HubServer, files: dict[str, bytes]) -> None:
    files = {**files, PHOTO_INDEX: save({"features": torch.zeros(99)})}
    commit = server.put(REPO, files)
    wanted = REPO if asked == "main" else f"{REPO}@{commit}"
    first = loader.load(wanted)
    (first.folder / name).resolve().write_bytes(files[name][: len(files[name]) // 2])
    server.requests.clear()
    again = loader.load(wanted)
    assert same(first.generator, again.generator) and (again.folder / name).read_bytes() == files[name]
    fetched = [line for line in server.requests if line.startswith("GET")]
    assert fetched == [f"GET /{REPO}/resolve/{commit}/{name}"], "that file, once"


def test_a_cut_file_without_the_hub_and_a_bad_one_on_it_are_said(server: HubServer, files: dict[str, bytes]) -> None:
    commit = server.put(REPO, files)
    weights = (loader.load(REPO).folder / WEIGHTS).resolve()
    weights.write_bytes(files[WEIGHTS][:1000])
    server.fault = "503"
    said = refusal(REPO)
    assert f"{REPO}@{commit[:12]}" in said and "could not be fetched again" in said and "503" in said
    server.fault = None
    bad = server.put(REPO, {WEIGHTS: files[WEIGHTS][:1000]})
    for _ in range(2):
        server.requests.clear()
        assert f"{REPO}@{bad[:12]}" in refusal(REPO)
    assert not [line for line in server.requests if line.startswith("GET")], "what is published so is not fetched for ever"


def test_the_client_takes_its_address_from_the_environment(server: HubServer, files: dict[str, bytes], tmp_path: Path) -> None:
    commit = server.put(REPO, files)
    code = f"import gan.hub as h; m = h.load({REPO!r}); print(m.revision, m.source)"
    environment = {
        **os.environ, "HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_TELEMETRY": "1",
        "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(loader.__file__).parent.parent),
    }  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == [commit, "hub"], done.stderr


# ------------------------------------------------------------------------------------------------------ hostile files


class Payload:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return open, (str(self.path), "w")


def write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def changed(content: bytes, **values: object) -> bytes:
    return json.dumps({**json.loads(content), **values}).encode()


def test_hostile_models_are_refused(server: HubServer, files: dict[str, bytes], tmp_path: Path) -> None:
    trap = tmp_path / "executed"
    pickled = tmp_path / "payload.pt"
    torch.save({"model_state_dict": Payload(trap)}, pickled)
    config, weights = files[CONFIG], files[WEIGHTS]
    layers = json.loads(config)["generator"]
    other = make(tmp_path / "other", seed=1, classes=("a", "b", "c"))
    hostile = {
        "pickle": {WEIGHTS: pickle.dumps(Payload(trap))},
        "torch pickle": {WEIGHTS: pickled.read_bytes()},
        "truncated": {WEIGHTS: weights[: len(weights) // 2]},
        "empty": {WEIGHTS: b""},
        "wrong shapes": {WEIGHTS: (other / WEIGHTS).read_bytes()},
        "huge header": {WEIGHTS: (1 << 40).to_bytes(8, "little") + b"{}" * 50},
        "header over the end": {WEIGHTS: (90_000).to_bytes(8, "little") + weights[8:]},
        "unknown schema": {CONFIG: changed(config, schema=99)},
        "unknown key": {CONFIG: changed(config, loader="os.system")},
        "not JSON": {CONFIG: b"{"},
        "lies about the layers": {CONFIG: changed(config, generator=[text.replace(">8 ", ">4096 ") for text in layers])},
        "lies about the classes": {CONFIG: changed(config, classes=["a", "b", "c"])},
        "lies about the resolution": {CONFIG: changed(config, resolution=1024)},
    }
    for number, (what, wrong) in enumerate(hostile.items()):
        name = f"evil/model-{number}"
        server.put(name, {**files, **wrong})
        message = refusal(name)
        assert f"evil/model-{number}@" in message, (what, message)
        assert str(tmp_path) not in message, (what, message)
        refusal(str(write(tmp_path / f"evil-{number}", {**files, **wrong})))
        assert not trap.exists(), what


# --------------------------------------------------------------------------------------------------------- publishing


@pytest.mark.parametrize("mode", ["regular", "lfs"])
def test_published_model_loads_again(server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    server.upload_mode = mode
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # this server speaks LFS only
    folder = make(tmp_path / "run", seed=6)
    for name in (CARD, SAMPLES, SNAPSHOT, "run.json"):
        (folder / name).write_bytes(b"---\nlicense: mit\n---\n")
    assert publish.publish(folder, REPO, token="hf_test") == f"{server.url}/{REPO}"
    stored = server.repos[REPO].commits[server.repos[REPO].refs["main"]]
    assert sorted(stored) == sorted([CONFIG, WEIGHTS, CARD, SAMPLES])
    assert len(server.repos[REPO].commits) == 2  # the one that creates the repository, and ours
    model = loader.load(REPO)
    assert model.revision == server.repos[REPO].refs["main"] and same(model.generator, loader.load(str(folder)).generator)
    make(folder, seed=8)
    publish.publish(folder, REPO, token="hf_test")  # again into the repository there is
    assert same(loader.load(REPO).generator, loader.load(str(folder)).generator)
    with pytest.raises(UserError, match="is public, so nothing was sent"):
        publish.publish(folder, REPO, private=True, token="hf_test")
    publish.publish(folder, "someone/secret", private=True, token="hf_test")
    assert server.repos["someone/secret"].private


def test_what_a_model_remembers_goes_to_the_hub_and_comes_back(server: HubServer, tmp_path: Path) -> None:
    folder = make(tmp_path / "model", seed=1)
    (folder / PHOTO_INDEX).write_bytes(b"features")
    (folder / CRITIC).write_bytes(b"critic")
    publish.publish(folder, REPO, token="hf_test")
    assert server.repos[REPO].commits[server.repos[REPO].refs["main"]][PHOTO_INDEX] == b"features"
    assert (loader.load(REPO).folder / PHOTO_INDEX).read_bytes() == b"features"
    assert (loader.load(REPO).folder / CRITIC).read_bytes() == b"critic"


def test_what_could_not_be_fetched_at_first_is_fetched_later(server: HubServer, files: dict[str, bytes], monkeypatch) -> None:
    server.put(REPO, {**files, CRITIC: b"critic"})
    with monkeypatch.context() as patch:
        patch.setattr(loader, "_fetch_extras", lambda *_: None)  # the program ended first
        assert not (loader.load(REPO).folder / CRITIC).exists()
    assert (loader.load(REPO).folder / CRITIC).read_bytes() == b"critic"
    server.requests.clear()
    loader.load(REPO)
    assert not [asked for asked in server.requests if PHOTO_INDEX in asked or CRITIC in asked], "both are known by now"


def test_the_pictures_of_a_growth_come_from_the_hub_when_asked_for(server: HubServer, files: dict[str, bytes]) -> None:
    pictures = {f"growth/{number:09d}.webp": b"picture" for number in range(14)}
    others = {"growth/notes.txt": b"by hand", "growth/old/000000001.webp": b"deeper", "growth/000000099.webp": b"x" * (3 << 20)}
    server.put(REPO, {**files, **pictures, **others})
    model = loader.load(REPO)
    assert not (model.folder / "growth").exists(), "who only draws flowers does not wait for them"
    loader.fetch_growth(model)
    assert [seen for seen, _ in sample_history.frames(model.folder)] == list(range(2, 14))
    assert {path.name for path in (model.folder / "growth").iterdir()} == {f"{number:09d}.webp" for number in range(2, 14)}


def test_a_hub_that_fails_gives_no_growth_and_no_error(server: HubServer, files: dict[str, bytes], tmp_path: Path) -> None:
    server.put(REPO, {**files, "growth/000000001.webp": b"picture"})
    model = loader.load(REPO)
    server.fault = "503"
    loader.fetch_growth(model)
    assert sample_history.frames(model.folder) == []
    asked = len(server.requests)
    loader.fetch_growth(loader.load(str(make(tmp_path / "model", seed=1))))
    assert len(server.requests) == asked, "a folder has what it has"


def test_a_memory_over_the_limit_stays_on_the_hub(server: HubServer, files: dict[str, bytes], monkeypatch) -> None:
    monkeypatch.setitem(loader._EXTRAS, PHOTO_INDEX, 4)
    server.put(REPO, {**files, PHOTO_INDEX: b"features"})
    assert not (loader.load(REPO).folder / PHOTO_INDEX).exists()


def test_publishing_fails_with_sentences(server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make(tmp_path / "run", seed=6)

    def refused(words: str, repo: str = REPO, place: Path = folder, token: str | None = "hf_test") -> None:
        with pytest.raises(UserError, match=words):
            publish.publish(place, repo, token=token)

    for name in ("flowers", "a/b/c", "a b/c", "", "own--er/x", "https://huggingface.co/a/b"):
        refused("owner/name", repo=name)
    refused("has no config.json", place=tmp_path / "nothing")
    refused("needs a Hub token", token=None)
    assert server.requests == []
    for fault, words in {"401": "401", "403": "403, You do not have the rights", "500": "500"}.items():
        server.fault = fault
        refused(words)
    monkeypatch.setattr(hub_client, "PUBLISH_SECONDS", 0.5)
    server.fault = "hang"
    refused("took longer than 0.5 seconds")
    use("http://127.0.0.1:9", monkeypatch)
    refused("cannot be reached")
