"""A survey: strangers look at photos and drawn flowers, one picture at a time, and say of each which it is.

`make` writes two files. `survey.html` is the whole survey in one page that loads nothing; whoever answers it gets a small JSON
file to send back. `key.json` says which pictures are drawn; the page does not know it. `add_up` reads the key and the answers.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from gan.data.manifest import Files
from gan.errors import UserError
from gan.evaluation.photo_folder import PhotoFolder
from gan.evaluation.rounds import RoundDealer, RoundRequest, readable
from gan.hub.loader import Model
from gan.networks.latents import default_truncation
from gan.sampling.flower import Flower
from gan.sampling.sampler import Sampler
from gan.utils import images
from gan.utils.files import json_bytes, write_atomic
from gan.utils.formatting import columns, known, number, share_error
from gan.utils.progress import StageProgress

FORMAT, PAGE, KEY = "survey-1", "survey.html", "key.json"
PAIRS, MAX_PAIRS = 40, 200
ANSWERS = ("photo", "drawn")
MAX_FILE = 1 << 20  # bytes of a file of answers
TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Picture:
    """One picture of a survey, as the key has it."""

    drawn: bool
    flower: str  # its class
    seed: int | None = None  # of a drawn one
    photo: int | None = None  # number of a photo among those of its class, sorted by name


@dataclass(frozen=True)
class Shares:
    """How often pictures were taken for photos: the drawn ones and the photos of one class, or of all."""

    flower: str
    drawn: float
    drawn_error: float
    photos: float
    photos_error: float
    answers: int  # to drawn pictures; there are as many to photos


def make(
    model: Model,
    photos: Path,
    out: Path,
    *,
    pairs: int = PAIRS,
    seed: int = 0,
    truncation: float | None = None,
    keep: Callable[[Files], Files] | None = None,
    progress: StageProgress = lambda what, done, total: None,
) -> list[Picture]:
    """Write the survey and its key into the folder `out`: `pairs` flowers and as many photos, the classes in turn.

    The same `seed` gives the same pictures in the same order. `truncation` None is the model's own default. `keep`
    selects files, as a manifest does. Raises UserError for a class with too few usable photos, and where `out` has the key of
    another survey, and OSError.
    """
    config = model.generator.config
    truncation = truncation if truncation is not None else default_truncation(config.scores)
    folder, sampler = PhotoFolder(photos, config, keep, every_class=True), Sampler(model.generator)
    secret = hashlib.sha256(f"{model.revision} {seed}".encode()).digest()
    counts = [len(folder.files(label)) for label in range(len(config.classes))]
    dealer = RoundDealer(counts, secret, pictures=2, photos=max(counts))  # any may be needed: each photo is shown once
    used: dict[int, set[int]] = {label: set() for label in range(len(config.classes))}
    shown: list[tuple[Picture, np.ndarray]] = []
    for count in range(pairs):
        label = count % len(config.classes)
        dealt = dealer.deal(RoundRequest(count, label, truncation))
        found = next(readable(folder, dealt, used[label]), None)
        if found is None:
            raise UserError(
                f"'{photos}' has only {len(used[label])} usable photos of '{config.classes[label]}' for the survey; "
                f"ask for fewer with --pairs, {len(used[label]) * len(config.classes)} at most."
            )
        used[label].add(found[0])
        flower = sampler.draw([Flower(label, dealt.seed, truncation)])[0]
        shown.append((Picture(False, config.classes[label], photo=found[0]), found[1]))
        shown.append((Picture(True, config.classes[label], seed=dealt.seed), flower))
        progress("pairs", count + 1, pairs)
    random.Random(secret).shuffle(shown)
    about = {"model": Path(model.title).name, "revision": model.revision, "truncation": truncation, "seed": seed}
    _write(out, about, shown)
    return [picture for picture, _ in shown]


def _write(out: Path, about: Mapping[str, Any], shown: Sequence[tuple[Picture, np.ndarray]]) -> None:
    """Write the page and the key of a survey, which is called after its pictures."""
    pictures = [images.png(pixels) for _, pixels in shown]
    name = hashlib.sha256(b"".join(pictures)).hexdigest()[:12]
    if (out / KEY).exists() and _read_key(out / KEY)[0] != name:
        raise UserError(f"{out / KEY} is the key of another survey, without which its answers are lost; choose another --out.")
    key = {"format": FORMAT, "survey": name, **about, "pictures": [asdict(picture) for picture, _ in shown]}
    write_atomic(out / PAGE, page(name, pictures).encode())
    write_atomic(out / KEY, json_bytes(key))


def page(name: str, pictures: Sequence[bytes]) -> str:
    """The page of a survey called `name` with these PNG files. It loads nothing and sends nothing."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True)
    style, script = ((TEMPLATES / f"survey.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    text = json.loads((TEMPLATES / "survey.json").read_text(encoding="utf-8"))
    data = {
        "format": FORMAT, "survey": name, "answers": ANSWERS, "text": text,
        "pictures": ["data:image/png;base64," + base64.b64encode(one).decode() for one in pictures],
    }  # fmt: skip
    # Between the tags of a script, "</" would end it.
    code = f"const SURVEY = {json.dumps(data, ensure_ascii=False)};\n".replace("</", "<\\/") + script
    digest = lambda content: base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()  # noqa: E731
    return environment.get_template("survey.html").render(
        style=Markup(style), script=Markup(code), style_digest=digest(style), script_digest=digest(code), text=text,
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------------- the answers


def add_up(key: Path, files: Sequence[Path]) -> tuple[list[Shares], int]:
    """The shares over all classes and of each, and the number of people. `files` are files of answers, or folders of them.

    A sheet that was sent twice counts once. Raises UserError for a file that is not a whole sheet of answers to this survey,
    for two files with different answers under the name of one sheet, and for a key that is none.
    """
    name, pictures = _read_key(key)
    sheets: dict[str, tuple[Path, list[str]]] = {}
    for path in _sheets(files, key):
        sheet, answers = _answers(path, name, len(pictures))
        first, said = sheets.setdefault(sheet, (path, answers))
        if said != answers:
            raise UserError(
                f"{first} and {path} are the same sheet with different answers; leave out the one that was changed."
            )
    if not sheets:
        raise UserError(f"there are no answers in {', '.join(map(str, files))}; name the files that people sent back.")
    people = [answers for _, answers in sheets.values()]
    flowers = list(dict.fromkeys(one.flower for one in pictures))
    groups = ["all", *sorted(flowers)] if len(flowers) > 1 else ["all"]
    return [_shares(group, pictures, people) for group in groups], len(people)


def table(found: Sequence[Shares], people: int) -> str:
    """The shares as plain text."""
    body = [
        [one.flower, _percent(one.drawn, one.drawn_error), _percent(one.photos, one.photos_error), number(one.answers)]
        for one in found
    ]
    return "\n".join([
        f"{number(people)} {'person' if people == 1 else 'people'}; taken for photos:", "",
        *columns([["", "drawn flowers", "photos", "answers to each"], *body]), "",
        "± is one standard error, by the differences between people and between pictures; 50 % and 50 % would be guessing.",
    ])  # fmt: skip


def _percent(value: float, error: float) -> str:
    return f"{number(100 * value, 100 * error)} %" if known(value) else number(None)


def _shares(group: str, pictures: Sequence[Picture], people: Sequence[Sequence[str]]) -> Shares:
    """The shares of the class `group`, or of "all"."""
    result = []
    for drawn in (True, False):
        asked = [i for i, one in enumerate(pictures) if one.drawn == drawn and group in ("all", one.flower)]
        result.append(_mean(np.array([[one[i] == "photo" for i in asked] for one in people], float)))
    (drawn_share, drawn_error), (photo_share, photo_error) = result
    asked_count = sum(one.drawn and group in ("all", one.flower) for one in pictures)
    return Shares(group, drawn_share, drawn_error, photo_share, photo_error, asked_count * len(people))


def _mean(taken: np.ndarray) -> tuple[float, float]:
    """The mean of answers P×Q of P people to Q pictures, 1 where one was taken for a photo and 0 where not; and its error.

    It is meant for other people and for other pictures of the same kind: √(s_P²/P + s_Q²/Q), with s_P the standard deviation of
    the people's shares and s_Q that of the pictures' shares. It is a little too large, as the chance of single answers is in
    both. At least it is the error by the number of answers, as two or three people may agree by chance.
    """
    value = float(taken.mean())
    variances = [
        float(taken.mean(axis).var(ddof=1)) / count for axis, count in ((1, len(taken)), (0, taken.shape[1])) if count > 1
    ]
    return value, max(share_error(value, taken.size) or 0.0, math.sqrt(sum(variances)))


def _read_key(path: Path) -> tuple[str, list[Picture]]:
    """The name of a survey and its pictures. Raises UserError, also for a key of which there is nothing to add up."""
    name_it = f"name the {KEY} that python -m gan survey wrote"
    about = _read_json(path, name_it)
    try:
        if about["format"] != FORMAT:
            raise KeyError
        name, pictures = about["survey"], [Picture(**one) for one in about["pictures"]]
    except (KeyError, TypeError):
        raise UserError(f"{path} is not the key of a survey; {name_it}.") from None
    if not isinstance(name, str) or not all(isinstance(one.flower, str) and isinstance(one.drawn, bool) for one in pictures):
        raise UserError(f"{path} is a key that was changed; {name_it}.")
    drawn, photos = ({one.flower for one in pictures if one.drawn == side} for side in (True, False))
    if not pictures or drawn != photos:
        what = f"both drawn pictures and photos of '{min(drawn ^ photos)}'" if pictures else "a picture"
        raise UserError(f"{path} does not have {what}; {name_it}.")
    return name, pictures


def _sheets(files: Sequence[Path], key: Path) -> Iterator[Path]:
    """The files of answers. In a folder, what `make` may have written there is none; mail programs call files .json.txt."""
    for path in files:
        if not path.is_dir():
            yield path
            continue
        for found in sorted(path.glob("*")):
            if found.name.lower().endswith((".json", ".json.txt")) and found.name != KEY and found.resolve() != key.resolve():
                yield found


def _answers(path: Path, survey: str, count: int) -> tuple[str, list[str]]:
    """The name of a sheet, and its answer to each picture. Raises UserError for anything but a whole sheet of this survey."""
    sheet: Any = _read_json(path, "leave it out, or ask for it again")
    if not isinstance(sheet, Mapping) or sheet.get("format") != FORMAT or not isinstance(sheet.get("answers"), list):
        raise UserError(f"{path} is not a file of answers; leave it out, or ask for it again.")
    if sheet.get("survey") != survey:
        raise UserError(f"{path} answers another survey; leave it out, or name that survey's {KEY}.")
    given: dict[int, str] = {}
    for one in sheet["answers"]:
        place, said = (one.get("picture"), one.get("answer")) if isinstance(one, Mapping) else (None, None)
        if type(place) is not int or not 0 <= place < count or place in given or said not in ANSWERS:
            raise UserError(f"{path} has an answer that the page cannot have given; leave it out, or ask for it again.")
        given[place] = said
    if len(given) < count:
        raise UserError(f"{path} answers {len(given)} of {count} pictures; leave it out, or ask for a whole one.")
    if not isinstance(sheet.get("sheet"), str) or not sheet["sheet"]:
        raise UserError(f"{path} does not say which sheet it is, so it may count twice; leave it out, or ask for it again.")
    return sheet["sheet"], [given[place] for place in range(count)]


def _read_json(path: Path, otherwise: str) -> Any:
    """The content of a JSON file. Raises UserError, whose sentence ends with `otherwise`."""
    try:
        if path.stat().st_size > MAX_FILE:
            raise ValueError("too large")
        return json.loads(path.read_text(encoding="utf-8-sig"))  # some editors begin a file with a byte order mark
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); name another file.") from None
    except (ValueError, RecursionError):
        raise UserError(f"{path} is not a JSON file of a survey; {otherwise}.") from None
