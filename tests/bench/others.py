"""Programs by others, as their makers' defaults have them, on a processor: imported as they are and patched as they run.

| name | package | settings |
| --- | --- | --- |
| lightweight-gan | lightweight-gan 1.2.1 | of its command line, `--image-size S` |
| stylegan2-pytorch | stylegan2-pytorch 1.9.0 | of its command line, `--image-size S` |
| mimicry-sngan | torch-mimicry 0.1.16 | SNGAN for 64×64 as its README trains it |
| diffusion | denoising-diffusion-pytorch 2.3.4 | of its classes, but half the width, and 25 steps to draw |

What is bent: the first two refuse to be imported without CUDA, so it is said to be there meanwhile, and `.cuda()` leaves
things where they are; on a GPU neither is done. Empty modules stand for what is imported and not used: experiment trackers,
scikit-image, and mimicry's metrics and data sets, which want TensorFlow and an older PyTorch. Photos are read without worker
processes. Grids and checkpoints are not written. requirements-peers.txt has the versions.
"""

from __future__ import annotations

import os
import random
import sys
import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from operations import data
from torch import Tensor, nn

Unit = tuple[int, Any]  # how often in a turn, and what gives the photos its critic saw
CPU = torch.device("cpu")
CHUNK = 20  # pictures drawn at a time on a processor
GPU_CHUNK = 100  # and on a GPU
DIFFUSION_DRAW_STEPS = 25  # of DDIM; the README's 250 would take a core three hours for 250 pictures
NO_END = 10**9


