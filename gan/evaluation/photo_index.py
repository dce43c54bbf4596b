"""The photo index of a model: features of the photos it was trained on, without the photos, for the page that shows copies.

A model folder may hold `photos.safetensors`, written by `python -m gan index-photos`. Its tensors, for N photos trained on and
M photos held out:

    trained.features, held_out.features    float16 N×D and M×D, features of a frozen network
    trained.labels, held_out.labels        int16 N and M, index of the class in `classes`
    trained.sizes, held_out.sizes          int64 N and M, size of the photo's file in bytes
    trained.digests, held_out.digests      uint8 N×16 and M×16, the first half of the SHA-256 of the file
    held_out.distances                     float32 M, of a held-out photo, however turned, to the nearest one trained on

Its metadata, all text: `format`, `network` and `network_sha256` (features.py), `resolution` of the photos, `classes` as JSON,
`photos` (the `photos_digest` of the training, empty where it is not known). The index has no file names: a photo is found in a
folder by its size and digest. So whoever has a photo can tell from the index that it was used.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from gan.config import ModelConfig
from gan.errors import UserError
from gan.evaluation import memorization
from gan.evaluation.features import FeatureNetwork
from gan.evaluation.reference import Pictures, Reference
from gan.hub.checkpoint import MAX_PHOTO_INDEX_BYTES, PHOTO_INDEX, read_weights
from gan.utils import validation
from gan.utils.files import write_atomic
from gan.utils.progress import StageProgress

FORMAT = "photos-1"
NETWORKS = ("efficientnet-lite0", "mobilenetv2")  # those whose weights anyone can install
MIN_HELD_OUT = 12  # photos of a class, for distances of its own
_DIGEST = 16  # bytes


@dataclass(frozen=True)
class PhotoSet:
    """Photos in an index: their features, and how to find their files."""

    features: Tensor  # float32 N×D
    labels: Tensor  # int64 N
    sizes: tuple[int, ...]  # bytes of the files
    digests: tuple[bytes, ...]  # 16 bytes of SHA-256 each


@dataclass(frozen=True)
class PhotoIndex:
    """The content of `photos.safetensors`."""

    network: str
    network_digest: str
    resolution: int
    classes: tuple[str, ...]
    photos: str  # digest of the training's photos
    trained: PhotoSet
    held_out: PhotoSet
    distances: Tensor  # float32 M, of held-out photos to the nearest photo trained on

    def compare(self, turned: Tensor, count: int) -> tuple[list[float], list[int]]:
        """The `count` photos trained on that are nearest to a picture, nearest first: distances, and indices into `trained`.

        `turned` are the features 8×D of the picture in all its turns (`turned_features`); the nearest turn counts.
        """
        table = torch.cdist(turned.double(), self.trained.features.double()).min(0).values
        order = memorization.closest(table, count)
        return table[order].tolist(), order.tolist()

    def usual(self, label: int) -> list[float]:
        """The `distances` of held-out photos, ascending: of the class `label`, or of all if it has fewer than MIN_HELD_OUT."""
        own = self.distances[self.held_out.labels == label]
        return sorted((own if len(own) >= MIN_HELD_OUT else self.distances).tolist())

    def is_class_of_its_own(self, label: int) -> bool:
        """Whether the distances of `usual` are those of this class only."""
        return int((self.held_out.labels == label).sum()) >= MIN_HELD_OUT


def turned_features(network: FeatureNetwork, picture: np.ndarray) -> Tensor:
    """Features float32 8×D of one picture uint8 S×S×3, flipped and turned in all eight ways, as the training does it."""
    turns = torch.from_numpy(memorization.dihedral(picture[None])).permute(0, 3, 1, 2)
    return network(turns / 127.5 - 1).cpu()  # always a batch of eight, by which kernels are chosen


def share_farther(distance: float, usual: Sequence[float]) -> float:
    """The share of `usual` distances that are larger than `distance`, from 0 to 1."""
    return sum(one > distance for one in usual) / len(usual)


def index_photos(
    reference: Reference,
    config: ModelConfig,
    network: FeatureNetwork,
    progress: StageProgress = lambda what, done, total: None,
) -> PhotoIndex:
    """The index of `reference`'s photos, which are at the resolution of `config`. Raises OSError for a file that is gone."""
    kept, held = reference.trained_on, reference.held_out or _none(reference.trained_on)
    rows = [[turned_features(network, one) for one in _counted(part, progress, what)]
            for what, part in (("photos", kept), ("photos held out", held))]  # fmt: skip
    width = network.dim
    upright = [torch.stack([row[0] for row in part]) if part else torch.zeros(0, width) for part in rows]
    stored = upright[0].half().float()  # rounded as in the file
    distances = [torch.cdist(row.double(), stored.double()).min() for row in rows[1]]
    return PhotoIndex(
        network.name, network.digest, config.resolution, config.classes, str(config.trained.get("photos_digest", "")),
        _known(stored, kept), _known(upright[1].half().float(), held),
        torch.tensor([float(one) for one in distances], dtype=torch.float32),
    )  # fmt: skip


