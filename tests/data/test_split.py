"""What is kept away from training, and that it stays away."""

import csv
from pathlib import Path

import pytest
from pictures import make_photos

from gan.data.image_folder import find_photos, load_photos
from gan.data.split import split
from gan.errors import UserError


def found(count: int = 40, classes: tuple[str, ...] = ("rose", "tulip")) -> dict[str, list[Path]]:
    return {name: [Path("photos") / name / f"{i:03}.jpg" for i in range(count)] for name in classes}


def names(files: dict[str, list[Path]]) -> set[str]:
    return {str(path) for paths in files.values() for path in paths}


def test_the_two_parts_are_everything_and_share_nothing():
    kept, held = split(found(), "photos", 0.15, 0)
    assert not names(kept) & names(held)
    assert names(kept) | names(held) == names(found())
    assert {name: len(paths) for name, paths in held.items()} == {"rose": 6, "tulip": 6}


def test_a_share_that_does_not_divide_is_rounded_up_for_each_class():
    kept, held = split({"rose": found(7)["rose"], "tulip": found(101)["tulip"]}, "photos", 0.15, 0)
    assert (len(held["rose"]), len(held["tulip"])) == (2, 16)
    assert len(split(found(100), "photos", 0.07, 0)[1]["rose"]) == 7


def test_the_seed_alone_decides_and_another_seed_decides_otherwise():
    assert split(found(), "photos", 0.15, 3) == split(found(), "photos", 0.15, 3)
    assert split(found(), "photos", 0.15, 3) != split(found(), "photos", 0.15, 4)


def test_the_place_of_the_folder_does_not_matter():
    moved = {name: [Path("/elsewhere") / path for path in paths] for name, paths in found().items()}
    _, here = split(found(), "photos", 0.15, 0)
    _, there = split(moved, "/elsewhere/photos", 0.15, 0)
    assert [path.name for path in here["rose"]] == [path.name for path in there["rose"]]


def test_a_class_is_cut_the_same_way_whatever_other_classes_there_are():
    _, both = split(found(), "photos", 0.15, 0)
    _, alone = split({"rose": found()["rose"]}, "photos", 0.15, 0)
    assert alone["rose"] == both["rose"]


def write_sources(folder: Path, rows: list[tuple[str, str]]) -> None:
    with (folder / "sources.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([("file", "photo_group"), *rows])


def test_crops_of_one_photo_never_part(tmp_path):
    files = {"rose": [tmp_path / "rose" / f"{i}.jpg" for i in range(60)]}
    write_sources(tmp_path, [(f"rose/{i}.jpg", str(i // 3)) for i in range(60)])
    for seed in range(5):
        kept, held = split(files, tmp_path, 0.15, seed)
        groups = [{int(path.stem) // 3 for path in part["rose"]} for part in (kept, held)]
        assert not groups[0] & groups[1]
        assert len(held["rose"]) == 9


def test_a_photo_without_a_group_is_on_its_own_and_a_group_named_like_a_file_is_another(tmp_path):
    files = {"rose": [tmp_path / "rose" / f"{i}.jpg" for i in range(10)]}
    write_sources(tmp_path, [("rose/0.jpg", "rose/1.jpg"), ("rose/2.jpg", "")])
    _, held = split(files, tmp_path, 0.1, 0)
    assert len(held["rose"]) == 1


def test_sources_that_say_nothing_of_groups_are_ignored_and_unreadable_ones_are_refused(tmp_path):
    files = {"rose": [tmp_path / "rose" / f"{i}.jpg" for i in range(10)]}
    (tmp_path / "sources.csv").write_text("file,license\nrose/0.jpg,CC BY\n")
    assert len(split(files, tmp_path, 0.1, 0)[1]["rose"]) == 1
    (tmp_path / "sources.csv").write_bytes(b"file,photo_group\n\xff\xfe,1\n")
    with pytest.raises(UserError, match=r"sources\.csv cannot be read"):
        split(files, tmp_path, 0.1, 0)


@pytest.mark.parametrize("how", ["utf-8-sig", "utf-16", "cp1251"])
def test_crops_of_one_photo_never_part_after_a_spreadsheet_had_the_table(tmp_path, how):
    (tmp_path / "роза").mkdir()
    files = {"роза": [tmp_path / "роза" / f"{i}.jpg" for i in range(60)]}
    for path in files["роза"]:
        path.touch()
    table = "file;photo_group\r\n" + "".join(f"роза/{i}.jpg;{i // 3}\r\n" for i in range(60))
    (tmp_path / "sources.csv").write_bytes(table.encode(how))
    groups = [{int(path.stem) // 3 for path in part["роза"]} for part in split(files, tmp_path, 0.15, 0)]
    assert not groups[0] & groups[1]


def test_a_share_that_leaves_a_class_without_photos_is_refused():
    with pytest.raises(UserError, match="none of the class 'rose' to train on; use a smaller --holdout"):
        split({"rose": found(2)["rose"]}, "photos", 0.6, 0)


def test_a_class_of_one_photo_is_told_what_helps(tmp_path):
    """Not a smaller share: at least one photo of each class is held out."""
    with pytest.raises(UserError, match="one photo: add others, or train on other --classes") as error:
        split({"rose": found(1)["rose"]}, "photos", 0.01, 0)
    assert "smaller" not in str(error.value)
    write_sources(tmp_path, [(f"rose/{i}.jpg", "1") for i in range(3)])
    with pytest.raises(UserError, match="one photo group: add others"):
        split({"rose": [tmp_path / "rose" / f"{i}.jpg" for i in range(3)]}, tmp_path, 0.1, 0)


def test_the_two_parts_of_a_folder_can_be_loaded(tmp_path):
    photos = make_photos(tmp_path / "photos", count=16)
    kept = load_photos(photos, 32, select=lambda files: split(files, photos, 0.25, 0)[0])
    held = load_photos(photos, 32, select=lambda files: split(files, photos, 0.25, 0)[1])
    everything = load_photos(photos, 32)
    assert len(kept.labels) + len(held.labels) == len(everything.labels)
    pixels = {bytes(image.numpy()) for image in kept.images}
    assert not pixels & {bytes(image.numpy()) for image in held.images}
    assert set(find_photos(photos)) == set(kept.classes) == set(held.classes)
