"""`pollux files`: its flags, stock clients, and files that change while they are served."""

import hashlib
import os
import socket
import subprocess
import threading
import time

import httpx
import pytest

from files import tree
from lib.runner import Pollux, run
from lib.wire import Wire, connect

FRESH_S = 1.0  # what is believed of a file: FILE_FRESH_MS
QUIET = ("-w", "1", "--log", "off")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tree.build(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def served(root):
    with Pollux("files", root, *QUIET, "--no-compress") as server:
        yield server


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "www").mkdir()
    return tmp_path / "www"


def get(server, path, fields=(), method="GET"):
    with Wire(server.address) as wire:
        return ask(wire, path, fields, method)


def ask(wire, path, fields=(), method="GET"):
    head = f"{method} {path} HTTP/1.1\r\nHost: a\r\n" + "".join(f"{f}\r\n" for f in fields) + "\r\n"
    wire.send(head.encode("latin-1"))
    return wire.reply(head_only=method == "HEAD")


# --- The command line ----------------------------------------------------------------------------


@pytest.mark.short
def test_a_folder_that_is_not_there(tmp_path):
    code, _, err = run("files", tmp_path / "nothing", "-l", "127.0.0.1:0")
    assert code == 66 and str(tmp_path / "nothing") in err and err.count("\n") == 1


def test_a_file_is_no_folder(root):
    code, _, err = run("files", f"{root}/letters.txt", "-l", "127.0.0.1:0")
    assert code == 66 and err.count("\n") == 1


@pytest.mark.parametrize("flag", ["--spa", "--error-page=404"])
def test_a_page_that_is_not_there(root, flag):
    args = [flag, "no-such.html"] if flag == "--spa" else [flag + "=no-such.html"]
    code, _, err = run("files", root, *args, "-l", "127.0.0.1:0")
    named = "--spa no-such.html: " if flag == "--spa" else "--error-page 404=no-such.html: "
    assert code == 66 and err.startswith("pollux: " + named), "the line names the flag"


def test_the_default_is_where_one_stands(root):
    with Pollux("files", *QUIET, cwd=root) as server:
        assert get(server, "/letters.txt").content == tree.CONTENTS[b"letters.txt"]


def test_the_log_is_combined(root):
    with Pollux("files", root, "-w", "1") as server:
        get(server, "/letters.txt")
        get(server, "/windows.bin")
        out = server.wait_stdout(lambda out: out.count(b"\n") == 2).decode()
    first, second = out.splitlines()
    assert '"GET /letters.txt HTTP/1.1" 200 26 "-" "-"' in first
    assert '"GET /windows.bin HTTP/1.1" 200 1300000 "-" "-"' in second


def test_index(root):
    with Pollux("files", root, *QUIET, "--index", "page.html", "--index", "leaf.txt") as server:
        assert get(server, "/sub/").content == b"page"
        assert get(server, "/sub/deep/").content == b"leaf"
        assert get(server, "/").status == 403


def test_cache_control(root):
    rules = ["*.txt=max-age=60", "/sub/*=no-store, private", "index.html=no-cache", "*=public"]
    with Pollux("files", root, *QUIET, *[f"--cache-control={rule}" for rule in rules]) as server:
        for path, value in {
            "/letters.txt": "max-age=60",
            "/sub/deep/leaf.txt": "max-age=60",
            "/sub/page.html": "no-store, private",
            "/sub/": "no-store, private",
            "/": "no-cache",
            "/one": "public",
        }.items():
            reply = get(server, path)
            assert (reply.status, reply.value("Cache-Control")) == (200, value), path
        reply = get(server, "/one", [f"If-None-Match: {get(server, '/one').value('ETag')}"])
        assert (reply.status, reply.value("Cache-Control")) == (304, "public")
        reply = get(server, "/one", ["Range: bytes=0-0"])
        assert (reply.status, reply.value("Cache-Control")) == (206, "public")
        assert get(server, "/nothing").value("Cache-Control") is None


