#!/usr/bin/python3
"""Holds the tree to the rules of the house that a machine can check.

    tools/tidy.py [--root FOLDER]

Prints `file:line: what is wrong` and ends with 1 when there is anything.  The rules are functions
named rule_*; tests/tools/tidy_test.py breaks each one on purpose.  Four lists may bend a rule, each
line with its reason: tidy_exceptions.txt (sizes, five files at most), tidy_globals.txt (what a
signal handler must reach), tidy_unused.txt (functions whose caller is a test) and tidy_asserts.txt
(folders that state less than the house wants).
"""
import argparse
import os
import re
import sys
from collections import Counter

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from csource import Source  # noqa: E402

FUNCTION_LINES_MAX = 70
C_LINES_MAX = 450
HEADER_LINES_MAX = 200
MACRO_LINES_MAX = 10
EXCEPTIONS_MAX = 5
FOLDER_SOURCES_MAX = 25
STRUCT_MEMBERS_MAX = 40
STRUCT_BOOLS_MAX = 8
ASSERTS_PER_1000 = 15           # of lines of code
ASSERTS_LINES_LEAST = 500       # of a folder: below that it need not state anything
OUTSIDE_TABLE_LINES_MAX = 10    # of a function that "is one switch or one table"

# The house: what a folder of src/ may include beside itself and the public headers.
FLOORS = {
    "base": [],
    "io": ["base"],
    "metrics": ["base"],
    "net": ["base", "io"],
    "tls": ["base"],
    "http": ["base"],
    "conduit": ["base", "io", "net", "tls"],
    "exchange": ["base", "io", "http"],
    "client": ["base", "io", "net", "tls", "http", "conduit"],
    "route": ["base", "io", "http", "exchange"],
    # Exchanges are the public headers' here: a handler does what an embedder's can.
    "handlers": ["base", "io", "metrics", "http"],
    "gate": ["base", "io", "net", "http", "exchange"],
    "realtime": ["base", "io", "http", "exchange"],
    "proxy": ["base", "io", "metrics", "net", "http", "exchange", "client", "gate"],
    "server": ["base", "io", "metrics", "net", "tls", "http", "conduit", "exchange", "client", "route",
               "handlers", "gate"],
    "flat": ["base"],
    "config": ["base"],
    "process": ["base"],
    "main": ["base", "config", "process"],
}
# System and foreign headers that belong in one place.
FOREIGN = [
    (re.compile(r"openssl/"), re.compile(r"src/tls/")),
    (re.compile(r"nghttp2/"), re.compile(r"tests/")),
    (re.compile(r"sys/epoll\.h|liburing"), re.compile(r"src/io/engine_")),
    # What an exchange is made of: without it px_exchange has no members.
    (re.compile(r"exchange/exchange_(private|parts)\.h"), re.compile(r"src/exchange/")),
]
BANNED = re.compile(r"\b(strcpy|strcat|sprintf|vsprintf|strtok|strtok_r|atoi|atol|strncpy|gets|alloca"
                    r"|__builtin_alloca|setjmp|sigsetjmp|longjmp|siglongjmp)\s*\(")
# Sources of which a build has one: with a dependency or without, for a CPU or for any.
ALTERNATIVES = re.compile(r"_(none|plain)\.c$")
ERRNO_FOLDERS = ("io", "net", "process", "main")
MARKERS = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b"
                     r"|(?i:\bstu" r"bs?\b)|\b[Nn]ot (?:yet )?imple" r"mented\b")
TEXT_SUFFIXES = (".c", ".h", ".py", ".sh", ".md", ".txt", ".cmake", ".in", ".map", ".js", ".json",
                 ".lua", ".scd", ".cc")
SKIP_FOLDERS = {".git", "build", "__pycache__", ".pytest_cache", "node_modules"}


class File:
    def __init__(self, root, path):
        self.path = path
        self.parts = path.split("/")
        with open(os.path.join(root, path), encoding="utf-8", errors="surrogateescape") as file:
            self.text = file.read()
        self.is_c = path.endswith((".c", ".h"))
        self.source = Source(self.text) if self.is_c else None

    def under(self, *folders):
        return any(self.path.startswith(folder + "/") for folder in folders)

    @property
    def floor(self):
        return self.parts[1] if self.parts[0] == "src" and len(self.parts) > 2 else None


