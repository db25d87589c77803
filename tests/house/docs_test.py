"""Goal:   the docs are true where a machine can tell: files that they name, commands they show.
Method: read ARCHITECTURE.md, README.md and docs/, and look the names up in the tree.
"""

import os
import re
import unittest

import house

DOCS = [path for path in house.SOURCES.with_suffix(".md")
        if "/" not in path or path.startswith("docs/")]
# A command of the tree at the start of a line of a code block: tools/quickstart --keep
COMMAND = re.compile(r"^\s*(?:\$ )?(?:\w+=\S+ )*((?:tools|tests|benchmarks|\.ci)/[\w./-]+)")
BUILT = "build/"  # Made by the build: not in the tree.


def commands(content):
    inside = False
    for number, line in enumerate(content.split("\n"), 1):
        if line.startswith("```"):
            inside = not inside
        elif inside and (match := COMMAND.match(line)):
            yield number, match[1]


class Docs(unittest.TestCase):
    def test_named_files_are_recognised(self):
        text = "`a/b.cc`, `a/b.h:12`, `c/d.{h,cc}`, `not_a_path`, `a/folder/`, a/bare.cc"
        self.assertEqual([path for _, path in house.named_files(text)],
                         ["a/b.cc", "a/b.h", "c/d.h", "c/d.cc"])

    def test_every_file_that_the_docs_name_exists(self):
        ours = set(house.SOURCES.files)
        missing = [f"{doc}:{line}: {path}" for doc in DOCS
                   for line, path in house.named_files(house.SOURCES.read(doc))
                   if path not in ours and not path.startswith(BUILT)]
        self.assertEqual(missing, [])

    def test_the_life_of_each_operation_names_files(self):
        architecture = house.SOURCES.read("ARCHITECTURE.md")
        sections = re.split(r"^## ", architecture, flags=re.MULTILINE)
        for operation in ("write", "read", "failure", "repair"):
            with self.subTest(operation):
                title = re.compile(rf"[^\n]*\b{operation}\b", re.IGNORECASE)
                told = [section for section in sections if title.match(section)]
                self.assertTrue(told, f"no section of ARCHITECTURE.md is on a {operation}")
                steps = [step for section in told
                         for step in re.findall(r"^\d+\. .*\n(?: .*\n)*", section, re.MULTILINE)]
                self.assertGreaterEqual(len(steps), 3, f"the life of a {operation} has few steps")
                silent = [step for step in steps if not list(house.named_files(step))]
                self.assertEqual(silent, [], "steps that name no file")

    def test_readme_opens_with_the_two_commands(self):
        shown = [path for _, path in commands(house.SOURCES.read("README.md"))]
        self.assertEqual(shown[:2], ["tools/quickstart", "tests/run"])

    def test_commands_in_the_docs_exist_and_are_executable(self):
        for doc in DOCS:
            for line, path in commands(house.SOURCES.read(doc)):
                with self.subTest(f"{doc}:{line}: {path}"):
                    self.assertTrue(os.access(house.SOURCES.at(path), os.X_OK))


if __name__ == "__main__":
    unittest.main()
