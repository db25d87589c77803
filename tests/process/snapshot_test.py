"""Goal:   snapshots made under writes come back whole, into a cluster of another size or a running
        one; what was damaged is told, and nothing of it is restored unless asked.
Method: real nodes; copies of their snapshots, as an operator would carry them away, also with a
        byte flipped; exports against the rows that were written.
"""

import glob
import os
import shutil
import threading
import unittest

import case
import cluster
import damages


class Snapshots(case.ClusterCase):
    def take(self, nodes, tag, *keyspaces):
        for node in nodes.nodes:
            node.nodetool("snapshot", "-t", tag, *keyspaces)

    def carry_away(self, nodes, tag):
        """Copies of a snapshot of each node, outside of their directories."""
        folder = os.path.join(nodes.folder, f"away-{tag}")
        copies = [os.path.join(folder, str(node.number)) for node in nodes.nodes]
        for node, copy in zip(nodes.nodes, copies):
            shutil.copytree(os.path.join(node.data, "snapshots", tag), copy)
        return copies

    def export(self, nodes, keyspace="default"):
        run = nodes.starling("--keyspace", keyspace, "export", "--format", "jsonl", seconds=120)
        return case.from_jsonl(run.stdout)

    def attempt(self, node, *command):
        return cluster.run_tool("nodetool", "-h", node.address, *command, check=False, seconds=120)

    def restore(self, node, *arguments):
        return {one["name"]: one for one in
                node.nodetool("restore", *arguments, seconds=120)["keyspaces"]}

    def origins(self, node, key):
        return {row["origin"] for row in node.nodetool("why", "default", key)["replicas"]}

    def test_three_nodes_under_writes_come_back_as_one(self):
        nodes = self.start_cluster(3)
        nodes.starling("keyspace", "create", "parts", "--replication", "simple:1")
        before = case.rows(3000)
        parts = case.rows(2000, prefix="part")
        case.load(nodes, before)
        case.load(nodes, parts, "--keyspace", "parts")
        done = threading.Event()
        during = {}

        def write_on():
            for generation in range(200):
                rows = case.rows(500, prefix="during", generation=generation)
                case.load(nodes, rows)
                during[generation] = rows
                if done.is_set() and generation >= 3:
                    return

        writer = threading.Thread(target=write_on)
        writer.start()
        try:
            self.take(nodes, "nightly")
        finally:
            done.set()
            writer.join()
        self.assertTrue(during)
        copies = self.carry_away(nodes, "nightly")
        for node in nodes.nodes:
            node.kill()
            node.wipe()

        other = self.start_cluster(1, "other")
        one_of_three = self.attempt(other.node(1), "restore", copies[0])
        self.assert_refused(one_of_three, "parts", "missing", "--partial")
        restored = self.restore(other.node(1), *copies)
        self.assertTrue(restored["parts"]["created"])
        self.assertEqual(restored["parts"]["restored"], len(parts))
        self.assertEqual(case.difference(self.export(other, "parts"), parts), "")
        found = self.export(other)
        self.assertEqual(case.difference({key: value for key, value in found.items()
                                          if not key.startswith("during")}, before), "")
        written = set().union(*(rows.items() for rows in during.values()))
        self.assertLessEqual({row for row in found.items() if row[0].startswith("during")}, written)
        case.load(other, {"key0000000": "goes on"})

        partial = self.restore(other.node(1), "--partial", "--keyspace", "parts", copies[0])
        self.assertEqual(list(partial), ["parts"])
        self.assertLess(partial["parts"]["restored"], len(parts))

    def test_a_running_cluster_goes_back(self):
        nodes = self.start_cluster(3)
        node = nodes.node(2)
        kept = case.rows(400)
        case.load(nodes, {**kept, "ephemeral": "x"})
        nodes.starling("delete", "ephemeral")
        self.take(nodes, "before")
        copies = self.carry_away(nodes, "before")
        changed = {key: "changed" for key in list(kept)[:30]}
        new = {f"new{number}": "new" for number in range(7)}
        case.load(nodes, {**changed, **new})
        deleted = list(kept)[-20:]
        for key in deleted:
            nodes.starling("delete", key)
        now = self.export(nodes)

        dry = self.restore(node, "--dry-run", *copies)["default"]
        self.assertEqual(
            {field: dry[field] for field in
             ("would_be_created", "would_be_added", "would_be_overwritten",
              "would_be_brought_back", "same", "left_out_deleted")},
            {"would_be_created": False, "would_be_added": 0, "would_be_overwritten": 30,
             "would_be_brought_back": 20, "same": 350, "left_out_deleted": 1})
        self.assertTrue(dry["overwritten_keys"] and set(dry["overwritten_keys"]) <= set(changed))
        self.assertTrue(dry["brought_back_keys"] and set(dry["brought_back_keys"]) <= set(deleted))
        self.assertEqual(case.difference(self.export(nodes), now), "")

        self.assertEqual(self.restore(node, *copies)["default"]["restored"], 400)
        self.assertEqual(case.difference(self.export(nodes), {**kept, **new}), "")
        nodes.wait_equal(cluster.wall_ms())
        self.assertIn("restored", self.origins(node, deleted[0]))
        self.assertNotIn("direct", self.origins(node, deleted[0]))
        self.assertIn("direct", self.origins(node, "new0"))
        self.assertNotIn("restored", self.origins(node, "new0"))

    def test_damage_is_told_and_nothing_is_restored_of_it(self):
        nodes = self.start_cluster(1)
        rows = case.rows(20_000)
        case.load(nodes, rows)
        self.take(nodes, "sound")
        sound = self.carry_away(nodes, "sound")[0]
        other = self.start_cluster(1, "other")
        node = other.node(1)

        def damaged(name, path, at):
            copy = os.path.join(nodes.folder, name)
            shutil.copytree(sound, copy)
            damages.flip_byte(os.path.join(copy, path), at)
            return copy

        table = max(glob.glob(f"{sound}/*.sst"), key=os.path.getsize)
        size = os.path.getsize(table)
        table = os.path.basename(table)
        with open(f"{sound}/manifest.json", encoding="utf-8") as file:
            manifest = file.read()
        for name, path, at in (("data", table, size // 2), ("first", table, 10),
                               ("digest", "manifest.json", manifest.index("digest") + 12),
                               ("range", "manifest.json", manifest.index("0000-ffff") + 2),
                               ("time", "manifest.json", manifest.index("created_ms") + 13)):
            with self.subTest(name):
                copy = damaged(name, path, at)
                told = self.attempt(node, "restore", copy)
                self.assert_refused(told, copy, "nothing was restored")
                # Named where it helps: a manifest may be beyond reading, by the byte that flipped.
                tried = self.attempt(node, "restore", "--dry-run", "--damaged", copy)
                opened = not tried.stderr.lower().startswith(b"nodetool: corruption")
                self.assertEqual(b"--damaged" in told.stderr, opened, tried.stderr)
                self.assertTrue(opened or path == "manifest.json", tried.stderr)
                self.assertEqual(self.export(other), {})
        with self.subTest("what --damaged cannot open either"):
            unopened = damaged("unopened", table, size // 2)
            os.remove(os.path.join(unopened, "CURRENT"))
            told = self.attempt(node, "restore", unopened)
            self.assert_refused(told, unopened)
            self.assertNotIn(b"--damaged", told.stderr)
        run = self.attempt(node, "restore", "--damaged", os.path.join(nodes.folder, "data"))
        self.assert_refused(run, "left out")
        found = self.export(other)
        self.assertGreater(len(found), 10_000)
        self.assertLess(len(found), len(rows))
        self.assertLessEqual(found.items(), rows.items())
        self.assertEqual(self.restore(node, sound)["default"]["restored"], len(rows))
        self.assertEqual(case.difference(self.export(other), rows), "")

    def test_taken_listed_and_cleared(self):
        nodes = self.start_cluster(1)
        node = nodes.node(1)
        self.assertEqual(node.nodetool("listsnapshots"), {"snapshots": []})
        case.load(nodes, case.rows(1000))
        taken = node.nodetool("snapshot", "-t", "one", "default")
        tables = glob.glob(f"{taken['directory']}/*.sst")
        self.assertTrue(tables)
        for table in tables:
            own = os.path.join(node.data, os.path.basename(table))
            self.assertTrue(os.path.samefile(table, own))
        self.assertEqual(taken["keyspaces"][0]["entries"], 1000)
        dry = node.nodetool("snapshot", "-t", "two", "--dry-run")
        self.assertTrue(dry["dry_run"])
        self.assertEqual(dry["keyspaces"], taken["keyspaces"])
        self.assert_refused(self.attempt(node, "snapshot", "-t", "one"), "'one'", "already")
        self.assert_refused(self.attempt(node, "snapshot", "-t", "one", "--dry-run"), "already")
        self.assert_refused(self.attempt(node, "snapshot", "-t", "../up"), "../up", "letters")
        self.assert_refused(self.attempt(node, "snapshot", "-t", "x", "nowhere"), "nowhere")
        self.assert_refused(self.attempt(node, "clearsnapshot", "-t", "none"), "'none'")
        self.assert_refused(self.attempt(node, "clearsnapshot", "-t", ".."), "'..'")
        unnamed = node.nodetool("snapshot")["name"]
        self.assertAlmostEqual(int(unnamed), cluster.wall_ms(), delta=60_000)

        node.stop()
        # As a process that was killed over them leaves them.
        left = [os.path.join(node.data, *path) for path in (
            ("snapshots", ".unfinished"), ("snapshots", ".unfinished.tmp"), ("verifying",),
            ("verifying.tmp",))]
        for path in left:
            os.makedirs(path)
            os.link(tables[0], os.path.join(path, os.path.basename(tables[0])))
        node.start()
        nodes.wait_whole()
        self.assertEqual([path for path in left if os.path.exists(path)], [])
        listed = {one["name"]: one for one in node.nodetool("listsnapshots")["snapshots"]}
        self.assertEqual(sorted(listed), sorted([unnamed, "one"]))
        self.assertEqual((listed["one"]["keyspaces"], listed["one"]["entries"]),
                         (["default"], 1000))
        shown = self.attempt(node, "listsnapshots").stdout.decode()
        self.assertRegex(shown, r"(?m)^one .*default")

        would = node.nodetool("clearsnapshot", "--all", "--dry-run")
        self.assertEqual(sorted(would["would_clear"]), sorted(listed))
        self.assertEqual(node.nodetool("clearsnapshot", "-t", "one"), {"cleared": ["one"]})
        self.assertEqual(node.nodetool("clearsnapshot", "--all"), {"cleared": [unnamed]})
        self.assertEqual(os.listdir(os.path.join(node.data, "snapshots")), [])
        self.assertEqual(len(self.export(nodes)), 1000)


if __name__ == "__main__":
    unittest.main()
