"""The page without a server, in a real Chromium: the app's flowers, offline, with a runtime that npm brought."""

from __future__ import annotations

import io
import json
import re
import shutil
import zipfile
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from conftest import styled_generator, tiny_generator
from PIL import Image
from static_host import Guest, hosted
from visitor import DESKTOP, FIGURES, barriers_everywhere

from gan.garden import runtime
from gan.garden.files import garden_files
from gan.hub.loader import Model
from gan.networks import latents
from gan.sampling.flower import described
from gan.sampling.sampler import Sampler
from gan.studio.address import Address, interpolate_from
from gan.utils.images import read_settings, to_uint8

pytest.importorskip("onnxruntime")
CLASSES = ("dandelion", "marigold", "dandelion_clock")
FARTHEST = 2  # of 255, from the float32 that the app computes


def styled():
    """A small generator with styles whose last scales are smooth, as the flagship's."""
    return styled_generator(CLASSES, ("M>16", "S>8", "S>8 smooth", "S>8"))


@pytest.fixture(scope="session")
def vendored():
    """The runtime from npm; `.ci/run` sees to it that there is npm, and fails when this was skipped."""
    if not shutil.which("npm") and runtime._installed() is None:
        pytest.skip("no npm, which brings the runtime of the browser")
    return runtime.vendor()


@pytest.fixture(scope="session", params=["styled", "plain"])
def garden(request, vendored, tmp_path_factory):
    """A tiny model and the folder of its page."""
    generator = styled() if request.param == "styled" else tiny_generator()
    model = Model("tiny", "path", "0123456789ab", generator, Path("tiny"))
    folder = tmp_path_factory.mktemp("garden")
    for path, data in garden_files(model, vendored=vendored).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return model, folder


only_styled = pytest.mark.parametrize("garden", ["styled"], indirect=True)


@pytest.fixture(scope="module")
def hosts(garden):
    with hosted(garden[1]) as host:
        yield host


@pytest.fixture(scope="module")
def guest(browser, hosts):
    """One page for all tests that need no new one; afterwards nothing may have gone wrong or left this computer."""
    visitor = Guest(browser, hosts, "?seed=1&grid=1&lang=en")
    visitor.drawn("generate", 1)
    yield visitor
    visitor.context.close()
    assert not visitor.errors and not visitor.away


