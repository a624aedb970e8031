"""`pollux run` and the commands about its file: what is served, and every error at its place."""

import base64
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest

from lib.runner import PROGRAM, ROOT, Server, is_listening, parse_address, run
from lib.wire import Wire, ask

pytestmark = pytest.mark.short

TOP = "listen 127.0.0.1:0\nworkers 1\nlog off\n"


def get(server, path="/", host="a.test", method="GET", fields=""):
    """Status, fields by their names in lower case, content."""
    request = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{fields}Connection: close\r\n\r\n"
    reply = ask(server.address, request.encode(), head_only=method == "HEAD")
    return reply.status, {name.lower(): value for name, value in reply.fields}, reply.content


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "index.html").write_text("<p>index\n")
    (tmp_path / "www" / "a.txt").write_text("a\n")
    tmp_path.chmod(0o755)
    return tmp_path


def serve(folder, text, top=TOP, name="pollux.conf", **options):
    path = folder / name
    path.write_text(top + text)
    return Server([PROGRAM, "run", "-c", path], cwd=folder, **options)


def refused(folder, text, command="check", code=78):
    """What is said on stderr."""
    path = folder / "pollux.conf"
    path.write_text(text)
    got, out, err = run(command, "-c", "pollux.conf", cwd=folder)
    assert (got, out) == (code, ""), err
    return err


HOSTS = """
header X-Top top
host example.test www.example.test {
    header X-Host "{host}{path}"
    route /old/{rest...} {
        redirect 301 /new/{param.rest}
    }
    route /hello/{name} {
        header +X-Host second
        header -X-Top
        respond "hello {param.name}"
    }
    route GET /teapot {
        respond 418
    }
    route /gone {
        respond 410 gone
    }
    files www
}
host *.example.test {
    respond wild
}
host * {
    respond 404
}
"""


def test_hosts_and_their_routes(folder):
    with serve(folder, HOSTS) as server:
        status, fields, content = get(server, "/", "example.test")
        assert (status, content) == (200, b"<p>index\n")
        assert (fields["x-top"], fields["x-host"]) == ("top", "example.test/")
        assert get(server, "/a.txt", "WWW.Example.test:8080")[2] == b"a\n"
        assert get(server, "/a.txt", "deep.www.example.test")[2] == b"wild"
        assert get(server, "/a.txt", "other.test")[::2] == (404, b"404 Not Found\n")
        status, fields, _ = get(server, "/old/a%20b/c?q", "example.test")
        assert (status, fields["location"]) == (301, "/new/a%20b/c")
        status, fields, content = get(server, "/hello/w%20rld", "example.test")
        assert (status, content) == (200, b"hello w rld")
        assert "x-top" not in fields
        assert get(server, "/teapot", "example.test")[0] == 418
        assert get(server, "/gone", "example.test")[::2] == (410, b"gone")
        assert get(server, "/none", "example.test")[0] == 404


def test_a_file_without_hosts_is_one_site(folder):
    with serve(folder, "files www\n") as server:
        assert get(server, "/a.txt", "any.test")[2] == b"a\n"
        assert get(server, "/a.txt", "other.test", "HEAD")[1]["content-length"] == "2"


