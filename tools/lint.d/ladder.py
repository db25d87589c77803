"""What our headers include of others, compiled once for all: most of the time of reading a header.

A header of ours is read behind a precompiled header that holds nothing but what it includes itself,
or what headers of ours that it reaches include. That hides nothing: those are each read by
themselves, and what a header needs of its own it has still to include, for us to count it.

The sets are a ladder: the includes of others in the order of how many of ours reach them, and of
that order the beginnings that many of ours reach as a whole.
"""

import collections
import os
import subprocess

import tree

WORTH = 12  # Headers that must stand on a rung to pay for its compilation.


class Ladder:
    def __init__(self, sources, headers, compiler):
        self._folder = os.path.join(tree.SCRATCH, f"ladder.{os.getpid()}")
        self._compiler = compiler
        reached = {header: _of_others(sources, header) for header in headers}
        count = collections.Counter(target for all_of in reached.values() for target in all_of)
        self._order = sorted(count, key=lambda target: (-count[target], target))
        height = {header: self._beginning(reached[header]) for header in headers}
        standing = collections.Counter(height.values())
        self._rungs = [rung for rung in standing if rung > 0 and standing[rung] >= WORTH]
        self._rung = {header: max((rung for rung in self._rungs if rung <= top), default=0)
                      for header, top in height.items()}

    def __enter__(self):
        os.makedirs(self._folder, exist_ok=True)
        made = dict(zip(self._rungs, tree.side_by_side(self._make, self._rungs)))
        self._rung = {header: rung if made.get(rung) else 0 for header, rung in self._rung.items()}
        return self

    def __exit__(self, *_):
        for rung in self._rungs:  # Some 50 MB each.
            for path in (self._path(rung), self._path(rung) + ".gch"):
                if os.path.exists(path):
                    os.remove(path)
        os.rmdir(self._folder)

    def flags(self, header):
        """Of the compiler, to begin with what the header reaches anyway."""
        rung = self._rung[header]
        return ["-include", self._path(rung)] if rung else []

    def _beginning(self, reached):
        for length, target in enumerate(self._order):
            if target not in reached:
                return length
        return len(self._order)

    def _path(self, rung):
        return os.path.join(self._folder, f"{rung}.h")

    def _make(self, rung):
        with open(self._path(rung), "w", encoding="utf-8") as file:
            file.writelines(f"#include <{target}>\n" for target in self._order[:rung])
        run = subprocess.run([*self._compiler, "-x", "c++-header", self._path(rung),
                              "-o", self._path(rung) + ".gch"],
                             cwd=tree.ROOT, capture_output=True, check=False)
        return run.returncode == 0


def _of_others(sources, header):
    """What <...> a header and the headers of ours that it reaches include."""
    found = set()
    for path in sources.reached(header):
        found |= {target for _, quoted, target in sources.includes(path) if not quoted}
    return found
