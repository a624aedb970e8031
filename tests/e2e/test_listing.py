"""The page that lists a folder: as HTML, as JSON, and as a browser shows it.

Screenshots are kept under build/screenshots; look at them after a change of the style.
"""

import base64
import contextlib
import hashlib
import html.parser
import json
import os
import re
import socket
import subprocess
import urllib.parse

import httpx
import pytest

from lib.browser import Browser
from lib.runner import Pollux
from lib.wire import ask

ODD = [
    "plain.txt",
    "a b+c&d;e=f.html",
    "quote\"s & <b>tags<b>.html",
    "<script>alert(1)<",
    "javascript:alert(1)",
    "data:text,x",
    "100% legit?.txt",
    "#hash",
    "?sort=size",
    "back\\slash",
    "..almost",
    " blank at both ends ",
    "new\nline",
    "tab\there",
    "bell\x07",
    "\x7f",
    "caf\u00e9",
    "\u05e9\u05dc\u05d5\u05dd.txt",
    "\u6587\u4ef6.md",
    "emoji \U0001f30d.png",
    "a\u202egpj.exe",
    "x" * 255,
    b"latin\xe9.txt",
    b"\xff\xfe\xfd",
    b"half \xe2\x82",
]
SHOWN = [name for name in ODD if not os.fsencode(name).startswith(b".")]

# The folders of pytest are ours alone: the program stays who we are.
QUIET = ("--log", "off", "-w", "1", "--user", str(os.geteuid()))


def write(root, name, size=0, time_s=1_700_000_000):
    path = os.path.join(os.fsencode(root), os.fsencode(name))
    with open(path, "wb") as file:
        file.truncate(size)
    os.utime(path, (time_s, time_s))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    root = tmp_path_factory.mktemp("site")
    (root / "odd").mkdir()
    for index, name in enumerate(ODD):
        write(root / "odd", name, index)
    (root / "empty").mkdir()
    deep = root / "projects" / "a rather long name of a folder" / ("very-" * 20) / "deep"
    deep.mkdir(parents=True)
    write(deep, "leaf.txt", 10)
    for folder in ("photos", "music", "10 things", "9 things"):
        (root / folder).mkdir()
    for name, size, time_s in (
            ("README.md", 4_321, 1_600_000_000), ("index.css", 18_000, 1_650_000_000),
            ("app.js", 220_000, 1_650_000_100), ("data.json", 1_048_576, 1_690_000_000),
            ("holiday.jpg", 3_400_000, 1_500_000_000), ("talk.mp4", 734_003_200, 1_710_000_000),
            ("song.flac", 34_000_000, 1_400_000_000), ("backup.tar.gz", 5_368_709_120, 1_720_000_000),
            ("report.pdf", 99_999, 1_721_000_000), ("core", 0, 1), ("file 9.txt", 9, 1), ("file 10.txt", 10, 1)):
        write(root, name, size, time_s)
    (root / "many").mkdir()
    for index in range(10_200):
        write(root / "many", f"entry {index}.txt", 1)
    with Pollux("files", root, "--listing", *QUIET) as server:
        server.root = root
        yield server


