"""What is on disk. A model to share: `config.json`, `model.safetensors`, `README.md`, and the critic it was trained against,
`critic.safetensors`. A run to resume adds `snapshot.pt` and the snapshot before it.

Both are judged by their content, read strictly, and written atomically; nothing that is read is ever executed.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from gan.config import ModelConfig
from gan.errors import UserError
from gan.generator import Generator, make_generator
from gan.networks.projected_critic import SavedCritic
from gan.utils.files import replace, write_atomic
from gan.utils.formatting import first_line
from gan.utils.safe_load import load_pickle

CONFIG, WEIGHTS, CARD, SAMPLES = "config.json", "model.safetensors", "README.md", "samples.png"
MODEL_FILES = (CONFIG, WEIGHTS, CARD, SAMPLES)
PHOTO_INDEX = "photos.safetensors"  # what a model may remember of its photos (photo_index.py); not every model does
CRITIC = "critic.safetensors"  # the critic that the model was trained against, for who trains on; not every model has it
SNAPSHOT, BEFORE = "snapshot.pt", "snapshot-before.pt"  # the last one, and the one before it
SNAPSHOT_SCHEMA = 1  # 0: without a version, and without "rollbacks"
KINDS = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64)  # what a model's tensors may be stored in
MAX_CONFIG_BYTES = 1 << 20
MAX_WEIGHT_BYTES = 1 << 30
MAX_PHOTO_INDEX_BYTES = 64 << 20  # features of 25,000 photos
MAX_GROWTH_BYTES = 2 << 20  # of each picture of the growth; those of 256×256 have 0.8 MB at most
MAX_CRITIC_BYTES = 3 << 20  # in half precision: the flagship's takes 1.4 MB, the paper's larger critics are not kept


# ------------------------------------------------------------------------------------------------------------- models


def save_model(folder: Path, generator: Generator, config: ModelConfig, *, half: bool = False) -> None:
    """Write `config.json` and `model.safetensors` into `folder`; `half` stores weights of two axes or more in float16.

    Raises OSError.
    """
    state = {
        key: (value.half() if half and value.ndim > 1 else value).detach().cpu().contiguous()
        for key, value in generator.state_dict().items()
    }
    write_atomic(folder / WEIGHTS, save(state, metadata={"format": "pt"}))
    save_config(folder, config)


def save_config(folder: Path, config: ModelConfig) -> None:
    """Write `config.json` alone, for figures that come after the weights. Raises OSError."""
    write_atomic(folder / CONFIG, (json.dumps(config.to_json(), indent=2, ensure_ascii=False) + "\n").encode())


def load_model(folder: Path) -> Generator:
    """Read a model folder: the generator in float32, evaluation mode, on the CPU; its `config` says what it is.

    Raises UserError when a file is missing, damaged, not what its name says, or does not fit `config.json` exactly.
    """
    config = read_config(folder)
    path = folder / WEIGHTS
    with torch.device("meta"):  # costs no memory: a config that lies about its size is found out before any is taken
        generator = make_generator(config)
    state = fit(read_weights(path), generator.state_dict(), str(path))
    generator.load_state_dict(state, strict=True, assign=True)
    return generator.requires_grad_(False).eval()


def is_model(folder: Path) -> bool:
    """Whether `folder` holds a model, or what is left of one: its weights or its configuration."""
    return any((folder / name).exists() for name in (WEIGHTS, CONFIG))


def save_critic(folder: Path, critic: SavedCritic) -> None:
    """Write `critic.safetensors` in half precision; one of over MAX_CRITIC_BYTES is left out. Raises OSError."""
    state = {key: value.detach().cpu().half().contiguous() for key, value in critic.state.items() if value.is_floating_point()}
    about = {"layers": json.dumps(critic.layers), "side": str(critic.side), "classes": json.dumps(critic.classes)}
    content = save(state, metadata=about)
    if len(content) <= MAX_CRITIC_BYTES:
        write_atomic(folder / CRITIC, content)
    else:
        (folder / CRITIC).unlink(missing_ok=True)


def load_critic(folder: Path) -> SavedCritic | None:
    """The critic of a model folder, its numbers in float32, or None where it holds none.

    Raises UserError for a file that is damaged or no critic.
    """
    path = folder / CRITIC
    if not path.is_file():
        return None
    state = {key: value.float() for key, value in read_weights(path).items()}
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
        layers, classes = (tuple(map(str, json.loads(about[name]))) for name in ("layers", "classes"))
        side = int(about["side"])
    except (KeyError, ValueError, TypeError, OSError, SafetensorError):
        raise UserError(f"{path} does not say which critic it is; remove it, and training begins with a new one.") from None
    if not all(torch.isfinite(value).all() for value in state.values()):
        raise UserError(f"{path} holds values that are not finite; remove it, and training begins with a new one.")
    return SavedCritic(layers, side, classes, state)


def read_config(folder: Path) -> ModelConfig:
    """Read and check `config.json` of a model folder. Raises UserError."""
    path = folder / CONFIG
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise UserError(f"{path} is over {MAX_CONFIG_BYTES >> 20} MiB; a model's configuration is a few kilobytes.")
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{folder} has no {CONFIG}; a model folder holds {CONFIG} and {WEIGHTS}.") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise UserError(f"{path} cannot be read ({first_line(error)}); restore it or train the model again.") from None
    try:
        return ModelConfig.from_json(data)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def read_weights(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file. Raises UserError for anything that is not a whole, valid one."""
    try:
        size = path.stat().st_size
        if size > MAX_WEIGHT_BYTES:
            raise UserError(f"{path} is over {MAX_WEIGHT_BYTES >> 30} GiB, more than any model here; use another file.")
        with path.open("rb") as file:
            # safetensors itself allows headers of 100 MB; ours are a few kilobytes.
            header = int.from_bytes(file.read(8), "little")
        if header > min(size, MAX_CONFIG_BYTES):
            raise UserError(f"{path} is not a whole safetensors file (its header claims {header} bytes); fetch it again.")
        with safe_open(path, framework="pt") as file:
            # As copies: safetensors gives views of the file. They change, or end the program, when somebody writes over it, and
            # Windows lets nobody replace it.
            return {key: file.get_tensor(key).clone() for key in file.keys()}
    except FileNotFoundError:
        raise UserError(f"{path} is missing; a model folder holds {CONFIG} and {WEIGHTS}.") from None
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} is not a whole safetensors file ({first_line(error)}); fetch it again.") from None


