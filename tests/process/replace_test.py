"""Goal:   a node that lost its disk is not taken for what it was; with node.replace it comes back
        by repair alone with every key.
Method: delete the data directory of a killed node; start it without and with node.replace, hints
        off; then read it alone, the two others stopped.
"""

import unittest

import case
import cluster

ROWS = 20_000


class LostDisk(case.ClusterCase):
    def test_a_replaced_node_comes_back_with_every_key(self):
        nodes = self.start_cluster(hints_enabled=False)
        expected = case.rows(ROWS)
        case.load(nodes, expected)
        lost = nodes.node(3)
        rest = nodes.nodes[:2]
        host_id = self.host_id(nodes, lost)
        lost.kill()
        lost.wipe()
        nodes.wait_seen({lost: "DN"}, 30, by=rest)

        refused = lost.run_to_end()
        self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertIn("node.replace", refused.stderr)
        nodes.wait_seen({lost: "DN"}, 30, by=rest)
        lost.wipe()

        case.load(nodes, case.rows(1000, prefix="meanwhile"))
        expected.update(case.rows(1000, prefix="meanwhile"))
        started_ms = cluster.wall_ms()
        lost.start({"node.replace": lost.address})
        nodes.wait_whole(60)
        nodes.wait_equal(started_ms, 60)
        self.assertNotEqual(self.host_id(nodes, lost), host_id)
        self.assertEqual(len(nodes.node(1).sees()), 3)

        for node in rest:
            node.pause()
        self.assertEqual(case.difference(case.export_alone(lost), expected), "")
        for node in rest:
            node.go_on()

        # It is a member like any other now: its next start needs no word about it.
        self.assertEqual(lost.stop(), 0)
        lost.start()
        nodes.wait_whole(60)

    def host_id(self, nodes, of):
        status = nodes.node(1).nodetool("status")["nodes"]
        return next(node["host_id"] for node in status
                    if node["address"].split(":")[0] == of.address)


if __name__ == "__main__":
    unittest.main()
