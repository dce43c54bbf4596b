"""The files of a garden: page, words, look, model, and the runtime if it comes along."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jinja2 import Environment
from PIL import Image

from gan.errors import UserError
from gan.garden import runtime
from gan.garden.graphs import PAINTING, STYLES, graphs
from gan.generator import Generator
from gan.hub.loader import Model
from gan.networks import latents
from gan.sampling.directions import DirectionSearch, can_be_found
from gan.sampling.flower import Flower, every
from gan.sampling.sampler import Sampler
from gan.utils.images import to_uint8
from gan.utils.words import read_words, untranslated_names

HERE = Path(__file__).parent
STUDIO = HERE.parent / "studio"  # the app: its words, styles and scripts are this page's too
TABS = ("generate", "interpolate", "explore")
SCRIPTS = ("page", "player", *TABS)  # of the app, in the order in which they are read
STYLES_USED = ("page", "tabs", "explore")
CHECKED = 6  # flowers that the graphs have to draw as PyTorch does
FARTHEST = 1  # of 255, from PyTorch in float32
PROBE = 64  # values of a picture that a browser has to come near to
ICON_SIDE = 256


def garden_files(model: Model, *, vendored: Mapping[str, bytes] | None = None) -> dict[str, bytes]:
    """Path → content of the folder that draws `model` in a browser.

    `vendored` are the files of `runtime.vendor`; without them, the page takes the runtime from a content network. The graphs
    are checked against PyTorch. Raises UserError where a package is missing, and where they draw anything else.
    """
    content = _checked_graphs(model.generator)
    named = {name: f"{name}-{hashlib.sha256(file).hexdigest()[:12]}.onnx" for name, file in content.items()}
    given = _facts(model, vendored)
    given["garden"]["graphs"] = {name: {"url": named[name], **_size(file)} for name, file in content.items()}
    page = _page(given, model)
    data = {named[name]: file for name, file in content.items()} | dict(vendored or {})
    addresses = [file["url"] for kind in given["garden"]["runtime"].values() for file in kind.values()]
    version = hashlib.sha256(b"".join(path.encode() + content for path, content in sorted(page.items()))).hexdigest()[:12]
    worker = _filled("sw.js", version=version, files=json.dumps(sorted(page)), models=json.dumps([*named.values(), *addresses]))
    return {**page, "sw.js": worker, **data}


def _size(content: bytes) -> dict[str, int]:
    return {"bytes": len(content), "wire": len(content)}


# ----------------------------------------------------------------------------------------------------------- the model


def _checked_graphs(generator: Generator) -> dict[str, bytes]:
    """The graphs, in half precision if these draw the same pictures, else in float32. Raises UserError where neither does."""
    differs = 0
    for half in (True, False):
        found = graphs(generator, half=half)
        differs = _difference(generator, found)
        if differs <= FARTHEST:
            return found
    raise UserError(
        f"onnxruntime draws other pictures than PyTorch ({differs} of 255); take the versions of requirements-onnx.txt."
    )


def _difference(generator: Generator, content: Mapping[str, bytes]) -> int:
    """The greatest difference between a few flowers of the graphs and PyTorch's, of 255."""
    import onnxruntime

    sessions = {name: onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]) for name, file in content.items()}
    config = generator.config
    level, farthest = latents.default_truncation(config.scores), 0
    for seed in range(CHECKED):
        code = Flower(None, seed).resolve(len(config.classes)).code(config)
        expected = _picture(generator, Flower(None, seed), level)
        drawn = to_uint8(torch.from_numpy(_drawn(generator, sessions, seed, code.numpy(), level)))
        farthest = max(farthest, int(np.abs(drawn.astype(int) - expected.astype(int)).max()))
    return farthest


def _picture(generator: Generator, flower: Flower, level: float) -> np.ndarray:
    """A flower as PyTorch draws it in float32, uint8 1×S×S×3."""
    code = flower.resolve(len(generator.config.classes)).code(generator.config)
    with torch.no_grad():
        return to_uint8(generator.decode(*generator.latents([flower.seed], code, level)))


def _drawn(generator: Generator, sessions: Mapping[str, Any], seed: int, code: np.ndarray, level: float) -> np.ndarray:
    """One flower as a browser draws it, 1×3×S×S in float32."""
    config = generator.config
    noise = latents.noise([seed], config.z_dim, None if config.styled else level).numpy()
    given = {"noise": noise, "classes": code} if config.code_dim else {"noise": noise}
    if STYLES in sessions:
        offset, mean = sessions[STYLES].run(None, given)
        style = (mean + np.float32(latents.spread(level)) * offset)[:, None]
        given = {"styles": np.repeat(style, generator.style_scales, 1)}
    return sessions[PAINTING].run(None, given)[0]


