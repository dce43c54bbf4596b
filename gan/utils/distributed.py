"""Several processes, one model: what they tell one another, so that they train it as one process would.

Each takes its rows of every batch; whatever belongs to the whole batch (gradients, norms over a batch, sets that are matched)
goes through here. `torchrun` starts them and says by the environment who they are. DistributedDataParallel would not do: it
wants one backward pass after one forward pass of one network, and a gradient penalty, and a critic that is frozen in the
generator's step, are neither.
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
from gan.utils.sharded_random import ShardedRandom

PATIENCE = timedelta(minutes=30)  # the others wait while the first judges and writes

T = TypeVar("T")


class PeerLost(UserError):
    """Another process of this training has ended, or cannot be reached any more."""


@dataclass(frozen=True)
class ProcessGroup:
    """This process's number among `size` of them; the first has number 0, and it alone writes."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def check(self, batch: int) -> None:
        """Raise UserError when a batch cannot be shared evenly."""
        if batch % self.size:
            raise UserError(
                f"--batch is {batch}, which {self.size} processes cannot share evenly; use a multiple of {self.size}."
            )

    def local_shard(self, rows: Tensor) -> Tensor:
        """This process's part of the rows of a whole batch."""
        count = len(rows) // self.size
        return rows[self.rank * count : (self.rank + 1) * count]

    def rng(self, seed: int) -> ShardedRandom:
        """The random numbers that follow from `seed`, for this process's part of a batch."""
        return ShardedRandom(seed, self.rank, self.size)

    def mean(self, x: Tensor) -> Tensor:
        """The mean of all processes' `x`. Gradients flow through, to all of them, twice over where a penalty wants it."""
        return x if self.size == 1 else _Mean.apply(x, self.size)

    def average_gradients(self, network: nn.Module) -> None:
        """Give every weight the mean of the gradients that all processes have for it."""
        if self.size == 1:
            return
        gradients = [weight.grad for weight in network.parameters() if weight.grad is not None]
        together = torch.cat([gradient.flatten() for gradient in gradients])  # in one go: each has a latency
        _average(together, self.size)
        for gradient, part in zip(gradients, together.split([gradient.numel() for gradient in gradients]), strict=True):
            gradient.copy_(part.view(gradient.shape))

    def gather(self, rows: Tensor) -> Tensor:
        """The rows N×… of all processes one after the other: a whole batch, without gradients."""
        if self.size == 1:
            return rows
        parts = [torch.empty_like(rows, memory_format=torch.contiguous_format) for _ in range(self.size)]
        with _together():
            dist.all_gather(parts, rows.detach().contiguous())
        return torch.cat(parts)

    def any(self, *flags: bool) -> list[bool]:
        """Of each flag whether it is up in any process: what all of them then do."""
        if self.size == 1:
            return list(flags)
        up = torch.tensor(flags, dtype=torch.int32)
        with _together():
            dist.all_reduce(up, dist.ReduceOp.MAX)
        return up.bool().tolist()

    def broadcast_from_rank0(self, make: Callable[[], T]) -> T:
        """What `make` returns in the first process, in all of them. A UserError that it raises there is raised in all."""
        if self.size == 1:
            return make()
        said: list[Any] = [None, None]
        if self.first:
            try:
                said[0] = make()
            except UserError as error:
                said[1] = error
        with _together():
            dist.broadcast_object_list(said, 0, device=torch.device("cpu"))
        if said[1] is not None:
            raise said[1]
        return said[0]


ALONE = ProcessGroup()


@contextmanager
def joined(device: torch.device) -> Iterator[tuple[ProcessGroup, torch.device]]:
    """Meet the other processes of `torchrun`, if this is one of several, and part from them at the end of the block.

    Gives this one's place among them, and its own device of the kind of `device`. Raises UserError.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE, device
        return
    device = _own_device(device)
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    with _together():
        store, rank, size = next(dist.rendezvous("env://"))
        # After a restart (--max-restarts) the addresses of those who died still stand in what the processes meet by.
        store = dist.PrefixStore(f"start {os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}", store)
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=PATIENCE)
    try:
        yield ProcessGroup(rank, size), device
    finally:
        dist.destroy_process_group()


def _own_device(device: torch.device) -> torch.device:
    if device.type == "mps":
        raise UserError("--device mps is for one process; start train.py without torchrun, or with --device cpu.")
    if device.type == "cpu":
        return device
    number, there = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if number >= there:
        raise UserError(f"there are more processes than the {there} GPUs here; use torchrun --nproc-per-node {there}.")
    torch.cuda.set_device(number)
    return torch.device("cuda", number)


@contextmanager
def _together() -> Iterator[None]:
    """Around whatever all processes have to take part in. Raises Lost where one does not."""
    try:
        yield
    except RuntimeError as error:
        raise PeerLost("another process of this training has ended, or cannot be reached any more") from error


def _average(x: Tensor, size: int) -> Tensor:
    """Make `x`, which lies in one piece, the mean of all processes' `x`, in place."""
    with _together():
        dist.all_reduce(x)
    return x.div_(size)


class _Mean(torch.autograd.Function):
    """The mean over processes. Its gradient is one, too: what all of them lose by this one's part, over their number."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, size: int) -> Tensor:
        ctx.size = size
        return _average(x.detach().clone(memory_format=torch.contiguous_format), size)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _Mean.apply(gradient, ctx.size), None