def fit(state: dict[str, Tensor], wanted: dict[str, Tensor], where: str) -> dict[str, Tensor]:
    """Check `state` against the keys and shapes of `wanted` and give it their types. Raises UserError at any difference."""
    missing, extra = sorted(set(wanted) - set(state)), sorted(set(state) - set(wanted))
    if missing or extra:
        raise UserError(
            f"{where} does not fit its configuration: {_some(missing)} missing, {_some(extra)} too many; use its own config."
        )
    for key, tensor in state.items():
        if tensor.shape != wanted[key].shape:
            raise UserError(
                f"{where}: '{key}' is {_shape(tensor)} where the configuration wants {_shape(wanted[key])}; use its own config."
            )
        if tensor.dtype not in KINDS or tensor.is_floating_point() != wanted[key].is_floating_point():
            raise UserError(f"{where}: '{key}' holds {tensor.dtype} where {wanted[key].dtype} belongs.")
        if not torch.isfinite(tensor).all():
            raise UserError(f"{where}: '{key}' holds values that are not finite; the training it comes from had diverged.")
    return {key: tensor.to(wanted[key].dtype) for key, tensor in state.items()}


# --------------------------------------------------------------------------------------------------------------- runs


def save_snapshot(folder: Path, state: dict[str, Any], *, keep: bool = True) -> None:
    """Write what resuming needs (tensors, numbers, strings, lists and dicts only) to `snapshot.pt`.

    What was there stays as the snapshot before it, unless `keep` is false. Raises OSError; the last snapshot then stays.
    """
    buffer = io.BytesIO()
    torch.save({"schema": SNAPSHOT_SCHEMA, **state}, buffer)
    write_atomic(folder / SNAPSHOT, _sealed(buffer.getvalue()), folder / BEFORE if keep else None)


