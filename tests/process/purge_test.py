"""Goal:   what was deleted leaves the disks of real nodes once all three hold the same; a node that
        is down keeps it there, and whoever asks is told so; one that is away for too long does not,
        and brings nothing back; nothing deleted is seen again.
Method: thousands of keys put and deleted; purgestatus, status, tablestats and /metrics of each
        node, and the quarantine of the one that was away.
"""

import json
import os
import socket
import unittest
import urllib.request

import case
import cluster
import exposition

KEYS = int(os.environ.get("STARLING_PURGE_KEYS", "10000"))
FAST = {"purge_enabled": True, "purge_interval": "500ms", "purge_horizon": "3s",
        "repair_interval": "1s"}


def standing(node):
    """The default keyspace's line of purgestatus."""
    return next(one for one in node.nodetool("purgestatus")["keyspaces"]
                if one["keyspace"] == "default")


def metrics(node):
    """What /metrics says of purge, of the default keyspace: by the end of the name."""
    page = urllib.request.urlopen(f"http://{node.address}:7703/metrics", timeout=10).read().decode()
    prefix = "starling_purge_"
    return {name[len(prefix):]: value
            for (name, labels), value in exposition.parse(page).items()
            if name.startswith(prefix) and labels in ((), (("keyspace", "default"),))}


