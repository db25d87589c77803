"""Goal:   kill -9 of all three nodes under load loses no acknowledged write, and no read, before or
        after, tells of what can't have been.
Method: `starling-stress run --check --history FILE` goes on over the kill and the restart; once it
        succeeds again it is stopped, and `verify` reads back every record; and again at the end,
        when its data has been through the kills of the later rounds. Durability is group and
        periodic by turns, in three rounds, or as many as STARLING_KILL_ROUNDS says. Each has a
        keyspace of its own: a write of unknown outcome may take effect long after, and a history
        knows only those of its own round.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import unittest

import case
import cluster

ROUNDS = int(os.environ.get("STARLING_KILL_ROUNDS", "3"))
DURABILITIES = ("group", "periodic")
RECORDS = 3000
LOAD = ("--workload", "mixed:40", "--records", str(RECORDS), "--value-size", "100",
        "--connections", "12", "--in-flight", "8", "--timeout", "3s", "--duration", "10m",
        "--check")
# Acknowledged writes before the kill, drawn; and after the restart, so that the load goes on.
BEFORE = (500, 4000)
AFTER = 500


class Load:
    """starling-stress at work, and what its history says so far."""

    def __init__(self, nodes, name):
        nodes.starling("keyspace", "create", name, "--replication", "simple:3")
        self.history = os.path.join(nodes.folder, f"{name}.history")
        self.report = os.path.join(nodes.folder, f"{name}.json")
        self.output = os.path.join(nodes.folder, f"{name}.out")
        with open(self.output, "wb") as output:
            self.process = cluster.spawn(
                [cluster.program("starling-stress"), "run", "--hosts", nodes.hosts, *LOAD,
                 "--keyspace", name, "--history", self.history, "--json", self.report], output)

    def acknowledged(self):
        """How many writes were, as flushed to the history: once a second."""
        if not os.path.exists(self.history):
            return 0
        with open(self.history, encoding="utf-8") as file:
            return sum(fields[2] in ("put", "del") and fields[3] == "ok"
                       for fields in (line.split("\t") for line in file) if len(fields) == 7)

    def wait_acknowledged(self, count, seconds):
        def enough():
            if self.process.poll() is not None:
                raise cluster.Failure(f"the load ended with {self.process.returncode}: "
                                      f"{self.output_text()[-2000:]}")
            return self.acknowledged() >= count

        cluster.wait_for(enough, seconds, f"{count} acknowledged writes")

    def end(self, seconds=30):
        """SIGINT; the exit status."""
        self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise cluster.Failure(f"the load did not end within {seconds} s of SIGINT") from None

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def output_text(self):
        with open(self.output, encoding="utf-8", errors="replace") as file:
            return file.read()


class AllKilled(case.ClusterCase):
    def restart(self, nodes, durability):
        """Kills all, as nearly at once as may be, and starts them again; the seconds to whole."""
        for node in nodes.nodes:
            node.process.kill()
        for node in nodes.nodes:
            node.process.wait()
        for node in nodes.nodes:
            node.start({"storage.durability": durability})
        return nodes.wait_whole(60)

    def one_round(self, nodes, number, durability):
        load = Load(nodes, f"round{number}")
        self.addCleanup(load.kill)
        load.wait_acknowledged(random.randint(*BEFORE), 60)
        whole_after = self.restart(nodes, durability)
        load.wait_acknowledged(load.acknowledged() + AFTER, 60)
        status = load.end()
        self.assertEqual(status, 0, load.output_text()[-3000:])

        with open(load.report, encoding="utf-8") as file:
            report = json.load(file)
        check = report["check"]
        self.assertGreater(check["reads"], 0)
        self.assertGreater(sum(report["errors"].values()), 0, "nobody noticed the kill")
        said = self.verify(nodes, load.history)
        print(f"round {number}: {load.acknowledged()} writes acknowledged, {check['reads']} reads "
              f"judged, errors {report['errors']}, whole {whole_after:.1f} s after the kill; "
              f"{said.splitlines()[0]}", flush=True)
        return load.history

    def verify(self, nodes, history):
        verified = cluster.run_tool("starling-stress", "verify", "--hosts", nodes.hosts,
                                    "--history", history, seconds=120, check=False)
        said = verified.stdout.decode() + verified.stderr.decode()
        if verified.returncode != 0:
            said += f"; the history is in {self.keep(history)}"
        self.assertEqual(verified.returncode, 0, said)
        self.assertIn("0 lost, 0 stale, 0 resurrected, 0 phantom", said)
        return said

    def keep(self, history):
        """Out of the folder that ends with the test."""
        kept = os.path.join(tempfile.gettempdir(),
                            f"starling-{os.getpid()}-{os.path.basename(history)}")
        shutil.move(history, kept)
        return kept

    def test_no_acknowledged_write_is_lost(self):
        nodes = self.start_cluster()
        histories = []
        for number in range(1, ROUNDS + 1):
            durability = DURABILITIES[number % len(DURABILITIES)]
            histories.append(self.one_round(nodes, number, durability))
        for history in histories:
            self.verify(nodes, history)


if __name__ == "__main__":
    unittest.main()
