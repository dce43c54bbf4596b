"""What a generator does on its way to one flower: the picture scale by scale, or the maps of each layer; and what goes in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import interpolate

from gan.sampling.flower import Flower
from gan.sampling.sampler import Sampler

STRONGEST = 16  # maps of a layer that are shown
TILE = 48  # pixels a side that a map has at least where it is shown; it is enlarged by repeating its own
GAP = 2  # transparent pixels between two maps
MOST_AMPLIFIED = 16  # times that what a scale adds is amplified at most
WITHIN = 0.99  # share of the differences that is to fit the range of gray values when amplified
MIDDLE = 127.5  # the gray value of no difference


@dataclass(frozen=True)
class ScaleStep:
    """A picture on the way to a flower of a model with styles, and what its scale adds to the coarser one."""

    side: int
    picture: np.ndarray  # uint8 side×side×3
    added: np.ndarray | None = None  # uint8 side×side×3: gray where nothing is added; None for the first scale
    factor: int = 1  # times that the difference is amplified in `added`
    change: float = 0.0  # mean absolute difference from the coarser picture, in steps of 255


@dataclass(frozen=True)
class LayerStep:
    """A layer, the shape of its maps (channels, height, width), and the `mosaic` of the `shown` strongest of them."""

    layer: str  # its string in `config.generator`
    shape: tuple[int, int, int]
    shown: int
    mosaic: np.ndarray


def has_scales(sampler: Sampler) -> bool:
    """Whether the model draws coarser pictures on its way, so that `scales` has something to show."""
    return len(sampler.sides) > 1


def scales(sampler: Sampler, flower: Flower) -> list[ScaleStep]:
    """The pictures of a flower at each of `Sampler.sides`, rising; the last is what `Sampler.draw` gives.

    Raises UserError as `Sampler.draw` does.
    """
    pictures = [next(iter(sampler.each([flower], side=side))) for side in sampler.sides]
    first = ScaleStep(len(pictures[0]), pictures[0])
    return [first, *(_scale(coarse, fine) for coarse, fine in zip(pictures, pictures[1:]))]


def _scale(coarse: np.ndarray, fine: np.ndarray) -> ScaleStep:
    added = difference(coarse, fine)
    factor = amplification(added)
    shown = (MIDDLE + factor * added).round().clip(0, 255).astype(np.uint8)
    return ScaleStep(len(fine), fine, shown, factor, float(np.abs(added).mean()))


def difference(coarse: np.ndarray, fine: np.ndarray) -> np.ndarray:
    """A picture minus the one of half its side, enlarged as the network enlarges it (bilinear): float32 S×S×3, −255 to 255."""
    small = torch.from_numpy(coarse).permute(2, 0, 1)[None].float()
    large = interpolate(small, size=fine.shape[:2], mode="bilinear", align_corners=False)[0]
    return fine.astype(np.float32) - large.permute(1, 2, 0).numpy()


def amplification(added: np.ndarray) -> int:
    """The power of two, 1 to MOST_AMPLIFIED, by which differences can be multiplied so that WITHIN of them fit ±MIDDLE."""
    reach = float(np.quantile(np.abs(added), WITHIN))
    return 2 ** int(math.log2(min(max(MIDDLE / max(reach, 1e-6), 1), MOST_AMPLIFIED)))


def layers(sampler: Sampler, flower: Flower) -> tuple[list[LayerStep], np.ndarray]:
    """The layers of a generator as they draw a flower, and its picture, uint8 S×S×3, exactly as `Sampler.draw` gives it.

    Raises UserError as `Sampler.draw` does.
    """
    maps, picture = sampler.maps(flower)
    return [_layer(layer, x) for layer, x in maps], picture


def _layer(layer: str, maps: np.ndarray) -> LayerStep:
    channels, height, width = maps.shape
    chosen = strongest(maps)
    return LayerStep(layer, (channels, height, width), len(chosen), mosaic(maps[chosen]))


def strongest(maps: np.ndarray) -> np.ndarray:
    """The numbers of the STRONGEST channels of maps C×H×W, the strongest first: whose deviation over places is largest."""
    order = np.argsort(-maps.reshape(len(maps), -1).std(1), kind="stable")
    return order[:STRONGEST]


def mosaic(maps: np.ndarray) -> np.ndarray:
    """Maps C×H×W side by side, as square as can be: uint8 H×W×2, gray and opacity.

    Each goes from its own lowest value (black) to its highest (white).
    """
    low, high = maps.min((1, 2), keepdims=True), maps.max((1, 2), keepdims=True)
    gray = np.where(high > low, (maps - low) / np.maximum(high - low, 1e-12), 0.5)
    factor = -(-TILE // maps.shape[-1])
    tiles = (255 * gray).round().astype(np.uint8).repeat(factor, 1).repeat(factor, 2)
    return _tiled(tiles, math.ceil(math.sqrt(len(tiles))))


def start(sampler: Sampler, flower: Flower) -> tuple[np.ndarray, int]:
    """What the drawing begins with, as a picture of its numbers, and how many these are: the noise, or the style.

    The picture, uint8 H×W×2 (gray and opacity), has one pixel for each number. Middle gray is 0, black and white are as far
    from 0 as the farthest. A flower with the fine scales of another has two styles, and two such pictures side by side. Raises
    UserError as `Sampler.draw` does.
    """
    of_seed, of_class = sampler.latents([flower])
    rows = (of_seed + of_class if sampler.scales else of_seed)[0]
    found = torch.unique_consecutive(rows.view(-1, rows.shape[-1]), dim=0).numpy()
    reach = max(float(np.abs(found).max()), 1e-12)
    count = found.shape[1]
    side = math.ceil(math.sqrt(count))
    squares = np.full((len(found), -(-count // side) * side), round(MIDDLE), np.uint8)
    squares[:, :count] = (MIDDLE + MIDDLE * found / reach).round()
    return _tiled(squares.reshape(len(found), -1, side), len(found)), count


def _tiled(tiles: np.ndarray | Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Gray pictures N×H×W in rows of `columns`, with GAP between them: uint8 H×W×2, gray and opacity."""
    height, width = tiles[0].shape
    rows = -(-len(tiles) // columns)
    sheet = np.zeros((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 2), np.uint8)
    for number, tile in enumerate(tiles):
        top, left = number // columns * (height + GAP), number % columns * (width + GAP)
        sheet[top : top + height, left : left + width, 0] = tile
        sheet[top : top + height, left : left + width, 1] = 255
    return sheet
