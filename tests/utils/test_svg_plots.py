"""Drawings of figures."""

from xml.etree import ElementTree

from gan.utils import svg_plots


def test_the_name_of_a_point_at_the_top_stands_below_it_clear_of_the_legend():
    axis = svg_plots.Axis("share", 0, 1)
    names = svg_plots.Series("measured", "model", [(0.1, 1.0), (0.8, 0.4)], labels=["high", "low"])
    drawn = svg_plots.lines("shares", axis, axis, [names, svg_plots.Series("now", "real", [(0.5, 0.5)])])
    assert 'dy="18" text-anchor="start">high<' in drawn and 'dy="-7" text-anchor="start">low<' in drawn


def test_a_figure_is_a_file_of_its_own_with_its_style_and_all_plots():
    axis = svg_plots.Axis("share", 0, 1)
    lines = [svg_plots.Series(kind, kind, [(0.1, 1.0), (0.8, 0.4)], [0.1, 0.1], dots=True) for kind in svg_plots.KINDS]
    plot = svg_plots.lines("a < b", axis, axis, lines)
    drawn = ElementTree.fromstring(svg_plots.figure([plot, plot]))
    space = "{http://www.w3.org/2000/svg}"
    assert drawn.get("height") == str(2 * (svg_plots.HEIGHT + 92)) and len(list(drawn.iter(f"{space}polyline"))) == 12
    style = drawn.find(f"{space}style").text
    assert all(f".{kind}" in style for kind in svg_plots.KINDS) and "var(--leaf)" in style and "--leaf:" in style
