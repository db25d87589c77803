"""Goal:   an import goes on with the nodes that are left, and counts truly what became of each
        line, also when it is interrupted.
Method: feed an import through a pipe; in the midst of it kill -9 or stop one of three nodes, or
        send the import a signal.
"""

import json
import signal
import subprocess
import unittest

import case
import cluster

ROWS = 20_000
VALUE_BYTES = 300  # The pipe holds back most of what is written second, until it is read.


class ImportGoesOn(case.ClusterCase):
    def begin_import(self, nodes, *options):
        command = [cluster.program("starling"), "--hosts", nodes.hosts, *options, "import", "-"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def check_import(self, harm):
        nodes = self.start_cluster()
        data = case.rows(ROWS, value_bytes=VALUE_BYTES)
        lines = case.to_jsonl(data)
        half = lines.index(b"\n", len(lines) // 2) + 1
        process = self.begin_import(nodes, "--json")
        process.stdin.write(lines[:half])
        process.stdin.flush()
        self.assertIsNone(process.poll())
        harm(nodes.node(2))
        output, errors = process.communicate(lines[half:], timeout=90)
        report = json.loads(output)
        self.assertFalse(report["gave_up"], errors)
        self.assertEqual(report["lines"], ROWS)
        self.assertEqual(report["imported"] + report["failed"] + report["unknown"], ROWS)
        self.assertEqual(report["failed"], 0, report)
        # What was under way to one node, at most.
        self.assertLessEqual(report["unknown"], 512, report)
        self.assertEqual(process.returncode, 2 if report["unknown"] else 0, errors)
        found = case.from_jsonl(nodes.node(1).alone("export", seconds=120).stdout)
        self.assertGreaterEqual(len(found), report["imported"])
        self.assertEqual({key: value for key, value in found.items() if data[key] != value}, {})

    def test_a_node_that_is_killed_takes_no_more_with_it_than_was_under_way(self):
        self.check_import(lambda node: node.kill())

    def test_a_node_that_is_told_to_stop_takes_no_more_with_it_than_was_under_way(self):
        self.check_import(lambda node: node.stop())

    def test_an_interrupt_ends_it_with_its_counts(self):
        nodes = self.start_cluster()
        for number in (signal.SIGINT, signal.SIGTERM):
            data = case.rows(1000, prefix=f"{number.name}-")
            process = self.begin_import(nodes)
            # The last line is cut short, and must not be stored as if it were whole.
            process.stdin.write(case.to_jsonl(data) + b'{"key":"half')
            process.stdin.flush()
            cluster.wait_for(
                lambda: nodes.starling("exists", max(data), check=False).returncode == 0, 20,
                "the import to wait for more")
            process.send_signal(number)
            self.assertEqual(process.wait(20), 128 + number)
            errors = process.stderr.read().decode()
            self.assertEqual(errors, "starling: interrupted: 1000 imported, 0 failed, the rest of "
                                     "standard input was not read\n")
            self.assertIn(b"1000 imported", process.stdout.read())
            process.stdin.close()
            process.stdin = None  # Or the clean-up flushes it.


if __name__ == "__main__":
    unittest.main()
