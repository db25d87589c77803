"""Goal:   what would cost a node something can be asked for first: how much that is, and nothing
        of it is done.
Method: three nodes without hints and repair, of which one missed rows; the node's counters and
        files before and after a dry run, and what the real thing then does.
"""

import json
import os
import unittest

import case
import cluster
import damages

ROWS = 2000
MISSED = 100


class DryRun(case.ClusterCase):
    def nodes_of_which_one_lacks(self):
        nodes = self.start_cluster(hints_enabled=False, repair_enabled=False)
        case.load(nodes, case.rows(ROWS), "--consistency", "ALL")
        self.assertEqual(nodes.node(3).stop(), 0)
        nodes.wait_seen({nodes.node(3): "DN"}, 30)
        case.load(nodes, case.rows(MISSED, prefix="missed"))
        nodes.node(3).start()
        nodes.wait_whole(60)
        return nodes

    def test_a_repair_tells_which_ranges_differ_and_moves_and_reads_nothing(self):
        nodes = self.nodes_of_which_one_lacks()
        here, whole, behind = nodes.nodes
        moved = ("repair.entries_sent", "repair.entries_received", "repair.data_bytes_read",
                 "repair.slices_to_pull", "engine.iter_bytes_read", "repair.descents")

        def counters():
            return [[node.repair_counters()[name] for name in moved] for node in nodes.nodes]

        before = counters()
        for asked, others in ((behind, {here, whole}), (here, {behind})):
            told = asked.nodetool("repair", "--dry-run")
            self.assertTrue(told["dry_run"])
            self.assertEqual((told["compared"], told["peers"], told["equal"]), (2, 2, False))
            rows = told["differing"]
            self.assertEqual({row["peer"] for row in rows}, {other.address for other in others})
            for row in rows:
                self.assertEqual(row["keyspace"], "default")
                self.assertRegex(row["range"], "^[0-9a-f]{4}-[0-9a-f]{4}$")
            for other in others:
                differ = [row["buckets_differ"] for row in rows if row["peer"] == other.address]
                self.assertTrue(MISSED * 0.9 <= sum(differ) <= MISSED, sum(differ))
        self.assertGreaterEqual(sum(row["entries_here"] for row in rows), MISSED)
        self.assertEqual(counters(), before)
        text = cluster.run_tool("nodetool", "-h", here.address, "repair", "--dry-run")
        self.assertIn("nothing was moved", text.stdout.decode())

        healed = behind.nodetool("repair")
        self.assertTrue(healed["equal"])
        self.assertEqual(healed["entries_received"], MISSED)
        told = behind.nodetool("repair", "--dry-run", "default")
        self.assertEqual((told["equal"], told["differing"]), (True, []))

    def test_of_a_peer_that_is_down_a_dry_run_says_so(self):
        nodes = self.nodes_of_which_one_lacks()
        nodes.node(2).kill()
        nodes.wait_seen({nodes.node(2): "DN"}, 30)
        run = cluster.run_tool("nodetool", "-h", nodes.node(1).address, "--json", "repair",
                               "--dry-run", check=False)
        self.assertEqual(run.returncode, 2)
        told = json.loads(run.stdout)
        self.assertEqual({row["peer"] for row in told["differing"]}, {nodes.node(3).address})
        self.assertIn("compared with 1 of 2 peers", json.loads(run.stderr)["error"]["message"])

    def test_flush_and_compact_tell_what_they_would_write_and_write_nothing(self):
        nodes = self.start_cluster(size=1)
        node = nodes.node(1)
        node.nodetool("flush")

        def family(told, name="data"):
            return next(each for each in told["families"] if each["family"] == name)

        rested = node.nodetool("flush", "--dry-run")
        self.assertEqual(family(rested)["changes"], 0)
        case.load(nodes, case.rows(ROWS, value_bytes=1000))
        tables = damages.files(node.data, ".sst")
        told = node.nodetool("flush", "--dry-run")
        self.assertTrue(told["dry_run"])
        self.assertEqual(family(told)["changes"], ROWS)
        self.assertGreater(family(told)["in_memory_bytes"], ROWS * 1000)
        self.assertEqual(told["in_memory_bytes"],
                         sum(each["in_memory_bytes"] for each in told["families"]))
        self.assertEqual(damages.files(node.data, ".sst"), tables)
        self.assertEqual(node.nodetool("flush"), {"done": True})
        self.assertEqual(family(node.nodetool("flush", "--dry-run"))["changes"], 0)

        case.load(nodes, case.rows(ROWS, value_bytes=1000, generation=1))
        node.nodetool("flush")
        tables = damages.files(node.data, ".sst")
        told = node.nodetool("compact", "--dry-run")
        self.assertEqual(told["tables"], len(tables))
        self.assertEqual(told["on_disk_bytes"], sum(os.path.getsize(path) for path in tables))
        self.assertGreater(told["disk_free_bytes"], 0)
        self.assertGreaterEqual(family(told)["tables"], 2)
        self.assertEqual(damages.files(node.data, ".sst"), tables)
        text = cluster.run_tool("nodetool", "-h", node.address, "compact", "--dry-run")
        self.assertIn("On disk", text.stdout.decode())
        self.assertNotIn("done", text.stdout.decode())
        node.nodetool("compact")
        self.assertLess(family(node.nodetool("compact", "--dry-run"))["on_disk_bytes"],
                        family(told)["on_disk_bytes"])

    def test_drain_tells_whom_it_would_leave_without_enough_replicas_and_drains_nothing(self):
        nodes = self.start_cluster()
        one, two, three = nodes.nodes

        def told():
            answer = one.nodetool("drain", "--dry-run")
            self.assertTrue(answer["dry_run"])
            (keyspace,) = answer["keyspaces"]
            self.assertGreater(keyspace["ranges"], 0)
            return (answer["down"], keyspace["without_quorum"] == keyspace["ranges"],
                    keyspace["without_quorum"], keyspace["without_replica"] == keyspace["ranges"])

        self.assertEqual(told(), ([], False, 0, False))
        two.kill()
        cluster.wait_for(lambda: told()[0] == [two.address], 30, "node 2 to be seen as down")
        self.assertEqual(told()[1:2] + told()[3:], (True, False))
        text = cluster.run_tool("nodetool", "-h", one.address, "drain", "--dry-run").stdout.decode()
        self.assertIn("Without quorum", text)
        self.assertNotIn("done", text)
        case.load(nodes, case.rows(10))
        three.kill()
        cluster.wait_for(lambda: len(told()[0]) == 2, 30, "node 3 to be seen as down")
        self.assertEqual(told()[1:2] + told()[3:], (True, True))


if __name__ == "__main__":
    unittest.main()
