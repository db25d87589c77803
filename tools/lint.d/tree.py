"""The source tree as lint sees it: which files are ours, what they include, how to compile one.

A file is ours if git tracks it, or would on `git add`: what is ignored (build/) is not read.
"""

import functools
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCRATCH = os.path.join(ROOT, "build", "lint")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[>"]', re.MULTILINE)
FLAGS = ["-std=c++20", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"]


class Tree:
    def __init__(self):
        self.files = sorted(path for path in self._list() if os.path.isfile(self.at(path)))

    def _list(self):
        listed = git("ls-files", "-co", "--exclude-standard")
        if listed is not None:
            return listed
        found = []  # An unpacked archive, without git.
        for folder, names, files in os.walk(ROOT):
            names[:] = [name for name in names if name not in ("build", ".git", ".cache")]
            found += [os.path.relpath(os.path.join(folder, file), ROOT) for file in files]
        return found

    @staticmethod
    def at(path):
        return os.path.join(ROOT, path)

    @functools.lru_cache(maxsize=None)
    def read(self, path):
        with open(self.at(path), encoding="utf-8", errors="replace") as file:
            return file.read()

    def with_suffix(self, *suffixes):
        return [path for path in self.files if path.endswith(suffixes)]

    @property
    def headers(self):
        return self.with_suffix(".h")

    @property
    def cpp(self):
        return self.with_suffix(".h", ".cc")

    def includes(self, path):
        """Yields (line, quoted, target) for every include of a file."""
        content = self.read(path)
        for match in INCLUDE.finditer(content):
            yield content.count("\n", 0, match.start(2)) + 1, match[1] == '"', match[2]

    @functools.lru_cache(maxsize=None)
    def reached(self, header):
        """The header and all of ours that it includes, at whatever remove."""
        found, waiting = set(), [header]
        while waiting:
            path = waiting.pop()
            if path not in found:
                found.add(path)
                waiting += [target for _, _, target in self.includes(path) if target in self._ours]
        return frozenset(found)

    @functools.cached_property
    def _ours(self):
        return frozenset(self.headers)

    @functools.lru_cache(maxsize=None)
    def generated_includes(self):
        """A folder with the .pb.h files, made here so that lint needs no build before it."""
        folder = os.path.join(SCRATCH, "generated")
        os.makedirs(folder, exist_ok=True)
        protos = self.with_suffix(".proto")
        if protos:
            run = subprocess.run(["protoc", f"--cpp_out={folder}", "-I.", *protos], cwd=ROOT,
                                 capture_output=True, text=True, check=False)
            if run.returncode != 0:
                raise SystemExit(f"lint: protoc failed:\n{run.stderr}")
        return folder

    def compile_flags(self):
        return ["-I.", "-isystem", self.generated_includes()]


def git(*arguments):
    """Lines that git prints, or None where it fails (no git, no repository, no such commit)."""
    try:
        run = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True,
                             check=False)
    except FileNotFoundError:
        return None
    return run.stdout.splitlines() if run.returncode == 0 else None


def side_by_side(function, items):
    """function(item) for all items, on all cores, results in order."""
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
        return list(pool.map(function, items))
