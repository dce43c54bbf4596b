"""Rounds of the game: which of four pictures is generated. Nobody who lacks the server's secret can compute it.

A round is derived from an HMAC of its number with a secret of the process. So the server need not store rounds, and what it
sends before the visitor's choice says nothing about the answer except through the pictures.
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
from gan.sampling.flower import level_text

PICTURES = 4
MAX_PHOTOS = 50  # that are opened to find three readable ones


@dataclass(frozen=True)
class RoundRequest:
    """What a visitor asks for."""

    number: int  # of the round, 0 to 2³²−1
    label: int | None = None  # index of a class; None is any class
    truncation: float | None = None  # of the generated flower; None is no truncation


@dataclass(frozen=True)
class Round:
    """What the server deals for a request."""

    label: int  # class of all four pictures
    seed: int  # of the generated flower
    place: int  # of the generated flower, 0 to 3
    photos: tuple[int, ...]  # numbers of photos, in the order in which they are tried


class RoundDealer:
    """Deals rounds: the same request gives the same round as long as the process runs."""

    def __init__(self, counts: Sequence[int], secret: bytes | None = None) -> None:
        """`counts` is the number of photos of each class. Without `secret`, a random one is used."""
        self.counts = tuple(counts)
        self._secret = secret or secrets.token_bytes(32)

    @property
    def labels(self) -> list[int]:
        """The classes with enough photos for a round."""
        return [label for label, count in enumerate(self.counts) if count >= PICTURES - 1]

    def deal(self, request: RoundRequest) -> Round:
        """The round for a request. Raises UserError for a class with too few photos.

        The class and the truncation are part of the HMAC. Otherwise two requests with one number could share their photos, and
        the flower would be the picture that differs.
        """
        if request.label not in (None, *self.labels) or not self.labels:
            raise UserError("there are too few photos of that flower for a round; choose another.")
        rng = random.Random(self._sign("round", request))
        label = rng.choice(self.labels) if request.label is None else request.label
        count = self.counts[label]
        place, seed = rng.randrange(PICTURES), rng.randrange(MAX_SEED + 1)
        return Round(label, seed, place, tuple(rng.sample(range(count), min(count, MAX_PHOTOS))))

    def tag(self, request: RoundRequest) -> str:
        """A signature that the page sends back with a choice; a process with another secret rejects it."""
        return self._sign("tag", request)[:16].hex()

    def verify(self, request: RoundRequest, tag: object) -> bool:
        """Whether `tag`, a value of any type, is the signature of the request."""
        return isinstance(tag, str) and hmac.compare_digest(tag.encode("utf-8", "replace"), self.tag(request).encode())

    def _sign(self, purpose: str, request: RoundRequest) -> bytes:
        message = f"{purpose}|{request.number}|{request.label}|{level_text(request.truncation)}|{self.counts}"
        return hmac.digest(self._secret, message.encode(), hashlib.sha256)
