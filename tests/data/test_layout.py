"""gan.data.layout: folders that hold no sub-folder for each class are recognised, and never trained on by guess."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
import test_sources
import torch
from conftest import tiny_generator
from pictures import make_photos
from test_sources import contents, zipped

import train
from gan import __main__
from gan.data import sources
from gan.data.image_folder import find_photos, load_photos
from gan.errors import UserError
from gan.evaluation.photo_folder import PhotoFolder
from gan.evaluation.reference import load_reference
from gan.generator import make_generator
from gan.presets import from_preset
from gan.runs.transfer import with_classes
from gan.sampling.flower import check_label

cache = test_sources.cache  # an empty one for each test
TINY = "--preset cwgan-gp-28 --width 4 --batch 4 --device cpu --precision fp32 --dry-run".split()


def place(root: Path, *folders: str) -> Path:
    """Two classes of eight photos in each of these folders below `root`."""
    for folder in folders:
        make_photos(root / folder)
    return root


def plain(root: Path, *folders: str) -> Path:
    """Eight photos in each of these folders below `root`."""
    for folder in folders:
        make_photos(root / Path(folder).parent, classes=("marigold",))
        (root / Path(folder).parent / "marigold").rename(root / folder)
    return root


def refusal(root: Path) -> str:
    with pytest.raises(UserError) as error:
        find_photos(root)
    text = str(error.value)
    assert text.endswith(".") and "\n" not in text
    with pytest.raises(UserError):
        load_photos(root, 32)
    return text


@pytest.mark.parametrize(
    "parts",
    [
        ("train", "val"), ("train", "val", "test"), ("Train", "Valid"), ("training", "validation"), ("test", "train"),
        ("training_set", "test_set"), ("train_images", "val-images"), ("train", "test", "labels"),
        ("train1", "test1"), ("1_train", "2_val"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("around", ["", "images", "archive/data"])
def test_a_set_cut_in_parts_is_recognised(tmp_path: Path, parts: tuple[str, ...], around: str) -> None:
    root, top = tmp_path / "photos", tmp_path / "photos" / around
    place(root, *(str(Path(around) / part) for part in parts))
    said, training = refusal(root), top / next(part for part in parts if "train" in part.lower())
    assert "looks like a set split into" in said and f"name '{training}', with the classes dandelion, marigold" in said
    assert set(find_photos(training)) == {"dandelion", "marigold"}


def test_a_set_cut_in_parts_without_classes_is_recognised(tmp_path: Path) -> None:
    said = refusal(plain(tmp_path / "photos", "train", "test"))
    assert f"name '{tmp_path / 'photos' / 'train'}', for its photos as one class, or add --classes test train" in said
    assert set(find_photos(tmp_path / "photos", ["test", "train"])) == {"test", "train"}
    assert "split into testA, testB, trainA, trainB" in refusal(
        plain(tmp_path / "turned", "trainA", "trainB", "testA", "testB")
    )


def test_a_set_cut_in_parts_by_its_name_is_recognised(tmp_path: Path) -> None:
    """As that of Intel on Kaggle; words before train and test that differ are of classes."""
    assert "split into seg_test, seg_train, which are not classes" in refusal(place(tmp_path / "a", "seg_train", "seg_test"))
    classes = ("flight_test", "freight_train", "passenger_train")
    assert set(find_photos(plain(tmp_path / "b", *classes))) == set(classes)


def test_a_folders_name_cannot_forge_a_line(tmp_path: Path) -> None:
    said = refusal(place(tmp_path / "photos", "x\nskipped a.jpg: fine\x1b[2J"))
    assert r"x\nskipped a.jpg: fine\x1b[2J" in said and "\x1b" not in said


@pytest.mark.parametrize("around", ["images", "flowers", "a/b"])
def test_classes_one_level_further_down_are_recognised(tmp_path: Path, around: str) -> None:
    said, top = refusal(place(tmp_path / "photos", around)), tmp_path / "photos" / around
    assert f"name '{top}' if these are the classes, or add --classes {around.split('/')[0]}" in said
    assert set(find_photos(top)) == {"dandelion", "marigold"}
    assert set(find_photos(tmp_path / "photos", [around.split("/")[0]])) == {around.split("/")[0]}


def test_what_is_a_folder_for_each_class_stays_one(tmp_path: Path) -> None:
    """A vehicle called train, a class of many folders beside another, one folder in one folder, photos beside folders."""
    assert set(find_photos(plain(tmp_path / "vehicles", "bus", "train", "car"))) == {"bus", "car", "train"}
    assert set(find_photos(plain(tmp_path / "deep", "roses/2019", "roses/2020", "tulips"))) == {"roses", "tulips"}
    assert set(find_photos(plain(tmp_path / "one", "roses/garden"))) == {"roses"}
    plain(tmp_path / "own", "roses", "roses/garden/wild", "roses/garden/tame")
    assert set(find_photos(tmp_path / "own")) == {"roses"}
    assert set(find_photos(plain(tmp_path / "parts", "roses/train", "roses/val", "tulips/train"))) == {"roses", "tulips"}


def test_nobody_trains_on_it_by_guess(tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trainer and the doctor, on the folder and on an archive of it; where it is asked for by name, it is done."""
    monkeypatch.chdir(tmp_path)
    root = place(tmp_path / "photos", "train", "val")
    archive = zipped(tmp_path / "flowers.zip", contents(root))
    for name in (str(root), str(archive)):
        assert train.main([name, *TINY]) == 2
        assert "split into train, val" in capsys.readouterr().err
        assert __main__.main(["doctor", name, "--resolution", "28"]) == 2
        assert "split into train, val" in capsys.readouterr().err
    assert train.main([str(sources.photo_folder(str(archive)) / "train"), *TINY]) == 0
    assert "photos: 8 dandelion, 8 marigold" in capsys.readouterr().out
    assert train.main([str(root), *TINY, "--classes", "train", "val"]) == 0
    assert "photos: 16 train, 16 val" in capsys.readouterr().out


