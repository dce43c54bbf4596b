"""Several processes train as one: started by torchrun, as a user does, on this computer's CPU and loopback."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import together
import torch
from conftest import ROOT
from pictures import make_photos
from torch.distributed import TCPStore

from gan.errors import UserError
from gan.utils.distributed import ALONE, ProcessGroup, ShardedRandom
from train import main

FLAGS = (
    "--preset cwgan-gp-28 --width 4 --batch 4 --critic-steps 1 --device cpu --precision fp32 --threads 1 --evaluate-every 0"
).split()
TORCHRUN = [sys.executable, "-m", "torch.distributed.run"]
SECONDS = 120  # after which a test gives up


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("ranks") / "photos")


class Started:
    """`torchrun` with what it starts, in a process group of its own; `of` also says which processes it has started."""

    def __init__(self, *command: object, log: Path, cwd: Path = ROOT, options: tuple = ("--standalone", "--nproc-per-node", 2)):
        self.log = log
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [*TORCHRUN, *map(str, options), *map(str, command)], stdout=file, stderr=file, cwd=cwd, env=environment
            )

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def workers(self) -> dict[int, int]:
        """The process id of each rank."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        found = {}
        for child in children:
            environment = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
            rank = next((one for one in environment if one.startswith(b"RANK=")), None)
            if rank:
                found[int(rank[5:])] = int(child)
        return found

    def until(self, path: Path) -> None:
        """Wait until there is such a file."""
        end = time.monotonic() + SECONDS
        while not path.exists():
            assert self.process.poll() is None and time.monotonic() < end, self.said
            time.sleep(0.05)

    def end(self) -> None:
        """End it with all that it started, also where SIGTERM waits behind torchrun's own waiting for the others."""
        workers = self.workers().values()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            for worker in workers:
                with suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
            self.process.kill()
            self.process.wait(SECONDS)

    def wait(self) -> int:
        try:
            return self.process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            pytest.fail(f"still running after {SECONDS} s; it said: {self.said}")


@pytest.fixture
def start(tmp_path):
    started = []

    def begin(*command, log="log", **options) -> Started:
        started.append(Started(*command, log=tmp_path / log, **options))
        return started[-1]

    yield begin
    for one in started:
        if one.process.poll() is None:
            one.end()


# ------------------------------------------------------------------------------------------------- the same as one process


@pytest.fixture(scope="module")
def both(photos, tmp_path_factory):
    """What one process, and each of two, have found."""
    folder = tmp_path_factory.mktemp("both")
    started = Started(ROOT / "tests" / "together.py", photos, folder / "rank", log=folder / "log")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    alone = together.train(photos)
    torch.set_num_threads(threads)
    assert started.wait() == 0, started.said
    return alone, *(torch.load(folder / f"rank{rank}", weights_only=True) for rank in (0, 1))


@pytest.mark.parametrize("recipe", together.RECIPES)
def test_two_processes_measure_what_one_does(both, recipe):
    alone, first, second = (found[recipe] for found in both)
    assert first["stats"] == second["stats"]
    found, wanted = torch.tensor(first["stats"]), torch.tensor(alone["stats"])
    torch.testing.assert_close(found[: together.EARLY], wanted[: together.EARLY], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found, wanted, rtol=5e-3, atol=5e-3)
    assert alone["stats"][0] != alone["stats"][-1], "something was learnt"


@pytest.mark.parametrize("recipe", together.RECIPES)
def test_two_processes_have_the_gradients_and_statistics_of_one(both, recipe):
    alone, first, second = (found[recipe] for found in both)
    for what, tolerance in (("gradients", 0.03), ("weights", 1e-3)):  # it is the flagship that needs them
        wanted, found = ({**one, "weights": one["state"]["ema"]}[what] for one in (alone, first))
        assert wanted.keys() == found.keys()
        # As a whole: that of a bias before a norm is nothing but rounding.
        whole, whole_found = (torch.cat([value.flatten().double() for value in part.values()]) for part in (wanted, found))
        assert (whole_found - whole).norm() < tolerance * whole.norm(), what


