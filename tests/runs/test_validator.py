"""Choosing the best moment of a run by a validator's figure, and the validator itself on a real feature network."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pictures import make_photos
from test_trainer import same

import train as front_door
from gan.data.image_folder import OVERSAMPLE, load_photos
from gan.errors import UserError
from gan.hub import checkpoint, sample_history
from gan.networks import latents
from gan.presets import from_preset
from gan.runs import validator as validator_module
from gan.runs.run import Run
from gan.runs.validator import LEAST_HELD_OUT, Validator, make_validator
from gan.utils.images import to_uint8

CPU = torch.device("cpu")


class Scripted:
    """A validator that gives the figures it was told, and remembers the weights it was shown."""

    def __init__(self, *figures: float) -> None:
        self.figures, self.shown = list(figures), {}

    def __call__(self, trainer) -> float:
        figure = self.figures.pop(0)
        self.shown[figure] = {key: value.clone() for key, value in trainer.ema.state_dict().items()}
        return figure


def make(tmp_path, validator, images=64) -> Run:
    photos = load_photos(make_photos(tmp_path / "photos"), OVERSAMPLE * 28)
    model, train = from_preset("cwgan-gp-28", photos.classes, width=4, batch=4, critic_steps=2, images=images)
    return Run(tmp_path / "run", model, train, photos, CPU, validator=validator, about={"command": "python train.py photos"})


def go(run: Run, stop_after: int | None = None, every: int = 1000) -> bool:
    seen = lambda: stop_after is not None and run.trainer.images_seen >= stop_after  # noqa: E731
    return run.train(every, lambda *_: None, seen, validate_every=16)


def weights(tmp_path):
    return checkpoint.load_model(tmp_path / "run").state_dict()


def test_the_model_kept_is_the_best_one_not_the_last(tmp_path):
    validator = Scripted(0.5, 0.2, 0.4, 0.3)
    assert go(make(tmp_path, validator))
    assert not validator.figures
    assert same(weights(tmp_path), validator.shown[0.2])
    trained = checkpoint.read_config(tmp_path / "run").trained
    assert trained["images"] == 32 and trained["chosen_by"] == {"kid": 0.2, "images": 32}
    assert "lowest, 0.200" in (tmp_path / "run" / "README.md").read_text()


def test_the_growth_ends_with_the_model_that_is_kept(tmp_path):
    assert go(make(tmp_path, Scripted(0.5, 0.2, 0.4, 0.3)), every=16)
    assert [images for images, _ in sample_history.frames(tmp_path / "run")] == [0, 16, 32]


def test_a_resumed_run_remembers_its_best(tmp_path):
    first = Scripted(0.5, 0.2)
    assert not go(make(tmp_path, first), stop_after=40)
    second = make(tmp_path, Scripted(0.4, 0.3))
    assert second.resume() and second.best == {"kid": 0.2, "images": 32}
    assert go(second)
    assert same(weights(tmp_path), first.shown[0.2])


def test_the_last_moment_is_judged_too_when_the_run_does_not_end_on_a_mark(tmp_path):
    validator = Scripted(0.5, 0.4, 0.1)
    assert go(make(tmp_path, validator, images=40))
    assert same(weights(tmp_path), validator.shown[0.1])


def test_a_run_without_a_judge_keeps_its_last_model(tmp_path):
    run = make(tmp_path, None)
    assert go(run)
    assert same(weights(tmp_path), run.trainer.ema.state_dict())
    assert run.best == {}


def test_judging_changes_nothing_in_the_training(tmp_path):
    plain = make(tmp_path / "a", None)
    go(plain)
    judged = make(tmp_path / "b", Scripted(0.5, 0.4, 0.3, 0.2))
    go(judged)
    assert same(plain.trainer.state(), judged.trainer.state())


def test_the_real_judge_finds_photos_nearer_than_an_untrained_generator(tmp_path, monkeypatch):
    monkeypatch.setattr("gan.runs.validator.COUNT", 40)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    photos = load_photos(make_photos(tmp_path / "photos", count=20), OVERSAMPLE * 28)
    validator = make_validator(photos, CPU)
    assert isinstance(validator, Validator)
    model, train = from_preset("cwgan-gp-28", photos.classes, width=4)
    trainer = Run(tmp_path / "run", model, train, photos, CPU).trainer
    seeds, noise = [], latents.noise
    monkeypatch.setattr(latents, "noise", lambda numbers, *more: seeds.extend(numbers) or noise(numbers, *more))
    before = validator(trainer)
    assert before == validator(trainer)
    assert min(seeds) > 1_000_000, "an evaluation from seed 0 on must not meet flowers the moment was chosen by"

    class PhotoIndex:
        """Stands where the trainer does and hands out the photos themselves."""

        model, side = trainer.model, 28
        left = list(photos.images.split(1))

        def draw(self, seeds, labels, side):
            images = torch.cat([self.left.pop(0) for _ in labels])
            return torch.nn.functional.avg_pool2d(images.float(), OVERSAMPLE) / 127.5 - 1

    assert validator(PhotoIndex()) < before / 10


def test_resuming_without_a_judge_keeps_the_last_model(tmp_path):
    assert not go(make(tmp_path, Scripted(0.5, 0.2)), stop_after=40)
    second = make(tmp_path, None)
    assert second.resume() and go(second)
    assert same(weights(tmp_path), second.trainer.ema.state_dict())


class Named(Scripted):
    """The same with a feature network of some name."""

    def __init__(self, kid_name: str, *figures: float) -> None:
        super().__init__(*figures)
        self.network = SimpleNamespace(kid_name=kid_name)


def test_a_resumed_run_does_not_compare_the_kids_of_two_networks(tmp_path):
    assert not go(make(tmp_path, Named("KID-A", 0.5, 0.2)), stop_after=40)
    same_network = make(tmp_path, Named("KID-A"))
    assert same_network.resume() and same_network.best == {"kid": 0.2, "images": 32, "kid_name": "KID-A"}
    second = make(tmp_path, Named("KID-B", 4.0, 5.0))
    assert second.resume() and second.best == {}
    assert go(second)
    assert same(weights(tmp_path), second.validator.shown[4.0])
    assert "KID-B of 500 flowers was lowest, 4.000" in (tmp_path / "run" / "README.md").read_text()


class Hands:
    """Stands where the trainer does and hands out photos, one after another and again from the first."""

    def __init__(self, photos) -> None:
        self.photos, self.given, self.side = photos, 0, 28

    def draw(self, seeds, labels, side):
        index = torch.arange(self.given, self.given + len(labels)) % len(self.photos.labels)
        self.given += len(labels)
        return torch.nn.functional.avg_pool2d(self.photos.images[index].float(), OVERSAMPLE) / 127.5 - 1


def test_where_enough_are_held_out_these_are_what_is_judged_by(tmp_path, monkeypatch):
    monkeypatch.setattr("gan.runs.validator.COUNT", 60)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    seen = load_photos(make_photos(tmp_path / "seen", 60, ("dandelion",)), OVERSAMPLE * 28)
    held = load_photos(make_photos(tmp_path / "held", LEAST_HELD_OUT, ("seedhead",)), OVERSAMPLE * 28)
    few = load_photos(make_photos(tmp_path / "few", LEAST_HELD_OUT - 1, ("seedhead",)), OVERSAMPLE * 28)
    validator = make_validator(seen, CPU, held)
    assert validator.held_out == LEAST_HELD_OUT
    assert validator(Hands(held)) < validator(Hands(seen)) / 10
    assert len(validator.real) == 60, "for the page the nearest photos are still those trained on"
    validator.use_held_out(False)
    plain = make_validator(seen, CPU)
    assert validator.held_out == plain.held_out == make_validator(seen, CPU, few).held_out == 0
    assert validator(Hands(held)) == plain(Hands(held)) > 10 * plain(Hands(seen))


TINY = "--preset cwgan-gp-28 --width 4 --batch 8 --critic-steps 1 --precision fp32 --device cpu --evaluate-every 16".split()


@pytest.mark.parametrize(("share", "by"), [("0.45", "the 54 photos held out"), ("0.1", "the photos trained on")])
def test_a_run_says_by_which_photos_its_best_moment_was_chosen(share, by, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("gan.runs.validator.COUNT", 40)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    photos, out = make_photos(tmp_path / "photos", 60), tmp_path / "out"
    argv = [str(photos), *TINY, "--holdout", share, "--out", str(out)]
    assert front_door.main([*argv, "--images", "32"]) == 0
    printed = capsys.readouterr().out
    assert f"validated: every 16 images, by the KID-MobileNetV2 to {by}" in printed
    assert f" to {by}\n" in printed.split("is kept: ")[1]
    assert f"KID-MobileNetV2 of 500 flowers to {by} was lowest" in (out / "README.md").read_text()
    assert f"of the flowers and of {by}. Lower is better" in (out / "learning.html").read_text()
    state = checkpoint.load_snapshot(out)
    assert state["best"].pop("held_out") == (54 if share == "0.45" else 0)
    checkpoint.save_snapshot(out, state)  # as it was before there was a choice
    assert front_door.main([*argv, "--images", "48"]) == 0
    printed = capsys.readouterr().out
    assert "by the KID-MobileNetV2 to the photos trained on" in printed, "one figure is compared with others of its kind"


def growing(tmp_path, figures):
    """A run of a small flagship, 64 pixels a side up to 32 images and then 128, judged by these figures every 16."""
    photos = load_photos(make_photos(tmp_path / "photos", 8), OVERSAMPLE * 128)
    recipe = {"width": 4, "batch": 8, "images": 64, "sides": ("64:32", "128"), "precision": "fp32"}
    model, train = from_preset("flagship", photos.classes, resolution=128, **recipe)
    return Run(tmp_path / "run", model, train, photos, CPU, validator=Scripted(*figures))


def test_kids_of_two_sides_are_not_compared(tmp_path):
    run = growing(tmp_path, (0.2, 0.9, 0.8, 1.0))
    assert go(run)
    assert run.best == {"kid": 0.8, "images": 48, "side": 128}, "the best of the new side, however low the coarse ones are"
    assert same(weights(tmp_path), run.validator.shown[0.8])
    again = growing(tmp_path, ())
    assert again.resume() and again.best == run.best


def test_a_scale_that_is_not_trained_yet_is_not_judged(tmp_path, monkeypatch):
    monkeypatch.setattr("gan.runs.validator.COUNT", 40)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    run = growing(tmp_path, ())
    validator, sides, draw = make_validator(run.trainer.photos, CPU), [], run.trainer.draw
    monkeypatch.setattr(run.trainer, "draw", lambda *given, side: sides.append(side) or draw(*given, side=side))
    coarse = validator(run.trainer)
    run.trainer.images_seen = 32
    fine = validator(run.trainer)
    assert sides == [64, 64, 128, 128]
    assert coarse != fine and validator(run.trainer) == fine


def test_the_photos_of_a_coarse_side_are_as_the_training_shows_them(tmp_path, monkeypatch):
    """Another filter would make the photos sharper, and the model that is trained longest would look worse than it is."""
    monkeypatch.setattr("gan.runs.validator.COUNT", 40)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    seen, cached = [], validator_module.cached
    monkeypatch.setattr(validator_module, "cached", lambda network, pixels: seen.append(pixels) or cached(network, pixels))
    trainer = growing(tmp_path, ()).trainer
    make_validator(trainer.photos, CPU)(trainer)
    shown = trainer.stream.pictures(torch.arange(len(trainer.photos.labels)), 64)
    assert np.abs(seen[-1].astype(int) - to_uint8(shown).astype(int)).max() <= 1


def test_a_judge_that_is_none_is_refused_and_the_best_model_stays(tmp_path, capsys, monkeypatch):
    """Without a validator a run keeps its last model, so the best one would be lost to a slip of the fingers."""
    assert go(make(tmp_path, Scripted(0.5, 0.2, 0.4, 0.3)))
    words = [str(tmp_path / "photos"), "--preset", "cwgan-gp-28", "--width", "4", "--batch", "4", "--critic-steps", "2",
             "--device", "cpu", "--out", str(tmp_path / "run"), "--images", "80", "--evaluate-every", "16"]  # fmt: skip
    before = (tmp_path / "run" / "config.json").read_bytes()
    assert front_door.main([*words, "--network", "mobilenet"]) == 2
    assert "mobilenet" in capsys.readouterr().err
    assert front_door.main([*words, "--network", "mobilenet", "--dry-run"]) == 2
    capsys.readouterr()

    def missing(*_):
        raise UserError("torchmetrics is not installed; run pip install -r requirements-dev.txt.")

    monkeypatch.setattr("gan.runs.training.make_validator", missing)
    assert front_door.main(words) == 2
    assert "cannot be validated any more: torchmetrics is not installed" in capsys.readouterr().err
    assert (tmp_path / "run" / "config.json").read_bytes() == before
    assert front_door.main([*words[:-1], "0"]) == 0
    assert checkpoint.read_config(tmp_path / "run").trained["images"] == 80
