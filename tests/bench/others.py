"""lightweight-gan 1.2.1 and stylegan2-pytorch 1.9.0 on a processor: they are imported as they are and patched as they run.

Both refuse to be imported without CUDA, and want torchvision, which the package index builds for CUDA only. So, while they are
imported, CUDA is said to be there; `.cuda()` leaves things where they are; and what they use of torchvision is made of Pillow.
Their settings are the defaults of their command lines at 128×128. What they write (grids, checkpoints) is not written.
"""

from __future__ import annotations

import random
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn


def make(name: str, folder: Path, side: int, work: Path) -> Any:
    """A trainer of `name`, ready to `train()`, on all photos below `folder`; raises ImportError where it is not installed."""
    _without_cuda()
    settings: dict[str, Any] = {"image_size": side, "num_workers": 0, "base_dir": work}
    if name == "lightweight-gan":
        from lightweight_gan import lightweight_gan as package

        package.torch = _TorchOnCPU("torch")
        # cli.py: these are what `lightweight_gan --data FOLDER --image-size 128` trains with.
        settings |= {"batch_size": 10, "gradient_accumulate_every": 4, "attn_res_layers": [32], "disc_output_size": 1}
        trainer = package.Trainer(**settings, aug_types=["cutout", "translation"], use_aim=False)
    else:
        from stylegan2_pytorch import stylegan2_pytorch as package

        settings |= {"batch_size": 5, "gradient_accumulate_every": 6, "ttur_mult": 1.5, "trunc_psi": 0.75}
        trainer = package.Trainer(**settings)
    trainer.save = trainer.evaluate = lambda *args, **options: None
    trainer.package = package
    trainer.set_data_src(str(folder))
    trainer.init_GAN()
    return trainer


@torch.no_grad()
def draw(name: str, trainer: Any, count: int) -> Tensor:
    """Pictures N×3×S×S in [0, 1] by the generator as it is: its average is not begun before 20,000 steps."""
    gan = trainer.GAN
    gan.eval()
    if name == "lightweight-gan":
        pictures = trainer.generate_(gan.G, torch.randn(count, gan.latent_dim))
    else:
        style = [(torch.randn(count, gan.G.latent_dim), gan.G.num_layers)]
        noise = torch.rand(count, trainer.image_size, trainer.image_size, 1)
        trainer.av = None  # the mean style is of an earlier moment
        pictures = trainer.generate_truncated(gan.S, gan.G, style, noise, trunc_psi=trainer.trunc_psi)
    gan.train()
    return pictures


class _TorchOnCPU(types.ModuleType):
    """torch, with every device the processor."""

    def __getattr__(self, name: str) -> Any:
        return (lambda *args: torch.device("cpu")) if name == "device" else getattr(torch, name)


def _without_cuda() -> None:
    """Make what both import, and the calls for a GPU in them, harmless."""
    available, torch.cuda.is_available = torch.cuda.is_available, lambda: True
    nn.Module.cuda = Tensor.cuda = lambda self, *args, **options: self
    stand_ins = _stand_ins()
    for name, parts in stand_ins.items():
        module = types.ModuleType(name)
        vars(module).update(parts)
        sys.modules[name] = module
    try:
        for name in ("lightweight_gan.lightweight_gan", "stylegan2_pytorch.stylegan2_pytorch"):
            try:
                __import__(name)
            except ModuleNotFoundError as error:
                sys.modules.pop(name, None)
                print(f"{name}: {error}", file=sys.stderr)
    finally:
        torch.cuda.is_available = available
        for name in stand_ins:  # both keep what they imported; nobody else is to take these for the real ones
            del sys.modules[name]


def _stand_ins() -> dict[str, dict[str, Any]]:
    """Modules by name: the part of torchvision that is used, and an experiment tracker that is not."""
    transforms = types.SimpleNamespace(
        Compose=_compose, Lambda=lambda function: function, Resize=lambda side: lambda image: _resize(image, side),
        CenterCrop=lambda side: lambda image: ImageOps.fit(image, (side, side)), ToTensor=lambda: _to_tensor,
        RandomResizedCrop=_random_crop, functional=types.SimpleNamespace(resize=_resize),
    )  # fmt: skip
    utils = types.SimpleNamespace(save_image=lambda *args, **options: None)
    return {"torchvision": {"transforms": transforms, "utils": utils}, "aim": {}}


def _compose(parts: list[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    def run(value: Any) -> Any:
        for part in parts:
            value = part(value)
        return value

    return run


def _resize(image: Image.Image, side: int) -> Image.Image:
    """The shorter side becomes `side`, bilinear, as torchvision does it."""
    scale = side / min(image.size)
    return image.resize([max(side, round(length * scale)) for length in image.size], Image.Resampling.BILINEAR)


def _random_crop(side: int, scale: tuple[float, float], ratio: tuple[float, float]) -> Callable[[Image.Image], Image.Image]:
    def crop(image: Image.Image) -> Image.Image:
        length = round((random.uniform(*scale) * image.width * image.height) ** 0.5)
        left, top = random.randint(0, max(0, image.width - length)), random.randint(0, max(0, image.height - length))
        return image.resize((side, side), Image.Resampling.BILINEAR, (left, top, left + length, top + length))

    return crop


def _to_tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float() / 255