def has_snapshot(folder: Path) -> bool:
    """Whether there is anything for `load_snapshot` to look at."""
    return any((folder / name).exists() for name in (SNAPSHOT, BEFORE))


def load_snapshot(
    folder: Path, say: Callable[[str], object] = lambda sentence: None, *, mend: bool = False
) -> dict[str, Any] | None:  # fmt: skip
    """The last good snapshot of a run, or None where there is none at all.

    A damaged one is passed over for the one before it, after saying so; with `mend` that one takes its place on the disk.
    Raises UserError when there is no good one, or when it is of a later schema than this program reads.
    """
    last, before = folder / SNAPSHOT, folder / BEFORE
    if not has_snapshot(folder):
        return None
    try:
        if last.exists():
            return _read_snapshot(last)
        state = _read_snapshot(before)  # killed between the two renames of a write
    except _Damaged as damage:
        try:
            state = _read_snapshot(before)
        except _Damaged:
            raise UserError(
                f"{damage}, and there is no other one that is whole; begin a new run with another --out, "
                f"with --from {folder} if it holds a model."
            ) from None
        say(f"{damage}; the one before it, at {int(state['images_seen']):,} images, takes its place.")
    if mend:
        replace(before, last)
    return state


class _Damaged(Exception):
    """Not the file that was written: which one and why, as the beginning of a sentence."""


def _read_snapshot(path: Path) -> dict[str, Any]:
    """Raises _Damaged, and UserError for a whole file that is not for this program or that it may not read."""
    try:
        wrong = _wrong(path)
    except FileNotFoundError:
        raise _Damaged(f"{path} is missing") from None
    except OSError as error:
        if error.errno == errno.EIO:  # the disk itself has lost it
            raise _Damaged(f"{path} is damaged ({error.strerror})") from None
        raise UserError(f"{path} cannot be read ({error.strerror}); see to that, or choose another --out.") from None
    if wrong:
        raise _Damaged(f"{path} is damaged ({wrong})")
    state = load_pickle(path)
    if not isinstance(state, dict) or "images_seen" not in state:
        raise UserError(f"{path} is not a snapshot of a run; train into another folder with --out.")
    schema = state.get("schema", 0)
    if schema not in range(SNAPSHOT_SCHEMA + 1):
        raise UserError(
            f"{path} has schema {schema!r}, and this version reads schemas up to {SNAPSHOT_SCHEMA}; "
            "go on with the release that wrote it, or train into another folder with --out."
        )
    return state


_SEAL = b"sha256 "
_SEAL_SIZE = len(_SEAL) + 64


def _sealed(archive: bytes) -> bytes:
    """A zip archive without a comment → the same one with the SHA-256 of all that stands before as its comment.

    PyTorch reads a file with wrong bytes in it without a word; a zip archive's own checksums leave its directory out.
    """
    body = archive[:-2] + _SEAL_SIZE.to_bytes(2, "little")
    return body + _SEAL + hashlib.sha256(body).hexdigest().encode()


def _wrong(path: Path) -> str:
    """What is wrong with the bytes of a snapshot, in a few words; nothing if they are those that were written."""
    digest, left = hashlib.sha256(), path.stat().st_size - _SEAL_SIZE
    with path.open("rb") as file:
        while left > 0 and (part := file.read(min(left, 1 << 20))):
            digest.update(part)
            left -= len(part)
        seal = file.read()
    if seal.startswith(_SEAL):
        return "" if seal == _SEAL + digest.hexdigest().encode() else "its checksum is wrong"
    try:  # from before there was a seal
        with zipfile.ZipFile(path) as archive:
            bad = archive.testzip()
    except Exception as error:  # zipfile raises nearly everything on damaged files
        return first_line(error)
    return f"the checksum of '{bad}' is wrong" if bad else ""


def _some(keys: list[str]) -> str:
    return "nothing" if not keys else f"'{keys[0]}'" + (f" and {len(keys) - 1} more" if len(keys) > 1 else "")


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "a number"
