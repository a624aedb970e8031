"""The same requests to nginx, over the same files: where nginx is right the answers agree, and where
they do not there is a row in DIFFERENCES with the reason.

What is compared: status, Content-Range, Content-Length, Location's path, and content.
"""

import http.client
import os
import shutil
import socket
import subprocess
import time
from email.utils import formatdate
from urllib.parse import urljoin

import pytest

from files import tree
from lib.runner import Pollux, is_listening

NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
OURS = formatdate(tree.MODIFIED, usegmt=True)
EARLIER = formatdate(tree.MODIFIED - 60, usegmt=True)
LATER = formatdate(tree.MODIFIED + 60, usegmt=True)
TAG = "TAG"  # stands for the server's own

# name: (target, fields, method)
REQUESTS = {
    "file": ("/letters.txt", [], "GET"),
    "head": ("/letters.txt", [], "HEAD"),
    "empty": ("/empty", [], "GET"),
    "large": ("/windows.bin", [], "GET"),
    "missing": ("/nothing", [], "GET"),
    "index": ("/sub/", [], "GET"),
    "folder-without-slash": ("/sub", [], "GET"),
    "folder-without-slash-query": ("/sub?a=b", [], "GET"),
    "folder-without-index": ("/noindex/", [], "GET"),
    "query": ("/letters.txt?x=y", [], "GET"),
    "dot-dot": ("/sub/../letters.txt", [], "GET"),
    "dot-dot-encoded": ("/sub/%2e%2e/letters.txt", [], "GET"),
    "dot-dot-above": ("/../letters.txt", [], "GET"),
    "double-slash": ("//sub//page.html", [], "GET"),
    "encoded-slash": ("/sub%2fpage.html", [], "GET"),
    "encoded-nul": ("/letters.txt%00", [], "GET"),
    "encoded-name": ("/with%20space", [], "GET"),
    "not-utf-8": ("/latin%FC%FF%FE", [], "GET"),
    "file-with-slash": ("/letters.txt/", [], "GET"),
    "below-a-file": ("/letters.txt/x", [], "GET"),
    "name-255": ("/" + "n" * 255, [], "GET"),
    "name-256": ("/" + "n" * 256, [], "GET"),
    "dotfile": ("/.git/config", [], "GET"),
    "well-known": ("/.well-known/x", [], "GET"),
    "link-in": ("/link-in", [], "GET"),
    "link-out": ("/link-out", [], "GET"),
    "link-dangling": ("/link-dangling", [], "GET"),
    "link-loop": ("/link-loop", [], "GET"),
    "post": ("/letters.txt", ["Content-Length: 0"], "POST"),
    "put": ("/letters.txt", ["Content-Length: 0"], "PUT"),
    "delete": ("/letters.txt", [], "DELETE"),
    "options": ("/letters.txt", [], "OPTIONS"),
    # Ranges.
    "range-first": ("/letters.txt", ["Range: bytes=0-4"], "GET"),
    "range-open": ("/letters.txt", ["Range: bytes=20-"], "GET"),
    "range-suffix": ("/letters.txt", ["Range: bytes=-3"], "GET"),
    "range-suffix-long": ("/letters.txt", ["Range: bytes=-300"], "GET"),
    "range-suffix-0": ("/letters.txt", ["Range: bytes=-0"], "GET"),
    "range-past-end": ("/letters.txt", ["Range: bytes=20-300"], "GET"),
    "range-outside": ("/letters.txt", ["Range: bytes=26-"], "GET"),
    "range-of-large": ("/windows.bin", ["Range: bytes=600000-700000"], "GET"),
    "range-empty-elements": ("/letters.txt", ["Range: bytes=,1-2,"], "GET"),
    "range-two": ("/letters.txt", ["Range: bytes=0-1,4-5"], "GET"),
    "range-one-of-two": ("/letters.txt", ["Range: bytes=0-1,40-"], "GET"),
    "range-unit": ("/letters.txt", ["Range: lines=0-1"], "GET"),
    "range-reversed": ("/letters.txt", ["Range: bytes=5-1"], "GET"),
    "range-malformed": ("/letters.txt", ["Range: bytes=a-b"], "GET"),
    "range-none": ("/letters.txt", ["Range: bytes="], "GET"),
    "range-2-64": ("/letters.txt", ["Range: bytes=0-18446744073709551616"], "GET"),
    "range-head": ("/letters.txt", ["Range: bytes=0-1"], "HEAD"),
    "range-more-than-all": ("/letters.txt", ["Range: bytes=0-,0-,0-"], "GET"),
    "range-of-empty": ("/empty", ["Range: bytes=0-0"], "GET"),
    "range-of-missing": ("/nothing", ["Range: bytes=0-0"], "GET"),
    # Preconditions.
    "none-match": ("/letters.txt", ["If-None-Match: TAG"], "GET"),
    "none-match-weak": ("/letters.txt", ["If-None-Match: W/TAG"], "GET"),
    "none-match-list": ("/letters.txt", ['If-None-Match: "x", TAG'], "GET"),
    "none-match-other": ("/letters.txt", ['If-None-Match: "x"'], "GET"),
    "none-match-star": ("/letters.txt", ["If-None-Match: *"], "GET"),
    "none-match-head": ("/letters.txt", ["If-None-Match: TAG"], "HEAD"),
    "match": ("/letters.txt", ["If-Match: TAG"], "GET"),
    "match-star": ("/letters.txt", ["If-Match: *"], "GET"),
    "match-other": ("/letters.txt", ['If-Match: "x"'], "GET"),
    "match-weak": ("/letters.txt", ["If-Match: W/TAG"], "GET"),
    "modified-since": ("/letters.txt", [f"If-Modified-Since: {OURS}"], "GET"),
    "modified-since-earlier": ("/letters.txt", [f"If-Modified-Since: {EARLIER}"], "GET"),
    "modified-since-later": ("/letters.txt", [f"If-Modified-Since: {LATER}"], "GET"),
    "modified-since-nonsense": ("/letters.txt", ["If-Modified-Since: nonsense"], "GET"),
    "unmodified-since": ("/letters.txt", [f"If-Unmodified-Since: {OURS}"], "GET"),
    "unmodified-since-earlier": ("/letters.txt", [f"If-Unmodified-Since: {EARLIER}"], "GET"),
    "tag-before-date": ("/letters.txt", ["If-None-Match: TAG", f"If-Modified-Since: {EARLIER}"], "GET"),
    "date-after-tag": ("/letters.txt", ['If-None-Match: "x"', f"If-Modified-Since: {OURS}"], "GET"),
    "match-before-date": ("/letters.txt", ["If-Match: TAG", f"If-Unmodified-Since: {EARLIER}"], "GET"),
    "if-range-tag": ("/letters.txt", ["Range: bytes=0-1", "If-Range: TAG"], "GET"),
    "if-range-other": ("/letters.txt", ["Range: bytes=0-1", 'If-Range: "x"'], "GET"),
    "if-range-weak": ("/letters.txt", ["Range: bytes=0-1", "If-Range: W/TAG"], "GET"),
    "if-range-date": ("/letters.txt", ["Range: bytes=0-1", f"If-Range: {OURS}"], "GET"),
    "if-range-later": ("/letters.txt", ["Range: bytes=0-1", f"If-Range: {LATER}"], "GET"),
    "if-range-earlier": ("/letters.txt", ["Range: bytes=0-1", f"If-Range: {EARLIER}"], "GET"),
    "range-and-none-match": ("/letters.txt", ["Range: bytes=0-1", "If-None-Match: TAG"], "GET"),
    "range-and-match-other": ("/letters.txt", ["Range: bytes=0-1", 'If-Match: "x"'], "GET"),
}

