"""The app as a process: what `gradio_client` gets, and what a stranger with a socket does not get."""

from __future__ import annotations

import io
import json
import os
import re
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import forked
import numpy as np
import pytest
from conftest import ROOT, free_port, tiny_generator
from gradio_client import Client
from PIL import Image
from stranger import JSON, MULTIPART, UPLOAD, ask

from gan.hub import loader
from gan.sampling import settings
from gan.sampling.flower import Flower, every
from gan.sampling.sampler import Sampler
from gan.studio.i18n import LANGUAGES, TEXT, t
from gan.utils import images


@pytest.fixture(scope="module")
def client(app_url, tmp_path_factory):
    return Client(app_url, verbose=False, download_files=str(tmp_path_factory.mktemp("downloads")))


def call(app_url: str, function: str, data: str) -> str:
    """What the API says (an event stream) to a request written by hand."""
    status, answer = ask(f"{app_url}/gradio_api/call/{function}", f'{{"data": {data}}}'.encode(), JSON)
    if status != 200:
        return answer.decode()
    return ask(f"{app_url}/gradio_api/call/{function}/{json.loads(answer)['event_id']}")[1].decode()


# ----------------------------------------------------------------------------------------------------------- the API


def test_the_api_has_two_functions_and_no_more(client):
    functions = client.view_api(return_format="dict")
    assert set(functions["named_endpoints"]) and not functions["unnamed_endpoints"]


def test_the_same_settings_give_the_same_bytes_and_the_model_s_own_pictures(client):
    first, second = (client.predict("All", 2**32 - 2, 1.5, 2, api_name="/generate") for _ in range(2))
    files = [Path(item["image"]).read_bytes() for item in first]
    assert files == [Path(item["image"]).read_bytes() for item in second] and len(set(files)) == 4
    assert [(item["class"], item["seed"]) for item in first] == [
        ("dandelion", 2**32 - 2), ("marigold", 2**32 - 1), ("dandelion", 0), ("marigold", 1),
    ]  # fmt: skip
    wanted = Sampler(tiny_generator(), 1).draw([Flower(None, 1)])[0]
    with Image.open(io.BytesIO(files[3])) as image:
        assert image.format == "PNG" and np.array_equal(np.asarray(image), wanted)
    about = images.read_settings(files[3])
    assert about.pop("revision") and about == {"model": "tiny", "class": "marigold", "seed": 1, "truncation": 1.5}


def test_one_picture_alone_is_the_one_of_the_grid(client):
    grid = client.predict("marigold", 40, None, 3, api_name="/generate")
    alone = client.predict("marigold", 45, None, 1, api_name="/generate")
    assert Path(grid[5]["image"]).read_bytes() == Path(alone[0]["image"]).read_bytes()


def test_films_open_and_begin_and_end_with_their_flowers(client):
    import av

    film = client.predict("dandelion", 3, "marigold", 4, 1.5, "straight", 9, False, api_name="/interpolate")
    ends = [client.predict(*end, 1.5, 1, api_name="/generate")[0]["image"] for end in (("dandelion", 3), ("marigold", 4))]
    with Image.open(film["filmstrip"]) as image:
        strip = np.asarray(image)
    assert strip.shape == (16, 9 * 16, 3)
    assert np.array_equal(strip[:, :16], np.asarray(Image.open(ends[0])))
    assert np.array_equal(strip[:, -16:], np.asarray(Image.open(ends[1])))
    with Image.open(film["gif"]) as image:
        assert image.format == "GIF" and image.n_frames == 9
    with av.open(film["mp4"]) as video:
        assert sum(1 for _ in video.decode(video=0)) == 9


