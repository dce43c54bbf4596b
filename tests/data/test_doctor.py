"""gan.data.doctor, doctor_report and manifest: what is found in photos, what is written, and what training makes of it."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import unicodedata
from pathlib import Path

import forked
import numpy as np
import pytest
import torch
from pictures import make_photos
from PIL import Image, ImageEnhance, ImageFilter
from test_image_folder import BOMB_GIF, TRUNCATED, encoded, plain
from test_image_folder import png as header

import train
from gan import __main__
from gan.data import doctor, doctor_report
from gan.data.image_folder import find_photos, load_photos
from gan.data.manifest import csv_bytes, manifest_filter
from gan.errors import UserError
from gan.evaluation import reference
from gan.hub.checkpoint import read_config

ROOT = Path(__file__).resolve().parents[2]
RESOLUTION = 32


def scene(seed: int, side: int = 64) -> Image.Image:
    """A picture with large shapes and fine detail, another one for each seed."""
    random = np.random.default_rng(seed)
    rough = Image.fromarray(random.integers(0, 256, (6, 6, 3), np.uint8)).resize((256, 256), Image.Resampling.BICUBIC)
    fine = random.normal(0, 25, (64, 64, 1)).repeat(4, 0).repeat(4, 1)
    return Image.fromarray((np.asarray(rough) + fine).clip(0, 255).astype(np.uint8)).resize(
        (side, side), Image.Resampling.LANCZOS
    )


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two classes of eight sound, different photos each."""
    folder = tmp_path / "photos"
    for label, start in (("roses", 0), ("tulips", 100)):
        (folder / label).mkdir(parents=True)
        for number in range(8):
            scene(start + number).save(folder / label / f"{number}.png")
    return folder


def look(folder: Path) -> doctor.DatasetReport:
    return doctor.examine(folder, RESOLUTION)


def verdicts(found: doctor.DatasetReport) -> dict[str, str]:
    """What is said of the photos that are not kept."""
    return {photo.file: photo.verdict for photo in found.photos if photo.verdict != "kept"}


# ------------------------------------------------------------------------------------------------------ what is found


def test_sound_photos_are_sound(photos: Path) -> None:
    found = look(photos)
    assert found.sound and found.kept == {"roses": 8, "tulips": 8} and not verdicts(found)


def test_progress_ends_at_its_total(photos: Path) -> None:
    """Also with what is known to be unusable before anything is opened."""
    (photos / "roses" / "bad.png").write_bytes(b"")
    for number in range(40):
        (photos / f"loose{number}.txt").write_text("x")
    calls: list[tuple[int, int]] = []
    doctor.examine(photos, RESOLUTION, progress=lambda *numbers: calls.append(numbers))
    assert calls[-1] == (17, 17) and calls == sorted(calls)


def test_a_class_with_the_name_of_the_whole_is_refused_before_the_training(photos: Path, tmp_path: Path, capsys) -> None:
    (photos / "tulips").rename(photos / "all")
    assert not look(photos).sound and "a class is called 'all'" in doctor_report.report(look(photos), "photos")
    words = [str(photos), *TINY, "--out", str(tmp_path / "run")]
    assert train.main(words) == 2
    assert "a class is called 'all'" in capsys.readouterr().err and not (tmp_path / "run").exists()
    assert train.main([*words, "--unconditional", "--dry-run"]) == 0
    assert train.main([*words, "--classes", "all", "--dry-run"]) == 0


COPIES = {
    "poor jpeg": lambda image: Image.open(io.BytesIO(encoded(image, "JPEG", quality=20))),
    "half the side": lambda image: image.resize((40, 40)),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
}


@pytest.mark.parametrize("change", COPIES)
def test_near_duplicates_within_a_class_keep_the_largest(photos: Path, change: str) -> None:
    original = scene(3, 80)
    original.save(photos / "roses" / "large.png")  # the photo 3.png, but larger
    COPIES[change](original).convert("RGB").save(photos / "roses" / "copy.png")
    found = look(photos)
    assert verdicts(found).keys() == {"roses/3.png", "roses/copy.png"} or change in ("mirrored", "brighter")
    assert found.duplicates == [["roses/3.png", "roses/copy.png", "roses/large.png"]] and not found.across
    kept = {photo.file for photo in found.photos if photo.verdict == "kept"} & set(found.duplicates[0])
    assert len(kept) == 1 and kept <= {"roses/large.png", "roses/copy.png"} and not found.sound


