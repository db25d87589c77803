"""Goal:   real nodes notice a killed and a stopped one, and a node that was stopped accuses nobody.
Method: seven processes; kill -9, SIGSTOP and SIGCONT, and the logs of all. The limits are several
        times what benchmarks/gossip/kills measures, since other tests run at the same time.
"""

import re
import unittest

import case
import cluster

SIZE = 7
KILLED_S, STOPPED_S, DEAD_S, BACK_S = 6, 10, 20, 20
LINE = re.compile(r" I gossip: (\S+):\d+ (\w+)")


class Kills(case.ClusterCase):
    def wait_said(self, nodes, victim, words, since, seconds):
        """Until each other node's log says one of the words of the victim, behind `since`."""

        def missing():
            return [node.number for node in nodes.nodes if node is not victim and
                    not any(about == victim.address and word in words
                            for about, word in LINE.findall(node.log_text()[since[node]:]))]

        cluster.wait_until_empty(missing, seconds, f"logs to say {words} of {victim.address}")

    def probes(self, node):
        """How many it has begun."""
        return node.nodetool("failuredetector")["probes"]

    def marks(self, nodes):
        return {node: len(node.log_text()) for node in nodes.nodes}

    def test_a_killed_node_and_a_stopped_one_are_known_to_all_and_come_back(self):
        nodes = self.start_cluster(SIZE)
        killed, stopped = nodes.node(3), nodes.node(5)

        since = self.marks(nodes)
        killed.kill()
        self.wait_said(nodes, killed, ("unreachable", "dead"), since, KILLED_S)
        since = self.marks(nodes)
        killed.start()
        nodes.wait_whole(60)

        since = self.marks(nodes)
        stopped.pause()
        self.wait_said(nodes, stopped, ("unreachable", "dead"), since, STOPPED_S)
        self.wait_said(nodes, stopped, ("dead",), since, DEAD_S)
        since = self.marks(nodes)
        stopped.go_on()
        self.wait_said(nodes, stopped, ("alive",), since, BACK_S)
        # By then it would have accused others of its own sleep.
        probes = self.probes(stopped)
        cluster.wait_for(lambda: self.probes(stopped) >= probes + 2 * SIZE, BACK_S,
                         "the node that was stopped to probe the others")
        accusations = [(about, word) for about, word in
                       LINE.findall(stopped.log_text()[since[stopped]:])
                       if word in ("unreachable", "dead")]
        self.assertEqual(accusations, [])
        nodes.wait_whole(30)


if __name__ == "__main__":
    unittest.main()
