"""Train with each step replayed as one CUDA graph: `python tests/bench/cuda_graphs.py SECONDS PHOTOS [options of train.py]`.

On a fast GPU a step of a small network waits for Python. A graph is recorded once for a side, with and without the penalty, and
replayed from then on. The arithmetic is the trainer's; the random numbers are drawn on the GPU, so they are others. The run
ends after SECONDS and saves; the same command continues. `--lr-decay` is a share of SECONDS, not of the images. For presets
with a projected critic and without turned photos, as the flagship; without a GPU the same steps are taken one operation at a
time. The bundled flagship was trained by it.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gan import matching, trainer  # noqa: E402
from gan.data.augment import holes, recolored  # noqa: E402
from gan.networks import style_generator  # noqa: E402
from gan.networks.projected_critic import ProjectedCritic  # noqa: E402
from gan.runs import run  # noqa: E402
from gan.runs.cli import main  # noqa: E402

WARM_STEPS = 3  # before a graph is recorded: libraries choose their kernels, optimizers make their state
READ_EVERY = 20  # steps between two readings of the losses, for which the GPU has to be waited for


class DeviceRandom:
    """Random numbers drawn where they are used; a graph draws new ones each time it is replayed."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def uniform(self, *shape: int) -> Tensor:
        """Numbers from [0, 1)."""
        return torch.rand(*shape, device=self.device)

    def normal(self, *shape: int) -> Tensor:
        """Numbers of the standard normal distribution."""
        return torch.randn(*shape, device=self.device)


def diffaugment(images: Tensor, rng: Any) -> Tensor:
    """augment.diffaugment with `gather` in the place of slices, whose places Python would have to know."""
    n, _, side, _ = images.shape
    draws = rng.uniform(n, 8).to(images.device)
    images = recolored(images, draws)
    reach = side // 8
    shifts = (draws[:, 3:5] * (2 * reach + 1)).long()
    line, padded = torch.arange(side, device=images.device), F.pad(images, (reach,) * 4)
    rows = (line + shifts[:, :1])[:, None, :, None].expand(-1, 3, -1, padded.shape[3])
    columns = (line + shifts[:, 1:])[:, None, None, :].expand(-1, 3, side, -1)
    return padded.gather(2, rows).gather(3, columns) * holes(side, draws[:, 5:])


_constants: dict[Any, Tensor] = {}


def constant(values: Any, like: Tensor) -> Tensor:
    """`values` as a tensor of the kind of `like`, made once: a graph cannot hold a copy from Python's lists."""
    key = (str(values), like.dtype, like.device)
    if key not in _constants:
        _constants[key] = like.new_tensor(values)
    return _constants[key]


def filtered(x: Tensor, taps: Any) -> Tensor:
    """style_generator.filtered."""
    channels, count, kernel = x.shape[1], len(taps), constant(taps, x)
    x = F.conv2d(x, kernel.view(1, 1, count, 1).expand(channels, 1, count, 1), groups=channels)
    return F.conv2d(x, kernel.view(1, 1, 1, count).expand(channels, 1, 1, count), groups=channels)


def repeating_kernels(weight: Tensor) -> Tensor:
    """style_generator.repeating_kernels."""
    box = constant([[0, 0, 1, 1], [0, 1, 1, 0], [1, 1, 0, 0]], weight)
    spread = torch.einsum("ya,xb->yxab", box, box).view(9, 16)
    return (weight.flatten(2) @ spread).unflatten(2, (4, 4)).transpose(0, 1)


class FixedMatching(matching.Matching):
    """The matching with its recent pictures always in the same memory."""

    def keep(self, groups: list[Tensor], labels: Tensor) -> None:
        """As Matching.keep, for RECENT = 2."""
        n = len(labels)
        if len(self.recent_labels) < 2 * n:  # the first step at a side: no class is −1, so the copies count for nothing
            self.recent = [torch.cat([group, group]) for group in groups]
            self.recent_labels = torch.cat([torch.full_like(labels, -1), labels])
        else:
            for old, new in zip(self.recent, groups):
                old.copy_(torch.cat([old[n:], new]))
            self.recent_labels.copy_(torch.cat([self.recent_labels[n:], labels]))


def maps(self: ProjectedCritic, images: Tensor) -> list[Tensor]:
    """ProjectedCritic.maps with the frozen network in bf16."""
    with torch.autocast(images.device.type, torch.bfloat16):
        seen = self._backbone[0].maps(images.float().contiguous(memory_format=torch.channels_last))
    return [(x.float() - getattr(self, f"mean{i}")) / getattr(self, f"deviation{i}") for i, x in enumerate(seen)]


