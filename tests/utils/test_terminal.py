"""Nothing that is printed ends a program, and what ends a terminal does not cost a training."""

import io
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import forked
import pytest
from pictures import COLORS, make_photos

import train
from gan.hub import checkpoint
from gan.utils import interrupts, terminal
from gan.utils.terminal import safe_output

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("кульбаба", "чорнобривці", "花")
TINY = "--preset cwgan-gp-28 --width 4 --batch 4 --critic-steps 1 --device cpu --precision fp32 --threads 1".split()


@pytest.fixture
def photos(tmp_path, monkeypatch):
    for name in NAMES:
        monkeypatch.setitem(COLORS, name, (240, 210, 40))
    return make_photos(tmp_path / "photos", classes=NAMES)


def call(*argv, encoding="utf-8", **more):
    """In an interpreter of its own, which makes its streams by the variable."""
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *map(str, argv)], cwd=ROOT, env=environment, timeout=120, **more)


def test_a_new_interpreter_can_print_to_an_encoding_without_its_words(photos, tmp_path):
    out = tmp_path / "out"
    done = call("train.py", photos, *TINY, "--out", out, "--images", "8", encoding="ascii", capture_output=True)
    assert done.returncode == 0, done.stderr.decode("ascii")
    check_names(done.stdout.decode("ascii"), "ascii", out)


@pytest.mark.parametrize("encoding", ["cp1251", "latin-1", "cp1252"])
def test_any_encoding_can_be_printed_to(encoding, photos, tmp_path):
    out = tmp_path / "out"
    done = forked.call("train.py", photos, *TINY, "--out", out, "--images", "8", PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    check_names(done.stdout, encoding, out)


def check_names(said, encoding, out):
    assert ("кульбаба" if encoding == "cp1251" else r"\u043a\u0443\u043b") in said and r"\u82b1" in said
    assert checkpoint.read_config(out).classes == tuple(sorted(NAMES))


@pytest.mark.parametrize(
    "argv", [["train.py", "--help"], ["app.py", "--help"], ["-m", "gan", "doctor", "PHOTOS", "--out", "OUT"],
             ["-m", "gan", "sample", "cwgan-gp-28", "--class", "×", "--out", "OUT"]],
)  # fmt: skip
def test_every_command_can_speak_in_ascii(argv, photos, tmp_path):
    argv = [{"PHOTOS": photos, "OUT": tmp_path / "out"}.get(word, word) for word in argv]
    done = forked.call(*argv, PYTHONIOENCODING="ascii:strict")
    assert "Traceback" not in done.stderr and "UnicodeEncodeError" not in done.stderr, done.stderr
    assert done.returncode in (0, 1, 2) and (done.stdout or done.stderr).isascii()


def test_a_reader_that_has_gone_costs_nothing(photos, tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    done = call("train.py", photos, *TINY, "--out", tmp_path / "out", "--images", "8", stdout=writer, stderr=writer)
    os.close(writer)
    assert checkpoint.load_snapshot(tmp_path / "out")["images_seen"] == 8 and done.returncode in (0, 120)


def test_streams_that_were_never_there_cost_nothing(photos, tmp_path):
    script = f'exec "{sys.executable}" train.py "$@" >&- 2>&-'
    argv = ["sh", "-c", script, "sh", str(photos), *TINY, "--out", str(tmp_path / "out"), "--images", "8"]
    assert subprocess.run(argv, cwd=ROOT, timeout=120).returncode == 0
    assert checkpoint.load_snapshot(tmp_path / "out")["images_seen"] == 8


def test_a_closed_terminal_saves_the_run(photos, tmp_path):
    """A real terminal, gone with all that can be written to it."""
    out = tmp_path / "out"
    pid, master = pty.fork()
    if not pid:
        argv = [sys.executable, str(ROOT / "train.py"), str(photos), *TINY, "--out", str(out), "--every", "8"]
        os.execv(sys.executable, [*argv, "--images", "10000000"])
    try:
        deadline = time.monotonic() + 90
        while len(list((out / "grids").glob("*.png"))) < 4:
            assert time.monotonic() < deadline
            os.set_blocking(master, False)
            try:
                os.read(master, 1 << 16)
            except (BlockingIOError, OSError):
                time.sleep(0.05)
    finally:
        os.close(master)  # the kernel sends SIGHUP
        deadline = time.monotonic() + 60
        while (ended := os.waitpid(pid, os.WNOHANG))[0] == 0 and time.monotonic() < deadline:
            time.sleep(0.05)
        if not ended[0]:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    assert ended[0] == pid and os.waitstatus_to_exitcode(ended[1]) == 128 + signal.SIGHUP
    assert checkpoint.load_snapshot(out)["images_seen"] >= 24


def test_nohup_still_means_what_it_says(monkeypatch):
    assert signal.SIGHUP in interrupts.signals()
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert signal.SIGHUP not in interrupts.signals()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_system_without_sighup(monkeypatch):
    monkeypatch.delattr(signal, "SIGHUP")
    assert interrupts.signals() == [signal.SIGINT, signal.SIGTERM]
    with interrupts.catch_signals() as found:
        signal.raise_signal(signal.SIGTERM)
    assert found == [signal.SIGTERM]


def test_a_training_in_a_thread(photos, tmp_path):
    codes = []
    argv = [str(photos), *TINY, "--out", str(tmp_path / "out"), "--images", "8"]
    thread = threading.Thread(target=lambda: codes.append(train.main(argv)))
    thread.start()
    thread.join(120)
    assert codes == [0] and checkpoint.load_snapshot(tmp_path / "out")["images_seen"] == 8


def test_the_streams_are_as_they_were_afterwards(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", None)
    with safe_output():
        print("×")
        print("lost", file=sys.stderr)
        assert sys.stdout.encoding == "ascii" and not sys.stderr.isatty()
    assert (sys.stdout, sys.stderr, stream.errors) == (stream, None, "strict")
    assert stream.buffer.getvalue() == b"\\xd7\n"


def test_a_command_is_quoted_for_the_shell_of_the_system(monkeypatch):
    words = ["python", "app.py", "--model", r"C:\my runs\a"]
    assert terminal.command(words) == r"python app.py --model 'C:\my runs\a'"
    monkeypatch.setattr(terminal, "WINDOWS", True)
    assert terminal.command(words) == r'python app.py --model "C:\my runs\a"'


def test_a_published_command_names_folders_without_their_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    words = ["python", "-m", "gan", "evaluate", "runs/mine", f"{tmp_path}/photos of us", "--out=/srv/private/out", "-n", "100"]
    shown = "python -m gan evaluate mine 'photos of us' --out=out -n 100"
    assert terminal.published_command(words) == shown
    assert terminal.published_command(["../elsewhere/x", "~/y", "."]) == f"x y {tmp_path.name}"
    kept = ["owner/name", "hf://datasets/owner/name", "--sides", "64:100000", "a\0b", "", "runs/new", "x" * 5000]
    assert terminal.published_command(kept) == terminal.shlex.join(kept)
