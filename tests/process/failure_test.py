"""Goal:   a killed node is seen as down within 3 s, as up within 10 s of its restart, all ranges
        are equal within 15 s of it, and then it has every acknowledged write by itself.
Method: kill -9, write and delete meanwhile, restart, measure; then stop the two others by SIGSTOP
        and export from it at ONE. Times on a busy machine vary: one of three rounds must keep all
        three limits, and every round must end with the right data.
"""

import unittest

import case
import cluster

ROWS = 20_000
SECONDS_MAX = {"seen as down": 3, "seen as up": 10, "all equal": 15}
ROUNDS_MAX = 3


class NodeKilled(case.ClusterCase):
    def one_round(self, nodes, victim, expected, generation):
        """Kills and restarts `victim`; the seconds that each thing took."""
        others = [node for node in nodes.nodes if node is not victim]
        took = {}
        victim.kill()
        took["seen as down"] = nodes.wait_seen({victim: "DN"}, 30, by=others)

        overwritten = case.rows(2000, generation=generation)
        fresh = case.rows(500, prefix=f"new{generation}-")
        case.load(nodes, {**overwritten, **fresh})
        expected.update(overwritten)
        expected.update(fresh)
        for number in range(20):
            key = f"key{ROWS - 1 - generation * 100 - number:07d}"
            nodes.starling("delete", key)
            del expected[key]

        restarted_ms = cluster.wall_ms()
        victim.start()
        took["seen as up"] = nodes.wait_whole(60)
        took["all equal"] = nodes.wait_equal(restarted_ms, 60) + took["seen as up"]
        self.check_alone(nodes, victim, expected)
        return took

    def test_a_killed_node_is_missed_and_comes_back_whole(self):
        nodes = self.start_cluster()
        expected = case.rows(ROWS)
        case.load(nodes, expected)
        rounds = []
        for generation in range(1, ROUNDS_MAX + 1):
            victim = nodes.nodes[-generation]
            took = self.one_round(nodes, victim, expected, generation)
            rounds.append({what: f"{seconds:.1f} s" for what, seconds in took.items()})
            print(f"node {victim.number}: {rounds[-1]}", flush=True)
            if all(took[what] <= limit for what, limit in SECONDS_MAX.items()):
                return
        self.fail(f"no round kept the limits {SECONDS_MAX} s: {rounds}")

    def test_why_does_not_wait_for_a_replica_that_hangs(self):
        nodes = self.start_cluster()
        first, second, third = nodes.nodes
        nodes.starling("--consistency", "ALL", "put", "asked", "value")
        third.pause()
        try:
            for seen_as in ("UN", "DN"):  # At once, and when it is known to be down.
                if seen_as == "DN":
                    nodes.wait_seen({third: seen_as}, 30, by=[first, second])
                rows = {row["address"]: row
                        for row in first.nodetool("why", "default", "asked")["replicas"]}
                self.assertEqual(len(rows), 3)
                for node in (first, second):
                    self.assertIn("version", rows[node.address])
                self.assertIn("error", rows[third.address])
        finally:
            third.go_on()


if __name__ == "__main__":
    unittest.main()