def test_near_duplicates_across_classes_all_go(photos: Path) -> None:
    scene(3).save(photos / "tulips" / "rose.png")
    scene(3).save(photos / "roses" / "again.png")
    found = look(photos)
    assert found.across == [["roses/3.png", "roses/again.png", "tulips/rose.png"]] and not found.duplicates
    assert verdicts(found) == {
        "roses/3.png": "also in the class tulips, as tulips/rose.png",
        "roses/again.png": "also in the class tulips, as tulips/rose.png",
        "tulips/rose.png": "also in the class roses, as roses/3.png",
    }


def test_an_enlarged_copy_without_detail_is_not_the_one_that_stays(photos: Path) -> None:
    scene(3, 16).resize((200, 200), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(9)).save(
        photos / "roses" / "x.png"
    )
    found = look(photos)
    assert found.duplicates == [["roses/3.png", "roses/x.png"]] and set(verdicts(found)) == {"roses/x.png"}


def test_blurred_and_small_photos(photos: Path) -> None:
    scene(50, 256).filter(ImageFilter.GaussianBlur(20)).save(photos / "roses" / "blurred.png")
    scene(51, 256).filter(ImageFilter.GaussianBlur(1)).save(photos / "roses" / "softer, yet sharp when it is 32 pixels.png")
    plain().resize((64, 64)).save(photos / "roses" / "one color.png")
    scene(52, RESOLUTION - 4).save(photos / "tulips" / "small.png")
    found = doctor.examine(photos, RESOLUTION)
    assert {photo.file for photo in found.blurred} == {"roses/blurred.png", "roses/one color.png"}
    assert [photo.file for photo in found.small] == ["tulips/small.png"]
    assert set(verdicts(found)) == {"roses/blurred.png", "roses/one color.png"}  # a little small is no reason to go
    large = doctor.examine(photos, 64)
    assert verdicts(large)["tulips/small.png"] == "too small: 28×28 pixels for 64×64"


def test_plain_pictures_of_two_colors_are_no_duplicates(photos: Path) -> None:
    for color in ("red", "blue"):
        Image.new("RGB", (64, 64), color).save(photos / "roses" / f"{color}.png")
    assert not look(photos).duplicates


def test_imbalance(photos: Path) -> None:
    for path in list((photos / "tulips").iterdir())[2:]:
        path.unlink()
    assert look(photos).uneven == ("roses", "tulips", 4.0)


def test_every_bad_file_is_named_by_its_reason(photos: Path, capfd: pytest.CaptureFixture) -> None:
    bad = [
        b"",
        b"roses are red",
        b"\xff\xd8\xff",
        BOMB_GIF,
        header(40000, 30000),
        header(12000, 9000),
        header(20, 20, b"\0" * 50),
    ]
    bad += [parameters.values[0] for parameters in TRUNCATED] + [encoded(plain((0, 0, 0), (15, 40)))]
    for number, content in enumerate(bad):
        (photos / "roses" / f"bad{number}.jpg").write_bytes(content)
    os.mkfifo(photos / "roses" / "bad pipe")
    (photos / "roses" / "bad link").symlink_to("nowhere")
    (photos / "loose.png").write_bytes(encoded(plain()))
    (photos / "sources.csv").write_text("file,photo_group\n")  # which the trainer reads itself
    found = look(photos)
    assert len(found.unreadable) == len(bad) + 3 and found.kept == {"roses": 8, "tulips": 8}
    expected = {item.path.replace(os.sep, "/"): item.reason for item in load_photos(photos, 16).skipped}
    del expected["sources.csv"]
    assert {item.path: item.reason for item in found.unreadable} == expected
    assert capfd.readouterr() == ("", "")


