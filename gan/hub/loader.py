"""A name → a model: a local path, a bundled model, a repository on the Hugging Face Hub, or the paper authors' own file."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from gan.errors import UserError
from gan.generator import Generator
from gan.hub import sample_history
from gan.hub.checkpoint import (
    CONFIG,
    CRITIC,
    MAX_CONFIG_BYTES,
    MAX_CRITIC_BYTES,
    MAX_GROWTH_BYTES,
    MAX_PHOTO_INDEX_BYTES,
    MAX_WEIGHT_BYTES,
    MODEL_FILES,
    PHOTO_INDEX,
    WEIGHTS,
    load_model,
)
from gan.hub.paper_weights import authors_path, convert_authors, read_authors
from gan.presets import PRESETS
from gan.utils import hub_client
from gan.utils.files import user_path

__all__ = ["CHECKPOINTS", "DEFAULT", "Model", "bundled", "convert_authors", "fetch_growth", "load", "load_or_bundled"]

_PACKAGE = Path(__file__).resolve().parents[1]
# Bundled models: in the package where it was installed, beside it in the repository.
CHECKPOINTS = _PACKAGE / "bundled" if (_PACKAGE / "bundled").is_dir() else _PACKAGE.parent / "checkpoints"
DEFAULT = "flagship"

EXTRAS_SECONDS = 20  # for what a model is whole without
_EXTRAS = {PHOTO_INDEX: MAX_PHOTO_INDEX_BYTES, CRITIC: MAX_CRITIC_BYTES}  # file → its largest size

_HUB = "https://huggingface.co/"  # an address on the Hub is as good as the name
_AUTHORS = re.compile(r"https?://[^?#]+\.pt(?:[?#]|$)", re.IGNORECASE)  # the address of a file of theirs
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Model:
    """A loaded model and where it came from; what it is says `generator.config`."""

    name: str  # as asked for
    source: str  # "path", "bundled", "hub" or "authors"
    revision: str  # the commit on the Hub, otherwise the first 12 hex digits of the weight file's SHA-256
    generator: Generator  # evaluation mode, float32, on the CPU
    folder: Path | None  # None for a file of the authors, which is read in memory

    @property
    def title(self) -> str:
        """What the page and its files call it: never a path, and a name even for the folder "."."""
        local = self.source in ("path", "authors")
        return (self.folder or Path(self.name)).resolve().name if local else self.name


def load(name: str | os.PathLike[str], *, seconds: float | None = None) -> Model:
    """Find and load the model called `name`.

    In this order: a local model folder or a `.pt` file of the authors, a bundled model, `owner/name[@revision]` on the Hub.
    A Hub model has `seconds` to arrive (hub_client.LOAD_SECONDS if None). Raises UserError.
    """
    name = os.fspath(name)
    path = _local(name)
    if (path is not None and path.is_file()) or _AUTHORS.match(name):
        file = authors_path(name)
        return Model(name, "authors", _digest(file), read_authors(file), None)
    if path is not None:
        return _from_folder(name, "path", path)
    if name in bundled():
        return _from_folder(name, "bundled", CHECKPOINTS / name)
    return _from_hub(name, hub_client.LOAD_SECONDS if seconds is None else seconds)


def load_or_bundled(name: str, default: str = DEFAULT) -> tuple[Model, str | None]:
    """Load `name`; where the Hub fails, load the bundled `default` and add the sentence that says so on the page.

    When there is no such bundled model, the first there is. Raises UserError for a `name` that is not one of the Hub's,
    and when nothing at all can be loaded.
    """
    try:
        return load(name), None
    except UserError as error:
        others = bundled()
        if not others or name in others or _local(name) is not None or not _is_hub_name(name) or _mistyped(name):
            raise
        stand_in = default if default in others else others[0]
        return load(stand_in), f"{error} The bundled model {stand_in} is shown instead."


def fetch_growth(model: Model) -> None:
    """Bring the pictures of a Hub model's growth into the cache. The model is whole without them, so nothing is raised."""
    if model.source == "hub":
        repo = model.name.removeprefix(_HUB).partition("@")[0]
        with suppress(UserError):  # it took too long: they come in the background
            hub_client.bounded(lambda: _fetch_growth(repo, model.revision), EXTRAS_SECONDS, "the download")


def bundled() -> list[str]:
    """Names of the models that come with the repository: those of the presets in their order, then others by name."""
    if not CHECKPOINTS.is_dir():
        return []
    names = sorted(folder.name for folder in CHECKPOINTS.iterdir() if (folder / CONFIG).is_file())
    order = list(PRESETS)
    return sorted(names, key=lambda name: order.index(name) if name in order else len(order))


# ----------------------------------------------------------------------------------------------------- this machine


