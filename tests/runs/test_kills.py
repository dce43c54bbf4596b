"""A run is never lost: killed, on a full disk, with a damaged snapshot, beside another trainer (long form: bench/kills.py)."""

import random
import resource
import time
from functools import partial
from pathlib import Path

import pytest
import torch
import victims
from pictures import make_photos
from victims import FLAGS, Victim, differences

import train
from gan.errors import UserError
from gan.hub import checkpoint, sample_history
from gan.hub.checkpoint import BEFORE, SNAPSHOT
from gan.runs import batch_size
from gan.trainer import Trainer
from gan.utils.lock import HOLDER, LOCK, hold

IMAGES = ("--images", "96", "--every", "16")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("kills") / "photos")


@pytest.fixture(scope="module")
def whole(photos, tmp_path_factory):
    """A run that nothing happened to, and the number of its write operations."""
    out = tmp_path_factory.mktemp("whole") / "run"
    victim = Victim(photos, out, *IMAGES, log=out.parent / "log")
    assert victim.wait() == 0, victim.said
    return out, victims.writes(victim)


def finish(photos, out, tmp_path, *flags, before=None):
    victim = Victim(photos, out, *(flags or IMAGES), log=tmp_path / "last.log", before=before)
    assert victim.wait() == 0, victim.said
    assert "Traceback" not in victim.said
    return victim.said


# -------------------------------------------------------------------------------------------------------------- kills