class Tree:
    def __init__(self, root):
        self.root = root
        self.files = [File(root, path) for path in sorted(self._paths())]
        self.exceptions = self._list("tools/tidy_exceptions.txt")
        self.globals = self._list("tools/tidy_globals.txt")
        path = os.path.join(root, "tools/tidy_unused.txt")
        self.unused = self._list("tools/tidy_unused.txt") if os.path.exists(path) else None
        self.structs = self._list("tools/tidy_structs.txt")
        self.asserts = self._list("tools/tidy_asserts.txt")
        self.found = []

    def _paths(self):
        for folder, folders, names in os.walk(self.root):
            folders[:] = [name for name in folders if name not in SKIP_FOLDERS]
            for name in names:
                path = os.path.relpath(os.path.join(folder, name), self.root)
                if name.endswith(TEXT_SUFFIXES) or path.split("/")[0] in ("script", ".ci"):
                    if "corpus" not in path.split("/") and "regressions" not in path.split("/"):
                        yield path

    def _list(self, path):
        """Lines of `key: reason`, as a dictionary."""
        entries = {}
        try:
            with open(os.path.join(self.root, path), encoding="utf-8") as file:
                for line in file:
                    if line.strip() and not line.startswith("#"):
                        key, _, reason = line.partition(": ")
                        entries[key.strip()] = reason.strip()
        except FileNotFoundError:
            pass
        return entries

    def report(self, file, line, text):
        self.found.append((file.path if isinstance(file, File) else file, line, text))


def product(tree):
    return (file for file in tree.files if file.is_c and file.under("src", "include", "examples"))


def product_and_bench(tree):
    return (file for file in tree.files
            if file.is_c and file.under("src", "include", "examples", "bench"))


def is_one_switch_or_table(source, item):
    """Whether a function is one `switch` or one table: little else stands outside of it."""
    bare, depth, best, opened = source.bare, 0, 0, 0
    for at in range(item.body, item.end):
        if bare[at] == "{":
            depth += 1
            if depth == 2:
                opened = at
        elif bare[at] == "}":
            if depth == 2:
                before = bare[item.body + 1:opened].rstrip()
                statement = before[max(before.rfind(";"), before.rfind("}")) + 1:]
                if before.endswith("=") or re.match(r"\s*switch\b", statement):
                    best = max(best, source.code_lines(opened, at + 1))
            depth -= 1
    return source.code_lines(item.start, item.end) - best <= OUTSIDE_TABLE_LINES_MAX


def rule_sizes(tree):
    used = set()
    for file in product_and_bench(tree):
        limit = C_LINES_MAX if file.path.endswith(".c") else HEADER_LINES_MAX
        lines = file.source.code_lines()
        if lines > limit:
            used.add(file.path)
            if file.path not in tree.exceptions:
                tree.report(file, 1, f"{lines} lines of code, at most {limit}")
        for item in file.source.items:
            if item.kind() != "function":
                continue
            lines = file.source.code_lines(item.start, item.end)
            if lines > FUNCTION_LINES_MAX and not is_one_switch_or_table(file.source, item):
                used.add(file.path)
                if file.path not in tree.exceptions:
                    tree.report(file, item.line, f"{item.name()} has {lines} lines of code, at most "
                                                 f"{FUNCTION_LINES_MAX}")
    path = "tools/tidy_exceptions.txt"
    if len(tree.exceptions) > EXCEPTIONS_MAX:
        tree.report(path, 1, f"{len(tree.exceptions)} exceptions, at most {EXCEPTIONS_MAX}")
    for name, reason in tree.exceptions.items():
        if name not in used:
            tree.report(path, 1, f"{name} needs no exception (any more)")
        if len(reason.split()) < 3:
            tree.report(path, 1, f"{name}: an exception needs a reason")


def rule_folders(tree):
    """A folder that has very many sources wants rooms."""
    counts = Counter(os.path.dirname(file.path) for file in tree.files
                     if file.path.endswith(".c") and file.under("src"))
    for folder, count in sorted(counts.items()):
        if count > FOLDER_SOURCES_MAX:
            tree.report(folder, 1, f"{count} sources, at most {FOLDER_SOURCES_MAX}: make rooms")


COUNTED = re.compile(r"\bfor \((?:size_t|unsigned|int|uint(?:8|16|32|64)_t) (i|index) = ")


