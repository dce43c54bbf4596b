"""Matching: a loss that compares the set of pictures with the set of photos, in the features of a frozen network.

A critic judges pictures one by one, and with a few hundred photos a generator soon draws the one flower that it likes.
A distance of two sets (Santos et al. 2019, "Learning Implicit Generative Models by Matching Perceptual Features") also
drives pictures apart that are alike.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from gan.losses import kernel_distance
from gan.networks.projected_critic import BATCH, ProjectedCritic
from gan.utils.distributed import ALONE, ProcessGroup

CELLS = 4  # maps of at least so many pixels a side are also compared cell by cell, so many cells a side
PIXELS = 8  # side of the tiny picture by which colors and layout are compared
PIXEL_SCALE = 2.0  # pixels have a deviation of about one half; the maps are standardized
TILE = 8  # side of the mean tile, which shows the grid that upsampling leaves
TILE_SCALE = 50.0  # its pixels have a deviation of a few hundredths
RECENT = 2  # batches of generated pictures that are kept: one is a noisy estimate of the set, eight left more twins


class Matching(nn.Module):
    """The loss itself. It keeps statistics of the photos and of the most recent pictures."""

    def __init__(self, critic: ProjectedCritic, processes: ProcessGroup = ALONE) -> None:
        super().__init__()
        self.processes = processes
        self._critic = [critic]  # in a list: not a part of this
        self.photos: list[Tensor] = []
        self.photo_labels = torch.zeros(0, dtype=torch.int64)
        self.recent: list[Tensor] = []
        self.recent_labels = torch.zeros(0, dtype=torch.int64)

    @torch.no_grad()
    def calibrate(self, images: Tensor, labels: Tensor) -> None:
        """Take in photos N×3×S×S in [−1, 1] with class indices N, as they are and mirrored; forget the recent pictures."""
        both = torch.cat([images, images.flip(-1)])
        parts = [self.statistics(batch) for batch in both.split(BATCH)]
        self.photos = [torch.cat(group) for group in zip(*parts)]
        self.photo_labels = labels.repeat(2)
        self.recent, self.recent_labels = [], labels[:0]

    def statistics(self, images: Tensor) -> list[Tensor]:
        """Pictures N×3×S×S → groups of numbers N×D: tiny pictures, mean tiles, and mean, deviation and cells of every map."""
        groups = [PIXEL_SCALE * adaptive_avg_pool2d(images.float(), PIXELS).flatten(1), TILE_SCALE * _mean_tile(images.float())]
        for x in self._critic[0].maps(images):
            groups += [x.mean((2, 3)), (x.var((2, 3), correction=0) + 1e-4).sqrt()]
            if x.shape[2] >= CELLS:
                groups.append(adaptive_avg_pool2d(x, CELLS).flatten(1))
        return groups

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Mean kernel distance of pictures N×3×S×S with class indices N to the photos of their class, over all statistics.

        The gradient flows to `images` alone. Afterwards they are among the recent pictures.
        """
        groups = self.statistics(images)
        whole = self.processes.gather(labels)
        self.keep([self.processes.gather(group.detach()) for group in groups], whole)
        places = torch.arange(len(self.recent_labels), device=labels.device)
        own = self.processes.local_shard(places[-len(whole) :])  # a picture is not its own neighbor
        attract = _shares(labels[:, None] == self.photo_labels)
        repel = _shares((labels[:, None] == self.recent_labels) & (own[:, None] != places))
        distances = [
            kernel_distance(group, photos, recent, attract, repel, self.processes.mean)
            for group, photos, recent in zip(groups, self.photos, self.recent)
        ]
        return torch.stack(distances).mean()

    def keep(self, groups: list[Tensor], labels: Tensor) -> None:
        """Make pictures the last of the recent ones, by their statistics, groups of N×D, and their class indices N."""
        limit = RECENT * len(labels)
        self.recent = [torch.cat([old, new])[-limit:] for old, new in zip(self.recent, groups)] if self.recent else groups
        self.recent_labels = torch.cat([self.recent_labels, labels])[-limit:]

    def state(self) -> dict[str, Any]:
        """What resuming needs: the photos are seen anew."""
        return {"recent": self.recent, "recent_labels": self.recent_labels}

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
        device = self.photo_labels.device
        self.recent = [group.to(device) for group in state["recent"]]
        self.recent_labels = state["recent_labels"].to(device)


def _mean_tile(images: Tensor) -> Tensor:
    """The mean of all tiles of TILE pixels a side that N×3×S×S are cut into, without the mean color: N×3·TILE²."""
    n, channels, side, _ = images.shape
    tiles = images.reshape(n, channels, side // TILE, TILE, side // TILE, TILE).mean((2, 4))
    return (tiles - tiles.mean((2, 3), keepdim=True)).flatten(1)


def _shares(chosen: Tensor) -> Tensor:
    """Boolean N×M → weights: equal ones for what is chosen in a row, adding up to 1; all 0 where nothing is chosen."""
    return chosen / chosen.sum(1, keepdim=True).clamp_min(1)
