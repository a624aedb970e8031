"""The servers the bench measures: how each is set up, started, watched and stopped.

Every peer gets the configuration its manual recommends for speed on one core: one worker, no access
log, no limit of requests on a connection, long timeouts, room for the idle connections of the
memory rows. Configurations are written into the bench's temporary folder.
"""

import ctypes
import functools
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import time

HELLO = b"Hello, world!"
FLOOR = "floor"
HERE = pathlib.Path(__file__).resolve().parent
NPM = HERE.parent / "build/npm"
SYSTEM_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
CONNECTIONS_MAX = 12288
START_SECONDS = 10
PR_SET_PDEATHSIG = 1


class BenchError(Exception):
    """What went wrong, in one line for the user of the bench."""


def find_program(name):
    return shutil.which(name, path=SYSTEM_PATH)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_listening(port):
    """Looks without connecting, so that a fresh server stays fresh."""
    wanted = f"0100007F:{port:04X}"
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        columns = line.split()
        if columns[1] == wanted and columns[3] == "0A":
            return True
    return False


def parents():
    """{pid: parent pid} of every process."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = pathlib.Path("/proc", entry, "stat").read_text()
            except OSError:
                continue
            found[int(entry)] = int(stat.rpartition(")")[2].split()[1])
    return found


def process_tree(pid):
    """The process and its descendants, parents first."""
    tree, above = [pid], parents()
    for member in tree:
        tree += [child for child, parent in above.items() if parent == member]
    return tree


def ask(port, target="/", fields=(), close=False, timeout=5, tls=False):
    """One request on its own connection; returns (head with its empty line, content)."""
    host = "localhost" if tls else "127.0.0.1"  # as the name in the handshake
    lines = [f"GET {target} HTTP/1.1", f"Host: {host}:{port}", *fields]
    lines += ["Connection: close"] if close else []
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as plain, \
            (over_tls(plain) if tls else plain) as conn:
        conn.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return read_answer(conn)


@functools.cache
def tls_context(protocols):
    """What is measured is speed: whose certificate it is does not matter here, and no authorities are read."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


def over_tls(conn, *protocols):
    return tls_context(protocols).wrap_socket(conn, server_hostname="localhost")


H2_HEADERS, H2_SETTINGS, H2_END_STREAM, H2_ACK = 1, 4, 1, 1


def h2_frame(kind, flags, stream, payload):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def ask_h2_idle(conn, target):
    """A request on a new connection of HTTP/2, and its answer to the end; the connection stays."""
    # GET and https of HPACK's static table; path and authority literal and not indexed.
    block = (b"\x82\x87\x04" + bytes([len(target)]) + target.encode() +
             b"\x01\x09localhost")
    conn.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + h2_frame(H2_SETTINGS, 0, 0, b"") +
                 h2_frame(H2_HEADERS, 4 | H2_END_STREAM, 1, block))
    received = b""
    while True:
        while len(received) >= 9 and len(received) >= 9 + int.from_bytes(received[:3], "big"):
            length, kind, flags = int.from_bytes(received[:3], "big"), received[3], received[4]
            stream, received = int.from_bytes(received[5:9], "big"), received[9 + length:]
            if kind == H2_SETTINGS and not flags & H2_ACK:
                conn.sendall(h2_frame(H2_SETTINGS, H2_ACK, 0, b""))
            if stream == 1 and flags & H2_END_STREAM:
                return
        chunk = conn.recv(65536)
        if not chunk:
            raise BenchError("the connection ended within an answer of HTTP/2")
        received += chunk


def ask_h2(port, target, tls):
    """As ask, over HTTP/2 by nghttp; no head."""
    argv = [find_program("nghttp"), "-y", f"http{'s' if tls else ''}://127.0.0.1:{port}{target}"]
    done = subprocess.run(argv, capture_output=True, timeout=10, check=False)
    if done.returncode != 0:
        raise BenchError(f"nghttp: {done.stderr.decode(errors='replace').strip()[-200:]}")
    return b"", done.stdout


