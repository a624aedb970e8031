"""--print-config: what the file says that it prints, and that it is served as the command line is."""

import re
import subprocess

import pytest

from lib.runner import PROGRAM, Server, run
from lib.upstream import Upstream
from lib.wire import ask

pytestmark = pytest.mark.short

# For each flag of commands that serve: how it is given, and the directive that says it.
FLAGS = {
    "listen": (["-l", "127.0.0.1:0,backlog=7"], "listen 127.0.0.1:0 backlog=7"),
    "h2c": (["--h2c", "off"], "http2 tls"),
    "http2": (["--http2", "off"], "http2 off"),
    "log": (["--log", "json"], "log json"),
    "log-file": (["--log-file", "a b.log"], 'log combined "{cwd}/a b.log"'),
    "max-connections": (["--max-connections", "off"], "limits > connections off"),
    "backlog": (["--backlog", "5"], "listen 0.0.0.0:8080 backlog=5"),
    "max-fields": (["--max-fields", "50"], "limits > fields 50"),
    "max-pipeline": (["--max-pipeline", "off"], "limits > pipeline off"),
    "max-head": (["--max-head", "16k"], "limits > head 16k"),
    "max-target": (["--max-target", "1000"], "limits > target 1000"),
    "max-content": (["--max-content", "off"], "limits > content off"),
    "max-exchange": (["--max-exchange", "2m"], "limits > exchange 2m"),
    "max-output": (["--max-output", "2m"], "limits > output 2m"),
    "max-inbox": (["--max-inbox", "1g"], "limits > inbox 1g"),
    "max-memory": (["--max-memory", "64m"], "limits > memory 64m"),
    "timeout-head": (["--timeout-head", "1500ms"], "timeouts > head 1500ms"),
    "timeout-idle": (["--timeout-idle", "2m"], "timeouts > idle 2m"),
    "timeout-total": (["--timeout-total", "1h"], "timeouts > total 1h"),
    "timeout-linger": (["--timeout-linger", "off"], "timeouts > linger off"),
    "rate-window": (["--rate-window", "off"], "minimum_rate > window off"),
    "rate-content": (["--rate-content", "1000"], "minimum_rate > content 1000"),
    "rate-send": (["--rate-send", "off"], "minimum_rate > send off"),
    "status": (["--status", "404"], 'respond 404 "Hello, world!"'),
    "type": (["--type", "text/html; charset=utf-8"], 'content_type "text/html; charset=utf-8"'),
    "type of files": (["--type", "md=text/x; a=b"], 'type md "text/x; a=b"'),
    "header": (["-H", "X-A: {b}"], 'header +X-A "{{b}}"'),
    "charset": (["--charset", "off"], "charset off"),
    "index": (["--index", "a", "--index", "b"], "index a b"),
    "listing": (["--listing"], "listing on"),
    "spa": (["--spa", "./a.txt"], "fallback /a.txt"),
    "cache-control": (["--cache-control", "*.css=max-age=60"], "cache_control *.css max-age=60"),
    "error-page": (["--error-page", "404=not here.txt"], "error_page 404 /not%20here.txt"),
    "no-compress": (["--no-compress"], "compress off"),
    "follow-symlinks": (["--follow-symlinks"], "symlinks on"),
    "balance": (["--balance", "hash={client}"], "upstream servers > balance hash {client}"),
    "tries": (["--tries", "3"], "proxy servers > retry 3"),
    "retry-disconnect": (["--retry-disconnect"], "proxy servers > retry 2 on=disconnect"),
    "fails": (["--fails", "off"], "upstream servers > fails off"),
    "check": (["--check", "/up"], "upstream servers > check /up"),
    "slow-start": (["--slow-start", "3"], "upstream servers > slow_start 3s"),
    "host": (["--host", "upstream"], "proxy servers > host upstream"),
    "via": (["--via", "edge"], "proxy servers > via edge"),
    "forwarded": (["--forwarded"], "proxy servers > forwarded on"),
    "proxy-status": (["--proxy-status"], "proxy servers > proxy_status on"),
    "keep-underscores": (["--keep-underscores"], "proxy servers > underscores keep"),
    "timeout-connect": (["--timeout-connect", "1"], "proxy servers > timeouts connect=1s"),
    "timeout-first-byte": (["--timeout-first-byte", "off"], "proxy servers > timeouts first_byte=off"),
    "timeout-upstream": (["--timeout-upstream", "9"], "proxy servers > timeouts silence=9s"),
    "timeout-tries": (["--timeout-tries", "9"], "proxy servers > retry 2 within=9s"),
    "max-upstream": (["--max-upstream", "9"], "upstream servers > server http://127.0.0.1:1 max=9"),
    "queue": (["--queue", "off"], "upstream servers > queue off"),
    "timeout-queue": (["--timeout-queue", "9"], "upstream servers > queue 256 9s"),
    "upstream-ca": (["--upstream-ca", "cert.pem", "https://127.0.0.1:1"], "upstream servers > tls ca={cwd}/cert.pem"),
    "upstream-cert": (["--upstream-cert", "both.pem", "https://127.0.0.1:1"], "upstream servers > tls cert={cwd}/both.pem"),
    "upstream-key": (["--upstream-cert", "cert.pem", "--upstream-key", "key.pem", "https://127.0.0.1:1"],
                     "upstream servers > tls cert={cwd}/cert.pem key={cwd}/key.pem"),
    "send-proxy": (["--send-proxy", "v1"], "upstream servers > proxy_protocol v1"),
    "buffer-replay": (["--buffer-replay", "3k"], "proxy servers > buffer 16k replay=3k"),
    "workers": (["-w", "3"], "workers 3"),
    "max-workers": (["-w", "1", "--max-workers", "4"], "max_workers 4"),
    "accept": (["--accept", "shared"], "accept shared"),
    "pid-file": (["--pid-file", "p"], "pid_file {cwd}/p"),
    "timeout-drain": (["--timeout-drain", "9"], "timeouts > drain 9s"),
    "drain-delay": (["--drain-delay", "9"], "drain_delay 9s"),
    "drain-spread": (["--drain-spread", "off"], "drain_spread off"),
    "health": (["--health", "/up"], "health /up"),
    "metrics": (["--metrics", "127.0.0.1:9100"], "metrics 127.0.0.1:9100"),
    "timeout-start": (["--timeout-start", "9"], "timeouts > start 9s"),
    "timeout-hung": (["--timeout-hung", "off"], "timeouts > hung off"),
    "user": (["--user", "nobody"], "user nobody"),
    "sandbox": (["--sandbox", "require"], "sandbox require"),
    "trust-proxy": (["--trust-proxy", "10.0.0.0/8", "--trust-proxy", "unix:", "--proxy-header", "off"],
                    "trusted_proxies 10.0.0.0/8 unix: field=off"),
    "proxy-header": (["--trust-proxy", "::1", "--proxy-header", "off"], "trusted_proxies ::1 field=off"),
    "proxy-protocol": (["--trust-proxy", "::1", "--proxy-protocol"], "listen 0.0.0.0:8080 proxy"),
}  # fmt: skip

