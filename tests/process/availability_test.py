"""Goal:   a level that can be met is served while nodes are down; one that
         can't is refused, and why.
Method: kill one node, then two of three, and try every level for writes and reads.
"""

import unittest

import case

LEVELS = ("ONE", "TWO", "QUORUM", "LOCAL_QUORUM", "ALL")


class NodesDown(case.ClusterCase):
    def check_levels(self, up, served):
        for level in LEVELS:
            put = up.alone("--consistency", level, "put", f"put at {level}", level, check=False)
            get = up.alone("--consistency", level, "get", "before", check=False)
            if level in served:
                self.assertEqual(put.returncode, 0, f"{level}: {put.stderr}")
                self.assertEqual((get.returncode, get.stdout), (0, b"x"), f"{level}: {get.stderr}")
            else:
                self.assert_refused(put, level)
                self.assert_refused(get, level)

    def test_each_level_is_served_as_long_as_its_replicas_are_up(self):
        nodes = self.start_cluster()
        one, two, three = nodes.nodes
        nodes.starling("--consistency", "ALL", "put", "before", "x")

        three.kill()
        nodes.wait_seen({three: "DN"}, 30)
        self.check_levels(one, served=("ONE", "TWO", "QUORUM", "LOCAL_QUORUM"))

        two.kill()
        nodes.wait_seen({two: "DN", three: "DN"}, 30)
        self.check_levels(one, served=("ONE",))

        two.start()
        three.start()
        nodes.wait_whole()
        self.check_levels(three, served=LEVELS)

    def test_the_client_goes_to_the_nodes_that_are_left(self):
        nodes = self.start_cluster()
        nodes.starling("put", "key", "x")
        nodes.node(1).kill()
        # At once: nobody has been told, and the first host of the list refuses.
        self.assertEqual(nodes.starling("get", "key").stdout, b"x")
        nodes.wait_seen({nodes.node(1): "DN"}, 30)
        nodes.starling("put", "key", "y")
        self.assertEqual(nodes.starling("get", "key").stdout, b"y")

    def test_a_paused_node_is_no_reason_to_fail(self):
        nodes = self.start_cluster()
        nodes.starling("put", "key", "x")
        nodes.node(3).pause()
        for node in nodes.nodes[:2]:
            node.alone("put", "key", "y")
            self.assertEqual(node.alone("get", "key").stdout, b"y")
        nodes.node(3).go_on()
        nodes.wait_whole()
        self.assertEqual(nodes.node(3).alone("get", "key").stdout, b"y")


if __name__ == "__main__":
    unittest.main()
