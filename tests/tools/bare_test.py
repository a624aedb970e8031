"""script/bare with a PATH of fakes: what it makes, what it takes over from the machine, how it ends."""
import os
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOLS = "awk cat cp dirname echo env grep head mkdir printf rm sed sh sort tar tee touch".split()
LISTS = "http://mirror.test/debian/ here\\nhttp://mirror.test/debian/ here-updates\\nhttp://mirror.test/sec/ here-security"


class BareTest(unittest.TestCase):
    """Runs as root would: `id` is a fake, and so is everything that would change the machine."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.bin, self.tree = os.path.join(folder.name, "bin"), os.path.join(folder.name, "tree")
        self.log = os.path.join(folder.name, "log")
        os.mkdir(self.bin)
        os.makedirs(os.path.join(self.tree, "script"))
        shutil.copy(os.path.join(ROOT, "script", "bare"), os.path.join(self.tree, "script"))
        for name in TOOLS:
            os.symlink(shutil.which(name), os.path.join(self.bin, name))
        self.fake("id", "echo 0")
        self.fake("apt-get", f'. /etc/os-release; printf "{LISTS}\\n" | sed "s/here/$VERSION_CODENAME/"')
        self.fake("apt-config", 'case $* in *--format*) echo http://proxy.test:1/ ;; *) echo "Acquire \\"\\";" ;; esac')
        self.fake("debootstrap", 'mkdir -p "$3/etc/apt/apt.conf.d" "$3/root"; echo "proxy $http_proxy" >>"$LOG"')
        self.fake("git", 'tar -c -C "$TREE" script')
        self.fake("chroot")
        self.fake("unshare", 'cat "$copy/etc/apt/sources.list" "$copy/tree/script/bare" >/dev/null && echo "7 passed in 1s"\n'
                             'echo "$environment" >>"$LOG"; exit ${UNSHARE_CODE:-0}')  # fmt: skip

    def fake(self, name, body=""):
        path = os.path.join(self.bin, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\necho "{name} $*" >>"$LOG"\n{body}\n')
        os.chmod(path, 0o755)

    def run_it(self, *arguments, **environment):
        done = subprocess.run(["/bin/sh", os.path.join(self.tree, "script", "bare"), *arguments],
                              env={"PATH": self.bin, "LOG": self.log, "TREE": self.tree, "HOME": "/nonexistent",
                                   **environment},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)  # fmt: skip
        calls = ""
        if os.path.exists(self.log):
            with open(self.log, encoding="utf-8") as file:
                calls = file.read()
        return done, calls

    def kept(self, *names):
        return os.path.join(self.tree, "build", "bare", *names)

    def test_usage(self):
        self.assertEqual(self.run_it("11")[0].returncode, 64)

    def test_makes_the_root_once_from_the_mirror_of_the_machine(self):
        for _ in range(2):
            done, calls = self.run_it("13", NODE_EXTRA_CA_CERTS="")
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(calls.count("debootstrap --variant=minbase trixie"), 1)
        self.assertIn("http://mirror.test/debian/\nproxy http://proxy.test:1/", calls)
        with open(self.kept("13.root", "etc/apt/sources.list"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "deb http://mirror.test/debian/ trixie main\n"
                             "deb http://mirror.test/debian/ trixie-updates main\n"
                             "deb http://mirror.test/sec/ trixie-security main\n")  # fmt: skip

    def test_prints_the_counts_and_ends_as_the_command_did(self):
        for code in ("0", "3"):
            done, _ = self.run_it("12", UNSHARE_CODE=code)
            self.assertEqual(done.returncode, int(code), done.stderr)
            self.assertTrue(done.stdout.endswith(f"script/test: ended with {code}\n7 passed in 1s\n"), done.stdout)
            self.assertFalse(os.path.exists(self.kept("12.run")), "the copy is gone")
            self.assertTrue(os.path.exists(self.kept("12.root", "made")))

    def test_takes_over_proxies_for_the_run_and_keeps_nothing_of_them(self):
        done, calls = self.run_it("12", https_proxy="http://p.test:2")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("export https_proxy='http://p.test:2'", calls)
        self.assertEqual(os.listdir(self.kept("12.root", "etc/apt/apt.conf.d")), [])

    def test_without_a_mirror_it_says_what_to_set(self):
        self.fake("apt-get")
        done, _ = self.run_it("12")
        self.assertEqual((done.returncode, "BARE_MIRROR" in done.stderr), (69, True), done.stderr)


if __name__ == "__main__":
    unittest.main()
