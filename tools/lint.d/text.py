"""What the words of a file give away: unfinished work, sleeping tests, cores that read a clock.

Comments count for unfinished words, and are left out for the rest.
"""

import os
import re

CODE = (".cc", ".h", ".proto", ".py", ".cmake", "CMakeLists.txt")
COLUMNS = 100
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b")
SLEEP = re.compile(r"\b(sleep_for|sleep_until|usleep|nanosleep|sleep)\s*\(")
# Cores and actors take time as an argument and chance as a seed: World is where both come from.
WORLDLY = re.compile(r"_clock::now\(|\bgettimeofday\(|\btime\(nullptr\)|random_device|"
                     r"\bstd::j?thread\b(?!::hardware)|\bthis_thread\b|\bs?rand\(")
PURE = ("gossip/", "merkle/", "server/")
LINE_COMMENT = re.compile(r"//.*")


def _is_script(sources, path):
    return "." not in os.path.basename(path) and sources.read(path).startswith("#!")


def _header_shape(path, content):
    first = content.split("\n", 1)[0]
    if not first.startswith(f"// {path}: "):
        yield 1, f"a header opens with `// {path}: one sentence.`"
    if "#pragma once" not in content:
        yield 1, "a header says #pragma once"


def _test_shape(content):
    top = content[:1200]
    for word in ("// Goal:", "// Method:"):
        if word not in top:
            yield 1, f"a test file opens with `{word} ...`"


def _lines(path, content):
    script = path.endswith(".py") or content.startswith("#!")
    in_tests = path.startswith("tests/") and not path.startswith("tests/process/")
    for number, line in enumerate(content.split("\n"), 1):
        if len(line) > COLUMNS and script:  # Of C++, clang-format sees to it.
            yield number, f"{len(line)} columns; we stop at {COLUMNS}"
        if UNFINISHED.search(line):
            yield number, "unfinished: do it, or open an issue"
        if not path.endswith((".cc", ".h")):
            if in_tests and SLEEP.search(line):
                yield number, "a sleep is no synchronisation: wait for what you wait for"
            continue
        code = LINE_COMMENT.sub("", line)
        if in_tests and SLEEP.search(code):
            yield number, "a sleep is no synchronisation: move virtual time, or wait for the event"
        if path.startswith(PURE) and WORLDLY.search(code):
            yield number, "time, chance and threads come from World, not from the machine"


def check(sources):
    messages = []
    for path in sources.files:
        if not (path.endswith(CODE) or _is_script(sources, path)):
            continue
        content = sources.read(path)
        found = list(_lines(path, content))
        if path.endswith(".h"):
            found += _header_shape(path, content)
        if path.endswith("_test.cc"):
            found += _test_shape(content)
        messages += [f"{path}:{line}: {why}" for line, why in found]
    return messages
