"""Goal:   bits that flip in the tables of a running node are found, named in its log and healed by
        themselves, and no wrong value is ever served meanwhile; whatever cuts the healing off.
Method: three nodes; node 3's tables are changed under it, and met by a scrub, by reads, and by a
        compaction; it is killed in the midst of healing; every key is read at QUORUM, and
        afterwards from node 3 alone. What purge removed must not come back with a table that is
        lost. STARLING_DAMAGES=all flips at more places and kills more often.
"""

import os
import random
import time
import unittest
import urllib.request

import case
import cluster
import damages
import exposition
import purge_test

ROWS = 3000
# A flush leaves its blocks in the cache, and who finds them there meets no damage of the disk: of
# tables three times the cache's size the middle is not there.
SMALL_CACHE = {"storage_block_cache": "1MiB"}
ALL = os.environ.get("STARLING_DAMAGES") == "all"


def damaged_metric(node):
    page = urllib.request.urlopen(f"http://{node.address}:7703/metrics", timeout=10).read().decode()
    return exposition.parse(page)[("starling_scrub_damaged_total", ())]


class Scrub(damages.HurtCase):
    def begin(self, expected=None, **settings):
        nodes = self.start_cluster(hints_enabled=False, **settings)
        self.expected = expected or case.rows(ROWS)
        case.load(nodes, self.expected, "--consistency", "ALL")
        nodes.node(3).nodetool("flush")
        return nodes

    def flip_largest(self, node, at=0.5):
        path = damages.largest(damages.files(node.data, ".sst"))
        damages.flip(path, at)
        return os.path.basename(path)

    def heals(self, nodes, table, since, name):
        """Node 3 finds it by itself, says so and has all again; others are right all the time."""
        node = nodes.node(3)
        self.wait_healed(nodes, since, name)
        nodes.wait_whole(60)
        log = node.log_text()[since:]
        for words in (table, "lost data that it had acknowledged", "taken out"):
            self.assertIn(words, log, name)
        self.alone_has_all(nodes, node, name)

    def test_a_scrub_finds_flipped_bits_and_an_operator_sees_it(self):
        nodes = self.begin(scrub_interval="0s")
        node = nodes.node(3)
        for at in (0.0, 0.5, 1.0) if ALL else (0.5,):
            with self.subTest(at=at):
                before = node.nodetool("scrubstatus")
                since = len(node.log_text())
                table = self.flip_largest(node, at)
                planned = node.nodetool("scrub", "--dry-run")
                self.assertFalse(planned["begun"])
                self.assertEqual(node.nodetool("scrubstatus")["passes"], before["passes"])
                begun = node.nodetool("scrub")
                self.assertTrue(begun["begun"])
                self.assertEqual(begun["tables"], planned["tables"])
                cluster.wait_for(lambda: "damage found" in node.log_text()[since:], 30, "damage")
                self.heals(nodes, table, since, f"flipped at {at}")
                after = node.nodetool("scrubstatus")
                self.assertGreater(after["damaged_tables"], before["damaged_tables"])
                self.assertEqual(damaged_metric(node), after["damaged_tables"])
                self.assertIsNone(after["damage"])
                self.assertEqual(node.nodetool("status")["warnings"], [])
                node.nodetool("flush")

    def test_each_damaged_table_is_told_of(self):
        nodes = self.start_cluster(size=1, scrub_interval="0s")  # Alone: the damage stays.
        node = nodes.node(1)
        for generation in range(2):
            case.load(nodes, case.rows(ROWS, generation=generation))
            node.nodetool("flush")
        hurt = sorted(damages.files(node.data, ".sst"), key=os.path.getsize)[-2:]
        for path in hurt:
            damages.flip(path, 0.5)
        node.nodetool("scrub")
        cluster.wait_for(lambda: node.nodetool("scrubstatus")["passes"] > 0, 30, "a pass")
        status = node.nodetool("scrubstatus")
        self.assertEqual({os.path.basename(each["table"]) for each in status["damages"]},
                         {os.path.basename(path) for path in hurt})
        for each in status["damages"]:
            self.assertIn(os.path.basename(each["table"]), each["problem"])
        self.assertEqual(status["damages_untold"], 0)
        warning = node.nodetool("status")["warnings"][0]
        self.assertIn("and 1 more", warning)
        text = cluster.run_tool("nodetool", "-h", node.address, "scrubstatus").stdout.decode()
        for path in hurt:
            self.assertIn(os.path.basename(path), text.split("Damages")[-1])

    def test_sound_tables_are_read_and_nothing_is_told(self):
        nodes = self.begin(scrub_interval="1s")
        node = nodes.node(3)
        # The first to end may have begun before there was a table.
        before = node.nodetool("netstats")["scrub"]["passes"]
        cluster.wait_for(lambda: node.nodetool("netstats")["scrub"]["passes"] > before + 1, 20,
                         "passes")
        seen = node.nodetool("netstats")["scrub"]
        self.assertEqual(seen["damaged_tables"], 0)
        self.assertGreater(seen["size_bytes"], 0)
        self.assertNotIn("damage", node.log_text())

    def test_a_read_that_meets_damage_is_answered_by_others(self):
        # A block or more each, so that some read meets the one that is damaged.
        nodes = self.begin(case.rows(600, value_bytes=5000), scrub_interval="0s", **SMALL_CACHE)
        node = nodes.node(3)
        since = len(node.log_text())
        table = self.flip_largest(node, 0.4)
        for key, value in self.expected.items():
            if "damage found" in node.log_text()[since:]:
                break
            got = node.alone("--consistency", "QUORUM", "get", key).stdout.decode()
            self.assertEqual(got, value)
        cluster.wait_for(lambda: "met data that cannot be read" in node.log_text()[since:], 10,
                         "the scrub that the read began")
        self.heals(nodes, table, since, "read")

    def test_a_compaction_that_meets_damage_ends_no_node(self):
        nodes = self.begin(case.rows(ROWS, value_bytes=1000), scrub_interval="0s", **SMALL_CACHE)
        node = nodes.node(3)
        since = len(node.log_text())
        table = self.flip_largest(node)
        refused = cluster.run_tool("nodetool", "-h", node.address, "compact", check=False)
        self.assert_refused(refused, "checksum mismatch", table)
        more = case.rows(50, prefix="more")
        # Its next write finds that nothing can be written. The load is not sent through it: what
        # was under way there when it ends would have an unknown outcome.
        nodes.node(1).alone("import", "-", "--format", "jsonl", stdin=case.to_jsonl(more))
        self.expected.update(more)
        self.heals(nodes, table, since, "compaction")
        self.assertTrue(node.running)

    def test_damage_of_a_compaction_that_no_table_shows_ends_the_node_the_second_time(self):
        nodes = self.begin(case.rows(ROWS, value_bytes=1000), scrub_interval="0s", **SMALL_CACHE)
        node = nodes.node(3)

        def compact_in_vain(number):
            """The table is sound again before a start looks, as a rule; how long the log was."""
            since = len(node.log_text())
            path = damages.largest(damages.files(node.data, ".sst"))
            damages.flip(path, 0.5)
            refused = cluster.run_tool("nodetool", "-h", node.address, "compact", check=False)
            damages.flip(path, 0.5)
            self.assert_refused(refused, "checksum mismatch")
            more = case.rows(50, prefix=f"more{number}")
            nodes.node(1).alone("import", "-", "--format", "jsonl", stdin=case.to_jsonl(more))
            self.expected.update(more)
            return since

        unshown = 0
        for number in range(6):
            since = compact_in_vain(number)
            if unshown == 1:
                cluster.wait_for(lambda: not node.running or
                                 "taken out" in node.log_text()[since:], 60, "the node to end")
                if not node.running:
                    break
            self.wait_healed(nodes, since, "the first time")
            nodes.wait_whole(60)
            # Else its own next write came before the table was sound again.
            unshown += "taken out" not in node.log_text()[since:]
        self.assertFalse(node.running)
        self.assertEqual(node.process.wait(), 2)
        self.assertIn("for the second time that reading all tables does not show",
                      node.log_text()[since:])
        since = len(node.log_text())
        node.start()
        self.wait_healed(nodes, since, "started")
        nodes.wait_whole(60)
        self.alone_has_all(nodes, node, "started")

    def test_killed_in_the_midst_of_healing_it_heals_all_the_same(self):
        nodes = self.begin(scrub_interval="0s")
        node = nodes.node(3)
        # Two tables: what the newer one loses must not show as the older one has it.
        older = damages.largest(damages.files(node.data, ".sst"))
        self.expected = case.rows(ROWS, generation=1)
        case.load(nodes, self.expected, "--consistency", "ALL")
        node.nodetool("flush")
        newer = damages.largest([path for path in damages.files(node.data, ".sst")
                                 if path != older])
        since = len(node.log_text())
        table = os.path.basename(newer)
        damages.flip(newer, 0.3)
        damages.flip(older, 0.7)
        node.nodetool("scrub")
        cluster.wait_for(lambda: "starting again" in node.log_text()[since:], 90, "a new life")
        seed = random.randrange(1 << 32)
        print(f"pauses by seed {seed}", flush=True)
        chance = random.Random(seed)
        for _ in range(30 if ALL else 6):
            time.sleep(chance.uniform(0, 0.25))  # Wherever that is: no outcome depends on it.
            node.kill()
            node.start()
        self.heals(nodes, table, since, "killed")
        self.assertEqual([name for name in os.listdir(node.data)
                          if name.startswith(("salvaged-", "tables-taken-out"))], [])

    def test_what_its_start_finds_sound_has_the_node_begin_again_once(self):
        nodes = self.begin(scrub_interval="0s")
        node, other = nodes.node(3), nodes.node(2)
        path = damages.largest(damages.files(node.data, ".sst"))

        def find():
            since = len(node.log_text())
            damages.flip(path, 0.5)
            node.nodetool("scrub")
            cluster.wait_for(lambda: "damage found" in node.log_text()[since:], 30, "damage")
            return since

        other.kill()  # It does not begin again before all are up.
        cluster.wait_for(lambda: node.sees()[other.address] == "DN", 30, "node 2 to be seen down")
        since = find()
        damages.flip(path, 0.5)  # As it was: a disk that errs now and then.
        other.start()
        self.wait_healed(nodes, since, "an error that went")
        self.assertNotIn("taken out", node.log_text()[since:])
        nodes.wait_whole(60)

        since = find()
        status = node.nodetool("scrubstatus")
        self.assertIn(os.path.basename(path), status["damage"])
        self.assertIn("has begun again for that table before", status["healing"])
        cluster.wait_for(lambda: "the damage stays for now" in node.log_text()[since:], 20,
                         "a word of it in the log")
        damages.flip(path, 0.5)
        self.alone_has_all(nodes, node, "sound again")
        self.assertNotIn("starting again", node.log_text()[since:])

    def test_what_was_purged_does_not_come_back_with_a_table_that_is_lost(self):
        nodes = self.start_cluster(hints_enabled=False, scrub_interval="1s", **purge_test.FAST)
        node, data = nodes.node(3), case.rows(ROWS)
        case.load(nodes, data, "--consistency", "ALL")
        node.nodetool("flush")
        values = damages.files(node.data, ".sst")
        purge_test.delete(nodes, data)
        cluster.wait_until_empty(
            lambda: {each.number: held for each in nodes.nodes
                     if (held := purge_test.standing(each)["tombstones"]) > 0},
            90, "tombstones to go")
        self.assertGreater(purge_test.standing(node)["purged_ms"], 0)
        node.nodetool("flush")
        since = len(node.log_text())
        node.kill()
        # What says that the values are gone; of some, the newest tables alone say so.
        for path in damages.files(node.data, ".sst"):
            if path not in values:
                damages.flip_part(path, "index")
        node.start()
        self.wait_healed(nodes, since, "purged")
        nodes.wait_whole(60)
        self.assertIn("taken out", node.log_text()[since:])
        # It did show again, and was set aside as no other replica had it.
        self.assertNotEqual(node.nodetool("quarantine", "list")["entries"], [])
        self.alone_has_all(nodes, node, "purged")


if __name__ == "__main__":
    unittest.main()
