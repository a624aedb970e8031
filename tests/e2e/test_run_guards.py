"""What guards a route of a configuration, tried by requests that mean to go round it."""

import base64

import pytest

from lib.wire import ask
from test_run import folder, get, serve  # noqa: F401

pytestmark = pytest.mark.short


@pytest.fixture
def www(folder):  # noqa: F811
    (folder / "www" / "admin").mkdir()
    (folder / "www" / "admin" / "secret.txt").write_text("secret\n")
    return folder


# Each is what a handler of files makes "/admin/secret.txt" of.
SPELLINGS = [
    "//admin/secret.txt", "/./admin/secret.txt", "/x/../admin/secret.txt", "/admin%2fsecret.txt",
    "/%2Fadmin/secret.txt", "/pub/%2e%2e/admin/secret.txt", "/pub/.%2E/admin/secret.txt",
    "/pub%2f..%2fadmin%2fsecret.txt", "/%61dmin/secret.txt", "/admin//secret.txt", "/admin/./secret.txt",
    "/admin/x/../secret.txt", "/admin/secret%2etxt", "///admin///secret.txt", "/x/%2e%2e%2f/admin/secret.txt",
]


@pytest.mark.parametrize("around", ["", "{rest...}"], ids=["host", "route"])
def test_no_spelling_of_a_path_passes_by(www, around):
    outer = f"route /{around} {{ files www }}" if around else "files www"
    with serve(www, f"host * {{\n route /admin/{{rest...}} {{ deny all; files www }}\n {outer}\n}}\n") as server:
        assert get(server, "/a.txt")[::2] == (200, b"a\n")
        for path in ["/admin/secret.txt", *SPELLINGS]:
            for _ in range(3):
                status, fields, content = get(server, path)
                assert b"secret" not in content, path
                if status not in (301, 308):
                    break
                path = fields["location"]
            assert status == 403, path
        # What belongs to the same route is served in every spelling.
        assert get(server, "/x/..//a.txt")[::2] == (200, b"a\n")
        assert get(server, "/x%2f../a.txt")[::2] == (200, b"a\n")


def test_a_redirect_to_a_path_tells_what_its_host_would(www):
    """What acts on a request of the host does so before and behind a redirect of the server's own."""
    text = """trusted_proxies 127.0.0.1
host * { header X-Host yes; deny 6.6.6.6; respond host
 route /static/ { respond static }
 route POST /p/{rest...} { respond p }
}
"""
    denied = "X-Forwarded-For: 6.6.6.6\r\n"
    with serve(www, text) as server:
        for method, path, status, location in (
            ("GET", "/static?a=b", 301, "static/?a=b"),
            ("POST", "/static", 308, "static/"),
            ("POST", "/p", 308, "p/"),
            ("GET", "/x/../static/", 301, "/static/"),
        ):
            got, fields, _ = get(server, path, method=method, fields="Content-Length: 0\r\n" if method == "POST" else "")
            assert (got, fields["location"], fields["x-host"]) == (status, location, "yes"), path
            got, fields, _ = get(server, path, method=method, fields=denied)
            assert got == 403 and "location" not in fields and fields["x-host"] == "yes", path
        assert get(server, "/p")[::2] == (200, b"host")


