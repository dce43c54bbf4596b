"""A flower that is changed by hand: moved along directions, mixed with another class, crossed with another flower."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gan.errors import UserError
from gan.networks import latents
from gan.sampling import settings
from gan.sampling.directions import COUNT, REACH, Directions
from gan.sampling.flower import Flower, StyleMix
from gan.utils import validation

STILL = (0.0,) * COUNT
MIN_STEP, MAX_STEP, DEFAULT_STEP = 0.2, 2.0, 1.0  # standard deviations between neighbours
AROUND = tuple((across, down) for down in (-1, 0, 1) for across in (-1, 0, 1))


@dataclass(frozen=True)
class Explore:
    """Where a visitor stands: a flower to start from, and what is done to it."""

    start: Flower  # may have been changed elsewhere: what is done here comes on top
    sliders: tuple[float, ...] = STILL
    second: int = 0  # the class that `degree` per cent are taken of
    degree: int = 0
    fine: StyleMix = StyleMix(0, 0, 0)  # with 0 scales no other flower is crossed in
    across: int = 0  # the directions along which the neighbours stand
    down: int = 1
    step: float = DEFAULT_STEP

    def flower(self, classes: Sequence[str], directions: Directions | None) -> Flower:
        """The flower as its extras say it, so that it is exactly the same one wherever it is sent.

        `directions` are needed only where a slider is not 0. Raises UserError for a start that is no flower of this model.
        """
        changed = replace(self.start, label=self._label(len(classes)))
        if self.fine.scales:
            changed = replace(changed, fine=self.fine)
        if self.sliders != STILL:
            changed = directions.move(changed, self.sliders)
        return settings.described(classes, settings.describe(changed, classes)) if changed != self.start else self.start

    def _label(self, classes: int) -> int | tuple[float, ...]:
        label = self.start.label
        if not self.degree or label == self.second:
            return label
        if self.degree == 100:
            return self.second
        weights = label if isinstance(label, tuple) else [100.0 if i == label else 0.0 for i in range(classes)]
        total = sum(weights)
        mixed = [(100 - self.degree) * weight / total for weight in weights]
        mixed[self.second] += self.degree
        return tuple(mixed)

    def neighbours(self) -> Iterator[tuple[float, ...]]:
        """The sliders of the nine flowers around this one, row by row, the fifth being itself; they end at REACH."""
        for across, down in AROUND:
            sliders = list(self.sliders)
            for direction, sense in ((self.across, across), (self.down, down)):
                sliders[direction] = _within(sliders[direction] + sense * self.step)
            yield tuple(sliders)

    def at(self, sliders: tuple[float, ...]) -> Explore:
        """The same with other sliders."""
        return replace(self, sliders=sliders)


def check_sliders(values: Any) -> tuple[float, ...]:
    """COUNT numbers from −REACH to REACH, to one decimal. Raises UserError."""
    if not isinstance(values, list | tuple) or len(values) != COUNT:
        raise UserError(f"the place is {validation.show(values)}; give {COUNT} numbers, one for each direction.")
    return tuple(_within(validation.number("place along a direction", value, -REACH, REACH)) for value in values)


def check_direction(value: Any) -> int:
    """The number of a direction, from 0. Raises UserError."""
    return validation.whole("direction", value, 0, COUNT - 1)


def check_step(value: Any) -> float:
    """Standard deviations between neighbours, to one decimal. Raises UserError."""
    return round(validation.number("step", value, MIN_STEP, MAX_STEP), 1)


def check_degree(value: Any) -> int:
    """Per cent of the second class. Raises UserError."""
    return validation.whole("degree", value, 0, 100)


def check_fine(classes: Sequence[str], name: Any, seed: Any, count: Any, scales: int) -> StyleMix:
    """The flower crossed in, of a model with so many `scales` (0: none can be). Raises UserError."""
    count = validation.whole("number of scales", count, 0, max(0, scales - 1))
    return StyleMix(check_class(classes, name), latents.check_seed(seed), count)


def check_class(classes: Sequence[str], name: Any) -> int:
    """The index of one class. Raises UserError, for "all of them", too."""
    label = settings.check_label(classes, name)
    if label is None:
        raise UserError(f"the class is {validation.show(name)}; choose one of {validation.listed(classes)}.")
    return label


def _within(value: float) -> float:
    return round(min(REACH, max(-REACH, value)), 1) + 0.0  # no −0


# ------------------------------------------------------------------------------------------------------------- address


def from_address(address: settings.Address, start: Flower, classes: Sequence[str], scales: int) -> Explore:
    """What an address says is done to `start`. Never raises."""
    across = address.whole("explore-across", _from_one, 0)
    down = address.whole("explore-down", _from_one, (across + 1) % COUNT)
    return Explore(
        start,
        address.take("explore-at", _read_sliders, STILL),
        address.label("explore-second", classes, (settings.main_class(start) + 1) % len(classes)) or 0,
        address.whole("explore-degree", check_degree, 0),
        StyleMix(
            address.label("explore-fine", classes, settings.main_class(start)) or 0,
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
    """The same as parameters of the address, without the flower; an empty one is to be taken out."""
    several = len(classes) > 1
    moved = wanted.sliders != STILL
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


def _from_one(number: int) -> int:
    return check_direction(number - 1)


def _read_sliders(text: str) -> tuple[float, ...]:
    return check_sliders([float(part) for part in text.split("_")])