def test_methods_of_respond(folder):
    with serve(folder, "respond hi\n") as server:
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            assert get(server, method=method)[::2] == (200, b"hi"), method
        assert get(server, method="TRACE")[0] == 405
        assert get(server, method="BREW")[0] == 501
        assert ask(server.address, b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n").status == 405


def test_health_follows_the_drain(folder):
    with serve(folder, "health /up\ndrain_delay 2s\nrespond no\n") as server:
        assert get(server, "/up")[::2] == (200, b"ok\n")
        server.signal(signal.SIGTERM)
        end = time.monotonic() + 5
        while get(server, "/up")[0] == 200:
            assert time.monotonic() < end
        assert get(server, "/up")[::2] == (503, b"draining\n")


def test_a_process_alone(folder):
    with serve(folder, "files www\n", top="listen 127.0.0.1:0\nworkers 0\nlog off\n") as server:
        assert get(server, "/a.txt")[2] == b"a\n"


FOLDERS = """
host a.test {
    files www
    route /secret/{rest...} {
        header X-Secret yes
    }
    route /s2/{name} {
        header X-S2 yes
    }
    route /a.txt {
        header X-A yes
    }
    route /own/{rest...} {
        files www/secret
    }
    route /one/{name} {
        files www
    }
    route /cut/{rest...} {
        strip_prefix /cut
        files www
    }
}
"""


def test_an_inherited_folder_is_asked_for_the_whole_path(folder):
    for name in ("secret", "s2", "one"):
        (folder / "www" / name).mkdir()
        (folder / "www" / name / "a.txt").write_text(f"{name}\n")
    cases = [
        ("/secret/a.txt", b"secret\n", "x-secret"),
        ("/s2/a.txt", b"s2\n", "x-s2"),
        ("/a.txt", b"a\n", "x-a"),
        ("/own/a.txt", b"secret\n", "server"),
        ("/one/a.txt", b"one\n", "server"),
        ("/cut/a.txt", b"a\n", "server"),
    ]
    assert len(cases) == 6
    with serve(folder, FOLDERS) as server:
        for path, content, name in cases:
            status, fields, got = get(server, path)
            assert (status, got) == (200, content), path
            assert name in fields, path
        for path, file in (("/secret/a.txt", "www/secret/a.txt"), ("/own/a.txt", "www/secret/a.txt"),
                           ("/s2/a.txt", "www/s2/a.txt"), ("/cut/a.txt", "www/a.txt"), ("/cut/", "www/")):
            code, out, _ = explain(folder, "GET", f"http://a.test{path}")
            assert code == 0 and re.search(rf"^file +\S*/?{file}$", out, re.M), (path, out)
        assert "answer    301: the path with a slash" in explain(folder, "GET", "http://a.test/cut")[1]


TEXTS = """
host a.test {
    error_page 404 502 /e.html
    error_page 410 /gone
    route /e.html {
        respond "sorry {status}"
    }
    route /gone {
        rewrite /e{status}.html
        files www
    }
    route /teapot {
        respond 418 "this is {status}"
    }
    route /410 {
        respond 410
    }
    route /login {
        redirect /to?u={uri}
    }
    route /moved {
        redirect "/to?a=1&{query}"
    }
    route /other {
        redirect https://b.test{uri}
    }
    files www
}
"""


def test_placeholders_say_what_was_asked_and_answered(folder):
    (folder / "www" / "e410.html").write_text("gone for good\n")
    with serve(folder, TEXTS) as server:
        assert get(server, "/none")[::2] == (404, b"sorry 404")
        assert get(server, "/410")[::2] == (410, b"gone for good\n")
        assert get(server, "/teapot")[::2] == (418, b"this is 418")
        for path, location in (
            ("/login?a=1&b=x%20y", "/to?u=%2Flogin%3Fa%3D1%26b%3Dx%2520y"),
            ("/moved?b=2&c=%20", "/to?a=1&b=2&c=%20"),
            ("/other?a=1&b=x", "https://b.test/other?a=1&b=x"),
        ):
            assert get(server, path)[1]["location"] == location


def test_a_line_of_an_own_format_says_what_was_received(folder):
    top = f"listen 127.0.0.1:0\nworkers 1\nlog template \"{{uri}} {{target}} {{path}}\" {folder}/log\n"
    folder.chmod(0o777)
    with serve(folder, "route /w/{name} {\n rewrite /r?b={param.name}\n respond ok\n}\n", top=top) as server:
        assert get(server, "/w/a?x=1")[2] == b"ok"
    assert (folder / "log").read_text() == "/w/a?x=1 /w/a?x=1 /r\n"


GATES = """
match local {
    client 127.0.0.0/8
}
match beta {
    header X-Beta 1 yes*
    not {
        path /stable/*
    }
}
host * {
    error_page 404 418 /page
    request_header X-Seen "{path}"
    request_header -X-Gone
    route /page {
        respond "the page"
    }
    route /closed {
        deny all
        respond in
    }
    route /open/{rest...} {
        deny 192.0.2.0/24
        allow all
        respond in
    }
    route /limited {
        rate_limit {client} 1/h burst=2
        respond in
    }
    route /secret {
        basic_auth staff users
        respond "hello"
    }
    route /app/{rest...} {
        rewrite /a.txt
        files www
    }
    route /static/{rest...} {
        files www
        index a.txt
        cache_control *.txt max-age=7
        type txt text/x-a
        compress off
    }
    route /echo {
        respond "{header.X-Seen} {header.X-Gone}."
    }
    route /none {
        respond 404
    }
    route /small {
        content_max 3
        respond in
    }
    route /when/{rest...} {
        when beta {
            header X-Kind new
            respond new
        }
        when local {
            header X-Near yes
        }
        respond old
    }
    route /big {
        respond "%s"
    }
}
""" % ("word " * 1000)

@pytest.fixture
def gates(folder):
    # "secret", by SHA-crypt.
    hashed = subprocess.run(
        ["openssl", "passwd", "-5", "-salt", "abcdefgh", "secret"], capture_output=True, text=True
    ).stdout.strip()
    (folder / "users").write_text(f"me:{hashed}\n")
    with serve(folder, GATES) as server:
        yield server


def test_access_limits_and_passwords(gates):
    assert get(gates, "/closed")[0] == 403
    assert get(gates, "/open/x")[::2] == (200, b"in")
    assert [get(gates, "/limited")[0] for _ in range(4)] == [200, 200, 429, 429]
    assert get(gates, "/secret")[0] == 401
    assert 'realm="staff"' in get(gates, "/secret")[1]["www-authenticate"]
    basic = "Authorization: Basic " + base64.b64encode(b"me:secret").decode() + "\r\n"
    assert get(gates, "/secret", fields=basic)[::2] == (200, b"hello")


def test_requests_are_reshaped(gates):
    assert get(gates, "/app/any/path")[::2] == (200, b"a\n")
    assert get(gates, "/echo", fields="X-Seen: no\r\nX-Gone: x\r\n")[2] == b"/echo ."
    status, fields, content = get(gates, "/static/")
    assert (status, content) == (200, b"a\n")
    assert fields["cache-control"] == "max-age=7"
    assert fields["content-type"].startswith("text/x-a")


def test_error_pages_are_of_the_same_host(gates):
    assert get(gates, "/none")[::2] == (404, b"the page")
    assert get(gates, "/not-there")[::2] == (404, b"the page")
    assert get(gates, "/static/none")[::2] == (404, b"the page")
    assert get(gates, "/closed")[0] == 403


def test_answers_with_an_error_page_have_no_validators(gates, folder):
    """A page that files answer: as with --error-page of `pollux files`, there is nothing to ask for again."""
    (folder / "www" / "no.html").write_text("no such thing")
    text = "error_page 404 /pages/no.html\nroute /pages/{name} {\n strip_prefix /pages\n files www\n}\nrespond 404\n"
    validators = ("etag", "last-modified", "accept-ranges")
    with serve(folder, text) as server, Server([PROGRAM, "files", "www", "--log", "off", "-w", "1", "-l", "127.0.0.1:0",
                                               "--error-page", "404=no.html"], cwd=folder) as files:  # fmt: skip
        status, fields, content = get(server, "/pages/no.html")
        assert status == 200 and all(name in fields for name in validators)
        for one in (server, files):
            for asks in ("", f"If-None-Match: {fields['etag']}\r\n", "Range: bytes=0-0\r\n"):
                status, got, content = get(one, "/none", fields=asks)
                assert (status, content) == (404, b"no such thing")
                assert not set(validators) & set(got), got


def test_when_decides_by_the_request(gates):
    beta = "X-Beta: yes!\r\n"
    assert get(gates, "/when/a")[2] == b"old"
    status, fields, content = get(gates, "/when/a", fields=beta)
    assert (content, fields["x-kind"], fields["x-near"]) == (b"new", "new", "yes")
    status, fields, content = get(gates, "/when/a", fields="X-Beta: 2\r\n")
    assert (content, fields.get("x-kind"), fields["x-near"]) == (b"old", None, "yes")


def test_content_and_coding(gates):
    assert get(gates, "/small", method="POST", fields="Content-Length: 4\r\n")[0] == 413
    gzip = "Accept-Encoding: gzip\r\n"
    assert get(gates, "/big", fields=gzip)[1]["content-encoding"] == "gzip"
    assert "content-encoding" not in get(gates, "/static/a.txt", fields=gzip)[1]


def test_a_limit_is_one_for_all_workers_and_lives_on_across_a_reload(folder, pid_file):
    top = f"workers 2\nlog off\nlisten 127.0.0.1:{free_port()}\n{pid_file}"
    text = "rate_limit {client} 3/h\nrespond in\n"
    with serve(folder, text, top=top) as server:
        assert sum(get(server)[0] == 200 for _ in range(10)) == 3
        (folder / "pollux.conf").write_text(top + "# a line more\n" + text)
        assert reload(folder)[0] == 0
        assert sum(get(server)[0] == 200 for _ in range(10)) == 0


def test_limits_of_a_host_are_of_requests(folder):
    err = refused(folder, "host a.test {\n    limits {\n        head 4k\n    }\n    respond\n}\n")
    assert err.startswith('pollux.conf:3:9: "head" in limits is for all hosts: it stands at the top')
    with serve(folder, "host * {\n limits {\n  content 3\n }\n respond\n}\n") as server:
        assert get(server, method="POST", fields="Content-Length: 4\r\n")[0] == 413


@pytest.mark.parametrize("page", ["CONFIGURATION.md", "COMING_FROM_NGINX.md"])
def test_examples_of_the_pages_load(folder, page):
    text = (ROOT / "docs" / page).read_text()
    blocks = re.findall(r"^```pollux\n(.*?)^```$", text, re.M | re.S)
    assert len(blocks) >= {"CONFIGURATION.md": 4, "COMING_FROM_NGINX.md": 20}[page]
    (folder / "users").write_text("me:$5$abcdefgh$" + "a" * 43 + "\n")
    make_certificate(folder, "example.org")
    for block in blocks:
        (folder / "pollux.conf").write_text(block)
        code, _, err = run("check", "-q", "-c", "pollux.conf", cwd=folder)
        assert code == 0, block + err


def examples(page):
    return re.findall(r"^```pollux\n(.*?)^```$", (ROOT / "docs" / page).read_text(), re.M | re.S)


def test_the_two_sites_of_the_handbook_answer(folder):
    """The example at the top of the page, at addresses of this machine and with an application behind it."""
    example = next(text for text in examples("CONFIGURATION.md") if text.count("\nhost ") == 2)
    make_certificate(folder, "example.org,DNS:app.example.org")
    (folder / "www" / "assets").mkdir()
    (folder / "www" / "assets" / "a.js").write_text("a")
    with Server([PROGRAM, "respond", "--log", "off", "-l", "127.0.0.1:0", "-w", "1", "behind"]) as behind:
        for was, now in ((":8080", "127.0.0.1:0"), (":8443", f"127.0.0.1:{free_port()}"), ("127.0.0.1:3000", "%s:%d" % behind.address)):
            assert was in example
            example = example.replace(was, now)
        with serve(folder, example, top="workers 1\n") as server:
            plain, secure = server.addresses
            server.address = plain
            status, fields, _ = get(server, "/a", host="app.example.org")
            assert (status, fields["location"].split(":")[0]) == (301, "https")
            answers = {(host, path): over_tls(folder, secure, host, path) for host, path in (
                ("example.org", "/assets/a.js"), ("app.example.org", "/static/a.txt"), ("app.example.org", "/version"),
                ("app.example.org", "/any"))}  # fmt: skip
    assert b"max-age=31536000, immutable" in answers["example.org", "/assets/a.js"]
    assert answers["app.example.org", "/static/a.txt"].endswith(b"\r\n\r\na\n")
    version = answers["app.example.org", "/version"].split(b"\r\n\r\n")[1]
    assert json.loads(version)["version"] == "1.2" and len(json.loads(version)["request"]) > 8
    assert answers["app.example.org", "/any"].endswith(b"behind")
    assert all(b"nosniff" in one for one in answers.values())


def over_tls(folder, address, host, path):
    context = ssl.create_default_context(cafile=folder / "cert.pem")
    with socket.create_connection(address) as raw, context.wrap_socket(raw, server_hostname=host) as one:
        one.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: one.recv(65536), b""))


def test_json_of_the_handbook_is_json(folder):
    example = next(text for text in examples("CONFIGURATION.md") if '"method"' in text)
    with serve(folder, example, top="workers 0\n") as server:
        status, fields, content = get(server, "/")
    assert (status, fields["content-type"]) == (200, "application/json")
    assert json.loads(content)["method"] == "GET" and json.loads(content)["ids"][0]["request"]


