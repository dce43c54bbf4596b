"""What a model remembers of its photos: the command, the file and its checks, distances by hand, photos found again."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import free_port, tiny_generator
from pictures import make_photos
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from gan.__main__ import main
from gan.data.decode import prepare
from gan.errors import UserError
from gan.evaluation import evaluate_model, features, photo_index
from gan.evaluation.features import FeatureNetwork
from gan.evaluation.photo_folder import PhotoFolder
from gan.evaluation.reference import load_reference
from gan.hub import loader
from gan.hub.checkpoint import PHOTO_INDEX, save_model
from gan.networks import backbones

COUNT, HELD = 30, 12


def quarters(images: torch.Tensor) -> torch.Tensor:
    """Stands in for a network: the mean color of each quarter, which turning a picture changes."""
    return torch.nn.functional.adaptive_avg_pool2d(images, 2).flatten(1)


NETWORK = FeatureNetwork("efficientnet-lite0", "Quarters", 12, "0" * 64, torch.device("cpu"), False, quarters)


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    return make_photos(tmp_path_factory.mktemp("photos"), COUNT)


@pytest.fixture(scope="module")
def config():
    trained = {"holdout": HELD / COUNT, "seed": 0, "photos": {"dandelion": COUNT - HELD, "marigold": COUNT - HELD}}
    return replace(tiny_generator().config, trained=trained)


@pytest.fixture(scope="module")
def model(tmp_path_factory, config) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_model(folder, tiny_generator(), config)
    return folder


@pytest.fixture(scope="module")
def found(photos, config) -> photo_index.PhotoIndex:
    return photo_index.index_photos(load_reference(photos, config, 16), config, NETWORK)


def test_it_holds_both_sides_and_no_photo_twice(found):
    assert len(found.trained.labels) == 2 * (COUNT - HELD) and len(found.held_out.labels) == len(found.distances) == 2 * HELD
    assert not set(found.trained.digests) & set(found.held_out.digests)
    assert torch.bincount(found.trained.labels).tolist() == [COUNT - HELD] * 2


def test_distances_are_those_of_a_naive_loop(found, photos, config):
    held = load_reference(photos, config, 16).held_out
    for number in (0, 7, 23):
        picture = torch.from_numpy(held.pixels[number].copy()).permute(2, 0, 1)[None] / 127.5 - 1
        turns = [turn for way in (picture, picture.flip(-1)) for turn in (way.rot90(k, (2, 3)) for k in range(4))]
        least = min(float((quarters(turn) - one).norm()) for turn in turns for one in found.trained.features)
        assert found.distances[number] == pytest.approx(least, abs=1e-5)


def test_a_turned_copy_is_found_and_is_nearer_than_all_that_was_never_shown(found, photos, config):
    kept = load_reference(photos, config, 16).trained_on
    copy = np.rot90(kept.pixels[5][:, ::-1], 3).copy()
    distances, numbers = found.compare(photo_index.turned_features(NETWORK, copy), 6)
    assert numbers[0] == 5 and distances[0] < 1e-3 and distances == sorted(distances) and len(set(numbers)) == 6
    assert photo_index.share_farther(distances[0], found.usual(0)) == 1
    assert photo_index.share_farther(99.0, found.usual(0)) == 0 and photo_index.share_farther(2.0, [1.0, 2.0, 3.0, 4.0]) == 0.5


def test_a_class_with_few_photos_held_out_is_judged_by_all(found):
    assert found.is_class_of_its_own(1) and len(found.usual(1)) == HELD and found.usual(1) == sorted(found.usual(1))
    few = replace(found, held_out=replace(found.held_out, labels=torch.tensor([0] * 23 + [1])))
    assert not few.is_class_of_its_own(1) and len(few.usual(1)) == 24


def test_what_is_written_is_read_again(tmp_path, found, config):
    size = photo_index.write(tmp_path, found)
    again = photo_index.read(tmp_path, config)
    assert size == (tmp_path / PHOTO_INDEX).stat().st_size
    for part in ("trained", "held_out"):
        one, two = getattr(found, part), getattr(again, part)
        assert torch.equal(one.features, two.features) and torch.equal(one.labels, two.labels)
        assert (one.sizes, one.digests) == (two.sizes, two.digests)
    assert torch.equal(found.distances, again.distances) and again.network_digest == "0" * 64
    assert photo_index.read(tmp_path / "elsewhere", config) is None


def test_nothing_held_out(tmp_path, photos, config):
    every = replace(config, trained={})
    bare = photo_index.index_photos(load_reference(photos, every, 16), every, NETWORK)
    photo_index.write(tmp_path, bare)
    assert photo_index.read(tmp_path, every).usual(0) == []


def spoil(state, about, how):
    """One thing wrong with a file."""
    key = "trained.features"
    match how:
        case "not finite":
            state[key][3, 2] = torch.inf
        case "another type":
            state[key] = state[key].float()
        case "too short":
            state[key] = state[key][:-1].clone()
        case "two widths":
            state["held_out.features"] = state["held_out.features"][:, :-1].clone()
        case "a class too many":
            state["trained.labels"][0] = 2
        case "a class below 0":
            state["held_out.labels"][0] = -1
        case "digests cut":
            state["trained.digests"] = state["trained.digests"][:, :8].clone()
        case "distance below 0":
            state["held_out.distances"][0] = -1
        case "a tensor more":
            state["extra"] = torch.zeros(1)
        case "a tensor less":
            del state["held_out.sizes"]
        case "nothing":
            state.clear()
        case "other classes":
            about["classes"] = json.dumps(["dandelion", "rose"])
        case "classes that are none":
            about["classes"] = "[1, 2]"
        case "deep classes":
            about["classes"] = "[" * 100_000
        case "another size":
            about["resolution"] = "32"
        case "another training":
            about["photos"] = "f" * 64
        case "another network":
            about["network"] = "../../etc"
        case "another format":
            about["format"] = "photos-2"


HOW = [
    "not finite", "another type", "too short", "two widths", "a class too many", "a class below 0", "digests cut",
    "distance below 0", "a tensor more", "a tensor less", "nothing", "other classes", "classes that are none", "deep classes",
    "another size", "another training", "another network", "another format",
]  # fmt: skip


@pytest.mark.parametrize("how", HOW)
def test_a_file_that_is_not_what_it_should_be_is_refused(tmp_path, found, config, how):
    photo_index.write(tmp_path, found)
    state = load_file(tmp_path / PHOTO_INDEX)
    with safe_open(tmp_path / PHOTO_INDEX, "pt") as file:
        about = dict(file.metadata())
    spoil(state, about, how)
    save_file(state, tmp_path / PHOTO_INDEX, about)
    with pytest.raises(UserError, match=rf"^{PHOTO_INDEX} .*python -m gan index-photos MODEL PHOTOS\.$"):
        photo_index.read(tmp_path, config)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff" * 64])
def test_a_file_that_is_none_is_refused(tmp_path, config, content):
    (tmp_path / PHOTO_INDEX).write_bytes(content)
    with pytest.raises(UserError, match="not a whole safetensors file"):
        photo_index.read(tmp_path, config)


def test_a_file_over_the_limit_is_neither_written_nor_opened(tmp_path, found, config, monkeypatch):
    photo_index.write(tmp_path, found)
    monkeypatch.setattr(photo_index, "MAX_PHOTO_INDEX_BYTES", 1000)
    with pytest.raises(UserError, match="than is read here"):
        photo_index.read(tmp_path, config)
    with pytest.raises(UserError, match="use fewer photos"):
        photo_index.write(tmp_path, found)


# ---------------------------------------------------------------------------------------------------------- the command


def test_the_command_writes_what_the_training_left_out(tmp_path, model, photos, monkeypatch, capsys, config, found):
    for module in (features, evaluate_model):  # imported above, so that it does not keep the stand-in
        monkeypatch.setattr(module, "find_network", lambda name, device=None: NETWORK)
    own = shutil.copytree(model, tmp_path / "tiny")
    assert main(["index-photos", str(own), str(photos)]) == 0
    said = capsys.readouterr()
    assert "36 photos trained on and 24 held out" in said.out and "Traceback" not in said.err
    again = photo_index.read(own, config)
    assert again.trained.digests == found.trained.digests and torch.equal(again.distances, found.distances)


@pytest.mark.parametrize(("words", "sentence"), [
    (("MODEL", "no/such/folder"), "there is no folder"), (("nobody/none", "PHOTOS"), ""), (("none", "PHOTOS"), "no model"),
])  # fmt: skip
def test_what_goes_wrong_is_one_sentence(model, photos, monkeypatch, capsys, words, sentence):
    for module in (features, evaluate_model):  # imported above, so that it does not keep the stand-in
        monkeypatch.setattr(module, "find_network", lambda name, device=None: NETWORK)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    words = [{"MODEL": str(model), "PHOTOS": str(photos)}.get(word, word) for word in words]
    assert main(["index-photos", *words]) == 2
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(said) == 1 and sentence in said[0] and not (model / PHOTO_INDEX).exists()


# ------------------------------------------------------------------------------------------------------ photos found again


def test_photos_are_found_again_whatever_they_are_called(tmp_path, photos, found):
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for number, path in enumerate(sorted(photos.rglob("*.png"))):
        shutil.copy(path, moved / f"{number}.jpg")
    (moved / "none.png").write_bytes(b"x" * found.trained.sizes[0])  # of a size that is looked for
    place = photo_index.find(found.trained, [*moved.iterdir(), moved / "missing"])
    assert sorted(place) == list(range(len(found.trained.labels)))
    assert all(photo_index._digest(path) == found.trained.digests[number] for number, path in place.items())


def test_the_folder_of_photos_gives_the_squares_of_the_training(photos, config, found, tmp_path):
    kept = load_reference(photos, config, 16).trained_on
    folder = PhotoFolder(photos, config)
    place = folder.find(found.trained)
    assert all(np.array_equal(folder.square(place[number]), kept.pixels[number]) for number in (0, 9, 35))
    assert len(folder.files(0)) == COUNT and folder.square(Path(__file__)) is None
    plain = replace(tiny_generator(("all",)).config, trained={})
    assert len(PhotoFolder(photos, plain).files(0)) == 2 * COUNT


def test_a_folder_without_usable_photos_is_one_sentence_and_few_files_are_opened(tmp_path, photos, config, monkeypatch):
    opened = []
    monkeypatch.setattr("gan.evaluation.photo_folder.prepare", lambda path, out: opened.append(path) or prepare(path, out))
    PhotoFolder(photos, config)
    assert len(opened) == 2
    for name, content in (("dandelion", b"not a photo"), ("roses", (photos / "dandelion" / "00.png").read_bytes())):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(content)
    with pytest.raises(UserError, match="no usable photo of dandelion or marigold; .*--photos"):
        PhotoFolder(tmp_path, config)
    with pytest.raises(UserError, match="there is no folder"):
        PhotoFolder(tmp_path / "missing", config)


def test_the_app_ends_with_one_sentence_for_a_bad_folder(model, tmp_path, capsys, monkeypatch):
    import app

    (tmp_path / "dandelion").mkdir()
    assert app.main(["--model", str(model), "--photos", str(tmp_path), "--port", str(free_port())]) == 2
    said = capsys.readouterr().err
    assert "no usable photo" in said and said.count("\n") == 1


REMEMBERING = ("flagship", "cwgan-gp-64-k4", "cwgan-gp-128")


@pytest.mark.parametrize("name", REMEMBERING)
def test_bundled_models_remember_their_photos(name):
    config = loader.load(name).generator.config
    known = photo_index.read(loader.CHECKPOINTS / name, config)
    photos = len(known.trained.labels) + len(known.distances)
    assert (loader.CHECKPOINTS / name / PHOTO_INDEX).stat().st_size <= 3_000 * photos  # 1,280 numbers in half precision each
    assert known.network_digest == backbones.WHEELS[known.network].digest
    assert [int(count) for count in torch.bincount(known.trained.labels)] == [
        config.trained["photos"][c] for c in config.classes
    ]
    assert len(known.distances) >= 50 and 1 < known.distances.median() < 30
