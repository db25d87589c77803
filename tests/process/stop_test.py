"""Goal:   a node that is told to stop answers what it was asked before, says goodbye, and ends
        with status 0; a second signal ends it at once.
Method: SIGTERM, SIGINT and SIGHUP while a write at ALL waits for a paused node; the others watch.
"""

import signal
import subprocess
import unittest

import case
import cluster

# Nobody is to be suspected while a node is paused.
PATIENT = {"gossip.probe_interval": "20s", "gossip.suspicion_timeout": "20s",
           "timeouts.write": "10s"}  # Until somebody has seen that the put is under way.


class Stopped(case.ClusterCase):
    def waiting_put(self, through):
        """A put at ALL, whose coordinator waits for somebody."""
        put = subprocess.Popen(
            [cluster.program("starling"), "--no-routing", "--hosts", through.client,
             "--consistency", "ALL", "put", "under way", "x"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(put.communicate)
        self.addCleanup(put.kill)

        def begun():
            if put.poll() is not None:
                raise cluster.Failure(f"the put did not wait: {put.communicate()}")
            return through.nodetool("info")["in_flight"] == 1

        cluster.wait_for(begun, 5, "the put to begin")
        return put

    def paused_cluster(self):
        """Three nodes, the third of them paused, which nobody has noticed."""
        nodes = self.make_cluster(3)
        nodes.settings.update(PATIENT)
        nodes.start()
        nodes.node(3).pause()
        return nodes

    def test_what_is_under_way_is_answered_first(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            nodes = self.paused_cluster()
            one, two, three = nodes.nodes
            put = self.waiting_put(one)
            one.process.send_signal(number)
            cluster.wait_for(lambda: "goodbye" in one.log_text(), 5, "the node to stop")
            self.assertTrue(one.running)
            three.go_on()
            output, errors = put.communicate(timeout=10)
            self.assertEqual(put.returncode, 0, errors)
            self.assertIn(b"stored", output)
            self.assertEqual(one.process.wait(10), 0, one.log_text())
            nodes.wait_seen({one: "DN"}, 10, by=[two, three])
            self.assertEqual(two.alone("get", "under way").stdout, b"x")
            nodes.close()

    def test_a_second_signal_ends_it_at_once(self):
        one = self.paused_cluster().node(1)
        self.waiting_put(one)
        one.process.send_signal(signal.SIGTERM)
        cluster.wait_for(lambda: "goodbye" in one.log_text(), 5, "the node to stop")
        one.process.send_signal(signal.SIGTERM)
        self.assertEqual(one.process.wait(10), 2)
        self.assertIn("stopped at the second request", one.log_text())

    def test_nobody_waits_for_ever(self):
        one = self.paused_cluster().node(1)
        self.waiting_put(one)
        self.assertEqual(one.stop(seconds=10), 0)  # Node 3 never answers.


if __name__ == "__main__":
    unittest.main()