def rule_counters(tree):
    """Loops of one folder count with `i`, or with `index`: its readers meet one of them."""
    folders = {}
    for file in tree.files:
        if file.is_c and file.under("src"):
            for match in COUNTED.finditer(file.source.bare):
                folders.setdefault(os.path.dirname(file.path), {}).setdefault(
                    match.group(1), []).append((file, file.source.line_of(match.start())))
    for folder, found in sorted(folders.items()):
        if len(found) == 2:
            rare, usual = sorted(found, key=lambda name: (len(found[name]), name))
            for file, line in found[rare]:
                tree.report(file, line, f"counts with {rare}, and {folder} with {usual}")


# In a comment: name_of(), or a name with an underscore in backticks.
CALLED = re.compile(r"\b([a-z][a-z0-9]*(?:_[a-z0-9]+)+)\(\)|`([a-z][a-z0-9]*(?:_[a-z0-9]+)+)`")
SOURCE_NAMED = re.compile(r"(?<![\w/.*-])((?:[a-z0-9_]+/)*[a-z][a-z0-9_]*\.[ch])\b(?!\w)")


SYSTEM_HEADERS = {"linux/landlock.h", "resolv.h", "zconf.h"}  # beside those that are included


def rule_comments_name_what_is_there(tree):
    """A comment of src names files that are there, and calls that are."""
    sources = {file.path for file in tree.files if file.is_c}
    bases = {os.path.basename(path) for path in sources}
    system = SYSTEM_HEADERS | {name for file in tree.files if file.is_c
                               for _, bracket, name in file.source.includes() if bracket == "<"}
    known = {name for file in tree.files if file.is_c
             for name in re.findall(r"\b[A-Za-z_]\w*\b", file.source.code)}
    for file in tree.files:
        if not file.is_c or not file.under("src", "include", "examples", "bench"):
            continue
        for comment in re.finditer(r"/\*.*?\*/", file.text, re.S):
            def tell(match, what):
                line = file.text.count("\n", 0, comment.start() + match.start()) + 1
                tree.report(file, line, f"a comment names {match.group(match.lastindex)}, {what}")

            for match in SOURCE_NAMED.finditer(comment.group()):
                name = match.group(1)
                if name in system:
                    continue
                if os.path.basename(name) not in bases or \
                        ("/" in name and not any(f"/{path}".endswith(f"/{name}") for path in sources)):
                    tell(match, "which is no file")
            for match in CALLED.finditer(comment.group()):
                if match.group(match.lastindex) not in known:
                    tell(match, "which the code does not")


SECTION = re.compile(r"^/\* --- .*-\n \*/$", re.M)


def rule_sections(tree):
    """The rule above a section is one line: a formatter breaks one that is too long."""
    for file in tree.files:
        if file.is_c:
            for match in SECTION.finditer(file.text):
                tree.report(file, file.text.count("\n", 0, match.start()) + 1,
                            "the rule of a section is longer than its line")


def rule_layers(tree):
    for file in tree.files:
        if not file.is_c:
            continue
        for line, bracket, name in file.source.includes():
            if name.endswith(".c"):
                tree.report(file, line, f"includes {name}: a .c file is never included")
            if file.floor:
                check_layer(tree, file, line, bracket, name)
            elif file.under("include", "examples") and bracket == '"' and \
                    not name.startswith("pollux/") and name != "site.h":  # of the adapters, beside them
                tree.report(file, line, f'includes "{name}": only public headers here')
        if file.floor and file.floor not in FLOORS:
            tree.report(file, 1, f"src/{file.floor} is not in the house")


def check_layer(tree, file, line, bracket, name):
    for what, where in FOREIGN:
        if what.match(name) and not where.match(file.path):
            tree.report(file, line, f"includes {name}, which belongs in {where.pattern}")
    if bracket == "<":
        if name.startswith("pollux/"):
            tree.report(file, line, f'includes <{name}>: write "{name}"')
        return
    folder = name.split("/")[0]
    if "/" not in name:
        tree.report(file, line, f'includes "{name}": name the folder, "{file.floor}/{name}"')
    elif folder not in FLOORS.get(file.floor, []) + [file.floor, "pollux"]:
        tree.report(file, line, f"src/{file.floor} may not use {name}")
    elif folder == file.floor == "handlers":
        room = os.path.dirname(file.path)[len("src/"):]
        if room == "handlers" or os.path.dirname(name) != room:
            tree.report(file, line, f"a handler may not include another ({name})")


