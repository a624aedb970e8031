"""Breaks each rule of tools/tidy.py on purpose, and checks that the good twin passes."""
import os
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))
import tidy  # noqa: E402
from csource import Source  # noqa: E402

HEAD = "/*\n * A file that is here to be looked at by a test.\n */\n"


def header(text, guard="PX_A_H"):
    return f"{HEAD}#ifndef {guard}\n#define {guard}\n\n{text}\n\n#endif\n"


def function(lines, inside="    x++;\n"):
    return "void big_function(int x)\n{\n" + inside * (lines - 3) + "}\n"


class TidyTest(unittest.TestCase):
    def found(self, files, lists=True):
        """What tidy says of a tree with these files; sources are listed unless told otherwise."""
        with tempfile.TemporaryDirectory() as root:
            files = dict(files)
            if lists:
                for path in list(files):
                    folder = os.path.dirname(path)
                    if path.endswith(".c"):
                        listed = files.setdefault(f"{folder}/CMakeLists.txt", "")
                        files[f"{folder}/CMakeLists.txt"] = f"{listed}{os.path.basename(path)}\n"
            for path, text in files.items():
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                    file.write(text)
            return [f"{path}:{line}: {text}" for path, line, text in tidy.check(root)[0]]

    def good(self, path, text, **more):
        self.assertEqual(self.found({path: text, **more}), [])

    def bad(self, path, text, expected, **more):
        found = self.found({path: text, **more})
        self.assertEqual(len(found), 1, found)
        self.assertIn(expected, found[0])

    # --- words ---------------------------------------------------------------------------------

    def test_persons(self):
        self.good("src/base/a.c", HEAD + "/* A peer that waits; user nobody, as nobody. */\n")
        self.bad("src/base/a.c", HEAD + "/* Who waits. */\n", '"Who"')
        self.bad("src/base/a.c", HEAD + "/* Nobody waits. */\n", '"Nobody"')
        self.good("docs/A.md", "Workers become `nobody`.\n")
        self.bad("docs/A.md", "For somebody else.\n", '"somebody"')

    # --- sizes ---------------------------------------------------------------------------------

    def test_function_size(self):
        self.good("src/base/a.c", HEAD + function(70))
        self.bad("src/base/a.c", HEAD + function(71), "big_function has 71 lines")
        self.good("src/base/a.c", HEAD + function(70, "    x++;\n\n    /* why\n     */\n"))

    def test_one_switch_is_exempt(self):
        inside = "    switch (x) {\n" + "    case 1:\n" * 100 + "    }\n"
        self.good("src/base/a.c", HEAD + f"void big_function(int x)\n{{\n{inside}}}\n")
        inside += "    x++;\n" * 20
        self.bad("src/base/a.c", HEAD + f"void big_function(int x)\n{{\n{inside}}}\n", "big_function")

    def test_one_table_is_exempt(self):
        inside = "    static const int table[] = {\n" + "        1,\n" * 100 + "    };\n"
        self.good("src/base/a.c", HEAD + f"int big_function(int x)\n{{\n{inside}\n    return table[x];\n}}\n")

    def test_loop_is_not_exempt(self):
        inside = "    while (x) {\n" + "        x--;\n" * 100 + "    }\n"
        self.bad("src/base/a.c", HEAD + f"void big_function(int x)\n{{\n{inside}}}\n", "big_function")

    def test_file_size(self):
        many = "".join(f"int name_{index}(void);\n" for index in range(450))
        self.good("src/base/a.c", HEAD + many)
        self.bad("src/base/a.c", HEAD + many + "int more(void);\n", "451 lines of code, at most 450")
        self.good("src/base/a.h", header("int name(void);\n" * 190))
        self.bad("src/base/a.h", header(many), "at most 200")

    def test_exceptions(self):
        big = HEAD + function(71)
        path = "tools/tidy_exceptions.txt"
        self.good("src/base/a.c", big, **{path: "src/base/a.c: one loop, tighter apart\n"})
        self.bad("src/base/a.c", big, "needs a reason", **{path: "src/base/a.c: big\n"})
        self.bad("src/base/a.c", HEAD, "needs no exception", **{path: "src/base/a.c: it was too large\n"})
        files = {f"src/base/a{index}.c": big.replace("big_", f"big{index}_") for index in range(6)}
        files[path] = "".join(f"{name}: one loop, tighter apart\n" for name in files)
        self.assertEqual(len(self.found(files)), 1)
        self.assertIn("6 exceptions, at most 5", self.found(files)[0])

    def test_folder_size(self):
        many = {f"src/base/a{index}.c": HEAD for index in range(25)}
        lists = {"src/base/CMakeLists.txt": " ".join(f"a{index}.c" for index in range(26))}
        self.assertEqual(self.found({**many, **lists}), [])
        found = self.found({**many, **lists, "src/base/a25.c": HEAD})
        self.assertEqual(len(found), 1, found)
        self.assertIn("26 sources, at most 25", found[0])
        self.assertEqual(self.found({**many, **lists, "src/base/room/a25.c": HEAD}), [])

    def test_counters(self):
        loop = "static inline void {0}(void)\n{{\n    for (int {1} = 0; {1} < 2; {1}++)\n        ;\n}}\n"
        self.good("src/base/a.h", header(loop.format("one", "i") + loop.format("two", "i")))
        self.good("src/base/a.h", header(loop.format("one", "index") + loop.format("two", "index")))
        self.bad("src/base/a.h", header(loop.format("one", "i") + loop.format("two", "i") +
                                        loop.format("three", "index")), "counts with index")
        self.good("src/base/a.h", header(loop.format("one", "i")),
                  **{"src/io/a.h": header(loop.format("two", "index")).replace("BASE", "IO")})

    # --- what comments name ----------------------------------------------------------------------

    def test_files_that_comments_name(self):
        self.good("src/base/a.c", HEAD + "/* See a.c, base/a.c, src/base/a.c and stdio.h. */\n#include <stdio.h>\n")
        self.bad("src/base/a.c", HEAD + "/* See gone.c. */\n", "names gone.c, which is no file")
        self.bad("src/base/a.c", HEAD + "/* See io/a.c. */\n", "names io/a.c, which is no file")
        self.good("src/base/a.c", HEAD + "/* Level 2.c of it, or conf.d/x.conf. */\n")

    def test_calls_that_comments_name(self):
        self.good("src/base/a.c", HEAD + "/* As name_of() does. */\nstatic int name_of(void);\n")
        self.bad("src/base/a.c", HEAD + "/* As name_of() does. */\n", "names name_of, which the code does not")
        self.bad("src/base/a.c", HEAD + "/* As `name_of` does. */\n", "names name_of, which the code does not")
        self.good("src/base/a.c", HEAD + "/* As `name` does. */\n")

    def test_sections(self):
        self.good("src/base/a.c", HEAD + "/* --- Names ----- */\n")
        self.bad("src/base/a.c", HEAD + "/* --- Names -----\n */\n", "longer than its line")

    # --- layers --------------------------------------------------------------------------------

    def test_every_floor(self):
        for floor, uses in tidy.FLOORS.items():
            for other in tidy.FLOORS:
                text = f'{HEAD}#include "{other}/thing.h"\n'
                if other == floor or other in uses:
                    self.good(f"src/{floor}/a.c", text) if floor != "handlers" or other != floor \
                        else self.bad(f"src/{floor}/a.c", text, "another")
                else:
                    self.bad(f"src/{floor}/a.c", text, f"src/{floor} may not use {other}/thing.h")

    def test_table_of_floors_goes_downwards(self):
        order = ["base", "io", "metrics", "net", "tls", "http", "conduit", "exchange", "client", "route",
                 "handlers", "gate", "realtime", "proxy", "server", "flat", "config", "process", "main"]
        self.assertEqual(sorted(order), sorted(tidy.FLOORS))
        for floor, uses in tidy.FLOORS.items():
            for other in uses:
                self.assertLess(order.index(other), order.index(floor))

    def test_handlers(self):
        self.good("src/handlers/files/files_list.c", HEAD + '#include "handlers/files/files.h"\n')
        self.bad("src/handlers/files/a.c", HEAD + '#include "handlers/compress/compress.h"\n',
                 "another")

    def test_include_style(self):
        self.bad("src/base/a.c", HEAD + '#include "arena.h"\n', "name the folder")
        self.bad("src/base/a.c", HEAD + "#include <pollux/str.h>\n", "write")
        self.good("src/base/a.c", HEAD + '#include "pollux/str.h"\n#include <stddef.h>\n')
        self.bad("src/nowhere/a.c", HEAD, "not in the house")
        self.good("src/base/a.c", HEAD + '/* #include "base/a.c" */\n')

    def test_include_of_source(self):
        self.bad("src/base/a.c", HEAD + '#include "base/b.c"\n', "never included")
        self.bad("tests/unit/base/a_test.c", HEAD + '#include "base/b.c"\n', "never included")

    def test_public_and_examples(self):
        self.bad("examples/a.c", HEAD + '#include "base/buf.h"\n', "only public headers")
        self.good("examples/a.c", HEAD + '#include "pollux/str.h"\n#include <pollux/str.h>\n')
        self.bad("include/pollux/a.h", header('#include "base/buf.h"'), "only public headers")
        self.good("tests/unit/base/a_test.c", HEAD + '#include "server/conn.h"\n')

    def test_walls_of_the_exchange(self):
        for name in ("exchange_private.h", "exchange_parts.h"):
            text = f'{HEAD}#include "exchange/{name}"\n'
            self.good("src/exchange/a.c", text)
            self.good("tests/unit/exchange/a_test.c", text)
            self.bad("src/server/h1/a.c", text, "belongs in src/exchange/")
            self.bad("src/route/a.c", text, "belongs in src/exchange/")
        for name in ("exchange.h", "transport.h", "service.h"):
            text = f'{HEAD}#include "exchange/{name}"\n'
            self.good("src/server/h1/a.c", text)
            self.bad("src/handlers/files/a.c", text, "src/handlers may not use")

    def test_foreign_headers(self):
        self.bad("src/net/a.c", HEAD + "#include <sys/epoll.h>\n", "src/io/engine_")
        self.good("src/io/engine_epoll.c", HEAD + "#include <sys/epoll.h>\n")
        self.bad("src/server/a.c", HEAD + "#include <openssl/ssl.h>\n", "src/tls/")
        self.bad("src/main/a.c", HEAD + "#include <openssl/ssl.h>\n", "src/tls/")
        self.bad("src/server/a.c", HEAD + "#include <nghttp2/nghttp2.h>\n", "tests/")

    # --- bans ----------------------------------------------------------------------------------

    def test_banned_functions(self):
        names = ("strcpy strcat sprintf strtok atoi strncpy gets alloca setjmp longjmp "
                 "__builtin_alloca").split()
        for name in names:
            text = f"{HEAD}void f(char *a)\n{{\n    {name}(a);\n}}\n"
            self.bad("src/base/a.c", text, f"{name} is banned")
            self.bad("tests/lib/a.c", text, f"{name} is banned")
        self.good("src/base/a.c", f'{HEAD}/* strcpy(a) */\nconst char *f(void)\n{{\n'
                                  '    return "atoi(x)";\n}\nvoid my_gets(int x);\n')

    def test_errno(self):
        text = HEAD + "#include <errno.h>\nint f(void)\n{\n    return errno;\n}\n"
        self.bad("src/base/a.c", text, "errno belongs")
        self.bad("src/http/a.c", text, "errno belongs")
        for floor in tidy.ERRNO_FOLDERS:
            self.good(f"src/{floor}/a.c", text)
        self.good("src/base/a.c", HEAD + "#include <errno.h>\nint f(int sys_errno);\n")

    def test_conditionals(self):
        for condition in ("#if 1", "#ifdef X", "#ifndef X", "# if defined(X)"):
            text = f"{HEAD}{condition}\nint f(void);\n#endif\n"
            self.bad("src/server/a.c", text, "#if belongs in")
        self.bad("examples/a.c", HEAD + "#ifdef X\n#endif\n", "#if belongs in")
        self.good("src/io/engine_epoll.c", HEAD + "#ifdef X\n#endif\n")
        self.good("src/tls/a.c", HEAD + "#if X\n#endif\n")
        self.good("src/base/check.h", header("#if X\n#endif"))
        self.good("src/base/a.h", header("#ifdef __cplusplus\n#endif"))
        self.bad("src/base/a.h", header("#ifndef OTHER\n#endif"), "#if belongs in")
        self.bad("src/base/a.h", HEAD + "int f(void);\n", "no include guard")

    def test_macros(self):
        long = "#define MACRO(x) " + "\\\n    x;" * 10 + "\n"
        self.good("src/base/a.c", HEAD + "#define MACRO(x) " + "\\\n    x;" * 9 + "\n")
        self.bad("src/base/a.c", HEAD + long, "a macro of 11 lines")
        self.good("src/base/a.c", HEAD + "#define LIST(X) " + "\\\n    X(read)" * 20 + "\n")
        self.bad("src/base/a.c", HEAD + "#define LIST(X) " + "\\\n    X(read);" * 20 + "\n", "macro")

    def test_initialisers(self):
        value = "#define PX_A_DEFAULT px_a_default()\n"
        self.good("include/pollux/a.h", header(value + "#define PX_A_INIT PX_INIT_OF(px_a)\n"))
        self.bad("include/pollux/a.h", header(value), "PX_A_DEFAULT needs a PX_A_INIT")
        self.bad("include/pollux/a.h", header(value + "#define PX_B_INIT PX_INIT_OF(px_b)\n"), "PX_A_INIT")
        self.good("src/base/a.c", HEAD + value)

    # --- variables -----------------------------------------------------------------------------

    def test_mutable_variables(self):
        for text in ("int count;", "static int count;", "static int count = 1;", "extern int count;",
                     "static const char *count;", "static const char *count[] = {\"a\"};",
                     "static struct thing count = {1, 2};", "struct thing { int x; } count;",
                     "static int (*count)(void);", "static int (*count[2])(int) = {f, g};",
                     "__attribute__((aligned(64))) static char count[64];",
                     "static char count __attribute__((aligned(64)));",
                     "enum { A, B } count;", "volatile int count;",
                     "void f(void)\n{\n    static int count;\n}",
                     "int f(void)\n{\n    static int count = 0;\n    return count++;\n}",
                     "void f(void)\n{\n    static const char *count = \"x\";\n}",
                     "static px_str count;"):
            self.bad("src/server/a.c", f"{HEAD}{text}\n", "count is a mutable variable")

    def test_constant_variables(self):
        for text in ("static const int count = 1;", "extern const px_allocator alloc_libc;",
                     "static const char *const names[] = {\"a\", \"b\"};",
                     "static const struct thing things[] = {{1, 2}, {3, 4}};",
                     "static int (*const count)(void) = f;", "const char text[] = \"int x;\";",
                     "static const struct { int x; } things[] = {{1}};",
                     "void f(void)\n{\n    static const int table[] = {1, 2};\n    int x = 1;\n}",
                     "static int f(int x);", "struct thing;", "struct thing {\n    int x;\n};",
                     "enum kind { A, B = (1 << 2) };", "typedef int (*call)(void *context);",
                     "typedef struct thing thing;", "char *f(void (*call)(int));",
                     "struct thing *thing_make(int x)\n{\n    return 0;\n}",
                     "_Static_assert(1, \"x\");", "static inline struct a f(void)\n{\n    x = 1;\n}",
                     "void f(int x) __attribute__((format(printf, 1, 2)));",
                     "__attribute__((weak)) void f(int x)\n{\n}",
                     "int f(int x)\n{\n    for (int i = 0; i < x; i++) {\n    }\n    return 0;\n}"):
            self.good("src/server/a.c", f"{HEAD}{text}\n")

    def test_thread_local(self):
        for word in ("_Thread_local", "__thread"):
            found = self.found({"src/io/a.c": f"{HEAD}static {word} int x;\n"})
            self.assertTrue(any("thread-local" in line for line in found))

    def test_allowed_globals(self):
        text = HEAD + "static int stop;\n"
        path = "tools/tidy_globals.txt"
        self.good("src/process/a.c", text,
                  **{path: "src/process/a.c:stop: a signal handler sets it\n"})
        self.bad("src/io/a.c", text, "only src/process",
                 **{path: "src/io/a.c:stop: a signal handler sets it\n"})
        self.bad("src/process/a.c", text, "needs a reason", **{path: "src/process/a.c:stop: yes\n"})
        self.bad("src/process/a.c", HEAD, "not there",
                 **{path: "src/process/a.c:stop: a signal handler sets it\n"})

    # --- files ---------------------------------------------------------------------------------

    def test_names(self):
        self.bad("src/base/buf_part2.c", HEAD, "second half")
        text = HEAD + "int main(void)\n{\n    return 0;\n}\n"
        self.bad("tests/unit/base/buf.c", text, "<noun>_test.c")
        self.good("tests/unit/base/buf_test.c", text)
        self.good("tests/unit/base/buf_cases.c", HEAD)

    def test_listed(self):
        found = self.found({"src/base/a.c": HEAD, "src/base/CMakeLists.txt": "b.c ba.c a_b.c\n"}, False)
        self.assertEqual(found, ["src/base/a.c:1: is not listed in src/base/CMakeLists.txt"])
        found = self.found({"src/base/in/a.c": HEAD, "src/base/in/b.c": HEAD,
                            "src/base/CMakeLists.txt": "in/b.c\n"}, False)
        self.assertEqual(found, ["src/base/in/a.c:1: is not listed in src/base/CMakeLists.txt"])

    def test_circles(self):
        up = HEAD + "int up(void);\nint up(void)\n{\n    return down();\n}\n"
        found = self.found({"src/server/a.c": up,
                            "src/server/site/b.c": HEAD + "int down(void)\n{\n    return up();\n}\n"})
        self.assertEqual(found, ["src/server/a.c:1: a circle of files: "
                                 "src/server/a.c, src/server/site/b.c"])
        for below in ("static int down(void)\n{\n    return 1;\n}\n", "int down(void)\n{\n    return 1;\n}\n"):
            self.good("src/server/b.c", HEAD + below)
        self.assertEqual(self.found({"src/server/h1/a.c": up, "src/server/h1/b.c":
                                     HEAD + "int down(void)\n{\n    return up();\n}\n"}), [])

    def test_structs(self):
        flags = "".join(f"    bool b{at};\n" for at in range(9))
        numbers = "".join(f"    int n{at};\n" for at in range(41))
        for body, counts in ((flags, "9 members, 9 of them bool"),
                             (numbers, "41 members, 0 of them bool")):
            found = self.found({"src/base/a.c": HEAD + "struct a {\n" + body + "};\n"})
            self.assertEqual(found, [f"src/base/a.c:4: struct a has {counts}; at most 40 and 8"])
        self.good("src/base/a.c", HEAD + "struct a {\n" + flags[:-13] + "};\n")
        found = self.found({"src/base/a.c": HEAD, "tools/tidy_structs.txt": "a: for no reason\n"})
        self.assertEqual(found, ["tools/tidy_structs.txt:1: struct a needs no exception (any more)"])

    def test_first_comment(self):
        for path, bad, good in (
                ("src/base/a.c", "int x(void);\n", HEAD),
                ("src/base/a.c", "/* a.c */\n", HEAD),
                ("tools/a.py", "import os\n", '"""Says in a sentence what it does."""\n'),
                ("script/a", "#!/bin/sh\nset -e\n", "#!/bin/sh\n# Says in one line what it is for.\n"),
                (".ci/run", "#!/bin/sh\nset -e\n", "#!/bin/sh\n# Says in one line what it is for.\n")):
            self.bad(path, bad, "begins without a comment")
            self.good(path, good)

    def test_markers(self):
        for word in ("TO" "DO", "FIX" "ME", "XX" "X", "HA" "CK", "stu" "b", "not imple" "mented"):
            self.bad("src/base/a.c", f"{HEAD}/* {word}: later */\n", "finish it")
            self.bad("docs/a.md", f"# A page\n\n{word}\n", "finish it")
        self.good("src/base/a.c", HEAD + '/* mkstemp of "nameXXXXXX"; 501 Not Implemented */\n')

    # --- public headers ------------------------------------------------------------------------

    def test_documentation(self):
        def public(text):
            return {"include/pollux/a.h": header(text)}

        good = "/** Does what it says.  Any thread. */\nint px_do(int x);"
        self.assertEqual(self.found(public(good)), [])
        inline = good[:-1] + "\n{\n    return x;\n}"
        self.assertEqual(self.found(public(inline)), [])
        linked = f'#ifdef __cplusplus\nextern "C" {{\n#endif\n{good}\n#ifdef __cplusplus\n}}\n#endif'
        self.assertEqual(self.found(public(linked)), [])
        for text in ("int px_do(int x);", "/* Does what it says. Any thread. */\nint px_do(int x);",
                     "/** */\nint px_do(int x);", good + "\nint px_other(int x);",
                     linked.replace("/**", "/*")):
            found = self.found(public(text))
            self.assertEqual(len(found), 1, text)
            self.assertIn("has no /** documentation */", found[0])
        found = self.found(public("/** Does what it says. */\nint px_do(int x);"))
        self.assertIn("which thread", found[0])

    def test_public_names(self):
        doc = "/** Does what it says.  Any thread. */\n"
        for text, name in ((f"{doc}int do_it(void);", "do_it"), ("#define ONE 1", "ONE"),
                           ("struct thing;", "thing"), ("typedef int number;", "number"),
                           ("typedef enum px_e { PX_A, B } px_e;", "B"),
                           ("typedef struct px_s {\n    int x;\n} other;", "other"),
                           ("typedef void (*call)(int x);", "call"),
                           ("enum { ALPHA = 1 };", "ALPHA"), ("extern const int value;", "value")):
            found = self.found({"include/pollux/a.h": header(text)})
            self.assertTrue(any(f": {name} is not" in line for line in found), (text, found))
        for text in ("typedef struct px_s px_s;", "typedef void (*px_call)(int x);",
                     "typedef enum px_e { PX_A = (1 << 1), PX_B } px_e;", f"{doc}px_s *px_do(px_s s);"):
            self.assertEqual(self.found({"include/pollux/a.h": header(text)}), [])

    # --- the rest ------------------------------------------------------------------------------

    def test_one_function_a_name(self):
        text = HEAD + "int a_one(void)\n{\n    return 1;\n}\n"
        found = self.found({"src/io/a.c": text, "src/net/b.c": text})
        self.assertEqual(len(found), 1, found)
        self.assertIn("a_one is defined in src/io/a.c too", found[0])
        self.assertEqual(self.found({"src/io/a.c": text, "src/io/a_none.c": text}), [])
        self.assertEqual(self.found({"src/io/a.c": text, "src/net/b.c": text.replace("int a", "static int a")}), [])

    def test_functions_are_used(self):
        text = HEAD + "int a_one(void)\n{\n    return 1;\n}\n"
        caller = HEAD + "static int b_two(void)\n{\n    return a_one();\n}\n"
        lists = {"tools/tidy_unused.txt": ""}
        found = self.found({"src/io/a.c": text, "src/io/a.h": header("int a_one(void);"), **lists})
        self.assertEqual(len(found), 1, found)
        self.assertIn("a_one is called by nothing", found[0])
        self.assertEqual(self.found({"src/io/a.c": text, "src/io/b.c": caller, **lists}), [])
        inline = header("static inline int b_two(void)\n{\n    return a_one();\n}", "PX_B_H")
        self.assertEqual(self.found({"src/io/a.c": text, "src/io/a.h": header("int a_one(void);"),
                                     "src/io/b.h": inline, **lists}), [])
        self.assertEqual(self.found({"src/io/a.c": text.replace("a_one", "px_one"), **lists}), [])
        named = {"tools/tidy_unused.txt": "a_one: its caller is a test\n"}
        self.assertEqual(self.found({"src/io/a.c": text, **named}), [])
        gone = self.found({"src/io/b.c": HEAD, **named})
        self.assertEqual(len(gone), 1, gone)
        self.assertIn("a_one is not there", gone[0])

    def test_assertions(self):
        def tree(count, lines=800, more="", **lists):
            stated = "_Static_assert(A < B, \"it fits\");\n" * (count - 2) + "CHECK(a);\nASSERT(b);\n"
            half = lines // 2
            return {"src/base/a.c": HEAD + stated + "int name(void);\n" * (half - count) + more,
                    "src/base/b.c": HEAD + "int other(void);\n" * half, **lists}

        path = "tools/tidy_asserts.txt"
        # 800 lines want twelve.
        self.assertEqual(self.found(tree(12)), [])
        found = self.found(tree(11))
        self.assertEqual(len(found), 2, found)
        self.assertIn("src:1: has 13.8 assertions in 1,000 lines of code, wants 15", found[0])
        self.assertIn("src/base:1: has 13.8", found[1])
        self.assertEqual(self.found(tree(2, lines=400)), [])
        # Calls of functions that state something, and text, do not count.
        calls = "void a(void)\n{\n    pool_check(a); /* CHECK(a) */\n}\n"
        self.assertEqual(len(self.found(tree(11, more=calls))), 2)
        # A list of those that state less, each of which may not state even less.
        named = {path: "src: 10 all of it grew first\nsrc/base: 12 it grew first too\n"}
        self.assertEqual(self.found(tree(10, **named)), [])
        found = self.found(tree(9, **named))
        self.assertEqual(len(found), 1, found)
        self.assertIn("src/base:1: has 11.2", found[0])
        found = self.found(tree(12, **named))
        self.assertEqual(len(found), 2, found)
        self.assertIn("has enough assertions: take it out", found[0])
        found = self.found(tree(12, **{path: "src/io: 12 it grew first\n"}))
        self.assertEqual(len(found), 1, found)
        self.assertIn("src/io is not there", found[0])
        found = self.found(tree(12, **{path: "src/base: few\n"}))
        self.assertEqual(len(found), 1, found)
        self.assertIn("needs a count and a reason", found[0])

    def test_every_rule_is_tested(self):
        names = {rule.__name__ for rule in tidy.RULES}
        self.assertEqual(names, {"rule_" + name for name in (
            "assertions", "bans", "circles", "comments_name_what_is_there", "conditionals", "counters",
            "first_comment", "folders", "functions_are_used", "globals",
            "initialisers", "layers", "listed", "macros", "markers", "names", "one_function_a_name", "plain_words", "public_headers", "sizes",
            "sections", "structs")})

    def test_items(self):
        source = Source("int a(void)\n{\n}\n\nstruct b {\n    int x;\n};\nstatic int c = 1;\n")
        self.assertEqual([(item.kind(), item.name(), item.line) for item in source.items],
                         [("function", "a", 1), ("type", "", 5), ("variable", "c", 8)])


if __name__ == "__main__":
    unittest.main()
