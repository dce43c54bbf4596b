"""Training one model with several processes, with the same result as one process would have, within rounding.

The exception is the minibatch deviation (batch_statistics.py): its groups are of pictures of one process.

Each process has its part of the rows of every batch. What depends on the whole batch is exchanged here: gradients, statistics,
matched sets, random numbers. `torchrun` starts the processes and sets their environment variables.

DistributedDataParallel is not used: it needs one forward and one backward pass of one network in each step. A gradient penalty,
and a critic that is frozen in the generator's step, do not fit that.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from gan.errors import UserError

TIMEOUT = timedelta(minutes=30)  # the other processes wait while the first one validates and writes

T = TypeVar("T")


class PeerLost(UserError):
    """Another process of this training has ended, or cannot be reached any more."""


class ShardedRandom:
    """Random numbers for the samples of a batch that is shared by `parts` processes.

    Every process draws the numbers of the whole batch and keeps the rows of its part. So a sample's numbers do not depend on
    the number of processes.
    """

    def __init__(self, seed: int, part: int = 0, parts: int = 1) -> None:
        """`seed` is 0 to 2⁶³−1; `part` is 0 to `parts` − 1."""
        self._generator, self._part, self._parts = torch.Generator().manual_seed(seed), part, parts

    def uniform(self, n: int, *shape: int) -> Tensor:
        """Numbers from [0, 1) for the n samples of this part: float32 n×`shape`, on the CPU."""
        return self._own_rows(torch.rand(n * self._parts, *shape, generator=self._generator), n)

    def normal(self, n: int, *shape: int) -> Tensor:
        """Numbers of the standard normal distribution for the n samples of this part: float32 n×`shape`, on the CPU."""
        return self._own_rows(torch.randn(n * self._parts, *shape, generator=self._generator), n)

    def _own_rows(self, numbers: Tensor, n: int) -> Tensor:
        return numbers[self._part * n : (self._part + 1) * n]


@dataclass(frozen=True)
class ProcessGroup:
    """The place of this process among all processes of a training. Every method needs a call in all of them."""

    rank: int = 0  # from 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process with rank 0, the only one that writes files."""
        return self.rank == 0

    def check(self, batch: int) -> None:
        """Raise UserError when a batch of `batch` samples cannot be divided evenly."""
        if batch % self.size:
            raise UserError(
                f"--batch is {batch}, which {self.size} processes cannot share evenly; use a multiple of {self.size}."
            )

    def local_shard(self, rows: Tensor) -> Tensor:
        """The rows of this process, (N/size)×…, out of those of a whole batch, N×…."""
        count = len(rows) // self.size
        return rows[self.rank * count : (self.rank + 1) * count]

    def rng(self, seed: int) -> ShardedRandom:
        """A new stream of random numbers from `seed`, for this process's part of each batch."""
        return ShardedRandom(seed, self.rank, self.size)

    def mean(self, x: Tensor) -> Tensor:
        """The mean of `x` over all processes, of the same shape. Differentiable twice, with gradients for all processes."""
        return x if self.size == 1 else _Mean.apply(x, self.size)

    def average_gradients(self, network: nn.Module) -> None:
        """Replace the gradient of every weight by its mean over all processes, in place."""
        if self.size == 1:
            return
        gradients = [weight.grad for weight in network.parameters() if weight.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])  # one exchange instead of one for each weight
        _average_in_place(flat, self.size)
        for gradient, part in zip(gradients, flat.split([gradient.numel() for gradient in gradients]), strict=True):
            gradient.copy_(part.view(gradient.shape))

    def gather(self, rows: Tensor) -> Tensor:
        """The rows n×… of all processes in the order of their ranks: (n·size)×…, without gradients."""
        if self.size == 1:
            return rows
        parts = [torch.empty_like(rows, memory_format=torch.contiguous_format) for _ in range(self.size)]
        with _all_take_part():
            dist.all_gather(parts, rows.detach().contiguous())
        return torch.cat(parts)

    def any(self, *flags: bool) -> list[bool]:
        """For each flag, whether it is set in at least one process. All processes get the same answer."""
        if self.size == 1:
            return list(flags)
        values = torch.tensor(flags, dtype=torch.int32)
        with _all_take_part():
            dist.all_reduce(values, dist.ReduceOp.MAX)
        return values.bool().tolist()

    def broadcast_from_rank0(self, make: Callable[[], T]) -> T:
        """Call `make` in the first process and return its result in all. A UserError that it raises is raised in all."""
        if self.size == 1:
            return make()
        message: list[Any] = [None, None]  # result, error
        if self.first:
            try:
                message[0] = make()
            except UserError as error:
                message[1] = error
        with _all_take_part():
            dist.broadcast_object_list(message, 0, device=torch.device("cpu"))
        if message[1] is not None:
            raise message[1]
        return message[0]


ALONE = ProcessGroup()


@contextmanager
def joined(device: torch.device) -> Iterator[tuple[ProcessGroup, torch.device]]:
    """Connect the processes that `torchrun` started, until the end of the block. Without torchrun there is one process.

    Yields the place of this process, and its own device of the type of `device`. Raises UserError when there are too few
    devices or a variable of torchrun holds no number, and PeerLost when the other processes cannot be reached.
    """
    if _from_torchrun("WORLD_SIZE", 1) == 1:
        yield ALONE, device
        return
    device = _own_device(device)
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    with _all_take_part():
        store, rank, size = next(dist.rendezvous("env://"))
        # After a restart (--max-restarts) the store still has the addresses of processes that ended.
        store = dist.PrefixStore(f"start {os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}", store)
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=TIMEOUT)
    try:
        yield ProcessGroup(rank, size), device
    finally:
        dist.destroy_process_group()


def _from_torchrun(name: str, otherwise: int) -> int:
    """A number that torchrun sets as a variable; `otherwise` where there is none or it is empty. Raises UserError."""
    text = os.environ.get(name, "").strip()
    if text and not text.isdecimal():
        raise UserError(f"{name} is '{text}', and torchrun sets it to a number; unset it, or start this by torchrun.")
    return int(text or otherwise)


def _own_device(device: torch.device) -> torch.device:
    """The device of this process: the CPU, or the GPU with the number LOCAL_RANK. Raises UserError."""
    if device.type == "mps":
        raise UserError("--device mps is for one process; start train.py without torchrun, or with --device cpu.")
    if device.type == "cpu":
        return device
    number, count = _from_torchrun("LOCAL_RANK", 0), torch.cuda.device_count()
    if number >= count:
        raise UserError(f"there are more processes than the {count} GPUs here; use torchrun --nproc-per-node {count}.")
    torch.cuda.set_device(number)
    return torch.device("cuda", number)


@contextmanager
def _all_take_part() -> Iterator[None]:
    """Around each exchange of all processes. Raises PeerLost when one of them does not take part."""
    try:
        yield
    except RuntimeError as error:
        raise PeerLost("another process of this training has ended, or cannot be reached any more") from error


def _average_in_place(x: Tensor, size: int) -> Tensor:
    """Replace `x`, which is contiguous, by its mean over all processes, in place."""
    with _all_take_part():
        dist.all_reduce(x)
    return x.div_(size)


class _Mean(torch.autograd.Function):
    """m = (x₁ + … + xₙ) / n over n processes. Backward: ∂(L₁ + … + Lₙ)/∂xᵢ = (∂L₁/∂m + … + ∂Lₙ/∂m) / n, a mean as well."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, size: int) -> Tensor:
        ctx.size = size
        return _average_in_place(x.detach().clone(memory_format=torch.contiguous_format), size)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _Mean.apply(gradient, ctx.size), None