def circles(edges):
    """Groups of names that reach each other, largest first."""
    def reach(start):
        found, todo = set(), [start]
        while todo:
            for name in edges.get(todo.pop(), ()):
                if name not in found:
                    found.add(name)
                    todo.append(name)
        return found

    reached = {name: reach(name) for name in edges}
    groups = {frozenset(other for other in reached[name] if name in reached.get(other, ()))
              for name in edges if name in reached[name]}
    return sorted((sorted(group) for group in groups if len(group) > 1), key=len, reverse=True)


def rule_circles(tree):
    """The files of src/server call downwards: none reaches itself through another.  The files of
    one driver (h1/, h2/) are one noun and count as one."""
    def noun(path):
        return os.path.dirname(path) if path.startswith(("src/server/h1/", "src/server/h2/")) \
            else path

    sources = [file for file in tree.files if file.under("src/server") and file.path.endswith(".c")]
    owners = {}
    for file in sources:
        for item in file.source.items:
            if item.kind() in ("function", "variable") and not re.match(r"\s*static\b", item.text):
                owners[item.name()] = noun(file.path)
    edges = {}
    for file in sources:
        used = {owners[name] for name in set(re.findall(r"\b[a-z_]\w*", file.source.bare))
                if name in owners}
        edges.setdefault(noun(file.path), set()).update(used - {noun(file.path)})
    for group in circles(edges):
        tree.report(group[0], 1, "a circle of files: " + ", ".join(group))


def rule_structs(tree):
    """A struct with very many members, or a state told by booleans, is several things in one."""
    path, used = "tools/tidy_structs.txt", set()
    for file in tree.files:
        if not file.is_c or not file.under("src"):
            continue
        for match in re.finditer(r"\bstruct (\w+) \{", file.source.bare):
            depth, at, members = 1, match.end(), ""
            while depth and at < len(file.source.bare):
                depth += {"{": 1, "}": -1}.get(file.source.bare[at], 0)
                if depth == 1:
                    members += file.source.bare[at]
                at += 1
            lines = [line for line in re.sub(r"\([^()]*\)", "", members).split(";") if line.strip()]
            count = sum(1 + line.count(",") for line in lines)
            flags = sum(1 + line.count(",") for line in lines if re.match(r"\s*\}?\s*bool\b", line))
            if count <= STRUCT_MEMBERS_MAX and flags <= STRUCT_BOOLS_MAX:
                continue
            used.add(match.group(1))
            if match.group(1) not in tree.structs:
                tree.report(file, file.source.line_of(match.start()),
                            f"struct {match.group(1)} has {count} members, {flags} of them bool; at "
                            f"most {STRUCT_MEMBERS_MAX} and {STRUCT_BOOLS_MAX}")
    for name, reason in tree.structs.items():
        if name not in used:
            tree.report(path, 1, f"struct {name} needs no exception (any more)")
        if len(reason.split()) < 3:
            tree.report(path, 1, f"struct {name}: an exception needs a reason")


def rule_bans(tree):
    for file in tree.files:
        if not file.is_c:
            continue
        source = file.source
        for match in BANNED.finditer(source.bare):
            tree.report(file, source.line_of(match.start()), f"{match.group(1)} is banned")
        if (file.floor and file.floor not in ERRNO_FOLDERS) or file.under("include"):
            for match in re.finditer(r"\berrno\b", source.bare):
                tree.report(file, source.line_of(match.start()),
                            f"errno belongs in src/{{{','.join(ERRNO_FOLDERS)}}}")


def rule_conditionals(tree):
    for file in product(tree):
        if re.match(r"src/(io/engine_|tls/|base/check\.h$)", file.path):
            continue
        guard = None
        if file.path.endswith(".h"):
            match = re.search(r"^#ifndef (\w+)\n#define \1$", file.source.code, re.M)
            guard = match.group(1) if match else None
            if not guard:
                tree.report(file, 1, "has no include guard")
        for start, text in file.source.directives:
            condition = re.match(r"[ \t]*#[ \t]*(?:if|ifdef|ifndef|elif)\b(.*)", text, re.S)
            if condition and condition.group(1).strip() not in (guard, "__cplusplus"):
                tree.report(file, file.source.line_of(start),
                            "#if belongs in engines, TLS, base/check.h: let CMake choose a file")


