"""Goal:   a keyspace that is everywhere does what its users are told: any node takes a write, all
        have it within a second, levels other than ONE are refused, and who was away catches up.
Method: `starling` and redis commands against three real nodes, each asked alone.
"""

import json
import socket
import time
import unittest

import case
import cluster

KEYSPACE = ("--keyspace", "settings")
SECONDS_MAX = 1.0


def value_at(node, key):
    run = node.alone(*KEYSPACE, "get", key, check=False)
    if run.returncode == 1:
        return None
    if run.returncode != 0:
        raise cluster.ToolFailed(["get", key], run)
    return run.stdout


def resp(node, *words):
    """One command, and all that came within a moment of its first bytes."""
    with socket.create_connection((node.address, cluster.RESP_PORT), timeout=10) as connection:
        request = f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
        connection.sendall(request.encode())
        return connection.recv(65536)


class Everywhere(case.ClusterCase):
    def start(self, **settings):
        nodes = self.start_cluster(**settings)
        nodes.starling("keyspace", "create", "settings", "--replication", "everywhere")
        return nodes

    def wait_at_all(self, nodes, key, value, seconds=20):
        return cluster.wait_for(
            lambda: all(value_at(node, key) == value for node in nodes.nodes if node.running),
            seconds, f"{key} to be {value} at each node")

    def test_a_write_is_at_each_node_within_a_second(self):
        nodes = self.start(repair_enabled=False)
        took = []
        for number, node in enumerate(nodes.nodes * 3):
            node.alone(*KEYSPACE, "put", f"key{number}", f"value {number}")
            took.append(self.wait_at_all(nodes, f"key{number}", f"value {number}".encode()))
        print(f"at each of three nodes after {sorted(took)[len(took) // 2] * 1000:.0f} ms (median)")
        self.assertLess(sorted(took)[len(took) // 2], SECONDS_MAX)
        large = "v" * 100_000  # Pulled by a stream.
        nodes.node(2).alone(*KEYSPACE, "put", "large", large)
        self.wait_at_all(nodes, "large", large.encode())
        nodes.node(3).alone(*KEYSPACE, "delete", "key1")
        self.wait_at_all(nodes, "key1", None)
        nodes.node(1).alone(*KEYSPACE, "put", "brief", "x", "--ttl", "1s")
        self.wait_at_all(nodes, "brief", None)
        why = nodes.node(1).nodetool("why", "settings", "key2")["replicas"]
        self.assertEqual(len(why), 3)
        self.assertEqual({row["origin"] for row in why}, {"direct", "rumor"})

    def test_levels_other_than_one_are_refused(self):
        nodes = self.start()
        for command in (("put", "key", "value"), ("get", "key"), ("export",)):
            refused = nodes.starling(*KEYSPACE, "--consistency", "QUORUM", *command, check=False)
            self.assert_refused(refused, "settings", "everywhere", "only ONE")
        nodes.starling(*KEYSPACE, "put", "key", "value")

    def test_it_is_described_and_its_endpoints_are_all_nodes(self):
        nodes = self.start()
        text = nodes.starling("keyspace", "describe", "settings").stdout.decode()
        self.assertIn("everywhere", text)
        self.assertIn("3 replicas, one on every node", text)
        described = json.loads(nodes.starling("--json", "keyspace", "describe", "settings").stdout)
        self.assertEqual(described["effective_replicas"], 3)
        self.assertEqual(described["requested_replicas"], 3)
        endpoints = nodes.node(1).nodetool("getendpoints", "settings", "key")["endpoints"]
        self.assertEqual(len(endpoints), 3)
        same = nodes.starling("keyspace", "create", "settings", "--replication", "everywhere")
        self.assertIn("exists already", same.stdout.decode())
        other = nodes.starling("keyspace", "create", "settings", "--replication", "simple:3",
                               check=False)
        self.assert_refused(other, "everywhere", "simple:3")

    def test_a_burst_is_acknowledged_and_repair_brings_what_rumors_do_not(self):
        nodes = self.start(repair_interval="1s")
        expected = case.rows(20_000)
        nodes.node(1).alone(*KEYSPACE, "import", "-", "--format", "jsonl",
                            stdin=case.to_jsonl(expected), seconds=120)

        def rows_at(node):
            run = node.alone(*KEYSPACE, "export", "--format", "jsonl", seconds=120)
            return case.from_jsonl(run.stdout)

        for node in nodes.nodes:
            cluster.wait_for(lambda node=node: rows_at(node) == expected, 60,
                             f"node {node.number} to have all rows")

    def test_who_was_away_catches_up_and_redis_clients_are_served(self):
        nodes = self.start(resp_keyspace="settings")
        away = nodes.node(3)
        away.kill()
        nodes.wait_seen({away: "DN"}, 30, by=nodes.nodes[:2])
        self.assertEqual(resp(nodes.node(1), "SET", "key", "value"), b"+OK\r\n")
        self.assertEqual(resp(nodes.node(1), "GET", "key"), b"$5\r\nvalue\r\n")
        away.start()
        nodes.wait_whole(60)
        began = time.monotonic()
        cluster.wait_for(lambda: resp(away, "GET", "key") == b"$5\r\nvalue\r\n", 30,
                         "the node that was away to have the write")
        print(f"it had the write {time.monotonic() - began:.1f} s after it was seen as up")


if __name__ == "__main__":
    unittest.main()