def test_variables_of_nginx_are_those_of_the_table(folder):
    rows = re.findall(r"^\| `\$([a-z_]+(?:NAME)?)` \| `(\{.*\})` \|$", (ROOT / "docs" / "COMING_FROM_NGINX.md").read_text(), re.M)
    assert len(rows) > 25
    for at in range(0, len(rows), 15):
        some = [(name.replace("NAME", "x"), here.replace("NAME", "x")) for name, here in rows[at : at + 15]]
        (folder / "pollux.conf").write_text("respond \"" + " ".join(f"${name}" for name, _ in some) + "\"\n")
        code, _, err = run("check", "-c", "pollux.conf", cwd=folder)
        assert code == 0
        assert re.findall(r'"\$(\w+)" is a variable of nginx.*write (\{.*\})', err) == some
        (folder / "pollux.conf").write_text("respond \"" + " ".join(here for _, here in some) + "\"\n")
        assert run("check", "-q", "-c", "pollux.conf", cwd=folder)[::2] == (0, "")


def make_certificate(folder, name):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-days", "30",
         "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"],
        check=True, capture_output=True,
    )  # fmt: skip


def test_tls_redirect_and_hsts(folder):
    make_certificate(folder, "example.org")
    plain, secure = free_port(), free_port()
    top = f"workers 1\nlog off\nlisten 127.0.0.1:{plain}\nlisten 127.0.0.1:{secure} tls\n"
    text = "host example.org {\n tls cert.pem key.pem\n redirect https\n hsts 1h\n respond secret\n match off { path /off }\n when off { hsts off }\n}\n"
    with serve(folder, text, top=top) as server:
        server.address = ("127.0.0.1", plain)
        status, fields, _ = get(server, "/a?b", "example.org")
        assert (status, fields["location"]) == (301, f"https://example.org:{secure}/a?b")
        context = ssl.create_default_context(cafile=folder / "cert.pem")
        answers = []
        for path in (b"/", b"/off"):
            with socket.create_connection(("127.0.0.1", secure)) as raw:
                with context.wrap_socket(raw, server_hostname="example.org") as one:
                    one.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n")
                    answers.append(b"".join(iter(lambda: one.recv(65536), b"")))
                    assert answers[-1].endswith(b"secret")
    assert b"Strict-Transport-Security: max-age=3600\r\n" in answers[0]
    assert b"Strict-Transport" not in answers[1]
    (folder / "key.pem").write_text("no key\n")
    err = refused(folder, top + text)
    assert "pollux.conf:6:15: " in err and "key.pem" in err


def test_metrics_and_status_are_answers(folder):
    text = """
host * {
    route /metrics {
        allow 127.0.0.0/8
        metrics
    }
    route /status { status }
    respond in
}
"""
    for workers in (0, 2):
        with serve(folder, text, top=f"listen 127.0.0.1:0\nworkers {workers}\nlog off\n") as server:
            for _ in range(3):
                assert get(server)[2] == b"in"
            status, fields, content = get(server, "/metrics")
            assert (status, fields["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
            answered = re.findall(rb'^http_server_request_duration_seconds_count\{.*http_route="/",.* (\d+)$', content, re.M)
            assert sum(map(int, answered)) == 3
            assert get(server, "/metrics", method="HEAD")[0] == 200
            status, fields, _ = get(server, "/metrics", method="POST")
            assert (status, fields["allow"]) == (405, "GET, HEAD, OPTIONS")
            for path in ("/metrics", "/status"):
                status, fields, content = get(server, path, method="OPTIONS")
                assert (status, fields["allow"], content) == (204, "GET, HEAD, OPTIONS", b"")
            status, fields, content = get(server, "/status", fields="Accept: application/json\r\n")
            assert (status, fields["content-type"].split(";")[0]) == (200, "application/json")
            assert b"<html" in get(server, "/status", fields="Accept: text/html\r\n")[2]
    code, out, _ = explain(folder, "GET", "http://a.test/metrics")
    assert (code, out.splitlines()[-1]) == (0, "answer    metrics  # pollux.conf:8")


# --- Errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("line, place, said", [
    ("listen :80443", "1:8", "has no port"),
    ("listen 127.0.0.1", "1:8", "has no port"),
    ("listen https://127.0.0.1:21443", "1:8", "write listen 127.0.0.1:21443 tls"),
    ("listen http://127.0.0.1:21443", "1:8", "write listen 127.0.0.1:21443"),
    ("trusted_proxies 127.0.0.0/33", "1:17", "the bits behind its / are from 0 to 32"),
    ("user no-such-user", "1:6", "no-such-user"),
    ("limits { head 2m }", "1:15", "2m"),
    ("limits { head 1 }", "1:15", "256"),
    ("limits { fields 1001 }", "1:17", "1000"),
    ("limits { target 2m }", "1:17", "2m"),
    ("log combined no-such/a.log", "1:14", "no such file or directory"),
    ("log combined pollux.conf/a.log", "1:14", "not a directory"),
    ("pid_file /no-such/pid", "1:10", "no such file or directory"),
    ("user root:no-such", "1:6", "there is no group no-such"),
    ("listen unix:/x mode=9", "1:16", "octal number"),
    ("listen :80 mode=0600", "1:12", "mode is for unix:/path"),
    ("metrics https://:9", "1:9", "https://:9: it speaks no tls"),
    ("metrics 9100", "1:9", "'9100' has no port"),
    ("metrics /metrics", "1:9", "'/metrics' has no port"),
    ("workers 4; max_workers 2", "1:24", "less than the workers"),
    ("workers 0; max_workers 2", "1:24", "with workers 0"),
    ("listen 127.0.0.1:0 tls; tls self_signed { client_ca none }", "1:53", "none: no such file"),
    ("listen 127.0.0.1:0 tls; tls self_signed { tickets none }", "1:51", "none: no such file"),
    ("listen 127.0.0.1:0 tls; tls self_signed { ocsp none }", "1:48", "none: no such file"),
])  # fmt: skip
def test_check_says_what_run_would(folder, line, place, said):
    for command in ("check", "run"):
        err = refused(folder, line + "\nrespond\n", command=command)
        assert "--" not in err
        assert err.startswith(f"pollux.conf:{place}: ") and said in err.lower(), err


@pytest.mark.parametrize("text, place, said", [
    ("redirect 301\n", "1:10", "a redirect needs a target: redirect 301 TARGET"),
    ("host a.test {\n route a.test/x {\n  respond\n }\n}\n", "2:8", "begins with a host"),
    ("route GET a.test/x {\n respond\n}\n", "1:11", "begins with a host"),
    ("listen :1\nredirect https\n", "", "redirect https answers http alone"),
    ("redirect https\nhost a.test {\n}\n", "2:1", "redirect https answers http alone"),
])  # fmt: skip
def test_what_cannot_work_is_an_error(folder, text, place, said):
    err = refused(folder, text)
    assert err.startswith(f"pollux.conf:{place}: " if place else "pollux.conf: ") and said in err, err


