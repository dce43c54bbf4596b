"""The app at `https://host/flowers/`, behind a proxy that keeps the path and behind one that takes it off."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from conftest import free_port, serving_here
from front import fronted
from gradio_client import Client
from stranger import JSON, MULTIPART, UPLOAD, ask
from visitor import FRAMES

from gan.errors import UserError
from gan.studio.middleware import check_root

ROOT = "/flowers"
KINDS = {
    "keeps": {"keeps": True},
    "takes off": {"keeps": False},
    "hides the host": {"keeps": False, "tells_host": False},  # then the app has to be told its whole address
}


@pytest.fixture(scope="module", params=KINDS)
def site(request, model_folder):
    port, kind = free_port(), KINDS[request.param]
    url = f"http://127.0.0.1:{port}{ROOT}"
    told = url if kind.get("tells_host") is False else ROOT
    with serving_here(model_folder, "--root-path", told) as app:
        with fronted(port, ROOT, app, **kind) as beside:
            yield SimpleNamespace(url=url, app=app, beside=beside)


def test_pictures_films_downloads_and_links(site, newcomer):
    visitor = newcomer(site.url).open("?seed=5&grid=2&class=All")
    assert visitor.seeds() == [5, 6, 7, 8] and urlsplit(visitor.page.url).path == f"{ROOT}/"
    name, archive = visitor.download(lambda: visitor.page.get_by_role("button", name="Download all").click())
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        assert name == "flowers-5-2x2.zip" and len(files.namelist()) == 4
    visitor.page.get_by_role("tab", name="Interpolate").click()
    visitor.page.wait_for_selector(FRAMES)
    visitor.until("tab", "interpolate")
    name, film = visitor.download(lambda: visitor.page.get_by_role("button", name="GIF").click())
    assert name.endswith(".gif") and film[:3] == b"GIF"
    again = newcomer(site.url).open("?" + urlsplit(visitor.page.url).query, tab="interpolate")
    assert again.frames() == visitor.frames()
    visitor.page.locator("a.tongue").click()
    visitor.page.wait_for_selector("html[lang=uk]")
    assert {(cookie["name"], cookie["path"]) for cookie in visitor.context.cookies()} == {("language", f"{ROOT}/")}
    beside = {urlsplit(path).path for path in site.beside}
    assert beside <= {"/manifest.json", "/favicon.ico"}  # the framework's page names them so


def test_the_api(site, tmp_path):
    client = Client(f"{site.url}/", verbose=False, download_files=str(tmp_path))
    picture = client.predict("marigold", 45, None, 1, api_name="/generate")[0]
    assert Path(picture["image"]).read_bytes()[:4] == b"\x89PNG"
    film = client.predict("dandelion", 3, "marigold", 4, 1.5, "straight", 3, False, api_name="/interpolate")
    assert Path(film["mp4"]).stat().st_size > 100


@pytest.mark.parametrize("site", ["keeps"], indirect=True)  # a proxy that takes the path off sees to that itself
def test_without_the_last_slash_it_is_the_same_page(site):
    status, page = ask(f"{site.url}?seed=5")
    assert status == 200 and b"This Flower Does Not Exist" in page


FOREIGN = [
    "upload", "upload?upload_id=1", "proxy=http://127.0.0.1:1/x", "file=http://127.0.0.1:1/x", "run/generate", "deep_link",
]  # fmt: skip


@pytest.mark.parametrize("route", FOREIGN)
def test_nothing_foreign_is_reached_under_the_path_however_it_is_asked(site, route):
    for start in (site.url, site.app, site.app + ROOT, site.app + ROOT + ROOT):
        for prefix in ("/gradio_api/", "/", "//gradio_api/", f"{ROOT}/gradio_api/"):
            for body, headers in ((None, None), (UPLOAD, MULTIPART), (b"{}", JSON)):
                status, content = ask(f"{start}{prefix}{route}", body, headers)
                assert status in (404, 405), (start, prefix, status)


@pytest.mark.parametrize(
    ("text", "root"),
    [("", ""), ("/", ""), ("/flowers", "/flowers"), ("/flowers/", "/flowers"), ("/a/b-c.d", "/a/b-c.d"),
     ("https://host:8443/flowers/", "https://host:8443/flowers"), ("https://host", "https://host")],
)  # fmt: skip
def test_a_path_to_serve_under(text, root):
    assert check_root(text) == root


@pytest.mark.parametrize(
    "text",
    ["flowers", "/a b", "/a?b=c", "/a#b", "ftp://host/a", "https:///a", "https://host:x/a", "//host/a", "http://[::1/a",
     "/a//b", "/gradio_api", "/assets/x", "/config", "/static"],
)  # fmt: skip
def test_what_is_no_path_to_serve_under_is_one_sentence(text):
    with pytest.raises(UserError, match="such as /flowers"):
        check_root(text)