def rest_of(nodes, node):
    return next(each for each in nodes.nodes if each is not node)


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

    def delete_while_the_third_is_down(self, **settings):
        """A cluster and what all three had before; two of them know that it was deleted."""
        nodes = self.start_cluster(**FAST, **settings)
        data = case.rows(200)
        case.load(nodes, data, "--consistency", "ALL")
        nodes.node(3).kill()
        nodes.wait_seen({nodes.node(3): "DN"}, 30)
        delete(nodes, data)
        return nodes, data

    def test_a_node_that_is_down_keeps_what_was_deleted_and_all_say_so(self):
        nodes, data = self.delete_while_the_third_is_down()
        down, up = nodes.node(3), nodes.nodes[:2]
        cluster.wait_for(
            lambda: all(any(down.address in why for why in standing(node)["blocked_by"])
                        for node in up), 20, "purgestatus to name who is down")
        for node in up:
            self.assertEqual(standing(node)["tombstones"], len(data))
            said = metrics(node)
            self.assertEqual(said["held_tombstones"], len(data))
            self.assertGreater(said["held_tombstone_bytes"], len(data) * 48)
            self.assertGreaterEqual(said["blockers"], 1)
            for command in ("status", "repairstatus"):
                warnings = node.nodetool(command)["warnings"]
                self.assertTrue(any(down.address in each and "purged" in each
                                    for each in warnings), warnings)
        cluster.wait_for(lambda: all(metrics(node)["overdue_seconds"] > 1 for node in up), 20,
                         "metrics to say that something is overdue")
        down.start()
        nodes.wait_whole(60)
        cluster.wait_until_empty(
            lambda: {node.number: standing(node) for node in nodes.nodes
                     if standing(node)["tombstones"] > 0}, 90, "tombstones to go")
        for node in nodes.nodes:
            said = metrics(node)
            self.assertEqual([said[name] for name in ("held_tombstones", "blockers",
                                                      "overdue_seconds")], [0, 0, 0])
        self.assertGreater(metrics(up[0])["removed_total"], 0)
        for node in nodes.nodes:
            self.assertEqual(node.nodetool("status")["warnings"], [])
            self.assertEqual(case.export_alone(node), {})

    def declare(self, node, *arguments):
        return cluster.run_tool("nodetool", "-h", node.address, "--json", "declareabsent",
                                *arguments, check=False)

    def test_an_operator_says_that_a_node_is_absent(self):
        nodes, _ = self.delete_while_the_third_is_down()
        away, rest = nodes.node(3), nodes.nodes[:2]
        up = rest[1]
        self.assert_refused(self.declare(rest[0], up.address, "--confirm"), "is up")
        self.assert_refused(self.declare(rest[0], "127.0.0.99", "--confirm"), "no member")
        cluster.wait_for(lambda: all(self.declare(node, away.address, "--dry-run").returncode == 0
                                     for node in rest), 30, "it to be known as dead")
        self.assert_refused(self.declare(rest[0], away.address), "begin anew", "--confirm")
        self.assertGreater(standing(up)["tombstones"], 0)  # Nothing has been changed by that.
        said = self.declare(up, away.address, "--confirm")
        self.assertEqual(said.returncode, 0, said.stderr)
        epoch = json.loads(said.stdout)["epoch"]
        self.assert_refused(self.declare(up, away.address, "--confirm"), f"absent in epoch {epoch}")
        cluster.wait_until_empty(
            lambda: {node.number: standing(node) for node in rest
                     if standing(node)["tombstones"] > 0}, 90, "tombstones to go without it")
        away.start()
        cluster.wait_for(lambda: "ready: caught up" in away.log_text(), 90, "it to be back")
        nodes.wait_whole(90)
        for node in nodes.nodes:
            self.assertEqual(case.export_alone(node), {})

    def test_a_node_that_was_declared_absent_brings_nothing_back(self):
        nodes, data = self.delete_while_the_third_is_down(purge_max_outage="5s")
        away, rest = nodes.node(3), nodes.nodes[:2]
        cluster.wait_until_empty(
            lambda: {node.number: standing(node) for node in rest
                     if standing(node)["tombstones"] > 0}, 90, "tombstones to go without it")
        for node in rest:
            self.assertEqual(standing(node)["blocked_by"], [])
            warnings = node.nodetool("status")["warnings"]
            self.assertTrue(any(away.address in each and "declared absent" in each
                                for each in warnings), warnings)
        away.start()
        nodes.wait_whole(90)
        cluster.wait_until_empty(lambda: away.nodetool("status")["warnings"], 60,
                                 "it to be named as back")
        nodes.wait_whole(90)
        self.assertIn("ready: caught up", away.log_text())
        for node in nodes.nodes:
            self.assertEqual(case.export_alone(node), {})
        self.check_quarantine(nodes, away, data)
        self.assertEqual(metrics(away)["quarantined_total"], len(data))

    def check_quarantine(self, nodes, node, data):
        """What it alone had is set aside there; some comes back, the rest is dropped."""
        def kept():
            return {entry["key"]: entry for entry in
                    node.nodetool("quarantine", "list")["entries"]}
        self.assertEqual(kept().keys(), data.keys())
        self.assertEqual(rest_of(nodes, node).nodetool("quarantine", "list")["entries"], [])
        first, second, *_ = data
        self.assertEqual(kept()[first]["bytes"], len(data[first]))
        nodes.starling("put", second, "newer")

        def outcome(action, key, *options):
            answer = node.nodetool("quarantine", action, "default", key, *options)
            return answer["entries"][0]["outcome"]
        self.assertEqual(outcome("restore", first, "--dry-run"), "would be restored")
        self.assertEqual(case.export_alone(node).keys(), {second})
        self.assertEqual(outcome("restore", first), "restored")
        self.assertEqual(outcome("restore", second),
                         "the cluster has another value: left (--overwrite replaces it)")
        self.assertEqual(case.export_alone(node), {first: data[first], second: "newer"})
        self.assertEqual(outcome("restore", second, "--overwrite"), "overwrote another value")
        self.assertEqual(case.export_alone(node), {first: data[first], second: data[second]})
        self.assertEqual(kept().keys(), data.keys() - {first, second})
        asks = ("nodetool", "-h", node.address, "quarantine")
        self.assert_refused(cluster.run_tool(*asks, "restore", "default", first, check=False),
                            first)
        self.assert_refused(cluster.run_tool(*asks, "drop", check=False), "--all")
        node.nodetool("quarantine", "drop", "--all", "--dry-run")
        self.assertEqual(len(kept()), len(data) - 2)
        node.nodetool("quarantine", "drop", "--all")
        self.assertEqual(kept(), {})
        self.assertEqual(case.export_alone(node), {first: data[first], second: data[second]})

    def test_a_horizon_that_is_too_short_is_refused(self):
        nodes = self.make_cluster(size=1)
        run = nodes.node(1).run_to_end({"purge.horizon": "2s"})
        self.assertEqual(run.returncode, 2)
        self.assertIn("purge.horizon", run.stderr)


if __name__ == "__main__":
    unittest.main()
