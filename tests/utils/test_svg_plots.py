"""Drawings of figures."""

from gan.utils import svg_plots


def test_the_name_of_a_point_at_the_top_stands_below_it_clear_of_the_legend():
    axis = svg_plots.Axis("share", 0, 1)
    names = svg_plots.Series("measured", "model", [(0.1, 1.0), (0.8, 0.4)], labels=["high", "low"])
    drawn = svg_plots.lines("shares", axis, axis, [names, svg_plots.Series("now", "real", [(0.5, 0.5)])])
    assert 'dy="18" text-anchor="start">high<' in drawn and 'dy="-7" text-anchor="start">low<' in drawn