@pytest.mark.parametrize("recipe", together.RECIPES)
def test_all_processes_are_in_the_same_state_bit_for_bit(both, recipe):
    _, first, second = (found[recipe]["state"] for found in both)
    assert first.keys() == second.keys()
    for part in ("generator", "critic", "ema"):
        assert all(torch.equal(value, second[part][name]) for name, value in first[part].items()), part
    assert first["images_seen"] == second["images_seen"]


def test_a_norm_over_half_a_batch_would_be_found(both, photos, monkeypatch):
    """The tolerances above are no excuse: what each process would do by itself lies far outside of them."""
    recipe = "batch norm in the generator, penalty"
    trainer = together.make(recipe, photos, ProcessGroup(0, 2))
    for part in (*trainer.generator.modules(), *trainer.critic.modules(), trainer):
        if hasattr(part, "processes"):
            part.processes = ALONE
    trainer.processes = _HalfOnly(0, 2)
    stats = torch.tensor(list(vars(trainer.step()).values()))
    wanted = torch.tensor(both[0][recipe]["stats"][0])
    assert ((stats - wanted).abs() > 3e-4 * (1 + wanted.abs())).any()


class _HalfOnly(ProcessGroup):
    def mean(self, x):
        return x

    def average_gradients(self, network):
        pass


def test_chance_of_the_parts_is_that_of_the_whole():
    whole, parts = ShardedRandom(5), [ShardedRandom(5, part, 3) for part in range(3)]
    for draw in ("uniform", "normal"):
        expected = getattr(whole, draw)(12, 2)
        assert torch.equal(torch.cat([getattr(part, draw)(4, 2) for part in parts]), expected)


@pytest.mark.parametrize(("size", "code"), [("", 0), ("1", 0), ("abc", 2)])
def test_a_variable_of_torchrun_that_is_no_number_is_said(photos, tmp_path, monkeypatch, capsys, size, code):
    monkeypatch.setenv("WORLD_SIZE", size)
    monkeypatch.setenv("RANK", size)
    assert main([str(photos), *FLAGS, "--out", str(tmp_path / "out"), "--dry-run"]) == code
    assert ("WORLD_SIZE is 'abc', and torchrun sets it to a number" in capsys.readouterr().err) == bool(code)


def test_a_batch_that_cannot_be_shared_is_refused():
    with pytest.raises(UserError, match="--batch is 8, which 3 processes cannot share evenly; use a multiple of 3"):
        ProcessGroup(1, 3).check(8)
    ProcessGroup(1, 4).check(8)


# ------------------------------------------------------------------------------------------------------ the whole command


def test_begun_by_two_ended_by_one_and_the_other_way(photos, start, tmp_path, capsys):
    """The same command; one of the processes writes, and speaks."""
    out = tmp_path / "run"
    run = start("train.py", photos, *FLAGS, "--out", out, "--images", 40, "--every", 20)
    assert run.wait() == 0, run.said
    assert run.said.count("photos: 8 dandelion, 8 marigold") == 1 and run.said.count("finished 40 images") == 1
    assert "on:     2 × " in run.said
    assert sorted(path.name for path in (out / "grids").iterdir()) == ["000000000.png", "000000020.png", "000000040.png"]
    assert main([str(photos), *FLAGS, "--out", str(out), "--images", "60"]) == 0
    assert "resumed at 40 images" in capsys.readouterr().out
    again = start("train.py", photos, *FLAGS, "--out", out, "--images", 80)
    assert again.wait() == 0 and "resumed at 60 images" in again.said, again.said


def lost(other: int) -> str:
    """What the process numbered `other` says when another one has died."""
    return (
        rf"error: process {other + 1} of 2 on \S+: .*another process of this training has ended, or cannot be reached any "
        r"more; the last snapshot.* is whole: read its error message, then the same command continues\."
    )


