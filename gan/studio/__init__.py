"""The page, built with Gradio. No other part of the package imports Gradio.

A tab is a file in `tabs/`, with its settings, its controls and what it draws. Files of the same name hold its text in every
language (`text/`), the script that fills its stage (`script/`), and its styles (`style/`, if it needs any).
"""

from gan.studio.gradio_compat import clean_environment

with clean_environment():  # the first import of Gradio
    import gradio  # noqa: F401
