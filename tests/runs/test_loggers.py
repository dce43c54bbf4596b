"""What a run is logged to: TensorBoard, and Weights & Biases when asked, which here is offline and harms nothing."""

import functools
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from pictures import make_photos
from victims import FLAGS, Victim, differences

import train
from gan.runs import history, loggers
from gan.runs.loggers import Loggers, WeightsAndBiases
from gan.runs.notebook import Notebook

PICTURE = np.zeros((8, 8, 3), np.uint8)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("boards") / "photos")


@pytest.fixture
def server():
    """Somebody at loopback in the place of W&B's server, who would notice if he were called."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.fixture
def environment(server, tmp_path, monkeypatch):
    """Nobody is logged in, and what wandb has read of the environment is forgotten, before and after."""
    wandb = pytest.importorskip("wandb")
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    given = surroundings(tmp_path, server)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    wandb.teardown()
    yield monkeypatch
    wandb.teardown()


def surroundings(folder: Path, server: socket.socket) -> dict[str, str]:
    """Environment variables that keep wandb in `folder`, and lead it to `server`."""
    return {
        "NETRC": str(folder / "netrc"), "WANDB_CONFIG_DIR": str(folder), "WANDB_CACHE_DIR": str(folder),
        "WANDB_DATA_DIR": str(folder), "WANDB_BASE_URL": f"http://127.0.0.1:{server.getsockname()[1]}",
    }  # fmt: skip


def put(variables: dict[str, str]) -> None:
    os.environ.update(variables)


def records(folder: Path) -> list[dict]:
    """Of each part of the run that wandb has written into a run folder, in order: its start, its history, its files."""
    from wandb.proto.wandb_internal_pb2 import Record
    from wandb.sdk.internal.datastore import DataStore

    parts = []
    # By the clock of the files: names of one second differ by chance.
    for path in sorted(folder.glob("wandb/offline-run-*/*.wandb"), key=lambda path: path.stat().st_mtime_ns):
        part = {"run": None, "history": [], "files": []}
        store = DataStore()
        store.open_for_scan(str(path))
        while data := store.scan_data():
            record = Record.FromString(data)
            if record.HasField("run"):
                part["run"] = record.run
            elif record.HasField("history"):
                items = {"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in record.history.item}
                part["history"].append(items)
            elif record.HasField("files"):
                part["files"] += [file.path for file in record.files.files]
        store.close()
        parts.append(part)
    return parts


# ------------------------------------------------------------------------------------------------------- W&B, offline


def test_a_killed_run_goes_on_as_the_same_run_there_and_ends_as_without_it(photos, server, tmp_path):
    pytest.importorskip("wandb")
    plain, out = tmp_path / "plain", tmp_path / "run"
    flags = ("--images", "160", "--every", "40")
    assert Victim(photos, plain, *flags, log=tmp_path / "plain.log").wait() == 0
    offline = functools.partial(put, {**surroundings(tmp_path, server), "WANDB_MODE": "offline"})
    victim = Victim(photos, out, *flags, "--wandb", log=tmp_path / "log", before=offline)
    wait_for(out / "grids" / "000000080.png", victim)
    victim.kill()
    victim.wait()
    again = Victim(photos, out, *flags, "--wandb", "mine", log=tmp_path / "again.log", before=offline)
    assert again.wait() == 0, again.said
    assert "resumed at" in again.said and differences(plain, out) == []
    assert "Traceback" not in again.said and again.said.count("Weights & Biases") == 1
    assert "nothing is sent; `wandb sync " in again.said and "photos go" not in again.said

    [_, last] = records(out)  # what a killed one has written of its first 32 KB is not certain
    name = (out / loggers.WANDB_ID).read_text()
    assert [path.name.rpartition("-")[2] for path in out.glob("wandb/offline-run-*")] == [name, name]
    begun = last["run"]
    assert (begun.run_id, begun.project, begun.display_name) == (name, "mine", "run")
    assert not begun.host and not begun.HasField("git")
    settings = {item.key: json.loads(item.value_json) for item in begun.config.update}
    assert settings["preset"] == "cwgan-gp-28" and settings["batch"] == 4 and settings["images"] == 160
    figures = {row["_step"]: row for row in last["history"]}
    assert len(history.read(out)) == 2
    for row in history.read(out):
        there = figures[row["images"]]
        for name in ("critic_loss", "generator_loss", "gradient_norm", "generator_gradient", "critic_gradient"):
            assert there[name] == pytest.approx(row[name], abs=1e-5)
    assert last["files"] and all("fixed noise" in name for name in last["files"]), "drawn pictures, and no photo"
    kept = {path.name.split("_")[0] for path in out.glob("wandb/*/files/**/*") if path.is_file()}
    assert kept == {"fixed noise"}, "no code, no list of packages, nothing about the computer"


def wait_for(path: Path, victim: Victim) -> None:
    end = time.monotonic() + 60
    while not path.exists():
        assert victim.process.is_alive() and time.monotonic() < end, victim.said
        time.sleep(0.01)


def test_ctrl_c_saves_with_wandb_as_without(photos, server, tmp_path):
    pytest.importorskip("wandb")
    out = tmp_path / "run"
    offline = functools.partial(put, {**surroundings(tmp_path, server), "WANDB_MODE": "offline"})
    victim = Victim(photos, out, "--every", "16", "--images", "1000000", "--wandb", log=tmp_path / "log", before=offline)
    wait_for(out / "grids" / "000000048.png", victim)
    os.kill(victim.process.pid, signal.SIGINT)
    assert victim.wait() == 130, victim.said
    assert "the same command continues" in victim.said and "Traceback" not in victim.said


def test_a_run_that_begins_anew_is_a_new_one_there(photos, environment, tmp_path):
    environment.setenv("WANDB_MODE", "offline")
    argv = [str(photos), *FLAGS, "--images", "8", "--out", str(tmp_path / "out"), "--wandb"]
    ids = []
    for more in ([], ["--resume", "never", "--overwrite"]):
        assert train.main([*argv, *more]) == 0
        ids.append((tmp_path / "out" / loggers.WANDB_ID).read_text())
    assert len(set(ids)) == 2 and [part["run"].run_id for part in records(tmp_path / "out")] == ids


def test_switched_off_it_writes_nothing(environment, tmp_path):
    environment.setenv("WANDB_MODE", "disabled")
    loggers.check_wandb("mine")
    said = []
    board = WeightsAndBiases(tmp_path / "run", "mine", {}, said.append)
    board.add_scalars({"KID": 1.0}, 8)
    board.close()
    assert not said and not (tmp_path / "run").exists()


# ------------------------------------------------------------------------------------------------------------ refused


def refused(photos, out, capsys, *flags) -> str:
    assert train.main([str(photos), *FLAGS, "--out", str(out), *flags]) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: --wandb") and "\n" not in error and not out.exists()
    return error


def test_without_the_package_it_is_refused(photos, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert "pip install wandb" in refused(photos, tmp_path / "out", capsys, "--wandb")


def test_where_nobody_is_logged_in_it_is_refused_and_no_server_asked(photos, environment, tmp_path, capsys):
    assert "`wandb login`" in refused(photos, tmp_path / "out", capsys, "--wandb")
    assert "`wandb login`" in refused(photos, tmp_path / "out", capsys, "--wandb", "--dry-run")


def test_who_is_logged_in_is_found_without_asking(environment, tmp_path):
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login user password {'a' * 40}\n")
    loggers.check_wandb("mine")
    (tmp_path / "netrc").unlink()
    environment.setenv("WANDB_API_KEY", "a" * 40)
    pytest.importorskip("wandb").teardown()
    loggers.check_wandb("mine")


def test_names_and_modes_that_cannot_be_are_refused(photos, environment, tmp_path, capsys):
    environment.setenv("WANDB_MODE", "offline")
    assert "a/b" in refused(photos, tmp_path / "out", capsys, "--wandb", "a/b")
    environment.setenv("WANDB_MODE", "often")
    pytest.importorskip("wandb").teardown()
    assert "often" in refused(photos, tmp_path / "out", capsys, "--wandb")


def test_unasked_it_is_not_even_imported(photos, tmp_path, monkeypatch):
    asked = []

    class Watching:
        def find_spec(self, name, *_):
            if name.partition(".")[0] == "wandb":
                asked.append(name)

    for name in [name for name in sys.modules if name.partition(".")[0] == "wandb"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Watching(), *sys.meta_path])
    assert train.main([str(photos), *FLAGS, "--images", "8", "--out", str(tmp_path / "out")]) == 0
    assert not asked and not (tmp_path / "out" / loggers.WANDB_ID).exists()


# ----------------------------------------------------------------------------------------------------------- failures


def test_a_server_that_is_not_there_is_one_sentence(environment, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        environment.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{listener.getsockname()[1]}")
    environment.setenv("WANDB_API_KEY", "a" * 40)
    environment.setattr(loggers, "TIMEOUT_SECONDS", 1.0)
    said = []
    board = WeightsAndBiases(tmp_path, "mine", {}, said.append)
    board.add_scalars({"KID": 1.0}, 8)
    board.close()
    assert len(said) == 1 and said[0].startswith("Weights & Biases failed (") and "\n" not in said[0]


def test_a_service_that_dies_is_one_sentence(environment, tmp_path):
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    if not children.exists():
        pytest.skip("no list of child processes")
    environment.setenv("WANDB_MODE", "offline")
    said, before = [], set(children.read_text().split())
    board = WeightsAndBiases(tmp_path, "mine", {}, said.append)
    [service] = set(children.read_text().split()) - before
    board.add_scalars({"KID": 1.0}, 8)
    os.kill(int(service), signal.SIGKILL)
    for images in range(16, 4000, 8):
        board.add_scalars({"KID": 1.0}, images)
        time.sleep(0.01 if len(said) < 2 else 0)
    board.close()
    assert len(said) == 2 and said[1].startswith("Weights & Biases failed (")


def test_a_full_disk_is_one_sentence_and_the_other_board_goes_on(tmp_path, monkeypatch):
    class Run:
        settings = type("Settings", (), {"sync_dir": "there"})

        def log(self, values, step):
            raise OSError(28, "No space left on device")

    class Fake:
        Image, Settings = (staticmethod(lambda *_, **__: None),) * 2
        init = staticmethod(lambda **_: Run())
        teardown = staticmethod(lambda: None)

    monkeypatch.setattr(loggers, "_wandb", lambda: (Fake, type("Asked", (), {"mode": "offline"})))
    said = []
    both = Loggers(tmp_path, 0, "mine", {}, said.append)
    for images in (8, 16):
        both.add_scalars({"KID": 1.0}, images)
        both.add_image("fixed noise", PICTURE, images)
    both.close()
    assert len(said) == 2 and "No space left on device" in said[1]
    assert scalars(tmp_path, "KID") == [(8, 1.0), (16, 1.0)]


# -------------------------------------------------------------------------------------------------------- TensorBoard


def scalars(folder: Path, name: str) -> list[tuple[int, float]]:
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = event_accumulator.EventAccumulator(str(folder / loggers.LOGS))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


def test_what_was_logged_beyond_the_point_gone_back_to_is_dropped(tmp_path):
    board = Loggers(tmp_path, 0, None, {}, print)
    for images, kid in ((8, 3.0), (16, 2.0), (24, 1.0)):
        board.add_scalars({"KID": kid}, images)
    board.rewind(16)
    board.add_scalars({"KID": 5.0}, 32)
    board.close()
    assert scalars(tmp_path, "KID") == [(8, 3.0), (16, 2.0), (32, 5.0)]
    again = Loggers(tmp_path, 16, None, {}, print)  # resumed from the snapshot at 16
    again.rewind(0)  # and back to the first one
    again.add_scalars({"KID": 4.0}, 8)
    again.close()
    assert scalars(tmp_path, "KID") == [(8, 4.0)]


def test_a_notebook_shows_nothing_before_the_first_grid(monkeypatch):
    import IPython.display

    shown = []
    monkeypatch.setattr(IPython.display, "display", lambda content, **_: shown.append(content.data))
    notebook = Notebook()
    notebook.add_scalars({"KID": 0.3}, 12_800)
    assert not shown
    notebook.add_image("fixed noise", PICTURE, 16_000)
    assert "16,000 images, KID 0.300 at 12,800" in shown[0]
