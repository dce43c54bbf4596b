"""Matching two sets: it draws pictures to the photos of their class, apart from one another, and knows the last ones."""

from __future__ import annotations

import copy

import pytest
import torch
from pictures import make_photos

from gan.config import ModelConfig
from gan.data.image_folder import load_photos
from gan.losses import kernel_distance
from gan.matching import RECENT, TILE, TILE_SCALE, Matching, _mean_tile
from gan.networks.backbones import find_backbone
from gan.networks.projected_critic import ProjectedCritic

MODEL = ModelConfig("small", 32, ("dandelion", "marigold"), ("M>8", "S>8", "S>8", "S>8", "S>8"), z_dim=8).validate()
EACH = 18  # photos a class, with their mirrored ones more than a batch of the backbone's


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Photos N×3×32×32 in [−1, 1], those of class 0 first."""
    found = load_photos(make_photos(tmp_path_factory.mktemp("photos"), EACH), 32)
    assert found.labels.tolist() == [0] * EACH + [1] * EACH
    return found.images.float() / 127.5 - 1


@pytest.fixture(scope="module")
def critic(photos):
    torch.manual_seed(1)
    critic = ProjectedCritic(MODEL, find_backbone("efficientnet-lite0"), 4)
    critic.init_weights()
    critic.calibrate(photos)
    return critic


def settled(critic, photos):
    matching = Matching(critic)
    matching.calibrate(photos, classes(EACH, EACH))
    return matching


def classes(first, second):
    return torch.tensor([0] * first + [1] * second)


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# ------------------------------------------------------------------------------------------------- the distance of sets


def test_photos_are_nearer_to_themselves_than_anything_else(critic, photos):
    """A set of photos against others, of the right labels, of the wrong ones, in a color of their own, and one of it alone."""
    some, labels = photos[[0, 1, 2, 3, 18, 19, 20, 21]], classes(4, 4)
    own = settled(critic, photos)(some, labels)
    others = {
        "of the other class": (some, 1 - labels),
        "of another color": (some.flip(1), labels),
        "noise": (noise(8, 3, 32, 32), labels),
        "the same one each time": (photos[[0] * 4 + [18] * 4], labels),
    }
    for name, (pictures, named) in others.items():
        assert settled(critic, photos)(pictures, named) > own + 0.05, name


def test_mirrored_photos_are_photos_too(critic, photos):
    matching = settled(critic, photos)
    seen = matching.statistics(photos[[3, 30]].flip(-1))
    for group, known in zip(seen, matching.photos):
        nearest = torch.cdist(group, known, compute_mode="donot_use_mm_for_euclid_dist").min(1)
        assert nearest.values.max() < 0.01
        if known.std(0).max() > 0:  # the last map is a single pixel, without a deviation
            assert nearest.indices.tolist() == [2 * EACH + 3, 2 * EACH + 30]
    assert matching.photo_labels[[3, 2 * EACH + 3, 30, 2 * EACH + 30]].tolist() == [0, 0, 1, 1]


def test_the_distance_is_the_mean_over_what_is_seen_with_shares_by_class(critic, photos):
    """From the definition: photos of the class attract alike, pictures of the class but oneself repel alike."""
    matching = settled(critic, photos)
    pictures, labels = noise(3, 3, 32, 32), torch.tensor([0, 1, 0])
    attract, repel = torch.zeros(3, 4 * EACH), torch.zeros(3, 3)
    attract[:, : 2 * EACH] = torch.tensor([[1.0] * EACH + [0.0] * EACH, [0.0] * EACH + [1.0] * EACH])[labels] / (2 * EACH)
    attract[:, 2 * EACH :] = attract[:, : 2 * EACH]
    repel[0, 2] = repel[2, 0] = 1  # the only one of class 1 has no neighbor
    wanted = [
        kernel_distance(group, known, group, attract, repel)
        for group, known in zip(matching.statistics(pictures), matching.photos, strict=True)
    ]
    torch.testing.assert_close(matching(pictures, labels), torch.stack(wanted).mean())


def test_what_is_seen_is_a_tiny_picture_and_mean_deviation_and_cells_of_every_map(critic, photos):
    matching = settled(critic, photos)
    assert [group.shape[1] for group in matching.photos] == [
        3 * 64, 3 * 64, 24, 24, 24 * 16, 40, 40, 40 * 16, 112, 112, 320, 320,
    ]  # fmt: skip
    tiny, tile, mean, deviation = matching.statistics(photos[:1])[:4]
    finest = critic.maps(photos[:1])[0]
    torch.testing.assert_close(tiny.view(3, 8, 8), 2 * photos[0].view(3, 8, 4, 8, 4).mean((2, 4)))
    torch.testing.assert_close(tile, TILE_SCALE * _mean_tile(photos[:1]))
    torch.testing.assert_close(mean[0], finest[0].mean((1, 2)))
    torch.testing.assert_close(deviation[0], finest[0].flatten(1).std(1, correction=0), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("side", [8, 16, 32])
def test_maps_of_a_single_pixel_have_no_deviation_and_do_no_harm(critic, side):
    """The coarsest map of pictures of 32 pixels is one: a deviation of that would be no number."""
    matching = settled(critic, noise(2 * EACH, 3, side, side))
    assert all(group.isfinite().all() for group in matching.photos)
    pictures = noise(4, 3, side, side, seed=1).requires_grad_(True)
    distance = matching(pictures, classes(2, 2))
    distance.backward()
    assert distance.isfinite() and pictures.grad.isfinite().all()


# ----------------------------------------------------------------------------------------------------------- its slopes


def test_pictures_that_begin_alike_part_and_come_near_to_the_photos_of_their_class(critic, photos):
    """Free pixels, from one flat gray that is no photo; how near is told by the mean of each class in all that is seen."""
    matching, labels = settled(critic, photos), classes(4, 4)
    pictures = (0.5 + 0.01 * noise(8, 3, 32, 32)).requires_grad_(True)

    def away(label):
        seen = [group[labels == label].mean(0) for group in matching.statistics(pictures.detach())]
        known = [group[matching.photo_labels == label].mean(0) for group in matching.photos]
        far = torch.stack([(a - b).norm() for a, b in zip(seen, known)])
        return torch.cat([far[:1], far[2:-1]])  # a flat gray has no grid to lose, and a single pixel deviates from nothing

    def apart():
        return pictures.detach().view(2, 4, -1).std(1).mean().item()

    before, alike = [away(0), away(1)], apart()
    optimizer = torch.optim.Adam([pictures], 0.05)
    for _ in range(30):
        matching.load_state({"recent": [], "recent_labels": labels[:0]})  # or they would flee from where they were
        optimizer.zero_grad()
        matching(pictures, labels).backward()
        optimizer.step()
    assert apart() > 10 * alike
    for label in (0, 1):
        assert (away(label) / before[label]).mean() < 0.85


def test_without_repulsion_pictures_that_begin_alike_would_stay_alike(critic, photos):
    """What drives them apart is the likeness to one another: a first step from nearly one picture increases all distances."""
    matching = settled(critic, photos)
    pictures = (photos[:EACH].mean(0) + 0.01 * noise(4, 3, 32, 32)).requires_grad_(True)
    matching(pictures, classes(4, 0)).backward()
    alone = [settled(critic, photos) for _ in range(4)]
    single = [pictures.detach()[i : i + 1].requires_grad_(True) for i in range(4)]
    for own, picture in zip(alone, single):
        own(picture, classes(1, 0)).backward()

    def parting(gradients):
        """How fast a step down `gradients` would part the pictures."""
        middle = pictures.detach() - pictures.detach().mean(0)
        return -(gradients * middle).sum().item()

    assert parting(pictures.grad) > 3 * abs(parting(torch.cat([picture.grad for picture in single])) / 4)


def test_a_picture_is_not_drawn_to_photos_of_another_class(critic, photos):
    """Whatever the photos of class 1 are, pictures of class 0 stand and go as they do without them."""
    results = []
    for others in (photos[EACH:], noise(EACH, 3, 32, 32)):
        pictures = noise(3, 3, 32, 32, seed=4).requires_grad_(True)
        distance = settled(critic, torch.cat([photos[:EACH], others]))(pictures, classes(3, 0))
        distance.backward()
        results.append((distance.detach(), pictures.grad))
    assert results[0][1].any()
    for found, wanted in zip(*results):
        torch.testing.assert_close(found, wanted, atol=1e-7, rtol=1e-4)


def test_a_picture_is_not_driven_from_pictures_of_another_class(critic, photos):
    pictures = noise(3, 3, 32, 32, seed=4)
    wanted = settled(critic, photos)(pictures, classes(3, 0))
    for label, same in ((1, True), (0, False)):
        matching = settled(critic, photos)
        matching(pictures + 0.01, torch.full((3,), label))
        found = matching(pictures, classes(3, 0))
        assert (found - wanted).abs() < 1e-5 if same else found > wanted + 0.01


def test_the_recent_pictures_are_taken_as_they_were(critic, photos):
    matching = settled(critic, photos)
    first, second = (noise(2, 3, 32, 32, seed=seed).requires_grad_(True) for seed in (1, 2))
    matching(first, classes(1, 1))
    matching(second, classes(1, 1)).backward()
    assert first.grad is None and second.grad.any()
    assert not any(group.requires_grad for group in matching.recent)


# ----------------------------------------------------------------------------------------------------- what it remembers


def test_the_last_batches_are_kept_and_no_more(critic, photos):
    matching = settled(critic, photos)
    batches = [noise(2, 3, 32, 32, seed=seed) for seed in range(RECENT + 3)]
    for number, batch in enumerate(batches):
        matching(batch, torch.tensor([number % 2, 0]))
        assert {len(group) for group in matching.recent} == {2 * min(number + 1, RECENT)} == {len(matching.recent_labels)}
    tiny = torch.cat([matching.statistics(batch)[0] for batch in batches[-RECENT:]])
    torch.testing.assert_close(matching.recent[0], tiny)
    assert matching.recent_labels.tolist() == [number for i in range(3, RECENT + 3) for number in (i % 2, 0)]
    matching.calibrate(photos, classes(EACH, EACH))
    assert matching.recent == [] and len(matching.recent_labels) == 0


def test_it_goes_on_exactly_from_its_state(critic, photos):
    first, labels = settled(critic, photos), classes(1, 1)
    for seed in range(3):
        first(noise(2, 3, 32, 32, seed=seed), labels)
    second, third = settled(critic, photos), settled(critic, photos)
    second.load_state(copy.deepcopy(first.state()))
    for seed in range(3, 6):
        batch = noise(2, 3, 32, 32, seed=seed)
        wanted = first(batch, labels)
        assert torch.equal(second(batch, labels), wanted)
        assert torch.equal(third(batch, labels), wanted) == (seed >= 2 + RECENT), "until it has seen as many itself"


def test_a_state_before_the_first_picture_is_one_too(critic, photos):
    matching = settled(critic, photos)
    matching.load_state(copy.deepcopy(matching.state()))
    assert matching(noise(2, 3, 32, 32), classes(1, 1)).isfinite()


def test_there_is_nothing_in_it_to_train_or_to_save_with_the_weights(critic, photos):
    matching = settled(critic, photos)
    assert not list(matching.parameters()) and not matching.state_dict()


def test_the_mean_tile_is_the_grid_and_nothing_else():
    torch.manual_seed(0)
    tile = torch.randn(1, 3, TILE, TILE)
    tile -= tile.mean((2, 3), keepdim=True)
    found = _mean_tile(tile.repeat(1, 1, 4, 4) + torch.tensor([0.3, -0.2, 0.5])[:, None, None])
    assert torch.allclose(found, tile.flatten(1), atol=1e-6), "a color all over is no grid"
    smooth = torch.linspace(-1, 1, 32).expand(1, 3, 32, 32)
    assert _mean_tile(smooth).abs().max() < 0.25 < _mean_tile(tile.repeat(1, 1, 4, 4)).abs().max()
