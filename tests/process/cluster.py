"""Real nodes for tests: each cluster on addresses of its own, so that it disturbs no other.

A Cluster leases a block 127.77.T.* with the usual ports, T at random, and keeps its folder with
the configuration, data and log of each node until close(). Nothing waits by sleeping a fixed time:
wait_for() asks again and again, up to a limit, and says what it saw last.
"""

import ctypes
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CLUSTER_PORT, CLIENT_PORT, RESP_PORT = 7700, 7701, 7702
LEASE_PORT = 7799
PR_SET_PDEATHSIG = 1
# Three nodes have to fit beside whatever else a small machine runs.
SMALL = {"storage.block_cache": "32MiB", "storage.memtables": "32MiB"}

_libc = ctypes.CDLL(None, use_errno=True)


def folder_of_files():
    """Files of nodes with several workers are in memory, where tests/run says so: a kill leaves
    there what it leaves on a disk. Those of nodes with one worker are on the disk."""
    several = int(os.environ.get("STARLING_TEST_WORKERS", "1")) > 1
    return os.environ.get("STARLING_TEST_MEMORY") if several else None


class Failure(AssertionError):
    """A node or a tool did not do what the test needs."""


def program(name):
    path = os.path.join(os.environ.get("STARLING_BIN") or os.path.join(ROOT, "build", "bin"), name)
    if not os.access(path, os.X_OK):
        raise Failure(f"{path} is missing: build first")
    return path


class ToolFailed(Failure):
    def __init__(self, command, run):
        super().__init__(f"{' '.join(command)}: exit status {run.returncode}: "
                         f"{run.stderr.decode(errors='replace').strip()[-2000:]}")
        self.status = run.returncode
        self.stderr = run.stderr.decode(errors="replace")


def wait_until_empty(problems, seconds, what):
    """Polls until `problems()` is empty; the seconds it took. A tool that fails is a problem."""
    began = time.monotonic()
    pause = 0.02
    while True:
        try:
            left = problems()
        except ToolFailed as error:
            left = error
        took = time.monotonic() - began
        if not left:
            return took
        if took > seconds:
            raise Failure(f"waited {seconds} s in vain for {what}; it is still: {left}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.2)


def wait_for(condition, seconds, what):
    """Polls until `condition()` is true; the seconds it took."""
    return wait_until_empty(lambda: None if condition() else "not so", seconds, what)


def run_tool(*command, stdin=b"", seconds=60, check=True, environment=None):
    """Runs one of our programs; its CompletedProcess, with bytes. ToolFailed unless it gives 0."""
    try:
        run = subprocess.run([program(command[0]), *command[1:]], input=stdin, capture_output=True,
                             check=False, timeout=seconds,
                             env={**os.environ, **(environment or {})})
    except subprocess.TimeoutExpired:
        raise Failure(f"{' '.join(command)} took more than {seconds} s") from None
    if check and run.returncode != 0:
        raise ToolFailed(command, run)
    return run


def _lease():
    """A block 127.77.T.* that no other test of this machine uses while the socket is open."""
    blocks = list(range(1, 250))
    random.shuffle(blocks)
    for block in blocks:
        lease = socket.socket()
        try:
            lease.bind((f"127.77.{block}.254", LEASE_PORT))
            return block, lease
        except OSError:
            lease.close()
    raise Failure("all blocks 127.77.1.* to 127.77.249.* are leased")


def _die_with_parent():
    # A test that is killed for taking too long must not leave nodes behind.
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def spawn(command, log, **more):
    """A process that ends with this one. Call it from the main thread: others end too early."""
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                            preexec_fn=_die_with_parent, **more)


