"""A Space on the Hub that serves the app with a published model: what git has of the app, and a variable naming the model."""

from __future__ import annotations

import io
import subprocess
import tarfile
from typing import Any

from gan.config import ModelConfig
from gan.errors import UserError
from gan.hub.checkpoint import CARD
from gan.hub.loader import CHECKPOINTS, DEFAULT
from gan.hub.publish import check_publishing, create
from gan.utils.hub_client import PUBLISH_SECONDS, bounded, check_name

ROOT = CHECKPOINTS.parent
# The bundled model is what the app shows while the Hub cannot be reached.
CONTENT = ("app.py", "gan", "requirements.txt", CARD, f"checkpoints/{DEFAULT}")
DESCRIPTION = 60  # characters the Hub allows


def publish_space(repo: str, config: ModelConfig, *, private: bool = False, token: str | None = None) -> str:
    """Make or renew the Space `repo` that shows the model published as `repo`, of this `config`. Returns its address.

    It gets the app as the last commit here has it, and its variable MODEL_ID. Whatever else is in it stays. `token` as for
    `hub.publish`. Raises UserError.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    if token is None:
        check_publishing(repo)
    check_name(repo)
    content = app_files()
    content[CARD] = front_page(content[CARD].decode(), repo, config).encode()
    files = [CommitOperationAdd(path, data) for path, data in content.items()]
    api = HfApi(token=token)

    def upload() -> str:
        url = create(api, repo, "space", private, space_sdk="gradio")
        api.add_space_variable(repo, "MODEL_ID", repo)  # before the files: these are what starts the Space
        api.create_commit(repo, files, repo_type="space", commit_message=f"The app, showing {repo}")
        return url

    return bounded(upload, PUBLISH_SECONDS, f"publishing the Space {repo}")


def app_files() -> dict[str, bytes]:
    """Path → content of what the app is made of, as git's last commit has it. Raises UserError where that cannot be told."""
    try:
        done = subprocess.run(["git", "archive", "--format=tar", "HEAD", "--", *CONTENT], cwd=ROOT, capture_output=True)
    except OSError as error:
        raise UserError(f"a Space is filled with what git has of the app, and git cannot be run ({error.strerror}).") from None
    if done.returncode:
        said = (done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"])[0]
        raise UserError(
            f"a Space is filled with what git has of the app, which it has not got here ({said}); clone it with git."
        )
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        return {item.name: file.read() for item in archive if item.isfile() and (file := archive.extractfile(item))}


def front_page(readme: str, repo: str, config: ModelConfig) -> str:
    """The Space's README.md: the front matter of ours, which says how the app is run, and a line about the model."""
    from huggingface_hub import SpaceCard

    data: Any = SpaceCard(readme).data  # its attributes are the keys of the front matter
    classes = ", ".join(config.classes)
    data.short_description = _shortened(f"{classes[:1].upper()}{classes[1:]}, drawn by a small GAN")
    data.models = [repo]
    text = (
        f"# {data.title}\n\nPictures of things that do not exist ({classes}), drawn by the model "
        f"[{repo}](https://huggingface.co/{repo}); its card says how it came about. This Space's variable `MODEL_ID` names it."
    )
    return f"---\n{data.to_yaml()}\n---\n\n{text}\n"


def _shortened(text: str) -> str:
    return text if len(text) <= DESCRIPTION else text[: DESCRIPTION - 1].rstrip(" ,") + "…"
