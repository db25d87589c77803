"""Goal:   what people type at three nodes does what it says: values, expiry, keyspaces, files.
Method: `starling` against real nodes, through each of them; output, exit status and stderr.
"""

import base64
import json
import os
import tempfile
import unittest

import case
import cluster


class Values(case.SharedClusterCase):
    def test_a_value_put_through_one_node_is_got_through_each(self):
        for writer in self.cluster.nodes:
            key = f"through-{writer.number}"
            writer.alone("put", key, f"value of {key}")
            for reader in self.cluster.nodes:
                self.assertEqual(reader.alone("get", key).stdout, f"value of {key}".encode())

    def test_get_prints_the_bytes_alone(self):
        for name, value in (("newline", "a\n\nb"), ("empty", ""),
                            ("unicode", "ätherisch \U0001f426")):
            self.starling("put", name, value)
            self.assertEqual(self.starling("get", name).stdout, value.encode())

    def test_a_later_value_replaces_and_a_delete_hides(self):
        self.starling("put", "twice", "first")
        self.starling("put", "twice", "second")
        self.assertEqual(self.starling("get", "twice").stdout, b"second")
        self.starling("delete", "twice")
        gone = self.attempt("get", "twice")
        self.assertEqual((gone.returncode, gone.stdout), (1, b""))
        self.starling("put", "twice", "third")
        self.assertEqual(self.starling("get", "twice").stdout, b"third")

    def test_exists_answers_by_its_status(self):
        self.starling("put", "there", "x")
        self.assertEqual(self.attempt("exists", "there").returncode, 0)
        self.assertEqual(self.attempt("exists", "not there").returncode, 1)

    def test_every_level_serves_while_all_nodes_are_up(self):
        for level in ("ONE", "TWO", "QUORUM", "LOCAL_QUORUM", "ALL"):
            self.starling("--consistency", level, "put", f"at-{level}", level)
            got = self.starling("--consistency", level, "get", f"at-{level}")
            self.assertEqual(got.stdout, level.encode())

    def test_json_names_version_and_replicas(self):
        put = json.loads(self.starling("--json", "--consistency", "ALL", "put", "json", "x").stdout)
        got = json.loads(self.starling("--json", "--consistency", "ALL", "get", "json").stdout)
        self.assertEqual(got["value"], "x")
        self.assertEqual(got["version"], put["version"])
        self.assertEqual(len(got["replicas"]), 3)

    def test_a_time_to_live_ends(self):
        self.starling("put", "brief", "x", "--ttl", "1s")
        self.starling("put", "long", "x", "--ttl", "1h")
        cluster.wait_for(lambda: self.attempt("get", "brief").returncode == 1, 20, "expiry")
        self.assertEqual(self.attempt("exists", "brief").returncode, 1)
        self.assertEqual(self.starling("get", "long").stdout, b"x")

    def test_why_shows_each_replica(self):
        self.starling("--consistency", "ALL", "put", "asked", "x")
        why = json.dumps(self.cluster.node(1).nodetool("why", "default", "asked"))
        for node in self.cluster.nodes:
            self.assertIn(node.address, why)

    def test_a_key_that_is_no_text_is_asked_for_as_it_is(self):
        key = b"raw \xff\xfe"
        self.starling("--consistency", "ALL", "put", key, "x")
        why = self.cluster.node(1).nodetool("why", "default", key)
        self.assertEqual(base64.b64decode(why["key_base64"]), key)
        self.assertEqual([one["wins"] for one in why["replicas"]], [True] * 3)


class Files(case.SharedClusterCase):
    def setUp(self):
        self.keyspace = self._testMethodName.removeprefix("test_")[:40]
        self.starling("keyspace", "create", self.keyspace, "--replication", "simple:3")

    def test_what_was_imported_is_exported(self):
        data = {**case.rows(500), "tab\tkey": "tab\tvalue", "ключ": "значение", "empty": "",
                "quote\"": "back\\slash\n"}
        case.load(self.cluster, data, "--keyspace", self.keyspace)
        exported = self.starling("--keyspace", self.keyspace, "export", "--format", "jsonl").stdout
        self.assertEqual(case.difference(case.from_jsonl(exported), data), "")

    def test_bytes_that_are_no_text_go_as_base64(self):
        line = b'{"key": "raw", "value_base64": "/wD+"}\n'
        self.starling("--keyspace", self.keyspace, "import", "-", "--format", "jsonl", stdin=line)
        self.assertEqual(self.starling("--keyspace", self.keyspace, "get", "raw").stdout,
                         b"\xff\x00\xfe")
        exported = self.starling("--keyspace", self.keyspace, "export", "--format", "jsonl").stdout
        self.assertEqual(case.from_jsonl(exported), {"raw": b"\xff\x00\xfe"})

    def test_tsv_goes_in_and_out(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "rows.tsv")
            with open(path, "w", encoding="utf-8") as file:
                file.write("one\t1\ntwo\t2\n")
            self.starling("--keyspace", self.keyspace, "import", path, "--format", "tsv")
        exported = self.starling("--keyspace", self.keyspace, "export", "--format", "tsv").stdout
        self.assertEqual(sorted(exported.splitlines()), [b"one\t1", b"two\t2"])

    def test_bad_lines_are_counted_and_the_rest_is_taken(self):
        lines = b'{"key": "good", "value": "x"}\nno json\n{"value": "no key"}\n{"key": 7}\n'
        run = self.attempt("--keyspace", self.keyspace, "import", "-", "--format", "jsonl",
                           stdin=lines)
        self.assert_refused(run, "3")
        self.assertEqual(self.starling("--keyspace", self.keyspace, "get", "good").stdout, b"x")