def _local(name: str) -> Path | None:
    """The model folder, or the file, that `name` is the path of, or None."""
    try:
        path = user_path(name)
        if path.is_file() and path.name in MODEL_FILES and (path.parent / CONFIG).is_file():
            path = path.parent  # config.json or model.safetensors of a model folder was meant as the folder
        return path if name and (path.is_file() or (path / CONFIG).is_file()) else None
    except (OSError, ValueError):  # too long, forbidden, a null byte
        return None


def _from_folder(name: str, source: str, folder: Path) -> Model:
    generator = load_model(folder)
    return Model(name, source, _digest(folder / WEIGHTS), generator, folder)


def _digest(path: Path) -> str:
    """First 12 hex digits of the SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()[:12]


# ----------------------------------------------------------------------------------------------------------- the Hub


def _from_hub(name: str, seconds: float) -> Model:
    repo, _, revision = name.removeprefix(_HUB).partition("@")
    if not _is_hub_name(name) or _mistyped(name):
        have = bundled()
        raise UserError(
            f"there is no model '{name}'; use "
            + (f"one of the bundled ones ({', '.join(have)}), " if have else "")
            + f"the path of a model folder, or owner/name of a Hub repository{_address(name)}."
        )
    hub_client.check_name(repo, revision)
    revision = revision or "main"
    try:
        commit = _cached_commit(repo, revision) if _COMMIT.fullmatch(revision) else None
        commit = commit or hub_client.bounded(
            lambda: _fetch(repo, revision), seconds, f"the download of {repo}", f"{CONFIG} or {WEIGHTS}"
        )
    except UserError as error:
        commit = _cached_commit(repo, revision) if isinstance(error, hub_client.Unreachable) else None
        if commit is None and (here := _here(name)):
            raise UserError(f"{str(error).rstrip('.')}; {here}.") from error
        if commit is None:
            raise
    weights = _cached(repo, WEIGHTS, commit)
    assert weights is not None  # it was fetched, or found, just now
    folder = weights.parent
    try:
        return Model(name, "hub", commit, _whole_model(repo, commit, folder, seconds), folder)
    except UserError as error:  # a visitor learns which repository is at fault, not where this machine keeps its cache
        raise UserError(str(error).replace(str(folder), f"{repo}@{commit[:12]}")) from None


def _address(name: str) -> str:
    """How to write a repository whose name looks like a path."""
    return f" ({_HUB}{name} for that one, the folder {Path(name).parent} being here)" if _is_hub_name(name) else ""


def _is_hub_name(name: str) -> bool:
    return bool(hub_client.REPO.fullmatch(name.removeprefix(_HUB).partition("@")[0]))


def _mistyped(name: str) -> bool:
    """Whether `name` is rather a path with an error in it: `runs/rsoe`, where there is a folder `runs` with models in it (write
    `https://huggingface.co/runs/rsoe` for a repository)."""
    parent = Path(name).parent
    if name.startswith(_HUB) or parent == Path(".") or Path(name).is_dir():
        return False
    try:
        return any((folder / CONFIG).is_file() for folder in parent.iterdir())
    except (OSError, ValueError):  # no folder, or one of somebody else
        return False


def _here(name: str) -> str:
    """What there is on this machine under a name that was looked for on the Hub, as the end of a sentence."""
    if os.path.isdir(name):
        return f"the folder {name} here is no model, it lacks {CONFIG}"
    parent = os.path.dirname(name)
    return f"nor does the folder {parent} here hold a model of that name" if parent and os.path.isdir(parent) else ""


def _whole_model(repo: str, commit: str, folder: Path, seconds: float) -> Generator:
    """The model in the Hub's cache; a file of it that is not the one on the Hub, cut short say, is fetched again."""
    try:
        generator = load_model(folder)
    except UserError as damage:
        what = f"{str(damage).rstrip('.')}, and the copy in the cache could not be fetched again"
        try:
            renewed = hub_client.bounded(lambda: _renew(repo, commit, (CONFIG, WEIGHTS)), seconds, "the download")
        except UserError as error:
            raise UserError(f"{what}: {error}") from None
        if not renewed:  # it is as it is published
            raise
        generator = load_model(folder)
    if (folder / PHOTO_INDEX).exists() and not _opens(folder / PHOTO_INDEX):
        with suppress(UserError):  # the model is whole without
            hub_client.bounded(lambda: _renew(repo, commit, (PHOTO_INDEX,)), seconds, "the download")
    return generator


def _opens(path: Path) -> bool:
    try:
        with safe_open(path, framework="pt"):  # it looks at how long the file is
            return True
    except (OSError, SafetensorError):
        return False


