"""gan.data.sources, gan.archive, gan.dataset: zip archives and datasets of the Hub, good and hostile, and their copies."""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import forked
import pytest
from hub_server import HubServer, Repo
from huggingface_hub import constants
from pictures import make_photos

from gan.data import hub_dataset, sources, zip_archive
from gan.data.image_folder import load_photos
from gan.errors import UserError
from gan.utils import hub_client
from gan.utils.names import IGNORED_NAMES

ROOT = Path(__file__).resolve().parents[2]
SIZE = 32


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, its folder of photos."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    return tmp_path / "xdg" / "this-flower-does-not-exist" / "photos"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return make_photos(tmp_path / "photos")


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name, content)
    return path


def contents(folder: Path, prefix: str = "") -> dict[str, bytes]:
    return {
        prefix + path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def refusal(name: object) -> str:
    with pytest.raises(UserError) as error:
        sources.photo_folder(str(name))
    text = str(error.value)
    assert text.endswith(".") and "\n" not in text
    return text


# ----------------------------------------------------------------------------------------------------------- archives


@pytest.mark.parametrize("prefix", ["", "photos/", "a/b/"])
def test_an_archive_is_its_folder(photos: Path, tmp_path: Path, prefix: str) -> None:
    """The same photos in the same classes, whether the archive holds the class folders or a folder around them."""
    files = contents(photos, prefix)
    files |= {"__MACOSX/._x.png": b"x", f"{prefix}.DS_Store": b"x", f"{prefix}marigold/.hidden.png": b"x"}
    folder = sources.photo_folder(str(zipped(tmp_path / "flowers.zip", files)))
    assert folder.name == "flowers" and contents(folder) == contents(photos)
    assert load_photos(folder, SIZE).digest == load_photos(photos, SIZE).digest


def test_an_archive_without_folders_is_one_class(photos: Path, tmp_path: Path) -> None:
    folder = sources.photo_folder(str(zipped(tmp_path / "roses.ZIP", contents(photos / "marigold"))))
    assert load_photos(folder, SIZE).counts() == {"roses": 8}
    folder = sources.photo_folder(str(zipped(tmp_path / "more.zip", contents(photos / "marigold", "tulips/"))))
    assert load_photos(folder, SIZE).counts() == {"tulips": 8}


@pytest.mark.parametrize(
    "left", sorted(IGNORED_NAMES | {"@eaDir", "$RECYCLE.BIN", "System Volume Information", ".Trashes", "FOUND.000"})
)
def test_what_systems_leave_behind_is_no_photo_in_a_folder_or_an_archive(photos: Path, tmp_path: Path, left: str) -> None:
    """As a class folder, below one, and as a file: the same list for both."""
    clean, picture = load_photos(photos, SIZE), (photos / "marigold" / "00.png").read_bytes()
    for place in (photos / left, photos / "marigold" / left / "00.png"):
        place.mkdir(parents=True)
        (place / "SYNOPHOTO_THUMB_M.png").write_bytes(picture)
    (photos / "dandelion" / left).write_bytes(picture)
    folder = sources.photo_folder(str(zipped(tmp_path / "flowers.zip", contents(photos))))
    for place in (photos, folder):
        found = load_photos(place, SIZE)
        assert found.digest == clean.digest and found.skipped == ()


def test_folders_stay_what_they_are(photos: Path, cache: Path) -> None:
    assert sources.photo_folder(str(photos)) == photos and sources.photo_folder("no/such/folder") == Path("no/such/folder")
    assert sources.photo_folder("~nobody-of-this-name/x") == Path("~nobody-of-this-name/x")
    assert sources.photo_folder("~/x") == Path.home() / "x"
    assert sources.photo_folder(str(photos / "marigold" / "00.png")) == photos / "marigold" / "00.png"
    assert not cache.exists()


def test_a_second_start_uses_the_copy_and_a_spoilt_one_is_made_anew(
    photos: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, calls = zipped(tmp_path / "flowers.zip", contents(photos)), []
    real = zip_archive.unpack
    monkeypatch.setattr(zip_archive, "unpack", lambda *args: calls.append(args) or real(*args))
    folder = sources.photo_folder(str(path))
    os.utime(path)
    assert sources.photo_folder(str(path)) == folder and len(calls) == 1
    next((folder / "marigold").iterdir()).unlink()  # as a cleaner of caches may
    assert sources.photo_folder(str(path)) == folder and len(calls) == 2
    assert contents(folder) == contents(photos)
    zipped(path, contents(photos) | {"marigold/new.png": b"new"})
    assert sources.photo_folder(str(path)) != folder and len(calls) == 3
    assert not list(cache.glob(".new-*"))


def test_a_copy_that_was_not_used_for_long_makes_room_for_the_next(photos: Path, tmp_path: Path) -> None:
    old, used, new = (
        zipped(tmp_path / f"{name}.zip", contents(photos) | {f"{name}.png": b"x"}) for name in ("old", "used", "new")
    )
    copies = {path: sources.photo_folder(str(path)) for path in (old, used)}
    for folder in copies.values():
        long_ago = time.time() - 86400 * (sources.KEPT_DAYS + 1)
        os.utime(folder.parent / sources.DONE, (long_ago, long_ago))
    sources.photo_folder(str(used))
    sources.photo_folder(str(new))
    assert not copies[old].exists() and contents(copies[used]).keys() > contents(photos).keys()


AT_ONCE = """
import sys, time
from gan.data import sources, zip_archive
real = zip_archive.unpack
def slow(*args):
    print("unpacks", flush=True)
    time.sleep(1)
    return real(*args)
zip_archive.unpack = slow
print(sources.photo_folder(sys.argv[1]))
"""


def test_of_several_processes_that_want_the_same_photos_one_prepares_them(photos: Path, tmp_path: Path) -> None:
    """As `torchrun` starts them; the others wait and take its copy."""
    path = zipped(tmp_path / "flowers.zip", contents(photos))
    started = [
        subprocess.Popen([sys.executable, "-c", AT_ONCE, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=300)[0].split() for process in started]
    assert [process.returncode for process in started] == [0, 0]
    assert sum(words.count("unpacks") for words in said) == 1 and len({words[-1] for words in said}) == 1


def entry(name: str, mode: int = 0, content: bytes = b"x") -> bytes:
    """An archive with one entry of any name and kind."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        info = zipfile.ZipInfo("x" * len(name))
        info.external_attr = mode << 16
        file.writestr(info, content)
    return made.getvalue().replace(b"x" * len(name), name.encode()) if name.strip("x") else made.getvalue()


@pytest.mark.parametrize(
    "name",
    ["../out.png", "roses/../../out.png", "/out.png", "\\out.png", "..\\out.png", "C:\\out.png", "c:out.png", "a\0../../b"],
)
def test_names_that_lead_out_are_refused(tmp_path: Path, cache: Path, name: str) -> None:
    (tmp_path / "bad.zip").write_bytes(entry(name))
    assert "leads out" in refusal(tmp_path / "bad.zip")
    assert not list(cache.rglob("*")) and not list(tmp_path.rglob("out.png"))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_links_and_devices_are_refused(tmp_path: Path, cache: Path, kind: int) -> None:
    (tmp_path / "bad.zip").write_bytes(entry("roses/passwd", kind | 0o777, b"/etc/passwd"))
    assert "link or device" in refusal(tmp_path / "bad.zip")
    assert not list(cache.rglob("*"))


def test_two_files_of_one_name_are_refused(tmp_path: Path, cache: Path) -> None:
    for names in (("roses/1.png", "roses/1.png"), ("roses", "roses/1.png"), ("roses/1.png", "roses/./1.png"), ("a/b", "a")):
        with zipfile.ZipFile(tmp_path / "bad.zip", "w") as made, pytest.warns() if len(set(names)) == 1 else open(os.devnull):
            for number, name in enumerate(names):
                made.writestr(name, str(number))
        assert "two files called" in refusal(tmp_path / "bad.zip")
    assert not list(cache.rglob("*"))


def test_bombs_are_refused_before_anything_is_unpacked(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path / "bomb.zip", {f"roses/{number}.png": bytes(1000) for number in range(20)})
    for name, value, says in (
        ("MAX_FILES", 19, "holds 20 files"), ("MAX_TOTAL", 19_999, "holds 20 files"), ("MAX_BYTES", 999, "a photo has at most"),
        ("MAX_DIRECTORY", 500, "lists far more"),
    ):  # fmt: skip
        with monkeypatch.context() as patch:
            patch.setattr(zip_archive, name, value)
            assert says in refusal(path)
    with monkeypatch.context() as patch:
        patch.setattr(zip_archive.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 19_999}))
        assert "are free in" in refusal(path)
    assert not list(cache.rglob("*"))
    assert sources.photo_folder(str(path)).is_dir()


def test_an_archive_that_lies_about_its_sizes_unpacks_no_more_than_it_says(tmp_path: Path, cache: Path) -> None:
    path = zipped(tmp_path / "liar.zip", {"roses/1.png": bytes(5_000_000)})
    content = path.read_bytes()
    path.write_bytes(content.replace(struct.pack("<I", 5_000_000), struct.pack("<I", 10)))
    assert "no whole zip archive" in refusal(path)  # the checksum is of what it hid
    assert not list(cache.rglob("*"))


def test_damaged_archives_are_a_sentence(photos: Path, tmp_path: Path, cache: Path) -> None:
    whole = zipped(tmp_path / "bad.zip", contents(photos)).read_bytes()
    for content in (b"", b"PK\3\4", b"PK\5\6" + bytes(18), whole[:-100], whole[: len(whole) // 2], b"text, no archive"):
        (tmp_path / "bad.zip").write_bytes(content)
        if content.startswith(b"PK\5\6"):  # a whole archive of nothing: the folder says so
            assert not contents(sources.photo_folder(str(tmp_path / "bad.zip")))
        else:
            assert "no whole zip archive" in refusal(tmp_path / "bad.zip")
    for start in range(0, len(whole), 997):
        flipped = bytearray(whole)
        flipped[start] ^= 0xFF
        (tmp_path / "bad.zip").write_bytes(flipped)
        try:
            sources.photo_folder(str(tmp_path / "bad.zip"))
        except UserError as error:
            assert "\n" not in str(error)
    locked = bytearray(whole)
    locked[whole.rindex(b"PK\1\2") + 8] |= 1
    (tmp_path / "bad.zip").write_bytes(locked)
    assert "password" in refusal(tmp_path / "bad.zip")


def test_a_cache_that_cannot_be_written_is_a_sentence(photos: Path, tmp_path: Path, cache: Path) -> None:
    cache.parent.parent.mkdir()
    cache.parent.write_text("a file where the folder should be")
    assert "XDG_CACHE_HOME" in refusal(zipped(tmp_path / "flowers.zip", contents(photos)))


def test_the_trainer_and_the_doctor_take_an_archive(photos: Path, tmp_path: Path) -> None:
    zipped(tmp_path / "flowers.zip", contents(photos))
    tiny = "--preset cwgan-gp-28 --width 4 --batch 4 --device cpu --precision fp32 --dry-run".split()

    trained = forked.call("train.py", "flowers.zip", *tiny, cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    assert "photos: 8 dandelion, 8 marigold" in trained.stdout and f"runs{os.sep}cwgan-gp-28-flowers" in trained.stdout
    examined = forked.call("-m", "gan", "doctor", "flowers.zip", "--resolution", "28", cwd=tmp_path)
    assert examined.returncode in (0, 1) and (tmp_path / "runs" / "doctor-flowers" / "manifest.csv").exists(), examined.stderr


# ------------------------------------------------------------------------------------------------- datasets of the Hub

REPO = "someone/flowers"
NAME = f"hf://datasets/{REPO}"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A Hub on loopback, and the real client, without a token, pointed at it."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_OIDC_RESOURCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(constants, "AGENT_HARNESSES_PATH", str(tmp_path / "harnesses.json"), raising=False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with HubServer() as running:
        monkeypatch.setattr(constants, "ENDPOINT", running.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", running.url + "/{repo_id}/resolve/{revision}/{filename}")
        yield running


def parquet(pictures: list[bytes | None], labels: list | None, names: list[str] | None = None, column: str = "label") -> bytes:
    """A Parquet file as the library `datasets` writes it; without `names` as another program does."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {"image": pa.array([None if it is None else {"bytes": it, "path": "../../x.png"} for it in pictures])}
    features = {"image": {"_type": "Image"}}
    if labels is not None:
        columns[column] = pa.array(labels)
    if names is not None:
        features[column] = {"names": names, "_type": "ClassLabel"}
    made = pa.table(columns)
    if names is not None:
        made = made.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    buffer = io.BytesIO()
    pq.write_table(made, buffer)
    return buffer.getvalue()


@pytest.fixture
def rows(photos: Path) -> tuple[list[bytes], list[int]]:
    """The pictures of `photos` and their labels."""
    files = sorted(photos.rglob("*.png"))
    return [path.read_bytes() for path in files], [int(path.parent.name == "marigold") for path in files]


def put(server: HubServer, files: dict[str, bytes], branch: str = "main") -> None:
    repo = server.repos.setdefault(f"datasets/{REPO}", Repo())
    repo.commit(files, branch)


def test_a_dataset_is_its_photos(server: HubServer, photos: Path, rows) -> None:
    pictures, labels = rows
    names = ["dandelion", "marigold"]
    train, test = parquet(pictures, labels, names), parquet(pictures[:3], [0, 0, -1], names)
    put(server, {"data/train-00000-of-00001.parquet": train, "data/test-00000-of-00001.parquet": test, "README.md": b"x"})
    folder = sources.photo_folder(NAME)
    assert folder.name == "flowers"
    assert load_photos(folder, SIZE).digest == load_photos(photos, SIZE).digest
    assert len(contents(sources.photo_folder(f"{NAME}/data/test-00000-of-00001.parquet"))) == 2
    assert sources.photo_folder("https://huggingface.co/datasets/" + REPO) == folder


def test_a_second_start_fetches_nothing_and_does_without_the_hub(server: HubServer, rows) -> None:
    put(server, {"train.parquet": parquet(*rows, ["a", "b"])})
    folder = sources.photo_folder(NAME)
    server.requests.clear()
    assert sources.photo_folder(NAME) == folder
    assert not [request for request in server.requests if "resolve" in request]
    server.fault = "503"
    assert sources.photo_folder(NAME) == folder
    assert "answered 503" in refusal(f"{NAME}/data")
    server.fault = None
    put(server, {"train.parquet": parquet(*rows, ["a", "c"])})
    assert set(path.name for path in sources.photo_folder(NAME).iterdir()) == {"a", "c"}


def test_a_file_that_is_cut_short_in_the_cache_is_fetched_again(server: HubServer, rows, cache: Path) -> None:
    put(server, {"train.parquet": parquet(*rows, ["a", "b"])})
    wanted = contents(sources.photo_folder(NAME))
    file = next(path for path in Path(constants.HF_HUB_CACHE).rglob("train.parquet"))
    file.resolve().write_bytes(file.read_bytes()[:-100])
    shutil.rmtree(cache)
    assert contents(sources.photo_folder(NAME)) == wanted


def test_what_the_hub_converted_is_taken_where_there_is_no_parquet(server: HubServer, rows) -> None:
    put(server, {"flowers.tar": b"x"})
    assert "has no Parquet files" in refusal(NAME)
    put(server, {"default/train/0000.parquet": parquet(*rows, ["a", "b"])}, hub_dataset.CONVERTED)
    assert {path.name for path in sources.photo_folder(NAME).iterdir()} == {"a", "b"}
    put(server, {"small/train/0000.parquet": parquet(*rows, ["a", "b"])}, hub_dataset.CONVERTED)
    assert "several parts (default, small)" in refusal(NAME)
    assert sources.photo_folder(f"{NAME}/small").name == "flowers-small"


def test_labels_of_other_programs_and_none_at_all(server: HubServer, rows) -> None:
    pictures, labels = rows

    def classes(content: bytes) -> set[str]:
        put(server, {"train.parquet": content})
        return {path.name for path in sources.photo_folder(NAME).iterdir()}

    assert classes(parquet(pictures, labels)) == {"0", "1"}
    assert classes(parquet(pictures, ["rose" if label else "tulip" for label in labels])) == {"rose", "tulip"}
    assert classes(parquet(pictures, labels, ["x", "y"], column="kind of flower")) == {"x", "y"}
    assert classes(parquet(pictures, None)) == {"photos"}
    assert classes(parquet([None, b"", *pictures], [0, 0, *labels[:-1], None], ["x", "y"])) == {"x", "y"}


def test_labels_cannot_lead_out_of_the_folder(server: HubServer, rows, tmp_path: Path, cache: Path) -> None:
    pictures, _ = rows
    labels = [
        "../../out",
        "/etc",
        "..",
        ".hidden",
        "a/b",
        "a_b",
        "a\\b",
        "x" * 300,
        "nul\0",
        "Thumbs.db",
        "lost+found",
        "@eaDir",
        "троянда",
        " ",
        "C:",
        "con\n",
    ]
    put(server, {"train.parquet": parquet(pictures[: len(labels)], labels)})
    folder = sources.photo_folder(NAME)
    assert len(list(folder.iterdir())) == len(labels) and len(contents(folder)) == len(labels)
    assert all(path.parent.parent == folder for path in folder.rglob("*") if path.is_file())
    assert len(load_photos(folder, SIZE).classes) == len(labels) and (folder / "троянда").is_dir()
    assert not list(tmp_path.rglob("*out")) or all(cache in path.parents for path in tmp_path.rglob("*out"))


def test_datasets_that_cannot_be_used_are_sentences(
    server: HubServer, rows, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures, labels = rows
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    assert "no such repository" in refusal(NAME)
    for name in ("hf://datasets/", "hf://datasets/one", "hf://datasets/a/../b", f"{NAME}@../main", f"{NAME}@"):
        assert refusal(name)
    buffer = io.BytesIO()
    pq.write_table(pa.table({"text": ["roses are red"]}), buffer)
    good = parquet(pictures, labels, ["a", "b"])
    for content, says in (
        (buffer.getvalue(), "no column of pictures"), (b"PAR1 nonsense", "cannot be read"), (b"", "cannot be read"),
        (good[: len(good) // 2], "cannot be read"), (parquet([b""], [0], ["a"]), "no picture"),
        (parquet(pictures, [-1] * 16, ["a"]), "no picture"),
    ):  # fmt: skip
        put(server, {"train.parquet": content})
        assert says in refusal(NAME)
    for name, value, says in (
        ("MAX_FILES", 15, "16 rows"),
        ("MAX_TOTAL", 100, "of pictures"),
        ("MAX_CLASSES", 1, "different labels"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(hub_dataset, name, value)
            put(server, {"train.parquet": good})
            assert says in refusal(NAME)
    put(server, {"train.parquet": good})
    for fault, says in (("gated", "gated"), ("403", "403"), ("429", "429")):
        server.fault = fault
        assert says in refusal(NAME)
    server.fault = None
    monkeypatch.setattr(hub_client, "LOAD_SECONDS", 0.3)
    server.fault = "hang"
    assert "took longer" in refusal(NAME)
    assert not [path for path in cache.rglob("*") if path.is_file()]


def test_no_flipped_byte_of_a_parquet_file_is_a_crash(server: HubServer, rows) -> None:
    whole = parquet(*rows, ["a", "b"])
    for start in range(len(whole) - 1, 0, -(len(whole) // 60)):
        flipped = bytearray(whole)
        flipped[start] ^= 0xFF
        put(server, {"train.parquet": bytes(flipped)})
        try:
            sources.photo_folder(NAME)
        except UserError as error:
            assert "\n" not in str(error) and "XDG_CACHE_HOME" not in str(error)


def test_without_pyarrow_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert "pip install -r requirements-dev.txt" in refusal(NAME)
