"""Beginning a generator as another one: the same network for fine-tuning, or a smaller one that grows."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .adopt import with_classes
from .generator import Generator, one_hot
from .style import StyleGenerator

CALIBRATION = 64  # pictures that set the batch norms of the new blocks


@torch.no_grad()
def begin_as(generator: Generator | StyleGenerator, other: Generator | StyleGenerator) -> int:
    """Copy the leading layers of `other` that fit into `generator`, in place; returns how many convolutions they hold.

    Where all of them but its last fit, and the blocks that follow keep their channels (as in the ladder's 128×128 generator
    after the 64×64 one), the new blocks begin as identities and the last layer as that of `other`: the pictures start as
    those of `other`, enlarged, and training adds the detail. It is progressive growing (Karras et al. 2018) without the
    fading in. Of generators with styles the mapping and the leading scales are copied; the scales that follow add nothing to
    the picture at first. What was learnt of classes goes by their names (adopt.py).
    """
    other = with_classes(other, generator.config.classes)
    if isinstance(generator, StyleGenerator) or isinstance(other, StyleGenerator):
        return _begin_with_styles(generator, other)
    blocks = _fitting(generator.gen, other.gen)
    new = generator.gen[blocks:-1]
    if blocks == len(other.gen) - 1 and _fit(generator.gen[-1], other.gen[-1]) and all(map(_can_pass, new)):
        generator.gen[-1].load_state_dict(other.gen[-1].state_dict())
        x = _features(generator, blocks)
        for block in new:
            if isinstance(block, nn.Sequential):
                _make_identity(block, x)
            x = block.eval()(x)
    return sum(isinstance(block, nn.Sequential) for block in generator.gen[:blocks])


def _begin_with_styles(generator: Generator | StyleGenerator, other: Generator | StyleGenerator) -> int:
    """`begin_as` where one of both has styles: nothing fits unless both have, with one mapping network."""
    if not (isinstance(generator, StyleGenerator) and isinstance(other, StyleGenerator)):
        return 0
    parts = [(generator.mapping, other.mapping), (generator.start, other.start)]
    if generator.embed is not None:
        parts.append((generator.embed, other.embed))
    if not all(_fit(ours, theirs) for ours, theirs in parts):
        return 0
    scales = 0
    for ours, theirs in zip(generator.scales, other.scales, strict=False):
        if not _fit(ours, theirs):
            break
        parts.append((ours, theirs))
        scales += 1
    for ours, theirs in parts:
        ours.load_state_dict(theirs.state_dict())
    if scales:
        generator.begin_coarse(4 << (scales - 1))
    return 2 * scales


def _fitting(mine: nn.Sequential, theirs: nn.Sequential) -> int:
    """Copy leading blocks while their shapes agree; returns how many do."""
    for number, (ours, other) in enumerate(zip(mine, theirs, strict=False)):
        if type(ours) is not type(other) or not _fit(ours, other):
            return number
        ours.load_state_dict(other.state_dict())
    return min(len(mine), len(theirs))


def _fit(ours: nn.Module, other: nn.Module) -> bool:
    shapes = [{name: value.shape for name, value in block.state_dict().items()} for block in (ours, other)]
    return shapes[0] == shapes[1]


def _can_pass(block: nn.Module) -> bool:
    """Whether a block can hand its input on unchanged: an upsampling, or convolution, batch norm and ReLU of one width."""
    if not isinstance(block, nn.Sequential):
        return isinstance(block, nn.Upsample)
    conv = block[0]
    same = isinstance(conv, nn.Conv2d) and conv.in_channels == conv.out_channels and conv.stride == (1, 1)
    return (
        same
        and conv.kernel_size == tuple(2 * side + 1 for side in conv.padding)
        and [type(part) for part in block[1:]] == [nn.BatchNorm2d, nn.ReLU]
    )


def _features(generator: Generator, blocks: int) -> Tensor:
    """What the first `blocks` blocks give for some noise, on the CPU or wherever the generator is."""
    config, draws = generator.config, torch.Generator().manual_seed(0)
    z = torch.randn(CALIBRATION, config.z_dim, generator=draws)
    code = one_hot(torch.arange(CALIBRATION) % len(config.classes), config)
    x = torch.cat([z, code], 1)[:, :, None, None].to(next(generator.parameters()).device)
    training = generator.training
    x = generator.gen[:blocks].eval()(x)
    generator.train(training)
    return x


def _make_identity(block: nn.Sequential, x: Tensor) -> None:
    """Set a convolution to pass `x` on and its norm to undo itself; the ReLU passes what an earlier one let through."""
    conv, norm = block[0], block[1]
    nn.init.dirac_(conv.weight)
    nn.init.zeros_(conv.bias)
    mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
    norm.weight.copy_((variance + norm.eps).sqrt())
    norm.bias.copy_(mean)
