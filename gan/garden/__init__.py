"""A page that draws a model's flowers in the visitor's own browser: a folder of files for any static host.

It is the app's little sister: words (`studio/text/`), look (`studio/style/`) and stages (`studio/script/`) are the same. What
the app's server does there, a worker of the page does here: noise from a seed, two ONNX graphs, PNG files.
"""
