"""What the tests call and import is what script/bootstrap installs: programs, Python modules, npm.

A test that needs something else fails on a machine that has nothing but what bootstrap put there;
here it fails everywhere. Programs are found in the tests' syntax trees: the first word of what is
given to subprocess (and to the helpers of that name), and of each list that reads as a command line.
"""
import ast
import json
import os
import re
import sys
import textwrap
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TESTS = os.path.join(ROOT, "tests")
CALLS = {"run", "Popen", "check_output", "check_call", "which"}

# What every Debian has: packages that are essential, or that nothing can be installed without.
ESSENTIAL = set("""bash cat chmod chroot cmp cp cut dd df dpkg dpkg-deb dpkg-query echo env false find grep head id kill ln ls mkdir
    mkfifo mount mv nproc nice prlimit rm sed seq setpriv setsid sh sleep sort stdbuf tail tar taskset tee test timeout touch
    tr true umount unshare wc""".split())
# Programs of a package that are not its probe in script/bootstrap.
PROVIDES = {
    "gcc": "cc ld nm objcopy objdump readelf strip",  # by binutils, which it needs
    "python3": "python3",
    "redis-server": "redis-server redis-cli",  # by redis-tools, which it needs
    "nghttp2-client": "nghttp h2load",
    "prometheus": "prometheus promtool",
    "systemd": "systemd-socket-activate systemd-cat",
}
# Called under POLLUX_FULL alone: package and program.
FULL_ONLY = {"testssl.sh": "testssl", "dpkg-dev": "dpkg-buildpackage", "lintian": "lintian", "rpm": "rpm rpmbuild rpmspec", "git": "git"}
# What the helper `run` is given: commands of pollux.
COMMANDS = {"pollux", "respond", "files", "healthcheck", "proxy", "run", "check", "config", "fmt", "reload", "x"}
NODE_OWN = {"assert", "fs", "http", "http2", "module", "path", "readline"}


def bootstrap_packages(level):
    """Package to probe, as script/bootstrap lists them for `level`."""
    with open(os.path.join(ROOT, "script", "bootstrap"), encoding="utf-8") as file:
        text = file.read()
    lists = dict(re.findall(r'^(build|test|full)="([^"]*)"', text, re.M))
    words = lists[level]
    for name in ("test", "build"):
        words = words.replace("$" + name, lists[name])
    return dict(word.split("=", 1) for word in words.split())


def trees(folder=TESTS):
    for where, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in sorted(names):
            if name.endswith(".py"):
                path = os.path.join(where, name)
                with open(path, encoding="utf-8") as file:
                    yield os.path.relpath(path, ROOT), ast.parse(file.read())


def word(node):
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def first_word(node):
    """Of a command line: a text, or the first element of a list."""
    if isinstance(node, (ast.List, ast.Tuple)) and node.elts:
        return word(node.elts[0])
    return word(node)


def reads_as_command(node):
    """["curl", "-s", ...]: a word, and behind it a flag."""
    return (isinstance(node, ast.List) and len(node.elts) > 1 and bool(word(node.elts[0]))
            and any((word(other) or "").startswith("-") for other in node.elts[1:3]))


def programs(tree):
    """The programs that a syntax tree calls."""
    found = set()
    for node in ast.walk(tree):
        if reads_as_command(node):
            found.add(word(node.elts[0]))
        if isinstance(node, ast.Call) and node.args:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in CALLS:
                found.add(first_word(node.args[0]))
    return {os.path.basename(name) for name in found
            if name and re.fullmatch(r"(/usr/s?bin/)?[a-z][a-z0-9+._-]*", name)}


def imported(tree):
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


def node_modules(text):
    """The packages of npm that a text names: behind node_modules, or by require."""
    found = re.findall(r"""node_modules(?:/|["'], ["'])([a-z@][\w.@-]*)""", text)
    found += re.findall(r"""(?:require\(|for \(const folder of \[)["'](?:node:)?([a-z][\w-]*)["']""", text)
    return set(found) - NODE_OWN


def own_modules():
    found = set()
    for folder in (TESTS, os.path.join(ROOT, "tools"), os.path.join(ROOT, "bench")):
        for where, folders, names in os.walk(folder):
            found |= {name[:-3] for name in names if name.endswith(".py")} | {os.path.basename(where)}
    return found


class NeedsTest(unittest.TestCase):
    def setUp(self):
        self.packages = bootstrap_packages("test")

    def test_programs(self):
        provided = set(ESSENTIAL)
        for package, probe in self.packages.items():
            provided |= {os.path.basename(probe), *PROVIDES.get(package, "").split()}
        for package in FULL_ONLY:
            self.assertIn(package, bootstrap_packages("full"))
            provided.update(FULL_ONLY[package].split())
        seen = set()
        for path, tree in trees():
            called = programs(tree) - COMMANDS
            seen |= called
            self.assertEqual(called - provided, set(), f"{path}: no package of script/bootstrap has it")
        self.assertGreater(len(seen), 25, seen)

    def test_what_a_package_provides_is_one_that_is_listed(self):
        self.assertEqual(set(PROVIDES) - set(self.packages), set())

    def test_modules(self):
        known = set(sys.stdlib_module_names) | own_modules()
        known |= {probe[3:] for probe in self.packages.values() if probe.startswith("py:")}
        seen = set()
        for path, tree in trees():
            seen |= imported(tree)
            self.assertEqual(imported(tree) - known, set(), f"{path}: script/bootstrap has no py: for it")
        self.assertGreater(len(seen - set(sys.stdlib_module_names)), 10, seen)

    def test_npm(self):
        """What is taken from build/npm is what package.json names, and the other way around."""
        with open(os.path.join(TESTS, "npm", "package.json"), encoding="utf-8") as file:
            listed = set(json.load(file)["dependencies"])
        used = set()
        for where, _, names in os.walk(TESTS):
            for name in names:
                if name.endswith((".js", ".py")) and name != os.path.basename(__file__):
                    with open(os.path.join(where, name), encoding="utf-8") as file:
                        used |= node_modules(file.read())
        self.assertEqual(used, listed)

    def test_it_finds_what_is_not_listed(self):
        tree = ast.parse(textwrap.dedent("""
            import subprocess, requests.sessions
            from numpy import array
            subprocess.run(["ab", "x"])
            subprocess.Popen("/usr/sbin/lsof")
            which("socat")
            argv = ["siege", "-c", "1"]
            run("respond", "-l", "a")
            {"xz": ["xz", "-d"]}
        """))
        self.assertEqual(programs(tree) - COMMANDS, {"ab", "lsof", "socat", "siege", "xz"})
        self.assertEqual(imported(tree), {"subprocess", "requests", "numpy"})
        self.assertEqual(node_modules("""require(join(ROOT, 'build/npm/node_modules/left-pad/x.js'));
            require('right-pad'); require("node:fs"); require("./own"); load("node_modules", "mime", "a");"""),
                         {"left-pad", "right-pad", "mime"})


if __name__ == "__main__":
    unittest.main()
