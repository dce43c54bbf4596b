"""The settings of the Explore tab: a flower moved along directions, mixed with another class, with another flower's style."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gan.errors import UserError
from gan.networks import latents
from gan.sampling.directions import COUNT, REACH, Directions
from gan.sampling.flower import Flower, StyleMix, check_label, describe, described, main_class
from gan.studio.address import Address
from gan.utils import validation

NO_SHIFT = (0.0,) * COUNT
MIN_STEP, MAX_STEP, DEFAULT_STEP = 0.2, 2.0, 1.0  # standard deviations between neighbors
OFFSETS = tuple((across, down) for down in (-1, 0, 1) for across in (-1, 0, 1))  # of the neighbors, in steps


@dataclass(frozen=True)
class Explore:
    """A flower to start from, and the changes to it."""

    start: Flower  # its own extras are kept; the changes below are added to them
    sliders: tuple[float, ...] = NO_SHIFT  # COUNT shifts along the directions, in standard deviations
    second: int = 0  # the class that is mixed in
    degree: int = 0  # its share in percent
    fine: StyleMix = StyleMix(0, 0, 0)  # the flower whose style is mixed in; none with 0 scales
    across: int = 0  # the direction of the neighbors in a row
    down: int = 1  # the direction of the neighbors in a column
    step: float = DEFAULT_STEP

    def flower(self, classes: Sequence[str], directions: Directions | None) -> Flower:
        """The changed flower, with its values rounded as in the address, so that a link gives the same picture.

        `directions` may be None if all sliders are 0. Raises UserError if `start` does not fit the model.
        """
        changed = replace(self.start, label=self._label(len(classes)))
        if self.fine.scales:
            changed = replace(changed, fine=self.fine)
        if self.sliders != NO_SHIFT:
            assert directions is not None, "sliders need directions"
            changed = directions.move(changed, self.sliders)
        return described(classes, describe(changed, classes)) if changed != self.start else self.start

    def _label(self, classes: int) -> int | tuple[float, ...]:
        label = self.start.label
        assert label is not None, "the start has a class of its own"
        if not self.degree or label == self.second:
            return label
        if self.degree == 100:
            return self.second
        weights = label if isinstance(label, tuple) else [100.0 if i == label else 0.0 for i in range(classes)]
        total = sum(weights)
        mixed = [(100 - self.degree) * weight / total for weight in weights]
        mixed[self.second] += self.degree
        return tuple(mixed)

    def neighbors(self) -> Iterator[tuple[float, ...]]:
        """The sliders of nine flowers, row by row; the fifth is this one. Each value is limited to ±REACH."""
        for across, down in OFFSETS:
            sliders = list(self.sliders)
            for direction, sense in ((self.across, across), (self.down, down)):
                sliders[direction] = _clamp(sliders[direction] + sense * self.step)
            yield tuple(sliders)

    def with_sliders(self, sliders: tuple[float, ...]) -> Explore:
        """A copy with other sliders."""
        return replace(self, sliders=sliders)


def check_sliders(values: Any) -> tuple[float, ...]:
    """COUNT numbers from −REACH to REACH, rounded to one decimal. Raises UserError."""
    if not isinstance(values, list | tuple) or len(values) != COUNT:
        raise UserError(f"the place is {validation.show(values)}; give {COUNT} numbers, one for each direction.")
    return tuple(_clamp(validation.number("place along a direction", value, -REACH, REACH)) for value in values)


def check_direction(value: Any) -> int:
    """The number of a direction, 0 to COUNT−1. Raises UserError."""
    return validation.whole("direction", value, 0, COUNT - 1)


def check_step(value: Any) -> float:
    """The step between neighbors, MIN_STEP to MAX_STEP, rounded to one decimal. Raises UserError."""
    return round(validation.number("step", value, MIN_STEP, MAX_STEP), 1)


def check_degree(value: Any) -> int:
    """The share of the second class, 0 to 100 percent. Raises UserError."""
    return validation.whole("degree", value, 0, 100)


def check_fine(classes: Sequence[str], name: Any, seed: Any, count: Any, scales: int) -> StyleMix:
    """The flower whose style is mixed in, with `count` coarse scales kept. The model has `scales` scales. Raises UserError."""
    count = validation.whole("number of scales", count, 0, max(0, scales - 1))
    return StyleMix(check_class(classes, name), latents.check_seed(seed), count)


def check_class(classes: Sequence[str], name: Any) -> int:
    """The index of a class. Raises UserError for an unknown name, and for every class at once."""
    label = check_label(classes, name)
    if label is None:
        raise UserError(f"the class is {validation.show(name)}; choose one of {validation.name_list(classes)}.")
    return label


def _clamp(value: float) -> float:
    return round(min(REACH, max(-REACH, value)), 1) + 0.0  # + 0.0 turns −0.0 into 0.0


# ------------------------------------------------------------------------------------------------------------- address


def from_address(address: Address, start: Flower, classes: Sequence[str], scales: int) -> Explore:
    """The changes to `start` that the address describes; defaults stand for what is missing or bad. Never raises."""
    across = address.whole("explore-across", _check_number, 0)
    down = address.whole("explore-down", _check_number, (across + 1) % COUNT)
    return Explore(
        start,
        address.take("explore-at", _read_sliders, NO_SHIFT),
        address.label("explore-second", classes, (main_class(start) + 1) % len(classes)) or 0,
        address.whole("explore-degree", check_degree, 0),
        StyleMix(
            address.label("explore-fine", classes, main_class(start)) or 0,
            address.seed("explore-fine-seed"),
            address.whole(
                "explore-scales", lambda count: validation.whole("number of scales", count, 0, max(0, scales - 1)), 0
            ),
        ),
        across,
        down,
        address.take("explore-step", lambda text: check_step(float(text)), DEFAULT_STEP),
    )


def to_address(wanted: Explore, classes: Sequence[str], scales: int) -> dict[str, str]:
    """The changes as parameters of the address, without the start. An empty value removes its key."""
    several = len(classes) > 1
    moved = wanted.sliders != NO_SHIFT
    return {
        "explore-at": "_".join(f"{value:g}" for value in wanted.sliders) if moved else "",
        "explore-second": classes[wanted.second] if several else "",
        "explore-degree": str(wanted.degree) if several else "",
        "explore-fine": classes[wanted.fine.label] if scales and several else "",
        "explore-fine-seed": str(wanted.fine.seed) if scales else "",
        "explore-scales": str(wanted.fine.scales) if scales else "",
        "explore-across": str(wanted.across + 1),
        "explore-down": str(wanted.down + 1),
        "explore-step": f"{wanted.step:g}",
    }


def _check_number(number: int) -> int:
    return check_direction(number - 1)


def _read_sliders(text: str) -> tuple[float, ...]:
    return check_sliders([float(part) for part in text.split("_")])
