"""`gan.hub.paper_weights`: files with the keys and shapes of the authors' eight, written here by networks of their own."""

from __future__ import annotations

import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from gan.errors import UserError
from gan.hub import loader, paper_weights
from gan.hub.checkpoint import load_model


def conv(inputs: int, outputs: int, kernel: int = 3, padding: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, 1, padding), nn.BatchNorm2d(outputs), nn.ReLU())


def last_conv(inputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, 3, 3, 1, 1), nn.Tanh())


def deconv(inputs: int, outputs: int, kernel: int, stride: int, padding: int = 0) -> nn.Sequential:
    return nn.Sequential(nn.ConvTranspose2d(inputs, outputs, kernel, stride, padding), nn.BatchNorm2d(outputs), nn.ReLU())


def last_deconv(inputs: int, kernel: int, stride: int, padding: int = 0) -> nn.Sequential:
    return nn.Sequential(nn.ConvTranspose2d(inputs, 3, kernel, stride, padding), nn.Tanh())


def up(corners: bool) -> nn.Upsample:
    return nn.Upsample(scale_factor=2, mode="bilinear", align_corners=corners)


def stage_5(n: int, h: int, corners: bool, extra: bool) -> list[nn.Module]:
    return [
        conv(n, 4 * h, 4, 3), up(corners), conv(4 * h, 2 * h), up(corners), conv(2 * h, 2 * h), conv(2 * h, 2 * h), up(corners),
        conv(2 * h, h), conv(h, h), up(corners), conv(h, h), *([conv(h, h)] if extra else []), last_conv(h),
    ]  # fmt: skip


def network(release: str, n: int, h: int) -> nn.Module:
    """The generator of a release for n inputs and hidden width h, as the table of the paper's digest has it."""
    layers = {
        "v0.0.3": lambda: [deconv(n, 4 * h, 3, 2), deconv(4 * h, 2 * h, 4, 1), deconv(2 * h, h, 3, 2), last_deconv(h, 4, 2)],
        "v0.0.4": lambda: [
            deconv(n, 4 * h, 3, 2), deconv(4 * h, 2 * h, 4, 1), deconv(2 * h, 2 * h, 3, 2), deconv(2 * h, h, 4, 2),
            last_deconv(h, 4, 2),
        ],
        "v0.1.0": lambda: [
            deconv(n, h, 5, 1), deconv(h, 2 * h, 6, 2), deconv(2 * h, 2 * h, 4, 2), deconv(2 * h, h, 4, 2),
            last_deconv(h, 3, 1),
        ],
        "v0.1.1": lambda: [
            deconv(n, 4 * h, 4, 1), deconv(4 * h, 2 * h, 4, 2, 1), deconv(2 * h, 2 * h, 4, 2, 1), deconv(2 * h, h, 4, 2, 1),
            last_deconv(h, 4, 2, 1),
        ],
        "v0.1.2": lambda: stage_5(n, h, True, False),
        "v0.1.3": lambda: stage_5(n, h, True, True),
        "v0.2.0": lambda: stage_5(n, h, False, True),
        "v0.3.0": lambda: [
            conv(n, 4 * h, 4, 3), up(False), conv(4 * h, 2 * h), up(False), conv(2 * h, 2 * h), conv(2 * h, 2 * h), up(False),
            conv(2 * h, h), conv(h, h), up(False), conv(h, h), conv(h, h), up(False), conv(h, h), conv(h, h), last_conv(h),
        ],
    }  # fmt: skip
    torch.manual_seed(sum(map(ord, release)) + n + h)
    holder = nn.Module()
    holder.gen = nn.Sequential(*layers[release]())
    for norm in (module for module in holder.modules() if isinstance(module, nn.BatchNorm2d)):  # as if it had been trained
        nn.init.uniform_(norm.running_mean, -0.1, 0.1)
        nn.init.uniform_(norm.running_var, 0.5, 1.5)
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        norm.num_batches_tracked.fill_(1000)
    return holder.eval()


def save(state: dict[str, Tensor], path: Path, **more: object) -> Path:
    torch.save({"model_state_dict": OrderedDict(state), **more}, path)
    return path


FILES = {
    "v0.0.3": ("2021-09-12_17-37-54_conditional_wgan_generator.pt", 28, "cwgan-gp-28"),
    "v0.0.4": ("2021-09-13_17-03-24_c2wgan_58_generator.pt", 58, "authors-v0.0.4"),
    "v0.1.0": ("2021-09-17_10-41-51_c2wgan_64_generator.pt", 64, "authors-v0.1.0"),
    "v0.1.1": ("2021-09-19_11-04-18_c2wgan_64_generator.pt", 64, "cwgan-gp-64-k4"),
    "v0.1.2": ("2021-09-20_20-12-01_c2wgan_64_generator.pt", 64, "authors-v0.1.2"),
    "v0.1.3": ("2021-09-20_21-38-51_c2wgan_64_generator.pt", 64, "authors-v0.1.3"),
    "v0.2.0": ("GANFLOWER-24_05000_c2wgan_64_generator.pt", 64, "cwgan-gp-64"),
    "v0.3.0": ("GANFLOWER-28_03500_c2wgan_128_generator.pt", 128, "cwgan-gp-128"),
}


