"""Makes the declarations that the package loads the library by, of the headers beside it.

Without the headers, as in what `python -m build --sdist` packs, the declarations are there already.
"""

import subprocess
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = Path(__file__).resolve().parent
TOOL = HERE.parent.parent / "tools/api.py"
CDEF = HERE / "pollux/api.cdef"


def declare():
    if TOOL.exists():
        CDEF.write_bytes(subprocess.run([sys.executable, TOOL, "--cdef"], check=True, capture_output=True).stdout)
    elif not CDEF.exists():
        sys.exit("pollux/api.cdef is missing: build from pollux's source tree, where tools/api.py makes it")


class Build(build_py):
    def run(self):
        declare()
        super().run()


class Pack(sdist):
    def run(self):
        declare()
        super().run()


setup(cmdclass={"build_py": Build, "sdist": Pack})
