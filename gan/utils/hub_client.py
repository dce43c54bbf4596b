"""Calls of the Hugging Face Hub with time limits; errors of its client become UserErrors."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout  # its own class before Python 3.11
from threading import Thread
from typing import Any

from gan.errors import UserError
from gan.utils.formatting import first_line

ANSWER_SECONDS = 8.0  # limit for one answer of the Hub about a file
LOAD_SECONDS = 60.0  # limit for a whole model; the client alone would retry for minutes
PUBLISH_SECONDS = 900.0  # limit for a whole upload; some requests of the client have no limit of their own
REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
REVISION = re.compile(r"[\w][\w./-]{0,127}", re.ASCII)


class Unreachable(UserError):
    """The Hub did not answer, or could not at this time. A copy in the cache may be used instead."""


def check_name(repo: str, revision: str = "") -> None:
    """Raise UserError for a repository or a revision whose name is not valid."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(repo)
    except HFValidationError:
        repo = ""
    if not REPO.fullmatch(repo):
        raise UserError("a Hub repository is called owner/name, with letters, digits and - _ . only; correct the name.")
    # A revision becomes part of a path in the cache, so it must not lead out of it.
    if revision and (not REVISION.fullmatch(revision) or ".." in revision or revision.endswith((".", "/"))):
        raise UserError(f"'{revision}' is not a revision of {repo}; use a branch, a tag or a commit.")


def bounded(work: Callable[[], Any], seconds: float, what: str, files: str = "the file") -> Any:
    """The result of `work`, which may take `seconds`. Raises UserError, or Unreachable, for every error of the Hub's client.

    `what` is the start of the error sentence ("the download of …"); `files` names what a repository may lack. Work that takes
    longer goes on in the background until the program ends, so what it has begun may still reach the cache.
    """
    future: Future = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # any error has to reach the waiting thread
            future.set_exception(error)

    Thread(target=run, name="hub", daemon=True).start()  # a daemon thread does not keep the program from ending
    try:
        return future.result(timeout=seconds)
    except UserError:
        raise
    except FutureTimeout as error:
        if future.done() and future.exception() is error:
            raise _explained(error, what, files) from error
        raise Unreachable(f"{what} took longer than {seconds:g} seconds; try again when the network is faster.") from None
    except Exception as error:  # the client's errors come from three libraries and differ from version to version
        raise _explained(error, what, files) from error


def _explained(error: Exception, what: str, files: str) -> UserError:
    """The UserError, or Unreachable, for an error of the Hub's client."""
    from huggingface_hub import errors

    if isinstance(error, errors.LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        error = error.__cause__
    status = getattr(getattr(error, "response", None), "status_code", None)
    said = (getattr(error, "server_message", None) or "no reason given").strip().splitlines()[0][:160].rstrip(".")
    if isinstance(error, errors.GatedRepoError):
        return UserError(f"{what} failed: the repository is gated; ask for access on its page, then set HF_TOKEN.")
    if isinstance(error, errors.RevisionNotFoundError):
        return UserError(f"{what} failed: the repository has no such revision; check what follows the @.")
    if isinstance(error, errors.EntryNotFoundError) and status == 404:
        return UserError(f"{what} failed: the repository lacks {files}; name one that was published with this program.")
    if isinstance(error, errors.RepositoryNotFoundError) or status == 404:
        return UserError(f"{what} failed: the Hub has no such repository, or it is private; check the name, or set HF_TOKEN.")
    if status == 401:
        # The Hub's answer for a missing repository, and for an old token.
        return UserError(
            f"{what} failed: there is no such repository, or it is private and wants a valid token (401); "
            "check the name, or run `hf auth login`."
        )
    if status == 403:
        return UserError(f"{what} failed: the token may not do this (403, {said}); use one with the right permissions.")
    if isinstance(error, errors.OfflineModeIsEnabled):
        return Unreachable(f"{what} failed: HF_HUB_OFFLINE forbids it; unset it, or name a bundled model.")
    if status in (408, 429) or (status or 0) >= 500:
        return Unreachable(f"{what} failed: the Hub answered {status}; try again in a few minutes.")
    if status is not None:
        return UserError(f"{what} failed: the Hub refused it ({status}, {said}); check the name and the files.")
    kind = type(error).__name__
    if isinstance(error, OSError) and not isinstance(error, ConnectionError) and error.errno is not None:
        return UserError(f"{what} failed on this machine ({os.strerror(error.errno)}); free some space or check HF_HOME.")
    if isinstance(error, TimeoutError) or "Timeout" in kind:
        return Unreachable(f"{what} failed: the Hub did not answer in time; try again in a few minutes.")
    if "Connect" in kind:
        return Unreachable(f"{what} failed: the Hub cannot be reached; check the network, then try again.")
    if kind in ("InvalidURL", "ImportError") or isinstance(error, ValueError) and "proxy" in str(error).lower():
        return Unreachable(  # the client found an address that it cannot use
            f"{what} failed: the environment names a proxy that cannot be used ({first_line(error).rstrip('.')}); correct "
            "https_proxy, all_proxy and no_proxy, or unset them."
        )
    return Unreachable(f"{what} failed before it was complete ({kind}); try again in a few minutes.")
