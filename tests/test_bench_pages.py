"""The pages that tests/bench/peers.py and how_many_photos.py make from results, and how a training of peers.py goes on."""

from __future__ import annotations

import argparse
import importlib
import json
import signal
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests" / "bench"))

import how_many_photos  # noqa: E402
import peers  # noqa: E402
import peers_clock  # noqa: E402
import peers_judge  # noqa: E402
import peers_page  # noqa: E402


def moment(hours, kid, draw_seconds=0.1):
    figures = {"kid": kid, "precision": 0.5, "recall": 0.1, "fd": 9.0, "copies": 0.02, "n": 100, "label": "Judge"}
    errors = {"kid_error": 0.01, "precision_error": 0.01, "recall_error": 0.01}
    return {"cpu": 3600 * hours, "wall": 5000, "photos": 900, "updates": 90, "moment": hours, "memory": 2**30,
            "draw_seconds": draw_seconds, "settings": "batch 9", "judged": {"judge": {**figures, **errors}}}  # fmt: skip


def results(ours, others):
    costs = {"gflop_a_photo": 2.0, "gflop_a_picture": 1.0, "bytes": 4e6}
    return {
        "photos": {"trained_on": 90, "held_out": 10, "name": "p"}, "resolution": 64, "pictures": 100, "hardware": "a core",
        "torch": "2", "floors": {"judge": {"kid": 0.01, "kid_error": 0.001, "precision": 0.9, "recall": 0.9, "fd": 3.0, "n": 45,
                                           "label": "Judge"}},
        "contenders": {"diffusion": {**costs, "bytes": 1e6, "moments": others}, "flagship": {**costs, "moments": ours}},
    }  # fmt: skip


def test_the_page_of_the_peers_says_who_is_best_in_what_and_when_ours_was_ahead():
    found = results([moment(0.25, 0.3), moment(0.5, 0.2)], [moment(0.25, 0.25, 2.0)])
    page = peers_page.page(found)
    assert "Not measured yet: lightweight-gan" in page and "Measured so far: 0.25 h of each." in page
    assert "so far" not in peers_page.page(results([moment(2, 0.3)], [moment(2, 0.25)]))
    choice = {line.split("|")[1].strip(): line for line in page.splitlines() if line.startswith("| ")}
    assert "KID" in choice["diffusion"] and "file shall be small" in choice["diffusion"]
    assert "drawn fast" in choice["ours (flagship)"] and "KID, Judge" not in choice["ours (flagship)"]
    assert "lowest KID at 0 of 1 moments" in page, "at the second one there is nobody to be better than"
    assert "(KID 0.250, 0.25 h) by 0.50 h, 0.5 times as soon" in page
    assert len(page.encode()) < 8192


def test_noise_of_high_precision_is_no_choice():
    poor = moment(0.25, 9.0)
    poor["judged"]["judge"] |= {"precision": 0.99, "recall": 0.2}
    page = peers_page.page(results([moment(0.25, 0.3)], [poor]))
    assert "precision by" not in page and "recall by" not in page and "KID by Judge" in page
    good = moment(0.25, 0.5)
    good["judged"]["judge"] |= {"precision": 0.99}
    page = peers_page.page(results([moment(0.25, 0.3)], [good]))
    assert "precision by Judge" in next(line for line in page.splitlines() if line.startswith("| diffusion | each picture"))


def test_ours_may_be_past_the_best_of_the_others_at_its_first_moment():
    page = peers_page.page(results([moment(0.25, 0.05), moment(1, 0.04)], [moment(0.25, 0.3), moment(1, 0.1)]))
    assert (
        "2 of 2 moments; at its first moment, 0.25 h, it was past what the best of the others reached (KID 0.100, 1.00 h)"
        in page
    )


def test_each_peer_has_a_row_of_pictures_of_its_latest_moment_that_stays_on_another_machine(tmp_path):
    for hours, color in (("0.25", 10), ("0.5", 200)):
        (tmp_path / "flagship" / f"pictures-{hours}").mkdir(parents=True)
        pixels = np.full((peers.BLOCK, 8, 8, 3), color, np.uint8)
        np.save(tmp_path / "flagship" / f"pictures-{hours}" / "000.npy", pixels)
    (tmp_path / "peers").mkdir()
    (tmp_path / "peers" / "diffusion.webp").write_bytes(b"of an earlier machine")
    peers_page.write(results([moment(0.25, 0.3), moment(0.5, 0.2)], [moment(0.25, 0.1)]), tmp_path, tmp_path)
    row = Image.open(tmp_path / "peers" / "flagship.webp")
    assert row.size == (10 * peers_page.SHOWN - 2, 8) and abs(row.getpixel((0, 0))[0] - 200) < 3
    assert (tmp_path / "peers" / "diffusion.webp").read_bytes() == b"of an earlier machine"
    page = (tmp_path / "peers.md").read_text()
    assert "ours (flagship), 0.5 h:" in page and "diffusion, 0.25 h:" in page and "(peers/diffusion.webp)" in page
    assert {path.name for path in tmp_path.glob("peers.*")} == {"peers.md", "peers.svg", "peers.json"}


