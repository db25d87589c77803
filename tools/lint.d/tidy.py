"""clang-tidy, with .clang-tidy of the root, on what has changed.

Changed: since the merge base with origin/main, else since the commit before this one, and what
is not committed. A change of hundreds of files would take longer than CI has, so there is a limit
in time, STARLING_TIDY_SECONDS (240). What it left unread is said; `tools/lint --tidy all` has none.
"""

import os
import re
import subprocess
import time

import tree

FINDING = re.compile(r"^(/?\S+?):(\d+):\d+: (?:warning|error): (.*)")
CANNOT_PARSE = "[clang-diagnostic-error]"  # g++ is the judge of what compiles; clang 14 knows less.


def _base():
    merge_base = tree.git("merge-base", "origin/main", "HEAD")
    head = tree.git("rev-parse", "HEAD")
    if merge_base and merge_base != head:
        return merge_base[0]
    before = tree.git("rev-parse", "--verify", "-q", "HEAD~1")
    return before[0] if before else None


def changed():
    """Paths that this change touches, or None when git can't tell."""
    base = _base()
    if base:
        committed = tree.git("diff", "--name-only", base)
    else:  # The first commit, or a shallow copy: all that it holds.
        committed = tree.git("ls-files")
    untracked = tree.git("ls-files", "-o", "--exclude-standard")
    if committed is None or untracked is None:
        return None
    return set(committed) | set(untracked)


def _files(sources, everything):
    units = sources.with_suffix(".cc")
    touched = None if everything else changed()
    if touched is None:
        return units
    return [unit for unit in units if unit in touched or unit[:-3] + ".h" in touched]


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
    units = _files(sources, everything)
    budget = float("inf") if everything else float(os.environ.get("STARLING_TIDY_SECONDS", "240"))
    ends = time.monotonic() + budget
    sources.generated_includes()

    def one(unit):
        return None if time.monotonic() > ends else _findings(sources, unit)

    results = tree.side_by_side(one, units)
    unread = sum(result is None for result in results)
    if unread:
        print(f"lint: tidy: {len(units) - unread} of {len(units)} changed files read in "
              f"{budget:.0f} s, {unread} left; tools/lint --tidy all reads every one")
    return sorted({message for result in results for message in result or ()})
