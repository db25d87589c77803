"""Goal:   repair sends exactly what a node missed, nothing when repeated, and reads no data to find
        replicas equal; asked of all nodes at once, under writes, it ends on each. What is being
        pulled repairstatus shows, and how long that takes.
Method: tests/process/repair_exact.py with 20,000 keys, on nodes with hints off; `nodetool repair`
        of three nodes side by side while starling-stress writes few keys over and over.
"""

import concurrent.futures
import json
import re
import subprocess
import unittest

import case
import cluster
import repair_exact

ROWS = 20_000


class Repair(case.ClusterCase):
    def test_it_moves_what_differs_and_reads_nothing_when_nothing_does(self):
        nodes = self.start_cluster(hints_enabled=False, repair_interval="2s")
        repair_exact.load_in_parts(nodes, ROWS)
        repair_exact.sends_only_what_differs(nodes)
        repair_exact.reads_nothing_when_equal(nodes)

    def test_an_operator_sees_how_long_what_runs_will_take(self):
        nodes = self.start_cluster(hints_enabled=False, repair_interval="1s", repair_rate="4MiB")
        asked, behind = nodes.node(1), nodes.node(3)
        self.assertIsNone(asked.nodetool("repairstatus")["repair"])
        behind.kill()
        nodes.wait_seen({behind: "DN"}, 30, by=[asked])
        case.load(asked.cluster, case.rows(4000, value_bytes=4000))
        behind.start()

        def told():
            repair = behind.nodetool("repairstatus")["repair"]
            return repair is not None and repair["left_ms"]

        def shown():
            run = cluster.run_tool("nodetool", "-h", behind.address, "repairstatus")
            return re.search(r"\npulling: \d+ of \d+ slices done, about [\d.]+ \w+ left\n",
                             run.stdout.decode())

        cluster.wait_for(told, 60, "an estimate")
        cluster.wait_for(shown, 60, "a line of it")
        cluster.wait_for(lambda: behind.nodetool("repairstatus")["repair"] is None, 60, "its end")

    def test_it_ends_on_every_node_when_all_are_asked_at_once_under_writes(self):
        nodes = self.start_cluster()
        load = subprocess.Popen(
            [cluster.program("starling-stress"), "run", "--hosts", nodes.hosts,
             "--workload", "write", "--records", "5000", "--connections", "12",
             "--in-flight", "8", "--duration", "60s", "--warmup", "0s"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with concurrent.futures.ThreadPoolExecutor() as pool:
                answers = list(pool.map(
                    lambda node: node.nodetool("repair", seconds=50), nodes.nodes))
            self.assertIsNone(load.poll())
        finally:
            load.terminate()
            load.wait(20)
        for answer in answers:
            self.assertEqual(answer["compared"], 2)
        for node in nodes.nodes:
            self.assertTrue(node.nodetool("repair", seconds=50)["equal"])


if __name__ == "__main__":
    unittest.main()
