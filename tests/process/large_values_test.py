"""Goal:   values of the largest size come back by repair, each once and whole, and nothing is held
        for their pieces in the end.
Method: writes while a node is away, hints off; it comes back, and is read alone.
"""

import random
import unittest

import case
import cluster

LARGEST = 16 << 20


def values():
    """Of the largest size, of a few pieces, and small ones."""
    source = random.Random(1)
    sizes = {"largest": (2, LARGEST), "medium": (5, 300_000), "small": (100, 100)}
    return {f"{name}{number}": source.randbytes(bytes_ // 2).hex()
            for name, (count, bytes_) in sizes.items() for number in range(count)}


class LargeValues(case.ClusterCase):
    def test_they_come_back_by_repair(self):
        nodes = self.start_cluster(hints_enabled=False, repair_interval="1s", timeouts_write="50s",
                                   timeouts_read="50s")
        away = nodes.node(3)
        rest = nodes.nodes[:2]
        expected = self.write_without(nodes, away)
        before = [node.repair_counters() for node in rest]
        started_ms = cluster.wall_ms()
        away.start()
        nodes.wait_whole(60)
        nodes.wait_equal(started_ms, 120)
        self.assertEqual(away.repair_counters()["repair.entries_received"], len(expected))
        sent = sum(node.repair_counters()["repair.entries_sent"] for node in rest)
        self.assertEqual(sent - sum(each["repair.entries_sent"] for each in before), len(expected))
        self.check_alone(nodes, away, expected)

        for node in nodes.nodes:
            cluster.wait_for(lambda at=node: at.repair_counters()["repair.piece_bytes"] == 0, 30,
                             "nothing to be held for pieces")

    def write_without(self, nodes, away):
        away.kill()
        nodes.wait_seen({away: "DN"}, 60, by=nodes.nodes[:2])
        expected = values()
        case.load(nodes, expected)
        return expected


if __name__ == "__main__":
    unittest.main()
