"""This Flower Does Not Exist: the page on which anyone draws flowers that do not exist. `python app.py --help`."""

from __future__ import annotations

import argparse
import atexit
import base64
import hashlib
import html
import inspect
import json
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any
from urllib.parse import quote

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before gradio is imported: nothing is counted or reported

import gradio as gr  # noqa: E402
import numpy as np  # noqa: E402
from starlette.middleware import Middleware  # noqa: E402

from gan import hub, latent, render, settings  # noqa: E402
from gan.errors import UserError  # noqa: E402
from gan.guard import Guard  # noqa: E402
from gan.sampler import Flower, Sampler  # noqa: E402
from gan.scores import headline  # noqa: E402
from gan.text import ENGLISH as TEXT  # noqa: E402

PAGE = Path(hub.__file__).parent  # page.css and page.js lie beside the package's code
DRAW = {"concurrency_id": "draw", "concurrency_limit": 4}  # the sampler's threads are shared anyway: this bounds the waiting
HIDDEN = {"api_visibility": "private"}
FILM = {"concurrency_id": "film", "concurrency_limit": 2}  # encoding takes longer, and must not keep flowers waiting
QUEUE = 128
CACHE_SECONDS = 900


# -------------------------------------------------------------------------------------------------- what the page asks


class Studio:
    """A loaded model and all that the page and the API get from it, as values and files. Knows nothing of widgets."""

    def __init__(self, model: hub.Model, notice: str | None = None) -> None:
        self.model, self.notice = model, notice
        self.sampler = Sampler(model.generator)
        self.config = self.sampler.config
        self.classes = self.config.classes
        self.truncation = latent.default_truncation(self.config.scores)
        # No paths on the page, and a name even for the folder ".".
        local = model.source in ("path", "authors")
        self.name = (model.folder or Path(model.name)).resolve().name if local else model.name
        # A film is drawn once and then encoded in up to three ways.
        self.frames = lru_cache(maxsize=8)(self._frames)

    def status(self) -> str:
        """The line that says which weights are loaded."""
        source = TEXT[f"source_{self.model.source}"]
        revision, size = self.model.revision[:12], self.config.resolution
        line = TEXT["status"].format(name=self.name, source=source, revision=revision, size=size)
        judged = headline(self.config.scores)
        return f"{line} · {judged}" if judged else line

    def pictures(self, wanted: settings.Generate) -> list[tuple[Flower, str, bytes]]:
        """(flower, file name, PNG file) for every picture of the grid."""
        flowers = wanted.flowers(self.classes)
        return [
            (flower, f"{self.stem(flower)}.png", render.png(picture, self.about(flower)))
            for flower, picture in zip(flowers, self.sampler.draw(flowers), strict=True)
        ]

    def _frames(self, wanted: settings.Interpolate) -> np.ndarray:
        return self.sampler.path(*wanted.ends(self.classes), wanted.steps, wanted.path, wanted.loop)

    def film(self, wanted: settings.Interpolate, kind: str) -> tuple[str, bytes]:
        """(file name, content) of a film as `png` (a filmstrip), `gif` or `mp4`."""
        frames = list(self.frames(wanted))
        if kind == "png":
            about = {**self.about(), **settings.to_address(self.classes, wanted)}
            content = render.png(render.filmstrip(frames), about)
        else:
            content = {"gif": render.gif, "mp4": render.mp4}[kind](frames)
        start, end = wanted.ends(self.classes)
        return f"{settings.file_stem(self.stem(start), 'to', self.stem(end))}.{kind}", content

    def archive(self, wanted: settings.Generate) -> tuple[str, bytes]:
        """(file name, content) of a ZIP with every picture of the grid."""
        stem = settings.file_stem("flowers", wanted.seed, f"{wanted.side}x{wanted.side}")
        return f"{stem}.zip", render.zipped((name, png) for _, name, png in self.pictures(wanted))

    def about(self, flower: Flower | None = None) -> dict[str, Any]:
        """What a PNG file says about where it comes from."""
        made = {"model": self.name, "revision": self.model.revision}
        return made if flower is None else {**made, **settings.describe(flower, self.classes)}

    def stem(self, flower: Flower) -> str:
        """File name of a flower, without its ending."""
        # Every digit of it, so that two pictures do not share a name.
        level = "full" if flower.truncation is None else f"t{float(flower.truncation)!r}"
        return settings.file_stem(self.classes[flower.label], flower.seed, level)


