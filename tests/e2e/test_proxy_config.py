"""`proxy`, `upstream` and `forward_auth` of the configuration."""

import re

import pytest

from lib.runner import run
from lib.upstream import OK, Upstream, answers, closed_port
from lib.wire import ask
from test_proxy_health import Sick, get
from test_proxy_upstream import ADDED, GET, until
from test_run import TOP, folder, refused, serve  # noqa: F401

pytestmark = pytest.mark.short


def text_reply(text):
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text)


def at(upstream):
    return upstream.url.removeprefix("http://")


def test_an_address_and_a_name(folder):
    with Upstream() as one, Upstream(answers(text_reply(b"two"))) as two:
        text = f"""
upstream app {{
    server {at(two)}
}}
route /two/{{rest...}} {{
    strip_prefix /two
    proxy app {{
        host upstream
        forwarded on
        via edge
    }}
}}
proxy {one.url}
"""
        with serve(folder, text) as server:
            assert ask(server.address, GET).content == b"ok"
            assert one.heads.pop() == b"GET / HTTP/1.1\r\nHost: a.example\r\n" + ADDED + b"\r\n"
            assert ask(server.address, get(b"/two/x?y")).content == b"two"
            head = two.heads.pop()
            assert head.startswith(b"GET /x?y HTTP/1.1\r\nHost: %s\r\n" % two.authority.encode())
            assert b"\r\nVia: 1.1 edge\r\n" in head and b"\r\nForwarded: for=127.0.0.1;" in head
            code, out, _ = run("check", "-q", "-c", "pollux.conf", "--explain", "GET", "http://a/two/x", cwd=folder)
            assert code == 0 and f"\nserver    server {at(two)}  # pollux.conf:6\n" in out


def test_content_has_no_limit_but_one_that_is_said(folder):
    big = b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3000000
    with Upstream() as upstream:
        text = f"route /little {{\n content_max 1m\n proxy {upstream.url}\n}}\nproxy {upstream.url}\n"
        with serve(folder, text) as server:
            assert ask(server.address, big % b"/").content == b"ok"
            assert ask(server.address, big % b"/little").status == 413
            code, out, _ = run("config", "-c", "pollux.conf", cwd=folder)
            assert code == 0
        # A build with sanitizers cannot live in a sandbox that is asked for by name.
        with serve(folder, out.replace("sandbox on # default\n", ""), top="") as server:
            assert ask(server.address, big % b"/").content == b"ok"


def test_the_server_that_was_asked_is_a_placeholder(folder):
    with Upstream() as upstream:
        text = f'header X-Server "[{{upstream}}]"\nroute /x {{ respond x }}\nproxy {upstream.url}\n'
        with serve(folder, text) as server:
            assert ask(server.address, get(b"/")).value("X-Server") == f"[{upstream.url}]"
            assert ask(server.address, get(b"/x")).value("X-Server") == "[]"


def test_backup_servers_stand_in(folder):
    with Upstream(answers(text_reply(b"backup"))) as backup, Upstream() as good:
        text = "upstream app {\n fails 1\n balance roundrobin\n server %s\n server %s backup\n}\nproxy app\n"
        with serve(folder, text % (at(good), at(backup))) as server:
            for _ in range(4):
                assert ask(server.address, GET).content == b"ok"
        with serve(folder, text % (closed_port().removeprefix("http://"), at(backup))) as server:
            for _ in range(4):
                assert ask(server.address, GET).content == b"backup"
            assert "is out for failures" in server.stderr


def test_a_client_stays_by_a_signed_cookie(folder):
    with Upstream(answers(text_reply(b"1"))) as one, Upstream(answers(text_reply(b"2"))) as two:
        text = f"upstream app {{\n balance roundrobin\n server {at(one)}\n server {at(two)}\n sticky cookie route\n}}\nproxy app\n"
        with serve(folder, text, top=TOP.replace("workers 1", "workers 2")) as server:
            first = ask(server.address, GET)
            value = re.fullmatch(r"route=([0-9a-f]{32}); Path=/; HttpOnly; SameSite=Lax", first.value("Set-Cookie"))[1]
            for _ in range(6):
                again = ask(server.address, GET[:-2] + b"Cookie: route=%s\r\n\r\n" % value.encode())
                assert (again.content, again.value("Set-Cookie")) == (first.content, None)
            forged = {ask(server.address, GET[:-2] + b"Cookie: route=%s\r\n\r\n" % (b"0" * 32)).content for _ in range(8)}
            assert forged == {b"1", b"2"}


def test_checks_of_a_file(folder):
    sick = Sick()
    with Upstream(sick) as one, Upstream(Sick()) as two:
        text = f"""
upstream app {{
    balance roundrobin
    server {at(one)}
    server {at(two)}
    slow_start off
    check /up every=100ms fall=2 rise=2 expect=200 host=check.example
}}
proxy app
"""
        with serve(folder, text) as server:
            until(lambda: sick.checks >= 1)
            assert any(b"\r\nHost: check.example\r\n" in head for head in one.heads)
            sick.reply = b"HTTP/1.1 204 No\r\n\r\n"
            until(lambda: "is down by its checks: the last was answered 204" in server.stderr)
            assert f"upstream app: {one.url} is down by its checks" in server.stderr
            sick.reply = OK
            until(lambda: "is up again by its checks" in server.stderr)


def test_health_lives_on_across_a_reload(folder):
    def fails(peer):
        peer.request()

    with Upstream(fails) as bad, Upstream() as good:
        text = f"""
pid_file p
upstream app {{
    balance roundrobin
    fails 2 backoff=1m
    server {at(bad)}
    server {at(good)}
}}
proxy app
"""
        with serve(folder, text) as server:
            statuses = [ask(server.address, GET).status for _ in range(8)]
            assert statuses.count(502) == 2
            for _ in range(2):
                code, _, err = run("reload", "--pid-file", "p", cwd=folder)
                assert code == 0, err
            assert [ask(server.address, GET).status for _ in range(8)] == [200] * 8