@pytest.mark.parametrize("text, place, said", [
    ("error_page 404 /nope.html\nfiles www\n", "1:16", "no file and no route for /nope.html"),
    ("host a.test {\n error_page 404 410 /e\n route GET / {\n  files www\n }\n}\n", "2:21", "no file and no route"),
    ("error_page 404 /e\nhost a.test {\n files www\n}\nhost *.a.test {\n files www\n}\n", "1:16", "no file and no"),
    ("route /x/{$} {\n error_page 404 /e\n respond\n}\n", "2:17", "no file and no route"),
    ("route /a* {\n respond\n}\n", "1:7", "write /{rest...} for all below"),
    ("route GET /a/*/b {\n respond\n}\n", "1:11", "write /a/{rest...} for all below"),
    ("route /api/{rest...} {\n strip_prefix /apix\n respond\n}\n", "2:15", "begins with /apix"),
    ("route /api/{rest...} {\n strip_prefix /ap\n respond\n}\n", "2:15", "begins with /ap"),
    ("route /api {\n strip_prefix /api/v1\n respond\n}\n", "2:15", "begins with /api/v1"),
    ("trusted_proxies 10.0.0.0/8\nrespond\n", "1:1", "name the one it sets with field="),
    ("deny all\nallow 127.0.0.1\nrespond\n", "2:1", '"deny all" at pollux.conf:1 comes before it'),
    ("route /x {\n cache_control * no-store\n proxy 127.0.0.1:1\n}\n", "2:2", '"cache_control" acts on answers of "files"'),
    ("host a.test {\n listing on\n respond\n}\n", "2:2", '"listing" acts on answers of "files"'),
    ("content_type text/css\nfiles www\n", "1:1", '"content_type" acts on answers of "respond"'),
    ("respond 204 hello\n", "1:13", "an answer with status 204 has no content"),
    ("redirect /login\n", "1:10", "/login is redirected to itself"),
    ("host a.test {\n route /x {\n  redirect /x?y=1\n }\n}\n", "3:12", "/x?y=1 is redirected to itself"),
    ("hsts\nrespond\n", "1:1", "hsts is said over TLS alone"),
    ("redirect https\nrespond\n", "1:1", "no address is listened on with tls"),
    ("error_page 404 /gone.html\nfallback /index.html\nfiles www\n", "1:16", "there is no file and no route for /gone.html"),
    ("error_page 404 /gone.html\nroute /x {\n respond\n}\nrespond 404\n", "1:16", "there is no file and no route for /gone.html"),
    ("host a.test {\n route /x {\n  redirect https\n }\n respond\n}\n", "3:3", "no address is listened on with tls"),
    ("host a.test {\n hsts\n respond\n}\n", "2:2", "hsts is said over TLS alone"),
    ("listen :8080\nbasic_auth A users\nrespond\n", "2:1", "passwords come in the clear at :8080; listen with tls"),
    ("listen :8080\nhost a.test {\n route /x {\n  basic_auth A users\n  respond\n }\n}\n", "4:3", "passwords come in the clear"),
    ("listen :8080\nproxy localhost:8080\n", "2:7", "localhost:8080 is an address of this program itself (listen :8080)"),
    ("listen 127.0.0.1:80\nproxy http://127.0.0.1\n", "2:7", "127.0.0.1:80 is an address of this program itself"),
    ("listen unix:/tmp/pollux-none\nupstream u {\n server unix:/tmp/pollux-none\n}\nproxy u\n", "3:9", "unix:/tmp/pollux-none is an address of this program itself"),
    ("allow 10.0.0.0/8\nrespond\n", "1:1", "nothing is denied here, so \"allow\" keeps no client out"),
    ("allow 10.0.0.0/8\ndeny 10.1.0.0/16\ndeny all\nrespond\n", "2:6", '"allow 10.0.0.0/8" at pollux.conf:1 comes before it and decides'),
    ("deny 2001:db8::/32\nallow 2001:db8:1::/48\nrespond\n", "2:7", '"deny 2001:db8::/32" at pollux.conf:1 comes before it and decides'),
])  # fmt: skip
def test_what_does_nothing_is_a_warning(folder, text, place, said):
    (folder / "users").write_text("u:$6$saltsalt$" + "a" * 86 + "\n")
    (folder / "pollux.conf").write_text(text)
    code, out, err = run("check", "-c", "pollux.conf", cwd=folder)
    assert (code, out) == (0, "")
    assert err.startswith(f"pollux.conf:{place}: warning: ") and said in err, err
    assert err.count("warning") == 1


@pytest.mark.parametrize("text", [
    "listen 127.0.0.1:8080\nbasic_auth A users\nrespond\n",
    "listen :8080\ntrusted_proxies 10.0.0.0/8 field=forwarded\nbasic_auth A users\nrespond\n",
    "listen :8080\nbasic_auth off\nrespond\n",
    "listen :8080\nproxy 127.0.0.1:8081\n",
    "listen 10.0.0.1:8080\nproxy 127.0.0.1:8080\n",
    "listen :8080\nproxy 192.0.2.1:8080\n",
    "deny 10.1.0.0/16\nallow 10.0.0.0/8\ndeny all\nrespond\n",
    "allow 10.0.0.0/8\nallow 10.1.0.0/16\ndeny all\nrespond\n",
    "allow ::/0\ndeny 10.0.0.0/8\nrespond\n",
    "match m {\n path /x\n}\nhost a.test {\n when m {\n  allow 10.0.0.0/8\n }\n deny 10.0.0.0/16\n respond\n}\n",
])  # fmt: skip
def test_what_is_meant_is_no_warning(folder, text):
    (folder / "users").write_text("u:$6$saltsalt$" + "a" * 86 + "\n")
    (folder / "pollux.conf").write_text(text)
    assert run("check", "-c", "pollux.conf", cwd=folder) == (0, "", "")


@pytest.mark.parametrize("text, place, code, said", [
    ("listen unix:/nonexist/s\nrespond\n", "1:8", 78, "cannot listen on unix:/nonexist/s: /nonexist/: No such file"),
    ("metrics unix:/nonexist/m\nrespond\n", "1:9", 78, "cannot listen on unix:/nonexist/m: /nonexist/: No such file"),
    ("host a.test {\n listen unix:/nonexist/s\n respond\n}\n", "2:9", 78, "cannot listen on"),
    ("log combined syslog:unix:/nonexist\nrespond\n", "1:14", 0, "warning: there is no receiver at /nonexist (No such file"),
    ("log json journal:/nonexist\nrespond\n", "1:10", 0, "warning: there is no receiver at /nonexist (No such file"),
    ("access_log json journal:/nonexist\nrespond\n", "1:17", 0, "warning: there is no receiver at /nonexist (No such file"),
])  # fmt: skip
def test_check_finds_what_a_start_would_miss(folder, text, place, code, said):
    (folder / "pollux.conf").write_text(text)
    got, out, err = run("check", "-c", "pollux.conf", cwd=folder)
    assert (got, out) == (code, "") and err.startswith(f"pollux.conf:{place}: {said}"), err


@pytest.mark.skipif(os.geteuid() != 0, reason="what is warned of is a user that only root becomes, so root becomes another one first")
def test_check_warns_of_a_user_that_only_root_becomes(folder):
    (folder / "pollux.conf").write_text("user daemon\nrespond\n")
    assert run("check", "-c", "pollux.conf", cwd=folder) == (0, "", "")
    done = subprocess.run([PROGRAM, "check", "-c", "pollux.conf"], cwd=folder, user=65534, group=65534, extra_groups=[],
                          capture_output=True, text=True)  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("pollux.conf:1:6: warning: only root can become another user"), done.stderr


@pytest.mark.parametrize("text", [
    "error_page 404 /a.txt\nfiles www\n",
    "error_page 404 /e\nhost a.test {\n files www\n}\nhost b.test {\n respond\n}\n",
    "error_page 404 /e\nfallback /index.html\nfiles www\n",
    "error_page 404 /e\nroute /e {\n respond sorry\n}\nfiles www\n",
    "error_page 404 /e.html\nfallback /index.html\nroute /e.html {\n respond sorry\n}\nfiles www\n",
    "error_page 404 /a.txt\nfallback /index.html\nfiles www\n",
    "error_page 404 /e.html\nproxy 127.0.0.1:1\n",
    "error_page 404 /secret/a.txt\nfiles www\nroute /secret/{rest...} {\n files www\n}\n",
    "route /api/{rest...} {\n strip_prefix /api\n respond\n}\n",
    "route /api/{rest...} {\n strip_prefix /api/v1/\n respond\n}\n",
    "route /{name}/x {\n strip_prefix /api\n respond\n}\n",
    "strip_prefix /api\nroute /x {\n respond\n}\n",
    "trusted_proxies 10.0.0.0/8 field=x-forwarded-for\nrespond\n",
    "trusted_proxies 10.0.0.0/8\nlisten 127.0.0.1:0 proxy\nrespond\n",
    "allow 127.0.0.1\ndeny all\nrespond\n",
    "listing on\nhost a.test {\n respond\n}\n",
    "listing on\nroute /x {\n files www\n}\nrespond\n",
    "route /x {\n cache_control * no-store\n files www\n}\n",
    "redirect /new{uri}\n",
    "redirect https://a.test/x\n",
    "redirect https port=443\nrespond\n",
    "redirect https\nlisten :1\nlisten :2 tls\ntls self_signed\nrespond\n",
    "route /x {\n redirect /y\n}\nfiles www\n",
    "respond 204\nhsts off\n",
])  # fmt: skip
def test_what_works_is_no_warning(folder, text):
    (folder / "pollux.conf").write_text(text)
    assert run("check", "-c", "pollux.conf", cwd=folder) == (0, "", "")


