"""Beginning with what another run has learnt: the same network for other classes, a smaller one that grows, its critic."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from gan.generator import Generator, make_generator, one_hot
from gan.networks.projected_critic import ProjectedCritic, SavedCritic
from gan.networks.style_generator import StyleGenerator, normalize
from gan.trainer import Trainer
from gan.utils.names import composed

CALIBRATION = 64  # pictures that set the batch norms of the new blocks


def begin_trainer_as(trainer: Trainer, other: Generator) -> int:
    """Begin the training with the weights of `other` as far as they fit (begin_as); returns how many of its convolutions do.

    Sides below the one they reach to are left out of the schedule: training them would change the coarse scales under finer
    ones that are as good already.
    """
    layers = init_from(trainer.generator, other)
    if trainer.model.styled and layers:
        reached = 4 << (layers // 2 - 1)
        trainer.schedule = [(side, end) for side, end in trainer.schedule if side >= reached]
    trainer.generator.train()
    trainer.ema.load_state_dict(trainer.generator.state_dict())
    return layers


def begin_critic_as(trainer: Trainer, other: SavedCritic) -> bool:
    """Begin with the critic `other` and its statistics; False, and nothing changed, where it is of another build."""
    if not isinstance(trainer.critic, ProjectedCritic) or other.layers != trainer.config.critic:
        return False
    state, wanted = critic_with_classes(other, trainer.model.classes), trainer.critic.state_dict()
    if {key: value.shape for key, value in state.items()} != {key: value.shape for key, value in wanted.items()}:
        return False
    trainer.critic.load_state_dict(state)
    trainer.known_side = other.side
    return True


@torch.no_grad()
def init_from(generator: Generator, other: Generator) -> int:
    """Copy the leading layers of `other` that fit into `generator`, in place; returns how many convolutions they hold.

    Where all of them but its last fit, and the blocks that follow keep their channels (as in the ladder's 128×128 generator
    after the 64×64 one), the new blocks begin as identities and the last layer as that of `other`: the pictures start as
    those of `other`, enlarged, and training adds the detail. It is progressive growing (Karras et al. 2018) without the
    fading in. Of generators with styles the mapping and the leading scales are copied; the scales that follow add nothing to
    the picture at first. What was learnt of classes goes by their names (with_classes).
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


def _begin_with_styles(generator: Generator, other: Generator) -> int:
    """`init_from` where one of both has styles: nothing fits unless both have, with one mapping network."""
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


@torch.no_grad()
def with_classes(generator: Generator, classes: tuple[str, ...]) -> Generator:
    """`generator` for `classes`, however many: a copy in evaluation mode, or itself where it has just these.

    What is learnt of a class that both name goes along (the column of its code in the first layer, or with styles its
    embedding); a class new to it begins as the mean of the old ones. A plain model made of one with classes draws the class
    of its name, or that mean (exactly with styles, up to a constant of the first layer without); every class of a model made
    of a plain one begins as what that draws.
    """
    if generator.config.classes == classes:
        return generator
    new = make_generator(replace(generator.config, classes=classes, trained={}, scores={}))
    state = {key: value.clone() for key, value in generator.state_dict().items()}
    (_adopt_styles if generator.config.styled else _adopt_codes)(state, generator, new)
    new.load_state_dict(state)
    return new.to(next(generator.parameters()).device).requires_grad_(False).eval()


def _adopt_styles(state: dict[str, Tensor], old: StyleGenerator, new: StyleGenerator) -> None:
    z_dim, weight = old.config.z_dim, state["mapping.0.weight"]
    state["mean_style"] = _rows(state["mean_style"], old, new)  # of the same classes; `calibrate` measures it anew
    if old.embed is None and new.embed is not None:
        # Embeddings that differ, and a layer that does not look at them yet.
        draws = torch.Generator().manual_seed(0)
        state["embed.weight"] = torch.randn(new.embed.weight.shape, generator=draws).to(weight)
        state["mapping.0.weight"] = torch.cat([weight, torch.zeros_like(weight)], 1)
    elif old.embed is not None:
        embeddings = _rows(state.pop("embed.weight").T, old, new)
        if new.embed is not None:
            state["embed.weight"] = embeddings.T.contiguous()
        else:  # the one class there is becomes a part of the bias
            state["mapping.0.bias"] += weight[:, z_dim:] @ normalize(embeddings)[0]
            state["mapping.0.weight"] = weight[:, :z_dim].contiguous()


def _adopt_codes(state: dict[str, Tensor], old: Generator, new: Generator) -> None:
    number, first = next((number, block[0]) for number, block in enumerate(old.gen) if isinstance(block, nn.Sequential))
    into = 0 if isinstance(first, nn.ConvTranspose2d) else 1  # the axis of a kernel that runs over its input
    z_dim, kernels = old.config.z_dim, state[f"gen.{number}.0.weight"].movedim(into, 0)
    of_noise, of_class = kernels[:z_dim], kernels[z_dim:]
    if not old.config.code_dim:
        of_class = torch.zeros_like(kernels[:1]).expand(new.config.code_dim, *kernels.shape[1:])
    else:
        of_class = _rows(of_class, old, new)
    if old.config.code_dim and not new.config.code_dim:
        state[f"gen.{number}.0.bias"] += of_class[0].mean((1, 2))
        of_class = of_class[:0]
    state[f"gen.{number}.0.weight"] = torch.cat([of_noise, of_class]).movedim(0, into).contiguous()


def _rows(table: Tensor, old: Generator, new: Generator) -> Tensor:
    return _named_rows(table, old.config.classes, new.config.classes)


def _named_rows(table: Tensor, old: tuple[str, ...], new: tuple[str, ...]) -> Tensor:
    """One row a class of `old` (or one for all) → one a class of `new`: its own where both name it, else their mean."""
    old, mean = tuple(map(composed, old)), table.mean(0)
    return torch.stack([
        table[old.index(name)] if name in old and len(table) == len(old) else mean for name in map(composed, new)
    ])  # fmt: skip


def critic_with_classes(critic: SavedCritic, classes: tuple[str, ...]) -> dict[str, Tensor]:
    """The state of a projected critic for `classes`: each head's embedding of a class by its name, a new class as the mean.

    The embedding of a critic's only class is a part of the head's last layer, and becomes one where only one class is left.
    """
    state = dict(critic.state)
    if critic.classes == classes:
        return state
    for out in [key for key in state if key.endswith(".out.weight")]:
        head = out.removesuffix("out.weight")
        known = state.pop(f"{head}embed.weight", torch.zeros_like(state[out]).T)  # W×K, or W×1 of zeros
        rows = _named_rows(known.T, critic.classes, classes)
        if len(classes) > 1:
            state[f"{head}embed.weight"] = rows.T.contiguous()
        else:
            state[out] = state[out] + rows
    return state
