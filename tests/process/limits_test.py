"""Goal:   what is over limits.connections is refused and told why; who is in stays in.
Method: a node that takes five clients, and connections of both protocols.
"""

import contextlib
import socket
import unittest

import case
import cluster

LIMIT = 5
KIND_ERROR_AT = slice(2, 4)  # Of a frame: server/wire/frame.h
KIND_ERROR = (3).to_bytes(2, "little")


class Connections(case.ClusterCase):
    def test_the_sixth_client_is_refused_until_another_goes(self):
        nodes = self.start_cluster(1, limits_connections=LIMIT)
        node = nodes.node(1)
        # nodetool, that asked whether the node is up, may not be gone yet.
        cluster.wait_for(lambda: self.open_now(node) == 1, 10, "earlier clients to be gone")

        with contextlib.ExitStack() as held:
            for number in range(LIMIT):
                port = (cluster.RESP_PORT, cluster.CLIENT_PORT)[number % 2]
                held.enter_context(socket.create_connection((node.address, port), timeout=10))
            redis = self.refusal_of(node, cluster.RESP_PORT)
            self.assertTrue(redis.startswith(b"-ERR"), redis)
            native = self.refusal_of(node, cluster.CLIENT_PORT)
            self.assertEqual(native[KIND_ERROR_AT], KIND_ERROR)
            refused = node.alone("put", "key", "x", check=False)
            self.assert_refused(refused, "limits.connections")

        def served():
            return node.alone("put", "key", "x", check=False).returncode == 0

        cluster.wait_for(served, 10, "room after clients went")
        self.assertEqual(node.alone("get", "key").stdout, b"x")

    def open_now(self, node):
        return node.nodetool("info")["connections"]

    def refusal_of(self, node, port):
        """What the node says to a connection on which nothing is sent. The node may take it before
        those at its other port, though they are older: so this asks until it is refused."""
        answers = []

        def refused():
            with socket.create_connection((node.address, port), timeout=1) as conn:
                with contextlib.suppress(socket.timeout):
                    answers.append(conn.recv(4096))
            return bool(answers) and b"limits.connections" in answers[-1]

        cluster.wait_for(refused, 10, "one connection too many to be refused")
        return answers[-1]


if __name__ == "__main__":
    unittest.main()