def test_a_model_knows_its_classes(tmp_path: Path) -> None:
    """What was trained on by name is taken by name again; a model of other classes gets the same sentence."""
    root, flowers = place(tmp_path / "photos", "train", "val"), tiny_generator().config
    assert PhotoFolder(root, tiny_generator(("train", "val")).config).files(0)
    with pytest.raises(UserError, match="split into train, val"):
        PhotoFolder(root, flowers)
    with pytest.raises(UserError, match="split into train, val"):
        load_reference(root, flowers, 16)
    assert load_reference(root, tiny_generator(("train", "val")).config, 16).classes == ("train", "val")


def test_a_model_finds_its_classes_in_either_form_of_their_names(tmp_path: Path) -> None:
    """ö as one letter or as two: the class of the model, of the folder and of --classes is the same."""
    nfc, nfd = "Löwenzahn", unicodedata.normalize("NFD", "Löwenzahn")
    make_photos(tmp_path, 12)
    (tmp_path / "dandelion").rename(tmp_path / nfc)
    for own in (nfc, nfd):
        config = tiny_generator(("marigold", own)).config
        found = load_reference(tmp_path, config, 16, only=(nfd, "marigold"))
        assert found.classes == (nfc, "marigold") and len(found.trained_on.labels) == 24
        assert PhotoFolder(tmp_path, config).files(1)[0].parent.name == nfc
        assert check_label(config.classes, nfc) == check_label(config.classes, nfd) == 1
    old, new = (make_generator(from_preset("cwgan-gp-64-k4", ("marigold", name), width=8)[0]) for name in (nfd, nfc))
    assert torch.equal(with_classes(old, new.config.classes).state_dict()["gen.0.0.weight"], old.state_dict()["gen.0.0.weight"])


def test_the_app_gives_no_class_up_that_has_a_photo(tmp_path: Path) -> None:
    """However many files before it are none."""
    make_photos(tmp_path)
    for number in range(60):
        (tmp_path / "dandelion" / f"!{number:02d}.png").write_bytes(b"no photo")
    folder = PhotoFolder(tmp_path, tiny_generator().config)
    assert len(folder.files(0)) == 68 and len(folder.files(1)) == 8
