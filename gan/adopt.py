"""The same generator for other classes: what fine-tuning on photos of other things begins with."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from .generator import Generator, make_generator
from .names import composed
from .projected import SavedCritic
from .style import StyleGenerator, normalise


@torch.no_grad()
def with_classes(generator: Generator | StyleGenerator, classes: tuple[str, ...]) -> Generator | StyleGenerator:
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
    state["mean_style"] = _rows(state["mean_style"], old, new)  # of the same classes; `settle` measures it anew
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
            state["mapping.0.bias"] += weight[:, z_dim:] @ normalise(embeddings)[0]
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


def _rows(table: Tensor, old: Generator | StyleGenerator, new: Generator | StyleGenerator) -> Tensor:
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
