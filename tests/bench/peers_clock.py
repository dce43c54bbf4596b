"""How peers.py counts hours: by the processor here, or in hours of an earlier machine, so that another one can go on.

On another machine an hour is as many updates as the contender made in an hour of the earlier one. For a contender that was not
measured there, it is an hour here, times what the others' hours there are of theirs here. A GPU takes as many updates as the
processor would have in these hours: by its pace on the earlier machine, or by pace.json, which `peers.py --pace` writes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from gan.errors import UserError


@dataclass(frozen=True)
class Clock:
    """Seconds of the processor of the machine whose hours count."""

    update: float | None = None  # such seconds an update; None: by the processor here
    factor: float = 1.0  # such seconds in a second of the processor here

    def seconds(self, spent: Mapping[str, Any]) -> float:
        """What a training has taken, from its `updates` or its `cpu`, seconds of the processor here."""
        return spent["updates"] * self.update if self.update is not None else spent["cpu"] * self.factor


def clock(earlier: Mapping[str, Any] | None, name: str, out: Path) -> Clock:
    """The clock of contender `name`: of this machine, or of the one whose results are `earlier`.

    Raises UserError where it was not measured there, and no other one in `out` says how much faster this machine is.
    """
    if earlier is None:
        return Clock()
    if name in earlier["contenders"]:
        last = earlier["contenders"][name]["moments"][-1]
        return Clock(update=last["cpu"] / last["updates"])
    moments = [json.loads(path.read_text()) for path in out.glob("*/moment-*.json")]
    ratios = [one["cpu"] / one["cpu_here"] for one in moments if one["name"] in earlier["contenders"]]
    if not ratios:
        raise UserError(f"{name} was not measured on the earlier machine; train one that was first, so that the two compare.")
    return Clock(factor=median(ratios))


def pace(earlier: Mapping[str, Any] | None, name: str, out: Path) -> Mapping[str, Any]:
    """What contender `name` does on a processor: `updates` in `cpu` seconds, `draw_seconds` a picture, bytes of `memory`.

    Raises UserError where nobody has measured it.
    """
    if earlier is not None and name in earlier["contenders"]:
        return earlier["contenders"][name]["moments"][-1]
    path = out / name / "pace.json"
    if not path.exists():
        raise UserError(f"nobody knows how fast {name} is on a processor; measure it with --pace before --device cuda.")
    return json.loads(path.read_text())


def check_same(earlier: Mapping[str, Any] | None, side: int, photos: int, pictures: int) -> None:
    """Raise UserError where the earlier results are at another resolution, or of other numbers of photos or pictures."""
    if earlier is None:
        return
    there = earlier["resolution"], earlier["photos"]["trained_on"], earlier["pictures"]
    if there != (side, photos, pictures):
        raise UserError(
            "the earlier results are at {}×{} pixels on {} photos with {} pictures, and this is at {}×{} on {} with {}; "
            "leave --like out, or ask for the same.".format(there[0], *there, side, side, photos, pictures)
        )


def merged(earlier: Mapping[str, Any] | None, found: Mapping[str, Any]) -> dict[str, Any]:
    """The results `found` here, with those of the earlier machine, whose hours and name they have.

    Where both have a moment, it is the one measured here, and what the earlier one was judged is added to its `repeats`.
    """
    if earlier is None:
        return dict(found)
    contenders = dict(earlier["contenders"])
    for name, one in found["contenders"].items():
        here = {moment["moment"]: moment for moment in one["moments"]}
        there = {moment["moment"]: moment for moment in contenders.get(name, {"moments": []})["moments"]}
        for hours in here.keys() & there.keys():
            before, now = there[hours]["judged"], here[hours]["judged"]
            repeats = [*there[hours].get("repeats", []), *([before] if before != now else [])]  # the same where this went on
            here[hours] = {**here[hours], **({"repeats": repeats} if repeats else {})}
        contenders[name] = {**one, "moments": [moment for _, moment in sorted({**there, **here}.items())]}
    return {
        **found,
        "hardware": earlier["hardware"],
        "floors": {**earlier["floors"], **found["floors"]},
        "contenders": contenders,
    }
