"""script/bootstrap with a PATH of fakes: what it installs, when it does nothing, when it gives up."""
import json
import os
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COMMANDS = ("gcc", "cmake", "ninja", "scdoc")


class BootstrapTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.log = os.path.join(self.folder.name, "log")
        self.policy = os.path.join(self.folder.name, "policy-rc.d")
        for name in ("env", "dirname"):
            os.symlink(f"/usr/bin/{name}", os.path.join(self.folder.name, name))

    def fake(self, name, body=""):
        """A command that writes down how it was called, then does `body`."""
        path = os.path.join(self.folder.name, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\necho "{name} $*" >>"{self.log}"\n{body}\n')
        os.chmod(path, 0o755)

    def root_on_debian(self, user=0):
        self.fake("id", f"echo {user}")
        self.fake("dpkg-query", "exit 1")
        for name in ("apt-get", "tee", "chmod", "rm"):
            self.fake(name)

    def run_it(self, *arguments, root=ROOT):
        result = subprocess.run(["/bin/sh", os.path.join(root, "script", "bootstrap"), *arguments],
                                env={"PATH": self.folder.name, "POLICY_RC_D": self.policy},
                                capture_output=True, text=True, timeout=60,
                                stdin=subprocess.DEVNULL)
        calls = []
        if os.path.exists(self.log):
            with open(self.log, encoding="utf-8") as file:
                calls = [line for line in file.read().splitlines()
                         if not line.startswith(("id ", "dpkg-query "))]
        return result, calls

    def test_does_nothing_when_all_is_there(self):
        self.root_on_debian()
        for name in COMMANDS:
            self.fake(name)
        result, calls = self.run_it()
        self.assertEqual((result.returncode, calls), (0, []))
        self.assertEqual(result.stdout + result.stderr, "")

    def test_installs_what_is_missing_and_no_more(self):
        self.root_on_debian()
        self.fake("gcc")
        result, calls = self.run_it()
        self.assertEqual(result.returncode, 0, result.stderr)
        installs = [call for call in calls if " install " in call]
        self.assertEqual(len(installs), 1)
        self.assertTrue(installs[0].endswith("install -y --no-install-recommends cmake ninja-build scdoc"))

    def test_package_without_a_command_of_its_own(self):
        self.root_on_debian()
        self.fake("dpkg-query", 'for last; do :; done; [ "$last" = gcc ] && printf "ii "')
        result, calls = self.run_it()
        self.assertEqual(result.returncode, 0)
        self.assertTrue(any(call.endswith("cmake ninja-build scdoc") for call in calls))

    def test_no_service_may_start(self):
        self.root_on_debian()
        _, calls = self.run_it()
        names = [" ".join(call.split()[:2]) for call in calls]
        self.assertLess(names.index(f"tee {self.policy}"), names.index("apt-get -q"))
        self.assertEqual(names[-1], "rm -f")
        self.assertTrue(calls[-1].endswith(self.policy))

    def test_policy_goes_when_apt_fails(self):
        self.root_on_debian()
        self.fake("apt-get", "exit 100")
        result, calls = self.run_it()
        self.assertEqual(result.returncode, 100)
        self.assertEqual(calls[-1], f"rm -f {self.policy}")

    def test_policy_of_the_machine_is_left_alone(self):
        self.root_on_debian()
        self.fake("policy-rc.d")
        _, calls = self.run_it()
        self.assertEqual([call for call in calls if "policy" in call], [])

    def test_without_apt_it_prints_the_list(self):
        self.fake("gcc")
        result, calls = self.run_it()
        self.assertEqual((result.returncode, calls), (69, []))
        self.assertIn("cmake ninja-build scdoc", result.stderr)
        self.assertNotIn("gcc", result.stderr)

    def test_without_rights_it_says_what_to_run(self):
        self.root_on_debian(user=1000)
        self.fake("sudo", "exit 1")
        result, calls = self.run_it()
        self.assertEqual(result.returncode, 69)
        self.assertIn("apt-get install gcc cmake ninja-build scdoc", result.stderr)
        self.assertFalse(any("apt-get" in call for call in calls))

    def test_sudo_is_used(self):
        self.root_on_debian(user=1000)
        self.fake("sudo", 'shift; exec "$@"')
        self.fake("true")
        result, calls = self.run_it()
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertTrue(any(call.startswith("sudo -n env DEBIAN_FRONTEND=noninteractive apt-get")
                            for call in calls))

    def test_npm_once_for_each_lock(self):
        root = os.path.join(self.folder.name, "tree")
        locked = os.path.join(root, "tests/npm")
        os.makedirs(locked)
        shutil.copytree(os.path.join(ROOT, "script"), os.path.join(root, "script"))
        for name in ("package.json", "package-lock.json"):
            shutil.copy(os.path.join(ROOT, "tests/npm", name), locked)
        for name in ("cmp", "cp", "mkdir"):
            os.symlink(f"/usr/bin/{name}", os.path.join(self.folder.name, name))
        self.root_on_debian()
        self.fake("dpkg-query", 'printf "ii "')
        self.fake("npm", "exit 1")
        result, calls = self.run_it("test", root=root)
        self.assertEqual(result.returncode, 1)
        self.fake("npm")
        result, calls = self.run_it("test", root=root)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertTrue(calls[-1].startswith(f"npm ci --prefix {root}/build/npm --ignore-scripts"))
        again, calls_again = self.run_it("test", root=root)
        self.assertEqual((again.returncode, calls_again, again.stderr), (0, calls, ""))
        with open(os.path.join(locked, "package-lock.json"), "a", encoding="utf-8") as file:
            file.write("\n")
        _, calls_after = self.run_it("test", root=root)
        self.assertEqual(len(calls_after), len(calls) + 1)

    def test_npm_takes_exact_versions_with_digests_and_from_no_place(self):
        with open(os.path.join(ROOT, "tests/npm/package-lock.json"),
                  encoding="utf-8") as file:
            packages = json.load(file)["packages"]
        names = [name for name in packages if name]
        self.assertTrue(names)
        for name in names:
            self.assertRegex(packages[name]["version"], r"^[0-9]+[.][0-9]+[.][0-9]+$")
            self.assertTrue(packages[name]["integrity"].startswith("sha512-"))
            self.assertNotIn("resolved", packages[name])

    def test_usage(self):
        self.assertEqual(self.run_it("everything")[0].returncode, 64)

    def test_a_service_that_came_is_disabled_and_one_that_was_there_is_not(self):
        """The fakes have no haproxy; whether nginx is there is up to the machine."""
        self.root_on_debian()
        self.fake("dpkg-query", 'for last; do :; done; [ "$last" = haproxy ] || printf "ii "')
        self.fake("systemctl")
        with open(os.path.join(ROOT, "script", "bootstrap"), encoding="utf-8") as file:
            text = file.read().replace("haproxy=/usr/sbin/haproxy", "haproxy=/nowhere/haproxy")
        root = os.path.join(self.folder.name, "tree")
        os.makedirs(os.path.join(root, "script"))
        with open(os.path.join(root, "script", "bootstrap"), "w", encoding="utf-8") as file:
            file.write(text)
        _, calls = self.run_it("test", root=root)
        self.assertEqual([call for call in calls if call.startswith("systemctl")], ["systemctl disable haproxy"])


if __name__ == "__main__":
    unittest.main()
