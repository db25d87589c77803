"""Members of a cluster as real processes, for the benchmarks beside this file: ours, and
hashicorp/memberlist's, behind one interface.

They run in a network namespace of their own (enter_own_network), whose loopback nothing else
uses: so addresses are free, and the bytes counted there are theirs. What a member says of another
is read from its log, which has the time in milliseconds.
"""

import calendar
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/process"))
import cluster  # noqa: E402

SEEDS_MAX = 16
INSIDE = "STARLING_BENCHMARK_NETWORK"


def enter_own_network():
    """Runs this program again in a network namespace of its own, with nothing but loopback."""
    if os.environ.get(INSIDE):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    unshare = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--net", "--map-root-user"]
    os.execvpe(unshare[0], [*unshare, sys.executable, "-B", *sys.argv],
               {**os.environ, INSIDE: "1"})


def loopback_bytes():
    """All that passed so far, with the headers of IP."""
    with open("/proc/net/dev", encoding="utf-8") as lines:
        return next(int(line.split(":")[1].split()[0]) for line in lines if "lo:" in line)


def wall_ms():
    return int(time.time() * 1000)


SPREAD_LIMIT_S = 20


def first_times(times):
    """times() is a list of times for each member, empty of one that has not heard: once none is,
    or after SPREAD_LIMIT_S, the first of each that has, sorted. Some broadcasts never reach all."""
    deadline = time.monotonic() + SPREAD_LIMIT_S
    while not all(heard := times()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return sorted(min(each) for each in heard if each)


class Members:
    """Numbered from 1. Events are (wall time in ms, what, number of the member it is about)."""

    down = ()  # What says that a member is no longer to be counted on.

    def events(self, number):
        raise NotImplementedError

    def processes(self):
        raise NotImplementedError

    def others(self, number):
        return [one for one in range(1, self.size + 1) if one != number]

    def kill(self, number):
        self.processes()[number - 1].kill()
        self.processes()[number - 1].wait()

    def pause(self, number):
        self.processes()[number - 1].send_signal(signal.SIGSTOP)

    def go_on(self, number):
        self.processes()[number - 1].send_signal(signal.SIGCONT)

    def known_at(self, subject, what, since_ms, limit_s):
        """When each of the others first said one of `what` of the subject: a sorted list of ms."""
        times = {}

        def missing():
            for observer in self.others(subject):
                if observer in times:
                    continue
                said = [at for at, word, about in self.events(observer)
                        if about == subject and word in what and at >= since_ms]
                if said:
                    times[observer] = min(said)
            return [one for one in self.others(subject) if one not in times]

        cluster.wait_until_empty(missing, limit_s, f"members to say {what} of {subject}")
        return sorted(times.values())


class Starling(Members):
    name = "starling"
    down = ("unreachable", "dead")
    up = ("joined", "alive")
    line = re.compile(r"^(\S+)\.(\d{3}) I gossip: 127\.77\.\d+\.(\d+):\d+ (\w+)")
    epoch = re.compile(r"^(\S+)\.(\d{3}) I topology: epoch (\d+):")

    def __init__(self, size):
        self.size = size
        # As small as a node can be, and hardly anything but gossip going on.
        self.cluster = cluster.Cluster(size, "bench", {
            "node.workers": 1, "storage.block_cache": "8MiB", "storage.memtables": "8MiB",
            "repair.interval": "10m"})
        seeds = [f"{node.address}:{cluster.CLUSTER_PORT}" for node in self.cluster.nodes]
        for node in self.cluster.nodes:
            node.seeds = seeds[:SEEDS_MAX]  # They found the cluster; the others join.

    def processes(self):
        return [node.process for node in self.cluster.nodes]

    def start_all(self):
        for node in self.cluster.nodes:
            node.start()

    def start(self, number):
        self.cluster.node(number).start()

    @staticmethod
    def ms(second, millis):
        return calendar.timegm(time.strptime(second, "%Y-%m-%dT%H:%M:%S")) * 1000 + int(millis)

    def events(self, number):
        found = (self.line.match(line)
                 for line in self.cluster.node(number).log_text().splitlines())
        return [(self.ms(one[1], one[2]), one[4], int(one[3])) for one in found if one]

    def wait_whole(self, limit_s=120):
        self.cluster.wait_whole(limit_s)

    def spread(self, round_number):
        """Tells all of a new keyspace; when each that has heard of it, in ms, sorted."""
        self.cluster.node(1).alone("keyspace", "create", f"spread{round_number}", "--replication",
                                   "simple:3")

        def times():
            said = [[(int(one[3]), self.ms(one[1], one[2])) for one in
                     map(self.epoch.match, each.log_text().splitlines()) if one]
                    for each in self.cluster.nodes]
            newest = max(epoch for each in said for epoch, _ in each)
            return [[at for epoch, at in each if epoch == newest] for each in said]

        time.sleep(0.05)
        return first_times(times)

    def close(self):
        self.cluster.close()


class Memberlist(Members):
    name = "memberlist"
    down = ("dead",)
    up = ("alive",)

    def __init__(self, size, driver):
        self.size = size
        self.driver = driver
        self.folder = tempfile.TemporaryDirectory(prefix="memberlist-")
        self.all = [None] * size
        self.said = {}

    def processes(self):
        return self.all

    @staticmethod
    def address(number):
        return f"127.77.250.{number}"

    def log(self, number):
        return os.path.join(self.folder.name, f"{number}.log")

    def start(self, number):
        seeds = [self.address(seed) for seed in range(1, 4) if seed != number]
        join = ["-join", ",".join(seeds)] if number > 1 or self.said else []
        self.said[number] = True
        with open(self.log(number), "ab") as log:
            self.all[number - 1] = subprocess.Popen(
                [self.driver, "-name", str(number), "-bind", self.address(number), *join],
                stdin=subprocess.PIPE, stdout=log, stderr=log,
                preexec_fn=cluster._die_with_parent)

    def start_all(self):
        for number in range(1, self.size + 1):
            self.start(number)

    def lines(self, number):
        if not os.path.exists(self.log(number)):
            return []
        with open(self.log(number), encoding="utf-8") as text:
            return [line.split() for line in text if line.endswith("\n")]

    def events(self, number):
        return [(int(at), what, int(whom)) for at, what, whom in self.lines(number)
                if what != "heard"]

    def wait_whole(self, limit_s=120):
        def problems():
            short = []
            for number in range(1, self.size + 1):
                state = {whom: what for _, what, whom in self.events(number)}
                if sum(what == "alive" for what in state.values()) < self.size:
                    short.append(number)
            return short

        cluster.wait_until_empty(problems, limit_s, "all members to see all")

    def spread(self, round_number):
        text = f"spread{round_number}"
        self.all[0].stdin.write(f"{text} {'x' * 200}\n".encode())
        self.all[0].stdin.flush()

        def heard():
            return [[int(at) for at, what, whom in self.lines(number)
                     if what == "heard" and whom == text] for number in range(1, self.size + 1)]

        return first_times(heard)

    def close(self):
        for process in self.all:
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        self.folder.cleanup()
