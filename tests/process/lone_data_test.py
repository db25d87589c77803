"""Goal:   data of a keyspace of one replica, which no other node has, never go without an
        operator's word, whatever is damaged; what others have is healed as ever.
Method: three nodes; node 3 is killed and a table of it hurt, or its log deleted. Where those may
        hold some of that keyspace, the start is refused and no file is changed: put back, all is
        there again.
"""

import hashlib
import os
import shutil
import unittest

import case
import cluster
import damages

SINGLE = ("--keyspace", "single")
ROWS = 2000


def snapshot(directory):
    """Of each table, log and record in it a digest; not of what every start writes anew."""
    found = {}
    for name in os.listdir(directory):
        if name.endswith((".sst", ".log")) or name in ("guard", "tables-taken-out"):
            with open(os.path.join(directory, name), "rb") as file:
                found[name] = hashlib.sha256(file.read()).hexdigest()
    return found


class LoneData(damages.HurtCase):
    def begin(self):
        """Tables of 'default' alone, and tables of 'single', each known by its path."""
        nodes = self.start_cluster(hints_enabled=False, scrub_interval="0s")
        nodes.starling("keyspace", "create", "single", "--replication", "simple:1")
        node = nodes.node(3)
        known = set()

        def load(rows, *options):
            case.load(nodes, rows, *options)
            node.nodetool("flush")
            new = [path for path in damages.files(node.data, ".sst") if path not in known]
            known.update(new)
            return damages.largest(new)

        self.expected = case.rows(ROWS)
        of_default = load(self.expected, "--consistency", "ALL")
        self.lone = case.rows(ROWS, prefix="lone")
        of_single = load(self.lone, *SINGLE)
        return nodes, of_default, of_single

    def assert_all(self, nodes):
        found = case.from_jsonl(nodes.starling(*SINGLE, "export", "--format", "jsonl",
                                               seconds=120).stdout)
        self.assertEqual(case.difference(found, self.lone), "")

    def comes_back(self, nodes, since):
        """Node 3 has caught up after a loss."""
        cluster.wait_for(lambda: "ready: caught up" in nodes.node(3).log_text()[since:], 120,
                         "node 3 to be back")
        nodes.wait_whole(60)

    def refuses(self, node, *words):
        """Twice, with one line; and has changed nothing."""
        before = snapshot(node.data)
        for _ in range(2):
            self.assert_one_line(node.run_to_end(), "starlingd", *words, "keyspace 'single' has",
                                 "one replica", "--accept-data-loss")
            self.assertEqual(snapshot(node.data), before)

    def test_a_table_of_it_goes_by_an_operators_word_alone(self):
        nodes, _, of_single = self.begin()
        node = nodes.node(3)
        node.kill()
        kept = of_single + ".kept"
        for name, hurt in {"index": lambda: damages.flip_part(of_single, "index"),
                           "gone": lambda: os.remove(of_single)}.items():
            with self.subTest(name):
                shutil.copy(of_single, kept)
                hurt()
                self.refuses(node, os.path.basename(of_single))
                os.replace(kept, of_single)
        node.start()
        nodes.wait_whole(60)
        self.assert_all(nodes)

        node.kill()
        damages.flip_part(of_single, "index")
        since = len(node.log_text())
        node.start(arguments=["--accept-data-loss"])
        self.comes_back(nodes, since)
        self.assertIn("taken out", node.log_text())
        self.alone_has_all(nodes, node, "what others have")
        left = case.from_jsonl(nodes.starling(*SINGLE, "export", "--format", "jsonl").stdout)
        self.assertLess(len(left), len(self.lone))
        self.assertEqual(case.difference(left, {key: self.lone[key] for key in left}), "")

    def test_a_table_that_holds_none_of_it_is_healed_without_a_word(self):
        nodes, of_default, _ = self.begin()
        node = nodes.node(3)
        node.kill()
        damages.flip_part(of_default, "index")
        since = len(node.log_text())
        node.start()
        self.comes_back(nodes, since)
        self.assertIn("taken out", node.log_text()[since:])
        self.assert_all(nodes)
        self.alone_has_all(nodes, node, "default")

    def test_a_log_goes_by_an_operators_word_alone(self):
        nodes, of_default, _ = self.begin()
        node = nodes.node(3)
        more = case.rows(ROWS, prefix="more")
        case.load(nodes, more, *SINGLE)
        self.lone.update(more)
        node.kill()
        log = damages.log_of(node.data)
        kept = log + ".kept"
        shutil.copy(log, kept)
        damages.flip(log, 0.5)
        self.refuses(node, os.path.basename(log))
        # Nor is it cut off where it is damaged because a table must go that may.
        table = of_default + ".kept"
        shutil.copy(of_default, table)
        damages.flip_part(of_default, "index")
        self.refuses(node, os.path.basename(log))
        os.replace(table, of_default)
        os.replace(kept, log)
        node.start()
        nodes.wait_whole(60)
        self.assert_all(nodes)

        node.kill()
        for path in damages.files(node.data, ".log"):
            os.remove(path)
        self.assert_one_line(node.run_to_end(), "starlingd", "log was lost", "'single'",
                             "--accept-data-loss")
        since = len(node.log_text())
        node.start(arguments=["--accept-data-loss"])
        self.comes_back(nodes, since)
        log = node.log_text()[since:]
        self.assertIn("that is accepted", log)
        self.assertIn("lost data that it had acknowledged", log)


if __name__ == "__main__":
    unittest.main()
