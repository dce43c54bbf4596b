"""What it takes to lose a run: `python tests/bench/kills.py [--kills 50] [--seed 0]`, with a tiny model, some minutes.

A run that nothing happens to is the reference. Beside it, in folders of their own: a run that is killed (`kill -9`) at random
moments of its life until it has been killed so often; one that is killed before each single write operation in turn; snapshots
cut in the middle and with one bit turned, at random; a disk that is full (a tmpfs of a size of its own where this process may
mount one, otherwise a limit on the size of files); a folder that may not be written to; a second trainer; memory that does not
suffice. Each run has to end bit for bit as the reference, or to stop with exit code 2 and one sentence. Printed: a line a trial
and what was counted. Exit code 1 if anything was otherwise.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS.parent), str(TESTS)]

import victims  # noqa: E402
from pictures import make_photos  # noqa: E402
from victims import Victim  # noqa: E402

from gan.hub import checkpoint  # noqa: E402

FLAGS = ("--images", "96", "--every", "16")
ENDLESS = ("--images", "10000000", "--every", "16")
wrong = 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    draws = random.Random(args.seed)
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        folder = Path(name)
        bench = Bench(folder, make_photos(folder / "photos"))
        bench.kills_by_the_clock(args.kills, draws)
        bench.kills_at_every_write()
        bench.damaged_snapshots(args.kills, draws)
        with bench.small_disk() as disk:
            bench.full_disk(disk)
        bench.read_only()
        bench.two_trainers()
        bench.memory()
    print("nothing was lost" if not wrong else f"{wrong} trials went wrong")
    return 1 if wrong else 0


class Bench:
    def __init__(self, folder: Path, photos: Path) -> None:
        self.folder, self.photos = folder, photos
        self.reference = folder / "reference"
        victim = self.start(self.reference)  # the first one also waits for the server
        victim.wait()
        started = time.monotonic()
        check("a run that nothing happens to", self.start(folder / "again").wait() == 0)
        self.seconds = time.monotonic() - started
        self.writes = victims.writes(victim)
        check("two such runs are the same", not victims.differences(self.reference, folder / "again"))
        print(f"  {self.seconds:.1f} s, {self.writes} write operations, {size(self.reference):,} bytes in the folder")

    def start(self, out: Path, *flags: str, **more) -> Victim:
        return Victim(self.photos, out, *(flags or FLAGS), log=self.folder / f"{out.name}.log", **more)

    def finish(self, what: str, out: Path) -> None:
        victim = self.start(out)
        found = victims.differences(self.reference, out) if victim.wait() == 0 else [victim.said]
        check(what, not found and not list(out.rglob(".*.tmp")), found)

    def kills_by_the_clock(self, count: int, draws: random.Random) -> None:
        """Runs are killed at moments spread over their whole life; one that ends in peace is compared, the next begins anew."""
        killed, number, times = 0, 0, 0
        while killed < count or times:
            out = self.folder / f"clock-{number}"
            victim = self.start(out)
            if killed < count and victims.kill_at(victim, draws.uniform(0, 1.1 * self.seconds)):
                killed, times = killed + 1, times + 1
                continue
            found = victims.differences(self.reference, out) if victim.wait() == 0 else [victim.said]
            check(f"run {number}, killed {times} times before it ended", not found, found)
            shutil.rmtree(out)
            number, times = number + 1, 0
        print(f"  {killed} kills at random moments, {number} runs, each compared with the reference")

    def kills_at_every_write(self) -> None:
        out, bad = self.folder / "writes", 0
        for fatal in range(1, self.writes + 1):
            shutil.rmtree(out, ignore_errors=True)
            if self.start(out, fatal=fatal).wait() != -9 or self.start(out).wait() != 0:
                bad += 1
            elif victims.differences(self.reference, out) or list(out.rglob(".*.tmp")):
                bad += 1
        check(f"killed before each of {self.writes} write operations, resumed once", bad == 0, [f"{bad} of them went wrong"])

    def damaged_snapshots(self, count: int, draws: random.Random) -> None:
        saved, out = self.folder / "saved", self.folder / "damaged"
        self.start(saved, "--images", "48", "--every", "16").wait()
        found = {"the one before it": 0, "harmless": 0, "wrong": 0}
        for number in range(count):
            shutil.rmtree(out, ignore_errors=True)
            shutil.copytree(saved, out)
            (victims.cut if number % 2 else victims.flip)(out / checkpoint.SNAPSHOT, draws)
            victim = self.start(out)
            if victim.wait() != 0 or victims.differences(self.reference, out):
                found["wrong"] += 1
            else:
                found["the one before it" if "takes its place" in victim.said else "harmless"] += 1
        check(f"{count} damaged snapshots: {found}", not found["wrong"])
        for path in (saved / checkpoint.SNAPSHOT, saved / checkpoint.BEFORE):
            victims.cut(path, draws)
        self.refused("both snapshots cut", self.start(saved))

    @contextmanager
    def small_disk(self) -> Iterator[Path | None]:
        """A folder with a file system of 1 MB of its own; None where this process may not have one."""
        disk = self.folder / "disk"
        disk.mkdir()
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True)
        if mount.returncode:
            yield None
            return
        try:
            yield disk
        finally:
            subprocess.run(["umount", str(disk)], check=True)

    def full_disk(self, disk: Path | None) -> None:
        if not disk:
            limited = self.start(self.folder / "full", before=partial(limit_files, 240_000))
            self.refused("no file may grow over 240,000 bytes", limited, "is whole")
            self.finish("with that lifted, the same command", self.folder / "full")
            return
        out = disk / "run"
        self.refused("a disk of 1 MB", self.start(out), "is whole")
        for kilobytes in range(1100, 2000, 150):  # full at other moments
            subprocess.run(["mount", "-o", f"remount,size={kilobytes}k", str(disk)], check=True)
            victim = self.start(out)
            if victim.wait() == 0:
                break
            self.refused(f"a disk of {kilobytes} kB", victim, "is whole")
        subprocess.run(["mount", "-o", "remount,size=10m", str(disk)], check=True)
        self.finish("with room, the same command", out)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        self.refused("a disk that is read only", self.start(out, "--images", "128", "--every", "16"), "no permission")

    def read_only(self) -> None:
        if os.geteuid() == 0:
            print("skipped: a folder without permission (root may write anywhere)")
            return
        out = self.folder / "locked"
        out.mkdir(mode=0o500)
        self.refused("a folder without permission", self.start(out), "no permission")

    def two_trainers(self) -> None:
        out = self.folder / "two"
        first = self.start(out, *ENDLESS)
        while not (out / checkpoint.SNAPSHOT).exists():
            time.sleep(0.01)
        second = Victim(self.photos, out, *FLAGS, log=self.folder / "second.log")
        self.refused("a second trainer", second, f"process {first.process.pid} on ")
        check("the first one goes on", first.process.is_alive())
        first.kill()
        first.wait()
        check("once it is killed, the folder is free", self.start(out, "--images", "1", "--every", "16").wait() == 0)
        print(f"  {len(list((out / 'grids').iterdir()))} grids, {size(out):,} bytes in the folder")

    def memory(self) -> None:
        victim = self.start(self.folder / "large", "--images", "96", "--batch", "4096", before=partial(limit_memory, 500))
        self.refused("a batch of 4096 in 500 MB", victim, " does; use --batch ")
        if " does; use --batch " in victim.said:
            fits = victim.said.rsplit("--batch ", 1)[1].strip().rstrip(".")
            fitting = self.start(self.folder / "large", "--images", "96", "--batch", fits, before=partial(limit_memory, 500))
            check(f"the batch of {fits} that was named, in as much", fitting.wait(300) == 0, [fitting.said])

    def refused(self, what: str, victim: Victim, says: str = "") -> None:
        code, last = victim.wait(300), victim.said.strip().splitlines()[-1]
        check(what, code == 2 and last.startswith("error: ") and says in last and "Traceback" not in victim.said, [victim.said])
        print(f"  {last.replace(str(self.folder), '…')}")


def check(what: str, right: bool, found: list[str] = []) -> None:  # noqa: B006
    global wrong
    wrong += not right
    print(f"{'right' if right else 'WRONG'}: {what}", *([] if right else found), flush=True)


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def limit_files(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def limit_memory(megabytes: int) -> None:
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + (megabytes << 20),) * 2)


if __name__ == "__main__":
    sys.exit(main())
