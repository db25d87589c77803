"""Goal:   a program whose output can't be written says so, and ends with status 2.
Method: stdout is /dev/full, of each program, for little output and for much.
"""

import os
import subprocess
import unittest

import case
import cluster


class FullOutput(case.SharedClusterCase):
    def assert_told(self, program, *arguments, words=("output cannot be written", "No space left")):
        with open("/dev/full", "wb") as full, self.subTest(" ".join([program, *arguments])):
            run = subprocess.run([cluster.program(program), *arguments], check=False, timeout=60,
                                 stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE)
            said = run.stderr.decode(errors="replace").splitlines()
            self.assertEqual(run.returncode, 2, said)
            for word in words:
                self.assertIn(word, said[-1])
            # Once: what went before is progress.
            self.assertEqual(sum(words[0] in line for line in said), 1, said)

    @unittest.skipUnless(os.path.exists("/dev/full"), "this system has no /dev/full")
    def test_every_program_says_that_it_can_not_print(self):
        for flag in ("--help", "--version", "--print-config"):
            self.assert_told("starlingd", flag)
        for program in ("starling", "nodetool", "starling-stress", "gossip-sim"):
            self.assert_told(program, "--help")
        self.assert_told("gossip-sim", "rumor", "--nodes", "50")
        self.assert_told("gossip-sim", "rumor", "--nodes", "5000", "--fanout", "1", "--variant",
                         "blind-coin", "--counter", "100")
        self.starling("put", "key", "v" * 100_000)
        hosts = ["--hosts", self.cluster.hosts]
        for command in ("get key", "export", "ping", "keyspace list", "put other value"):
            self.assert_told("starling", *hosts, *command.split())
        self.assert_told("starling", *hosts, "--json", "get", "key",
                         words=('{"error":{"code":"Io"',))
        for command in ("status", "info", "ring"):
            self.assert_told("nodetool", "-h", self.cluster.node(1).address, command)
        self.assert_told("starling-stress", "run", *hosts, "--operations", "100", "--records", "10")


if __name__ == "__main__":
    unittest.main()