def test_explain_stops_at_what_answers(folder):
    (folder / "pollux.conf").write_text(
        "listen 127.0.0.1:0\nredirect https port=1\nrate_limit {client} 1/s\nhsts\nheader X-A b\nstrip_prefix /a\nfiles www\n")
    code, out, _ = explain(folder, "GET", "http://a.test/")
    labels = [line.split()[:2] for line in out.splitlines()]
    assert (code, labels) == (0, [["https", "redirect"], ["header", "header"], ["answer", "redirect"]])
    (folder / "pollux.conf").write_text("deny all\nrate_limit {client} 1/s\nheader X-A b\nrespond\n")
    code, out, _ = explain(folder, "GET", "http://a.test/")
    labels = [line.split()[0] for line in out.splitlines()]
    assert (code, labels) == (0, ["access", "header", "answer"])


def test_a_route_that_is_there_twice(folder):
    text = "route /status {\n respond\n}\nroute /status {\n respond\n}\n"
    assert refused(folder, text).startswith('pollux.conf:4:7: route "/status" is already at pollux.conf:1\n')


@pytest.mark.skipif(os.path.exists("/etc/pollux/pollux.conf"), reason="this machine has a pollux.conf of its own, which would be taken")
@pytest.mark.parametrize("command", ["run", "check", "config", "fmt", "reload"])
def test_no_file_at_all(folder, command):
    code, out, err = run(command, cwd=folder)
    assert (code, out) == (78, "")
    assert err.startswith("pollux: there is no pollux.conf here, and no /etc/pollux/pollux.conf; name the file with -c FILE\n")


def test_explain_asks_for_an_address(folder):
    (folder / "pollux.conf").write_text("respond\n")
    for address in ("nope", "10.0.0.0/8"):
        code, out, err = explain(folder, "GET", "http://a.test/", "--from", address)
        assert (code, out) == (64, "") and "is not an address" in err
    for address in ("::1", "192.0.2.1", "unix:"):
        assert explain(folder, "GET", "http://a.test/", "--from", address)[0] == 0


def test_a_key_that_may_not_be_read(folder):
    make_certificate(folder, "example.org")
    (folder / "pollux.conf").write_text("listen :443 tls\ntls cert.pem key.pem\nrespond\n")
    (folder / "cert.pem").chmod(0o644)
    (folder / "key.pem").chmod(0o600)
    os.chown(folder / "key.pem", 0, 0)
    done = subprocess.run([PROGRAM, "check", "-c", "pollux.conf"], cwd=folder, capture_output=True, text=True,
                          user=65534, group=65534)  # fmt: skip
    assert done.returncode == 78
    assert done.stderr.startswith(
        "pollux.conf:2:14: cannot read key.pem: permission denied (the master reads it, as root or as who starts it)\n"
    )


def test_all_errors_at_their_places(folder):
    err = refused(
        folder,
        "listen 127.0.0.1:0\nhost a.test {\n    route /a {\n        files nowhere\n    }\n"
        '    route /{x} {\n        respond "{nope}"\n    }\n    route /b {\n'
        "        header Content-Length 3\n        redirect 200 /\n    }\n}\n",
    )
    assert err == (
        "pollux.conf:4:15: cannot serve nowhere: No such file or directory\n"
        "    4 |         files nowhere\n"
        "      |               ^^^^^^^\n"
        "pollux.conf:7:18: there is no placeholder {nope}\n"
        '    7 |         respond "{nope}"\n'
        "      |                  ^^^^^^\n"
        "pollux.conf:10:16: 'Content-Length' is a field that pollux sets itself\n"
        "   10 |         header Content-Length 3\n"
        "      |                ^^^^^^^^^^^^^^\n"
        'pollux.conf:11:18: "200" is not one of 301, 302, 303, 307 or 308\n'
        "   11 |         redirect 200 /\n"
        "      |                  ^^^\n"
    )


def test_routes_in_conflict_name_both_lines(folder):
    err = refused(
        folder,
        "host a.test {\n    route /{x} {\n        respond 1st\n    }\n"
        "    route /{y} {\n        respond 2nd\n    }\n}\n",
    )
    assert re.match(r'pollux\.conf:5:11: .*"/\{y\}" and "/\{x\}" match the same.*; the other is at '
                    r"pollux\.conf:2\n", err), err


def test_a_field_that_is_framing(folder):
    err = refused(folder, "header Content-Length 3\nrespond hi\n")
    assert err.startswith("pollux.conf:1:8: ") and "Content-Length" in err


def test_run_is_refused_as_check_is(folder):
    assert refused(folder, "procy x\n", command="run") == refused(folder, "procy x\n")


def test_a_file_that_is_not_there(folder):
    code, out, err = run("check", "-c", "none.conf", cwd=folder)
    assert (code, out) == (78, "")
    assert err == "pollux: cannot read none.conf: No such file or directory\n"


@pytest.mark.parametrize("command", ["run", "check", "config"])
def test_words_are_no_file(command):
    code, out, err = run(command, "x.conf")
    assert (code, out, err) == (64, "", "pollux: x.conf: a file is named with -c x.conf\n")


# --- The other commands --------------------------------------------------------------------------


def test_check_says_which_file(folder):
    (folder / "pollux.conf").write_text("files www\n")
    assert run("check", cwd=folder) == (0, "", "pollux: the configuration is pollux.conf\n")
    assert run("check", "-q", cwd=folder) == (0, "", "")
    assert run("check", "-c", "pollux.conf", cwd=folder) == (0, "", "")


def test_config_is_a_configuration_that_means_the_same(folder):
    (folder / "one").mkdir()
    (folder / "one" / "a.conf").write_text("host a.test {\n    files ../www\n}\n")
    (folder / "pollux.conf").write_text("include one/*.conf\nlisten :8080\n")
    code, out, err = run("config", "-q", cwd=folder)
    assert (code, err) == (0, "")
    assert "host a.test { # one/a.conf:1\n" in out
    assert "listen :8080 # pollux.conf:2\n" in out
    assert "workers auto # default\n" in out
    (folder / "again.conf").write_text(out)
    code, again, err = run("config", "-c", "again.conf", cwd=folder)
    assert (code, err) == (0, "")
    strip = lambda text: re.sub(r" # .*", "", text)
    assert strip(again) == strip(out)


def test_config_fills_in_blocks(folder):
    make_certificate(folder, "a.test")
    path = folder / "pollux.conf"
    path.write_text("listen 127.0.0.1:0 tls\nupstream app {\n    server 10.0.0.1:1\n    fails 5\n}\nhost a.test {\n"
                    "    tls cert.pem key.pem {\n        strict on\n    }\n    proxy app\n}\n")
    code, out, err = run("config", "-q", "-c", "pollux.conf", cwd=folder)
    assert (code, err) == (0, "")
    for line in ("balance random", "slow_start 10s", "keepalive 256", "queue 256 10s", "retry 2", "host pass",
                 "via pollux", "buffer 16k", "profile intermediate"):
        assert out.count(f" {line} # default\n") == 1, line
    assert " fails 3" not in out and "strict off" not in out
    (folder / "again.conf").write_text(out)
    code, again, err = run("config", "-q", "-c", "again.conf", cwd=folder)
    strip = lambda text: re.sub(r" # .*", "", text)
    assert (code, err, strip(again)) == (0, "", strip(out))


def test_a_proxy_takes_an_address_without_a_scheme(folder):
    with serve(folder, "respond behind\n") as behind:
        with serve(folder, f"proxy 127.0.0.1:{behind.address[1]}\n", name="front.conf") as server:
            assert get(server)[2] == b"behind"
    err = refused(folder, "proxy localhost\n")
    assert "host:port or http://host" in err


def test_fmt(folder):
    path = folder / "pollux.conf"
    path.write_text("host a.test{respond   hi}  # end\n")
    tidy = "host a.test {\n    respond hi\n}  # end\n"
    code, out, err = run("fmt", cwd=folder)
    assert (code, err) == (0, "")
    path.chmod(0o640)
    assert run("fmt", "-w", cwd=folder) == (0, "", "")
    assert path.read_text() == out
    assert path.stat().st_mode & 0o777 == 0o640
    assert run("fmt", "pollux.conf", cwd=folder) == (0, out, "")
    with open(path) as text:
        done = subprocess.run([PROGRAM, "fmt", "-"], stdin=text, cwd=folder, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, out, "")
    assert run("fmt", "-w", "-", cwd=folder)[0] == 64
    path.write_text('respond "\n')
    code, out, err = run("fmt", cwd=folder)
    assert (code, out) == (78, "")
    assert err.startswith("pollux.conf:1:9: ")


