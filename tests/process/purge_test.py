"""Goal:   what was deleted leaves the disks of real nodes once all three hold the same; a node that
        is down keeps it there, and whoever asks is told so; nothing deleted is seen again.
Method: thousands of keys put and deleted; purgestatus, status and tablestats of each node.
"""

import os
import socket
import unittest

import case
import cluster

KEYS = int(os.environ.get("STARLING_PURGE_KEYS", "10000"))
FAST = {"purge_enabled": True, "purge_interval": "500ms", "purge_horizon": "3s",
        "repair_interval": "1s"}


def standing(node):
    """The default keyspace's line of purgestatus."""
    return next(one for one in node.nodetool("purgestatus")["keyspaces"]
                if one["keyspace"] == "default")


def delete(nodes, keys):
    """Through the first node's RESP port, some at a time; fails unless each is acknowledged."""
    keys = list(keys)
    with socket.create_connection((nodes.node(1).address, cluster.RESP_PORT), 60) as link:
        answers = link.makefile("rb")
        for start in range(0, len(keys), 500):
            some = keys[start:start + 500]
            link.sendall("".join(f"*2\r\n$3\r\nDEL\r\n${len(key)}\r\n{key}\r\n"
                                 for key in some).encode())
            for key in some:
                answer = answers.readline()
                if answer != b":1\r\n":
                    raise cluster.Failure(f"DEL {key}: {answer}")


class Purge(case.ClusterCase):
    def test_deleted_keys_leave_the_disk_and_stay_away(self):
        nodes = self.start_cluster(**FAST)
        data = case.rows(KEYS, value_bytes=500)
        case.load(nodes, data)
        delete(nodes, data)
        for node in nodes.nodes:
            self.assertIn("tombstones", standing(node))
        cluster.wait_until_empty(
            lambda: {node.number: held["tombstones"] for node in nodes.nodes
                     if (held := standing(node))["tombstones"] > 0},
            90, "tombstones to go")
        for node in nodes.nodes:
            self.assertEqual(standing(node)["bytes"], 0)
            self.assertEqual(case.export_alone(node), {})
            node.nodetool("flush")
            node.nodetool("compact")
        for node in nodes.nodes:
            space = next(one for one in node.nodetool("tablestats")["keyspaces"]
                         if one["name"] == "default")
            self.assertEqual(space["keys_estimate"], 0)
            self.assertLess(space["bytes"], KEYS * 10)
        self.assertGreaterEqual(nodes.node(1).nodetool("purgestatus")["entries_purged"], KEYS)

    def test_a_node_that_is_down_keeps_what_was_deleted_and_all_say_so(self):
        nodes = self.start_cluster(**FAST)
        data = case.rows(200)
        case.load(nodes, data, "--consistency", "ALL")
        down, up = nodes.node(3), nodes.nodes[:2]
        down.kill()
        nodes.wait_seen({down: "DN"}, 30)
        delete(nodes, data)
        cluster.wait_for(
            lambda: all(any(down.address in why for why in standing(node)["blocked_by"])
                        for node in up), 20, "purgestatus to name who is down")
        for node in up:
            self.assertEqual(standing(node)["tombstones"], len(data))
            for command in ("status", "repairstatus"):
                warnings = node.nodetool(command)["warnings"]
                self.assertTrue(any(down.address in each and "purged" in each
                                    for each in warnings), warnings)
        down.start()
        nodes.wait_whole(60)
        cluster.wait_until_empty(
            lambda: {node.number: standing(node) for node in nodes.nodes
                     if standing(node)["tombstones"] > 0}, 90, "tombstones to go")
        for node in nodes.nodes:
            self.assertEqual(node.nodetool("status")["warnings"], [])
            self.assertEqual(case.export_alone(node), {})

    def test_a_horizon_that_is_too_short_is_refused(self):
        nodes = self.make_cluster(size=1)
        run = nodes.node(1).run_to_end({"purge.horizon": "2s"})
        self.assertEqual(run.returncode, 2)
        self.assertIn("purge.horizon", run.stderr)


if __name__ == "__main__":
    unittest.main()
