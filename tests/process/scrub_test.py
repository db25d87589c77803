"""Goal:   bits that flip in the tables of a running node are found, named in its log and healed by
        themselves, and no wrong value is ever served meanwhile.
Method: three nodes; node 3's tables are changed under it, at the start, in the middle and at the
        end, and by way of a scrub, of reads, and of a compaction; every key is read at QUORUM, and
        afterwards from node 3 alone.
"""

import os
import unittest

import case
import cluster

ROWS = 3000


def tables(directory):
    return [os.path.join(directory, name) for name in os.listdir(directory)
            if name.endswith(".sst")]


def flip(path, at):
    """Flips a bit at a share of the file's length."""
    position = min(int(os.path.getsize(path) * at), os.path.getsize(path) - 1)
    with open(path, "r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ 0x10]))


class Scrub(case.ClusterCase):
    def begin(self, expected=None, **settings):
        nodes = self.start_cluster(hints_enabled=False, **settings)
        self.expected = expected or case.rows(ROWS)
        case.load(nodes, self.expected)
        nodes.node(3).nodetool("flush")
        return nodes

    def flip_largest(self, node, at):
        path = max(tables(node.data), key=os.path.getsize)
        flip(path, at)
        return os.path.basename(path)

    def heals(self, nodes, table, since, name):
        """Node 3 finds it by itself, says so and has all again; others are right all the time."""
        node = nodes.node(3)

        def healed():
            found = case.from_jsonl(nodes.starling(
                "--consistency", "QUORUM", "export", "--format", "jsonl", seconds=120).stdout)
            self.assertEqual(case.difference(found, self.expected), "", name)
            return "ready: caught up" in node.log_text()[since:]

        cluster.wait_for(healed, 120, f"node 3 to heal: {name}")
        nodes.wait_whole(60)
        log = node.log_text()[since:]
        for words in (table, "lost data that it had acknowledged", "taken out"):
            self.assertIn(words, log, name)
        nodes.wait_equal(cluster.wall_ms(), 60)
        rest = [each for each in nodes.nodes if each is not node]
        for each in rest:
            each.pause()
        try:
            self.assertEqual(case.difference(case.export_alone(node), self.expected), "", name)
        finally:
            for each in rest:
                each.go_on()
        nodes.wait_whole(60)

    def test_a_scrub_finds_flipped_bits(self):
        nodes = self.begin(scrub_interval="1s")
        node = nodes.node(3)
        cluster.wait_for(lambda: node.nodetool("netstats")["scrub"]["passes"] > 0, 20, "a pass")
        self.assertEqual(node.nodetool("netstats")["scrub"]["damaged"], 0)
        for at in (0.0, 0.5, 1.0):
            with self.subTest(at=at):
                since = len(node.log_text())
                table = self.flip_largest(node, at)
                self.heals(nodes, table, since, f"flipped at {at}")
                node.nodetool("flush")

    def test_a_read_that_meets_damage_is_answered_by_others(self):
        # A block or more each, so that some read meets the one that is damaged.
        nodes = self.begin(case.rows(200, value_bytes=5000), scrub_interval="0s")
        node = nodes.node(3)
        since = len(node.log_text())
        table = self.flip_largest(node, 0.4)
        for key, value in self.expected.items():
            if "damage found" in node.log_text()[since:]:
                break
            got = node.alone("--consistency", "QUORUM", "get", key).stdout.decode()
            self.assertEqual(got, value)
        self.assertIn("met data that cannot be read", node.log_text()[since:])
        self.heals(nodes, table, since, "read")

    def test_a_compaction_that_meets_damage_ends_no_node(self):
        nodes = self.begin(scrub_interval="0s")
        node = nodes.node(3)
        since = len(node.log_text())
        table = self.flip_largest(node, 0.5)
        cluster.run_tool("nodetool", "-h", node.address, "compact", check=False)
        more = case.rows(50, prefix="more")
        # Its next write finds that nothing can be written. The load is not sent through it: what was
        # under way there when it ends would have an unknown outcome.
        nodes.node(1).alone("import", "-", "--format", "jsonl", stdin=case.to_jsonl(more))
        self.expected.update(more)
        self.heals(nodes, table, since, "compaction")
        self.assertTrue(node.running)


if __name__ == "__main__":
    unittest.main()
