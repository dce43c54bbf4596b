"""A loaded model, and the values and files that the page and the API get from it. No widgets here."""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from gan.errors import UserError
from gan.evaluation.photo_folder import PhotoFolder
from gan.evaluation.scores import headline
from gan.hub import loader
from gan.networks import latents
from gan.sampling import films, sample_files, settings
from gan.sampling.directions import Directions, DirectionSearch, can_be_found
from gan.sampling.flower import Flower, describe, later
from gan.sampling.picture_store import PictureStore
from gan.sampling.sampler import Sampler
from gan.studio.address import to_address
from gan.studio.gradio_compat import upload_folder
from gan.studio.i18n import say
from gan.utils import images
from gan.utils.files import replace
from gan.utils.names import file_stem

GRID_SIDE = 128  # pixels a side that are enough in a grid; larger pictures have previews for it

Encoder = Callable[[np.ndarray, dict[str, Any]], bytes]  # a picture and its metadata → a file


class Studio:
    """A loaded model with its sampler; every tab draws through it."""

    def __init__(self, model: loader.Model, notice: str | None = None, photos: Path | None = None) -> None:
        """`notice` is a sentence for the page. `photos` is a folder with a sub-folder for each class.

        Raises UserError if the folder has no usable photos.
        """
        self.model, self.notice = model, notice
        self.photos = PhotoFolder(photos, model.generator.config) if photos else None
        self.sampler = Sampler(model.generator)
        self.config = self.sampler.config
        self.classes = self.config.classes
        self.truncation = latents.default_truncation(self.config.scores)
        self.name = model.title
        self.search = DirectionSearch(self.sampler)
        self.store = PictureStore(self._draw)
        self.coarse_side = GRID_SIDE if self._is_finished(GRID_SIDE) else None
        # A whole picture as PNG would take longer to encode, send and decode.
        encode = images.png if self.coarse_side else images.jpeg
        self.previews = PictureStore(partial(self._draw, side=self.coarse_side, encode=encode))
        # A film is drawn once, then encoded as up to three kinds of files.
        self.frames = lru_cache(maxsize=4)(self._frames)
        self.walk = lru_cache(maxsize=2)(self._walk)

    def _is_finished(self, side: int) -> bool:
        """Whether the model's picture of `side` pixels on the way to a larger one can be shown.

        It can where the larger scales were trained alone (`--freeze-below`). Where all were, it is the larger picture's ground,
        which nothing judged: its contrasts are too strong.
        """
        sides, frozen_below = self.sampler.sides, self.config.trained.get("freeze_below")  # of a file that may say anything
        return side in sides and frozen_below in sides and side < frozen_below

    def status(self, language: str = "en") -> str:
        """The line of the footer: which weights are loaded, and their scores."""
        source = say(f"source_{self.model.source}", language)
        revision, size = self.model.revision[:12], self.config.resolution
        line = say("status", language, name=self.name, source=source, revision=revision, size=size)
        judged = headline(self.config.scores)
        return f"{line} · {judged}" if judged else line

    # ---------------------------------------------------------------------------------------------------------- flowers

    def items(self, flowers: Sequence[Flower], *, small: bool = False) -> list[dict[str, Any]]:
        """Draw `flowers` for the page's script: for each, `src` (a data URL), `name` (of its file) and `flower.describe`."""
        return list(self.each_item(flowers, small=small))

    def each_item(self, flowers: Sequence[Flower], *, small: bool = False) -> Iterator[dict[str, Any]]:
        """The same one by one, each as soon as it is drawn.

        `small` is for pictures that are shown small. Those of more than GRID_SIDE pixels are previews then, and the item says
        so (`preview`): the finished picture of GRID_SIDE pixels that the model has on its way, or else the whole one as JPEG.
        """
        preview = small and self.config.resolution > GRID_SIDE
        kind = "image/png" if self.coarse_side or not preview else "image/jpeg"
        for flower, file in zip(flowers, (self.previews if preview else self.store).each(flowers)):
            yield {"src": data_url(file, kind), **self.item(flower), **({"preview": True} if preview else {})}

    def item(self, flower: Flower) -> dict[str, Any]:
        """The same for one flower, without its picture."""
        return {"name": f"{self.stem(flower)}.png", **describe(flower, self.classes)}

    def pictures(self, wanted: settings.Generate) -> list[tuple[Flower, str, bytes]]:
        """Draw a grid: for each flower (flower, file name, content of its PNG file)."""
        return self.files(wanted.flowers(self.classes))

    def files(self, flowers: Sequence[Flower]) -> list[tuple[Flower, str, bytes]]:
        """Draw `flowers`: for each (flower, file name, content of its PNG file)."""
        return [(flower, f"{self.stem(flower)}.png", png) for flower, png in zip(flowers, self.store.each(flowers))]

    def can_draw(self, flowers: Sequence[Flower]) -> bool:
        """Whether the model can draw them all: extras of another model, or forged ones, do not fit it."""
        try:
            if flowers:
                self.sampler.latents(flowers)
        except UserError:
            return False
        return True

    def directions(self) -> Directions:
        """The directions of the model; whoever asks first waits until they are found. Raises UserError if it has none."""
        if not can_be_found(self.config):
            raise UserError(
                f"'{self.config.preset}' has no directions, for too many classes or too long a noise; leave the moves at 0."
            )
        return self.search.finish()

    def _draw(self, flowers: Sequence[Flower], side: int | None = None, encode: Encoder = images.png) -> Iterator[bytes]:
        """The files of flowers, each as soon as it is drawn; with a `side`, of the coarser picture."""
        for flower, picture in zip(flowers, self.sampler.each(flowers, side), strict=True):
            yield encode(picture, self.about(flower))

    def about(self, flower: Flower | None = None) -> dict[str, Any]:
        """The metadata of a file: model, revision and, if given, the flower."""
        return sample_files.about(self.model, flower)

    def stem(self, flower: Flower) -> str:
        """The file name of a flower, without its extension."""
        return sample_files.stem(flower, self.classes)

    # ------------------------------------------------------------------------------------------------------------ films

    def _frames(self, wanted: settings.Interpolate) -> np.ndarray:
        columns, rows = settings.FILMS[wanted.films]
        start, end = wanted.ends(self.classes)
        paths = (
            self.sampler.path(later(start, place), later(end, place), wanted.steps, wanted.path, wanted.loop)
            for place in range(columns * rows)
        )
        return films.tiled(paths, columns, rows)

    def _walk(self, flowers: tuple[Flower, ...]) -> np.ndarray:
        """The pictures of a loop through two or more flowers, a second from each to the next: uint8 N×S×S×3."""
        return self.sampler.walk(flowers, len(flowers) * images.FRAMES_A_SECOND)

    def walk_film(self, flowers: tuple[Flower, ...], kind: str) -> tuple[str, bytes]:
        """(file name, content) of that loop as one of `films.KINDS`."""
        return f"{file_stem('film', self.name, len(flowers))}.{kind}", films.encode(self.walk(flowers), kind)

    def film(self, wanted: settings.Interpolate, kind: str) -> tuple[str, bytes]:
        """(file name, content) of a film. `kind` is `png` (a filmstrip) or one of `films.KINDS`."""
        frames = self.frames(wanted)
        if kind == "png":
            about = {**self.about(), **to_address(self.classes, wanted)}
            content = images.png(images.filmstrip(list(frames)), about)
        else:
            content = films.encode(frames, kind)
        start, end = wanted.ends(self.classes)
        several = () if wanted.films == settings.ONE_FILM else (wanted.films,)
        return f"{file_stem(self.stem(start), 'to', self.stem(end), *several)}.{kind}", content

    def archive(self, wanted: settings.Generate) -> tuple[str, bytes]:
        """(file name, content) of a ZIP file with every picture of the grid."""
        stem = file_stem("flowers", wanted.seed, f"{wanted.side}x{wanted.side}")
        return f"{stem}.zip", images.zipped((name, png) for _, name, png in self.pictures(wanted))


def frame_url(picture: np.ndarray) -> str:
    """A picture of a film as a data URL: lossy, a fifth of the bytes that PNG takes, because films have many."""
    return data_url(images.webp([picture]), "image/webp")


def data_url(content: bytes, kind: str = "image/png") -> str:
    """The file as a data URL. It needs no file on the server and no second request."""
    return f"data:{kind};base64," + base64.b64encode(content).decode()


def save_to_cache(name: str, content: bytes) -> str:
    """Write a file into Gradio's cache, unless it is there, and return its path. Its folder is named after the SHA-256."""
    path = upload_folder() / hashlib.sha256(content).hexdigest() / name
    try:
        os.utime(path)  # Gradio deletes old files; this one must outlive the download
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(content)
        replace(file.name, path)  # atomic, because another request may read the file
    return str(path)
