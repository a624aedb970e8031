"""Draws the charts: horizontal bars, a panel a row, by gnuplot, then made fit for a page.

As a program it draws those of a page anew from its raw numbers: chart.py docs/benchmarks/http1.csv.
"""

import csv
import html
import math
import pathlib
import re
import statistics
import subprocess
import sys

from rows import CURVES, ROWS
from servers import FLOOR, BenchError

COLOURS = {"pollux": 0x2A7F62, "embedder": 0x7FBFA8, FLOOR: 0x777777}
PEER_COLOUR = 0x6F8FBF
DECIMALS_MAX = 3
UNITS = {"us": "CPU \N{MICRO SIGN}s a request", "B": "bytes", "KiB": "KiB"}
LEGEND = "Shorter is better. Bars are medians of the rounds, thin lines go from the least to the most."
FLOOR_LEGEND = "floor: a program that makes the bare system calls and parses nothing."
CURVE_LEGEND = "Lower is better. Points are medians of the rounds, thin lines go from the least to the most."
WIDTH, HEAD, PANEL, BAR, LEFT, CURVE = 760, 62, 60, 24, 12, 220
# Light and dark, by what the reader's system prefers; a page of the other kind still reads.
STYLE = """<style>
svg { color: #1f2328; background: #ffffff }
.page { fill: #ffffff }
@media (prefers-color-scheme: dark) {
    svg { color: #e6edf3; background: #0d1117 }
    .page { fill: #0d1117 }
}
</style>"""


def decimals(results):
    """As many as say something of every server: the first that rounds do not agree on is the last."""
    spread = max(max(values) - min(values) for values in results.values()) / 2
    most = max(statistics.median(values) for values in results.values())
    if spread == 0:
        return 0 if most >= 100 else DECIMALS_MAX
    return min(DECIMALS_MAX, max(0, math.ceil(-math.log10(spread))))


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def panel(row, results, top, height, total):
    """One row's commands; `results` is a list of values for each server."""
    ordered = sorted(results, key=lambda name: statistics.median(results[name]))
    yield "$data << END"
    for index, name in enumerate(ordered):
        values = results[name]
        median = statistics.median(values)
        yield (f"{index} {median:.5f} {min(values):.5f} {max(values):.5f} {COLOURS.get(name, PEER_COLOUR)} "
               f"{median:.{decimals(results)}f} {name}")
    most = max(max(values) for values in results.values())
    yield "END"
    yield f"set size 1,{height / total:.5f}"
    yield f"set origin 0,{(top - height) / total:.5f}"
    yield (f"set label 1 {quoted(f'{row.title}: {UNITS[row.unit]}')} "
           f"at screen {LEFT / WIDTH:.5f},{(top - 18) / total:.5f} left front")
    yield f"set xrange [0:{most * 1.1 or 1:.5f}]"
    yield f"set yrange [{len(ordered) - 0.5}:-0.5]"
    yield ("plot $data using 2:1:(0):2:($1-0.36):($1+0.36):5:ytic(7) with boxxyerror lc rgb variable, "
           "$data using 2:1:3:4 with xerrorbars pt 0 lw 1 lc rgb '#000000', "
           "$data using 4:1:6 with labels left offset 1,0")


def gnuplot_script(path, rows, results):
    heights = [PANEL + BAR * len(results[row.name]) for row in rows]
    total = sum(heights) + HEAD
    script = [f"set terminal svg size {WIDTH},{total} font 'sans,13' background 'white'",
              "set encoding utf8", "set termoption noenhanced", f"set output '{path}'", "set multiplot",
              "unset key", "set border 0", "set tics scale 0", "unset xtics", "set style fill solid noborder",
              "set lmargin 14", "set rmargin 12", "set tmargin 2.5", "set bmargin 0.5",
              f"set label 2 {quoted(LEGEND)} at screen {LEFT / WIDTH:.5f},{(total - 18) / total:.5f} left front"]
    if any(FLOOR in results[row.name] for row in rows):
        script.append(f"set label 3 {quoted(FLOOR_LEGEND)} "
                      f"at screen {LEFT / WIDTH:.5f},{(total - 38) / total:.5f} left front")
    top = total - HEAD
    for number, (row, height) in enumerate(zip(rows, heights)):
        script += panel(row, results[row.name], top, height, total)
        top -= height
        if number == 0:
            script += ["unset label 2", "unset label 3"]
    return "\n".join(script + ["unset multiplot", ""])


