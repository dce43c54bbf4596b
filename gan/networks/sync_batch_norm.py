"""Batch norm over the batch of all processes of a training, where one process sees a part of it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gan.utils.distributed import ProcessGroup


class _SharedBatchNorm(nn.BatchNorm2d):
    """Batch norm over the batch of all processes. PyTorch's own works on GPUs only, and not under a gradient penalty."""

    def __init__(self, norm: nn.BatchNorm2d, processes: ProcessGroup) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum)
        self.load_state_dict(norm.state_dict())
        self.to(norm.weight.device)
        self.processes = processes

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            values = x.float()
            mean = self.processes.mean(values.mean((0, 2, 3)))
            away = values - mean[:, None, None]
            variance = self.processes.mean(away.square().mean((0, 2, 3)))
            count = self.processes.size * values[:, 0].numel()
            self._follow(mean.detach(), variance.detach() * count / max(1, count - 1))
            scale = self.weight * (variance + self.eps).rsqrt()
            return (away * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None and self.running_var is not None and self.momentum is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)


def share_batch_norms(network: nn.Module, processes: ProcessGroup) -> None:
    """Take every batch norm of `network` over the batches of all processes from now on, in place."""
    if processes.size == 1:
        return
    for block in list(network.modules()):
        for key, part in block.named_children():
            if isinstance(part, nn.BatchNorm2d):
                setattr(block, key, _SharedBatchNorm(part, processes))
