"""What `--preset auto` chooses, by photos, by device, and where the critic's frozen network is missing."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from gan import auto
from gan.data import find_photos
from gan.errors import UserError
from gan.presets import RESOLUTIONS, from_preset, lasting

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def folder(place, sides, classes=2):
    """A folder of photos whose headers say these sides."""
    for label in range(classes):
        (place / f"class{label}").mkdir(parents=True)
        for number, side in enumerate(sides):
            Image.new("RGB", (side, side + 40)).save(place / f"class{label}" / f"{number}.png")
    return find_photos(place)


@pytest.mark.parametrize(
    ("side", "device", "resolution"), [(300, CPU, 128), (300, CUDA, 256), (120, CUDA, 128), (60, CPU, 64), (20, CPU, 64)]
)
def test_the_resolution_follows_the_photos_and_the_device(tmp_path, side, device, resolution):
    choice = auto.choose(device, folder(tmp_path / "photos", [side] * 5))
    assert (choice.preset, choice.resolution) == ("flagship", resolution)
    assert f"usually {side} pixels" in choice.why


def test_few_photos_get_the_least_and_many_the_most(tmp_path):
    found = folder(tmp_path / "photos", [128] * 4)
    assert auto.choose(CPU, found).images == auto.LEAST
    path = found["class0"][0]
    assert auto.choose(CPU, {"a": [path] * 300}).images == 300 * auto.PASSES
    assert auto.choose(CPU, {"a": [path] * 30_000}).images == auto.MOST["cpu"]


def test_files_that_are_no_photos_do_not_count(tmp_path):
    found = folder(tmp_path / "photos", [128] * 5)
    for number in range(40):
        (tmp_path / "photos" / "class0" / f"x{number}.jpg").write_bytes(b"nothing")
    assert auto.choose(CPU, find_photos(tmp_path / "photos")).resolution == 128
    assert found


def test_without_the_frozen_network_it_is_the_papers_model(tmp_path, monkeypatch):
    def missing(name):
        raise UserError("the weights are not installed; install them.")

    monkeypatch.setattr(auto, "find_trunk", missing)
    choice = auto.choose(CPU, folder(tmp_path / "photos", [200] * 5))
    assert choice.preset == "cwgan-gp-64" and choice.resolution == 64
    assert "not the flagship, because the weights are not installed" in choice.why


@pytest.mark.parametrize("side", RESOLUTIONS)
def test_the_flagship_comes_in_every_resolution(side):
    model, train = from_preset("flagship", ("a", "b"), resolution=side)
    assert model.resolution == side
    assert (train.coarse_side, train.coarse_images > 0) == ((64, True) if side > 64 else (0, False))


@pytest.mark.parametrize(("preset", "side"), [("flagship", 100), ("flagship", 512), ("cwgan-gp-64", 128)])
def test_a_resolution_a_preset_does_not_come_in_is_refused(preset, side):
    with pytest.raises(UserError, match="--resolution is"):
        from_preset(preset, ("a", "b"), resolution=side)


def test_a_coarse_beginning_is_a_share_of_the_run():
    _, train = from_preset("flagship", ("a", "b"), images=1000)
    assert train.coarse_images == 400 and lasting(train, 50).coarse_images == 20
    _, plain = from_preset("cwgan-gp-64", ("a", "b"), images=1000)
    assert plain.coarse_images == 0 and lasting(plain, 50).images == 50
