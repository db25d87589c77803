"""Goal:   tools/quickstart --stop removes what a run of quickstart left, and nothing else.
Method: folders as runs leave them, and one that somebody else made, each in a TMPDIR of its own.
"""

import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
TOUR = os.path.join(ROOT, "tools", "local", "tour.py")
LIMIT_S = 60


class Stop(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.parent = temporary.name
        self.folder = os.path.join(self.parent, "starling-quickstart")

    def stop(self):
        return subprocess.run([sys.executable, "-B", TOUR, "--stop"], check=False, text=True,
                              capture_output=True, timeout=LIMIT_S,
                              env={**os.environ, "TMPDIR": self.parent})

    def make(self, *names):
        for name in names:
            path = os.path.join(self.folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write("{}")

    def test_without_a_folder_there_is_nothing_to_stop(self):
        run = self.stop()
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("Nothing to stop", run.stdout)

    def test_what_a_run_left_is_removed(self):
        self.make("cluster.json", "node1.toml", "node1.log", "node1/CURRENT")
        run = self.stop()
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertFalse(os.path.exists(self.folder))

    def test_what_somebody_else_made_stays(self):
        self.make("photos/one", "notes")
        run = self.stop()
        self.assertEqual(run.returncode, 1, run.stdout)
        self.assertIn(f"{self.folder} exists and is no cluster of ours", run.stderr)
        self.assertTrue(os.path.exists(os.path.join(self.folder, "photos", "one")))
        self.assertTrue(os.path.exists(os.path.join(self.folder, "notes")))


if __name__ == "__main__":
    unittest.main()