def test_a_client_that_is_not_known_is_not_the_proxy(www):
    text = """trusted_proxies 127.0.0.0/8
route /in { allow 127.0.0.0/8; deny all; respond in }
route /out { deny 6.6.6.6; respond out }
match near { client 127.0.0.0/8 }
route /near { respond far; when near { respond near } }
"""
    contradictions = [
        "Forwarded: for=unknown\r\nX-Forwarded-For: 6.6.6.6\r\n", "Forwarded: x\r\nX-Forwarded-For: 6.6.6.6\r\n",
        "Forwarded: for=127.0.0.1\r\nX-Forwarded-For: 6.6.6.6\r\n", "Forwarded: for=unknown\r\n", "X-Forwarded-For: unknown\r\n",
    ]
    with serve(www, text) as server:
        assert [get(server, path)[::2] for path in ("/in", "/out", "/near")] == [
            (200, b"in"), (200, b"out"), (200, b"near")]
        for fields in contradictions:
            assert [get(server, path, fields=fields)[0] for path in ("/in", "/out")] == [403, 403], fields
            assert get(server, "/near", fields=fields)[2] == b"far"
        fields = "X-Forwarded-For: 7.7.7.7\r\n"
        assert [get(server, path, fields=fields)[0] for path in ("/in", "/out")] == [403, 200]


def test_no_number_of_pairs_hides_one(www):
    text = "match q { query debug=1 }\nroute / { respond in; when q { deny all } }\n"
    with serve(www, text) as server:
        assert get(server, "/?debug=1")[0] == 403
        assert get(server, "/?" + "a&" * 1500 + "debug=1")[0] == 403
        assert get(server, "/?" + "&" * 3000 + "%64ebug=1&x")[0] == 403
        assert get(server, "/?" + "a&" * 1500 + "debug=2")[0] == 200


def test_the_page_of_an_error_is_not_counted_nor_refused(www):
    text = """host * {
    error_page 403 404 429 503 /page
    rate_limit {client} 1/h burst=4
    route /page { respond page }
    files www
}
"""
    with serve(www, text) as server:
        answers = [get(server, "/missing") for _ in range(6)]
        assert [status for status, _, _ in answers] == [404] * 4 + [429] * 2
        assert {content for _, _, content in answers} == {b"page"}
    page = "error_page 401 403 404 /page\nhost * { route /page { respond page }; files www }\n"
    with serve(www, "connection_limit {client} 1\n" + page) as server:
        assert get(server, "/missing")[::2] == (404, b"page")
    with serve(www, "deny all\n" + page) as server:
        assert get(server, "/missing")[::2] == (403, b"page")
        assert get(server, "/page")[::2] == (403, b"page")
    (www / "users").write_text("ann:$2y$04$ozVXPYgty45XXVBBKVeV9.g1g8l3HoXKr11f3Tv4wbBahtCt/Mq9q\n")
    with serve(www, "basic_auth staff users\n" + page) as server:
        status, fields, content = get(server, "/missing")
        assert (status, content) == (401, b"page")
        assert fields["www-authenticate"].startswith("Basic realm")


def basic(user, password):
    return f"Authorization: Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}\r\n"


def test_a_setting_under_a_when_replaces_the_outer_one(www):
    (www / "staff").write_text("ann:$2y$04$ozVXPYgty45XXVBBKVeV9.g1g8l3HoXKr11f3Tv4wbBahtCt/Mq9q\n")
    (www / "guests").write_text("guest:$2y$04$ozVXPYgty45XXVBBKVeV9.g1g8l3HoXKr11f3Tv4wbBahtCt/Mq9q\n")
    text = """match guest { header X-Guest }
match open { header X-Open }
hsts 1h
basic_auth staff staff
strip_prefix /a
host * {
    when guest { basic_auth guests guests; strip_prefix /a/b }
    when open { basic_auth off; hsts off }
    respond {path}
}
"""
    staff, guest = basic("ann", "secret"), basic("guest", "secret")
    asked = "X-Guest: 1\r\n"
    with serve(www, text) as server:
        for fields, status, content in [
            ("", 401, None), (staff, 200, b"/b/c"), (guest, 401, None),
            (asked, 401, None), (asked + staff, 401, None), (asked + guest, 200, b"/c"),
            ("X-Open: 1\r\n", 200, b"/b/c"), (asked + "X-Open: 1\r\n", 200, b"/c"),
        ]:
            got = get(server, "/a/b/c", fields=fields)
            assert (got[0], got[2] if content else None) == (status, content), fields
