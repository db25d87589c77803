"""Goal:   writes that one replica alone has when their coordinator is killed reach the other live
        replica in less than 3 s, with repair switched off; an idle node is told what is handled.
Method: three new nodes without links for data. The third is stopped, so that the coordinator's
        hello to it stays unanswered and the writes wait in the coordinator; the second has them;
        the coordinator is killed (-9), the third goes on, and is asked alone.
"""

import time
import unittest

import case
import cluster

ROWS = 50
SECONDS_MAX = 3


class Orphans(case.ClusterCase):
    def test_an_orphaned_write_reaches_the_live_replicas(self):
        nodes = self.start_cluster(repair_enabled=False)
        coordinator, holder, last = nodes.nodes
        expected = case.rows(ROWS)
        last.pause()
        try:
            coordinator.alone("--consistency", "ONE", "import", "-", "--format", "jsonl",
                              stdin=case.to_jsonl(expected))
            cluster.wait_for(lambda: case.export_alone(holder) == expected, 10,
                             "the second node to have the writes")
            coordinator.kill()
        finally:
            last.go_on()
        killed = time.monotonic()
        cluster.wait_for(lambda: case.export_alone(last) == expected, 30,
                         "the third node to have the writes")
        took = time.monotonic() - killed
        print(f"{ROWS} orphaned writes reached the third node {took:.2f} s after the kill")
        self.assertLess(took, SECONDS_MAX)
        counters = holder.nodetool("netstats")["orphans"]
        self.assertEqual(counters["taken_over"], ROWS)
        self.assertEqual(counters["forgotten"], 0)
        time_left = cluster.wall_ms() + 2000
        cluster.wait_for(lambda: cluster.wall_ms() > time_left, 5, "two seconds to pass")
        self.assertEqual(holder.nodetool("netstats")["orphans"]["sent"], counters["sent"])

    def test_an_idle_node_forgets_what_is_handled(self):
        nodes = self.start_cluster(repair_enabled=False)
        case.load(nodes, case.rows(2000))
        cluster.wait_for(
            lambda: all(node.nodetool("netstats")["orphans"]["remembered_bytes"] == 0
                        for node in nodes.nodes), 15, "all to be handled")


if __name__ == "__main__":
    unittest.main()
