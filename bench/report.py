"""Turns the measurements of a run into the page, its plots and its raw numbers."""

import csv
import datetime
import os
import pathlib
import platform
import shlex
import statistics
import subprocess
import sys

import chart
from rows import CURVES
from servers import FLOOR, first_line

ROOT = pathlib.Path(__file__).resolve().parent.parent
NOISY_WAIT = 0.05
TITLES = {"http1": "HTTP/1.1: CPU time and memory", "secure": "TLS and HTTP/2: CPU time",
          "realtime": "WebSocket: CPU time and memory", "proxy": "Reverse proxy: CPU time",
          "scale": "As the work grows: CPU time",
          "operations": "What operators switch on: CPU time"}
DECIMALS = {"us": 3, "B": 0, "KiB": 0}


def values_of(found):
    return [one["value"] for one in found]


def ratio(results, name, other):
    """Median over the rounds of one server's value over another's of the same round."""
    theirs = {one["round"]: one["value"] for one in results.get(other, ())}
    pairs = [one["value"] / theirs[one["round"]] for one in results.get(name, ())
             if theirs.get(one["round"])]
    return (statistics.median(pairs), min(pairs), max(pairs)) if pairs else None


def cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "Model")):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def git_revision():
    def git(*arguments):
        return subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True,
                              check=False).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", "src", "include", "bench")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + (", changed" if changed else "")


def operating_system():
    for line in pathlib.Path("/etc/os-release").read_text().splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.split("=", 1)[1].strip('"')
    return "unknown"


def markdown_table(head, lines):
    yield "| " + " | ".join(head) + " |"
    yield "|" + "|".join("---" if i == 0 else "--:" for i in range(len(head))) + "|"
    for line in lines:
        yield "| " + " | ".join(line) + " |"


def ratio_text(found):
    return f"{found[0]:.3f}" if found else "-"