def test_a_process_alone_takes_new_servers_only_by_a_restart(folder):
    with Upstream() as one, Upstream(answers(text_reply(b"two"))) as two:
        text = "pid_file p\nproxy %s\n"
        top = TOP.replace("workers 1", "workers 0")
        with serve(folder, text % one.url, top=top) as server:
            assert ask(server.address, GET).content == b"ok"
            (folder / "pollux.conf").write_text(top + text % one.url + "header X-New yes\n")
            code, _, err = run("reload", "--pid-file", "p", cwd=folder)
            assert code == 0, err
            reply = ask(server.address, GET)
            assert (reply.content, reply.value("X-New")) == (b"ok", "yes")
            (folder / "pollux.conf").write_text(top + text % two.url)
            code, _, err = run("reload", "--pid-file", "p", cwd=folder)
            assert code == 78 and "cannot change by a reload with workers 0" in err
            assert ask(server.address, GET).content == b"ok"


# --- forward_auth -------------------------------------------------------------------------------


def auth_server(peer):
    while True:
        head, _ = peer.request()
        if b"\r\nAuthorization: good\r\n" in head:
            peer.send(b"HTTP/1.1 200 OK\r\nRemote-User: me\r\nContent-Length: 5\r\n\r\nhello")
            raise ValueError
        peer.send(b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nContent-Length: 5\r\n\r\nlogin")


def test_forward_auth(folder):
    with Upstream(auth_server) as auth, Upstream() as behind:
        text = f"forward_auth {auth.url}/verify?a Remote-User\nproxy {behind.url}\n"
        with serve(folder, text) as server:
            denied = ask(server.address, b"POST /x?y HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nhi")
            assert (denied.status, denied.content) == (401, b"login")
            assert denied.value("WWW-Authenticate") == "Basic"
            head = auth.heads.pop()
            assert head.startswith(b"GET /verify?a HTTP/1.1\r\nHost: %s\r\n" % auth.authority.encode())
            assert b"\r\nX-Forwarded-Method: POST\r\nX-Forwarded-Uri: /x?y\r\n" in head
            assert b"Content-Length" not in head and not behind.heads
            good = GET[:-2] + b"Authorization: good\r\nRemote-User: root\r\n\r\n"
            assert ask(server.address, good).content == b"ok"
            head = behind.heads.pop()
            assert b"\r\nRemote-User: me\r\n" in head and b"root" not in head


def test_forward_auth_without_an_answer(folder):
    with serve(folder, f"forward_auth {closed_port()}\nrespond hi\n") as server:
        assert ask(server.address, GET).status == 502

    def silent(peer):
        peer.request()
        peer.more()

    with Upstream(silent) as auth:
        with serve(folder, f"forward_auth {auth.url} timeout=200ms\nrespond hi\n") as server:
            assert ask(server.address, GET).status == 504


# --- Errors -------------------------------------------------------------------------------------

WRONG = [
    ("upstream app {\n server b:1\n}\nproxy ap\n", 'pollux.conf:4:7: upstream "ap" is not defined; "app" is, at pollux.conf:1'),
    ("proxy app\n", 'pollux.conf:1:7: upstream "app" is not defined'),
    ("upstream a {\n balance least\n}\nproxy a\n", "pollux.conf:1:1: an upstream has 1 to 1000 servers"),
    ("upstream a {\n server http://b/x\n}\nproxy a\n", 'pollux.conf:2:9: "http://b/x" is no server'),
    ("upstream a {\n server b\n}\nupstream a {\n server c\n}\nproxy a\n", 'pollux.conf:4:10: upstream "a" is already at pollux.conf:1'),
    ("upstream a {\n server b\n check /x expect=9\n}\nproxy a\n", 'pollux.conf:3:11: "9" is no status'),
    ("upstream a {\n server b\n balance least {client}\n}\nproxy a\n", "pollux.conf:3:16: only hash has a key"),
    ("upstream a {\n server b\n balance hash {nothing}\n}\nproxy a\n", "pollux.conf:3:15: there is no placeholder {nothing}"),
    ("upstream a {\n server https://b\n tls ca=none.pem\n}\nproxy a\n", "pollux.conf:3:6: "),
    ("forward_auth example\nrespond\n", 'pollux.conf:1:14: "example" is no URL'),
    ("proxy ftp://b\n", 'pollux.conf:1:7: "ftp://b" is no server'),
    ("proxy http://b {\n host \"a b\"\n}\n", 'pollux.conf:2:7: "a b" is no host'),
]  # fmt: skip


@pytest.mark.parametrize("text,wanted", WRONG)
def test_errors_at_their_places(folder, text, wanted):
    assert len(WRONG) == 12
    assert refused(folder, text).startswith(wanted)


def test_there_are_so_many_ports(folder):
    servers = "".join(f" server 127.0.0.1:{port}\n" for port in range(1000, 1257))
    err = refused(folder, "upstream a {\n" + servers + "}\nproxy a\n")
    assert err.startswith("pollux.conf:258:9: more than 256 ports of servers")


def test_a_name_that_is_not_known_is_a_warning(folder):
    (folder / "pollux.conf").write_text("upstream a {\n    server nowhere.invalid:80\n}\nproxy a\n")
    code, _, err = run("check", "-q", "-c", "pollux.conf", cwd=folder)
    assert code == 0 and err.startswith('pollux.conf:2:12: warning: "nowhere.invalid" is not known now'), err
