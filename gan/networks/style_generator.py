"""The style generator: noise and class code → style → pictures, a scale at a time (StyleGAN2 without custom operators).

What it keeps of Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN": a mapping network, modulated and
demodulated 3×3 convolutions, pictures summed over the scales. What it leaves out unless layers ask for it: noise a pixel (taken
for texture, it hides what the layers have not learnt yet), the constant start (every flower then has one layout). It has no
equalized learning rates. Scales with `adain` are those of the first StyleGAN (adain.py).
There is no norm over a batch anywhere: one picture is the same alone and in a batch, and the CPU has less to do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, interpolate, leaky_relu, pad

from gan.config import Layer, ModelConfig, parse_layer
from gan.errors import UserError
from gan.networks import latents
from gan.networks.adain import AdaptiveConv
from gan.networks.base import Generator, Maps
from gan.networks.layers import SLOPE
from gan.networks.pixel_noise import PixelNoise
from gan.utils.distributed import ShardedRandom

GAIN = math.sqrt(2 / (1 + SLOPE**2))  # keeps the variance through a leaky ReLU (He et al. 2015)
_STEEP = (-0.0016, -0.0228, -0.0374, 0.0710, 0.3570, 0.6338)
# Low-pass filters of enlarged maps; their sums are 2, as every second row and column is empty. The number of taps is one of
# 4, 8, 12, …. "smoother" is a sinc with its cutoff at 0.17 cycles a pixel under a Kaiser window of 5. At 0.25 cycles, the
# highest frequency of the smaller maps, it passes 0.1 of the amplitude, and "smooth" 0.35: that is mirrored into a grid.
TAPS = {"smooth": (0.25, 0.75, 0.75, 0.25), "smoother": (*_STEEP, *reversed(_STEEP))}


class StyleGenerator(Generator):
    """Generators of `M` (mapping) and `S` (scale) layers, built from `config.generator`.

    A style is a vector of as many numbers as the last mapping layer has channels; every scale takes one, so a picture can
    be drawn from the styles of two flowers (section 3.1 of Karras et al. 2019, "style mixing").
    """

    mean_style: Tensor
    scales: Sequence[Scale]

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        layers = [parse_layer(text) for text in config.generator]
        mapping = [layer.channels for layer in layers if layer.op == "M"]
        scales = [layer for layer in layers if layer.op == "S"]
        self.embed = nn.Linear(config.code_dim, config.z_dim, bias=False) if config.code_dim else None
        widths = [config.z_dim * (2 if config.code_dim else 1), *mapping]
        self.mapping = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:], strict=False))
        style = widths[-1]
        constant = next((layer.channels for layer in layers if layer.op == "K"), 0)
        self.constant = nn.Parameter(torch.ones(constant, 4, 4)) if constant else None
        self.start = None if constant else nn.Linear(style, scales[0].channels * 16)
        widths = [constant or scales[0].channels, *(scale.channels for scale in scales)]
        built = [
            Scale(before, scale, style, 4 << number, number == len(scales) - 1)
            for number, (before, scale) in enumerate(zip(widths, scales, strict=False))
        ]
        self.scales = nn.ModuleList(built)  # type: ignore[assignment]  # torch's types make Modules of its items
        # The mean style of each class, which truncation draws towards; `calibrate` keeps it.
        self.register_buffer("mean_style", torch.zeros(max(1, config.code_dim), style))

    def init_weights(self) -> None:
        """Draw all weights anew from torch's global generator."""
        for module in (*self.mapping, *([self.start] if self.start else [])):
            nn.init.normal_(module.weight, 0, GAIN / math.sqrt(module.in_features))
            nn.init.zeros_(module.bias)
        if self.embed is not None:
            nn.init.normal_(self.embed.weight)
        for scale in self.scales:
            scale.init_weights()

    def style(self, z: Tensor, code: Tensor) -> Tensor:
        """Noise N×z_dim and class code N×K (N×0 for a plain model) → styles N×W in float32."""
        with torch.autocast(z.device.type, enabled=False):
            x = normalize(z)
            if self.embed is not None:
                x = torch.cat([x, normalize(self.embed(code.to(z.dtype)))], 1)
            for layer in self.mapping:
                x = leaky_relu(layer(x), SLOPE)
            return x

    def latents(self, seeds: Sequence[int], code: Tensor, truncation: float | None) -> tuple[Tensor, Tensor]:
        """Seeds N and class codes N×K → how each style differs from the mean style of its class, and that mean style.

        `truncation` draws styles towards the mean by `latents.spread` of it (Karras et al. 2019, appendix B, where that factor
        is ψ): the number means as much for styles as it does for noise. Raises UserError for a seed or truncation out of range.
        """
        z = latents.noise(seeds, self.config.z_dim, None).to(code.device)
        mean = code @ self.mean_style if self.embed is not None else self.mean_style.expand(len(code), -1)
        return latents.spread(truncation) * (self.style(z, code) - mean), mean

    def decode(self, of_seed: Tensor, of_class: Tensor, side: int | None = None) -> Tensor:
        """Differences of styles N×W (or N×L×W) and mean styles of the same shape → pictures N×3×S×S, around [−1, 1].

        A `side` below S is that of the coarser picture, as in `synthesize`.
        """
        return self.synthesize(of_seed + of_class, side)

    def maps(self, of_seed: Tensor, of_class: Tensor) -> tuple[list[tuple[str, Tensor]], Tensor]:
        """Each scale with its maps, and the picture."""
        maps = Maps()
        picture = self.synthesize(of_seed + of_class, visit=maps)
        return maps.named([text for text in self.config.generator if text.startswith("S")]), picture

    @property
    def style_scales(self) -> int:
        """How many scales take a style of their own, L."""
        return len(self.scales)

    @property
    def sides(self) -> tuple[int, ...]:
        """4, 8, … up to S, or S alone where the last scale draws the whole picture."""
        return tuple(4 << number for number, scale in enumerate(self.scales) if hasattr(scale, "rgb_weight"))

    def styles(self, z: Tensor, code: Tensor) -> Tensor:
        """Noise N×z_dim, or N×L×z_dim with a row for each scale, and class codes N×K → styles N×L×W."""
        if z.ndim == 2:
            return self.style(z, code)[:, None].expand(-1, len(self.scales), -1)
        return self.style(z.flatten(0, 1), code.repeat_interleave(z.shape[1], 0)).view(*z.shape[:2], -1)

    def synthesize(
        self, styles: Tensor, side: int | None = None, draws: ShardedRandom | None = None,
        visit: Callable[[Tensor], None] | None = None,
    ) -> Tensor:  # fmt: skip
        """Styles N×W, or N×L×W with one for each of the L scales → pictures N×3×S×S, around [−1, 1].

        With a `side` below S the finer scales are left out, as at the beginning of a training. The range is not enforced.
        Scales with `noise` take it from `draws`; without, they add the one that they keep. `visit` is shown each scale's maps.
        """
        count = len(self.scales) if side is None else _scales(side)
        if styles.ndim == 2:
            styles = styles[:, None].expand(-1, len(self.scales), -1)
        if self.start:
            x = self.start(styles[:, 0]).view(-1, self.start.out_features // 16, 4, 4)
        else:
            assert self.constant is not None
            x = self.constant.expand(len(styles), -1, -1, -1).to(_kind(styles))
        x = x.contiguous(memory_format=torch.channels_last)
        picture: Tensor | None = None
        for number, scale in enumerate(self.scales[:count]):
            x, picture = scale(x, picture, styles[:, number], number > 0, draws)
            if visit:
                visit(x)
        assert picture is not None  # there is one scale at least
        return picture

    def for_inference(self, dtype: torch.dtype) -> None:
        """Draw with convolutions in `dtype` from now on. Later changes of the weights are ignored."""
        for scale in self.scales:
            scale.first.for_inference(dtype)
            scale.second.for_inference(dtype)

    def begin_coarse(self, side: int) -> None:
        """Set the output of the scales above `side` pixels to 0; they add to the picture once they have learned to."""
        for scale in self.scales[_scales(side) :]:
            if not scale.adain:  # there the last scale alone draws the picture
                nn.init.zeros_(scale.rgb_weight)

    def freeze_below(self, side: int) -> None:
        """Train only the scales from `side` pixels on, and neither the mapping nor the embedding. Raises UserError."""
        if len(self.sides) == 1:  # the last scale draws the whole picture
            super().freeze_below(side)
        if side not in self.sides[1:]:
            raise UserError(
                f"--freeze-below is {side}; use one of {', '.join(map(str, self.sides[1:]))}, the sides of its scales."
            )
        self.requires_grad_(False)
        for scale in self.scales[_scales(side) - 1 :]:
            scale.requires_grad_(True)

    def forward(self, z: Tensor, code: Tensor, side: int | None = None, draws: ShardedRandom | None = None) -> Tensor:
        """Noise N×z_dim or N×L×z_dim and class codes N×K → pictures N×3×S×S, as `synthesize` gives them for their styles."""
        return self.synthesize(self.styles(z, code), side, draws)

    @torch.no_grad()
    def calibrate(self) -> None:
        """Measure the mean style of each class over a fixed draw of noise. To be called when the weights are final."""
        z = torch.randn(MEAN_STYLE_DRAWS, self.config.z_dim, generator=torch.Generator().manual_seed(0)).to(
            self.mapping[0].weight.device  # type: ignore[arg-type]  # torch's types do not know it is a Linear
        )
        for number, code in enumerate(torch.eye(len(self.mean_style), device=z.device)):
            code = code if self.config.code_dim else code[:0]
            self.mean_style[number] = self.style(z, code.expand(len(z), -1)).mean(0)


MEAN_STYLE_DRAWS = 4096  # noise vectors behind a mean style


def _scales(side: int) -> int:
    """How many scales it takes to `side` pixels: 1 for 4, 2 for 8, …"""
    return (side // 4).bit_length()


def normalize(x: Tensor) -> Tensor:
    """Rows N×W scaled to a mean square of 1, as the mapping network takes noise and embeddings."""
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


class Scale(nn.Module):
    """Two convolutions at one size, and what they add to the picture."""

    def __init__(self, before: int, layer: Layer, style: int, side: int, last: bool) -> None:
        """`before` channels come in, maps of `side` pixels go out. With `adain` only the `last` scale draws a picture."""
        super().__init__()
        channels, self.adain, self.draws_noise = layer.channels, layer.adain, layer.noise
        self.first: AdaptiveConv | Modulated
        self.second: AdaptiveConv | Modulated
        if layer.adain:
            self.first, self.second = (AdaptiveConv(c, channels, style, side, layer.noise) for c in (before, channels))
        else:
            noise = side if layer.noise else None
            self.first = Modulated(before, channels, style, layer.low_pass, noise)
            self.second = Modulated(channels, channels, style, noise=noise)
        self.rgb = None if layer.adain else nn.Linear(style, channels)  # the modulation of the three 1×1 kernels below
        if last or not layer.adain:
            self.rgb_weight, self.rgb_bias = nn.Parameter(torch.empty(3, channels)), nn.Parameter(torch.zeros(3))

    def init_weights(self) -> None:
        """Draw all weights anew from torch's global generator."""
        self.first.init_weights()
        self.second.init_weights()
        if self.rgb is not None:
            nn.init.normal_(self.rgb.weight, 0, 1 / math.sqrt(self.rgb.in_features))
            nn.init.ones_(self.rgb.bias)
        if hasattr(self, "rgb_weight"):
            # Small: an untrained scale must not hide the coarser ones.
            nn.init.normal_(self.rgb_weight, 0, 0.1 / math.sqrt(self.rgb_weight.shape[1]))
            nn.init.zeros_(self.rgb_bias)

    def forward(
        self, x: Tensor, picture: Tensor | None, style: Tensor, enlarge: bool, draws: ShardedRandom | None = None
    ) -> tuple[Tensor, Tensor | None]:  # fmt: skip
        """Maps N×C×H×W, the coarser picture or None, and styles N×W → maps N×C'×S×S and picture N×3×S×S; S is H, or 2H."""
        side = x.shape[2] * (2 if enlarge else 1)
        noises = [draws.normal(len(x), side, side).to(x.device) if draws and self.draws_noise else None for _ in range(2)]
        x = self.second(self.first(x, style, enlarge, noises[0]), style, False, noises[1])
        if not hasattr(self, "rgb_weight"):
            return x, None
        n, channels, side, _ = x.shape
        if self.rgb is None:
            kernels = self.rgb_weight.T.expand(n, -1, -1).to(x.dtype)
        else:
            kernels = (self.rgb(style)[:, :, None] * self.rgb_weight.T).to(x.dtype)  # N×C×3: cheaper than scaling x
        seen = torch.bmm(x.permute(0, 2, 3, 1).reshape(n, side * side, channels), kernels).float()
        seen = (seen + self.rgb_bias).view(n, side, side, 3).permute(0, 3, 1, 2)
        if picture is not None:
            seen = seen + interpolate(picture, scale_factor=2, mode="bilinear", align_corners=False)
        return x, seen


class Modulated(nn.Module):
    """A 3×3 convolution with modulation and demodulation by a style (Karras et al. 2020, section 2.2), then leaky ReLU."""

    def __init__(self, before: int, channels: int, style: int, low_pass: str = "", noise: int | None = None) -> None:
        """`low_pass`: maps are enlarged with this filter of TAPS; with "" by repeating pixels, which leaves a grid.

        `noise`: the side of the maps that come out, where a number is added to each of their pixels; None without noise.
        """
        super().__init__()
        self.low_pass = low_pass
        self.noise = PixelNoise(channels, noise) if noise else None
        self._inference_kernels: tuple[Tensor, Tensor] | None = None
        self.affine = nn.Linear(style, before)
        self.weight, self.bias = nn.Parameter(torch.empty(channels, before, 3, 3)), nn.Parameter(torch.zeros(channels))

    def init_weights(self) -> None:
        """Draw all weights anew from torch's global generator."""
        nn.init.normal_(self.affine.weight, 0, 1 / math.sqrt(self.affine.in_features))
        nn.init.ones_(self.affine.bias)
        nn.init.normal_(self.weight, 0, 1 / math.sqrt(9 * self.weight.shape[1]))
        nn.init.zeros_(self.bias)

    def for_inference(self, dtype: torch.dtype) -> None:
        """Keep the kernels in `dtype`, and the squares that demodulation sums; later changes of the weights are ignored."""
        kernels = self.weight.detach().to(dtype, memory_format=torch.channels_last)
        self._inference_kernels = kernels, self.weight.detach().square().sum((2, 3))

    def forward(self, x: Tensor, style: Tensor, enlarge: bool, noise: Tensor | None = None) -> Tensor:
        """Maps N×C×H×W, styles N×W and noise N×S×S or None → maps N×C'×S×S; S is H, or 2H where they are enlarged first."""
        kernels, energy = self._inference_kernels or (self.weight.to(_kind(x)), self.weight.square().sum((2, 3)))
        with torch.autocast(x.device.type, enabled=False):
            scale = self.affine(style)
            demodulation = GAIN * (scale.square() @ energy.T + 1e-8).rsqrt()
        x = x.to(kernels.dtype) * scale.to(kernels.dtype)[:, :, None, None]
        x = self._convolve(x, kernels, enlarge)  # the scaling came first: it then touches a quarter of the pixels
        x = torch.addcmul(self.bias.to(x.dtype)[None, :, None, None], x, demodulation.to(x.dtype)[:, :, None, None])
        return leaky_relu(self.noise(x, noise) if self.noise else x, SLOPE, inplace=True)

    def _convolve(self, x: Tensor, kernels: Tensor, enlarge: bool) -> Tensor:
        """Maps N×C×H×W, enlarged where that is wanted, and convolved; `kernels` are the weight in the type of the maps."""
        if enlarge and self.low_pass:
            taps = TAPS[self.low_pass]
            with torch.autocast(x.device.type, enabled=False):  # which would pad in float32, and back
                x = pad(x, (len(taps) // 4,) * 4, mode="replicate")  # a border of zeros would be drawn as a rim
            return filtered(conv_transpose2d(x, kernels.flip(2, 3).transpose(0, 1), stride=2, padding=1), taps)
        if enlarge and self._inference_kernels is None:
            return conv_transpose2d(x, repeating_kernels(self.weight).to(kernels.dtype), stride=2, padding=1)
        # Drawing keeps this form: sums in another order would change the bytes of every flower.
        return conv2d(interpolate(x, scale_factor=2, mode="nearest") if enlarge else x, kernels, padding=1)


def repeating_kernels(weight: Tensor) -> Tensor:
    """Kernels C'×C×3×3 of a convolution behind an enlargement by repeating pixels → those of one transposed convolution.

    With stride 2 and padding 1 it gives the same maps as both. Its kernels C×C'×4×4 are the given ones under a box of 2×2
    pixels; they cost 16 products for each pixel that comes in where the other form costs 36.
    """
    box = weight.new_tensor([[0, 0, 1, 1], [0, 1, 1, 0], [1, 1, 0, 0]])  # where each of three taps counts, from the last on
    spread = torch.einsum("ya,xb->yxab", box, box).view(9, 16)
    return (weight.flatten(2) @ spread).unflatten(2, (4, 4)).transpose(0, 1)


def filtered(x: Tensor, taps: Sequence[float]) -> Tensor:
    """Maps N×C×H×W, filtered by K taps along both axes → N×C×(H−K+1)×(W−K+1).

    A transposed convolution of stride 2 with a filter behind it equals enlarging by that filter with a convolution behind it
    (filters commute), at a quarter of the products (StyleGAN2 enlarges in this order too).
    """
    channels, count = x.shape[1], len(taps)
    kernel = torch.tensor(taps, dtype=x.dtype, device=x.device)
    x = conv2d(x, kernel.view(1, 1, count, 1).expand(channels, 1, count, 1), groups=channels)
    return conv2d(x, kernel.view(1, 1, 1, count).expand(channels, 1, 1, count), groups=channels)


def _kind(x: Tensor) -> torch.dtype:
    """What convolutions compute in here: autocast's type where that is on."""
    on = torch.is_autocast_enabled(x.device.type)
    return torch.get_autocast_dtype(x.device.type) if on else x.dtype