def rule_macros(tree):
    for file in product_and_bench(tree):
        for start, text in file.source.directives:
            if not re.match(r"[ \t]*#[ \t]*define\b", text):
                continue
            lines = text.count("\n") + 1
            table = re.match(r"[ \t]*#[ \t]*define \w+\((X|call)\)((?:\\\n|\s)*\1\([^()]*\))*\s*$", text)
            if lines > MACRO_LINES_MAX and not table:
                tree.report(file, file.source.line_of(start),
                            f"a macro of {lines} lines, at most {MACRO_LINES_MAX}")


def rule_initialisers(tree):
    """A value cannot initialise a static, so each PX_x_DEFAULT has a PX_x_INIT beside it."""
    for file in product(tree):
        if not file.under("include"):
            continue
        defined = {}
        for start, text in file.source.directives:
            match = re.match(r"[ \t]*#[ \t]*define (PX_\w+)_(DEFAULT|INIT)\b", text)
            if match:
                defined.setdefault(match.group(2), {})[match.group(1)] = start
        for name in sorted(set(defined.get("DEFAULT", {})) - set(defined.get("INIT", {}))):
            tree.report(file, file.source.line_of(defined["DEFAULT"][name]),
                        f"{name}_DEFAULT needs a {name}_INIT beside it, by PX_INIT_OF")


def rule_globals(tree):
    used = set()

    def check(file, line, name, is_const):
        if is_const:
            return
        key = f"{file.path}:{name}"
        used.add(key)
        if key not in tree.globals:
            tree.report(file, line, f"{name} is a mutable variable that outlives its function")

    for file in tree.files:
        if not file.is_c or not file.under("src", "include"):
            continue
        source = file.source
        for match in re.finditer(r"\b(_Thread_local|__thread|thread_local)\b", source.bare):
            tree.report(file, source.line_of(match.start()), "no thread-local variables")
        for item in source.items:
            if item.kind() == "variable":
                check(file, item.line, item.name(), item.is_const())
            if item.kind() == "function":
                for match in re.finditer(r"\bstatic\b[^;]*?[;={]", source.bare[item.body:item.end]):
                    at = item.body + match.start()
                    local = source._item(at)
                    check(file, source.line_of(at), local.name(), local.is_const())
    for key, reason in tree.globals.items():
        if not key.startswith("src/process/"):
            tree.report("tools/tidy_globals.txt", 1, f"{key}: only src/process may have any")
        if key not in used:
            tree.report("tools/tidy_globals.txt", 1, f"{key} is not there (any more)")
        if len(reason.split()) < 3:
            tree.report("tools/tidy_globals.txt", 1, f"{key}: needs a reason")


def rule_names(tree):
    for file in tree.files:
        name = os.path.basename(file.path)
        if re.search(r"_part_?\d", name):
            tree.report(file, 1, "a file is named for its noun, not for being the second half")
        if file.path.startswith("tests/unit/") and name.endswith(".c") and \
                not name.endswith("_test.c") and re.search(r"^int main\(", file.text, re.M):
            tree.report(file, 1, "a unit test is named <noun>_test.c")


def functions_shared(tree):
    """Where each function of src/ that is not static is defined: {name: [(file, line), ...]}."""
    defined = {}
    for file in tree.files:
        if file.floor and file.path.endswith(".c"):
            for item in file.source.items:
                if item.kind() == "function" and not re.search(r"\bstatic\b", item.head):
                    defined.setdefault(item.name(), []).append((file, item.line))
    return defined


def rule_one_function_a_name(tree):
    """A name is one function.  Files of one folder of which CMake chooses one (ALTERNATIVES), and
    px_on_fatal, which a program may define, are the exceptions."""
    for name, places in functions_shared(tree).items():
        if name == "px_on_fatal":
            continue
        kept = [place for place in places if not ALTERNATIVES.search(place[0].path)]
        kept = kept or places[:1]
        for file, line in kept[1:]:
            tree.report(file, line, f"{name} is defined in {kept[0][0].path} too")


