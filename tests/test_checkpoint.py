"""What is on disk: atomic writes, models in single and half precision, snapshots."""

import os

import pytest
import torch

from gan.errors import UserError
from gan.generator import Generator, one_hot
from gan.hub import checkpoint
from gan.networks.layers import init_weights
from gan.presets import from_preset
from gan.utils import files


@pytest.fixture
def generator():
    torch.manual_seed(0)
    generator = Generator(from_preset("cwgan-gp-28", ("a", "b"), width=8)[0])
    init_weights(generator)
    return generator.eval()


def draw(generator):
    code = one_hot(torch.tensor([0, 1]), generator.config)
    with torch.no_grad():
        return generator(torch.randn(2, 64, generator=torch.Generator().manual_seed(0)), code)


def test_a_model_comes_back_as_it_was(generator, tmp_path):
    checkpoint.save_model(tmp_path, generator, generator.config)
    loaded = checkpoint.load_model(tmp_path)
    assert loaded.config == generator.config
    assert not loaded.training and not any(weight.requires_grad for weight in loaded.parameters())
    assert all(torch.equal(value, loaded.state_dict()[key]) for key, value in generator.state_dict().items())
    assert torch.equal(draw(loaded), draw(generator))


def test_a_loaded_model_is_not_the_file(generator, tmp_path):
    """Somebody may copy another model over it while the app shows it."""
    checkpoint.save_model(tmp_path, generator, generator.config)
    loaded = checkpoint.load_model(tmp_path)
    with (tmp_path / checkpoint.WEIGHTS).open("r+b") as file:
        file.write(bytes(file.seek(0, 2)))
        file.seek(0)
        file.truncate(10)
    assert all(torch.equal(value, loaded.state_dict()[key]) for key, value in generator.state_dict().items())


def test_half_precision_halves_the_file_and_loads_in_single(generator, tmp_path):
    checkpoint.save_model(tmp_path / "single", generator, generator.config)
    checkpoint.save_model(tmp_path / "half", generator, generator.config, half=True)
    sizes = [(tmp_path / name / checkpoint.WEIGHTS).stat().st_size for name in ("single", "half")]
    assert sizes[1] < 0.6 * sizes[0]
    loaded = checkpoint.load_model(tmp_path / "half")
    assert {value.dtype for value in loaded.state_dict().values()} == {torch.float32, torch.int64}
    assert (draw(loaded) - draw(generator)).abs().max() < 1e-2


def test_weights_that_are_no_numbers_are_refused(generator, tmp_path):
    with torch.no_grad():
        generator.gen[0][0].weight[0, 0] = float("nan")
    checkpoint.save_model(tmp_path, generator, generator.config)
    with pytest.raises(UserError, match="not finite"):
        checkpoint.load_model(tmp_path)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file"
    files.write_atomic(path, b"old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError):
        files.write_atomic(path, b"new")
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]


def test_a_write_makes_its_folder_and_a_readable_file(tmp_path):
    path = tmp_path / "some" / "where" / "file"
    files.write_atomic(path, b"content")
    assert path.read_bytes() == b"content" and path.stat().st_mode & 0o777 == 0o644


def test_snapshots_hold_data_only(tmp_path):
    assert checkpoint.load_snapshot(tmp_path) is None
    checkpoint.save_snapshot(tmp_path, {"images_seen": 3, "weights": {"a": torch.ones(2)}, "names": ["x"]})
    assert checkpoint.load_snapshot(tmp_path)["images_seen"] == 3
    torch.save([1, 2, 3], tmp_path / checkpoint.SNAPSHOT)
    with pytest.raises(UserError, match="not a snapshot"):
        checkpoint.load_snapshot(tmp_path)