def test_the_fallback(root):
    with Pollux("files", root, *QUIET, "--spa", "index.html") as server:
        for path in ("/nothing", "/deep/route/of/the/app", "/sub/nothing?x=y", "/link-out"):
            reply = get(server, path)
            assert (reply.status, reply.content) == (200, tree.CONTENTS[b"index.html"]), path
            assert reply.value("Content-Type").startswith("text/html")
        again = get(server, "/nothing", [f"If-None-Match: {reply.value('ETag')}"])
        assert again.status == 304
        # What is there is itself; what is hidden stays hidden; a script is no page.
        assert get(server, "/letters.txt").content == tree.CONTENTS[b"letters.txt"]
        assert get(server, "/.git/config").status == 404
        assert get(server, "/../x").status == 400
        assert get(server, "/noindex/").status == 403
        assert get(server, "/nothing.js", ["Sec-Fetch-Dest: script"]).status == 404
        assert get(server, "/nothing", ["Sec-Fetch-Dest: document"]).status == 200


def test_error_pages(root, tmp_path):
    outside = tmp_path / "403.html"
    outside.write_text("not for you")
    pages = ["404=sub/page.html", f"403={outside}", "405=letters.txt", "416=one"]
    with Pollux("files", root, *QUIET, *[f"--error-page={page}" for page in pages]) as server:
        for path, method, fields, status, content in [
            ("/nothing", "GET", [], 404, b"page"),
            ("/.git/config", "GET", [], 404, b"page"),
            ("/nothing", "GET", ["Range: bytes=0-0", "If-None-Match: *"], 404, b"page"),
            ("/noindex/", "GET", [], 403, b"not for you"),
            ("/letters.txt", "POST", ["Content-Length: 0"], 405, tree.CONTENTS[b"letters.txt"]),
            ("/letters.txt", "GET", ["Range: bytes=99-"], 416, b"1"),
            ("/..", "GET", [], 400, b"400 Bad Request\n"),
        ]:
            reply = get(server, path, fields, method)
            assert (reply.status, reply.content) == (status, content), path
            assert reply.value("ETag") is None
        assert get(server, "/letters.txt", ["Content-Length: 0"], "POST").value("Allow")
        outside.write_text("a new version")
        time.sleep(FRESH_S + 0.1)
        assert get(server, "/noindex/").content == b"a new version"
        outside.unlink()
        time.sleep(FRESH_S + 0.1)
        assert get(server, "/noindex/").content == b"403 Forbidden\n"


def test_links_may_lead_out_when_told_so(root):
    """As whoever runs the test: pytest's folders are closed to others, and links go through them."""
    with Pollux("files", root, *QUIET, "--follow-symlinks", "--user", str(os.geteuid())) as server:
        for path in ("/link-out", "/link-out-folder/secret", "/link-absolute"):
            assert get(server, path).content == tree.SECRET
        assert get(server, "/link-out-folder").value("Location") == "link-out-folder/"
        for path in ("/../outside/secret", "/link-loop", "/link-dangling", "/fifo"):
            assert get(server, path).status in (400, 404)


def test_two_workers_say_the_same(root):
    with Pollux("files", root, "-w", "2", "--log", "off") as server:
        tags = {get(server, "/letters.txt").value("ETag") for _ in range(40)}
        assert len(tags) == 1


# --- Stock clients -------------------------------------------------------------------------------


def test_curl_resumes(served, tmp_path):
    target = tmp_path / "windows.bin"
    content = tree.CONTENTS[b"windows.bin"]
    target.write_bytes(content[:777_777])
    subprocess.run(
        ["curl", "-sS", "-C", "-", "-o", target, f"{served.url}/windows.bin"], check=True, timeout=30
    )
    assert target.read_bytes() == content