def test_the_hours_of_an_earlier_machine_are_counted_in_updates(tmp_path):
    earlier = results([moment(0.25, 0.3)], [moment(0.25, 0.1)])
    del earlier["contenders"]["diffusion"]
    assert peers_clock.clock(None, "flagship", tmp_path).seconds({"updates": 5, "cpu": 7.0}) == 7
    clock = peers_clock.clock(earlier, "flagship", tmp_path)
    assert clock.seconds({"updates": 45, "cpu": 7.0}) == pytest.approx(450), "90 updates took a quarter of an hour there"
    with pytest.raises(peers.UserError, match="train one that was first"):
        peers_clock.clock(earlier, "diffusion", tmp_path)
    (tmp_path / "flagship").mkdir()
    (tmp_path / "flagship" / "moment-0.25.json").write_text(json.dumps({"name": "flagship", "cpu": 900, "cpu_here": 450}))
    assert peers_clock.clock(earlier, "diffusion", tmp_path).seconds({"updates": 1, "cpu": 7.0}) == 14


def test_a_gpu_takes_the_updates_that_a_processor_makes_in_the_same_hours(tmp_path, monkeypatch):
    earlier = results([moment(0.25, 0.3)], [moment(0.25, 0.1)])
    assert peers_clock.pace(earlier, "flagship", tmp_path)["updates"] == 90
    with pytest.raises(peers.UserError, match="measure it with --pace before --device cuda"):
        peers_clock.pace(earlier, "cwgan-gp-64", tmp_path)
    (tmp_path / "flagship").mkdir()
    (tmp_path / "flagship" / "moment-0.25.json").write_text(json.dumps({"name": "flagship", "cpu": 900, "cpu_here": 450}))
    (tmp_path / "cwgan-gp-64").mkdir()
    monkeypatch.setattr(peers, "make", lambda *args: Walk())
    monkeypatch.setattr(peers, "asked_labels", lambda args: torch.zeros(50, dtype=torch.int64))
    monkeypatch.setattr(peers, "costs", lambda contender, labels: {"bytes": len(labels)})
    monkeypatch.setattr(peers, "PACE_SECONDS", 0.02)
    args = argparse.Namespace(out=tmp_path, earlier=earlier, resolution=64)
    assert peers.measure_pace(args, "cwgan-gp-64") == 0
    known = peers_clock.pace(earlier, "cwgan-gp-64", tmp_path)
    assert known["updates"] >= 2 and known["cpu"] == pytest.approx(2 * known["cpu_here"]) and known["cpu_here"] >= 0.02
    assert known["memory"] > 2**24 and known["draw_seconds"] >= 0
    assert json.loads((tmp_path / "cwgan-gp-64" / "costs.json").read_text()) == {"bytes": 20}


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_operations_are_counted_in_every_mode(mode):
    layer, maps = torch.nn.Conv2d(3, 8, 3), torch.zeros(1, 3, 16, 16)
    with peers.Operations() as counted, mode():
        layer(maps)
    assert sum(counted.found.values()) == 2 * 14 * 14 * 8 * 27


def test_a_moment_judged_by_fewer_pictures_says_so():
    fewer = moment(0.5, 0.2)
    fewer["judged"]["judge"]["n"] = 90
    page = peers_page.page(results([moment(0.25, 0.3), fewer], [moment(0.25, 0.25)]))
    assert "drew 100 pictures at each moment (ours (flagship) 90 after 0.5 h), as" in page