def test_killed_at_any_moment_a_run_ends_as_if_it_had_not_been(photos, whole, tmp_path):
    """Between two of its write operations, at random, and by the clock."""
    reference, operations = whole
    draws, out = random.Random(0), tmp_path / "run"
    for number in range(4):
        victim = Victim(photos, out, *IMAGES, log=tmp_path / "log", fatal=draws.randrange(1, operations // 2))
        code = victim.wait()
        assert code == -9 or code == 0 and number, victim.said
    for _ in range(2):
        victims.kill_at(Victim(photos, out, *IMAGES, log=tmp_path / "log"), draws.uniform(0.1, 1.0))
    finish(photos, out, tmp_path)
    assert differences(reference, out) == []
    assert not list(out.rglob(".*.tmp")), "what a killed writer left is swept away"


def test_killed_between_the_two_renames_of_a_snapshot(photos, whole, tmp_path):
    """For a moment there is only the one before."""
    out = tmp_path / "run"
    finish(photos, out, tmp_path, "--images", "48", "--every", "16")
    (out / SNAPSHOT).replace(out / BEFORE)
    assert "resumed at 48 images" in finish(photos, out, tmp_path)
    assert differences(whole[0], out) == []


@pytest.mark.parametrize("damage", [victims.cut, victims.flip])
def test_a_damaged_snapshot_gives_way_to_the_one_before_it(damage, photos, whole, tmp_path):
    out = tmp_path / "run"
    victim = Victim(photos, out, "--images", "100000", "--every", "16", log=tmp_path / "log")
    while not (out / "grids" / "000000048.png").exists():
        assert victim.process.is_alive(), victim.said
        time.sleep(0.01)
    victim.kill()
    victim.wait()
    saved = checkpoint.load_snapshot(out)["images_seen"]
    damage(out / SNAPSHOT, random.Random(0))
    said = finish(photos, out, tmp_path)
    assert f"{out / SNAPSHOT} is damaged" in said and "the one before it, at " in said
    assert f"resumed at {saved:,} images" not in said
    assert differences(whole[0], out) == []


def test_a_dry_run_passes_a_damaged_snapshot_over_and_leaves_it(photos, tmp_path, capsys):
    argv = [str(photos), *FLAGS, "--out", str(tmp_path / "out"), "--every", "8", "--images", "16"]
    assert train.main(argv) == 0
    (tmp_path / "out" / SNAPSHOT).write_bytes(b"PK")
    assert train.main([*argv, "--dry-run"]) == 0
    assert "takes its place" in capsys.readouterr().out
    assert (tmp_path / "out" / SNAPSHOT).read_bytes() == b"PK"


def test_no_wrong_byte_of_a_snapshot_goes_unnoticed(tmp_path):
    """Not those of the archive's directory either, which its own checksums leave out."""
    draws = random.Random(0)
    weights = {"a": torch.arange(40.0), "b": torch.ones(3)}
    for images in (1, 2):
        checkpoint.save_snapshot(tmp_path, {"images_seen": images, "weights": weights})
    whole = (tmp_path / SNAPSHOT).read_bytes()
    assert checkpoint.load_snapshot(tmp_path)["images_seen"] == 2
    for number in range(200):
        (victims.flip if number % 6 else victims.cut)(tmp_path / SNAPSHOT, draws)
        said, content = [], (tmp_path / SNAPSHOT).read_bytes()
        state = checkpoint.load_snapshot(tmp_path, said.append)
        assert state["weights"]["a"].equal(weights["a"])
        if not content.startswith(whole[:-71]):  # of the checksum behind it may be gone what it takes to be known as one
            assert state["images_seen"] == 1 and "is damaged" in said[0], number
        (tmp_path / SNAPSHOT).write_bytes(whole)


def test_a_snapshot_that_may_not_be_read_is_not_replaced(tmp_path, monkeypatch):
    for images in (1, 2):
        checkpoint.save_snapshot(tmp_path, {"images_seen": images})
    content = (tmp_path / SNAPSHOT).read_bytes()

    def forbidden(self, *_, **__):
        raise PermissionError(13, "Permission denied", str(self))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", forbidden)
        with pytest.raises(UserError, match="Permission denied"):
            checkpoint.load_snapshot(tmp_path, mend=True)
    assert (tmp_path / SNAPSHOT).read_bytes() == content


# ---------------------------------------------------------------------------------------------------------- full disk


def _no_file_over(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_disk_without_room_keeps_the_last_snapshot_and_says_so(photos, whole, tmp_path):
    out = tmp_path / "run"
    finish(photos, out, tmp_path, "--images", "32", "--every", "16")
    before = (out / SNAPSHOT).read_bytes()
    victim = Victim(photos, out, *IMAGES, log=tmp_path / "log", before=partial(_no_file_over, len(before) - 1))
    assert victim.wait() == 2
    last = victim.said.strip().splitlines()[-1]
    assert last.startswith("error: ") and "the last snapshot, at 32 images, is whole" in last
    assert "Traceback" not in victim.said
    assert (out / SNAPSHOT).read_bytes() == before and not list(out.rglob(".*.tmp"))
    finish(photos, out, tmp_path)
    assert differences(whole[0], out) == []


def test_a_disk_too_small_for_any_snapshot_is_found_out_before_training(photos, tmp_path):
    victim = Victim(photos, tmp_path / "run", *IMAGES, log=tmp_path / "log", before=partial(_no_file_over, 120_000))
    assert victim.wait() == 2
    assert "nothing was trained" in victim.said and "Traceback" not in victim.said


def test_the_grids_of_a_long_run_are_bounded_and_evenly_spread(tmp_path):
    grids = tmp_path / "grids"
    grids.mkdir()
    for number in range(200):
        (grids / f"{number * 10:09d}.png").touch()
        sample_history.thin(tmp_path)
        assert len(list(grids.iterdir())) <= sample_history.MOST_GRIDS
    seen = sorted(int(path.stem) for path in grids.iterdir())
    steps = [after - before for before, after in zip(seen, seen[1:])]
    assert len(seen) == sample_history.MOST_GRIDS and (seen[0], seen[-1]) == (0, 1990)
    assert max(steps) <= 4 * 10 + 20, "about 34 would be even"


# -------------------------------------------------------------------------------------------------------- two trainers


def test_a_second_trainer_is_refused_and_the_first_one_goes_on(photos, tmp_path):
    out = tmp_path / "run"
    first = Victim(photos, out, "--images", "100000", "--every", "16", log=tmp_path / "log")
    try:
        while not (out / SNAPSHOT).exists():
            assert first.process.is_alive(), first.said
            time.sleep(0.01)
        second = Victim(photos, out, *IMAGES, log=tmp_path / "second.log")
        assert second.wait() == 2
        assert second.said.startswith(f"error: process {first.process.pid} on ") and f"is training in {out}" in second.said
        assert second.said.strip().count("\n") == 0
        assert first.process.is_alive()
    finally:
        first.kill()
        first.wait()
    finish(photos, out, tmp_path, "--images", "1", "--every", "16")  # a lock dies with its process


def test_a_drive_without_locks_is_trained_on_as_before(tmp_path, monkeypatch):
    monkeypatch.setattr("fcntl.flock", lambda *_: (_ for _ in ()).throw(OSError(95, "Operation not supported")))
    with hold(tmp_path), hold(tmp_path):
        assert (tmp_path / HOLDER).exists()


def test_a_lock_is_one_at_a_time_and_is_let_go(tmp_path):
    for _ in range(2):
        with hold(tmp_path / "run"):
            with pytest.raises(UserError, match="process .* is training in"):
                with hold(tmp_path / "run"):
                    pass
    assert (tmp_path / "run" / LOCK).exists(), "a lock file that is removed would be two for a moment"


# ---------------------------------------------------------------------------------------------------------- divergence


def _diverges(above):
    """From 40 images on, unless the generator's learning rate is at most `above`."""
    step = Trainer.step

    def poisoned(self):
        if self.images_seen >= 40 and self.generator_optimizer.param_groups[0]["lr"] > above:
            with torch.no_grad():
                next(self.critic.parameters()).fill_(float("nan"))
        return step(self)

    Trainer.step = poisoned


def test_a_run_that_diverges_goes_back_with_half_the_rate_and_does_so_again_when_killed(photos, tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    said = finish(photos, one, tmp_path, before=partial(_diverges, 6e-5))
    back = "the loss stopped being a number after 48 images: back to the snapshot at 32 images, with half the learning rate, "
    assert back + "0.0001 (1 of at most 3 times)" in said and back + "5e-05 (2 of at most 3 times)" in said
    state = checkpoint.load_snapshot(one)
    assert [entry["lr"] for entry in state["rollbacks"]] == [1e-4, 5e-5]
    for part in ("generator_optimizer", "critic_optimizer"):
        assert state[part]["param_groups"][0]["lr"] == 5e-5
    assert "at 32 images, diverged at 48" in (one / "README.md").read_text()

    draws = random.Random(0)
    for _ in range(3):
        fatal = draws.randrange(80, 140)
        Victim(photos, other, *IMAGES, log=tmp_path / "log", fatal=fatal, before=partial(_diverges, 6e-5)).wait()
    finish(photos, other, tmp_path, before=partial(_diverges, 6e-5))
    assert differences(one, other) == []


def test_a_run_that_diverges_whatever_the_rate_stops_with_advice(photos, tmp_path):
    out = tmp_path / "run"
    for times in (3, 0):  # the second start has used them up
        victim = Victim(photos, out, *IMAGES, log=tmp_path / "log", before=partial(_diverges, 0))
        assert victim.wait() == 2
        assert victim.said.count("of at most 3 times") == times and "Traceback" not in victim.said
        last = victim.said.strip().splitlines()[-1]
        assert last.startswith("error: the loss stopped being a number after 48 images") and f"--from {out}" in last
    state = checkpoint.load_snapshot(out)
    assert state["images_seen"] == 32 and all(torch.isfinite(value).all() for value in state["critic"].values())
    assert checkpoint.load_model(out).config.trained["images"] == 32


def test_averages_of_the_optimizer_that_are_no_numbers_are_no_good_snapshot(photos):
    from test_trainer import make

    from gan.data.image_folder import load_photos

    trainer = make(load_photos(photos, 56))
    trainer.step()
    assert trainer.finite()
    next(iter(trainer.critic_optimizer.state.values()))["exp_avg_sq"].fill_(float("inf"))
    assert not trainer.finite()


# -------------------------------------------------------------------------------------------------------------- memory


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory."), MemoryError(), RuntimeError("DefaultCPUAllocator: not enough memory")],
)
@pytest.mark.parametrize("dry", [True, False])
def test_a_batch_that_does_not_fit_is_one_sentence_with_one_that_does(error, dry, photos, tmp_path, capsys, monkeypatch):
    draw = Trainer._draw_fakes

    def limited(self, code, draws):
        if len(code) > 5:
            raise error
        return draw(self, code, draws)

    monkeypatch.setattr(Trainer, "_draw_fakes", limited)
    argv = [str(photos), *FLAGS, "--out", str(tmp_path / "out"), "--images", "96", "--every", "16"]
    assert train.main([*argv, "--batch", "16", *["--dry-run"] * dry]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said == "error: a batch of 16 does not fit into the memory of this computer, one of 4 does; use --batch 4."
    assert train.main([*argv, "--batch", "4"]) == 0, "in the same folder: nothing had been trained"


def test_a_run_that_outgrows_the_memory_keeps_what_it_has(photos, tmp_path, capsys, monkeypatch):
    out = tmp_path / "out"
    argv = [str(photos), *FLAGS, "--batch", "8", "--out", str(out), "--images"]
    assert train.main([*argv, "16"]) == 0
    before = (out / SNAPSHOT).read_bytes()
    monkeypatch.setattr(Trainer, "_draw_fakes", lambda *_: (_ for _ in ()).throw(MemoryError()))
    assert train.main([*argv, "96"]) == 2
    assert "nor does one of 1" in capsys.readouterr().err
    monkeypatch.undo()
    step = Trainer.step
    monkeypatch.setattr(Trainer, "step", lambda self: step(self) if self.config.batch < 8 else bytearray(1 << 62))
    assert train.main([*argv, "96"]) == 2
    said = capsys.readouterr().err
    assert f"one of 4 does: begin a new run with --batch 4, --from {out} and another --out." in said
    assert (out / SNAPSHOT).read_bytes() == before


SAID = "could not create a primitive descriptor for a convolution forward propagation primitive"


def failing(monkeypatch, from_batch):
    step = Trainer.step

    def fail(trainer):
        if trainer.config.batch < from_batch:
            return step(trainer)
        raise RuntimeError(SAID)

    monkeypatch.setattr(Trainer, "step", fail)


def test_what_onednn_cannot_do_at_any_batch_is_no_lack_of_memory(photos, tmp_path, capsys, monkeypatch):
    failing(monkeypatch, from_batch=0)
    with pytest.raises(RuntimeError, match=SAID):  # a fault of a program, with the traceback that whoever mends it needs
        train.main([str(photos), *FLAGS, "--batch", "8", "--images", "16", "--out", str(tmp_path / "out")])
    assert "memory" not in capsys.readouterr().err
    assert not batch_size.is_exhausted(RuntimeError(SAID)) and batch_size.may_be_exhausted(RuntimeError(SAID))


def test_what_onednn_can_do_at_a_smaller_batch_is_one(photos, tmp_path, capsys, monkeypatch):
    failing(monkeypatch, from_batch=4)
    assert train.main([str(photos), *FLAGS, "--batch", "8", "--images", "16", "--out", str(tmp_path / "out")]) == 2
    assert "a batch of 8 does not fit into the memory of this computer, one of 2 does" in capsys.readouterr().err


def test_other_errors_are_not_taken_for_a_lack_of_memory():
    assert not batch_size.is_exhausted(RuntimeError("The size of tensor a (3) must match the size of tensor b (4)"))
    assert not batch_size.is_exhausted(ValueError("not enough memory"))
