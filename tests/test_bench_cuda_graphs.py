"""tests/bench/cuda_graphs.py without a GPU: what it computes is what the trainer computes, and a run of it is a run."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from pictures import make_photos

from gan.config import ModelConfig
from gan.data import augment
from gan.data.image_folder import load_photos
from gan.hub import loader
from gan.matching import Matching
from gan.networks import style_generator
from gan.networks.backbones import find_backbone
from gan.networks.projected_critic import ProjectedCritic
from gan.utils.distributed import ShardedRandom

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests" / "bench"))

import cuda_graphs  # noqa: E402

MODEL = ModelConfig("small", 32, ("dandelion", "marigold"), ("M>8", "S>8", "S>8", "S>8", "S>8"), z_dim=8).validate()


def test_pictures_are_changed_as_the_trainer_changes_them():
    pictures = torch.randn(6, 3, 32, 32)
    expected = augment.diffaugment(pictures, ShardedRandom(3))
    assert torch.equal(cuda_graphs.diffaugment(pictures, ShardedRandom(3)), expected)


@pytest.mark.parametrize("name", style_generator.TAPS)
def test_maps_are_enlarged_as_the_generator_enlarges_them(name):
    maps, taps = torch.randn(2, 5, 20, 20), style_generator.TAPS[name]
    assert torch.equal(cuda_graphs.filtered(maps, taps), style_generator.filtered(maps, taps))
    weight = torch.randn(4, 5, 3, 3)
    assert torch.equal(cuda_graphs.repeating_kernels(weight), style_generator.repeating_kernels(weight))


def test_sets_are_matched_as_by_the_trainer_at_every_step(tmp_path):
    photos = load_photos(make_photos(tmp_path, 8), 32)
    images = photos.images.float() / 127.5 - 1
    critic = ProjectedCritic(MODEL, find_backbone("efficientnet-lite0"), 4)
    critic.init_weights()
    critic.calibrate(images)
    ways = Matching(critic), cuda_graphs.FixedMatching(critic)
    for way in ways:
        way.calibrate(images, photos.labels)
    for _ in range(4):
        pictures, labels = torch.randn(6, 3, 32, 32), torch.randint(0, 2, (6,))
        usual, fixed = (way(pictures, labels) for way in ways)
        assert abs(usual - fixed) < 1e-5 * usual.abs()


def test_a_run_is_saved_and_goes_on(tmp_path):
    photos, out = make_photos(tmp_path / "photos", 8), tmp_path / "run"
    options = ["--preset", "flagship", "--resolution", "32", "--batch", "4", "--evaluate-every", "0", "--device", "cpu"]
    for images in (8, 16):
        command = [sys.executable, ROOT / "tests" / "bench" / "cuda_graphs.py", "600", photos, *options, "--out", out]
        subprocess.run([*command, "--images", str(images)], check=True, timeout=240)
        assert json.loads((out / "config.json").read_text())["trained"]["images"] == images
    assert loader.load(str(out)).generator.config.resolution == 32


def test_rates_fall_by_the_time_that_is_left(monkeypatch):
    class Run(cuda_graphs.GraphTrainer):
        def __init__(self):
            self.config = SimpleNamespace(lr_decay=0.5)

    cuda_graphs.GraphTrainer.seconds, cuda_graphs.GraphTrainer.ends = 100.0, 1100.0
    try:
        for now, rate in ((1000, 1), (1050, 1), (1075, 0.5), (1100, 0), (1200, 0)):
            monkeypatch.setattr(cuda_graphs.time, "monotonic", lambda now=now: now)
            assert Run().rate == rate
    finally:
        cuda_graphs.GraphTrainer.seconds = cuda_graphs.GraphTrainer.ends = cuda_graphs.math.inf


def test_a_run_is_stopped_after_its_seconds():
    stopped = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    try:
        cuda_graphs.end_after(0.1)
        assert stopped.wait(30)
    finally:
        signal.signal(signal.SIGTERM, before)
