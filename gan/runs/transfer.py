"""Beginning a training with the weights of another model, which may have other classes, a lower resolution, and a critic."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from gan.config import ModelConfig, parse_layer
from gan.generator import ConvGenerator, Generator, make_generator, one_hot
from gan.networks.projected_critic import ProjectedCritic, SavedCritic
from gan.networks.style_generator import StyleGenerator, normalize
from gan.trainer import Trainer
from gan.utils.names import composed

CALIBRATION = 64  # samples from which the batch norms of new blocks get their statistics


def init_trainer_from(trainer: Trainer, other: Generator) -> int:
    """Copy the weights of `other` into the trainer, as far as they fit (init_from); returns how many convolutions fit.

    Sides of the schedule that these weights already draw are left out: training them again would change the coarse scales below
    the finer ones. The last side gets their images.
    """
    layers = init_from(trainer.generator, other)
    if layers and (trainer.model.styled or trainer.model.fades):
        reached = trainer.model.resolution if trainer.model.fades else 4 << (layers // 2 - 1)
        trainer.schedule = _from_side(reached, trainer.schedule)
    trainer.from_trained = layers > 0
    trainer.generator.train()
    trainer.restart_average()
    return layers


def _from_side(reached: int, schedule: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """A schedule of sides, (side, images after which it ends) for each, without those below `reached`."""
    skipped = max((end for side, end in schedule if side < reached), default=0)
    return [(side, end if (side, end) == schedule[-1] else end - skipped) for side, end in schedule if side >= reached]


def init_critic_from(trainer: Trainer, other: SavedCritic) -> bool:
    """Copy the critic `other` into the trainer. Returns False and changes nothing where it does not fit.

    The layers have to be the same, and the classes of any but a projected critic.
    """
    projected = isinstance(trainer.critic, ProjectedCritic)
    if other.layers != trainer.config.critic or not projected and other.classes != trainer.model.classes:
        return False
    wanted = trainer.critic.state_dict()
    counts = {key: value for key, value in wanted.items() if not value.is_floating_point()}  # of batches: not in the file
    state = {**counts, **(critic_with_classes(other, trainer.model.classes) if projected else other.state)}
    if {key: value.shape for key, value in state.items()} != {key: value.shape for key, value in wanted.items()}:
        return False
    trainer.critic.load_state_dict(state)
    trainer.known_side = other.side
    return True


@torch.no_grad()
def init_from(generator: Generator, other: Generator) -> int:
    """Copy the leading layers of `other` that fit into `generator`, in place; returns how many convolutions they have.

    The 128×128 generator of the paper's ladder has the layers of the 64×64 one, except for the last, and then new blocks with
    the same number of channels. The new blocks start as identities and the last layer is copied. So the first pictures are
    those of `other`, enlarged, and training adds detail: progressive growing (Karras et al. 2018) without fading in.

    For generators with styles, the mapping network and the leading scales are copied; the other scales add nothing to the
    picture at first. Classes are matched by name (with_classes). A generator that grows by fading layers in is copied as a
    whole, or not at all.
    """
    if generator.config.fades or other.config.fades:
        same = _same_shapes(generator, other) and generator.config.classes == other.config.classes
        if same:
            generator.load_state_dict(other.state_dict())
        return sum(parse_layer(layer).op in ("C", "T") for layer in generator.config.generator) if same else 0
    if other.config.class_in_norms and not (other.config.code_dim and generator.config.code_dim):
        if other.config.classes != generator.config.classes:
            return 0  # without classes there are no such weights
    other = with_classes(other, generator.config.classes)
    if isinstance(generator, StyleGenerator) and isinstance(other, StyleGenerator):
        return _init_styles_from(generator, other)
    if not (isinstance(generator, ConvGenerator) and isinstance(other, ConvGenerator)):
        return 0  # only one of them has styles
    if generator.embed is not None and other.embed is not None and _same_shapes(generator.embed, other.embed):
        generator.embed.load_state_dict(other.embed.state_dict())
    blocks = _copy_leading_blocks(generator.gen, other.gen)
    new = list(generator.gen)[blocks:-1]
    if blocks == len(other.gen) - 1 and _same_shapes(generator.gen[-1], other.gen[-1]) and all(map(_can_pass, new)):
        generator.gen[-1].load_state_dict(other.gen[-1].state_dict())
        x = _features(generator, blocks)
        for block in new:
            if isinstance(block, nn.Sequential):
                _make_identity(block, x)
            x = block.eval()(x)
    return sum(isinstance(block, nn.Sequential) for block in list(generator.gen)[:blocks])


def _init_styles_from(generator: StyleGenerator, other: StyleGenerator) -> int:
    """`init_from` for two generators with styles. Nothing fits where their mapping networks differ."""
    shapes = [None if one.constant is None else one.constant.shape for one in (generator, other)]
    if shapes[0] != shapes[1]:
        return 0
    parts: list[tuple[nn.Module, nn.Module]] = [(generator.mapping, other.mapping)]
    for mine, its in ((generator.start, other.start), (generator.embed, other.embed)):
        if mine is not None and its is not None:
            parts.append((mine, its))
    if not all(_same_shapes(ours, theirs) for ours, theirs in parts):
        return 0
    scales = 0
    for scale, other_scale in zip(generator.scales, other.scales, strict=False):
        if not _same_shapes(scale, other_scale):
            break
        parts.append((scale, other_scale))
        scales += 1
    if generator.constant is not None and other.constant is not None:
        generator.constant.copy_(other.constant)
    for ours, theirs in parts:
        ours.load_state_dict(theirs.state_dict())
    if scales:
        generator.begin_coarse(4 << (scales - 1))
    return 2 * scales


def _copy_leading_blocks(mine: nn.Sequential, theirs: nn.Sequential) -> int:
    """Copy the leading blocks of `theirs` that have the shapes of `mine`; returns how many."""
    for number, (ours, other) in enumerate(zip(mine, theirs, strict=False)):
        if type(ours) is not type(other) or not _same_shapes(ours, other):
            return number
        ours.load_state_dict(other.state_dict())
    return min(len(mine), len(theirs))


def _same_shapes(ours: nn.Module, other: nn.Module) -> bool:
    """Whether two modules have the same keys and shapes."""
    shapes = [{name: value.shape for name, value in block.state_dict().items()} for block in (ours, other)]
    return shapes[0] == shapes[1]


def _can_pass(block: nn.Module) -> bool:
    """Whether a block can be an identity: an upsampling, or convolution, batch norm and ReLU that keep the channels."""
    if not isinstance(block, nn.Sequential):
        return isinstance(block, nn.Upsample)
    conv, *others = block
    if not isinstance(conv, nn.Conv2d) or conv.in_channels != conv.out_channels or conv.stride != (1, 1):
        return False
    same_side = conv.kernel_size == tuple(2 * int(side) + 1 for side in conv.padding)
    kinds = (nn.BatchNorm2d, nn.ReLU)  # or its like that several processes share
    return same_side and len(others) == 2 and all(map(isinstance, others, kinds))


def _features(generator: ConvGenerator, blocks: int) -> Tensor:
    """The output N×C×S×S of the first `blocks` blocks for CALIBRATION samples, on the generator's device."""
    config, draws = generator.config, torch.Generator().manual_seed(0)
    z = torch.randn(CALIBRATION, config.z_dim, generator=draws)
    code = one_hot(torch.arange(CALIBRATION) % len(config.classes), config)
    x = torch.cat([z, code], 1)[:, :, None, None].to(next(generator.parameters()).device)
    training = generator.training
    x = generator.gen[:blocks].eval()(x)
    generator.train(training)
    return x