def test_groups_do_not_depend_on_where_pictures_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies far apart among more pictures than are compared at once."""
    torch.manual_seed(0)
    hashes, colors = torch.rand(2100, 512) > 0.5, torch.rand(2100, 48)
    hashes[2050], hashes[1000] = hashes[3], hashes[999]
    hashes[1000, : doctor.MAX_BITS + 1] ^= True  # one bit too many
    assert doctor.near_duplicates(doctor.Fingerprints(hashes, torch.rand(2100, 512) > 0.5, colors, colors[:, 0])) == [[3, 2050]]
    hashes[1000, 0] ^= True
    assert doctor.near_duplicates(doctor.Fingerprints(hashes, torch.rand(2100, 512) > 0.5, colors, colors[:, 0])) == [
        [3, 2050],
        [999, 1000],
    ]


# ------------------------------------------------------------------------------------------------- the command line


def run(*words: object, cwd: Path) -> subprocess.CompletedProcess:
    return forked.call("-m", "gan", "doctor", *words, cwd=cwd)


def test_the_command_and_its_files(photos: Path, tmp_path: Path) -> None:
    scene(3).save(photos / "tulips" / "rose.png")
    (photos / "roses" / "broken.jpg").write_bytes(b"no picture")
    before = sorted(path for path in photos.rglob("*"))
    done = run(photos, "--resolution", RESOLUTION, cwd=tmp_path)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    out = tmp_path / "runs" / "doctor-photos"
    assert sorted(path.name for path in out.iterdir()) == [
        "doctor.json",
        "manifest.csv",
        "sheet-00-roses.png",
        "sheet-01-tulips.png",
    ]
    for text in (
        "not a picture (1): roses/broken.jpg",
        "roses/3.png, tulips/rose.png",
        "--manifest runs/doctor-photos/manifest.csv",
    ):
        assert text in done.stdout, done.stdout
    told = json.loads((out / "doctor.json").read_text())
    assert told["classes"] == {"roses": {"usable": 8, "kept": 7}, "tulips": {"usable": 9, "kept": 8}} and told["sound"] is False
    with (out / "manifest.csv").open(newline="") as file:
        rows = {row["file"]: (row["class"], row["verdict"]) for row in csv.DictReader(file)}
    assert (
        len(rows) == 18 and rows["roses/0.png"] == ("roses", "kept") and rows["roses/broken.jpg"] == ("roses", "not a picture")
    )
    sheet = np.asarray(Image.open(out / "sheet-00-roses.png"))
    assert tuple(sheet[1, 1]) != (220, 30, 30) and tuple(sheet[1, 3 * (96 + 4) + 1]) == (220, 30, 30)  # only the fourth is out
    assert sorted(path for path in photos.rglob("*")) == before


def test_exit_codes(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    def code(*words: object) -> int:
        return __main__.main(["doctor", *map(str, words), "--resolution", str(RESOLUTION)])

    assert code(photos, "--out", tmp_path / "out") == 0
    printed = capsys.readouterr().out
    assert "nothing to complain about" in printed and "a sheet for each class" in printed
    for words in ((tmp_path / "nowhere",), (photos, "--out", photos / "out"), (photos, "--classes", "lilies")):
        assert code(*words, *([] if "--out" in words else ["--out", tmp_path / "other"])) == 2
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert error.startswith("error: ") and not (tmp_path / "other").exists()
    for path in (photos / "tulips").iterdir():
        path.unlink()
    assert code(photos, "--out", tmp_path / "out") == 1
    assert "the class tulips has no photo left" in capsys.readouterr().out
    for path in (photos / "roses").iterdir():
        path.write_bytes(b"")
    assert code(photos, "--out", tmp_path / "nothing") == 1
    assert "doctor.json, manifest.csv\n" in capsys.readouterr().out


# ------------------------------------------------------------------------------------------------------ the manifest


def manifest(photos: Path, path: Path) -> Path:
    path.write_bytes(csv_bytes(doctor_report.rows(look(photos))))
    return path


def test_a_manifest_chooses_exactly_what_it_keeps(photos: Path, tmp_path: Path) -> None:
    odd = photos / "roses" / os.fsdecode(b'caf\xe9, "new\nline".png')
    scene(60).save(odd, "PNG")
    scene(3).save(photos / "roses" / "again.png")
    path = manifest(photos, tmp_path / "manifest.csv")
    chosen = manifest_filter(path, photos)(find_photos(photos))
    assert odd in chosen["roses"] and photos / "roses" / "again.png" not in chosen["roses"]
    assert {name: len(files) for name, files in chosen.items()} == {"roses": 9, "tulips": 8}
    scene(61).save(photos / "roses" / "later.png")  # of which it does not speak
    assert manifest_filter(path, photos)(find_photos(photos)) == chosen


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("file,class,verdict\nroses/0.png,tulips,kept\n", "move the file"),
        ("file,class,verdict\nroses/gone.png,roses,kept\n", "has no such file"),
        ("file,class,verdict\nroses/0.png,roses,kept\nlilies/0.png,lilies,kept\n", "has no such file"),
        ("file,class,verdict\nroses/0.png,roses,blurred\n", "keeps no photo of roses, tulips"),
        ("file,class\nroses/0.png,roses\n", "lacks the columns"),
        ("", "lacks the columns"),
        ('file,class,verdict\n"roses/0.png,roses,kept' + "x" * 200_000, "cannot be read"),
    ],
)
def test_manifests_that_do_not_fit(photos: Path, tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "manifest.csv").write_text(content)
    with pytest.raises(UserError) as error:
        manifest_filter(tmp_path / "manifest.csv", photos)(find_photos(photos))
    assert says in str(error.value) and "\n" not in str(error.value) and str(error.value).endswith(".")


SAVED = {
    "a BOM": lambda text: text.encode("utf-8-sig"),
    "CRLF": lambda text: text.replace("\n", "\r\n").encode(),
    "CR": lambda text: text.replace("\n", "\r").encode(),
    "semicolons": lambda text: text.replace(",", ";").encode("utf-8-sig"),
    "semicolons, said so": lambda text: ("sep=;\n" + text.replace(",", ";")).encode("utf-8-sig"),
    "UTF-16, tabs": lambda text: text.replace(",", "\t").replace("\n", "\r\n").encode("utf-16"),
    "UTF-16, commas": lambda text: text.encode("utf-16"),
    "cp1251": lambda text: text.replace(",", ";").replace("\n", "\r\n").encode("cp1251"),
    "empty rows": lambda text: text.replace("\n", "\n,,\n").encode(),
    "another case": lambda text: text.replace("kept", " Kept ").replace("file,class,verdict", "File,Class,Verdict").encode(),
    "decomposed names": lambda text: unicodedata.normalize("NFD", text).encode(),
}


@pytest.mark.parametrize("saved", SAVED)
def test_a_manifest_that_a_spreadsheet_had_says_the_same(photos: Path, tmp_path: Path, saved: str) -> None:
    """As Excel and LibreOffice save it in one country or another, with names in Cyrillic."""
    (photos / "tulips").rename(photos / "тюльпаны й")
    scene(3).save(photos / "roses" / "ще одна.png")
    path = manifest(photos, tmp_path / "manifest.csv")
    chosen = manifest_filter(path, photos)(find_photos(photos))
    assert {name: len(files) for name, files in chosen.items()} == {"roses": 8, "тюльпаны й": 8}
    path.write_bytes(SAVED[saved](path.read_text()))
    assert manifest_filter(path, photos)(find_photos(photos)) == chosen


@pytest.mark.parametrize("page", ["cp1251", "utf-8"])
def test_a_class_in_another_alphabet_is_read_where_all_files_have_plain_names(photos: Path, tmp_path: Path, page: str) -> None:
    """Photos straight in the folder, which is the class."""
    folder = (photos / "roses").rename(tmp_path / "Розы")
    path = manifest(folder, tmp_path / "manifest.csv")
    path.write_bytes(path.read_text(encoding="utf-8").encode(page))
    assert list(manifest_filter(path, folder)(find_photos(folder))) == ["Розы"]


def test_a_file_with_two_verdicts_is_said(photos: Path, tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    path.write_text("file,class,verdict\nroses/0.png,roses,kept\nroses/1.png,roses,kept\nroses/0.png,roses,left out\n")
    with pytest.raises(UserError, match=r", line 4: roses/0\.png had another verdict"):
        manifest_filter(path, photos)


def test_a_manifest_that_was_changed_by_hand_is_not_written_over(photos: Path, tmp_path: Path, capsys) -> None:
    words = ["doctor", str(photos), "--out", str(tmp_path / "out"), "--resolution", "28"]
    path = tmp_path / "out" / "manifest.csv"
    for _ in range(2):  # as the doctor wrote it, it may be written anew
        assert __main__.main(words) in (0, 1)
    changed = path.read_text().replace(",kept", ",left out", 1)
    path.write_text(changed)
    capsys.readouterr()
    assert __main__.main(words) == 2 and "was changed since the doctor wrote it" in capsys.readouterr().err
    assert path.read_text() == changed
    (tmp_path / "out" / "doctor.json").unlink()
    assert __main__.main(words) == 2 and path.read_text() == changed


def test_an_unknown_verdict_names_its_line(photos: Path, tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    for verdict in ("keep", "", "x", "kept?", "behalten"):
        path.write_text(f"file,class,verdict\nroses/0.png,roses,kept\nroses/1.png,roses,{verdict}\n")
        with pytest.raises(UserError, match=rf", line 3: roses/1\.png has the unknown verdict '{re.escape(verdict)}'"):
            manifest_filter(path, photos)
    path.write_text("file,class,verdict\nroses/0.png,roses,KEPT\nroses/1.png,roses,Left out\n")
    assert sum(map(len, manifest_filter(path, photos)(find_photos(photos)).values())) == 1


def test_letters_that_cannot_be_told_are_said(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_bytes("file,class,verdict\nmaki/żółw.png,maki,kept\n".encode("cp1250"))
    with pytest.raises(UserError, match="cannot be told: save it as CSV UTF-8"):
        manifest_filter(tmp_path / "manifest.csv", photos)


TINY = "--preset cwgan-gp-28 --width 4 --batch 4 --critic-steps 2 --device cpu --precision fp32 --images 16".split()
TINY += ["--evaluate-every", "0"]


def test_training_takes_what_the_manifest_keeps(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    scene(3).save(photos / "roses" / "again.png")
    path = manifest(photos, tmp_path / "manifest.csv")
    words = [str(photos), *TINY, "--holdout", "0.25", "--out"]
    assert train.main([*words, str(tmp_path / "run"), "--manifest", str(path)]) == 0
    out = capsys.readouterr().out
    assert "photos: 6 roses, 6 tulips" in out and "doctor: nothing to complain about" in out
    told = json.loads((tmp_path / "run" / "config.json").read_text())["trained"]
    (photos / "roses" / "again.png").unlink()
    assert train.main([*words, str(tmp_path / "other")]) == 0
    assert json.loads((tmp_path / "other" / "config.json").read_text())["trained"]["photos_digest"] == told["photos_digest"]


def test_training_says_what_the_doctor_sees(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch) -> None:
    scene(3).save(photos / "tulips" / "rose.png")
    words = [str(photos), *TINY, "--dry-run", "--out", str(tmp_path / "run")]
    assert train.main(words) == 0
    assert (
        "doctor: 1 group of near-duplicates in several classes, such as roses/3.png and tulips/rose.png"
        in capsys.readouterr().out
    )
    monkeypatch.setattr(doctor, "measure", lambda *_: 1 / 0)
    assert train.main(words) == 0
    assert "doctor: the photos were not examined (division by zero)" in capsys.readouterr().out


def test_of_many_photos_some_are_glanced_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = load_photos(make_photos(tmp_path, 8), 64)
    monkeypatch.setattr(doctor_report, "MAX_EXAMINED", 5)
    assert doctor_report.training_warnings(photos, RESOLUTION)[0] == "looked at one photo in 4"


def test_an_evaluation_finds_what_the_training_held_out_of_a_manifest(photos: Path, tmp_path: Path, monkeypatch) -> None:
    """Which photos are held out depends on which there are, so that it has to be told of the manifest, or say so."""
    for number in range(4):
        scene(number).save(photos / "roses" / f"again{number}.png")
    path = manifest(photos, tmp_path / "manifest.csv")
    words = [str(photos), *TINY, "--holdout", "0.5", "--manifest", str(path), "--out", str(tmp_path / "run")]
    assert train.main(words) == 0
    config = read_config(tmp_path / "run")
    monkeypatch.setattr(reference, "MIN_OF_A_CLASS", 2)
    found = reference.load_reference(photos, config, 28, keep=manifest_filter(path, photos))
    assert not found.notes and len(found.trained_on.labels) == 8 and len(found.held_out.labels) == 8
    assert "--manifest" in " ".join(reference.load_reference(photos, config, 28).notes)
