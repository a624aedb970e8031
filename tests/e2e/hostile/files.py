"""Files: what a peer may do to a folder that is served.  Bytes, and the status that must come back.

The folder is `files/tree.py`'s; every row leaves the connection usable, since each request is whole.
"""

from dataclasses import dataclass

from files import tree


@dataclass(frozen=True)
class FileCase:
    id: str
    data: bytes
    status: int
    content: bytes = None  # of a 200 or 206; None: not looked at
    location: str = None


CASES = []


def add(name, target, status, content=None, *fields, method=b"GET", location=None):
    head = b"%s %s HTTP/1.1\r\nHost: a\r\n" % (method, target)
    data = head + b"".join(field + b"\r\n" for field in fields) + b"\r\n"
    assert name not in {case.id for case in CASES}, name
    CASES.append(FileCase(name, data, status, content, location))


LETTERS = tree.CONTENTS[b"letters.txt"]

# --- Every file that there is, and every link ----------------------------------------------------

for index, (path, content) in enumerate(sorted(tree.CONTENTS.items())):
    hidden = path.startswith(b".") and not path.startswith(b".well-known/") or b"/." in path
    add(f"name-{index}", tree.quote(path), 404 if hidden else 200, None if hidden else content)

for path, status in {
    b"link-in": 200,
    b"sub/link-up": 200,
    b"link-folder": 301,
    b"link-folder/": 200,
    b"link-folder/page.html": 200,
    b"link-out": 404,
    b"link-out-folder": 404,
    b"link-out-folder/": 404,
    b"link-out-folder/secret": 404,
    b"link-absolute": 404,
    b"link-loop": 404,
    b"link-dangling": 404,
}.items():
    there = "link-folder/" if status == 301 else None
    add(f"link-{path.decode()}", tree.quote(path), status, location=there)

# --- Traversal -----------------------------------------------------------------------------------

for index, (target, status) in enumerate(
    [
        (b"/..", 400),
        (b"/../", 400),
        (b"/../outside/secret", 400),
        (b"/../../../../etc/passwd", 400),
        (b"/sub/../../outside/secret", 400),
        (b"/sub/deep/../../../outside/secret", 400),
        (b"/./../outside/secret", 400),
        (b"/%2e%2e/outside/secret", 400),
        (b"/%2E%2E/outside/secret", 400),
        (b"/.%2e/outside/secret", 400),
        (b"/%2e./outside/secret", 400),
        (b"/sub/%2e%2e/%2e%2e/outside/secret", 400),
        (b"/..%2foutside/secret", 400),
        (b"/..%2Foutside%2Fsecret", 400),
        (b"/%2e%2e%2foutside%2fsecret", 400),
        (b"/%2foutside/secret", 404),
        (b"/sub%2fpage.html", 200),
        (b"/%252e%252e/outside/secret", 404),
        (b"/%252e%252e%252foutside/secret", 404),
        (b"/%c0%ae%c0%ae/outside/secret", 404),
        (b"/%c0%ae%c0%ae%c0%afoutside/secret", 404),
        (b"/%e0%80%ae%e0%80%ae/outside/secret", 404),
        (b"/..%c0%afoutside/secret", 404),
        (b"/..%5coutside%5csecret", 404),
        (b"/%5c..%5coutside%5csecret", 404),
        (b"/..;/outside/secret", 404),
        (b"/sub/..;/letters.txt", 404),
        (b"/.../outside/secret", 404),
        (b"/....//outside/secret", 404),
        (b"/sub/../letters.txt", 200),
        (b"/sub/%2e%2e/letters.txt", 200),
        (b"/sub/deep/../../letters.txt", 200),
        (b"/nothing/../letters.txt", 200),
        (b"/./letters.txt", 200),
        (b"/sub/./../letters.txt", 200),
        (b"//letters.txt", 200),
        (b"///letters.txt", 200),
        (b"/sub//page.html", 200),
        (b"/sub/..", 200),
        (b"/sub/../", 200),
        (b"/sub/.", 200),
        (b"/.", 200),
        (b"//", 200),
        (b"/letters.txt/", 404),
        (b"/letters.txt/.", 404),
        (b"/letters.txt/..", 200),
        (b"/letters.txt/../letters.txt", 200),
        (b"/letters.txt/x", 404),
        (b"/sub/../..", 400),
    ]
):
    add(f"climb-{index}", target, status)

# --- Bytes in names ------------------------------------------------------------------------------

