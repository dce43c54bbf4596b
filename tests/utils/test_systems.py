"""What can be tried on one system of how the program fares on others: Windows, a Mac, file systems that ignore case."""

import ast
import os
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from pictures import make_photos

from gan.data import sources, zip_archive
from gan.errors import UserError
from gan.hub import loader
from gan.utils import files, hub_client

ROOT = Path(__file__).resolve().parents[2]
CODE = sorted([ROOT / "app.py", ROOT / "train.py", *(ROOT / "gan").rglob("*.py")])
POSIX_ONLY = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
# Of os and signal, those that Windows has not got (docs.python.org, "Availability: Unix").
MISSING = {
    "setpriority", "getpriority", "sysconf", "nice", "fork", "getuid", "geteuid", "getgid", "sched_getaffinity", "getloadavg",
    "SIGHUP", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGQUIT", "killpg", "mkfifo", "chown", "statvfs", "O_DIRECTORY",
}  # fmt: skip


@pytest.mark.parametrize("path", CODE, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_that_windows_lacks_is_used_unguarded(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    guarded = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Try) and any("AttributeError" in ast.dump(handler) for handler in node.handlers):
            guarded |= {inner for part in node.body for inner in ast.walk(part)}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names]
            assert not {name.partition(".")[0] for name in names} & POSIX_ONLY, f"line {node.lineno}"
            assert "multiprocessing" not in names, f"line {node.lineno}: what is forked here would be spawned there"
        if isinstance(node, ast.Attribute) and node.attr in MISSING:
            assert node in guarded, f"line {node.lineno}"
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("read_text", "write_text"):
            assert "encoding" in ast.unparse(node), f"line {node.lineno}: that of the system is another one there"


WITHOUT = """
import os, signal, sys
import torch, numpy, PIL.Image, safetensors.torch, huggingface_hub, filelock, tqdm, torchmetrics
for module in (os, signal):
    for name in sys.argv[1].split(","):
        if hasattr(module, name):
            delattr(module, name)
for name in sys.argv[2].split(","):
    sys.modules[name] = None
import train
from gan.sampling import inversion
from gan.__main__ import main
inversion._lower_priority()
assert train.main(sys.argv[4:]) == 0
assert main(["sample", sys.argv[3], "--out", sys.argv[3] + "/flowers"]) == 0
"""


def test_a_training_and_its_pictures_without_what_windows_lacks(tmp_path):
    photos, out = make_photos(tmp_path / "photos"), tmp_path / "out"
    tiny = "--preset cwgan-gp-28 --width 4 --batch 4 --critic-steps 1 --device cpu --precision fp32 --images 8".split()
    argv = [",".join(sorted(MISSING - {"SIGKILL", "O_DIRECTORY"})), ",".join(sorted(POSIX_ONLY - {"posix"})), str(out)]
    command = [sys.executable, "-c", WITHOUT, *argv, str(photos), *tiny, "--out", str(out)]
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=240)
    assert done.returncode == 0, done.stderr.decode("cp1252")
    assert len(list((out / "flowers").iterdir())) == 1


def test_a_file_that_somebody_has_open_is_waited_for(tmp_path, monkeypatch):
    """Windows replaces no file that is open; a virus scanner or a page that is being read lets go of it soon."""
    held, real = threading.Event(), os.replace

    def replace(source, target):
        if held.is_set():
            raise PermissionError(13, "the file is used by another process")
        return real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(files, "PATIENCE", 30.0)
    held.set()
    threading.Timer(0.3, held.clear).start()
    files.write_atomic(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    held.set()
    monkeypatch.setattr(files, "PATIENCE", 0.2)
    began = time.monotonic()
    with pytest.raises(PermissionError):
        files.write_atomic(tmp_path / "a", b"newer")
    assert time.monotonic() - began < 10 and [path.name for path in tmp_path.iterdir()] == ["a"]
    held.clear()
    assert (tmp_path / "a").read_bytes() == b"new"


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        (PureWindowsPath("D:\\"), "D"), (PureWindowsPath(r"D:\my photos"), "my photos"),
        (PureWindowsPath("\\\\nas\\flowers\\"), "flowers"), (PureWindowsPath(r"\\nas\flowers\roses"), "roses"),
        (PurePosixPath("/"), "photos"), (PurePosixPath("/home/maria/flowers"), "flowers"),
    ],
)  # fmt: skip
def test_a_drive_or_a_share_gives_a_run_its_name(folder, name):
    assert files.folder_name(folder, "photos") == name


@pytest.mark.parametrize("name", [r"D:\models\rose", r"\\nas\models\rose", "D:/models/rose", r"models\rose"])
def test_paths_of_windows_are_no_names_on_the_hub(name, monkeypatch):
    monkeypatch.setattr(hub_client, "bounded", lambda *_: pytest.fail("the Hub was asked"))
    with pytest.raises(UserError, match="there is no model"):
        loader.load(name)
    assert sources.photo_folder(name) == Path(name)


def test_an_archive_with_names_that_windows_cannot_write(tmp_path, monkeypatch):
    """There a:b would be a hidden part of the file a, and CON the console."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
        for name in ("what?/a:b.png", "con/1.png", "what?/c.png ", "roses/1.png"):
            made.writestr(name, name)
    monkeypatch.setattr(zip_archive, "WINDOWS", True)
    (tmp_path / "out").mkdir()
    zip_archive.unpack(tmp_path / "a.zip", tmp_path / "out")
    found = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert found == {"what_/a_b.png", "con_/1.png", "what_/c.png", "roses/1.png"}


def test_classes_that_are_one_folder_where_case_is_ignored_are_refused(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
        for name in ("Rose/1.png", "rose/2.png"):
            made.writestr(name, name)
    (tmp_path / "there").mkdir()
    zip_archive.unpack(tmp_path / "a.zip", tmp_path / "there")
    assert len(list((tmp_path / "there").iterdir())) == 2
    mkdir = Path.mkdir

    def folded(path, *more, **others):
        if path.parent.is_dir() and path.name.casefold() in {other.name.casefold() for other in path.parent.iterdir()}:
            raise FileExistsError(17, "exists", str(path))
        mkdir(path, *more, **others)

    (tmp_path / "here").mkdir()
    monkeypatch.setattr(Path, "mkdir", folded)
    with pytest.raises(UserError, match="two folders with one name on this system"):
        zip_archive.unpack(tmp_path / "a.zip", tmp_path / "here")