def test_the_first_process_dies_and_the_other_stops_with_a_sentence_and_nothing_is_lost(photos, start, tmp_path, capsys):
    out = tmp_path / "run"
    run = start("train.py", photos, *FLAGS, "--out", out, "--images", 1_000_000, "--every", 20)
    run.until(out / "grids" / "000000060.png")
    os.kill(run.workers()[0], signal.SIGKILL)
    assert run.wait() != 0
    assert re.search(lost(1), run.said), run.said
    assert main([str(photos), *FLAGS, "--out", str(out), "--images", "8"]) == 0  # as far as it had come: nothing more to do
    seen = int(re.search(r"resumed at ([\d,]+) images", capsys.readouterr().out)[1].replace(",", ""))
    assert seen >= 40


def test_torchrun_starts_all_of_them_again_after_a_death_and_they_go_on(photos, start, tmp_path):
    out, options = tmp_path / "run", ("--standalone", "--nproc-per-node", 2, "--max-restarts", 1)
    run = start("train.py", photos, *FLAGS, "--out", out, "--images", 240, "--every", 20, options=options)
    run.until(out / "grids" / "000000060.png")
    os.kill(run.workers()[1], signal.SIGKILL)
    assert run.wait() == 0, run.said
    assert re.search(lost(0), run.said) and re.search(r"resumed at [\d,]+ images", run.said), run.said
    assert "finished 240 images" in run.said


def test_a_signal_to_any_of_them_stops_all_and_saves(photos, start, tmp_path):
    out = tmp_path / "run"
    run = start("train.py", photos, *FLAGS, "--out", out, "--images", 1_000_000, "--every", 1_000_000)
    run.until(out / "snapshot.pt")
    time.sleep(0.5)
    os.kill(run.workers()[1], signal.SIGTERM)
    assert run.wait() != 0
    assert re.search(r"stopped at [\d,]+ images and saved; the same command continues\.", run.said), run.said
    assert "another process" not in run.said


def test_two_computers_each_with_photos_of_its_own(photos, start, tmp_path):
    """Only the first needs the run folder; photos that differ are refused."""
    # The test serves as the meeting point: one of the two could find its port taken, or leave before the other is done.
    served = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)

    def meet(second_photos: Path, out: Path) -> tuple[Started, Started]:
        place = ("--nnodes", 2, "--nproc-per-node", 1, "--rdzv-backend", "c10d", "--rdzv-conf", "is_host=0")
        place += ("--rdzv-endpoint", f"127.0.0.1:{served.port}", "--rdzv-id", out.name)
        both = []
        for number, seen in enumerate((photos, second_photos)):
            command = (ROOT / "train.py", seen, *FLAGS, "--out", out if not number else "elsewhere", "--images", 16)
            home = tmp_path / f"host{number}"
            home.mkdir(exist_ok=True)
            # torchrun numbers them in an order of its own
            both.append(start(*command, log=f"{out.name}{number}", cwd=home, options=(*place, "--node-rank", number)))
        return both[0], both[1]

    copy = tmp_path / "copy"
    shutil.copytree(photos, copy)
    runs = meet(copy, tmp_path / "same")
    assert [run.wait() for run in runs] == [0, 0], [run.said for run in runs]
    made = [path for path in (tmp_path / "same", tmp_path / "host1" / "elsewhere") if path.exists()]
    assert len(made) == 1 and (made[0] / "model.safetensors").exists()
    next(copy.rglob("*.png")).unlink()
    runs = meet(copy, tmp_path / "other")
    assert 0 not in [run.wait() for run in runs]
    assert any("the photos are not those the run began with" in run.said for run in runs), [run.said for run in runs]


def test_a_refusal_of_one_is_a_refusal_of_all(photos, start, tmp_path):
    out = tmp_path / "run"
    out.write_text("a file")
    run = start("train.py", photos, *FLAGS, "--out", out, "--images", 16)
    assert run.wait() != 0
    assert re.search(r"error: process 1 of 2 on \S+ .* cannot be a folder", run.said), run.said
    assert 'train.py", line' not in run.said, "a sentence, no traceback"
