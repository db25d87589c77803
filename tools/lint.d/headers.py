"""Every header compiles alone: what it uses, it includes.

The precompiled header of the build hides what is missing, so this compiles without it, behind ones
that hide nothing (ladder.py). A header is looked at again only when it, or a header of ours that it
reaches, has changed.
"""

import hashlib
import json
import os
import re
import subprocess

import ladder
import tree

MEMORY = os.path.join(tree.SCRATCH, "headers.json")
PLACE = re.compile(r"^(\S+?):(\d+):\d+: (?:fatal )?error: (.*)")


def _fingerprint(sources, header):
    digest = hashlib.sha256(" ".join(tree.FLAGS).encode())
    for path in sorted(sources.reached(header)):
        digest.update(path.encode() + b"\0" + sources.read(path).encode() + b"\0")
    return digest.hexdigest()


def _remembered():
    try:
        with open(MEMORY, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def _compile(compiler, behind, header):
    run = subprocess.run(
        [*compiler, *behind, "-fsyntax-only", "-x", "c++", "-include", header, os.devnull],
        cwd=tree.ROOT, capture_output=True, text=True, check=False)
    if run.returncode == 0:
        return None
    for line in run.stderr.splitlines():
        place = PLACE.match(line)
        if place:
            return f"{place[1]}:{place[2]}: {header} does not compile alone: {place[3]}"
    return f"{header}:1: does not compile alone: {run.stderr.strip()[-300:]}"


def check(sources):
    clean = _remembered()
    prints = {header: _fingerprint(sources, header) for header in sources.headers}
    due = [header for header in sources.headers if clean.get(header) != prints[header]]
    compiler = ["g++", *tree.FLAGS, *sources.compile_flags()]
    with ladder.Ladder(sources, due, compiler) as behind:
        verdicts = dict(zip(due, tree.side_by_side(
            lambda header: _compile(compiler, behind.flags(header), header), due)))
    os.makedirs(tree.SCRATCH, exist_ok=True)
    with open(MEMORY, "w", encoding="utf-8") as file:
        json.dump({header: prints[header] for header in prints if not verdicts.get(header)}, file)
    return [message for message in verdicts.values() if message]
