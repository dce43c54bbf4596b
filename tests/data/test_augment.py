"""gan.data.augment: geometry, chances and switches of the four augmentations."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from PIL import Image

from gan.data.augment import Augment, diffaugment, flip_horizontal, flip_vertical, rotate, to_float, transpose
from gan.utils.distributed import ShardedRandom

NAMES = ("transpose", "flip_horizontal", "flip_vertical", "rotate")
CORNERS = torch.tensor([[1.0, 2.0], [3.0, 4.0]])  # as seen: 1 upper left, 2 upper right, 3 lower left, 4 lower right


def seeded(seed: int = 0) -> ShardedRandom:
    return ShardedRandom(seed)


def only(*names: str) -> Augment:
    return Augment(**{name: name in names for name in NAMES})


def noise(count: int, size: int = 8) -> torch.Tensor:
    return seeded(7).uniform(count, 3, size, size) * 2 - 1


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (transpose, [[1, 3], [2, 4]]),
        (flip_horizontal, [[2, 1], [4, 3]]),
        (flip_vertical, [[3, 4], [1, 2]]),
        (lambda x: rotate(x, 90), [[2, 4], [1, 3]]),  # counter-clockwise: the upper right corner comes to the upper left
        (lambda x: rotate(x, -90), [[3, 1], [4, 2]]),
        (lambda x: rotate(x, 180), [[4, 3], [2, 1]]),
        (lambda x: rotate(x, 0), [[1, 2], [3, 4]]),
    ],
)
def test_what_moves_where(change, expected):
    result = change(CORNERS.expand(2, 3, 2, 2))
    torch.testing.assert_close(result, torch.tensor(expected).float().expand(2, 3, 2, 2), atol=1e-4, rtol=0)


@pytest.mark.parametrize("size", [5, 16, 63, 128])
@pytest.mark.parametrize(("degrees", "quarters"), [(90, 1), (-90, -1), (180, 2)])
def test_quarter_turns_are_exact(size, degrees, quarters):
    images = noise(2, size)
    torch.testing.assert_close(rotate(images, degrees), torch.rot90(images, quarters, (2, 3)), atol=1e-4, rtol=0)


@pytest.mark.parametrize("degrees", [30.0, -17.0, 45.0])
def test_rotation_turns_as_pillow_does(degrees):
    line = torch.linspace(-1, 1, 33)
    smooth = (torch.sin(2 * line)[:, None] * 0.5 + line[None, :] * 0.4).float()
    turned = rotate(smooth.expand(1, 1, 33, 33), degrees)[0, 0]
    # Pillow turns about the same centre, counter-clockwise too, but fills the corners with black: compare the middle.
    pillow = torch.tensor(np.asarray(Image.fromarray(smooth.numpy()).rotate(degrees, Image.Resampling.BILINEAR)))
    torch.testing.assert_close(turned[8:25, 8:25], pillow[8:25, 8:25], atol=1e-3, rtol=0)


def test_each_sample_has_its_own_angle():
    images = noise(3)
    together = rotate(images, torch.tensor([10.0, -80.0, 0.0]))
    for number, degrees in enumerate((10.0, -80.0, 0.0)):
        torch.testing.assert_close(together[number : number + 1], rotate(images[number : number + 1], degrees))


def test_corners_are_reflected_without_repeating_the_edge():
    # The picture's value is its x, 0 to 8. A turn by 45° fetches the corners 4·√2 = 5.657 from the centre: the upper left
    # and lower right ones above and below it (x = 4), the others at x = 9.657 and −1.657, reflected at 8 and 0.
    ramp = torch.arange(9.0).expand(1, 1, 9, 9)
    turned = rotate(ramp, 45)[0, 0]
    beyond = 4 * 2**0.5 - 4
    expected = {(0, 0): 4.0, (8, 8): 4.0, (0, 8): 8 - beyond, (8, 0): beyond}
    for (row, column), value in expected.items():
        assert turned[row, column].item() == pytest.approx(value, abs=1e-4), (row, column)


def test_rotation_keeps_type_and_range_and_ignores_autocast():
    images = noise(4, 16)
    assert rotate(images.bfloat16(), 20).dtype == torch.bfloat16
    assert rotate(images.sign(), 33).abs().max() <= 1 + 1e-6
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = rotate(images, 20)
    assert torch.equal(inside, rotate(images, 20))


@pytest.mark.parametrize("name", NAMES)
def test_each_is_applied_to_about_half(name):
    count = 2000
    images = noise(1, 6).expand(count, 3, 6, 6)
    changed = (only(name)(images, seeded(3)) != images).flatten(1).any(1).sum().item()
    assert abs(changed - count / 2) < 4 * (count / 4) ** 0.5  # four standard deviations of a fair coin


def test_angles_are_uniform_over_the_half_turn():
    # Read each angle off a slope: after a turn by a, the ramp x becomes x·cos a − y·sin a around the centre.
    line = torch.linspace(-1, 1, 9)
    turned = only("rotate")(line.expand(2000, 3, 9, 9), seeded(5))[:, 0]
    across, down = turned[:, 4, 5] - turned[:, 4, 3], turned[:, 5, 4] - turned[:, 3, 4]
    angles = torch.rad2deg(torch.atan2(-down, across))
    angles = angles[angles.abs() > 1e-3]
    assert angles.abs().max() <= 90.01
    share = torch.histc(angles, bins=6, min=-90, max=90) / len(angles)
    assert (share - 1 / 6).abs().max() < 0.05


def test_all_off_returns_the_input():
    images = noise(5)
    assert only()(images, seeded()) is images


def test_input_is_left_alone():
    images = noise(16)
    before = images.clone()
    Augment()(images, seeded())
    assert torch.equal(images, before)


def test_same_chance_same_bytes():
    images = noise(32, 16)
    first, second, other = (Augment()(images, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, second) and not torch.equal(first, other)
    going_on = seeded(1)
    Augment()(images, going_on)
    assert not torch.equal(Augment()(images, going_on), first)


@pytest.mark.parametrize("on", [names for count in range(4) for names in itertools.combinations(NAMES, count)])
def test_a_switch_changes_nothing_about_the_others(on):
    """What is switched on happens to the same samples, by the same angles, and what is drawn next is the same."""
    images, everything, some = noise(64), seeded(9), seeded(9)
    Augment()(images, everything)
    result = only(*on)(images, some)
    assert torch.equal(everything.uniform(4), some.uniform(4))
    expected = images
    for name in NAMES:  # one after the other, each alone with the same draws
        if name in on:
            expected = only(name)(expected, seeded(9))
    assert torch.equal(result, expected)


def test_each_sample_is_changed_by_its_own_numbers():
    """One sample after the other, by the five numbers that are its own: three flips and the turn, and the angle."""
    images = noise(48)
    expected = []
    for image, draw in zip(images, seeded(6).uniform(48, 5).tolist()):
        image = image[None]
        for change, number in zip((transpose, flip_horizontal, flip_vertical), draw):
            image = change(image) if number < 0.5 else image
        expected.append(rotate(image, 180 * draw[4] - 90) if draw[3] < 0.5 else image)
    torch.testing.assert_close(Augment()(images, seeded(6)), torch.cat(expected), atol=1e-4, rtol=0)


def test_a_sample_does_not_depend_on_the_batch():
    images = noise(40)
    torch.testing.assert_close(Augment()(images, seeded(4))[:10], Augment()(images[:10], seeded(4)))


def test_empty_batch():
    assert Augment()(noise(0), seeded()).shape == (0, 3, 8, 8)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_draws_the_same():
    images = noise(32, 16)
    torch.testing.assert_close(Augment()(images.cuda(), seeded()).cpu(), Augment()(images, seeded()), atol=1e-4, rtol=0)


# --------------------------------------------------------------------------------------------- what the critic is shown


@pytest.mark.parametrize("side", [8, 32, 33])
def test_diffaugment_keeps_shape_and_type_and_its_input(side):
    images = noise(16, side)
    before = images.clone()
    shown = diffaugment(images, seeded())
    assert shown.shape == images.shape and shown.dtype == images.dtype and shown.isfinite().all()
    assert torch.equal(images, before) and (shown != images).flatten(1).any(1).all()


def test_diffaugment_of_the_same_chance_is_the_same():
    images = noise(16, 16)
    first, second, other = (diffaugment(images, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, second) and not torch.equal(first, other)
    shown, drawn = seeded(1), seeded(1)
    diffaugment(images, shown)
    drawn.uniform(16, 8)
    assert torch.equal(shown.uniform(4), drawn.uniform(4)), "eight numbers a sample"


def test_diffaugment_of_a_sample_does_not_depend_on_the_batch():
    images = noise(20, 16)
    torch.testing.assert_close(diffaugment(images, seeded(4))[:5], diffaugment(images[:5], seeded(4)))


def test_diffaugment_one_sample_after_the_other():
    """In numpy, by the eight numbers that are its own: brightness, saturation, contrast, shift, whether a hole, and where."""
    images = noise(40, 32)
    wanted = []
    for image, draw in zip(images.double().numpy(), seeded(6).uniform(40, 8).double().tolist()):
        brightness, saturation, contrast, down, right, rng, row, column = draw
        gray = image.mean(0)
        image = gray + (image - gray) * 2 * saturation
        image = image.mean() + (image - image.mean()) * (0.5 + contrast) + brightness - 0.5
        moved = np.zeros_like(image)
        for y in range(32):
            for x in range(32):
                fetched = y + int(down * 9) - 4, x + int(right * 9) - 4
                if min(fetched) >= 0 and max(fetched) < 32:
                    moved[:, y, x] = image[:, fetched[0], fetched[1]]
        if rng < 0.5:
            y, x = int(row * 32), int(column * 32)
            moved[:, max(0, y - 8) : y + 8, max(0, x - 8) : x + 8] = 0
        wanted.append(moved)
    torch.testing.assert_close(diffaugment(images, seeded(6)).double(), torch.tensor(np.array(wanted)), atol=1e-5, rtol=0)


def test_diffaugment_lets_gradients_through_to_every_sample():
    images = noise(32, 16).requires_grad_(True)
    shown = diffaugment(images, seeded())
    (shown * seeded(2).normal(*shown.shape)).sum().backward()
    assert images.grad.isfinite().all() and (images.grad != 0).flatten(1).any(1).all()
    assert (images.grad != 0).float().mean() > 0.5, "a hole and a margin hide less than half of it"


def test_diffaugment_leaves_gray_gray_and_changes_colors():
    gray = noise(200, 16).mean(1, keepdim=True).expand(-1, 3, -1, -1)
    shown = diffaugment(gray, seeded(1))
    assert (shown - shown.mean(1, keepdim=True)).abs().max() < 1e-5
    images = noise(200, 16)
    color = (images - images.mean(1, keepdim=True)).abs().mean()
    shown = diffaugment(images, seeded(1))
    strength = (shown - shown.mean(1, keepdim=True)).abs().mean((1, 2, 3)) / color
    assert strength.min() < 0.1 and strength.max() > 1.5


def test_diffaugment_shifts_by_an_eighth_at_most_and_as_far_to_every_side():
    images = torch.zeros(2000, 3, 32, 32)
    images[:, :, 15, 15] = 50  # brighter than all else, whatever happens to its color
    shown = diffaugment(images, seeded(2)).mean(1)
    seen = shown.flatten(1).max(1)
    at = seen.indices[seen.values > 10]  # where no hole hides it
    assert len(at) > 1000
    for shift in (at // 32 - 15, at % 32 - 15):
        counts = torch.bincount(shift + 4, minlength=9)
        assert len(counts) == 9 and counts.min() > 0.7 * counts.sum() / 9, "−4 to 4, all about as often"


def test_diffaugment_cuts_a_hole_of_half_the_side_into_about_half():
    count = 2000
    shown = diffaugment(torch.full((count, 3, 32, 32), 9.0), seeded(3))
    empty = shown[:, 0] == 0
    # A shift empties whole rows and columns at the border; a hole does not reach from one side to the other.
    hole = empty & ~empty.all(1)[:, None, :] & ~empty.all(2)[:, :, None]
    cut = hole.flatten(1).any(1).sum().item()
    assert abs(cut - count / 2) < 4 * (count / 4) ** 0.5
    assert hole.any(1).sum(1).max() == hole.any(2).sum(1).max() == 16
    assert torch.equal(shown[:, 0] == 0, shown[:, 2] == 0)


@pytest.mark.parametrize("augment", [Augment(), only("flip_horizontal"), only()])
def test_photos_as_they_are_stored_give_the_same_bits(augment):
    photos = torch.randint(0, 256, (20, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    before = photos.clone()
    assert torch.equal(to_float(photos), photos.float() / 127.5 - 1)
    assert torch.equal(augment(photos, seeded(1)), augment(photos.float() / 127.5 - 1, seeded(1)))
    assert torch.equal(photos, before)