def rule_functions_are_used(tree):
    """A function that is not static has a caller in the product, or a reason in tidy_unused.txt.
    What the public headers declare is for others to call."""
    if tree.unused is None:
        return
    counts = {file.path: Counter(re.findall(r"\b[A-Za-z_]\w*\b", file.source.code))
              for file in tree.files if file.is_c and file.under("src", "examples")}
    defined = functions_shared(tree)
    for name, places in defined.items():
        if name == "main" or name.startswith("px_") or name in tree.unused:
            continue
        if name.endswith("_check"):  # states what must hold: tests and the simulation call it
            continue
        own = {file.path for file, _ in places}
        # It is declared in one header; named once more in any, it is called there.
        headers = sum(count[name] for path, count in counts.items() if path.endswith(".h"))
        if headers < 2 and not any(count[name] > (path in own) for path, count in counts.items()
                                   if path.endswith(".c")):
            tree.report(places[0][0], places[0][1], f"{name} is called by nothing")
    for name, reason in tree.unused.items():
        if name not in defined:
            tree.report("tools/tidy_unused.txt", 1, f"{name} is not there (any more)")
        if len(reason.split()) < 3:
            tree.report("tools/tidy_unused.txt", 1, f"{name}: needs a reason")


def rule_listed(tree):
    """Every source is in the list of its folder, or of the nearest one above that has a list: a file
    that is not built is dead."""
    lists = {os.path.dirname(file.path): file.text for file in tree.files
             if os.path.basename(file.path) == "CMakeLists.txt"}
    for file in tree.files:
        folder = os.path.dirname(file.path)
        if not file.path.endswith(".c") or not file.under("src", "tests/unit", "examples"):
            continue
        while folder not in lists and folder:
            folder = os.path.dirname(folder)  # a room of a folder has no list of its own
        stem = os.path.splitext(os.path.basename(file.path))[0]
        while folder not in lists and folder.count("/") > 1:
            folder = os.path.dirname(folder)
        if not re.search(rf"(?<![\w]){re.escape(stem)}(?![\w])", lists.get(folder, "")):
            tree.report(file, 1, f"is not listed in {folder}/CMakeLists.txt")


ASSERTION = re.compile(r"\b(?:CHECK|CHECK_RULE|ASSERT|_Static_assert|static_assert)\s*\(")


def assertions(tree):
    """For each folder of src, and for src: how many assertions, and in how many lines of code."""
    counts = {}
    for file in tree.files:
        if not file.is_c or not file.under("src"):
            continue
        lines = file.source.code_lines(0, len(file.text))
        count = len(ASSERTION.findall(file.source.bare))
        for folder in {"src", "/".join(file.parts[:2]) if file.floor else "src"}:
            known = counts.get(folder, (0, 0))
            counts[folder] = (known[0] + count, known[1] + lines)
    return counts


def rule_assertions(tree):
    """A folder states so much of what must hold.  tidy_asserts.txt has those that do not yet, with
    what they must not fall below: `src/folder: count reason`."""
    path = "tools/tidy_asserts.txt"
    counts = assertions(tree)
    for folder, (count, lines) in sorted(counts.items()):
        wanted, _, reason = tree.asserts.get(folder, f"{ASSERTS_PER_1000} as all").partition(" ")
        if folder in tree.asserts and (not wanted.isdigit() or len(reason.split()) < 3):
            tree.report(path, 1, f"{folder}: needs a count and a reason")
        elif lines < ASSERTS_LINES_LEAST:
            continue
        elif count * 1000 < int(wanted) * lines:
            tree.report(folder, 1, f"has {count * 1000 / lines:.1f} assertions in 1,000 lines of "
                                   f"code, wants {wanted}")
        elif folder in tree.asserts and count * 1000 >= ASSERTS_PER_1000 * lines:
            tree.report(path, 1, f"{folder} has enough assertions: take it out")
    for folder in tree.asserts:
        if folder not in counts:
            tree.report(path, 1, f"{folder} is not there (any more)")


def rule_first_comment(tree):
    for file in tree.files:
        if file.is_c:
            match = re.match(r"/\*(.*?)\*/", file.text, re.S)
        elif file.path.endswith(".py"):
            match = re.match(r'(?:#!.*\n)?\s*(?:"""(.*?)"""|((?:#.*\n)+))', file.text, re.S)
        elif file.path.endswith(".sh") or file.under("script", ".ci"):
            match = re.match(r"#!.*\n((?:#.*\n)+)", file.text)
        else:
            continue
        if not file.text.strip() and file.path.endswith("__init__.py"):
            continue
        words = " ".join(group for group in match.groups() if group).split() if match else []
        if len(words) < 5:
            tree.report(file, 1, "begins without a comment that says what it is for")


