"""What stands before handlers (gallery/gated.c), as clients see it: access by address, rates,
passwords, templates, matchers, fields, compressing of one route."""

import base64
import concurrent.futures
import http.client
import socket
import subprocess
import time

import pytest

from lib.runner import BUILD, Server

# The password "secret", by bcrypt and SHA-crypt, cheap to check.
USERS = """# who is let in
ann:$2y$04$ozVXPYgty45XXVBBKVeV9.g1g8l3HoXKr11f3Tv4wbBahtCt/Mq9q
bob:$6$rounds=1000$EE8s63lJzCuxmCL2$0oOQO8GAVjcsuwGE4COYITNlPAKnVZvuQ3DSCttlhYr5wu9EL51O2zk7fyc5N2C6/LMqII0XIfzVASJcw.wpJ/
"""


@pytest.fixture(scope="module")
def gated(tmp_path_factory):
    users = tmp_path_factory.mktemp("gated") / "users"
    users.write_text(USERS)
    with Server([BUILD / "gallery" / "gated", users, "127.0.0.1:0"]) as server:
        yield server


def ask(server, path, method="GET", **fields):
    """The status, the fields by name in lower case, and the content."""
    connection = http.client.HTTPConnection(*server.address, timeout=20)
    connection.request(method, path,
                       headers={name.replace("_", "-"): value for name, value in fields.items()})
    answer = connection.getresponse()
    got = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    connection.close()
    return got


@pytest.mark.parametrize("path,status", [
    ("/local", 200), ("/elsewhere", 403), ("/when/x", 200), ("/when/admin", 403),
    ("/when/adminx", 403), ("/when/%61dmin", 403), ("/when/x/../admin", 403),
    ("/when//admin", 403), ("/when/./admin/x", 403), ("/when/admi", 200),
])
def test_access(gated, path, status):
    assert ask(gated, path)[0] == status


def test_rate(gated):
    assert [ask(gated, "/rate", X_Key="a")[0] for _ in range(5)] == [200, 200, 200, 429, 429]
    status, fields, _ = ask(gated, "/rate", X_Key="a")
    assert status == 429
    assert 1 <= int(fields["retry-after"]) <= 20
    assert fields["ratelimit-policy"] == '"default";q=3;w=60'
    assert fields["ratelimit"] == f'"default";r=0;t={fields["retry-after"]}'
    assert ask(gated, "/rate", X_Key="b")[0] == 200


def basic(name, password):
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def test_users(gated):
    status, fields, _ = ask(gated, "/users")
    assert status == 401
    assert fields["www-authenticate"] == 'Basic realm="staff", charset="UTF-8"'
    for name, password, expected in [("ann", "secret", 200), ("ann", "secret", 200),
                                     ("bob", "secret", 200), ("ann", "Secret", 401),
                                     ("cid", "secret", 401), ("", "", 401), ("ann", "", 401)]:
        assert ask(gated, "/users", Authorization=basic(name, password))[0] == expected


def test_an_honest_client_beside_wrong_passwords(gated):
    """A crowd of wrong passwords from the same machine, and right ones between: those that were right
    once pass at once, whatever waits."""
    assert ask(gated, "/users", Authorization=basic("bob", "secret"))[0] == 200
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        wrong = [pool.submit(ask, gated, "/users", Authorization=basic("bob", f"no{n}"))
                 for n in range(200)]
        right = [ask(gated, "/users", Authorization=basic("bob", "secret"))[0] for _ in range(50)]
        seen = {future.result()[0] for future in wrong}
    assert right == [200] * 50
    assert 401 in seen and seen <= {401, 429, 503}


def test_content_behind_a_password_is_drained(gated):
    """A refused request's content is not taken for the next request."""
    connection = http.client.HTTPConnection(*gated.address, timeout=20)
    for authorization, status in [(None, 401), (basic("ann", "no"), 401), (basic("ann", "secret"), 200)]:
        fields = {"Authorization": authorization} if authorization else {}
        connection.request("POST", "/users", body=b"GET / HTTP/1.1\r\n\r\n" * 100, headers=fields)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status
    connection.close()


def test_users_of_a_broken_file_are_an_error(tmp_path):
    users = tmp_path / "users"
    users.write_text("# one\n\nann:secret\n")
    ended = subprocess.run([BUILD / "gallery" / "gated", users, "127.0.0.1:0"],
                           capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 1
    assert f'{users}:3: "ann": its hash is a plain text' in ended.stderr


def test_templates(gated):
    status, _, content = ask(gated, "/written/a%2Fb%20c?q=1%262&x=y", Cookie="c=d; e=f", Host="h.example:80")
    assert status == 200
    assert content.decode() == ("GET h.example  /written/a%2Fb%20c?q=1%262&x=y a/b c 1&2 d 127.0.0.1\n")


@pytest.mark.parametrize("path,location", [
    ("/away/x/y?q=z", "/x/y?from=z"),
    ("/away/a%20b%0d%0aX:%20y?q=%0d%0aSet-Cookie:a", "/a%20b%0D%0AX%3A%20y?from=%0D%0ASet-Cookie%3Aa"),
    ("/away//evil.example/", "/evil.example/?from="),
    ("/away/%2Fevil.example/", "/evil.example/?from="),
    ("/away/%5Cevil.example/", "/%5Cevil.example/?from="),
])
def test_redirects_stay_here(gated, path, location):
    status, fields, _ = ask(gated, path)
    assert (status, fields["location"]) == (302, location)
    assert "set-cookie" not in fields and "x" not in fields


def test_fields_of_answers(gated):
    for path, status in [("/plain", 200), ("/elsewhere", 403), ("/none", 404)]:
        got, fields, _ = ask(gated, path)
        assert got == status
        assert fields["x-said"] == f"{status} GET"
        assert "server" not in fields and "strict-transport-security" not in fields


def test_one_route_is_coded(gated):
    status, fields, content = ask(gated, "/coded", Accept_Encoding="gzip")
    assert (status, fields["content-encoding"]) == (200, "gzip")
    assert len(content) < 1000
    status, fields, content = ask(gated, "/plain", Accept_Encoding="gzip")
    assert status == 200 and "content-encoding" not in fields and len(content) == 4096


def test_one_exchange_at_a_time(gated):
    """A request whose content is still coming is in flight; when it ends, or its client leaves, the
    next one may come."""
    for leaves in (False, True):
        with socket.create_connection(gated.address, timeout=20) as held:
            held.sendall(b"POST /one HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab")
            wait_until(lambda: ask(gated, "/one")[0] == 429)
            if not leaves:
                held.sendall(b"c")
                assert held.recv(12) == b"HTTP/1.1 200"
        wait_until(lambda: ask(gated, "/one")[0] == 200)


def wait_until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_reshaped_requests(gated):
    status, _, content = ask(gated, "/s/a%20b?q=1", X_Gone="x", X_Path="y")
    assert (status, content) == (200, b"/a%20b?q=1 /a b ")


def test_a_page_in_place_of_an_error(gated):
    status, fields, content = ask(gated, "/elsewhere")
    assert status == 403
    assert content.startswith(b"a page of ")
    assert fields["x-said"] == "403 GET"
    assert ask(gated, "/none")[0] == 404