def test_curl_asks_only_for_what_is_newer(served, tmp_path):
    target, tags = tmp_path / "one", tmp_path / "tags"
    command = ["curl", "-sS", "-R", "-o", target, "--etag-save", tags, "--etag-compare", tags]
    command += ["-w", "%{http_code}", f"{served.url}/letters.txt"]
    codes = [subprocess.run(command, check=True, timeout=30, capture_output=True).stdout for _ in range(2)]
    assert codes == [b"200", b"304"]
    command = ["curl", "-sS", "-z", target, "-o", "/dev/null", "-w", "%{http_code}"]
    assert int(os.stat(target).st_mtime) == tree.MODIFIED
    out = subprocess.run([*command, f"{served.url}/letters.txt"], check=True, timeout=30, capture_output=True)
    assert out.stdout == b"304"


def test_wget_mirrors(served, tmp_path):
    names = [b"letters.txt", b"windows.bin", b"sub/page.html", b"with space", "ünïcödé.txt".encode()]
    urls = "\n".join(served.url + tree.quote(name).decode() for name in names)
    (tmp_path / "urls").write_text(urls)
    subprocess.run(
        ["wget", "-q", "-x", "-nH", "--restrict-file-names=nocontrol", "-i", "urls"],
        cwd=tmp_path, check=True, timeout=30,
    )  # fmt: skip
    for name in names:
        assert (os.fsencode(tmp_path) + b"/" + name) and open(
            os.fsencode(tmp_path) + b"/" + name, "rb"
        ).read() == tree.CONTENTS[name], name


def test_httpx_gets_every_kind(served):
    with httpx.Client(base_url=served.url, follow_redirects=True) as client:
        assert client.get("/sub").content == b"sub"
        reply = client.get("/letters.txt", headers={"Range": "bytes=1-2"})
        assert (reply.status_code, reply.content) == (206, b"bc")
        reply = client.head("/windows.bin")
        assert (reply.headers["content-length"], reply.content) == ("1300000", b"")
        assert client.get("/letters.txt").headers["content-type"] == "text/plain; charset=utf-8"
        assert client.options("/x").headers["allow"] == "GET, HEAD, OPTIONS"


# --- Files that change ---------------------------------------------------------------------------