def rule_markers(tree):
    for file in tree.files:
        for match in MARKERS.finditer(file.text):
            line = file.text.count("\n", 0, match.start()) + 1
            tree.report(file, line, f'"{match.group(0)}": finish it, or write it in the tracker')


PERSONS = re.compile(r"(?<!kill-)\b(?:who|whom|whoever|somebody|everybody|anybody)\b"
                     r"|(?<!user )(?<!root: )(?<!NULL: )(?<!as )(?<!-u )(?<![`\"])\bnobody\b(?![`\"])", re.I)


def rule_plain_words(tree):
    """Sentences are about peers, connections, processes, callers: persons have no part in them."""
    for file in tree.files:
        if file.is_c and file.under("src", "include", "examples", "bench"):
            texts = re.finditer(r"/\*.*?\*/", file.text, re.S)
        elif file.path.endswith(".md") and not file.under("docs/benchmarks"):
            texts = re.finditer(r"(?s).+", re.sub(r"`[^`\n]*`", lambda m: "`" * len(m.group()), file.text))
        else:
            continue
        for text in texts:
            for match in PERSONS.finditer(text.group()):
                line = file.text.count("\n", 0, text.start() + match.start()) + 1
                tree.report(file, line, f'"{match.group()}": name the peer, connection, process or caller')


def public_names(item):
    """Every name that an item of a public header declares."""
    kind = item.kind()
    text = item.text
    names = []
    if kind in ("function", "prototype", "variable"):
        names.append(item.name())
    else:
        names += re.findall(r"\b(?:struct|union|enum)\s+([A-Za-z_]\w*)", item.head)
    if kind == "typedef":
        pointer = re.search(r"\(\s*\*\s*([A-Za-z_]\w*)", item.head)
        tail = re.findall(r"[A-Za-z_]\w*", text[text.rfind("}") + 1:] if item.body else text)
        names.append(pointer.group(1) if pointer and not item.body else tail[-1])
    if re.search(r"\benum\b", item.head) and item.body is not None:
        body = re.sub(r"\([^()]*\)", "", text[text.find("{") + 1:text.rfind("}")])
        names += [match.group(1) for part in body.split(",")
                  if (match := re.match(r"\s*([A-Za-z_]\w*)", part))]
    return names


def rule_public_headers(tree):
    for file in tree.files:
        if not file.path.startswith("include/pollux/") or not file.is_c:
            continue
        source = file.source
        first = re.match(r"/\*.*?\*/", file.text, re.S)
        file_says_thread = bool(first) and "thread" in first.group(0)
        for start, text in source.directives:
            match = re.match(r"[ \t]*#[ \t]*define[ \t]+(\w+)", text)
            if match and not match.group(1).startswith("PX_"):
                tree.report(file, source.line_of(start), f"{match.group(1)} is not PX_*")
        for item in source.items:
            for name in public_names(item):
                if not re.match(r"px_|PX_", name):
                    tree.report(file, item.line, f"{name} is not px_* or PX_*")
            if item.kind() not in ("function", "prototype"):
                continue
            comment = source.comment_before(item.start)
            if not comment.startswith("/**") or len(comment.strip("/* \n").split()) < 3:
                tree.report(file, item.line, f"{item.name()} has no /** documentation */")
            elif "thread" not in comment and not file_says_thread:
                tree.report(file, item.line, f"{item.name()} does not say which thread may call it")


RULES = [rule for name, rule in sorted(globals().items()) if name.startswith("rule_")]


def check(root):
    tree = Tree(root)
    for rule in RULES:
        rule(tree)
    return sorted(set(tree.found)), len(tree.files)


def main():
    parser = argparse.ArgumentParser(description="Check the tree against the rules of the house.")
    parser.add_argument("--root", default=os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    found, count = check(parser.parse_args().root)
    for path, line, text in found:
        print(f"{path}:{line}: {text}")
    if count == 0:
        print("tidy: no files found")
    return 1 if found or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