def read_answer(conn):
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = conn.recv(65536)
        if not chunk:
            raise BenchError(f"the connection ended within a head: {received[:80]!r}")
        received += chunk
    head, _, content = received.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n")
               if line.lower().startswith(b"content-length:")]
    if len(lengths) != 1:
        raise BenchError(f"an answer without Content-Length: {head!r}")
    while len(content) < int(lengths[0]):
        chunk = conn.recv(65536)
        if not chunk:
            raise BenchError("the connection ended within the content")
        content += chunk
    return head + b"\r\n\r\n", content


class Running:
    """A server that runs, pinned to a core. It dies with the bench, whatever happens to that."""

    def __init__(self, server, argv, port, core, log):
        self.server, self.port = server, port
        with open(log, "ab") as output:
            libc = ctypes.CDLL(None)
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True,
                preexec_fn=lambda: (os.sched_setaffinity(0, {core}),
                                    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)))
        end = time.monotonic() + START_SECONDS
        while not is_listening(port):
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                said = pathlib.Path(log).read_text(errors="replace").strip()[-400:]
                raise BenchError(f"{server.name} does not start ({' '.join(map(str, argv))}): {said}")
            time.sleep(0.02)

    def pids(self):
        return process_tree(self.process.pid)

    def serving_pid(self, has_master):
        """What answers: the process itself, or its (last) worker, which is forked after it listens."""
        end = time.monotonic() + START_SECONDS
        while has_master and len(self.pids()) < 2 and time.monotonic() < end:
            time.sleep(0.02)
        return self.pids()[-1]

    def schedstat(self):
        """(nanoseconds on a core, nanoseconds waited for one) of all its threads so far."""
        ran = waited = 0
        for pid in self.pids():
            try:
                for task in os.listdir(f"/proc/{pid}/task"):
                    text = pathlib.Path(f"/proc/{pid}/task/{task}/schedstat").read_text()
                    ran += int(text.split()[0])
                    waited += int(text.split()[1])
            except FileNotFoundError:
                continue
        return ran, waited

    def rss_anon(self, worker_only=False):
        """Bytes of anonymous memory, of all its processes or of the one that serves."""
        sizes = {}
        pids = self.pids()
        above = parents()
        program = os.path.realpath(f"/proc/{self.process.pid}/exe")
        for pid in pids:
            try:
                same = os.path.realpath(f"/proc/{pid}/exe") == program
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            lines = [line for line in status.splitlines() if line.startswith("RssAnon:")]
            if same and lines:
                sizes[pid] = int(lines[0].split()[1]) * 1024
        if worker_only:
            masters = {above.get(pid) for pid in sizes}
            sizes = {pid: size for pid, size in sizes.items() if pid not in masters}
        return sum(sizes.values())

    def stop(self):
        pids = self.pids()
        self.process.terminate()
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
        above = parents()
        for pid in pids[1:]:
            if pid in above:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass


class Server:
    """How to start one. `rows` are the rows it takes part in; None means all that compare servers."""

    rows = None
    target = "/"
    fields = ()

    def __init__(self, name, version, command):
        self.name, self.version, self.command = name, version, command

    def start(self, bench, row):
        port = free_port()
        folder = bench.folder / f"{self.name}-{row.name}"
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        argv = self.command(bench, row, folder, port)
        return Running(self, argv, port, bench.server_core, folder / "output")

    def takes_part(self, row):
        return row.name in self.rows if self.rows is not None else row.page != "operations"

    def request_target(self, row):
        return row.target or self.target


def first_line(argv):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
    text = (done.stdout + done.stderr).strip()
    return text.splitlines()[0] if text else "unknown"


def floor_command(bench, row, folder, port):
    if row.proxied:
        return [bench.build / "bench/floors" / row.floor, str(port), str(bench.behind.port)]
    argv = [bench.build / "bench/floors" / row.floor, str(port)]
    answer = bench.answers.get(row.name)
    if answer:
        (folder / "answer").write_bytes(answer)
        argv.append(folder / "answer")
    return argv


