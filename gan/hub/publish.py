"""Put a model folder on the Hugging Face Hub."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan.errors import UserError
from gan.generator import Generator
from gan.hub import sample_history
from gan.hub.checkpoint import CARD, CRITIC, MODEL_FILES, PHOTO_INDEX, load_model
from gan.hub.model_card import completed, model_card
from gan.networks.layers import parameters
from gan.utils import hub_client
from gan.utils.files import user_path
from gan.utils.formatting import first_line

if TYPE_CHECKING:
    from huggingface_hub import HfApi


def check_publishing(repo: str) -> None:
    """Raise UserError when publishing to `repo` cannot succeed: a name that is none, or no token. Asks nobody."""
    from huggingface_hub import get_token

    hub_client.check_name(repo)
    if not get_token():
        raise UserError("publishing needs a Hub token; log in with `hf auth login`, or set HF_TOKEN to one that may write.")


def publish(folder: str | os.PathLike[str], repo: str, *, private: bool = False, token: str | None = None) -> str:
    """Upload a model folder to the Hub in one commit, creating the repository where needed. Returns its address.

    Only the files of a model, its critic, what it remembers of its photos (photo_index.py) and the pictures of its growth are
    sent, never the state of a run. Such files of a model published there before are removed where this one lacks them. Its card
    is sent with the metadata that it lacks, and made where there is none. `token` is by default that of `hf auth login` or of
    the environment variable HF_TOKEN. Raises UserError.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    if token is None:
        check_publishing(repo)
    hub_client.check_name(repo)
    folder = user_path(folder)
    generator = load_model(folder)
    config = generator.config
    sent = [folder / name for name in (*MODEL_FILES, PHOTO_INDEX, CRITIC) if name != CARD and (folder / name).is_file()]
    sent += [path for _, path in sample_history.frames(folder)]
    files = [CommitOperationAdd(path.relative_to(folder).as_posix(), str(path)) for path in sent]
    files.append(CommitOperationAdd(CARD, _card(folder, generator, repo.partition("/")[2])))
    api = HfApi(token=token)

    def upload() -> str:
        url = create(api, repo, "model", private)
        removed = [CommitOperationDelete(name) for name in _left_over(api, repo, {file.path_in_repo for file in files})]
        api.create_commit(repo, [*files, *removed], commit_message=f"{config.preset}, {config.resolution}×{config.resolution}")
        return url

    return hub_client.bounded(upload, hub_client.PUBLISH_SECONDS, f"publishing to {repo}")


def _left_over(api: HfApi, repo: str, sent: set[str]) -> list[str]:
    """Files of a model in the repository that are not `sent`: they belong to one that was published before."""
    there = [file.rfilename for file in api.model_info(repo, timeout=hub_client.ANSWER_SECONDS).siblings or ()]
    ours = {*MODEL_FILES, PHOTO_INDEX, CRITIC}
    return [name for name in there if name not in sent and (name in ours or name.startswith(f"{sample_history.FOLDER}/"))]


def create(api: HfApi, repo: str, kind: str, private: bool, **more: Any) -> str:
    """Make a repository (`kind` is "model" or "space") unless there is one; its address. Raises UserError for a public one that
    should be private, and what the client raises.
    """
    url = str(api.create_repo(repo, repo_type=kind, private=private or None, exist_ok=True, **more))
    if private and not api.repo_info(repo, repo_type=kind, timeout=hub_client.ANSWER_SECONDS).private:
        raise UserError(f"{repo} exists and is public, so nothing was sent; choose another name, or make it private.")
    return url


def _card(folder: Path, generator: Generator, name: str) -> bytes:
    """The card of a model folder as the Hub gets it; `name` is that of the repository. Raises UserError for one that cannot be
    read.
    """
    path = folder / CARD
    if not path.is_file():
        return model_card(generator.config, parameters(generator), name).encode()
    try:
        return completed(path.read_text(encoding="utf-8"), generator.config, name).encode()
    except (OSError, ValueError) as error:
        raise UserError(f"the head of {path} cannot be read ({first_line(error)}); mend it, or remove the file.") from None
