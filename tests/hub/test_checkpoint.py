"""What is on disk: atomic writes, models in single and half precision, snapshots."""

import errno
import hashlib
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gan.config import ModelConfig
from gan.errors import UserError
from gan.generator import ConvGenerator, make_generator, one_hot
from gan.hub import checkpoint
from gan.networks.layers import init_weights
from gan.networks.projected_critic import SavedCritic
from gan.presets import from_preset
from gan.utils import files


@pytest.fixture
def generator():
    torch.manual_seed(0)
    generator = ConvGenerator(from_preset("cwgan-gp-28", ("a", "b"), width=8)[0])
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


def test_half_precision_is_for_what_has_two_axes_or_more(tmp_path):
    """Of biases and norms there is little, and much hangs on it."""
    layers = ("M>8", "M>8", "S>8", "S>8", "S>8")
    generator = make_generator(ModelConfig("small", 16, ("a", "b"), layers, z_dim=8).validate())
    generator.init_weights()
    checkpoint.save_model(tmp_path, generator, generator.config, half=True)
    stored = checkpoint.read_weights(tmp_path / checkpoint.WEIGHTS)
    assert {value.ndim for value in stored.values()} >= {1, 2, 4}
    assert all((value.dtype == torch.float16) == (value.ndim > 1) for value in stored.values())


def test_the_configuration_is_text_that_a_person_reads(generator, tmp_path):
    config = replace(generator.config, classes=("дзвоник", "rose"))
    checkpoint.save_config(tmp_path, config)
    text = (tmp_path / checkpoint.CONFIG).read_text(encoding="utf-8")
    assert '\n  "classes": [\n    "дзвоник",\n' in text and text.endswith("}\n")
    assert checkpoint.read_config(tmp_path) == config


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda state: state.pop("gen.0.0.weight"), "ration: 'gen.0.0.weight' missing, nothing too many;"),
        (lambda state: state.update(extra=torch.zeros(1)), "ration: nothing missing, 'extra' too many;"),
        (lambda state: state.update(a=torch.zeros(1), b=torch.zeros(1)), "nothing missing, 'a' and 1 more too many;"),
        (lambda state: state.update({"gen.0.0.weight": torch.zeros(3, 2)}), "is 3×2 where"),
        (lambda state: state.update({"gen.0.0.weight": torch.zeros(())}), "is a number where"),
        (lambda state: state.update({"gen.0.0.weight": state["gen.0.0.weight"].long()}), "holds torch.int64 where"),
        (lambda state: state.update({"gen.0.0.weight": state["gen.0.0.weight"].to(torch.float8_e5m2)}), "float8_e5m2"),
        (lambda state: state.update({name: state[name].int() for name in state if "num_" in name}), "holds torch.int32"),
    ],
    ids=["missing", "extra", "two extra", "another shape", "no shape", "another kind", "unknown floats", "whole numbers"],
)
def test_tensors_that_do_not_fit_are_refused_and_named(generator, change, says):
    wanted = generator.state_dict()
    assert checkpoint.fit(dict(wanted), wanted, "here").keys() == wanted.keys()
    state = dict(wanted)
    change(state)
    with pytest.raises(UserError, match=says):
        checkpoint.fit(state, wanted, "here")


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


@pytest.mark.parametrize("mend", [False, True])
def test_a_process_killed_between_the_two_renames_of_a_write_leaves_the_snapshot_before(tmp_path, mend):
    checkpoint.save_snapshot(tmp_path, {"images_seen": 1})
    (tmp_path / checkpoint.SNAPSHOT).rename(tmp_path / checkpoint.BEFORE)
    assert checkpoint.load_snapshot(tmp_path, mend=mend)["images_seen"] == 1
    assert [path.name for path in tmp_path.iterdir()] == [checkpoint.SNAPSHOT if mend else checkpoint.BEFORE]


@pytest.mark.parametrize("name", [checkpoint.WEIGHTS, checkpoint.CONFIG])
def test_what_is_left_of_a_model_is_one(tmp_path, name):
    assert not checkpoint.is_model(tmp_path)
    (tmp_path / checkpoint.CARD).touch()
    assert not checkpoint.is_model(tmp_path)
    (tmp_path / name).touch()
    assert checkpoint.is_model(tmp_path)