# --- Reload --------------------------------------------------------------------------------------


def get_soon(server, wanted, **ask_with):
    """The one connection that an old worker had taken already may have its answer."""
    end = time.monotonic() + 5
    while (content := get(server, **ask_with)[2]) != wanted:
        assert time.monotonic() < end, content
    assert get(server, **ask_with)[2] == wanted


def reload(folder, *flags):
    return run("reload", "-c", "pollux.conf", *flags, cwd=folder, seconds=30)


@pytest.fixture
def pid_file(folder):
    return f"pid_file {folder}/pollux.pid\n"


def test_a_reload_serves_what_the_file_says_now(folder, pid_file):
    with serve(folder, pid_file + "respond 1st\n") as server:
        assert get(server)[2] == b"1st"
        (folder / "pollux.conf").write_text(TOP + pid_file + "files www\nheader X-A b\n")
        assert reload(folder) == (0, "reloaded: 1 new worker serves\n", "")
        get_soon(server, b"<p>index\n")
        assert reload(folder, "--pid-file", f"{folder}/pollux.pid")[0] == 0
        assert (folder / "pollux.pid.reload").stat().st_mode & 0o777 == 0o600
    assert not (folder / "pollux.pid.reload").exists()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_reload_of_another_file_is_an_error(folder, pid_file, workers):
    top = TOP.replace("workers 1", f"workers {workers}") + pid_file
    other = folder / "other.conf"
    other.write_text(top + "respond 2nd\n")
    with serve(folder, "respond 1st\n", top=top) as server:
        says = f"pollux: process {server.process.pid} reads {folder}/pollux.conf, not other.conf: nothing was reloaded\n"
        for flags in ([], ["--pid-file", f"{folder}/pollux.pid"]):
            assert run("reload", "-c", "other.conf", *flags, cwd=folder) == (64, "", says)
        assert get(server)[2] == b"1st"
        assert reload(folder)[0] == 0
        assert run("reload", "-c", "other.conf", cwd=folder) == (64, "", says)
        # Another name of the file, and the name with another file in its place.
        (folder / "link.conf").symlink_to("pollux.conf")
        assert run("reload", "-c", "link.conf", cwd=folder)[0] == 0
        other.rename(folder / "pollux.conf")
        assert reload(folder)[0] == 0
        get_soon(server, b"2nd")
        assert run("reload", "--pid-file", "pollux.pid", cwd=folder)[0] == 0


def test_a_reload_with_errors_changes_nothing(folder, pid_file):
    with serve(folder, pid_file + "respond 1st\n") as server:
        path = folder / "pollux.conf"
        for text, says in (
            ("procy\n", 'pollux.conf:5:1: unknown directive "procy"'),
            ("files none\n", "pollux.conf:5:7: cannot serve"),
            ("listen 192.0.2.1:1\nrespond\n", "pollux.conf:5:8: cannot listen on 192.0.2.1:1"),
            ("user nobody\nrespond\n", 'pollux.conf:5:1: "user" cannot change by a reload: restart'),
            ("timeouts {\n drain 1s\n}\nrespond\n", 'pollux.conf:6:2: "drain" cannot change'),
        ):
            path.write_text(TOP + pid_file + text)
            code, out, err = reload(folder)
            assert (code, out) == (78, ""), (text, err)
            assert says in err, (text, err)
            assert get(server)[2] == b"1st"
        path.write_text(TOP.replace("workers 1", "workers 0") + pid_file + "respond\n")
        code, _, err = reload(folder)
        assert code == 78 and "pollux.conf:2:9: workers cannot become 0" in err
        assert get(server)[2] == b"1st"
        server.wait_stderr("not reloaded: the configuration has errors; the old one goes on")


def succeeded(server):
    """What metrics say of the last reload, and when it was."""
    found = dict(re.findall(r"^pollux_reload_(\w+) (\d+)$", get(server, "/metrics")[2].decode(), re.M))
    return found["success"], found["timestamp_seconds"]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_reload_that_failed_is_a_metric(folder, pid_file, workers):
    top = f"listen 127.0.0.1:0\nworkers {workers}\nlog off\n{pid_file}"
    good = "host * {\n    route /metrics {\n        metrics\n    }\n    respond one\n}\n"
    path = folder / "pollux.conf"
    with serve(folder, good, top=top) as server:
        assert succeeded(server) == ("1", "0")
        for bad in ("procy x\n", "user root\n" if workers else "limits {\n    head 4k\n}\n" + good):
            path.write_text(top + bad)
            assert reload(folder)[0] == 78
            assert succeeded(server)[0] == "0", bad
            path.write_text(top + good)
            assert reload(folder)[0] == 0
            end = time.monotonic() + 5
            while succeeded(server)[0] != "1":
                assert time.monotonic() < end
        assert succeeded(server)[1] != "0"


@pytest.mark.parametrize("workers", [0, 1])
def test_a_key_that_is_spoiled_is_a_metric(folder, workers):
    make_certificate(folder, "a.test")
    (folder / "key.pem").chmod(0o644)
    words = ["files", "-l", "https://127.0.0.1:0", "-w", str(workers), "--log", "off", "--metrics", "127.0.0.1:0",
             "--tls-cert", "cert.pem", "--tls-key", "key.pem", "www"]
    with Server([PROGRAM, *words], cwd=folder) as server:
        key = (folder / "key.pem").read_text()
        (folder / "key.pem").write_text("nonsense\n")
        server.signal(signal.SIGHUP)
        server.wait_stderr("not reloaded: ")
        metrics = parse_address(server.wait_stderr(r"metrics on (\S+)")[0][1])
        request = b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        end = time.monotonic() + 5
        while b"\npollux_reload_success 0\n" not in ask(metrics, request).content:
            assert time.monotonic() < end
        (folder / "key.pem").write_text(key)
        server.signal(signal.SIGHUP)
        end = time.monotonic() + 5
        while b"\npollux_reload_success 1\n" not in ask(metrics, request).content:
            assert time.monotonic() < end


def test_workers_that_have_no_sockets_are_an_error(folder, pid_file):
    top = f"listen 127.0.0.1:0\nlog off\n{pid_file}"
    path = folder / "pollux.conf"
    with serve(folder, "workers 1\nrespond 1st\n", top=top) as server:
        path.write_text(top + "workers 2\nrespond 2nd\n")
        code, out, err = reload(folder)
        assert (code, out) == (78, "")
        assert "pollux.conf:4:9: there are sockets for 1 workers" in err and '"max_workers"' in err
        assert get(server)[2] == b"1st"
    with serve(folder, "workers 1\nmax_workers 2\nrespond 1st\n", top=top):
        path.write_text(top + "workers 2\nmax_workers 2\nrespond 2nd\n")
        assert reload(folder) == (0, "reloaded: 2 new workers serve\n", "")


def backlog_of(port):
    listed = subprocess.run(["ss", "-Hltn", f"sport = {port}"], capture_output=True, text=True, check=True)
    return {int(line.split()[2]) for line in listed.stdout.splitlines()}


def test_options_of_a_socket_that_stays(folder, pid_file):
    port, path = free_port(), folder / "pollux.conf"
    text = f"listen 127.0.0.1:{port} backlog=10\nlisten unix:{folder}/s mode=0660\nworkers 1\nlog off\n{pid_file}respond\n"
    path.write_text(text)
    with Server([PROGRAM, "run", "-c", path], cwd=folder):
        assert backlog_of(port) == {10}
        path.write_text(text.replace("=10", "=77"))
        assert reload(folder)[0] == 0
        assert backlog_of(port) == {77}
        path.write_text(text.replace(" backlog=10", ""))
        assert reload(folder)[0] == 0
        assert backlog_of(port) == {1024}
        path.write_text(text.replace("0660", "0600"))
        code, _, err = reload(folder)
        assert code == 78 and "pollux.conf:2:8: mode, owner and group of a socket cannot change" in err


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_alone_hosts_keep_their_listeners(folder, pid_file):
    one, other = free_port(), free_port()
    top = f"workers 0\nlog off\n{pid_file}"
    hosts = [f"host a.test {{ listen 127.0.0.1:{one}; respond a }}\n", f"host b.test {{ listen 127.0.0.1:{other}; respond b }}\n"]
    path = folder / "pollux.conf"
    with serve(folder, "".join(hosts), top=top) as server:
        served = lambda: [ask(("127.0.0.1", port), f"GET / HTTP/1.1\r\nHost: {host}.test\r\n\r\n".encode()).status
                          for port in (one, other) for host in "ab"]
        assert served() == [200, 404, 404, 200]
        for text in (hosts[1] + hosts[0], "".join(hosts).replace(str(other), str(free_port())), hosts[0]):
            path.write_text(top + text)
            code, out, err = reload(folder)
            assert code == 78 and "listeners and their order cannot change by a reload with workers 0" in out + err
            assert served() == [200, 404, 404, 200]
        path.write_text(top + "".join(hosts).replace("respond a", "respond c"))
        assert reload(folder)[0] == 0
        assert served() == [200, 404, 404, 200]
        assert get(server, host="a.test")[2] == b"c"