for name, target, status in [
    ("nul", b"/%00", 400),
    ("nul-behind", b"/letters.txt%00", 400),
    ("nul-extension", b"/letters.txt%00.html", 400),
    ("nul-in-folder", b"/sub%00/page.html", 400),
    ("newline", b"/%0a", 404),
    ("crlf", b"/%0d%0aSet-Cookie:%20a=b", 404),
    ("crlf-in-folder", b"/empty-folder%0d%0aX:%20y", 404),
    ("bad-percent", b"/%zz", 400),
    ("half-percent", b"/%2", 400),
    ("lone-percent", b"/letters.txt%", 400),
    ("long-name", b"/" + b"n" * 255, 200),
    ("too-long-name", b"/" + b"n" * 256, 404),
    ("segments-2000", b"/a" * 2000, 404),
    ("slashes-4000", b"/" * 4000 + b"letters.txt", 200),
    ("dots-4000", b"/." * 2000 + b"/letters.txt", 200),
    ("path-at-limit", b"/" + b"a" * 4095, 404),
    ("path-above-limit", b"/" + b"a" * 4096, 404),
    ("path-8000", b"/" + b"a" * 7900, 404),
    ("climb-2000", b"/a" * 1000 + b"/.." * 1000 + b"/letters.txt", 200),
    ("climb-2001", b"/a" * 1000 + b"/.." * 1001 + b"/letters.txt", 400),
]:
    add(f"bytes-{name}", target, status)

# --- Kinds of files, dots ------------------------------------------------------------------------

for name, target, status in [
    ("fifo", b"/fifo", 404),
    ("fifo-slash", b"/fifo/", 404),
    ("socket", b"/socket", 404),
    ("folder", b"/noindex/", 403),
    ("empty-folder", b"/empty-folder/", 403),
    ("index-is-folder", b"/indexdir/", 403),
    ("index", b"/sub/", 200),
    ("hidden", b"/.hidden", 404),
    ("hidden-encoded", b"/%2ehidden", 404),
    ("git", b"/.git/", 404),
    ("git-config", b"/.git/config", 404),
    ("git-config-dots", b"/sub/../.git/config", 404),
    ("git-config-slashes", b"//.git//config", 404),
    ("htaccess", b"/sub/.htaccess", 404),
    ("hidden-missing", b"/.nothing", 404),
    ("dots-name", b"/..name", 404),
    ("well-known", b"/.well-known/x", 200),
    ("well-known-encoded", b"/%2ewell-known/x", 200),
    ("well-known-dots", b"/sub/../.well-known/x", 200),
    ("well-known-folder", b"/.well-known/", 403),
    ("well-known-bare", b"/.well-known", 404),
    ("well-known-hidden", b"/.well-known/.hidden", 404),
    ("well-known-climb", b"/.well-known/../.git/config", 404),
    ("well-known-below", b"/sub/.well-known/x", 404),
    ("well-known-like", b"/.well-knownx/x", 404),
]:
    add(f"kind-{name}", target, status)

# --- Redirects stay on this host -----------------------------------------------------------------

for name, target, location in [
    ("plain", b"/sub", "sub/"),
    ("query", b"/sub?a=b&c", "sub/?a=b&c"),
    ("two-slashes", b"//sub", "sub/"),
    ("many-slashes", b"////sub//deep", "deep/"),
    ("dots", b"/sub/../sub", "sub/"),
    ("encoded-dots", b"/%2e/sub", "sub/"),
    ("encoded", b"/%73ub", "%73ub/"),
    ("authority", b"//sub?//evil.example", "sub/?//evil.example"),
    ("link", b"/link-folder", "link-folder/"),
]:
    add(f"redirect-{name}", target, 301, location=location)

for name, target, status in [
    ("host", b"//evil.example", 404),
    ("host-path", b"//evil.example/%2e%2e", 200),
    ("host-climb", b"//evil.example/..", 200),
    ("backslash-host", b"/%5cevil.example", 404),
    ("scheme", b"/http://evil.example/", 404),
    ("absolute-form", b"http://a/letters.txt", 200),
    ("absolute-form-climb", b"http://a/../letters.txt", 400),
]:
    add(f"redirect-none-{name}", target, status)

# --- Ranges --------------------------------------------------------------------------------------

