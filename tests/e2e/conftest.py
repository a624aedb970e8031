"""What all end-to-end tests share: the path to `lib`, and a server of the plainest kind."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from lib.runner import PROGRAM, Pollux  # noqa: E402


def pytest_configure(config):
    assert PROGRAM.exists() or config.option.collectonly, f"{PROGRAM} is not built"


@pytest.fixture(scope="session")
def plain():
    """One `respond` for the whole (xdist) session: tests that change nothing share it."""
    with Pollux("respond", "--log", "off", "-w", "1") as server:
        yield server
