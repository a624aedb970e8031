"""Every piece of C and C++ that the pages show compiles, with the warnings that a careful program has on.

A fenced block is C where its first line says `c`, C++ where it says `cpp`: the body of a function, or a file
where it says `c file` or has a main. A line of `...` stands for the program's own. Names that a piece does not
declare are those of NAMES, so that a page may say `server` and mean one. What pieces leave unused is their
readers'; whatever else gcc has to say of -Wall -Wextra is an error, results that must be looked at above all.
"""
import glob
import os
import re
import subprocess
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HANDLER = "void {}(px_exchange *, void *);"
NAMES = {
    "access": "extern px_access *access;",
    "answer": "void answer(px_exchange *, px_err, void *);",
    "handler": HANDLER.format("handler"),
    "add_user": HANDLER.format("add_user"),
    "allow": "void allow(const char *);",
    "api": HANDLER.format("api"),
    "check_token": "px_verdict check_token(px_exchange *, void *);",
    "check_user": "px_verdict check_user(px_exchange *, void *);",
    "callbacks": "extern const px_exchange_callbacks callbacks;",
    "context": "extern void *context;",
    "error": "extern px_error error;",
    "exchange": "extern px_exchange *exchange;",
    "fd": "extern int fd;",
    "finish": "void finish(px_exchange *, px_err, void *);",
    "host": "extern px_host *host;",
    "job_forget": "void job_forget(void *);",
    "job": "extern void *job;",
    "listener": "extern px_listener *listener;",
    "loop": "extern px_loop *loop;",
    "message": "extern px_str message;",
    "modified": "extern int64_t modified;",
    "my_ends": "extern int my_ends[];",
    "on_content": "size_t on_content(px_fetch *, px_str, void *);",
    "on_fetched": "void on_fetched(px_fetch *, const px_error *, void *);",
    "on_head": "void on_head(px_fetch *, void *);",
    "on_saved": "void on_saved(px_exchange *, const px_saved *, void *);",
    "options": "extern px_events_options options;",
    "pages": "extern void *pages;",
    "result": "extern char *result;",
    "route": "extern px_route_options route;",
    "server": "extern px_server *server;",
    "show": HANDLER.format("show"),
    "show_file": HANDLER.format("show_file"),
    "show_user": HANDLER.format("show_user"),
    "site": "extern px_site *site;",
    "site_options": "extern px_site_options site_options;",
    "socket": "extern px_websocket *socket;",
    "stream": "extern px_events *stream;",
    "text": "extern px_str text;",
    "topic": "extern px_topic *topic;",
    "topic_options": "extern px_topic_options topic_options;",
    "upload": "extern void *upload;",
    "users": "extern void *users;",
    "workers": "extern unsigned workers;",
}
INCLUDES = "".join(f"#include <{name}>\n" for name in (
    "assert.h", "poll.h", "stdio.h", "stdlib.h", "string.h", "sys/socket.h", *(
        f"pollux/{os.path.basename(path)}" for path in sorted(glob.glob(f"{ROOT}/include/pollux/*.h")))))
# Not -fsyntax-only: that does not see which results are thrown away.
FLAGS = ["-c", "-o", "/dev/null", "-Wall", "-Wextra", "-Werror", "-Wno-unused-variable", "-Wno-unused-function",
         "-Wno-unused-but-set-variable", f"-I{ROOT}/include"]
COMPILERS = {"c": ["gcc", "-x", "c"], "cpp": ["g++", "-std=c++20", "-x", "c++"]}


def pieces(page):
    """Language, whether it is a file, its line and text, of each fenced block that is C or C++."""
    with open(page, encoding="utf-8") as file:
        lines = file.read().split("\n")
    at = 0
    while at < len(lines):
        begin = re.fullmatch(r"```(c|cpp)?( file)?(?:\s.*)?|```\S.*", lines[at])
        if not begin:
            at += 1
            continue
        end = lines.index("```", at + 1)
        text = "\n".join(lines[at + 1 : end]) + "\n"
        if begin[1]:
            yield begin[1], bool(begin[2]) or "int main(" in text, at + 1, text
        at = end + 1


