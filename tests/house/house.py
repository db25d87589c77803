"""What the tests of the source tree share: the tree as lint reads it, files that docs name."""

import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools", "lint.d"))

import tree  # noqa: E402

SOURCES = tree.Tree()

# `gossip/swim.cc`, `server/worker.h:120`, `storage/entry.{h,cc}`: a folder, a name, an extension.
NAMED = re.compile(r"`((?:[\w.-]+/)+[\w.{},-]+\.[\w{},]+)(?::\d+|::?\w+\(?\)?)?`")


def expand(path):
    """storage/entry.{h,cc} -> storage/entry.h, storage/entry.cc"""
    braces = re.search(r"\{([^}]*)\}", path)
    if not braces:
        return [path]
    return [whole for choice in braces[1].split(",")
            for whole in expand(path[:braces.start()] + choice + path[braces.end():])]


def named_files(content):
    """Yields (line, path) for each file of the tree that a Markdown text names in backticks."""
    for number, line in enumerate(content.split("\n"), 1):
        for match in NAMED.finditer(line):
            for path in expand(match[1]):
                yield number, path
