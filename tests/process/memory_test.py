"""Goal:   clients that ask for more than there is memory for do not end a node, nor starve others.
Method: values of 1 MB are read 2000 at a time from nodes with a small limits.memory, while another
        client reads a small value.
"""

import contextlib
import socket
import subprocess
import threading
import time
import unittest

import case
import cluster

LIMIT = 64 << 20
# What is encoded to be sent is there a second time, and so is what is read off a socket.
BOUND = 3 * LIMIT + (200 << 20)
SECONDS = 6


class ReadsOfLargeValues(case.ClusterCase):
    def test_hold_no_more_than_they_may(self):
        nodes = self.start_cluster(3, limits_memory=f"{LIMIT >> 20}MiB")
        shape = ["--hosts", nodes.hosts, "--records", "60", "--value-size", "1000000"]
        cluster.run_tool("starling-stress", "load", *shape, "--connections", "2",
                         "--in-flight", "2")
        nodes.starling("put", "small", "value")
        reader = subprocess.Popen(
            [cluster.program("starling-stress"), "run", *shape, "--workload", "read",
             "--connections", "4", "--in-flight", "500", "--duration", f"{SECONDS}s",
             "--warmup", "0s"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        most = [0, 0, 0]
        done = threading.Event()

        def watch():
            while not done.wait(0.05):
                for index, node in enumerate(nodes.nodes):
                    if node.running:
                        most[index] = max(most[index], node.memory_bytes())

        watcher = threading.Thread(target=watch)
        watcher.start()
        answered = 0
        try:
            ends = time.monotonic() + SECONDS
            while time.monotonic() < ends:
                self.assertEqual(nodes.starling("get", "small").stdout, b"value")
                answered += 1
        finally:
            done.set()
            watcher.join()
            reader.kill()
            reader.wait()
        self.assertTrue(all(node.running for node in nodes.nodes))
        self.assertGreater(answered, 0)
        for used in most:
            self.assertLess(used, BOUND)
        overloaded = sum(node.nodetool("info")["overloaded"] for node in nodes.nodes)
        self.assertGreater(overloaded, 0)


class RequestsThatCameInPart(case.ClusterCase):
    CONNECTIONS = 25
    BYTES = 15_000_000

    def test_hold_no_more_than_they_may(self):
        nodes = self.start_cluster(1, limits_memory=f"{LIMIT >> 20}MiB")
        node = nodes.node(1)
        before = node.memory_bytes()
        part = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n" % (self.BYTES + 1)
        with contextlib.ExitStack() as held:
            for _ in range(self.CONNECTIONS):
                conn = held.enter_context(
                    socket.create_connection((node.address, cluster.RESP_PORT), timeout=20))
                with contextlib.suppress(ConnectionError):
                    conn.sendall(part + b"x" * self.BYTES)
            self.assertLess(node.memory_bytes() - before, BOUND)
            self.assertEqual(node.alone("put", "small", "x").returncode, 0)
            refused = node.nodetool("info")["overloaded"]
        self.assertGreaterEqual(refused, self.CONNECTIONS - 2 * LIMIT // self.BYTES)


class LargestValue(case.ClusterCase):
    def test_is_taken_by_a_node_whose_limit_it_fills(self):
        nodes = self.start_cluster(1, limits_memory="16MiB")
        shape = ["--hosts", nodes.hosts, "--records", "1", "--value-size", str(16 << 20),
                 "--connections", "1", "--in-flight", "1"]
        cluster.run_tool("starling-stress", "load", *shape)
        read = cluster.run_tool("starling-stress", "run", *shape, "--workload", "read",
                                "--operations", "3", "--warmup", "0s")
        self.assertIn(b" 0 errors", read.stdout.splitlines()[1])


if __name__ == "__main__":
    unittest.main()