SECURE = ["-l", "https://127.0.0.1:8443"]
PAIR = ["--tls-cert", "cert.pem", "--tls-key", "key.pem"]
FLAGS_TLS = {
    "tls-cert": (["--tls-cert", "both.pem"], "tls {cwd}/both.pem"),
    "tls-key": (PAIR, "tls {cwd}/cert.pem {cwd}/key.pem"),
    "tls-self-signed": (["--tls-self-signed=a.test,b.test", "--tls-self-signed=c.test"], "tls self_signed a.test,b.test"),
    "tls-profile": (PAIR + ["--tls-profile", "modern"], "> profile modern"),
    "tls-modern": (PAIR + ["--tls-modern"], "> profile modern"),
    "tls-client-ca": (PAIR + ["--tls-client-ca", "cert.pem"], "> client_ca {cwd}/cert.pem"),
    "tls-client": (PAIR + ["--tls-client-ca", "cert.pem", "--tls-client", "optional"], "> client optional"),
    "tls-ticket-keys": (PAIR + ["--tls-ticket-keys", "tickets"], "> tickets {cwd}/tickets"),
    "tls-ocsp": (PAIR + ["--tls-ocsp", "ocsp.der"], "> ocsp {cwd}/ocsp.der"),
    "tls-strict": (PAIR + ["--tls-strict"], "> strict on"),
    "timeout-handshake": (PAIR + ["--timeout-handshake", "3"], "timeouts > handshake 3s"),
    "max-handshakes": (PAIR + ["--max-handshakes", "9"], "limits > handshakes 9"),
    "hsts": (PAIR + ["--hsts"], "hsts 8760h"),
    "https-redirect": (PAIR + ["--https-redirect", ":8080=443"], "host * > redirect https port=443"),
}  # fmt: skip

