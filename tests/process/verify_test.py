"""Goal:   nodetool verify finds a tree that is not what its entries add up to, and with --deep a
        value that is not its digest's; of what is sound it says so, and waits for proofs.
        While it reads it says how far that is.
Method: three nodes with rows; one ends, a leaf or a value of its data is changed by damage_tree,
        and it starts again. Writes go on while sound nodes are verified.
"""

import json
import os
import re
import threading
import unittest

import case
import cluster

ROWS = 3000


def verify(nodes, *arguments):
    """Its exit status, and what it says of each node by address."""
    run = cluster.run_tool("nodetool", "-h", nodes.node(1).address, "--json", "verify", *arguments,
                           check=False, seconds=120)
    said = json.loads(run.stdout) if run.stdout else {"nodes": []}
    return run.returncode, {node["address"]: node for node in said["nodes"]}, said


class Verify(case.ClusterCase):
    def code_of(self, nodes, *arguments):
        run = cluster.run_tool("nodetool", "-h", nodes.node(1).address, "--json", "verify",
                               *arguments, check=False, seconds=120)
        return json.loads(run.stderr)["error"]["code"]

    def damaged_cluster(self, what):
        nodes = self.start_cluster(hints_enabled=False, repair_enabled=False)
        case.load(nodes, case.rows(ROWS), "--consistency", "ALL")
        node = nodes.node(2)
        self.assertEqual(node.stop(), 0)
        cluster.run_tool("damage_tree", node.data, what)
        node.start()
        nodes.wait_whole(60)
        return nodes, node

    def test_a_changed_leaf_is_found_on_its_node_alone(self):
        nodes, node = self.damaged_cluster("leaf")
        status, found, said = verify(nodes, "default")
        self.assertEqual(status, 2)
        self.assertFalse(said["sound"])
        for each in nodes.nodes:
            row = found[each.address]
            wrong = 1 if each is node else 0
            self.assertEqual(row["sound"], wrong == 0, row)
            self.assertEqual(row["keyspaces"][0]["wrong_buckets"], wrong, row)
            self.assertEqual(row["keyspaces"][0]["entries"], ROWS, row)
        text = cluster.run_tool("nodetool", "-h", nodes.node(1).address, "verify", check=False)
        self.assertIn("NO", text.stdout.decode())
        self.assertIn("not every node is sound", text.stderr.decode())

    def test_a_changed_value_is_found_with_deep(self):
        nodes, node = self.damaged_cluster("value")
        status, _, _ = verify(nodes)
        self.assertEqual(status, 0)
        status, found, _ = verify(nodes, "--deep")
        self.assertEqual(status, 2)
        self.assertEqual(found[node.address]["damaged_entries"], 1)
        self.assertIn("bucket", found[node.address]["problem"])
        self.assertEqual(found[nodes.node(1).address]["damaged_entries"], 0)

    def test_sound_nodes_are_sound_while_writes_go_on(self):
        nodes = self.start_cluster(repair_interval="1s")
        case.load(nodes, case.rows(ROWS))
        go_on = threading.Event()
        go_on.set()
        failures = []

        def write():
            generation = 0
            while go_on.is_set():
                generation += 1
                try:
                    case.load(nodes, case.rows(300, generation=generation))
                except cluster.Failure as failure:
                    failures.append(failure)
                    return

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for arguments in ((), ("default",), ("--deep",)):
                status, found, said = verify(nodes, *arguments)
                self.assertEqual(status, 0, said)
                self.assertEqual(len(found), 3)
                self.assertEqual(said.get("equal", True), True)
        finally:
            go_on.clear()
            writer.join()
        self.assertEqual(failures, [])
        for node in nodes.nodes:
            self.assertFalse(os.path.exists(os.path.join(node.data, "verifying")))

    def test_who_waits_sees_how_far_it_is_and_a_reader_of_json_nothing_but_the_result(self):
        # Steps of 4 MiB, with rests in between.
        nodes = self.start_cluster(size=1, repair_rate="3MiB")
        case.load(nodes, case.rows(4000, value_bytes=4000))
        command = ("nodetool", "-h", nodes.node(1).address, "verify")
        shown = cluster.run_tool(*command)
        lines = shown.stderr.decode().splitlines()
        self.assertGreater(len(lines), 0)
        checked = []
        for line in lines:
            at = re.fullmatch(rf"{re.escape(nodes.node(1).address)}, node 1 of 1: (\d+) of 4000 "
                              r"entries checked(, about [\d.]+ \w+ left)?", line)
            self.assertIsNotNone(at, line)
            checked.append(int(at[1]))
        self.assertEqual(checked, sorted(checked))
        self.assertGreater(checked[-1], 0)
        self.assertLess(checked[-1], 4000)
        quiet = cluster.run_tool(*command, "--json")
        self.assertEqual(quiet.stderr, b"")
        self.assertTrue(json.loads(quiet.stdout)["sound"])
        self.assertFalse(nodes.node(1).nodetool("netstats")["verification"]["running"])

    def test_a_node_that_is_down_is_not_verified_and_an_unknown_keyspace_is_refused(self):
        nodes = self.start_cluster(size=2)
        status, found, _ = verify(nodes, "nonesuch")
        self.assertEqual(status, 2)
        self.assertIn("no keyspace 'nonesuch'", found[nodes.node(1).address]["problem"])
        self.assertEqual(self.code_of(nodes, "nonesuch"), "InvalidArgument")
        nodes.node(2).kill()
        nodes.wait_seen({nodes.node(2): "DN"}, 30)
        status, found, _ = verify(nodes)
        self.assertEqual(status, 2)
        self.assertTrue(found[nodes.node(1).address]["sound"])
        self.assertIn("down", found[nodes.node(2).address]["problem"])
        self.assertEqual(self.code_of(nodes), "Unavailable")


if __name__ == "__main__":
    unittest.main()
