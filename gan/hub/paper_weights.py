"""The paper authors' own `.pt` files → our models. They cannot be had here; their shapes are known (paper, section 4)."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gan.config import ModelConfig, sizes
from gan.errors import UserError
from gan.generator import ConvGenerator, Generator
from gan.hub.checkpoint import KINDS, fit, save_model
from gan.presets import PRESETS, resolve
from gan.utils.files import user_path
from gan.utils.safe_load import load_pickle

MAX_BYTES = 200 << 20
Z_DIM = 64
CLASSES = ("dandelion", "marigold")  # the demo's order: leontodon, marigold


@dataclass(frozen=True)
class Release:
    """One of the files the authors' demo has published."""

    name: str
    file: str
    layers: tuple[str, ...]
    preset: str = ""  # the preset with the same layers, if there is one


_64 = PRESETS["cwgan-gp-64"].generator
_CORNERS = tuple("up-corners" if layer == "up" else layer for layer in _64)
# v0.2.0 comes before v0.1.3: they differ in nothing that a file shows, and the later one was trained to the end.
RELEASES = (
    Release("v0.0.3", "2021-09-12_17-37-54_conditional_wgan_generator.pt", PRESETS["cwgan-gp-28"].generator, "cwgan-gp-28"),
    Release(
        "v0.0.4", "2021-09-13_17-03-24_c2wgan_58_generator.pt",
        ("T3,2,0>4h bn relu", "T4,1,0>2h bn relu", "T3,2,0>2h bn relu", "T4,2,0>h bn relu", "T4,2,0>3 tanh"),
    ),
    Release(
        "v0.1.0", "2021-09-17_10-41-51_c2wgan_64_generator.pt",
        ("T5,1,0>h bn relu", "T6,2,0>2h bn relu", "T4,2,0>2h bn relu", "T4,2,0>h bn relu", "T3,1,0>3 tanh"),
    ),
    Release(
        "v0.1.1", "2021-09-19_11-04-18_c2wgan_64_generator.pt", PRESETS["cwgan-gp-64-k4"].generator, "cwgan-gp-64-k4"
    ),
    Release("v0.1.2", "2021-09-20_20-12-01_c2wgan_64_generator.pt", _CORNERS[:-2] + _CORNERS[-1:]),
    Release("v0.2.0", "GANFLOWER-24_05000_c2wgan_64_generator.pt", _64, "cwgan-gp-64"),
    Release("v0.1.3", "2021-09-20_21-38-51_c2wgan_64_generator.pt", _CORNERS),
    Release("v0.3.0", "GANFLOWER-28_03500_c2wgan_128_generator.pt", PRESETS["cwgan-gp-128"].generator, "cwgan-gp-128"),
)  # fmt: skip


def convert_authors(source: str, folder: Path) -> ModelConfig:
    """Write the authors' file at the path `source` as a model folder. Raises UserError."""
    generator = read_authors(authors_path(source))
    try:
        save_model(folder, generator, generator.config)
    except OSError as error:
        raise UserError(f"the model cannot be written to {folder} ({error.strerror}); choose another folder.") from None
    return generator.config


def authors_path(source: str) -> Path:
    """`source` as a path. Raises UserError for an address: nothing is downloaded here."""
    if "://" in source:
        raise UserError(f"{source} is an address, and the authors' files are read from a disk; download it and give its path.")
    return user_path(source)


def read_authors(path: Path) -> Generator:
    """Read one of the authors' files: the generator in float32, evaluation mode, on the CPU; `config` says which it is.

    Where two releases have the same shapes, the name of the file decides. Raises UserError for a file that is none of theirs.
    """
    state = _read_state(path)
    for config in _candidates(state, path.name):
        with torch.device("meta"):
            generator = ConvGenerator(config)
        wanted = generator.state_dict()
        if {key: value.shape for key, value in state.items()} == {key: value.shape for key, value in wanted.items()}:
            # Copied: tensors of such a file may share memory, or be views of a few numbers.
            state = {key: value.clone(memory_format=torch.contiguous_format) for key, value in state.items()}
            generator.load_state_dict(fit(state, wanted, str(path)), strict=True, assign=True)
            return generator.requires_grad_(False).eval()
    raise UserError(f"{path} has the keys or shapes of none of the authors' eight generators; convert one of those.")


def _read_state(path: Path) -> dict[str, Tensor]:
    """The `model_state_dict` of a file, its entries checked for their kind. Raises UserError."""
    try:
        size = path.stat().st_size
        if zipfile.is_zipfile(path):  # a few kilobytes can unpack to gigabytes
            with zipfile.ZipFile(path) as file:
                size = max(size, sum(entry.file_size for entry in file.infolist()))
    except FileNotFoundError:
        raise UserError(f"there is no file {path}; check the path.") from None
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError):
        raise UserError(f"{path} cannot be read; check that it is a whole file you may read.") from None
    if size > MAX_BYTES:
        raise UserError(f"{path} is {size >> 20} MiB, and the authors' files have a few; give one of those.")
    data = load_pickle(path)
    state: Any = data.get("model_state_dict") if isinstance(data, dict) else None
    if not isinstance(state, dict) or not all(isinstance(key, str) for key in state):
        raise UserError(f"{path} holds no weights under 'model_state_dict'; give one of the authors' files.")
    for key, value in state.items():
        if not isinstance(value, Tensor) or value.layout != torch.strided or value.dtype not in KINDS:
            raise UserError(f"{path}: '{key}' is not a plain tensor of weights; give one of the authors' files.")
    return state


def _candidates(state: dict[str, Tensor], file: str) -> list[ModelConfig]:
    """The configurations that the first weight of `state` allows; one whose file name is known comes first."""
    first = state.get("gen.0.0.weight")
    if first is None or first.ndim != 4:
        return []
    found = []
    for release in sorted(RELEASES, key=lambda release: release.file != file):
        transposed = release.layers[0].startswith("T")
        inputs, outputs = first.shape[:2] if transposed else (first.shape[1], first.shape[0])
        width = outputs // 4 if ">4h" in release.layers[0] else outputs
        if inputs - Z_DIM not in (0, *range(2, 1001)) or not 1 <= width <= 256:
            continue
        layers = resolve(release.layers, width)
        config = ModelConfig(
            release.preset or f"authors-{release.name}", sizes(layers, 1)[-1], _classes(inputs - Z_DIM), layers, Z_DIM,
            trained={"by": "the authors of the paper", "release": release.name, "file": file},
        )  # fmt: skip
        if release.preset == "cwgan-gp-64" and file != release.file:
            config.trained["note"] = (
                "v0.1.3 and v0.2.0 have the same shapes and differ in align_corners alone; "
                "the file name does not say which this is, so it is read as v0.2.0 (align_corners=False)."
            )
        found.append(config.validate())
    return found


def _classes(count: int) -> tuple[str, ...]:
    if count in (0, 2):
        return CLASSES if count else ("all",)
    return tuple(f"class-{number}" for number in range(1, count + 1))
