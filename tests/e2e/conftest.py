"""What all end-to-end tests share: the path to `lib`, and a server of the plainest kind."""

import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from lib.echo import running_echo  # noqa: E402
from lib.pattern import PATTERN  # noqa: E402
from lib.runner import BUILD, PROGRAM, Pollux, Server  # noqa: E402
from lib.tls import Authority  # noqa: E402


def pytest_configure(config):
    assert PROGRAM.exists() or config.option.collectonly, f"{PROGRAM} is not built"


@pytest.fixture(scope="session")
def plain():
    """One `respond` for the whole (xdist) session: tests that change nothing share it."""
    with Pollux("respond", "--log", "off", "-w", "1") as server:
        yield server


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """Who signs all certificates of the tests."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def secure(authority):
    """As `plain`, with a second listener that speaks TLS, for the names a, 127.0.0.1 and localhost."""
    cert, key = authority.issue("a", "127.0.0.1", "localhost")
    argv = ["respond", "--log", "off", "-w", "1", "--tls-cert", cert, "--tls-key", key]
    with Pollux(*argv, "-l", "127.0.0.1:0", "-l", "https://127.0.0.1:0") as server:
        server.authority = authority
        yield server


@pytest.fixture
def tmp_path():
    """A folder that workers can look into who are nobody, which pytest's own is not when root runs
    the tests; and its name is short enough for unix sockets."""
    path = Path(tempfile.mkdtemp(prefix="pollux-e2e-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def gallery(authority, tmp_path_factory):
    """Handlers of every kind; addresses[1] speaks TLS."""
    folder = tmp_path_factory.mktemp("gallery")
    (folder / "file").write_bytes(PATTERN)
    cert, key = authority.issue("a", file="gallery")
    argv = [BUILD / "gallery" / "gallery", folder / "file", "127.0.0.1:0", "https://127.0.0.1:0"]
    with Server(argv, env={"GALLERY_CERT": str(cert), "GALLERY_KEY": str(key)}) as server:
        server.authority = authority
        yield server


@pytest.fixture(scope="session")
def echo():
    """The path of a unix socket on which every WebSocket message is sent back."""
    folder = Path(tempfile.mkdtemp(prefix="pollux-e2e-"))
    with running_echo(folder) as child:
        yield child.path
    shutil.rmtree(folder, ignore_errors=True)
