"""The functions of the HTTP API, for `gradio_client` and other programs. With `app.py --mcp` they are tools for agents, too.

Gradio makes the schema of a function from its types, and the descriptions for agents from its docstring. An agent sees the
picture of a function that returns one file; of several results Gradio would send it the paths only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypedDict, get_type_hints

import gradio as gr

from gan.errors import UserError
from gan.sampling import films, settings
from gan.sampling.flower import Flower, check_label, check_truncation, describe, every, grid_flowers
from gan.sampling.interpolation import DEFAULT_PATH
from gan.studio import explore_state
from gan.studio.explore_state import Explore
from gan.studio.handlers import DRAW_QUEUE, FILM_QUEUE, report_errors
from gan.studio.session import Studio, save_to_cache
from gan.studio.tabs.gallery import MAX_FILMED
from gan.studio.tabs.mixing import MOST as MOST_IN_TABLE
from gan.studio.tabs.mixing import Mixing
from gan.utils import images, validation

MOST_IN_ROW = 7  # flowers, and truncations, of /truncation


class File(TypedDict):
    """A file as Gradio sends it; `gradio_client` downloads it and gives its path in its place."""

    path: str
    orig_name: str
    meta: dict[str, str]


Picture = TypedDict("Picture", {"image": File, "class": str, "seed": int, "truncation": float | None})


class Film(TypedDict):
    """The three files of an interpolation."""

    filmstrip: File
    gif: File
    mp4: File


def add_api(studio: Studio) -> None:
    """Add the functions to the page that is being built, each under its own name."""
    for make, queue in ENDPOINTS:
        function = make(studio)
        function.__annotations__ = get_type_hints(function)  # Gradio does not read the result's type where it is text
        gr.api(report_errors(function, on_page=False), api_name=function.__name__, **queue)


def _generate(studio: Studio) -> Callable[..., list[Picture]]:
    default = every(studio.classes) if len(studio.classes) > 1 else studio.classes[0]

    def generate(
        label: str = default, seed: int = 0, truncation: float | None = studio.truncation, side: int = 1
    ) -> list[Picture]:
        """Draw a square of flowers whose seeds follow on from one seed, and give the file of each.

        Parameters:
            label: a class of the model, or All
            seed: of the first flower, 0 to 4294967295
            truncation: 0.01 (all alike) to 3 (most varied), or null for none
            side: flowers a side of the square, 1 to 7
        Returns:
            for each flower its PNG file, class, seed and truncation
        """
        wanted = settings.generate(studio.classes, label, seed, truncation, side)
        return [
            {"image": _file(name, png), **describe(flower, studio.classes)}  # type: ignore[typeddict-item]
            for flower, name, png in studio.pictures(wanted)
        ]

    return generate


def _draw(studio: Studio) -> Callable[..., File]:
    first = studio.classes[0]

    def draw(label: str = first, seed: int = 0, truncation: float | None = studio.truncation) -> File:
        """Draw one flower that does not exist. The same class, seed and truncation always give the same flower.

        Parameters:
            label: a class of the model, or All: then the seed picks the class
            seed: 0 to 4294967295
            truncation: 0.01 (all alike) to 3 (most varied), or null for none
        Returns:
            the picture as a PNG file, which carries its settings
        """
        return _one(studio, _flower(studio, label, seed, truncation))

    return draw


def _interpolate(studio: Studio) -> Callable[..., Film]:
    first, last = studio.classes[0], studio.classes[-1]

    def interpolate(
        from_label: str = first, from_seed: int = 0, to_label: str = last, to_seed: int = 1,
        truncation: float | None = studio.truncation, path: str = DEFAULT_PATH,
        steps: int = settings.DEFAULT_STEPS, loop: bool = False,
    ) -> Film:  # fmt: skip
        """Turn one flower into another.

        Parameters:
            from_label: class of the first flower
            from_seed: 0 to 4294967295
            to_label: class of the last flower
            to_seed: 0 to 4294967295
            truncation: 0.01 (all alike) to 3 (most varied), or null for none
            path: spherical or straight
            steps: pictures, 2 to 60
            loop: whether the film goes back to the first flower
        Returns:
            the film as a PNG filmstrip, a GIF and an MP4
        """
        wanted = settings.interpolate(
            studio.classes, from_label, from_seed, to_label, to_seed, truncation, path, steps, loop
        )  # fmt: skip
        return Film(filmstrip=_file(*studio.film(wanted, "png")), gif=_file(*studio.film(wanted, "gif")),
                    mp4=_file(*studio.film(wanted, "mp4")))  # fmt: skip

    return interpolate


def _film(studio: Studio) -> Callable[..., File]:
    first, default = studio.classes[0], [1, 2, 3]

    def film(
        label: str = first, seeds: list[int] = default, seconds: float = 4.0, columns: int = 1, rows: int = 1,
        truncation: float | None = studio.truncation, kind: str = "mp4",
    ) -> File:  # fmt: skip
        """Make a film that walks through several flowers and back to the first; several such films side by side, if wanted.

        Parameters:
            label: a class of the model, or All: then each seed picks its class
            seeds: of the flowers on the way, 2 to 12
            seconds: length of the film; it has 12 pictures a second, at most 240 with those of all films side by side
            columns: films beside one another
            rows: films below one another; the seeds of each film are one higher than those of the film before
            truncation: 0.01 (all alike) to 3 (most varied), or null for none
            kind: mp4, gif or webp
        Returns:
            the file of the film
        """
        seeds = _check_list("seeds", seeds, MAX_FILMED)
        ways = tuple(_flower(studio, label, seed, truncation) for seed in seeds)
        across, down = (validation.whole(name, value, 1, films.MAX_SIDE) for name, value in
                        (("number of columns", columns), ("number of rows", rows)))  # fmt: skip
        validation.choice("kind of film", kind, films.KINDS)
        wanted = films.FilmGrid(ways, across, down, seconds).check()
        if (pictures := wanted.steps * across * down) > settings.MAX_PICTURES:
            raise UserError(f"the film has {pictures} pictures; make it shorter, or of fewer films: "
                            f"{settings.MAX_PICTURES} at most.")  # fmt: skip
        return _file(f"film.{kind}", films.encode(films.draw(studio.sampler, wanted), kind))

    return film


def _explore(studio: Studio) -> Callable[..., File]:
    first, still = studio.classes[0], list(explore_state.NO_SHIFT)

    def explore(
        label: str = first, seed: int = 0, truncation: float | None = studio.truncation, moves: list[float] = still,
        second_label: str = studio.classes[-1], degree: int = 0,
    ) -> File:  # fmt: skip
        """Change one flower: along directions that were found in the model, and towards a second class.

        Parameters:
            label: class of the flower
            seed: 0 to 4294967295
            truncation: 0.01 (all alike) to 3 (most varied), or null for none
            moves: how far to go along each of the six directions, in standard deviations, -3 to 3; what each one changes can
                be seen in the tab Explore
            second_label: the class that is mixed in
            degree: its share in percent, 0 to 100
        Returns:
            the picture as a PNG file, which carries its settings
        """
        start = _flower(studio, label, seed, truncation)
        second = explore_state.check_class(studio.classes, second_label)
        wanted = Explore(start, explore_state.check_sliders(moves), second, explore_state.check_degree(degree))
        return _one(studio, wanted.flower(studio.classes, studio.directions() if any(wanted.sliders) else None))

    return explore


def _mixing(studio: Studio) -> Callable[..., File]:
    def mixing(
        row_label: str = studio.classes[0], row_seeds: list[int] = [0, 1], column_label: str = studio.classes[-1],  # noqa: B006
        column_seeds: list[int] = [2, 3, 4], scales: int = 3, truncation: float | None = studio.truncation,  # noqa: B006
    ) -> File:  # fmt: skip
        """Draw a table of flowers: each has the layout of its row, and the colors and texture of its column.

        Parameters:
            row_label: class of the flowers that give the layout, or All
            row_seeds: their seeds, 1 to 6
            column_label: class of the flowers that give colors and texture, or All
            column_seeds: their seeds, 1 to 6
            scales: how many scales come from the row, 1 to one less than the model has
            truncation: 0.01 (all alike) to 3 (most varied), or null for none
        Returns:
            the table as one PNG file
        """
        if studio.sampler.scales < 2:
            raise UserError(f"'{studio.config.preset}' has no styles to mix; open a model that has, such as flagship.")
        rows, columns = (
            tuple(_flower(studio, label, seed, truncation) for seed in _check_list(name, seeds, MOST_IN_TABLE))
            for name, label, seeds in (("rows", row_label, row_seeds), ("columns", column_label, column_seeds))
        )
        kept = validation.whole("number of scales", scales, 1, studio.sampler.scales - 1)
        return _table(studio, list(Mixing(rows, columns, kept).cells()), len(columns), "mixing.png")

    return mixing


def _truncation(studio: Studio) -> Callable[..., File]:
    def truncation(
        label: str = studio.classes[0], seed: int = 0, levels: list[float | None] = [0.5, 1.0, 2.0, None], count: int = 6,  # noqa: B006
    ) -> File:  # fmt: skip
        """Draw the same seeds at several truncations, a row for each.

        Parameters:
            label: a class of the model, or All
            seed: of the first column, 0 to 4294967295; the others follow on
            levels: the truncations, 1 to 7 of them, each 0.01 to 3, or null for none
            count: flowers in a row, 1 to 7
        Returns:
            the rows as one PNG file
        """
        count = validation.whole("number of flowers", count, 1, MOST_IN_ROW)
        row = grid_flowers(check_label(studio.classes, label), seed, None, count)
        levels = _check_list("levels", levels, MOST_IN_ROW)
        flowers = [replace(flower, truncation=check_truncation(level)) for level in levels for flower in row]
        return _table(studio, [flower.resolve(len(studio.classes)) for flower in flowers], count, "truncation.png")

    return truncation


# Where a function is added: what makes it, and the queue in which it waits.
ENDPOINTS: tuple[tuple[Callable[[Studio], Callable[..., Any]], dict[str, Any]], ...] = (
    (_generate, DRAW_QUEUE),
    (_draw, DRAW_QUEUE),
    (_interpolate, FILM_QUEUE),
    (_film, FILM_QUEUE),
    (_explore, FILM_QUEUE),
    (_mixing, DRAW_QUEUE),
    (_truncation, DRAW_QUEUE),
)


# ------------------------------------------------------------------------------------------------------- what they share


def _file(name: str, content: bytes) -> File:
    return File(path=save_to_cache(name, content), orig_name=name, meta={"_type": "gradio.FileData"})


def _flower(studio: Studio, label: Any, seed: Any, truncation: Any) -> Flower:
    """A resolved flower of values of any type. Raises UserError."""
    return settings.generate(studio.classes, label, seed, truncation, 1).flowers(studio.classes)[0]


def _one(studio: Studio, flower: Flower) -> File:
    """The file of one flower."""
    _, name, png = studio.files([flower])[0]
    return _file(name, png)


def _table(studio: Studio, flowers: Sequence[Flower], columns: int, name: str) -> File:
    """One file with all flowers in `columns`."""
    return _file(name, images.png(images.grid(list(studio.sampler.draw(flowers)), columns), studio.about()))


def _check_list(name: str, values: Any, most: int) -> list[Any]:
    """`values`, a list of 1 to `most`. Raises UserError."""
    if not isinstance(values, list) or not 1 <= len(values) <= most:
        raise UserError(f"the {name} are {validation.show(values)}; give a list of 1 to {most}.")
    return values