def test_alone_certificates_stay(folder, pid_file):
    for name in ("old", "new"):
        make_certificate(folder, "a.test")
        for kind in ("cert", "key"):
            (folder / f"{kind}.pem").chmod(0o644)
            (folder / f"{kind}.pem").rename(folder / f"{name}-{kind}.pem")
    top = f"workers 0\nlog off\nlisten 127.0.0.1:{free_port()} tls\n{pid_file}"
    host = "host a.test {\n    tls old-cert.pem old-key.pem\n    respond a\n}\n"
    path = folder / "pollux.conf"
    with serve(folder, host, top=top):
        path.write_text(top + host.replace("old-", "new-"))
        code, out, err = reload(folder)
        assert code == 78 and "certificates of hosts cannot change by a reload with workers 0" in out + err
        path.write_text(top + "trusted_proxies 10.0.0.1 field=forwarded\n" + host)
        assert reload(folder)[0] == 78
        path.write_text(top + host.replace("respond a", "respond b"))
        assert reload(folder)[0] == 0


def test_a_log_goes_where_the_file_says_now(folder, pid_file):
    top = f"workers 1\nlisten 127.0.0.1:{free_port()}\n{pid_file}"
    path = folder / "pollux.conf"
    with serve(folder, f"respond\nlog combined {folder}/a.log\n", top=top) as server:
        get(server, "/one")
        for log, target in (("off", "/two"), (f"combined {folder}/b.log", "/three"), (f"combined {folder}/a.log", "/four"),
                            ("off", "/five"), (f"json {folder}/b.log", "/six")):
            path.write_text(top + f"respond {target}\nlog {log}\n")
            assert reload(folder)[0] == 0
            get_soon(server, target.encode())
            get(server, target)
        # What makes the rest fail makes no file.
        path.write_text(top.replace("listen", "listen 192.0.2.1:1\nlisten", 1) + f"respond\nlog combined {folder}/c.log\n")
        assert reload(folder)[0] == 78
        assert not (folder / "c.log").exists()
    lines = lambda name: re.findall(r"/(one|two|three|four|five|six)", (folder / name).read_text())
    assert lines("a.log") == ["one", "four"]
    assert lines("b.log") == ["three", "six"]


def test_listeners_come_and_go(folder, pid_file):
    one, other = free_port(), free_port()
    top = f"workers 2\nlog off\n{pid_file}"
    first = f"listen 127.0.0.1:{one}\n"
    second = f"listen 127.0.0.1:{other}\n"
    path = folder / "pollux.conf"
    with serve(folder, "respond 1st\n", top=top + first) as server:
        sockets = lambda: {
            os.readlink(f"/proc/{server.pid}/fd/{fd}")
            for fd in os.listdir(f"/proc/{server.pid}/fd")
        }
        before = {name for name in sockets() if name.startswith("socket")}
        path.write_text(top + first + second + "respond 2nd\n")
        assert reload(folder)[0] == 0
        server.addresses = [("127.0.0.1", one), ("127.0.0.1", other)]
        for address in server.addresses:
            server.address = address
            get_soon(server, b"2nd")
        path.write_text(top + second + "respond 3rd\n")
        assert reload(folder)[0] == 0
        get_soon(server, b"3rd")
        end = time.monotonic() + 5
        while is_listening(one):
            assert time.monotonic() < end
        path.write_text(top + second + first + "respond 4th\n")
        assert reload(folder)[0] == 0
        for server.address in (("127.0.0.1", one), ("127.0.0.1", other)):
            get_soon(server, b"4th")
        path.write_text(top + second + f"host a.test {{\n listen 127.0.0.1:{one}\n respond a\n}}\nhost * {{\nrespond b\n}}\n")
        assert reload(folder)[0] == 0
        server.address = ("127.0.0.1", one)
        get_soon(server, b"a")
        assert get(server, host="b.test")[0] == 404
        server.address = ("127.0.0.1", other)
        get_soon(server, b"b")


def test_a_socket_that_stays_is_not_closed(folder, pid_file):
    port = free_port()
    top = f"workers 1\nlog off\nlisten 127.0.0.1:{port}\n{pid_file}"
    inode = lambda: {
        row.split()[9] for row in open("/proc/net/tcp") if f":{port:04X} " in row and " 0A " in row
    }
    with serve(folder, "respond 1st\n", top=top) as server:
        before = inode()
        (folder / "pollux.conf").write_text(top + "listen 127.0.0.1:0\nrespond 2nd\n")
        assert reload(folder)[0] == 0
        assert inode() == before and len(before) == 1


def test_a_reload_alone(folder, pid_file):
    top = f"workers 0\nlog off\nlisten 127.0.0.1:0\n{pid_file}"
    with serve(folder, "respond 1st\n", top=top) as server:
        path = folder / "pollux.conf"
        path.write_text(top + "respond 2nd\n")
        folder.chmod(0o777)
        assert reload(folder) == (0, "reloaded: the process serves it\n", "")
        get_soon(server, b"2nd")
        path.write_text(top + "limits {\n    head 4k\n}\nrespond 3rd\n")
        code, _, err = reload(folder)
        assert code == 78
        assert 'pollux.conf:5:1: "limits" cannot change by a reload with workers 0' in err
        path.write_text(top + "respond {nope}\n")
        assert reload(folder)[0] == 78
        get_soon(server, b"2nd")


def test_reload_needs_a_process(folder, pid_file):
    (folder / "pollux.conf").write_text("respond\n")
    code, out, err = reload(folder)
    assert (code, out) == (64, "") and "pollux.conf names no pid_file" in err
    (folder / "pollux.conf").write_text("host a {\n" + pid_file + "respond\n")
    code, out, err = reload(folder)
    assert (code, out) == (78, "") and err.startswith('pollux.conf:1:8: "{" is not closed')
    code, out, err = run("reload", "-c", "none.conf", cwd=folder)
    assert (code, err) == (78, "pollux: cannot read none.conf: No such file or directory\n")
    (folder / "pollux.conf").write_text(pid_file + "respond\n")
    code, out, err = reload(folder)
    assert (code, out) == (66, "") and "pollux.pid is not there" in err and "--pid-file" in err
    (folder / "pollux.pid").write_text("2147483647\n")
    code, out, err = reload(folder)
    assert (code, out) == (66, "") and "pollux.pid names no process that runs" in err


