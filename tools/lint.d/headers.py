"""Every header compiles alone: what it uses, it includes.

The precompiled header of the build hides what is missing, so this compiles without it, behind ones
that hide nothing (ladder.py). A header is looked at again only when it, or a header of ours that it
reaches, has changed; what one checkout has found clean, others know, as with the compiler's cache.
"""

import hashlib
import json
import os
import re
import subprocess
import time

import ladder
import tree

CACHE = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
MEMORY = os.path.join(CACHE, "starling", "clean-headers.json")  # Fingerprint: when it was last met.
FORGOTTEN_AFTER = 30 * 24 * 3600  # Seconds.
PLACE = re.compile(r"^(\S+?):(\d+):\d+: (?:fatal )?error: (.*)")


def _fingerprint(sources, header, compiler):
    digest = hashlib.sha256(compiler.encode())
    for path in sorted(sources.reached(header)):
        digest.update(path.encode() + b"\0" + sources.read(path).encode() + b"\0")
    return digest.hexdigest()


def _remembered():
    try:
        with open(MEMORY, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def _remember(clean):
    now = time.time()
    known = {key: met for key, met in _remembered().items() if now - met < FORGOTTEN_AFTER}
    known.update(dict.fromkeys(clean, now))
    os.makedirs(os.path.dirname(MEMORY), exist_ok=True)
    fresh = f"{MEMORY}.{os.getpid()}"
    with open(fresh, "w", encoding="utf-8") as file:
        json.dump(known, file)
    os.replace(fresh, MEMORY)


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
    compiler = ["g++", *tree.FLAGS, *sources.compile_flags()]
    version = subprocess.run(["g++", "--version"], capture_output=True, text=True, check=True)
    prints = {header: _fingerprint(sources, header, " ".join(tree.FLAGS) + version.stdout)
              for header in sources.headers}
    clean = _remembered()
    due = [header for header in sources.headers if prints[header] not in clean]
    with ladder.Ladder(sources, due, compiler) as behind:
        verdicts = dict(zip(due, tree.side_by_side(
            lambda header: _compile(compiler, behind.flags(header), header), due)))
    _remember(prints[header] for header in prints if not verdicts.get(header))
    return [message for message in verdicts.values() if message]
