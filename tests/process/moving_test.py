"""Goal:   a node that is started on its data directory at another address is the same member: found
        by the others and by clients, with its hints, its data and its name in every tool; and a
        copy of its directory, or another node at its old address, is not taken for it.
Method: real nodes at other 127.77.T.* addresses and other ports; two that change places; a copied
        directory; a newcomer and another cluster's node where the moved one was.
"""

import shutil
import unittest

import case
import cluster

ROWS = 2_000
ELSEWHERE = 100  # Added to a node's number: its other address.


def move(node, number=None, ports=None):
    """Where the node starts next."""
    node.address = f"127.77.{node.cluster.block}.{number or node.number + ELSEWHERE}"
    ports = ports or {}
    node.client = f"{node.address}:{ports.get('client', cluster.CLIENT_PORT)}"


class Moving(case.ClusterCase):
    def addresses(self, node):
        """host id -> address, as a node sees the cluster."""
        return {one["host_id"]: one["address"].split(":")[0]
                for one in node.nodetool("status")["nodes"]}

    def host_id(self, node):
        return node.nodetool("info")["host_id"]

    def wait_noted(self, nodes, epoch):
        cluster.wait_for(
            lambda: all(node.nodetool("describecluster")["epoch"] >= epoch for node in nodes.nodes),
            30, f"epoch {epoch} on all nodes")

    def test_a_member_comes_back_elsewhere_as_what_it_was(self):
        nodes = self.start_cluster()
        expected = case.rows(ROWS)
        case.load(nodes, expected)
        moved, old = nodes.node(2), nodes.node(2).address
        before = self.addresses(nodes.node(1))
        self.assertEqual(moved.stop(), 0)
        # Of these it gets hints, under its name, not its address.
        meanwhile = case.rows(200, prefix="meanwhile")
        nodes.node(1).alone("import", "-", "--format", "jsonl", stdin=case.to_jsonl(meanwhile))
        expected.update(meanwhile)
        started_ms = cluster.wall_ms()
        seeds = [f"{node.address}:{cluster.CLUSTER_PORT}" for node in nodes.nodes]
        move(moved)
        for node in nodes.nodes:
            node.seeds = seeds  # The old ones: nobody has to know of it first.
        moved.start()
        nodes.wait_whole(30)
        self.wait_noted(nodes, 2)
        after = self.addresses(nodes.node(3))
        self.assertEqual(set(before), set(after))
        host = next(host for host, address in before.items() if address == old)
        self.assertEqual(after[host], moved.address)
        self.assertNotIn(old, after.values())
        nodes.wait_equal(started_ms, 60)
        self.check_alone(nodes, moved, expected)

        # A client that knows one of the others alone is sent there.
        run = cluster.run_tool("starling", "--hosts", nodes.node(1).client, "--consistency", "ALL",
                               "import", "-", "--format", "jsonl",
                               stdin=case.to_jsonl(case.rows(200, prefix="later")))
        self.assertEqual(run.returncode, 0)
        expected.update(case.rows(200, prefix="later"))
        endpoints = nodes.node(1).nodetool("getendpoints", "default", "key0000001")
        self.assertIn(moved.address, str(endpoints))
        self.assertNotIn(old, str(endpoints))
        # What it has seen is no dispute about who it is.
        self.assertNotIn("has our identity", "".join(node.log_text() for node in nodes.nodes))

        # It stays there, and the others find it after starts of their own.
        for node in (nodes.node(1), moved):
            self.assertEqual(node.stop(), 0)
            node.start()
            nodes.wait_whole(30)
        self.check_alone(nodes, moved, expected)

    def test_other_ports_are_noted_and_clients_go_there(self):
        nodes = self.start_cluster()
        case.load(nodes, case.rows(100))
        moved = nodes.node(3)
        self.assertEqual(moved.stop(), 0)
        moved.start({"ports.cluster": 7710, "ports.client": 7711, "ports.resp": 7712})
        rest = nodes.nodes[:2]
        nodes.wait_seen({moved: "UN"}, 30, by=rest)
        client = f"{moved.address}:7711"
        cluster.wait_for(
            lambda: all(node.nodetool("describecluster")["epoch"] >= 2 for node in rest), 30,
            "epoch 2")
        run = cluster.run_tool("starling", "--no-routing", "--hosts", client, "--consistency",
                               "ALL", "get", "key0000001")
        self.assertTrue(run.stdout)
        run = cluster.run_tool("starling", "--hosts", nodes.node(1).client, "--consistency", "ALL",
                               "import", "-", "--format", "jsonl",
                               stdin=case.to_jsonl(case.rows(500, prefix="later")))
        self.assertEqual(run.returncode, 0)

    def test_members_change_places(self):
        nodes = self.start_cluster()
        expected = case.rows(ROWS)
        case.load(nodes, expected)
        first, second = nodes.node(1), nodes.node(2)
        before = self.addresses(nodes.node(3))
        for node in (first, second):
            self.assertEqual(node.stop(), 0)
        move(first, 2)
        move(second, 1)
        started_ms = cluster.wall_ms()
        first.start()
        second.start()
        nodes.wait_whole(40)
        self.wait_noted(nodes, 2)  # One note is right for both.
        after = self.addresses(nodes.node(3))
        swapped = {first.address: second.address, second.address: first.address}
        self.assertEqual(after, {host: swapped.get(address, address)
                                 for host, address in before.items()})
        nodes.wait_equal(started_ms, 60)
        self.check_alone(nodes, first, expected)
        self.check_alone(nodes, second, expected)

    def test_all_members_move_at_once(self):
        nodes = self.start_cluster()
        expected = case.rows(ROWS)
        case.load(nodes, expected)
        for node in nodes.nodes:
            self.assertEqual(node.stop(), 0)
        for node in nodes.nodes:
            move(node)
        for node in nodes.nodes:
            node.start()  # With seeds that say where they are now.
        nodes.wait_whole(40)
        self.wait_noted(nodes, 4)
        self.check_alone(nodes, nodes.node(2), expected)

    def test_a_copy_is_refused_while_its_original_runs(self):
        nodes = self.make_cluster(4)
        first, second, third, copy = nodes.nodes
        nodes.nodes = [first, second, third]
        nodes.start()
        case.load(nodes, case.rows(100))
        second.kill()
        shutil.copytree(second.data, copy.data)
        second.start()
        nodes.wait_whole(30)
        refused = copy.run_to_end()
        self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertIn(f"is alive at {second.address}", refused.stderr)
        self.assertEqual(nodes.node(1).nodetool("describecluster")["epoch"], 1)
        nodes.wait_whole(10)

        # With the original stopped it is a move like any other, and then the original is the copy.
        self.assertEqual(second.stop(), 0)
        shutil.rmtree(copy.data)
        shutil.copytree(second.data, copy.data)
        copy.start()
        nodes.nodes = [first, third, copy]
        nodes.wait_whole(30)
        self.wait_noted(nodes, 2)
        refused = second.run_to_end()
        self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertIn(f"is alive at {copy.address}", refused.stderr)
        nodes.wait_whole(30)
        nodes.nodes = [first, second, third, copy]  # For the logs, and to be closed.

    def test_the_old_address_is_free_for_another_node(self):
        nodes = self.make_cluster(4)
        first, second, third, newcomer = nodes.nodes
        nodes.nodes = [first, second, third]
        nodes.start()
        expected = case.rows(ROWS)
        case.load(nodes, expected)
        old = second.address
        seeds = [f"{node.address}:{cluster.CLUSTER_PORT}" for node in (first, third)]
        self.assertEqual(second.stop(), 0)
        move(second)
        second.start()
        nodes.wait_whole(30)
        self.wait_noted(nodes, 2)
        newcomer.address, newcomer.client = old, f"{old}:{cluster.CLIENT_PORT}"
        newcomer.seeds = seeds
        newcomer.start()
        nodes.nodes = [first, second, third, newcomer]
        nodes.wait_whole(60)
        self.assertEqual(len(self.addresses(first)), 4)
        self.assertNotEqual(self.host_id(newcomer), self.host_id(second))
        nodes.starling("--consistency", "ALL", "import", "-", "--format", "jsonl",
                       stdin=case.to_jsonl(case.rows(500, prefix="later")))

    def test_seeds_that_lead_elsewhere_matter_only_if_nobody_is_met(self):
        nodes = self.start_cluster()
        case.load(nodes, case.rows(100))
        moved, old = nodes.node(3), nodes.node(3).address
        self.assertEqual(moved.stop(), 0)
        others = self.make_cluster(1, name="others")
        stranger = others.node(1)
        stranger.address, stranger.client = old, f"{old}:{cluster.CLIENT_PORT}"
        others.start()
        # Its own old address is among its seeds, and another cluster's there now.
        moved.seeds = [f"{old}:{cluster.CLUSTER_PORT}"]
        move(moved)
        moved.start()
        nodes.wait_whole(30)
        self.wait_noted(nodes, 2)
        self.assertEqual(stranger.sees(), {old: "UN"})

        for node in nodes.nodes:
            self.assertEqual(node.stop(), 0)
        alone = nodes.node(1)
        alone.seeds = [f"127.77.{nodes.block}.200:{cluster.CLUSTER_PORT}"]
        move(alone)
        alone.start()
        cluster.wait_for(lambda: "no other member answers" in alone.log_text(), 30,
                         "the node to say that nobody answers")
        self.assertIn(f"127.77.{nodes.block}.200", alone.log_text())
        self.assertTrue(alone.running)
        alone.seeds = None
        # It was right to go on: who starts now finds it by seeds that know it.
        for node in nodes.nodes[1:]:
            node.start()
        nodes.wait_whole(40)


if __name__ == "__main__":
    unittest.main()