def asked(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Show what a visitor got wrong as one sentence on the page or to the API's caller, and nothing in the log."""

    @wraps(handler)
    def answer(*values: Any) -> Any:
        try:
            return handler(*values)
        except UserError as error:
            sentence = html.escape(str(error), quote=False)  # the page shows messages as HTML
            raise gr.Error(sentence[:1].upper() + sentence[1:], print_exception=False) from None
        except Exception:
            traceback.print_exc()
            raise gr.Error(TEXT["failed"], print_exception=False) from None

    return answer


def data_url(png: bytes) -> str:
    """A PNG file as an address that holds it: no file on the server, and no second request."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def cached(name: str, content: bytes) -> str:
    """Path of a file in the framework's cache, in a folder named after its content, so that no two visitors share a name."""
    path = Path(gr.utils.get_upload_folder()) / hashlib.sha256(content).hexdigest() / name
    try:
        os.utime(path)  # it is there: young again, so that it outlives this download
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(content)
        os.replace(file.name, path)  # whole or not at all, while others may be reading
    return str(path)


def own_cache() -> None:
    """Give the framework a cache of this process alone, gone when it ends: by default all apps of a machine share one."""
    folder = tempfile.mkdtemp(prefix="flowers-")
    os.environ["GRADIO_TEMP_DIR"] = folder
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # otherwise nothing is tidied up


def grid_value(studio: Studio, wanted: settings.Generate) -> dict[str, Any]:
    """What the Generate tab's picture area shows (read by page.js)."""
    items = [
        {"src": data_url(png), "name": name, **settings.describe(flower, studio.classes)}
        for flower, name, png in studio.pictures(wanted)
    ]
    return {"items": items, "side": wanted.side, "address": settings.to_address(studio.classes, wanted)}


def film_value(studio: Studio, wanted: settings.Interpolate) -> dict[str, Any]:
    """What the Interpolate tab's picture area shows (read by page.js)."""
    frames = [data_url(render.png(frame)) for frame in studio.frames(wanted)]
    return {"frames": frames, "rate": render.FRAMES_A_SECOND, "address": settings.to_address(studio.classes, wanted)}


# ------------------------------------------------------------------------------------------------------------ the page


class Page(gr.Blocks):
    """Blocks whose API says in one sentence that values are missing."""

    def validate_inputs(self, block_fn: Any, inputs: list[Any]) -> None:
        wanted = len(block_fn.inputs)
        if len(inputs) < wanted:
            raise gr.Error(f"{wanted} values are needed, and {len(inputs)} came; give them all.", print_exception=False)


def build(studio: Studio) -> gr.Blocks:
    """The whole page for a loaded model, with its API."""
    with Page(title=TEXT["title"], analytics_enabled=False, delete_cache=(CACHE_SECONDS // 3, CACHE_SECONDS)) as page:
        gr.HTML(_header(studio), elem_id="head", apply_default_css=False)
        with gr.Tabs(elem_id="tabs") as tabs:
            grid = GenerateTab(studio)
            film = InterpolateTab(studio)
        gr.HTML(_footer(studio), elem_id="foot", apply_default_css=False)
        opened = gr.HTML(elem_id="opened", visible="hidden")  # receives the address on opening

        def restore(address: Any) -> list[Any]:
            """Give every control the value that the address says, and draw the open tab."""
            on_grid, on_film, tab = settings.from_address(
                address, studio.classes, lambda: secrets.randbelow(2**32), studio.truncation
            )
            drawn = [grid_value(studio, on_grid), gr.skip()] if tab == "generate" else [gr.skip(), film_value(studio, on_film)]
            return [gr.Tabs(selected=tab), *grid.values(on_grid), *film.values(on_film), *drawn]

        outputs = [tabs, *grid.controls, *film.controls, grid.pictures, film.pictures]
        script = "() => flowers.address()"
        start = page.load(asked(restore), opened, outputs, js=script, show_progress="hidden", **HIDDEN, **DRAW)
        start.then(None, js="() => flowers.restored()", **HIDDEN)
        film.receive(tabs)
        add_api(studio)
    page.queue(max_size=QUEUE, api_open=False)
    return page


def label_radio(studio: Studio, label: str, *, everything: bool) -> gr.Radio:
    """The selector of a class; hidden where there is only one."""
    choices = [(name.replace("_", " ").capitalize(), name) for name in studio.classes]
    if everything:
        choices.insert(0, (TEXT["all"], settings.every(studio.classes)))
    return gr.Radio(choices, value=choices[0][1], label=label, visible=len(studio.classes) > 1, elem_classes="chips")


def seed_slider() -> gr.Slider:
    """The Generate tab's seed, to be dragged through or typed."""
    return gr.Slider(
        0, latent.MAX_SEED, 0, step=1, label=TEXT["seed"], info=TEXT["seed_hint"], buttons=[], elem_classes=["level", "seed"]
    )


def seed_number(label: str, *, under: bool = False) -> gr.Number:
    """The field of a seed; one `under` the class it goes with shows its label to screen readers only."""
    look = ["seed", "under"] if under else "seed"
    return gr.Number(0, label=label, precision=0, minimum=0, maximum=latent.MAX_SEED, step=1, min_width=120, elem_classes=look)


def truncation_controls(level: float, info: str | None = None) -> tuple[gr.Slider, gr.Checkbox]:
    """The truncation and the switch that turns it off."""
    slider = gr.Slider(
        latent.MIN_TRUNCATION, latent.MAX_TRUNCATION, level, step=0.01, label=TEXT["truncation"],
        info=info, buttons=[], elem_classes="level",
    )  # fmt: skip
    off = gr.Checkbox(False, label=TEXT["truncation_off"], container=False, elem_classes="switch")
    return slider, off


def level_values(truncation: float | None) -> tuple[Any, bool]:
    """What the two controls show for a truncation."""
    if truncation is None:
        return gr.Slider(interactive=False), True
    return gr.Slider(value=truncation, interactive=True), False


class GenerateTab:
    """The tab that draws a grid of flowers."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        with gr.Tab(TEXT["tab_generate"], id="generate", elem_classes="room") as self.tab:
            with gr.Row(equal_height=False, elem_classes="bench"):
                with gr.Column(scale=3, min_width=0, elem_classes="stage"):
                    self.pictures = gr.HTML(
                        {}, html_template='<div class="meadow"></div>', js_on_load="flowers.grid(element, props, watch)",
                        elem_id="generate-pictures", apply_default_css=False,
                    )  # fmt: skip
                with gr.Column(scale=1, min_width=0, elem_classes="controls"):
                    dice = gr.Button(TEXT["new_flowers"], variant="primary", elem_id="new-flowers")
                    self.label = label_radio(studio, TEXT["class"], everything=True)
                    self.seed = seed_slider()
                    self.level, self.off = truncation_controls(studio.truncation, TEXT["truncation_hint"])
                    sides = range(settings.MIN_SIDE, settings.MAX_SIDE + 1)
                    choices = [(str(side), side) for side in sides]
                    self.side = gr.Radio(choices, value=settings.DEFAULT_SIDE, label=TEXT["grid"], elem_classes="segments")
                    download = gr.Button(TEXT["download_all"], elem_id="download-all")
            self.controls = [self.label, self.seed, self.level, self.off, self.side]
            self._listen(dice, download)

    def values(self, wanted: settings.Generate) -> list[Any]:
        """What the controls show for these settings."""
        label = settings.every(self.studio.classes) if wanted.label is None else self.studio.classes[wanted.label]
        return [label, wanted.seed, *level_values(wanted.truncation), wanted.side]

    def read(self, label: Any, seed: Any, level: Any, off: Any, side: Any) -> settings.Generate:
        """The settings the controls stand for. Raises UserError."""
        return settings.generate(self.studio.classes, label, seed, None if off else level, side)

    def _listen(self, dice: gr.Button, download: gr.Button) -> None:
        quiet = {**HIDDEN, "show_progress": "minimal", "show_progress_on": self.pictures}

        def draw(*values: Any) -> Any:
            # A field that has just been emptied is not an error yet.
            return gr.skip() if None in values else grid_value(self.studio, self.read(*values))

        changes = [self.label.input, self.seed.release, self.level.release, self.off.input, self.side.input]
        gr.on(changes, asked(draw), self.controls, self.pictures, trigger_mode="always_last", **quiet, **DRAW)
        rolled = dice.click(None, None, self.seed, js="() => flowers.seed()", **HIDDEN)
        rolled.then(asked(draw), self.controls, self.pictures, trigger_mode="always_last", **quiet, **DRAW)
        on_opening(self, draw, **quiet)
        switch_off(self.off, self.level)
        offer(download, lambda *values: self.studio.archive(self.read(*values)), self.controls)


class InterpolateTab:
    """The tab that turns one flower into another."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        with gr.Tab(TEXT["tab_interpolate"], id="interpolate", elem_classes="room") as self.tab:
            with gr.Row(equal_height=False, elem_classes="bench"):
                with gr.Column(scale=3, min_width=0, elem_classes="stage"):
                    self.pictures = gr.HTML(
                        {}, html_template='<div class="cinema"></div>', js_on_load="flowers.film(element, props, watch)",
                        elem_id="interpolate-pictures", apply_default_css=False,
                    )  # fmt: skip
                    with gr.Row(elem_classes="downloads"):
                        kinds = {kind: gr.Button(TEXT[f"download_{kind}"], elem_id=f"download-{kind}", min_width=60)
                                 for kind in ("mp4", "gif", "png")}  # fmt: skip
                with gr.Column(scale=1, min_width=0, elem_classes="controls"):
                    self.dice = gr.Button(TEXT["new_pair"], variant="primary", elem_id="new-pair")
                    self.from_label = label_radio(studio, TEXT["from"], everything=False)
                    self.from_seed = seed_number(TEXT["from_seed"], under=len(studio.classes) > 1)
                    self.to_label = label_radio(studio, TEXT["to"], everything=False)
                    self.to_seed = seed_number(TEXT["to_seed"], under=len(studio.classes) > 1)
                    self.level, self.off = truncation_controls(studio.truncation)
                    ways = [(TEXT[f"path_{way}"], way) for way in latent.PATHS]
                    self.path = gr.Radio(ways, value=latent.DEFAULT_PATH, label=TEXT["path"], elem_classes="chips")
                    self.steps = gr.Slider(
                        settings.MIN_STEPS, settings.MAX_STEPS, settings.DEFAULT_STEPS, step=1, label=TEXT["steps"], buttons=[],
                        elem_classes="level",
                    )  # fmt: skip
                    self.loop = gr.Checkbox(False, label=TEXT["loop"], container=False, elem_classes="switch")
            ends = [self.from_label, self.from_seed, self.to_label, self.to_seed]
            self.controls = [*ends, self.level, self.off, self.path, self.steps, self.loop]
            self._listen(kinds)

    def values(self, wanted: settings.Interpolate) -> list[Any]:
        """What the controls show for these settings."""
        start, end = wanted.ends(self.studio.classes)
        names = self.studio.classes
        level = level_values(wanted.truncation)
        return [names[start.label], start.seed, names[end.label], end.seed, *level, wanted.path, wanted.steps, wanted.loop]

    def read(self, from_label, from_seed, to_label, to_seed, level, off, path, steps, loop) -> settings.Interpolate:  # noqa: ANN001
        """The settings the controls stand for. Raises UserError."""
        level = None if off else level
        return settings.interpolate(self.studio.classes, from_label, from_seed, to_label, to_seed, level, path, steps, loop)

    def follow(self, event: Any) -> None:
        """Draw the film after `event`."""
        event.then(self.draw, self.controls, self.pictures, trigger_mode="always_last", **self.quiet, **DRAW)

    def receive(self, tabs: gr.Tabs) -> None:
        """Take a flower that page.js sends from another tab as one of the ends, and come to the front."""
        script = "flowers.mail(props, () => trigger('submit'))"
        mail = gr.HTML({}, visible="hidden", elem_id="mail", html_template="<i></i>", js_on_load=script)
        ends = [self.from_label, self.from_seed, self.to_label, self.to_seed, self.level, self.off]
        self.follow(mail.submit(None, [mail, *ends], [tabs, *ends], js="(...v) => flowers.deliver(...v)", **HIDDEN))

    def _listen(self, kinds: dict[str, gr.Button]) -> None:
        self.quiet = {**HIDDEN, "show_progress": "minimal", "show_progress_on": self.pictures}

        def draw(*values: Any) -> Any:
            return gr.skip() if None in values else film_value(self.studio, self.read(*values))

        self.draw = asked(draw)
        changes = [self.from_label.input, self.from_seed.input, self.to_label.input, self.to_seed.input, self.level.release]
        changes += [self.off.input, self.path.input, self.steps.release, self.loop.input]
        gr.on(changes, self.draw, self.controls, self.pictures, trigger_mode="always_last", **self.quiet, **DRAW)
        pair = [self.from_seed, self.to_seed]
        self.follow(self.dice.click(None, None, pair, js="() => [flowers.seed(), flowers.seed()]", **HIDDEN))
        on_opening(self, self.draw, **self.quiet)
        switch_off(self.off, self.level)
        for kind, button in kinds.items():
            offer(button, lambda *values, kind=kind: self.studio.film(self.read(*values), kind), self.controls)


def on_opening(tab: GenerateTab | InterpolateTab, draw: Callable[..., Any], **quiet: Any) -> None:
    """Write the open tab into the address, and draw its pictures when it has none yet."""
    script = f"(_, ...values) => [flowers.opened('{tab.tab.id}'), ...values]"

    def first(empty: Any, *values: Any) -> Any:
        return draw(*values) if empty is True else gr.skip()

    tab.tab.select(asked(first), [tab.pictures, *tab.controls], tab.pictures, js=script, **quiet, **DRAW)


def switch_off(off: gr.Checkbox, level: gr.Slider) -> None:
    """Grey the truncation out while it is switched off."""
    off.change(None, off, level, js="(off) => ({interactive: !off, __type__: 'update'})", **HIDDEN)


def offer(button: gr.Button, make: Callable[..., tuple[str, bytes]], inputs: list[Any]) -> None:
    """Make a file when `button` is pressed, and hand it to the visitor's browser."""
    file = gr.File(visible="hidden", interactive=False)
    busy = {**HIDDEN, "show_progress": "minimal", "show_progress_on": button}
    made = button.click(asked(lambda *values: cached(*make(*values))), inputs, file, **busy, **FILM)
    made.success(None, file, None, js="(file) => flowers.save(file)", **HIDDEN)


# ------------------------------------------------------------------------------------------------------------- the API


def add_api(studio: Studio) -> None:
    """The two functions that `gradio_client` finds."""
    classes = studio.classes
    first, last, every = classes[0], classes[-1], settings.every(classes)

    def file(name: str, content: bytes) -> dict[str, Any]:
        return {"path": cached(name, content), "orig_name": name, "meta": {"_type": "gradio.FileData"}}

    def generate(
        label: str = every if len(classes) > 1 else first, seed: int = 0,
        truncation: float | None = studio.truncation, side: int = 1,
    ) -> list[dict]:  # fmt: skip
        """Draw side² flowers whose seeds follow on from `seed` (0 to 2³²−1; side 1 to 7).

        `label` is a class of the model or All, `truncation` 0.01 to 3 or None. Returns for each picture its PNG file,
        class and seed.
        """
        wanted = settings.generate(classes, label, seed, truncation, side)
        return [
            {"image": file(name, png), **settings.describe(flower, classes)} for flower, name, png in studio.pictures(wanted)
        ]

    def interpolate(
        from_label: str = first, from_seed: int = 0, to_label: str = last, to_seed: int = 1,
        truncation: float | None = studio.truncation, path: str = latent.DEFAULT_PATH,
        steps: int = settings.DEFAULT_STEPS, loop: bool = False,
    ) -> dict:  # fmt: skip
        """Turn one flower into another in `steps` pictures (2 to 60), along a `spherical` or `straight` path.

        Returns the files `filmstrip` (PNG), `gif` and `mp4`.
        """
        wanted = settings.interpolate(classes, from_label, from_seed, to_label, to_seed, truncation, path, steps, loop)
        kinds = {"filmstrip": "png", "gif": "gif", "mp4": "mp4"}
        return {name: file(*studio.film(wanted, kind)) for name, kind in kinds.items()}

    gr.api(asked(generate), api_name="generate", **DRAW)
    gr.api(asked(interpolate), api_name="interpolate", **FILM)


# ------------------------------------------------------------------------------------------------------------ the look


def _mark() -> str:
    """The flower beside the title."""
    petals = "".join(
        f'<ellipse cx="24" cy="10" rx="4.6" ry="9.4" transform="rotate({turn} 24 24)"/>' for turn in range(0, 360, 30)
    )
    inner = "".join(
        f'<ellipse cx="24" cy="15" rx="3.2" ry="6" transform="rotate({turn} 24 24)"/>' for turn in range(15, 375, 30)
    )
    return (
        f'<svg class="mark" viewBox="0 0 48 48" aria-hidden="true"><g fill="#e07b12">{petals}</g><g fill="#f5b71e">{inner}</g>'
        '<circle cx="24" cy="24" r="5.6" fill="#8a3c06"/></svg>'
    )


def _header(studio: Studio) -> str:
    notice = f'<p class="notice" role="status">{html.escape(studio.notice)}</p>' if studio.notice else ""
    title = f"<div><h1>{TEXT['title']}</h1><p>{TEXT['tagline']}</p></div>"
    return f"<header>{_mark()}{title}</header>{notice}"


def _footer(studio: Studio) -> str:
    return f'<footer><p id="status">{html.escape(studio.status())}</p></footer>'


def _head(studio: Studio) -> str:
    """What page.js has to know, then page.js itself."""
    known = {"text": TEXT, "model": studio.name, "size": studio.config.resolution, "classes": studio.classes}
    facts = json.dumps(known).replace("<", "\\u003c")
    style, script = ((PAGE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    icon = "data:image/svg+xml," + quote(_mark().replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" '))
    description = html.escape(TEXT["description"])
    return (
        f'<meta name="description" content="{description}"><link rel="icon" href="{icon}"><style>{style}</style>'
        f"<script>window.FLOWERS = {facts};\n{script}</script>"
    )


def theme() -> gr.themes.Base:
    """The framework's own colours and fonts, as near to page.css as it lets them be set; nothing comes from elsewhere."""
    fonts = ["ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"]
    look = gr.themes.Base(radius_size="lg", font=fonts, font_mono=["ui-monospace", "Consolas", "monospace"])
    paint = {
        "body_background_fill": ("#f6f3e8", "#11160f"), "body_text_color": ("#22301f", "#e9eddf"),
        "body_text_color_subdued": ("#586250", "#a9b49d"), "background_fill_primary": ("#fffdf7", "#1a2117"),
        "background_fill_secondary": ("#f6f3e8", "#11160f"), "border_color_primary": ("#dfd8c4", "#323d2c"),
        "slider_color": ("#37632f", "#a3cd86"), "color_accent_soft": ("#efebdc", "#242d20"),
        "checkbox_background_color": ("#f6f3e8", "#11160f"),
        "checkbox_background_color_selected": ("#37632f", "#5f8c48"),
        "checkbox_border_color_selected": ("#37632f", "#5f8c48"),
    }  # fmt: skip
    both = {name: light for name, (light, _) in paint.items()} | {f"{name}_dark": dark for name, (_, dark) in paint.items()}
    return look.set(color_accent="#37632f", link_text_color="#37632f", link_text_color_dark="#a3cd86", **both)


# ---------------------------------------------------------------------------------------------------------- front door


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="app.py", description="Serve the page on which visitors draw flowers that do not exist.",
        epilog="Bundled models: " + (", ".join(hub.bundled()) or "none yet; give --model") + ".",
    )  # fmt: skip
    model = os.environ.get("MODEL_ID") or hub.DEFAULT
    host, port = os.environ.get("GRADIO_SERVER_NAME") or "127.0.0.1", os.environ.get("GRADIO_SERVER_PORT") or "7860"
    for name, default, kind, what in (
        ("model", model, str, "a bundled model, a model folder, a .pt file of the paper's authors, or owner/name[@revision] on "
         "the Hugging Face Hub (environment: MODEL_ID"),
        ("host", host, str, "address to serve at; 0.0.0.0 is the whole network (environment: GRADIO_SERVER_NAME"),
        ("port", port, _port, "port to serve at (environment: GRADIO_SERVER_PORT"),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", default=default, type=kind, metavar=name.upper(), help=f"{what}; now: %(default)s)")
    return parser.parse_args(arguments)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"'{text}' is not a port; use a whole number from 1 to 65535")
    return int(text)


def check_free(host: str, port: int) -> None:
    """Raise UserError unless this computer can serve at `host` and `port`."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as trial:
            if os.name == "posix":  # a port that was in use a moment ago is free
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"cannot serve at {host}, port {port} ({reason}); choose another with --port or --host.") from None


def mark_for_zero_gpu() -> None:
    """Mark a function for ZeroGPU where it is: such a Space stops an app that has none. Drawing stays on the CPU."""
    try:
        import spaces
    except ImportError:
        return
    spaces.GPU(lambda: None)


def main(arguments: list[str] | None = None) -> int:
    """Load the model, serve the page until Ctrl-C. Returns the exit code."""
    options = parse(arguments)
    try:
        check_free(options.host, options.port)
        studio = Studio(*hub.load_or_bundled(options.model))
    except UserError as error:
        print(f"app.py: {error}", file=sys.stderr)
        return 2
    if studio.notice:
        print(f"app.py: {studio.notice}", file=sys.stderr)
    print(studio.status(), flush=True)
    studio.sampler.warm_up()
    mark_for_zero_gpu()
    own_cache()
    # Gradio 6.22 has no history of runs to switch off.
    newer = {"run_history": False} if "run_history" in inspect.signature(gr.Blocks.launch).parameters else {}
    print(f"Serving at http://{options.host}:{options.port}", flush=True)
    build(studio).launch(
        server_name=options.host, server_port=options.port, share=False, ssr_mode=False, pwa=False, mcp_server=False,
        quiet=True, show_error=False, theme=theme(), head=_head(studio), footer_links=["api"], **newer,
        enable_monitoring=False, allowed_paths=[], max_file_size="1kb", app_kwargs={"middleware": [Middleware(Guard)]},
        state_session_capacity=32,  # the framework keeps each session's last values, pictures included; none needs them
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