def write(folder: Path, index: PhotoIndex) -> int:
    """Write an index into a model folder, and return its size in bytes. Raises UserError for one too large, and OSError."""
    state: dict[str, Tensor] = {}
    for part in ("trained", "held_out"):
        known: PhotoSet = getattr(index, part)
        state[f"{part}.features"] = known.features.half()
        state[f"{part}.labels"] = known.labels.to(torch.int16)
        state[f"{part}.sizes"] = torch.tensor(known.sizes, dtype=torch.int64)
        digests = np.frombuffer(b"".join(known.digests), np.uint8).reshape(-1, _DIGEST)
        state[f"{part}.digests"] = torch.from_numpy(digests.copy())
    state["held_out.distances"] = index.distances
    about = {
        "format": FORMAT, "network": index.network, "network_sha256": index.network_digest,
        "resolution": str(index.resolution), "classes": json.dumps(index.classes), "photos": index.photos,
    }  # fmt: skip
    content = save(state, metadata=about)
    if len(content) > MAX_PHOTO_INDEX_BYTES:
        raise UserError(
            f"the features take {len(content) >> 20} MiB, and {MAX_PHOTO_INDEX_BYTES >> 20} are the most; use fewer photos."
        )
    write_atomic(folder / PHOTO_INDEX, content)
    return len(content)


def read(folder: Path, config: ModelConfig) -> PhotoIndex | None:
    """The index in a model folder, None where there is none.

    Raises UserError for a file that is damaged, has another format, or belongs to another training.
    """
    path = folder / PHOTO_INDEX
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"{PHOTO_INDEX} cannot be read ({error.strerror}); mend that, or write it anew.") from None
    if size > MAX_PHOTO_INDEX_BYTES:
        raise _bad(f"has over {MAX_PHOTO_INDEX_BYTES >> 20} MiB, more than is read here")
    try:
        state = read_weights(path)
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
    except UserError:
        raise _bad("is not a whole safetensors file") from None
    index = _parse(state, about)
    if (index.classes, index.resolution) != (config.classes, config.resolution):
        raise _bad("was written for a model of other classes or another size")
    if index.photos != str(config.trained.get("photos_digest", "")):
        raise _bad("was written for a training on other photos")
    return index


def find(known: PhotoSet, files: Iterable[Path]) -> dict[int, Path]:
    """The files of `known` photos among `files`: index → file. Reads only files of a known size; skips unreadable ones."""
    wanted, sizes = dict(zip(known.digests, range(len(known.digests)))), set(known.sizes)
    found: dict[int, Path] = {}
    for path in files:
        try:
            number = wanted.get(_digest(path)) if path.stat().st_size in sizes else None
        except OSError:
            continue
        if number is not None:
            found.setdefault(number, path)
    return found


# ------------------------------------------------------------------------------------------------------------- writing


def _known(features: Tensor, photos: Pictures) -> PhotoSet:
    sizes = tuple(os.stat(path).st_size for path in photos.files)
    return PhotoSet(features, photos.labels, sizes, tuple(_digest(path) for path in photos.files))


def _none(like: Pictures) -> Pictures:
    return Pictures(like.pixels[:0], like.labels[:0])


def _counted(photos: Pictures, progress: StageProgress, what: str) -> Iterable[np.ndarray]:
    for number, picture in enumerate(photos.pixels):
        yield picture
        progress(what, number + 1, len(photos.pixels))


def _digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()[:_DIGEST]


# ------------------------------------------------------------------------------------------------------------- reading


def _parse(state: Mapping[str, Tensor], about: Mapping[str, str]) -> PhotoIndex:
    if about.get("format") != FORMAT:
        raise _bad(f"says its format is {validation.show(about.get('format'))}, and {FORMAT} is read here")
    if about.get("network") not in NETWORKS:
        raise _bad(f"names a network that is not known here, {validation.show(about.get('network'))}")
    try:
        classes, resolution = json.loads(about["classes"]), int(about["resolution"])
    except (KeyError, ValueError, RecursionError):
        raise _bad("does not say its classes and resolution") from None
    if not isinstance(classes, list) or not classes or not all(isinstance(name, str) for name in classes):
        raise _bad("does not say its classes and resolution")
    width = state["trained.features"].shape[-1] if "trained.features" in state and state["trained.features"].ndim == 2 else 0
    trained, held = (_read_known(state, part, width, len(classes)) for part in ("trained", "held_out"))
    distances = _take(state, "held_out.distances", torch.float32, (len(held.labels),))
    if len(state) != 9 or not len(trained.labels) or not width:
        raise _bad("does not hold what it should")
    if (distances < 0).any():
        raise _bad("holds distances below 0")
    return PhotoIndex(
        about["network"], about.get("network_sha256", ""), resolution, tuple(classes), about.get("photos", ""), trained, held,
        distances,
    )  # fmt: skip


def _read_known(state: Mapping[str, Tensor], part: str, width: int, classes: int) -> PhotoSet:
    labels = state.get(f"{part}.labels")
    count = len(labels) if labels is not None and labels.ndim == 1 else 0
    labels = _take(state, f"{part}.labels", torch.int16, (count,)).long()
    if (labels < 0).any() or (labels >= classes).any():
        raise _bad("holds a class that it does not name")
    features = _take(state, f"{part}.features", torch.float16, (count, width)).float()
    digests = _take(state, f"{part}.digests", torch.uint8, (count, _DIGEST)).numpy()
    sizes = _take(state, f"{part}.sizes", torch.int64, (count,))
    return PhotoSet(features, labels, tuple(sizes.tolist()), tuple(row.tobytes() for row in digests))


def _take(state: Mapping[str, Tensor], key: str, kind: torch.dtype, shape: tuple[int, ...]) -> Tensor:
    tensor: Any = state.get(key)
    if tensor is None or tensor.dtype != kind or tuple(tensor.shape) != shape:
        raise _bad(f"has no '{key}' of the right kind and shape")
    if tensor.is_floating_point() and not tensor.isfinite().all():
        raise _bad(f"holds values in '{key}' that are not finite")
    return tensor


def _bad(what: str) -> UserError:
    return UserError(f"{PHOTO_INDEX} {what}; write it anew with python -m gan index-photos MODEL PHOTOS.")
