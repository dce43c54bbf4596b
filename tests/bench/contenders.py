"""Trainings that speed.py and peers.py hold against one another: the paper's recipe, this project's, others' (others.py).

Each has `units()`, what is timed, and `settings`, in words; those of peers.py also `update()`, up to the next generator step,
and `draw(labels)`. The time that photos take is counted in `Data`.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

import others  # noqa: E402
from operations import data  # noqa: E402

from gan import trainer as trainer_module  # noqa: E402
from gan.critic import ConvCritic  # noqa: E402
from gan.data.image_folder import OVERSAMPLE, find_photos, load_photos  # noqa: E402
from gan.generator import make_generator, one_hot  # noqa: E402
from gan.presets import from_preset  # noqa: E402
from gan.runs import validator  # noqa: E402
from gan.trainer import Trainer  # noqa: E402
from gan.utils.device import pick_precision  # noqa: E402
from gan.utils.images import to_uint8  # noqa: E402

CLASSES = ("dandelion", "marigold")
SIDE = 128
CPU = torch.device("cpu")
ALWAYS = 10**9  # images
# README, "Train on your own photos": what the bundled models of the ladder were trained with on a processor.
RECIPE = {"batch": 16, "critic_steps": 2, "critic_width": 32, "lr": 5e-4, "beta1": 0.0, "beta2": 0.9}

Unit = others.Unit


class PhotoFiles(Dataset):
    """Photos as files, opened, resized and augmented each time they are asked for, as a first program does it."""

    def __init__(self, folder: Path) -> None:
        self.files = [(path, label) for label, name in enumerate(CLASSES) for path in sorted((folder / name).iterdir())]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        path, label = self.files[number]
        image = ImageOps.fit(Image.open(path).convert("RGB"), (SIDE, SIDE), Image.Resampling.BILINEAR)
        heads, turn = torch.rand(4) < 0.5, Image.Transpose
        for head, way in zip(heads, (turn.TRANSPOSE, turn.FLIP_LEFT_RIGHT, turn.FLIP_TOP_BOTTOM)):
            image = image.transpose(way) if head else image
        if heads[3]:
            edge = SIDE // 4  # what the corners of a square lack when it is turned
            wide = Image.fromarray(np.pad(np.asarray(image), ((edge, edge), (edge, edge), (0, 0)), mode="reflect"))
            wide = wide.rotate(180 * torch.rand(()).item() - 90, Image.Resampling.BILINEAR)
            image = wide.crop((edge, edge, edge + SIDE, edge + SIDE))
        return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float() / 127.5 - 1, label


class Paper:
    """The paper's recipe as it is described: WGAN-GP in float32, batch 64, five critic steps to one of the generator.

    The networks are `cwgan-gp-128`'s. The loop is the plain one: photos from a DataLoader, PyTorch's default layout, the
    penalty by double backward. No weight average, which the paper does not have.
    """

    def __init__(self, folder: Path) -> None:
        self.model, self.config = from_preset("cwgan-gp-128", CLASSES)
        torch.manual_seed(0)
        self.generator, self.critic = make_generator(self.model), ConvCritic(self.model, self.config.critic)
        for network in (self.generator, self.critic):
            network.init_weights()
        networks = (self.generator, self.critic)
        self.optimizers = [torch.optim.Adam(network.parameters(), 2e-4, (0.5, 0.999)) for network in networks]
        self.next = data(self._photos(folder).__next__)
        self.settings = "float32, batch 64, 5 critic steps, Adam 2e-4 (0.5, 0.999), λ 10"

    def _photos(self, folder: Path) -> Iterator[tuple[Tensor, Tensor]]:
        loader = DataLoader(PhotoFiles(folder), self.config.batch, shuffle=True, drop_last=True)
        while True:
            yield from loader

    def units(self) -> list[Unit]:
        """A critic step five times, a generator step once."""
        return [(self.config.critic_steps, self.critic_step), (1, self.generator_step)]

    def _fakes(self, code: Tensor) -> Tensor:
        return self.generator.gen(torch.cat([torch.randn(len(code), self.model.z_dim), code], 1)[:, :, None, None])

    def _score(self, images: Tensor, code: Tensor) -> Tensor:
        planes = code[:, :, None, None].expand(-1, -1, SIDE, SIDE)
        return self.critic.critic(torch.cat([images, planes], 1)).flatten()

    def critic_step(self) -> int:
        """One update of the critic."""
        real, labels = self.next()
        self.code = one_hot(labels, self.model)
        with torch.no_grad():
            fake = self._fakes(self.code)
        mix = torch.rand(len(real), 1, 1, 1)
        between = (mix * real + (1 - mix) * fake).requires_grad_(True)
        (gradient,) = torch.autograd.grad(self._score(between, self.code).sum(), between, create_graph=True)
        penalty = (gradient.flatten(1).norm(2, dim=1) - 1).square().mean()
        loss = self._score(fake, self.code).mean() - self._score(real, self.code).mean() + 10 * penalty
        self.optimizers[1].zero_grad()
        loss.backward()
        self.optimizers[1].step()
        return len(real)

    def generator_step(self) -> int:
        """One update of the generator; its critic sees no photos."""
        loss = -self._score(self._fakes(self.code), self.code).mean()
        self.optimizers[0].zero_grad()
        loss.backward()
        self.optimizers[0].step()
        return 0


class Ours:
    """This project's trainer, with the settings that train.py gives it."""

    def __init__(
        self, folder: Path, preset: str, side: int | None = None, coarse: int | None = None, device: torch.device = CPU,
        **settings: Any,
    ) -> None:  # fmt: skip
        classes = tuple(find_photos(folder))
        model, train = from_preset(preset, classes, resolution=side, precision=pick_precision(CPU), **settings)
        if coarse is not None:
            train = replace(train, sides=(f"64:{coarse}", str(model.resolution)) if coarse else ())
        started = time.process_time()
        photos = load_photos(folder, OVERSAMPLE * model.resolution)
        self.reading = (time.process_time() - started) / len(photos.labels)  # once, however long the training is
        self.trainer = Trainer(model, train, photos, device)
        self.trainer._calibrate()  # once, too
        self.trainer.stream.pictures = data(self.trainer.stream.pictures)
        trainer_module.diffaugment = data(trainer_module.diffaugment)
        self.settings = f"{train.precision}, batch {train.batch}, critic steps {train.critic_steps}, lr {train.lr:g}"
        self.drawing = (self.trainer.ema,)

    def units(self) -> list[Unit]:
        """An update with the penalty, and those without it."""
        every = self.trainer.config.penalty_every
        return [(1, lambda: self._step(0))] + ([(every - 1, lambda: self._step(1))] if every > 1 else [])

    def _step(self, after: int) -> int:
        """An update that is the next but `after` ones behind a penalty."""
        every = self.trainer.config.penalty_every
        self.trainer.steps += (after - self.trainer.steps) % every
        return self.update()

    def update(self) -> int:
        """Up to the next generator step → photos seen."""
        self.trainer.step()
        return self.trainer.config.batch * self.trainer.config.critic_steps

    def draw(self, labels: Tensor, seed: int = validator.FIRST_SEED) -> np.ndarray:
        """Pictures uint8 N×S×S×3 of the classes N by the averaged generator, at the default truncation."""
        parts = zip(range(seed, seed + len(labels), others.CHUNK), labels.split(others.CHUNK))
        return np.concatenate([to_uint8(self.trainer.draw(range(first, first + len(part)), part)) for first, part in parts])

    def shorten(self) -> None:
        """A step has no parts."""

    def state(self) -> dict[str, Any]:
        """All that resuming needs."""
        return self.trainer.state()

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
        self.trainer.load_state(state)


def make(name: str, folder: Path) -> Any:
    """The contender of speed.py called `name`. Raises ImportError."""
    if name == "paper":
        return Paper(folder)
    if name == "ours-same-network":
        return Ours(folder, "cwgan-gp-128")
    if name == "ours-cpu-recipe":
        return Ours(folder, "cwgan-gp-128", **RECIPE)
    if name == "flagship-coarse":
        return Ours(folder, "flagship", coarse=ALWAYS)
    if name.startswith("flagship"):
        return Ours(folder, "flagship", int(name.partition("@")[2] or SIDE), coarse=0)
    return others.make(name, folder, SIDE, Path(tempfile.mkdtemp()), whole=False)