class GraphTrainer(trainer.Trainer):
    """A trainer whose steps are graphs, once the critic is warm."""

    seconds = ends = math.inf  # how long the run may take, and the time at which it ends (`end_after`)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.benchmark = True
        if self.matching:
            assert isinstance(self.critic, ProjectedCritic)
            self.matching = FixedMatching(self.critic, self.processes)
        self.random = DeviceRandom(self.device)
        self.prepared = 0  # the side that the tensors below are of
        self.read: list[float] = []

    @property
    def rate(self) -> float:
        """As Trainer.rate, by the time that is left."""
        left, decay = (self.ends - time.monotonic()) / self.seconds, self.config.lr_decay
        return min(1.0, max(0.0, left / decay)) if decay else 1.0

    def _set_rates(self) -> None:
        """As Trainer._set_rates, on a GPU in tensors, which a graph reads."""
        if self.device.type != "cuda":
            return super()._set_rates()
        for optimizer in (self.generator_optimizer, self.critic_optimizer):
            for group in optimizer.param_groups:
                if not isinstance(group["lr"], Tensor):
                    group["initial_lr"] = group.get("initial_lr", group["lr"])
                    group["lr"] = torch.zeros((), device=self.device)
                group["lr"].fill_(self.rate * group["initial_lr"])

    def step(self) -> trainer.StepStats:
        """As Trainer.step. The losses are those of the last reading."""
        if self.images_seen < self.config.critic_warm_up:
            return super().step()
        if self.prepared != self.side:
            self._prepare()
        self._set_rates()
        self.index.copy_(self.stream.indices(self.images_seen, self.config.batch, self.side))
        self.images_seen += self.config.batch
        self.share.fill_(self._average_share())
        losses = self._replay(self.steps % self.config.penalty_every == 0)
        self.generator_steps, self.steps = self.generator_steps + 1, self.steps + 1
        if not self.read or self.steps % READ_EVERY < 2:
            self.read = losses.tolist()
        return trainer.StepStats(*self.read)

    def _prepare(self) -> None:
        """Photos of this side on the device, inputs that graphs read, and no graph yet."""
        self._calibrate()
        self.prepared, self.graphs, self.taken = self.side, {}, {True: 0, False: 0}
        every = torch.arange(len(self.photos.labels))
        self.pictures = torch.cat([self.stream.pictures(part, self.side) for part in every.split(64)])
        self.labels = self.photos.labels.to(self.device)
        self.index = torch.zeros(self.config.batch, dtype=torch.int64, device=self.device)
        self.share = torch.zeros((), device=self.device)

    def _replay(self, penalty: bool) -> Tensor:
        """Take the step, by its graph where there is one → critic's and generator's loss, scores, gradient norm."""
        if self.device.type != "cuda":
            return self._take(penalty)
        if self.taken[penalty] < WARM_STEPS:
            self.taken[penalty] += 1
            aside = torch.cuda.Stream()
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):
                losses = self._take(penalty)
            torch.cuda.current_stream().wait_stream(aside)
            return losses
        if penalty not in self.graphs:
            graph = torch.cuda.CUDAGraph()
            self.generator_optimizer.zero_grad(set_to_none=True)
            self.critic_optimizer.zero_grad(set_to_none=True)
            with torch.cuda.graph(graph):
                losses = self._take(penalty)
            self.graphs[penalty] = graph, losses
        graph, losses = self.graphs[penalty]
        graph.replay()
        return losses

    def _take(self, penalty: bool) -> Tensor:
        """What a graph records: critic, generator and weight average, from the photos that `index` names."""
        draws: Any = self.random
        labels, real = self.labels[self.index], self.pictures[self.index]
        if self.config.flip_horizontal:
            real = torch.where((draws.uniform(len(real)) < 0.5)[:, None, None, None], real.flip(-1), real)
        code = torch.eye(self.model.code_dim, device=self.device)[labels]
        fake = self._draw_fakes(code, draws)
        seen = self._features(fake, draws)
        with torch.no_grad():
            real_seen = self._features(real, draws)
        steps, self.steps = self.steps, 0 if penalty else 1
        critic = self._critic_step(real_seen, seen.detach(), code, draws)
        self.steps = steps
        loss = self._generator_step(fake, seen, real_seen, code, labels, draws)
        with torch.no_grad():
            averages, values = self.ema.state_dict(), self.generator.state_dict()
            for name, value in values.items():  # a generator with styles has floating-point numbers alone
                averages[name].lerp_(value, self.share)
        return torch.stack([critic[0], loss, *critic[1:]]).detach()


def make_optimizer(network: torch.nn.Module, lr: float, config: Any) -> torch.optim.Optimizer:
    """Adam whose count of steps a graph can advance."""
    cuda = next(network.parameters()).is_cuda
    return torch.optim.Adam(network.parameters(), lr, (config.beta1, config.beta2), capturable=cuda, fused=cuda)


def prepare() -> None:
    """Put the forms of this page into the places of the program's own."""
    run.Trainer = GraphTrainer  # type: ignore[misc]
    trainer.diffaugment, trainer.make_optimizer = diffaugment, make_optimizer
    style_generator.filtered, style_generator.repeating_kernels = filtered, repeating_kernels
    ProjectedCritic.maps = maps  # type: ignore[method-assign]


def end_after(seconds: float) -> None:
    """Stop the run then, as Ctrl-C would: it saves."""
    GraphTrainer.seconds, GraphTrainer.ends = seconds, time.monotonic() + seconds

    def wait() -> None:
        time.sleep(seconds)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    prepare()
    end_after(float(sys.argv[1]))
    sys.exit(main(sys.argv[2:]))
