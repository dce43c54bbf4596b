"""Rounds of "real or not?": photos and one generated flower of a class. Nobody who lacks the secret can tell which is which.

A round is derived from an HMAC of its number with a secret. So the server of the app need not store rounds, and what it sends
before the visitor's choice says nothing about the answer except through the pictures. The survey deals rounds of two pictures.
"""

from __future__ import annotations

import hashlib
import hmac
import random
import secrets
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gan.errors import UserError
from gan.evaluation.photo_folder import PhotoFolder
from gan.networks.latents import MAX_SEED
from gan.sampling.flower import level_text

PICTURES = 4  # of a round of the game
MAX_PHOTOS = 50  # that are opened to find readable ones


@dataclass(frozen=True)
class RoundRequest:
    """What a visitor asks for."""

    number: int  # of the round, 0 to 2³²−1
    label: int | None = None  # index of a class; None is any class
    truncation: float | None = None  # of the generated flower; None is no truncation


@dataclass(frozen=True)
class Round:
    """What the server deals for a request."""

    label: int  # class of all pictures
    seed: int  # of the generated flower
    place: int  # of the generated flower, from 0
    photos: tuple[int, ...]  # numbers of photos, in the order in which they are tried


class RoundDealer:
    """Deals rounds: the same request gives the same round as long as the process runs."""

    def __init__(
        self, counts: Sequence[int], secret: bytes | None = None, pictures: int = PICTURES, photos: int = MAX_PHOTOS
    ) -> None:
        """`counts` are the numbers of photos of the classes, `pictures` is that of a round. `secret` is random by default.

        `photos` is how many of a class are tried at most for a round.
        """
        self.counts, self.pictures, self.photos = tuple(counts), pictures, photos
        self._secret = secret or secrets.token_bytes(32)

    @property
    def labels(self) -> list[int]:
        """The classes with enough photos for a round."""
        return [label for label, count in enumerate(self.counts) if count >= self.pictures - 1]

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
        place, seed = rng.randrange(self.pictures), rng.randrange(MAX_SEED + 1)
        return Round(label, seed, place, tuple(rng.sample(range(count), min(count, self.photos))))

    def tag(self, request: RoundRequest) -> str:
        """A signature that the page sends back with a choice; a process with another secret rejects it."""
        return self._sign("tag", request)[:16].hex()

    def verify(self, request: RoundRequest, tag: object) -> bool:
        """Whether `tag`, a value of any type, is the signature of the request."""
        return isinstance(tag, str) and hmac.compare_digest(tag.encode("utf-8", "replace"), self.tag(request).encode())

    def _sign(self, purpose: str, request: RoundRequest) -> bytes:
        message = f"{purpose}|{request.number}|{request.label}|{level_text(request.truncation)}|{self.counts}"
        return hmac.digest(self._secret, message.encode(), hashlib.sha256)


def readable(photos: PhotoFolder, dealt: Round, used: Container[int] = ()) -> Iterator[tuple[int, np.ndarray]]:
    """The photos of a round that can be read, in its order: their numbers within the class and uint8 S×S×3.

    Numbers in `used` are passed over.
    """
    files = photos.files(dealt.label)
    for number in dealt.photos:
        if number not in used and (square := photos.square(files[number])) is not None:
            yield number, square
