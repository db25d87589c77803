"""clang-tidy, with .clang-tidy of the root, on what has changed.

Changed: since the merge base with origin/main, else since the commit before this one, and what
is not committed. A file takes some 5 s of a core, so a change of hundreds of files takes longer
than CI has: there is a limit in time, STARLING_TIDY_SECONDS (240), and what it leaves unread is the
verdict's. So that in the end each is read whatever the limit, the newest changes come first, and
what was clean is not read again before it changes, or a header below it (build/lint/tidy-clean).
`tools/lint --tidy all` has no limit, and reads every file.
"""

import hashlib
import json
import os
import re
import subprocess
import time

import tree

FINDING = re.compile(r"^(/?\S+?):(\d+):\d+: (?:warning|error): (.*)")
CANNOT_PARSE = "[clang-diagnostic-error]"  # g++ is the judge of what compiles; clang 14 knows less.
CLEAN = os.path.join(tree.SCRATCH, "tidy-clean")


def _base():
    merge_base = tree.git("merge-base", "origin/main", "HEAD")
    head = tree.git("rev-parse", "HEAD")
    if merge_base and merge_base != head:
        return merge_base[0]
    before = tree.git("rev-parse", "--verify", "-q", "HEAD~1")
    return before[0] if before else None


def changed():
    """Paths whose content this change touches, the newest first; None when git can't tell."""
    base = _base()
    if base:
        committed = tree.git("diff", "--name-only", base)
        history = tree.git("log", "--name-only", "--format=", f"{base}..HEAD")
    else:  # The first commit, or a shallow copy: all that it holds.
        committed, history = tree.git("ls-files"), []
    uncommitted = tree.git("diff", "--name-only", "HEAD")
    untracked = tree.git("ls-files", "-o", "--exclude-standard")
    if None in (committed, history, uncommitted, untracked):
        return None
    touched = {*committed, *untracked}
    newest_first = dict.fromkeys([*untracked, *uncommitted, *history, *sorted(touched)])
    return [path for path in newest_first if path in touched]


def _files(sources, everything):
    """The units to read, in this order. A header is read with its own unit, else with the first
    one that includes it."""
    units = sources.with_suffix(".cc")
    touched = None if everything else changed()
    if touched is None:
        return units
    known = set(units)
    chosen = {}
    for path in touched:
        if path in known:
            chosen[path] = True
        elif path.endswith(".h"):
            users = [path[:-2] + ".cc"] if path[:-2] + ".cc" in known else [
                unit for unit in units if any(target == path
                                              for _, _, target in sources.includes(unit))]
            if not any(user in chosen for user in users):
                chosen.update(dict.fromkeys(users[:1], True))
    return list(chosen)


def _digest(sources, unit, tool):
    """Of all of ours that a finding in this unit may depend on."""
    known = set(sources.files)
    reached, left = {".clang-tidy"}, [unit]
    while left:
        path = left.pop()
        if path.endswith(".pb.h"):
            path = path[:-len(".pb.h")] + ".proto"
        if path in reached or path not in known:
            continue
        reached.add(path)
        left += [target for _, quoted, target in sources.includes(path) if quoted]
    digest = hashlib.sha256(tool.encode())
    for path in sorted(reached & known):
        digest.update(f"\0{path}\0{sources.read(path)}".encode())
    return digest.hexdigest()


def _clean_before():
    try:
        with open(CLEAN, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def _remember(clean):
    os.makedirs(tree.SCRATCH, exist_ok=True)
    with open(CLEAN + ".new", "w", encoding="utf-8") as file:
        json.dump(clean, file, indent=0, sort_keys=True)
    os.replace(CLEAN + ".new", CLEAN)


def _findings(sources, unit):
    run = subprocess.run(
        ["clang-tidy", "--quiet", unit, "--", *tree.FLAGS[:1], *sources.compile_flags()],
        cwd=tree.ROOT, capture_output=True, text=True, check=False)
    found = []
    for line in run.stdout.splitlines():
        match = FINDING.match(line)
        if match and not line.endswith(CANNOT_PARSE):
            path = os.path.relpath(os.path.join(tree.ROOT, match[1]), tree.ROOT)
            what = match[3].replace(",-warnings-as-errors", "")
            found.append(f"{path}:{match[2]}: {what}")
    return found


def check(sources, everything):
    """The findings, and what the verdict has to own up to: empty when every file was read."""
    units = _files(sources, everything)
    budget = float("inf") if everything else float(os.environ.get("STARLING_TIDY_SECONDS", "240"))
    ends = time.monotonic() + budget
    sources.generated_includes()
    version = subprocess.run(["clang-tidy", "--version"], capture_output=True, text=True,
                             check=False).stdout
    digests = {unit: _digest(sources, unit, version) for unit in units}
    before = {} if everything else _clean_before()

    def one(unit):
        if before.get(unit) == digests[unit]:
            return []
        return None if time.monotonic() >= ends else _findings(sources, unit)

    results = dict(zip(units, tree.side_by_side(one, units)))
    _remember({**_clean_before(), **{unit: digests[unit] for unit in units if results[unit] == []}})
    unread = sum(found is None for found in results.values())
    gap = (f"{unread} of {len(units)} files were not looked at, for want of time: run it again, or "
           "tools/lint --tidy all") if unread else ""
    return sorted({message for found in results.values() for message in found or ()}), gap
