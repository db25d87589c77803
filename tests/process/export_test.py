"""Goal:   an export gives every row although a node dies, or stops, in the midst of it.
Method: read an export's first lines, then kill -9 or SIGSTOP a node that is not asked, and read on.
"""

import subprocess
import unittest

import case
import cluster

ROWS = 20_000
VALUE_BYTES = 300  # Pages enough that the pipe holds the export up before its end.


class ExportGoesOn(case.ClusterCase):
    def begin_export(self, node):
        command = [cluster.program("starling"), "--no-routing", "--hosts", node.client, "export",
                   "--format", "jsonl"]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, bufsize=0)

    def check_export(self, harm):
        """`harm` takes the cluster, once the export has begun and before it can have ended."""
        nodes = self.start_cluster()
        data = case.rows(ROWS, value_bytes=VALUE_BYTES)
        case.load(nodes, data)
        export = self.begin_export(nodes.node(1))
        try:
            first = export.stdout.readline()
            # It cannot have written more than fits into the pipe: much is still to be read.
            self.assertIsNone(export.poll())
            harm(nodes)
            rest, errors = export.communicate(timeout=60)
        finally:
            if export.poll() is None:
                export.kill()
            export.wait()
        self.assertEqual(export.returncode, 0, errors.decode(errors="replace"))
        self.assertEqual(case.difference(case.from_jsonl(first + rest), data), "")
        return nodes

    def test_a_node_that_is_killed_is_made_up_for_by_the_others(self):
        self.check_export(lambda nodes: nodes.node(2).kill())

    def test_a_node_that_stops_is_made_up_for_by_the_others(self):
        nodes = self.check_export(lambda nodes: nodes.node(3).pause())
        nodes.node(3).go_on()


if __name__ == "__main__":
    unittest.main()
