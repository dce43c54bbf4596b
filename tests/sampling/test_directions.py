"""Directions found without labels, what measures flowers, and a flower that is moved, mixed and crossed by hand."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
import torch
from conftest import CLASSES, styled_generator, tiny_generator

from gan.config import ModelConfig
from gan.errors import UserError
from gan.hub import loader
from gan.sampling import attributes, directions
from gan.sampling.directions import COUNT, Directions, DirectionSearch
from gan.sampling.flower import Flower, StyleMix, describe, described, write_shift
from gan.sampling.sampler import Sampler
from gan.studio import explore_state
from gan.studio.address import Address
from gan.studio.explore_state import NO_SHIFT, Explore
from gan.studio.session import Studio
from gan.studio.tabs.explore import ExploreTab


def styled():
    """A generator with styles, of three classes."""
    return styled_generator((*CLASSES, "rose"))


@pytest.fixture(scope="module", params=[tiny_generator, styled])
def found(request) -> SimpleNamespace:
    sampler = Sampler(request.param(), 1)
    yield SimpleNamespace(
        make=request.param, sampler=sampler, directions=DirectionSearch(sampler).finish(), classes=sampler.config.classes
    )
    sampler.close()


# -------------------------------------------------------------------------------------------------------- directions


def test_directions_are_the_same_each_time_and_in_however_many_threads(found):
    other = Sampler(found.make(), 2)
    again = DirectionSearch(other).finish()
    assert torch.equal(again.steps, found.directions.steps) and again.names == found.directions.names
    assert again.steps.shape[0] == len(again.names) == COUNT
    other.close()


def test_directions_are_one_standard_deviation_long_and_uncorrelated(found):
    flowers = directions._flowers(found.sampler, directions.FIRST_SEED, directions.FLOWERS)
    own, _ = found.sampler.latents(flowers)
    own = directions._centered(own, torch.tensor([flower.label for flower in flowers])).double()
    spread = torch.linalg.pinv(own.T @ own / (len(own) - 1), rcond=1e-9)
    steps = found.directions.steps.double()
    assert torch.allclose(steps @ spread @ steps.T, torch.eye(COUNT, dtype=torch.float64), atol=0.02)


def test_a_direction_changes_pictures_more_than_a_random_one_of_the_same_length(found):
    own, of_class = found.sampler.latents(directions._flowers(found.sampler, 0, 12))

    def effect(step: torch.Tensor) -> float:
        ends = [directions._small_pictures(found.sampler.draw_latents(own + sign * step, of_class)) for sign in (-2, 2)]
        return float((ends[1] - ends[0]).mean(0).square().mean())

    units = directions._units(own - own.mean(0), 8).float()
    random = (
        torch.nn.functional.normalize(torch.randn(20, len(units), generator=torch.Generator().manual_seed(0)), dim=1) @ units
    )
    assert effect(found.directions.steps[0]) > 1.5 * np.median([effect(step) for step in random])


def test_the_search_goes_in_steps_that_never_go_back_and_whoever_comes_later_has_it_at_once(found):
    search = DirectionSearch(found.sampler)
    shares = []
    while not search.found:
        shares.append(search.step())
    assert shares == sorted(shares) and shares[0] < 0.1 and shares[-1] == 1.0 and len(shares) > 30
    assert search.step() == 1.0 and search.finish() is search.found


def test_a_search_that_failed_begins_anew(found):
    search, draws = DirectionSearch(found.sampler), found.sampler.draw_latents
    search.step()
    search._sampler = SimpleNamespace(latents=found.sampler.latents, config=found.sampler.config, draw_latents=None)
    search._work = directions._find(search._sampler)
    with pytest.raises(TypeError):
        search.step()
    search._sampler.draw_latents = draws
    assert torch.equal(search.finish().steps, found.directions.steps)


def change(**more: float) -> dict[str, torch.Tensor]:
    """What every attribute changes by, in ten flowers alike."""
    return {name: torch.full((10,), float(more.get(name, 0.1))) for name in ("brightness", "contrast", "up")}


def test_a_direction_is_named_after_what_it_changes_most_and_clearly():
    split = torch.tensor([3.0] * 8 + [-1.0] * 2)  # large on average, but the other way in two of ten
    changes = [
        change(brightness=2), change(brightness=-3), change(contrast=-1.4), change(up=-1.6, brightness=1.5),
        {**change(), "contrast": split}, change(),
    ]  # fmt: skip
    steps, names = directions._named(torch.ones(COUNT, 4), changes)
    assert names == (None, "brightness", None, "up", None, None)  # the stronger of two has the name
    assert steps[:, 0].tolist() == [1, -1, 1, -1, 1, 1]  # turned so that + is more


# -------------------------------------------------------------------------------------------------------- attributes


def disc(across: float = 0.5, up: float = 0.5, radius: float = 0.25, head=(230, 200, 40), ground=(30, 80, 30)) -> np.ndarray:
    y, x = np.mgrid[:64, :64] / 63
    inside = (x - across) ** 2 + (1 - y - up) ** 2 < radius**2
    return np.where(inside[..., None], np.array(head), np.array(ground)).astype(np.uint8)[None]


@pytest.mark.parametrize(
    "name, less, more",
    [
        ("head_size", disc(radius=0.2), disc(radius=0.35)),
        ("right", disc(across=0.4), disc(across=0.6)),
        ("up", disc(up=0.4), disc(up=0.6)),
        ("brightness", disc(ground=(0, 40, 0)), disc(ground=(90, 120, 60))),
        ("ground_light", disc(ground=(0, 40, 0)), disc(ground=(90, 120, 60))),
        ("ground_green", disc(ground=(80, 80, 80)), disc(ground=(30, 120, 30))),
        ("head_light", disc(head=(150, 120, 20)), disc(head=(250, 220, 120))),
        ("head_red", disc(head=(230, 210, 40)), disc(head=(230, 90, 40))),
        ("color", disc(head=(200, 190, 180)), disc(head=(230, 200, 40))),
        ("contrast", disc(head=(90, 120, 60)), disc(head=(250, 250, 200))),
        ("dark_middle", disc(), np.minimum(disc(), 255 - disc(radius=0.08, head=(200,) * 3, ground=(0,) * 3))),
        ("sharpness", disc(), disc() + np.random.default_rng(0).integers(0, 20, (1, 64, 64, 1), np.uint8)),
    ],
)  # fmt: skip
def test_an_attribute_rises_with_what_it_is_called_by(name, less, more):
    low, high = attributes.measure(less)[name], attributes.measure(more)[name]
    assert high > low and high.shape == (1,)


def test_a_picture_of_one_color_is_measured_too():
    values = attributes.measure(np.full((2, 16, 16, 3), 7, np.uint8))
    assert all(torch.isfinite(value).all() and value.shape == (2,) for value in values.values())


# ------------------------------------------------------------------------------------------------- a flower by hand


def start(found, label: int = 0, **more) -> Flower:
    return Flower(label, 5, 1.5, **more)


def test_with_all_at_zero_it_is_the_flower_itself_with_whatever_it_came_with(found):
    width = found.sampler.latents([start(found)])[0].shape[1]
    shift = write_shift(torch.linspace(-1, 1, width))
    weights = tuple(float(i + 1) for i in range(len(found.classes)))
    for flower in (start(found), start(found, shift=shift), replace(start(found, shift=shift), label=weights)):
        assert Explore(flower).flower(found.classes, found.directions) == flower
        assert Explore(flower, second=1, fine=StyleMix(1, 9, 0)).flower(found.classes, None) == flower


def test_sliders_add_to_the_shift_a_flower_came_with(found):
    first = Explore(start(found), (1.5, 0, 0, -0.5, 0, 0)).flower(found.classes, found.directions)
    then = Explore(first, (-1.5, 0, 0, 0.5, 0, 0)).flower(found.classes, found.directions)
    own = found.sampler.latents([start(found), first, then])[0]
    steps = found.directions.steps
    assert torch.allclose(own[1] - own[0], 1.5 * steps[0] - 0.5 * steps[3], atol=float(steps.abs().max()) / 30)
    assert torch.allclose(own[2], own[0], atol=float(steps.abs().max()) / 30)
    assert not np.array_equal(*found.sampler.draw([start(found), first]))


def test_what_is_drawn_is_what_its_description_brings_back(found):
    fine = StyleMix(1, 77, 2 if found.sampler.scales else 0)
    for label in (0, tuple(1.0 for _ in found.classes)):
        wanted = Explore(replace(start(found), label=label), (0.3, 0, -2, 0, 0, 1), second=1, degree=37, fine=fine)
        flower = wanted.flower(found.classes, found.directions)
        sent = described(found.classes, describe(flower, found.classes))
        assert sent == flower and np.array_equal(*found.sampler.draw([sent, flower]))


def test_a_second_class_by_degree(found):
    def label(degree: int, second: int = 1, base: object = 0) -> object:
        mixed = Explore(replace(start(found), label=base), second=second, degree=degree)
        return mixed.flower(found.classes, None).label

    rest = (0.0,) * (len(found.classes) - 2)
    assert label(0) == 0 and label(50, second=0) == 0 and label(100) == 1
    assert label(40) == pytest.approx((0.6, 0.4, *rest)) and label(70) == pytest.approx((0.3, 0.7, *rest))
    assert label(50, base=(0.5, 0.5, *rest)) == pytest.approx((0.25, 0.75, *rest))


def test_scales_of_another_flower(found):
    if not found.sampler.scales:
        pytest.skip("no styles")
    plain, other = start(found), Flower(1, 77, 1.5)
    crossed = Explore(plain, fine=StyleMix(1, 77, 1)).flower(found.classes, None)
    own, of_class = found.sampler.latents([plain, other, crossed])
    assert torch.equal((own + of_class)[2][0], (own + of_class)[0][0]) and torch.equal(own[2][1:], own[1][1:])
    with pytest.raises(UserError, match="number of scales"):
        explore_state.check_fine(found.classes, "marigold", 7, found.sampler.scales, found.sampler.scales)


def test_nine_neighbors_of_which_none_is_beyond_the_end():
    wanted = Explore(Flower(0, 1), (2.5, 0.1, 0, 0, 0, 0), across=0, down=1, step=0.7)
    places = list(wanted.neighbors())
    assert places[4] == wanted.sliders and len(places) == 9
    assert [place[0] for place in places[:3]] == [1.8, 2.5, 3.0] and [place[1] for place in places[::3]] == [-0.6, 0.1, 0.8]
    assert all(explore_state.check_sliders(list(place)) == place for place in places)
    assert Explore(Flower(0, 1), (3.0, *NO_SHIFT[1:])).with_sliders(NO_SHIFT).sliders == NO_SHIFT


# ----------------------------------------------------------------------------------------------------- what arrives


@pytest.mark.parametrize(
    "value", [None, "1", [], [0.0] * 5, [0.0] * 7, [3.1, 0, 0, 0, 0, 0], [float("nan")] * 6, ["0"] * 6, [True] * 6, {"0": 1}]
)
def test_forged_sliders_are_refused(value):
    with pytest.raises(UserError):
        explore_state.check_sliders(value)


@pytest.mark.parametrize(
    "check, value",
    [(explore_state.check_direction, 6), (explore_state.check_direction, "1"), (explore_state.check_step, 0),
     (explore_state.check_step, None), (explore_state.check_degree, 101), (explore_state.check_degree, 0.5),
     (lambda name: explore_state.check_class(CLASSES, name), "All"),
     (lambda name: explore_state.check_class(CLASSES, name), "rose"),
     (lambda seed: explore_state.check_fine(CLASSES, CLASSES[0], seed, 0, 6), -1),
     (lambda count: explore_state.check_fine(CLASSES, CLASSES[0], 0, count, 0), 1)],
)  # fmt: skip
def test_other_forged_values_are_refused(check, value):
    with pytest.raises(UserError):
        check(value)


def read(query: str, scales: int = 6) -> Explore:
    return explore_state.from_address(Address(query, lambda: 4), Flower(0, 1), CLASSES, scales)


def test_the_address_brings_it_all_back():
    wanted = Explore(Flower(0, 1), (0.5, -3.0, 0.0, 0.0, 0.0, 2.1), 1, 37, StyleMix(1, 99, 3), 4, 2, 0.7)
    pairs = explore_state.to_address(wanted, CLASSES, 6)
    assert read("&".join(f"{key}={value}" for key, value in pairs.items())) == wanted
    assert not any(
        explore_state.to_address(wanted, ("one",), 0)[key] for key in ("explore-second", "explore-fine", "explore-scales")
    )


@pytest.mark.parametrize(
    "query", ["", "explore-at=1_2&explore-degree=999&explore-scales=77&explore-across=0&explore-step=nan&explore-fine=x",
              "explore-at=nan_0_0_0_0_0&explore-degree=-1&explore-scales=6&explore-down=9&explore-step=&explore-second=%00"],
)  # fmt: skip
def test_a_bad_address_takes_the_defaults(query):
    assert read(query) == Explore(Flower(0, 1), second=1, fine=StyleMix(0, 4, 0))


def test_an_address_of_a_model_without_styles_crosses_nothing():
    assert read("explore-scales=2", scales=0).fine.scales == 0


def test_directions_refuse_a_shift_of_another_model():
    with pytest.raises(UserError, match="shift"):
        Directions(torch.ones(COUNT, 8), (None,) * COUNT).move(Flower(0, 1, shift="AAAA"), (1.0, *NO_SHIFT[1:]))


@pytest.fixture(scope="module")
def tab(model_folder):
    from gan.hub import loader
    from gan.studio.session import Studio
    from gan.studio.tabs.explore import ExploreTab

    with gr.Blocks(), gr.Tabs():
        made = ExploreTab(Studio(loader.load(str(model_folder))))
    yield made
    made.studio.sampler.close()


def held(tab, wanted: Explore) -> list:
    """What the controls hold when they show `wanted`."""
    return [value.value if isinstance(value, gr.Slider) else value for value in tab.to_controls(wanted)]


def test_the_tab_gives_exactly_the_picture_that_was_clicked_and_at_zero_the_flower_s_own(tab):
    wanted = tab.from_address(Address("explore-seed=9&explore-class=marigold", lambda: 4))
    plain = tab.studio.items([wanted.start])[0]
    waiting = tab.draw(wanted)
    assert waiting["waiting"] and [item["src"] for item in waiting["items"]] == [plain["src"]]
    assert tab.draw(wanted.with_sliders((1.0, *NO_SHIFT[1:])))["items"] == []  # it has to wait
    *shares, last = list(tab._find())
    progress = [value["progress"] for value, *_ in shares]
    assert progress == sorted(progress) and progress[-1] == 1 and last[0] == {"found": True}
    assert len({update.label for update in last[1:]}) == COUNT
    shown = tab.draw(wanted)
    sources = [item["src"] for item in shown["items"]]
    assert len(set(sources)) == 9 and sources[4] == plain["src"]
    for number, item in enumerate(shown["items"]):
        moved, *sliders = tab._move(gr.EventData(None, {"at": list(item["at"])}), *held(tab, wanted))
        assert moved["items"][4]["src"] == item["src"] and tuple(sliders) == item["at"], number


@pytest.mark.parametrize("letter", ["none", None, {"at": [9] * 6}, {"at": None}, ["at"]])
def test_a_forged_move_is_refused(tab, letter):
    event = None if letter == "none" else gr.EventData(None, letter)
    with pytest.raises(UserError):
        tab._move(event, *held(tab, tab.from_address(Address("", lambda: 4))))


def test_a_flower_that_arrives_is_the_start_and_a_forged_one_in_the_address_is_left_out(tab):
    now = tab.from_address(Address("explore-at=1_0_0_0_0_0&explore-degree=20&explore-across=3", lambda: 4))
    sent = tab.from_address(Address("explore-seed=5", lambda: 4)).start
    shift = write_shift(torch.ones(8))
    taken = tab.receive(replace(sent, shift=shift), "to", now)
    assert (taken.start.shift, taken.sliders, taken.degree, taken.across) == (shift, NO_SHIFT, 0, 2)
    for label in (0, 1):
        assert tab.receive(replace(sent, label=label), "to", now).second != label, "a class is not mixed with itself"
    for bad in ("~sAAAA", "~f0:1:3"):
        found = tab.from_address(Address(f"explore-seed=5&explore-class=dandelion&explore-extras=0.5{bad}", lambda: 4))
        assert found.start == replace(sent, label=0)


# -------------------------------------------------------------------------------------------------------- many classes


def of(classes: int, **more) -> ModelConfig:
    names = tuple(f"species {number}" for number in range(classes))
    return replace(tiny_generator().config, classes=names, **more)


@pytest.mark.parametrize(
    ("config", "offered"),
    [(of(2), True), (of(256), True), (of(257), False), (of(1000), False), (of(2, z_dim=512), True), (of(2, z_dim=1024), False)],
)
def test_directions_are_offered_where_enough_flowers_stand_behind_them(config, offered):
    assert directions.can_be_found(config) is offered


def test_with_hundreds_of_classes_the_mix_stays_and_nothing_moves():
    studio = Studio(loader.Model("many", "path", "0123", tiny_generator(of(300).classes), None))
    with gr.Blocks(), gr.Tabs():
        room = ExploreTab(studio)
    assert not room.has_directions and list(room._find())[-1][0] == gr.skip()
    query = "?explore-class=species 3&explore-seed=5&explore-second=species 250&explore-degree=40&explore-at=1_0_0_0_0_0"
    wanted = room.from_address(Address(query, lambda: 1))
    shown = room.link_value(wanted)
    assert wanted.sliders == NO_SHIFT and shown["items"][0]["extras"] == "3.5~m3-60:250-40"
    values = [value if not hasattr(value, "value") else value.value for value in room.to_controls(wanted)]
    values[len(room.start.controls)] = 2.0  # a forged slider
    assert room.from_controls(*values).sliders == NO_SHIFT


def test_a_mix_of_a_hundred_classes_has_nine_different_neighbors():
    generator = tiny_generator(of(120).classes)
    sampler = Sampler(generator, 1)
    found = DirectionSearch(sampler).finish()
    wanted = Explore(Flower(3, 5), second=110, degree=40)
    flowers = [wanted.with_sliders(place).flower(generator.config.classes, found) for place in wanted.neighbors()]
    assert all(isinstance(flower.label, tuple) for flower in flowers)
    assert len({picture.tobytes() for picture in sampler.draw(flowers)}) == 9
    sampler.close()