class Page:
    """One run, ready to be printed and written."""

    def __init__(self, rows, servers, missing, results, calls, options, troubles):
        self.rows, self.servers, self.missing = rows, servers, missing
        self.results, self.calls = results, calls
        self.options, self.troubles = options, troubles

    def command(self):
        return "script/bench " + shlex.join(sys.argv[1:]) if sys.argv[1:] else "script/bench"

    def row_lines(self, row):
        results = self.results[row.name]
        decimals = DECIMALS[row.unit]
        head = ["server", f"median, {row.unit}", "min to max"]
        if row.kind == "cpu":
            head += ["x floor", "x nginx", "answers/s", "waited"]
        lines = []
        for name, found in sorted(results.items(),
                                  key=lambda pair: statistics.median(values_of(pair[1]))):
            values = values_of(found)
            line = [name, f"{statistics.median(values):.{decimals}f}",
                    f"{min(values):.{decimals}f} to {max(values):.{decimals}f}"]
            if row.kind == "cpu":
                line += [ratio_text(ratio(results, name, FLOOR)),
                         ratio_text(ratio(results, name, "nginx")),
                         f"{statistics.median(one['rate'] for one in found):,.0f}",
                         f"{statistics.median(one['waited'] for one in found):.1%}"]
            lines.append(line)
        yield f"## {row.title}"
        yield ""
        if lines:
            yield from markdown_table(head, lines)
        else:
            yield "Nothing was measured."
        yield ""

    def curve_lines(self, curve, rows):
        """One line a point, with what each server takes, and how many times its first point that is."""
        names = sorted({name for row in rows for name in self.results[row.name]},
                       key=lambda name: (name != "pollux", name))
        first = {name: self.middle(rows[0], name) for name in names}
        lines = []
        for row in rows:
            line = [f"{row.at:,}"]
            for name in names:
                middle = self.middle(row, name)
                values = values_of(self.results[row.name].get(name, ()))
                line += [f"{middle:.3f}", f"{min(values):.3f} to {max(values):.3f}",
                         f"{middle / first[name]:.2f}" if first[name] else "-"] if middle else ["-", "-", "-"]
            lines.append(line)
        yield f"## {CURVES[curve]}"
        yield ""
        yield from markdown_table([curve] + [text for name in names for text in
                                             (f"{name}, {rows[0].unit}", "min to max", "x its first")], lines)
        yield ""

    def middle(self, row, name):
        values = values_of(self.results[row.name].get(name, ()))
        return statistics.median(values) if values else None

    def measured_lines(self):
        for row in self.rows:
            if not row.curve:
                yield from self.row_lines(row)
        for curve in CURVES:
            points = [row for row in self.rows if row.curve == curve]
            if points:
                yield from self.curve_lines(curve, points)

    def reach_lines(self):
        """One line a target of a measured row: what, how much, reached or by how much missed."""
        for row in self.rows:
            results = self.results[row.name]
            for other, most in row.reach:
                if other == "bytes":
                    values = values_of(results.get("pollux", ()))
                    scale = 1024 if row.unit == "KiB" else 1
                    found = statistics.median(values) * scale if values else None
                    wanted, text = f"<= {most:,} B", f"{found:,.0f} B" if values else "-"
                    spread = "-"
                else:
                    measured, _, other = other.rpartition("/")
                    three = ratio(results, measured or "pollux", other)
                    found = three[0] if three else None
                    wanted, text = f"{measured} <= {most:.2f} x {other}".strip(), ratio_text(three)
                    spread = f"{three[1]:.3f} to {three[2]:.3f}" if three else "-"
                if found is None:
                    verdict = "not measured"
                elif found <= most:
                    verdict = "reached"
                else:
                    verdict = f"missed by {found / most - 1:.1%}"
                yield [row.title, wanted, text, spread, verdict]

    def calls_lines(self):
        if not self.calls:
            return
        yield "## System calls a request"
        yield ""
        yield ("Counted with `strace -c` by `bench/syscalls.py`, 64 connections ready at a time. "
               "What a batch shares (epoll_wait, the accept that finds nothing) is the fraction.")
        yield ""
        lines = []
        for row_name, by_server in self.calls.items():
            for server, counted in by_server.items():
                each = ", ".join(f"{name} {count:.3f}" for name, count
                                 in sorted(counted.items(), key=lambda pair: -pair[1]))
                lines.append([f"{row_name}, {server}", f"{sum(counted.values()):.3f}", each])
        yield from markdown_table(["workload, server", "in all", "each"], lines)
        yield ""

    def waited_lines(self):
        """Says so when the machine was not quiet."""
        worst = max((one["waited"] for row in self.rows if row.kind == "cpu"
                     for found in self.results[row.name].values() for one in found), default=0)
        if worst > NOISY_WAIT:
            yield (f"**The machine was not quiet:** in the worst round a server waited for its core "
                   f"{worst:.0%} of the time it had something to do. Times are not to be trusted to "
                   "the last percent; ratios a little more.")
            yield ""

    def machine_lines(self):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
        load = os.getloadavg()[0]
        server_core, load_core = self.options.cores
        yield "## The machine and the run"
        yield ""
        yield f"- {cpu_model()}, {os.cpu_count()} cores, {memory:.0f} GiB; {operating_system()}, " \
              f"Linux {platform.release()}"
        yield f"- compiler: {first_line(['cc', '--version'])}; load: " \
              f"{first_line(['wrk', '-v']).split(' Copyright')[0]}, bench/load/, {first_line(['h2load', '--version'])}"
        yield f"- server on core {server_core}, load on core {load_core}, loopback; load average " \
              f"{load:.2f} at the end"
        yield f"- {self.options.rounds} rounds of {self.options.seconds:g} s a row, interleaved"
        yield f"- pollux revision {git_revision()}"
        for server in self.servers:
            yield f"- {server.name}: {server.version}"
        if self.missing:
            yield f"- not installed, so not measured: {', '.join(self.missing)}"
        yield ""

    def text(self):
        now = datetime.datetime.now(datetime.timezone.utc)
        lines = [f"# {TITLES[self.options.page]}", "",
                 f"Written by `{self.command()}` on {now:%Y-%m-%d %H:%M} UTC. "
                 "What the figures mean, and what they do not, is in [README.md](README.md).", ""]
        lines += self.waited_lines()
        if any(row.kind == "cpu" for row in self.rows):
            lines += [f"![CPU microseconds per request]({self.options.page}.svg)", ""]
        if any(row.kind != "cpu" for row in self.rows):
            lines += [f"![Anonymous memory]({chart.memory_name(self.options.page)})", ""]
        reached = list(self.reach_lines())
        if reached:
            lines += ["## Targets", ""]
            lines += markdown_table(["row", "target", "median of rounds", "min to max", "verdict"], reached)
            lines += [""]
        lines += self.measured_lines()
        lines += self.calls_lines()
        lines += self.machine_lines()
        if self.troubles:
            lines += ["## What went wrong", ""] + [f"- {text}" for text in self.troubles] + [""]
        return "\n".join(lines).rstrip() + "\n"

    def write(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        page = self.options.page
        (folder / f"{page}.md").write_text(self.text())
        with open(folder / f"{page}.csv", "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["row", "server", "round", "value", "unit", "answers", "waited"])
            for row in self.rows:
                for name, found in self.results[row.name].items():
                    for one in found:
                        writer.writerow([row.name, name, one["round"], f"{one['value']:.4f}",
                                         row.unit, one.get("requests", ""),
                                         f"{one.get('waited', 0):.4f}"])
        results = {row.name: {name: values_of(found) for name, found in self.results[row.name].items()}
                   for row in self.rows}
        chart.draw_page(folder, page, TITLES[page], results)
        print(f"bench: wrote {page}.md, {page}.csv and the plots to {folder}", file=sys.stderr)
