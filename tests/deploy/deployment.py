"""What the tests of deploy/ share: where the tree and the program are, and what the program says."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = (ROOT / os.environ.get("POLLUX_BUILD", "build/release")).resolve()


def help_of(command):
    done = subprocess.run(
        [BUILD / "pollux", command, "--help"], stdout=subprocess.PIPE, check=True, text=True, timeout=10
    )
    return done.stdout