# They say nothing of what is served.
APART = {"quiet", "print-config", "help", "version"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("print")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
         folder / "key.pem", "-out", folder / "cert.pem", "-days", "365", "-subj", "/CN=a.test"],
        check=True, capture_output=True,
    )  # fmt: skip
    (folder / "both.pem").write_text((folder / "cert.pem").read_text() + (folder / "key.pem").read_text())
    for name in ("index.html", "a.txt", "not here.txt"):
        (folder / name).write_text(f"this is {name}\n")
    for name in ("key.pem", "both.pem"):
        (folder / name).chmod(0o644)
    folder.chmod(0o755)
    return folder


def lines_of(text):
    """Each statement with the blocks that it stands in."""
    lines, blocks = [], []
    for line in map(str.strip, text.splitlines()):
        if line == "}":
            blocks.pop()
            continue
        lines.append(" > ".join([*blocks, line.removesuffix(" {")]))
        if line.endswith("{"):
            blocks.append(line.removesuffix(" {"))
    return lines


def printed(folder, *words):
    code, out, err = run(*words, "--print-config", cwd=folder)
    assert (code, err) == (0, ""), (words, err)
    return out


def word_of(command):
    return ["http://127.0.0.1:1"] if command == "proxy" else []


@pytest.mark.parametrize("status", ["204", "205", "304"])
def test_a_status_without_content_is_no_warning(tmp_path, status):
    code, out, _ = run("respond", "--status", status, "--print-config")
    (tmp_path / "pollux.conf").write_text(out)
    assert code == 0 and f"respond {status}\n" in out
    assert run("check", "-q", "-c", tmp_path / "pollux.conf") == (0, "", "")


@pytest.mark.parametrize("command", ["respond", "files", "proxy"])
def test_each_flag_is_a_directive(folder, command):
    names = set(re.findall(r"^  (?:-., |    )--([a-z0-9-]+)", run(command, "--help")[1], re.M))
    assert len(names) > 50
    assert names <= set(FLAGS) | set(FLAGS_TLS) | APART
    for name in sorted(names - APART):
        flags, wanted = FLAGS.get(f"{name} of {command}") or FLAGS.get(name) or FLAGS_TLS[name]
        words = [*(SECURE if name in FLAGS_TLS else []), *flags, *word_of(command)]
        if name in ("tls-ticket-keys", "tls-ocsp"):
            continue  # files that are seen by others: test_tls.py has them
        out = printed(folder, command, *words)
        wanted = wanted.format(cwd=folder) if "{cwd}" in wanted else wanted
        assert any(line.endswith(wanted) for line in lines_of(out)), (words, out)
        # What is printed is in the one layout, and the flags that were not given are not there.
        (folder / "p.conf").write_text(out)
        assert run("fmt", "p.conf", cwd=folder) == (0, out, "")
        assert run("check", "-q", "-c", "p.conf", cwd=folder) == (0, "", "")


def test_files_of_tickets(folder):
    (folder / "tickets").write_bytes(b"k" * 80)
    out = printed(folder, "respond", *SECURE, *FLAGS_TLS["tls-ticket-keys"][0])
    assert any(line.endswith(f"> tickets {folder}/tickets") for line in lines_of(out))


def test_without_a_command_it_is_respond(folder):
    assert printed(folder) == 'log request\nlisten 0.0.0.0:8080\nrespond 200 "Hello, world!"\n'
    code, out, err = run("--print-config", cwd=folder, env={"PORT": "9"})
    assert out.splitlines()[1] == "listen 0.0.0.0:9"


def test_what_would_not_be_served_is_not_printed(folder):
    code, out, err = run("files", "none", "--print-config", cwd=folder)
    assert (code, out) == (78, "")
    assert err.startswith("--print-config:3:7: cannot serve ") and "No such file" in err
    assert run("run", "--print-config")[0] == 64


def test_a_page_outside_of_the_folder_is_no_path_of_the_site(folder):
    (folder / "beside.html").write_text("gone\n")
    code, out, err = run("files", "--error-page", "404=beside.html", "www", "--print-config", cwd=folder)
    assert (code, out) == (78, "") and "beside.html is not in www" in err


