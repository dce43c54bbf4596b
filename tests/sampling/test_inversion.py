"""gan.sampling.inversion: how near a search comes, what it leaves alone, and that it ends."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from conftest import styled_generator, tiny_generator

from gan.sampling.flower import Flower, read_shift
from gan.sampling.inversion import Inverter
from gan.sampling.sampler import Sampler


def soft_generator():
    """One with styles, whose pictures a short search can find again."""
    return styled_generator(contrast=0.1)


@pytest.fixture(params=[tiny_generator, soft_generator], ids=["noise", "styles"])
def house(request):
    generator = request.param()
    sampler = Sampler(generator, 1)
    inverter = Inverter(generator, sampler, 1.5)
    yield generator, sampler, inverter
    inverter.close()
    sampler.close()


def nearest(inverter, photo, label=None, **more):
    return list(inverter.search(photo, label, **more))


def test_a_flower_of_the_model_s_own_is_found_much_nearer_than_any_that_was_drawn(house):
    _, sampler, inverter = house
    for seed in (1001, 1002):
        photo = sampler.draw([Flower(seed % 2, seed, 1.5)])[0]
        best_drawn, *_ = [news.distance for news in nearest(inverter, photo, steps=1) if news.distance == news.distance]
        found = nearest(inverter, photo)[-1]
        assert found.distance < 0.5 * best_drawn and found.distance < 0.3
        assert found.share == 1 and found.flower is not None


def test_what_is_found_is_what_everybody_draws(house):
    _, sampler, inverter = house
    found = nearest(inverter, sampler.draw([Flower(1, 77, None)])[0], 1, steps=8)[-1]
    assert found.flower.label == 1 and found.flower.truncation == 1.5 and found.flower.shift
    assert np.array_equal(found.picture, sampler.draw([found.flower])[0])
    assert read_shift(found.flower.shift, sampler.latents([found.flower])[0].shape[1]).abs().max() > 0


def test_the_same_photo_gives_the_same_flower_and_another_inverter_finds_it_too(house):
    generator, sampler, inverter = house
    photo = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    first, again = (nearest(inverter, photo, steps=10)[-1] for _ in range(2))
    other = Inverter(generator, sampler, 1.5)
    assert first.flower == again.flower == nearest(other, photo, steps=10)[-1].flower
    other.close()


def test_it_stays_where_flowers_live(house):
    _, sampler, inverter = house
    found = nearest(inverter, np.zeros((256, 256, 3), np.uint8), 0)[-1]
    place = inverter.coordinates(0).of_latents(sampler.latents([found.flower])[0][0])
    assert place.square().mean() < 3**2


def test_a_class_that_is_asked_for_is_the_one_found(house):
    _, sampler, inverter = house
    photo = sampler.draw([Flower(0, 5, 1.5)])[0]
    assert [nearest(inverter, photo, label, steps=2)[-1].flower.label for label in (0, 1)] == [0, 1]


def test_two_flowers_at_random_are_a_distance_of_one_apart(house):
    _, sampler, inverter = house
    nearest(inverter, np.zeros((16, 16, 3), np.uint8), steps=1)
    pictures = torch.from_numpy(sampler.draw([Flower(n % 2, 6000 + n, 1.5) for n in range(60)]))
    seen = inverter._perceptual(pictures.permute(0, 3, 1, 2) / 127.5 - 1)
    distances = inverter._candidates.distances([part[:30] for part in seen], [part[30:] for part in seen]).sqrt()
    assert 0.7 < float(distances.median()) < 1.4
    assert float(inverter._candidates.distances(seen, seen).max()) == 0


def test_nothing_that_is_shared_changes(house, two_threads):
    generator, sampler, inverter = house
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    drawn = sampler.draw([Flower(0, 9, 1.5)])
    nearest(inverter, drawn[0], steps=6)
    assert all(torch.equal(value, before[name]) for name, value in generator.state_dict().items())
    assert all(one.grad is None and not one.requires_grad for one in generator.parameters())
    assert np.array_equal(sampler.draw([Flower(0, 9, 1.5)]), drawn)
    assert torch.get_num_threads() == 2 and torch.is_grad_enabled()


def test_weights_that_want_a_gradient_get_none(house):
    generator, sampler, inverter = house
    generator.requires_grad_(True)
    nearest(inverter, sampler.draw([Flower(0, 9, 1.5)])[0], steps=3)
    assert all(one.grad is None for one in generator.parameters())


def test_the_time_is_bounded_and_a_flower_comes_all_the_same(house):
    _, sampler, inverter = house
    photo = sampler.draw([Flower(0, 9, 1.5)])[0]
    nearest(inverter, photo, steps=1)
    began = time.monotonic()
    news = nearest(inverter, photo, seconds=1.0, steps=10**6)
    assert time.monotonic() - began < 4 and news[-1].flower is not None
    assert len(news) < 8, "a few times a second at most"
    fresh = Inverter(inverter._generator, sampler, 1.5)
    assert nearest(fresh, photo, seconds=0)[-1].flower is not None, "none of its time is left after the first flowers"
    fresh.close()


def test_the_news_is_of_growing_shares_and_falling_distances(house):
    _, sampler, inverter = house
    news = nearest(inverter, sampler.draw([Flower(0, 9, 1.5)])[0], steps=60)
    shares = [one.share for one in news]
    assert shares == sorted(shares) and shares[-1] == 1 and 0 <= shares[0] < 0.2
    assert all(one.picture.dtype == np.uint8 and one.picture.shape == (16, 16, 3) for one in news)


def test_closing_it_ends_the_work(house):
    _, sampler, inverter = house
    photo = sampler.draw([Flower(0, 9, 1.5)])[0]
    search = inverter.search(photo, None, seconds=60, steps=10**6)
    while np.isnan(next(search).distance):
        pass
    search.close()
    assert inverter._thread._work_queue.empty()
    began = time.monotonic()
    assert nearest(inverter, photo, steps=1)[-1].flower is not None and time.monotonic() - began < 3, "the thread is free"
    inverter.close()
    assert not any(thread.is_alive() for thread in inverter._thread._threads)


def test_a_frozen_network_can_look_too(house):
    from gan.errors import UserError
    from gan.networks.backbones import find_backbone

    try:
        backbone = find_backbone("efficientnet-lite0")
    except UserError:
        pytest.skip("the weights of EfficientNet-Lite0 are not installed")
    generator, sampler, _ = house
    inverter = Inverter(generator, sampler, 1.5, backbone)
    photo = sampler.draw([Flower(1, 1001, 1.5)])[0]
    news = [one for one in nearest(inverter, photo, steps=25) if one.distance == one.distance]
    assert news[-1].distance < 0.8 * news[0].distance
    assert all(one.grad is None for one in backbone.parameters())
    inverter.close()


def test_a_search_goes_on_where_another_drew_the_last_first_flowers_meanwhile(house):
    """One that was stopped still draws in its thread while the next one begins."""
    _, sampler, inverter = house
    nearest(inverter, sampler.draw([Flower(0, 9, 1.5)])[0], steps=1)
    candidates = inverter._candidates
    assert candidates.complete
    before = len(candidates.flowers)
    assert candidates.draw_more().shape == (16, 16, 3) and len(candidates.flowers) == before
