"""What the faster forms of two operations give a training step of the flagship: each in turn as it was before, in one run.

    python tests/bench/step.py PHOTOS [--resolution 64] [--rounds 5] [--precision fp32]
    ONEDNN_MAX_CPU_ISA=AVX512_CORE python tests/bench/step.py PHOTOS --precision fp32    # as on a processor without AMX

Every way takes the same four steps (one of them with the penalty) from the same state, and all ways take turns. Seconds are
those of the processor, on one thread. Printed are medians, ratios to the forms used now, and the largest difference of the
losses of the four steps from theirs (relative, for losses above 1). Run it under `LD_PRELOAD=libtcmalloc_minimal.so.4`, as
trainings are.
"""

from __future__ import annotations

import argparse
import copy
import os
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # as train.py does, before torch is imported

import torch  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.nn.functional import conv2d, interpolate, pad  # noqa: E402

from gan.data.image_folder import OVERSAMPLE, load_photos  # noqa: E402
from gan.networks.backbones import _SameConv  # noqa: E402
from gan.networks.style_generator import Modulated  # noqa: E402
from gan.options import TrainConfig  # noqa: E402
from gan.presets import from_preset  # noqa: E402
from gan.trainer import Trainer  # noqa: E402
from gan.utils.device import describe  # noqa: E402

STEPS = 4  # one of them has the penalty


def copied_padding(self: _SameConv, x: Tensor) -> Tensor:
    """TensorFlow's padding by filling a larger map and copying into it."""
    (kernel, _), (stride, _) = self.kernel_size, self.stride
    high, wide = (max(0, (-(-size // stride) - 1) * stride + kernel - size) for size in x.shape[2:])
    x = pad(x, (wide // 2, wide - wide // 2, high // 2, high - high // 2))
    return conv2d(x, self.weight, self.bias, self.stride, 0, groups=self.groups)


def enlarged_first(self: Modulated, x: Tensor, kernels: Tensor, enlarge: bool) -> Tensor:
    """Maps are enlarged, and convolved at their full size."""
    if not enlarge:
        return conv2d(x, kernels, padding=1)
    if self.low_pass != "smooth":
        return conv2d(interpolate(x, scale_factor=2, mode="nearest"), kernels, padding=1)
    with torch.autocast(x.device.type, enabled=False):
        x = interpolate(pad(x, (1, 1, 1, 1), mode="replicate"), scale_factor=2, mode="bilinear", align_corners=False)
    return conv2d(x[:, :, 1:-1, 1:-1], kernels)


NOW = "as it is"
PADDING = (_SameConv, "forward", copied_padding)
ENLARGING = (Modulated, "_convolve", enlarged_first)
WAYS: dict[str, tuple[tuple[type, str, Callable[..., Tensor]], ...]] = {
    NOW: (), "padding by a copy": (PADDING,), "enlarging first": (ENLARGING,), "both as before": (PADDING, ENLARGING),
}  # fmt: skip


def steps(trainer: Trainer, state: dict[str, Any], way: str) -> tuple[float, list[float]]:
    """Processor seconds of the steps from a state in one of the WAYS, and their losses."""
    trainer.load_state(copy.deepcopy(state))
    with ExitStack() as changed:
        for one in WAYS[way]:
            changed.enter_context(patch.object(*one))
        begun = time.process_time()
        stats = [trainer.step() for _ in range(STEPS)]
        seconds = time.process_time() - begun
    return seconds, [loss for one in stats for loss in (one.critic_loss, one.generator_loss)]


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="a folder with a sub-folder of photos for each class")
    parser.add_argument("--resolution", type=int, default=128, help="pixels a side (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each way (default %(default)s)")
    parser.add_argument("--precision", default="bf16", choices=("bf16", "fp32"), help="(default %(default)s)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    photos = load_photos(args.photos, OVERSAMPLE * args.resolution)
    model, recipe = from_preset("flagship", photos.classes, resolution=args.resolution)
    given = {**vars(recipe), "sides": (str(args.resolution),), "precision": args.precision, "images": 10**9}
    trainer = Trainer(model, TrainConfig(**given).validate(), photos, torch.device("cpu"))
    for _ in range(2 * STEPS):  # kernels are chosen, and the memory of losses and pictures is filled
        trainer.step()
    state = copy.deepcopy(trainer.state())
    expected = steps(trainer, state, NOW)[1]
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    apart = dict.fromkeys(WAYS, 0.0)
    for _ in range(args.rounds):
        for way in WAYS:
            taken, losses = steps(trainer, state, way)
            seconds[way].append(taken / STEPS)
            apart[way] = max(apart[way], *(abs(a - b) / max(1.0, abs(b)) for a, b in zip(losses, expected)))
    print(f"{describe(torch.device('cpu'))}, {args.resolution}×{args.resolution}, {args.precision}, batch {recipe.batch}")
    print("| | s a step | × | losses differ by at most |\n| --- | ---: | ---: | ---: |")
    for way in WAYS:
        ratio = statistics.median(a / b for a, b in zip(seconds[way], seconds[NOW]))
        print(f"| {way} | {statistics.median(seconds[way]):.2f} | {ratio:.2f} | {apart[way]:.1e} |")


if __name__ == "__main__":
    main()
