"""The page: what visitors see and use. The only part of the package that knows Gradio; nothing outside it imports it.

A tab is a file here, with its settings, its controls and what it draws, and a file of the same name in `script/`, which shows
what was drawn. Words are in `en.json` and `uk.json`, the look in `style/`.
"""
