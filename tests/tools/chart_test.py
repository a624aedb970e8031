"""bench/chart.py without gnuplot: figures, commands, and what is made of gnuplot's SVG."""
import os
import sys
import unittest
import xml.dom.minidom

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "bench"))
import chart  # noqa: E402
from rows import ROWS  # noqa: E402

SVG = """<?xml version="1.0" encoding="utf-8"  standalone="no"?>
<svg
 width="760" xmlns="http://www.w3.org/2000/svg">
<title>Gnuplot</title>
<desc>Produced by GNUPLOT 5.4 </desc>
<rect x="0" y="0" width="760" height="780" fill="#ffffff"/>
<g id="gnuplot_plot_1a" ><title>$data using 2:1:3</title></g>
<g fill="none" color="black" stroke="rgb(  0,   0,   0)"><rect fill = 'rgb( 42, 127,  98)'/></g>
</svg>
"""


class ChartTest(unittest.TestCase):
    def test_decimals(self):
        for values, wanted in ((([299.0, 250.1, 340.0],), 0), (([3.142, 3.160, 3.254],), 2), (([0.290, 0.296, 0.299],), 3),
                               (([3.142, 3.160, 3.254], [4.1, 4.5, 5.9]), 1), (([378.0],), 0), (([0.5],), 3)):
            results = {str(index): list(each) for index, each in enumerate(values)}
            self.assertEqual(chart.decimals(results), wanted, values)

    def test_commands_say_what_is_better_and_what_the_floor_is(self):
        row = next(row for row in ROWS if row.name == "keepalive")
        script = chart.gnuplot_script("x.svg", [row], {"keepalive": {"floor": [1.0, 1.2], "pollux": [2.0, 2.1]}})
        self.assertIn("Shorter is better", script)
        self.assertIn("floor: a program that makes the bare system calls", script)
        self.assertIn("'Keep-alive, 512 connections, saturated: CPU \u00b5s a request'", script)
        alone = chart.gnuplot_script("x.svg", [row], {"keepalive": {"pollux": [2.0, 2.1]}})
        self.assertNotIn("floor", alone)

    def test_curves_say_what_grows_and_leave_out_what_was_not_measured(self):
        rows = [row for row in ROWS if row.curve == "routes"]
        results = {row.name: {"pollux": [1.0, 1.2]} for row in rows}
        results[rows[0].name]["nginx"] = [2.0]
        script = chart.curves_script("x.svg", rows, results)
        for part in ("Lower is better", "set logscale x", "Routes of the site", "'10,000' 10000", "title 'nginx'"):
            self.assertIn(part, script)
        self.assertEqual(script.count("\n10000 "), 1, "pollux has that point, nginx not")

    def test_each_row_of_a_curve_is_a_point_of_its_own(self):
        for curve in chart.CURVES:
            points = [row for row in ROWS if row.curve == curve]
            self.assertGreaterEqual(len(points), 4, curve)
            self.assertEqual([row.at for row in points], sorted({row.at for row in points}))
            self.assertEqual({row.page for row in points}, {"scale"})

    def test_svg_has_its_own_title_and_follows_the_page(self):
        svg = chart.finish(SVG, "TLS & HTTP/2", "pollux < nginx")
        for part in ("<title>TLS &amp; HTTP/2</title>", "<desc>pollux &lt; nginx</desc>", 'role="img"',
                     "prefers-color-scheme: dark", 'class="page"/>', 'stroke="currentColor"', "rgb( 42, 127,  98)"):
            self.assertIn(part, svg)
        for part in ("Gnuplot", "black", "rgb(  0", "$data"):
            self.assertNotIn(part, svg)
        xml.dom.minidom.parseString(svg)

    def test_what_is_in_the_docs_was_made_so(self):
        for name in ("http1", "memory", "secure", "realtime", "realtime_memory"):
            with open(os.path.join(ROOT, "docs", "benchmarks", f"{name}.svg"), encoding="utf-8") as file:
                text = file.read()
            self.assertIn("Shorter is better", text)
            self.assertNotIn("<title>Gnuplot", text)
            self.assertNotIn("<title>$", text)


if __name__ == "__main__":
    unittest.main()