class Behind:
    """What stands behind proxies: answers from memory, on the core of the load."""

    name = "behind"

    def start(self, bench, row):
        port = free_port()
        folder = bench.folder / f"{self.name}-{row.name}"
        folder.mkdir(exist_ok=True)
        content = HELLO if row.content_bytes == len(HELLO) else bytes(row.content_bytes)
        head = (f"HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Type: text/plain\r\n"
                f"Content-Length: {len(content)}\r\n\r\n")
        (folder / "answer").write_bytes(head.encode() + content)
        argv = [bench.build / "bench/floors/keepalive", str(port), folder / "answer"]
        return Running(self, argv, port, bench.load_core, folder / "output")


def pollux_command(bench, row, folder, port):
    if row.page == "realtime":  # the program has no WebSocket of its own
        return [bench.build / "bench/talk", str(port)]
    what = ["files", bench.root] if row.target else ["respond"]
    if row.curve == "routes":
        return [bench.build / "pollux", "run", write(folder / "pollux.conf", routes_text(row, port)), "-q", "-w", "1"]
    if row.proxied:
        what = ["proxy", f"http://127.0.0.1:{bench.behind.port}"]
    tls = ["--tls-cert", bench.certificate, "--tls-key", bench.key] if row.tls else []
    return [bench.build / "pollux", *what, "--log", "off", "-q", "-w", "1", *tls,
            "-l", f"{'https://' if row.tls else ''}127.0.0.1:{port}"]


def routes_text(row, port):
    """A site with that many routes, each with an answer."""
    routes = "".join(f"    route /r{number}/page {{ respond 200 \"Hello, world!\" }}\n" for number in range(row.at))
    return f"listen 127.0.0.1:{port}\naccess_log off\nhost default {{\n{routes}}}\n"


def without(option):
    """pollux, but with that option."""
    return lambda bench, row, folder, port: [*pollux_command(bench, row, folder, port), option]


def trained_command(bench, row, folder, port):
    """What script/pgo built, beside the build that is measured."""
    argv = pollux_command(bench, row, folder, port)
    return [trained(bench.build), *argv[1:]]


def trained(build):
    return build.parent / "pgo/pollux"


def observed_command(*flags):
    """The program, whose log goes where it costs the disk nothing."""
    return lambda bench, row, folder, port: [bench.build / "pollux", "respond", "-q", "-w", "1", *flags,
                                             "-l", f"127.0.0.1:{port}"]


def hosts_command(count):
    """So many hosts with a route each; the one that is asked for is the last."""

    def command(bench, row, folder, port):
        names = [f"h{number}.test" for number in range(count - 1)] + ["127.0.0.1"]
        hosts = "".join(f'host {name} {{ route /{{$}} {{ respond "Hello, world!" }} }}\n' for name in names)
        config = write(folder / "pollux.conf", f"log off\nworkers 1\nlisten 127.0.0.1:{port}\n{hosts}")
        return [bench.build / "pollux", "run", "-q", "-c", config]

    return command


def build_program_command(path):
    return lambda bench, row, folder, port: [bench.build / path, str(port)]


def write(path, text):
    path.write_text(text)
    path.chmod(0o644)
    return path


