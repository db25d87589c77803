"""Goal:   a node that lost data which it had acknowledged notices, says so, serves no read and has
        them back from the others by itself; one that is alone refuses to start (G7).
Method: kill node 3, hurt a file of its data directory in each way that can go unnoticed, start it;
        it must be named as back in a new epoch, be ready, and hold every key by itself. The copies
        that are put back are those of an earlier life.
"""

import os
import shutil
import unittest

import case
import cluster
import damages
import purge_test
from damages import beginning, cut, files, flip, largest, log_of

ROWS = damages.ROWS

def cut_log_and_flip_table(data):
    cut(log_of(data), 0.5)
    flip(largest(files(data, ".sst")), 0.5)


# What is done to the data directory, and what the log names it by.
DAMAGES = {
    "log deleted": (lambda data: [os.remove(path) for path in files(data, ".log")],
                    # Of one that was switched from, RocksDB itself knows that it is missing.
                    ["changes are lost|Missing WAL"]),
    "log cut": (lambda data: cut(log_of(data), 0.5), ["lost"]),
    "log flipped in the middle": (lambda data: flip(log_of(data), 0.5),
                                  ["damaged"]),
    "log flipped at the start": (lambda data: flip(log_of(data), 0.001),
                                 ["damaged"]),
    # The second is met when the trees are made anew, by a node that has yet to catch up.
    "log cut and table flipped": (cut_log_and_flip_table, ["lost", "taken out"]),
    "table deleted": (lambda data: os.remove(largest(files(data, ".sst"))), ["taken out"]),
    "table cut": (lambda data: cut(largest(files(data, ".sst")), 0.5), ["taken out"]),
    "table flipped at the end": (lambda data: flip(largest(files(data, ".sst")), 1), ["taken out"]),
    "table flipped in the middle": (lambda data: flip(largest(files(data, ".sst")), 0.5),
                                    ["taken out"]),
    "table flipped at the start": (lambda data: flip(largest(files(data, ".sst")), 0),
                                   ["taken out"]),
    "manifest cut": (lambda data: cut(beginning(data, "MANIFEST-"), 0.3), []),
    "manifest deleted": (lambda data: os.remove(beginning(data, "MANIFEST-")), ["set aside"]),
    "current deleted": (lambda data: os.remove(os.path.join(data, "CURRENT")), []),
}
# The others are run by STARLING_DAMAGES=all: each takes as long as a start and a rebuild.
FEW = ("log deleted", "log flipped in the middle", "log cut and table flipped", "table deleted")
HARMLESS = {
    "guard deleted": (lambda data: os.remove(os.path.join(data, "guard")), []),
    "guard flipped": (lambda data: flip(os.path.join(data, "guard"), 0.7),
                      ["guard file is damaged"]),
    "guard cut": (lambda data: cut(os.path.join(data, "guard"), 0.5), ["guard file is damaged"]),
}


