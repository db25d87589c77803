"""Goal:   a node whose hash trees are made anew serves reads and writes meanwhile, compares nothing
        before they are made, begins again where it was killed, and then has the right trees.
Method: three nodes with rows; one starts with --rebuild-trees, at a rate that takes some seconds,
        is killed in the midst of it and starts again; writes to it alone go on all the time.
"""

import json
import threading
import unittest

import case
import cluster

ROWS = 30_000  # Of about 180 bytes each, as stored.
RATES = ("128KiB", "512KiB")  # Before it is killed, and after.
REASON = "tree is being made anew"


class Writer:
    """Writes through one node at QUORUM until it is told to end; what was acknowledged."""

    def __init__(self, node):
        self.node = node
        self.rows = {}
        self._stop = threading.Event()
        self._failed = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        try:
            generation = 0
            while not self._stop.is_set():
                generation += 1
                # Old keys and new ones, in all slices.
                rows = {**case.rows(300, generation=generation),
                        **case.rows(100, prefix=f"new{generation}.")}
                self.node.alone("import", "-", "--format", "jsonl", stdin=case.to_jsonl(rows))
                self.rows.update(rows)
        except Exception as error:  # pylint: disable=broad-except
            self._failed = error

    def end(self):
        self._stop.set()
        self._thread.join()
        if self._failed:
            raise self._failed
        return self.rows


class TreeRebuild(case.ClusterCase):
    def left(self, node):
        return node.nodetool("info")["slices_to_make"]

    def wait_made(self, node, seconds=120):
        cluster.wait_for(lambda: self.left(node) == 0, seconds, "the trees to be made")

    def test_it_serves_while_its_trees_are_made_anew_and_then_they_are_right(self):
        nodes = self.start_cluster()
        expected = case.rows(ROWS)
        case.load(nodes, expected, "--consistency", "ALL")
        node = nodes.node(2)
        self.assertEqual(self.left(node), 0)
        self.assertEqual(node.stop(), 0)
        node.start({"repair.rate": RATES[0]}, ["--rebuild-trees"])
        nodes.wait_whole(60)
        self.assertGreater(self.left(node), 0)
        writer = Writer(node)
        try:
            self.assertEqual(node.alone("get", "key0029999", "--consistency", "ONE").stdout
                             .decode().strip(), expected["key0029999"].strip())
            self.no_word_about_what_is_not_made(nodes, node)
            cluster.wait_for(lambda: 0 < node.nodetool("netstats")["trees"]["slices_made"], 60,
                             "some slices to be made")
        finally:
            acknowledged = writer.end()
        before = self.left(node)
        self.assertGreater(before, 0)
        node.kill()
        node.start({"repair.rate": RATES[1]})
        nodes.wait_whole(60)
        self.assertLessEqual(self.left(node), before)
        self.assertGreater(self.left(node), 0)
        writer = Writer(node)
        try:
            self.wait_made(node)
        finally:
            acknowledged.update(writer.end())
        expected.update(acknowledged)
        self.assertIn("are made anew, of", node.log_text())
        run = cluster.run_tool("nodetool", "-h", nodes.node(1).address, "--json", "verify",
                               "--deep", seconds=180)
        self.assertTrue(json.loads(run.stdout)["sound"])
        self.assertTrue(json.loads(run.stdout)["equal"])
        self.assertEqual(case.difference(case.export_alone(node), expected), "")
        self.assertEqual(node.nodetool("repair")["entries_received"], 0)

    def no_word_about_what_is_not_made(self, nodes, node):
        asked = nodes.node(1)
        for each, whose in ((asked, "its"), (node, "this node's")):
            repair = cluster.run_tool("nodetool", "-h", each.address, "repair", check=False)
            self.assert_refused(repair, f"{whose} {REASON}")
        blocked = json.dumps(asked.nodetool("repairstatus"))
        self.assertIn(f"{node.address}: its {REASON}", blocked)
        refused = cluster.run_tool("nodetool", "-h", node.address, "snapshot", "-t", "early",
                                   check=False)
        self.assert_refused(refused, "being made anew")
        found = cluster.run_tool("nodetool", "-h", asked.address, "--json", "verify", check=False,
                                 seconds=120)
        self.assertEqual(found.returncode, 2)
        self.assertIn("being made anew", found.stdout.decode())


if __name__ == "__main__":
    unittest.main()