BAD = [
    ("generate", '["rose", 7, 1.5, 2]', "The class is 'rose'; choose one of dandelion, marigold or All."),
    ("generate", '["<b>&", 7, 1.5, 2]', "The class is '<b>&'; choose one of"),
    ("generate", "[null, 7, 1.5, 2]", "The class is missing; choose one of"),
    ("generate", '[["All"], 7, 1.5, 2]', "The class is ['All']; choose one of"),
    ("generate", '["../../etc/passwd", 7, 1.5, 2]', "The class is '../../etc/passwd'; choose one of"),
    ("generate", '["All", null, 1.5, 2]', "The seed is missing; use a whole number"),
    ("generate", '["All", "7", 1.5, 2]', "The seed is '7'; use a whole number"),
    ("generate", '["All", -1, 1.5, 2]', "The seed is -1; use a whole number"),
    ("generate", '["All", 4294967296, 1.5, 2]', "The seed is 4294967296; use a whole number"),
    ("generate", '["All", 7.5, 1.5, 2]', "The seed is 7.5; use a whole number"),
    ("generate", '["All", true, 1.5, 2]', "The seed is True; use a whole number"),
    ("generate", '["All", NaN, 1.5, 2]', "The seed is nan; use a whole number"),
    ("generate", f'["All", {"9" * 4000}, 1.5, 2]', "The seed is an enormous number; use a whole number"),
    ("generate", '["All", 7, 9, 2]', "The truncation is 9; use a number from 0.01 to 3"),
    ("generate", '["All", 7, Infinity, 2]', "The truncation is inf; use a number from 0.01 to 3"),
    ("generate", '["All", 7, {"a": 1}, 2]', "The truncation is {'a': 1}; use a number from 0.01 to 3"),
    ("generate", '["All", 7, 1.5, 8]', "The grid is 8; use a whole number from 1 to 7."),
    ("generate", '["All", 7, 1.5, 1000000]', "The grid is 1000000; use a whole number from 1 to 7."),
    ("generate", '["All"]', "4 values are needed, and 1 came"),
    ("generate", "[]", "4 values are needed, and 0 came"),
    ("generate", '"All"', "valid list"),
    ("interpolate", '["dandelion", 1, "rose", 2, 1.5, "straight", 9, false]', "The class is 'rose'; choose one of"),
    ("interpolate", '["dandelion", 1, "marigold", 2, 1.5, "round", 9, false]', "The path is 'round'; choose one of"),
    ("interpolate", '["dandelion", 1, "marigold", 2, 1.5, "straight", 10000, false]', "The number of steps is 10000; use"),
    ("interpolate", '["dandelion", 1, "marigold", 2, 1.5, "straight", 9, "yes"]', "Loop is 'yes'; use true or false."),
]


@pytest.mark.parametrize(("function", "data", "sentence"), BAD, ids=range(len(BAD)))
def test_bad_values_get_a_sentence_and_the_next_call_works(app_url, app_log, function, data, sentence):
    before = len(app_log.read_text())  # other tests use this app, too
    answer = call(app_url, function, data)
    assert sentence in answer and "complete" not in answer
    assert "event: complete" in call(app_url, "generate", '["All", 7, 1.5, 1]')
    assert "Traceback" not in app_log.read_text()[before:]


def test_a_file_that_the_server_should_read_is_refused(app_url):
    trick = '[{"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}, 7, 1.5, 2]'
    answer = call(app_url, "generate", trick)
    assert "event: error" in answer and "root:" not in answer


@pytest.mark.parametrize(
    "body", [b"", b"nonsense", b"{}", b'{"data":' + b"[" * 20_000 + b"}", b'{"data":[' + b"9" * 6000 + b"]}"]
)
def test_bodies_that_say_nothing_are_refused(app_url, body):
    status, _ = ask(f"{app_url}/gradio_api/call/generate", body, JSON)
    assert 400 <= status < 500
    assert "event: complete" in call(app_url, "generate", '["All", 7, 1.5, 1]')


def test_many_visitors_at_once_get_their_own_pictures(app_url):
    alone = [call(app_url, "generate", f'["All", {seed}, 1.5, 2]').split('"url"')[0] for seed in range(12)]
    with ThreadPoolExecutor(12) as pool:
        together = list(
            pool.map(lambda seed: call(app_url, "generate", f'["All", {seed}, 1.5, 2]').split('"url"')[0], range(12))
        )
    assert together == alone and len(set(alone)) == 12


# ------------------------------------------------------------------------------------------------------- what is shut


