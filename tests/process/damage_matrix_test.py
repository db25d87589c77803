"""Goal:   whatever happens to any file of a data directory, the node says so and has all again, or
        nothing is lost; and no wrong value is ever answered.
Method: every kind of file, cut, flipped at its start, in its middle and at its end, deleted, and
        replaced by an older copy; each part of a table flipped. Node 3 is killed and hurt so, and
        must come back with all; meanwhile everything is read at QUORUM. A few of these; all with
        STARLING_DAMAGES=all, or those whose names begin with what it says.
"""

import os
import shutil
import unittest

import damages
from damages import beginning, cut, files, flip, flip_part, largest, log_of

ASKED = os.environ.get("STARLING_DAMAGES", "")
FEW = ("current deleted", "options cut", "table: filter flipped")


def older(path):
    """As it was in the copy that was made while the node ran; gone if it is newer."""
    copy = os.path.join(os.path.dirname(path) + ".copy", os.path.basename(path))
    if os.path.exists(copy):
        shutil.copy(copy, path)
    else:
        os.remove(path)


ACTIONS = {
    "cut": lambda path: cut(path, 0.5),
    "emptied": lambda path: cut(path, 0),
    "flipped at the start": lambda path: flip(path, 0),
    "flipped in the middle": lambda path: flip(path, 0.5),
    "flipped at the end": lambda path: flip(path, 1),
    "deleted": os.remove,
    "older": older,
}
# Which file, and the words of the log that name what happened to it; None: nothing is lost.
KINDS = {
    "log": (log_of, ["lost"]),
    "table": (lambda data: largest(files(data, ".sst")), ["taken out"]),
    "manifest": (lambda data: beginning(data, "MANIFEST-"), ["MANIFEST"]),
    "current": (lambda data: os.path.join(data, "CURRENT"), ["CURRENT"]),
    "options": (lambda data: beginning(data, "OPTIONS-"), None),
    "identity": (lambda data: os.path.join(data, "IDENTITY"), None),
    "guard": (lambda data: os.path.join(data, "guard"), None),
}
PARTS = ("data", "index", "filter", "properties", "metaindex", "footer")


def exceptions(name, words):
    """Where a kind's words are not those of one of its cases."""
    return {
        "table older": None,  # A table never changes: that is the same one.
        "current older": None,  # Nor does this in one life.
        "manifest cut": [],  # RocksDB misses a log then.
        "manifest emptied": [],
        "manifest older": ["MANIFEST is an older one"],
    }.get(name, words)


def matrix():
    """By name: what is done to a data directory, and the words that name it."""
    found = {}
    for kind, (path_in, words) in KINDS.items():
        for action, act in ACTIONS.items():
            name = f"{kind} {action}"
            found[name] = (lambda data, act=act, path_in=path_in: act(path_in(data)),
                           exceptions(name, words))
    for part in PARTS:
        found[f"table: {part} flipped"] = (
            lambda data, part=part: flip_part(largest(files(data, ".sst")), part), ["taken out"])
    return found


def wanted(name):
    if not ASKED:
        return name in FEW
    return ASKED == "all" or any(name.startswith(each) for each in ASKED.split(","))


class DamageMatrix(damages.HurtCase):
    rows_a_round = 600  # All of these rounds together are read many times.
    compact_first = True

    def test_whatever_happens_to_a_file_nothing_is_lost(self):
        chosen = {name: hurt for name, hurt in matrix().items() if wanted(name)}
        self.assertTrue(chosen, f"STARLING_DAMAGES={ASKED} names none of {list(matrix())}")
        nodes = self.start_cluster(hints_enabled=False, scrub_interval="1s")
        for name, (damage, words) in chosen.items():
            with self.subTest(name):
                self.flush_between = name.startswith("manifest")
                self.keeps_older = name.endswith("older")
                self.hurt(nodes, name, damage, words or [], lost=words is not None)
                self.voters_are(nodes, 3)


if __name__ == "__main__":
    unittest.main()
