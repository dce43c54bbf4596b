"""The commands of this repository as processes that start in a moment: forked from one that has imported all they need.

Such a process is one of its own: with a number, an environment, a folder, streams and an exit code, and signals end it. What
it is spared is the import of PyTorch and Gradio, which takes a core 4 to 12 seconds. So a test that is about a start itself
(variables that a library reads at its import, torchrun, `python -c`) starts an interpreter by `subprocess` instead.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent
# Read while libraries are imported: a process that needs other values has to start afresh.
AT_IMPORT = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}

_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(
    [
        "app", "train", "gan.runs.training", "gan.data.cli", "gan.evaluation.cli", "gan.hub.cli", "gan.sampling.cli",
        "gan.data.doctor_report", "gan.sampling.sample_files",
        "gan.utils.lock", "torch._dynamo", "torch.utils.tensorboard", "tqdm",
    ]
)  # fmt: skip


def begin(
    argv: list[str], output: Path, errors: Path | None = None, *, cwd: Path = ROOT, before: Callable | None = None, **more: str
) -> BaseProcess:
    """Begin `python ARGV`, where ARGV is a file, or `-m` and a module; `more` is added to its environment.

    What it prints goes to the file `output`, its errors to `errors` or there, too. `before` is called in it first.
    """
    wrong = [name for name in more if name.startswith(("HF_", *AT_IMPORT)) and more[name] != AT_IMPORT.get(name)]
    assert not wrong, f"{', '.join(wrong)}: read at an import; start an interpreter by subprocess"
    output.write_bytes(b"")
    environment = {**os.environ, **AT_IMPORT, **more}
    arguments = ([str(word) for word in argv], str(output), str(errors or output), str(cwd), environment, before)
    process = _server.Process(target=_run, args=arguments, daemon=True)  # daemon: it does not outlive the tests
    with mock.patch.dict(os.environ, AT_IMPORT):
        forkserver.ensure_running()
    process.start()
    return process


def call(*argv: object, cwd: Path = ROOT, seconds: float = 120, **more: str) -> subprocess.CompletedProcess:
    """What `subprocess.run` gives for `python ARGV`: the exit code, and what was printed, decoded as it was encoded."""
    with ended(begin, list(argv), cwd=cwd, **more) as (process, output, errors):
        process.join(seconds)
        if process.exitcode is None:
            raise subprocess.TimeoutExpired(argv, seconds)
        encoding = _encoding(more)[0]
        said = [path.read_bytes().decode(encoding) for path in (output, errors)]
    return subprocess.CompletedProcess(argv, process.exitcode, *said)


@contextmanager
def ended(start: Callable, argv: list, **options: object) -> Iterator[tuple[BaseProcess, Path, Path]]:
    """A process that `start` has begun, with files for what it says; killed at the end if it still runs."""
    with tempfile.TemporaryDirectory() as folder:
        output, errors = Path(folder) / "output", Path(folder) / "errors"
        process = start(argv, output, errors, **options)
        try:
            yield process, output, errors
        finally:
            process.kill()
            process.join()


def _encoding(environment: Mapping[str, str]) -> tuple[str, str]:
    """Encoding and error handler of the streams, which an interpreter takes from PYTHONIOENCODING."""
    encoding, _, handler = environment.get("PYTHONIOENCODING", "").partition(":")
    return encoding or "utf-8", handler or "strict"


def _run(argv: list[str], output: str, errors: str, cwd: str, environment: dict[str, str], before: Callable | None) -> None:
    """In the new process: be what an interpreter would be after its imports."""
    for number, path in ((2, errors), (1, output)):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(handle, number)
        os.close(handle)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    encoding, handler = _encoding(environment)
    for number, name, kind in ((1, "stdout", handler), (2, "stderr", "backslashreplace")):
        stream = open(number, "w", buffering=1, encoding=encoding, errors=kind, closefd=False)
        setattr(sys, name, stream)
    if before:
        before()
    module, sys.argv = argv[0] == "-m", argv[1:] if argv[0] == "-m" else argv
    try:
        if module:
            runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(str(ROOT / sys.argv[0]), run_name="__main__")
    finally:
        atexit._run_exitfuncs()  # multiprocessing leaves them out