class Keyspaces(case.SharedClusterCase):
    def test_default_is_there_and_copies_three_times(self):
        listed = self.starling("keyspace", "list").stdout.decode()
        self.assertIn("default", listed)
        described = self.starling("keyspace", "describe", "default").stdout.decode()
        self.assertIn("simple:3", described)

    def test_creating_it_again_is_the_same_only_if_it_is_the_same(self):
        for _ in range(2):
            self.starling("keyspace", "create", "again", "--replication", "simple:2")
        run = self.attempt("keyspace", "create", "again", "--replication", "simple:3")
        self.assert_refused(run, "again", "simple:2")

    def test_keyspaces_do_not_share_keys(self):
        self.starling("keyspace", "create", "apart", "--replication", "dc1:3")
        self.starling("--keyspace", "apart", "put", "shared", "apart")
        self.starling("put", "shared", "default")
        self.assertEqual(self.starling("--keyspace", "apart", "get", "shared").stdout, b"apart")
        self.assertEqual(self.starling("get", "shared").stdout, b"default")

    def test_tablestats_shows_each_keyspace_its_own_bytes(self):
        for name in ("full", "empty"):
            self.starling("keyspace", "create", name, "--replication", "simple:3")
        for i in range(20):  # What doesn't compress, and then in files: memory is only sampled.
            self.starling("--keyspace", "full", "--consistency", "ALL", "put", f"{i}",
                          os.urandom(5_000).hex())
        for node in self.cluster.nodes:
            node.nodetool("flush")
            stats = {one["name"]: one for one in node.nodetool("tablestats")["keyspaces"]}
            self.assertEqual(stats["full"]["keys_estimate"], 20)
            self.assertGreater(stats["full"]["bytes"], 100_000)
            self.assertEqual((stats["empty"]["keys_estimate"], stats["empty"]["bytes"]), (0, 0))

    def test_what_nodetool_says_as_json_has_every_field_that_was_promised(self):
        promised = {
            "status": {"cluster", "epoch", "nodes"},
            "repairstatus": {"ranges"},
            "netstats": {"repair", "engine", "hints"},
            "listpendinghints": {"targets"},
        }
        node = self.cluster.node(1)
        said = {command: node.nodetool(command) for command in promised}
        for command, fields in promised.items():
            self.assertLessEqual(fields, said[command].keys(), command)
        for row in said["status"]["nodes"]:
            self.assertLessEqual({"address", "status", "state", "load_bytes", "tokens", "owns",
                                  "host_id", "dc", "rack"}, row.keys())
        self.assertEqual(len(said["status"]["nodes"]), 3)
        for row in said["repairstatus"]["ranges"]:
            self.assertLessEqual({"keyspace", "range", "replicas", "equal", "last_equal_ms",
                                  "proved_through_ms", "blocked_by"}, row.keys())
        self.assertGreater(len(said["repairstatus"]["ranges"]), 0)
        self.assertLessEqual({"comparisons", "entries_sent", "entries_received", "bytes_sent",
                              "data_bytes_read"}, said["netstats"]["repair"].keys())
        self.assertLessEqual({"bytes_read", "iter_bytes_read"},
                             said["netstats"]["engine"].keys())

    def test_what_makes_no_sense_is_refused_with_the_reason(self):
        self.assert_refused(self.attempt("--keyspace", "nowhere", "put", "k", "v"), "nowhere")
        self.assert_refused(self.attempt("keyspace", "create", "No!", "--replication", "simple:3"),
                            "No!")
        run = self.attempt("keyspace", "create", "", "--replication", "simple:3")
        self.assert_refused(run, "'' is not a keyspace name")
        self.assertNotIn(b"Request", run.stderr)
        self.assert_refused(self.attempt("keyspace", "create", "x", "--replication", "simple:0"),
                            "simple:0")
        self.assert_refused(self.attempt("--consistency", "MOST", "get", "k"), "MOST", "QUORUM")


class Ends(case.ClusterCase):
    def test_a_signal_drains_and_the_data_is_there_with_other_workers(self):
        nodes = self.start_cluster(name="drained", storage_reserve="0")
        info = nodes.node(1).nodetool("info")
        self.assertGreater(info["disk_free_bytes"], 0)
        self.assertEqual((info["block_cache_max_bytes"], info["memtables_max_bytes"]),
                         (32 << 20, 32 << 20))  # As cluster.py sets them.
        data = case.rows(500)
        case.load(nodes, data)
        for node in nodes.nodes:
            self.assertEqual(node.stop(), 0, node.log_text()[-1000:])
        nodes.settings["node.workers"] = 4 - case.WORKERS
        nodes.start()
        exported = nodes.starling("export", "--format", "jsonl").stdout
        self.assertEqual(case.difference(case.from_jsonl(exported), data), "")

    def test_a_single_seed_is_a_cluster_and_others_join_it(self):
        nodes = self.make_cluster(2, name="joined")
        first, second = nodes.nodes
        first.seeds = second.seeds = [f"{first.address}:{cluster.CLUSTER_PORT}"]
        first.start()
        nodes.wait_seen({first: "UN"}, 30, by=[first])
        first.alone("put", "early", "x")
        described = first.alone("keyspace", "describe", "default").stdout.decode()
        self.assertIn("simple:3", described)
        self.assertIn("1 replica of 3, since the cluster has 1 node", described)
        second.start()
        nodes.wait_whole()
        self.assertEqual(second.alone("get", "early").stdout, b"x")


if __name__ == "__main__":
    unittest.main()