@pytest.mark.short
@pytest.mark.parametrize("size", [30, tree.SMALL_MAX, tree.SMALL_MAX + 1, 700_000])
def test_changes_are_seen_within_a_second(folder, size):
    file = folder / "f"
    contents = [tree.noise(size, seed) for seed in range(6)]
    file.write_bytes(contents[0])
    with Pollux("files", folder, *QUIET, "--no-compress") as server, Wire(server.address) as wire:

        def now(status, content, why):
            time.sleep(FRESH_S + 0.05)
            reply = ask(wire, "/f")
            assert (reply.status, reply.content) == (status, content), why
            return reply.value("ETag")

        tags = [now(200, contents[0], "at first")]
        (folder / "new").write_bytes(contents[1])
        (folder / "new").rename(file)
        tags.append(now(200, contents[1], "replaced by rename"))
        file.write_bytes(contents[2])
        tags.append(now(200, contents[2], "written over"))
        with open(file, "ab") as out:
            out.write(b"more")
        tags.append(now(200, contents[2] + b"more", "grown"))
        os.truncate(file, size // 2)
        tags.append(now(200, contents[2][: size // 2], "cut"))
        file.unlink()
        now(404, b"404 Not Found\n", "deleted")
        file.write_bytes(contents[3])
        tags.append(now(200, contents[3], "there again"))
        assert len(set(tags)) == len(tags)


def test_same_size_and_time_is_another_file_all_the_same(folder):
    """Build tools set every time to one constant."""
    file, other = folder / "index.html", folder / "other"
    for content, path in ((b"version 1", file), (b"version 2", other)):
        path.write_bytes(content)
        os.utime(path, (1, 1))
    with Pollux("files", folder, *QUIET) as server:
        first = get(server, "/")
        other.rename(file)
        time.sleep(FRESH_S + 0.1)
        second = get(server, "/", [f"If-None-Match: {first.value('ETag')}"])
        assert (second.status, second.content) == (200, b"version 2")
        assert second.value("ETag") != first.value("ETag")


def test_a_time_in_the_future_is_not_sent(folder):
    """RFC 9110 section 8.8.2.1."""
    (folder / "f").write_bytes(b"x")
    os.utime(folder / "f", (4_000_000_000, 4_000_000_000))
    with Pollux("files", folder, *QUIET) as server:
        reply = get(server, "/f")
        assert reply.value("Last-Modified") <= reply.value("Date") or "2096" not in reply.value("Last-Modified")
        assert "2096" not in reply.value("Last-Modified")


def read_slowly(server, path, between, fields=()):
    """Takes the head and a little, calls `between`, and then the rest; what came and how it ended."""
    head = f"GET {path} HTTP/1.1\r\nHost: a\r\n" + "".join(f"{f}\r\n" for f in fields) + "\r\n"
    with connect(server.address) as sock:
        sock.sendall(head.encode())
        got = sock.recv(4096)
        between()
        try:
            while piece := sock.recv(65536):
                got += piece
            end = "end"
        except ConnectionResetError:
            end = "reset"
        except socket.timeout:
            end = "timeout"
    head, _, content = got.partition(b"\r\n\r\n")
    return head, content, end


LARGE = 24 * 1024 * 1024  # more than the kernel's buffers hold


def test_a_file_that_is_cut_while_it_is_sent_ends_visibly_broken(folder):
    content = tree.noise(LARGE, 7)
    for fields in ([], [f"Range: bytes=0-{LARGE // 2},{LARGE // 2 + 2}-"]):
        (folder / "f").write_bytes(content)
        with Pollux("files", folder, *QUIET, "--no-compress") as server:
            head, got, end = read_slowly(server, "/f", lambda: os.truncate(folder / "f", 1000), fields)
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            assert length >= LARGE - 1 and len(got) < length, fields
            assert end == "reset"
            assert get(server, "/f").status == 200


@pytest.mark.parametrize("how", ["replaced", "deleted"])
def test_a_file_that_is_replaced_while_it_is_sent_arrives_whole(folder, how):
    old, new = tree.noise(LARGE, 8), tree.noise(LARGE, 9)
    (folder / "f").write_bytes(old)
    (folder / "new").write_bytes(new)

    def change():
        if how == "replaced":
            (folder / "new").rename(folder / "f")
        else:
            (folder / "f").unlink()

    with Pollux("files", folder, *QUIET, "--no-compress") as server:
        _, got, end = read_slowly(server, "/f", change, ["Connection: close"])
        assert end == "end" and hashlib.sha256(got).digest() == hashlib.sha256(old).digest()
        time.sleep(FRESH_S + 0.1)
        reply = get(server, "/f")
        assert reply.status == (200 if how == "replaced" else 404)
        assert how == "deleted" or reply.content == new


def test_replacing_over_and_over_mixes_nothing(folder):
    """Old or new, never both: every answer is one version, and its tag is that version's."""
    size, stop = 300_000, threading.Event()
    versions = {}

    def write():
        number = 0
        while not stop.is_set():
            number += 1
            (folder / "new").write_bytes(bytes([number % 251]) * size)
            (folder / "new").rename(folder / "f")

    (folder / "f").write_bytes(b"\0" * size)
    writer = threading.Thread(target=write)
    with Pollux("files", folder, *QUIET, "--no-compress") as server:
        writer.start()
        try:
            end = time.monotonic() + 4
            with Wire(server.address) as wire:
                while time.monotonic() < end:
                    reply = ask(wire, "/f")
                    assert len(reply.content) == size and len(set(reply.content)) == 1
                    assert versions.setdefault(reply.value("ETag"), reply.content[0]) == reply.content[0]
        finally:
            stop.set()
            writer.join()
    assert len(versions) >= 3


# --- Large, many, blocked ------------------------------------------------------------------------


def test_more_than_4_gib(folder):
    size = 5 * 1024**3
    marks = {0: b"first", 2**32 - 3: b"across", size - 5: b"final"}
    with open(folder / "huge", "wb") as file:
        os.truncate(file.fileno(), size)
        for at, text in marks.items():
            file.seek(at)
            file.write(text)
    with Pollux("files", folder, *QUIET, "--no-compress") as server:
        assert get(server, "/huge", method="HEAD").value("Content-Length") == str(size)
        for at, text in marks.items():
            reply = get(server, "/huge", [f"Range: bytes={at}-{at + len(text) - 1}"])
            assert (reply.status, reply.content) == (206, text)
            assert reply.value("Content-Range") == f"bytes {at}-{at + len(text) - 1}/{size}"
        both = f"Range: bytes=0-4,{2**32 - 3}-{2**32 + 2}"
        reply = get(server, "/huge", [both])
        assert b"first" in reply.content and b"across" in reply.content


def test_a_path_at_the_kernels_limit(folder):
    """4,095 bytes behind the first slash is what one call takes."""
    names = ["d" * 254] * 16
    here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    for name in names:
        os.mkdir(name, dir_fd=here)
        next_ = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=here)
        os.close(here)
        here = next_
    depth = sum(len(name) + 1 for name in names)
    last = "f" * (4095 - depth)
    with open(os.open(last, os.O_CREAT | os.O_WRONLY, dir_fd=here), "wb") as file:
        file.write(b"deep down")
    os.close(here)
    path = "/" + "/".join([*names, last])
    with Pollux("files", folder, *QUIET) as server:
        assert len(path) == 4096
        assert get(server, path).content == b"deep down"
        assert get(server, path + "f").status == 404


def test_a_fifo_stops_nobody(root):
    with Pollux("files", root, *QUIET) as server:
        for _ in range(20):
            assert get(server, "/fifo").status == 404
            assert get(server, "/letters.txt").status == 200


@pytest.mark.short
def test_short_of_descriptors_it_answers_and_recovers(folder):
    """More large files than descriptors: the cache gives way, and nothing is lost for good."""
    for number in range(120):
        (folder / f"f{number}").write_bytes(bytes([number]) * (tree.SMALL_MAX + 1 + number))
    with Pollux("files", folder, *QUIET, "--no-compress", wrapper=["prlimit", "--nofile=80:80"]) as server:
        with Wire(server.address) as wire:
            for turn in range(3):
                for number in range(120):
                    reply = ask(wire, f"/f{number}")
                    assert reply.status == 200, (turn, number)
                    assert reply.content == bytes([number]) * (tree.SMALL_MAX + 1 + number)


def test_it_reads_as_somebody_who_may_not_read_all(folder):
    if os.getuid() == 0:
        return_code = subprocess.run(["setpriv", "--version"], capture_output=True).returncode
        assert return_code == 0
        wrapper = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        os.chmod(folder.parent, 0o755)
    else:
        wrapper = []
    (folder / "closed").write_bytes(b"x")
    (folder / "closed").chmod(0)
    (folder / "shut").mkdir()
    (folder / "shut" / "f").write_bytes(b"x")
    (folder / "shut").chmod(0)
    for up in [folder, *folder.parents]:
        if up.stat().st_uid == os.getuid() and str(up) != "/" and str(up) != "/tmp":
            up.chmod(up.stat().st_mode | 0o055)
    try:
        with Pollux("files", folder, *QUIET, wrapper=wrapper) as server:
            assert get(server, "/closed").status == 403
            assert get(server, "/shut/f").status == 403
            assert get(server, "/shut/").status == 403
    finally:
        (folder / "shut").chmod(0o755)
