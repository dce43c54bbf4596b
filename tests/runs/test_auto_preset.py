"""What `--preset auto` chooses, by photos, by device, and where the critic's frozen network is missing."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from gan.config import ModelConfig
from gan.data.image_folder import find_photos
from gan.errors import UserError
from gan.options import parse_sides
from gan.presets import RESOLUTIONS, from_preset
from gan.runs import auto_preset

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
    choice = auto_preset.choose(device, folder(tmp_path / "photos", [side] * 5))
    assert (choice.preset, choice.resolution) == ("flagship", resolution)
    assert f"usually {side} pixels" in choice.why


def test_few_photos_get_the_least_and_many_the_most(tmp_path):
    found = folder(tmp_path / "photos", [128] * 4)
    assert auto_preset.choose(CPU, found).images == auto_preset.MIN_IMAGES
    path = found["class0"][0]
    assert auto_preset.choose(CPU, {"a": [path] * 300}).images == 300 * auto_preset.PASSES
    assert auto_preset.choose(CPU, {"a": [path] * 30_000}).images == auto_preset.MAX_IMAGES["cpu"]


def test_files_that_are_no_photos_do_not_count(tmp_path):
    found = folder(tmp_path / "photos", [128] * 5)
    for number in range(40):
        (tmp_path / "photos" / "class0" / f"x{number}.jpg").write_bytes(b"nothing")
    assert auto_preset.choose(CPU, find_photos(tmp_path / "photos")).resolution == 128
    assert found


def test_without_the_frozen_network_it_is_the_papers_model(tmp_path, monkeypatch):
    def missing(name):
        raise UserError("the weights are not installed; install them.")

    monkeypatch.setattr(auto_preset, "find_backbone", missing)
    choice = auto_preset.choose(CPU, folder(tmp_path / "photos", [200] * 5))
    assert choice.preset == "cwgan-gp-64" and choice.resolution == 64
    assert "not the flagship, because the weights are not installed" in choice.why


@pytest.mark.parametrize("side", RESOLUTIONS)
def test_the_flagship_comes_in_every_resolution(side):
    model, train = from_preset("flagship", ("a", "b"), resolution=side)
    assert model.resolution == side
    assert train.sides == {32: (), 64: (), 128: ("64:30%", "128"), 256: ("64:30%", "128:50%", "256")}[side]
    smooth = [layer for layer in model.generator if " smooth" in layer]
    assert len(smooth) == (side // 16).bit_length() - 1, "every scale of 32 pixels and more"


@pytest.mark.parametrize(("preset", "side"), [("flagship", 100), ("flagship", 512), ("cwgan-gp-64", 128)])
def test_a_resolution_a_preset_does_not_come_in_is_refused(preset, side):
    with pytest.raises(UserError, match="--resolution is"):
        from_preset(preset, ("a", "b"), resolution=side)


def test_a_schedule_of_sides_by_hand_says_how_large_the_pictures_are():
    model, train = from_preset("flagship", ("a", "b"), sides=("32:25%", "64:500", "256"), images=1000)
    assert model.resolution == 256 and parse_sides(train.sides, train.images) == [(32, 250), (64, 750), (256, 1000)]
    assert from_preset("cwgan-gp-64", ("a", "b"))[1].sides == ()


@pytest.mark.parametrize(
    ("preset", "sides", "resolution", "says"),
    [
        ("flagship", ("64:10", "128"), 256, "ends with 128, .*; end with 256"),
        ("flagship", ("64:10", "128:10"), None, "'128:10'; write each side"),
        ("flagship", ("64", "128"), None, "'64'; write each side"),
        ("flagship", ("64:x", "128"), None, "'64:x'; write each side"),
        ("flagship", ("128:10", "64"), 64, "'64'; use powers of two"),
        ("flagship", ("48:10", "64"), None, "'48:10'; use powers of two"),
        ("cwgan-gp-64", ("32:10", "64"), None, "cwgan-gp-64 does not"),
    ],
)
def test_a_schedule_that_cannot_be_followed_is_refused(preset, sides, resolution, says):
    with pytest.raises(UserError, match=says):
        from_preset(preset, ("a", "b"), sides=sides, resolution=resolution)


def test_a_run_that_begins_as_a_model_enlarges_as_that_does():
    """Weights learnt with one way of enlarging draw nothing with the other."""
    old = ("M>256", "M>256", "S>256", "S>256", "S>192", "S>128", "S>64")
    begun = ModelConfig("flagship", 64, ("a",), old, 128).validate()
    model, _ = from_preset("flagship", ("a", "b"), resolution=128, begun=begun)
    assert model.generator == (*old, "S>32 smoother")
    other, _ = from_preset("flagship", ("a", "b"), resolution=64, width=32, begun=begun)
    assert other.generator[-2:] == ("S>64 smooth", "S>32 smooth"), "of another width nothing is taken"