def _renew(repo: str, commit: str, names: Sequence[str]) -> bool:
    """Fetch those files of a commit anew whose copies in the cache are not those on the Hub; whether there was any."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

    found = False
    for name in names:
        about = get_hf_file_metadata(hf_hub_url(repo, name, revision=commit), timeout=hub_client.ANSWER_SECONDS)
        if not _is_copy(_cached(repo, name, commit), about.size, about.etag):
            hf_hub_download(repo, name, revision=commit, etag_timeout=hub_client.ANSWER_SECONDS, force_download=True)
            found = True
    return found


def _is_copy(path: Path | None, size: int | None, etag: str | None) -> bool:
    """Whether a file has the size and the digest that the Hub says: SHA-256 of a large file, git's own SHA-1 of others."""
    if path is None or not path.is_file():
        return False
    content = path.read_bytes()
    digests = {hashlib.sha256(content).hexdigest(), hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()}
    return (size is None or size == len(content)) and (etag is None or len(etag) not in (40, 64) or etag in digests)


def _fetch(repo: str, revision: str) -> str:
    """Bring both files of one commit into the Hub's cache and return that commit. Raises what the client raises."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

    def head(filename: str, revision: str, limit: int) -> str:
        # Asked before the download, which retries for minutes where this fails at once.
        found = get_hf_file_metadata(hf_hub_url(repo, filename, revision=revision), timeout=hub_client.ANSWER_SECONDS)
        if found.size is not None and found.size > limit:
            raise UserError(
                f"{filename} of {repo} has {found.size >> 20} MiB, and no model here is over {limit >> 20}; use another one."
            )
        if found.commit_hash is None or not _COMMIT.fullmatch(found.commit_hash):
            raise hub_client.Unreachable(
                f"what answered for {repo} is not the Hub; check the proxy, the firewall and HF_ENDPOINT."
            )
        return found.commit_hash

    commit = head(CONFIG, revision, MAX_CONFIG_BYTES)
    whole = _cached_commit(repo, commit) is not None
    if not whole:
        head(WEIGHTS, commit, MAX_WEIGHT_BYTES)
        for filename in (WEIGHTS, CONFIG):
            hf_hub_download(repo, filename, revision=commit, etag_timeout=hub_client.ANSWER_SECONDS)
    if revision != commit and _cached_commit(repo, revision) != commit:
        # Lets the cache remember which commit the branch is at, for a start without the Hub.
        hf_hub_download(repo, CONFIG, revision=revision, etag_timeout=hub_client.ANSWER_SECONDS)
    if not whole or any(_is_unknown(repo, name, commit) for name in _EXTRAS):
        with suppress(UserError):  # it took too long: the model is there, and the rest comes in the background
            hub_client.bounded(lambda: _fetch_extras(repo, commit), EXTRAS_SECONDS, "the download")
    return commit


def _fetch_extras(repo: str, commit: str) -> None:
    """Bring the critic, and what the model remembers of its photos. The model is whole without them, so nothing is raised."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError

    for name, limit in _EXTRAS.items():
        with suppress(Exception):  # of three libraries, and most often that there is no such file
            try:
                size = get_hf_file_metadata(hf_hub_url(repo, name, revision=commit), timeout=hub_client.ANSWER_SECONDS).size
            except EntryNotFoundError:
                size = 0  # the download finds none either, and the cache remembers that
            if size is not None and size <= limit:
                hf_hub_download(repo, name, revision=commit, etag_timeout=hub_client.ANSWER_SECONDS)


def _fetch_growth(repo: str, commit: str) -> None:
    """Bring the newest growth pictures of one commit into the cache. Raises what the client raises."""
    from huggingface_hub import HfApi, hf_hub_download

    about = HfApi().model_info(repo, revision=commit, files_metadata=True, timeout=hub_client.ANSWER_SECONDS)
    names = [file.rfilename for file in about.siblings or () if (file.size or 0) <= MAX_GROWTH_BYTES]
    for name in sorted(filter(sample_history.is_frame, names))[-sample_history.MOST :]:
        hf_hub_download(repo, name, revision=commit, etag_timeout=hub_client.ANSWER_SECONDS)


def _cached(repo: str, filename: str, revision: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repo, filename, revision=revision)
    return Path(found) if isinstance(found, str) else None


def _is_unknown(repo: str, filename: str, commit: str) -> bool:
    """Whether the cache has neither the file nor a note that the commit has none: an earlier attempt failed."""
    from huggingface_hub import try_to_load_from_cache

    return try_to_load_from_cache(repo, filename, revision=commit) is None


def _cached_commit(repo: str, revision: str) -> str | None:
    """The commit that a complete copy in the cache has for this revision, or None."""
    config, weights = _cached(repo, CONFIG, revision), _cached(repo, WEIGHTS, revision)
    return weights.parent.name if config and weights and config.parent == weights.parent else None
