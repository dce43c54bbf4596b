"""What the event handlers of the page and of the API share: queues, error messages, and the language of the request."""

from __future__ import annotations

import html
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import gradio as gr

from gan.errors import UserError
from gan.studio.gradio_compat import request_headers
from gan.studio.i18n import LANGUAGES, language_of, say

# Keyword arguments of Gradio's event listeners.
DRAW_QUEUE: dict[str, Any] = {"concurrency_id": "draw", "concurrency_limit": 4}  # all share the sampler's threads
FILM_QUEUE: dict[str, Any] = {"concurrency_id": "film", "concurrency_limit": 2}  # encoding is slow and must not delay drawing
NO_API: dict[str, Any] = {"api_visibility": "private"}


def report_errors(handler: Callable[..., Any], *, on_page: bool = True) -> Callable[..., Any]:
    """Wrap `handler`: a UserError becomes one sentence for the visitor, and is not logged.

    `on_page` is False for an API function: its caller gets plain text, the page gets HTML. Any other exception is logged, and
    the visitor reads only that something failed.
    """

    @wraps(handler)
    def wrapper(*values: Any) -> Any:
        with reporting_errors(on_page=on_page):
            return handler(*values)

    return wrapper


@contextmanager
def reporting_errors(*, on_page: bool = True) -> Iterator[None]:
    """Do the same for a block, because a generator cannot be wrapped as a function."""
    try:
        yield
    except UserError as error:
        raise to_gradio_error(error, on_page=on_page) from None
    except gr.Error:
        raise
    except Exception:
        traceback.print_exc()
        raise gr.Error(say("failed", request_language()), print_exception=False) from None


def to_gradio_error(error: UserError, *, on_page: bool = True) -> gr.Error:
    """The UserError as an error that Gradio shows, beginning with a capital letter."""
    sentence = html.escape(str(error), quote=False) if on_page else str(error)  # the page shows messages as HTML
    return gr.Error(sentence[:1].upper() + sentence[1:], print_exception=False)


def request_language() -> str:
    """The language of the visitor whose request is being answered; the first of LANGUAGES outside a request."""
    headers = request_headers()
    return LANGUAGES[0] if headers is None else language_of(headers)
