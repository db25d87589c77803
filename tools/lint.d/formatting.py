"""clang-format, with .clang-format of the root."""

import re
import subprocess

import tree

PLACE = re.compile(r"^(.+?):(\d+):\d+: (?:error|warning): ")
FILES_A_RUN = 25


def _runs(sources):
    files = sources.cpp
    return [files[i:i + FILES_A_RUN] for i in range(0, len(files), FILES_A_RUN)]


def fix(sources):
    tree.side_by_side(
        lambda files: subprocess.run(["clang-format", "-i", *files], cwd=tree.ROOT, check=True),
        _runs(sources))


def check(sources):
    def one(files):
        run = subprocess.run(["clang-format", "--dry-run", "-Werror", *files], cwd=tree.ROOT,
                             capture_output=True, text=True, check=False)
        first = {}  # One line a file is enough: --fix does the rest.
        for line in run.stderr.splitlines():
            place = PLACE.match(line)
            if place:
                first.setdefault(place[1], place[2])
        if run.returncode != 0 and not first:
            raise SystemExit(f"lint: clang-format failed:\n{run.stderr}")
        return [f"{path}:{line}: not formatted; run tools/lint --fix"
                for path, line in first.items()]

    return sum(tree.side_by_side(one, _runs(sources)), [])
