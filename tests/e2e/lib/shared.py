"""The shared library of a build; one without it has the static one, whose code can be shared too."""

import re
import subprocess


def shared_library(build, tmp_path_factory):
    shared = build / "libpollux.so"
    if shared.exists():
        return shared
    made = tmp_path_factory.mktemp("library") / "libpollux.so"
    needs = re.search(r"^Libs.private: (.*)$", (build / "pollux.pc").read_text(), re.M)[1].split()
    subprocess.run(["gcc", "-shared", "-o", made, "-Wl,--whole-archive", build / "libpollux.a", "-Wl,--no-whole-archive", *needs], check=True)
    return made