@pytest.mark.parametrize("route", ["upload", "/upload", "upload/", "upload?upload_id=1", "%75pload", "UPLOAD"])
@pytest.mark.parametrize("prefix", ["/gradio_api/", "/"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_uploads_are_refused(app_url, route, prefix, method):
    assert ask(app_url + prefix + route, UPLOAD, MULTIPART, method)[0] in (404, 405)


@pytest.mark.parametrize(
    "route",
    [
        "file=app.py", "file=/etc/passwd", f"file={ROOT / 'app.py'}", "file=../../../../../../etc/passwd", "file/etc/passwd",
        "file=..%2f..%2f..%2f..%2fetc/passwd", "file=%252e%252e/etc/passwd", "file=file:///etc/passwd",
        "file=/proc/self/environ", "file=http://127.0.0.1:1/x", "file=https:/example.org/x", "file=%68ttp://127.0.0.1:1/x", "proxy=http://127.0.0.1:1/x",
        "proxy=https://a.hf.space/x", "stream/a/b/c/playlist.m3u8", "deep_link", "runs", "run-history/records",
        "upload_progress", "custom_component/1/client/component/../../../app.py", "vibe-code", "monitoring", "dev/reload",
    ],
)  # fmt: skip
def test_nothing_is_read_or_fetched_for_a_visitor(app_url, route):
    for prefix in ("/gradio_api/", "/"):
        status, content = ask(app_url + prefix + route)
        assert status in (400, 403, 404, 405), (prefix, status)
        assert b"root:" not in content and b"import" not in content and b"PATH=" not in content


@pytest.mark.parametrize(
    "path", ["/static/../../../app.py", "/assets/..%2f..%2f..%2fapp.py", "/svelte/..%2f..%2fx", "/app.py", "/docs"]
)
def test_paths_do_not_leave_their_folders(app_url, path):
    with socket.create_connection(
        ("127.0.0.1", int(app_url.rsplit(":", 1)[1])), timeout=10
    ) as raw:  # clients tidy up "..", a socket does not
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        assert raw.makefile("rb").readline().split()[1] in (b"403", b"404")


@pytest.mark.parametrize(
    "route", ["component_server", "vibe-edit", "process_recording", "stream/1", "login", "run-history/connect"]
)
def test_other_doors_take_nothing(app_url, route):
    assert ask(f"{app_url}/gradio_api/{route}", b"{}", JSON)[0] in (404, 405)


def test_a_body_over_the_limit_is_refused(app_url):
    assert ask(f"{app_url}/gradio_api/queue/join", b"x" * 140_000, JSON)[0] == 413


def test_the_queue_cannot_be_passed_by(app_url):
    assert ask(f"{app_url}/gradio_api/run/generate", b'{"data": ["All", 7, 1.5, 1]}', JSON)[0] == 404


def test_the_page_names_no_other_server_to_load_from(app_url):
    page = ask(app_url)[1].decode()
    assert "fonts.googleapis" not in page and '<script src="http' not in page and 'rel="stylesheet" href="http' not in page
    assert "tiny" in page and 'analytics_enabled":true' not in page.replace(" ", "")


# ------------------------------------------------------------------------------------------------------------ starting


def forked_start(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return forked.call("app.py", *arguments, **environment)


def start(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """The same in an interpreter of its own, which imports the framework with this environment."""
    known = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", **environment}
    command = [sys.executable, str(ROOT / "app.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=180, env=known)


def test_help_names_every_option():
    done = forked_start("--help")
    assert done.returncode == 0 and all(
        word in done.stdout for word in ("--model", "--host", "--port", "MODEL_ID", "GRADIO_SERVER_PORT")
    )


@pytest.fixture
def front_door(monkeypatch):
    """`app.main` in this process, with nothing set in the environment."""
    for name in ("MODEL_ID", "GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT"):
        monkeypatch.delenv(name, raising=False)
    import app

    return app


def test_an_unknown_model_is_one_sentence(front_door, capsys):
    assert front_door.main(["--model", "no-such-model", "--port", str(free_port())]) == 2
    said = capsys.readouterr().err
    assert "no-such-model" in said and said.count("\n") == 1 and "Traceback" not in said


def test_the_environment_names_model_and_port(front_door, capsys, monkeypatch):
    monkeypatch.setenv("MODEL_ID", "another-model")
    monkeypatch.setenv("GRADIO_SERVER_PORT", "7999")
    monkeypatch.setenv("GRADIO_ROOT_PATH", "/flowers/")
    monkeypatch.setenv("PHOTOS_FOLDER", "some/photos")
    options = front_door.parse([])
    assert (options.model, options.port, options.host) == ("another-model", 7999, "127.0.0.1")
    assert (options.root_path, options.photos) == ("/flowers", Path("some/photos"))
    monkeypatch.setenv("GRADIO_SERVER_PORT", "often")
    with pytest.raises(SystemExit) as stopped:
        front_door.parse([])
    assert stopped.value.code == 2 and "'often' is not a port" in capsys.readouterr().err


def test_a_port_in_use_is_one_sentence(front_door, capsys, model_folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert front_door.main(["--model", str(model_folder), "--port", str(port)]) == 2
    said = capsys.readouterr().err
    assert f"port {port}" in said and "--port" in said and said.count("\n") == 1


@pytest.mark.parametrize("host", ["no.such.host.invalid", "256.1.1.1", "::bad::"])
def test_a_host_that_is_none_is_one_sentence(front_door, capsys, host):
    assert front_door.main(["--host", host, "--port", str(free_port())]) == 2
    assert "--host" in capsys.readouterr().err


def test_a_failed_hub_is_said_on_the_page_and_the_app_starts(front_door):
    model = loader.Model("tiny", "bundled", "0123456789abcdef", tiny_generator(), None)
    studio = front_door.Studio(model, "The Hub <b>gave no answer</b>. The bundled model tiny is shown instead.")
    texts = " ".join(front_door.translations(studio).translations["en"].values())
    assert (
        "The Hub &lt;b&gt;gave no answer&lt;/b&gt;" in texts
        and "tiny · bundled weights · revision 0123456789ab · 16×16" in texts
    )


def test_a_model_of_one_class_has_no_selector(front_door):
    studio = front_door.Studio(loader.Model("plain", "path", "0123", tiny_generator(("all",)), None))
    page = front_door.build(studio).get_config_file()
    radios = [part["props"] for part in page["components"] if part["type"] == "radio" and part["props"]["visible"]]
    offered = {value for radio in radios for _, value in radio["choices"]}
    assert t("grid") in {radio["label"] for radio in radios} and not offered & {"all", every(("all",))}
    assert [flower.label for flower, _, _ in studio.pictures(settings.generate(("all",), None, 1, None, 1))] == [0]


@pytest.mark.parametrize("asked", [".", "..", "model.safetensors", "whole"])
def test_a_local_model_is_called_by_its_folder(front_door, model_folder, monkeypatch, asked):
    monkeypatch.chdir(model_folder if asked != ".." else _below(model_folder))
    name = str(model_folder / "model.safetensors") if asked == "whole" else asked
    assert front_door.Studio(loader.load(name)).name == "tiny"


def _below(folder: Path) -> Path:
    (folder / "below").mkdir(exist_ok=True)
    return folder / "below"


def test_a_file_of_the_authors_is_called_by_its_name(front_door):
    model = loader.Model("some/where/flowers.pt", "authors", "0123", tiny_generator(), None)
    assert front_door.Studio(model).name == "flowers.pt"


def test_two_truncations_two_file_names(front_door):
    studio = front_door.Studio(loader.Model("tiny", "bundled", "0123", tiny_generator(), None))
    names = [studio.stem(Flower(0, 7, level)) for level in (1.5, 1.23456789, 1.23456788, 3, None)]
    assert names == [f"dandelion-7-{level}" for level in ("t1.5", "t1.23456789", "t1.23456788", "t3.0", "full")]


def test_the_framework_is_told_to_keep_no_history_of_runs(front_door, model_folder, monkeypatch):
    given = {}
    monkeypatch.setattr("gradio.Blocks.launch", lambda self, **options: given.update(options))
    monkeypatch.setattr(front_door, "use_private_cache", lambda: None)
    assert front_door.main(["--model", str(model_folder), "--port", str(free_port())]) == 0
    assert given["run_history"] is False


STUDIO = ROOT / "gan" / "studio"
# The rest of the key is put together where it is used.
FAMILIES = (
    "path_", "download_", "source_", "class_", "tab_", "about_", "more_", "explore_direction_", "explore_does_",
    "ladder_new_", "gallery_sheet_", "inside_layer_", "inside_scale_", "inside_noise", "inside_style",
)  # fmt: skip


def test_every_word_of_the_page_is_used_and_every_word_used_is_there():
    python = "\n".join(path.read_text(encoding="utf-8") for path in STUDIO.rglob("*.py"))
    script = "\n".join(path.read_text(encoding="utf-8") for path in (STUDIO / "script").glob("*.js"))
    quoted = set(re.findall(r"""["'](\w+)["']""", python + script))
    unused = {key for key in TEXT["en"] if key not in quoted and not key.startswith(FAMILIES)}
    assert not unused
    said = re.findall(r'\b(?:say|row|button|t|say_html)\((?:[^"(),]* \? )?"(\w+)"(?: : "(\w+)")?', python + script)
    assert {key for pair in said for key in pair if key} <= set(TEXT["en"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_languages_have_the_same_words_with_the_same_places(language):
    for key, words in TEXT[language].items():
        assert sorted(re.findall(r"{\w*}", words)) == sorted(re.findall(r"{\w*}", TEXT["en"][key])), key
        assert words.strip(), key


def test_zero_gpu_finds_a_marked_function(front_door, monkeypatch):
    marked = []
    monkeypatch.setitem(sys.modules, "spaces", SimpleNamespace(GPU=marked.append))
    front_door.mark_for_zero_gpu()
    assert len(marked) == 1
    monkeypatch.setitem(sys.modules, "spaces", None)  # not installed
    front_door.mark_for_zero_gpu()
    assert len(marked) == 1
