"""Goal:   each planted mistake of gossip is caught by the test that is there for it.
Method: run that test alone, without any mistake and then with its own (STARLING_MUTANT).
"""

import os
import pathlib
import re
import subprocess
import sys
import unittest

PROGRAM = sys.argv.pop(1)
NAMES = pathlib.Path(__file__).parents[2] / "base" / "mutants.h"
LIMIT_S = 120

# By mistake: a test case that catches it.
CAUGHT_BY = {
    "gossip-no-refutation": "an accusation of this node is refuted with a higher incarnation",
    "gossip-left-revived": "who has left is not revived by its own generation, whoever says so",
    "gossip-stale-taken": "only a higher incarnation refutes a suspicion",
    "gossip-sync-believed": "a sync that accuses a live member is to be asked about, not believed",
    "gossip-one-accuser": "nobody is dead of fewer than three accusers, however long it takes",
    "gossip-one-rack": "three accusers of one rack are not enough while another has witnesses",
    "gossip-strangers-heard": "F5: whom a stranger's datagram speaks of is no member, *",
    "gossip-no-vouch": "who answers this node's ping while on trial is not declared dead by it",
    "gossip-sleeper-accuses": "a process that was asleep fails none of its probes",
    "gossip-any-ack": "other packets of the probed member are no answer: they may be old",
    "gossip-dead-uncalled": "one of the dead is greeted every 5 s, told what is believed of it *",
    "gossip-few-sends": "the limit is N-1 in a small cluster and 4 a decade in a large one",
    "gossip-stream-only-kept": "a datagram's answer ends it, however late it was",
    "gossip-stream-unasked": "F8: with its datagrams blocked a member stays alive, is shown so, *",
    "gossip-both-yield": "who answers this node's words from another address thrice in 10 s is *",
    "gossip-nonce-repeats":
        "no nonce comes twice: not in a process, nor after a restart, nor on another node",
    "gossip-seal-unchecked": "F20: with a key, plain and broken packets change nothing, *",
    "gossip-primary-only": "F19: a key is changed node by node at 5 % loss, and nobody is *",
    "gossip-large-reply": "F5: a datagram gives at most one in reply, and that is not larger",
    "gossip-no-goodbye": "a goodbye goes at once to as many as news would, eight at least, *",
}


def fails(test, mutant):
    environment = dict(os.environ, STARLING_MUTANT=mutant)
    # doctest splits its filters at commas.
    done = subprocess.run([PROGRAM, "--test-case=" + test.replace(",", "?")], check=False,
                          capture_output=True, text=True, env=environment, timeout=LIMIT_S)
    return done.returncode != 0


class Mutants(unittest.TestCase):
    def test_every_planted_mistake_has_its_test(self):
        named = set(re.findall(r'{"(gossip-[a-z-]+)"', NAMES.read_text(encoding="utf-8")))
        self.assertEqual(named, set(CAUGHT_BY))

    def test_a_test_passes_without_its_mistake_and_catches_it(self):
        for mutant, test in CAUGHT_BY.items():
            with self.subTest(mutant):
                self.assertFalse(fails(test, ""), "fails without any mistake")
                self.assertTrue(fails(test, mutant), "does not catch it")


unittest.main()