@pytest.mark.parametrize("release", FILES)
def test_converted_generator_draws_the_same_pictures(release: str, tmp_path: Path) -> None:
    name, size, preset = FILES[release]
    theirs = network(release, 66, 8)
    more = {"epoch": 3500, "optimizer_state_dict": {"state": {}, "param_groups": [{"lr": 2e-4}]}}
    path = save(theirs.state_dict(), tmp_path / name, **more)
    config = loader.convert_authors(str(path), tmp_path / "model")
    ours = load_model(tmp_path / "model")
    z, code = torch.randn(3, 64, generator=torch.Generator().manual_seed(1)), torch.eye(2)[[0, 1, 1]]
    with torch.no_grad():
        wanted = theirs.gen(torch.cat([z, code], 1)[:, :, None, None])
        drawn = ours(z, code)
    assert drawn.shape == wanted.shape == (3, 3, size, size)
    torch.testing.assert_close(drawn, wanted, rtol=1e-5, atol=1e-5)
    assert (config.preset, config.resolution, config.classes) == (preset, size, ("dandelion", "marigold"))
    assert config == ours.config and config.trained["release"] == release and "note" not in config.trained
    model = loader.load(str(path))
    assert (model.source, model.folder, len(model.revision)) == ("authors", None, 12)
    torch.testing.assert_close(model.generator(z, code), drawn, rtol=0, atol=0)


def test_the_full_size_final_model_has_its_published_parameters(tmp_path: Path) -> None:
    name, _, _ = FILES["v0.3.0"]
    config = loader.convert_authors(str(save(network("v0.3.0", 66, 64).state_dict(), tmp_path / name)), tmp_path / "model")
    assert sum(value.numel() for value in load_model(tmp_path / "model").parameters()) == 1_123_011
    assert config.generator[0] == "C4,1,3>256 bn relu"


@pytest.mark.parametrize("release", FILES)
def test_release_is_recognised_by_keys_and_shapes_alone(release: str, tmp_path: Path) -> None:
    config = paper_weights.read_authors(save(network(release, 66, 4).state_dict(), tmp_path / "x.bin")).config
    if release == "v0.1.3":  # the same keys and shapes as v0.2.0
        assert config.trained["release"] == "v0.2.0"
    else:
        assert config.trained["release"] == release
    assert ("note" in config.trained) == (release in ("v0.1.3", "v0.2.0"))
    assert ("up-corners" in config.generator) == (release == "v0.1.2")


def test_inputs_tell_the_classes(tmp_path: Path) -> None:
    for inputs, classes in ((64, ("all",)), (66, ("dandelion", "marigold")), (67, ("class-1", "class-2", "class-3"))):
        path = save(network("v0.0.3", inputs, 4).state_dict(), tmp_path / f"{inputs}.pt")
        generator = paper_weights.read_authors(path)
        assert generator.config.classes == classes
        assert generator(torch.zeros(1, 64), torch.zeros(1, generator.config.code_dim)).shape == (1, 3, 28, 28)
    for inputs in (63, 65):
        with pytest.raises(UserError, match="none of the authors' eight"):
            paper_weights.read_authors(save(network("v0.0.3", inputs, 4).state_dict(), tmp_path / f"{inputs}.pt"))


class Payload:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return open, (str(self.path), "w")


def test_hostile_and_foreign_files_are_refused(tmp_path: Path) -> None:
    state = network("v0.0.3", 66, 4).state_dict()
    trap = tmp_path / "executed"
    path = tmp_path / "file.pt"
    first = "gen.0.0.weight"

    def refused(words: str) -> None:
        with pytest.raises(UserError, match=words) as caught:
            loader.convert_authors(str(path), tmp_path / "model")
        assert "\n" not in str(caught.value) and str(path) in str(caught.value)
        assert not (tmp_path / "model").exists() and not trap.exists()

    for legacy in (False, True):
        torch.save({"model_state_dict": state, "more": Payload(trap)}, path, _use_new_zipfile_serialization=not legacy)
        refused("not a whole file of weights|holds")
    content = save(state, path).read_bytes()
    for wrong in (b"", b"PK\3\4", content[: len(content) // 2], b"<html>not found</html>"):
        path.write_bytes(wrong)
        refused("not a whole file|cannot be read|holds no weights|holds more than plain weights")
    for wrong in ({}, [1, 2], {"model_state_dict": [state]}, {"state_dict": state}, {"model_state_dict": {1: torch.ones(1)}}):
        torch.save(wrong, path)
        refused("holds no weights")
    for key, value in ((first, "text"), (first, torch.ones(2).to_sparse()), (first, state[first].to(torch.complex64))):
        save({**state, key: value}, path)
        refused(f"'{key}' is not a plain tensor")
    nan = state[first].clone()
    nan[0, 0, 0, 0] = float("nan")
    save({**state, first: nan}, path)
    refused("not finite")
    huge = torch.zeros(1).expand(66, 1 << 20, 3, 3)  # four bytes that claim to be gigabytes
    for wrong in (
        {**state, first: huge},
        {**state, "gen.3.0.weight": torch.zeros(1).expand(4, 1 << 30, 4, 4)},
        {**state, first: state[first][:, :-1]},
        {**state, "gen.9.0.weight": torch.ones(1)},
        {key: value for key, value in state.items() if key != "gen.1.1.running_var"},
        {key.replace("gen.", "critic."): value for key, value in state.items()},
        {key.removeprefix("gen."): value for key, value in state.items()},
    ):
        save(wrong, path)
        refused("none of the authors' eight")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file, file.open("archive/data.pkl", "w") as bomb:
        for _ in range(paper_weights.MAX_BYTES // (1 << 22) + 1):
            bomb.write(bytes(1 << 22))
    refused("MiB")
    path.unlink()
    refused("no file")


@pytest.mark.parametrize(
    "address", ["https://example.org/x.pt", "http://example.org/x.pt?download=true", "ftp://example.org/x.pt"]
)
def test_an_address_is_answered_with_what_to_do(address: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="download it and give its path"):
        loader.convert_authors(address, tmp_path / "model")
    if address.startswith("http"):
        with pytest.raises(UserError, match="download it and give its path"):
            loader.load(address)
