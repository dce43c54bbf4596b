"""The page: what visitors see and use. The only part of the package that knows Gradio; nothing outside it imports it.

A tab is a file here, with its settings, its controls and what it draws; a file of the same name in `script/` shows what was
drawn, one in `text/` has its words in both languages, and one in `style/`, where it needs any, its looks.
"""

from gan.studio.gradio_compat import undisturbed

with undisturbed():  # before any part of the page imports it
    import gradio  # noqa: F401
