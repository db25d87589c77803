"""Goal:   a running cluster begins to seal its gossip, and changes its key, without losing a
        member; what would cut one off is refused by name; no key is shown, and its file is safe.
Method: three real nodes under load; nodetool keyring step by step; one node restarted in between.
"""

import json
import os
import socket
import stat
import threading
import unittest

import case
import cluster

QUICK = {"gossip.suspicion_timeout": "3s"}


class Load:
    """Writes through each node in turn until stop(); how many failed."""

    def __init__(self, nodes):
        self.failed = []
        self.done = 0
        self._nodes = nodes
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while not self._over.is_set():
            run = self._nodes.starling("put", f"key{self.done}", "v", check=False)
            if run.returncode != 0:
                self.failed.append(run.stderr.decode(errors="replace"))
            self.done += 1

    def stop(self):
        self._over.set()
        self._thread.join()


class Keyring(case.ClusterCase):
    def keyring(self, node, *words, stdin=b"", check=True):
        run = cluster.run_tool("nodetool", "-h", node.address, "--json", "keyring", *words,
                               stdin=stdin, check=check)
        return json.loads(run.stdout) if check else run

    def generate(self):
        made = json.loads(cluster.run_tool("nodetool", "--json", "keyring", "generate").stdout)
        return made["key"], made["id"]

    def key_file(self, nodes, key, mode=0o600):
        path = os.path.join(nodes.folder, "key")
        with open(path, "w", encoding="utf-8") as file:
            file.write(key + "\n")
        os.chmod(path, mode)
        return path

    def sealed_cluster(self):
        nodes = self.make_cluster(3)
        key, key_id = self.generate()
        nodes.settings.update({**QUICK, "security.gossip_key_file": self.key_file(nodes, key)})
        nodes.start()
        return nodes, key_id

    def assert_none_was_lost(self, nodes, since):
        """No log says since then that a node was suspected, or that packets could not be opened."""
        for node in nodes.nodes:
            text = node.log_text()[since[node.number]:]
            for word in ("suspect", "unreachable", " dead", "cannot be opened"):
                self.assertNotIn(word, text)

    def marks(self, nodes):
        return {node.number: len(node.log_text()) for node in nodes.nodes}

    def test_a_key_is_changed_under_load_and_a_restart_keeps_what_was_done(self):
        nodes, old_id = self.sealed_cluster()
        one, two, three = nodes.nodes
        load = Load(nodes)
        try:
            key, new_id = self.generate()
            since = self.marks(nodes)
            said = self.keyring(one, "add", "-", "--all", stdin=key.encode() + b"\n")
            self.assertEqual({row["id"]: len(row["installed_on"]) for row in said["keys"]},
                             {old_id: 3, new_id: 3})
            self.keyring(one, "use", new_id)
            self.assert_none_was_lost(nodes, since)

            # Node 2 still seals with the old key, and comes back with both.
            self.assertEqual(two.stop(), 0)
            nodes.wait_seen({two: "DN"}, 10, by=[one, three])
            refused = self.keyring(one, "use", new_id, "--all", check=False)
            self.assert_refused(refused, two.address, "--force")
            two.start()
            nodes.wait_whole()
            since = self.marks(nodes)
            self.keyring(three, "use", new_id, "--all")
            said = self.keyring(three, "remove", old_id, "--all")
            self.assertEqual([(row["id"], len(row["primary_on"])) for row in said["keys"]],
                             [(new_id, 3)])
            cluster.wait_for(lambda: load.done > 10, 30, "some writes")
            self.assert_none_was_lost(nodes, since)
            nodes.wait_whole()
        finally:
            load.stop()
        # What node 2 was sent and had not read when it was stopped has an unknown outcome, and the
        # client says so; it sends one at a time.
        unknown = [each for each in load.failed
                   if two.address in each and "the outcome is unknown" in each]
        self.assertLessEqual(len(unknown), 1)
        self.assertEqual([each for each in load.failed if each not in unknown], [])
        for node in nodes.nodes:
            self.assertNotIn(key, node.log_text())

    def test_a_plain_cluster_comes_to_require_seals(self):
        nodes = self.make_cluster(3)
        nodes.settings.update(QUICK)
        nodes.start()
        one, two, _ = nodes.nodes
        key, key_id = self.generate()
        since = self.marks(nodes)
        self.assert_refused(self.keyring(one, "require", "--all", check=False),
                            "no key is in use", one.address)
        self.keyring(one, "add", key)
        self.assert_refused(self.keyring(one, "use", key_id, check=False), "not installed on",
                            two.address)
        self.keyring(one, "add", key, "--all")
        self.keyring(one, "use", key_id, "--all", "--dry-run")
        self.assertEqual(self.keyring(one, "list")["keys"][0]["primary_on"], [])
        self.keyring(one, "use", key_id, "--all")
        said = self.keyring(two, "require", "--all")
        self.assertTrue(all(node["required"] for node in said["nodes"]))
        self.assert_none_was_lost(nodes, since)

        # A plain datagram is dropped, and told of once.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind((nodes.node(1).address, 0))
            for _ in range(100):
                stranger.sendto(b"\x01" + bytes(60), (one.address, cluster.CLUSTER_PORT))
        nodes.wait_whole()
        text = one.log_text()
        self.assertLessEqual(text.count("talks to us") + text.count("cannot be opened"), 2)

    def test_what_cuts_a_member_off_is_refused(self):
        nodes, key_id = self.sealed_cluster()
        one, two, three = nodes.nodes
        # What it says to do is what helps, and force does not.
        for options in ((), ("--force",), ("--all",), ("--all", "--force")):
            refused = self.keyring(one, "remove", key_id, *options, check=False)
            self.assert_refused(refused, f"in use on {one.address}", "first `keyring add`",
                                "--force or not")
            self.assertEqual(two.address.encode() in refused.stderr, "--all" in options)
        second, second_id = self.generate()
        self.keyring(one, "add", second, "--all")
        self.assert_refused(self.keyring(one, "remove", key_id, "--all", check=False),
                            f"first `keyring use {second_id}` with --all")
        self.keyring(one, "use", second_id)
        self.assert_refused(self.keyring(one, "remove", key_id, check=False), "in use on",
                            two.address, three.address, "--force does it all the same")
        self.keyring(one, "use", key_id)
        self.keyring(one, "remove", second_id, "--all")
        self.assert_refused(self.keyring(one, "use", "12345678", check=False), "12345678",
                            "installed on no member")
        self.assert_refused(self.keyring(one, "use", "nonsense", check=False), "no key id")
        self.assert_refused(self.keyring(one, "add", "c2hvcnQ=", check=False), "32 bytes")
        three.kill()
        key, _ = self.generate()
        run = self.keyring(one, "add", key, "--all", check=False)
        self.assert_refused(run, "not done on", three.address)
        self.assertEqual(len(json.loads(run.stdout)["nodes"]), 3)

    def test_a_node_whose_key_the_others_removed_says_so_itself(self):
        nodes, old_id = self.sealed_cluster()
        one, two, three = nodes.nodes
        key, new_id = self.generate()
        self.keyring(one, "add", key, "--all")
        for node in (one, two):
            self.keyring(node, "use", new_id)
        for node in (one, two):
            self.keyring(node, "remove", old_id, "--force")

        def says():
            return three.log_text().count("answers nothing")

        cluster.wait_for(lambda: says() > 0, 30, "node 3 to say that nobody answers")
        line = next(each for each in three.log_text().splitlines() if "answers nothing" in each)
        for words in (old_id, "not installed there", "nodetool keyring use"):
            self.assertIn(words, line)
        self.assertGreater(three.nodetool("failuredetector")["unanswered_streams"], 4)
        self.assertEqual(one.nodetool("failuredetector")["unanswered_streams"], 0)
        self.assertNotIn("answers nothing", one.log_text() + two.log_text())
        # As it says.
        self.keyring(three, "use", new_id)
        nodes.wait_whole()
        cluster.wait_for(lambda: three.nodetool("failuredetector")["unanswered_streams"] == 0, 30,
                         "node 3 to be answered")
        self.assertEqual(says(), 1)

    def test_a_node_with_another_key_or_none_does_not_get_in(self):
        nodes, _ = self.sealed_cluster()
        one, _, three = nodes.nodes
        self.assertEqual(three.stop(), 0)
        keyring = os.path.join(three.data, "gossip-keyring")
        self.assertEqual(stat.S_IMODE(os.stat(keyring).st_mode), 0o600)
        os.remove(keyring)
        other, _ = self.generate()
        path = os.path.join(nodes.folder, "other")
        with open(path, "w", encoding="utf-8") as file:
            file.write(other)
        os.chmod(path, 0o600)
        three.start({"security.gossip_key_file": path})
        cluster.wait_for(lambda: "is not installed here" in one.log_text(), 20, "the log to say so")
        self.assertEqual(one.sees()[three.address], "DN")

    def test_a_newcomer_without_the_key_is_not_admitted_and_one_with_it_is(self):
        nodes, _ = self.sealed_cluster()
        newcomer = cluster.Node(nodes, 4)
        newcomer.seeds = [f"{nodes.node(1).address}:{cluster.CLUSTER_PORT}"]
        run = newcomer.run_to_end({"security.gossip_key_file": ""})
        self.assert_one_line(run, "starlingd", "has no key", "security.gossip_key_file")
        other, other_id = self.generate()
        path = os.path.join(nodes.folder, "other")
        with open(path, "w", encoding="utf-8") as file:
            file.write(other)
        os.chmod(path, 0o600)
        run = newcomer.run_to_end({"security.gossip_key_file": path})
        self.assert_one_line(run, "starlingd", other_id, "not installed")
        self.assertEqual(len(nodes.node(1).sees()), 3)
        os.remove(os.path.join(newcomer.data, "gossip-keyring"))
        nodes.nodes.append(newcomer)
        newcomer.start()
        nodes.wait_whole(40)

    def test_key_files_that_cannot_be_used_are_named(self):
        nodes = self.make_cluster(1)
        key, _ = self.generate()
        node = nodes.node(1)
        for content, mode, words in ((key, 0o644, ("open to every user", "chmod 600")),
                                     ("nonsense!", 0o600, ("32 bytes in base64",))):
            path = self.key_file(nodes, content, mode)
            run = node.run_to_end({"security.gossip_key_file": path})
            self.assert_one_line(run, "starlingd", path, "security.gossip_key_file", *words)
        run = node.run_to_end({"security.gossip_key_file": "/nowhere/key"})
        self.assert_one_line(run, "starlingd", "/nowhere/key does not exist")


if __name__ == "__main__":
    unittest.main()
