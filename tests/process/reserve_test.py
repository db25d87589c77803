"""Goal:   a node whose disk is nearly full takes deletes and reads and no puts, says so everywhere,
        keeps all that it acknowledged over a kill -9, and takes puts again by itself once there is
        room; in a cluster the other replicas take its part meanwhile.
Method: data directories on small file systems in memory, filled through the node itself, then made
        larger. Needs the right to mount: elsewhere it is skipped, and says why.
"""

import http.client
import json
import os
import random
import subprocess
import time
import unittest

import case
import cluster
import small_disk

ROWS_MAX = 1600  # 160 MB: more than there is room for.
ROWS_TOO_MANY = 45_000  # Of 1 KB each, for 40 MB of which a fifth is kept.
ROOM_AGAIN = "room on the disk again"


def value_of(key):
    """100 KB that do not compress."""
    return random.Random(key).randbytes(50_000).hex()


class Reserve(small_disk.SmallDiskCase):
    def fill(self, node, prefix):
        """Puts until the first refusal; the keys that were acknowledged."""
        acknowledged = []
        for key in [f"{prefix}{number:05d}" for number in range(ROWS_MAX)]:
            run = node.alone("put", key, value_of(key), check=False)
            if run.returncode != 0:
                self.assert_refused(run, "unavailable", "disk is full", "nothing was tried")
                return acknowledged
            acknowledged.append(key)
        raise cluster.Failure(f"{ROWS_MAX} rows, and the disk is not full")

    def while_full(self, node, prefix, check):
        """Fills the disk and checks, again where a compaction gave room back meanwhile, which the
        node then rightly uses; the keys that were acknowledged."""
        acknowledged = []
        for turn in range(20):
            returns = node.log_text().count(ROOM_AGAIN)
            acknowledged += self.fill(node, f"{prefix}{turn}-")
            try:
                check()
                return acknowledged
            except AssertionError:
                if node.log_text().count(ROOM_AGAIN) == returns:
                    raise
        raise cluster.Failure("room comes back for ever")

    def ask(self, node, path):
        conn = http.client.HTTPConnection(node.address, 7703, timeout=10)
        try:
            conn.request("GET", path)
            answer = conn.getresponse()
            return answer.status, answer.read().decode()
        finally:
            conn.close()

    def is_full(self, node):
        return node.nodetool("info")["disk_full"]

    def check_all_say_so(self, node):
        self.assertTrue(self.is_full(node))
        self.assertTrue(node.nodetool("status")["nodes"][0]["disk_full"])
        shown = cluster.run_tool("nodetool", "-h", node.address, "status").stdout.decode()
        self.assertIn(f"{node.address} is read-only", shown)
        status, text = self.ask(node, "/health")
        self.assertEqual((status, json.loads(text)["status"]), (200, "read-only"))
        self.assertIn("\nstarling_disk_full 1\n", self.ask(node, "/metrics")[1])

    def test_a_node_alone(self):
        nodes = self.make_cluster(1, storage_memtables="8MiB")
        node = nodes.node(1)
        disk = self.small_disk(nodes, node, "80m")
        nodes.start()
        self.assertFalse(self.is_full(node))
        self.assertEqual(node.nodetool("info")["disk_reserve_bytes"], 16 << 20)
        acknowledged = self.while_full(node, "fill", lambda: self.check_all_say_so(node))
        self.assertGreater(len(acknowledged), 100)
        self.assertIn("the disk is full", node.log_text())

        gone = acknowledged[::10]
        for key in gone:
            node.alone("delete", key)
        left = [key for key in acknowledged if key not in set(gone)]
        self.assertEqual(node.alone("get", left[0]).stdout.decode(), value_of(left[0]))

        node.kill()
        node.start()
        nodes.wait_whole()
        # The logs that were replayed may have taken more room than what they became.
        left += self.fill(node, "again")
        found = case.export_alone(node)
        self.assertEqual(case.difference(found, {key: value_of(key) for key in left}), "")

        self.mount(disk, "remount,size=400m")
        cluster.wait_for(lambda: not self.is_full(node), 10, "the node to see the room")
        node.alone("put", "more", "x")
        self.assertEqual(json.loads(self.ask(node, "/health")[1])["status"], "ok")
        self.assertIn("starling_disk_full 0", self.ask(node, "/metrics")[1])
        self.assertIn(ROOM_AGAIN, node.log_text())
        node.nodetool("compact")
        self.assertEqual(node.alone("get", left[-1]).stdout.decode(), value_of(left[-1]))

    def test_one_of_three(self):
        nodes = self.make_cluster(3, storage_memtables="8MiB")
        full = nodes.node(2)
        disk = self.small_disk(nodes, full, "60m")
        nodes.start()
        filler = os.path.join(disk, "filler")
        with open(filler, "wb") as file:
            file.truncate(1)
        space = os.statvfs(disk)
        subprocess.run(["fallocate", "-l", str(space.f_bavail * space.f_frsize - (6 << 20)),
                        filler], check=True)
        for node in nodes.nodes:
            cluster.wait_for(
                lambda node=node: [each["address"] for each in node.nodetool("status")["nodes"]
                                   if each["disk_full"]] == [full.address],
                10, "all to know that the disk is full")
        during = case.rows(300, prefix="during")
        for number, (key, value) in enumerate(during.items()):
            nodes.nodes[number % 3].alone("put", key, value)  # Through the full one too.
        refused = full.alone("--consistency", "ALL", "put", "all", "x", check=False)
        self.assert_refused(refused, "ALL", "disk is full")
        deleted = list(during)[:20]
        for key in deleted:
            full.alone("--consistency", "ALL", "delete", key)
        left = {key: value for key, value in during.items() if key not in deleted}
        self.assertEqual(full.nodetool("tablestats")["keyspaces"][0]["keys_estimate"], 20)
        repair = cluster.run_tool("nodetool", "-h", full.address, "repair", check=False)
        self.assertIn("disk", (repair.stdout + repair.stderr).decode())

        os.remove(filler)
        cluster.wait_for(lambda: not self.is_full(full), 10, "the node to see the room")
        nodes.wait_equal(cluster.wall_ms())
        self.assertEqual(case.difference(case.export_alone(full), left), "")

    def test_one_that_takes_in_what_does_not_fit(self):
        nodes = self.make_cluster(3, storage_memtables="8MiB", hints_enabled=False)
        nodes.start()
        rows = {f"row{number:05d}": value_of(number)[:1000] for number in range(ROWS_TOO_MANY)}
        case.load(nodes, rows)
        emptied = nodes.node(3)
        emptied.kill()
        emptied.wipe()
        disk = self.small_disk(nodes, emptied, "40m")
        emptied.start({"node.replace": emptied.address, "repair.run": "1MiB",
                       "repair.rate": "6MiB", "repair.interval": "1s"})
        cluster.wait_for(lambda: "the disk is full" in emptied.log_text(), 60,
                         "the disk to be full")
        during = {f"during{number}": "x" for number in range(100)}
        for key, value in during.items():
            nodes.node(1).alone("put", key, value)
        # Compactions give room back and take it, for as long as somebody would need to see to it.
        time.sleep(10)
        self.assertTrue(emptied.running, emptied.log_text()[-2000:])

        self.mount(disk, "remount,size=400m")
        cluster.wait_for(lambda: not self.is_full(emptied), 10, "the node to see the room")
        nodes.wait_equal(cluster.wall_ms(), seconds=60)
        self.assertEqual(case.difference(case.export_alone(emptied), {**rows, **during}), "")


if __name__ == "__main__":
    unittest.main()
