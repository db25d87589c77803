"""Goal:   each planted mistake of comparisons and proofs is caught by the test made for it.
Method: run that test alone, without any mistake and then with its own (STARLING_MUTANT).
"""

import os
import pathlib
import re
import subprocess
import sys
import unittest

PROGRAMS = pathlib.Path(sys.argv.pop(1))
NAMES = pathlib.Path(__file__).parents[2] / "base" / "mutants.h"
LIMIT_S = 120

# By mistake: a program, and a test case of it that catches it.
CAUGHT_BY = {
    "repair-cut-is-now":
        ("test_sim", "under load, comparisons of equal replicas descend nowhere, and *"),
    "repair-cut-keeps-replaced":
        ("test_merkle", "law: a leaf is what it would be had only the writes up to the cut *"),
    "repair-far-stamps-wait":
        ("test_sim", "a stamp far in the future is compared as soon as it comes"),
    "repair-sends-under-way":
        ("test_server", "what is under way is in no part, but a stamp far ahead is"),
    "repair-part-passed-over":
        ("test_server", "law: entries sent are those missing or older here, however many, *"),
    "repair-damage-served":
        ("test_sim_input", "a damaged value is not answered, but another replica's"),
    "repair-damage-left":
        ("test_sim_input",
         "a scrub finds what is damaged, and the node has it from the others again"),
    "repair-marks-outlive-loss":
        ("test_server", "purge's marks go with a loss, and its counts are *"),
    "repair-anew-sees-commits-only":
        ("test_server",
         "law: whatever is written and whenever it crashes, a made tree is that of the entries"),
    "repair-anew-stays-at-damage":
        ("test_server",
         "a slice that cannot be read holds up no other, and is made once it can be"),
    "repair-anew-forgets-cuts":
        ("test_server", "law: a made tree is as of every cut what one is that was never unmade"),
    "repair-anew-compared":
        ("test_server", "a tree that is being made anew is told to nobody, and then it is"),
    "repair-journal-reused-early":
        ("test_merkle", "a slot is used again only once the pages of its record are put"),
    "repair-journal-forgotten-early":
        ("test_merkle", "law: what is stored after any turn is the tree"),
    "repair-pieces-mixed":
        ("test_server", "pieces of two versions are never put together"),
    "repair-broken-value-forgotten":
        ("test_server", "a transfer that breaks off goes on from the piece it had"),
    "repair-fresh-out-of-order":
        ("test_server", "law: whatever the order, no key that was written counts as fresh"),
    "repair-adopts-early":
        ("test_server",
         "whenever it crashes, no mark is on the disk without what was pulled below it"),
    "repair-run-covers-newer":
        ("test_server", "law: beside whatever writes, and whenever it crashes, runs enter *"),
    "repair-run-beside-writes":
        ("test_server", "law: beside whatever writes, and whenever it crashes, runs enter *"),
    "repair-run-crash-unnoticed":
        ("test_server", "law: beside whatever writes, and whenever it crashes, runs enter *"),
    "repair-run-unsynced":
        ("test_server", "law: beside whatever writes, and whenever it crashes, runs enter *"),
    "repair-run-proved-early":
        ("test_server", "a bucket is not proved while a run of it becomes tables, and then it is"),
    "repair-proof-by-two":
        ("test_sim", "while one replica of three lacks a write, no proof comprises it"),
}


def fails(program, test, mutant):
    environment = dict(os.environ, STARLING_MUTANT=mutant)
    # doctest splits its filters at commas.
    done = subprocess.run([PROGRAMS / program, "--test-case=" + test.replace(",", "?")],
                          check=False, capture_output=True, text=True, env=environment,
                          timeout=LIMIT_S)
    # A pattern that fits no case would pass.
    return done.returncode != 0 or " 1 passed" not in done.stdout


class Mutants(unittest.TestCase):
    def test_every_planted_mistake_has_its_test(self):
        named = set(re.findall(r'{"(repair-[a-z-]+)"', NAMES.read_text(encoding="utf-8")))
        self.assertEqual(named - {"repair-superseded-ok"}, set(CAUGHT_BY))

    def test_a_test_passes_without_its_mistake_and_catches_it(self):
        for mutant, (program, test) in CAUGHT_BY.items():
            with self.subTest(mutant):
                self.assertFalse(fails(program, test, ""), "fails without any mistake")
                self.assertTrue(fails(program, test, mutant), "does not catch it")


unittest.main()
