"""Goal:   the tree builds anywhere: no file names a place of the machine it was written on.
Method: look for absolute paths below people's and build machines' folders, and this host's name.
"""

import re
import socket
import unittest

import house

PLACES = re.compile(r"(?<![\w.}/$])/(home|root|work|Users|mnt|builds?|workspace)/[\w.]+")
BINARY = (".png", ".ico", ".gz", ".svg", ".bin")


def places(content):
    """Yields (line, what) for every path that only some machine has."""
    host = socket.gethostname()
    for number, line in enumerate(content.split("\n"), 1):
        if match := PLACES.search(line):
            yield number, match[0]
        if len(host) > 6 and not host.startswith(("localhost", "debian")) and host in line:
            yield number, host


class Places(unittest.TestCase):
    def test_paths_of_a_machine_are_recognised(self):
        folder = "/ho" + "me/somebody"
        self.assertEqual([what for _, what in places(f"cd {folder}/starling")], [folder])
        fine = "build/bin/starlingd, /tmp/x, tools/ho" "me/x, /usr/bin/env"
        self.assertEqual(list(places(fine)), [])

    def test_no_file_names_a_place_of_one_machine(self):
        named = [f"{path}:{line}: {what}" for path in house.SOURCES.files
                 if not path.endswith(BINARY)
                 for line, what in places(house.SOURCES.read(path))]
        self.assertEqual(named, [])


if __name__ == "__main__":
    unittest.main()