# name: (nginx's status, ours, why ours)
DIFFERENCES = {
    "dotfile": (200, 404, "nobody means to publish these"),
    "link-out": (200, 404, "what lies outside is not served unless --follow-symlinks says so"),
    "link-loop": (403, 404, "there is no such file, and that is all to say of it"),
    "options": (405, 204, "RFC 9110 section 9.3.7"),
    "range-empty-elements": (416, 206, "section 5.6.1.2: a recipient must take empty elements"),
    "range-reversed": (416, 200, "section 14.1.1: invalid, and section 14.2: then it may be ignored"),
    "range-malformed": (416, 200, "as above: nothing is wrong with the file"),
    "range-2-64": (416, 206, "the last byte is past the end, as for any other such number"),
    "range-head": (206, 200, "section 14.2: ranges are defined for GET alone"),
    "modified-since-later": (200, 304, "section 13.1.3: not modified since then, either"),
    "tag-before-date": (200, 304, "section 13.1.3: the date does not count beside a tag"),
    "match-before-date": (412, 200, "section 13.1.4: the date does not count beside a tag"),
}


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    base = tmp_path_factory.mktemp("files")
    root = tree.build(base)
    work = base / "nginx"
    work.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert NGINX, "nginx is not installed (script/bootstrap test)"
    kinds = "".join(
        f"{k}_temp_path {work}/{k};" for k in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (work / "nginx.conf").write_text(f"""
        daemon off; worker_processes 1; pid {work}/pid; error_log {work}/error.log crit;
        {"user root root;" if os.geteuid() == 0 else ""}
        events {{ worker_connections 64; }}
        http {{
            {kinds} access_log off; default_type application/octet-stream; absolute_redirect off;
            server {{ listen 127.0.0.1:{port}; location / {{ root {root}; }} }}
        }}""")
    nginx = subprocess.Popen([NGINX, "-p", work, "-c", work / "nginx.conf", "-e", work / "error.log"])
    try:
        end = time.monotonic() + 10
        while not is_listening(port):
            assert nginx.poll() is None and time.monotonic() < end
            time.sleep(0.02)
        with Pollux("files", root, "-w", "1", "--log", "off", "--no-compress") as server:
            yield ("127.0.0.1", port), server.address
    finally:
        nginx.terminate()
        nginx.wait(10)


def ask(address, name, tag):
    """By a client that is less strict than ours: nginx has manners of its own."""
    target, fields, method = REQUESTS[name]
    conn = http.client.HTTPConnection(*address, timeout=10)
    conn.putrequest(method, target, skip_accept_encoding=True)
    for field in fields:
        key, _, value = field.partition(": ")
        conn.putheader(key, value.replace(TAG, tag))
    conn.endheaders()
    reply = conn.getresponse()
    reply.content = reply.read()
    conn.close()
    return reply


def seen(reply, name):
    status = reply.status
    out = {"status": status}
    if status in (200, 206) and "range-two" not in name:
        out |= {"range": reply.getheader("Content-Range"), "length": reply.getheader("Content-Length")}
        out["content"] = reply.content
    if status == 301:
        # Ours is relative, so that it holds behind a proxy that strips a prefix.
        out["location"] = urljoin(REQUESTS[name][0], reply.getheader("Location"))
    if status == 416:
        out["range"] = reply.getheader("Content-Range")
    return out


def test_the_tables_are_whole():
    assert len(REQUESTS) == 79
    assert set(DIFFERENCES) <= set(REQUESTS)
    assert all(why for _, _, why in DIFFERENCES.values())


@pytest.mark.parametrize("name", REQUESTS)
def test_as_nginx(both, name):
    replies = []
    for address in both:
        tag = ask(address, "file", "").getheader("ETag")
        replies.append(ask(address, name, tag))
    theirs, ours = (seen(reply, name) for reply in replies)
    if name in DIFFERENCES:
        assert (theirs["status"], ours["status"]) == DIFFERENCES[name][:2]
    else:
        assert theirs == ours