class Other:
    """Somebody else's trainer. Subclasses set `trainer`, `settings` and `drawing`, the networks that draw."""

    device: torch.device
    packages: tuple[str, ...]  # modules to import
    parts = 1  # parts of a step that are one `update`, where only a part is run
    trainer: Any
    settings: str
    drawing: Sequence[nn.Module]

    def units(self) -> list[Unit]:
        """An update, once in a turn."""
        return [(1, self.update)]

    def shorten(self) -> None:
        """From now on do a part of a step, where steps have parts; it costs the same a photo, but for the optimizers."""

    def update(self) -> int:
        """Up to the next generator step → photos seen."""
        raise NotImplementedError

    def draw(self, labels: Tensor, seed: int = 1) -> np.ndarray:
        """Pictures uint8 N×S×S×3; their classes cannot be chosen."""
        torch.manual_seed(seed)
        with torch.no_grad():
            drawn = [self._draw(len(part)) for part in labels.split(CHUNK if self.device == CPU else GPU_CHUNK)]
        return (torch.cat(drawn).cpu().clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()

    def _draw(self, count: int) -> Tensor:
        """Pictures N×3×S×S in [0, 1]."""
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        """All that resuming needs but the order of the photos, which is drawn anew: tensors, numbers, lists and dicts."""
        return {name: part.state_dict() for name, part in self._kept().items()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
        for name, part in self._kept().items():
            part.load_state_dict(state[name])

    def _kept(self) -> dict[str, Any]:
        """What has a state_dict, by name."""
        raise NotImplementedError


class Lucidrains(Other):
    """What lightweight-gan and stylegan2-pytorch share: a Trainer whose `train()` is a step, with a penalty every fourth."""

    penalty_every = 4

    def __init__(self, package: Any, folder: Path, whole: bool, settings: dict[str, Any]) -> None:
        self.trainer = trainer = package.Trainer(**settings, num_workers=0)
        trainer.save = trainer.evaluate = lambda *args, **options: None
        trainer.set_data_src(str(folder))
        trainer.init_GAN()
        accumulated = trainer.gradient_accumulate_every
        if not whole:
            self.shorten()
        trainer.loader = iter(data(trainer.loader.__next__), None)
        package.DiffAugment = data(package.DiffAugment)
        self.settings = (
            f"float32, batch {trainer.batch_size} × {accumulated} accumulated, lr {trainer.lr:g}, "
            f"penalty every 4th step, augmentation {trainer.aug_prob:.2f}"
        )

    def shorten(self) -> None:
        self.parts *= self.trainer.gradient_accumulate_every
        self.trainer.gradient_accumulate_every = 1

    def units(self) -> list[Unit]:
        """A step with the penalty, and the three without it."""
        return [(1, lambda: self._step(0)), (3, lambda: self._step(1))]

    def _step(self, after: int) -> int:
        self.trainer.steps += (after - self.trainer.steps) % self.penalty_every
        return self.update()

    def update(self) -> int:
        self.trainer.train()
        return self.trainer.batch_size * self.trainer.gradient_accumulate_every

    def state(self) -> dict[str, Any]:
        return {**super().state(), "steps": self.trainer.steps, "pl_mean": getattr(self.trainer, "pl_mean", None)}

    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(state)
        self.trainer.steps, self.trainer.pl_mean = state["steps"], state["pl_mean"]

    def _kept(self) -> dict[str, Any]:
        gan = self.trainer.GAN
        return {"networks": gan, "generator_optimizer": gan.G_opt, "critic_optimizer": gan.D_opt}


class LightweightGAN(Lucidrains):
    """lightweight-gan: `lightweight_gan --data FOLDER --image-size S`."""

    packages = ("lightweight_gan.lightweight_gan",)

    def __init__(self, folder: Path, side: int, work: Path, whole: bool, device: torch.device) -> None:
        (package,), self.device = imported(self, device), device
        if device == CPU:
            package.torch = _TorchOnCPU("torch")
        settings = {"batch_size": 10, "gradient_accumulate_every": 4, "attn_res_layers": [32], "disc_output_size": 1}
        about = {"aug_types": ["cutout", "translation"], "use_aim": False, "image_size": side, "base_dir": work}
        super().__init__(package, folder, whole, {**settings, **about})
        self.drawing = (self.trainer.GAN.G,)

    def _draw(self, count: int) -> Tensor:
        """By the generator as it is: its average is not begun before 20,000 steps."""
        gan = self.trainer.GAN
        gan.eval()
        pictures = self.trainer.generate_(gan.G, torch.randn(count, gan.latent_dim, device=self.device))
        gan.train()
        return pictures


class StyleGAN2(Lucidrains):
    """stylegan2-pytorch: `stylegan2_pytorch --data FOLDER --image-size S`."""

    packages = ("stylegan2_pytorch.stylegan2_pytorch",)

    def __init__(self, folder: Path, side: int, work: Path, whole: bool, device: torch.device) -> None:
        (package,), self.device = imported(self, device), device
        settings = {"batch_size": 5, "gradient_accumulate_every": 6, "ttur_mult": 1.5, "trunc_psi": 0.75}
        super().__init__(package, folder, whole, {**settings, "image_size": side, "base_dir": work})
        self.drawing = (self.trainer.GAN.S, self.trainer.GAN.G)

    def draw(self, labels: Tensor, seed: int = 1) -> np.ndarray:
        self.trainer.av = None  # the mean style is of an earlier moment
        return super().draw(labels, seed)

    def _draw(self, count: int) -> Tensor:
        """By the generator as it is: its average is not begun before 20,000 steps."""
        gan, trainer = self.trainer.GAN, self.trainer
        gan.eval()
        style = [(torch.randn(count, gan.G.latent_dim, device=self.device), gan.G.num_layers)]
        noise = torch.rand(count, trainer.image_size, trainer.image_size, 1, device=self.device)
        pictures = trainer.generate_truncated(gan.S, gan.G, style, noise, trunc_psi=trainer.trunc_psi)
        gan.train()
        return pictures


class MimicrySNGAN(Other):
    """torch-mimicry's SNGAN for 64×64: batch 64, five critic steps, Adam 2e-4 (0, 0.9) falling to 0 over 100,000 steps."""

    packages = ("torch_mimicry.nets", "torch_mimicry.training")

    def __init__(self, folder: Path, side: int, work: Path, whole: bool, device: torch.device) -> None:
        from torchvision import datasets, transforms

        (nets, training), self.device = imported(self, device), device
        if side != 64:
            raise ImportError("its network is for 64×64")
        self.log = training.metric_log.MetricLog
        # What its own loaders of data sets do; the crop is for photos that are not square.
        steps = [transforms.Resize(side), transforms.CenterCrop(side), transforms.ToTensor(), transforms.Normalize(0.5, 0.5)]
        photos = datasets.ImageFolder(str(folder), transforms.Compose(steps))
        loader = torch.utils.data.DataLoader(photos, 64, shuffle=True, num_workers=0)
        generator, critic = nets.sngan.SNGANGenerator64().to(device), nets.sngan.SNGANDiscriminator64().to(device)
        optimizers = [torch.optim.Adam(network.parameters(), 2e-4, (0.0, 0.9)) for network in (critic, generator)]
        self.trainer = training.Trainer(
            critic,
            generator,
            *optimizers,
            loader,
            num_steps=100_000,
            n_dis=5,
            lr_decay="linear",
            log_dir=str(work),
            device=str(device),
        )
        self.step, self.iterator, self.drawing = 0, iter(loader), (generator,)
        self.fetch = data(self.trainer._fetch_data)
        self.settings = "float32, batch 64, 5 critic steps, lr 2e-4 falling to 0 over 100,000 steps, no augmentation"

    def update(self) -> int:
        """The body of its Trainer's loop, which cannot be left and entered again, without the log."""
        trainer, log, seen = self.trainer, self.log(), 0
        about = {"log_data": log, "global_step": self.step, "device": trainer.device, "scaler": None}
        for _ in range(trainer.n_dis):
            self.iterator, batch = self.fetch(self.iterator)
            trainer.netD.train_step(real_batch=batch, netG=trainer.netG, optD=trainer.optD, **about)
            seen += len(batch[0])
        trainer.netG.train_step(real_batch=batch, netD=trainer.netD, optG=trainer.optG, **about)
        self.step += 1
        trainer.scheduler.step(log_data=log, global_step=self.step)
        return seen

    def _draw(self, count: int) -> Tensor:
        generator = self.trainer.netG
        generator.eval()
        pictures = (generator.generate_images(count) + 1) / 2
        generator.train()
        return pictures

    def state(self) -> dict[str, Any]:
        return {**super().state(), "steps": self.step}

    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(state)
        self.step = state["steps"]

    def _kept(self) -> dict[str, Any]:
        return {name: getattr(self.trainer, name) for name in ("netG", "netD", "optG", "optD")}


class Diffusion(Other):
    """denoising-diffusion-pytorch: its U-Net at half the width of its README, its Trainer's own settings."""

    packages = ("denoising_diffusion_pytorch.denoising_diffusion_pytorch",)

    def __init__(self, folder: Path, side: int, work: Path, whole: bool, device: torch.device) -> None:
        (package,), self.device = imported(self, device), device
        os.environ["ACCELERATE_USE_CPU"] = str(device == CPU)  # its Trainer would take a GPU that is there
        package.cpu_count = lambda: 0  # worker processes
        package.tqdm = _quiet(package.tqdm)
        network = package.Unet(dim=32, dim_mults=(1, 2, 4, 8))
        model = package.GaussianDiffusion(network, image_size=side, sampling_timesteps=DIFFUSION_DRAW_STEPS)
        self.trainer = package.Trainer(
            model, str(folder), calculate_fid=False, save_and_sample_every=NO_END, results_folder=str(work)
        )
        self.trainer.accelerator.print = lambda *args: None  # that the training is complete, after each step
        self.trainer.dl = iter(data(self.trainer.dl.__next__), None)
        self.drawing = (self.trainer.ema.ema_model.model,)
        self.settings = f"float32, batch 16, lr 1e-4, average 0.995, drawn in {DIFFUSION_DRAW_STEPS} steps"

    def update(self) -> int:
        self.trainer.train_num_steps = self.trainer.step + 1
        self.trainer.train()
        return self.trainer.batch_size

    def _draw(self, count: int) -> Tensor:
        self.trainer.ema.ema_model.eval()
        return self.trainer.ema.ema_model.sample(batch_size=count)

    def state(self) -> dict[str, Any]:
        return {**super().state(), "steps": self.trainer.step}

    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(state)
        self.trainer.step = state["steps"]

    def _kept(self) -> dict[str, Any]:
        return {"model": self.trainer.model, "optimizer": self.trainer.opt, "ema": self.trainer.ema}


OTHERS: dict[str, type[Any]] = {
    "lightweight-gan": LightweightGAN, "stylegan2-pytorch": StyleGAN2, "mimicry-sngan": MimicrySNGAN, "diffusion": Diffusion
}  # fmt: skip


def imported(contender: Other | type[Other], device: torch.device = CPU) -> list[Any]:
    """The modules that a contender is made of, bent for a processor where that is the `device`. Raises ImportError."""
    return [_imported(name, device) for name in contender.packages]


def make(name: str, folder: Path, side: int, work: Path, whole: bool = True, device: torch.device = CPU) -> Other:
    """The contender `name` on all photos below `folder`; `work` is for its files. Raises ImportError where it is missing."""
    torch.manual_seed(0)
    np.random.seed(0)
    random.seed(0)
    return OTHERS[name](folder, side, work, whole, device)


class _TorchOnCPU(types.ModuleType):
    """torch, with every device the processor."""

    def __getattr__(self, name: str) -> Any:
        return (lambda *args: torch.device("cpu")) if name == "device" else getattr(torch, name)


def _quiet(bar: Any) -> Any:
    """tqdm without a bar, whatever it is asked for."""
    return lambda *args, **options: bar(*args, **{**options, "disable": True})


def _imported(name: str, device: torch.device) -> Any:
    """A module of another program, imported as if CUDA and what it does not use were there. Raises ImportError."""
    available = torch.cuda.is_available
    with _stand_ins("aim", "torch_mimicry.metrics", "torch_mimicry.datasets", "skimage", "skimage.io"):
        try:
            if device == CPU:
                nn.Module.cuda = Tensor.cuda = lambda self, *args, **options: self
                torch.cuda.is_available = lambda: not name.startswith("denoising")
            return import_module(name)
        finally:
            torch.cuda.is_available = available


@contextmanager
def _stand_ins(*names: str) -> Iterator[None]:
    """Empty modules of these names where there are none, for what is imported meanwhile."""
    missing = [name for name in names if name not in sys.modules]
    for name in missing:
        module = types.ModuleType(name)
        module.__spec__, module.__path__ = ModuleSpec(name, None), []
        module.io = None  # type: ignore[attr-defined]
        sys.modules[name] = module
    try:
        yield
    finally:
        for name in missing:  # who imported them keeps them; nobody else is to take them for the real ones
            del sys.modules[name]
