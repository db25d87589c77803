"""tools/quickstart, after the build: a three-node cluster takes real data, loses a node, and heals.

Each act prints the command that a person would type, and checks what it claims: the tour ends
with exit status 1 as soon as something is not as it should be.
"""

import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Until main(): nothing to clean up, nothing to say.

import argparse
import base64
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time

import packages
from cluster import Cluster, Failure, left_behind, program, programs, stop_processes, wait_for

FOLDER = os.path.join(os.environ.get("TMPDIR") or tempfile.gettempdir(), "starling-quickstart")
PROGRAMS = ("starlingd", "starling", "nodetool", "starling-stress")
OVERWRITTEN = 5000
DELETED = 100
COMMAND_SECONDS = 60
MARK = b"X-Quickstart: overwritten while node 3 was down\n"


class Tour:
    def __init__(self):
        self.cluster = Cluster(FOLDER, "quickstart")
        self.one, self.two, self.three = self.cluster.nodes
        self.began = time.monotonic()
        self.kept = {}  # What the cluster must hold: every acknowledged write, no deleted key.

    # --- how it talks ---

    def act(self, title):
        bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
        print(f"\n{bold}[{time.monotonic() - self.began:3.0f} s] {title}{plain}", flush=True)

    def shown(self, *command):
        """Runs a command as a person would, its output going where ours goes."""
        self._show(command)
        try:
            run = subprocess.run(self._resolved(command), check=False, timeout=COMMAND_SECONDS)
        except subprocess.TimeoutExpired:
            raise Failure(f"`{shlex.join(command)}` did not end within {COMMAND_SECONDS} s") \
                from None
        if run.returncode != 0:
            raise Failure(f"`{shlex.join(command)}` failed: its message is above")

    def quiet(self, *command, stdin=None):
        """Runs a command and gives its output, bytes for bytes."""
        try:
            run = subprocess.run(self._resolved(command), input=stdin, capture_output=True,
                                 check=False, timeout=COMMAND_SECONDS)
        except subprocess.TimeoutExpired:
            raise Failure(f"`{shlex.join(command)}` did not end within {COMMAND_SECONDS} s") \
                from None
        if run.returncode != 0:
            raise Failure(f"`{shlex.join(command)}` failed with status {run.returncode}: "
                          f"{run.stderr.decode(errors='replace').strip()}")
        return run.stdout

    @staticmethod
    def _resolved(command):
        return [program(command[0]) if command[0] in PROGRAMS else command[0], *command[1:]]

    @staticmethod
    def _show(command):
        print(f"$ {shlex.join(command)}", flush=True)

    def starling(self, *command):
        return ("starling", "--hosts", self.cluster.hosts, *command)

    # --- the acts ---

    def run(self):
        self.start()
        self.import_packages()
        self.read_back()
        self.lose_a_node()
        self.write_meanwhile()
        self.bring_it_back()
        self.prove_it_whole()
        self.load()

    def start(self):
        self.act("Three nodes start, and agree on a topology")
        print(f"(the programs are in {os.path.relpath(programs())})")
        self.cluster.create()
        for node in self.cluster.nodes:
            self._show(("starlingd", "--config", node.config))
        print(f"all three see each other after {self.cluster.start():.1f} s")
        self.shown("nodetool", "-h", self.one.address, "status")

    def import_packages(self):
        self.act("Debian's package index goes in: a key is a package's name, its value the stanza")
        problem = packages.refresh()
        if problem:
            print(f"(apt-get update: {problem}; taking the index as it is)")
        self.kept = packages.stanzas()
        if len(self.kept) < packages.ENOUGH:
            raise Failure(f"apt-cache knows {len(self.kept)} packages only: "
                          "run apt-get update as root first")
        path = os.path.join(FOLDER, "packages.jsonl")
        packages.write_jsonl(path, self.kept.items())
        print(f"{len(self.kept)} packages, {os.path.getsize(path) / 1e6:.0f} MB, in {path}")
        self.shown(*self.starling("--consistency", "QUORUM", "import", path))

    def read_back(self):
        self.act("Reads at QUORUM give the same bytes, from the shell and from redis-cli")
        command = self.starling("--consistency", "QUORUM", "get", "bash")
        self._show(command)
        answer = self.expect("bash", self.quiet(*command))
        print("".join(f"  {line}\n" for line in answer.decode().splitlines()[:4]) + "  ...")
        names = [name.decode() for name in self.kept]
        for name in names[::max(1, len(names) // 20)]:
            self.expect(name, self.quiet(*self.starling("--consistency", "QUORUM", "get", name)))
        print("20 more, from all over the index: equal")
        command = ("redis-cli", "-h", self.two.address, "-p", "7702", "GET", "coreutils")
        self._show(command)
        self.expect("coreutils", self.quiet(*command)[:-1])  # redis-cli adds a newline.
        print(f"equal, {len(self.kept[b'coreutils'])} bytes")

    def expect(self, name, answer):
        if answer != self.kept[name.encode()]:
            raise Failure(f"{name}: {len(answer)} bytes were read, which are not the "
                          f"{len(self.kept[name.encode()])} bytes that were written")
        return answer

    def lose_a_node(self):
        self.act("Node 3 dies: kill -9")
        self._show(("kill", "-9", str(self.three.process.pid)))
        self.three.kill()
        seconds = wait_for(lambda: all(node.sees().get(self.three.address, "")[:1] == "D"
                                       for node in (self.one, self.two)),
                           20, "the others do not see node 3 as down")
        print(f"both others see it as down after {seconds:.1f} s")
        self.shown("nodetool", "-h", self.one.address, "status")

    def write_meanwhile(self):
        self.act(f"Meanwhile {OVERWRITTEN} keys are overwritten and {DELETED} deleted, at QUORUM")
        names = list(self.kept)
        changed = {name: self.kept[name] + MARK for name in names[:OVERWRITTEN]}
        path = os.path.join(FOLDER, "overwritten.jsonl")
        packages.write_jsonl(path, changed.items())
        self.shown(*self.starling("--consistency", "QUORUM", "import", path))
        self.kept.update(changed)

        gone = names[-DELETED:]
        self.shown(*self.starling("--consistency", "QUORUM", "delete", gone[0].decode()))
        command = ("redis-cli", "-h", self.two.address, "-p", "7702", "DEL")
        self._show((*command, gone[1].decode(), "..."))
        deleted = self.quiet(*command, *[name.decode() for name in gone[1:]]).split()[-1]
        print(f"{deleted.decode()} keys deleted")
        if int(deleted) != DELETED - 1:
            raise Failure(f"DEL of {DELETED - 1} keys that were there answered {deleted.decode()}")
        for name in gone:
            del self.kept[name]
        self.shown("nodetool", "-h", self.one.address, "listpendinghints")

    def bring_it_back(self):
        self.act("Node 3 comes back: hints are replayed, and repair proves that nothing differs")
        self._show(("starlingd", "--config", self.three.config))
        since_ms = int(time.time() * 1000)
        self.three.start()
        back = time.monotonic()
        self.cluster.wait_until_whole(30)
        print(f"up again on all nodes after {time.monotonic() - back:.1f} s")
        wait_for(lambda: self.cluster.all_equal(since_ms), 60,
                 "repairstatus does not show all ranges equal on all nodes")
        print(f"all ranges proved equal since, by all nodes, after {time.monotonic() - back:.1f} s")
        self.shown("nodetool", "-h", self.one.address, "listpendinghints")
        self.shown_head(6, "nodetool", "-h", self.one.address, "repairstatus")
        repair = self.three.nodetool("netstats")["repair"]
        print(f"node 3 took {repair['entries_received']} entries by repair, the others by hints")

    def shown_head(self, lines, *command):
        self._show(command)
        output = self.quiet(*command).decode().splitlines()
        print("\n".join(output[:lines]) + (f"\n... {len(output) - lines} lines more"
                                           if len(output) > lines else ""), flush=True)

    def prove_it_whole(self):
        self.act("Node 3 alone, the others paused: does it hold every acknowledged write?")
        command = ("starling", "--no-routing", "--hosts", f"{self.three.address}:7701",
                   "--consistency", "ONE", "export")
        self._show(command)
        for node in (self.one, self.two):
            node.send(signal.SIGSTOP)
        try:
            exported = self.quiet(*command)
        finally:
            for node in (self.one, self.two):
                node.send(signal.SIGCONT)
        held = dict(parsed(line) for line in exported.splitlines())
        keys = held.keys() | self.kept.keys()
        wrong = [key for key in keys if held.get(key) != self.kept.get(key)]
        if wrong:
            raise Failure(f"{len(wrong)} keys of node 3 differ from what was acknowledged, "
                          f"{wrong[0].decode()} for one")
        print(f"it does: {len(held)} keys, all as acknowledged, and none that was deleted")
        self.cluster.wait_until_whole(30)

    def load(self):
        self.act("Ten seconds of load: reads and writes at QUORUM, from this machine's own cores")
        hosts = ("--hosts", self.cluster.hosts)
        self.shown("starling-stress", "load", *hosts, "--records", "20000", "--value-size", "100")
        self.shown("starling-stress", "run", *hosts, "--workload", "mixed:50", "--records", "20000",
                   "--value-size", "100", "--connections", "8", "--in-flight", "16",
                   "--consistency", "QUORUM", "--duration", "10s")


def parsed(line):
    entry = json.loads(line)
    value = entry["value"].encode() if "value" in entry else base64.b64decode(entry["value_base64"])
    return entry["key"].encode(), value


def farewell(tour):
    seconds = time.monotonic() - tour.began
    bin_folder = os.path.relpath(programs())
    print(f"\nDone in {seconds:.0f} s. The cluster runs on, with data in {FOLDER}:\n"
          f"  {bin_folder}/nodetool -h 127.0.0.1 status\n"
          f"  {bin_folder}/starling --hosts {tour.cluster.hosts} get bash\n"
          f"  redis-cli -h 127.0.0.1 -p 7702 GET bash\n"
          f"Stop it and remove its data with: tools/quickstart --stop")


def stop_kept():
    pids = left_behind(FOLDER)
    if not os.path.isdir(FOLDER):
        print("Nothing to stop: no cluster was kept.")
        return
    cluster = Cluster(FOLDER, "quickstart")
    cluster.check_is_ours()
    stop_processes(pids)
    cluster.remove_data()
    print(f"Stopped {len(pids)} nodes and removed {FOLDER}.")


def refuse_beside_a_kept_cluster():
    pids = left_behind(FOLDER)
    if pids:
        raise Failure(f"a cluster from an earlier run is still here: processes {pids}, data in "
                      f"{FOLDER}.\nStop it and remove its data with: tools/quickstart --stop")


def guided_tour(keep):
    refuse_beside_a_kept_cluster()
    for name in PROGRAMS:
        program(name)
    tour = Tour()
    stays = False
    try:
        tour.run()
        stays = keep
        if not keep:
            print(f"\nDone in {time.monotonic() - tour.began:.0f} s. "
                  "tools/quickstart --keep leaves the nodes running.")
    except Failure:
        clean_up(tour.cluster, keep_logs=True)
        raise
    finally:
        if stays:
            farewell(tour)
        else:
            clean_up(tour.cluster)


def clean_up(cluster, keep_logs=False):
    if not cluster.created:
        return
    cluster.created = False
    # A second Ctrl-C would leave nodes behind.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    cluster.stop()
    cluster.remove_data(keep_logs)
    print("\nThe nodes are stopped and their data is removed" +
          (f"; their logs stay in {FOLDER}." if keep_logs else "."))


def main():
    parser = argparse.ArgumentParser(prog="tools/quickstart", description=__doc__.split("\n")[0])
    parser.add_argument("--keep", action="store_true", help="leave the cluster running at the end")
    parser.add_argument("--stop", action="store_true",
                        help="stop a cluster that was kept, and remove its data")
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # SIGTERM ends the tour as Ctrl-C does: through the clean-up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        if options.stop:
            stop_kept()
        else:
            guided_tour(options.keep)
    except Failure as failure:
        print(f"\ntools/quickstart: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ntools/quickstart: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
