"""Real input: Debian's package index as JSON lines, key = a package's name, value = its stanza.

By itself: python3 tools/local/packages.py > packages.jsonl
"""

import json
import os
import re
import shutil
import subprocess
import sys

NAME = re.compile(rb"^Package: (\S+)$", re.MULTILINE)
ENOUGH = 1000  # Fewer: the index was never fetched, and only what is installed is known.


def refresh():
    """apt-get update, as far as this user may; returns what went wrong, or None."""
    if os.geteuid() == 0:
        command = []
    elif shutil.which("sudo") and subprocess.run(["sudo", "-n", "true"], capture_output=True,
                                                 check=False).returncode == 0:
        command = ["sudo", "-n"]
    else:
        return "not root and no sudo without a password"
    try:
        run = subprocess.run([*command, "apt-get", "update", "-qq"], capture_output=True, text=True,
                             check=False, timeout=60)
    except subprocess.TimeoutExpired:
        return "no answer within 60 s"
    if run.returncode == 0:
        return None
    return (run.stderr.strip() or f"it ended with status {run.returncode}").splitlines()[-1]


def stanzas():
    """name -> stanza, in the index's order; of two versions of a package the first, as apt does."""
    index = subprocess.run(["apt-cache", "dumpavail"], capture_output=True, check=True).stdout
    found = {}
    for stanza in index.split(b"\n\n"):
        name = NAME.search(stanza)
        if name:
            found.setdefault(name[1], stanza.strip(b"\n") + b"\n")
    return found


def line_of(key, value):
    try:
        return json.dumps({"key": key.decode(), "value": value.decode()}, ensure_ascii=False) + "\n"
    except UnicodeDecodeError:
        import base64
        return json.dumps({"key": key.decode(errors="replace"),
                           "value_base64": base64.b64encode(value).decode()}) + "\n"


def write_jsonl(path, entries):
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(line_of(key, value) for key, value in entries)


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    sys.stdout.writelines(line_of(key, value) for key, value in stanzas().items())