class Node:
    def __init__(self, cluster, number):
        self.cluster = cluster
        self.number = number
        self.address = f"127.77.{cluster.block}.{number}"
        self.client = f"{self.address}:{CLIENT_PORT}"
        self.config = os.path.join(cluster.folder, f"node{number}.toml")
        self.data = os.path.join(cluster.folder, f"node{number}")
        self.log = os.path.join(cluster.folder, f"node{number}.log")
        self.process = None
        self.seeds = None  # The cluster's, unless a test says otherwise.
        self.name = cluster.name
        self.runner = ()  # What runs starlingd in its place, as prlimit does.

    # --- life ---

    def write_config(self):
        seeds = self.seeds or [f"{node.address}:{CLUSTER_PORT}" for node in self.cluster.nodes]
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f'[cluster]\nname = "{self.name}"\nseeds = {json.dumps(seeds)}\n'
                       f'[node]\nlisten = "{self.address}"\ndata_dir = "{self.data}"\n')

    def command(self, settings=None):
        merged = {**SMALL, **self.cluster.settings, **(settings or {})}
        sets = []
        for key, value in merged.items():
            text = str(value).lower() if isinstance(value, bool) else value
            sets += ["--set", f"{key}={text}"]
        return [*self.runner, program("starlingd"), "--config", self.config, *sets]

    def start(self, settings=None, arguments=()):
        self.write_config()
        with open(self.log, "ab") as log:
            self.process = spawn([*self.command(settings), *arguments], log)

    def run_to_end(self, settings=None, seconds=20):
        """For a node that is to fail at start: its CompletedProcess."""
        self.write_config()
        try:
            return subprocess.run(self.command(settings), stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, check=False, timeout=seconds)
        except subprocess.TimeoutExpired as error:
            raise Failure(f"starlingd ran on, {seconds} s; it said: {error.stderr}") from None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, seconds=20):
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"node {self.number} did not end within {seconds} s of SIGTERM") from None

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def wipe(self):
        shutil.rmtree(self.data)

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    # --- what it says ---

    def log_text(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def nodetool(self, *command, seconds=60):
        run = run_tool("nodetool", "-h", self.address, "--json", *command, seconds=seconds)
        return json.loads(run.stdout)

    def sees(self):
        """address -> "UN", "DN", ..., as this node sees the cluster."""
        return {node["address"].split(":")[0]: node["status"] + node["state"]
                for node in self.nodetool("status")["nodes"]}

    def repair_counters(self):
        """netstats' counters of repair and engine in one dictionary."""
        stats = self.nodetool("netstats")
        return {**{f"repair.{key}": value for key, value in stats["repair"].items()},
                **{f"engine.{key}": value for key, value in stats["engine"].items()}}

    def alone(self, *command, **more):
        """`starling` through this node and no other."""
        return run_tool("starling", "--no-routing", "--hosts", self.client, *command, **more)

    def memory_bytes(self):
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS:"))


class Cluster:
    def __init__(self, size=3, name="test", settings=None):
        self.name = name
        self.settings = dict(settings or {})
        self.block, self._lease = _lease()
        self.folder = tempfile.mkdtemp(prefix="starling-test-", dir=folder_of_files())
        self.nodes = [Node(self, number) for number in range(1, size + 1)]

    @property
    def hosts(self):
        return ",".join(node.client for node in self.nodes)

    def node(self, number):
        return self.nodes[number - 1]

    def start(self, seconds=40):
        for node in self.nodes:
            node.start()
        self.wait_whole(seconds)

    def wait_seen(self, expected, seconds, by=None):
        """Until each of `by` (default: all that run) sees `expected`: {node: "DN"}, or more.
        The seconds it took."""
        by = by or [node for node in self.nodes if node.running]
        wanted = {node.address: state for node, state in expected.items()}

        def not_yet():
            views = {node.number: node.sees() for node in by}
            return {f"node {number}": view for number, view in views.items()
                    if any(view.get(address) != state for address, state in wanted.items())}

        return wait_until_empty(not_yet, seconds, f"nodes to see {wanted}")

    def wait_whole(self, seconds=30):
        """Until every node sees every node up and normal; the seconds it took."""
        for node in self.nodes:
            if not node.running:
                raise Failure(f"node {node.number} is not running")
        return self.wait_seen({node: "UN" for node in self.nodes}, seconds)

    def wait_equal(self, since_ms, seconds=40):
        """Until every range was found equal after `since_ms` (wall time); the seconds it took."""

        def not_yet():
            ranges = [one for node in self.nodes
                      for one in node.nodetool("repairstatus")["ranges"]]
            late = [one for one in ranges
                    if not one["equal"] or (one["last_equal_ms"] or 0) < since_ms]
            return late[:3] if ranges else ["no ranges"]

        return wait_until_empty(not_yet, seconds, f"all ranges to be equal after {since_ms}")

    def starling(self, *command, **more):
        return run_tool("starling", "--hosts", self.hosts, *command, **more)

    def close(self):
        """Ends what runs, each by its id, and removes the folder."""
        for node in self.nodes:
            if node.running:
                node.process.kill()
                node.process.wait()
        self._lease.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def print_logs(self, lines=60):
        for node in self.nodes:
            if not os.path.exists(node.log):
                continue
            state = "running" if node.running else (
                f"ended with {node.process.returncode}" if node.process else "not started")
            tail = node.log_text().splitlines()[-lines:]
            print(f"--- node {node.number} ({node.address}), {state}: the last lines of its log")
            print("\n".join(tail), flush=True)


def wall_ms():
    return int(time.time() * 1000)