def curve_panel(curve, rows, results, top, height, total):
    """One curve's commands: a line a server, what grows along a logarithmic axis."""
    names = sorted({name for row in rows for name in results[row.name]})
    for number, name in enumerate(names):
        yield f"$line{number} << END"
        for row in rows:
            values = results[row.name].get(name)
            if values:
                yield f"{row.at} {statistics.median(values):.5f} {min(values):.5f} {max(values):.5f}"
        yield "END"
    most = max(max(values) for row in rows for values in results[row.name].values())
    yield f"set size 1,{height / total:.5f}"
    yield f"set origin 0,{(top - height) / total:.5f}"
    yield (f"set label 1 {quoted(f'{CURVES[curve]}: {UNITS[rows[0].unit]}')} "
           f"at screen {LEFT / WIDTH:.5f},{(top - 18) / total:.5f} left front")
    yield f"set xrange [{rows[0].at}:{rows[-1].at * 1.05}]"
    yield f"set yrange [0:{most * 1.15 or 1:.5f}]"
    yield "set xtics (" + ", ".join(f"'{row.at:,}' {row.at}" for row in rows) + ")"
    yield "plot " + ", ".join(
        f"$line{number} using 1:2:3:4 with yerrorlines lw 2 pt 7 ps 0.5 lc rgb '#{COLOURS.get(name, PEER_COLOUR):06x}' "
        f"title {quoted(name)}" for number, name in enumerate(names))


def curves_script(path, rows, results):
    curves = [curve for curve in CURVES if any(row.curve == curve for row in rows)]
    total = HEAD + CURVE * len(curves)
    script = [f"set terminal svg size {WIDTH},{total} font 'sans,13' background 'white'",
              "set encoding utf8", "set termoption noenhanced", f"set output '{path}'", "set multiplot",
              "set border 3", "set tics scale 0.5 nomirror", "set logscale x", "set lmargin 10", "set rmargin 4",
              "set tmargin 3", "set bmargin 2", "set key tmargin right horizontal",
              f"set label 2 {quoted(CURVE_LEGEND)} at screen {LEFT / WIDTH:.5f},{(total - 18) / total:.5f} left front"]
    top = total - HEAD + 20
    for number, curve in enumerate(curves):
        script += curve_panel(curve, [row for row in rows if row.curve == curve], results, top, CURVE, total)
        top -= CURVE
        if number == 0:
            script.append("unset label 2")
    return "\n".join(script + ["unset multiplot", ""])


def finish(svg, title, description):
    """What gnuplot cannot be told: a title of its own, and colours that follow the page."""
    svg = re.sub(r"<title>.*?</title>\s*<desc>.*?</desc>",
                 lambda _: f"<title>{html.escape(title)}</title>\n<desc>{html.escape(description)}</desc>\n{STYLE}",
                 svg, count=1, flags=re.S)
    svg = re.sub(r"<title>\$[^<]*</title>", "", svg)  # a browser shows it over the bars
    svg = re.sub(r"<svg\b", '<svg role="img"', svg, count=1)
    svg = re.sub(r'(<rect x="0" y="0" [^>]*?) fill="#ffffff"/>', r'\1 class="page"/>', svg, count=1)
    return re.sub(r"rgb\(\s*0,\s*0,\s*0\)|(?<=[\"'])(?:black|#000000)(?=[\"'])", "currentColor", svg)


def draw(path, title, rows, results):
    """Writes the chart of these rows; `results` is row to server to values. Rows without any are left out."""
    rows = [row for row in rows if results.get(row.name)]
    if not rows:
        return
    script = curves_script if rows[0].curve else gnuplot_script
    done = subprocess.run(["gnuplot"], input=script(path, rows, results), text=True,
                          capture_output=True, timeout=60, check=False)
    if done.returncode != 0:
        raise BenchError(f"gnuplot: {done.stderr.strip()}")
    path = pathlib.Path(path)
    shown = "; ".join(f"{row.title} ({UNITS[row.unit]}): " + ", ".join(
        f"{name} {statistics.median(values):.{decimals(results[row.name])}f}" for name, values in results[row.name].items())
        for row in rows)
    legend = CURVE_LEGEND if rows[0].curve else LEGEND
    path.write_text(finish(path.read_text(), title, f"{legend} {shown}."))


def memory_name(page):
    return "memory.svg" if page == "http1" else f"{page}_memory.svg"


def draw_page(folder, page, title, results):
    """Both charts of a page: time, and memory if it has rows of that."""
    rows = [row for row in ROWS if row.name in results]
    draw(folder / f"{page}.svg", title, [row for row in rows if row.kind == "cpu"], results)
    draw(folder / memory_name(page), "Anonymous memory", [row for row in rows if row.kind != "cpu"], results)


def main(paths):
    from report import TITLES

    for path in map(pathlib.Path, paths):
        results = {}
        with open(path, newline="") as file:
            for line in csv.DictReader(file):
                results.setdefault(line["row"], {}).setdefault(line["server"], []).append(float(line["value"]))
        draw_page(path.parent, path.stem, TITLES[path.stem], results)


if __name__ == "__main__":
    main(sys.argv[1:])
