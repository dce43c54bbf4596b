"""A person in front of the page, played by the system's Chromium: what the browser tests share."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import TimeoutError

DESKTOP, PHONE = {"width": 1280, "height": 860}, {"width": 360, "height": 740}
FIGURES = "#generate-pictures figure[data-seed]"
FRAMES = "#interpolate-pictures .strip img"
# What the framework says of a stream that was open when its page was left or loaded anew. Where a stream breaks under a page
# that stays, pictures do not come, and the test that waits for them fails.
ABANDONED = re.compile("AbortError: signal is aborted|Connection errored out")


class Visitor:
    """One page of the browser, and all that went wrong or left this computer while it was open."""

    def __init__(self, browser, url: str, first_visit: bool = False, **options) -> None:
        self.url = url
        self.context = browser.new_context(accept_downloads=True, **options)
        self.context.set_default_timeout(60_000)  # two test processes may share one core
        self.page = self.context.new_page()
        if not first_visit:  # the card of a first visit would lie over what is pressed
            self.page.add_init_script("try { localStorage.setItem('flowers.welcomed', '1') } catch {}")
        self.errors, self.away = [], []
        self.page.on("console", lambda message: self._note(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self._note(str(error)))
        self.page.on("request", lambda request: self.away.append(request.url) if not _at_home(request.url) else None)

    def _note(self, error: str) -> None:
        if not ABANDONED.search(error):
            self.errors.append(error)

    def open(self, address: str = "", tab: str | None = "generate") -> Visitor:
        self.page.goto(f"{self.url}/{address}")
        if tab:
            self.page.wait_for_selector({"generate": FIGURES, "interpolate": FRAMES}[tab])
        self.page.wait_for_function("new URLSearchParams(location.search).has('model')")
        return self

    def pictures(self) -> list[str]:
        return self.page.eval_on_selector_all(f"{FIGURES} img", "images => images.map(image => image.src)")

    def seeds(self) -> list[int]:
        return [int(seed) for seed in self.page.eval_on_selector_all(FIGURES, "all => all.map(one => one.dataset.seed)")]

    def frames(self) -> list[str]:
        return self.page.eval_on_selector_all(FRAMES, "images => images.map(image => image.src)")

    def query(self) -> dict[str, str]:
        return {key: values[-1] for key, values in parse_qs(urlsplit(self.page.url).query).items()}

    def until(self, key: str, value: str) -> None:
        """Wait until the address says so: it does when the pictures have come."""
        self.page.wait_for_function(
            "([key, value]) => new URLSearchParams(location.search).get(key) === value", arg=[key, value]
        )

    def changed(self, key: str, before: str) -> str:
        """Wait until the address says something else, and return it."""
        self.page.wait_for_function("([key, old]) => new URLSearchParams(location.search).get(key) !== old", arg=[key, before])
        return self.query()[key]

    def download(self, press) -> tuple[str, bytes]:
        with self.page.expect_download() as caught:
            press()
        with open(caught.value.path(), "rb") as file:
            return caught.value.suggested_filename, file.read()


def _at_home(url: str) -> bool:
    return url.startswith(("data:", "blob:", "about:")) or urlsplit(url).hostname in ("127.0.0.1", "::1")


def content(src: str) -> bytes:
    return base64.b64decode(src.partition("base64,")[2])


CUT = "boxes => boxes.filter(box => box.offsetParent && box.scrollWidth > box.clientWidth).map(box => box.value)"
LOOSE = """figures => figures.map(figure => {
  const caption = figure.querySelector("figcaption"), text = document.createRange();
  text.selectNodeContents(caption);
  const frame = caption.getBoundingClientRect();
  const boxes = [...text.getClientRects()].filter(box => box.width);
  const inside = boxes.every(box => box.left >= frame.left - 0.5 && box.right <= frame.right + 0.5
    && box.top >= frame.top - 0.5 && box.bottom <= frame.bottom + 0.5);
  return [figure.dataset.seed, caption.innerText, inside && boxes.length > 0];
}).filter(([seed, words, inside]) => !inside || !words.replace(/\\s/g, "").endsWith(seed))"""

CONTRAST = """element => {
  const sheet = Object.assign(document.createElement("canvas"), {width: 1, height: 1});
  const pen = sheet.getContext("2d", {willReadFrequently: true});
  const read = color => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = color;
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data];
  };
  const linear = value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  let paint, ground = element;
  do {
    paint = read(getComputedStyle(ground).backgroundColor);
    ground = ground.parentElement;
  } while (paint[3] < 255 && ground);
  const [low, high] = [light(read(getComputedStyle(element).color)), light(paint)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}"""


def contrast(locator) -> float:
    """Contrast of a text with the ground it stands on, as WCAG counts it."""
    return locator.evaluate(CONTRAST)


# How a page is opened that `looks` then turns: on a phone by night.
FIRST_LOOK = {"viewport": PHONE, "color_scheme": "dark"}


def looks(page, sizes: dict[str, dict[str, int]] | None = None) -> Iterator[str]:
    """Turn the page, opened as FIRST_LOOK says, to each of the sizes, by night and by day: no reload, which takes seconds."""
    for place, size in (sizes or {"phone": PHONE, "desktop": DESKTOP}).items():
        page.set_viewport_size(size)
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # colors do not fade into one another
            page.wait_for_function(f"document.body.classList.contains('dark') === {str(scheme == 'dark').lower()}")
            page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
            yield f"{place}, {scheme}"


def open_tab(page, name: str) -> None:
    """Press a tab, wherever the bar has it: a small page folds tabs away, a resized one a moment later.

    A press while tabs are being folded may reach none of them. The address says which one is open.
    """
    label = page.evaluate("name => window.FLOWERS.text[document.documentElement.lang][`tab_${name}`]", name)
    tab = page.locator(f"#tabs [role=tab][data-tab-id={name}]:visible")
    menu = page.locator(".overflow-menu > button:visible")
    folded = page.locator(".overflow-dropdown").get_by_text(label, exact=True)
    for _ in range(10):
        tab.or_(menu).first.wait_for()
        with suppress(TimeoutError):  # what was seen may be gone when it is clicked
            if not tab.count():
                menu.click(timeout=2000)
            (tab if tab.count() else folded).click(timeout=2000)
            page.wait_for_function("name => new URLSearchParams(location.search).get('tab') === name", arg=name, timeout=5000)
            return
    raise AssertionError(f"the tab {name} does not open")


def gallery(visitor):
    open_tab(visitor.page, "gallery")
    visitor.page.wait_for_selector("#gallery-kept .kept", state="visible")
    rest(visitor)
    return visitor.page


def rest(visitor) -> None:
    """Wait for the answer to the opening of the tab: a page that goes meanwhile says that its connection broke."""
    visitor.page.wait_for_selector("#gallery-pictures .row:not([aria-busy])", state="attached")
    visitor.page.wait_for_timeout(200)
    visitor.until("tab", "gallery")


# axe-core comes with its Python package and asks nobody. No rule is excepted anywhere.
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], "resultTypes": ["violations"]}
COLORS = {"runOnly": ["color-contrast"], "resultTypes": ["violations"]}
# Tabs that are closed would be looked at, too, which takes most of the time.
OPEN = """(rules) => {
  const closed = [...document.querySelectorAll("#tabs .room")].filter((room) => !room.checkVisibility());
  return axe.run(closed.length ? { exclude: closed } : document, rules);
}"""


def barriers(page, rules: dict = RULES) -> list[str]:
    """What axe-core finds that is serious or critical on the page as it is now."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    return [
        f"{one['id']} at {node['target']}: {node['html'][:200]} {node['failureSummary']}"
        for one in page.evaluate(OPEN, rules)["violations"] if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]  # fmt: skip


def barriers_everywhere(page) -> list[str]:
    """The same on both sizes, and of the colors also by night; one after another without a reload."""
    page.emulate_media(reduced_motion="reduce")  # colors do not fade into one another
    found = []
    for size in (DESKTOP, PHONE):
        page.set_viewport_size(size)
        for dark in (False, True):
            page.evaluate("dark => { document.body.classList.toggle('dark', dark); }", dark)
            page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
            found += [
                f"{size['width']}, {'dark' if dark else 'light'}: {one}" for one in barriers(page, COLORS if dark else RULES)
            ]
    return found