def test_a_hundred_reloads_under_load(folder, pid_file):
    """No request is lost, none is answered by what was replaced before it was asked for, and old
    workers end."""
    path = folder / "pollux.conf"
    top = f"workers 2\nlog off\nlisten 127.0.0.1:{free_port()}\n{pid_file}"
    stop, failures, counts = threading.Event(), [], []

    def load(address):
        count = 0
        try:
            while not stop.is_set():
                with Wire(address) as wire:
                    for _ in range(20):
                        wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                        reply = wire.reply()
                        assert reply.status == 200 and reply.content.isdigit()
                        count += 1
                        if reply.says_close:
                            break
        except Exception as error:  # told by the main thread
            failures.append(repr(error))
        counts.append(count)

    with serve(folder, "respond 0\n", top=top) as server:
        threads = [threading.Thread(target=load, args=(server.address,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for number in range(1, 101):
            path.write_text(top + f"respond {number + 1000}\n")
            code, _, err = reload(folder)
            assert code == 0, err
            get_soon(server, str(number + 1000).encode())
            assert len(children(server.pid)) <= 2 * 16, "old workers stay"
        stop.set()
        for thread in threads:
            thread.join()
        assert failures == []
        assert sum(counts) > 1000
        end = time.monotonic() + 10
        while len(children(server.pid)) > 2:
            assert time.monotonic() < end, children(server.pid)
            time.sleep(0.05)


def children(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


# --- Explaining ----------------------------------------------------------------------------------


def explain(folder, *words):
    return run("check", "-q", "-c", "pollux.conf", "--explain", *words, cwd=folder)


def test_explain_says_what_a_request_would_meet(folder):
    (folder / "pollux.conf").write_text(
        "listen :8080\n"
        "match beta {\n    header X-Beta\n}\n"
        "host a.test {\n"
        "    header X-A b\n"
        "    route /x/{name} {\n"
        "        deny 192.0.2.0/24\n"
        "        when beta {\n            header X-B c\n            respond new\n        }\n"
        "        respond old\n"
        "    }\n"
        "}\n"
    )
    assert explain(folder, "GET", "http://a.test:99/x/1?q#f") == (
        0,
        "host      host a.test  # pollux.conf:5\n"
        "route     route /x/{name}  # pollux.conf:7\n"
        "match     match beta: no  # pollux.conf:2\n"
        "access    deny 192.0.2.0/24  # pollux.conf:8\n"
        "header    header X-A b  # pollux.conf:6\n"
        "answer    respond old  # pollux.conf:13\n",
        "",
    )
    code, out, _ = explain(folder, "GET", "http://a.test/x/1", "-H", "X-Beta: 1", "--from", "10.1.2.3")
    assert code == 0
    assert "match     match beta: yes  # pollux.conf:2\n" in out
    assert "header    header X-B c  # pollux.conf:10\n" in out
    assert out.endswith("answer    respond new  # pollux.conf:11\n")
    assert explain(folder, "GET", "http://A.test:8080/y")[1] == (
        "host      host a.test  # pollux.conf:5\nanswer    404: there is no route for it\n"
    )
    assert explain(folder, "GET", "http://b.test/x/1")[1] == "answer    404: there is no host of that name, and no route for it\n"
    assert explain(folder, "GET", "https://a.test/y")[1] == "answer    none: no address is listened on for https\n"
    assert explain(folder, "GET", "a.test")[0] == 64
    assert explain(folder, "GET")[0] == 64


def test_explain_says_what_answers_where_nothing_is_found(folder):
    """No route, another method, no file: and the server says the same."""
    (folder / "www" / "sub").mkdir()
    (folder / "www" / "empty").mkdir()
    (folder / "www" / "sub" / "index.html").write_text("sub")
    (folder / "www" / "a b.txt").write_text("a b")
    text = (
        "host a.test {\n"
        "    error_page 404 /404.html\n"
        "    error_page 404 405 /err.html\n"
        "    route GET /both { respond g }\n"
        "    route POST /both { respond p }\n"
        "    route /spa/{rest...} {\n        files www\n        fallback /index.html\n    }\n"
        "    route /plain/{rest...} {\n        files www\n        error_page 404 /none.html\n    }\n"
        "    route /err.html { respond wrong }\n"
        "}\n"
    )
    with serve(folder, text) as server:
        def both(method, path):
            code, out, _ = explain(folder, method, f"http://a.test{path}")
            assert code == 0
            return get(server, path, host="a.test", method=method)[0], re.sub(r"  # .*", "", out).splitlines()[1:]

        assert both("DELETE", "/both") == (405, [
            "route     route GET /both", "route     route POST /both", "error     error_page 404 405 /err.html",
            "answer    405: the path has a route for GET, HEAD, POST alone"])
        assert both("OPTIONS", "/both")[0] == 204 and both("OPTIONS", "/both")[1][-1] == "answer    204: the path has a route for GET, HEAD, POST"
        assert both("GET", "/none") == (404, ["error     error_page 404 405 /err.html", "answer    404: there is no route for it"])
        tail = lambda path: (lambda status, lines: (status, [line.replace(str(folder) + "/", "") for line in lines[lines.index("answer    files www") + 1:]]))(*both("GET", path))
        assert tail("/spa/a%20b.txt") == (200, ["file      www/a%20b.txt"])
        assert tail("/spa/sub/") == (200, ["file      www/sub/", "index     www/sub/index.html"])
        assert tail("/spa/sub") == (301, ["file      www/sub", "status    301: it is a folder, which ends in a slash"])
        assert tail("/plain/none") == (404, ["file      www/none", "status    404: there is no such file", "page      error_page 404 /none.html"])
        assert tail("/spa/empty/") == (403, ["file      www/empty/", "status    403: the folder has no index, and is not listed"])
        status, lines = tail("/spa/none")
        assert lines == ["file      www/none",
                         "fallback  fallback /index.html: there is no such file, and a browser that looks for a page gets", "file      www/index.html"]
    assert explain(folder, "GET", "http://b.test/")[1] == "answer    404: there is no host of that name, and no route for it\n"


def test_explain_looks_at_a_port_where_listeners_differ_for_it(folder):
    (folder / "pollux.conf").write_text(
        "listen :80\nlisten :8080\n"
        "host a.test { listen :80; respond one }\nhost b.test { listen :8080; respond two }\nhost * { respond other }\n"
    )
    answer = lambda url: explain(folder, "GET", url)[1].splitlines()[-1].split("  #")[0].split(None, 1)[1]
    assert answer("http://a.test/") == "respond one"
    assert answer("http://a.test:8080/") == "respond other"
    assert answer("http://b.test:8080/") == "respond two"
    assert answer("http://b.test/") == "respond other"
    assert answer("http://b.test:81/") == "respond other"


def test_explain_says_what_stands_before_the_answer(folder):
    (folder / "pollux.conf").write_text(
        "listen :8080\nlisten :8443 tls\ntls self_signed\nhealth /up\n"
        "match local {\n    client 127.0.0.0/8\n}\n"
        "host a.test {\n"
        "    redirect https\n"
        "    route /in {\n"
        "        deny 10.0.0.0/8\n"
        "        allow 192.0.2.0/24 unix:\n"
        "        when local {\n            allow all\n        }\n"
        "        deny all\n"
        "        respond in\n"
        "    }\n"
        "}\n"
    )
    last = lambda *words: explain(folder, "GET", *words)[1].splitlines()[-1]
    assert last("http://a.test/in") == "answer    redirect https  # pollux.conf:9"
    assert last("https://a.test/in") == "answer    respond in  # pollux.conf:17"
    assert last("https://a.test/in", "--from", "192.0.2.9") == "answer    respond in  # pollux.conf:17"
    assert last("https://a.test/in", "--from", "10.1.2.3") == "answer    403: deny 10.0.0.0/8  # pollux.conf:11"
    assert last("https://a.test/in", "--from", "203.0.113.1") == "answer    403: deny all  # pollux.conf:16"
    assert last("http://none.test/up") == "answer    health /up  # pollux.conf:4"


def test_a_folder_that_is_switched_is_served(folder):
    for name in ("one", "two"):
        (folder / name).mkdir()
        (folder / name / "a.txt").write_text(name)
    (folder / "now").symlink_to("one")
    with serve(folder, f"files {folder}/now\n") as server:
        assert get(server, "/a.txt")[2] == b"one"
        (folder / "next").symlink_to("two")
        (folder / "next").rename(folder / "now")
        get_soon(server, b"two", path="/a.txt")
        server.wait_stderr("a folder that is served is another one now")


# --- All at once ---------------------------------------------------------------------------------


def test_errors_of_all_kinds_are_told_at_once(folder):
    (folder / "conf.d").mkdir()
    (folder / "conf.d" / "a.conf").write_text("\n\n    host example.org { respond }\n")
    err = refused(
        folder,
        "upstream app {\n    server 127.0.0.1:1\n}\n"
        "host example.org {\n    tls none.pem\n    respond \"\\q\"\n    route /a {\n        procy app\n    }\n"
        "    route /b {\n        proxy ap\n    }\n    route /c {\n        header X\n        respond\n    }\n}\n"
        "include conf.d/*.conf\nlisten :80443\n",
    )
    places = [line.split(": ", 1) for line in err.splitlines() if re.match(r"\S+:\d+:\d+", line)]
    assert sorted(place for place, _ in places) == [
        "conf.d/a.conf:3:10 (from pollux.conf:18)",
        "pollux.conf:11:15",
        "pollux.conf:14:9",
        "pollux.conf:19:8",
        "pollux.conf:5:9",
        "pollux.conf:6:14",
        "pollux.conf:8:9",
    ]