def pixels(file: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB")).astype(int)


def expected(model: Model, file: bytes) -> np.ndarray:
    """The picture that float32 gives for the flower that a file says it is."""
    sampler = Sampler(model.generator, workers=1)
    flower = described(model.generator.config.classes, read_settings(file))
    with torch.no_grad():
        picture = to_uint8(model.generator.decode(*sampler.latents([flower])))[0]
    sampler.close()
    return picture.astype(int)


def check(model: Model, files: list[bytes]) -> None:
    for file in files:
        assert np.abs(pixels(file) - expected(model, file)).max() <= FARTHEST
    assert len({pixels(file).tobytes() for file in files}) == len(files), "each looks different"


def test_the_flowers_are_those_of_the_app(garden, guest):
    """Class, seed and truncation mean here what they mean there, and a file says what it shows."""
    model, _ = garden
    classes = model.generator.config.classes
    for level in ("0.5", "1.5", "off"):
        guest.follow(f"?seed=4294967294&truncation={level}&grid=2")
        files = guest.drawn("generate", 4)
        check(model, files)
        for file, seed in zip(files, (4294967294, 4294967295, 0, 1)):
            said = read_settings(file)
            truncation = None if level == "off" else float(level)
            assert said == {
                "model": "tiny", "revision": "0123456789ab", "class": classes[seed % len(classes)], "seed": seed,
                "truncation": truncation,
            }  # fmt: skip


@only_styled
def test_noise_is_the_apps_for_a_thousand_seeds(garden, guest):
    page = guest.page
    for level in (None, 0.5, 3.0):
        drawn = page.evaluate(
            """async (level) => {
              const { noise } = await import("./noise.js");
              const all = Array.from({ length: 1000 }, (_, seed) => [...noise(seed, 24, level)]);
              return [...all, [...noise(4294967295, 24, level)]];
            }""",
            level,
        )
        wanted = latents.noise([*range(1000), latents.MAX_SEED], 24, level).numpy()
        np.testing.assert_allclose(np.array(drawn, np.float32), wanted, rtol=1e-6, atol=1e-7)


@only_styled
def test_changed_flowers_are_those_of_the_app_and_links_go_both_ways(garden, guest):
    model, _ = garden
    crossed = "explore-fine=dandelion_clock&explore-fine-seed=8&explore-scales=1"
    moved = f"explore-at=1_-2_0_0.5_0_0&explore-second=marigold&explore-degree=40&{crossed}"
    guest.follow(f"?tab=explore&explore-class=dandelion&explore-seed=5&explore-truncation=1.5&{moved}")
    files = guest.drawn("explore", 9)
    middle = read_settings(files[4])
    assert middle["extras"].startswith("0.5~m60:40:0~s") and middle["extras"].endswith("~f2:8:1")
    check(model, files)
    guest.page.click("#explore-pictures .here button")
    guest.page.get_by_role("button", name="Interpolate from").click()
    guest.drawn("interpolate", 24)
    sent = interpolate_from(Address(guest.page.url.partition("?")[2], lambda: 0), CLASSES)
    assert sent.from_extras == middle["extras"] and sent.from_seed == 5, "the app reads the address as this page does"


@only_styled
def test_a_film_is_drawn_recorded_and_laid_out(garden, guest):
    model, _ = garden
    guest.follow("?tab=interpolate&from=dandelion&from-seed=1&to=marigold&to-seed=2&film-truncation=1.5&steps=5")
    files = guest.drawn("interpolate", 5)
    sampler = Sampler(model.generator, workers=1)
    wanted = interpolate_from(Address(guest.page.url.partition("?")[2], lambda: 0), CLASSES)
    start, end = sampler.latents(list(wanted.ends(CLASSES)))[0]
    assert not torch.equal(start, end)
    frames = sampler.path(*wanted.ends(CLASSES), wanted.steps, wanted.path).astype(int)
    sampler.close()
    near = 12  # the sampler may draw in bf16 here
    assert all(np.abs(pixels(file) - frame).max() <= near for file, frame in zip(files, frames))
    name, film = guest.download(lambda: guest.page.click("#download-film"))
    assert name == "dandelion-1-t1.5-to-marigold-2-t1.5.webm"
    with av.open(io.BytesIO(film)) as opened:
        shown = [frame.to_ndarray(format="rgb24").astype(int) for frame in opened.decode(video=0)]
        assert opened.duration == pytest.approx(11 / 12 * av.time_base, abs=1000)
    assert [one.shape for one in shown] == [(384, 384, 3)] * 11, "five pictures, the last one for half a second more"
    assert np.abs(shown[0].mean((0, 1)) - frames[0].mean((0, 1))).max() < 8
    assert np.abs(shown[-1].mean((0, 1)) - frames[-1].mean((0, 1))).max() < 8
    name, repeated = guest.download(lambda: guest.page.click("#download-gif"))
    assert name == "dandelion-1-t1.5-to-marigold-2-t1.5.gif"
    with Image.open(io.BytesIO(repeated)) as opened:
        assert opened.size == (256, 256) and opened.n_frames == 5 and opened.info["loop"] == 0
        for number, (frame, milliseconds) in enumerate(zip(frames, [80, 80, 80, 80, 560])):
            opened.seek(number)
            assert opened.info["duration"] == milliseconds
            small = np.asarray(opened.convert("RGB").resize((16, 16), Image.Resampling.BOX)).astype(int)
            assert np.abs(small - frame).mean() < 8, "smaller again, it is the picture that was drawn"
    name, strip = guest.download(lambda: guest.page.click("#download-png"))
    assert name.endswith(".png") and read_settings(strip)["from-seed"] == 1
    np.testing.assert_array_equal(pixels(strip), np.hstack([pixels(file) for file in files]))


@only_styled
def test_a_new_wish_ends_the_old_one(garden, guest):
    guest.follow("?seed=100&grid=7")
    guest.drawn("generate", 49)
    page = guest.page
    page.evaluate("""() => {
      window.came = [];
      const note = ({ target }) => window.came.push(target.closest("figure").dataset.seed);
      const observer = new MutationObserver((all) => all.forEach(note));
      document.querySelectorAll("#generate-pictures img").forEach((one) => observer.observe(one, { attributeFilter: ["src"] }));
      const field = document.querySelector(".level.seed input[type=number]");
      for (const seed of [1000, 2000, 3000]) {
        field.value = seed;
        field.dispatchEvent(new Event("change"));
      }
    }""")
    page.wait_for_function("document.querySelector('#generate-pictures figure:last-child').dataset.seed === '3048'")
    came = [int(seed) for seed in page.evaluate("window.came")]
    assert not [seed for seed in came if 1001 <= seed < 3000], "of those given up at most the first was drawn"
    assert guest.seeds() == list(range(3000, 3049))


@only_styled
def test_grid_zip_large_view_and_keys(garden, guest):
    guest.follow("?class=marigold&seed=10&grid=2&truncation=1.5")
    page, files = guest.page, guest.drawn("generate", 4)
    name, packed = guest.download(lambda: page.click("#download-all"))
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert name == "flowers-10-2x2.zip" and archive.testzip() is None
        assert {one: archive.read(one) for one in archive.namelist()} == {
            f"marigold-{seed}-t1.5.png": file for seed, file in zip(range(10, 14), files)
        }
    page.locator(f"{FIGURES} button").nth(1).click()
    assert page.get_by_role("dialog", name="Marigold, seed 11").is_visible()
    name, one = guest.download(lambda: page.get_by_role("link", name="Download PNG").click())
    assert name == "marigold-11-t1.5.png" and one == files[1]
    page.keyboard.press("Escape")
    page.keyboard.press("r")
    page.wait_for_function("document.querySelector('#generate-pictures figure').dataset.seed !== '10'")
    guest.drawn("generate", 4)
    page.focus("#tab-generate")
    page.keyboard.press("ArrowRight")
    assert page.get_attribute("#tab-interpolate", "aria-selected") == "true" and guest.query()["tab"] == "interpolate"


# All that a visitor can set or press on the page as it is now; of a group of choices the chosen one stands for all.
CONTROLS = """() => [...document.querySelectorAll("button, input, select, a[href], [tabindex='0']")].filter((one) =>
  one.checkVisibility() && !one.disabled && one.tabIndex >= 0 && (one.type !== "radio" || one.checked))"""
# What the key Tab has come to: its number among them, and whether it can be seen there.
FOCUSED = f"""() => {{
  const one = document.activeElement, near = [one, one.closest("label"), one.nextElementSibling].filter(Boolean);
  const looks = near.map((each) => getComputedStyle(each));
  return [({CONTROLS})().indexOf(one), looks.some((look) => look.outlineStyle !== "none" || look.boxShadow !== "none")];
}}"""


@only_styled
@pytest.mark.parametrize("language", ["en", "uk"])
def test_nothing_stands_in_the_way_on_any_tab_and_keys_are_enough(garden, browser, hosts, language):
    visitor = Guest(browser, hosts, f"?lang={language}&seed=1&grid=2&steps=4")
    page = visitor.page
    visitor.drawn("generate", 4)
    assert page.evaluate("document.documentElement.lang") == language
    for number, (tab, pictures) in enumerate((("generate", 4), ("interpolate", 4), ("explore", 9))):
        page.focus("[role=tab][aria-selected=true]")
        if number:
            page.keyboard.press("ArrowRight")
        visitor.drawn(tab, pictures)
        assert barriers_everywhere(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out on a phone"
        page.set_viewport_size(DESKTOP)
        page.evaluate("document.activeElement.blur()")
        count, reached = page.evaluate(f"({CONTROLS})().length"), {}
        for _ in range(count + 1):  # once the focus leaves the page, and begins anew
            page.keyboard.press("Tab")
            place, marked = page.evaluate(FOCUSED)
            reached[place] = marked
        assert set(reached) - {-1} == set(range(count))
        assert all(marked for place, marked in reached.items() if place >= 0), "and it is to be seen which"
        if language == "uk":
            words = page.locator("#tabs").locator("button, legend, label, .name, h3, p").filter(visible=True).all_inner_texts()
            assert not [one for one in words if re.search("[a-z]{3}", one) and not re.search("[а-яіїєґ]", one)], "all of it"
    visitor.context.close()
    assert not visitor.errors and not visitor.away


@only_styled
def test_a_download_breaks_off_and_a_second_visit_needs_no_network(garden, browser):
    """One visitor: a broken download, another try, and the host is gone when the page is opened again, in another language."""
    model, folder = garden
    painting = next(folder.glob("painting-*.onnx")).name
    with hosted(folder) as host:
        host.cut.add(painting)
        visitor = Guest(browser, host, "?seed=3&grid=2&truncation=1&lang=en")
        page, sentence = visitor.page, visitor.page.get_by_role("alert")
        sentence.wait_for()
        assert sentence.inner_text().startswith("The download broke off; check the connection and try again.")
        assert not page.locator(".loading").is_visible()
        host.cut.clear()
        host.late.add(painting)  # what has come is tried out meanwhile
        page.get_by_role("button", name="Try again").click()
        first = visitor.drawn("generate", 4)
        check(model, first)
        assert not sentence.is_visible() and host.asked.count("/ort-1.30.0/ort.wasm.min.mjs") == 1, "what had come was kept"
        assert all("ERR_CONTENT_LENGTH_MISMATCH" in error for error in visitor.errors)
        visitor.errors.clear()
        page.wait_for_function("navigator.serviceWorker.controller")
    page.goto(f"{visitor.url}/?seed=3&grid=2&truncation=1&threads=2&lang=uk")
    assert visitor.drawn("generate", 4) == first
    assert page.evaluate("crossOriginIsolated") and page.get_attribute(".garden", "data-engine") == "wasm 2"
    assert page.evaluate("document.documentElement.lang") == "uk" and page.inner_text("#tab-generate") == "Створити"
    assert "потоків: 2" in page.inner_text("#status")
    visitor.context.close()
    assert not visitor.errors and not visitor.away


@only_styled
def test_an_opened_file_and_an_old_browser_are_told(garden, browser, hosts):
    _, folder = garden
    profile = browser.new_context()
    page = profile.new_page()
    page.goto(f"file://{folder}/index.html")
    assert "python -m http.server" in page.get_by_role("alert").inner_text()
    page.add_init_script("delete window.WebAssembly")
    page.goto(f"{hosts.url}/?lang=en")
    assert "which this browser lacks" in page.get_by_role("alert").first.inner_text()
    profile.close()


@only_styled
def test_what_the_page_says_of_itself(garden):
    _, folder = garden
    manifest = json.loads((folder / "manifest.webmanifest").read_text())
    assert manifest["name"] == "This Flower Does Not Exist"
    for icon in manifest["icons"]:
        assert (folder / icon["src"]).is_file()
    html = (folder / "index.html").read_text()
    assert "gradio" not in html and "{{" not in html and "{%" not in html
    kept = json.loads((folder / "sw.js").read_text().partition("FILES = ")[2].partition(", MODELS")[0])
    left = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - set(kept)
    assert {name.partition("-")[0] for name in left} == {"sw.js", "styles", "painting", "warmup", "ort"}