def _make_identity(block: nn.Sequential, x: Tensor) -> None:
    """Make a block an identity for its input `x`, which is not negative: the norm's weight and bias undo its normalization."""
    conv, norm = block[0], block[1]
    assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)  # checked by _can_pass
    assert conv.bias is not None and norm.running_mean is not None and norm.running_var is not None
    nn.init.dirac_(conv.weight)
    nn.init.zeros_(conv.bias)
    mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
    norm.weight.copy_((variance + norm.eps).sqrt())
    norm.bias.copy_(mean)


@torch.no_grad()
def with_classes(generator: Generator, classes: tuple[str, ...]) -> Generator:
    """A copy of `generator` for other `classes`, in evaluation mode; `generator` itself where it has these classes.

    - A class of both models keeps its weights: its column of the first layer, or its embedding.
    - A new class gets the mean of the old classes.
    - A new model with a single class gets the weights of the old class with that name, else the mean (exact with styles,
      otherwise up to a constant of the first layer).
    - From a model with a single class, every new class draws what that model draws.
    """
    if generator.config.classes == classes:
        return generator
    new = make_generator(replace(generator.config, classes=classes, trained={}, scores={}))
    state = {key: value.clone() for key, value in generator.state_dict().items()}
    if isinstance(generator, StyleGenerator) and isinstance(new, StyleGenerator):
        _convert_style_state(state, generator, new)
    elif isinstance(generator, ConvGenerator):
        _convert_code_state(state, generator, new.config)
    new.load_state_dict(state)
    return new.to(next(generator.parameters()).device).requires_grad_(False).eval()


