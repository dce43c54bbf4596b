"""The loop: critic steps, generator step, weight average. No parsing, no plotting, no files."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from gan import losses
from gan.config import ModelConfig
from gan.critic import make_critic
from gan.data.augment import Augment, diffaugment
from gan.data.image_folder import Photos, sample_classes
from gan.data.photo_stream import PhotoStream, mix_seeds
from gan.errors import UserError
from gan.generator import make_generator, one_hot
from gan.matching import Matching
from gan.networks import latents
from gan.networks.base import Generator
from gan.networks.growing import faded
from gan.networks.layers import channels_last
from gan.networks.projected_critic import CALIBRATION_PHOTOS, ProjectedCritic, SavedCritic
from gan.networks.sync_batch_norm import share_batch_norms
from gan.options import TrainConfig, parse_sides, refuse_difference, schedule_of, settings_of
from gan.regularizers import Regularizers, mixed_noise
from gan.utils.distributed import ALONE, ProcessGroup, ShardedRandom


@dataclass(frozen=True)
class StepStats:
    """What one step measured; plain numbers."""

    critic_loss: float
    generator_loss: float
    real_score: float  # mean critic score of photos
    fake_score: float  # mean critic score of generated pictures
    gradient_norm: float  # mean norm of the critic's gradient where the penalty takes it (0 at a step without one)

    @property
    def finite(self) -> bool:
        """Whether every value is a number."""
        return all(math.isfinite(value) for value in vars(self).values())


class Trainer:
    """Trains a generator against a critic on photos.

    Step s draws all its randomness from (seed, s), and the photos follow from the count of images seen, so a resumed run
    continues exactly: on the CPU N + M steps equal N, stop, resume, M, bit for bit. Several processes (utils/distributed.py)
    take a step together, each with its rows of the batch; their networks stay the same.
    """

    def __init__(
        self, model: ModelConfig, train: TrainConfig, photos: Photos, device: torch.device, processes: ProcessGroup = ALONE
    ) -> None:
        """`photos` have the classes of `model` and side OVERSAMPLE × its resolution. Raises UserError for an uneven batch."""
        self.model, self.config, self.photos, self.device, self.processes = model, train, photos, device, processes
        processes.check(train.batch)
        # Convolutions on CUDA would otherwise round float32 to TF32's 10 bits, the penalty's too.
        torch.backends.cudnn.allow_tf32 = False
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(train.seed)
            generator, self.critic = make_generator(model), make_critic(model, train.critic, device)
            for network in (generator, self.critic):
                network.init_weights()
                share_batch_norms(network, processes)
        self.objective = losses.OBJECTIVES[train.objective]
        self.schedule = parse_sides(train.sides, train.images)  # as planned at the beginning, however long the run goes on
        if self.schedule:
            generator.begin_coarse(self.schedule[0][0])
        if train.freeze_below:
            generator.freeze_below(train.freeze_below)
        channels_last(generator, device)
        self.generator = generator
        self.matching: Matching | None = None
        if train.matching_weight and isinstance(self.critic, ProjectedCritic):
            self.matching = Matching(self.critic, processes)
        self.ema = copy.deepcopy(self.generator).requires_grad_(False).eval()
        self.regularizers = Regularizers(train, processes)
        self.generator_optimizer = make_optimizer(self.generator, train.lr, train)
        self.critic_optimizer = make_optimizer(self.critic, train.critic_lr or train.lr, train)
        augment = Augment(train.transpose, train.flip_horizontal, train.flip_vertical, train.rotate)
        self.stream = PhotoStream(photos, model.resolution, augment, train.seed, device)
        self.steps = self.images_seen = 0
        self.from_trained = False  # whether the weights are those of a trained model at the start (transfer.py)
        self.generator_steps = 0  # fewer, where the critic was warmed up
        self.spectrum = torch.zeros(())  # the mean log spectrum of the photos, once measured
        self._averaged_at: int | None = None  # generator steps at which the average was last made ready to draw
        self._calibrated_at = 0  # the side of the pictures that the critic was made ready for
        self.known_side = 0  # the side at which the critic's statistics came with it from another run (transfer.py)

    def step(self) -> StepStats:
        """`critic_steps` updates of the critic, one of the generator, one of the average. Advances the counts."""
        draws = self.processes.rng(mix_seeds(self.config.seed, self.steps))
        self._set_rates()
        warm = self.images_seen >= self.config.critic_warm_up
        for turn in range(1, self.config.critic_steps + 1):
            self._calibrate()
            for network in (self.generator, self.critic, self.ema):
                network.grow(self.side, self.fade)
            index = self.processes.local_shard(self.stream.indices(self.images_seen, self.config.batch, self.side))
            real = self._faded(self.stream.pictures(index, self.side, draws))
            labels = self.photos.labels[index].to(self.device)
            code = one_hot(labels, self.model)
            # The last critic step's pictures serve the generator's step too: one pass of the generator less.
            with torch.set_grad_enabled(warm and turn == self.config.critic_steps):
                fake = self._draw_fakes(code, draws)
                fake_seen = self._features(fake, draws)
            with torch.no_grad():
                real_seen = self._features(real, draws)
            critic_stats = self._critic_step(real_seen, fake_seen.detach(), code, draws)
            self.images_seen += self.config.batch
        generator_loss = torch.zeros((), device=self.device)
        if warm:
            generator_loss = self._generator_step(fake, fake_seen, real_seen, code, labels, draws)
            self._update_ema()
            self.generator_steps += 1
        self.steps += 1
        return StepStats(*self.processes.mean(torch.stack([critic_stats[0], generator_loss, *critic_stats[1:]])).tolist())

    def gradients(self) -> dict[str, float]:
        """The norm of the last step's gradient over all weights of a network: `generator_gradient`, `critic_gradient`.

        While the critic is warmed up the generator has none.
        """
        found = {}
        for name, network in (("generator_gradient", self.generator), ("critic_gradient", self.critic)):
            parts = [weight.grad for weight in network.parameters() if weight.grad is not None]
            if parts:
                found[name] = float(get_total_norm(parts))
        return found

    @property
    def side(self) -> int:
        """Pixels a side that are trained now, by the schedule: fewer at the beginning (Karras et al. 2018, section 2)."""
        return next((side for side, end in self.schedule if self.images_seen < end), self.model.resolution)

    @property
    def fade(self) -> float:
        """How much the layers of this side count: 0 to 1 over half of its images; the first side has 1 from the start."""
        begin = max((end for side, end in self.schedule if side < self.side), default=0)
        end = next((end for side, end in self.schedule if side == self.side), 0)
        return min(1.0, 2 * (self.images_seen - begin) / (end - begin)) if begin else 1.0

    @property
    def rate(self) -> float:
        """The share of their learning rates that both networks have now: 1, and less in the last `lr_decay` of the images."""
        left, decay = 1 - self.images_seen / self.config.images, self.config.lr_decay
        return min(1.0, max(0.0, left / decay)) if decay else 1.0

    def _set_rates(self) -> None:
        """Give both optimizers the learning rates of this step. `initial_lr`, PyTorch's word, is the rate without decay."""
        for optimizer in (self.generator_optimizer, self.critic_optimizer):
            for group in optimizer.param_groups:  # one, and a snapshot of before has no initial_lr
                group["lr"] = self.rate * group.setdefault("initial_lr", group["lr"])

    def _faded(self, real: Tensor) -> Tensor:
        """Photos N×3×S×S with as much of their finest detail as pictures that fade in have (Karras et al. 2018, section 2)."""
        return faded(real, self.fade) if self.model.fades else real

    def sides_trained(self) -> list[str]:
        """The sides trained so far, each but the last with the images after which it ended: "64:4800", "128"."""
        ended = [f"{side}:{end}" for side, end in self.schedule if side < self.side]
        return [*ended, str(self.side)] if self.schedule else []

    def phases(self) -> list[tuple[int, int]]:
        """The rest of the run, cut where the side changes: the images after which each part begins and ends."""
        ends = [end for _, end in self.schedule[:-1] if self.images_seen < end < self.config.images]
        starts = [self.images_seen, *ends]
        return [(start, end) for start, end in zip(starts, [*ends, self.config.images], strict=True) if start < end]

    def _calibrate(self) -> None:
        """Measure the photos for the critic, the matching and the spectrum, whenever the side of the pictures has changed."""
        if self.side == self._calibrated_at:
            return
        self._calibrated_at = self.side
        if self.config.spectrum_weight or self.critic.needs_calibration:
            sharp = self.stream.sharp(self.side)
            index = sharp[sample_classes(self.photos.labels[sharp], CALIBRATION_PHOTOS)]
            photos = torch.cat([self.stream.pictures(part, self.side) for part in index.split(64)])
            self.spectrum = torch.cat([losses.log_spectrum(part) for part in photos.split(64)]).mean(0)
            if self.side != self.known_side:
                self.critic.calibrate(photos)
            if self.matching:
                self.matching.calibrate(photos, self.photos.labels[index].to(self.device))

    def real_batch(self, start: int, count: int, draws: ShardedRandom) -> tuple[Tensor, Tensor]:
        """Photos from position `start` of their order, augmented: N×3×S×S in [−1, 1], and class codes N×K."""
        index = self.stream.indices(start, count, self.side)
        return self.stream.pictures(index, self.side, draws), one_hot(self.photos.labels[index].to(self.device), self.model)

    def _draw_fakes(self, code: Tensor, draws: ShardedRandom) -> Tensor:
        z = draws.normal(len(code), self.model.z_dim).to(self.device)
        if self.config.style_mixing:
            z = mixed_noise(z, self.generator.style_scales, self.config.style_mixing, draws)
        with self._autocast():
            return self.generator(z, code, self.side, draws)

    def _features(self, images: Tensor, draws: ShardedRandom) -> Tensor:
        """The critic's features of photos or pictures, after DiffAugment where it is on."""
        return self.critic.features(diffaugment(images, draws) if self.config.diffaugment else images)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.precision == "bf16")

    def _critic_step(self, real: Tensor, fake: Tensor, code: Tensor, draws: ShardedRandom) -> list[Tensor]:
        """Update the critic from features of photos and of pictures → loss, mean real score, mean fake score, gradient norm."""
        config = self.config
        with self._autocast():
            scores = self.critic.scores(real, fake, code, config.mixed_batches)
        real_score, fake_score = (score.float() for score in scores)
        norms = torch.zeros(1, device=self.device)
        loss = self.objective.critic(real_score, fake_score, lambda score, real: self._labels(score, real, draws), code)
        if self.objective.penalty and self.steps % config.penalty_every == 0:
            penalty, norms = self._penalty(real, fake, code, draws)
            loss = loss + config.penalty_every * config.penalty_weight * penalty
        self.critic_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.processes.average_gradients(self.critic)
        self.critic_optimizer.step()
        if self.objective.clips:
            losses.clip_weights(self.critic, config.clip)
        real_score, fake_score = map(self.objective.without_classes, (real_score, fake_score))
        return [value.detach().mean() for value in (loss, real_score, fake_score, norms)]

    def _penalty(self, real: Tensor, fake: Tensor, code: Tensor, draws: ShardedRandom) -> tuple[Tensor, Tensor]:
        """The objective's penalty on the critic's gradient, not yet weighted, and the gradient's norm at each of N points."""
        if self.objective.penalty == "one":
            mix = draws.uniform(len(real)).to(self.device)
            if self.critic.piecewise_linear:
                with self._autocast():  # products only: what is summed up over a picture, and its root, is in float32
                    gradient = self.critic.gradient(losses.between(real, fake, mix), code)
                norms = losses.norms(gradient)
            else:
                norms = losses.gradient_norms(lambda images: self.critic(images, code), real, fake, mix)
            return losses.gradient_penalty(norms), norms
        points = [real] if self.objective.penalty == "photos" else [real, fake]
        norms = losses.gradient_norms_at(lambda seen: self.critic(seen, torch.cat([code] * len(points))), torch.cat(points))
        return len(points) * losses.r1_r2_penalty(norms), norms

    def _generator_step(
        self, fake: Tensor, seen: Tensor, real_seen: Tensor, code: Tensor, labels: Tensor, draws: ShardedRandom
    ) -> Tensor:  # fmt: skip
        """Update the generator through its pictures `fake` and the critic's features `seen` of them → its loss."""
        config = self.config
        self.critic.requires_grad_(False)
        with self._autocast():
            score = self.critic(seen, code).float()
            real_score = self.critic(real_seen, code).float() if self.objective.paired else None
        # Labels are smoothed as in the slides' listing, but not noisy: noise on them is there to mislead the critic.
        loss = self.objective.generator(
            real_score, score, lambda score, real: losses.labels(score, real, config.label_smoothing, None), code
        )
        if self.matching:
            loss = loss + config.matching_weight * self.matching(fake, labels)
        if config.spectrum_weight:
            loss = loss + config.spectrum_weight * losses.spectral_distance(fake, self.spectrum, self.processes.mean)
        loss = loss + self.regularizers(self.generator, code, draws, self.generator_steps) + losses.out_of_range(fake)
        self.generator_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.processes.average_gradients(self.generator)
        self.generator_optimizer.step()
        self.critic.requires_grad_(True)
        return loss.detach()

    def _labels(self, score: Tensor, real: bool, draws: ShardedRandom) -> Tensor:
        noise = draws.uniform(*score.shape).to(self.device) if self.config.noisy_labels else None
        return losses.labels(score, real, self.config.label_smoothing, noise)

    def _average_share(self) -> float:
        """How far the weight average moves towards the generator in a step: 0 to 1."""
        # At the start the half-life is a twentieth of what was seen, or the first noise would stay for long. The weights of a
        # trained model are no noise, but what it drew should not stay for long either.
        half_life = min(self.config.ema_images, (0.25 if self.from_trained else 0.05) * self.images_seen)
        return 1 - (0.5 ** (self.config.batch * self.config.critic_steps / half_life) if half_life else 0.0)

    def restart_average(self) -> None:
        """Begin the weight average anew, with the generator as it is."""
        self.ema.load_state_dict(self.generator.state_dict())
        self._averaged_at = None

    @torch.no_grad()
    def _update_ema(self) -> None:
        """Move the average towards the generator, weights and batch-norm statistics alike (Karras et al. 2018, section 4)."""
        share = self._average_share()
        averages, values = self.ema.state_dict(), self.generator.state_dict()
        for name, value in values.items():
            if value.is_floating_point():
                averages[name].lerp_(value, share)
            else:
                averages[name].copy_(value)

    def saved_critic(self) -> SavedCritic:
        """The critic as it is now, in the form that a model folder keeps."""
        side = self._calibrated_at or self.side
        return SavedCritic(self.config.critic, side, self.model.classes, self.critic.state_dict())

    def averaged(self) -> Generator:
        """The averaged generator, ready to draw: the model to share."""
        if self._averaged_at != self.generator_steps:  # it takes long for many classes
            self.ema.calibrate()
            self._averaged_at = self.generator_steps
        return self.ema

    @torch.no_grad()
    def draw(
        self,
        seeds: Sequence[int],
        labels: Tensor,
        truncation: float | None = latents.DEFAULT_TRUNCATION,
        side: int | None = None,
    ) -> Tensor:
        """Pictures N×3×S×S, around [−1, 1], on the CPU by the averaged generator, from seeds N and class indices N.

        S is the model's resolution, or a smaller `side` that it has on its way.
        """
        code, generator = one_hot(labels.to(self.device), self.model), self.averaged()
        return generator.decode(*generator.latents(seeds, code, truncation), side).float().cpu()

    def finite(self) -> bool:
        """Whether every weight and every statistic of the networks, and of what trains them, is a number."""
        values = [value for network in (self.generator, self.critic, self.ema) for value in network.state_dict().values()]
        for optimizer in (self.generator_optimizer, self.critic_optimizer):
            values += [value for state in optimizer.state.values() for value in state.values()]
        return all(bool(torch.isfinite(value).all()) for value in values)

    def halve_rates(self) -> tuple[float, float]:
        """Halve both learning rates, which `state` then has; returns the generator's and the critic's, without decay."""
        groups = [optimizer.param_groups[0] for optimizer in (self.generator_optimizer, self.critic_optimizer)]
        for group in groups:
            group["initial_lr"] = group.get("initial_lr", group["lr"]) / 2
        self._set_rates()
        return groups[0]["initial_lr"], groups[1]["initial_lr"]

    def state(self) -> dict[str, Any]:
        """All that resuming needs: tensors, numbers, strings, lists and dicts only."""
        return {
            "model": self.model.to_json(),
            "train": self.config.to_json(),
            "photos": self.photos.digest,
            "steps": self.steps,
            "generator_steps": self.generator_steps,
            "images_seen": self.images_seen,
            "from_trained": self.from_trained,
            **{name: getattr(self, name).state_dict() for name in _PARTS},
            "schedule": [list(entry) for entry in self.schedule],
            "known_side": self.known_side,
            **self.regularizers.state(),
            **({"matching": self.matching.state(), "settled_at": self._calibrated_at} if self.matching else {}),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned; all that was trained since is dropped.

        Raises UserError when the state is damaged, or belongs to a run with other settings or photos; it names the difference.
        """
        refuse_difference(state.get("model", {}), self.model.to_json())
        saved = settings_of(state)
        refuse_difference(saved, self.config.to_json())
        if saved["lr_decay"] != self.config.lr_decay and state.get("images_seen", 0) >= self.config.images:
            raise UserError(
                f"the run has seen its {self.config.images:,} images; give more --images for other rates at its end."
            )
        self.schedule = schedule_of(state)
        if state.get("photos") != self.photos.digest:
            raise UserError(
                "the photos are not those the run began with (or another Pillow release decodes them differently); "
                "restore them, or start a new run with another --out."
            )
        try:
            for name in _PARTS:
                getattr(self, name).load_state_dict(state[name])
            self.steps, self.images_seen = int(state["steps"]), int(state["images_seen"])
            self.from_trained = bool(state.get("from_trained", False))
            self.generator_steps = int(state.get("generator_steps", self.steps))
            self._averaged_at = None
            self._calibrated_at, self.known_side = 0, int(state.get("known_side", 0))
            self.regularizers.load_state(state)
            settled = self.matching is not None and state["settled_at"] == self.side  # else the next step begins at a new side
        except _DAMAGED as error:
            raise _damaged(error) from None
        if self.matching and settled:
            self._calibrate()  # outside of the blocks: if memory is not enough for it, the snapshot is whole all the same
            try:
                self.matching.load_state(state["matching"])
            except _DAMAGED as error:
                raise _damaged(error) from None


_DAMAGED = (KeyError, RuntimeError, ValueError, TypeError, AttributeError)  # what loading a part of another shape raises


def _damaged(error: Exception) -> UserError:
    return UserError(f"the snapshot is damaged ({str(error).splitlines()[0]}); start a new run with another --out.")


def make_optimizer(network: nn.Module, lr: float, config: TrainConfig) -> torch.optim.Optimizer:
    """The optimizer that `config` names, for all weights of a network."""
    rmsprop, weights = config.optimizer == "rmsprop", network.parameters()
    return torch.optim.RMSprop(weights, lr) if rmsprop else torch.optim.Adam(weights, lr, (config.beta1, config.beta2))


_PARTS = ("generator", "critic", "ema", "generator_optimizer", "critic_optimizer")
