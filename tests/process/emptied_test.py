"""Goal:   a node that has nothing takes all that the others have as tables of its own, and is right
        afterwards, though it is killed in the midst of that and clients write meanwhile.
Method: two nodes of three are filled while they are down; the third, which is empty, pulls, and is
        killed by SIGKILL whenever it has taken some more; at the end it must have every row, and
        trees that are those of its entries.
"""

import unittest

import case
import cluster

KEYS = 120_000
KILLS = 4
TAKEN_BETWEEN = 15_000  # Entries, from one kill to the next.


class EmptiedNode(case.ClusterCase):
    def pulled(self, node):
        return node.repair_counters()["repair.entries_in_tables"]

    def test_killed_while_it_takes_all_it_has_it_and_its_trees_are_right(self):
        nodes = self.start_cluster(repair_run="2MiB", hints_enabled=False, repair_interval="1s")
        for node in nodes.nodes[:2]:
            node.stop(60)
        for node in nodes.nodes[:2]:
            cluster.run_tool("fill_node", "--dir", node.data, "--keys", str(KEYS),
                             "--value-bytes", "100", seconds=300)
        for node in nodes.nodes[:2]:
            node.start()
        nodes.wait_whole(60)
        empty = nodes.node(3)
        for _ in range(KILLS):
            cluster.wait_for(lambda: self.pulled(empty) >= TAKEN_BETWEEN, 60,
                             "some entries to become tables")
            empty.kill()
            empty.start()
            nodes.wait_whole(60)
        rows = case.rows(500, prefix="beside")
        nodes.starling("import", "-", "--format", "jsonl", stdin=case.to_jsonl(rows))
        since = cluster.wall_ms()
        nodes.wait_equal(since, 120)
        said = empty.nodetool("verify", "--deep", seconds=300)
        self.assertTrue(said["sound"], said)
        for row in said["nodes"]:
            self.assertEqual(row["keyspaces"][0]["entries"], KEYS + len(rows), row)


if __name__ == "__main__":
    unittest.main()