def _convert_style_state(state: dict[str, Tensor], old: StyleGenerator, new: StyleGenerator) -> None:
    """Convert the state of `old`, in place, into one for the classes of `new`."""
    z_dim, weight = old.config.z_dim, state["mapping.0.weight"]
    names = old.config.classes, new.config.classes
    state["mean_style"] = _rows_by_class(state["mean_style"], *names)
    if old.embed is None and new.embed is not None:
        # Random embeddings, with weights of 0 behind them: they differ, but do not change the picture yet.
        draws = torch.Generator().manual_seed(0)
        state["embed.weight"] = torch.randn(new.embed.weight.shape, generator=draws).to(weight)
        state["mapping.0.weight"] = torch.cat([weight, torch.zeros_like(weight)], 1)
    elif old.embed is not None:
        embeddings = _rows_by_class(state.pop("embed.weight").T, *names)
        if new.embed is not None:
            state["embed.weight"] = embeddings.T.contiguous()
        else:  # the embedding of the only class becomes a part of the bias
            state["mapping.0.bias"] += weight[:, z_dim:] @ normalize(embeddings)[0]
            state["mapping.0.weight"] = weight[:, :z_dim].contiguous()


def _convert_code_state(state: dict[str, Tensor], old: ConvGenerator, new: ModelConfig) -> None:
    """Convert the state of `old`, whose classes are one-hot codes, in place, into one for the classes of `new`."""
    if new.class_in_norms:
        _convert_norm_state(state, old.config.classes, new.classes)
        return
    number, first = next((number, block[0]) for number, block in enumerate(old.gen) if isinstance(block, nn.Sequential))
    into = 0 if isinstance(first, nn.ConvTranspose2d) else 1  # the axis of the weight with the input channels
    z_dim, kernels = old.config.z_dim, state[f"gen.{number}.0.weight"].movedim(into, 0)
    of_noise, of_class = kernels[:z_dim], kernels[z_dim:]
    if not old.config.code_dim:
        of_class = torch.zeros_like(kernels[:1]).expand(new.code_dim, *kernels.shape[1:])
    else:
        of_class = _rows_by_class(of_class, old.config.classes, new.classes)
    if old.config.code_dim and not new.code_dim:
        state[f"gen.{number}.0.bias"] += of_class[0].mean((1, 2))
        of_class = of_class[:0]
    state[f"gen.{number}.0.weight"] = torch.cat([of_noise, of_class]).movedim(0, into).contiguous()


def _convert_norm_state(state: dict[str, Tensor], old: tuple[str, ...], new: tuple[str, ...]) -> None:
    """As `_convert_code_state`, where norms take the class: a column of the embedding, or of every scale and shift, is one."""
    shared = ["embed.weight"] if "embed.weight" in state else [key for key in state if ".gain.w" in key or ".shift.w" in key]
    for key in shared:
        state[key] = _rows_by_class(state[key].T, old, new).T.contiguous()


def _rows_by_class(table: Tensor, old: tuple[str, ...], new: tuple[str, ...]) -> Tensor:
    """A row for each class of `old`, or one for all → a row for each class of `new`: that of the same name, else the mean."""
    old, mean = tuple(map(composed, old)), table.mean(0)
    return torch.stack([
        table[old.index(name)] if name in old and len(table) == len(old) else mean for name in map(composed, new)
    ])  # fmt: skip


def critic_with_classes(critic: SavedCritic, classes: tuple[str, ...]) -> dict[str, Tensor]:
    """The state of a projected critic for `classes`. Embeddings are matched by name; a new class gets the mean of the old ones.

    A critic with one class has no embedding; there the row is added to the last layer of each head.
    """
    state = dict(critic.state)
    if critic.classes == classes:
        return state
    for out in [key for key in state if key.endswith(".out.weight")]:
        head = out.removesuffix("out.weight")
        known = state.pop(f"{head}embed.weight", torch.zeros_like(state[out]).T)  # W×K, or W×1 of zeros
        rows = _rows_by_class(known.T, critic.classes, classes)
        if len(classes) > 1:
            state[f"{head}embed.weight"] = rows.T.contiguous()
        else:
            state[out] = state[out] + rows
    return state
