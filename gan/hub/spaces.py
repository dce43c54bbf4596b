"""Spaces on the Hub for a published model.

A Gradio Space serves the app: what git has of it, and a variable naming the model. A static Space serves files only, those of
a page that draws the model in the visitor's browser (gan/garden).
"""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gan.config import ModelConfig
from gan.errors import UserError
from gan.hub.checkpoint import CARD
from gan.hub.loader import CHECKPOINTS, DEFAULT
from gan.hub.publish import check_publishing, create
from gan.utils.formatting import first_line
from gan.utils.hub_client import PUBLISH_SECONDS, bounded, check_name

if TYPE_CHECKING:
    from huggingface_hub import HfApi

ROOT = CHECKPOINTS.parent
# The bundled model is what the app shows while the Hub cannot be reached.
CONTENT = ("app.py", "gan", "requirements.txt", CARD, f"checkpoints/{DEFAULT}")
DESCRIPTION = 60  # characters the Hub allows
ZERO_GPU = "zero-a10g"  # the Hub's name for it
REFUSED = (402, 403)
HEADERS = {
    "cross-origin-embedder-policy": "require-corp", "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "cross-origin",
}  # fmt: skip


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
        url = _gradio_space(api, repo, private)
        api.add_space_variable(repo, "MODEL_ID", repo)  # before the files: these are what starts the Space
        api.create_commit(repo, files, repo_type="space", commit_message=f"The app, showing {repo}")
        return url

    return bounded(upload, PUBLISH_SECONDS, f"publishing the Space {repo}")


def _gradio_space(api: HfApi, repo: str, private: bool) -> str:
    """Make the Space, on ZeroGPU where the account may have no other hardware; its address. Raises UserError."""
    from huggingface_hub.errors import HfHubHTTPError

    for hardware in ({}, {"space_hardware": ZERO_GPU}):
        try:
            return create(api, repo, "space", private, space_sdk="gradio", **hardware)
        except HfHubHTTPError as error:
            if error.response.status_code not in REFUSED:
                raise
            said = (error.server_message or "no reason given").strip().splitlines()[0][:160].rstrip(".")
    raise UserError(
        f"the Hub makes no Gradio Space for this account, on ZeroGPU neither ({said}); take --space static, which free "
        "accounts may have, or see docs/deploy.md."
    )


def publish_static(repo: str, config: ModelConfig, files: Mapping[str, bytes], *, private: bool = False) -> str:
    """Make or renew the static Space `repo` from the `files` of a page for the model published as `repo`. Returns its address.

    Whatever else is in it stays. Raises UserError.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    check_publishing(repo)
    content = {**files, CARD: static_front_page(repo, config).encode()}
    operations = [CommitOperationAdd(path, data) for path, data in content.items()]
    api = HfApi()

    def upload() -> str:
        url = create(api, repo, "space", private, space_sdk="static")
        api.create_commit(repo, operations, repo_type="space", commit_message=f"{repo} in the visitor's browser")
        return url

    return bounded(upload, PUBLISH_SECONDS, f"publishing the Space {repo}")


def static_front_page(repo: str, config: ModelConfig) -> str:
    """The README.md of a static Space; its headers let a browser draw on several threads."""
    from huggingface_hub import SpaceCard

    path = ROOT / CARD  # a package that was installed has none
    readme = path.read_text(encoding="utf-8") if path.is_file() else "---\ntitle: This Flower Does Not Exist\n---\n"
    card: Any = SpaceCard(front_page(readme, repo, config, IN_A_BROWSER))
    for key in ("sdk_version", "python_version"):
        card.data.pop(key, None)
    card.data.sdk, card.data.app_file = "static", "index.html"
    card.data.custom_headers = HEADERS
    return f"---\n{card.data.to_yaml()}\n---\n\n{card.text.strip()}\n"


def app_files() -> dict[str, bytes]:
    """Path → content of what the app is made of, as git's last commit has it. Raises UserError where that cannot be told."""
    try:
        done = subprocess.run(["git", "archive", "--format=tar", "HEAD", "--", *CONTENT], cwd=ROOT, capture_output=True)
    except OSError as error:
        raise UserError(f"a Space is filled with what git has of the app, and git cannot be run ({error.strerror}).") from None
    if done.returncode:
        said = first_line(done.stderr.decode(errors="replace"))
        raise UserError(
            f"a Space is filled with what git has of the app, which it has not got here ({said}); clone it with git."
        )
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        return {item.name: file.read() for item in archive if item.isfile() and (file := archive.extractfile(item))}


IN_AN_APP = "This Space's variable `MODEL_ID` names it."
IN_A_BROWSER = "It draws in the browser of whoever visits it."


def front_page(readme: str, repo: str, config: ModelConfig, told: str = IN_AN_APP) -> str:
    """The Space's README.md: the front matter of ours, which says how the app is run, a line about the model, and `told`."""
    from huggingface_hub import SpaceCard

    data: Any = SpaceCard(readme).data  # its attributes are the keys of the front matter
    classes = ", ".join(config.classes)
    data.short_description = _shortened(f"{classes[:1].upper()}{classes[1:]}, drawn by a small GAN")
    data.models = [repo]
    text = (
        f"# {data.title}\n\nPictures of things that do not exist ({classes}), drawn by the model "
        f"[{repo}](https://huggingface.co/{repo}); its card says how it came about. {told}"
    )
    return f"---\n{data.to_yaml()}\n---\n\n{text}\n"


def _shortened(text: str) -> str:
    return text if len(text) <= DESCRIPTION else text[: DESCRIPTION - 1].rstrip(" ,") + "…"