def nginx_command(bench, row, folder, port, listen_option=""):
    user = "user root root;" if os.geteuid() == 0 else ""
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n"
                        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    if row.tls:
        # Sessions are resumed by tickets, which is its default.
        listen_option += f""" ssl;
        ssl_certificate {bench.certificate};
        ssl_certificate_key {bench.key};
        ssl_protocols TLSv1.2 TLSv1.3"""
    if row.load == "h2load":
        listen_option = "http2" + listen_option
    places, upstream = f'''location = / {{ return 200 "Hello, world!"; }}
        location / {{ root {bench.root}; }}''', ""
    if row.curve == "routes":
        places = "".join(f'location = /r{number}/page {{ return 200 "Hello, world!"; }}\n' for number in range(row.at))
    if row.proxied:
        places = """location / {
            proxy_pass http://behind;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
        }"""
        upstream = f"""upstream behind {{
        server 127.0.0.1:{bench.behind.port};
        keepalive 512;
        keepalive_requests 2000000000;
    }}"""
    config = write(folder / "nginx.conf", f"""
{user}
daemon off;
worker_processes 1;
worker_rlimit_nofile {CONNECTIONS_MAX + 512};
pid {folder}/pid;
error_log {folder}/error.log error;
events {{ worker_connections {CONNECTIONS_MAX}; }}
http {{
    {temporary}
    access_log off;
    keepalive_timeout 600s;
    keepalive_requests 2000000000;
    client_header_timeout 600s;
    sendfile on;
    tcp_nopush on;
    open_file_cache max=100;
    default_type text/plain;
    server {{
        listen 127.0.0.1:{port} backlog=4096 {listen_option};
        {places}
    }}
    {upstream}
}}
""")
    return [find_program("nginx"), "-p", folder, "-c", config, "-e", folder / "error.log"]


def nginx_deferred_command(bench, row, folder, port):
    return nginx_command(bench, row, folder, port, "deferred")


def lighttpd_command(bench, row, folder, port):
    config = write(folder / "lighttpd.conf", f"""
server.document-root = "{bench.root}"
server.bind = "127.0.0.1"
server.port = {port}
server.errorlog = "{folder}/error.log"
server.event-handler = "linux-sysepoll"
server.max-fds = {2 * CONNECTIONS_MAX + 512}
server.max-connections = {CONNECTIONS_MAX}
server.listen-backlog = 4096
server.max-keep-alive-requests = 65535
server.max-keep-alive-idle = 600
server.max-read-idle = 600
index-file.names = ( "index.txt" )
mimetype.assign = ( ".txt" => "text/plain" )
""")
    return [find_program("lighttpd"), "-D", "-f", config]


def h2o_command(bench, row, folder, port):
    user = "user: root" if os.geteuid() == 0 else ""
    tls = f"""
  ssl:
    certificate-file: {bench.certificate}
    key-file: {bench.key}""" if row.tls else ""
    answer = f"file.dir: {bench.root}"
    if row.proxied:
        answer = f"""proxy.reverse.url: "http://127.0.0.1:{bench.behind.port}/"
        proxy.preserve-host: ON"""
    config = write(folder / "h2o.conf", f"""
{user}
listen:
  host: 127.0.0.1
  port: {port}{tls}
num-threads: 1
max-connections: {CONNECTIONS_MAX}
http1-request-timeout: 600
tcp-fastopen: 0
pid-file: {folder}/pid
error-log: {folder}/error.log
file.index: ["index.txt"]
file.send-gzip: OFF
hosts:
  default:
    paths:
      "/":
        {answer}
""")
    return [find_program("h2o"), "-m", "worker", "-c", config]


def haproxy_command(bench, row, folder, port):
    listen, answer = "", 'http-request return status 200 content-type text/plain string "Hello, world!"'
    if row.proxied:
        answer = f"""default_backend behind
    option forwardfor
backend behind
    http-reuse always
    server one 127.0.0.1:{bench.behind.port}"""
    if row.tls:
        pem = folder / "both.pem"
        pem.write_bytes(pathlib.Path(bench.certificate).read_bytes() + pathlib.Path(bench.key).read_bytes())
        listen = f" ssl crt {pem}"
    if row.load == "h2load":
        listen += " proto h2"
    config = write(folder / "haproxy.cfg", f"""
global
    nbthread 1
    maxconn {CONNECTIONS_MAX}
    no strict-limits
defaults
    mode http
    timeout client 600s
    timeout http-request 600s
    timeout http-keep-alive 600s
    timeout connect 5s
    timeout server 600s
frontend bench
    bind 127.0.0.1:{port} backlog 4096{listen}
    {answer}
""")
    return [find_program("haproxy"), "-db", "-q", "-f", config]