for name, value, status, content in [
    ("overlap-2", b"0-,0-", 200, LETTERS),
    ("overlap-17", b",".join([b"0-0"] * 17), 200, LETTERS),
    ("overlap-16", b",".join([b"0-0"] * 16), 206, None),
    ("thousands", b",".join([b"0-"] * 5000), 200, LETTERS),
    ("thousands-small", b",".join(b"%d-%d" % (i % 26, i % 26) for i in range(3000)), 200, LETTERS),
    ("apache-killer", b"0-," + b",".join(b"5-%d" % i for i in range(1300)), 200, LETTERS),
    ("sum-at-size", b"0-12,13-25", 206, None),
    ("sum-above-size", b"0-12,12-25", 200, LETTERS),
    ("2-64", b"0-18446744073709551616", 206, LETTERS),
    ("2-64-first", b"18446744073709551616-", 416, None),
    ("2-64-wraps-to-0", b"18446744073709551616-18446744073709551617", 416, None),
    ("2-63", b"9223372036854775808-", 416, None),
    ("suffix-2-64", b"-18446744073709551616", 206, LETTERS),
    ("suffix-2-63", b"-9223372036854775808", 206, LETTERS),
    ("suffix-0", b"-0", 416, None),
    ("digits-1000", b"0-" + b"9" * 1000, 206, LETTERS),
    ("zeros-1000", b"0" * 1000 + b"1-2", 206, b"bc"),
    ("empty-elements", b",,,1-1,,,," + b"," * 4000, 206, b"b"),
    ("none", b"", 200, LETTERS),
    ("minus", b"-", 200, LETTERS),
    ("minus-minus", b"--5", 200, LETTERS),
    ("reverse", b"5-1", 200, LETTERS),
    ("negative", b"-5-10", 200, LETTERS),
    ("hex", b"0x0-0x5", 200, LETTERS),
    ("float", b"0.0-1.5", 200, LETTERS),
    ("plus", b"+1-2", 200, LETTERS),
    ("blank-inside", b"1 - 2", 200, LETTERS),
]:
    add(f"range-{name}", b"/letters.txt", status, content, b"Range: bytes=" + value)

add("range-unit", b"/letters.txt", 200, LETTERS, b"Range: lines=1-2")
add("range-no-unit", b"/letters.txt", 200, LETTERS, b"Range: 1-2")
add("range-twice", b"/letters.txt", 200, LETTERS, b"Range: bytes=1-2", b"Range: bytes=3-4")
add("range-head", b"/letters.txt", 200, b"", b"Range: bytes=1-2", method=b"HEAD")
add("range-empty-file", b"/empty", 200, b"", b"Range: bytes=0-0")
add("range-empty-file-suffix", b"/empty", 200, b"", b"Range: bytes=-5")
add("range-of-404", b"/nothing", 404, None, b"Range: bytes=0-0")
add("range-of-301", b"/sub", 301, None, b"Range: bytes=0-0", location="sub/")

# --- Methods, preconditions ----------------------------------------------------------------------

for method, status in {
    b"HEAD": 200,
    b"OPTIONS": 204,
    b"POST": 405,
    b"PUT": 405,
    b"DELETE": 405,
    b"PATCH": 405,
    b"TRACE": 405,
    b"PROPFIND": 405,
    b"MKCOL": 405,
    b"get": 405,
}.items():
    add(f"method-{method.decode()}", b"/letters.txt", status, None, method=method)

add("method-options-missing", b"/nothing", 204, None, method=b"OPTIONS")
add("method-post-climb", b"/../outside", 405, None, method=b"POST")
add("tags-many", b"/letters.txt", 200, LETTERS, b"If-None-Match: " + b", ".join([b'"x"'] * 5000))
add("tags-open", b"/letters.txt", 200, LETTERS, b'If-None-Match: "' + b"a" * 8000)
add("tags-commas", b"/letters.txt", 200, LETTERS, b"If-None-Match: " + b"," * 8000)
add("tags-star", b"/letters.txt", 304, None, b"If-None-Match: *")
add("tags-star-missing", b"/nothing", 404, None, b"If-None-Match: *")
add("match-star-missing", b"/nothing", 404, None, b"If-Match: *")
add("match-none", b"/letters.txt", 412, None, b'If-Match: "x"')
add("since-nonsense", b"/letters.txt", 200, LETTERS, b"If-Modified-Since: " + b"9" * 1000)
add("since-year-9999", b"/letters.txt", 304, None, b"If-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT")
add("since-year-0001", b"/letters.txt", 200, LETTERS, b"If-Modified-Since: Mon, 01 Jan 0001 00:00:00 GMT")
