"""A cluster of real nodes on this machine: 127.0.0.1, .2, .3 and the usual ports.

tools/quickstart and benchmarks/side_by_side stand on it. A cluster lives in one folder: a
configuration, a log and the data of each node, and cluster.json with the processes' ids, by
which a later run finds what an earlier one left.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PORTS = (7700, 7701, 7702, 7703)
STATE = "cluster.json"


class Failure(Exception):
    """Something that the user must know, in words; ends the program."""


def programs():
    return os.environ.get("STARLING_BIN") or os.path.join(ROOT, "build", "bin")


def program(name):
    path = os.path.join(programs(), name)
    if not os.access(path, os.X_OK):
        raise Failure(f"{path} is missing: build first (cmake --preset dev && cmake --build build)")
    return path


def wait_for(condition, seconds, what):
    """Asks `condition()` ten times a second; seconds until it held. Fails after `seconds`."""
    began = time.monotonic()
    while True:
        if condition():
            return time.monotonic() - began
        if time.monotonic() - began > seconds:
            raise Failure(f"waited {seconds:.0f} s in vain: {what}")
        time.sleep(0.1)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def is_starlingd(pid):
    """Whether a recorded id is still one of ours: ids are used again after a while."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return alive(pid) and b"starlingd" in file.read().split(b"\0")[0]
    except OSError:
        return False


def _listener_of(address, port):
    """'pid 42 (redis-server)' of whoever listens there, as far as /proc lets us see."""
    little_endian = "".join(f"{int(part):02X}" for part in reversed(address.split(".")))
    sockets = set()
    for table in ("tcp", "udp"):
        with open(f"/proc/net/{table}", encoding="utf-8") as file:
            for fields in (line.split() for line in file.readlines()[1:]):
                if fields[1] in (f"{little_endian}:{port:04X}", f"00000000:{port:04X}"):
                    sockets.add(f"socket:[{fields[9]}]")
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            held = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
            if held & sockets:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    command = file.read().replace(b"\0", b" ").decode(errors="replace").strip()
                return f"pid {pid} ({command[:120]})"
        except OSError:
            continue
    return "a process that this user may not see"


def ports_in_use(addresses, ports=PORTS):
    """One line for each address and port that somebody else has."""
    taken = []
    for address in addresses:
        for port in ports:
            kinds = [socket.SOCK_STREAM] + ([socket.SOCK_DGRAM] if port == PORTS[0] else [])
            for kind in kinds:
                with socket.socket(socket.AF_INET, kind) as probe:
                    if kind == socket.SOCK_STREAM:
                        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    try:
                        probe.bind((address, port))
                    except OSError as error:
                        holder = _listener_of(address, port)
                        taken.append(f"{address}:{port}: {error.strerror}; held by {holder}")
                        break
    return taken


