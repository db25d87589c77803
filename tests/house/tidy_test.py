"""Goal:   clang-tidy reads each file whose content changed, the newest first; a run that did not
        get through says so.
Method: tools/lint in a repository of its own, with a clang-tidy of the test that writes down what
        it was asked to read and finds fault with BAD.
"""

import os
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STUB = """#!/bin/sh
[ "$1" = --version ] && exit
echo "$2" >>"$TIDY_LOG"
grep -n BAD "$2" | sed "s|^\\([0-9]*\\):.*|$2:\\1:1: error: bad [stub]|"
"""


class Tidy(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = os.path.join(folder.name, "tree")
        self.log = os.path.join(folder.name, "log")
        for name in ("tools/lint", "tools/lint.d"):
            copy = shutil.copytree if name.endswith(".d") else shutil.copy
            os.makedirs(os.path.join(self.root, "tools"), exist_ok=True)
            copy(os.path.join(ROOT, name), os.path.join(self.root, name))
        self.stub = os.path.join(folder.name, "bin")
        os.makedirs(self.stub)
        self.write(os.path.join(self.stub, "clang-tidy"), STUB)
        os.chmod(os.path.join(self.stub, "clang-tidy"), 0o755)
        self.write(".gitignore", "build/\n__pycache__/\n")
        self.git("init", "-q", "-b", "main")
        self.commit("a.cc", '#include "a.h"\n', "a.h", "", "b.cc", '#include "alone.h"\n',
                    "c.cc", "", "alone.h", "")
        self.git("update-ref", "refs/remotes/origin/main", "HEAD")

    def write(self, path, content):
        with open(os.path.join(self.root, path), "w", encoding="utf-8") as file:
            file.write(content)

    def git(self, *arguments):
        identity = ("-c", "user.name=test", "-c", "user.email=test@localhost")
        subprocess.run(["git", *identity, *arguments], cwd=self.root, check=True)

    def commit(self, *paths_and_contents):
        for path, content in zip(paths_and_contents[::2], paths_and_contents[1::2]):
            self.write(path, content)
        self.git("add", ".")
        self.git("commit", "-q", "-m", "a change")

    def lint(self, *arguments, **environment):
        """Exit status, what was said, and the files that were read."""
        self.write(self.log, "")
        run = subprocess.run(
            ["python3", "-B", "tools/lint", "--only", "tidy", *arguments],
            cwd=self.root, capture_output=True, text=True, check=False,
            env={**os.environ, "PATH": f"{self.stub}:{os.environ['PATH']}", "TIDY_LOG": self.log,
                 **environment})
        self.assertEqual(run.stderr.count("Traceback"), 0, run.stderr)
        with open(self.log, encoding="utf-8") as file:
            return run.returncode, run.stdout, file.read().split()

    def test_what_changed_since_the_merge_base_is_read_and_no_more(self):
        self.commit("c.cc", "int c;\n")
        self.commit("a.h", "int a;\n")
        self.commit("c.cc", "")  # As it was.
        self.write("new.cc", "")
        status, said, read = self.lint()
        self.assertEqual((status, sorted(read)), (0, ["a.cc", "new.cc"]))
        self.assertIn("tidy: clean (", said)

    def test_a_header_without_a_unit_of_its_own_is_read_with_one_that_includes_it(self):
        self.commit("alone.h", "int alone;\n")
        self.assertEqual(self.lint()[2], ["b.cc"])

    def test_a_run_without_time_says_how_many_files_it_did_not_look_at(self):
        self.commit("a.cc", "BAD\n", "b.cc", "int b;\n")
        status, said, read = self.lint(STARLING_TIDY_SECONDS="0")
        self.assertEqual((status, read), (0, []))
        self.assertIn("tidy: clean in what was read; 2 of 2 files were not looked at", said)

    def test_what_was_clean_is_read_again_only_when_it_or_a_header_below_it_changes(self):
        self.commit("a.cc", '#include "a.h"\nint a;\n', "c.cc", "BAD\n")
        self.assertEqual(sorted(self.lint()[2]), ["a.cc", "c.cc"])
        status, said, read = self.lint()
        self.assertEqual((status, read), (1, ["c.cc"]))
        self.assertIn("c.cc:1: bad [stub]", said)
        self.commit("a.h", "int h;\n", "c.cc", "int c;\n")
        self.assertEqual(sorted(self.lint()[2]), ["a.cc", "c.cc"])
        self.assertEqual(self.lint()[2], [])
        self.assertEqual(sorted(self.lint("--tidy", "all")[2]), ["a.cc", "b.cc", "c.cc"])

    def test_the_newest_change_comes_first(self):
        self.commit("a.cc", "int a;\n")
        self.commit("c.cc", "int c;\n")
        self.commit("b.cc", "int b;\n")
        self.write("a.cc", "int uncommitted;\n")
        self.assertEqual(self.files_in_order(), ["a.cc", "b.cc", "c.cc"])

    def files_in_order(self):
        program = "import tree, tidy; print(*tidy._files(tree.Tree(), False))"
        run = subprocess.run(["python3", "-B", "-c", program], cwd=self.root, check=True,
                             capture_output=True, text=True,
                             env={**os.environ, "PYTHONPATH": "tools/lint.d"})
        return run.stdout.split()


if __name__ == "__main__":
    unittest.main()