def _facts(model: Model, vendored: Mapping[str, bytes] | None) -> dict[str, Any]:
    """What the page's scripts know of the model: `window.FLOWERS`."""
    generator, config = model.generator, model.generator.config
    text = read_words([*(STUDIO / "text" / f"{name}.json" for name in ("page", *TABS)), HERE / "words.json"])
    styled, level = config.styled, latents.default_truncation(config.scores)
    width = generator.latents([0], torch.zeros(1, config.code_dim), None)[0].shape[-1]
    garden = {
        "title": model.title, "revision": model.revision, "size": config.resolution, "classes": config.classes,
        "every": every(config.classes), "styled": styled, "code": config.code_dim, "noise": config.z_dim, "width": width,
        "scales": generator.style_scales, "truncation": level, "probe": _probe(generator, level),
        "directions": _directions(generator), "runtime": runtime.facts(vendored),
    }  # fmt: skip
    return {
        "text": text, "model": model.title, "revision": model.revision, "size": config.resolution, "classes": config.classes,
        "names": untranslated_names(config.classes, text), "garden": garden,
    }  # fmt: skip


def _probe(generator: Generator, level: float) -> dict[str, Any]:
    """A flower, and some values of its picture as it is drawn here."""
    values = _picture(generator, Flower(0, 0), level).reshape(-1)
    return {"label": 0, "seed": 0, "truncation": level, "pixels": values[:: len(values) // PROBE][:PROBE].tolist()}


def _directions(generator: Generator) -> dict[str, Any] | None:
    """The directions of the app's Explore tab; None where there are none. A browser would need minutes to find them."""
    if not can_be_found(generator.config):
        return None
    sampler = Sampler(generator)
    try:
        found = DirectionSearch(sampler).finish()
    finally:
        sampler.close()
    return {"steps": base64.b64encode(found.steps.numpy().astype("<f4").tobytes()).decode(), "names": found.names}


# ------------------------------------------------------------------------------------------------------------ the page


def _page(given: Mapping[str, Any], model: Model) -> dict[str, bytes]:
    """Every file but model, runtime and service worker."""
    text = next(iter(given["text"].values()))
    logo = (STUDIO / "logo.svg").read_text(encoding="utf-8")
    words = {"title": text["title"], "description": text["description"], "no_script": html.escape(text["garden_no_script"])}
    scripts = {f"{name}.js": _scoped((STUDIO / "script" / f"{name}.js").read_text(encoding="utf-8")) for name in SCRIPTS}
    own = [path for path in (HERE / "page").glob("*.js") if path.name != "sw.js"]
    return {
        "index.html": _filled("index.html", **words, logo=logo, scripts=list(scripts)),
        "manifest.webmanifest": _filled("manifest.webmanifest", **words),
        "facts.js": f"window.FLOWERS = {json.dumps(given, ensure_ascii=False)};\n".encode(),
        "look.css": _look(),
        "icon.svg": logo.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ').encode(),
        "icon.png": _icon(model.generator),
        **{path.name: path.read_bytes() for path in own},
        **{name: script.encode() for name, script in scripts.items()},
    }


def _filled(name: str, **values: Any) -> bytes:
    """A template of `page/` with values in it."""
    template = (HERE / "page" / name).read_text(encoding="utf-8")
    return Environment(keep_trailing_newline=True).from_string(template).render(**values).encode()


def _look() -> bytes:
    """The app's styles, on a page without the app's framework."""
    own = (HERE / "page" / "garden.css").read_text(encoding="utf-8")
    app = [_scoped((STUDIO / "style" / f"{name}.css").read_text(encoding="utf-8")) for name in STYLES_USED]
    return "\n".join([*app, own]).encode()


def _scoped(source: str) -> str:
    """A style or a script of the app for this page, whose outermost element has another class."""
    return source.replace(".gradio-container", ".garden")


def _icon(generator: Generator) -> bytes:
    """A flower of the model, as the icon of the installed page."""
    picture = _picture(generator, Flower(0, 0), latents.default_truncation(generator.config.scores))
    buffer = io.BytesIO()
    large = Image.fromarray(picture[0]).resize((ICON_SIDE, ICON_SIDE), Image.Resampling.BICUBIC)
    large.quantize(256).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