def test_a_critic_too_large_to_keep_takes_the_one_before_away(tmp_path, monkeypatch):
    """Else a run would go on from a critic that never saw this generator."""
    critic = SavedCritic(("C8",), 16, ("a", "b"), {"weight": torch.ones(1000)})
    checkpoint.save_critic(tmp_path, critic)
    size = (tmp_path / checkpoint.CRITIC).stat().st_size
    monkeypatch.setattr(checkpoint, "MAX_CRITIC_BYTES", size)
    checkpoint.save_critic(tmp_path, critic)
    assert checkpoint.load_critic(tmp_path) is not None, "of exactly that size"
    monkeypatch.setattr(checkpoint, "MAX_CRITIC_BYTES", size - 1)
    for _ in range(2):
        checkpoint.save_critic(tmp_path, critic)
        assert checkpoint.load_critic(tmp_path) is None


def test_a_snapshot_is_a_zip_archive_with_its_seal_as_the_comment(tmp_path):
    """So other programs, and releases from before the seal, read it."""
    checkpoint.save_snapshot(tmp_path, {"images_seen": 1})
    content = (tmp_path / checkpoint.SNAPSHOT).read_bytes()
    with zipfile.ZipFile(tmp_path / checkpoint.SNAPSHOT) as archive:
        assert archive.testzip() is None
        assert archive.comment == b"sha256 " + hashlib.sha256(content[:-71]).hexdigest().encode()


def test_a_wrong_byte_is_noticed_in_a_snapshot_without_a_seal_too(tmp_path):
    """As releases before the seal wrote them."""
    torch.save({"images_seen": 1, "weights": torch.zeros(1000)}, tmp_path / checkpoint.SNAPSHOT)
    assert checkpoint.load_snapshot(tmp_path)["images_seen"] == 1
    content = (tmp_path / checkpoint.SNAPSHOT).read_bytes()
    at = content.index(bytes(2000)) + 1000
    (tmp_path / checkpoint.SNAPSHOT).write_bytes(content[:at] + b"x" + content[at + 1 :])
    with pytest.raises(UserError, match="the checksum of '.*' is wrong"):
        checkpoint.load_snapshot(tmp_path)


def test_a_snapshot_replaces_the_one_before_only_where_that_is_kept(tmp_path):
    for images in (1, 2):
        checkpoint.save_snapshot(tmp_path, {"images_seen": images})
    checkpoint.save_snapshot(tmp_path, {"images_seen": 3}, keep=False)
    both = (checkpoint._read_snapshot(tmp_path / name) for name in (checkpoint.SNAPSHOT, checkpoint.BEFORE))
    assert [state["images_seen"] for state in both] == [3, 1]


@pytest.mark.parametrize("state", [{"weights": 1}, [1], {}], ids=["no images", "a list", "nothing"])
def test_a_whole_file_that_is_no_snapshot_is_named_as_such(tmp_path, state):
    torch.save(state, tmp_path / checkpoint.SNAPSHOT)
    with pytest.raises(UserError, match="is not a snapshot of a run"):
        checkpoint.load_snapshot(tmp_path)


@pytest.mark.parametrize(("number", "passed_over"), [(errno.EIO, True), (errno.EACCES, False)])
def test_only_a_disk_that_has_lost_it_makes_a_snapshot_a_damaged_one(tmp_path, monkeypatch, number, passed_over):
    for images in (1, 2):
        checkpoint.save_snapshot(tmp_path, {"images_seen": images})
    whole = Path.open

    def opened(self, *arguments, **named):
        if self.name == checkpoint.SNAPSHOT:
            raise OSError(number, os.strerror(number), str(self))
        return whole(self, *arguments, **named)

    monkeypatch.setattr(Path, "open", opened)
    if passed_over:
        assert checkpoint.load_snapshot(tmp_path)["images_seen"] == 1
    else:
        with pytest.raises(UserError, match="cannot be read"):
            checkpoint.load_snapshot(tmp_path)