def test_results_of_an_earlier_machine_are_kept_beside_those_of_this_one():
    earlier = results([moment(0.25, 0.3), moment(0.5, 0.2)], [moment(0.25, 0.1)])
    again = {**moment(0.25, 0.31), "hardware": "another core"}
    further = {**moment(1, 0.15), "hardware": "another core"}
    here = {
        **results([], []),
        "hardware": "another core",
        "contenders": {"flagship": {"bytes": 5e6, "moments": [again, further]}},
    }
    assert peers_clock.merged(None, here) == here
    both = peers_clock.merged(earlier, here)
    kids = {name: [m["judged"]["judge"]["kid"] for m in one["moments"]] for name, one in both["contenders"].items()}
    assert kids == {"diffusion": [0.1], "flagship": [0.31, 0.2, 0.15]} and both["hardware"] == "a core"
    both["contenders"]["flagship"] |= {"gflop_a_photo": 2.0, "gflop_a_picture": 1.0}
    page = peers_page.page(both)
    assert peers_clock.merged(both, here)["contenders"] == {
        **both["contenders"], "flagship": {"bytes": 5e6, "moments": both["contenders"]["flagship"]["moments"]}
    }, "what is there already is no repeat"  # fmt: skip
    assert "one of a core of a core" in page and "(another core: ours (flagship))" in page
    assert "| ours (flagship) | 0.25 | 0.300, 0.310 |" in page and "Another processor" not in peers_page.page(earlier)
    peers_clock.check_same(earlier, 64, 90, 100)
    with pytest.raises(peers.UserError, match="leave --like out"):
        peers_clock.check_same(earlier, 64, 90, 1000)


def test_the_page_of_the_peers_says_that_ours_lost():
    page = peers_page.page(results([moment(0.25, 0.3)], [moment(0.25, 0.1)]))
    assert "lowest KID at 0 of 1 moments" in page and "did not reach" in page


def test_the_plot_of_the_peers_is_a_drawing_with_a_line_for_each():
    drawn = ElementTree.fromstring(peers_page.plot(results([moment(0.25, 0.3), moment(1, 0.2)], [moment(0.25, 0.1)])))
    lines = [one.get("class") for one in drawn.iter("{http://www.w3.org/2000/svg}polyline")]
    assert len(lines) == len(set(lines)) == 2


