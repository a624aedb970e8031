"""Makes the declarations that the package loads the library by, of the headers beside it."""

import subprocess
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent


class Build(build_py):
    def run(self):
        made = subprocess.run([sys.executable, HERE.parent.parent / "tools/api.py", "--cdef"], check=True, capture_output=True)
        (HERE / "pollux/api.cdef").write_bytes(made.stdout)
        super().run()


setup(cmdclass={"build_py": Build})