def get(url, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    with httpx.Client(trust_env=False, timeout=30) as client:
        return client.get(url, headers=headers)


class Links(html.parser.HTMLParser):
    """References of the table, and the text beside each."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self._in_body = False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag == "tbody":
            self._in_body = True
        elif tag == "a" and self._in_body:
            self.found.append([dict(attributes)["href"], ""])

    def handle_data(self, data):
        if self._in_body and self.found:
            self.found[-1][1] += data


def names_of(page):
    return [os.fsencode(urllib.parse.unquote_to_bytes(href.partition("?")[0]).removeprefix(b"./"))
            for href, _ in Links(page).found if href.startswith("./")]


# --- As bytes ------------------------------------------------------------------------------------


@pytest.mark.short
@pytest.mark.parametrize("path", ["/", "/odd/", "/empty/", "/projects/a%20rather%20long%20name%20of%20a%20folder/",
                                  "/?sort=size", "/odd/?sort=date&order=asc"])
def test_html_is_valid(site, path, tmp_path):
    response = get(site.url + path)
    assert response.status_code == 200
    # Of ARIA 1.1, which this tidy is older than.
    (tmp_path / "page.html").write_bytes(response.content.replace(b' aria-current="page"', b""))
    done = subprocess.run(["tidy", "-q", "-e", "--mute-id", "yes", "-utf8", tmp_path / "page.html"],
                          capture_output=True, timeout=30)
    assert (done.returncode, done.stderr.decode()) == (0, "")


@pytest.mark.short
def test_policy_allows_the_style_and_nothing_else(site):
    response = get(site.url + "/odd/")
    style = re.search(rb"<style>(.*?)</style>", response.content, re.S)[1]
    digest = base64.b64encode(hashlib.sha256(style).digest()).decode()
    assert response.headers["content-security-policy"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'")
    assert response.headers["x-content-type-options"] == "nosniff"
    text = response.text
    assert text.count("<style") == 1 and " style=" not in text
    # Of images there is the empty icon, so that no visit asks for /favicon.ico.
    assert text.count('"data:') == 1 and '<link rel="icon" href="data:,">' in text
    assert "<img" not in text
    assert "<script" not in text and not re.search(r"\son[a-z]+=", re.sub(r">[^<]*<", "><", text))
    assert "http:" not in text and "https:" not in text


@pytest.mark.short
def test_every_odd_name_leads_to_its_file(site):
    page = get(site.url + "/odd/")
    found = names_of(page.text)
    assert sorted(found) == sorted(os.fsencode(name) for name in SHOWN)
    assert len(found) == 24
    with httpx.Client(trust_env=False) as client:
        for href, _ in Links(page.text).found:
            if href.startswith("./"):
                # As a browser puts them together: no scheme, host or other path comes of a name.
                url = urllib.parse.urljoin(site.url + "/odd/", href)
                assert url.startswith(site.url + "/odd/")
                name = urllib.parse.unquote_to_bytes(href[2:])
                answer = client.get(url)
                assert answer.status_code == 200, (href, answer)
                assert len(answer.content) == os.stat(
                    os.path.join(os.fsencode(site.root / "odd"), name)).st_size


@pytest.mark.short
def test_json_says_the_same(site):
    page = names_of(get(site.url + "/odd/").text)
    listing = get(site.url + "/odd/", Accept="application/json")
    assert listing.headers["content-type"] == "application/json"
    content = json.loads(listing.content)
    assert content["path"] == "/odd/" and content["count"] == len(content["entries"])
    assert [urllib.parse.unquote_to_bytes(e["href"][2:]) for e in content["entries"]] == page
    sizes = {urllib.parse.unquote_to_bytes(e["href"][2:]): e["size"] for e in content["entries"]}
    assert sizes == {os.fsencode(name): index for index, name in enumerate(ODD)
                     if name in SHOWN}
    assert all(e["modified"] == "2023-11-14T22:13:20Z" for e in content["entries"])


@pytest.mark.short
def test_a_folder_of_more_than_a_piece_is_whole(site):
    page = get(site.url + "/many/")
    assert page.text.count("<tr><td><a href=\"./entry") == 10_200 and "10200 files" in page.text
    assert page.text.endswith("</html>\n")
    for query in ("", "?order=desc", "?sort=size", "?sort=date"):
        content = get(site.url + "/many/" + query, Accept="application/json").json()
        assert content["count"] == 10_200 and len({entry["name"] for entry in content["entries"]}) == 10_200


@pytest.mark.short
def test_files_are_served_between_many_listings(site):
    """Hundreds of cheap requests for costly pages, under a host each, and files that need a helper thread.

    That one piece is made at a time, and one for all of them, is counted by files_listing_test.c.
    """
    with contextlib.ExitStack() as stack:
        socks = []
        for index in range(8):
            sock = stack.enter_context(socket.create_connection(site.address, timeout=60))
            view = ("", "?order=desc", "?sort=size", "?sort=date")[index % 4]
            sock.sendall(f"HEAD /many/{view} HTTP/1.1\r\nHost: h{index}\r\n\r\n".encode() * 40)
            socks.append(sock)
        for index in range(20):
            assert get(f"{site.url}/nothing-{index}").status_code == 404
        for sock in socks:
            heads = b""
            while heads.count(b"\r\n\r\n") < 40:
                piece = sock.recv(65536)
                assert piece, heads[-500:]
                heads += piece
            assert heads.count(b"HTTP/1.1 200 OK\r\n") == 40


@pytest.mark.short
def test_preconditions(site):
    for accept in ("identity", "gzip", "br", "zstd"):
        response = get(site.url + "/odd/", Accept_Encoding=accept)
        assert "Accept-Encoding" in response.headers["vary"] and "Accept," in response.headers["vary"]
        again = get(site.url + "/odd/", Accept_Encoding=accept, If_None_Match=response.headers["etag"])
        assert (again.status_code, again.content) == (304, b"")
    assert get(site.url + "/odd/", Accept="application/json").headers["etag"] != response.headers["etag"]


@pytest.mark.short
def test_without_the_flag_there_is_none(site):
    with Pollux("files", site.root, *QUIET) as server:
        assert get(server.url + "/").status_code == 403


# --- In a browser --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser():
    with Browser() as running:
        yield running


OVERFLOW = """(() => {
    const wide = document.documentElement.clientWidth, found = [];
    if (document.documentElement.scrollWidth > wide) found.push('page ' + document.documentElement.scrollWidth);
    for (const e of document.querySelectorAll('main *')) {
        const r = e.getBoundingClientRect();
        if (r.width && (r.right > wide + .5 || r.left < -.5)) found.push(e.tagName + ' ' + r.left + ' ' + r.right);
        if (getComputedStyle(e).display !== 'inline' && e.scrollWidth > e.clientWidth + 1 && e.tagName !== 'svg')
            found.push(e.tagName + ' is wider than its box: ' + e.textContent.slice(0, 40));
    }
    return found;
})()"""

SIZES = [("phone", 360, 740), ("phone-wide", 740, 360), ("tablet", 820, 1180), ("desk", 1280, 900), ("tiny", 280, 500)]
DEEP = "/projects/a%20rather%20long%20name%20of%20a%20folder/" + "very-" * 20 + "/deep/"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name, width, height", SIZES, ids=[size[0] for size in SIZES])
def test_layout_holds(site, browser, name, width, height, dark):
    for page_name, path in (("root", "/"), ("odd", "/odd/"), ("deep", DEEP), ("empty", "/empty/")):
        page = browser.open(site.url + path, width, height, dark)
        page.screenshot(f"listing-{page_name}-{name}-{'dark' if dark else 'light'}.png")
        assert page.evaluate(OVERFLOW) == []
        assert page.complaints == []
        # Rows are as tall as a finger is wide, and what is said can be read.
        assert page.evaluate("Math.min(...[...document.querySelectorAll('tbody a')]"
                             ".map(a => a.getBoundingClientRect().height).concat(99))") >= 40
        assert contrast(page, "tbody a, tbody td, footer, h1") >= 4.5


CONTRAST = """(selector => {
    const parse = c => (c.match(/[\\d.]+/g) || []).map(Number);
    const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
                         return .2126 * r + .7152 * g + .0722 * b; };
    const ground = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
                          if (c.length === 3 || c[3] > 0) return c.slice(0, 3); } return [255, 255, 255]; };
    return Math.min(...[...document.querySelectorAll(selector)].map(e => {
        const a = light(parse(getComputedStyle(e).color).slice(0, 3)), b = light(ground(e));
        return (Math.max(a, b) + .05) / (Math.min(a, b) + .05); }));
})"""


def contrast(page, selector):
    """The least contrast of text to its ground (WCAG 2.1 section 1.4.3)."""
    return page.evaluate(f"{CONTRAST}({json.dumps(selector)})")


def rows(page):
    return page.evaluate("[...document.querySelectorAll('tbody bdi')].map(e => e.textContent)")


def test_the_style_is_applied(site, browser):
    page = browser.open(site.url + "/")
    assert page.evaluate("getComputedStyle(document.body).margin") == "0px"
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.resize(1200, 900, dark=True)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    assert page.complaints == []


FOLDERS = ["9 things/", "10 things/", "empty/", "many/", "music/", "odd/", "photos/", "projects/"]


def test_heads_of_columns_sort(site, browser):
    page = browser.open(site.url + "/")
    assert rows(page)[:8] == FOLDERS
    assert rows(page)[8:12] == ["app.js", "backup.tar.gz", "core", "data.json"]
    page.click("th:nth-child(2) a")
    assert page.evaluate("location.search") == "?sort=size&order=desc"
    assert rows(page)[:11] == FOLDERS + ["backup.tar.gz", "talk.mp4", "song.flac"]
    assert page.evaluate("document.querySelector('th:nth-child(2)').ariaSort") == "descending"
    page.click("th:nth-child(2) a")
    assert page.evaluate("location.search") == "?sort=size&order=asc"
    assert rows(page)[8:11] == ["core", "file 9.txt", "file 10.txt"]
    page.click("th:nth-child(3) a")
    assert page.evaluate("location.search") == "?sort=date&order=desc"
    dates = page.evaluate("[...document.querySelectorAll('tbody time')].map(e => e.dateTime)")[8:]
    assert dates == sorted(dates, reverse=True) and len(dates) == 12
    page.click("th:nth-child(1) a")
    page.click("th:nth-child(1) a")
    assert page.evaluate("location.search") == "?sort=name&order=desc"
    assert rows(page)[8:] == sorted(rows(page)[8:], key=natural, reverse=True)


def natural(name):
    return [(0, int(piece), "") if piece.isdigit() else (1, 0, piece.lower()) for piece in re.split(r"(\d+)", name)]


def test_a_walk_keeps_the_view(site, browser):
    page = browser.open(site.url + "/?sort=date&order=asc")
    page.click("a[href^='./projects/']")
    assert page.evaluate("location.pathname + location.search") == "/projects/?sort=date&order=asc"
    page.click("tbody tr:nth-child(2) a")
    page.click("tbody tr:nth-child(2) a")
    page.click("tbody tr:nth-child(2) a")
    assert page.evaluate("decodeURI(location.pathname)").endswith("/deep/")
    assert rows(page) == ["Up", "leaf.txt"]
    crumbs = page.evaluate("[...document.querySelectorAll('nav li')].map(e => e.textContent)")
    assert crumbs[1:3] == ["projects", "a rather long name of a folder"] and crumbs[-1] == "deep"
    page.click("nav li:nth-child(2) a")
    assert page.evaluate("location.pathname + location.search") == "/projects/?sort=date&order=asc"
    page.click("tbody tr:first-child a")
    assert page.evaluate("location.pathname") == "/"


def test_odd_names_stay_text(site, browser):
    page = browser.open(site.url + "/odd/")
    assert page.evaluate("document.querySelectorAll('tbody b, tbody script').length") == 0
    links = page.evaluate("[...document.querySelectorAll('tbody a')].map(a => a.href)")
    assert all(link.startswith(site.url + "/") for link in links)
    shown = rows(page)
    assert "<script>alert(1)<" in shown and "javascript:alert(1)" in shown
    assert not any(re.search("[\x00-\x1f\x7f\u202e]", name) for name in shown)


def test_ten_thousand_rows(site, browser):
    page = browser.open(site.url + "/many/", 360, 740)
    assert page.evaluate("document.querySelectorAll('tbody tr').length") == 10_201
    page.evaluate("document.querySelector('footer').scrollIntoView()")
    page.screenshot("listing-many-phone-light.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


# --- Pages of errors -----------------------------------------------------------------------------

BROWSER = "Accept: text/html,application/xhtml+xml,*/*;q=0.8"


def error_of(server, target, *fields, method="GET"):
    head = "\r\n".join([f"{method} {target} HTTP/1.1", "Host: a", "Connection: close", *fields, "", ""])
    return ask(server.address, head.encode(), head_only=method == "HEAD")


def test_an_error_is_a_page_for_browsers(tmp_path):
    with Pollux("files", tmp_path, "--log=off", "-w1") as server:
        for target, method, status in (("/nothing", "GET", 404), ("/", "GET", 403), ("/", "POST", 405)):
            reply = error_of(server, target, BROWSER, method=method)
            page = reply.content.decode()
            assert (reply.status, reply.value("Content-Type")) == (status, "text/html; charset=utf-8")
            assert "Accept" in reply.values("Vary") and len(page) < 2048
            assert f"<title>{status} {reply.reason}</title>" in page and f"<h1>{status} {reply.reason}</h1>" in page
            style = re.search("<style>(.*?)</style>", page, re.S)[1]
            digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
            assert f"style-src 'sha256-{digest}'" in reply.value("Content-Security-Policy")
            assert "<script" not in page and "http:" not in page
            plain = error_of(server, target, "Accept: */*", method=method)
            assert plain.status == status and "Accept" in plain.values("Vary")
            assert plain.content == b"%d %s\n" % (status, plain.reason.encode())
        assert error_of(server, "/nothing").content == b"404 Not Found\n"
        head = error_of(server, "/nothing", BROWSER, method="HEAD")
        assert head.value("Content-Length") == str(len(error_of(server, "/nothing", BROWSER).content))


def test_what_an_error_page_says_is_escaped(tmp_path):
    with Pollux("files", tmp_path, "--log=off", "-w1") as server:
        page = error_of(server, "/<script>\"&'?<b>", BROWSER).content.decode()
        assert "/&lt;script&gt;&quot;&amp;'?&lt;b&gt;" in page and "<script" not in page and "<b>" not in page
        for target in ("/" + "<" * 7000, "/" + "\u00e9" * 3000):
            reply = error_of(server, target, BROWSER)
            assert reply.status == 404 and len(reply.content) < 5000
            assert "&hellip;" in reply.content.decode("utf-8")


def test_an_error_page_of_ones_own_goes_first(tmp_path):
    (tmp_path / "404.html").write_text("own")
    with Pollux("files", tmp_path, "--log=off", "-w1", "--error-page", "404=404.html") as server:
        assert error_of(server, "/nothing", BROWSER).content == b"own"