@pytest.mark.parametrize("name, made", [("peers", peers_page.page), ("how-many-photos", how_many_photos.page)])
def test_a_page_in_docs_is_what_its_results_give(name, made):
    kept = ROOT / "docs" / f"{name}.json"
    if not kept.exists():
        pytest.skip("not measured yet")
    assert (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") == made(json.loads(kept.read_text()))


def test_copies_and_twins_are_found_among_the_pictures_that_have_them():
    dice = torch.Generator().manual_seed(0)
    known, held_out, fresh = (torch.randn(80, 16, generator=dice) for _ in range(3))
    variants = torch.stack([known, known + 100], 1).flatten(0, 1)
    assert peers_judge.copies(known[:20] + 1e-3, held_out, variants) == 1
    assert peers_judge.copies(torch.cat([known[:20] + 101e-3 + 100, fresh[:60]]), held_out, variants) == pytest.approx(
        0.25, abs=0.1
    )
    assert peers_judge.copies(fresh, held_out, variants) < 0.1 and peers_judge.twins(fresh, known) < 0.1
    assert peers_judge.twins(torch.cat([fresh[:40], fresh[:40] + 1e-3]), known) == 1


def test_each_mirror_image_follows_its_picture():
    pixels = np.arange(2 * 3 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3, 3)
    both = peers_judge.mirrored(pixels)
    assert np.array_equal(both[::2], pixels) and np.array_equal(both[1::2], pixels[:, :, ::-1])


class Walk:
    """A contender whose picture is where its random walk has come to."""

    def __init__(self):
        self.at = torch.zeros(1)

    def update(self):
        self.at += torch.rand(1)
        sum(range(20_000))  # takes a moment of the processor
        return 3

    def draw(self, labels, seed=0):
        return np.full((len(labels), 2, 2, 3), seed % 251, np.uint8)

    def state(self):
        return {"at": self.at}

    def load_state(self, state):
        self.at = state["at"]


def test_a_training_of_a_contender_stops_saves_and_goes_on(tmp_path):
    spent = {"cpu": 0.0, "wall": 0.0, "photos": 0, "updates": 0}
    torch.manual_seed(0)
    one = Walk()
    clock = peers_clock.Clock()
    assert not peers.train(one, spent, clock, 0.02, tmp_path / "state.pt", [15])
    assert peers.train(one, spent, clock, 0.02, tmp_path / "state.pt", [])
    assert spent["cpu"] >= 0.02 and spent["memory"] > 2**24 and spent["photos"] == 3 * spent["updates"] > 0
    assert peers.train(one, spent, peers_clock.Clock(update=1), spent["updates"] + 2, tmp_path / "state.pt", [])
    assert one.at > 0 and peers.load(tmp_path / "state.pt", Walk())["updates"] == spent["updates"]
    following = torch.rand(1)
    other = Walk()
    torch.manual_seed(9)
    assert peers.load(tmp_path / "state.pt", other) == spent and other.at == one.at
    assert torch.rand(1) == following  # the random numbers go on, too


def test_pictures_that_are_there_are_not_drawn_again(tmp_path):
    labels = torch.zeros(2 * peers.BLOCK + 1, dtype=torch.int64)
    assert peers.draw(Walk(), labels, tmp_path / "pictures", [15]) is None  # stopped after the first block
    assert peers.draw(Walk(), labels, tmp_path / "pictures", []) > 0
    blocks = [np.load(path) for path in sorted((tmp_path / "pictures").glob("*.npy"))]
    assert [len(block) for block in blocks] == [peers.BLOCK, peers.BLOCK, 1]
    assert len({int(block[0, 0, 0, 0]) for block in blocks}) == 3


def test_results_of_other_photos_or_another_side_are_not_mixed(tmp_path):
    asked = {"resolution": 64, "photos": {"rose": ["a.png"]}}
    peers.check_asked(tmp_path, asked)
    peers.check_asked(tmp_path, asked)
    for other in ({**asked, "resolution": 32}, {**asked, "photos": {"rose": ["b.png"]}}):
        with pytest.raises(peers.UserError, match="choose another --out"):
            peers.check_asked(tmp_path, other)


def point(photos, kid, copies):
    judged = {"kid": kid, "kid_error": 0.01, "precision": 0.5, "recall": 0.1, "copies": copies, "floor": 0.02, "label": "Judge"}
    return {"photos": photos, "seed": 0, "images": 40_000, "judged": {"mobilenetv2": judged, "dinov2": judged}}


def test_the_page_of_the_numbers_of_photos_and_its_rule_of_thumb():
    found = {"classes": ["roses", "tulips"], "held_out": 90, "flowers": 100, "hardware": "a core", "torch": "2",
             "points": [point(100, 0.11, 0.01), point(25, 0.4, 0.3), point(200, 0.1, 0.01)]}  # fmt: skip
    page = how_many_photos.page(found)
    assert "From 100 photos of each class on, the KID stays within a quarter" in page and "goes from 0.400 to 0.100" in page
    assert "From 100 photos of each class on, at most 5 %" in page
    assert "| Judge | 25 | 40,000 | 0.400 ± 0.010 |" in page and len(page.encode()) < 8192
    ElementTree.fromstring(how_many_photos.plot(found))


def test_a_smaller_set_of_photos_is_part_of_a_larger_one(tmp_path):
    from pictures import make_photos

    photos = make_photos(tmp_path / "photos", 70, side=16)
    counts = how_many_photos.prepare(photos, tmp_path / "out", ("dandelion", "marigold"))
    assert counts == [25, 50, 56]
    sets = [{path.name for path in (tmp_path / "out" / f"photos-{count}" / "marigold").iterdir()} for count in counts]
    held = {path.name for path in (tmp_path / "out" / "held-out" / "marigold").iterdir()}
    assert sets[0] < sets[1] < sets[2] and len(sets[0]) == 25 and not sets[2] & held and len(held) == 14


def test_a_contender_that_fails_does_not_end_the_others_and_a_signal_does(tmp_path, monkeypatch):
    codes, asked, judged = {"diffusion": 3, "flagship": 0, "cwgan-gp-64": 1}, [], []
    monkeypatch.setattr(peers, "started", lambda args, name, moment: (asked.append((name, moment)), codes[name])[1])
    monkeypatch.setattr(peers, "judge", lambda args, reference, name, moment: judged.append((name, moment)))
    args = argparse.Namespace(hours=0.5, contenders=["diffusion", "cwgan-gp-64", "flagship"], out=tmp_path)
    assert peers.run(args, None) == 3 and judged == [("flagship", 0.25), ("flagship", 0.5)]
    assert asked[:3] == [("diffusion", 0.25), ("cwgan-gp-64", 0.25), ("flagship", 0.25)] and len(asked) == 4
    codes["diffusion"], asked[:] = 128 + 15, []
    assert peers.run(args, None) == 143 and len(asked) == 1


def test_an_interpreter_without_the_packages_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(
        peers.others, "imported", lambda contender, device: importlib.import_module("a_package_that_nobody_has")
    )
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    try:
        assert peers.child(argparse.Namespace(out=tmp_path, earlier=None, resolution=64, device="cpu"), "diffusion", 0.25) == 3
    finally:
        for number, handler in zip((signal.SIGTERM, signal.SIGINT), handlers):
            signal.signal(number, handler)
