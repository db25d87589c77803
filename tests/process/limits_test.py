"""Goal:   what is over limits.connections is refused and told why; who is in stays in; and open
        files that don't suffice for them are used to the last, and warned of.
Method: a node that takes five clients, and connections of both protocols; nodes whose process may
        have few files.
"""

import contextlib
import resource
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
        with contextlib.ExitStack() as held:
            for _ in range(LIMIT):
                held.enter_context(self.served_client(node))
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

    def served_client(self, node):
        """A connection that is in. Tools that asked before may not be counted out yet."""
        conns = []

        def served():
            conn = socket.create_connection((node.address, cluster.RESP_PORT), timeout=10)
            with contextlib.suppress(ConnectionError):
                conn.sendall(b"PING\r\n")
                if conn.recv(100) == b"+PONG\r\n":
                    conns.append(conn)
                    return True
            conn.close()
            return False

        cluster.wait_for(served, 10, "room for a client within the limit")
        return conns[0]

    def refusal_of(self, node, port):
        """What the node says to a connection on which nothing is sent, before it closes it."""
        answer = b""
        with socket.create_connection((node.address, port), timeout=10) as conn:
            while part := conn.recv(4096):
                answer += part
        self.assertIn(b"limits.connections", answer)
        return answer


class OpenFiles(case.ClusterCase):
    def test_the_soft_limit_is_raised_and_one_that_does_not_suffice_is_warned_of(self):
        for connections, warned in ((3000, False), (3500, True)):
            with self.subTest(connections=connections):
                nodes = self.make_cluster(1, limits_connections=connections)
                node = nodes.node(1)
                node.runner = ("prlimit", "--nofile=512:4096")
                nodes.start()
                self.assertEqual(resource.prlimit(node.process.pid, resource.RLIMIT_NOFILE),
                                 (4096, 4096))
                said = f"limits.connections is {connections}, but this process may have 4096 open"
                self.assertEqual(said in node.log_text(), warned)


if __name__ == "__main__":
    unittest.main()
