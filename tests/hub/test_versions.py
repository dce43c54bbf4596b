"""Files of every version so far are read, and those of a later one are refused in a sentence (tests/files/README.md)."""

import json
import lzma
import shutil
from pathlib import Path

import pytest
import torch
from test_trainer import CPU, same, styled

from gan.config import ModelConfig
from gan.data.image_folder import Photos, load_photos
from gan.errors import UserError
from gan.evaluation import photo_index
from gan.hub import checkpoint, loader, sample_history
from gan.options import TrainConfig, settings_of
from gan.runs.run import Run

DATA = Path(__file__).resolve().parents[1] / "files"
RUNS = sorted(folder.name for folder in DATA.iterdir() if folder.is_dir())


@pytest.fixture(params=RUNS)
def old(request, tmp_path):
    """A run folder of an earlier version."""
    folder = tmp_path / request.param
    shutil.copytree(DATA / request.param, folder)
    packed = folder / "snapshot.pt.xz"
    (folder / checkpoint.SNAPSHOT).write_bytes(lzma.decompress(packed.read_bytes()))
    packed.unlink()
    return folder


def photos(side):
    """What all of them were trained on: eight squares of noise in two classes."""
    pixels = (torch.arange(8 * 3 * side * side) * 2654435761 % 256).to(torch.uint8).reshape(8, 3, side, side)
    return Photos(pixels, torch.arange(8) // 4, ("a", "b"), (), "photos of tests/test_versions.py")


def go_on(folder, images):
    """The run in `folder`, as the program of today has it, until `images`."""
    state = checkpoint.load_snapshot(folder)
    model = checkpoint.read_config(folder)
    model = ModelConfig(model.preset, model.resolution, model.classes, model.generator, model.z_dim)
    known = {name: tuple(value) if isinstance(value, list) else value for name, value in settings_of(state).items()}
    run = Run(folder, model, TrainConfig(**{**known, "images": images}), photos(2 * model.resolution), CPU, about=ABOUT)
    return state, run


ABOUT = {"command": "python train.py photos", "notes": "", "photos": {"a": 4, "b": 4}}


def test_there_is_one_of_every_schema():
    schemas = {json.loads((DATA / name / "config.json").read_text())["schema"] for name in RUNS}
    snapshots = {
        _unpacked(DATA / name / "snapshot.pt.xz").get("schema", 0) for name in RUNS
    }  # fmt: skip
    assert schemas == {1} and snapshots == set(range(checkpoint.SNAPSHOT_SCHEMA + 1))


def _unpacked(path):
    with lzma.open(path) as file:
        return torch.load(file, weights_only=True)


def test_an_old_run_goes_on(old):
    state, run = go_on(old, 32)
    assert run.resume()
    now = run.trainer.state()
    assert all(same(state[part], now[part]) for part in ("generator", "critic", "ema", "critic_optimizer", "images_seen"))
    assert run.train(1000, lambda *_: None, lambda: False)
    saved = checkpoint.load_snapshot(old)
    assert saved["schema"] == checkpoint.SNAPSHOT_SCHEMA and saved["images_seen"] == 32
    assert saved["generator_steps"] == 8 and saved["rollbacks"] == state.get("rollbacks", [])
    assert loader.load(str(old)).generator.config.trained["images"] == 32
    assert checkpoint._read_snapshot(old / checkpoint.BEFORE)["images_seen"] == 16, "as the old version wrote it"


def test_an_old_model_draws(old):
    model = loader.load(str(old))
    side = model.generator.config.resolution
    with torch.no_grad():
        code = torch.eye(2)
        drawn = model.generator.decode(*model.generator.latents([1, 2], code, 1.5))
    assert drawn.shape == (2, 3, side, side) and drawn.isfinite().all() and not torch.equal(drawn[0], drawn[1])
    has = old.name == "styles"
    remembered = photo_index.read(old, model.generator.config)
    assert len(sample_history.frames(old)) == 2 * has and (remembered is not None) == has
    for _, path in sample_history.frames(old):
        assert sample_history.flowers(path, side).shape == (64, side, side, 3)
    if has:
        assert remembered.trained.features.shape == (2, 1280) and remembered.distances.shape == (2,)


def test_rates_that_were_halved_stay_so(tmp_path):
    state = _unpacked(DATA / "rolled-back" / "snapshot.pt.xz")
    assert state["rollbacks"] == [{"reached": 12, "back_to": 8, "lr": 1e-4, "critic_lr": 1e-4}]
    assert state["generator_optimizer"]["param_groups"][0]["lr"] == 1e-4


def test_a_flagship_without_a_version_goes_on(tmp_path):
    """Its snapshot is too large to keep here: today's, without what came with schema 1."""
    from pictures import make_photos

    larger = load_photos(make_photos(tmp_path / "photos"), 64)
    trainer = styled(larger)
    trainer.step()
    checkpoint.save_snapshot(tmp_path, trainer.state())
    state = checkpoint.load_snapshot(tmp_path)
    del state["schema"]
    torch.save(state, tmp_path / checkpoint.SNAPSHOT)
    again = styled(larger)
    again.load_state(checkpoint.load_snapshot(tmp_path))
    assert again.step() == trainer.step()


@pytest.mark.parametrize("schema", [checkpoint.SNAPSHOT_SCHEMA + 1, "two", -1])
def test_a_snapshot_of_a_later_version_is_refused_and_left(schema, tmp_path):
    checkpoint.save_snapshot(tmp_path, {"images_seen": 8})
    torch.save({"images_seen": 8, "schema": schema, "new": 1}, tmp_path / checkpoint.SNAPSHOT)
    content = (tmp_path / checkpoint.SNAPSHOT).read_bytes()
    checkpoint.save_snapshot(tmp_path / "other", {"images_seen": 7})
    shutil.copy(tmp_path / "other" / checkpoint.SNAPSHOT, tmp_path / checkpoint.BEFORE)
    with pytest.raises(UserError, match=f"has schema {schema!r}, and this version reads schemas up to 1"):
        checkpoint.load_snapshot(tmp_path, mend=True)
    assert (tmp_path / checkpoint.SNAPSHOT).read_bytes() == content


def test_a_model_of_a_later_version_is_refused_by_its_version_not_by_its_keys(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(DATA / "styles", folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "schema": 2, "layout": "new"}))
    with pytest.raises(UserError, match="schema 2, and this version reads schema 1"):
        loader.load(str(folder))
    (folder / "config.json").write_text(json.dumps({**config, "layout": "new"}))
    with pytest.raises(UserError, match="layout"):
        loader.load(str(folder))
