"""tests/bench/lr_decay.py: its runs go on as the trainer does, and its averages are the trainer's."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from pictures import make_photos

import train
from gan.data.image_folder import OVERSAMPLE, load_photos
from gan.hub import checkpoint

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "bench"))

import lr_decay  # noqa: E402


def test_a_run_goes_on_and_its_average_is_the_one_that_train_would_write(tmp_path):
    photos = make_photos(tmp_path / "photos")
    argv = [str(photos), "--preset", "cwgan-gp-28", "--width", "4", "--batch", "4", "--critic-steps", "2", "--device", "cpu"]
    argv += ["--precision", "fp32", "--ema-images", "50", "--out", str(tmp_path / "run")]
    assert train.main([*argv, "--images", "200"]) == 0
    state = checkpoint.load_snapshot(tmp_path / "run")
    loaded = load_photos(photos, OVERSAMPLE * 28)
    found = {}
    for arm, falling in lr_decay.ARMS.items():
        trainer = lr_decay.continued(state, loaded, 40, falling)
        found[arm] = lr_decay.averages(trainer, [50, 5])
        rate = trainer.generator_optimizer.param_groups[0]["lr"]
        assert (rate < 0.3 * 2e-4) == bool(falling), "the last of five steps"

    assert train.main([*argv, "--images", "240"]) == 0
    wanted = checkpoint.load_snapshot(tmp_path / "run")["ema"]
    average = found["as before"][50].state_dict()
    assert all(torch.equal(average[name], value) for name, value in wanted.items())
    weights = [next(generator.parameters()) for arm in found.values() for generator in arm.values()]
    assert len({weight.detach().numpy().tobytes() for weight in weights}) == 4, "arms and half-lives differ"
