"""What the process tests have in common: clusters that end with the test, and rows of data."""

import base64
import json
import os
import re
import unittest

import cluster

# ctest runs each test that depends on it with one worker a node and with three.
WORKERS = int(os.environ.get("STARLING_TEST_WORKERS", "1"))
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3} [DIWE] ")


class ClusterCase(unittest.TestCase):
    """A failure prints the end of each node's log. Nodes end with the test, whatever happens."""

    shared = ()  # Clusters of the whole class: printed too, and closed by it.

    def run(self, result=None):
        result = result or self.defaultTestResult()
        self._clusters = []
        before = len(result.failures) + len(result.errors)
        try:
            super().run(result)
            if len(result.failures) + len(result.errors) > before:
                for one in (*self.shared, *self._clusters):
                    one.print_logs()
        finally:
            for one in self._clusters:
                one.close()
        return result

    def make_cluster(self, size=3, name="test", **settings):
        """A cluster that is not started. Settings: hints_enabled=False for hints.enabled."""
        dotted = {key.replace("_", ".", 1): value for key, value in settings.items()}
        made = cluster.Cluster(size, name, {"node.workers": WORKERS, **dotted})
        self._clusters.append(made)
        return made

    def start_cluster(self, size=3, name="test", **settings):
        made = self.make_cluster(size, name, **settings)
        made.start()
        return made

    def check_alone(self, nodes, node, expected, what=None):
        """That the node has all rows by itself: the others are stopped while it is read."""
        others = [other for other in nodes.nodes if other is not node]
        for other in others:
            other.pause()
        try:
            self.assertEqual(difference(export_alone(node), expected), "", what)
        finally:
            for other in others:
                other.go_on()
        nodes.wait_whole(60)

    def assert_refused(self, run, *words, status=2):
        """The tool ended with `status` and gave a reason that has all these words in it."""
        reason = run.stderr.decode(errors="replace")
        self.assertEqual(run.returncode, status, reason)
        for word in words:
            self.assertIn(word.lower(), reason.lower())


    def assert_one_line(self, run, program, *words):
        """It ended with status 2, and all it said, log aside, is one line with these words."""
        output, errors = (part if isinstance(part, str) else part.decode(errors="replace")
                          for part in (run.stdout, run.stderr))
        said = [line for line in errors.splitlines() if not LOG_LINE.match(line)]
        self.assertEqual((run.returncode, output), (2, ""), errors)
        self.assertEqual(len(said), 1, errors)
        self.assertTrue(said[0].startswith(f"{program}: "), said[0])
        for word in words:
            self.assertIn(word.lower(), said[0].lower())


class SharedClusterCase(ClusterCase):
    """Three nodes for all cases of a class, which use keys of their own."""

    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.cluster = cluster.Cluster(3, cls.__name__, {"node.workers": WORKERS, **cls.settings})
        cls.shared = (cls.cluster,)
        try:
            cls.cluster.start()
        except cluster.Failure:
            cls.cluster.print_logs()
            cls.cluster.close()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close()

    def starling(self, *command, **more):
        return self.cluster.starling(*command, **more)

    def attempt(self, *command, **more):
        return self.cluster.starling(*command, check=False, **more)


def rows(count, prefix="key", value_bytes=100, generation=0):
    """{key: value}, both text; another generation has other values under the same keys."""
    return {f"{prefix}{number:07d}": f"{generation}.{number}.".ljust(value_bytes, "v")
            for number in range(count)}


def to_jsonl(data):
    return "".join(json.dumps({"key": key, "value": value}) + "\n"
                   for key, value in data.items()).encode()


def from_jsonl(output):
    """The rows of an export; a key that comes twice is an error."""
    found = {}
    for line in output.splitlines():
        row = json.loads(line)
        if row["key"] in found:
            raise AssertionError(f"the export has the key {row['key']} twice")
        if "value_base64" in row:
            found[row["key"]] = base64.b64decode(row["value_base64"])
        else:
            found[row["key"]] = row["value"]
    return found


def load(target, data, *options):
    """Imports the rows into a Cluster and fails unless every one was acknowledged."""
    target.starling(*options, "import", "-", "--format", "jsonl", stdin=to_jsonl(data), seconds=120)


def export_alone(node):
    """All rows as this node alone has them."""
    run = node.alone("export", "--consistency", "ONE", "--format", "jsonl", seconds=120)
    return from_jsonl(run.stdout)


def difference(found, expected):
    """A few words on how two sets of rows differ; empty when they do not."""
    missing = expected.keys() - found.keys()
    extra = found.keys() - expected.keys()
    other = [key for key in expected.keys() & found.keys() if found[key] != expected[key]]
    if not (missing or extra or other):
        return ""
    return (f"{len(missing)} missing {sorted(missing)[:5]}, "
            f"{len(extra)} extra {sorted(extra)[:5]}, "
            f"{len(other)} with another value {sorted(other)[:5]}")