class LostData(damages.HurtCase):
    def test_each_loss_is_noticed_named_and_healed(self):
        nodes = self.start_cluster(hints_enabled=False, scrub_interval="1s")
        for name, (damage, words) in DAMAGES.items():
            if name not in FEW and os.environ.get("STARLING_DAMAGES") != "all":
                continue
            with self.subTest(name):
                self.hurt(nodes, name, damage, words)
                self.voters_are(nodes, 3)

    def test_a_damaged_guard_loses_nothing(self):
        nodes = self.start_cluster(hints_enabled=False, scrub_interval="1s")
        for name, (damage, words) in HARMLESS.items():
            if name != "guard flipped" and os.environ.get("STARLING_DAMAGES") != "all":
                continue
            with self.subTest(name):
                self.hurt(nodes, name, damage, words, lost=False)

    def test_what_is_in_tables_alone_is_not_lost(self):
        nodes = self.start_cluster(hints_enabled=False, scrub_interval="1s")

        def start_in_vain(data):
            node = nodes.node(3)
            node.name = "mistyped"
            self.assertIn("cluster.name", node.run_to_end().stderr)
            node.name = nodes.name

        # All is flushed, and the log is gone: at once after the writes; and by a start that fails.
        self.flush_last = True
        self.hurt(nodes, "flushed", lambda data: None, [], lost=False)
        self.hurt(nodes, "a start in vain", start_in_vain, [], lost=False)
        self.flush_last = False
        self.hurt(nodes, "a start in vain after writes", start_in_vain, [], lost=False)

    def test_the_others_tell_of_an_older_copy(self):
        nodes = self.start_cluster(hints_enabled=False, scrub_interval="1s")
        node = nodes.node(3)
        self.write_more(nodes)
        node.kill()
        older = node.data + ".older"
        shutil.copytree(node.data, older)
        node.start()
        nodes.wait_whole(60)

        def put_back(data):
            shutil.rmtree(data)
            shutil.copytree(older, data)

        self.hurt(nodes, "older copy", put_back, ["remember"])

    def test_an_older_copy_is_told_by_what_was_only_pulled(self):
        nodes = self.start_cluster(hints_enabled=False, **purge_test.FAST)
        node = nodes.node(3)
        self.expected = case.rows(300)
        case.load(nodes, self.expected, "--consistency", "ALL")
        self.assertEqual(node.stop(), 0)
        older = node.data + ".older"
        shutil.copytree(node.data, older)
        nodes.wait_seen({node: "DN"}, 30, by=nodes.nodes[:2])
        deleted = list(self.expected)[:200]
        purge_test.delete(nodes, deleted)
        for key in deleted:
            del self.expected[key]
        node.start()  # It acknowledges nothing to anybody in this life.
        nodes.wait_whole(60)
        cluster.wait_until_empty(
            lambda: {each.number: held for each in nodes.nodes
                     if (held := purge_test.standing(each)["tombstones"]) > 0},
            90, "tombstones to go")
        nodes.wait_equal(cluster.wall_ms())
        # What others remember is on their disks a second later.
        proved = node.nodetool("repairstatus")["oldest_proof_ms"] or 0
        cluster.wait_for(
            lambda: (node.nodetool("repairstatus")["oldest_proof_ms"] or 0) > proved + 2000, 30,
            "two more proofs")
        node.kill()
        shutil.rmtree(node.data)
        os.rename(older, node.data)
        said = len(node.log_text())
        node.start()
        self.wait_healed(nodes, said, "older copy, of before a pull")
        self.assertRegex(node.log_text()[said:], "remember")
        nodes.wait_whole(60)
        self.alone_has_all(nodes, node, "older copy, of before a pull")

    def test_parts_of_two_directories_are_told_apart(self):
        nodes = self.start_cluster()
        self.write_more(nodes)
        first, third = nodes.node(1), nodes.node(3)
        third.kill()
        shutil.copy(os.path.join(first.data, "guard"), os.path.join(third.data, "guard"))
        self.assert_one_line(third.run_to_end(), "starlingd", "guard file is of host", "mixed")

    def test_a_node_alone_refuses_until_the_loss_is_accepted(self):
        nodes = self.start_cluster(size=1)
        node = nodes.node(1)
        case.load(nodes, case.rows(ROWS))
        node.kill()
        whole = log_of(node.data)
        shutil.copy(whole, whole + ".whole")
        cut(whole, 0.5)
        refused = node.run_to_end()
        self.assert_one_line(refused, "starlingd", "are lost", "--accept-data-loss")
        self.assertNotIn("rocksdb:", refused.stderr)  # It warns of the record that was cut.
        os.replace(whole + ".whole", whole)
        for path in files(node.data, ".log"):
            os.remove(path)
        refused = node.run_to_end()
        self.assert_one_line(refused, "starlingd", "no other node", "--accept-data-loss")
        self.assertIn("--accept-data-loss", node.run_to_end().stderr)  # It still knows.

        node.start(arguments=["--accept-data-loss"])
        nodes.wait_whole(30)
        self.assertIn("that is accepted", node.log_text())
        self.assertEqual(node.stop(), 0)
        node.start()  # It is over: no word about it is needed any more.
        nodes.wait_whole(30)

    def test_a_node_alone_that_lost_all_it_knew_of_its_cluster_founds_again_at_a_word(self):
        nodes = self.start_cluster(size=1)
        node = nodes.node(1)
        case.load(nodes, case.rows(ROWS))
        node.kill()
        os.remove(os.path.join(node.data, "guard"))
        flip(log_of(node.data), 0.001)
        self.assertIn("--accept-data-loss", node.run_to_end().stderr)
        node.start(arguments=["--accept-data-loss"])
        nodes.wait_whole(30)
        self.assertEqual(node.stop(), 0)
        node.start()  # It owes nobody anything.
        nodes.wait_whole(30)

    def test_without_a_guard_file_the_way_back_is_named_or_found(self):
        nodes = self.start_cluster()
        self.expected = case.rows(ROWS)
        case.load(nodes, self.expected, "--consistency", "ALL")
        node = nodes.node(3)
        node.kill()
        os.remove(os.path.join(node.data, "guard"))
        flip(log_of(node.data), 0.001)
        self.assert_one_line(node.run_to_end(), "starlingd", "--accept-data-loss",
                             f"node.replace = {node.address}:")
        # Taken at its word it goes on with its identity alone. It was a member that acknowledged
        # writes: it is no founder that has missed nothing.
        since = len(node.log_text())
        node.start(arguments=["--accept-data-loss"])
        nodes.wait_whole(60)
        said = node.log_text()[since:]
        self.assertIn("lost data that it had acknowledged", said)
        self.assertIn("ready: caught up", said)
        self.alone_has_all(nodes, node, "after a loss without a guard file")


if __name__ == "__main__":
    unittest.main()