PROBES = [
    ("GET", "/", ""),
    ("HEAD", "/", ""),
    ("POST", "/", "Content-Length: 3\r\n"),
    ("GET", "/a.txt", "Accept-Encoding: gzip\r\n"),
    ("GET", "/none/at all".replace(" ", "%20"), "Accept: text/html\r\n"),
    ("GET", "/none", ""),
    ("OPTIONS", "/", ""),
    ("BREW", "/", ""),
    ("GET", "/up", ""),
    ("GET", "/.hidden", ""),
]


def answers(server):
    every = []
    for method, path, fields in PROBES:
        request = f"{method} {path} HTTP/1.1\r\nHost: a.test\r\n{fields}Connection: close\r\n\r\n"
        content = "abc" if "Length" in fields else ""
        reply = ask(server.address, (request + content).encode(), head_only=method == "HEAD")
        fields = sorted((name.lower(), value) for name, value in reply.fields if name.lower() != "date")
        # The page of an error is a file with fields of its own where the host is asked for it.
        if "not here" in reply.content.decode():
            fields = [field for field in fields if field[0].startswith("content-")]
        every.append((method, path, reply.status, fields, reply.content))
    return every


@pytest.mark.parametrize("words", [
    ["respond", "-w", "1", "--log", "off"],
    ["respond", "-w", "0", "--log", "off", "--health", "/up", "--status", "201", "--type", "a/b; c=d", 'te{x}t $A "\\'],
    ["respond", "-w", "1", "--log", "off", "--status", "410", "gone"],
    ["files", "-w", "1", "--log", "off"],
    ["files", "-w", "1", "--log", "off", "-H", "X-A: {b}", "--listing", "--index", "none", "--type", "txt=a/b"],
    ["files", "-w", "1", "--log", "off", "--error-page", "404=not here.txt", "--charset", "off",
     "--cache-control", "*.txt=no-cache"],
    ["files", "-w", "1", "--log", "off", "--spa", "index.html", "--no-compress"],
])  # fmt: skip
def test_what_is_printed_is_served_alike(folder, words):
    top = ["-l", "127.0.0.1:0"]
    (folder / "p.conf").write_text(printed(folder, words[0], *top, *words[1:]))
    with Server([PROGRAM, words[0], *top, *words[1:]], cwd=folder) as server:
        wanted = answers(server)
    with Server([PROGRAM, "run", "-c", folder / "p.conf"], cwd="/") as server:
        assert answers(server) == wanted


def test_what_is_passed_on_is_passed_on_alike(folder):
    """The head that a server gets, and the answer that a client gets."""
    request = b"POST /a?b HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\nX_Y: z\r\nX-Request-Id: 1\r\n\r\nabc"
    seen = []
    with Upstream() as upstream:
        words = ["-w", "1", "--log", "off", "-l", "127.0.0.1:0", "--host", "upstream", "--via", "edge", "--forwarded",
                 "--keep-underscores", "--tries", "3", "--timeout-connect", "2", "--balance", "least", upstream.url]
        (folder / "p.conf").write_text(printed(folder, "proxy", *words))
        for argv in ([PROGRAM, "proxy", *words], [PROGRAM, "run", "-c", folder / "p.conf"]):
            with Server(argv, cwd=folder) as server:
                reply = ask(server.address, request)
                head = re.sub(rb"(?i)(for=|x-request-id: |traceparent: ).*", b"", upstream.heads.pop())
                fields = sorted((name, value) for name, value in reply.fields if name.lower() != "date")
                seen.append((head, upstream.contents.pop(), reply.status, fields, reply.content))
    assert seen[0] == seen[1]
    assert b"X_Y: z" in seen[0][0] and seen[0][1:3] == (b"abc", 200)


def test_a_redirect_to_https_is_a_host_of_its_own(folder):
    words = ["respond", *SECURE, *PAIR, "--https-redirect", "127.0.0.1:8081=9443"]
    (folder / "p.conf").write_text(printed(folder, *words))
    code, out, err = run("check", "-q", "-c", "p.conf", "--explain", "GET", "http://a.test:8081/x", cwd=folder)
    assert (code, err) == (0, "")
    assert "https     redirect https port=9443" in out
    code, out, err = run("check", "-q", "-c", "p.conf", "--explain", "GET", "https://a.test/x", cwd=folder)
    assert "answer    respond 200" in out
