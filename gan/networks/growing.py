"""ProGAN: a generator and a critic that begin with small pictures and fade layers for larger ones in.

T. Karras et al. 2018, "Progressive Growing of GANs", section 2 and figure 2.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from gan.config import ModelConfig, parse_layer, sizes
from gan.networks.base import Critic, Generator, Maps
from gan.networks.layers import activation, build, for_inference, init_weights, with_planes
from gan.networks.weight_scaling import scaled
from gan.utils.distributed import ShardedRandom


class GrowingGenerator(Generator):
    """Stages of layers; behind each, `rgb` draws the picture of its side.

    The picture is that of the last stage in use, mixed with the one of the stage before while it fades in. The state says how
    many stages are in use, so a model saved in the middle of a training draws what it has learned.
    """

    grown: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        layers, channels = config.generator, config.z_dim + config.code_dim
        self.stages, self.to_rgb = nn.ModuleList(), nn.ModuleList()
        self.stage_sides, begin = config.sides_drawn(), 0
        for number, layer in enumerate(map(parse_layer, layers)):
            if layer.op == "rgb":
                self.stages.append(build(layers[begin:number], channels))
                channels = _last_channels(layers[begin:number], channels)
                self.to_rgb.append(build((f"C1,1,0>3{f' {layer.scaling}' if layer.scaling else ''}",), channels))
                begin = number + 1
        self.register_buffer("grown", torch.tensor(float(len(self.stage_sides))))  # stages in use, the last one with its share
        self._fixed: float | None = None

    def init_weights(self) -> None:
        """Draw all weights anew from torch's global generator."""
        init_weights(self)

    def begin_coarse(self, side: int) -> None:
        """Draw no finer than `side` pixels until `grow` says more."""
        self.grow(side, 1.0)

    def grow(self, side: int, share: float) -> None:
        """Use the stages up to `side` pixels, the last of them with `share`, 0 to 1."""
        self.grown.fill_(self.stage_sides.index(side) + max(share, 1e-4))

    def for_inference(self, dtype: torch.dtype) -> None:
        """Draw in `dtype` from now on."""
        self._fixed = float(self.grown)
        for parts in (self.stages, self.to_rgb):
            for number, part in enumerate(parts):
                assert isinstance(part, nn.Sequential)
                parts[number] = for_inference(part, dtype)

    def forward(self, z: Tensor, code: Tensor, side: int | None = None, draws: ShardedRandom | None = None) -> Tensor:
        """Noise N×z_dim and class codes N×K → pictures N×3×S×S, around [−1, 1]; `side` is the one in use, or None for S.

        Where the stages in use draw fewer pixels than are asked for, their picture is enlarged by repeating them.
        """
        return _enlarged(self._drawn(z, code), side or self.config.resolution)

    def maps(self, of_seed: Tensor, of_class: Tensor) -> tuple[list[tuple[str, Tensor]], Tensor]:
        """Each layer of the stages in use with its maps, and the picture."""
        maps = Maps()
        picture = _enlarged(self._drawn(of_seed, of_class, maps), self.config.resolution)
        return maps.named([text for text in self.config.generator if not text.startswith("rgb")]), picture

    def _drawn(self, z: Tensor, code: Tensor, visit: Callable[[Tensor], None] | None = None) -> Tensor:
        """Pictures as large as the stages in use draw them; `visit` is shown what each of their layers gives."""
        grown = float(self.grown) if self._fixed is None else self._fixed
        x = torch.cat([z, code.to(z.dtype)], dim=1).to(next(self.stages.parameters()).dtype)
        x = x[:, :, None, None].contiguous(memory_format=torch.channels_last)
        picture: Tensor | None = None
        for number, (stage, to_rgb) in enumerate(zip(self.stages, self.to_rgb, strict=True)):
            share = min(1.0, grown - number)
            if share <= 0:
                break
            for layer in stage:  # type: ignore[attr-defined]  # a Sequential
                x = layer(x)
                if visit:
                    visit(x)
            if grown - number < 2:  # else a finer stage counts fully, and this picture is not seen
                seen = to_rgb(x).float()
                picture = seen if picture is None else torch.lerp(_enlarged(picture, seen.shape[-1]), seen, share)
        assert picture is not None
        return picture


class GrowingCritic(Critic):
    """The mirror image: `rgb` takes the picture of a side in, and the layers behind it lead to the side below.

    While a side fades in, what its layers make of a picture is mixed with what the next `rgb` makes of the smaller picture.
    """

    def __init__(self, config: ModelConfig, layers: tuple[str, ...]) -> None:
        """`layers` begin with `rgb`, the one of the largest side."""
        super().__init__()
        begins = [number for number, text in enumerate(layers) if text.startswith("rgb")]
        reached = sizes(layers, config.resolution)
        self.from_rgb, self.stages = nn.ModuleList(), nn.ModuleList()
        self.sides = [reached[number] for number in begins]
        self.share = 1.0  # of the side that is judged now
        for number, end in zip(begins, [*begins[1:], len(layers)], strict=True):
            layer = parse_layer(layers[number])
            taken = scaled(nn.Conv2d(3 + config.code_dim, layer.channels, 1), layer.scaling)
            self.from_rgb.append(nn.Sequential(taken, *activation(layer.activation)))
            self.stages.append(build(layers[number + 1 : end], layer.channels))

    def init_weights(self) -> None:
        """Draw all weights anew from torch's global generator."""
        init_weights(self)

    def grow(self, side: int, share: float) -> None:
        """Judge `side` pixels from now on; its layers count `share`, 0 to 1."""
        self.share = share

    def forward(self, seen: Tensor, code: Tensor) -> Tensor:
        """Pictures N×3×S×S in [−1, 1], S one of the sides, and class codes N×K → scores N, unbounded."""
        first = self.sides.index(seen.shape[-1])
        x = self.from_rgb[first](with_planes(seen, code))
        for number in range(first, len(self.stages)):
            x = self.stages[number](x)
            if number == first and self.share < 1 and number + 1 < len(self.stages):
                coarse = self.from_rgb[number + 1](with_planes(avg_pool2d(seen, 2), code))
                x = torch.lerp(coarse, x.to(coarse.dtype), self.share)
        return x.flatten()


def _last_channels(layers: tuple[str, ...], before: int) -> int:
    """The channels behind `layers`, where `before` come in."""
    return next((layer.channels for layer in map(parse_layer, reversed(layers)) if layer.channels), before)


def faded(pictures: Tensor, share: float) -> Tensor:
    """Pictures N×3×S×S with `share`, 0 to 1, of the detail that S/2 pixels a side cannot show."""
    return pictures if share == 1 else torch.lerp(_enlarged(avg_pool2d(pictures, 2), pictures.shape[-1]), pictures, share)


def _enlarged(picture: Tensor, side: int) -> Tensor:
    """Pictures N×3×H×H, enlarged to `side` pixels by repeating them."""
    return picture if picture.shape[-1] == side else interpolate(picture, size=(side, side), mode="nearest")
