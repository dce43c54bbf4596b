"""The photos that a training shows: in which order, at which side, augmented."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from gan.data.augment import Augment, to_float
from gan.data.image_folder import OVERSAMPLE, Photos
from gan.utils.distributed import ShardedRandom


class PhotoStream:
    """An endless order of photos that follows from a seed. Every epoch is a shuffle of its own."""

    def __init__(self, photos: Photos, resolution: int, augment: Augment, seed: int, device: torch.device) -> None:
        """`photos` are squares of side OVERSAMPLE × `resolution`; pictures are made on `device`."""
        self.photos, self.resolution, self.augment, self.seed, self.device = photos, resolution, augment, seed, device
        self._images = _on_device(photos.images, device)
        self._sharp_at = 0, torch.zeros(0, dtype=torch.int64)  # a side, and which photos are sharp enough for it

    def sharp(self, side: int) -> Tensor:
        """Indices of the photos that are not far smaller than `side` pixels: the others are not shown at that side."""
        if self._sharp_at[0] != side:
            self._sharp_at = side, self.photos.sharp(side)
        return self._sharp_at[1]

    def indices(self, start: int, count: int, side: int) -> Tensor:
        """Which photos stand at positions `start` to `start + count` of the order for `side` pixels."""
        sharp, parts = self.sharp(side), []
        while count:
            epoch, offset = divmod(start, len(sharp))
            order = torch.randperm(len(sharp), generator=torch.Generator().manual_seed(mix_seeds(~self.seed, epoch)))
            parts.append(sharp[order[offset : offset + count]])
            start, count = start + len(parts[-1]), count - len(parts[-1])
        return torch.cat(parts)

    def pictures(self, index: Tensor, side: int, draws: ShardedRandom | None = None) -> Tensor:
        """Photos by index → N×3×`side`×`side` in [−1, 1], augmented where `draws` are given."""
        photos = self._images[index].to(self.device)
        pictures = to_float(photos) if draws is None else self.augment(photos, draws)
        return avg_pool2d(pictures, OVERSAMPLE * self.resolution // side)


def _on_device(images: Tensor, device: torch.device) -> Tensor:
    """The photos in the memory of a GPU where a quarter of what is free holds them, so that no batch is copied to it."""
    fits = device.type == "cuda" and images.nbytes < torch.cuda.mem_get_info(device)[0] // 4
    return images.to(device) if fits else images


def mix_seeds(seed: int, counter: int) -> int:
    """One 63-bit seed from two numbers (splitmix64's finalizer), so that neighboring steps share nothing."""
    x = (seed * 0x9E3779B97F4A7C15 + counter * 0xD1B54A32D192ED03) & (2**64 - 1)
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & (2**64 - 1)
    return (x ^ (x >> 31)) >> 1