class Node:
    def __init__(self, cluster, number):
        self.cluster = cluster
        self.number = number
        self.address = f"127.0.0.{number}"
        self.config = os.path.join(cluster.folder, f"node{number}.toml")
        self.log = os.path.join(cluster.folder, f"node{number}.log")
        self.data = os.path.join(cluster.folder, f"node{number}")
        self.process = None

    def write_config(self, settings):
        seeds = ", ".join(f'"{node.address}:{PORTS[0]}"' for node in self.cluster.nodes)
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f'[cluster]\nname = "{self.cluster.name}"\nseeds = [{seeds}]\n\n'
                       f'[node]\nlisten = "{self.address}"\ndata_dir = "{self.data}"\n'
                       f'workers = 1\n{settings}')

    def start(self):
        with open(self.log, "ab") as log:
            # A session of its own: Ctrl-C here is ours to handle, and --keep outlives the terminal.
            self.process = subprocess.Popen([program("starlingd"), "--config", self.config],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)
        self.cluster.remember()

    def send(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def exit_status(self):
        return self.process.poll() if self.process else None

    def last_words(self, lines=8):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as file:
                return "".join(f"    {line}" for line in file.readlines()[-lines:])
        except OSError:
            return ""

    def nodetool(self, *command):
        """What a nodetool command says as JSON, or None while this node can't be asked."""
        run = subprocess.run([program("nodetool"), "-h", self.address, "--json", *command],
                             capture_output=True, text=True, check=False, timeout=60)
        if run.returncode != 0:
            return None
        try:
            return json.loads(run.stdout)
        except ValueError as error:
            raise Failure(f"nodetool {' '.join(command)} printed no JSON, {error}: "
                          f"{run.stdout[:200]}") from error

    def sees(self):
        """address -> 'UN', 'DN', ... as this node sees its cluster; {} while it can't be asked."""
        status = self.nodetool("status")
        return {node["address"].split(":")[0]: node["status"] + node["state"]
                for node in status["nodes"]} if status else {}


class Cluster:
    def __init__(self, folder, name, size=3, settings=""):
        self.folder = folder
        self.name = name
        self.nodes = [Node(self, number) for number in range(1, size + 1)]
        self.created = False  # The folder is ours, to be removed by us.
        self._settings = settings

    @property
    def hosts(self):
        return ",".join(f"{node.address}:{PORTS[1]}" for node in self.nodes)

    def create(self):
        """Makes the folder. Fails, and says what is in the way, if anything is."""
        taken = ports_in_use([node.address for node in self.nodes])
        if taken:
            raise Failure("these are in use, and the nodes need them:\n  " + "\n  ".join(taken))
        self.check_is_ours()
        if os.path.isdir(self.folder) and os.listdir(self.folder):
            shutil.rmtree(self.folder)  # Of a run that was cut off: its processes are gone.
        self.created = True
        os.makedirs(self.folder, exist_ok=True)
        self.remember()  # First: by it the folder is ours, also if this ends here.
        for node in self.nodes:
            node.write_config(self._settings)

    def check_is_ours(self):
        """Fails if the folder has something in it that no run of ours put there."""
        if os.path.isdir(self.folder) and os.listdir(self.folder) and \
                not os.path.exists(os.path.join(self.folder, STATE)):
            raise Failure(f"{self.folder} exists and is no cluster of ours: "
                          "move it away, or set TMPDIR")

    def remember(self):
        pids = [node.process.pid for node in self.nodes if node.process]
        with open(os.path.join(self.folder, STATE), "w", encoding="utf-8") as file:
            json.dump({"name": self.name, "pids": pids}, file)

    def start(self, seconds=30):
        """Starts all nodes; seconds until each sees all of them up and normal."""
        for node in self.nodes:
            node.start()
        return self.wait_until_whole(seconds)

    def wait_until_whole(self, seconds):
        whole = {node.address: "UN" for node in self.nodes}

        def all_see_all():
            for node in self.nodes:
                if node.exit_status() is not None:
                    raise Failure(f"node {node.number} ended with status {node.exit_status()}; "
                                  f"its last words:\n{node.last_words()}")
            return all(node.sees() == whole for node in self.nodes)

        try:
            return wait_for(all_see_all, seconds, "not every node saw all nodes up")
        except Failure as failure:
            words = "".join(f"  node {n.number}:\n{n.last_words()}" for n in self.nodes)
            raise Failure(f"{failure}. The last words of each:\n{words}") from None

    def all_equal(self, since_ms):
        """Whether every node found all its ranges equal to their replicas after that wall time."""
        for node in self.nodes:
            status = node.nodetool("repairstatus")
            ranges = status["ranges"] if status else []
            if not ranges or not all(one["equal"] and (one["last_equal_ms"] or 0) >= since_ms
                                     for one in ranges):
                return False
        return True

    def stop(self):
        stop_processes([node.process.pid for node in self.nodes if node.process], reap=self._reap)

    def _reap(self):
        for node in self.nodes:
            if node.process:
                node.process.poll()

    def remove_data(self, keep_logs=False):
        for name in os.listdir(self.folder) if os.path.isdir(self.folder) else []:
            path = os.path.join(self.folder, name)
            if os.path.isdir(path):
                shutil.rmtree(path)
            elif not (keep_logs and re.search(r"\.log$|" + STATE, name)):
                os.remove(path)
        if not keep_logs and os.path.isdir(self.folder):
            os.rmdir(self.folder)


def stop_processes(pids, reap=lambda: None, seconds=15):
    """SIGTERM; SIGKILL for those still there after `seconds`. By id, and only what is a node."""
    pids = [pid for pid in pids if is_starlingd(pid)]
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
        os.kill(pid, signal.SIGTERM)

    def gone():
        reap()
        return not any(is_starlingd(pid) for pid in pids)

    try:
        wait_for(gone, seconds, "")
    except Failure:
        stubborn = [pid for pid in pids if is_starlingd(pid)]
        print(f"  {stubborn} did not stop within {seconds} s of SIGTERM: killed")
        for pid in stubborn:
            os.kill(pid, signal.SIGKILL)
        wait_for(gone, 5, "killed nodes are still there")


def left_behind(folder):
    """Ids of nodes that an earlier run recorded in `folder` and that still run."""
    try:
        with open(os.path.join(folder, STATE), encoding="utf-8") as file:
            return [pid for pid in json.load(file)["pids"] if is_starlingd(pid)]
    except (OSError, ValueError, KeyError):
        return []