def all_servers(build, floor_names, scale):
    """Every server there is, floor first, and the names of those that are not installed. `scale`: the points of curves."""
    there, missing = [], []

    def add(name, is_there, version, command, rows=None):
        if not is_there:
            missing.append(name)
            return None
        server = Server(name, version(), command)
        server.rows = rows
        there.append(server)
        return server

    def built(path):
        return (build / path).exists()

    def modversion(package):
        return lambda: first_line(["pkg-config", "--modversion", package])

    plain = ("keepalive", "pipelined", "connection", "idle", "fresh")
    files = ("file_10k", "file_1m", "file_1m_both")
    realtime = ("ws_echo", "ws_broadcast", "ws_idle")
    proxies = ("proxy_keepalive", "proxy_1m", "proxy_tls", "proxy_h2")
    secure = ("tls_keepalive", "tls_file_1m", "h2_clear", "h2_tls", "tls_full", "tls_resumed", "idle_tls", "idle_h2_tls")
    add(FLOOR, built("bench/floors/keepalive"), lambda: "the bare system calls", floor_command,
        rows=floor_names)
    add("pollux", built("pollux"), lambda: first_line([build / "pollux", "--version"]),
        pollux_command, rows=plain + files + secure + realtime + proxies + scale)
    add("pollux, trained", trained(build).exists(), lambda: first_line([trained(build), "--version"]),
        trained_command, rows=("keepalive", "pipelined", "connection") + files + secure + proxies)
    add("pollux, no sandbox", built("pollux"), lambda: "--sandbox=off", without("--sandbox=off"), rows=("keepalive",))
    version = lambda: first_line([build / "pollux", "--version"])
    for name, program, command, row in (
            ("library", "bench/observed", lambda *given: [build / "bench/observed", str(given[3])], "observed"),
            ("library-metrics", "bench/observed",
             lambda *given: [build / "bench/observed", str(given[3]), "metrics"], "observed"),
            ("program", "pollux", observed_command("--log", "off"), "observed"),
            ("program-json", "pollux", observed_command("--log", "json", "--log-file", "/dev/null"), "observed"),
            ("hosts-1", "pollux", hosts_command(1), "hosts"),
            ("hosts-10000", "pollux", hosts_command(10000), "hosts")):
        add(name, built(program), version, command, (row,))
    embedder = add("embedder", built("bench/embedder"), lambda: "bench/embedder.c on libpollux",
                   build_program_command("bench/embedder"), rows=plain)
    if embedder:
        embedder.target = "/hello?name=world"
        embedder.fields = ("Accept-Language: en",)
    for name, option, command, rows in (
            ("nginx", "-v", nginx_command, None),
            ("nginx-deferred", "-v", nginx_deferred_command, ("connection",)),
            ("lighttpd", "-v", lighttpd_command, plain + files),
            ("h2o", "-v", h2o_command, plain + files + secure + proxies),
            ("haproxy", "-v", haproxy_command, plain + proxies)):
        program = find_program(name.partition("-")[0])
        add(name, program, lambda: first_line([program, option]), command, rows)
    for name, package in (("libh2o", "libh2o-evloop"), ("microhttpd", "libmicrohttpd")):
        add(name, built(f"bench/peers/{name}"), modversion(package),
            build_program_command(f"bench/peers/{name}"), plain + (("h2_clear",) if name == "libh2o" else ()))
    add("libwebsockets", built("bench/peers/libwebsockets"), modversion("libwebsockets"),
        build_program_command("bench/peers/libwebsockets"), realtime)
    node = find_program("node")
    add("ws", node and (NPM / "node_modules/ws").exists(),
        lambda: json.loads((NPM / "node_modules/ws/package.json").read_text())["version"],
        lambda bench, row, folder, port: [node, HERE / "peers/ws.js", str(port), NPM], realtime)
    return there, missing
