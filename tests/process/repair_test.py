"""Goal:   repair sends exactly what a node missed, nothing when repeated, and reads no data to find
        replicas equal.
Method: tests/process/repair_exact.py with 20,000 keys, on nodes with hints off.
"""

import unittest

import case
import repair_exact

ROWS = 20_000


class Repair(case.ClusterCase):
    def test_it_moves_what_differs_and_reads_nothing_when_nothing_does(self):
        nodes = self.start_cluster(hints_enabled=False, repair_interval="2s")
        repair_exact.load_in_parts(nodes, ROWS)
        repair_exact.sends_only_what_differs(nodes)
        repair_exact.reads_nothing_when_equal(nodes)


if __name__ == "__main__":
    unittest.main()
