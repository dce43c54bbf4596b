"""Rounds of a game: which of four pictures is the drawn one, so that only who knows a secret can tell beforehand.

A round follows from an HMAC of its number under a secret of the process, so that nothing has to be kept about rounds that
are being played, and nothing a browser gets before its choice says more than the pictures do.
"""

from __future__ import annotations

import hashlib
import hmac
import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from gan.errors import UserError
from gan.networks.latents import MAX_SEED
from gan.sampling.settings import level_text

PICTURES = 4
TRIES = 50  # photos that are opened to find three that can be used


@dataclass(frozen=True)
class RoundRequest:
    """What a visitor asks for: the number of a round, 0 to 2³²−1; a class, or None for any; the truncation of the flower."""

    number: int
    label: int | None = None
    truncation: float | None = None


@dataclass(frozen=True)
class Round:
    """What follows from it: the class of all four, the flower's seed and place (0 to 3), photos in the order to be tried."""

    label: int
    seed: int
    place: int
    photos: tuple[int, ...]


class RoundDealer:
    """Deals rounds."""

    def __init__(self, counts: Sequence[int], secret: bytes | None = None) -> None:
        """`counts` is how many photos there are of each class; `secret` is drawn anew where none is given."""
        self.counts = tuple(counts)
        self._secret = secret or secrets.token_bytes(32)

    @property
    def labels(self) -> list[int]:
        """Classes that have photos enough for a round."""
        return [label for label, count in enumerate(self.counts) if count >= PICTURES - 1]

    def deal(self, asked: RoundRequest) -> Round:
        """The round that was asked for. Every choice enters it: two rounds of one number share nothing by which the flower
        would stand out. Raises UserError for a class with too few photos.
        """
        if asked.label not in (None, *self.labels) or not self.labels:
            raise UserError("there are too few photos of that flower for a round; choose another.")
        rng = random.Random(self._sign("round", asked))
        label = rng.choice(self.labels) if asked.label is None else asked.label
        count = self.counts[label]
        place, seed = rng.randrange(PICTURES), rng.randrange(MAX_SEED + 1)
        return Round(label, seed, place, tuple(rng.sample(range(count), min(count, TRIES))))

    def tag(self, asked: RoundRequest) -> str:
        """What a choice has to bring along: another process deals other rounds, and must not judge those of this one."""
        return self._sign("tag", asked)[:16].hex()

    def knows(self, asked: RoundRequest, tag: object) -> bool:
        """Whether `tag`, whatever it is, is the round's."""
        return isinstance(tag, str) and hmac.compare_digest(tag.encode("utf-8", "replace"), self.tag(asked).encode())

    def _sign(self, what: str, asked: RoundRequest) -> bytes:
        message = f"{what}|{asked.number}|{asked.label}|{level_text(asked.truncation)}|{self.counts}"
        return hmac.digest(self._secret, message.encode(), hashlib.sha256)
