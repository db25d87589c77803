"""The systems compared: how each is unpacked, started on loopback, and stopped.

A system is a context manager: it runs inside its `with` block, on empty data, and nowhere else.
"""

import glob
import os
import shutil
import socket
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools", "local"))

from cluster import Cluster, Failure, ports_in_use, program, wait_for  # noqa: E402

UNPACKED = os.path.join(ROOT, "build", "side_by_side", "unpacked")
# redis-tools too: what redis-server calls itself is a link to a program of that package.
PACKAGES = ("redis-server", "redis-tools", "etcd-server", "etcd-client")


def unpack():
    """Fetches the packages (signatures checked by apt) and unpacks them, once."""
    if os.path.exists(os.path.join(UNPACKED, "complete")):
        return
    shutil.rmtree(UNPACKED, ignore_errors=True)
    os.makedirs(UNPACKED)
    print(f"fetching {', '.join(PACKAGES)}", flush=True)
    fetched = subprocess.run(["apt-get", "download", "-qq", *PACKAGES], cwd=UNPACKED, check=False,
                             capture_output=True, text=True)
    if fetched.returncode != 0:
        raise Failure(f"apt-get download failed: {fetched.stderr.strip()}\n"
                      "If the index is old or empty, run apt-get update as root first.")
    for archive in glob.glob(os.path.join(UNPACKED, "*.deb")):
        subprocess.run(["dpkg", "-x", archive, UNPACKED], check=True)
    with open(os.path.join(UNPACKED, "complete"), "w", encoding="utf-8") as file:
        file.write("\n".join(PACKAGES) + "\n")


def unpacked(name):
    return os.path.join(UNPACKED, "usr", "bin", name)


def version_of(name, *arguments):
    run = subprocess.run([unpacked(name), *arguments], capture_output=True, text=True, check=False)
    return run.stdout.split("\n", 1)[0].strip()


def answers(address, port):
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((address, port)) == 0


class System:
    """Processes of one system and its folder of data."""

    def __init__(self, scratch):
        self.folder = os.path.join(scratch, self.key)
        self.processes = []

    def __enter__(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        taken = ports_in_use(self.addresses, self.ports)
        if taken:
            raise Failure(f"{self.title} can't start:\n  " + "\n  ".join(taken))
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes = []
        shutil.rmtree(self.folder, ignore_errors=True)

    def launch(self, name, command):
        with open(os.path.join(self.folder, f"{name}.log"), "wb") as log:
            self.processes.append(subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log,
                                                   stdin=subprocess.DEVNULL))

    def wait_for_port(self, address, port):
        def ready():
            if any(process.poll() is not None for process in self.processes):
                raise Failure(f"{self.title} ended at once; see {self.folder}")
            return answers(address, port)
        wait_for(ready, 30, f"{self.title} does not answer on {address}:{port}")


class Redis(System):
    key = "redis"
    title = "Redis, in memory"
    promises = "one copy; what is not saved is lost when the process ends"
    addresses = ("127.0.0.1",)
    ports = (6390,)
    settings = ("--save", "", "--appendonly", "no")

    def start(self):
        self.launch("redis", [unpacked("redis-server"), "--bind", self.addresses[0], "--port",
                              str(self.ports[0]), "--dir", self.folder, *self.settings])
        self.wait_for_port(self.addresses[0], self.ports[0])

    @property
    def resp(self):
        return self.addresses[0], self.ports[0]


class RedisSynced(Redis):
    key = "redis_synced"
    title = "Redis, fsync always"
    promises = "one copy; acknowledged after fsync"
    settings = ("--save", "", "--appendonly", "yes", "--appendfsync", "always")


class Etcd(System):
    key = "etcd"
    title = "etcd, 3 nodes"
    promises = "three copies; acknowledged after fsync on a majority; one Raft log"
    addresses = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
    ports = (2379, 2380)

    def start(self):
        nodes = list(enumerate(self.addresses))
        members = ",".join(f"n{i}=http://{address}:2380" for i, address in nodes)
        for i, address in nodes:
            data = os.path.join(self.folder, f"n{i}")
            self.launch(f"etcd{i}", [
                unpacked("etcd"), "--name", f"n{i}", "--data-dir", data,
                "--listen-client-urls", f"http://{address}:2379",
                "--advertise-client-urls", f"http://{address}:2379",
                "--listen-peer-urls", f"http://{address}:2380",
                "--initial-advertise-peer-urls", f"http://{address}:2380",
                "--initial-cluster", members, "--initial-cluster-state", "new",
                "--log-level", "error"])
        for address in self.addresses:
            self.wait_for_port(address, 2379)

    @property
    def endpoints(self):
        return ",".join(f"http://{address}:2379" for address in self.addresses)


class Starling(System):
    key = "starling"
    title = "Starling, 3 nodes"
    promises = "three copies; acknowledged after fsync on a majority; linearizable per key"
    addresses = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
    ports = (7700, 7701, 7702, 7703)

    def start(self):
        self.cluster = Cluster(os.path.join(self.folder, "nodes"), "side-by-side")
        self.cluster.create()
        self.cluster.start()

    def __exit__(self, *_):
        self.cluster.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def resp(self):
        return self.addresses[0], self.ports[2]