def declares(text, name):
    """Whether a file declares the name by itself."""
    return re.search(rf"^(?:static |const )*(?:px_\w+|int|void|char) \**{name}\b", text, re.M) is not None


def program(language, is_file, line, text, page):
    """A translation unit that shows what is wrong at the line of the page."""
    where = f'#line {line + 1} "{page}"\n'
    body = re.sub(r"^(\s*)\.\.\.", r"\1(void)0;", text, flags=re.M)
    if "int main(" in text:
        return where + body
    if language == "cpp":
        heads = "".join(found + "\n" for found in re.findall(r"^#include .*$", body, re.M))
        body = re.sub(r"^#include .*$", "", body, flags=re.M)
        return f"{heads}void piece();\nvoid piece()\n{{\n{where}{body}}}\n"
    names = "".join(NAMES[name] + "\n" for name in sorted(NAMES)
                    if re.search(rf"\b{name}\b", text) and not (is_file and declares(text, name)))
    # libc has something else by these names.
    names = "".join(f"#define {name} its_{name}\n" for name in ("access", "socket") if f"*{name};" in names) + names
    if is_file:
        return INCLUDES + names + where + body
    return f"{INCLUDES}{names}void piece(void);\nvoid piece(void)\n{{\n{where}{body}}}\n"


def sketch(comment):
    """The indented lines of a comment without what is said of them; each stays at its line."""
    lines = []
    for line in comment.split("\n"):
        code = re.fullmatch(r" \*\s{3,}([^.{\s].*|\{)", line)
        lines.append(re.sub(r"(?<=[;)])\s{2,}\S.*$", "", code[1]) if code else "")
    return "\n".join(lines) + "\n"


def compiled(language, source, *more):
    return subprocess.run([*COMPILERS[language], *FLAGS, *more, "-"], input=source, capture_output=True, text=True, timeout=120)


class Snippets(unittest.TestCase):
    def test_all_compile(self):
        failed, count = [], 0
        for page in [f"{ROOT}/README.md", *sorted(glob.glob(f"{ROOT}/docs/*.md"))]:
            if page.endswith("/COOKBOOK.md"):
                continue  # programs that are built and run, and that the page is held to
            for language, is_file, line, text in pieces(page):
                count += 1
                made = compiled(language, program(language, is_file, line, text, os.path.relpath(page, ROOT)))
                if made.returncode != 0:
                    failed.append(made.stderr)
        self.assertEqual(failed, [], "\n".join(failed))
        self.assertGreater(count, 25)

    def test_headers_show_what_compiles(self):
        """What stands at the top of a header is a sketch: results are not looked at, remarks stand behind the code."""
        failed, count = [], 0
        for path in sorted(glob.glob(f"{ROOT}/include/pollux/*.h")):
            with open(path, encoding="utf-8") as file:
                top = re.match(r"/\*.*?\*/", file.read(), re.S)[0]
            text = sketch(top)
            if "px_" not in text:
                continue
            count += 1
            made = compiled("c", program("c", False, 0, text, os.path.relpath(path, ROOT)), "-Wno-unused-result")
            if made.returncode != 0:
                failed.append(made.stderr)
        self.assertEqual(failed, [], "\n".join(failed))
        self.assertGreater(count, 12)

    def test_code_of_the_guides_is_fenced(self):
        """What is indented alone would not be compiled."""
        for page in ("EMBEDDING", "REALTIME", "TLS", "PROXY", "FILES", "HTTP"):
            with open(f"{ROOT}/docs/{page}.md", encoding="utf-8") as file:
                text = re.sub(r"^```.*?^```", "", file.read(), flags=re.S | re.M)
            self.assertEqual(re.findall(r"^    .*\bpx_\w+\(.*$", text, re.M), [], page)

    def test_what_is_wrong_fails(self):
        for text in ('px_server_route(server, "GET /", show, NULL, &error);\n', "px_respond(exchange, 200);\n",
                     "rules.middleware = &check_token;\n", "px_nothing(exchange);\n"):
            self.assertNotEqual(compiled("c", program("c", False, 1, text, "page")).returncode, 0, text)
        self.assertEqual(compiled("c", program("c", False, 1, "px_respond_error(exchange, 404);\n...\n", "page")).returncode, 0)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[1:]])
